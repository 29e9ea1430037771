//! The hardened mode: a write to a freed block is found, and no freed block is given out soon.
//!
//! ```text
//!            fill                          the pattern is looked for
//!   free ───────────► in the quarantine ───────────────────────────────► free, as without the mode
//!                            │
//!                            └ at exit: looked for as well
//! ```
//!
//! A block that is freed is filled with a pattern and put into the [quarantine](crate::quarantine). When it leaves (because
//! others have come, because memory has run out or is to be given back), and when the process exits, a byte that is no longer
//! as it was is reported and the process aborts:
//!
//! ```text
//! bowline_malloc: use after free: block of N bytes at 0x… was written at offset K after it was freed
//! ```
//!
//! Of a block of up to 64 KiB every byte bears the pattern. Of a larger one the first and the last 4 KiB do, and what lies
//! between is given back to the system at once; a write there is not found. `realloc` moves every block, so that a pointer to
//! the old place shows. A double free is told exactly as long as the block is in the quarantine.
//!
//! `inv:hardened.word` In this mode the word of a thread stays EMPTY when it has a heap, and the heap is found by the second word
//! (`inv:word.own`). So every call takes its slow path, where the mode is looked for, and the fast paths do not know of it.
//!
//! `inv:hardened.hands` A block between its free and its real free is in the quarantine or in the hands of one thread, which
//! nobody else can name but by a mistake of the program.
//!
//! What is freed by a handler that has interrupted the allocator goes past the quarantine, as do blocks of the reserve.
//!
//! Absent: a guard behind each block (one byte too many is not found), encoded lists of free blocks (a write after the block
//! has left the quarantine is not found, and may harm a list), random placement, and finding reads: they see the pattern,
//! which as a pointer leads nowhere.

use crate::account::Class;
use crate::alloc::Allocator;
use crate::classes::LARGEST;
use crate::free::{Bad, Place};
use crate::heap::{BUSY, EMPTY};
use crate::page::Kind;
use crate::pal::Pal;
use crate::quarantine::{Again, Held, Open, Table};
use crate::region::SLICE;
use crate::report::Line;
use crate::tls::Words;
use core::ops::Range;
use core::{ptr, slice};

/// What every byte of a freed block is. Eight of them are no address that a program can have.
const PATTERN: u8 = 0xdf;

/// How much of either end of a large block bears the pattern.
const END: usize = 4 << 10;

impl<P: Pal + Words> Allocator<P> {
    /// Switches the mode on, for what is freed from now on; false when there is no memory for it. To be called once, while
    /// the process has one thread.
    pub fn harden(&self) -> bool {
        let busy = self.busy();
        let slices = size_of::<Table>().div_ceil(SLICE);
        let span = self
            .boot()
            .then(|| self.take_span(slices, 1, Class::Runtime));
        let Some(span) = span.flatten() else {
            return false;
        };
        let start = self.region.slice_start(span.first);
        self.entry(span.first).begin_own(start, slices, Kind::Heaps);
        // SAFETY: inv:region.span: the memory is the allocator's, and so large.
        unsafe { start.write_bytes(0, slices * SLICE) };
        let (size, pal) = (self.region.size(), self.region.pal());
        // SAFETY: just zeroed, and never given back.
        unsafe { self.quarantine.begin(start.cast(), size, pal) };
        let own = busy.words.own(busy.slot);
        let had = !own.is_null() && ptr::eq(busy.back, own);
        let (words, slot) = (busy.words, busy.slot);
        drop(busy);
        if had {
            words.set(slot, &EMPTY);
        }
        true
    }

    /// Whether the mode is on.
    pub(crate) fn is_hardened(&self) -> bool {
        self.quarantine.is_on()
    }

    /// Holds a freed block back; false when it is to be freed at once.
    pub(crate) fn detain(&self, block: *mut u8, place: &Place<'_>) -> bool {
        if !self.is_hardened() {
            return false;
        }
        let (Place::Page(_, bytes) | Place::Large(_, bytes)) = *place else {
            return false;
        };
        self.refuse_detained("free", block, bytes);
        let words = self.words();
        if ptr::eq(words.get(words.slot()), &BUSY) {
            return false;
        }
        if let Place::Page(page, _) = place {
            self.refuse_freed("free", page, block.cast());
        }
        self.fill(block, bytes);
        match self.opened(|open| open.put(Held { block, bytes })) {
            Some(Ok(leaves)) => leaves.into_iter().for_each(|held| self.release(held)),
            Some(Err(Again)) => self.refuse("free", block, Bad::Freed(bytes)),
            None => return false,
        }
        while let Some(held) = self.opened(|open| open.take_excess()).flatten() {
            self.release(held);
        }
        true
    }

