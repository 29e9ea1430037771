//! Linux on x86-64.
//!
//! Address space is reserved without access rights and made writable by `mprotect`, which the kernel merges with the
//! writable neighbour: the whole region is a handful of mappings. A reservation without rights counts against no limit but
//! `RLIMIT_AS`; `RLIMIT_DATA` and the overcommit policy are asked when pages become writable, and then refuse only what is
//! really too much (`MAP_NORESERVE` would switch that answer off, and a wild `malloc` would succeed).

use super::Pal;
use crate::errno;
use crate::sync::AtomicU32;
use core::ptr;
use libc::{c_int, c_void};

/// The system that the process runs on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unix;

impl Unix {
    /// The platform; it has no state.
    pub const fn new() -> Self {
        Unix
    }
}

/// `mprotect`; whether it did.
///
/// # Safety
/// As for `mprotect`: the pages belong to the caller, who accesses them according to `rights` from now on.
unsafe fn protect(start: *mut u8, bytes: usize, rights: c_int) -> bool {
    // SAFETY: the caller's word.
    errno::keeping(|| unsafe { libc::mprotect(start.cast::<c_void>(), bytes, rights) } == 0)
}

/// A limit of the process; none where there is no end.
fn limit(which: libc::__rlimit_resource_t) -> Option<usize> {
    let mut limit = libc::rlimit {
        rlim_cur: libc::RLIM_INFINITY,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: the kernel writes the borrowed structure.
    errno::keeping(|| unsafe { libc::getrlimit(which, &mut limit) });
    (limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur as usize)
}

/// The futex operations among threads of this process.
fn futex(word: &AtomicU32, operation: c_int, value: u32) {
    let operation = operation | libc::FUTEX_PRIVATE_FLAG;
    let forever = ptr::null::<libc::timespec>();
    errno::keeping(|| {
        // SAFETY: the kernel reads the word, which is borrowed for the whole call, and nothing else.
        unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, value, forever) }
    });
}

impl Pal for Unix {
    const LARGEST: usize = 1 << 40;
    const SMALLEST: usize = 64 << 20;

    fn reserve(&self, hint: usize, bytes: usize) -> *mut u8 {
        let hint = ptr::without_provenance_mut::<c_void>(hint);
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: without MAP_FIXED the call maps only what was free.
        let map = || unsafe { libc::mmap(hint, bytes, libc::PROT_NONE, flags, -1, 0) };
        match errno::keeping(map) {
            libc::MAP_FAILED => ptr::null_mut(),
            start => start.cast(),
        }
    }

    unsafe fn release(&self, start: *mut u8, bytes: usize) {
        // SAFETY: the caller's word that nothing of the reservation is in use.
        errno::keeping(|| unsafe { libc::munmap(start.cast::<c_void>(), bytes) });
    }

    unsafe fn release_part(&self, start: *mut u8, bytes: usize) {
        // SAFETY: the caller's word that nobody looks at the pages any more.
        errno::keeping(|| unsafe { libc::munmap(start.cast::<c_void>(), bytes) });
    }

    unsafe fn readable(&self, start: *mut u8, bytes: usize) -> bool {
        // SAFETY: the caller's word that the pages are in a reservation.
        unsafe { protect(start, bytes, libc::PROT_READ) }
    }

    unsafe fn commit(&self, start: *mut u8, bytes: usize) -> bool {
        // SAFETY: the caller's word that the pages are in a reservation.
        unsafe { protect(start, bytes, libc::PROT_READ | libc::PROT_WRITE) }
    }

    unsafe fn purge(&self, start: *mut u8, bytes: usize) -> bool {
        let forget = || {
            // SAFETY: the caller's word that nobody needs the contents.
            unsafe { libc::madvise(start.cast::<c_void>(), bytes, libc::MADV_DONTNEED) }
        };
        errno::keeping(forget) == 0
    }

    fn now_ms(&self) -> u64 {
        let mut now = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: the kernel writes the borrowed structure.
        errno::keeping(|| unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &mut now) });
        now.tv_sec as u64 * 1000 + now.tv_nsec as u64 / 1_000_000
    }

    fn me(&self) -> u32 {
        crate::tls::initial_exec::number()
    }

    fn wait(&self, word: &AtomicU32, seen: u32) {
        futex(word, libc::FUTEX_WAIT, seen);
    }

    fn wake(&self, word: &AtomicU32) {
        futex(word, libc::FUTEX_WAKE, 1);
    }

    fn address_limit(&self) -> Option<usize> {
        limit(libc::RLIMIT_AS)
    }

    fn data_limit(&self) -> Option<usize> {
        limit(libc::RLIMIT_DATA)
    }

    fn random(&self) -> u64 {
        let mut bits = self.now_ms() ^ ptr::from_ref(self).addr() as u64;
        let bytes = ptr::from_mut(&mut bits).cast::<c_void>();
        let (call, flags) = (libc::SYS_getrandom, libc::GRND_NONBLOCK);
        // By number: libc's is a point where a thread may be cancelled.
        // SAFETY: the kernel writes the eight borrowed bytes. When it has no randomness yet the guessable bits remain.
        errno::keeping(|| unsafe { libc::syscall(call, bytes, 8usize, flags) });
        bits
    }

    fn write(&self, text: &[u8]) {
        // When standard error is closed there is nobody to tell.
        super::write(libc::STDERR_FILENO, text);
    }

    fn abort(&self) -> ! {
        // SAFETY: abort may be called anywhere.
        unsafe { libc::abort() }
    }
}
