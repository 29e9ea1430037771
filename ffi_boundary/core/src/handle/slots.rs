//! The lock-free table under the handles: slots, generations and free lists.
//!
//! ```text
//! slot     state = tag | generation | owner | kind           value
//! free     state = tag | next generation | free              value = link to the next free slot
//! busy     state = tag | generation | owner | kind | busy    for the few instructions of a `set`
//! unused   state = 0
//! ```
//!
//! How a state is written `state` says.
//!
//! `inv:handle.seq` A slot's value is written only by the thread that has it to itself: from a free's
//! change of the state to the next create's, while the state is busy, and in a section of its owner's
//! (`inv:handle.own`). A reader that finds the same live state before and after it read the value has read a value of that
//! generation.
//!
//! `inv:handle.aba` A free list's head carries a count that each change of it increments, so a pop
//! that was overtaken fails.
//!
//! Values are bare bits here and links use the unused immediate byte `0x57`, which the collector
//! ignores. Absent on purpose: the heap. Who calls this sees to it that no collection runs meanwhile.

use super::memory::Room;
use super::own::{Kept, Owners, Revoked, Section};
use super::state::{BUSY, FIRST_GENERATION, FREE, LINK_BYTE, NAME, SCOPE_ENDED};
use super::state::{freed, generation_of, is_live, kind_of, mark, owner_of, pack};
use super::{Handle, HandleError, HandleKind, MAX_GENERATION, MAX_INDEX};
use crate::sync::{AtomicU64, Ordering, SHARDS, spin};
use crossbeam_utils::CachePadded;

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

/// A place for a handle's value.
pub(super) struct Slot {
    state: AtomicU64,
    value: AtomicU64,
}

#[cfg(loom)]
impl Slot {
    /// One that nobody has used.
    pub(super) fn new() -> Slot {
        Slot {
            state: AtomicU64::new(0),
            value: AtomicU64::new(0),
        }
    }
}

/// The lock-free table. Programs use [`super::Handles`], which knows the heap.
pub struct Slots {
    slots: Room,
    limit: u32,
    tag: u8,
    may_take: fn(usize) -> bool,
    /// How many slots were ever used; those below are live, free, or about to be either.
    used: CachePadded<AtomicU64>,
    free: [CachePadded<AtomicU64>; SHARDS],
    owners: Owners,
}

/// A section of a thread's (`inv:handle.own`): nobody else changes its own local handles meanwhile, nor does it by anything
/// but this.
pub struct Owned<'s> {
    slots: &'s Slots,
    /// What the state of its slots has besides their names.
    mark: u64,
    /// Ends it.
    _section: Section<'s>,
}

impl<'s> Owned<'s> {
    /// The slot of a live handle of its own.
    #[inline(always)]
    fn slot(&self, handle: Handle) -> Option<(&'s Slot, u64)> {
        let slot = self.slots.slot(handle.index())?;
        let state = slot.state.load(Ordering::Relaxed);
        (state == (handle.bits() & NAME) | self.mark).then_some((slot, state))
    }

    /// Whether it is a live handle of its own.
    #[inline(always)]
    pub fn has(&self, handle: Handle) -> bool {
        self.slot(handle).is_some()
    }

    /// Puts other bits under a handle; whether it is one of its own.
    #[inline(always)]
    pub fn set(&self, handle: Handle, bits: u64) -> bool {
        let Some((slot, _)) = self.slot(handle) else {
            return false;
        };
        slot.value.store(bits, Ordering::Release);
        true
    }

    /// Frees a handle, if it is one of its own. Its slot is this thread's then.
    #[inline(always)]
    fn release(&self, handle: Handle, reason: u8) -> Option<&'s Slot> {
        let (slot, state) = self.slot(handle)?;
        slot.state.store(freed(state, reason), Ordering::Release);
        Some(slot)
    }
}

impl Slots {
    /// An empty table for handles with this tag, of at most `limit` slots. What it takes of memory it keeps for
    /// the life of the process.
    pub fn new(tag: u8, limit: u32) -> Slots {
        let limit = limit.min(MAX_INDEX);
        Slots {
            slots: Room::reserve(limit),
            limit,
            tag: tag.max(1),
            may_take: |_| true,
            used: CachePadded::new(AtomicU64::new(0)),
            free: std::array::from_fn(|_| CachePadded::new(AtomicU64::new(head(0, None)))),
            owners: Owners::new(None),
        }
    }

    /// Lets threads own local handles if there is something that has every running thread of the process pass a fence.
    pub fn fencing(self, everywhere: Option<fn()>) -> Slots {
        Slots {
            owners: Owners::new(everywhere),
            ..self
        }
    }

    /// Gives a thread a number, if it has none and there is one. It is taken back by [`Slots::give_back_kept`].
    pub fn join(&self, kept: &Kept) {
        if kept.number.get() == 0 {
            kept.number.set(self.owners.join());
        }
    }

