//! A census: what the pages of the region hold, by size class and by heap.
//!
//! The side table is read as it stands, without a lock and without a heap: so it may be taken in a signal handler, whatever it
//! has interrupted, and while other threads go on.
//!
//! `inv:census.glance` Each entry is read once, field by field. What is told of a page that is taken, given back or used
//! meanwhile may be a mixture of before and after; nothing is followed, and every number is bounded by the page's size.
//!
//! Absent: blocks that wait in the quarantine, or on a list of frees by others that a heap has not collected in a page that it has
//! parked, told apart from those in use beyond what the page's own count says.

#[cfg(test)]
mod tests;

use crate::account::{CLASSES as ACCOUNTS, Class};
use crate::alloc::Allocator;
use crate::classes::BINS;
use crate::heap::Heap;
use crate::page::{Kind, PageEntry};
use crate::pal::Pal;
use crate::region::SLICE;
use crate::tls::Words;
use core::ptr;
use core::sync::atomic::Ordering::Relaxed;

/// What begins at a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nobody's: free, or never taken.
    Free,
    /// A page of one size class.
    Page(Page),
    /// A large block of an account.
    Large(Class),
    /// Memory of the allocator itself.
    Own,
}

/// A page at a glance (`inv:census.glance`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// The size class.
    pub bin: usize,
    /// The account.
    pub class: Class,
    /// Blocks in use.
    pub used: usize,
    /// Blocks that the page has room for.
    pub room: usize,
    /// The address of its heap.
    pub heap: usize,
    /// Whether the heap has put it aside, for it had no free block; few may be free since.
    pub parked: bool,
}

/// The pages of one size class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// How many pages.
    pub pages: u32,
    /// Blocks in use.
    pub used: u32,
    /// Blocks that the pages have room for.
    pub room: u32,
}

/// Everything added up. Sizes are bytes; arrays are by [`Class`], rows by size class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Census {
    /// Pages of each size class.
    pub rows: [Row; BINS],
    /// Large blocks.
    pub large_blocks: [usize; ACCOUNTS],
    /// What they occupy.
    pub large_bytes: [usize; ACCOUNTS],
    /// What the allocator itself holds: heaps, the reserve, and what modes need.
    pub own_bytes: usize,
}

/// A heap and its thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The heap's address.
    pub heap: usize,
    /// Whether no thread has it: the next one that needs a heap takes it.
    pub vacant: bool,
}

impl<P: Pal + Words> Allocator<P> {
    /// Calls `visit` with each slice at which something begins, with how many slices it is long, in the order of addresses; free
    /// slices come one by one.
    pub fn look(&self, mut visit: impl FnMut(usize, usize, Found)) {
        let reached = self.region.reached();
        let mut slice = reached.start;
        while slice < reached.end {
            let (found, slices) = glance(self.entry(slice));
            let slices = slices.clamp(1, reached.end - slice);
            visit(slice, slices, found);
            slice += slices;
        }
    }

    /// Adds everything up.
    pub fn census(&self) -> Census {
        let mut census = Census {
            rows: [Row::default(); BINS],
            large_blocks: [0; ACCOUNTS],
            large_bytes: [0; ACCOUNTS],
            own_bytes: 0,
        };
        self.look(|_, slices, found| match found {
            Found::Free => {}
            Found::Own => census.own_bytes += slices * SLICE,
            Found::Large(class) => {
                census.large_blocks[class as usize] += 1;
                census.large_bytes[class as usize] += slices * SLICE;
            }
            Found::Page(page) => {
                let row = &mut census.rows[page.bin];
                row.pages += 1;
                row.used += page.used as u32;
                row.room += page.room as u32;
            }
        });
        census
    }

    /// All heaps, newest first.
    pub fn holders(&self) -> impl Iterator<Item = Holder> {
        self.each_heap().map(|heap| Holder {
            heap: ptr::from_ref::<Heap>(heap).addr(),
            vacant: heap.shared.tenure.is_vacant(),
        })
    }
}

/// What an entry says, and of how many slices.
fn glance(entry: &PageEntry) -> (Found, usize) {
    match entry.kind() {
        Kind::None | Kind::Left | Kind::Freed | Kind::Inside => (Found::Free, 1),
        Kind::Heaps | Kind::Reserve => (Found::Own, entry.slices()),
        Kind::Large => (Found::Large(entry.class()), entry.slices()),
        Kind::Page => {
            let shape = entry.shape();
            let room = (shape.extent / shape.size.max(1)) as usize;
            let away = entry.remote.peek().count;
            let used = entry.used().saturating_sub(away) as usize;
            let page = Page {
                bin: entry.bin.load(Relaxed) as usize,
                class: entry.class(),
                used: used.min(room),
                room,
                heap: entry.owner.load(Relaxed).addr(),
                parked: entry.is_parked(),
            };
            (Found::Page(page), shape.slices as usize)
        }
    }
}
