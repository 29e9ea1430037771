//! The lock-free table under the handles: slots, generations and free lists.
//!
//! ```text
//! chunks   [0] ── 1024 slots   [1] ── 2048   [2] ── 4096 …      allocated when first needed
//! slot     state = generation << 8 | kind        value
//! free     state = next generation | free        value = link to the next free slot
//! busy     state = generation | kind | busy      for the few instructions of a `set`
//! ```
//!
//! `inv:handle.chunk` A chunk, once published, stays where it is until the whole table is dropped. So
//! a slot can be read at any time, whatever other threads free, and no memory is reclaimed while it
//! could be looked at.
//!
//! `inv:handle.seq` A slot's value is written only by the thread that has it to itself: from a free's
//! change of the state to the next create's, and while the state is busy. A reader that finds the same
//! live state before and after it read the value has read a value of that generation.
//!
//! `inv:handle.aba` A free list's head carries a count that each change of it increments, so a pop
//! that was overtaken fails.
//!
//! Values are bare bits here and links use the unused immediate byte `0x57`, which the collector
//! ignores. Absent on purpose: the heap. Who calls this sees to it that no collection runs meanwhile.

use super::{Handle, HandleError, HandleKind, MAX_GENERATION, MAX_INDEX};
use crate::sync::{AtomicPtr, AtomicU64, FIRST_CHUNK, Ordering, SHARDS, spin};
use crossbeam_utils::CachePadded;

const FIRST_LOG: u32 = FIRST_CHUNK.ilog2();
const CHUNKS: usize = (super::INDEX_BITS + 1 - FIRST_LOG) as usize;

/// The kinds of a state that are no [`HandleKind`].
const FREE: u8 = 0;
const SCOPE_ENDED: u8 = 4;
/// The bit that a live state has while its value is being replaced.
const BUSY: u64 = 0x80;

const LINK_BYTE: u64 = 0x57;
const FIRST_GENERATION: u32 = 1;

const fn pack(generation: u32, kind: u8) -> u64 {
    (generation as u64) << 8 | kind as u64
}

const fn generation_of(state: u64) -> u32 {
    (state >> 8) as u32
}

const fn kind_of(state: u64) -> Option<HandleKind> {
    match state as u8 {
        1 => Some(HandleKind::Local),
        2 => Some(HandleKind::Global),
        3 => Some(HandleKind::Weak),
        _ => None,
    }
}

/// A free list's word: a count of changes, then the first slot's index plus one.
const fn head(changes: u32, first: Option<u32>) -> u64 {
    let first = match first {
        Some(index) => index + 1,
        None => 0,
    };
    (changes as u64) << 32 | first as u64
}

const fn head_first(head: u64) -> Option<u32> {
    (head as u32).checked_sub(1)
}

const fn head_changes(head: u64) -> u32 {
    (head >> 32) as u32
}

struct Slot {
    state: AtomicU64,
    value: AtomicU64,
}

impl Slot {
    fn new() -> Slot {
        Slot {
            state: AtomicU64::new(pack(FIRST_GENERATION, FREE)),
            value: AtomicU64::new(LINK_BYTE),
        }
    }
}

/// The most slots that one thread keeps.
const KEPT: usize = 32;

/// Free slots that one thread keeps for its next handles, so that it need not go to the lists, which are
/// everybody's. Such a slot is free, and on no list.
#[derive(Debug)]
pub struct Kept {
    slots: [u32; KEPT],
    count: usize,
}

impl Default for Kept {
    fn default() -> Kept {
        Kept::new()
    }
}

impl Kept {
    /// None.
    pub const fn new() -> Kept {
        Kept {
            slots: [0; KEPT],
            count: 0,
        }
    }

    #[inline]
    fn take(&mut self) -> Option<u32> {
        self.count = self.count.checked_sub(1)?;
        Some(self.slots[self.count])
    }

    /// Keeps a slot, if there is room.
    #[inline]
    fn keep(&mut self, index: u32) -> bool {
        let room = self.count < KEPT;
        if room {
            self.slots[self.count] = index;
            self.count += 1;
        }
        room
    }
}

/// Which chunk a slot is in, and where in it. Chunk `k` has `FIRST_CHUNK << k` slots.
const fn locate(index: u32) -> (usize, usize) {
    let n = index + FIRST_CHUNK;
    let log = n.ilog2();
    ((log - FIRST_LOG) as usize, (n - (1 << log)) as usize)
}

const fn chunk_slots(chunk: usize) -> usize {
    (FIRST_CHUNK as usize) << chunk
}

