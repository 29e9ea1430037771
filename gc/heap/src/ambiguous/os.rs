//! What reading other threads' stacks wants of the operating system.

use std::ops::Range;

/// The stack of the calling thread; an empty range if the system does not tell.
pub(super) fn stack_bounds() -> Range<usize> {
    let mut attributes = std::mem::MaybeUninit::<libc::pthread_attr_t>::zeroed();
    // SAFETY: takes nothing.
    let thread = unsafe { libc::pthread_self() };
    // SAFETY: the thread lives; fills in the attributes.
    if unsafe { libc::pthread_getattr_np(thread, attributes.as_mut_ptr()) } != 0 {
        return 0..0;
    }
    let (mut low, mut bytes) = (std::ptr::null_mut(), 0);
    // SAFETY: the attributes were filled in; the two are writable.
    unsafe { libc::pthread_attr_getstack(attributes.as_ptr(), &mut low, &mut bytes) };
    // SAFETY: filled in above, and not used again.
    unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
    low.addr()..low.addr() + bytes
}

/// Has `handler` run when `signal` comes. System calls that can be started again are.
pub(super) fn handle(signal: libc::c_int, handler: extern "C" fn(libc::c_int)) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: zeroes are a value of it.
    let action = unsafe { action.assume_init_mut() };
    action.sa_sigaction = handler as *const () as usize;
    // Not on an alternate stack: the handler's place tells how far the thread's own one is used.
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: the handler calls futexes alone.
    unsafe { libc::sigaction(signal, action, std::ptr::null_mut()) == 0 }
}

/// Runs `f` and leaves `errno` as it was.
pub(super) fn keeping_errno(f: impl FnOnce()) {
    // SAFETY: every thread has its own.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: a live word of this thread's.
    let before = unsafe { *errno };
    f();
    // SAFETY: as above.
    unsafe { *errno = before };
}

/// Copies what is at `from` into `to`. Returns false if it cannot be read.
pub(super) fn read_own_memory(from: usize, to: &mut [u64]) -> bool {
    let bytes = size_of_val(to);
    let there = libc::iovec {
        iov_base: std::ptr::with_exposed_provenance_mut(from),
        iov_len: bytes,
    };
    let here = libc::iovec {
        iov_base: to.as_mut_ptr().cast(),
        iov_len: bytes,
    };
    // SAFETY: takes nothing.
    let process = unsafe { libc::getpid() };
    // SAFETY: what is copied to is writable; what is copied from the system looks at itself.
    let copied = unsafe { libc::process_vm_readv(process, &here, 1, &there, 1, 0) };
    copied == bytes as isize
}
