//! `libbowline_malloc.so`: the exported malloc family as a library to preload. Needs `panic = "abort"`, so it is
//! built in release only.
#![no_std]

use bowline_interpose as _;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    // SAFETY: abort may be called anywhere.
    unsafe { libc::abort() }
}
