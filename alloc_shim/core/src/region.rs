//! The region: one reservation of address space, and who has which slices of it.
//!
//! ```text
//!  base                                                   frontier            committed             base + size
//!   │ page entries │ tags │ span │ span │ free │ span │ …    │ usable, untouched │ reserved …              │
//!   └──── tables, readable throughout, ────┘
//!         usable as far as the frontier needs them
//! ```
//!
//! Tables and slices are made usable from the bottom up, in steps, and never made unusable again: the region is a handful of
//! mappings whatever happens in it, and a process that takes little commits little.
//!
//! `inv:region.once` the base and the size are 0 until the region is booted. Afterwards the base never changes, and the size only
//! becomes less, by what was never used ([`limit`]).
//!
//! `inv:region.base` Every pointer into the region is made from `base`, a multiple of a slice; slice `n` begins `n * SLICE` bytes
//! behind it.
//!
//! `inv:region.table` The [`PageEntry`] of every slice of the region can be read at any time, and is zero until its slice
//! is taken for the first time. From then on it can be written.
//!
//! `inv:region.tags` The tags up to `Inner::tabled` are usable memory, and only the holder of the lock touches them.
//!
//! `inv:region.span` A span that was taken is usable memory and nobody else's until it is given back.
//!
//! Absent on purpose: a second region, for a pointer belongs to this allocator exactly if it lies between two addresses; and
//! giving address space back, for the same reason.

mod boot;
mod bounds;
mod fork;
mod frontier;
mod limit;
#[cfg(test)]
mod tests;

use crate::account::{Accounts, Class, Pressure, PressureHook};
use crate::figures::{Counters, Figures};
use crate::lock::{Guard, Lock};
use crate::page::PageEntry;
use crate::pal::Pal;
use crate::spans::{Fault, Index, Kind, Spans, State, Tag, Totals, Want};
use bounds::Bounds;
use core::ops::Range;
use core::ptr;
use core::slice;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};

/// Bytes of a slice, the unit in which the region is divided.
pub const SLICE: usize = 64 << 10;

/// Some slices in a row that somebody has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first slice.
    pub first: usize,
    /// How many they are.
    pub slices: usize,
    /// Whether every byte is zero.
    pub zeroed: bool,
}

/// What the lock protects. All of it is 0 before the region is booted.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) index: Index,
    /// The first slice behind the tables.
    low: u32,
    /// The slice behind the last one that was ever taken.
    pub(crate) frontier: u32,
    /// The slice behind the last usable one.
    committed: u32,
    /// The slice behind the last one that has usable tags and entries.
    tabled: u32,
    /// The slice behind the region.
    end: u32,
    /// The same when it was reserved, for which the tables are laid out.
    extent: u32,
    /// The slice behind the last one whose place in the tables was not given back.
    kept: u32,
    /// The limit on address space that it is made for.
    limit: usize,
    /// Bytes made usable, tables included.
    usable: usize,
    /// How many threads wait for a purge of another thread to end.
    pub(crate) waiting: u32,
    /// The system has refused to reserve a region.
    refused: bool,
}

/// The lock and what it protects, away from the words that every `free` reads.
#[derive(Debug)]
#[repr(align(128))]
struct Apart<T>(T);

/// One region of memory.
#[derive(Debug)]
pub struct Region<P> {
    base: AtomicPtr<u8>,
    bounds: Bounds,
    pal: P,
    pressure: Pressure,
    inner: Apart<Lock<Inner>>,
    accounts: Accounts,
    counters: Counters,
    /// Grows whenever a purge ends.
    pub(crate) arrivals: AtomicU32,
    /// `Inner::low` and `Inner::frontier`, for who looks without the lock.
    seen: [AtomicU32; 2],
    /// In a forked child: what its parent's threads were purging is still to be purged.
    torn: AtomicBool,
    /// How often the process was copied on the way to this one, and which thread is still here since the last time.
    copies: AtomicU32,
    survivor: AtomicU32,
}

