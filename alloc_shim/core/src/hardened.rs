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
//! Of a block of up to 128 KiB every byte bears the pattern. Of a larger one the first and the last 4 KiB do, and what lies
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
//! What is live has a [guard](guard) behind it, which is looked at when it is freed, resized or measured:
//!
//! ```text
//! bowline_malloc: free of 0x…: overflow: the block of N bytes was written at offset K
//! bowline_malloc: free of 0x…: overflow: what stands behind the block was overwritten, its size too
//! ```
//!
//! What is free lies in [lists](lists) with codes, and is given out at random. What the program writes there afterwards is
//! found when the block, or one before it in the list, is given out.
//!
//! Absent: finding reads, which see the pattern, as a pointer it leads nowhere; and finding writes past the end of a block that
//! is never freed.

mod guard;
mod lists;

use crate::account::Class;
use crate::alloc::Allocator;
use crate::block::Block;
use crate::classes::{LARGEST, bin_for};
use crate::free::{Bad, Place};
use crate::heap::{BUSY, EMPTY, Heap};
use crate::page::PageEntry;
use crate::pal::Pal;
use crate::quarantine::{Again, Held, Open, Table};
use crate::report::Line;
use crate::tls::Words;
use core::ops::Range;
use core::sync::atomic::Ordering::Relaxed;
use core::{ptr, slice};
use guard::GUARD;
use lists::Damaged;

/// What every byte of a freed block is. Eight of them are no address that a program can have.
const PATTERN: u8 = 0xdf;

/// How much of either end of a large block bears the pattern.
const END: usize = 4 << 10;

/// Of how many free blocks of a page one is given out.
const SPREAD: u32 = 8;

impl<P: Pal + Words> Allocator<P> {
    /// Switches the mode on; false when there is no memory for it. To be called once, while the process has one thread. Its
    /// heap is left as it is, for the lists there are plain and the blocks have no guards: inv:guard.from.
    pub fn harden(&self) -> bool {
        let busy = self.busy();
        let Some(table) = self.own_memory(size_of::<Table>()) else {
            return false;
        };
        let (size, pal) = (self.region.size(), self.region.pal());
        // SAFETY: just zeroed, and never given back.
        unsafe { self.quarantine.begin(table.cast(), size, pal) };
        let secret = self.region.pal().random() as usize | 1;
        self.secret.store(secret, Relaxed);
        // SAFETY: inv:word.own, inv:heap.forever.
        if let Some(own) = unsafe { busy.words.own(busy.slot).as_ref() } {
            own.shared.tenure.lose();
        }
        busy.words.set_own(busy.slot, ptr::null());
        let (words, slot) = (busy.words, busy.slot);
        drop(busy);
        words.set(slot, EMPTY);
        true
    }

    /// The code of a page that begins: inv:block.code.
    pub(crate) fn page_code(&self) -> usize {
        self.secret()
    }

    /// What nobody can guess; 0 without the mode.
    fn secret(&self) -> usize {
        self.secret.load(Relaxed)
    }

    /// Whether the mode is on.
    pub fn is_hardened(&self) -> bool {
        self.quarantine.is_on()
    }

    /// Holds a freed block back; false when it is to be freed at once.
    pub(crate) fn detain(&self, block: *mut u8, place: &Place<'_>) -> bool {
        if !self.is_hardened() {
            self.perturb_freed(block, place);
            return false;
        }
        let (Place::Page(_, bytes) | Place::Large(_, bytes)) = *place else {
            return false;
        };
        self.size_of_live("free", *place, block);
        let words = self.words();
        if ptr::eq(words.get(words.slot()), BUSY) {
            // inv:lists.painted
            if bytes <= LARGEST {
                self.fill(block, bytes);
            }
            return false;
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
        if !ptr::eq(words.get(words.slot()), BUSY) {
            self.opened(|open| open.each().for_each(|held| self.examine(held)));
        }
    }

    /// Whether the client may take `bytes` more. What only the quarantine holds is no reason to refuse them.
    pub(crate) fn ask(&self, class: Class, bytes: usize) -> bool {
        self.region.ask(class, bytes) || (self.empty_quarantine() && self.region.ask(class, bytes))
    }

    /// A block for `bytes`, with a guard behind it.
    pub(crate) fn alloc_guarded(
        &self,
        bytes: usize,
        align: usize,
        zeroed: bool,
        class: Class,
    ) -> *mut u8 {
        let Some(room) = bytes.checked_add(GUARD) else {
            return self.no_memory();
        };
        let block = match bin_for(room, align) {
            Some(bin) => self.block_plainly(bin, align, bytes, zeroed, class),
            None => self.large(room, align, zeroed, class),
        };
        if !block.is_null() {
            self.guard(block, bytes);
        }
        block
    }

    /// A block of the current page, one of some at random.
    ///
    /// # Safety
    /// The caller holds the heap, is busy, and has said that it changes it.
    pub(crate) unsafe fn pop_any(&self, heap: &Heap, class: Class, bin: usize) -> *mut Block {
        let Some(page) = heap.current(class, bin) else {
            return ptr::null_mut();
        };
        let turn = self.turns.fetch_add(1, Relaxed);
        let chance = (turn ^ self.secret()).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        // SAFETY: as the caller says.
        match unsafe { page.pop_at(chance as u32 % SPREAD) } {
            Ok(block) => block,
            Err(damaged) => self.refuse_damaged(page, damaged),
        }
    }

    /// Stops the process for what was written to a block of a list.
    #[cold]
    fn refuse_damaged(&self, page: &PageEntry, Damaged { block, at }: Damaged) -> ! {
        let line = used_after_free(block.cast(), page.shape().size as usize);
        let line = match at {
            Some(at) => line.text(" at offset ").decimal(at),
            None => line.text(" in its first 8 bytes"),
        };
        line.text(" after it was freed").die(self.region.pal())
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
                let line = used_after_free(block, bytes).text(" at offset ");
                let line = line.decimal(part.start + at);
                line.text(" after it was freed").die(self.region.pal());
            }
        }
    }
}

/// The beginning of a line about a write to a freed block.
fn used_after_free(block: *const u8, bytes: usize) -> Line {
    let line = Line::new("use after free: block of ").decimal(bytes);
    line.text(" bytes at ").pointer(block).text(" was written")
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
