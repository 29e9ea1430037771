//! Locks that a panic elsewhere does not take away.

use std::sync::{Mutex, MutexGuard};

/// Locks `mutex`. Every structure of this crate is whole between two statements that change it, so a
/// panic of a former holder leaves nothing half done.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}
