//! This thread's `errno`.
//!
//! To find its place is a call into libc that costs as much as what is done there, so it is found once where it is read
//! and written.

use std::ffi::c_int;

/// What `f` gives, and what `errno` is behind it, which is 0 before it. Hidden: for what measures that.
#[doc(hidden)]
#[inline(always)]
pub fn errno_around<R>(f: impl FnOnce() -> R) -> (R, i32) {
    let errno = Errno::of_this_thread();
    errno.set(0);
    let result = f();
    (result, errno.get())
}

/// The place, which stays the same for as long as the thread lives.
pub(crate) struct Errno(*mut c_int);

impl Errno {
    /// The calling thread's.
    #[inline(always)]
    pub(crate) fn of_this_thread() -> Errno {
        // SAFETY: takes nothing; the result points to this thread's own errno.
        Errno(unsafe { libc::__errno_location() })
    }

    /// What it is now.
    #[inline(always)]
    pub(crate) fn get(&self) -> i32 {
        // SAFETY: an int that lives as long as the thread, which alone has this.
        unsafe { self.0.read() }
    }

    /// Makes it `value`.
    #[inline(always)]
    pub(crate) fn set(&self, value: i32) {
        // SAFETY: as above.
        unsafe { self.0.write(value) }
    }
}
