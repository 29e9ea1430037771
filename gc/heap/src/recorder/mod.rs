//! What the heap does, told to people: a line for each collection, figures at the end, a trace.
//!
//! ```text
//!   a thread's crossings ──▶ its Track ────────────┐ every TICK, and at the end
//!   C's malloc, a signal ──▶ Notes ────────────────┼───────▶ Stream ──▶ the trace's file
//!   a collection ──▶ Collected ──▶ Ledger ─────────┘
//!                                    └──▶ the line on standard error
//! ```
//!
//! Off, it costs a branch for each crossing and a few stores for each collection.
//!
//! `inv:recorder.late` Nothing is written, locked or turned into text while the world is stopped, nor inside
//! C's `malloc`: facts are put aside as words. A collector thread tells of a collection when it has let the
//! world go on, and before it can begin another.
//!
//! `inv:recorder.locks` Whoever holds a lock of the recorder's waits for nothing but the file, standard error,
//! the heap's locks of pins and owners, and another lock of the recorder's, in this order: `ending`, `tracks`, a
//! track's, `stream`, `ledger`, the others. None is wanted by a thread that holds a lock of the heap's.
//!
//! `inv:recorder.fork` In a forked child the recorder is dead: it writes nothing, not even at the end, and
//! takes no lock, for a thread of the parent's may have held it. `live` is asked before every lock.
//!
//! Reading order: `collected`, `histogram` and `ledger` (collections), `track` and `notes` (the rest),
//! `writer` and `stream` (the file), `sampler` (the thread that writes it), `summary` and `end`.
//!
//! Absent on purpose: how figures look. Whoever started the heap is given a [`Summary`].

mod collected;
mod end;
mod histogram;
mod ledger;
mod notes;
mod sampler;
mod stream;
mod summary;
mod track;
mod writer;

pub use collected::Reason;
pub(crate) use collected::{Change, Collected};
pub(crate) use notes::Note;
pub use summary::{CalleeFigures, PauseFigures, Summary, ThreadFigures, Usage};
pub(crate) use track::Track;
pub use track::{Callee, Shares};

use crate::config::HeapError;
use crate::heap::Heap;
use crate::sync::lock;
use crate::sys;
use crate::thread::quietly;
use ledger::Ledger;
use notes::Notes;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;
use stream::Stream;
use writer::{Quoted, event};

/// The track of collections in a trace; threads have the numbers after it.
const COLLECTOR: u32 = 1;

/// What is to be told.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    /// A line on standard error for each collection, and one at the end.
    pub gc_log: bool,
    /// A trace.
    pub trace: Option<Tracing>,
    /// What is done with the figures at the end.
    pub at_end: Option<fn(&Summary)>,
    /// Whether a signal that ends the process (SIGINT, SIGTERM, SIGHUP) is an end too, unless somebody handles it.
    pub signals: bool,
}

/// A trace that is to be written.
#[derive(Clone, Debug)]
pub struct Tracing {
    /// The file; what it held is lost.
    pub path: PathBuf,
    /// What the process is called in it.
    pub name: String,
    /// Crossings of fewer nanoseconds are only counted.
    pub least: u64,
    /// The most bytes of the file.
    pub limit: u64,
}

impl Recording {
    /// Whether crossings are timed.
    fn times(&self) -> bool {
        self.trace.is_some() || self.at_end.is_some()
    }

    fn is_on(&self) -> bool {
        self.gc_log || self.times()
    }
}

/// The tracks of the threads.
#[derive(Default)]
struct Tracks {
    living: Vec<Arc<Track>>,
    /// Of threads that have ended; a trace has not been told the last of them.
    leaving: Vec<Arc<Track>>,
    ended: Vec<ThreadFigures>,
    /// How many were made.
    made: u32,
    /// The names of threads that began, as events.
    text: String,
}

