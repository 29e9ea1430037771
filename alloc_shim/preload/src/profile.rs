//! The heap profile that `BOWLINE_MALLOC_PROFILE` asks for: when it is written, and where.
//!
//! It is written when the process exits, as the figures are ([`crate::statistics`]), and on a signal. The file is written anew each
//! time; a name with `%n` in it is another file each time.

use crate::place::{self, Place};
use crate::{backtrace, heap, hooks, pprof, standard_error};
use bowline_alloc::pal::Unix;
use bowline_alloc::report::Line;
use core::ffi::c_void;
use core::sync::atomic::{AtomicBool, Ordering};

/// Bytes from one sample to the next, unless something else is asked for.
const INTERVAL: usize = 512 << 10;

static FILE: Place = Place::none();

/// Whether a profile is being written.
static BUSY: AtomicBool = AtomicBool::new(false);

/// Begins a profile; false where the file's name is too long.
pub(crate) fn begin(name: &[u8], interval: Option<usize>) -> bool {
    if !FILE.set(name) {
        return false;
    }
    backtrace::begin();
    if heap::profile(interval.unwrap_or(INTERVAL), backtrace::walk) {
        hooks::at_exit(finish);
    } else {
        Line::new("no memory for the heap profile").send(&Unix::new());
    }
    true
}

/// In a forked child: whoever wrote one is gone.
pub(crate) fn fork_child() {
    BUSY.store(false, Ordering::Relaxed);
}

extern "C" fn finish(_: *mut c_void) {
    write();
}

/// Writes the profile, unless it is being written.
pub(crate) fn write() {
    if !FILE.is_some() || BUSY.swap(true, Ordering::Acquire) {
        return;
    }
    if let Some(descriptor) = FILE.open_anew() {
        if !pprof::write_to(descriptor) {
            let line = Line::new("the heap profile is not whole: the file took no more");
            standard_error::say(line);
        }
        place::close(descriptor);
    }
    BUSY.store(false, Ordering::Release);
}
