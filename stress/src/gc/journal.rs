//! The journal of a run: in which order its operations began, and where collections happened that none of
//! them asked for itself. Of it a script is made that collects at the same places, and marks beside the
//! program at the same.
//!
//! ```text
//!   child: drawn operations ── a word for each event, in a mapped file ──▶ parent: transcript, a script
//! ```
//!
//! A collection that was only asked for, or that C's memory is the reason for, begins whenever the
//! collector gets to it. In a script it stands as a line of its own before the operation in which it was
//! seen, and nothing else asks for it. What would begin by itself does not then, since the memory is free
//! already. Marking stands before the first operation that began during it, and lasts for those that did.
//!
//! Absent on purpose: collections in forked children and in threads that come and go, whose operations
//! are not in a script either; and those of a zeal, which counts, so that they are the same in each run.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use bowline_gc::{GcStats, Heap, Plan};

use super::op::{Kind, Op};
use super::script::Line;
use super::shadow::lock;

/// Where the event stands in a word, and the thread. The rest is an operation's number.
const EVENT: u32 = 61;
const THREAD: u32 = 40;

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Event {
    /// An operation begins.
    Begins,
    /// A collection that `collect minor` stands for best was seen in the thread's last operation.
    Minor,
    /// The same for `collect full`.
    Full,
    /// The thread's last operation has asked for a collection, and there was none in time.
    Vain,
    /// The heap was being marked beside the program when the thread's last operation began.
    Marks,
}

const EVENTS: [Event; 5] = [
    Event::Begins,
    Event::Minor,
    Event::Full,
    Event::Vain,
    Event::Marks,
];

/// How many words the journal of so many operations may need.
pub(super) fn room(operations: u64) -> u64 {
    3 * operations + 1024
}

/// The child's end.
pub(super) struct Journal {
    /// How many events, and what they are. Nothing where a script says all.
    words: Option<&'static [AtomicU64]>,
    plan: Option<Plan>,
    /// How many collections are accounted for.
    seen: AtomicU64,
    /// The figures at that time.
    figures: Mutex<GcStats>,
    /// Threads that are in an operation which collects.
    asking: AtomicU32,
    /// The marking under way is accounted for.
    marks: AtomicBool,
}

impl Journal {
    /// Without a plan collections are not noted.
    pub(super) fn new(words: Option<&'static [AtomicU64]>, plan: Option<Plan>) -> Self {
        Journal {
            words,
            plan,
            seen: AtomicU64::new(0),
            figures: Mutex::default(),
            asking: AtomicU32::new(0),
            marks: AtomicBool::new(false),
        }
    }

    fn note(&self, event: Event, thread: u32, index: u64) {
        if let Some((first, rest)) = self.words.and_then(|words| words.split_first()) {
            let at = first.fetch_add(1, Ordering::Relaxed) as usize;
            if let Some(word) = rest.get(at) {
                let event = (event as u64) << EVENT;
                word.store(
                    event | u64::from(thread) << THREAD | index,
                    Ordering::Relaxed,
                );
            }
        }
    }

    /// Operation `index` of a thread begins.
    pub(super) fn begins(&self, thread: u32, index: u64) {
        self.note(Event::Begins, thread, index);
    }

    /// Notes collections that nobody has accounted for. The calling thread is Managed.
    pub(super) fn watch(&self, heap: &Heap, thread: u32) {
        let Some(plan) = self.plan.filter(|_| self.words.is_some()) else {
            return;
        };
        // Whoever asks will account for it.
        if heap.collections() == self.seen.load(Ordering::Relaxed)
            || self.asking.load(Ordering::Relaxed) > 0
        {
            return;
        }
        let mut figures = lock(&self.figures);
        let now = heap.stats();
        let all = now.collections.saturating_sub(figures.collections);
        let full = match plan {
            Plan::Throughput => now.major - figures.major,
            Plan::Latency => now.fallbacks - figures.fallbacks,
            // There every collection is of the whole heap, and the minor one is one of them.
            _ => 0,
        };
        let of = |i| if i < full { Event::Full } else { Event::Minor };
        (0..all).rev().for_each(|i| self.note(of(i), thread, 0));
        self.seen.store(now.collections, Ordering::Relaxed);
        *figures = now;
        self.marks.store(false, Ordering::Relaxed);
    }

    /// Notes marking that nobody has accounted for, when an operation has begun. The calling thread is Managed.
    pub(super) fn watch_marking(&self, heap: &Heap, thread: u32) {
        let noted = self.plan.is_some() && self.asking.load(Ordering::Relaxed) == 0;
        if noted && heap.is_marking() && !self.marks.swap(true, Ordering::Relaxed) {
            self.note(Event::Marks, thread, 0);
        }
    }

    /// Runs an operation whose collections are its own. `hopes` says that it waits for one that it has
    /// asked for, but not for ever.
    pub(super) fn asks<R>(
        &self,
        heap: &Heap,
        thread: u32,
        hopes: bool,
        operation: impl FnOnce() -> R,
    ) -> R {
        let before = heap.collections();
        self.asking.fetch_add(1, Ordering::Relaxed);
        let done = operation();
        self.asking.fetch_sub(1, Ordering::Relaxed);
        if hopes && self.plan.is_some() && heap.collections() == before {
            self.note(Event::Vain, thread, 0);
        }
        let mut figures = lock(&self.figures);
        *figures = heap.stats();
        self.seen.store(figures.collections, Ordering::Relaxed);
        self.marks.store(heap.is_marking(), Ordering::Relaxed);
        done
    }
}

