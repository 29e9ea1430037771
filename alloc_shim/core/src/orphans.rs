//! Whose a heap is: of a living thread, of nobody, or of somebody who looks after it for a moment.
//!
//! ```text
//!                  adopt: a new thread                       begin_leave: its thread ends
//!        VACANT ───────────────────────► OWNED ─────────────────────────────► TENDED
//!          ▲ │                             │                                   ▲ │ ▲
//!          │ │ borrow: a signal handler, a thread at its end; call: a free     │ │ │
//!          │ └─────────────────────────────┼───────────────────────────────────┘ │ │ finish: look again
//!          └───────────────────────────────┼─────────────────────────────────────┤ │
//!                     finish               │                              call   ▼ │
//!                                          │ fork, in the child                CALLED
//!                                          ▼
//!                                        LOST   (its thread was changing it when the process was copied;
//!                                                or the hardened mode was switched on, by `lose`)
//!
//!               enter: the owner changes its lists             visit: another looks into them
//!      CHANGED ◄──────────────────────────────────── OWNED ───────────────────────────────────► VISITED
//!         └──────────────────────────────────────────► ▲ ◄──────────────────────────────────────┤    │ enter: the owner
//!               go_on                                  │                end_visit               │    ▼ waits
//!                                                      └────────────────────────────────────────── AWAITED
//! ```
//!
//! `inv:heap.holder` One thread at a time holds a heap: its owner, or whoever made it TENDED by `adopt`'s rivals
//! `borrow`, `call` and `begin_leave`. Only the holder touches its lists and the first line of its pages.
//!
//! `inv:heap.visit` An owner changes its lists as CHANGED, and a visitor as VISITED, so that one of the two has them at a time; what the
//! owner does without entering is to take blocks off the first page of each queue and to give blocks back to its pages. So all other
//! pages are at rest for a visitor, but for blocks that are given back. A visitor never waits, and calls nobody who waits.
//!
//! `inv:heap.heard` Mail to a heap without an owner is never forgotten. Whoever pushes it looks at this word
//! afterwards: finds VACANT and holds the heap himself, or TENDED and marks it CALLED, and then the holder cannot leave
//! without looking at the mail again; or OWNED, and then an owner who leaves later looks at the mail once more after it
//! has announced that. The fence on both sides is what forbids each to miss the other.
//!
//! Nobody waits here for anybody, so that all of it may run inside a signal handler; but the owner waits for a visitor, and a handler
//! that has interrupted the owner's change does not enter. Absent: a list of vacant heaps.
//! Heaps are never given back, and to look at all of them is cheap beside what makes one wanted.

use crate::pal::Pal;
use crate::sync::{AtomicU32, Ordering, const_fn, fence};

const VACANT: u32 = 0;
const OWNED: u32 = 1;
const TENDED: u32 = 2;
const CALLED: u32 = 3;
const LOST: u32 = 4;
const CHANGED: u32 = 5;
const VISITED: u32 = 6;
const AWAITED: u32 = 7;

/// The state of one heap.
#[derive(Debug)]
pub struct Tenure(AtomicU32);

/// What a call has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// The caller holds the heap and must look at its mail.
    Held,
    /// Somebody else does, and will.
    Heard,
}

impl Tenure {
    const_fn! {
        /// A heap that its maker holds.
        pub fn tended() -> Self {
            Self(AtomicU32::new(TENDED))
        }
    }

