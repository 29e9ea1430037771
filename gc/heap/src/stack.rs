//! A thread's root stack: one contiguous array of words that the collector scans.
//!
//! ```text
//!  guard | base ......... sp | free ...... real_limit | slack .. end | guard
//!          scanned as tagged words                       runtime only
//! ```
//!
//! `inv:stack.published` Only `[base, sp)` is scanned, so whoever keeps `sp` in a register publishes it
//! ([`RootStack::set_sp`]) before any call that may collect, and every word below it is a tagged word.
//!
//! `inv:stack.limit` The limit is one atomic word that a stop request sets to 0. One compare of `sp`
//! with it at a procedure's entry is stack check and safepoint poll at once; the slow path tells them
//! apart by [`RootStack::poll_wanted`]. The thread may have it below [`RootStack::real_limit`], to be asked
//! sooner ([`RootStack::move_limit`]). Generated code stays below the limit; the slack above it is for
//! what the runtime pushes around its own calls.
//!
//! `inv:stack.clean` Words below the *clean* mark refer to nothing young, so a minor collection passes them by: after
//! a collection nothing is young, and the mark goes up to the top. Whatever writes below the mark afterwards
//! lowers it or is noted: each method here that pops or sets a word does. Who writes by address says with
//! [`RootStack::keep`] which words at the base it writes at any time, and with [`RootStack::rely_below`] below
//! which others it will not; the mark never goes up beyond that.
//!
//! Absent on purpose: growing. A language that recurses deeply moves old frames into the heap.

use crate::HeapError;
use crate::interrupt::{Interrupter, Limit, Puller};
use crate::sys::{self, Access};
use bowline_layout::{Addr, Value, WORD};
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const PAGE: usize = 4096;
/// The most words below the clean mark that are noted one by one.
const MOST_CHANGED: usize = 64;
/// Bytes between the limit and the end.
const SLACK: usize = 4 * PAGE;

/// A thread's root stack.
#[repr(C)]
pub struct RootStack {
    limit: Arc<Limit>,
    sp: Cell<*mut Value>,
    base: *mut Value,
    real_limit: usize,
    end: usize,
    /// inv:stack.clean
    clean: Cell<*mut Value>,
    /// How far up the clean mark may go.
    ceiling: Cell<*mut Value>,
    /// How many words at the base are looked at in every collection.
    kept: Cell<usize>,
    /// Words between those and the clean mark that were set since the last collection.
    changed: RefCell<Vec<*mut Value>>,
    mapping: Addr,
    mapped: usize,
}

// SAFETY: its pointers lead to its own mapping, which no thread knows but the one that has the stack.
unsafe impl Send for RootStack {}

impl RootStack {
    pub(crate) fn new(bytes: usize) -> Result<Self, HeapError> {
        let bytes = bytes.next_multiple_of(PAGE);
        let mapped = bytes + SLACK + 2 * PAGE;
        let failed = HeapError::NoMemory("a root stack");
        let mapping = sys::map(mapped, Access::None).ok_or(failed.clone())?;
        let base = mapping.byte(PAGE);
        if !sys::protect(base, bytes + SLACK, Access::ReadWrite) {
            sys::unmap(mapping, mapped);
            return Err(failed);
        }
        let start: *mut Value = crate::access::pointer(base).cast();
        let real_limit = base.byte(bytes).raw();
        Ok(RootStack {
            limit: Limit::new(real_limit),
            sp: Cell::new(start),
            base: start,
            real_limit,
            end: real_limit + SLACK,
            clean: Cell::new(start),
            ceiling: Cell::new(std::ptr::without_provenance_mut(usize::MAX)),
            kept: Cell::new(0),
            changed: RefCell::default(),
            mapping,
            mapped,
        })
    }

    /// The first word.
    #[inline(always)]
    pub fn base(&self) -> *mut Value {
        self.base
    }

    /// The published top: the first word that is not scanned.
    #[inline(always)]
    pub fn sp(&self) -> *mut Value {
        self.sp.get()
    }

    /// Publishes the top (`inv:stack.published`).
    ///
    /// # Safety
    /// `sp` is 8-aligned and lies between the base and the end, and every word below it is a tagged
    /// word.
    #[inline(always)]
    pub unsafe fn set_sp(&self, sp: *mut Value) {
        debug_assert!(sp.addr() >= self.base.addr() && sp.addr() <= self.end);
        self.lower(sp);
        self.sp.set(sp);
    }

