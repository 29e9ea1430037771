//! The memory of the suite itself: a Rust allocator over mapped pages that calls no malloc.
//!
//! Powers of two from 16 bytes to 1 MiB come from free lists that are refilled from 4 MiB chunks;
//! what is larger is mapped and unmapped by itself. Memory of a list is never given back: the
//! processes of the suite are short. One spinning lock, because the suite allocates little while
//! it tortures.
//!
//! * `inv:arena.lock`: the lists and the chunk of every arena are read and written only between
//!   `lock` and `unlock`. A fork holds the lock too (`still`), so neither side of it finds lists
//!   that somebody was changing.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};

use super::os;

const SMALLEST: usize = 16;
const CLASSES: usize = 17;
const LARGEST: usize = SMALLEST << (CLASSES - 1);
const CHUNK: usize = 4 << 20;

struct Lists {
    free: [*mut u8; CLASSES],
    next: *mut u8,
    left: usize,
}

static HELD: AtomicBool = AtomicBool::new(false);

fn lock() {
    while HELD.swap(true, Ordering::Acquire) {
        std::thread::yield_now();
    }
}

fn unlock() {
    HELD.store(false, Ordering::Release);
}

extern "C" fn before_fork() {
    lock();
}

extern "C" fn after_fork() {
    unlock();
}

/// Has every fork of this process from now on hold the lock. Where handlers of others run code that
/// allocates, this must be called before those are registered: the last to be registered comes first
/// before a fork, and last after it.
pub(super) fn watch_forks() -> bool {
    // SAFETY: inv:arena.lock: the handlers take nothing and live as long as the process.
    unsafe { libc::pthread_atfork(Some(before_fork), Some(after_fork), Some(after_fork)) == 0 }
}

/// Does this while nobody changes an arena.
pub(super) fn still<T>(work: impl FnOnce() -> T) -> T {
    lock();
    let done = work();
    unlock();
    done
}

/// A Rust allocator that stands apart from `malloc`.
pub struct Arena {
    lists: UnsafeCell<Lists>,
}

// SAFETY: inv:arena.lock: threads take turns at the lists.
unsafe impl Sync for Arena {}

/// The class that holds blocks of this layout, if one does.
fn class(layout: Layout) -> Option<usize> {
    let size = layout.size().max(layout.align()).max(SMALLEST);
    (size <= LARGEST).then(|| (size.next_power_of_two() / SMALLEST).trailing_zeros() as usize)
}

impl Arena {
    /// An arena that has mapped nothing yet.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "a static wants a const")]
    pub const fn new() -> Self {
        Self {
            lists: UnsafeCell::new(Lists {
                free: [null_mut(); CLASSES],
                next: null_mut(),
                left: 0,
            }),
        }
    }

    /// A block of a class. The caller holds the lock.
    fn take(&self, class: usize) -> *mut u8 {
        // SAFETY: inv:arena.lock: the caller holds it, so nobody else refers to the lists.
        let lists = unsafe { &mut *self.lists.get() };
        let first = lists.free[class];
        if !first.is_null() {
            // SAFETY: inv:arena.lock: a free block begins with the next free one (see `give`).
            lists.free[class] = unsafe { first.cast::<*mut u8>().read() };
            return first;
        }
        let size = SMALLEST << class;
        let padding = lists.next.align_offset(size);
        if lists.left < padding.saturating_add(size) {
            lists.next = os::map(CHUNK);
            if lists.next.is_null() {
                lists.left = 0;
                return null_mut();
            }
            lists.left = CHUNK;
            return self.take(class);
        }
        let block = lists.next.wrapping_add(padding);
        lists.next = block.wrapping_add(size);
        lists.left -= padding + size;
        block
    }

    /// Puts a block of a class back. The caller holds the lock.
    fn give(&self, block: *mut u8, class: usize) {
        // SAFETY: inv:arena.lock: the caller holds it, so nobody else refers to the lists.
        let lists = unsafe { &mut *self.lists.get() };
        // SAFETY: inv:arena.lock: the block was taken from here and is its giver's no more.
        unsafe { block.cast::<*mut u8>().write(lists.free[class]) };
        lists.free[class] = block;
    }
}

// SAFETY: inv:arena.lock: blocks are carved or popped by one thread at a time, so no two overlap;
// a class is a power of two no smaller than the alignment, and its blocks are multiples of it.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match class(layout) {
            Some(class) => still(|| self.take(class)),
            // A mapping is aligned to pages and no type of the suite asks for more.
            None => os::map(layout.size()),
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match class(layout) {
            Some(class) => {
                still(|| self.give(block, class));
            }
            None => os::unmap(block, layout.size()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_aligned_apart_and_served_again() {
        let arena = Arena::new();
        let mut seen: Vec<(usize, usize, Layout)> = Vec::new();
        for i in 0..2000_usize {
            let size = 1 + i * 37 % 5000;
            let layout = Layout::from_size_align(size, 1 << (i % 8)).unwrap();
            // SAFETY: inv:arena.lock: the layout has a size above zero.
            let block = unsafe { arena.alloc(layout) };
            assert!(!block.is_null());
            assert_eq!(block.addr() % layout.align(), 0);
            let range = (block.addr(), block.addr() + size, layout);
            assert!(seen.iter().all(|s| s.1 <= range.0 || range.1 <= s.0));
            seen.push(range);
        }
        let (first, _, layout) = seen[0];
        let block = std::ptr::with_exposed_provenance_mut(first);
        // SAFETY: inv:arena.lock: allocated above with this layout, and freed once.
        unsafe { arena.dealloc(block, layout) };
        // SAFETY: inv:arena.lock: the layout has a size above zero.
        assert_eq!(unsafe { arena.alloc(layout) }.addr(), first);
    }

    #[test]
    fn large_blocks_are_mapped() {
        let arena = Arena::new();
        let layout = Layout::from_size_align(3 << 20, 64).unwrap();
        // SAFETY: inv:arena.lock: the layout has a size above zero.
        let block = unsafe { arena.alloc(layout) };
        assert_eq!(block.addr() % 4096, 0);
        // SAFETY: inv:arena.lock: allocated above with this layout, and freed once.
        unsafe { arena.dealloc(block, layout) };
    }
}
