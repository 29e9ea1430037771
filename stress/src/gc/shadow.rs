//! The books outside the heap: every object that the torture has made, by number, with what it holds.
//!
//! An object carries its number where its form has room, so that what a reference leads to can be told
//! from what it should. A number is used again only when a check has found its object gone.
//!
//! `inv:shadow.shard` A node is read and changed under the lock of its shard, and so is the object
//! itself: whoever holds one passes no safepoint meanwhile, so a thread that waits for one delays a
//! collection for a moment only.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bowline_gc::Mutator;
use bowline_layout::{Header, Shape, Tag, TypeId, Value, foreign_pointer, weak_pair};

use super::fault::{Fault, Place};
use crate::raw::object;

/// A node's number.
pub(super) type Id = u32;

/// How many locks there are.
const SHARDS: u32 = 64;

/// The type of the torture's own objects.
const TYPE: TypeId = TypeId(77);

/// What a field or a root holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Content {
    Fix(i64),
    Node(Id),
    /// A weak reference to what is gone.
    Broken,
}

impl Content {
    /// Nothing.
    pub(super) const ZERO: Content = Content::Fix(0);

    /// The node, if it is one.
    pub(super) fn node(self) -> Option<Id> {
        match self {
            Content::Node(id) => Some(id),
            _ => None,
        }
    }
}

/// What an object looks like. The numbers count fields, or bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// Two fields and no place for a number.
    Pair,
    /// The number in the car, a field in the cdr.
    Cell,
    /// A field in the car, the number in the cdr.
    Back,
    Vector(usize),
    Segment(usize),
    Fixed(usize),
    Mixed(usize),
    Bitmap(usize),
    Bytes(usize),
    FixedBytes(usize),
    /// A foreign pointer that owns so many bytes; its base is its field.
    Owner(usize),
    WeakPair,
    Ephemeron,
    WeakVector(usize),
}

impl Form {
    /// How many fields it has.
    pub(super) fn fields(self) -> usize {
        match self {
            Form::Pair | Form::WeakPair | Form::Ephemeron => 2,
            Form::Cell | Form::Back | Form::Owner(_) => 1,
            Form::Vector(n)
            | Form::Segment(n)
            | Form::Fixed(n)
            | Form::Mixed(n)
            | Form::Bitmap(n)
            | Form::WeakVector(n) => n,
            Form::Bytes(_) | Form::FixedBytes(_) => 0,
        }
    }

    /// The header; a pair has none.
    pub(super) fn header(self) -> Option<Header> {
        let header = |shape, length| Some(Header::new(shape, TYPE, length));
        match self {
            Form::Pair | Form::Cell | Form::Back => None,
            Form::Vector(n) | Form::Fixed(n) => header(Shape::Values, n + 1),
            Form::Segment(n) => header(Shape::Continuation, n + 1),
            Form::Mixed(n) => Some(Header::mixed(TYPE, 2, n)),
            Form::Bitmap(n) => header(Shape::Bitmap, 2 * n),
            Form::Bytes(n) | Form::FixedBytes(n) => header(Shape::Bytes, n + 8),
            Form::Owner(_) => Some(foreign_pointer::HEADER),
            Form::WeakPair => Some(weak_pair::HEADER),
            Form::Ephemeron => header(Shape::Ephemeron, 2),
            Form::WeakVector(n) => header(Shape::WeakValues, n + 1),
        }
    }

    /// The word of field `i`.
    pub(super) fn word(self, i: usize) -> usize {
        match self {
            Form::Pair | Form::Back => i,
            Form::Cell => 1,
            Form::Vector(_) | Form::Segment(_) | Form::Fixed(_) | Form::WeakVector(_) => 2 + i,
            Form::Mixed(_) => 3 + i,
            Form::Bitmap(_) => 3 + 2 * i,
            Form::Owner(_) => foreign_pointer::BASE,
            Form::WeakPair | Form::Ephemeron | Form::Bytes(_) | Form::FixedBytes(_) => 1 + i,
        }
    }

    /// Whether field `i` does not keep its object alive, not even a key's value.
    pub(super) fn is_weak(self, i: usize) -> bool {
        match self {
            Form::WeakPair => i == 0,
            Form::WeakVector(_) | Form::Ephemeron => true,
            _ => false,
        }
    }

    /// The bits that its number stands as, and where; nothing for forms without.
    fn number(self, id: Id) -> Option<(usize, u64)> {
        let fixnum = Value::fixnum(i64::from(id)).bits();
        match self {
            Form::Pair | Form::WeakPair | Form::Ephemeron => None,
            Form::Cell => Some((0, fixnum)),
            Form::Back => Some((1, fixnum)),
            Form::Vector(_) | Form::Segment(_) | Form::Fixed(_) | Form::WeakVector(_) => {
                Some((1, fixnum))
            }
            // Odd, like a reference: a collector that scans raw words stumbles over it.
            Form::Mixed(_) | Form::Bytes(_) | Form::FixedBytes(_) => Some((1, bait(id))),
            Form::Bitmap(_) => Some((2, bait(id))),
            Form::Owner(_) => Some((foreign_pointer::TARGET, bait(id))),
        }
    }

