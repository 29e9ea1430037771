//! Where a check leaves its verdict when it cannot return one: from a forked child, from a function
//! that runs at exit, or from the process that the check began again.

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::OnceLock;

use super::Seen;
use crate::fault::Verdict;
use crate::recorder::{MAIN, Recorder, Seat};

static RECORDER: OnceLock<Recorder> = OnceLock::new();
static SEAT: OnceLock<Seat> = OnceLock::new();

/// Set in the environment of a check that was begun again.
const AGAIN: &str = "BOWLINE_STRESS_AGAIN";

/// Verdicts go here.
pub(crate) fn listen(recorder: Recorder) {
    let _ = RECORDER.set(recorder);
    let _ = SEAT.set(recorder.seat(MAIN));
}

/// Says that the check goes on, however slowly.
pub(super) fn step() {
    if let Some(seat) = SEAT.get() {
        seat.stepped();
    }
}

/// Leaves what was seen as the verdict.
pub(crate) fn tell(seen: &Seen) {
    let Some(recorder) = RECORDER.get() else {
        return;
    };
    match seen {
        Seen::Broken(text) => recorder.judge(Verdict::Broken, text),
        Seen::Missing(name) => {
            recorder.judge(Verdict::Missing, &format!("this malloc has no {name}"));
        }
        Seen::Later => {}
    }
}

/// Leaves the verdict that all held.
pub(crate) fn tell_held() {
    if let Some(recorder) = RECORDER.get() {
        recorder.judge(Verdict::Held, "");
    }
}

/// Whether this is a process that a check began again.
pub(super) fn begun_again() -> bool {
    std::env::var_os(AGAIN).is_some()
}

/// Becomes the same program with the same arguments, under whatever limits were set. What it
/// returns is why it could not.
pub(super) fn begin_again() -> String {
    become_again(|command| command)
}

/// Becomes the same program with this variable.
pub(super) fn begin_again_with(name: &str, value: &str) -> String {
    become_again(|command| command.env(name, value))
}

fn become_again(change: impl FnOnce(&mut Command) -> &mut Command) -> String {
    let mut arguments = std::env::args_os();
    let program = arguments.next().unwrap_or_default();
    let mut command = Command::new(&program);
    let error = change(command.args(arguments).env(AGAIN, "1")).exec();
    format!("cannot become {}: {error}", program.display())
}
