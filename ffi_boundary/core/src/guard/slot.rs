//! Memory that C is lent in checking mode, between pages that nobody may touch.
//!
//! ```text
//!   begin            inner                copy           end    guard
//!   | no access page | pattern …          | what is lent | …    | no access page |
//!
//!   lent ── it is over ──► resting: no access at all ── N others came to rest ──► given back to the system
//! ```
//!
//! It is over when its call has returned, or, for the memory of a struct that C may keep, when the pointer that owns it has died.
//!
//! The copy ends where the guard begins, or, where C may count on an alignment, up to seven bytes before it.
//!
//! `inv:guard.slot` A slot's record lives for ever and stays in the list of all slots. Its memory is the slot's own while
//! `begin` is not 0, and what else the record says of it does not change meanwhile, but for `end`. So a signal handler
//! can read the list at any time.

use super::keeping;
use crate::callback::pool::lock;
use crate::check_error::{Access, End, Loan, Wrong};
use std::collections::VecDeque;
use std::ops::Range;
use std::ptr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicPtr, AtomicU8, AtomicUsize, Ordering};

/// What stands around a copy.
const PATTERN: u8 = 0xb5;

/// Memory for a copy; `inv:guard.slot`.
#[derive(Default)]
pub(crate) struct Slot {
    next: AtomicPtr<Slot>,
    begin: AtomicUsize,
    copy: AtomicUsize,
    length: AtomicUsize,
    guard: AtomicUsize,
    loan: AtomicPtr<Loan>,
    /// The [`End`] by which it is over, and 1; 0 while it is lent.
    end: AtomicU8,
}

/// All slots.
static ALL: AtomicPtr<Slot> = AtomicPtr::new(ptr::null_mut());

/// Those that are not lent.
struct Idle {
    resting: VecDeque<&'static Slot>,
    /// Without memory.
    empty: Vec<&'static Slot>,
}

static IDLE: Mutex<Idle> = Mutex::new(Idle {
    resting: VecDeque::new(),
    empty: Vec::new(),
});

/// How many rest.
pub(super) static MOST: AtomicUsize = AtomicUsize::new(0);

fn page() -> usize {
    // SAFETY: takes a name.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(bytes).unwrap_or(4096)
}

fn pointer(address: usize) -> *mut u8 {
    ptr::with_exposed_provenance_mut(address)
}

impl Slot {
    /// Memory for `length` bytes that C takes to be aligned so. `None`: the system gives none.
    pub(super) fn take(length: usize, align: usize, loan: &'static Loan) -> Option<&'static Slot> {
        let page = page();
        let inside = length.checked_next_multiple_of(page)?.max(page);
        let bytes = inside.checked_add(2 * page)?;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a mapping where there is none.
        let begin = unsafe { libc::mmap(ptr::null_mut(), bytes, libc::PROT_NONE, flags, -1, 0) };
        if begin == libc::MAP_FAILED {
            return None;
        }
        let begin = begin.expose_provenance();
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: pages of the mapping made above.
        if unsafe { libc::mprotect(pointer(begin + page).cast(), inside, access) } != 0 {
            // SAFETY: the mapping made above, which nobody knows of.
            unsafe { libc::munmap(pointer(begin).cast(), bytes) };
            return None;
        }
        // SAFETY: the bytes are writable, and nobody knows of them.
        unsafe { pointer(begin + page).write_bytes(PATTERN, inside) };
        let empty = lock(&IDLE).empty.pop();
        let slot = empty.unwrap_or_else(Slot::listed);
        let guard = begin + page + inside;
        slot.copy
            .store((guard - length) & !(align - 1), Ordering::Relaxed);
        slot.length.store(length, Ordering::Relaxed);
        slot.guard.store(guard, Ordering::Relaxed);
        slot.end.store(0, Ordering::Relaxed);
        let loan = ptr::from_ref(loan).cast_mut();
        slot.loan.store(loan, Ordering::Relaxed);
        slot.begin.store(begin, Ordering::Release);
        Some(slot)
    }

    /// A new one, in the list of all.
    fn listed() -> &'static Slot {
        let slot: &'static Slot = Box::leak(Box::default());
        let mut first = ALL.load(Ordering::Acquire);
        loop {
            slot.next.store(first, Ordering::Relaxed);
            let new = ptr::from_ref(slot).cast_mut();
            match ALL.compare_exchange(first, new, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return slot,
                Err(other) => first = other,
            }
        }
    }

    /// The address of the copy.
    pub(super) fn address(&self) -> usize {
        self.copy.load(Ordering::Relaxed)
    }

    /// The copy, while it is lent: C may write it at any time, but does not while its call's thread is here.
    #[expect(clippy::mut_from_ref, reason = "the bytes are none of the record's")]
    pub(super) fn copy(&self) -> &mut [u8] {
        let length = self.length.load(Ordering::Relaxed);
        // SAFETY: inv:guard.slot: the bytes are the slot's, and its call's thread alone asks, for one moment.
        unsafe { std::slice::from_raw_parts_mut(pointer(self.address()), length) }
    }