/// The lock-free table. Programs use [`super::Handles`], which knows the heap.
pub struct Slots {
    tag: u8,
    limit: u32,
    chunks: [AtomicPtr<Slot>; CHUNKS],
    /// How many slots were ever used; those below are live, free, or about to be either.
    used: CachePadded<AtomicU64>,
    free: [CachePadded<AtomicU64>; SHARDS],
}

impl Slots {
    /// An empty table for handles with this tag, of at most `limit` slots.
    pub fn new(tag: u8, limit: u32) -> Slots {
        Slots {
            tag: tag.max(1),
            limit: limit.min(MAX_INDEX),
            chunks: std::array::from_fn(|_| AtomicPtr::new(std::ptr::null_mut())),
            used: CachePadded::new(AtomicU64::new(0)),
            free: std::array::from_fn(|_| CachePadded::new(AtomicU64::new(head(0, None)))),
        }
    }

    /// A new handle for a value with these bits. `shard` is any number; threads that pass different
    /// ones disturb each other less.
    pub fn create(&self, shard: usize, bits: u64, kind: HandleKind) -> Result<Handle, HandleError> {
        let (index, slot) = self.take(shard)?;
        self.fill(index, slot, bits, kind)
    }

    /// A new handle, in a slot that this thread has kept if there is one.
    #[inline]
    pub fn create_kept(
        &self,
        kept: &mut Kept,
        shard: usize,
        bits: u64,
        kind: HandleKind,
    ) -> Result<Handle, HandleError> {
        match kept
            .take()
            .and_then(|index| Some((index, self.slot(index)?)))
        {
            Some((index, slot)) => self.fill(index, slot, bits, kind),
            None => self.create(shard, bits, kind),
        }
    }

    #[inline]
    fn fill(
        &self,
        index: u32,
        slot: &Slot,
        bits: u64,
        kind: HandleKind,
    ) -> Result<Handle, HandleError> {
        // Nobody else touches a slot that was taken off its list, so this load cannot race.
        let generation = generation_of(slot.state.load(Ordering::Relaxed));
        slot.value.store(bits, Ordering::Release);
        slot.state
            .store(pack(generation, kind as u8), Ordering::Release);
        Handle::new(self.tag, generation, index).ok_or(HandleError::OutOfMemory)
    }

    /// The value's bits (`inv:handle.seq`).
    #[inline]
    pub fn get(&self, handle: Handle) -> Result<u64, HandleError> {
        if handle.tag() == self.tag
            && let Some(slot) = self.slot(handle.index())
        {
            let state = slot.state.load(Ordering::Acquire);
            // The kind, if the generation is the handle's (inv:handle.generation).
            let kind = state ^ pack(handle.generation(), 0);
            let live = HandleKind::Local as u64..=HandleKind::Weak as u64;
            if live.contains(&kind) {
                let bits = slot.value.load(Ordering::Acquire);
                if slot.state.load(Ordering::Relaxed) == state {
                    return Ok(bits);
                }
            }
        }
        self.get_slowly(handle)
    }

    /// The same for a handle that is not live, or is being changed.
    #[cold]
    fn get_slowly(&self, handle: Handle) -> Result<u64, HandleError> {
        loop {
            let (slot, state) = self.live(handle)?;
            let bits = slot.value.load(Ordering::Acquire);
            if slot.state.load(Ordering::Relaxed) == state {
                return Ok(bits);
            }
        }
    }

    /// Which kind of handle this is.
    pub fn kind(&self, handle: Handle) -> Result<HandleKind, HandleError> {
        let (_, state) = self.live(handle)?;
        kind_of(state).ok_or_else(|| self.diagnose(handle))
    }

    /// Puts other bits under the handle.
    pub fn set(&self, handle: Handle, bits: u64) -> Result<(), HandleError> {
        loop {
            let (slot, state) = self.live(handle)?;
            let mine = slot.state.compare_exchange(
                state,
                state | BUSY,
                Ordering::AcqRel,
                Ordering::Relaxed,
            );
            if mine.is_ok() {
                slot.value.store(bits, Ordering::Release);
                slot.state.store(state, Ordering::Release);
                return Ok(());
            }
        }
    }

    /// Frees a handle.
    pub fn free(&self, shard: usize, handle: Handle) -> Result<(), HandleError> {
        let freed = self.release(handle, FREE)?;
        self.give_back(shard, freed);
        Ok(())
    }

    /// Frees a local handle because its scope ends.
    pub fn end_scope(&self, shard: usize, handle: Handle) -> Result<(), HandleError> {
        let freed = self.release(handle, SCOPE_ENDED)?;
        self.give_back(shard, freed);
        Ok(())
    }

