//! One mutator of a run: its registers, and what each operation does to heap and books.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bowline_ffi::HandleScope;
use bowline_gc::{Collect, Mutator};
use bowline_layout::Value;

use super::check;
use super::draw::{BLOCKS, REGISTERS};
use super::fault::{Fault, Place, Plant};
use super::journal::collects;
use super::op::{Group, Kind, Op};
use super::shadow::{Content, Form, Id, Node, allocate, lock};
use super::world::{Roots, Thread, World, count};
use crate::random::mix;
use crate::raw::object::{self, Lent};
use crate::recorder::Seat;

/// The most words on a root stack.
const DEEPEST: usize = 100_000;

/// The register that a planted fault forgets, and the global cell.
const FORGOTTEN: usize = 5;

/// A block of C's.
pub(super) struct CBlock {
    pub(super) address: usize,
    pub(super) bytes: usize,
    pub(super) key: u64,
}

/// A thread that does operations.
pub(super) struct Worker {
    pub(super) m: Box<Mutator>,
    pub(super) world: &'static World,
    pub(super) me: Arc<Thread>,
    /// Where it says how far it is.
    seat: Option<Seat>,
    number: u32,
    /// Somebody waits for this thread with the gate held.
    covered: bool,
    /// How many operations begin without a poll, so that marking which has begun does not end before.
    pub(super) unpolled: u32,
    pub(super) calls: Vec<Lent>,
    pub(super) scopes: Vec<HandleScope>,
    pub(super) blocks: Vec<Option<CBlock>>,
    /// Told to every object, so that no two have the same bytes.
    serial: u64,
}

impl Worker {
    /// A thread with a seat, or one that another waits for.
    pub(super) fn new(world: &'static World, seat: Option<Seat>, number: u32) -> Self {
        let mut m = world.heap.attach();
        let base = m.stack().base().addr();
        (0..REGISTERS).for_each(|_| m.push(Value::fixnum(0)));
        let roots = Roots {
            words: vec![Content::ZERO; REGISTERS as usize],
            ..Roots::default()
        };
        let me = Arc::new(Thread {
            base,
            roots: roots.into(),
        });
        lock(&world.threads).push(Arc::clone(&me));
        Worker {
            m,
            world,
            me,
            seat,
            number,
            covered: seat.is_none(),
            unpolled: 0,
            calls: Vec::new(),
            scopes: Vec::new(),
            blocks: (0..BLOCKS).map(|_| None).collect(),
            serial: mix(u64::from(number)) | 1,
        }
    }

    /// Does an operation, when it is this thread's turn.
    pub(super) fn step(&mut self, op: Op) -> Result<(), Fault> {
        match self.unpolled.checked_sub(1) {
            Some(left) => self.unpolled = left,
            None => self.m.poll(),
        }
        count(&self.world.counts.operations);
        let world = self.world;
        if self.covered {
            self.apply(op)?;
        } else if matches!(op.kind, Kind::Check | Kind::Fork | Kind::Freeze) {
            let _alone = world.alone(&mut self.m);
            self.apply_watched(op)?;
        } else {
            let _entered = world.enter(&mut self.m);
            self.apply_watched(op)?;
        }
        self.stepped();
        Ok(())
    }

    /// The parent sees that this thread goes on.
    pub(super) fn stepped(&self) {
        if let Some(seat) = self.seat {
            seat.stepped();
        }
    }

    /// Waits, in Native, until it is the turn of this place in the script. Whose turn it is already passes no
    /// safepoint.
    pub(super) fn wait_for(&mut self, place: u64) {
        let early = || self.world.turn.load(Ordering::Acquire) < place;
        if !early() {
            return;
        }
        self.m.enter_native();
        while early() && !self.world.stopped() {
            std::thread::yield_now();
        }
        self.m.leave_native();
    }

    /// This is a forked child: nobody else is there, and nobody is told how far it is.
    pub(super) fn alone(&mut self) {
        self.covered = true;
        self.seat = None;
    }

