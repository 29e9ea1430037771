//! A fence on every running thread of the process, paid by who asks for it: `membarrier(2)`.
//!
//! `inv:membarrier.registered` The kernel refuses the expedited command to a process that has not registered for
//! it, and once it has granted the registration the command itself cannot fail. Only a filter that the process
//! installs later (seccomp) can refuse it then; that ends the process with a message, for threads that rely on it
//! may be between two accesses already. A forked child registers again: whether its memory is registered is the
//! kernel's business, and asking twice costs nothing.
//!
//! Absent on purpose: the command that waits for all of the machine's processors, which takes milliseconds.

use crate::config::HeapConfig;
use crate::heap::Heap;
use crate::sys;

/// What a heap stops its threads by, besides fences of their own.
pub(crate) fn for_heap(config: &HeapConfig) -> Option<fn()> {
    (!config.fences && register()).then_some(everywhere)
}

impl Heap {
    /// What has every running thread of the process pass a fence before it returns; nothing where the kernel has no such
    /// thing, or the heap was told to do without: then both sides fence.
    pub fn fence_of_all(&self) -> Option<fn()> {
        for_heap(&self.config)
    }
}

/// Registers the process. Returns whether the kernel grants it.
pub(crate) fn register() -> bool {
    command(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0
}

/// Has every running thread of the process pass a fence before it returns (`inv:membarrier.registered`).
fn everywhere() {
    while command(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0 {
        let errno = sys::errno();
        if errno == libc::ENOMEM {
            // It is for the list of processors, and some will be freed.
            std::thread::yield_now();
            continue;
        }
        sys::die(format_args!(
            "membarrier(2) was granted when the heap started and is refused now (errno {errno}): install the \
             filter before, or start the heap with fences"
        ));
    }
}

fn command(command: libc::c_int) -> libc::c_long {
    // SAFETY: takes no memory.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) }
}