impl<P: Pal> Region<P> {
    /// A region that reserves nothing yet.
    pub const fn new(pal: P) -> Self {
        Region {
            base: AtomicPtr::new(ptr::null_mut()),
            bounds: Bounds::new(),
            pal,
            pressure: Pressure::new(),
            inner: Apart(Lock::new(Inner {
                index: Index::new(),
                low: 0,
                frontier: 0,
                committed: 0,
                tabled: 0,
                end: 0,
                extent: 0,
                kept: 0,
                limit: usize::MAX,
                usable: 0,
                waiting: 0,
                refused: false,
            })),
            accounts: Accounts::new(),
            counters: Counters::new(),
            arrivals: AtomicU32::new(0),
            seen: [AtomicU32::new(0), AtomicU32::new(0)],
            torn: AtomicBool::new(false),
            copies: AtomicU32::new(0),
            survivor: AtomicU32::new(0),
        }
    }

    /// The platform below.
    #[inline]
    pub fn pal(&self) -> &P {
        &self.pal
    }

    /// Where the region begins; null before it is booted.
    #[inline]
    pub fn base(&self) -> *mut u8 {
        self.base.load(Ordering::Relaxed)
    }

    /// How many bytes it has; 0 before it is booted. Whoever sees another size sees the base after it (`inv:region.once`).
    #[inline]
    pub fn size(&self) -> usize {
        self.bounds.size()
    }

    /// How far `p` lies behind the base, if it leads into the region.
    #[inline(always)]
    pub fn offset(&self, p: *const u8) -> Option<usize> {
        // Read first: beside an old base, which is null, a new size would claim low addresses.
        let size = self.size();
        let offset = p.addr().wrapping_sub(self.base().addr());
        (offset < size).then_some(offset)
    }

    /// The entry of the slice into which `p` leads, if that is a slice of the region.
    #[inline(always)]
    pub fn entry_of(&self, p: *const u8) -> Option<*mut PageEntry> {
        self.bounds.entry_of(p)
    }

    /// Whether `p` leads into the region.
    #[inline]
    pub fn contains(&self, p: *const u8) -> bool {
        self.offset(p).is_some()
    }

    /// What is known about the page that begins at a slice (`inv:region.table`).
    #[inline]
    pub fn entry(&self, slice: usize) -> *mut PageEntry {
        self.base().cast::<PageEntry>().wrapping_add(slice)
    }

    /// The slices that somebody may have taken, as it was a moment ago. Nothing is locked.
    pub fn reached(&self) -> Range<usize> {
        let [low, frontier] = &self.seen;
        // In this order: where the second was stored, so was the first.
        let frontier = frontier.load(Ordering::Acquire) as usize;
        low.load(Ordering::Relaxed) as usize..frontier
    }

    /// The first byte of a slice.
    #[inline]
    pub fn slice_start(&self, slice: usize) -> *mut u8 {
        self.base().wrapping_add(slice * SLICE)
    }

    /// Takes `slices` slices in a row, at a multiple of `align_slices` (a power of two) slices in the address space. `None`:
    /// the region is full, or the system refuses memory.
    pub fn take(&self, slices: usize, align_slices: usize, class: Class) -> Option<Span> {
        self.take_first(slices, align_slices, class, Kind::Dirty)
    }

    /// The same for memory that is to be zero: such that is, if there is some or the region has room for more.
    pub fn take_zeroed(&self, slices: usize, align_slices: usize, class: Class) -> Option<Span> {
        self.take_first(slices, align_slices, class, Kind::Clean)
    }

    fn take_first(
        &self,
        slices: usize,
        align_slices: usize,
        class: Class,
        first: Kind,
    ) -> Option<Span> {
        let span = self
            .want(slices, align_slices, first)
            .and_then(|want| self.take_wanted(want, class));
        if span.is_none() {
            self.counters.refusals.bump();
        }
        span
    }

