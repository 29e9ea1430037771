//! Collections, from the stop of the world that begins one to the one that ends it.
//!
//! ```text
//!   minor, full:  ── stop ── collect ── go on ──▶
//!   latency:      ── stop ── Begin ── go on ──▶ marking beside the program ── stop ── End ── go on ──▶
//! ```
//!
//! A full collection has one pause. Under the plan `latency` it may have two, with *marking* between
//! them: *Begin*, the initial mark, notes the roots; *End*, the final mark, finishes the marking, deals
//! with weak things and frees what was not reached. What was unreachable at Begin is free after End;
//! what the program has dropped meanwhile is so after the next one. Nothing moves. When memory does not
//! last until End there is a full collection with one pause, a *fall-back*: that one may move
//! objects.
//!
//! `inv:cycle.still` Whether marking runs changes only while the world is stopped. So a thread that is
//! Managed, or holds the world's lock while it goes, can rely on what it finds; and marking goes on
//! until the next pause, which is End.
//!
//! `inv:cycle.anchor` One root always refers to an object of the collected heap. MMTk marks what the roots
//! refer to, and takes note of the program's stores, in a bucket of work that it opens only if there is
//! something in it when Begin ends.
//!
//! Absent on purpose: moving objects beside the program.

use crate::ambiguous;
use crate::binding;
use crate::config::HeapError;
use crate::heap::{Heap, engine, is_minor, used_bytes};
use crate::mutator::Mutator;
use crate::pins::AddrMap;
use crate::recorder::{Change, Collected, Reason};
use crate::roots::Global;
use crate::stats::Started;
use crate::sync::lock;
use crate::thread::ThreadBlock;
use crate::verify::{self, When};
use crate::zeal;
use bowline_layout::Value;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock};
use std::time::Instant;

/// What a stop of the world is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Pause {
    /// A minor collection.
    #[default]
    Minor,
    /// A full collection.
    Full,
    /// The initial mark: a collection begins.
    Begin,
    /// The final mark: it ends.
    End,
}

impl Pause {
    /// The one that MMTk has planned: the world has stopped for it.
    fn planned() -> Pause {
        let plan = engine().mmtk.get_plan();
        // The type of these numbers has no public name.
        match plan
            .concurrent()
            .and_then(|p| p.current_pause())
            .map(|p| p as u8)
        {
            Some(2) => Pause::Begin,
            Some(3) => Pause::End,
            _ if is_minor() => Pause::Minor,
            _ => Pause::Full,
        }
    }
}

/// What is kept of a collection from Begin to End.
pub(crate) struct Begun {
    reason: Reason,
    in_foreign_call: bool,
    resumed: Instant,
}

/// The collection under way.
#[derive(Default)]
pub(crate) struct Cycle {
    /// Collector threads mark while the program runs (`inv:cycle.still`).
    marking: AtomicBool,
    /// The next poll begins a collection.
    pub(crate) wanted: AtomicBool,
    /// A thread that allocates waits for End, for it must not have more before.
    pub(crate) stalled: AtomicBool,
    started: Mutex<Option<Started>>,
    begun: Mutex<Option<Begun>>,
    begins: AtomicU64,
    /// What the workers had counted when marking began.
    counted: AtomicU64,
    /// `inv:cycle.anchor`
    anchor: OnceLock<Global>,
}

impl Heap {
    /// Whether collector threads are marking while the program runs, as they do under the plan `latency`.
    #[inline(always)]
    pub fn is_marking(&self) -> bool {
        self.cycle.marking.load(Relaxed)
    }

    /// Everything that was reachable at Begin has been marked; the world is stopped for End.
    pub(crate) fn marking_is_over(&self) {
        self.cycle.marking.store(false, Relaxed);
    }

    /// The bytes of the objects that this marking has found alive. What was made meanwhile is not among them.
    pub(crate) fn marked(&self) -> usize {
        (self.workers.marked() - self.cycle.counted.load(Relaxed)) as usize
    }

    /// How many collections have begun with a pause of their own.
    pub(crate) fn begins(&self) -> u64 {
        self.cycle.begins.load(Relaxed)
    }

