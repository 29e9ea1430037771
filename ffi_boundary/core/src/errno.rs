//! This thread's `errno`.

/// What it is now.
#[inline(always)]
pub(crate) fn get() -> i32 {
    // SAFETY: takes nothing; the result points to this thread's own errno.
    let location = unsafe { libc::__errno_location() };
    // SAFETY: an int that lives as long as the thread.
    unsafe { location.read() }
}

/// Makes it `value`.
#[inline(always)]
pub(crate) fn set(value: i32) {
    // SAFETY: takes nothing; the result points to this thread's own errno.
    let location = unsafe { libc::__errno_location() };
    // SAFETY: an int that lives as long as the thread.
    unsafe { location.write(value) }
}
