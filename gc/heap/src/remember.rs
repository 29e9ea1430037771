//! Stores into large old objects, remembered by the chunk.
//!
//! MMTk remembers whole objects: the first store into an old one takes its unlog bit away and puts it on
//! a list, and the next minor collection scans all its words. For an object of at least 1 KiB that is
//! too much for one store. Its bit is left alone, so that every store of a reference comes here; and
//! the chunk of the object that the word lies in is marked in a table and noted in a list of the
//! thread's. The words of the chunks in the lists are roots of the next minor collection. A full one
//! needs none of them and moves objects, so it only empties the lists.
//!
//! `inv:chunk.apart` A chunk is what an object has of one 512-byte cell of the heap. A cell's byte in the
//! table has a bit for the object that begins in the cell and one for the object that goes on there.
//! Objects with chunks are larger than a cell, so there are no two of either kind, and each bit speaks of
//! one chunk.
//!
//! `inv:chunk.listed` A bit of the table is set exactly while its chunk is in a list. Lists are emptied
//! while the world is stopped, before anything moves or dies; so the objects in them stand where they
//! stood and are alive, or dead and still whole.
//!
//! An object of which a quarter of the chunks have changed, by a sample, is given to MMTk after all: it will be
//! scanned whole, and until then its stores are as cheap as a small object's. The other six bits of the
//! byte of the cell that it begins in count its sampled chunks.
//!
//! The table has a byte for each cell of MMTk's range, 64 GiB that can be read and are not promised: a piece
//! becomes writable when a store first needs it. Where the system refuses one, objects in its part are
//! remembered whole.
//!
//! A plan that marks beside the program wants the words that were there before. Of a long vector it is told
//! the one word that is overwritten, each time, and the bit stays: so no store has to note a megabyte.
//!
//! Absent on purpose: weak objects, which the collector must meet again as a whole.

use crate::HeapError;
use crate::access;
use crate::binding::{heap_range, in_heap, is_weak};
use crate::mutator::Mutator;
use crate::sync::lock;
use crate::sys::{self, Access};
use bowline_layout::{Addr, Header, References, Shape, Value, WORD, object_bytes, references};
use std::cell::UnsafeCell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};

/// Log of a cell's bytes.
const LOG_CELL: usize = 9;
/// The least bytes of an object that is remembered by the chunk.
const LARGE: usize = 2 << LOG_CELL;
/// The least values of a vector of that size.
const LONG: usize = LARGE / WORD - 1;
/// Log of the bytes of the table that become writable at once.
const LOG_PIECE: usize = 16;

/// The cell of `addr`, by number.
#[inline(always)]
fn cell_of(addr: Addr) -> usize {
    addr.raw() >> LOG_CELL
}

/// The bit for the object at `at` in the byte of `cell` (inv:chunk.apart).
#[inline(always)]
fn bit_for(at: Addr, cell: usize) -> u8 {
    1 + u8::from(cell == cell_of(at))
}

/// What one more counted chunk adds to the byte of the cell that its object begins in.
const COUNTED: u8 = 4;
/// The most chunks of one object that are counted.
const MOST_COUNTED: usize = 32;

/// Words of a chunk that may hold references.
#[derive(Clone, Copy)]
struct Chunk {
    /// The object.
    at: Addr,
    cell: usize,
    first: Addr,
    words: usize,
}

impl Chunk {
    /// The chunk that word `word` of the object at `at` lies in, if the object has chunks.
    fn of(at: Addr, header: Header, word: usize) -> Option<Chunk> {
        if object_bytes(header) < LARGE || is_weak(header.shape()) {
            return None;
        }
        let References::Range { first, end } = references(header) else {
            return None;
        };
        let cell = cell_of(at.word(word));
        let begins = Addr::new(cell << LOG_CELL).max(at.word(first));
        let ends = Addr::new((cell + 1) << LOG_CELL).min(at.word(end));
        Some(Chunk {
            at,
            cell,
            first: begins,
            words: ends.raw().saturating_sub(begins.raw()) / WORD,
        })
    }
}

/// A thread's list, which the thread writes while Managed and the collector while it is not
/// (`inv:world.exclusive`).
#[derive(Default)]
pub(crate) struct Dirty(UnsafeCell<Vec<Chunk>>);

impl Dirty {
    fn push(&self, chunk: Chunk) {
        // SAFETY: inv:world.exclusive: the owner is Managed.
        unsafe { &mut *self.0.get() }.push(chunk);
    }

    fn take(&self) -> Vec<Chunk> {
        // SAFETY: inv:world.exclusive: called by the collector, or by the owner when it detaches.
        std::mem::take(unsafe { &mut *self.0.get() })
    }
}

