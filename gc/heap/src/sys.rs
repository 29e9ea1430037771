//! The few calls of the operating system that the heap needs.
//!
//! Messages go to file descriptor 2 by `write(2)` from a buffer of our own: they are wanted when the
//! world is stopped or the process is dying, where stdio and the allocator may be locked.

use crate::recorder::Usage;
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

/// Room for a line that is written at once.
const LINE: usize = 512;

/// A line under way.
struct Line {
    text: [u8; LINE],
    len: usize,
}

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // What is too long is cut.
        let fits = text.len().min(LINE - 1 - self.len);
        self.text[self.len..self.len + fits].copy_from_slice(&text.as_bytes()[..fits]);
        self.len += fits;
        Ok(())
    }
}

/// Writes a line to file descriptor 2, with one `write(2)`, so that lines of several threads do not mix.
pub(crate) fn line(message: fmt::Arguments<'_>) {
    let mut line = Line {
        text: [0; LINE],
        len: 0,
    };
    let _ = fmt::Write::write_fmt(&mut line, message);
    line.text[line.len] = b'\n';
    let bytes = &line.text[..=line.len];
    // SAFETY: the bytes are there. There is nowhere to report that they could not be written.
    unsafe { libc::write(2, bytes.as_ptr().cast(), bytes.len()) };
}

/// Says `message` and ends the process.
pub(crate) fn die(message: fmt::Arguments<'_>) -> ! {
    say(message);
    std::process::abort()
}

/// Says `message` and ends the process with the status of a start that failed: the system has refused what
/// cannot be done without. Nothing of the process's runs any more, for it may want the same.
pub(crate) fn give_up(message: fmt::Arguments<'_>) -> ! {
    say(message);
    // SAFETY: takes any status.
    unsafe { libc::_exit(2) }
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

/// The error of the system call that the calling thread has just made.
pub(crate) fn errno() -> libc::c_int {
    // SAFETY: every thread has its own.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: a live word of this thread's.
    unsafe { *errno }
}

/// What the system calls a thread.
#[derive(Clone, Copy)]
pub(crate) struct ThreadName {
    id: libc::pid_t,
    /// Ends at the first 0.
    name: [u8; 16],
}

impl ThreadName {
    /// The calling thread's.
    pub(crate) fn of_this_thread() -> Self {
        let mut name = [0u8; 16];
        // SAFETY: writes 16 bytes at most, which are there. It cannot fail.
        unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
        // SAFETY: takes nothing.
        let id = unsafe { libc::gettid() };
        ThreadName { id, name }
    }
}

impl fmt::Display for ThreadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.split(|byte| *byte == 0).next();
        // A name that is cut within a character, or is no text, loses the rest.
        let name = name.and_then(|name| name.utf8_chunks().next());
        let name = name.map_or("", |chunk| chunk.valid());
        write!(f, "thread {} ({name})", self.id)
    }
}

/// The machine's memory in bytes.
pub(crate) fn physical_memory() -> usize {
    // SAFETY: sysconf takes any name.
    let pages = unsafe { libc::sysconf(libc::_SC_PHYS_PAGES) };
    usize::try_from(pages).map_or(4 << 30, |n| n << 12)
}

/// The limit on address space, if there is one.
pub(crate) fn address_space_limit() -> Option<u64> {
    resource_limit(libc::RLIMIT_AS)
}

/// The limit on private memory that can be written, if there is one.
pub(crate) fn data_limit() -> Option<u64> {
    resource_limit(libc::RLIMIT_DATA)
}

fn resource_limit(resource: libc::__rlimit_resource_t) -> Option<u64> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is a live, writable rlimit.
    let status = unsafe { libc::getrlimit(resource, &mut limit) };
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

/// Whether the system would map `bytes` more that can be written. It is asked by doing so.
pub(crate) fn would_map(bytes: usize) -> bool {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    let protection = Access::ReadWrite.protection();
    // SAFETY: a mapping anywhere touches none that exists.
    let p = unsafe { libc::mmap(std::ptr::null_mut(), bytes, protection, flags, -1, 0) };
    if p == libc::MAP_FAILED {
        return false;
    }
    // SAFETY: the mapping was made above, and nobody knows of it.
    unsafe { libc::munmap(p, bytes) == 0 }
}

/// Maps fresh zero pages anywhere.
pub(crate) fn map(bytes: usize, access: Access) -> Option<Addr> {
    map_with(0, bytes, access, 0)
}

/// Maps fresh zero pages exactly at `at`, if nothing is there.
pub(crate) fn map_at(at: usize, bytes: usize, access: Access) -> Option<Addr> {
    let got = map_with(at, bytes, access, libc::MAP_FIXED_NOREPLACE)?;
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

/// Gives the pages of `[at, at + bytes)` back to the system: they read as zeros from now on. Returns whether it took
/// them.
///
/// # Safety
/// The range consists of whole pages of private anonymous mappings, and nobody needs what they hold.
pub(crate) unsafe fn forget(at: Addr, bytes: usize) -> bool {
    let p = std::ptr::with_exposed_provenance_mut(at.raw());
    // SAFETY: the caller's.
    unsafe { libc::madvise(p, bytes, libc::MADV_DONTNEED) == 0 }
}

/// Runs `f` when the process exits. Returns whether it will.
pub fn at_exit(f: extern "C" fn()) -> bool {
    // SAFETY: `f` takes nothing, returns, and goes away with this code alone.
    unsafe { libc::atexit(f) == 0 }
}

/// What the process took from the system until now.
pub(crate) fn usage() -> Usage {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the structure is writable.
    unsafe { libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) };
    // SAFETY: zeroes are a value of it.
    let usage = unsafe { usage.assume_init() };
    let ns = |time: libc::timeval| time.tv_sec as u64 * 1_000_000_000 + time.tv_usec as u64 * 1000;
    Usage {
        user: ns(usage.ru_utime),
        system: ns(usage.ru_stime),
        resident: usage.ru_maxrss as u64 * 1024,
    }
}

/// Has `handler` run when `signal` comes, unless somebody handles or ignores it.
pub(crate) fn handle_if_default(signal: libc::c_int, handler: extern "C" fn(libc::c_int)) {
    let mut old = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: asks alone; the structure is writable.
    let asked = unsafe { libc::sigaction(signal, std::ptr::null(), old.as_mut_ptr()) };
    // SAFETY: zeroes are a value of it.
    let mut action = unsafe { old.assume_init() };
    if asked != 0 || action.sa_sigaction != libc::SIG_DFL {
        return;
    }
    action.sa_sigaction = handler as *const () as usize;
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: the handler does what a handler may (inv:sampler.handler).
    unsafe { libc::sigaction(signal, &action, std::ptr::null_mut()) };
}

/// Ends the process by `signal`, as if nobody handled it.
pub(crate) fn end_by(signal: libc::c_int) {
    // SAFETY: gives the signal its first meaning back.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
    // SAFETY: takes nothing.
    let process = unsafe { libc::getpid() };
    // SAFETY: sends this process a signal.
    unsafe { libc::kill(process, signal) };
}

/// Writes one byte to `fd` from a signal handler (inv:sampler.handler).
pub(crate) fn ring(fd: libc::c_int, byte: u8) {
    // SAFETY: every thread has its own.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: a live word of this thread's.
    let before = unsafe { *errno };
    // SAFETY: the byte is there. A full socket has rung already.
    unsafe { libc::write(fd, (&raw const byte).cast(), 1) };
    // SAFETY: as above.
    unsafe { *errno = before };
}
