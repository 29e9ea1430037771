//! The parent's side of a victim: starts it, watches whether it goes on, and concludes from its
//! end, its record and its last words.

use std::fs::File;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::fault::Verdict;
use crate::locate::Subject;
use crate::raw::Watch;
use crate::recorder::{self, Record};
use crate::victim::Job;

/// How many of a victim's last lines on standard error are shown.
const LAST_WORDS: usize = 4;

/// How a victim fared.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) verdict: Verdict,
    /// What was seen.
    pub(crate) text: String,
    /// What its threads were doing when it died or stopped.
    pub(crate) acts: Vec<String>,
    /// The end of what it wrote to standard error.
    pub(crate) words: Vec<String>,
    /// The steps that all threads together did.
    pub(crate) steps: u64,
    /// The most that one thread did.
    pub(crate) furthest: u64,
}

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ended {
    Exited(i32),
    Signalled(i32),
    /// It did nothing for so long, and was killed.
    Stuck(Duration),
}

/// Starts victims of one malloc.
pub(crate) struct Session<'a> {
    pub(crate) subject: &'a Subject,
    /// This program, which victims are, too.
    pub(crate) program: PathBuf,
}

/// Files of one victim, gone when it is.
struct Files {
    record: PathBuf,
    words: PathBuf,
}

impl Files {
    fn new() -> io::Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("bowline-stress-{}-{number}", std::process::id());
        let base = std::env::temp_dir().join(name);
        let files = Self {
            record: base.with_extension("record"),
            words: base.with_extension("stderr"),
        };
        recorder::create(&files.record)?;
        Ok(files)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.record);
        let _ = std::fs::remove_file(&self.words);
    }
}

impl Session<'_> {
    /// Checks that the malloc of the victims is the one meant. The inner error says which it was.
    pub(crate) fn probe(&self, patience: Duration) -> io::Result<Result<(), String>> {
        let outcome = self.run(&Job::Probe, patience, false)?;
        let (subject, words) = (self.subject, outcome.words.join("\n  "));
        if outcome.verdict != Verdict::Held {
            let seen = outcome.text;
            return Ok(Err(format!(
                "no program runs with {subject}: {seen}\n  {words}"
            )));
        }
        if subject.is(Path::new(&outcome.text)) {
            return Ok(Ok(()));
        }
        Ok(Err(format!(
            "{subject} was loaded for nothing: malloc comes from {}\n  {words}",
            outcome.text
        )))
    }

    /// Does a job in a victim that is given up when it has not gone on for `patience`.
    /// `aborts` says that the promise is to abort.
    pub(crate) fn run(&self, job: &Job, patience: Duration, aborts: bool) -> io::Result<Outcome> {
        let files = Files::new()?;
        let mut child = self.start(job, &files)?;
        let ended = watch(&mut child, &files.record, patience);
        // Children that the victim forked and did not wait for.
        crate::raw::end_group(child.id());
        let ended = ended?;
        let record = recorder::read(&files.record)?;
        let (verdict, text) = conclude(ended, &record, aborts);
        let unfinished = matches!(verdict, Verdict::Crashed | Verdict::Hung);
        Ok(Outcome {
            verdict,
            text,
            acts: match job {
                // A check says by its name what it does.
                Job::Torture(..) if unfinished => record.acts,
                _ => Vec::new(),
            },
            words: last_words(&files.words),
            steps: record.steps,
            furthest: record.furthest,
        })
    }

    fn start(&self, job: &Job, files: &Files) -> io::Result<Child> {
        let mut command = Command::new(&self.program);
        command.arg("victim").arg("--record").arg(&files.record);
        match job {
            Job::Probe => {}
            Job::Check(name) => {
                command.arg("--check").arg(name);
            }
            Job::Torture(plan, limit) => {
                let plan = serde_json::to_string(plan).map_err(io::Error::other)?;
                let limit = limit.as_millis().to_string();
                command.args(["--plan", &plan, "--limit-ms", &limit]);
            }
            Job::Gc { program, order } => {
                command.arg("--program").arg(program);
                order.iter().for_each(|order| {
                    command.arg("--order").arg(order);
                });
            }
        }
        command.env_remove("LD_PRELOAD");
        if let Some(library) = self.subject.library() {
            command.env("LD_PRELOAD", library);
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&files.words)?)
            .process_group(0)
            .spawn()
    }
}

