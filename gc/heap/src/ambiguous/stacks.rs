//! Reading the foreign part of the threads' stacks.
//!
//! ```text
//!   collector                        thread
//!   Asked, signal ────────────────▶ handler: notes its stack pointer
//!   reads the stack  ◀──────────── Here
//!   Idle ─────────────────────────▶ goes on
//! ```
//!
//! A thread may have several blocks in foreign calls: code that it calls attaches once more. They are all Asked
//! before any signal is sent, the handler says Here for all before it waits, and goes on when all are Idle: so it
//! does not matter in which order they are read.

use super::os;
use crate::access;
use crate::alloc::MAX_SMALL;
use crate::binding::in_heap;
use crate::config::HeapError;
use crate::futex::Futex;
use crate::heap::Heap;
use crate::sys::{self, Access};
use crate::thread::{ThreadBlock, blocks_here};
use bowline_layout::{Addr, Header, Tag, Value, WORD};
use mmtk::memory_manager::find_object_from_internal_pointer;
use mmtk::util::metadata::vo_bit::vo_bit_side_metadata_addr;
use mmtk::util::{Address, ObjectReference};
use std::cell::{Cell, UnsafeCell};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const IDLE: u32 = 0;
const ASKED: u32 = 1;
const HERE: u32 = 2;

/// How long a thread may leave the signal lie: C that blocks it for longer ends the process, which would
/// otherwise wait for ever.
const PATIENCE: Duration = Duration::from_secs(10);
const PAGE: usize = 4096;

/// What is known of a thread's foreign stack.
pub(crate) struct ForeignStack {
    thread: libc::pthread_t,
    /// The stack that the thread was born with.
    bounds: Range<usize>,
    step: Futex,
    sp: AtomicUsize,
    /// Where its words end among those of all threads, while a scan is under way.
    words_end: Cell<usize>,
    /// The objects that the last scan has found, until the collection ends.
    found: UnsafeCell<Vec<Value>>,
}

impl ForeignStack {
    /// That of the calling thread.
    pub(crate) fn here() -> Self {
        // SAFETY: takes nothing.
        let thread = unsafe { libc::pthread_self() };
        ForeignStack {
            thread,
            bounds: os::stack_bounds(),
            step: Futex::new(IDLE),
            sp: AtomicUsize::new(0),
            words_end: Cell::new(0),
            found: UnsafeCell::default(),
        }
    }

    /// Calls `f` with each object that the foreign stack pins in this collection.
    pub(crate) fn each(&self, f: &mut dyn FnMut(Value)) {
        // SAFETY: written by the collector alone, which gathers before anybody asks and forgets before the
        // world goes on.
        let found = unsafe { &*self.found.get() };
        found.iter().for_each(|v| f(*v));
    }

    fn replace(&self, found: Vec<Value>) {
        // SAFETY: as for `each`.
        *unsafe { &mut *self.found.get() } = found;
    }

    fn step(&self) -> u32 {
        self.step.word().load(Ordering::SeqCst)
    }

    fn set_step(&self, step: u32) {
        self.step.word().store(step, Ordering::SeqCst);
        self.step.wake();
    }

    /// Has the thread go into its handler.
    fn interrupt(&self) {
        // SAFETY: the thread is attached, so it lives.
        let sent = unsafe { libc::pthread_kill(self.thread, signal()) };
        if sent != 0 {
            sys::die(format_args!(
                "a thread in foreign code cannot be interrupted"
            ));
        }
    }

    /// The stack pointer of the thread that was asked and waits in its handler now.
    fn held(&self) -> usize {
        let asked = Instant::now();
        while self.step() == ASKED {
            if asked.elapsed() > PATIENCE {
                sys::die(format_args!(
                    "a thread in foreign code blocks signal {}, so its stack cannot be scanned",
                    signal()
                ));
            }
            self.step.wait(ASKED, Some(Duration::from_millis(100)));
        }
        self.sp.load(Ordering::SeqCst)
    }

    /// Says that the thread is in its handler, if it was asked.
    fn answer(&self, sp: usize) {
        if self.step() == ASKED {
            self.sp.store(sp, Ordering::SeqCst);
            self.set_step(HERE);
        }
    }

    fn wait_while_read(&self) {
        while self.step() == HERE {
            self.step.wait(HERE, None);
        }
    }

    /// Adds what stands in `[sp, end)` of the thread, which waits in its handler (`inv:ambiguous.range`).
    fn read(&self, sp: usize, end: usize, words: &mut Words) {
        if !self.bounds.contains(&sp) || sp >= end {
            return words.below(end);
        }
        let start = Addr::new(sp.next_multiple_of(WORD));
        let count = (end - start.raw()) / WORD;
        // SAFETY: the thread's own stack above its stack pointer, and it stands still.
        (0..count).for_each(|i| words.add(unsafe { access::read(start.word(i)) }));
    }
}

/// Words that lead into the heap. They are kept in mappings, for `inv:ambiguous.still` forbids `malloc`.
#[derive(Default)]
struct Words {
    at: Option<Addr>,
    len: usize,
    room: usize,
}

impl Words {
    fn add(&mut self, word: u64) {
        if !in_heap(Addr::new(untagged(word))) {
            return;
        }
        if self.len == self.room {
            self.grow();
        }
        if let Some(at) = self.at {
            // SAFETY: below `room`, in a mapping of ours.
            unsafe { access::write(at.word(self.len), word) };
            self.len += 1;
        }
    }