    /// Gives back what ends with a thread.
    pub(super) fn finish(mut self) -> Result<(), Fault> {
        let world = self.world;
        let _entered = (!self.covered).then(|| world.enter(&mut self.m));
        while !self.calls.is_empty() {
            self.end_call()?;
        }
        while !self.scopes.is_empty() {
            self.end_scope()?;
        }
        (0..BLOCKS).try_for_each(|b| self.free(b))?;
        lock(&world.threads).retain(|thread| !Arc::ptr_eq(thread, &self.me));
        self.m.truncate(0);
        Ok(())
    }

    // Registers.

    pub(super) fn content(&self, a: u32) -> Content {
        lock(&self.me.roots).words[a as usize]
    }

    pub(super) fn value(&self, a: u32) -> Value {
        self.m.get(a as usize)
    }

    /// The object in a register, if there is one.
    pub(super) fn object(&self, a: u32) -> Option<(Id, Value)> {
        Some((self.content(a).node()?, self.value(a)))
    }

    pub(super) fn set(&mut self, a: u32, v: Value, content: Content) {
        self.m.set(a as usize, v);
        lock(&self.me.roots).words[a as usize] = content;
    }

    /// What no other object's bytes are made of.
    pub(super) fn key(&mut self) -> u64 {
        self.serial = self.serial.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.serial)
    }

    /// Does an operation and has the journal note the collections that are not its own.
    fn apply_watched(&mut self, op: Op) -> Result<(), Fault> {
        let (world, number) = (self.world, self.number);
        let (journal, heap) = (&world.journal, world.heap);
        journal.watch(heap, number);
        journal.watch_marking(heap, number);
        world.look_at_queue();
        let done = match collects(op) {
            Some(hopes) => journal.asks(heap, number, hopes, || self.apply(op)),
            None => self.apply(op),
        };
        journal.watch(heap, number);
        world.look_at_queue();
        done
    }

    fn apply(&mut self, op: Op) -> Result<(), Fault> {
        let Op { kind, a, b, c, n } = op;
        let size = n.max(1) as usize;
        match kind.row().group {
            Group::Make | Group::Large | Group::Weakly => self.make_one(op, size),
            Group::Handle => self.handle(kind, a, b),
            _ => self.act(kind, [a, b, c], n, size),
        }
    }

    fn make_one(&mut self, op: Op, size: usize) -> Result<(), Fault> {
        let Op { kind, a, b, c, n } = op;
        let (form, from): (Form, &[u32]) = match kind {
            Kind::List => return self.row(a, n, b, Form::Cell),
            Kind::Chain => return self.row(a, n, b, Form::Back),
            Kind::Garbage => return self.garbage(n),
            Kind::Pair => (Form::Pair, &[b, c]),
            Kind::Vector | Kind::LargeVector => (Form::Vector(size), &[b]),
            Kind::Bytes | Kind::LargeBytes => (Form::Bytes(size), &[]),
            Kind::Mixed => (Form::Mixed(size), &[b]),
            Kind::Bitmap => (Form::Bitmap(size), &[b]),
            Kind::Segment => (Form::Segment(size), &[b]),
            Kind::Fixed => (Form::Fixed(size), &[b]),
            Kind::FixedBytes => (Form::FixedBytes(size), &[]),
            Kind::WeakPair => (Form::WeakPair, &[b, c]),
            Kind::Ephemeron => (Form::Ephemeron, &[b, c]),
            Kind::WeakVector => (Form::WeakVector(size), &[b]),
            _ => (Form::Cell, &[b]),
        };
        self.make(a, form, from)
    }

    fn act(&mut self, kind: Kind, [a, b, c]: [u32; 3], n: u32, size: usize) -> Result<(), Fault> {
        let zero = (Value::fixnum(0), Content::ZERO);
        match kind {
            Kind::Store => return self.store(a, size, b),
            Kind::Clear => return self.clear(a, size),
            Kind::Load => return self.load(a, b, size),
            Kind::Move => self.set(a, self.value(b), self.content(b)),
            Kind::Rewrite => return self.rewrite(a),
            Kind::Drop => self.set(a, zero.0, zero.1),
            Kind::Frames => self.frames(size, [a, b]),
            Kind::Return => return self.return_from(size),
            Kind::FromStack => return self.take_stack(a, size),
            Kind::SetGlobal => self.set_global(b, self.value(a), self.content(a)),
            Kind::FromGlobal => return self.take_global(a, b),
            Kind::ClearGlobal => self.set_global(b, zero.0, zero.1),
            Kind::Minor => return self.collect(Collect::Minor),
            Kind::Full => return self.collect(Collect::Full),
            Kind::Request => self.request(),
            Kind::Marking => self.marking(n),
            Kind::Call => return self.call(n, [a, b, c]),
            Kind::EndCall => return self.end_call(),
            Kind::Native => return self.native(n),
            Kind::Leaf => return self.leaf(n),
            Kind::Pin | Kind::Unpin | Kind::Promote => return self.hold(kind, a),
            Kind::PinHandle | Kind::UnpinHandle | Kind::PromoteHandle => {
                return self.hold_by_handle(kind, b);
            }
            Kind::Guard => return self.guard(a, b, b),
            Kind::GuardFor => return self.guard(a, b, c),
            Kind::Next => return self.next(a, b),
            Kind::Owner => return self.make(a, Form::Owner(size), &[]),
            Kind::Finalize => return self.finalize(a, b, size),
            Kind::Finalizer => return self.finalizer(a, b),
            Kind::FinalizerThread => return self.finalizer_thread(n),
            Kind::Malloc => return self.malloc(b, size),
            Kind::Free => return self.free(b),
            Kind::Check => return check::check(self.world, &mut self.m),
            Kind::Fill => return self.fill(),
            Kind::Fork => return self.fork(n),
            Kind::Thread => return self.thread(n),
            Kind::Freeze => return self.freeze(),
            // A poll is what operations begin with.
            _ => {}
        }
        Ok(())
    }

    // Objects.

    /// A fresh object of this form in register `a`, with these registers in some of its fields.
    pub(super) fn make(&mut self, a: u32, form: Form, from: &[u32]) -> Result<(), Fault> {
        let (shadow, id, key) = (&self.world.shadow, self.world.shadow.reserve(), self.key());
        let v = match allocate(&mut self.m, form) {
            Ok(v) => v,
            Err(refused) => {
                shadow.release(id);
                return self.refused(refused.requested);
            }
        };
        let mut node = Node::new(form, key);
        node.imprint(id, v);
        // The first fields and the last: what is copied or scanned short shows.
        let fields = form.fields();
        let last = fields.checked_sub(1).filter(|_| fields > from.len());
        let first = (0..fields).zip(from).map(|(i, r)| (i, *r));
        for (i, r) in first.chain(last.into_iter().zip(from.last().copied())) {
            object::init(v, form.word(i), self.m.get(r as usize));
            node.fields[i] = self.content(r);
        }
        if form == Form::WeakPair && self.world.plants(Plant::WeakLate) {
            let _for_ever = self.world.heap.new_global(self.value(from[0]));
        }
        shadow.put(id, node);
        count(&self.world.counts.objects);
        self.set(a, v, Content::Node(id));
        Ok(())
    }

    /// A list of `n` along cars or cdrs.
    fn row(&mut self, a: u32, n: u32, b: u32, form: Form) -> Result<(), Fault> {
        let (v, content) = (self.value(b), self.content(b));
        self.set(a, v, content);
        for _ in 0..n {
            self.m.poll();
            self.make(a, form, &[a])?;
        }
        Ok(())
    }

    fn garbage(&mut self, n: u32) -> Result<(), Fault> {
        for i in 0..n {
            self.m.poll();
            let made = self.m.alloc_pair(Value::fixnum(i64::from(i)), Value::NIL);
            if let Err(refused) = made {
                return self.refused(refused.requested);
            }
        }
        Ok(())
    }

    /// The heap has no memory. It must be because of what lives.
    pub(super) fn refused(&self, wanted: usize) -> Result<(), Fault> {
        let world = self.world;
        count(&world.counts.refusals);
        let excused =
            world.forked.load(Ordering::Relaxed) || world.filling.load(Ordering::Relaxed) > 0;
        if excused {
            return Ok(());
        }
        let mut live = world.c_bytes.load(Ordering::Relaxed);
        world.shadow.each(|_, node| {
            live += node.form.bytes();
            if let Form::Owner(bytes) = node.form {
                live += bytes;
            }
        });
        world.owed().iter().for_each(|entry| live += entry.bytes);
        let limit = world.heap.limit();
        if live + wanted < limit / 3 {
            return Err(Fault::Refused {
                wanted,
                live,
                limit,
            });
        }
        Ok(())
    }

    // Edges.

    fn store(&mut self, a: u32, n: usize, b: u32) -> Result<(), Fault> {
        let Some((id, v)) = self.object(a) else {
            return Ok(());
        };
        let (x, content) = (self.value(b), self.content(b));
        let (m, world) = (&mut self.m, self.world);
        world.shadow.with(id, |node| {
            let fields = node.form.fields();
            if fields == 0 || node.is_fixed() {
                return;
            }
            let i = n % fields;
            let word = node.form.word(i);
            settle(node, v);
            match world.plant {
                Some(Plant::Barrier) => object::init(v, word, x),
                Some(Plant::Wild) => object::init(v, word, v.retarget(v.addr().word(3))),
                _ => object::store(m, v, word, x),
            }
            node.fields[i] = content;
        })
    }

    fn clear(&mut self, a: u32, n: usize) -> Result<(), Fault> {
        let Some((id, v)) = self.object(a) else {
            return Ok(());
        };
        let m = &mut self.m;
        self.world.shadow.with(id, |node| {
            let fields = node.form.fields();
            if fields > 0 && !node.is_fixed() {
                settle(node, v);
                object::store(m, v, node.form.word(n % fields), Value::fixnum(n as i64));
                node.fields[n % fields] = Content::Fix(n as i64);
            }
        })
    }

    fn load(&mut self, a: u32, b: u32, n: usize) -> Result<(), Fault> {
        let Some((id, v)) = self.object(b) else {
            return Ok(());
        };
        let world = self.world;
        let read = world.shadow.with(id, |node| {
            let fields = node.form.fields();
            if fields == 0 {
                return Ok(None);
            }
            let i = n % fields;
            let weak = node.form.is_weak(i);
            let word = node.form.word(i);
            let found = match weak {
                true if !world.plants(Plant::WeakRead) => object::read_weak(&self.m, v, word),
                _ => object::value(v, word),
            };
            if weak && found == Value::BROKEN {
                return broken(id, node, v, i).map(|dead| Some((i, Err(dead))));
            }
            Ok(Some((i, Ok((found, node.fields[i], weak)))))
        })??;
        match read {
            None => {}
            Some((_, Err(dead))) => {
                if let Some(dead) = dead {
                    count(&world.counts.broken);
                    world.shadow.with(dead, |node| node.dead = true)?;
                }
                self.set(a, Value::BROKEN, Content::Broken);
            }
            Some((i, Ok((found, content, weak)))) => {
                world.shadow.look(content, found, Place::Field(id, i))?;
                if let Some(node) = content.node().filter(|_| weak) {
                    world.shadow.revive(node);
                }
                self.set(a, found, content);
            }
        }
        Ok(())
    }

    fn rewrite(&mut self, a: u32) -> Result<(), Fault> {
        let Some((id, v)) = self.object(a) else {
            return Ok(());
        };
        let key = self.key();
        let lies = self.world.plants(Plant::Byte);
        self.world.shadow.with(id, |node| {
            let (Form::Bytes(n) | Form::FixedBytes(n)) = node.form else {
                return;
            };
            object::fill(v, 2, n, key);
            node.key = if lies { key ^ 1 << 40 } else { key };
        })
    }

    // The root stack.

    fn frames(&mut self, n: usize, registers: [u32; 2]) {
        let held = registers.map(|r| (self.value(r), self.content(r)));
        let mut roots = lock(&self.me.roots);
        let room = DEEPEST.saturating_sub(roots.words.len());
        for i in 0..n.min(room) {
            let number = i as i64;
            let (v, content) = match i % 3 {
                2 => (Value::fixnum(number), Content::Fix(number)),
                which => held[which],
            };
            self.m.push(v);
            roots.words.push(content);
        }
    }

    fn return_from(&mut self, n: usize) -> Result<(), Fault> {
        let mut roots = lock(&self.me.roots);
        let deep = roots.words.len() - REGISTERS as usize;
        for _ in 0..n.min(deep) {
            let place = Place::Stack(roots.words.len() - 1);
            let (v, content) = (self.m.pop(), roots.words.pop());
            let content = content.unwrap_or(Content::ZERO);
            self.world.shadow.look(content, v, place)?;
        }
        Ok(())
    }

    fn take_stack(&mut self, a: u32, n: usize) -> Result<(), Fault> {
        let read = {
            let roots = lock(&self.me.roots);
            let deep = roots.words.len() - REGISTERS as usize;
            (deep > 0).then(|| {
                let i = REGISTERS as usize + n % deep;
                (i, roots.words[i])
            })
        };
        let Some((i, content)) = read else {
            return Ok(());
        };
        let v = self.m.get(i);
        self.world.shadow.look(content, v, Place::Stack(i))?;
        self.set(a, v, content);
        Ok(())
    }

    // Global cells.

    fn set_global(&mut self, b: u32, v: Value, content: Content) {
        let mut shared = lock(&self.world.globals[b as usize]);
        self.world.heap.set_global(&shared.global, v);
        shared.content = content;
    }

    fn take_global(&mut self, a: u32, b: u32) -> Result<(), Fault> {
        let (v, content) = {
            let shared = lock(&self.world.globals[b as usize]);
            (self.world.heap.global(&shared.global), shared.content)
        };
        self.world.shadow.look(content, v, Place::Global(b))?;
        self.set(a, v, content);
        Ok(())
    }

    // Collections.

    fn collect(&mut self, kind: Collect) -> Result<(), Fault> {
        let world = self.world;
        let forgotten = world.plants(Plant::Root).then(|| self.m.get(FORGOTTEN));
        if forgotten.is_some() {
            self.m.set(FORGOTTEN, Value::fixnum(0));
        }
        let cell = &world.globals[FORGOTTEN];
        let lost = world
            .plants(Plant::Global)
            .then(|| world.heap.global(&lock(cell).global));
        if lost.is_some() {
            world.heap.set_global(&lock(cell).global, Value::fixnum(0));
        }
        if world.plants(Plant::WeakEarly) {
            self.break_early()?;
        }
        self.m.collect(kind);
        if let Some(v) = forgotten {
            self.m.set(FORGOTTEN, v);
        }
        if let Some(v) = lost {
            world.heap.set_global(&lock(cell).global, v);
        }
        // Alone there is time to look at once, which makes for short scripts.
        if world.single() {
            check::walk(world, &self.m)?;
        }
        Ok(())
    }

    /// Breaks each weak pair in a register that refers to an object: a fault to be found. Another value that is
    /// lost is a fault of another kind, and which is seen first nobody knows.
    fn break_early(&mut self) -> Result<(), Fault> {
        for (id, v) in (0..REGISTERS).filter_map(|a| self.object(a)) {
            let form = self.world.shadow.with(id, |node| node.form)?;
            let word = form.word(0);
            if form == Form::WeakPair && object::value(v, word).is_pointer() {
                object::init(v, word, Value::BROKEN);
            }
        }
        Ok(())
    }
}