    /// Stops the process when the block is in the quarantine.
    pub(crate) fn refuse_detained(&self, what: &str, block: *const u8, bytes: usize) {
        if self.quarantine.holds(block) {
            self.refuse(what, block, Bad::Freed(bytes));
        }
    }

    /// Lets all leave that are in the quarantine now; false when there were none. The thread is not busy.
    pub(crate) fn empty_quarantine(&self) -> bool {
        let count = self.opened(|open| open.count()).unwrap_or(0);
        for _ in 0..count {
            if let Some(held) = self.opened(|open| open.take()).flatten() {
                self.release(held);
            }
        }
        count > 0
    }

    /// Looks for writes to all that are in the quarantine: at exit. In a handler that has interrupted the allocator nothing is
    /// looked at.
    pub fn inspect(&self) {
        let words = self.words();
        if !ptr::eq(words.get(words.slot()), &BUSY) {
            self.opened(|open| open.each().for_each(|held| self.examine(held)));
        }
    }

    /// Whether the client may take `bytes` more. What only the quarantine holds is no reason to refuse them.
    pub(crate) fn ask(&self, class: Class, bytes: usize) -> bool {
        self.region.ask(class, bytes) || (self.empty_quarantine() && self.region.ask(class, bytes))
    }

    /// Does something with the quarantine, if there is one: inv:quarantine.lock.
    fn opened<T>(&self, act: impl FnOnce(&mut Open<'_, P>) -> T) -> Option<T> {
        let _busy = self.busy();
        let mut open = self.quarantine.open(self.region.pal())?;
        Some(act(&mut open))
    }

    /// Frees a block that has left the quarantine.
    fn release(&self, held: Held) {
        self.examine(held);
        match self.place(held.block) {
            // SAFETY: inv:hardened.hands.
            Ok(place) => unsafe { self.free_at(&place, held.block) },
            Err(bad) => self.refuse("free", held.block, bad),
        }
    }

    /// Makes a block bear the pattern.
    fn fill(&self, block: *mut u8, bytes: usize) {
        for part in parts(bytes) {
            let start = block.wrapping_add(part.start);
            // SAFETY: inv:hardened.hands: the program has given the block back, and the part lies in it.
            unsafe { start.write_bytes(PATTERN, part.len()) };
        }
        if bytes > LARGEST {
            let start = block.wrapping_add(END);
            // A refusal keeps the memory where it is; nothing else depends on it.
            // SAFETY: inv:hardened.hands, and a large block is whole pages of memory.
            let _ = unsafe { self.region.pal().purge(start, bytes - 2 * END) };
        }
    }

    /// Stops the process when a held block does not bear the pattern.
    fn examine(&self, Held { block, bytes }: Held) {
        for part in parts(bytes) {
            let start = block.wrapping_add(part.start).cast_const();
            // SAFETY: inv:hardened.hands: nobody writes to it; the part lies in the block.
            let found = unsafe { slice::from_raw_parts(start, part.len()) };
            if let Some(at) = changed(found) {
                let line = Line::new("use after free: block of ").decimal(bytes);
                let line = line.text(" bytes at ").pointer(block);
                let line = line
                    .text(" was written at offset ")
                    .decimal(part.start + at);
                let line = line.text(" after it was freed");
                line.die(self.region.pal());
            }
        }
    }
}

/// What of a block bears the pattern.
fn parts(bytes: usize) -> [Range<usize>; 2] {
    if bytes <= LARGEST {
        [0..bytes, bytes..bytes]
    } else {
        [0..END, bytes - END..bytes]
    }
}

/// The first byte that is not as the pattern is.
fn changed(found: &[u8]) -> Option<usize> {
    // Whole chunks first: this way they are compared several bytes at a time.
    const CHUNK: usize = 64;
    let intact = |chunk: &&[u8]| {
        chunk
            .iter()
            .fold(true, |same, byte| same & (*byte == PATTERN))
    };
    let whole = found.chunks(CHUNK).take_while(intact).count() * CHUNK;
    let rest = found.get(whole..)?;
    let at = rest.iter().position(|byte| *byte != PATTERN)?;
    Some(whole + at)
}