    fn turn(&self, from: u32, to: u32) -> bool {
        self.0
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// Makes a vacant heap the caller's.
    pub fn adopt(&self) -> bool {
        self.turn(VACANT, OWNED)
    }

    /// Makes a heap that the caller holds its own.
    pub fn keep(&self) {
        self.0.store(OWNED, Ordering::Release);
    }

    /// Holds a vacant heap for a moment.
    pub fn borrow(&self) -> bool {
        self.turn(VACANT, TENDED)
    }

    /// The owner is about to change the lists: waits until no visitor does. False for who holds the heap in another way, and for an
    /// owner that has entered already: there is nothing to wait for.
    #[inline]
    pub fn enter<P: Pal>(&self, pal: &P) -> bool {
        // It is tended where its thread ends, and where a free by another thread finds that it has none.
        self.turn(OWNED, CHANGED) || !self.is_tended() && self.enter_slowly(pal)
    }

    #[cold]
    #[inline(never)]
    fn enter_slowly<P: Pal>(&self, pal: &P) -> bool {
        loop {
            match self.0.load(Ordering::Acquire) {
                OWNED if self.turn(OWNED, CHANGED) => return true,
                OWNED => {}
                VISITED if self.turn(VISITED, AWAITED) => pal.wait(&self.0, AWAITED),
                VISITED => {}
                AWAITED => pal.wait(&self.0, AWAITED),
                _ => return false,
            }
        }
    }

    /// The owner, who has entered, goes on.
    #[inline]
    pub fn go_on(&self) {
        self.0.store(OWNED, Ordering::Release);
    }

    /// Another than the owner wants to change the lists. False when it cannot be now.
    pub fn visit(&self) -> bool {
        self.turn(OWNED, VISITED)
    }

    /// The visitor has done. Where a handler of its own has forked meanwhile the heap is lost in the child, and stays so.
    pub fn end_visit<P: Pal>(&self, pal: &P) {
        if !self.turn(VISITED, OWNED) && self.turn(AWAITED, OWNED) {
            pal.wake(&self.0);
        }
    }

    /// Whether somebody visits the heap.
    pub fn is_visited(&self) -> bool {
        matches!(self.0.load(Ordering::Acquire), VISITED | AWAITED)
    }

    /// The owner is going to leave. It must look at its mail and then [`finish`](Self::finish).
    pub fn begin_leave<P: Pal>(&self, pal: &P) {
        self.enter(pal);
        self.0.store(TENDED, Ordering::Release);
        fence(Ordering::SeqCst);
    }

    /// Leaves the heap. False when somebody has called: look at the mail and finish again.
    pub fn finish(&self) -> bool {
        if self.turn(TENDED, VACANT) {
            return true;
        }
        !self.turn(CALLED, TENDED)
    }

    /// Leaves the heap in any case; true when somebody has called, and the mail is to be looked at by another.
    pub fn abandon(&self) -> bool {
        !self.turn(TENDED, VACANT) && self.turn(CALLED, VACANT)
    }

    /// After a push to the heap's mail: sees to it that somebody looks at it.
    pub fn call(&self) -> Call {
        fence(Ordering::SeqCst);
        loop {
            match self.0.load(Ordering::Acquire) {
                VACANT if self.turn(VACANT, TENDED) => return Call::Held,
                TENDED if self.turn(TENDED, CALLED) => return Call::Heard,
                VACANT | TENDED => {}
                _ => return Call::Heard,
            }
        }
    }

    /// As [`call`](Self::call) for one who cannot hold a heap now: true when nobody does.
    pub fn call_softly(&self) -> bool {
        fence(Ordering::SeqCst);
        loop {
            match self.0.load(Ordering::Acquire) {
                VACANT => return true,
                TENDED if self.turn(TENDED, CALLED) => return false,
                TENDED => {}
                _ => return false,
            }
        }
    }

    /// Whether the heap is a thread's, at rest.
    pub fn is_owned(&self) -> bool {
        self.0.load(Ordering::Acquire) == OWNED
    }

    /// Whether somebody looks after the heap for a moment.
    pub fn is_tended(&self) -> bool {
        matches!(self.0.load(Ordering::Acquire), TENDED | CALLED)
    }

    /// Whether nobody holds the heap. True for a moment only.
    pub fn is_vacant(&self) -> bool {
        self.0.load(Ordering::Acquire) == VACANT
    }

    /// In a forked child, of a heap whose thread is gone: `sound` tells whether nobody was changing it.
    pub fn after_fork(&self, sound: bool) {
        let state = if sound { VACANT } else { LOST };
        if self.0.load(Ordering::Relaxed) != LOST {
            self.0.store(state, Ordering::Relaxed);
        }
    }

    /// Nobody uses the heap for allocation any more. The owner only, and nobody visits it.
    pub fn lose(&self) {
        self.0.store(LOST, Ordering::Release);
    }

    /// Whether a fork has left the heap in the middle of a change.
    pub fn is_lost(&self) -> bool {
        self.0.load(Ordering::Acquire) == LOST
    }
}
