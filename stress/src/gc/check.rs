//! A look at everything: the graph in the heap against the books, and what is dead against what has
//! broken or was delivered.
//!
//! A check collects and takes what guardians and the queue of finalizers have, until nothing more
//! comes. From then on the books can say exactly what lives:
//!
//! * what roots reach, through strong fields;
//! * the value of an ephemeron whose key lives;
//! * what stands in for a guarded object, while guardian and object live. A guardian that the walk
//!   could not reach, because another one has it, was not asked: what it has may be queued, so what
//!   stands in lives with the guardian alone.
//!
//! Every weak reference must agree with that. It must all be still: `inv:gc.quiet`.

use std::collections::{BTreeMap, HashMap};

use bowline_ffi::{HandleKind, Handles};
use bowline_gc::{Collect, Mutator};
use bowline_layout::Value;

use super::fault::{Fault, Place, Plant};
use super::shadow::{Content, Form, Id, Node, agrees, lock};
use super::world::{Entry, World, count};
use crate::raw::object;

/// How often a check collects at most: each time it must have brought something.
const MOST: usize = 1000;

/// A walk over the heap, from all roots, beside the books.
struct Walk<'a> {
    world: &'a World,
    /// Where each node stands.
    places: HashMap<Id, Value>,
    nodes: HashMap<usize, Id>,
    todo: Vec<(Id, Value)>,
}

/// The roots: what they hold by the books, where they are, and what stands there.
pub(super) fn roots(world: &World, m: &Mutator) -> Result<Vec<(Content, Place, Value)>, Fault> {
    let mut found = Vec::new();
    for thread in lock(&world.threads).iter() {
        let roots = lock(&thread.roots);
        let words = roots.words.iter().enumerate();
        found.extend(words.map(|(i, content)| {
            (
                *content,
                Place::Stack(i),
                object::stack_word(thread.base, i),
            )
        }));
        let lent = roots.calls.iter().flatten();
        found.extend(lent.map(|(v, id)| (Content::Node(*id), Place::Call, *v)));
        for (i, (handle, _, content)) in roots.locals.iter().enumerate() {
            let place = Place::Local(i);
            let v = Handles::of(m)
                .get(*handle)
                .map_err(|e| refused(place, &e))?;
            found.push((*content, place, v));
        }
    }
    for (i, shared) in world.globals.iter().enumerate() {
        let shared = lock(shared);
        let v = world.heap.global(&shared.global);
        found.push((shared.content, Place::Global(i as u32), v));
    }
    for (i, cell) in world.handles.iter().enumerate() {
        if let Some((handle, HandleKind::Global, content)) = &lock(cell).live {
            let place = Place::Handle(i as u32);
            let v = Handles::of(m)
                .get(*handle)
                .map_err(|e| refused(place, &e))?;
            found.push((*content, place, v));
        }
    }
    world.shadow.each(|id, node| {
        if let Some(v) = node.at {
            found.push((Content::Node(id), Place::Pin, v));
        }
        if let Some(v) = node.stays.filter(|_| node.frozen) {
            found.push((Content::Node(id), Place::Frozen, v));
        }
    });
    Ok(found)
}

fn refused(place: Place, error: &dyn std::fmt::Display) -> Fault {
    Fault::Handle {
        place,
        said: error.to_string(),
    }
}

impl Walk<'_> {
    /// Everything that the roots reach, through the values of ephemerons that are whole as well. A weak
    /// field is followed by nobody; it must be broken or lead to what the books say.
    fn run(world: &World, m: &Mutator) -> Result<HashMap<Id, Value>, Fault> {
        let mut walk = Walk {
            world,
            places: HashMap::new(),
            nodes: HashMap::new(),
            todo: Vec::new(),
        };
        for (content, place, v) in roots(world, m)? {
            walk.reach(content, place, v)?;
        }
        while let Some((id, v)) = walk.todo.pop() {
            walk.fields(id, v)?;
        }
        Ok(walk.places)
    }

    fn reach(&mut self, content: Content, place: Place, v: Value) -> Result<(), Fault> {
        if !agrees(content, v) {
            return Err(Fault::Field {
                place,
                wanted: content,
                found: v,
            });
        }
        let Content::Node(id) = content else {
            return Ok(());
        };
        match self.places.get(&id) {
            Some(first) if *first == v => return Ok(()),
            Some(first) => {
                return Err(Fault::Twice {
                    id,
                    first: *first,
                    second: v,
                    place,
                });
            }
            None => {}
        }
        let dead = self
            .world
            .shadow
            .with(id, |node| node.whole(id, v, place).map(|()| node.dead))??;
        if dead {
            return Err(Fault::BrokenEarly { id, place });
        }
        if let Some(other) = self.nodes.insert(v.addr().raw(), id) {
            return Err(Fault::Shared { id, other, at: v });
        }
        self.places.insert(id, v);
        self.todo.push((id, v));
        Ok(())
    }

    fn fields(&mut self, id: Id, v: Value) -> Result<(), Fault> {
        let fields = |node: &mut Node| (node.form, node.boot, node.fields.clone());
        let (form, boot, fields) = self.world.shadow.with(id, fields)?;
        for (i, content) in fields.into_iter().enumerate() {
            let (place, found) = (Place::Field(id, i), object::value(v, form.word(i)));
            // Whether it had to break is judged when it is known what lives.
            let value = form == Form::Ephemeron && i == 1 && found != Value::BROKEN;
            if value || boot || !form.is_weak(i) {
                self.reach(content, place, found)?;
            } else if found != Value::BROKEN {
                self.world.shadow.look(content, found, place)?;
            }
        }
        Ok(())
    }
}

