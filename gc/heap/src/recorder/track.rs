//! What one thread does: how long in C, how long in its own language, how long it waits for the collector.
//!
//! ```text
//!            call begins          callback begins
//!   own ───────────────────▶ C ───────────────────▶ own ──▶ …
//!    ▲       call ends       │    callback ends      │
//!    └───────────────────────┘◀──────────────────────┘
//! ```
//!
//! `inv:track.owner` Only the thread itself writes its figures, so a load and a store make a sum; others may
//! read them at any time, each for itself.
//!
//! A crossing is recorded when the thread is Native: before it comes back from a call, and when it is back in
//! C after a callback. So it keeps no collection waiting. Waiting for a collection is recorded after it,
//! Managed. The events stand in the track's own text until the recorder's thread takes it away.
//!
//! `inv:track.bounded` That text does not outgrow [`MOST`]: what comes while it is full is counted instead.

use super::summary::ThreadFigures;
use super::writer::{Micros, Quoted, event};
use crate::sync::lock;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Instant;

/// The most bytes of events that wait to be taken away.
const MOST: usize = 8 << 20;

/// A foreign function, or what it calls back: how often it was called, and how long that took.
#[derive(Debug)]
pub struct Callee {
    pub(super) name: String,
    pub(super) callback: bool,
    pub(super) calls: AtomicU64,
    pub(super) total: AtomicU64,
    pub(super) max: AtomicU64,
}

impl Callee {
    pub(super) fn new(name: String, callback: bool) -> Self {
        Callee {
            name,
            callback,
            calls: AtomicU64::new(0),
            total: AtomicU64::new(0),
            max: AtomicU64::new(0),
        }
    }

    /// Several threads may call it at once.
    fn count(&self, ns: u64) {
        self.calls.fetch_add(1, Relaxed);
        self.total.fetch_add(ns, Relaxed);
        if ns > self.max.load(Relaxed) {
            self.max.fetch_max(ns, Relaxed);
        }
    }
}

/// What a thread's time was spent on, in nanoseconds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Shares {
    /// In its own language, the runtime included.
    pub own: u64,
    /// In C, callbacks not included.
    pub c: u64,
    /// Waiting for the collector.
    pub waited: u64,
    /// Foreign calls.
    pub calls: u64,
    /// Callbacks.
    pub callbacks: u64,
}

/// One thread of the heap's.
pub(crate) struct Track {
    /// Its number in the trace.
    pub(super) number: u32,
    pub(super) name: String,
    begun: Instant,
    pid: u32,
    /// Crossings that take less are only counted; `None`: there is no trace, all are.
    least: Option<u64>,
    /// When the share that is running began, doubled; odd if it is C's.
    since: AtomicU64,
    own: AtomicU64,
    c: AtomicU64,
    waited: AtomicU64,
    calls: AtomicU64,
    callbacks: AtomicU64,
    lost: AtomicU64,
    ended: AtomicBool,
    events: Mutex<String>,
}

/// Adds to a figure of the calling thread's own (`inv:track.owner`).
fn add(sum: &AtomicU64, n: u64) {
    sum.store(sum.load(Relaxed) + n, Relaxed);
}

impl Track {
    pub(super) fn new(
        number: u32,
        name: String,
        begun: Instant,
        pid: u32,
        least: Option<u64>,
    ) -> Self {
        let track = Track {
            number,
            name,
            begun,
            pid,
            least,
            since: AtomicU64::new(0),
            own: AtomicU64::new(0),
            c: AtomicU64::new(0),
            waited: AtomicU64::new(0),
            calls: AtomicU64::new(0),
            callbacks: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            events: Mutex::default(),
        };
        track.since.store(track.now() << 1, Relaxed);
        track
    }

    fn now(&self) -> u64 {
        self.begun.elapsed().as_nanos() as u64
    }

    /// Ends the share that is running and begins C's or the thread's own. Returns the time.
    fn turn(&self, to_c: bool) -> u64 {
        let now = self.now();
        // inv:track.owner
        let since = self.since.load(Relaxed);
        self.since.store(now << 1 | u64::from(to_c), Relaxed);
        let sum = if since & 1 == 1 { &self.c } else { &self.own };
        add(sum, now - (since >> 1));
        now
    }

    pub(crate) fn call_begins(&self) -> u64 {
        self.turn(true)
    }

    pub(crate) fn call_ends(&self, began: u64, callee: &Callee) {
        let now = self.turn(false);
        add(&self.calls, 1);
        self.crossed(began, now, callee);
    }

    pub(crate) fn callback_begins(&self) -> u64 {
        self.turn(false)
    }

    pub(crate) fn callback_ends(&self, began: u64, callee: &Callee) {
        let now = self.turn(true);
        add(&self.callbacks, 1);
        self.crossed(began, now, callee);
    }