    /// Whether an object of this form can be told by what it carries.
    pub(super) fn has_number(self) -> bool {
        self.number(0).is_some()
    }

    /// The bytes that it takes in the heap.
    pub(super) fn bytes(self) -> usize {
        self.header().map_or(16, bowline_layout::object_bytes)
    }
}

fn bait(id: Id) -> u64 {
    u64::from(id) << 3 | 0b011
}

/// One object, as it should be.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) form: Form,
    pub(super) fields: Vec<Content>,
    /// What its raw bytes are a function of.
    pub(super) key: u64,
    /// Counted pins.
    pub(super) pins: u32,
    /// Where it stands, while it has counted pins.
    pub(super) at: Option<Value>,
    /// Where it was promoted: it stays there as long as it lives.
    pub(super) stays: Option<Value>,
    /// It lives for ever, and so does what it refers to.
    pub(super) frozen: bool,
    /// It stands in the boot heap, where nothing is weak.
    pub(super) boot: bool,
    /// A weak reference to it was found broken: nobody may reach it again.
    pub(super) dead: bool,
    /// It was delivered as dead.
    pub(super) delivered: bool,
    /// It may have been dead and come back, by a guardian or a weak reference.
    pub(super) revived: bool,
}

impl Node {
    /// A fresh object of this form whose fields are 0.
    pub(super) fn new(form: Form, key: u64) -> Self {
        Node {
            form,
            fields: vec![Content::ZERO; form.fields()],
            key,
            pins: 0,
            at: None,
            stays: None,
            frozen: false,
            boot: false,
            dead: false,
            delivered: false,
            revived: false,
        }
    }

    /// Whether its fields stay as they are: a pair of the boot heap's.
    pub(super) fn is_fixed(&self) -> bool {
        self.boot && self.form.header().is_none()
    }

    /// Writes what is not a field into the fresh object `v`.
    pub(super) fn imprint(&self, id: Id, v: Value) {
        if let Some((word, bits)) = self.form.number(id) {
            object::set_word(v, word, bits);
        }
        match self.form {
            Form::Bytes(n) | Form::FixedBytes(n) => object::fill(v, 2, n, self.key),
            Form::Mixed(_) => object::set_word(v, 2, self.key | 1),
            Form::Bitmap(n) => {
                let bits = (0..n).fold(0, |bits, i| bits | 1_u64 << (1 + 2 * i));
                object::set_word(v, 1, bits);
                (1..n).for_each(|i| object::set_word(v, 2 + 2 * i, self.key | 1));
            }
            Form::Owner(n) => {
                object::init(v, foreign_pointer::BASE, Value::fixnum(0));
                object::fill_at(memory_of(v), n, self.key);
            }
            _ => {}
        }
    }

    /// Whether `v` can be this node: the kind of pointer, the header, the number.
    pub(super) fn identity(&self, id: Id, v: Value, place: Place) -> Result<(), Fault> {
        let tag = match self.form {
            Form::Pair | Form::Cell | Form::Back => Tag::Pair,
            _ => Tag::Object,
        };
        let stranger = || Fault::Stranger {
            id,
            form: self.form,
            found: v,
            place,
        };
        if v.tag() != Some(tag) {
            return Err(stranger());
        }
        if let Some(at) = self.stays.filter(|at| *at != v) {
            let said = format!("promoted at {at:?}, and {place} leads to {v:?}");
            return Err(Fault::Pin { id, said });
        }
        let header = self.form.header().map(Header::bits);
        let found = object::header(v).map(|h| h.with_flags_of(header).bits());
        if found != header {
            return Err(stranger());
        }
        match self.form.number(id) {
            Some((word, bits)) if object::word(v, word) != bits => Err(stranger()),
            _ => Ok(()),
        }
    }

    /// Whether everything but the fields of `v` is as it should be.
    pub(super) fn whole(&self, id: Id, v: Value, place: Place) -> Result<(), Fault> {
        self.identity(id, v, place)?;
        let raw = match self.form {
            Form::Bytes(n) | Form::FixedBytes(n) => object::check(v, 2, n, self.key),
            Form::Owner(n) => object::check_at(memory_of(v), n, self.key),
            _ => Ok(()),
        };
        raw.map_err(|wrong| Fault::Raw { id, wrong, place })?;
        let word = |i: usize| object::word(v, i) == self.key | 1;
        let words = match self.form {
            Form::Mixed(_) => word(2),
            Form::Bitmap(n) => (1..n).all(|i| word(2 + 2 * i)),
            _ => true,
        };
        if words {
            Ok(())
        } else {
            Err(Fault::Words { id, place })
        }
    }
}

/// Flags are the collector's and the language's, not the shape's: the form does not say them.
trait FlagsOf {
    fn with_flags_of(self, other: Option<u64>) -> Header;
}

