//! What a library without std must say: a panic ends the process. Nothing here panics on purpose, and there is nobody
//! to tell.

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    // SAFETY: abort may be called anywhere.
    unsafe { libc::abort() }
}