    pub(super) fn loan(&self) -> &'static Loan {
        // SAFETY: set when the memory was taken; loans live for ever.
        unsafe { &*self.loan.load(Ordering::Relaxed) }
    }

    fn pattern(&self, from: usize, to: usize) -> &[u8] {
        // SAFETY: inv:guard.slot: both are bounds in the slot's pages that can be read.
        unsafe { std::slice::from_raw_parts(pointer(from), to - from) }
    }

    /// Why it is over, if it is.
    fn end(&self) -> Option<End> {
        let ends = [End::Returned, End::Moved, End::Died];
        let end = self.end.load(Ordering::Acquire);
        ends.into_iter().find(|known| *known as u8 + 1 == end)
    }

    /// The addresses of the copy.
    fn addresses(&self) -> Range<usize> {
        let start = self.address();
        start..start + self.length.load(Ordering::Relaxed)
    }

    /// What was written around the copy.
    pub(super) fn wrong(&self) -> Option<Wrong> {
        let (begin, guard) = (
            self.begin.load(Ordering::Relaxed),
            self.guard.load(Ordering::Relaxed),
        );
        let Range { start: copy, end } = self.addresses();
        let touched = |byte: &u8| *byte != PATTERN;
        if let Some(last) = self.pattern(end, guard).iter().rposition(touched) {
            return Some(Wrong::Past(Access::Written, last + 1));
        }
        let inner = begin + page();
        let first = self.pattern(inner, copy).iter().position(touched)?;
        Some(Wrong::Before(Access::Written, copy - inner - first))
    }

    /// It is over: nobody may touch it from now on.
    pub(super) fn rest(&'static self, end: End) {
        self.end.store(end as u8 + 1, Ordering::Release);
        keeping::is_over();
        let (begin, page) = (self.begin.load(Ordering::Relaxed), page());
        let bytes = self.guard.load(Ordering::Relaxed) - begin;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED;
        // SAFETY: inv:guard.slot: the pages are the slot's; what was in them is of no use.
        unsafe { libc::mmap(pointer(begin).cast(), bytes, libc::PROT_NONE, flags, -1, 0) };
        let mut idle = lock(&IDLE);
        idle.resting.push_back(self);
        for _ in MOST.load(Ordering::Relaxed)..idle.resting.len() {
            let Some(old) = idle.resting.pop_front() else {
                return;
            };
            let begin = old.begin.swap(0, Ordering::AcqRel);
            let bytes = old.guard.load(Ordering::Relaxed) + page - begin;
            // SAFETY: inv:guard.slot: the mapping was the slot's, and its call is over.
            unsafe { libc::munmap(pointer(begin).cast(), bytes) };
            idle.empty.push(old);
        }
    }

    /// What an access at `address` that was refused did wrong, if that is in the slot.
    fn judge(&self, address: usize, access: Access, page: usize) -> Option<Wrong> {
        let begin = self.begin.load(Ordering::Acquire);
        let guard = self.guard.load(Ordering::Relaxed);
        if begin == 0 || !(begin..guard + page).contains(&address) {
            return None;
        }
        if let Some(end) = self.end() {
            return Some(Wrong::After(end));
        }
        let Range { start: copy, end } = self.addresses();
        if address >= end {
            return Some(Wrong::Past(access, address - end + 1));
        }
        (address < copy).then(|| Wrong::Before(access, copy - address))
    }
}

/// Calls `f` with each slot's record.
fn each(mut f: impl FnMut(&'static Slot)) {
    let mut at = ALL.load(Ordering::Acquire);
    // SAFETY: null, or a record, which lives for ever (inv:guard.slot).
    while let Some(slot) = unsafe { at.as_ref() } {
        f(slot);
        at = slot.next.load(Ordering::Relaxed);
    }
}

/// Calls `f` with the addresses of each copy that is over and still mapped, what it was lent as, and why it is over.
pub(super) fn each_over(mut f: impl FnMut(Range<usize>, &'static Loan, End)) {
    each(|slot| {
        let begin = slot.begin.load(Ordering::Acquire);
        if begin == 0 {
            return;
        }
        let (addresses, end) = (slot.addresses(), slot.end());
        let loan = slot.loan();
        // Otherwise another thread has given it other memory.
        if let Some(end) = end
            && slot.begin.load(Ordering::Acquire) == begin
        {
            f(addresses, loan, end);
        }
    });
}

/// The slot whose copy begins there and is lent.
pub(super) fn at(address: usize) -> Option<&'static Slot> {
    let mut found = None;
    each(|slot| {
        let is_there = slot.begin.load(Ordering::Acquire) != 0 && slot.address() == address;
        if is_there && slot.end().is_none() {
            found = Some(slot);
        }
    });
    found
}

/// What an access at `address` that was refused did wrong, and to what. For a signal handler (`inv:guard.slot`).
pub(super) fn judge(address: usize, access: Access) -> Option<(Wrong, &'static Loan)> {
    let page = page();
    let mut judged = None;
    each(|slot| {
        if let Some(wrong) = slot.judge(address, access, page) {
            judged = Some((wrong, slot.loan()));
        }
    });
    judged
}
