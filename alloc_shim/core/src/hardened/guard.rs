//! What stands behind a live block in the hardened mode, so that a write past its end is found when it is freed or resized.
//!
//! ```text
//!   a block of a page    │ what was asked for │ mark … mark │ mark │ size │ check │
//!                                                            └─ the last eight bytes ─┘
//!   a large block        │ what was asked for │ mark … mark │        as far as the system's page; its size is in the side table
//! ```
//!
//! The mark is one byte, different for each block and above 127: neither the zero behind a string nor a letter is taken for
//! it. The check is a number that only the size, the place and the secret give together.
//!
//! `inv:guard.room` In the mode each request is for eight bytes more than the program wants, so the last eight bytes of a block
//! of a page, and at least eight behind a large one, are the guard's.
//!
//! `inv:guard.from` Pages that were there before the mode was switched on have no code and no guards, nor have large blocks
//! whose entry does not say a size. (The entry of a reserve that was given back says one above 2^63: `inv:reserve.word`.)

use crate::alloc::Allocator;
use crate::free::{Bad, Place};
use crate::pal::Pal;
use crate::tls::Words;
use core::slice;
use core::sync::atomic::Ordering::Relaxed;

/// Bytes behind a block of a page.
pub(crate) const GUARD: usize = size_of::<u64>();

/// The unit in which the system gives memory: marks behind a large block touch no further one.
const PAGE: usize = 4096;

/// A number of 64 bits that depends on all bits of another (the finalizer of MurmurHash3, Appleby).
fn mixed(bits: usize) -> u64 {
    let mut bits = bits as u64;
    bits = (bits ^ bits >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    bits = (bits ^ bits >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    bits ^ bits >> 33
}

/// The byte that stands behind the block at this address.
fn mark(block: *const u8, secret: usize) -> u8 {
    mixed(secret ^ block.addr()) as u8 | 0x80
}

/// The last eight bytes of a block of a page.
fn trailer(block: *const u8, asked: usize, secret: usize) -> u64 {
    let check = mixed((secret ^ block.addr()).rotate_left(20) ^ asked) >> 32;
    u64::from(mark(block, secret)) | (asked as u64) << 8 | check << 32
}

/// The size that a trailer says.
fn said(trailer: u64) -> usize {
    (trailer >> 8) as usize & 0xff_ffff
}

/// Where the marks behind a large block end.
fn marks_end(asked: usize) -> usize {
    (asked + 1).next_multiple_of(PAGE)
}

impl<P: Pal + Words> Allocator<P> {
    /// Guards a block that is to be given out for `asked` bytes.
    pub(crate) fn guard(&self, block: *mut u8, asked: usize) {
        let mark = mark(block, self.secret());
        let end = match self.place(block) {
            Ok(Place::Page(_, size)) => {
                let trailer = trailer(block, asked, self.secret());
                let place = block.wrapping_add(size - GUARD).cast::<u64>();
                // SAFETY: inv:guard.room, inv:alloc.block; sizes of classes are multiples of sixteen.
                unsafe { place.write(trailer) };
                size - GUARD
            }
            Ok(Place::Large(entry, _)) => {
                entry.cut.store(asked as u64 + 1, Relaxed);
                marks_end(asked)
            }
            Ok(Place::Reserve(..)) | Err(_) => return,
        };
        // SAFETY: inv:guard.room, inv:alloc.block.
        unsafe { block.wrapping_add(asked).write_bytes(mark, end - asked) };
    }

    /// What was asked for of a live block at this place, if that is known; what is wrong when its guard was written to.
    pub(crate) fn asked(&self, place: &Place<'_>, block: *const u8) -> Option<Result<usize, Bad>> {
        let secret = self.secret();
        let (asked, end) = match *place {
            Place::Page(page, size) => {
                if page.code() == 0 {
                    return None;
                }
                let place = block.wrapping_add(size - GUARD).cast::<u64>();
                // SAFETY: inv:guard.room: the word lies in the block.
                let found = unsafe { place.read() };
                let asked = said(found);
                let whole = asked <= size - GUARD;
                if !whole || (found ^ trailer(block, asked, secret)) >> 8 != 0 {
                    return Some(Err(Bad::Overrun));
                }
                (asked, size - GUARD + 1)
            }
            Place::Large(entry, _) => {
                let asked = usize::try_from(entry.cut.load(Relaxed)).ok()?;
                let asked = asked.checked_sub(1).filter(|n| *n < isize::MAX as usize)?;
                (asked, marks_end(asked))
            }
            Place::Reserve(..) => return None,
        };
        let start = block.wrapping_add(asked);
        // SAFETY: inv:guard.room: the marks lie in the block's memory.
        let marks = unsafe { slice::from_raw_parts(start, end - asked) };
        let mark = mark(block, secret);
        Some(match marks.iter().position(|byte| *byte != mark) {
            Some(at) => Err(Bad::Overflow(asked, asked + at)),
            None => Ok(asked),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::ptr;

    #[test]
    fn a_trailer_says_its_size_and_fits_its_place_alone() {
        let blocks = [0x6000_0001_0000, 0x6000_0001_0010].map(ptr::without_provenance::<u8>);
        for asked in [0, 1, 40, 255, 256, 65_528] {
            let here = trailer(blocks[0], asked, 77_000);
            assert_eq!(said(here), asked);
            for other in [
                trailer(blocks[1], asked, 77_000),
                trailer(blocks[0], asked + 1, 77_000),
                trailer(blocks[0], asked, 77_002),
            ] {
                assert_ne!(here >> 32, other >> 32);
            }
        }
    }

    #[test]
    fn no_mark_is_a_letter_or_zero() {
        let blocks = (0..1000).map(|n| ptr::without_provenance::<u8>(n * 16));
        let marks: Vec<u8> = blocks.map(|block| mark(block, 12_345_678)).collect();
        assert!(marks.iter().all(|mark| *mark >= 128));
        assert!(marks.iter().any(|other| *other != marks[0]));
    }
}