    /// The same without ever waiting: for whoever may have interrupted the holder of the lock. `None` also where the lock is
    /// not free or the region not booted.
    pub fn take_now(&self, slices: usize, align_slices: usize, class: Class) -> Option<Span> {
        if self.size() == 0 {
            return None;
        }
        let want = self.want(slices, align_slices, Kind::Dirty)?;
        let mut inner = self.inner.0.try_lock(&self.pal)?;
        self.take_in(&mut inner, want, class, false)
    }

    /// Gives a span back, whole.
    pub fn give(&self, first: usize, slices: usize, class: Class) {
        let mut inner = self.lock();
        let now = self.give_in(&mut inner, first, slices, class);
        self.purge_due(inner, now);
    }

    /// The same for a span that is all zero.
    pub fn give_clean(&self, first: usize, slices: usize, class: Class) {
        let mut inner = self.lock();
        let now = self.give_as(&mut inner, first, slices, class, Kind::Clean);
        self.purge_due(inner, now);
    }

    /// Calls `each` with a function that gives spans back, one after the other, under the lock.
    pub(crate) fn give_some(&self, each: impl FnOnce(&mut dyn FnMut(usize, usize, Class))) {
        let mut inner = self.lock();
        let mut now = self.now();
        each(&mut |first, slices, class| now = self.give_in(&mut inner, first, slices, class));
        self.purge_due(inner, now);
    }

    /// The same without ever waiting; false where the lock is not free, and then nothing was given.
    pub fn give_now(&self, first: usize, slices: usize, class: Class) -> bool {
        let Some(mut inner) = self.inner.0.try_lock(&self.pal) else {
            return false;
        };
        self.give_in(&mut inner, first, slices, class);
        true
    }

    /// Makes a span of `from` slices one of `to` where it is, if those behind it are free. Gives whether the new ones are
    /// zero.
    pub fn grow(&self, first: usize, from: usize, to: usize, class: Class) -> Option<bool> {
        let more = u32::try_from(to.checked_sub(from)?).ok()?;
        let mut inner = self.lock();
        let behind = (first + from) as u32;
        let end = behind.checked_add(more).filter(|end| *end <= inner.end)?;
        if !self.accounts.has_room(class, more as usize * SLICE) {
            return None;
        }
        let reached = self.reach(&mut inner, behind, end)
            || self.settle(&mut inner) && self.reach(&mut inner, behind, end);
        if !reached {
            return None;
        }
        let mut spans = self.spans(&mut inner);
        debug_assert_eq!(spans.at(first as u32), Some((State::Taken, from as u32)));
        let clean = spans.absorb(behind, behind, more) == more;
        spans.set(first as u32, to as u32, State::Taken);
        self.accounts.add(class, more as usize * SLICE);
        self.purge_due(inner, self.now());
        Some(clean)
    }

    /// Makes a span of `from` slices one of `to`, at least one, and gives the rest back.
    pub fn shrink(&self, first: usize, from: usize, to: usize, class: Class) {
        debug_assert!(0 < to && to <= from);
        if to == from {
            return;
        }
        let mut inner = self.lock();
        let mut spans = self.spans(&mut inner);
        debug_assert_eq!(spans.at(first as u32), Some((State::Taken, from as u32)));
        spans.set(first as u32, to as u32, State::Taken);
        spans.set((first + to) as u32, (from - to) as u32, State::Taken);
        let now = self.give_in(&mut inner, first + to, from - to, class);
        self.purge_due(inner, now);
    }

    /// Whether `class` may take `bytes` more. To be called with no lock held and the thread's heap untouched, for the hook
    /// runs a collection or waits for one.
    #[inline]
    pub fn ask(&self, class: Class, bytes: usize) -> bool {
        if class == Class::Runtime {
            return true;
        }
        let allowed = self.pressure.allows(self.live(Class::Client), bytes);
        if !allowed {
            self.counters.refusals.bump();
        }
        allowed
    }

