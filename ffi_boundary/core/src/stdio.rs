//! What the C library keeps of its own output.
//!
//! Absent on purpose: streams that a program opened. Only standard output shares a terminal with us.

unsafe extern "C" {
    /// The C library's standard output.
    static stdout: *mut libc::FILE;
}

/// Hands what C has printed to standard output on to the system. What cannot be written is C's to
/// notice: the stream keeps its error.
pub fn flush_c_stdout() {
    // SAFETY: the C library sets the word before `main` and leaves it alone; a program that replaces
    // it must make it a stream, as every C program relies on.
    let stream = unsafe { stdout };
    // SAFETY: it is a stream, and fflush takes the stream's own lock.
    unsafe { libc::fflush(stream) };
}