    /// A section of the thread whose this is; none if it has no number, or if another thread changes what it does not own.
    #[inline(always)]
    pub fn owned(&self, kept: &Kept) -> Option<Owned<'_>> {
        let number = kept.number.get();
        Some(Owned {
            slots: self,
            mark: mark(HandleKind::Local, number),
            _section: self.owners.begin(number)?,
        })
    }

    /// In a forked child: no other thread is in a section.
    #[cfg(not(loom))]
    pub(super) fn forked(&self) {
        self.owners.forked();
    }

    /// Has the table ask `may_take` before it takes so many bytes more of the system.
    pub fn asking(self, may_take: fn(usize) -> bool) -> Slots {
        Slots { may_take, ..self }
    }

    /// A new handle for a value with these bits. `shard` is any number; threads that pass different
    /// ones disturb each other less.
    pub fn create(&self, shard: usize, bits: u64, kind: HandleKind) -> Result<Handle, HandleError> {
        let (index, slot) = self.take(shard)?;
        fill(index, slot, bits, mark(kind, 0))
    }

    /// The same for the thread whose `kept` is, which owns it if it is a local one.
    pub fn create_own(
        &self,
        kept: &Kept,
        shard: usize,
        bits: u64,
        kind: HandleKind,
    ) -> Result<Handle, HandleError> {
        let (index, slot) = self.take(shard)?;
        fill(index, slot, bits, mark(kind, kept.number.get()))
    }

    /// The same in a slot that the thread has kept, if it has one.
    #[inline(always)]
    pub fn create_kept(&self, kept: &Kept, bits: u64, kind: HandleKind) -> Option<Handle> {
        let index = kept.take()?;
        fill(
            index,
            self.slot(index)?,
            bits,
            mark(kind, kept.number.get()),
        )
        .ok()
    }

    /// The value's bits (`inv:handle.seq`).
    #[inline(always)]
    pub fn get(&self, handle: Handle) -> Result<u64, HandleError> {
        if let Some(slot) = self.slot(handle.index()) {
            let state = slot.state.load(Ordering::Acquire);
            if is_live(state, handle) {
                let bits = slot.value.load(Ordering::Acquire);
                if slot.state.load(Ordering::Relaxed) == state {
                    return Ok(bits);
                }
            }
        }
        self.get_slowly(handle)
    }

    /// The value's bits, if the handle is a live one that keeps its object alive, and is not being changed
    /// (`inv:handle.seq`).
    #[inline(always)]
    pub fn get_strong(&self, handle: Handle) -> Option<u64> {
        let slot = self.slot(handle.index())?;
        let state = slot.state.load(Ordering::Acquire);
        if !is_live(state, handle) || state as u8 == HandleKind::Weak as u8 {
            return None;
        }
        let bits = slot.value.load(Ordering::Acquire);
        (slot.state.load(Ordering::Relaxed) == state).then_some(bits)
    }

    /// The same for a handle that is not live, or is being changed.
    #[cold]
    #[inline(never)]
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
        self.set_by(0, handle, bits)
    }

    /// The same for the thread whose `kept` is.
    pub fn set_kept(&self, kept: &Kept, handle: Handle, bits: u64) -> Result<(), HandleError> {
        match self.owned(kept) {
            Some(owned) if owned.set(handle, bits) => Ok(()),
            _ => self.set_by(kept.number.get(), handle, bits),
        }
    }

    /// For the thread of this number, which is in no section.
    fn set_by(&self, number: u32, handle: Handle, bits: u64) -> Result<(), HandleError> {
        loop {
            let (slot, state) = self.live(handle)?;
            let _revoked = self.revoke(state, number);
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
        let freed = self.release(0, handle, FREE)?;
        self.give_back(shard, freed);
        Ok(())
    }

    /// Frees a local handle because its scope ends.
    pub fn end_scope(&self, shard: usize, handle: Handle) -> Result<(), HandleError> {
        let freed = self.release(0, handle, SCOPE_ENDED)?;
        self.give_back(shard, freed);
        Ok(())
    }

    /// Frees a handle, a local one at its scope's end or any by hand, and lets this thread keep its slot if it
    /// can.
    #[inline(always)]
    pub fn free_kept(
        &self,
        kept: &Kept,
        shard: usize,
        handle: Handle,
        scope_ended: bool,
    ) -> Result<(), HandleError> {
        let reason = if scope_ended { SCOPE_ENDED } else { FREE };
        let freed = match self.owned(kept).and_then(|o| o.release(handle, reason)) {
            Some(slot) => usable(handle, slot),
            None => self.release(kept.number.get(), handle, reason)?,
        };
        match freed {
            Some((index, slot)) if kept.keep(index) => {
                slot.value.store(LINK_BYTE, Ordering::Release);
            }
            freed => self.give_back(shard, freed),
        }
        Ok(())
    }

    /// Puts the slots that a thread has kept on a free list, and takes its number back.
    pub fn give_back_kept(&self, kept: &Kept, shard: usize) {
        self.owners.leave(kept.number.replace(0));
        while let Some(index) = kept.take() {
            if let Some(slot) = self.slot(index) {
                self.push(shard, index, slot);
            }
        }
    }

    fn give_back(&self, shard: usize, freed: Option<(u32, &Slot)>) {
        if let Some((index, slot)) = freed {
            self.push(shard, index, slot);
        }
    }

    /// Shows each live slot's kind and the cell of its value to `f`. Only while nobody else uses the
    /// table; the cells stay where they are (`inv:handle.fixed`).
    pub(crate) fn visit(&self, f: &mut dyn FnMut(HandleKind, &AtomicU64)) {
        let used = self.used.load(Ordering::Acquire) as usize;
        for slot in self.slots.iter().take(used) {
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
                let slot = self.slot(index).ok_or("a free slot is none of the table")?;
                next = head_first(slot.value.load(Ordering::Acquire) >> 8);
            }
        }
        for (index, listed) in listed.iter().enumerate() {
            let slot = self
                .slot(index as u32)
                .ok_or("a slot is none of the table")?;
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
    #[inline(always)]
    fn live(&self, handle: Handle) -> Result<(&Slot, u64), HandleError> {
        if let Some(slot) = self.slot(handle.index()) {
            let state = slot.state.load(Ordering::Acquire);
            if is_live(state, handle) {
                return Ok((slot, state));
            }
            return self.live_slowly(handle, slot);
        }
        Err(self.diagnose(handle))
    }

    /// The same where the slot is not live, or busy.
    #[cold]
    #[inline(never)]
    fn live_slowly<'s>(
        &self,
        handle: Handle,
        slot: &'s Slot,
    ) -> Result<(&'s Slot, u64), HandleError> {
        loop {
            let state = slot.state.load(Ordering::Acquire);
            if is_live(state, handle) {
                return Ok((slot, state));
            }
            if !is_live(state & !BUSY, handle) {
                return Err(self.diagnose(handle));
            }
            spin();
        }
    }

    /// Why a handle is not live.
    #[cold]
    #[inline(never)]
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
        match (state & !NAME) as u8 {
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

    /// Frees a handle, for the thread of this number, which is in no section. Returns its slot, which is this thread's own
    /// then, unless it is to be used no more.
    fn release(
        &self,
        number: u32,
        handle: Handle,
        reason: u8,
    ) -> Result<Option<(u32, &Slot)>, HandleError> {
        loop {
            let (slot, state) = self.live(handle)?;
            let _revoked = self.revoke(state, number);
            // Two threads may free one handle: the exchange decides which of them did.
            let mine = slot.state.compare_exchange(
                state,
                freed(state, reason),
                Ordering::AcqRel,
                Ordering::Relaxed,
            );
            if mine.is_ok() {
                return Ok(usable(handle, slot));
            }
        }
    }

    /// Keeps the owner of a slot in this state from changing it otherwise than by an exchange (`inv:handle.own`), if that is
    /// another thread than the one of this number.
    #[inline(always)]
    fn revoke(&self, state: u64, number: u32) -> Option<Revoked<'_>> {
        match owner_of(state) {
            0 => None,
            owner if owner == number => None,
            owner => self.owners.revoke(owner),
        }
    }

    /// The slot at `index`, if the table has so many.
    #[inline(always)]
    fn slot(&self, index: u32) -> Option<&Slot> {
        self.slots.get(index as usize)
    }

    /// A slot that is nobody else's: from the own free list, from others', or never used before.
    #[cold]
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
            let slot = self.slot(index).ok_or(HandleError::OutOfMemory)?;
            // Before others can find that it was used, and so rely on those below (inv:handle.fixed).
            if !self.slots.open(index, self.may_take) {
                return Err(HandleError::OutOfMemory);
            }
            let taken =
                self.used
                    .compare_exchange(used, used + 1, Ordering::AcqRel, Ordering::Relaxed);
            if taken.is_ok() {
                let unused = pack(self.tag, FIRST_GENERATION, FREE);
                slot.state.store(unused, Ordering::Release);
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
}

/// The slot of a handle that was freed, which is this thread's own, unless it is to be used no more.
#[inline(always)]
fn usable(handle: Handle, slot: &Slot) -> Option<(u32, &Slot)> {
    if handle.generation() + 1 == MAX_GENERATION {
        slot.value.store(LINK_BYTE, Ordering::Release);
        return None;
    }
    Some((handle.index(), slot))
}

/// Gives a value to a slot that is this thread's own.
#[inline(always)]
fn fill(index: u32, slot: &Slot, bits: u64, mark: u64) -> Result<Handle, HandleError> {
    // Nobody else touches a slot that was taken off its list, so this load cannot race.
    let name = slot.state.load(Ordering::Relaxed) & NAME;
    slot.value.store(bits, Ordering::Release);
    slot.state.store(name | mark, Ordering::Release);
    Handle::from_bits(name | u64::from(index)).ok_or(HandleError::OutOfMemory)
}

#[cfg(all(test, not(loom)))]
mod tests;