/// The table, and the lists of threads that have gone.
pub(crate) struct Chunks {
    /// Where the byte of cell 0 would be.
    table: usize,
    /// Where it would be said of cell 0 whether its byte can be written.
    pieces: usize,
    orphans: Mutex<Vec<Chunk>>,
}

impl Chunks {
    /// Reserves the table.
    pub(crate) fn new() -> Result<Self, HeapError> {
        let failed = HeapError::NoMemory("the table of changed chunks");
        let (start, bytes) = heap_range();
        let first = cell_of(Addr::new(start));
        let table = sys::map(bytes >> LOG_CELL, Access::Read).ok_or(failed.clone())?;
        let pieces = sys::map(bytes >> LOG_CELL >> LOG_PIECE, Access::ReadWrite).ok_or(failed)?;
        Ok(Chunks {
            table: table.raw() - first,
            pieces: pieces.raw() - (first >> LOG_PIECE),
            orphans: Mutex::default(),
        })
    }

    /// The byte of `cell`, which is one of MMTk's range.
    #[inline(always)]
    fn byte(&self, cell: usize) -> &AtomicU8 {
        let at = std::ptr::with_exposed_provenance_mut(self.table + cell);
        // SAFETY: the table has it, and is never unmapped.
        unsafe { AtomicU8::from_ptr(at) }
    }

    /// Whether `cell`'s byte can be written now.
    fn is_writable(&self, cell: usize) -> bool {
        let at = std::ptr::with_exposed_provenance_mut(self.pieces + (cell >> LOG_PIECE));
        // SAFETY: there is a byte for each piece of the table.
        let piece = unsafe { AtomicU8::from_ptr(at) };
        if piece.load(Ordering::Relaxed) == 0 {
            let start = Addr::new(self.table + (cell >> LOG_PIECE << LOG_PIECE));
            let made = sys::protect(start, 1 << LOG_PIECE, Access::ReadWrite);
            piece.store(u8::from(made), Ordering::Relaxed);
            return made;
        }
        true
    }

    /// Whether the chunk of `at` in `cell` is in a list.
    #[inline(always)]
    fn is_marked(&self, at: Addr, cell: usize) -> bool {
        self.byte(cell).load(Ordering::Relaxed) & bit_for(at, cell) != 0
    }

    /// Marks the chunk, which is in no list. Returns whether so many of the object have changed that it
    /// should be scanned whole.
    fn mark(&self, chunk: &Chunk, bytes: usize) -> bool {
        let bit = bit_for(chunk.at, chunk.cell);
        self.byte(chunk.cell).fetch_or(bit, Ordering::Relaxed);
        let first = cell_of(chunk.at);
        let quarter = bytes >> LOG_CELL >> 2;
        let sample = (quarter / MOST_COUNTED + 1).next_power_of_two();
        if !(chunk.cell - first).is_multiple_of(sample) || !self.is_writable(first) {
            return false;
        }
        let head = self.byte(first);
        let counted = usize::from(head.load(Ordering::Relaxed) / COUNTED);
        if counted > MOST_COUNTED {
            return true;
        }
        head.fetch_add(COUNTED, Ordering::Relaxed);
        counted >= quarter / sample
    }

    /// Takes over the list of a thread that goes.
    pub(crate) fn adopt(&self, dirty: &Dirty) {
        lock(&self.orphans).append(&mut dirty.take());
    }

    /// Empties the list of `dirty`; in a minor collection `f` gets the address of each word. Returns how
    /// many words those were.
    pub(crate) fn empty(&self, dirty: &Dirty, minor: bool, f: &mut impl FnMut(Addr)) -> u64 {
        self.clean(dirty.take(), minor, f)
    }

    /// The same for the lists of threads that have gone.
    pub(crate) fn empty_orphans(&self, minor: bool, f: &mut impl FnMut(Addr)) -> u64 {
        self.clean(std::mem::take(&mut lock(&self.orphans)), minor, f)
    }

    fn clean(&self, chunks: Vec<Chunk>, minor: bool, f: &mut impl FnMut(Addr)) -> u64 {
        let mut words = 0;
        for chunk in chunks {
            // inv:chunk.listed
            let bit = bit_for(chunk.at, chunk.cell);
            self.byte(chunk.cell).fetch_and(!bit, Ordering::Relaxed);
            let head = self.byte(cell_of(chunk.at));
            // Where nothing was counted the byte may not be writable.
            if head.load(Ordering::Relaxed) >= COUNTED {
                head.fetch_and(COUNTED - 1, Ordering::Relaxed);
            }
            if minor {
                (0..chunk.words).for_each(|i| f(chunk.first.word(i)));
                words += chunk.words as u64;
            }
        }
        words
    }