    /// Frees a handle, a local one at its scope's end or any by hand, and lets this thread keep its slot if it
    /// can.
    #[inline]
    pub fn free_kept(
        &self,
        kept: &mut Kept,
        shard: usize,
        handle: Handle,
        scope_ended: bool,
    ) -> Result<(), HandleError> {
        let reason = if scope_ended { SCOPE_ENDED } else { FREE };
        let freed = self.release(handle, reason)?;
        match freed {
            Some((index, slot)) if kept.keep(index) => {
                slot.value.store(LINK_BYTE, Ordering::Release);
            }
            freed => self.give_back(shard, freed),
        }
        Ok(())
    }

    /// Puts the slots that a thread has kept on a free list.
    pub fn give_back_kept(&self, kept: &mut Kept, shard: usize) {
        while let Some(index) = kept.take() {
            if let Some(slot) = self.slot(index) {
                self.push(shard, index, slot);
            }
        }
    }

    #[inline]
    fn give_back(&self, shard: usize, freed: Option<(u32, &Slot)>) {
        if let Some((index, slot)) = freed {
            self.push(shard, index, slot);
        }
    }

    /// Shows each live slot's kind and the cell of its value to `f`. Only while nobody else uses the
    /// table; the cells stay where they are (`inv:handle.chunk`).
    pub(crate) fn visit(&self, f: &mut dyn FnMut(HandleKind, &AtomicU64)) {
        let used = self.used.load(Ordering::Acquire) as u32;
        for index in 0..used {
            let Some(slot) = self.slot(index) else {
                continue;
            };
            if let Some(kind) = kind_of(slot.state.load(Ordering::Acquire)) {
                f(kind, &slot.value);
            }
        }
    }

    /// How many handles are live. Exact only while nobody else uses the table.
    pub fn count(&self) -> usize {
        let mut n = 0;
        self.visit(&mut |_, _| n += 1);
        n
    }

    /// Whether every slot is live, on exactly one free list, or retired. Only while nobody else uses
    /// the table, or has kept a slot.
    pub fn check(&self) -> Result<(), String> {
        let used = self.used.load(Ordering::Acquire) as usize;
        let mut listed = vec![false; used];
        for list in &self.free {
            let mut next = head_first(list.load(Ordering::Acquire));
            while let Some(index) = next {
                match listed.get_mut(index as usize) {
                    Some(seen) if !*seen => *seen = true,
                    Some(_) => return Err(format!("slot {index} is on a free list twice")),
                    None => return Err(format!("free slot {index} was never used")),
                }
                let slot = self.slot(index).ok_or("a free slot has no chunk")?;
                next = head_first(slot.value.load(Ordering::Acquire) >> 8);
            }
        }
        for (index, listed) in listed.iter().enumerate() {
            let slot = self.slot(index as u32).ok_or("a slot has no chunk")?;
            let state = slot.state.load(Ordering::Acquire);
            let live = kind_of(state).is_some();
            let retired = generation_of(state) == MAX_GENERATION;
            if live as u8 + retired as u8 + *listed as u8 != 1 {
                return Err(format!(
                    "slot {index} has state {state:#x}, listed: {listed}"
                ));
            }
        }
        Ok(())
    }

    /// The slot and state of a handle that is live and not busy now.
    #[inline]
    fn live(&self, handle: Handle) -> Result<(&Slot, u64), HandleError> {
        if handle.tag() == self.tag
            && let Some(slot) = self.slot(handle.index())
        {
            loop {
                let state = slot.state.load(Ordering::Acquire);
                // inv:handle.generation
                if generation_of(state) != handle.generation() {
                    break;
                }
                if kind_of(state).is_some() {
                    return Ok((slot, state));
                }
                if state & BUSY == 0 {
                    break;
                }
                spin();
            }
        }
        Err(self.diagnose(handle))
    }

    /// Why a handle is not live.
    #[cold]
    fn diagnose(&self, handle: Handle) -> HandleError {
        let bits = handle.bits();
        // inv:handle.tag
        if handle.tag() != self.tag {
            return HandleError::Foreign { bits };
        }
        let (index, generation) = (handle.index(), handle.generation());
        let Some(slot) = self.slot(index) else {
            return HandleError::NeverIssued { bits };
        };
        let state = slot.state.load(Ordering::Acquire);
        let current = generation_of(state);
        if generation >= current || generation < FIRST_GENERATION {
            return HandleError::NeverIssued { bits };
        }
        match state as u8 {
            FREE if generation + 1 == current => HandleError::Freed { index, generation },
            SCOPE_ENDED if generation + 1 == current => {
                HandleError::ScopeEnded { index, generation }
            }
            _ => HandleError::Stale {
                index,
                generation,
                current,
            },
        }
    }

