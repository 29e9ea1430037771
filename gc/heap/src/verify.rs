//! The verifier: a walk over the whole heap from all roots.
//!
//! It runs while the world is stopped, before a collection (which could not survive a bad reference long enough to
//! name it) and after. Each reference must be plausible: into a space of the heap or the boot heap, not to memory
//! that zeal has overwritten, a pair where the tag says pair and a header where it says object, a size that fits
//! its space; and after a collection the object must be live and not be one that has moved away. Before a minor
//! collection each reference from an old object to a young one must have been remembered, with its object or its
//! chunk. A violation is said with the place of the reference, and the process ends.
//!
//! Absent on purpose: speed. The walk keeps a table of every object.

use crate::access;
use crate::alloc::MAX_SMALL;
use crate::binding::{each_reference, in_heap, is_old, is_unlogged, is_weak, object_at};
use crate::heap::{Heap, is_minor};
use crate::pins::{AddrMap, is_promoted};
use crate::sys;
use crate::thread::ThreadBlock;
use bowline_layout::{Addr, Header, Shape, Tag, Value, WORD, object_bytes};
use std::collections::hash_map::Entry;
use std::fmt;
use std::hash::BuildHasherDefault;

/// What zeal writes over dead objects and old places.
pub(crate) const POISON: u64 = 0xfdfd_fdfd_fdfd_fdfd;
/// MMTk's unit of space; no object that may move crosses one.
const BLOCK: usize = 32 << 10;

/// What is wrong when no barrier told of a store.
const OLD: &str = "an old object refers to a young one, which nobody has noted";

/// What is wrong when a minor collection would not see a root.
const STACK: &str = "a word that was not changed refers to a young object";

/// When the walk runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Before,
    /// Between its two pauses: nobody knows yet what lives.
    Between,
    After,
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            When::Before => "before a collection",
            When::Between => "while a collection begins",
            When::After => "after a collection",
        })
    }
}

/// Every live object of MMTk's, by address, with its size.
pub(crate) struct Census {
    pub(crate) objects: AddrMap<usize>,
    /// How many of them are where objects never move.
    pub(crate) large: u64,
    /// How many others a root pins.
    pub(crate) pinned: u64,
}

struct Walk<'a> {
    heap: &'a Heap,
    when: When,
    /// Before a minor collection.
    ages: bool,
    census: Census,
    todo: Vec<Addr>,
}

/// Where a reference stands.
#[derive(Clone, Copy)]
enum Place {
    Stack(usize),
    CallFrame,
    Pin,
    Root(Addr),
    Guardian(Addr),
    Object(Addr, usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Stack(i) => write!(f, "word {i} of a root stack"),
            Place::CallFrame => f.write_str("a call frame"),
            Place::Pin => f.write_str("the table of pins"),
            Place::Root(at) => write!(f, "the root at {at:?}"),
            Place::Guardian(at) => write!(f, "the guardian's word at {at:?}"),
            Place::Object(at, i) => write!(f, "word {i} of the object at {at:?}"),
        }
    }
}

