//! Writing without a signal: what is told of memory must not end the process, nor run a handler of the program's.
//!
//! A pipe that nobody reads answers by `SIGPIPE` as well as by an error, and a file that has reached the limit of its size (`ulimit -f`)
//! by `SIGXFSZ`; either ends a process that does not handle it. Both are sent to the thread that writes, so it blocks them
//! meanwhile, and takes away what a write of its own has left.
//!
//! All calls are by number: libc's are points where a thread may be cancelled, and then it would unwind from here.

use crate::errno;
use core::ptr::{from_mut, from_ref, null_mut};
use libc::{SYS_rt_sigpending, SYS_rt_sigprocmask, SYS_rt_sigtimedwait, c_int, syscall, timespec};

/// A set of signals as the kernel has it: signal 1 is the lowest bit.
type Set = u64;

const SIGNALS: Set = 1 << (libc::SIGPIPE - 1) | 1 << (libc::SIGXFSZ - 1);

/// The signals are blocked until this is dropped.
struct Blocked {
    /// What was blocked before.
    mask: Set,
    /// Those of the two that waited already.
    waiting: Set,
}

impl Blocked {
    fn new() -> Blocked {
        let (mut mask, mut waiting) = (0, 0);
        let (how, set, old) = (libc::SIG_BLOCK, from_ref(&SIGNALS), from_mut(&mut mask));
        // SAFETY: the kernel reads the one and writes the other, both of the size that is told.
        unsafe { syscall(SYS_rt_sigprocmask, how, set, old, size_of::<Set>()) };
        if mask & SIGNALS != 0 {
            // SAFETY: the kernel writes the borrowed set.
            unsafe { syscall(SYS_rt_sigpending, from_mut(&mut waiting), size_of::<Set>()) };
        }
        Blocked { mask, waiting }
    }

    /// Takes away what a refused write has left.
    fn clear(&self) {
        let ours = SIGNALS & !self.waiting;
        let (set, nothing) = (from_ref(&ours), null_mut::<libc::siginfo_t>());
        let at_once = timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let (time, size) = (from_ref(&at_once), size_of::<Set>());
        // SAFETY: the kernel reads the borrowed set and time.
        unsafe { syscall(SYS_rt_sigtimedwait, set, nothing, time, size) };
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        let (how, old) = (libc::SIG_SETMASK, null_mut::<Set>());
        let set = from_ref(&self.mask);
        // SAFETY: the kernel reads the borrowed set.
        unsafe { syscall(SYS_rt_sigprocmask, how, set, old, size_of::<Set>()) };
    }
}

/// Writes all of it, as far as the file takes it; whether it took all. Keeps errno.
pub fn write(descriptor: c_int, bytes: &[u8]) -> bool {
    errno::keeping(|| write_all(descriptor, bytes))
}

fn write_all(descriptor: c_int, mut bytes: &[u8]) -> bool {
    let blocked = Blocked::new();
    while !bytes.is_empty() {
        let (start, count) = (bytes.as_ptr(), bytes.len());
        // SAFETY: the bytes are there.
        let written = unsafe { syscall(libc::SYS_write, descriptor, start, count) };
        match usize::try_from(written) {
            Ok(written) if written > 0 => bytes = bytes.get(written..).unwrap_or_default(),
            Err(_) if errno::get() == libc::EINTR => {}
            _ => {
                blocked.clear();
                return false;
            }
        }
    }
    true
}
