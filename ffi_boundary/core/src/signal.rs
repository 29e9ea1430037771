//! What the interrupt signal does: Ctrl-C at a terminal.
//!
//! ```text
//! 1st  the thread that runs the language is asked to stop; a blocking system call returns EINTR
//! 2nd  (the 1st not met yet) says what the thread is busy with
//! 3rd  ends the process with status 130
//! ```
//!
//! The signal may be delivered to any thread; the handler sends it on to the one that runs the
//! language, for only there does it wake up a system call. There is no `SA_RESTART`, for the same
//! reason.
//!
//! A guest that runs the language meanwhile is asked to poll, and meets the same request.
//!
//! inv:signal.safe — the handler reads and writes atomics, tries one lock that it does not wait for, and reads this thread's list of active calls
//! (`inv:active.linked`), which changes by one word at a time, and calls `pthread_kill`, `write` and
//! `_exit`. It keeps `errno`.
//!
//! Absent on purpose: other signals.

use crate::active;
use crate::errno::Errno;
use crate::language;
use bowline_gc::Interrupter;
use std::io;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// Whom the signal is for; null before there is anybody. What it points to is never freed.
static INTERRUPTER: AtomicPtr<Interrupter> = AtomicPtr::new(ptr::null_mut());
/// The thread that runs the language.
static THREAD: AtomicU64 = AtomicU64::new(0);

/// The status of a process that was ended by Ctrl-C, as shells have it.
const ENDED: i32 = 130;

/// Makes Ctrl-C interrupt what the calling thread does, by way of `interrupter`, which is the
/// thread's own. Called once more it takes the place of what was said before.
pub fn handle_interrupts(interrupter: Interrupter) -> io::Result<()> {
    let leaked = Box::into_raw(Box::new(interrupter));
    INTERRUPTER.store(leaked, Ordering::SeqCst);
    // SAFETY: takes nothing.
    let this = unsafe { libc::pthread_self() };
    THREAD.store(this, Ordering::SeqCst);
    let handler: extern "C" fn(libc::c_int) = on_interrupt;
    // SAFETY: a struct of integers and null pointers.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as libc::sighandler_t;
    // Also on threads that C has made, whose stacks may be small.
    action.sa_flags = libc::SA_ONSTACK;
    // SAFETY: the handler does what handlers may (inv:signal.safe); the mask is empty.
    match unsafe { libc::sigaction(libc::SIGINT, &raw const action, ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

extern "C" fn on_interrupt(signal: libc::c_int) {
    let errno = Errno::of_this_thread();
    let before = errno.get();
    handle(signal);
    errno.set(before);
}

fn handle(signal: libc::c_int) {
    let thread = THREAD.load(Ordering::SeqCst);
    // SAFETY: takes nothing.
    if unsafe { libc::pthread_self() } != thread {
        // SAFETY: the thread runs the language until the process ends.
        unsafe { libc::pthread_kill(thread, signal) };
        return;
    }
    // SAFETY: null, or leaked by `handle_interrupts`.
    let Some(interrupter) = (unsafe { INTERRUPTER.load(Ordering::SeqCst).as_ref() }) else {
        return;
    };
    let requests = interrupter.interrupt();
    // inv:language.one
    if let Some(gate) = language::gate() {
        gate.pull_guest();
    }
    match requests {
        0 | 1 => {}
        2 => tell_what_runs(),
        // SAFETY: ends the process.
        _ => unsafe { libc::_exit(ENDED) },
    }
}

/// The second request before the first was met.
fn tell_what_runs() {
    active::with_innermost(|call| match call {
        Some(call) if !call.inside.get() => {
            say("\nbowline: the foreign procedure ");
            // SAFETY: the function is borrowed for as long as the call is linked
            // (inv:active.linked).
            say(unsafe { &*call.name });
            say(" is still running");
        }
        _ => say("\nbowline: the program has not come to a place where it can be stopped"),
    });
    say("; Ctrl-C once more ends the process\n");
}

/// Writes to standard error.
pub(crate) fn say(text: &str) {
    say_bytes(text.as_bytes());
}

/// The same, of text that may be cut off anywhere.
pub(crate) fn say_bytes(text: &[u8]) {
    // SAFETY: a buffer with its length. Nobody is left to be told of a failure.
    unsafe { libc::write(2, text.as_ptr().cast(), text.len()) };
}
