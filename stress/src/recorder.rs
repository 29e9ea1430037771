//! The flight recorder: a file that the child maps and the parent reads after whatever happened.
//!
//! ```text
//!   words 0..8      verdict (0 until there is one), length of its text, flag of the writer
//!   words 8..264    the text
//!   then 8 words for each of 65 seats: steps done, act, two arguments, address, system's number
//! ```
//!
//! A seat is one thread's: before each call it says there what it is about to do. When the child
//! dies or stops, the seats say where. The main thread has the last seat.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::fault::Verdict;
use crate::raw::{map_file, thread_id};

const TEXT: usize = 8;
const TEXT_WORDS: usize = 256;
const SEATS: usize = TEXT + TEXT_WORDS;
const SEAT: usize = 8;

/// The most threads that a run has.
pub(crate) const MOST_THREADS: usize = 64;

/// The seat of the main thread.
pub(crate) const MAIN: usize = MOST_THREADS;

const WORDS: usize = SEATS + (MOST_THREADS + 1) * SEAT;

/// What a thread can be about to do.
const ACTS: [&str; 16] = [
    "between two calls",
    "malloc",
    "calloc",
    "posix_memalign",
    "aligned_alloc",
    "memalign",
    "valloc",
    "pvalloc",
    "operator new",
    "realloc",
    "reallocarray",
    "free",
    "looking at a block",
    "starting or joining a thread",
    "fork",
    "malloc_trim",
];

fn act_of(name: &str) -> u64 {
    ACTS.iter().position(|act| *act == name).unwrap_or(0) as u64
}

/// The child's end.
#[derive(Clone, Copy)]
pub(crate) struct Recorder {
    words: &'static [AtomicU64],
}

impl Recorder {
    /// Maps the file that the parent made.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let words = map_file(&file, WORDS)?;
        Ok(Self { words })
    }

    /// A seat for saying what is done there, without saying who sits on it.
    pub(crate) fn quiet_seat(self, number: usize) -> Seat {
        let first = SEATS + number.min(MAIN) * SEAT;
        Seat {
            words: &self.words[first..first + SEAT],
        }
    }

    /// This thread's seat from now on.
    pub(crate) fn seat(self, number: usize) -> Seat {
        let seat = self.quiet_seat(number);
        seat.words[5].store(thread_id() as u64, Ordering::Relaxed);
        seat
    }

    /// The system's numbers of the threads that have taken a seat.
    pub(crate) fn threads(self) -> impl Iterator<Item = i32> {
        let seats = self.words[SEATS..].chunks(SEAT);
        let numbers = seats.map(|seat| seat[5].load(Ordering::Relaxed) as i32);
        numbers.filter(|number| *number != 0)
    }

    /// Leaves the verdict. The first one counts.
    pub(crate) fn judge(self, verdict: Verdict, text: &str) {
        if self.words[2].swap(1, Ordering::AcqRel) != 0 {
            // Whoever comes second is about to end the process: not before the first has spoken.
            while !self.judged() {
                std::thread::yield_now();
            }
            return;
        }
        let text = &text.as_bytes()[..text.len().min(TEXT_WORDS * 8)];
        for (word, bytes) in self.words[TEXT..].iter().zip(text.chunks(8)) {
            let mut padded = [0; 8];
            padded[..bytes.len()].copy_from_slice(bytes);
            word.store(u64::from_ne_bytes(padded), Ordering::Relaxed);
        }
        self.words[1].store(text.len() as u64, Ordering::Relaxed);
        self.words[0].store(verdict as u64 + 1, Ordering::Release);
    }

    /// Whether somebody has left a verdict.
    pub(crate) fn judged(self) -> bool {
        self.words[0].load(Ordering::Acquire) != 0
    }
}

/// Where a thread says what it is about to do.
#[derive(Clone, Copy)]
pub(crate) struct Seat {
    words: &'static [AtomicU64],
}

impl Seat {
    /// About to do this.
    pub(crate) fn act(self, name: &'static str, first: usize, second: usize, address: usize) {
        self.words[2].store(first as u64, Ordering::Relaxed);
        self.words[3].store(second as u64, Ordering::Relaxed);
        self.words[4].store(address as u64, Ordering::Relaxed);
        self.words[1].store(act_of(name), Ordering::Relaxed);
    }

    /// Has done one more step.
    pub(crate) fn stepped(self) {
        self.words[1].store(0, Ordering::Relaxed);
        self.words[0].fetch_add(1, Ordering::Relaxed);
    }