    fn crossed(&self, began: u64, now: u64, callee: &Callee) {
        callee.count(now - began);
        let (kind, category) = match callee.callback {
            true => (" callback", "callback"),
            false => ("", "call"),
        };
        self.slice(&callee.name, kind, category, began, now);
    }

    /// The thread waited for the collector, in a share of its own language's.
    pub(crate) fn waited(&self, began: Instant) {
        let began = began.saturating_duration_since(self.begun).as_nanos() as u64;
        let now = self.now();
        add(&self.waited, now - began);
        self.slice("waiting for the collector", "", "wait", began, now);
    }

    /// Adds a slice that is long enough.
    fn slice(&self, name: &str, kind: &str, category: &str, began: u64, now: u64) {
        if self.least.is_none_or(|least| now - began < least) {
            return;
        }
        let mut events = lock(&self.events);
        // inv:track.bounded
        if events.len() > MOST {
            self.lost.fetch_add(1, Relaxed);
            return;
        }
        let (pid, tid) = (self.pid, self.number);
        event(
            &mut events,
            format_args!(
                r#"{{"ph":"X","name":"{}{kind}","cat":"{category}","pid":{pid},"tid":{tid},"ts":{},"dur":{}}}"#,
                Quoted(name),
                Micros(began),
                Micros(now - began)
            ),
        );
    }

    /// The thread ends: no share is running from now on.
    pub(super) fn end(&self) {
        self.turn(false);
        self.ended.store(true, Relaxed);
    }

    /// Takes the events away, and how many were left out.
    pub(super) fn take(&self) -> (String, u64) {
        (
            std::mem::take(&mut *lock(&self.events)),
            self.lost.swap(0, Relaxed),
        )
    }

    /// What is known of the thread.
    pub(super) fn figures(&self) -> ThreadFigures {
        ThreadFigures {
            name: self.name.clone(),
            shares: self.shares(),
        }
    }

    /// What the thread's time was spent on until now.
    pub(super) fn shares(&self) -> Shares {
        let mut shares = Shares {
            own: self.own.load(Relaxed),
            c: self.c.load(Relaxed),
            waited: self.waited.load(Relaxed),
            calls: self.calls.load(Relaxed),
            callbacks: self.callbacks.load(Relaxed),
        };
        let since = self.since.load(Relaxed);
        let running = self.now().saturating_sub(since >> 1);
        match since & 1 {
            _ if self.ended.load(Relaxed) => {}
            1 => shares.c += running,
            _ => shares.own += running,
        }
        shares.own = shares.own.saturating_sub(shares.waited);
        shares
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_nanosecond_belongs_to_one_share() {
        let track = Track::new(2, "main".into(), Instant::now(), 1, Some(0));
        let (f, g) = (
            Callee::new("f".into(), false),
            Callee::new("g".into(), true),
        );
        let first = track.since.load(Relaxed) >> 1;
        let call = track.call_begins();
        let callback = track.callback_begins();
        track.callback_ends(callback, &g);
        track.call_ends(call, &f);
        let last = track.since.load(Relaxed) >> 1;
        let (own, c) = (track.own.load(Relaxed), track.c.load(Relaxed));
        assert_eq!(own + c, last - first);
        assert_eq!(f.total.load(Relaxed), last - call);
        assert!(c + g.total.load(Relaxed) == f.total.load(Relaxed));
        let shares = track.shares();
        assert_eq!((shares.calls, shares.callbacks), (1, 1));
        let (text, lost) = track.take();
        assert_eq!((text.matches("\"ph\":\"X\"").count(), lost), (2, 0));
        let g = text
            .find("\"g callback\"")
            .expect("the callback ends first");
        assert!(g < text.find("\"f\"").expect("then the call"));
    }

    #[test]
    fn what_is_short_is_only_counted() {
        let track = Track::new(2, "main".into(), Instant::now(), 1, Some(u64::MAX));
        let f = Callee::new("f".into(), false);
        track.call_ends(track.call_begins(), &f);
        assert_eq!(track.take().0, "");
        assert_eq!((track.shares().calls, f.calls.load(Relaxed)), (1, 1));
    }

    #[test]
    fn a_full_text_takes_no_more_and_counts() {
        let track = Track::new(2, "main".into(), Instant::now(), 1, Some(0));
        let f = Callee::new("f".repeat(1 << 20), false);
        for _ in 0..12 {
            track.call_ends(track.call_begins(), &f);
        }
        let (text, lost) = track.take();
        assert!(text.len() < MOST + (2 << 20) && lost > 0);
        assert_eq!(text.matches("\"ph\"").count() as u64 + lost, 12);
        track.call_ends(track.call_begins(), &f);
        assert_eq!(track.take().1, 0);
    }
}
