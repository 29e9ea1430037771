//! Threads that end without detaching.
//!
//! A thread that attaches gets a value under a key of the system's, so the system calls [`ended`] when the thread
//! ends, after the destructors of Rust's thread-local variables. Other keys' destructors may still detach, in C's
//! code for instance; the value is put back until the last round of calls, and what is attached then is detached. A
//! mutator that a destructor drops still later finds that the thread has its block no more, and does nothing.
//!
//! Absent on purpose: a complaint. The thread's roots and call frames end with it, as if it had detached; its
//! mutator's box is lost.

use crate::config::HeapError;
use crate::heap::{Heap, heap};
use crate::thread::{ThreadBlock, blocks_here, quietly};
use std::ffi::c_void;

/// In which round of destructors the thread is detached: the last one that POSIX promises.
const LAST: usize = 4;

/// Makes the key.
pub(crate) fn watch() -> Result<libc::pthread_key_t, HeapError> {
    let mut key = 0;
    // SAFETY: the key is written; the function stays.
    match unsafe { libc::pthread_key_create(&mut key, Some(ended)) } {
        0 => Ok(key),
        _ => Err(HeapError::NoMemory("a key for the ends of threads")),
    }
}

/// Sees to it that [`ended`] runs at the end of the calling thread, in this round of destructors.
fn expect_end(heap: &Heap, round: usize) {
    let value = std::ptr::without_provenance_mut(round);
    // SAFETY: the key was made, and its value is a number. Without memory for it the thread must detach itself.
    unsafe { libc::pthread_setspecific(heap.ends, value) };
}

extern "C" fn ended(round: *mut c_void) {
    quietly(|| match round.addr() {
        LAST.. => {
            while let Some(block) = blocks_here().next() {
                heap().detach(block);
            }
        }
        round => expect_end(heap(), round + 1),
    });
}

impl Heap {
    /// The calling thread has this block now, until it is detached or ends.
    pub(crate) fn enter_thread(&self, block: &'static ThreadBlock) {
        block.enter_thread();
        expect_end(self, 1);
    }

    /// How many mutators are attached.
    pub fn threads(&self) -> usize {
        self.world.count()
    }
}