    /// Sets who is asked before the client's account passes the mark.
    pub fn set_pressure(&self, hook: Option<PressureHook>) {
        self.pressure.set_hook(hook);
    }

    /// Sets the mark in bytes: `usize::MAX` never asks, 0 always.
    pub fn set_mark(&self, bytes: usize) {
        self.pressure.set_mark(bytes);
    }

    /// Sets the most bytes that the client may hold; `usize::MAX`: there is no limit. What it would take beyond it is refused
    /// (`inv:account.limit`).
    pub fn set_limit(&self, bytes: usize) {
        self.accounts.set_limit(bytes);
    }

    /// The most bytes that the client may hold.
    pub fn limit(&self) -> usize {
        self.accounts.limit()
    }

    /// Bytes that `class` holds.
    #[inline]
    pub fn live(&self, class: Class) -> usize {
        self.accounts.live(class)
    }

    /// The most that `class` ever held.
    pub fn peak(&self, class: Class) -> usize {
        self.accounts.peak(class)
    }

    /// What is counted as it happens.
    #[inline]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The state of things now.
    pub fn figures(&self) -> Figures {
        let inner = self.lock();
        let classes = [Class::Client, Class::Runtime];
        Figures {
            reserved: self.size(),
            limit: self.limit(),
            committed: inner.usable,
            live: classes.map(|class| self.accounts.live(class)),
            peak: classes.map(|class| self.accounts.peak(class)),
            dirty: inner.index.with_memory() * SLICE,
            clean: inner.index.slices(Kind::Clean) * SLICE,
            free_spans: inner.index.takable(),
            ..Figures::of(&self.counters)
        }
    }

    /// Looks over all spans, and whether the accounts are their sum.
    pub fn check(&self) -> Result<Totals, Fault> {
        let mut inner = self.lock();
        if inner.low == 0 {
            return Ok(Totals::default());
        }
        let (frontier, now) = (inner.frontier, self.now());
        let totals = self.spans(&mut inner).check(frontier, now)?;
        let live = self.live(Class::Client) + self.live(Class::Runtime);
        if totals.taken * SLICE != live {
            return Err(Fault::Count((live / SLICE) as u32));
        }
        Ok(totals)
    }

