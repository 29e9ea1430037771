//! The end: the trace is closed, the last line printed, the figures handed over.
//!
//! It comes with the process's `exit`, whoever calls that, the program or C, or with a signal. What ends the
//! process otherwise (`abort`, `_exit`, SIGKILL) leaves a trace that is not closed.

use super::summary::{CalleeFigures, PauseFigures, Summary, ThreadFigures};
use super::writer::{Fields, Quoted};
use super::{Recorder, Shares, ledger};
use crate::config::HeapError;
use crate::heap::Heap;
use crate::sync::lock;
use crate::sys;
use crate::thread::quietly;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// How long the end waits for the collector thread to tell of the last collection.
const PATIENCE: Duration = Duration::from_secs(1);

extern "C" fn exiting() {
    if let Some(heap) = Heap::get() {
        quietly(|| heap.recorder.finish(heap));
    }
}

/// Has the end come with the process's.
pub(super) fn at_exit() -> Result<(), HeapError> {
    if sys::at_exit(exiting) {
        Ok(())
    } else {
        Err(HeapError::NoMemory("what is done at the end"))
    }
}

impl Recorder {
    /// Ends the recording; if it is being ended by somebody else, waits for that.
    pub(super) fn finish(&self, heap: &Heap) {
        // inv:recorder.fork
        if !self.is_live() {
            return;
        }
        let _ending = lock(&self.ending);
        if !self.is_live() {
            return;
        }
        self.await_last(heap);
        self.tick(heap);
        self.live.store(false, Relaxed);
        let summary = self.summary(heap);
        self.close(heap, &summary);
        if self.options.gc_log {
            sys::line(format_args!(
                "{}",
                lock(&self.ledger).last_line(summary.wall)
            ));
        }
        if let Some(tell) = self.options.at_end {
            tell(&summary);
        }
    }

    /// Waits until each collection that has ended is in the ledger. It takes no longer than a line takes to be
    /// written; bounded, for nobody must wait for ever at his end.
    fn await_last(&self, heap: &Heap) {
        let ended = heap.collections();
        let late = |ledger: &mut ledger::Ledger| ledger.collections() < ended;
        let ledger = lock(&self.ledger);
        // A poisoned lock is one that a collector thread has died with; there is no more to wait for.
        let _ = self.entered.wait_timeout_while(ledger, PATIENCE, late);
    }

    /// Writes the last samples and the sums, and closes the trace.
    fn close(&self, heap: &Heap, summary: &Summary) {
        let Some(mut stream) = lock(&self.stream).take() else {
            return;
        };
        if stream.takes() {
            stream.forget();
            stream.sample(heap, summary.wall);
            stream.write(summary.wall);
        }
        stream.metadata("bowline_summary", Fields(&sums(summary)));
        for ThreadFigures { name, shares } in &summary.threads {
            let numbers = Fields(&[
                ("scheme_ns", shares.own),
                ("c_ns", shares.c),
                ("waited_ns", shares.waited),
                ("calls", shares.calls),
                ("callbacks", shares.callbacks),
            ]);
            let args = format_args!(r#""name":"{}",{numbers}"#, Quoted(name));
            stream.metadata("bowline_thread", args);
        }
        for c in &summary.callees {
            let numbers = Fields(&[("calls", c.calls), ("total_ns", c.total), ("max_ns", c.max)]);
            let (name, callback) = (Quoted(&c.name), c.callback);
            let args = format_args!(r#""name":"{name}","callback":{callback},{numbers}"#);
            stream.metadata("bowline_function", args);
        }
        if let Err(error) = stream.close() {
            sys::say(format_args!("the trace is not whole: {error}"));
        }
    }

    /// All that is known now.
    fn summary(&self, heap: &Heap) -> Summary {
        let gc = heap.figures();
        let mut threads = {
            let tracks = lock(&self.tracks);
            let rest = tracks.leaving.iter().chain(&tracks.living);
            let rest = rest.map(|track| track.figures());
            tracks.ended.iter().cloned().chain(rest).collect::<Vec<_>>()
        };
        threads.retain(|thread| thread.shares != Shares::default());
        let gauges = lock(&self.gauges).clone();
        let (owners, held) = {
            let owners = lock(&heap.owners);
            (owners.count() as u64, owners.table(usize::MAX))
        };
        let ledger = lock(&self.ledger);
        let fresh = gc.heap_bytes.saturating_sub(ledger.left);
        let memory = &heap.pressure.memory;
        Summary {
            wall: self.now(),
            usage: sys::usage(),
            pauses: figures(&ledger.all),
            minor: figures(&ledger.minor),
            full: figures(&ledger.full),
            initial_mark: figures(&ledger.initial_mark),
            final_mark: figures(&ledger.final_mark),
            allocated: ledger.allocated + fresh,
            young: ledger.young,
            survived: ledger.survived,
            peak_heap: ledger.peak_heap.max(gc.heap_bytes),
            peak_client: memory.client_peak() as u64,
            peak_runtime: memory.runtime_peak() as u64,
            finalizers: self.finalizers.load(Relaxed),
            pins_made: heap.pins_made(),
            pins: heap.pins.count() as u64,
            owners,
            held,
            gauges: gauges
                .iter()
                .map(|(name, count)| (*name, count() as u64))
                .collect(),
            threads,
            callees: self.callees(),
            gc,
        }
    }

    /// The functions that were called, those that took longest first.
    fn callees(&self) -> Vec<CalleeFigures> {
        let callees = lock(&self.callees);
        let mut all: Vec<_> = callees
            .values()
            .map(|c| CalleeFigures {
                name: c.name.clone(),
                callback: c.callback,
                calls: c.calls.load(Relaxed),
                total: c.total.load(Relaxed),
                max: c.max.load(Relaxed),
            })
            .filter(|c| c.calls > 0)
            .collect();
        all.sort_by(|a, b| b.total.cmp(&a.total).then_with(|| a.name.cmp(&b.name)));
        all
    }
}

/// The sums that a trace ends with.
fn sums(s: &Summary) -> [(&'static str, u64); 26] {
    let (gc, pauses, usage) = (&s.gc, &s.pauses, &s.usage);
    [
        ("wall_ns", s.wall),
        ("collections", gc.collections),
        ("minor", gc.minor),
        ("major", gc.major),
        ("concurrent", gc.concurrent),
        ("fallbacks", gc.fallbacks),
        ("stalls", gc.stalls),
        ("stalled_ns", gc.stalled_ns),
        ("marking_ns", gc.marking_ns),
        ("in_foreign_calls", gc.in_foreign_calls),
        ("moved_objects", gc.moved_objects),
        ("moved_bytes", gc.moved_bytes),
        ("total_pause_ns", gc.total_pause_ns),
        ("max_pause_ns", gc.max_pause_ns),
        ("median_pause_ns", pauses.median),
        ("p99_pause_ns", pauses.p99),
        ("stop_ns", pauses.stop),
        ("allocated_bytes", s.allocated),
        ("peak_heap_bytes", s.peak_heap),
        ("peak_client_bytes", s.peak_client),
        ("peak_runtime_bytes", s.peak_runtime),
        ("peak_resident_bytes", usage.resident),
        ("user_ns", usage.user),
        ("system_ns", usage.system),
        ("finalizers", s.finalizers),
        ("pins_made", s.pins_made),
    ]
}

fn figures(pauses: &ledger::Pauses) -> PauseFigures {
    PauseFigures {
        count: pauses.count,
        total: pauses.total,
        max: pauses.max,
        median: pauses.spread.quantile(50),
        p99: pauses.spread.quantile(99),
        stop: pauses.stop,
    }
}