    fn grow(&mut self) {
        let room = (2 * self.room).max(PAGE / WORD);
        let Some(larger) = sys::map(room * WORD, Access::ReadWrite) else {
            sys::die(format_args!(
                "the system refused memory for ambiguous words"
            ));
        };
        if let Some(at) = self.at {
            let (from, to) = (access::pointer(at), access::pointer(larger));
            // SAFETY: both are mappings of ours, and the second is the larger one.
            unsafe { std::ptr::copy_nonoverlapping(from, to, self.len) };
            sys::unmap(at, self.room * WORD);
        }
        (self.at, self.room) = (Some(larger), room);
    }

    /// Adds all words below `end` as far as there are any: where the stack pointer is, is not known.
    fn below(&mut self, end: usize) {
        let mut page = [0u64; PAGE / WORD];
        let mut top = end & !(WORD - 1);
        while let Some(bottom) = (top - 1).checked_sub((top - 1) % PAGE) {
            let words = &mut page[..(top - bottom) / WORD];
            if !os::read_own_memory(bottom, words) {
                return;
            }
            words.iter().for_each(|word| self.add(*word));
            top = bottom;
        }
    }

    fn each(&self, range: Range<usize>) -> impl Iterator<Item = u64> {
        let at = self.at.unwrap_or(Addr::new(0));
        // SAFETY: below `len`, in a mapping of ours.
        range.map(move |i| unsafe { access::read(at.word(i)) })
    }
}

impl Drop for Words {
    fn drop(&mut self) {
        if let Some(at) = self.at {
            sys::unmap(at, self.room * WORD);
        }
    }
}

fn untagged(word: u64) -> usize {
    word as usize & !(WORD - 1)
}

/// The object that `word` leads into.
fn object(word: u64) -> Option<Value> {
    let at = Address::ZERO + untagged(word);
    // The first search ends after the largest object that shares a block with others; it is the usual one.
    let object: ObjectReference = find_object_from_internal_pointer(at, MAX_SMALL)
        .or_else(|| find_object_from_internal_pointer(at, crate::heap::heap().limit))?;
    let at = Addr::new(object.to_raw_address().as_usize());
    // SAFETY: an object starts there.
    let header = Header::from_bits(unsafe { access::read(at) });
    let tag = header.map_or(Tag::Pair, |_| Tag::Object);
    Some(Value::pointer(at, tag))
}

/// The signal that interrupts threads in foreign code.
fn signal() -> libc::c_int {
    libc::SIGRTMAX() - 3
}

extern "C" fn interrupted(_signal: libc::c_int) {
    os::keeping_errno(|| {
        let here = 0u64;
        let sp = (&raw const here).addr();
        let stacks = || blocks_here().map(|block| &block.foreign);
        stacks().for_each(|stack| stack.answer(sp));
        stacks().for_each(ForeignStack::wait_while_read);
    });
}

/// Prepares the process for it.
pub(crate) fn watch(heap: &Heap) -> Result<(), HeapError> {
    if !heap.config.ambiguous || os::handle(signal(), interrupted) {
        return Ok(());
    }
    Err(HeapError::NoMemory("a signal handler"))
}

/// Scans the foreign part of the stacks; the world is stopped.
pub(crate) fn gather(heap: &Heap, threads: &[&'static ThreadBlock]) {
    if !heap.config.ambiguous {
        return;
    }
    let foreign = || {
        let calls = threads.iter().map(|b| (&b.foreign, b.oldest_call()));
        calls.filter_map(|(stack, end)| Some((stack, end?)))
    };
    let mut words = Words::default();
    foreign().for_each(|(stack, _)| stack.set_step(ASKED));
    foreign().for_each(|(stack, _)| stack.interrupt());
    for (stack, end) in foreign() {
        let sp = stack.held();
        stack.read(sp, end, &mut words);
        stack.words_end.set(words.len);
        stack.set_step(IDLE);
    }
    let mut start = 0;
    for (stack, _) in foreign() {
        let end = stack.words_end.get();
        stack.replace(words.each(start..end).filter_map(object).collect());
        start = end;
    }
}

/// Forgets what was found, before the world goes on.
pub(crate) fn forget(heap: &Heap) {
    if heap.config.ambiguous {
        let threads = heap.world.mutators();
        threads.iter().for_each(|b| b.foreign.replace(Vec::new()));
    }
}

/// Where objects start: a bit for each word of heap.
#[derive(Clone, Copy)]
pub(crate) struct Starts(usize);

impl Starts {
    pub(crate) fn new() -> Self {
        Starts(vo_bit_side_metadata_addr().as_usize())
    }

    /// Notes that an object starts at `at`, in memory that this thread bumps through.
    #[inline(always)]
    pub(crate) fn note(self, at: Addr) {
        let bits = std::ptr::with_exposed_provenance_mut::<u8>(self.0 + (at.raw() >> 6));
        // SAFETY: MMTk maps the bits of all that it gives. A byte of them covers less than a line, and the
        // lines are this thread's own.
        let byte = unsafe { &mut *bits };
        *byte |= 1 << (at.raw() >> 3 & 7);
    }
}
