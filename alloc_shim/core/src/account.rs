//! Accounts: how many bytes each class of user holds, and whom to ask before it holds more.
//!
//! Bytes are counted when a span leaves or enters the free spans, never for a single `malloc`; so the account of a class is
//! what its blocks occupy plus what stands free in their pages. The slack is bounded by the pages that heaps keep: for each
//! heap at most eight empty pages, and one of each size class of which little was ever used, and the free blocks of its partly used pages.
//!
//! `inv:account.locked` Accounts are written under the region's lock alone; anyone may read them.
//!
//! `inv:account.limit` The client never holds more than the limit, if one is set: that is asked under the lock at which it is
//! counted.
//!
//! Pressure: the client's bytes are watched by a hook once they would pass a mark. The runtime's are not: whoever
//! collects must be able to allocate.

use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// Whose memory a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Class {
    /// What C's `malloc` gave: it counts as pressure.
    Client = 0,
    /// The runtime's own Rust allocations.
    Runtime = 1,
}

/// How many classes there are.
pub const CLASSES: usize = 2;

/// Asked before the client's account passes the mark, with the bytes that are wanted: 0 goes on, anything else refuses, and
/// `malloc` returns null with ENOMEM. It runs inside somebody's `malloc`, on any thread, with no lock of the allocator held.
pub type PressureHook = extern "C" fn(bytes: usize) -> u32;

/// Bytes of each class.
#[derive(Debug)]
pub(crate) struct Accounts {
    live: [AtomicUsize; CLASSES],
    peak: [AtomicUsize; CLASSES],
    limit: AtomicUsize,
}

impl Accounts {
    pub(crate) const fn new() -> Self {
        Accounts {
            live: [AtomicUsize::new(0), AtomicUsize::new(0)],
            peak: [AtomicUsize::new(0), AtomicUsize::new(0)],
            limit: AtomicUsize::new(usize::MAX),
        }
    }

    /// Sets the most bytes that the client may hold; `usize::MAX`: there is no limit.
    pub(crate) fn set_limit(&self, bytes: usize) {
        self.limit.store(bytes, Ordering::Relaxed);
    }

    /// The most bytes that the client may hold.
    pub(crate) fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// Whether `class` may hold `bytes` more: inv:account.limit.
    pub(crate) fn has_room(&self, class: Class, bytes: usize) -> bool {
        let wanted = self.live(Class::Client).saturating_add(bytes);
        class != Class::Client || wanted <= self.limit()
    }

    /// Bytes that `class` holds.
    #[inline]
    pub(crate) fn live(&self, class: Class) -> usize {
        self.live[class as usize].load(Ordering::Relaxed)
    }

    /// The most that `class` ever held.
    pub(crate) fn peak(&self, class: Class) -> usize {
        self.peak[class as usize].load(Ordering::Relaxed)
    }

    /// Counts bytes that `class` takes. A load and a store will do (`inv:account.locked`).
    pub(crate) fn add(&self, class: Class, bytes: usize) {
        let live = self.live(class) + bytes;
        self.live[class as usize].store(live, Ordering::Relaxed);
        if live > self.peak(class) {
            self.peak[class as usize].store(live, Ordering::Relaxed);
        }
    }

    /// Counts bytes that `class` gives back. A load and a store will do (`inv:account.locked`).
    pub(crate) fn sub(&self, class: Class, bytes: usize) {
        let live = self.live(class);
        debug_assert!(live >= bytes, "more given than taken");
        self.live[class as usize].store(live - bytes, Ordering::Relaxed);
    }
}

/// The client's mark and who is asked beyond it.
#[derive(Debug)]
pub(crate) struct Pressure {
    mark: AtomicUsize,
    hook: AtomicPtr<()>,
}

impl Pressure {
    pub(crate) const fn new() -> Self {
        Pressure {
            mark: AtomicUsize::new(usize::MAX),
            hook: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Sets who is asked; `None`: nobody.
    pub(crate) fn set_hook(&self, hook: Option<PressureHook>) {
        let hook = hook.map_or(ptr::null_mut(), |hook| hook as *mut ());
        self.hook.store(hook, Ordering::Release);
    }

    /// Sets from how many bytes on the hook is asked: `usize::MAX` never, 0 for every span.
    pub(crate) fn set_mark(&self, bytes: usize) {
        self.mark.store(bytes, Ordering::Relaxed);
    }

    /// Whether a client that holds `live` bytes may take `bytes` more.
    #[inline]
    pub(crate) fn allows(&self, live: usize, bytes: usize) -> bool {
        live.saturating_add(bytes) <= self.mark.load(Ordering::Relaxed) || self.ask(bytes)
    }

    #[cold]
    fn ask(&self, bytes: usize) -> bool {
        let hook = self.hook.load(Ordering::Acquire);
        if hook.is_null() {
            return true;
        }
        // SAFETY: `set_hook` alone stores here, and what it stores is such a function.
        let hook = unsafe { core::mem::transmute::<*mut (), PressureHook>(hook) };
        hook(bytes) == 0
    }
}
