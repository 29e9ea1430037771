//! Atomics and locks, from std or from loom.
//!
//! What is lock-free takes its atomics from here, and the gate its lock, so that `--cfg loom` runs the same code
//! under the model checker. Constants that only set a size shrink there, to keep the state space small.

#[cfg(loom)]
pub(crate) use loom::hint::spin_loop as spin;
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering, fence};
#[cfg(loom)]
pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};
#[cfg(not(loom))]
pub(crate) use std::hint::spin_loop as spin;
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering, fence};
#[cfg(not(loom))]
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};

#[cfg(loom)]
mod size {
    pub(crate) const SHARDS: usize = 2;
    pub(crate) const OWNERS: usize = 2;
}

#[cfg(not(loom))]
mod size {
    pub(crate) const SHARDS: usize = 8;
    pub(crate) const OWNERS: usize = 64;
}

pub(crate) use size::{OWNERS, SHARDS};

/// The fence of who passes it often, where others have every thread pass one (`inv:handle.own`): an order that the
/// compiler keeps. To the model checker, which cannot interrupt a thread, it is a fence.
#[inline(always)]
pub(crate) fn light_fence() {
    #[cfg(loom)]
    fence(Ordering::SeqCst);
    #[cfg(not(loom))]
    std::sync::atomic::compiler_fence(Ordering::SeqCst);
}

/// Locks `mutex`. What it guards is whole between any two statements that change it, so a panic of a former holder
/// leaves nothing half done.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

/// Sleeps until somebody wakes those who wait, or until a while has passed; says which. To the model checker, which
/// has no time, that never happens: what is not woken there is stuck.
pub(crate) fn sleep<'a, T>(on: &Condvar, guard: MutexGuard<'a, T>) -> (MutexGuard<'a, T>, bool) {
    #[cfg(loom)]
    return (on.wait(guard).unwrap_or_else(|e| e.into_inner()), false);
    #[cfg(not(loom))]
    {
        let woken = on.wait_timeout(guard, std::time::Duration::from_millis(1));
        let (guard, time) = woken.unwrap_or_else(|e| e.into_inner());
        (guard, time.timed_out())
    }
}