impl FlagsOf for Header {
    fn with_flags_of(self, other: Option<u64>) -> Header {
        const FLAGS: u64 = 0xf << 12;
        let bits = self.bits() & !FLAGS | other.unwrap_or(0) & FLAGS;
        Header::from_bits(bits).unwrap_or(self)
    }
}

/// The C memory of the owner `v`.
pub(super) fn memory_of(v: Value) -> usize {
    object::word(v, foreign_pointer::POINTER) as usize
}

/// Whether `v` is what `content` says, as far as a word tells.
pub(super) fn agrees(content: Content, v: Value) -> bool {
    match content {
        Content::Fix(n) => v == Value::fixnum(n),
        Content::Node(_) => v.is_pointer(),
        Content::Broken => v == Value::BROKEN,
    }
}

#[derive(Default)]
struct Shard {
    nodes: BTreeMap<Id, Node>,
}

/// Every node.
pub(super) struct Shadow {
    shards: Vec<Mutex<Shard>>,
    numbers: Mutex<Numbers>,
}

#[derive(Default)]
struct Numbers {
    next: Id,
    free: Vec<Id>,
}

/// Takes a lock, whatever became of who had it.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shadow {
    pub(super) fn new() -> Self {
        Shadow {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            numbers: Mutex::default(),
        }
    }

    fn shard(&self, id: Id) -> MutexGuard<'_, Shard> {
        lock(&self.shards[(id % SHARDS) as usize])
    }

    /// A number that no object has.
    pub(super) fn reserve(&self) -> Id {
        let mut numbers = lock(&self.numbers);
        numbers.free.pop().unwrap_or_else(|| {
            numbers.next += 1;
            numbers.next
        })
    }

    /// Gives a number back.
    pub(super) fn release(&self, id: Id) {
        lock(&self.numbers).free.push(id);
    }

    /// One more than the largest number.
    pub(super) fn end(&self) -> usize {
        lock(&self.numbers).next as usize + 1
    }

    /// Enters the object of a reserved number.
    pub(super) fn put(&self, id: Id, node: Node) {
        self.shard(id).nodes.insert(id, node);
    }

    /// Runs `f` on a node under its lock (`inv:shadow.shard`).
    pub(super) fn with<R>(&self, id: Id, f: impl FnOnce(&mut Node) -> R) -> Result<R, Fault> {
        let mut shard = self.shard(id);
        shard.nodes.get_mut(&id).map(f).ok_or(Fault::Books { id })
    }

    /// Forgets every node that `keep` does not want, and gives the numbers back.
    pub(super) fn sweep(&self, keep: &[bool]) {
        for shard in &self.shards {
            let mut gone = Vec::new();
            lock(shard).nodes.retain(|id, _| {
                let kept = keep.get(*id as usize) == Some(&true);
                if !kept {
                    gone.push(*id);
                }
                kept
            });
            lock(&self.numbers).free.append(&mut gone);
        }
    }

    /// Runs `f` on every node.
    pub(super) fn each(&self, mut f: impl FnMut(Id, &mut Node)) {
        for shard in &self.shards {
            lock(shard)
                .nodes
                .iter_mut()
                .for_each(|(id, node)| f(*id, node));
        }
    }

    /// How many nodes there are.
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|s| lock(s).nodes.len()).sum()
    }

    /// Notes that `from` and what can be reached from it may have been dead and come back.
    pub(super) fn revive(&self, from: Id) {
        let mut todo = vec![from];
        while let Some(id) = todo.pop() {
            let fresh = self.with(id, |node| {
                let fresh = !std::mem::replace(&mut node.revived, true);
                fresh.then(|| node.fields.clone())
            });
            if let Ok(Some(fields)) = fresh {
                todo.extend(fields.into_iter().filter_map(Content::node));
            }
        }
    }

    /// Checks that `v` is what `content` says.
    pub(super) fn look(&self, content: Content, v: Value, place: Place) -> Result<(), Fault> {
        if !agrees(content, v) {
            return Err(Fault::Field {
                place,
                wanted: content,
                found: v,
            });
        }
        match content {
            Content::Node(id) => self.with(id, |node| node.identity(id, v, place))?,
            _ => Ok(()),
        }
    }
}

/// Allocates an object of this form. Fields are 0; nothing but the header is written otherwise.
pub(super) fn allocate(m: &mut Mutator, form: Form) -> Result<Value, bowline_gc::OutOfMemory> {
    let zero = Value::fixnum(0);
    match (form, form.header()) {
        (Form::WeakPair, _) => m.weak_pair(zero, zero),
        (Form::Owner(bytes), _) => {
            let label = m.heap().owner_label(super::LABEL);
            m.foreign_memory(bytes, false, label)
        }
        (Form::Fixed(_) | Form::FixedBytes(_), Some(header)) => {
            m.alloc_immovable(header, Tag::Object)
        }
        (_, Some(header)) => m.alloc(header, Tag::Object),
        (_, None) => m.alloc_pair(zero, zero),
    }
}
