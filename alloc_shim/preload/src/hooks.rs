//! What libc is asked to tell the allocator: forks, the ends of threads, and the end of the process.
//!
//! `inv:hooks.first` The fork handlers are registered before anybody else's, as far as a process allows: libc runs
//! the first registered *last* before the fork and *first* after it, so that every other handler may allocate.
//! The shared library is initialised first (`-z initfirst`), an executable registers from `.preinit_array`.
//!
//! A thread's heap goes on with the next thread when a thread ends. A key of thread-specific data tells so: its
//! destructor runs after the destructors of C++ and Rust, in the first of the four rounds that libc makes. The
//! destructors of other keys may still allocate and free, from borrowed heaps. A thread that allocates for the first time
//! in one of these rounds is told in the same round or in the next; only one whose very first allocation falls into the
//! last round keeps its heap from others, for then libc tells nobody.
//!
//! Absent on purpose: `thread_local!` and `__cxa_thread_atexit_impl`, which allocate; `pthread_atfork`, which
//! would take the handlers away with a library that is closed.

use crate::{heap, map, profile};
use core::ffi::{c_int, c_void};
use core::ptr::{self, null_mut};
use core::sync::atomic::{AtomicU32, Ordering};

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

    /// What `atexit` calls, with the library whose closing would run the function; null: none.
    fn __cxa_atexit(
        function: extern "C" fn(*mut c_void),
        argument: *mut c_void,
        library: *mut c_void,
    ) -> c_int;
}

/// Runs a function when the process exits: after all that is registered later.
pub(crate) fn at_exit(function: extern "C" fn(*mut c_void)) {
    // SAFETY: the function takes its argument, returns, and stays loaded.
    unsafe { __cxa_atexit(function, null_mut(), null_mut()) };
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
    map::fork_child();
    profile::fork_child();
}

/// Runs on a thread that got its heap.
fn thread_start() {
    // Any value but null, which would mean that no destructor is wanted.
    let value = ptr::from_ref(&KEY).cast_mut().cast();
    // SAFETY: the key was created. A refusal means that the heap is not told of this thread's end.
    unsafe { libc::pthread_setspecific(KEY.load(Ordering::Acquire), value) };
}

unsafe extern "C" fn thread_end(_: *mut c_void) {
    heap::thread_exit();
}