/// Whether collections are this operation's own, and whether it may wait for one in vain.
pub(super) fn collects(op: Op) -> Option<bool> {
    match op.kind {
        Kind::Minor
        | Kind::Full
        | Kind::Marking
        | Kind::FinalizerThread
        | Kind::Check
        | Kind::Thread
        | Kind::Freeze => Some(false),
        Kind::Call | Kind::Native if op.n & 1 != 0 => Some(true),
        _ => None,
    }
}

/// The script that a journal tells of. `operation` says what a thread's operation of a number is; with a zeal
/// what asks for collections stays.
pub(super) fn transcript(
    words: &[u64],
    zealous: bool,
    operation: impl Fn(u32, u64) -> Op,
) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    // Nobody has seen the answer to a request: it may be what the process died of.
    let mut open = false;
    // Where marking has begun that is not known to be over, and by whom it was seen.
    let mut marking: Option<(usize, u32)> = None;
    for word in words {
        let event = EVENTS[(word >> EVENT) as usize % EVENTS.len()];
        let thread = (word >> THREAD) as u32 & ((1 << (EVENT - THREAD)) - 1);
        let last = lines.iter().rposition(|(of, _)| *of == thread);
        let collection = match event {
            Event::Begins => {
                let op = operation(thread, word & ((1 << THREAD) - 1));
                let asks = op.kind == Kind::Request && !zealous;
                // One that collects itself has answered.
                open = (open || asks) && collects(op).is_none();
                if let Some((at, _)) = marking.filter(|(_, seen)| *seen == thread) {
                    lines[at].1.n += 1;
                }
                lines.push((thread, if asks { Op::of(Kind::Poll) } else { op }));
                continue;
            }
            Event::Vain => {
                last.into_iter().for_each(|last| lines[last].1.n &= !1);
                continue;
            }
            Event::Marks => {
                let at = last.unwrap_or(0);
                let mut begins = Op::of(Kind::Marking);
                begins.n = 1;
                lines.insert(at, (thread, begins));
                marking = Some((at, thread));
                continue;
            }
            Event::Minor => Kind::Minor,
            Event::Full => Kind::Full,
        };
        open = false;
        marking = None;
        lines.insert(last.unwrap_or(0), (thread, Op::of(collection)));
    }
    if let Some((thread, _)) = lines.last().filter(|_| open) {
        let collection = (*thread, Op::of(Kind::Minor));
        lines.insert(lines.len() - 1, collection);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A word of the journal: what happened, on which thread, with which operation.
    type Word = (Event, u64, u64);

    fn told(words: &[Word], zealous: bool) -> Vec<String> {
        let word =
            |&(event, thread, index): &Word| (event as u64) << EVENT | thread << THREAD | index;
        let words: Vec<u64> = words.iter().map(word).collect();
        let operation = |_, index| {
            let text = ["drop r1", "request a collection", "native 1", "drop r2"];
            text[index as usize].parse().unwrap()
        };
        let lines = transcript(&words, zealous, operation);
        let text = lines.iter().map(|(thread, op)| format!("{thread}: {op}"));
        text.collect()
    }

    #[test]
    fn a_collection_stands_before_the_operation_that_saw_it() {
        use Event::{Begins, Full, Minor, Vain};
        let words = [
            (Begins, 0, 0),
            (Begins, 0, 1),
            (Begins, 1, 3),
            (Minor, 0, 0),
            (Begins, 0, 2),
            (Vain, 0, 0),
            (Full, 1, 0),
        ];
        let wanted = [
            "0: drop r1",
            "0: collect minor",
            "0: poll",
            "1: collect full",
            "1: drop r2",
            "0: native 0",
        ];
        assert_eq!(told(&words, false), wanted);
    }

    #[test]
    fn marking_stands_before_what_began_during_it() {
        use Event::{Begins, Marks, Minor};
        let words = [
            (Begins, 0, 0),
            (Begins, 0, 3),
            (Marks, 0, 0),
            (Begins, 0, 0),
            (Begins, 1, 0),
            (Begins, 0, 3),
            (Minor, 0, 0),
            (Begins, 0, 0),
        ];
        let wanted = [
            "0: drop r1",
            "0: begin marking, 3 steps",
            "0: drop r2",
            "0: drop r1",
            "1: drop r1",
            "0: collect minor",
            "0: drop r2",
            "0: drop r1",
        ];
        assert_eq!(told(&words, false), wanted);
    }

    #[test]
    fn a_request_that_was_not_answered_collects_before_the_end() {
        let words = [0, 1, 3].map(|i| (Event::Begins, 0, i));
        let wanted = ["0: drop r1", "0: poll", "0: collect minor", "0: drop r2"];
        assert_eq!(told(&words, false), wanted);
        let zealous = ["0: drop r1", "0: request a collection", "0: drop r2"];
        assert_eq!(told(&words, true), zealous);
        let words = [0, 1, 2].map(|i| (Event::Begins, 0, i));
        let answered = ["0: drop r1", "0: poll", "0: native 1"];
        assert_eq!(told(&words, false), answered);
    }
}