/// Walks the heap of the stopped `threads`.
pub(crate) fn walk(heap: &Heap, threads: &[&'static ThreadBlock], when: When) -> Census {
    let mut walk = Walk {
        heap,
        when,
        ages: when == When::Before && is_minor(),
        census: Census {
            // Mostly as many live as did last time.
            objects: AddrMap::with_capacity_and_hasher(
                heap.log.len(),
                BuildHasherDefault::default(),
            ),
            large: 0,
            pinned: 0,
        },
        todo: Vec::new(),
    };
    walk.roots(threads);
    while let Some(at) = walk.todo.pop() {
        walk.object(at);
    }
    walk.count_pinned(threads);
    walk.census
}

fn word_at(at: Addr) -> Value {
    // SAFETY: a root, or a word of an object that was found plausible.
    Value::from_bits(unsafe { access::read(at) })
}

impl Walk<'_> {
    fn roots(&mut self, threads: &[&'static ThreadBlock]) {
        for block in threads {
            for i in 0..block.stack.len() {
                let v = block.stack.get(i);
                self.value(v, Place::Stack(i));
                if self.ages && block.stack.is_passed(i) {
                    self.not_young(STACK, v, Place::Stack(i));
                }
            }
            block.each_pinned(&mut |v| self.value(v, Place::CallFrame));
        }
        let heap = self.heap;
        heap.each_root_word(&mut |at| self.value(word_at(at), Place::Root(at)));
        heap.pins.each(&mut |v| self.value(v, Place::Pin));
        if self.when == When::After {
            // Before a collection the entries of dead guardians and dead objects are still there.
            heap.with_weak(|weak| {
                weak.each_word(&mut |at| self.value(word_at(at), Place::Guardian(at)));
            });
        }
    }

    fn object(&mut self, at: Addr) {
        let Some(header) = Header::from_bits(word_at(at).bits()) else {
            (0..2).for_each(|i| self.value(word_at(at.word(i)), Place::Object(at, i)));
            if self.hides(at) {
                (0..2).for_each(|i| self.not_young(OLD, word_at(at.word(i)), Place::Object(at, i)));
            }
            return;
        };
        let hides = self.hides(at);
        each_reference(at, header, &mut |word| {
            let i = (word.raw() - at.raw()) / WORD;
            self.value(word_at(word), Place::Object(at, i));
            if hides && !self.heap.chunks.has(at, header, i) {
                self.not_young(OLD, word_at(word), Place::Object(at, i));
            }
        });
        if is_weak(header.shape()) {
            self.weak_words(at, header);
        }
    }

    /// Whether a minor collection that begins now would not look at the object at `at` as a whole.
    fn hides(&self, at: Addr) -> bool {
        self.ages && is_old(object_at(at)) && is_unlogged(object_at(at))
    }

    fn not_young(&self, who: &str, v: Value, place: Place) {
        if v.is_pointer() && in_heap(v.addr()) && !is_old(object_at(v.addr())) {
            self.fail(who, v, place);
        }
    }

    /// What a weak word refers to must be plausible; an ephemeron's value is live if its key is, which
    /// after a collection means that it is not broken.
    fn weak_words(&mut self, at: Addr, header: Header) {
        for i in 1..object_bytes(header) / WORD {
            let (v, place) = (word_at(at.word(i)), Place::Object(at, i));
            if header.shape() == Shape::Ephemeron && self.when == When::After {
                self.value(v, place);
            } else if v.is_pointer() && in_heap(v.addr()) {
                plausible(self.heap, self.when, v, place);
            }
        }
    }

    fn value(&mut self, v: Value, place: Place) {
        if !v.is_pointer() {
            return;
        }
        if v.bits() == POISON {
            self.fail("overwritten memory is still in use", v, place);
        }
        if !in_heap(v.addr()) {
            if !self.heap.in_boot_heap(v) {
                self.fail("a reference leads out of the heap", v, place);
            }
            return;
        }
        let (heap, when) = (self.heap, self.when);
        let Entry::Vacant(new) = self.census.objects.entry(v.addr()) else {
            return;
        };
        let Plausible { bytes, movable } = plausible(heap, when, v, place);
        new.insert(bytes);
        let object = object_at(v.addr());
        if when == When::After && movable {
            if object.get_forwarded_object().is_some() {
                self.fail("a reference leads to where an object was", v, place);
            }
            if !object.is_reachable() {
                self.fail("a reference leads to a dead object", v, place);
            }
        }
        self.census.large += u64::from(!movable);
        self.todo.push(v.addr());
    }

    fn count_pinned(&mut self, threads: &[&'static ThreadBlock]) {
        let mut pinned: AddrMap<()> = AddrMap::default();
        let mut add = |v: Value| {
            if v.is_pointer() && in_heap(v.addr()) && object_at(v.addr()).is_movable() {
                pinned.insert(v.addr(), ());
            }
        };
        threads.iter().for_each(|b| b.each_pinned(&mut add));
        self.heap.pins.each(&mut add);
        if self.heap.pins.promoted() > 0 {
            for at in self.census.objects.keys() {
                let v = Value::pointer(*at, Tag::Object);
                if is_promoted(v) {
                    add(v);
                }
            }
        }
        self.census.pinned = pinned.len() as u64;
    }

    fn fail(&self, what: &str, v: Value, place: Place) -> ! {
        fail(self.when, what, v, place)
    }
}

/// What is known of a reference that may be one.
struct Plausible {
    bytes: usize,
    movable: bool,
}

/// Checks that an object can be where `v` points to.
fn plausible(heap: &Heap, when: When, v: Value, place: Place) -> Plausible {
    let object = object_at(v.addr());
    if !object.is_in_any_space() {
        fail(
            when,
            "a reference leads to memory that was never used",
            v,
            place,
        );
    }
    let first = word_at(v.addr()).bits();
    if first == POISON {
        fail(when, "a reference leads to overwritten memory", v, place);
    }
    let header = Header::from_bits(first);
    if header.is_some() == (v.tag() == Some(Tag::Pair)) {
        fail(when, "tag and first word disagree", v, place);
    }
    let bytes = header.map_or(2 * WORD, object_bytes);
    let movable = object.is_movable();
    let fits = if movable {
        bytes <= MAX_SMALL && v.addr().raw() % BLOCK + bytes <= BLOCK
    } else {
        bytes <= heap.limit
    };
    if !fits {
        fail(when, "an object is too large for its space", v, place);
    }
    Plausible { bytes, movable }
}

fn fail(when: When, what: &str, v: Value, place: Place) -> ! {
    sys::die(format_args!(
        "the heap is damaged, found {when}: {what}: {v:?} in {place}"
    ))
}
