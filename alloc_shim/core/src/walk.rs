//! Walking over the blocks that are in use: for whoever looks through C's memory.
//!
//! It goes by the [census](crate::census), so nothing is locked: what other threads allocate and free meanwhile is visited or
//! not, and a block that is visited may be free again; its memory lies in the region all the same.
//!
//! In the hardened mode blocks in the quarantine count as in use. They are full of its pattern.

use crate::account::Class;
use crate::alloc::Allocator;
use crate::block::Block;
use crate::census::Found;
use crate::page::PageEntry;
use crate::pal::Pal;
use crate::region::SLICE;
use crate::tls::Words;

/// Some blocks of one size in a row, all in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InUse {
    /// Where the first begins.
    pub start: *const u8,
    /// How many bytes they have together.
    pub bytes: usize,
    /// How many bytes each has.
    pub block: usize,
}

impl<P: Pal + Words> Allocator<P> {
    /// Calls `visit` with the blocks of `class` that are in use. It may allocate.
    pub fn each_in_use(&self, class: Class, visit: &mut dyn FnMut(InUse)) {
        self.look(|slice, slices, found| {
            let (start, bytes) = (self.region.slice_start(slice), slices * SLICE);
            match found {
                Found::Page(page) if page.class == class => {
                    self.runs(self.entry(slice), start, bytes, visit);
                }
                Found::Large(known) if known == class => visit(InUse {
                    start,
                    bytes,
                    block: bytes,
                }),
                _ => {}
            }
        });
    }

    /// Those of the page at `start`, which has so many bytes.
    fn runs(&self, page: &PageEntry, start: *const u8, bytes: usize, visit: &mut dyn FnMut(InUse)) {
        let block = page.shape().size as usize;
        let count = bytes.min(page.carved()).checked_div(block).unwrap_or(0);
        let mut first = 0;
        for i in 0..=count {
            let at: *const Block = start.wrapping_add(i * block).cast();
            // SAFETY: inv:block.seal: the block lies in slices that were taken once, and so are readable.
            if i == count || unsafe { Block::is_sealed(at, page.seal()) } {
                if first < i {
                    visit(InUse {
                        start: start.wrapping_add(first * block),
                        bytes: (i - first) * block,
                        block,
                    });
                }
                first = i + 1;
            }
        }
    }
}
