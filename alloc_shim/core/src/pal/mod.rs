//! The platform: the few things that the allocator asks of an operating system.
//!
//! The allocator is generic over it. The product runs on `Unix`; unit tests run on `Model`, which has a small region,
//! refuses what it is told to refuse and has a clock that stands still until it is moved.
//!
//! `inv:pal.errno` No operation changes errno: a caller of `free` must find it as it was, and `malloc` sets it itself.
//!
//! `inv:pal.zero` Memory reads as zero when it is committed or made readable for the first time, and after a purge that
//! succeeded.
//!
//! Absent on purpose: reserving more (the region is reserved once), making pages inaccessible again (the kernel
//! would not reduce its commitment by it), and huge pages (the system's own setting holds; asking for them with
//! large steps doubles what small programs occupy, and with small steps they come where a whole one is in use).

#[cfg(not(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu")))]
compile_error!("bowline-alloc needs Linux on x86-64 with glibc");

use crate::sync::AtomicU32;

#[cfg(test)]
mod model;
#[cfg(not(loom))]
mod quiet;
#[cfg(not(loom))]
mod unix;

#[cfg(test)]
pub use model::Model;
#[cfg(not(loom))]
pub use quiet::write;
#[cfg(not(loom))]
pub use unix::Unix;

/// What the allocator needs from the system below it.
pub trait Pal: Sync + 'static {
    /// The reservation to ask for, in bytes.
    const LARGEST: usize;
    /// The smallest reservation to be content with, in bytes.
    const SMALLEST: usize;

    /// Reserves `bytes` of address space that cannot be accessed yet, at `hint` if that is free. Null: refused.
    fn reserve(&self, hint: usize, bytes: usize) -> *mut u8;

    /// Gives a reservation back, whole.
    ///
    /// # Safety
    /// `start` and `bytes` are those of a reservation of which nothing is in use.
    unsafe fn release(&self, start: *mut u8, bytes: usize);

    /// Gives whole pages of a reservation back, which stays as it is otherwise.
    ///
    /// # Safety
    /// The pages lie in a reservation, were not committed, and nobody looks at them any more.
    unsafe fn release_part(&self, start: *mut u8, bytes: usize);

    /// Makes whole pages of a reservation readable. They cost nothing until they are committed and written.
    ///
    /// # Safety
    /// The pages lie in a reservation and were not committed.
    unsafe fn readable(&self, start: *mut u8, bytes: usize) -> bool;

    /// Makes whole pages of a reservation readable and writable; false: the system does not want to promise them.
    ///
    /// # Safety
    /// The pages lie in a reservation.
    unsafe fn commit(&self, start: *mut u8, bytes: usize) -> bool;

    /// Forgets the contents of committed pages and gives the memory under them back; false: their contents may be as they
    /// were (locked pages are).
    ///
    /// # Safety
    /// The pages are committed and nobody needs their contents.
    unsafe fn purge(&self, start: *mut u8, bytes: usize) -> bool;

    /// Milliseconds of a clock that never goes back.
    fn now_ms(&self) -> u64;

    /// The number by which locks know the running thread: no other living thread has it, and it is neither 0 nor above
    /// [`MOST`](crate::lock::MOST).
    fn me(&self) -> u32;

    /// Sleeps while `word` is `seen`, or less long.
    fn wait(&self, word: &AtomicU32, seen: u32);

    /// Wakes one thread that sleeps on `word`.
    fn wake(&self, word: &AtomicU32);

    /// The address space that this process may have in all, in bytes, if there is a limit.
    fn address_limit(&self) -> Option<usize>;

    /// How much memory of its own this process may have in all, in bytes, if there is a limit.
    fn data_limit(&self) -> Option<usize>;

    /// Bits that an attacker cannot guess.
    fn random(&self) -> u64;

    /// Writes a line for the user.
    fn write(&self, text: &[u8]);

    /// Ends the process at once and abnormally.
    fn abort(&self) -> !;
}