    pub(crate) fn lock(&self) -> Guard<'_, Inner, P> {
        self.inner.0.lock(&self.pal)
    }

    /// The clock of spans: it wraps around after seven weeks, and ages are told by subtraction.
    pub(crate) fn now(&self) -> u32 {
        self.pal.now_ms() as u32
    }

    /// The spans, whose tags the lock's holder may touch. The region is booted.
    pub(crate) fn spans<'a>(&self, inner: &'a mut Inner) -> Spans<'a> {
        let tags = self.tag_place(inner.extent, inner.low);
        let usable = (inner.tabled - inner.low) as usize;
        // SAFETY: inv:region.tags; `inner` is borrowed from the lock for as long as the tags are.
        let tags = unsafe { slice::from_raw_parts_mut(tags, usable) };
        Spans::new(&mut inner.index, tags, inner.low)
    }

    /// Where a slice's tag is, in a region that was reserved with `extent` slices.
    fn tag_place(&self, extent: u32, slice: u32) -> *mut Tag {
        let entries = extent as usize * size_of::<PageEntry>();
        let tags = self.base().wrapping_add(entries).cast::<Tag>();
        tags.wrapping_add(slice as usize)
    }

    fn want(&self, slices: usize, align_slices: usize, first: Kind) -> Option<Want> {
        debug_assert!(slices > 0 && align_slices.is_power_of_two());
        self.boot().then_some(())?;
        Some(Want {
            len: u32::try_from(slices).ok()?,
            align: u32::try_from(align_slices).ok()?,
            origin: (self.base().addr() / SLICE) as u32,
            first,
        })
    }

    fn take_wanted(&self, want: Want, class: Class) -> Option<Span> {
        let mut inner = self.lock();
        let Some(span) = self.take_in(&mut inner, want, class, false) else {
            drop(inner);
            return self.take_thoroughly(want, class);
        };
        self.purge_due(inner, self.now());
        Some(span)
    }

    /// Takes after all that is free has been made one, by a search that leaves nothing out. Spans that other threads are
    /// purging are waited for: nothing is refused that is free.
    #[cold]
    fn take_thoroughly(&self, want: Want, class: Class) -> Option<Span> {
        self.purge_all();
        let mut inner = self.lock();
        loop {
            let span = self.take_in(&mut inner, want, class, true);
            if span.is_some() || !inner.index.is_leaving() {
                return span;
            }
            inner = self.await_arrival(inner);
        }
    }

    fn take_in(&self, inner: &mut Inner, want: Want, class: Class, thorough: bool) -> Option<Span> {
        if !self.accounts.has_room(class, want.len as usize * SLICE) {
            return None;
        }
        let rested = match want.first {
            Kind::Dirty => self.spans(inner).take_resting(want),
            Kind::Clean => None,
        };
        let (first, zeroed) = match rested {
            Some(first) => (first, false),
            None => {
                self.settle(inner);
                self.take_free(inner, want, thorough)?
            }
        };
        self.accounts.add(class, want.len as usize * SLICE);
        self.counters.takes.bump_alone();
        Some(Span {
            first: first as usize,
            slices: want.len as usize,
            zeroed,
        })
    }

    /// Where the request has been put, and whether all of it is zero.
    fn take_free(&self, inner: &mut Inner, want: Want, thorough: bool) -> Option<(u32, bool)> {
        let used = |inner: &mut Inner, kind| {
            let mut spans = self.spans(inner);
            let fit = spans.find(kind, want, thorough)?;
            spans.carve(fit.span, fit.start, want.len);
            Some((fit.start, kind == Kind::Clean))
        };
        let around = |inner: &mut Inner| {
            let mut spans = self.spans(inner);
            let fit = spans.find_around(want)?;
            spans.take_run(fit.span, fit.start, want.len);
            Some((fit.start, false))
        };
        let new = |inner: &mut Inner| self.take_at_frontier(inner, want);
        match want.first {
            Kind::Dirty => used(inner, Kind::Dirty)
                .or_else(|| around(inner))
                .or_else(|| used(inner, Kind::Clean))
                .or_else(|| new(inner)),
            Kind::Clean => used(inner, Kind::Clean)
                .or_else(|| new(inner))
                .or_else(|| used(inner, Kind::Dirty)),
        }
    }

    /// Gives the time, too.
    fn give_in(&self, inner: &mut Inner, first: usize, slices: usize, class: Class) -> u32 {
        self.give_as(inner, first, slices, class, Kind::Dirty)
    }

    /// The same of memory of this kind.
    fn give_as(
        &self,
        inner: &mut Inner,
        first: usize,
        slices: usize,
        class: Class,
        kind: Kind,
    ) -> u32 {
        let now = self.now();
        let mut spans = self.spans(inner);
        let (first, len) = (first as u32, slices as u32);
        debug_assert_eq!(spans.at(first), Some((State::Taken, len)));
        match kind {
            Kind::Dirty => spans.rest(first, len, now),
            Kind::Clean => spans.free(first, len, kind, now),
        }
        self.accounts.sub(class, slices * SLICE);
        self.counters.gives.bump_alone();
        now
    }

    /// Makes the spans that rest dirty ones; whether there were some.
    pub(crate) fn settle(&self, inner: &mut Inner) -> bool {
        let now = self.now();
        let mut spans = self.spans(inner);
        let rested = spans.rested(now).is_some();
        if rested {
            spans.settle(now);
        }
        rested
    }
}
