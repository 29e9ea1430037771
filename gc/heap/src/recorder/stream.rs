//! What goes into the file of a trace besides what threads have left in their tracks: collections, notes, and
//! counters that are sampled.
//!
//! A counter is written when it has changed, so a program that rests writes nothing.

use super::writer::{Fields, Micros, Quoted, Writer, event};
use super::{COLLECTOR, Collected, Recorder, Tracing, Track};
use crate::config::HeapError;
use crate::cycle::Pause;
use crate::heap::Heap;
use crate::sync::lock;
use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io;

/// Gauges may count what is many: they are asked at each so manyth sample, and at the end.
const GAUGES: u32 = 16;

/// The file and what is known of it.
pub(super) struct Stream {
    writer: Writer,
    pub(super) pid: u32,
    /// The counters as they were written last.
    counters: HashMap<String, String>,
    /// What each track's figures were then.
    crossings: HashMap<u32, (u64, u64, u64)>,
    /// Events that are made and not written.
    text: String,
    /// Notes and events that had no room.
    lost: u64,
    samples: u32,
}

impl Stream {
    /// Opens the file.
    pub(super) fn open(tracing: &Tracing) -> Result<Self, HeapError> {
        let file = File::create(&tracing.path).map_err(|error| HeapError::Trace {
            path: tracing.path.display().to_string(),
            why: error.to_string(),
        })?;
        let pid = std::process::id();
        let name = Quoted(&tracing.name);
        let writer = Writer::new(
            file,
            tracing.limit,
            format_args!(
                r#"{{"ph":"M","name":"process_name","pid":{pid},"tid":0,"args":{{"name":"{name}"}}}}"#
            ),
        );
        let mut stream = Stream {
            writer,
            pid,
            counters: HashMap::new(),
            crossings: HashMap::new(),
            text: String::new(),
            lost: 0,
            samples: 0,
        };
        stream.metadata("thread_name", r#""name":"collector""#);
        Ok(stream)
    }

    /// Adds an event.
    pub(super) fn add(&mut self, args: fmt::Arguments<'_>) {
        event(&mut self.text, args);
    }

    /// Adds something that is known of the whole trace.
    pub(super) fn metadata(&mut self, name: &str, args: impl fmt::Display) {
        let pid = self.pid;
        self.add(format_args!(
            r#"{{"ph":"M","name":"{name}","pid":{pid},"tid":{COLLECTOR},"args":{{{args}}}}}"#
        ));
    }

    /// Adds events that are made.
    pub(super) fn add_made(&mut self, events: &str, lost: u64) {
        self.text.push_str(events);
        self.lost += lost;
    }

    /// Writes what was added.
    pub(super) fn write(&mut self, now: u64) {
        if self.lost > 0 {
            let (lost, pid) = (std::mem::take(&mut self.lost), self.pid);
            self.add(format_args!(
                r#"{{"ph":"i","s":"g","name":"{lost} events lost","pid":{pid},"tid":{COLLECTOR},"ts":{}}}"#,
                Micros(now)
            ));
        }
        let text = std::mem::take(&mut self.text);
        self.writer.append(&text, self.pid, now);
    }

    /// Whether events are still taken.
    pub(super) fn takes(&self) -> bool {
        self.writer.takes()
    }

    /// Closes the file; what was added last has its place in any case.
    pub(super) fn close(self) -> io::Result<()> {
        self.writer.close(&self.text)
    }

    fn slice(&mut self, name: &str, from: u64, to: u64, args: &str) {
        let pid = self.pid;
        self.add(format_args!(
            r#"{{"ph":"X","name":"{name}","cat":"gc","pid":{pid},"tid":{COLLECTOR},"ts":{},"dur":{},"args":{{{args}}}}}"#,
            Micros(from),
            Micros(to.saturating_sub(from)),
        ));
    }

    /// A collection: its slice, its phases, and the counters at both ends.
    pub(super) fn collected(&mut self, c: &Collected) {
        let numbers = Fields(&[
            ("number", c.number),
            ("heap_before", c.heap.before),
            ("heap_after", c.heap.after),
            ("c_before", c.outside.before),
            ("c_after", c.outside.after),
            ("moved_objects", c.moved_objects),
            ("moved_bytes", c.moved_bytes),
            ("pinned", c.pinned),
            ("threads", c.threads),
            ("pause_ns", c.pause),
            ("stop_ns", c.stop()),
        ]);
        let (kind, reason, in_call) = (c.kind(), c.reason.name(), c.in_foreign_call);
        let args =
            format!(r#""kind":"{kind}","reason":"{reason}","in_foreign_call":{in_call},{numbers}"#);
        if c.kind == Pause::End {
            let from = c.asked.saturating_sub(c.marking);
            self.slice("marking beside the program", from, c.asked, "");
        }
        let name = match c.kind {
            Pause::Minor => "minor collection",
            Pause::Full => "full collection",
            Pause::Begin => "initial mark",
            Pause::End => "final mark",
        };
        self.slice(name, c.asked, c.resumed, &args);
        self.slice("stopping", c.asked, c.stopped, "");
        self.slice("collecting", c.stopped, c.done, "");
        self.slice("resuming", c.done, c.resumed, "");
        self.counter("heap", c.asked, &[("bytes", c.heap.before)]);
        self.counter("heap", c.done, &[("bytes", c.heap.after)]);
        self.write(c.resumed);
    }

    /// A counter's values at a time, if they are new.
    fn counter(&mut self, name: &str, ts: u64, values: &[(&str, u64)]) {
        let args = Fields(values).to_string();
        if self.counters.get(name) == Some(&args) {
            return;
        }
        let pid = self.pid;
        self.add(format_args!(
            r#"{{"ph":"C","name":"{}","pid":{pid},"ts":{},"args":{{{args}}}}}"#,
            Quoted(name),
            Micros(ts)
        ));
        self.counters.insert(name.to_owned(), args);
    }

    /// The counters of the heap and of C's memory now.
    pub(super) fn sample(&mut self, heap: &Heap, now: u64) {
        let stats = heap.figures();
        self.counter("heap", now, &[("bytes", stats.heap_bytes)]);
        let classes = [
            ("client", stats.client_bytes),
            ("declared", stats.declared_bytes),
            ("runtime", stats.runtime_bytes),
        ];
        self.counter("C memory", now, &classes);
        // The heap's locks that inv:recorder.locks allows.
        self.counter("pins", now, &[("objects", heap.pins.count() as u64)]);
        self.counter(
            "owners",
            now,
            &[("objects", lock(&heap.owners).count() as u64)],
        );
        self.samples += 1;
        if !self.samples.is_multiple_of(GAUGES) {
            return;
        }
        let gauges = lock(&heap.recorder.gauges).clone();
        for (name, count) in gauges {
            self.counter(name, now, &[("count", count() as u64)]);
        }
    }

    /// What a thread has crossed since the last time, the short crossings too.
    pub(super) fn crossings(&mut self, track: &Track, now: u64) {
        let shares = track.shares();
        let sums = (shares.calls, shares.callbacks, shares.c);
        let last = self
            .crossings
            .insert(track.number, sums)
            .unwrap_or_default();
        let values = [
            ("calls", sums.0 - last.0),
            ("callbacks", sums.1 - last.1),
            ("microseconds in C", sums.2.saturating_sub(last.2) / 1000),
        ];
        self.counter(&format!("crossings of {}", track.name), now, &values);
    }

    /// Has the next sample write every counter.
    pub(super) fn forget(&mut self) {
        self.counters.clear();
        self.samples = GAUGES - 1;
    }
}

impl Recorder {
    /// Takes away what was left for the trace, and samples, unless a collection is running.
    pub(super) fn tick(&self, heap: &Heap) {
        if !self.is_tracing() {
            return;
        }
        let (tracks, made) = {
            let mut tracks = lock(&self.tracks);
            let leaving = std::mem::take(&mut tracks.leaving);
            tracks
                .ended
                .extend(leaving.iter().map(|track| track.figures()));
            let all = [leaving, tracks.living.clone()].concat();
            (all, std::mem::take(&mut tracks.text))
        };
        let left: Vec<_> = tracks.iter().map(|track| track.take()).collect();
        let mut stream = lock(&self.stream);
        let Some(stream) = stream.as_mut().filter(|stream| stream.takes()) else {
            return;
        };
        let now = self.now();
        stream.add_made(&made, 0);
        for (events, lost) in left {
            stream.add_made(&events, lost);
        }
        let pid = stream.pid;
        let lost = self.notes.read(|note, ns| {
            stream.add(format_args!(
                r#"{{"ph":"i","s":"p","name":"{}","pid":{pid},"tid":{COLLECTOR},"ts":{}}}"#,
                note.name(),
                Micros(ns)
            ));
        });
        stream.add_made("", lost);
        for track in &tracks {
            stream.crossings(track, now);
        }
        if !heap.world.is_still() {
            stream.sample(heap, now);
        }
        stream.write(now);
    }
}
