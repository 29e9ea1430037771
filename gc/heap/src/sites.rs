//! Allocation sites: places in a program or kinds of object whose objects fare alike.
//!
//! Promotion holds an object in a block that others leave, so objects of which most will be promoted had better
//! be born where nothing moves. A site learns that by itself (after Blackburn, Hardy et al.: Pretenuring
//! for Java, 2001): of each [`WINDOW`] objects it counts those promoted, and if they are half or more, the
//! next ones are allocated in the non-moving space, until a window with fewer.
//!
//! The figures are kept by loads and stores that may be lost when threads share a site; nothing depends on
//! them but where an object is born.
//!
//! Absent on purpose: finding an object's site from the object. Whoever promotes it knows what it is.

use crate::alloc::OutOfMemory;
use crate::heap::Heap;
use crate::mutator::Mutator;
use crate::pins::PinError;
use crate::sync::lock;
use crate::thread::quietly;
use bowline_layout::{Header, Tag, Value};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard};

/// How many objects a site looks at before it decides.
const WINDOW: u64 = 64;

/// What is known of a site.
pub(crate) struct State {
    label: String,
    made: AtomicU64,
    promoted: AtomicU64,
    /// Objects born where nothing moves.
    immovable: AtomicU64,
    /// What `promoted` was when the window began.
    before: AtomicU64,
    /// Whether the next objects are.
    stays: AtomicBool,
}

/// An allocation site: [`Heap::alloc_site`].
#[derive(Clone, Copy)]
pub struct AllocSite(&'static State);

impl PartialEq for AllocSite {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for AllocSite {}

impl fmt::Debug for AllocSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AllocSite({:?})", self.0.label)
    }
}

/// What became of a site's objects.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SiteFigures {
    /// Its label.
    pub label: String,
    /// Objects made.
    pub made: u64,
    /// Objects promoted.
    pub promoted: u64,
    /// Objects born where nothing moves.
    pub immovable: u64,
}

/// The sites of the process.
#[derive(Default)]
pub(crate) struct Sites(Mutex<Vec<&'static State>>);

impl Sites {
    pub(crate) fn hold(&self) -> MutexGuard<'_, Vec<&'static State>> {
        lock(&self.0)
    }
}

fn add(counter: &AtomicU64, by: u64) -> u64 {
    let now = counter.load(Relaxed) + by;
    counter.store(now, Relaxed);
    now
}

impl State {
    /// Counts an object. Returns whether it is to be born where nothing moves.
    #[inline]
    fn make(&self) -> bool {
        let made = self.made.load(Relaxed);
        if made.is_multiple_of(WINDOW) && made > 0 {
            self.decide();
        }
        self.made.store(made + 1, Relaxed);
        self.stays.load(Relaxed)
    }

    #[cold]
    fn decide(&self) {
        let promoted = self.promoted.load(Relaxed);
        let of_window = promoted - self.before.load(Relaxed).min(promoted);
        self.before.store(promoted, Relaxed);
        self.stays.store(2 * of_window >= WINDOW, Relaxed);
    }
}

impl Heap {
    /// The site of this name: where objects are made, or what for. The same name gives the same site. Sites are
    /// kept for ever.
    pub fn alloc_site(&self, label: &str) -> AllocSite {
        quietly(|| {
            let mut sites = lock(&self.sites.0);
            if let Some(site) = sites.iter().find(|s| s.label == label) {
                return AllocSite(site);
            }
            let zero = || AtomicU64::new(0);
            let site: &'static State = Box::leak(Box::new(State {
                label: label.into(),
                made: zero(),
                promoted: zero(),
                immovable: zero(),
                before: zero(),
                stays: AtomicBool::new(false),
            }));
            sites.push(site);
            AllocSite(site)
        })
    }

    /// Every site, in the order in which they were named.
    pub fn alloc_sites(&self) -> Vec<SiteFigures> {
        let figures = |s: &&'static State| SiteFigures {
            label: s.label.clone(),
            made: s.made.load(Relaxed),
            promoted: s.promoted.load(Relaxed),
            immovable: s.immovable.load(Relaxed),
        };
        // inv:fork.locks: whoever has the lock waits for nothing, not in `malloc` either.
        quietly(|| lock(&self.sites.0).iter().map(figures).collect())
    }
}

impl Mutator {
    /// A fresh object, as from [`Mutator::alloc`], or as from [`Mutator::alloc_immovable`] when objects of this
    /// site keep being promoted.
    #[inline]
    pub fn alloc_at(
        &mut self,
        site: AllocSite,
        header: Header,
        tag: Tag,
    ) -> Result<Value, OutOfMemory> {
        if site.0.make() {
            add(&site.0.immovable, 1);
            return self.alloc_immovable(header, tag);
        }
        self.alloc(header, tag)
    }

    /// Promotes `v`, as [`Mutator::promote`] does, and lets the site learn.
    pub fn promote_at(&self, site: AllocSite, v: Value) -> Result<bool, PinError> {
        let moved = self.promote(v)?;
        add(&site.0.promoted, 1);
        Ok(moved)
    }
}
