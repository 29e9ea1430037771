//! A word that threads sleep on until it changes: `futex(2)`, private to the process.
//!
//! `inv:futex.wait` The kernel compares the word and puts the thread to sleep in one step, so a change that is
//! followed by a wake either is seen by the comparison or wakes. Who waits looks again: a wake says nothing, and a
//! signal wakes too.
//!
//! Absent on purpose: waking one of several. Whoever sleeps here waits for the same event.

use std::sync::atomic::AtomicU32;
use std::time::Duration;

/// A word to sleep on.
pub(crate) struct Futex(AtomicU32);

impl Futex {
    pub(crate) const fn new(value: u32) -> Self {
        Futex(AtomicU32::new(value))
    }

    /// The word.
    #[inline(always)]
    pub(crate) fn word(&self) -> &AtomicU32 {
        &self.0
    }

    /// Sleeps while the word is `expected`, and `patience` at most. May return for no reason.
    pub(crate) fn wait(&self, expected: u32, patience: Option<Duration>) {
        let patience = patience.map(|patience| libc::timespec {
            tv_sec: patience.as_secs().min(i32::MAX as u64) as libc::time_t,
            tv_nsec: patience.subsec_nanos().into(),
        });
        let patience: *const libc::timespec = patience.as_ref().map_or(std::ptr::null(), |p| p);
        // SAFETY: the word and the time, if there is one, are alive for the call. Whatever it says, the caller
        // looks at the word again (inv:futex.wait).
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                self.0.as_ptr(),
                libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
                expected,
                patience,
            )
        };
    }

    /// Wakes all who sleep.
    pub(crate) fn wake(&self) {
        // SAFETY: the word is alive for the call; the kernel takes its address alone.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                self.0.as_ptr(),
                libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
                i32::MAX,
            )
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering::SeqCst;

    #[test]
    fn who_waits_is_woken_by_a_change_and_a_wake() {
        let futex = Futex::new(0);
        std::thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    while futex.word().load(SeqCst) == 0 {
                        futex.wait(0, None);
                    }
                });
            }
            futex.word().store(1, SeqCst);
            futex.wake();
        });
    }

    #[test]
    fn a_wait_for_another_value_does_not_sleep_and_patience_ends() {
        let futex = Futex::new(7);
        futex.wait(8, None);
        futex.wait(7, Some(Duration::ZERO));
        futex.wait(7, Some(Duration::from_millis(1)));
    }
}
