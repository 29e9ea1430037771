//! What libc is asked to tell the allocator: forks and the ends of threads.
//!
//! `inv:hooks.first` The fork handlers are registered before anybody else's, as far as a process allows: libc runs
//! the first registered *last* before the fork and *first* after it, so that every other handler may allocate.
//! The shared library is initialised first (`-z initfirst`), an executable registers from `.preinit_array`.
//!
//! A thread's heap goes on with the next thread when a thread ends. A key of thread-specific data tells so: its
//! destructor runs after the destructors of C++ and Rust. libc calls destructors in rounds for as long as
//! they set values, at most four times; this one lets three rounds pass so that the other keys' destructors,
//! which free, still find the heap.
//!
//! Absent on purpose: `thread_local!` and `__cxa_thread_atexit_impl`, which allocate; `pthread_atfork`, which
//! would take the handlers away with a library that is closed.

use crate::heap;
use core::ffi::{c_int, c_void};
use core::ptr::{null_mut, without_provenance_mut};
use core::sync::atomic::{AtomicU32, Ordering};

/// The rounds that libc makes over the keys at a thread's end (`PTHREAD_DESTRUCTOR_ITERATIONS`).
const ROUNDS: usize = 4;

/// The key, or [`NO_KEY`].
static KEY: AtomicU32 = AtomicU32::new(NO_KEY);
const NO_KEY: u32 = u32::MAX;

unsafe extern "C" {
    /// What `pthread_atfork` calls, with the library that the handlers go away with; null: never.
    fn __register_atfork(
        prepare: Option<extern "C" fn()>,
        parent: Option<extern "C" fn()>,
        child: Option<extern "C" fn()>,
        library: *mut c_void,
    ) -> c_int;
}

/// Registers everything. False if libc refused something: then heaps of ended threads stay with nobody, or a
/// fork while another thread allocates is not safe.
pub(crate) fn register() -> bool {
    // SAFETY: the handlers take no argument, return, and stay loaded.
    let forks = unsafe {
        __register_atfork(
            Some(fork_prepare),
            Some(fork_parent),
            Some(fork_child),
            null_mut(),
        )
    };
    let mut key = 0;
    // SAFETY: the key has room; the destructor stays loaded.
    let threads = unsafe { libc::pthread_key_create(&mut key, Some(thread_end)) };
    if threads == 0 {
        KEY.store(key, Ordering::Release);
        heap::on_thread_start(thread_start);
        // This thread may have its heap already.
        thread_start();
    }
    forks == 0 && threads == 0
}

extern "C" fn fork_prepare() {
    heap::fork_prepare();
}

extern "C" fn fork_parent() {
    heap::fork_parent();
}

extern "C" fn fork_child() {
    heap::fork_child();
}

/// Runs on a thread that got its heap.
fn thread_start() {
    await_end(ROUNDS - 1);
}

/// Has [`thread_end`] run in the next round, with this many rounds to let pass.
fn await_end(rounds: usize) {
    // The round is told apart from null, which would mean that no destructor is wanted.
    let value = without_provenance_mut::<c_void>(rounds + 1);
    // SAFETY: the key was created. A refusal means that the heap is not told of this thread's end.
    unsafe { libc::pthread_setspecific(KEY.load(Ordering::Acquire), value) };
}

unsafe extern "C" fn thread_end(value: *mut c_void) {
    match value.addr() - 1 {
        0 => heap::thread_exit(),
        rounds => await_end(rounds - 1),
    }
}