/// Waits for the end, or until the record shows no step for `patience`; what the process stands in line for a processor does not
/// count.
fn watch(child: &mut Child, record: &Path, patience: Duration) -> io::Result<Ended> {
    let mut nap = Duration::from_millis(1);
    let mut steps = 0;
    let mut watch = Watch::new(child.id() as i32);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(ended(status));
        }
        let now = recorder::read(record)?.steps;
        if now != steps {
            steps = now;
            watch.reset();
        }
        if watch.waited() > patience {
            child.kill()?;
            child.wait()?;
            return Ok(Ended::Stuck(patience));
        }
        std::thread::sleep(nap);
        nap = (nap * 2).min(Duration::from_millis(50));
    }
}

fn ended(status: ExitStatus) -> Ended {
    match status.signal() {
        Some(signal) => Ended::Signalled(signal),
        None => Ended::Exited(status.code().unwrap_or(-1)),
    }
}

/// The name of a signal that ends processes.
pub(crate) fn signal_name(signal: i32) -> String {
    let name = match signal {
        libc::SIGABRT => "SIGABRT",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGBUS => "SIGBUS",
        libc::SIGILL => "SIGILL",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGFPE => "SIGFPE",
        libc::SIGKILL => "SIGKILL (the system may have been short of memory)",
        libc::SIGSYS => "SIGSYS",
        _ => return format!("signal {signal}"),
    };
    name.into()
}

fn conclude(ended: Ended, record: &Record, aborts: bool) -> (Verdict, String) {
    let said = record.verdict.clone();
    match (ended, said) {
        (_, Some((verdict, text))) if verdict != Verdict::Held => (verdict, text),
        (Ended::Exited(0), Some(held)) => held,
        (Ended::Exited(0), None) => {
            let text = "the process ended before its work was done";
            (Verdict::Broken, text.into())
        }
        (Ended::Signalled(libc::SIGABRT), None) if aborts => (Verdict::Held, String::new()),
        (Ended::Signalled(signal), said) => {
            let when = if said.is_some() {
                ", when its work was done"
            } else {
                ""
            };
            let text = format!("died of {}{when}", signal_name(signal));
            (Verdict::Crashed, text)
        }
        (Ended::Exited(status), _) => (
            Verdict::Broken,
            format!("the process ended with status {status}"),
        ),
        (Ended::Stuck(patience), said) => {
            let when = if said.is_some() {
                " when its work was done"
            } else {
                ""
            };
            let text = format!("did not go on for {} s{when}", patience.as_secs());
            (Verdict::Hung, text)
        }
    }
}

fn last_words(path: &Path) -> Vec<String> {
    let bytes = std::fs::read(path).unwrap_or_default();
    let tail = &bytes[bytes.len().saturating_sub(4096)..];
    let text = String::from_utf8_lossy(tail);
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let first = lines.len().saturating_sub(LAST_WORDS);
    lines[first..].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn concluded(ended: Ended, said: Option<(Verdict, &str)>, aborts: bool) -> (Verdict, String) {
        let record = Record {
            verdict: said.map(|(verdict, text)| (verdict, text.into())),
            ..Record::default()
        };
        conclude(ended, &record, aborts)
    }

    #[test]
    #[rustfmt::skip] // a table
    fn every_end_has_its_conclusion() {
        use Ended::{Exited, Signalled, Stuck};
        use Verdict::{Broken, Crashed, Held, Hung};
        let patience = Stuck(Duration::from_secs(5));
        let held = Some((Held, ""));
        let abort = Signalled(libc::SIGABRT);
        let cases = [
            (Exited(0), held, false, Held, ""),
            (Exited(0), Some((Broken, "x")), false, Broken, "x"),
            (Exited(0), Some((Broken, "went on")), true, Broken, "went on"),
            (Exited(0), None, false, Broken, "the process ended before its work was done"),
            (Exited(7), None, false, Broken, "the process ended with status 7"),
            (Exited(7), held, false, Broken, "the process ended with status 7"),
            (abort, None, true, Held, ""),
            (abort, None, false, Crashed, "died of SIGABRT"),
            (Signalled(libc::SIGSEGV), None, true, Crashed, "died of SIGSEGV"),
            (Signalled(libc::SIGBUS), held, false, Crashed, "died of SIGBUS, when its work was done"),
            (Signalled(31 + 9), None, false, Crashed, "died of signal 40"),
            (patience, None, false, Hung, "did not go on for 5 s"),
            (patience, held, false, Hung, "did not go on for 5 s when its work was done"),
            (patience, Some((Broken, "x")), false, Broken, "x"),
        ];
        for (ended, said, aborts, verdict, text) in cases {
            let got = concluded(ended, said, aborts);
            assert_eq!(got, (verdict, text.to_string()), "{ended:?} {said:?} {aborts}");
        }
    }
}