/// What lives by the books.
pub(super) struct Living<'a> {
    world: &'a World,
    marks: Vec<bool>,
    todo: Vec<Id>,
    /// Values of ephemerons, by the key that was not reached.
    waiting: BTreeMap<Id, Vec<Content>>,
}

impl Living<'_> {
    /// What these roots reach, with the books' ephemerons and what the entries keep: `asked` says
    /// whether a guardian has nothing queued.
    pub(super) fn of(
        world: &World,
        roots: impl IntoIterator<Item = Content>,
        entries: &[Entry],
        asked: impl Fn(&Entry) -> bool,
    ) -> Result<Vec<bool>, Fault> {
        let mut living = Living {
            world,
            marks: vec![false; world.shadow.end()],
            todo: Vec::new(),
            waiting: BTreeMap::new(),
        };
        roots.into_iter().for_each(|content| living.mark(content));
        let mut frozen = Vec::new();
        world
            .shadow
            .each(|id, node| frozen.extend(node.frozen.then_some(id)));
        frozen
            .into_iter()
            .for_each(|id| living.mark(Content::Node(id)));
        loop {
            living.drain()?;
            for entry in entries {
                let guards = entry.guardian.is_none_or(|id| living.lives(id));
                if guards && (!asked(entry) || living.lives(entry.object)) {
                    living.mark(entry.representative);
                }
            }
            if living.todo.is_empty() {
                return Ok(living.marks);
            }
        }
    }

    fn lives(&self, id: Id) -> bool {
        self.marks.get(id as usize) == Some(&true)
    }

    fn mark(&mut self, content: Content) {
        if let Some(mark) = content
            .node()
            .and_then(|id| self.marks.get_mut(id as usize))
            && !std::mem::replace(mark, true)
        {
            self.todo.extend(content.node());
        }
    }

    fn drain(&mut self) -> Result<(), Fault> {
        while let Some(id) = self.todo.pop() {
            let fields = |node: &mut Node| (node.form, node.boot, node.fields.clone());
            let (form, boot, fields) = self.world.shadow.with(id, fields)?;
            match (form, fields.as_slice()) {
                (Form::Ephemeron, [key, value]) if !boot => match key.node() {
                    Some(key) if !self.lives(key) => {
                        self.waiting.entry(key).or_default().push(*value);
                    }
                    _ => self.mark(*value),
                },
                _ => (0..fields.len())
                    .filter(|i| boot || !form.is_weak(*i))
                    .for_each(|i| self.mark(fields[i])),
            }
            let values = self.waiting.remove(&id).unwrap_or_default();
            values.into_iter().for_each(|value| self.mark(value));
        }
        Ok(())
    }
}

fn lives(marks: &[bool], id: Id) -> bool {
    marks.get(id as usize) == Some(&true)
}

/// Takes what `place` has delivered off the books.
pub(super) fn delivered(
    world: &World,
    guardian: Option<Id>,
    object: Option<Value>,
    found: Value,
) -> Result<Entry, Fault> {
    let place = guardian.map_or(Place::Finalizer, Place::Guardian);
    let is = |content: Content, v: Value| world.shadow.look(content, v, place).is_ok();
    let mut owed = world.owed();
    let of = |e: &Entry| e.guardian == guardian;
    let at = owed.iter().position(|e| {
        of(e)
            && is(e.representative, found)
            && object.is_none_or(|v| is(Content::Node(e.object), v))
    });
    let Some(at) = at else {
        return Err(Fault::Delivery { place, found });
    };
    let entry = owed[at];
    if guardian.is_none() && !world.is_in_order(entry.serial) {
        let id = entry.object;
        return Err(Fault::Order { id, place });
    }
    if owed[..at].iter().any(|e| of(e) && e.object == entry.object) {
        let id = entry.object;
        return Err(Fault::Order { id, place });
    }
    owed.remove(at);
    drop(owed);
    count(&world.counts.delivered);
    world
        .shadow
        .with(entry.object, |node| node.delivered = true)?;
    if object.is_some() {
        world.shadow.revive(entry.object);
    }
    if let Some(id) = entry.representative.node() {
        world.shadow.revive(id);
    }
    Ok(entry)
}

