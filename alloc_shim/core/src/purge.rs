//! Giving memory of free spans back to the system, late enough that it is seldom needed again at once.
//!
//! A span that becomes free keeps its memory, so that taking and giving it in turn costs neither a system call nor a fault.
//! Its memory is given back
//!
//! * when it has been free for [`DELAY_MS`], as soon as any thread takes or gives a span after that; or
//! * at once, oldest first and no more than is too much, while free spans hold more than [`bound`] allows; or
//! * when somebody asks ([`Region::purge_all`]), or a request finds no room.
//!
//! So a process that has become idle keeps at most the bound in free spans, and one in which free spans do not fit what is wanted
//! does not hold both, the free ones and new ones in their place: whatever it keeps, it has little more memory than it once used
//! at the same time. Where the client has a limit, the bound is at most what
//! it has left, so that both together stay below it. A span that grows by a neighbour counts as
//! old as its oldest part: what is used again and again cannot keep what lies beside it.
//!
//! `inv:purge.leaving` The system is called without the lock. Meanwhile the span is *leaving*: in no bin, merged with
//! nothing, so nobody can take it, and whoever departed it alone lets it arrive.
//!
//! `MADV_DONTNEED` and not `MADV_FREE`: memory that is given back lazily looks like a leak to whoever looks at the process,
//! and would not be known to be zero.

use crate::account::Class;
use crate::lock::Guard;
use crate::pal::Pal;
use crate::region::{Inner, Region, SLICE};
use crate::spans::{Kind, REST_MS};
use crate::sync::Ordering;

/// How long a free span keeps its memory, in milliseconds.
pub const DELAY_MS: u32 = 500;

/// What free spans may hold in any case, in bytes.
pub const FLOOR: usize = 32 << 20;

/// Beyond [`FLOOR`] free spans may hold this part of what is live.
pub const SHARE: usize = 8;

/// By how much free spans and live ones together may exceed the most that ever lived: this, in bytes, or a [`PLAY_SHARE`]th.
pub const PLAY: usize = 128 << 10;

/// See [`PLAY`].
pub const PLAY_SHARE: usize = 32;

/// What is given back at once because free spans hold too much is at least this many slices, if they are in one span.
const LEAST: usize = 4;

/// How much memory free spans may hold when users hold `live` bytes and have held `peak`.
pub fn bound(live: usize, peak: usize) -> usize {
    let play = PLAY.max(peak / PLAY_SHARE);
    FLOOR.max(live / SHARE).min(peak - live + play)
}

/// Which spans a purge is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Those that are old enough or too many.
    Due,
    All,
}

impl<P: Pal> Region<P> {
    /// Purges what is due, and lets go of the lock.
    #[inline]
    pub(crate) fn purge_due(&self, mut inner: Guard<'_, Inner, P>, now: u32) {
        if self.is_due(&mut inner, now) {
            self.purge(inner, Reach::Due, now);
        }
    }

    /// Purges every free span.
    pub fn purge_all(&self) {
        let mut inner = self.lock();
        self.heed_limit(&mut inner);
        let now = self.now();
        self.purge(inner, Reach::All, now);
    }

    /// Lets go of the lock until a purge of another thread has ended.
    pub(crate) fn await_arrival<'a>(
        &'a self,
        mut inner: Guard<'a, Inner, P>,
    ) -> Guard<'a, Inner, P> {
        if self.is_torn() {
            // Those who purge may be gone.
            drop(inner);
            self.mend();
            return self.lock();
        }
        let seen = self.arrivals.load(Ordering::Relaxed);
        inner.waiting += 1;
        drop(inner);
        self.pal().wait(&self.arrivals, seen);
        inner = self.lock();
        // A handler may have forked meanwhile: in the child nobody was counted as waiting.
        inner.waiting = inner.waiting.saturating_sub(1);
        inner
    }

    /// Purges from the oldest span on. One that is refused stays dirty as the newest, so that each is tried once; and what
    /// is merely due is left for later then, for the system may well refuse all.
    #[cold]
    #[inline(never)]
    fn purge<'a>(&'a self, mut inner: Guard<'a, Inner, P>, reach: Reach, now: u32) {
        if inner.index.with_memory() == 0 {
            return;
        }
        self.spans(&mut inner).settle(now);
        for _ in 0..inner.index.spans(Kind::Dirty) {
            let due = self.due(&mut inner, reach, now);
            let Some((first, len)) = self.spans(&mut inner).depart(due, self.purger()) else {
                return;
            };
            drop(inner);
            let purged = self.forget(first, len);
            inner = self.end_purge(first, purged);
            if !purged && reach == Reach::Due {
                return;
            }
        }
    }

    /// Whether there is something to do: spans have rested, or are old, or hold too much.
    fn is_due(&self, inner: &mut Inner, now: u32) -> bool {
        let spans = self.spans(inner);
        spans.rested(now).is_some_and(|age| age >= REST_MS)
            || spans.oldest_age(now).is_some_and(|age| age >= DELAY_MS)
            || self.excess(inner) > 0
    }

    /// How many slices of the oldest span are to be purged now.
    fn due(&self, inner: &mut Inner, reach: Reach, now: u32) -> u32 {
        let age = self.spans(inner).oldest_age(now);
        if reach == Reach::All || age.is_some_and(|age| age >= DELAY_MS) {
            return u32::MAX;
        }
        match self.excess(inner) {
            0 => 0,
            excess => excess.div_ceil(SLICE).max(LEAST) as u32,
        }
    }

    /// How many bytes more than they may free spans hold.
    fn excess(&self, inner: &Inner) -> usize {
        let [live, peak] = [Region::live, Region::peak]
            .map(|held| held(self, Class::Client) + held(self, Class::Runtime));
        let left = self.limit().saturating_sub(self.live(Class::Client));
        let free = inner.index.with_memory() * SLICE;
        free.saturating_sub(bound(live, peak).min(left))
    }

    /// In a forked child: purges what the threads that are gone were purging.
    pub(crate) fn purge_left(&self) {
        let mut inner = self.lock();
        while inner.index.is_leaving()
            && let Some((first, len)) = self
                .spans(&mut inner)
                .inherit(|purger| self.is_here(purger), self.purger())
        {
            drop(inner);
            let purged = self.forget(first, len);
            inner = self.end_purge(first, purged);
        }
    }

    /// Takes the lock and lets a span arrive; whoever waits for that is woken.
    pub(crate) fn end_purge(&self, first: u32, purged: bool) -> Guard<'_, Inner, P> {
        let mut inner = self.lock();
        let now = self.now();
        self.spans(&mut inner).arrive(first, purged, now);
        self.arrivals.fetch_add(1, Ordering::Relaxed);
        for _ in 0..inner.waiting {
            self.pal().wake(&self.arrivals);
        }
        inner
    }

    /// Gives the memory of a leaving span back.
    fn forget(&self, first: u32, len: u32) -> bool {
        let start = self.slice_start(first as usize);
        // SAFETY: inv:purge.leaving: the span is free and nobody can take it.
        unsafe { self.clear(start, len as usize * SLICE) }
    }

    /// Gives the memory of whole pages back; false: they may be as they were.
    ///
    /// # Safety
    /// The pages were taken once, and nobody needs what is in them.
    pub(crate) unsafe fn clear(&self, start: *mut u8, bytes: usize) -> bool {
        self.counters().purges.bump();
        // SAFETY: as the caller says; inv:region.span: what was taken is committed.
        let purged = unsafe { self.pal().purge(start, bytes) };
        if purged {
            self.counters().purged.add(bytes);
        }
        purged
    }
}