    /// Whether the next minor collection looks at word `word` of the object at `at`, which has
    /// `header`, because its chunk is in a list.
    pub(crate) fn has(&self, at: Addr, header: Header, word: usize) -> bool {
        Chunk::of(at, header, word).is_some_and(|chunk| self.is_marked(at, chunk.cell))
    }
}

impl Mutator {
    /// Tells the collector of a store into an object that wants to be noted: `v` will stand in word
    /// `word` of `object`. Small enough to be called for each store into a large vector.
    #[inline(never)]
    pub(crate) fn remember_store(&mut self, object: Value, word: usize, v: Value) {
        let at = object.addr();
        // SAFETY: inv:access.live, by the caller of `store`.
        let first = unsafe { access::read(at) };
        let is_marked = Header::from_bits(first).is_some_and(|header| {
            header.shape() == Shape::Values
                && header.length() >= LONG
                && self.heap().chunks.is_marked(at, cell_of(at.word(word)))
        });
        if !is_marked {
            self.remember_first(object, word, v);
        }
    }

    #[cold]
    #[inline(never)]
    fn remember_first(&mut self, object: Value, word: usize, v: Value) {
        if self.snapshots() {
            // SAFETY: inv:access.live, by the caller of `store`.
            let header = Header::from_bits(unsafe { access::read(object.addr()) });
            if header.is_some_and(|h| h.shape() == Shape::Values && h.length() >= LONG) {
                // SAFETY: inv:access.live; the old word, which nobody has noted (inv:mutator.barrier).
                self.strengthen(unsafe { access::value(object, word) });
                return;
            }
        } else {
            // No reference into the collected heap: nothing of it is young.
            if !(v.is_pointer() && in_heap(v.addr())) {
                return;
            }
            if self.remember_chunk(object.addr(), word) {
                return;
            }
        }
        self.remember(object);
    }

    /// Remembers the chunk of `word`, if the object at `at` has chunks and few of them have changed.
    fn remember_chunk(&mut self, at: Addr, word: usize) -> bool {
        // SAFETY: inv:access.live, by the caller of `store`.
        let header = Header::from_bits(unsafe { access::read(at) });
        let Some((header, chunk)) = header.and_then(|h| Some((h, Chunk::of(at, h, word)?))) else {
            return false;
        };
        let chunks: &Chunks = &self.heap().chunks;
        if !chunks.is_writable(chunk.cell) {
            return false;
        }
        if !chunks.is_marked(at, chunk.cell) {
            // inv:chunk.listed; if another thread does the same now, both lists have it.
            let whole = chunks.mark(&chunk, object_bytes(header));
            self.block().dirty.push(chunk);
            return !whole;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_layout::TypeId;

    fn vector(words: usize) -> Header {
        Header::new(Shape::Values, TypeId(40), words)
    }

    #[test]
    fn chunks_cover_each_word_once_and_stay_apart() {
        for words in [LONG, 128, 190, 191, 192, 2000, 5000] {
            for offset in (0..512).step_by(8) {
                let at = Addr::new((1 << 41) + offset);
                let mut marks = Vec::new();
                let mut next = at.word(1);
                for word in 1..=words {
                    let chunk = Chunk::of(at, vector(words), word).expect("large");
                    let inside = chunk.first.raw()..chunk.first.word(chunk.words).raw();
                    assert!(inside.contains(&at.word(word).raw()), "{words} {word}");
                    if inside.start == next.raw() {
                        marks.push((chunk.cell, bit_for(at, chunk.cell)));
                        next = Addr::new(inside.end);
                    }
                }
                assert_eq!(next, at.word(words + 1));
                // The neighbour's first chunk, and those of this one.
                let neighbour = Chunk::of(next, vector(LONG), 1).expect("large");
                marks.push((neighbour.cell, bit_for(next, neighbour.cell)));
                assert!(marks.is_sorted_by(|a, b| a < b), "{marks:?}");
            }
        }
    }

    #[test]
    fn small_and_weak_objects_have_no_chunks() {
        let at = Addr::new(1 << 41);
        assert!(Chunk::of(at, vector(126), 5).is_none());
        let weak = Header::new(Shape::WeakValues, TypeId(40), 5000);
        assert!(Chunk::of(at, weak, 5).is_none());
        let bytes = Header::new(Shape::Bitmap, TypeId(40), 64);
        assert!(Chunk::of(at, bytes, 5).is_none());
    }

    #[test]
    fn raw_words_are_in_no_chunk() {
        let header = Header::mixed(TypeId(40), 200, 100);
        let chunk = Chunk::of(Addr::new(1 << 41), header, 201).expect("large");
        assert_eq!(chunk.first, Addr::new(1 << 41).word(201));
        assert_eq!(chunk.words, 256 - 201);
    }
}