/// Takes everything that guardians in reach and the queue of finalizers have. Returns how much.
fn take_all(world: &World, m: &mut Mutator, places: &HashMap<Id, Value>) -> Result<usize, Fault> {
    let mut guardians: Vec<Id> = world.owed().iter().filter_map(|e| e.guardian).collect();
    guardians.sort_unstable();
    guardians.dedup();
    let mut taken = 0;
    for id in guardians {
        let Some(guardian) = places.get(&id) else {
            continue;
        };
        while let Some(v) = m.guardian_next(*guardian) {
            delivered(world, Some(id), None, v)?;
            taken += 1;
        }
    }
    Ok(taken + take_finalizers(world, m)?)
}

/// Takes what the queue of finalizers has. Returns how much.
fn take_finalizers(world: &World, m: &mut Mutator) -> Result<usize, Fault> {
    let mut taken = Vec::new();
    while let Some(pair) = m.next_finalizable() {
        taken.push(pair);
    }
    if world.plants(Plant::Order) {
        taken.reverse();
    }
    for (object, finalizer) in &taken {
        delivered(world, None, Some(*object), *finalizer)?;
    }
    world.look_at_queue();
    Ok(taken.len())
}

/// Looks at all weak references when it is known what lives.
fn weak(
    world: &World,
    m: &Mutator,
    places: &HashMap<Id, Value>,
    marks: &[bool],
) -> Result<(), Fault> {
    let judge = |content: Content, v: Value, place: Place| -> Result<Content, Fault> {
        match (content, v == Value::BROKEN) {
            (Content::Node(id), true) if lives(marks, id) => Err(Fault::BrokenEarly { id, place }),
            (Content::Node(id), false) if !lives(marks, id) => Err(Fault::NotBroken { id, place }),
            (Content::Node(_), true) => {
                count(&world.counts.broken);
                Ok(Content::Broken)
            }
            (content, _) if agrees(content, v) => Ok(content),
            (wanted, _) => Err(Fault::Field {
                place,
                wanted,
                found: v,
            }),
        }
    };
    for (id, v) in places {
        world.shadow.with(*id, |node| {
            let form = node.form;
            if form == Form::Ephemeron {
                return ephemeron(*id, node, *v, marks);
            }
            for (i, content) in node.fields.iter_mut().enumerate() {
                if form.is_weak(i) {
                    let found = object::value(*v, form.word(i));
                    *content = judge(*content, found, Place::Field(*id, i))?;
                }
            }
            Ok(())
        })??;
    }
    // What no root reaches but by way of a guardian's queue: broken when it comes, or a fault then.
    world.shadow.each(|id, node| {
        if !lives(marks, id) || places.contains_key(&id) {
            return;
        }
        let gone = |content: &Content| content.node().is_some_and(|id| !lives(marks, id));
        match node.form {
            Form::Ephemeron if gone(&node.fields[0]) => node.fields.fill(Content::Broken),
            form => (0..node.fields.len())
                .filter(|i| form.is_weak(*i) && gone(&node.fields[*i]))
                .collect::<Vec<_>>()
                .into_iter()
                .for_each(|i| node.fields[i] = Content::Broken),
        }
    });
    for (i, cell) in world.handles.iter().enumerate() {
        if let Some((handle, HandleKind::Weak, content)) = &mut lock(cell).live {
            let place = Place::Handle(i as u32);
            let v = Handles::of(m)
                .get(*handle)
                .map_err(|e| refused(place, &e))?;
            *content = judge(*content, v, place)?;
        }
    }
    Ok(())
}

/// Both fields of an ephemeron go with its key.
fn ephemeron(id: Id, node: &mut Node, v: Value, marks: &[bool]) -> Result<(), Fault> {
    let Some(key) = node.fields[0].node() else {
        return Ok(());
    };
    let broken = [0, 1].map(|i| object::value(v, node.form.word(i)) == Value::BROKEN);
    let place = Place::Field(id, 0);
    let value_lasts = node.fields[1] != Content::Broken;
    match (broken, lives(marks, key)) {
        ([true, true], false) => node.fields.fill(Content::Broken),
        ([false, value], true) if value != value_lasts => {}
        ([true, true], true) => return Err(Fault::BrokenEarly { id: key, place }),
        ([false, false], false) => {
            return Err(Fault::NotBroken { id: key, place });
        }
        _ => return Err(Fault::HalfBroken { id }),
    }
    Ok(())
}