    /// The thread is gone.
    pub(crate) fn leave(self) {
        self.words[1].store(0, Ordering::Relaxed);
        self.words[5].store(0, Ordering::Relaxed);
    }
}

/// What the parent reads.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Record {
    /// The verdict and its text, if the child left one.
    pub(crate) verdict: Option<(Verdict, String)>,
    /// The steps that all threads together have done.
    pub(crate) steps: u64,
    /// The most that one thread has done.
    pub(crate) furthest: u64,
    /// What the threads that are still there were about to do.
    pub(crate) acts: Vec<String>,
}

/// Makes an empty record for a child.
pub(crate) fn create(path: &Path) -> io::Result<()> {
    File::create(path)?.set_len(WORDS as u64 * 8)
}

fn verdict_of(word: u64) -> Option<Verdict> {
    let all = [
        Verdict::Missing,
        Verdict::Held,
        Verdict::Broken,
        Verdict::Hung,
        Verdict::Crashed,
    ];
    all.into_iter().find(|verdict| *verdict as u64 + 1 == word)
}

/// Reads what a child has left so far.
pub(crate) fn read(path: &Path) -> io::Result<Record> {
    let bytes = std::fs::read(path)?;
    if bytes.len() < WORDS * 8 {
        return Err(io::Error::other("the record is cut off"));
    }
    let word = |at: usize| {
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[at * 8..at * 8 + 8]);
        u64::from_ne_bytes(word)
    };
    let length = (word(1) as usize).min(TEXT_WORDS * 8);
    let text = String::from_utf8_lossy(&bytes[TEXT * 8..TEXT * 8 + length]).into_owned();
    let mut record = Record {
        verdict: verdict_of(word(0)).map(|verdict| (verdict, text)),
        ..Record::default()
    };
    for number in 0..=MOST_THREADS {
        let [steps, act, first, second, address, thread] =
            std::array::from_fn(|i| word(SEATS + number * SEAT + i));
        record.steps += steps;
        if number != MAIN {
            record.furthest = record.furthest.max(steps);
        }
        if thread != 0 {
            let name = if number == MAIN {
                "main".to_string()
            } else {
                number.to_string()
            };
            let act = ACTS.get(act as usize).copied().unwrap_or_default();
            record
                .acts
                .push(line(&name, steps, act, [first, second, address]));
        }
    }
    Ok(record)
}

fn line(thread: &str, steps: u64, act: &str, [first, second, address]: [u64; 3]) -> String {
    let arguments = match act {
        "malloc" | "valloc" | "pvalloc" | "operator new" => format!("({first})"),
        "free" | "looking at a block" => format!("({address:#x})"),
        "realloc" => format!("({address:#x}, {first})"),
        "reallocarray" => format!("({address:#x}, {first}, {second})"),
        "calloc" | "posix_memalign" | "aligned_alloc" | "memalign" => {
            format!("({first}, {second})")
        }
        _ => String::new(),
    };
    format!("thread {thread}, step {steps}: {act}{arguments}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> std::path::PathBuf {
        std::env::temp_dir().join(format!("bowline-recorder-{}-{name}", std::process::id()))
    }

    #[test]
    fn what_is_recorded_is_read() {
        let path = file("read");
        create(&path).unwrap();
        assert_eq!(read(&path).unwrap(), Record::default());
        let recorder = Recorder::open(&path).unwrap();
        let seat = recorder.seat(3);
        for _ in 0..5 {
            seat.stepped();
        }
        seat.act("realloc", 4096, 0, 0x1230);
        recorder.seat(MAIN).act("fork", 0, 0, 0);
        recorder.judge(Verdict::Broken, "first");
        recorder.judge(Verdict::Held, "second");
        let record = read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(record.verdict, Some((Verdict::Broken, "first".into())));
        assert_eq!((record.steps, record.furthest), (5, 5));
        let acts = [
            "thread 3, step 5: realloc(0x1230, 4096)",
            "thread main, step 0: fork",
        ];
        assert_eq!(record.acts, acts);
    }

    #[test]
    fn long_texts_are_cut() {
        let path = file("cut");
        create(&path).unwrap();
        let recorder = Recorder::open(&path).unwrap();
        recorder.judge(Verdict::Held, &"x".repeat(5000));
        let (_, text) = read(&path).unwrap().verdict.unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(text.len(), TEXT_WORDS * 8);
    }

    #[test]
    fn a_short_file_is_no_record() {
        let path = file("short");
        std::fs::write(&path, "x").unwrap();
        let error = read(&path).unwrap_err().to_string();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(error, "the record is cut off");
    }
}