    /// Frees a handle. Returns its slot, which is this thread's own then, unless it is to be used no more.
    #[inline]
    fn release(&self, handle: Handle, reason: u8) -> Result<Option<(u32, &Slot)>, HandleError> {
        let (slot, next) = loop {
            let (slot, state) = self.live(handle)?;
            let next = generation_of(state) + 1;
            // Two threads may free one handle: the exchange decides which of them did.
            let mine = slot.state.compare_exchange(
                state,
                pack(next, reason),
                Ordering::AcqRel,
                Ordering::Relaxed,
            );
            if mine.is_ok() {
                break (slot, next);
            }
        };
        if next == MAX_GENERATION {
            slot.value.store(LINK_BYTE, Ordering::Release);
            return Ok(None);
        }
        Ok(Some((handle.index(), slot)))
    }

    #[inline]
    fn slot(&self, index: u32) -> Option<&Slot> {
        let (chunk, offset) = locate(index);
        let first = self.chunks[chunk].load(Ordering::Acquire);
        if first.is_null() {
            return None;
        }
        // SAFETY: `locate` gives an offset inside its chunk (the chunk has `chunk_slots` slots).
        let slot = unsafe { first.add(offset) };
        // SAFETY: a published chunk is initialised and stays (inv:handle.chunk).
        Some(unsafe { &*slot })
    }

    /// A slot that is nobody else's: from the own free list, from others', or never used before.
    fn take(&self, shard: usize) -> Result<(u32, &Slot), HandleError> {
        for offset in 0..SHARDS {
            if let Some(taken) = self.pop(shard.wrapping_add(offset)) {
                return Ok(taken);
            }
        }
        loop {
            let used = self.used.load(Ordering::Relaxed);
            let index = used as u32;
            if index >= self.limit {
                return Err(HandleError::Full { limit: self.limit });
            }
            self.ensure_chunk(locate(index).0)?;
            let taken =
                self.used
                    .compare_exchange(used, used + 1, Ordering::AcqRel, Ordering::Relaxed);
            if taken.is_ok() {
                let slot = self.slot(index).ok_or(HandleError::OutOfMemory)?;
                return Ok((index, slot));
            }
        }
    }

    fn push(&self, shard: usize, index: u32, slot: &Slot) {
        let list = &self.free[shard % SHARDS];
        let mut old = list.load(Ordering::Relaxed);
        loop {
            let link = u64::from(old as u32) << 8 | LINK_BYTE;
            slot.value.store(link, Ordering::Release);
            let new = head(head_changes(old).wrapping_add(1), Some(index));
            match list.compare_exchange_weak(old, new, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => old = now,
            }
        }
    }

    fn pop(&self, shard: usize) -> Option<(u32, &Slot)> {
        let list = &self.free[shard % SHARDS];
        let mut old = list.load(Ordering::Acquire);
        loop {
            let index = head_first(old)?;
            let slot = self.slot(index)?;
            // Meaningless if another thread took the slot meanwhile; then the exchange fails
            // (inv:handle.aba).
            let link = slot.value.load(Ordering::Acquire);
            let next = head_first(link >> 8 & u64::from(u32::MAX));
            let new = head(head_changes(old).wrapping_add(1), next);
            match list.compare_exchange_weak(old, new, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some((index, slot)),
                Err(now) => old = now,
            }
        }
    }

    fn ensure_chunk(&self, chunk: usize) -> Result<(), HandleError> {
        if !self.chunks[chunk].load(Ordering::Acquire).is_null() {
            return Ok(());
        }
        let length = chunk_slots(chunk);
        let mut slots = Vec::new();
        slots
            .try_reserve_exact(length)
            .map_err(|_| HandleError::OutOfMemory)?;
        slots.resize_with(length, Slot::new);
        let first = Box::into_raw(slots.into_boxed_slice()).cast::<Slot>();
        let published = self.chunks[chunk].compare_exchange(
            std::ptr::null_mut(),
            first,
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        if published.is_err() {
            // SAFETY: another thread's chunk was published, so this one is still ours alone.
            unsafe { drop_chunk(first, chunk) };
        }
        Ok(())
    }
}

/// Frees a chunk.
///
/// # Safety
/// `first` came from `ensure_chunk` for this `chunk` and nobody else can reach it.
unsafe fn drop_chunk(first: *mut Slot, chunk: usize) {
    let slots = std::ptr::slice_from_raw_parts_mut(first, chunk_slots(chunk));
    // SAFETY: the slice is the box that `ensure_chunk` made, and it is ours alone.
    drop(unsafe { Box::from_raw(slots) });
}

impl Drop for Slots {
    fn drop(&mut self) {
        for chunk in 0..CHUNKS {
            let first = self.chunks[chunk].load(Ordering::Acquire);
            if !first.is_null() {
                // SAFETY: `&mut self`: nobody else can reach the table any more.
                unsafe { drop_chunk(first, chunk) };
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