    /// Puts `v` on top, and publishes it.
    ///
    /// # Safety
    /// The published top is below the end.
    #[inline(always)]
    pub(crate) unsafe fn push_unchecked(&self, v: Value) {
        let sp = self.sp.get();
        debug_assert!(sp.addr() < self.end);
        // What is clean lies below what was the top. The word is written last, so that who reads it at once is known
        // to read `v`.
        self.sp.set(sp.wrapping_add(1));
        // SAFETY: the caller's: sp lies in [base, end), which is mapped and this thread's own.
        unsafe { sp.write(v) };
    }

    /// Takes off all words from `slot` on, and puts `v` in their place.
    ///
    /// # Safety
    /// `slot` is a word of the stack's below the published top.
    #[inline(always)]
    pub(crate) unsafe fn cut_to(&self, slot: *mut Value, v: Value) {
        debug_assert!(slot >= self.base && slot < self.sp.get());
        self.lower(slot);
        // SAFETY: the caller's: the word is this thread's own.
        unsafe { slot.write(v) };
        self.sp.set(slot.wrapping_add(1));
    }

    /// Replaces the word at `slot`.
    ///
    /// # Safety
    /// `slot` is a word of the stack's below the published top.
    #[inline(always)]
    pub(crate) unsafe fn set_unchecked(&self, slot: *mut Value, v: Value) {
        debug_assert!(slot >= self.base && slot < self.sp.get());
        if slot < self.clean.get() && v.is_pointer() {
            self.note_changed(slot);
        }
        // SAFETY: the caller's: the word is this thread's own.
        unsafe { slot.write(v) };
    }

    /// Has the first `words` words looked at in every collection: somebody writes them by address.
    pub fn keep(&self, words: usize) {
        self.kept.set(words);
    }

    /// Promises that nobody writes a word below `ceiling` by address, but for those kept, until this is
    /// called with a lower place. Who never calls it promises for all words below the published top.
    pub fn rely_below(&self, ceiling: *mut Value) {
        self.lower(ceiling);
        self.ceiling.set(ceiling);
    }

    /// Whatever is at `to` or above may have been written since the last collection.
    #[inline(always)]
    fn lower(&self, to: *mut Value) {
        if to < self.clean.get() {
            self.clean.set(to);
        }
    }

    /// Notes that the word at `slot`, below the clean mark, was set.
    #[cold]
    #[inline(never)]
    fn note_changed(&self, slot: *mut Value) {
        let mut changed = self.changed.borrow_mut();
        if changed.contains(&slot) {
            return;
        }
        if changed.len() < MOST_CHANGED {
            changed.push(slot);
        } else {
            self.clean.set(slot);
        }
    }

    /// Whether a minor collection passes the word at index `i` by.
    pub(crate) fn is_passed(&self, i: usize) -> bool {
        let slot = self.base.wrapping_add(i);
        i >= self.kept.get() && slot < self.clean.get() && !self.changed.borrow().contains(&slot)
    }

    /// Calls `f` with the address of each word that a collection looks at, a minor one or not, after
    /// which nothing on the stack is young. Returns how many there were.
    pub(crate) fn scan(&self, minor: bool, f: &mut impl FnMut(Addr)) -> u64 {
        let place = |slot: *mut Value| Addr::new(slot.addr());
        let top = self.sp.get();
        let mut changed = self.changed.borrow_mut();
        let (kept, from) = match minor {
            true => {
                let kept = self.base.wrapping_add(self.kept.get()).min(top);
                (kept, self.clean.get().max(kept))
            }
            false => (self.base, self.base),
        };
        let mut words = 0;
        let mut range = |from: *mut Value, to: *mut Value| {
            let count = to.addr().saturating_sub(from.addr()) / WORD;
            (0..count).for_each(|i| f(place(from).word(i)));
            words += count as u64;
        };
        range(self.base, kept);
        for &slot in changed.iter().filter(|slot| (kept..from).contains(slot)) {
            range(slot, slot.wrapping_add(1));
        }
        range(from, top);
        changed.clear();
        self.clean.set(top.min(self.ceiling.get()));
        words
    }