/// The figures that the books can tell.
fn figures(world: &World, m: &Mutator, marks: &[bool]) -> Result<(), Fault> {
    let (mut owners, mut bytes, mut pinned) = (0, 0, 0);
    world.shadow.each(|id, node| {
        // One that is dead is named by an entry that may be queued.
        if !lives(marks, id) {
            return;
        }
        if let Form::Owner(n) = node.form {
            owners += 1;
            bytes += n.max(1) as u64;
        }
        // What the boot heap has is not among them.
        if node.pins > 0 && !node.boot {
            pinned += node.form.bytes() as u64;
        }
    });
    for entry in world.owed().iter().filter(|e| e.guardian.is_none()) {
        owners += 1;
        bytes += entry.bytes as u64;
    }
    let table = world.heap.owners(usize::MAX);
    let stats = m.heap().stats();
    let figures = [
        (
            "the number of owners",
            owners,
            table.iter().map(|o| o.count as u64).sum(),
        ),
        (
            "the bytes of owners",
            bytes,
            table.iter().map(|o| o.bytes as u64).sum(),
        ),
        (
            "the bytes of pinned objects",
            pinned,
            stats.pinned_bytes_now,
        ),
    ];
    match figures
        .into_iter()
        .find(|(_, wanted, found)| wanted != found)
    {
        None => Ok(()),
        Some((name, wanted, found)) => Err(Fault::Figure {
            name,
            wanted,
            found,
        }),
    }
}

/// Where everything stands that is reachable by strong references.
pub(super) fn places(world: &World, m: &Mutator) -> Result<HashMap<Id, Value>, Fault> {
    Walk::run(world, m)
}

/// Looks at everything that is reachable without collecting.
pub(super) fn walk(world: &World, m: &Mutator) -> Result<(), Fault> {
    let places = Walk::run(world, m)?;
    let checked = &world.counts.checked;
    checked.fetch_add(places.len() as u64, std::sync::atomic::Ordering::Relaxed);
    Ok(())
}

/// The whole check. The world is still.
pub(super) fn check(world: &World, m: &mut Mutator) -> Result<(), Fault> {
    count(&world.counts.checks);
    let contents = |world: &World, m: &Mutator| -> Result<Vec<Content>, Fault> {
        Ok(roots(world, m)?
            .into_iter()
            .map(|(content, ..)| content)
            .collect())
    };
    // What is reachable for sure must not have been delivered, and must not be.
    let sure = Living::of(world, contents(world, m)?, &[], |_| true)?;
    let mut wrong = None;
    let mut judge = |world: &World| {
        world.shadow.each(|id, node| {
            if node.delivered && !node.revived && lives(&sure, id) {
                wrong = Some(id);
            }
        });
        wrong.map_or(Ok(()), |id| {
            let place = Place::Finalizer;
            Err(Fault::DeliveredAlive { id, place })
        })
    };
    // Each alone, so that the order of what comes can be judged.
    take_finalizers(world, m)?;
    m.collect(Collect::Minor);
    take_finalizers(world, m)?;
    judge(world)?;
    let mut places = HashMap::new();
    for _ in 0..MOST {
        m.collect(Collect::Full);
        places = Walk::run(world, m)?;
        if take_all(world, m, &places)? == 0 {
            break;
        }
        judge(world)?;
    }
    let entries = world.owed().clone();
    let asked = |e: &Entry| e.guardian.is_none_or(|id| places.contains_key(&id));
    let marks = Living::of(world, contents(world, m)?, &entries, asked)?;
    let missed = entries
        .iter()
        .find(|e| asked(e) && !lives(&marks, e.object));
    if let Some(entry) = missed {
        return Err(Fault::NotDelivered {
            id: entry.object,
            place: entry.guardian.map_or(Place::Finalizer, Place::Guardian),
        });
    }
    weak(world, m, &places, &marks)?;
    settle(world, &entries, &marks, asked);
    let checked = &world.counts.checked;
    checked.fetch_add(places.len() as u64, std::sync::atomic::Ordering::Relaxed);
    figures(world, m, &marks)
}

/// Forgets what is dead.
fn settle(world: &World, entries: &[Entry], marks: &[bool], asked: impl Fn(&Entry) -> bool) {
    let alive = |e: &Entry| e.guardian.is_none_or(|id| lives(marks, id));
    let all_asked = entries.iter().filter(|e| alive(e)).all(asked);
    world.owed().retain(alive);
    // The object of an entry that may be queued is gone, but its number is still named.
    let mut keep = marks.to_vec();
    for entry in world.owed().iter() {
        if let Some(mark) = keep.get_mut(entry.object as usize) {
            *mark = true;
        }
    }
    world.shadow.sweep(&keep);
    world.shadow.each(|_, node| {
        node.delivered = false;
        node.revived &= !all_asked;
    });
}
