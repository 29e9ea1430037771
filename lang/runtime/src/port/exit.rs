//! What the program has written to standard output and the system has not got yet.
//!
//! The process has one standard output, so this is one buffer, and it is the process's: when C ends the process
//! by `exit`, it is written then, as C writes its own streams.
//!
//! inv:port.exit — what runs at the process's exit waits for no lock and uses nothing of the heap and nothing
//! that belongs to a thread: the buffer is a static, and one that somebody is just using is left alone. A child
//! that C has forked leaves it alone too: what is in it is its parent's.
//!
//! Absent on purpose: files. A program that leaves one open while C ends the process has not closed it.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

static PENDING: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// The process whose output it is.
static OWNER: AtomicU32 = AtomicU32::new(0);

/// The buffer of standard output.
pub(super) fn pending() -> MutexGuard<'static, Vec<u8>> {
    PENDING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has what is pending written when the process exits.
pub(super) fn write_at_exit() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        OWNER.store(process::id(), Relaxed);
        // Without room for it nothing is lost but what C's `exit` would have found.
        let _ = bowline_gc::at_exit(exiting);
    });
}

/// inv:port.exit
extern "C" fn exiting() {
    if OWNER.load(Relaxed) != process::id() {
        return;
    }
    let Ok(mut pending) = PENDING.try_lock() else {
        return;
    };
    if !pending.is_empty() {
        // Nobody is left to be told.
        let _ = write_out(&pending);
        pending.clear();
    }
}

/// Writes past the standard library's own buffer, whose lock might be held; that is flushed with each write.
fn write_out(bytes: &[u8]) -> io::Result<()> {
    let stdout = io::stdout().as_fd().try_clone_to_owned()?;
    File::from(stdout).write_all(bytes)
}