/// Notes that an ephemeron has lost its key before one of its fields is written: afterwards nobody can
/// tell. Whether it had to is judged when the key is seen again.
fn settle(node: &mut Node, v: Value) {
    if node.form == Form::Ephemeron {
        let lost = [0, 1].map(|i| object::value(v, node.form.word(i)) == Value::BROKEN);
        if lost == [true, true] {
            node.fields.fill(Content::Broken);
        }
    }
}

/// Notes in the books that weak field `i` was found broken. Returns what must be dead therefore.
fn broken(id: Id, node: &mut Node, v: Value, i: usize) -> Result<Option<Id>, Fault> {
    if node.form != Form::Ephemeron {
        let was = std::mem::replace(&mut node.fields[i], Content::Broken);
        return match was {
            Content::Fix(_) => Err(Fault::Field {
                place: Place::Field(id, i),
                wanted: was,
                found: Value::BROKEN,
            }),
            was => Ok(was.node()),
        };
    }
    let key = node.fields[0].node();
    let other = object::value(v, node.form.word(1 - i));
    if node.fields[i] != Content::Broken {
        if other != Value::BROKEN || key.is_none() {
            return Err(Fault::HalfBroken { id });
        }
        node.fields.fill(Content::Broken);
    }
    Ok(key.filter(|_| node.fields[0] == Content::Broken))
}
