//! From where the running function was called.
//!
//! The unwinder is GCC's, which every program in C++ or Rust has anyway: the shared library has a copy of its own, linked in, so
//! that nothing but libc is needed; an executable has the one of its standard library. It follows the tables that compilers
//! write for exceptions (`.eh_frame`), which code without frame pointers has too, and it takes no memory to follow them. Where code
//! has no such table, as code made at run time, the stack ends.
//!
//! Frames of this library are left out, for they are the same everywhere. In an executable that is this allocator they cannot be
//! told from the program's by their address, and stay; the profile says by name which tools are to leave out.

use crate::module;
use bowline_alloc::profile::DEPTH;
use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicUsize, Ordering};

/// What the unwinder is to do next (`unwind.h`).
const GO_ON: c_int = 0;
const ENOUGH: c_int = 4;

unsafe extern "C" {
    fn _Unwind_Backtrace(
        visit: extern "C" fn(*mut c_void, *mut c_void) -> c_int,
        argument: *mut c_void,
    ) -> c_int;
    fn _Unwind_GetIPInfo(context: *mut c_void, before: *mut c_int) -> usize;
}

/// Where this library begins and ends; both 0 in an executable.
static OURS: [AtomicUsize; 2] = [AtomicUsize::new(0), AtomicUsize::new(0)];

/// What is collected.
struct Walk<'a> {
    frames: &'a mut [usize; DEPTH],
    depth: usize,
    ours: [usize; 2],
}

/// Finds out which frames to leave out.
pub(crate) fn begin() {
    let Some((start, end)) = module::mine().and_then(module::extent) else {
        return;
    };
    // SAFETY: any entry of the auxiliary vector may be asked for.
    let headers = unsafe { libc::getauxval(libc::AT_PHDR) } as usize;
    if !(start..end).contains(&headers) {
        OURS[0].store(start, Ordering::Relaxed);
        OURS[1].store(end, Ordering::Relaxed);
    }
}

/// Writes the addresses of the callers, innermost first; how many they are.
pub(crate) fn walk(frames: &mut [usize; DEPTH]) -> usize {
    let [start, end] = &OURS;
    let mut walk = Walk {
        frames,
        depth: 0,
        ours: [start.load(Ordering::Relaxed), end.load(Ordering::Relaxed)],
    };
    // SAFETY: the function takes what is given here, and unwinds nothing.
    unsafe { _Unwind_Backtrace(visit, (&raw mut walk).cast()) };
    walk.depth
}

extern "C" fn visit(context: *mut c_void, walk: *mut c_void) -> c_int {
    let mut before = 0;
    // SAFETY: the unwinder's own context; the answer has room.
    let next = unsafe { _Unwind_GetIPInfo(context, &mut before) };
    // SAFETY: `walk` has given it, and waits.
    let walk = unsafe { &mut *walk.cast::<Walk<'_>>() };
    // Behind a call stands the address at which it returns; but for a signal's frame.
    let address = next.wrapping_sub(usize::from(before == 0));
    let [start, end] = walk.ours;
    if next == 0 || (walk.depth == 0 && (start..end).contains(&address)) {
        return GO_ON;
    }
    walk.frames[walk.depth] = address;
    walk.depth += 1;
    if walk.depth == DEPTH { ENOUGH } else { GO_ON }
}
