//! Needless collections that move everything, and what makes a stale pointer show.
//!
//! `inv:zeal.log` Under zeal every allocation is logged, and every collection is a full one that moves
//! each object that is not pinned. So after it the log holds each object that was alive or has died
//! since the last one, at its old place: what the verifier's walk does not find there has moved or
//! died, and its memory is overwritten before the threads go on. New places lie in blocks that were
//! empty, so nothing live is overwritten.
//!
//! Absent on purpose: protecting pages. Lines of live and dead objects share them. Large objects are
//! not overwritten; their pages go back to MMTk.

use crate::access;
use crate::alloc::MAX_SMALL;
use crate::c_memory::CBlocks;
use crate::heap::Heap;
use crate::mutator::Mutator;
use crate::pins::is_promoted;
use crate::sync::lock;
use crate::sys;
use crate::thread::ThreadBlock;
use crate::verify::{Census, POISON};
use bowline_layout::{Addr, Value, WORD};
use std::sync::Mutex;

/// Every object that may be alive, and its size.
#[derive(Default)]
pub(crate) struct Log(Mutex<Vec<(Addr, usize)>>);

impl Log {
    /// Takes over what `block` has logged.
    pub(crate) fn absorb(&self, block: &ThreadBlock) {
        lock(&self.0).append(&mut block.take_log());
    }

    /// How many objects may be alive.
    pub(crate) fn len(&self) -> usize {
        lock(&self.0).len()
    }

    /// Overwrites what is not alive where it was, and forgets it (`inv:zeal.log`).
    pub(crate) fn settle(&self, census: &Census) {
        let mut log = lock(&self.0);
        for (at, bytes) in log.drain(..) {
            if bytes <= MAX_SMALL && !census.objects.contains_key(&at) {
                overwrite(at, bytes);
            }
        }
        log.extend(census.objects.iter().map(|(at, bytes)| (*at, *bytes)));
    }
}

fn overwrite(at: Addr, bytes: usize) {
    for i in 0..bytes / WORD {
        // SAFETY: MMTk keeps the blocks of small objects mapped, and inv:zeal.log says that nothing
        // live is there.
        unsafe { access::write(at.word(i), POISON) };
    }
}

/// Ends the process unless a collection that was to move everything did: each live object has moved,
/// is pinned, or is where objects never move.
pub(crate) fn check_moved(moved: u64, census: &Census) {
    let live = census.objects.len() as u64;
    let (pinned, large) = (census.pinned, census.large);
    if moved + pinned + large != live {
        sys::die(format_args!(
            "a collection that moves everything did not: moved {moved} + pinned {pinned} + large \
             {large} is not live {live}"
        ));
    }
}

impl Heap {
    /// How many copies stay out of use when C was lent them, if what C does with them is checked.
    pub fn checking(&self) -> Option<usize> {
        self.config.checking
    }

    /// Calls `visit` with C's blocks that are in use, if the process's `malloc` is Bowline's. Other threads may allocate and
    /// free meanwhile: what is visited may be gone.
    pub fn each_c_block(&self, visit: &mut dyn FnMut(CBlocks)) {
        self.pressure.memory.each_in_use(visit);
    }
}

impl Mutator {
    /// Whether the program holds `v` in its place, by a counted pin or because it has promoted it while it could move.
    pub fn is_held(&self, v: Value) -> bool {
        self.heap().pins.is_pinned(v) || is_promoted(v)
    }
}