    /// The word that is the limit, or 0 when the thread is wanted at a safepoint
    /// (`inv:stack.limit`).
    #[inline(always)]
    pub fn limit_ptr(&self) -> *const AtomicUsize {
        self.limit.word()
    }

    /// The limit that holds when nobody wants the thread.
    #[inline(always)]
    pub fn real_limit(&self) -> usize {
        self.real_limit
    }

    /// Has the limit be `limit`, the real one at most, until further notice.
    pub fn move_limit(&self, limit: usize) {
        self.limit.move_to(limit.min(self.real_limit));
    }

    /// Whether the thread is wanted at a safepoint.
    #[inline(always)]
    pub fn poll_wanted(&self) -> bool {
        self.limit.word().load(Ordering::Relaxed) == 0
    }

    /// Asks for the thread at its next poll.
    pub(crate) fn want_poll(&self) {
        self.limit.trip();
    }

    /// Takes the request back.
    pub(crate) fn clear_poll(&self) {
        self.limit.restore();
    }

    /// A handle by which others interrupt what the stack's thread does.
    pub fn interrupter(&self) -> Interrupter {
        Interrupter(Arc::clone(&self.limit))
    }

    /// A handle by which others bring the stack's thread to its next poll.
    pub fn puller(&self) -> Puller {
        Puller(Arc::clone(&self.limit))
    }

    /// Begins or ends the time in which requests to interrupt the thread count. Those that nobody has
    /// met are forgotten.
    pub fn listen(&self, on: bool) {
        self.limit.listen(on);
    }

    /// Whether somebody wants to interrupt the thread.
    #[inline]
    pub fn interrupt_wanted(&self) -> bool {
        self.limit.is_requested()
    }

    /// Meets the requests to interrupt the thread, if there are any.
    pub fn take_interrupt(&self) -> bool {
        self.limit.take()
    }

    /// How many words are on it.
    #[inline(always)]
    pub fn len(&self) -> usize {
        (self.sp.get().addr() - self.base.addr()) / WORD
    }

    /// Whether no word is on it.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Pushes `v`.
    ///
    /// # Panics
    /// When the stack is full: a bound that generated code checks at procedure entry and that Rust
    /// code stays far below.
    #[inline(always)]
    pub fn push(&self, v: Value) {
        let sp = self.sp.get();
        assert!(sp.addr() < self.end, "root stack overflow");
        // SAFETY: sp lies in [base, end), which is mapped and this thread's own.
        unsafe { sp.write(v) };
        self.sp.set(sp.wrapping_add(1));
    }

    /// Pops the last word.
    ///
    /// # Panics
    /// When there is none.
    #[inline(always)]
    pub fn pop(&self) -> Value {
        let sp = self.sp.get().wrapping_sub(1);
        assert!(sp >= self.base, "root stack underflow");
        self.lower(sp);
        self.sp.set(sp);
        // SAFETY: a word was pushed at sp.
        unsafe { sp.read() }
    }

    /// Drops every word from index `len` on.
    ///
    /// # Panics
    /// When there are fewer words.
    #[inline(always)]
    pub fn truncate(&self, len: usize) {
        assert!(len <= self.len(), "root stack is shorter than that");
        let sp = self.base.wrapping_add(len);
        self.lower(sp);
        self.sp.set(sp);
    }

    /// The word at index `i`, counted from the base.
    ///
    /// # Panics
    /// When there is none.
    #[inline(always)]
    pub fn get(&self, i: usize) -> Value {
        assert!(i < self.len(), "root stack is shorter than that");
        // SAFETY: i is below sp.
        unsafe { self.base.wrapping_add(i).read() }
    }

    /// Replaces the word at index `i`, counted from the base.
    ///
    /// # Panics
    /// When there is none.
    #[inline(always)]
    pub fn set(&self, i: usize, v: Value) {
        assert!(i < self.len(), "root stack is shorter than that");
        // SAFETY: i is below sp.
        unsafe { self.set_unchecked(self.base.wrapping_add(i), v) };
    }
}

impl Drop for RootStack {
    fn drop(&mut self) {
        sys::unmap(self.mapping, self.mapped);
    }
}
