//! Which blocks of the moving space are free, and the pages of their side tables.
//!
//! MMTk keeps a byte for each block, 0 for a free one. It offers no way to read it, but its side tables lie one
//! behind the other in an order that is repeated here and checked when this is compiled: with another order, or
//! another table, the last would end somewhere else.
//!
//! `inv:blocks.zero` MMTk fills a block with zeros before it hands it out, and the side tables of free blocks need
//! to say nothing: zeros there mean that no object is marked, logged or forwarded. So the pages of free
//! blocks, and those of the tables of chunks without any other, may become zero at any time.
//!
//! Absent on purpose: the space of objects that were made not to move, which is small.

use super::{ObjectWords, side};
use bowline_layout::Addr;
use mmtk::util::metadata::side_metadata::{SideMetadataSpec, side_metadata_offset_after};
use mmtk::util::{Address, constants};
use mmtk::vm::ObjectModel;
use std::ops::Range;
use std::sync::atomic::{AtomicU8, Ordering};

/// Bytes of a block, and of a chunk, which MMTk takes from the system at once.
pub(crate) const BLOCK: usize = 1 << LOG_BLOCK;
const LOG_BLOCK: usize = 15;
pub(crate) const CHUNK: usize = 1 << 22;
const BLOCKS: usize = CHUNK / BLOCK;

const fn first(log_region: usize) -> SideMetadataSpec {
    SideMetadataSpec {
        name: "valid objects",
        is_global: true,
        offset: 0,
        log_num_of_bits: 0,
        log_bytes_in_region: log_region,
    }
}

const fn after(before: &SideMetadataSpec, bits: usize, log_region: usize) -> SideMetadataSpec {
    SideMetadataSpec {
        name: "of MMTk's",
        is_global: false,
        offset: side_metadata_offset_after(before),
        log_num_of_bits: bits,
        log_bytes_in_region: log_region,
    }
}

/// Bits in an entry, as powers of two.
const BIT: usize = 0;
const BYTE: usize = 3;
const ADDRESS: usize = 6;
/// What an entry is for, as powers of two.
const WORDS: usize = 3;
const LINES: usize = 8;
const PAGES: usize = constants::LOG_BYTES_IN_PAGE as usize;
const CHUNKS: usize = 22;
/// Of spaces that we do not have.
const SWEPT: usize = 16;
const COMPRESSED: usize = 9;

const VALID: SideMetadataSpec = first(WORDS);
const SPACES: SideMetadataSpec = after(&VALID, BYTE, CHUNKS);
const CHUNK_MARKS: SideMetadataSpec = after(&SPACES, BYTE, CHUNKS);
const MALLOC_PAGES: SideMetadataSpec = after(&CHUNK_MARKS, BYTE, PAGES);
const MALLOC_OBJECTS: SideMetadataSpec = after(&MALLOC_PAGES, BIT, WORDS);
const LINE_MARKS: SideMetadataSpec = after(&MALLOC_OBJECTS, BYTE, LINES);
const DEFRAG: SideMetadataSpec = after(&LINE_MARKS, BYTE, LOG_BLOCK);
/// The states of blocks.
const STATES: SideMetadataSpec = after(&DEFRAG, BYTE, LOG_BLOCK);

/// Where MMTk's tables end if what is said above is so: there are nine more for a space that sweeps, and two of
/// the plan Compressor.
const fn end() -> usize {
    let mut last = after(&STATES, BYTE, SWEPT);
    let mut left = 8;
    while left > 0 {
        last = after(&last, ADDRESS, SWEPT);
        left -= 1;
    }
    let marks = after(&last, BIT, WORDS);
    after(&marks, ADDRESS, COMPRESSED).upper_bound_offset()
}

const _: () = assert!(
    end() == side::END,
    "look at the order of MMTk's tables again"
);

/// The part of a table that is for `[start, start + bytes)`.
#[inline(always)]
fn part(table: &SideMetadataSpec, start: Addr, bytes: usize) -> Range<usize> {
    let log_ratio = BYTE + table.log_bytes_in_region - table.log_num_of_bits;
    let first = table.get_starting_address().as_usize() + (start.raw() >> log_ratio);
    first..first + (bytes >> log_ratio)
}

/// The byte of a bit table that has the entry of the word at `at`.
#[inline(always)]
fn bits(table: &SideMetadataSpec, at: Addr) -> u8 {
    let byte = part(table, at, 0).start;
    let byte: *mut u8 = std::ptr::with_exposed_provenance_mut(byte);
    // SAFETY: the callers have an object at `at`, for which MMTk maps the table, and it changes it by atomic stores.
    unsafe { AtomicU8::from_ptr(byte) }.load(Ordering::Relaxed)
}

/// Whether the collection under way has reached the object of the moving space at `at`: it is marked, or moved, or
/// somebody is at it. MMTk knows, too, but looks up the object's space first.
#[inline(always)]
pub(crate) fn is_seen(at: Addr) -> bool {
    let word = at.raw() >> WORDS;
    let marks = ObjectWords::LOCAL_MARK_BIT_SPEC;
    let forwarded = ObjectWords::LOCAL_FORWARDING_BITS_SPEC;
    bits(marks.extract_side_spec(), at) >> (word & 7) & 1 != 0
        || bits(forwarded.extract_side_spec(), at) >> (2 * (word & 3)) & 3 != 0
}

/// The chunk of an address.
pub(crate) fn chunk(at: Addr) -> Addr {
    Addr::new(at.raw() & !(CHUNK - 1))
}

/// The free blocks of this chunk of the moving space, a bit for each, the lowest first; nothing if MMTk does not
/// have it yet. It hands out a space's chunks in the order of addresses, and keeps them. The world is stopped, and no
/// collector thread runs.
pub(crate) fn free_blocks(chunk: Addr) -> Option<u128> {
    if !mmtk::memory_manager::is_mapped_address(Address::ZERO + chunk.raw()) {
        return None;
    }
    let states = part(&STATES, chunk, CHUNK);
    let is_free = |i: usize| {
        let state: *mut u8 = std::ptr::with_exposed_provenance_mut(states.start + i);
        // SAFETY: MMTk maps this table with the chunk, and changes it by atomic stores.
        let state = unsafe { AtomicU8::from_ptr(state) };
        state.load(Ordering::Relaxed) == 0
    };
    Some((0..BLOCKS).fold(0, |bits, i| bits | u128::from(is_free(i)) << i))
}

const _: () = assert!(BLOCKS == u128::BITS as usize);

/// Calls `f` with the pages of each side table that are for this chunk alone.
pub(crate) fn each_table(chunk: Addr, f: &mut dyn FnMut(Addr, usize)) {
    let tables = [
        &LINE_MARKS,
        ObjectWords::GLOBAL_LOG_BIT_SPEC.extract_side_spec(),
        ObjectWords::LOCAL_MARK_BIT_SPEC.extract_side_spec(),
        ObjectWords::LOCAL_FORWARDING_BITS_SPEC.extract_side_spec(),
    ];
    for table in tables {
        let part = part(table, chunk, CHUNK);
        f(Addr::new(part.start), part.len());
    }
}