/// What somebody else counts, and its name.
type Gauge = (&'static str, fn() -> usize);

/// The recorder of the process.
pub(crate) struct Recorder {
    begun: Instant,
    options: Recording,
    /// It is on, and neither has ended nor is in a forked child (`inv:recorder.fork`).
    live: AtomicBool,
    /// Why the next collection is wanted.
    reason: AtomicU8,
    notes: Notes,
    ending: Mutex<()>,
    tracks: Mutex<Tracks>,
    stream: Mutex<Option<Stream>>,
    ledger: Mutex<Ledger>,
    /// A collection was entered in the ledger.
    entered: Condvar,
    callees: Mutex<HashMap<(String, bool), &'static Callee>>,
    gauges: Mutex<Vec<Gauge>>,
    finalizers: AtomicU64,
    /// Where the recorder's thread is told of a signal.
    bell: AtomicI32,
}

impl Recorder {
    /// A recorder; its file is open.
    pub(crate) fn new(options: &Recording) -> Result<Self, HeapError> {
        let begun = Instant::now();
        let stream = options.trace.as_ref().map(Stream::open).transpose()?;
        Ok(Recorder {
            begun,
            live: AtomicBool::new(options.is_on()),
            options: options.clone(),
            reason: AtomicU8::new(0),
            notes: Notes::new(),
            ending: Mutex::default(),
            tracks: Mutex::default(),
            stream: Mutex::new(stream),
            ledger: Mutex::default(),
            entered: Condvar::new(),
            callees: Mutex::default(),
            gauges: Mutex::default(),
            finalizers: AtomicU64::new(0),
            bell: AtomicI32::new(-1),
        })
    }

    /// Begins, now that there is a heap.
    pub(crate) fn watch(&self, heap: &'static Heap) -> Result<(), HeapError> {
        if !self.options.is_on() {
            return Ok(());
        }
        end::at_exit()?;
        if self.options.trace.is_some() || self.options.signals {
            let started = sampler::start(heap);
            started.map_err(|_| HeapError::NoMemory("the thread that writes the trace"))?;
        }
        Ok(())
    }

    /// This process is a forked child (`inv:recorder.fork`).
    pub(crate) fn forked(&self) {
        self.live.store(false, Relaxed);
    }

    pub(crate) fn is_live(&self) -> bool {
        self.live.load(Relaxed)
    }

    fn is_tracing(&self) -> bool {
        self.options.trace.is_some() && self.is_live()
    }

    /// Nanoseconds since the start.
    pub(crate) fn at(&self, time: Instant) -> u64 {
        time.saturating_duration_since(self.begun).as_nanos() as u64
    }

    /// Nanoseconds since the start until now.
    pub(crate) fn now(&self) -> u64 {
        self.at(Instant::now())
    }

    // What happens anywhere.

    /// A collection is about to be asked for, because of this.
    pub(crate) fn because(&self, reason: Reason) {
        let unknown = Reason::Unknown as u8;
        // Another reason came first: it stays.
        let _ = self
            .reason
            .compare_exchange(unknown, reason as u8, Relaxed, Relaxed);
    }

    /// Why the collection that begins was asked for.
    pub(crate) fn take_reason(&self) -> Reason {
        Reason::from_number(self.reason.swap(Reason::Unknown as u8, Relaxed))
    }

    /// This happens now.
    #[cold]
    pub(crate) fn note(&self, note: Note) {
        if self.is_tracing() {
            self.notes.add(note, self.now());
        }
    }

    /// A finalizer is about to be run.
    pub(crate) fn finalizer_taken(&self) {
        self.finalizers.fetch_add(1, Relaxed);
    }

    // Collections.

    /// The world goes on after this collection (`inv:recorder.late`).
    pub(crate) fn collected(&self, c: &Collected) {
        if !self.is_live() {
            return;
        }
        if self.options.gc_log {
            sys::line(format_args!("{c}"));
        }
        if let Some(stream) = lock(&self.stream).as_mut() {
            stream.collected(c);
        }
        lock(&self.ledger).add(c);
        self.entered.notify_all();
    }

    // Threads.

    /// The track of a thread that is being attached: the calling one.
    pub(crate) fn attach(&self) -> Option<Arc<Track>> {
        if !self.options.times() || !self.is_live() {
            return None;
        }
        let mut tracks = lock(&self.tracks);
        tracks.made += 1;
        let number = COLLECTOR + tracks.made;
        let name = match std::thread::current().name() {
            _ if tracks.made == 1 => "main".to_owned(),
            Some(name) => name.to_owned(),
            None => format!("thread {}", tracks.made),
        };
        let (pid, least) = (
            std::process::id(),
            self.options.trace.as_ref().map(|t| t.least),
        );
        event(
            &mut tracks.text,
            format_args!(
                r#"{{"ph":"M","name":"thread_name","pid":{pid},"tid":{number},"args":{{"name":"{}"}}}}"#,
                Quoted(&name)
            ),
        );
        let track = Arc::new(Track::new(number, name, self.begun, pid, least));
        tracks.living.push(Arc::clone(&track));
        Some(track)
    }

    /// The thread of this track has been detached.
    pub(crate) fn detach(&self, track: &Arc<Track>) {
        if !self.is_live() {
            return;
        }
        track.end();
        let mut tracks = lock(&self.tracks);
        tracks.living.retain(|living| !Arc::ptr_eq(living, track));
        tracks.leaving.push(Arc::clone(track));
    }

    /// The figures of the foreign function of this name, or of its callbacks, if they are kept.
    fn callee(&self, name: &str, callback: bool) -> Option<&'static Callee> {
        if !self.options.times() || !self.is_live() {
            return None;
        }
        let mut callees = lock(&self.callees);
        let key = (name.to_owned(), callback);
        let new = || &*Box::leak(Box::new(Callee::new(name.to_owned(), callback)));
        Some(callees.entry(key).or_insert_with(new))
    }
}

impl Heap {
    /// Where the calls of the foreign function `name` are counted, or its callbacks; nothing if nobody wants
    /// to know. Kept for ever.
    pub fn callee(&self, name: &str, callback: bool) -> Option<&'static Callee> {
        quietly(|| self.recorder.callee(name, callback))
    }

    /// From now on traces and figures tell what `count` counts. Any thread may call it at any time.
    pub fn add_gauge(&self, name: &'static str, count: fn() -> usize) {
        if self.recorder.is_live() {
            quietly(|| lock(&self.recorder.gauges).push((name, count)));
        }
    }
}