    /// Notes a pause that starts; the world is stopped.
    pub(crate) fn pause_starts(&self, asked: Instant, threads: &[&'static ThreadBlock]) {
        let (stopped, pause) = (Instant::now(), Pause::planned());
        ambiguous::gather(self, threads);
        self.pins.settle();
        if pause != Pause::End {
            self.counters.starts();
        }
        self.surplus.begin();
        let mut pinned: AddrMap<()> = AddrMap::default();
        let mut add = |v: Value| {
            if binding::reference(v).is_some() {
                pinned.insert(v.addr(), ());
            }
        };
        threads.iter().for_each(|b| b.each_pinned(&mut add));
        self.pins.each(&mut add);
        *lock(&self.cycle.started) = Some(Started {
            pause,
            asked,
            stopped,
            in_foreign_call: threads.iter().any(|b| b.in_call()),
            pinned: pinned.len() as u64,
            threads: threads.len() as u64,
            reason: self.recorder.take_reason(),
            heap_bytes: used_bytes(),
            outside: self.pressure.outside() as u64,
        });
        if self.config.verifies() {
            verify::walk(self, threads, When::Before);
        }
    }

    /// The pause under way.
    pub(crate) fn pause(&self) -> Pause {
        lock(&self.cycle.started)
            .as_ref()
            .map_or(Pause::Full, |s| s.pause)
    }

    /// Notes a pause that ends; the world is still stopped. Returns what it was.
    pub(crate) fn pause_ends(&self) -> Option<Collected> {
        let started = lock(&self.cycle.started).take()?;
        if started.pause == Pause::Begin {
            return Some(self.begin_ends(started));
        }
        let begun = lock(&self.cycle.begun).take();
        self.cycle.stalled.store(false, Relaxed);
        let moved = self.workers.moved();
        let in_call = begun.as_ref().is_some_and(|b| b.in_foreign_call);
        let ended = self.counters.ended(&started, in_call, moved);
        if self.config.verifies() {
            self.check(started.pause, ended.moved_objects);
        }
        ambiguous::forget(self);
        let mut collected = Collected {
            number: self.collections(),
            moved_objects: ended.moved_objects,
            moved_bytes: ended.moved_bytes,
            ..self.told(&started, ended.pause)
        };
        if let Some(begun) = begun {
            collected.reason = begun.reason;
            collected.in_foreign_call |= in_call;
            collected.marking = self.counters.marked(started.asked - begun.resumed);
        }
        let asked = matches!(started.reason, Reason::Asked | Reason::Zeal);
        if self.config.marks_beside() && started.pause == Pause::Full && !asked {
            self.counters.fell_back();
        }
        self.pressure.count_collection();
        // Somebody who goes on now gives the dead owners' memory back; see `owners`.
        if self.pressure.nobody_waits() && !self.world.anyone_stopped() {
            self.give_back();
        }
        Some(collected)
    }

    /// Notes the end of Begin: from now on there is marking.
    fn begin_ends(&self, started: Started) -> Collected {
        if self.config.verifies() {
            verify::walk(self, &self.world.mutators(), When::Between);
        }
        ambiguous::forget(self);
        self.pressure.marking_begins();
        self.cycle.counted.store(self.workers.marked(), Relaxed);
        self.cycle.wanted.store(false, Relaxed);
        self.cycle.begins.fetch_add(1, Relaxed);
        let pause = self.counters.paused(&started);
        let collected = Collected {
            number: self.collections() + 1,
            ..self.told(&started, pause)
        };
        *lock(&self.cycle.begun) = Some(Begun {
            reason: started.reason,
            in_foreign_call: started.in_foreign_call,
            resumed: Instant::now(),
        });
        self.cycle.marking.store(true, Relaxed);
        collected
    }

    /// What is told of any pause.
    fn told(&self, started: &Started, pause: u64) -> Collected {
        Collected {
            kind: started.pause,
            reason: started.reason,
            asked: self.recorder.at(started.asked),
            stopped: self.recorder.at(started.stopped),
            done: self.recorder.now(),
            pause,
            heap: Change {
                before: started.heap_bytes,
                after: used_bytes(),
            },
            outside: Change {
                before: started.outside,
                after: self.pressure.outside() as u64,
            },
            pinned: started.pinned,
            threads: started.threads,
            in_foreign_call: started.in_foreign_call,
            ..Collected::default()
        }
    }

    /// Walks the heap after a collection that has moved `moved` objects.
    fn check(&self, pause: Pause, moved: u64) {
        let threads = self.world.mutators();
        let census = verify::walk(self, &threads, When::After);
        if self.config.moves_everything() && pause == Pause::Full {
            zeal::check_moved(moved, &census);
        }
        self.settle_log(&threads, &census);
    }
}

// What a thread that is Managed asks.

impl Mutator {
    /// Makes `inv:cycle.anchor` true. What is referred to is promoted, so that a freeze leaves it where it is.
    pub(crate) fn anchor(&mut self) -> Result<(), HeapError> {
        let heap = self.heap();
        if !heap.config.marks_beside() {
            return Ok(());
        }
        let anchor = heap
            .cycle
            .anchor
            .get_or_init(|| heap.new_global(Value::NIL));
        if binding::reference(heap.global(anchor)).is_some() {
            return Ok(());
        }
        let none = HeapError::NoMemory("the collector's own object");
        let pair = self.alloc_pair(Value::NIL, Value::NIL);
        let pair = pair.map_err(|_| none.clone())?;
        heap.pins.keep_in_place(pair).map_err(|_| none)?;
        heap.set_global(anchor, pair);
        Ok(())
    }

    /// Asks for a collection where they are marked beside the program. A full one stops the world until it
    /// is done, and waits; of another the next pause is waited for.
    pub(crate) fn request_beside(&mut self, full: bool, reason: Reason) {
        if full {
            let whole = self.heap().whole();
            while self.heap().whole() == whole {
                // The pause before had its own.
                self.heap().recorder.because(reason);
                self.ask_for_pause(true);
            }
        } else if self.heap().is_marking() {
            self.ask_for_pause(false);
        } else {
            self.begin_marking();
        }
    }

    /// Waits for the end of the collection under way, if there is one.
    pub(crate) fn finish_marking(&mut self) {
        // inv:cycle.still
        while self.heap().is_marking() {
            self.ask_for_pause(false);
        }
    }

    /// Does a collection that begins now, to its end.
    pub(crate) fn collect_beside(&mut self) {
        self.finish_marking();
        self.begin_marking();
        self.finish_marking();
    }

    /// Waits until marking has begun, or a collection was done at one stop.
    fn begin_marking(&mut self) {
        let heap = self.heap();
        let since = |heap: &Heap| heap.begins() + heap.whole();
        let before = since(heap);
        while since(heap) == before {
            heap.cycle.wanted.store(true, Relaxed);
            mmtk::memory_manager::gc_poll(engine().mmtk, self.tls());
        }
    }

    /// Waits for a pause: End while there is marking, and a full collection otherwise.
    fn ask_for_pause(&mut self, exhaustive: bool) {
        let mmtk = engine().mmtk;
        mmtk.handle_user_collection_request(self.tls(), true, exhaustive);
    }
}
