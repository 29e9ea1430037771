//! The few calls of the operating system that the heap needs.
//!
//! Messages go to file descriptor 2 by `write(2)` from a buffer of our own: they are wanted when the
//! world is stopped or the process is dying, where stdio and the allocator may be locked.

use bowline_layout::Addr;
use std::fmt;

/// A writer to file descriptor 2 that neither allocates nor locks.
struct Fd2;

impl fmt::Write for Fd2 {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            // SAFETY: `rest` is a live slice.
            let n = unsafe { libc::write(2, rest.as_ptr().cast(), rest.len()) };
            match usize::try_from(n) {
                Ok(n) if n > 0 => rest = &rest[n..],
                _ => return Err(fmt::Error),
            }
        }
        Ok(())
    }
}

/// Says `message` on file descriptor 2.
pub(crate) fn say(message: fmt::Arguments<'_>) {
    // There is nowhere to report that a message could not be written.
    let _ = fmt::Write::write_fmt(&mut Fd2, format_args!("bowline: {message}\n"));
}

/// Says `message` and ends the process.
pub(crate) fn die(message: fmt::Arguments<'_>) -> ! {
    say(message);
    std::process::abort()
}

/// Makes the calling thread take no signals that are sent to the process: handlers belong to threads of
/// the program's.
pub(crate) fn leave_signals_to_others() {
    let mut all = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: fills in the set.
    unsafe { libc::sigfillset(all.as_mut_ptr()) };
    for fault in [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE] {
        // SAFETY: the set was filled in.
        unsafe { libc::sigdelset(all.as_mut_ptr(), fault) };
    }
    // SAFETY: the set was filled in. It cannot fail with these arguments.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, all.as_ptr(), std::ptr::null_mut()) };
}

/// The machine's memory in bytes.
pub(crate) fn physical_memory() -> usize {
    // SAFETY: sysconf takes any name.
    let pages = unsafe { libc::sysconf(libc::_SC_PHYS_PAGES) };
    usize::try_from(pages).map_or(4 << 30, |n| n << 12)
}

/// The limit on address space, if there is one.
pub(crate) fn address_space_limit() -> Option<u64> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is a live, writable rlimit.
    let status = unsafe { libc::getrlimit(libc::RLIMIT_AS, &mut limit) };
    (status == 0 && limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur)
}

/// How a mapping may be used.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    None,
    Read,
    ReadWrite,
}

impl Access {
    fn protection(self) -> libc::c_int {
        match self {
            Access::None => libc::PROT_NONE,
            Access::Read => libc::PROT_READ,
            Access::ReadWrite => libc::PROT_READ | libc::PROT_WRITE,
        }
    }
}

fn map_with(at: usize, bytes: usize, access: Access, extra: libc::c_int) -> Option<Addr> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | extra;
    // SAFETY: without MAP_FIXED the call touches no mapping that exists; with it, see `map_over`.
    let p = unsafe {
        libc::mmap(
            std::ptr::with_exposed_provenance_mut(at),
            bytes,
            access.protection(),
            flags,
            -1,
            0,
        )
    };
    (p != libc::MAP_FAILED).then(|| Addr::new(p.expose_provenance()))
}

/// Maps fresh zero pages anywhere.
pub(crate) fn map(bytes: usize, access: Access) -> Option<Addr> {
    map_with(0, bytes, access, 0)
}

/// Maps fresh zero pages exactly at `at`, if nothing is there.
pub(crate) fn map_at(at: usize, bytes: usize) -> Option<Addr> {
    let got = map_with(at, bytes, Access::ReadWrite, libc::MAP_FIXED_NOREPLACE)?;
    // A kernel without the flag takes the address for a hint.
    if got.raw() == at {
        return Some(got);
    }
    unmap(got, bytes);
    None
}

/// Replaces what is mapped at `at` by fresh zero pages.
///
/// # Safety
/// Nothing that the process reads or writes may lie in `[at, at + bytes)`.
pub(crate) unsafe fn map_over(at: usize, bytes: usize, access: Access) -> bool {
    map_with(at, bytes, access, libc::MAP_FIXED).is_some()
}

/// Changes how `[at, at + bytes)`, a mapping of ours, may be used.
pub(crate) fn protect(at: Addr, bytes: usize, access: Access) -> bool {
    let p = std::ptr::with_exposed_provenance_mut(at.raw());
    // SAFETY: the callers pass mappings made above, which nobody uses yet.
    unsafe { libc::mprotect(p, bytes, access.protection()) == 0 }
}

/// Gives a mapping made above back.
pub(crate) fn unmap(at: Addr, bytes: usize) {
    let p = std::ptr::with_exposed_provenance_mut(at.raw());
    // SAFETY: the callers pass whole mappings made above that nobody uses any more.
    unsafe { libc::munmap(p, bytes) };
}
