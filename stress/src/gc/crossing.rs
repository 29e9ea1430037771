//! What a mutator does at the border to C: calls that pin, leaf calls, time in C, blocks of C's, handles;
//! and collections that are only asked for.

use std::panic::resume_unwind;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bowline_ffi::{Handle, HandleKind, HandleScope, Handles};
use bowline_gc::Collect;
use bowline_layout::Value;

use super::draw::REGISTERS;
use super::fault::{Fault, Place, Plant};
use super::op::Kind;
use super::shadow::{Content, lock};
use super::worker::{CBlock, Worker};
use super::world::count;
use crate::raw::object::{self, Lent};

/// The most calls inside each other, and scopes.
const DEEPEST: usize = 40;

/// The most local handles of a thread.
const LOCALS: usize = 200;

/// How long C waits for a collection that it has asked for.
const PATIENCE: Duration = Duration::from_millis(5);

/// The same in a script, and for marking to begin: a collection comes, unless the heap is broken.
const SURE: Duration = Duration::from_secs(10);

/// What C allocates for itself.
const SCRATCH: usize = 100 << 10;

/// The same in a leaf call.
const LEAF: usize = 300 << 10;

impl Worker {
    /// C is called with what is in these registers, and calls back at once.
    pub(super) fn call(&mut self, n: u32, registers: [u32; 3]) -> Result<(), Fault> {
        if self.calls.len() == DEEPEST {
            return Ok(());
        }
        self.m.crossing();
        let objects = registers.iter().filter_map(|r| self.object(*r));
        let handed: Vec<_> = objects.map(|(id, v)| (v, id)).collect();
        let values = handed.iter().map(|(v, _)| *v).collect();
        let told = !self.world.plants(Plant::Call);
        self.calls.push(Lent::new(&mut self.m, values, told));
        lock(&self.me.roots).calls.push(handed);
        self.native(n)
    }

    /// The innermost call returns.
    pub(super) fn end_call(&mut self) -> Result<(), Fault> {
        let Some(lent) = self.calls.pop() else {
            return Ok(());
        };
        self.native(0)?;
        lent.end(&mut self.m);
        lock(&self.me.roots).calls.pop();
        self.m.crossing();
        Ok(())
    }

    /// Some time in C, in which what it was handed stays as it is: with a collection that is asked
    /// for, or a block, or both.
    pub(super) fn native(&mut self, n: u32) -> Result<(), Fault> {
        self.m.enter_native();
        if self.world.plants(Plant::Hang) {
            // Managed as far as the collector knows, and at no safepoint.
            self.m.leave_native();
            loop {
                std::thread::sleep(PATIENCE);
            }
        }
        let before = self.world.heap.collections();
        if n & 1 != 0 {
            self.ask_for_collection();
        }
        if n & 2 != 0
            && let Some(address) = object::c_malloc(SCRATCH)
        {
            object::fill_at(address, SCRATCH, before);
            let kept = object::check_at(address, SCRATCH, before);
            object::c_free(address);
            kept.map_err(|wrong| Fault::Block { wrong })?;
        }
        let checked = self.lent();
        self.m.leave_native();
        checked
    }

    /// Asks for a collection that begins whenever the collector gets to it; in a script here and now.
    pub(super) fn request(&mut self) {
        if self.world.scripted {
            self.m.enter_native();
            self.ask_for_collection();
            self.m.leave_native();
        } else {
            self.world.heap.request_collection();
        }
    }

    /// Where collections are marked beside the program, comes back when one is. So many operations of this thread
    /// begin without a poll then, and as long as they pass no safepoint themselves the marking does not end.
    pub(super) fn marking(&mut self, n: u32) {
        let (heap, setup) = (self.world.heap, &self.world.setup);
        if setup.plan != "latency" || setup.zeal != "off" {
            return;
        }
        let begun = Instant::now();
        // It may be over before this thread goes on.
        while !heap.is_marking() && begun.elapsed() < SURE {
            heap.request_collection();
            self.m.poll();
            std::thread::yield_now();
        }
        if heap.is_marking() {
            self.unpolled = n.max(1);
        }
    }

    /// Asks for a collection, in Native, and waits for its end: a little, or in a script as long as it takes.
    fn ask_for_collection(&self) {
        let heap = self.world.heap;
        let before = heap.collections();
        let forked = self.world.forked.load(Ordering::Relaxed);
        let patience = if self.world.scripted && !forked {
            SURE
        } else {
            PATIENCE
        };
        heap.request_collection();
        let begun = Instant::now();
        while heap.collections() == before && begun.elapsed() < patience {
            std::thread::yield_now();
        }
    }

    /// Looks at what the active calls were handed, where it was.
    fn lent(&self) -> Result<(), Fault> {
        let roots = lock(&self.me.roots);
        for (v, id) in roots.calls.iter().flatten() {
            let shadow = &self.world.shadow;
            shadow.with(*id, |node| node.whole(*id, *v, Place::Call))??;
        }
        Ok(())
    }

    /// A call during which the thread stays Managed, so that no collection happens: C takes and gives back
    /// memory, this thread or another, and nothing moves.
    pub(super) fn leaf(&mut self, n: u32) -> Result<(), Fault> {
        let heap = self.world.heap;
        let before = heap.collections();
        let stood: Vec<Value> = (0..REGISTERS).map(|a| self.value(a)).collect();
        let leaf = self.world.leaf;
        self.m.leaf_begins(leaf);
        let done = self.in_leaf(n);
        let moved = (0..REGISTERS).any(|a| self.value(a) != stood[a as usize]);
        let during = heap.collections() - before;
        self.m.leaf_ends();
        self.m.poll();
        done?;
        if moved || during > 0 {
            return Err(Fault::Figure {
                name: "collections during a leaf call",
                wanted: 0,
                found: during,
            });
        }
        Ok(())
    }

    fn in_leaf(&mut self, n: u32) -> Result<(), Fault> {
        let key = self.key();
        let work = move || {
            let Some(address) = object::c_malloc(LEAF) else {
                return Ok(());
            };
            object::fill_at(address, LEAF, key);
            let kept = object::check_at(address, LEAF, key);
            object::c_free(address);
            kept.map_err(|wrong| Fault::Block { wrong })
        };
        if n & 1 != 0 {
            work()?;
        }
        if self.world.plants(Plant::Leaf) {
            self.m.collect(Collect::Minor);
        }
        if n & 2 == 0 {
            return Ok(());
        }
        // Its malloc may wait for a collection that this thread holds up: but not for ever.
        match std::thread::Builder::new().spawn(work) {
            Ok(other) => other.join().unwrap_or_else(|p| resume_unwind(p)),
            // There are not always threads to be had.
            Err(_) => Ok(()),
        }
    }

    // Blocks of C's.

    pub(super) fn malloc(&mut self, b: u32, bytes: usize) -> Result<(), Fault> {
        self.free(b)?;
        let key = self.key();
        self.m.enter_native();
        let taken = object::c_malloc(bytes);
        if let Some(address) = taken {
            object::fill_at(address, bytes, key);
        }
        self.m.leave_native();
        let Some(address) = taken else {
            return self.refused(bytes);
        };
        self.world.c_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.blocks[b as usize] = Some(CBlock {
            address,
            bytes,
            key,
        });
        Ok(())
    }

    pub(super) fn free(&mut self, b: u32) -> Result<(), Fault> {
        let Some(block) = self.blocks[b as usize].take() else {
            return Ok(());
        };
        let CBlock {
            address,
            bytes,
            key,
        } = block;
        self.m.enter_native();
        let kept = object::check_at(address, bytes, key);
        object::c_free(address);
        self.m.leave_native();
        self.world.c_bytes.fetch_sub(bytes, Ordering::Relaxed);
        kept.map_err(|wrong| Fault::Block { wrong })
    }

    // Handles.

    pub(super) fn handle(&mut self, kind: Kind, a: u32, b: u32) -> Result<(), Fault> {
        match kind {
            Kind::WeakHandle => self.new_handle(b, a, true),
            Kind::Scope => self.scope(),
            Kind::LocalHandle => self.local(a),
            Kind::EndScope => self.end_scope(),
            Kind::FromHandle => self.take_handle(a, b),
            Kind::SetHandle => self.set_handle(b, a),
            Kind::FreeHandle => self.free_handle(b),
            Kind::Stale => self.stale(b),
            _ => self.new_handle(b, a, false),
        }
    }

    fn new_handle(&mut self, b: u32, a: u32, weak: bool) -> Result<(), Fault> {
        self.free_handle(b)?;
        let (v, content) = (self.value(a), self.content(a));
        let kind = if weak {
            HandleKind::Weak
        } else {
            HandleKind::Global
        };
        let mut cell = lock(&self.world.handles[b as usize]);
        if cell.live.is_none() {
            let handle = Handles::of(&self.m).create(v, kind);
            let handle = handle.map_err(|e| refused(Place::Handle(b), &e))?;
            cell.live = Some((handle, kind, content));
        }
        Ok(())
    }

    fn take_handle(&mut self, a: u32, b: u32) -> Result<(), Fault> {
        let place = Place::Handle(b);
        let read = {
            let mut cell = lock(&self.world.handles[b as usize]);
            let Some((handle, kind, content)) = &mut cell.live else {
                return Ok(());
            };
            let v = Handles::of(&self.m)
                .get(*handle)
                .map_err(|e| refused(place, &e))?;
            let was = *content;
            if *kind == HandleKind::Weak && v == Value::BROKEN {
                *content = Content::Broken;
            }
            (v, was, *content, *kind)
        };
        let (v, was, content, kind) = read;
        if let (Content::Node(dead), Content::Broken) = (was, content) {
            count(&self.world.counts.broken);
            self.world.shadow.with(dead, |node| node.dead = true)?;
        }
        self.world.shadow.look(content, v, place)?;
        if let Some(id) = content.node().filter(|_| kind == HandleKind::Weak) {
            self.world.shadow.revive(id);
        }
        self.set(a, v, content);
        Ok(())
    }

    fn set_handle(&mut self, b: u32, a: u32) -> Result<(), Fault> {
        let (v, now) = (self.value(a), self.content(a));
        let mut cell = lock(&self.world.handles[b as usize]);
        if let Some((handle, _, content)) = &mut cell.live {
            let set = Handles::of(&self.m).set(*handle, v);
            set.map_err(|e| refused(Place::Handle(b), &e))?;
            *content = now;
        }
        Ok(())
    }

    fn free_handle(&mut self, b: u32) -> Result<(), Fault> {
        let mut cell = lock(&self.world.handles[b as usize]);
        if let Some((handle, ..)) = cell.live.take() {
            cell.stale = Some(handle);
            if !self.world.plants(Plant::Handle) {
                let freed = Handles::of(&self.m).free(handle);
                freed.map_err(|e| refused(Place::Handle(b), &e))?;
            }
        }
        Ok(())
    }

    /// A handle that was freed must be refused, whatever is asked of it.
    fn stale(&mut self, b: u32) -> Result<(), Fault> {
        let cell = lock(&self.world.handles[b as usize]);
        let Some(handle) = cell.stale else {
            return Ok(());
        };
        self.must_be_refused(Place::Handle(b), handle)
    }

    fn must_be_refused(&self, place: Place, handle: Handle) -> Result<(), Fault> {
        let handles = Handles::of(&self.m);
        let honoured = handles.get(handle).is_ok()
            || handles.set(handle, Value::fixnum(1)).is_ok()
            || handles.free(handle).is_ok();
        if honoured {
            let said = format!("{handle:?} was freed, and is honoured");
            return Err(Fault::Handle { place, said });
        }
        Ok(())
    }

    fn scope(&mut self) -> Result<(), Fault> {
        if self.scopes.len() < DEEPEST {
            self.scopes.push(HandleScope::enter());
        }
        Ok(())
    }

    fn local(&mut self, a: u32) -> Result<(), Fault> {
        let mut roots = lock(&self.me.roots);
        if self.scopes.is_empty() || roots.locals.len() == LOCALS {
            return Ok(());
        }
        let (content, v) = (roots.words[a as usize], self.m.get(a as usize));
        let made = Handles::of(&self.m).create(v, HandleKind::Local);
        let handle = made.map_err(|e| refused(Place::Local(roots.locals.len()), &e))?;
        roots.locals.push((handle, self.scopes.len(), content));
        Ok(())
    }

    /// The innermost scope ends: its handles are good until then, and not afterwards.
    pub(super) fn end_scope(&mut self) -> Result<(), Fault> {
        let depth = self.scopes.len();
        let Some(scope) = self.scopes.pop() else {
            return Ok(());
        };
        let mut ended = Vec::new();
        {
            let mut roots = lock(&self.me.roots);
            while roots.locals.last().is_some_and(|(_, of, _)| *of == depth) {
                ended.extend(roots.locals.pop());
            }
        }
        for (i, (handle, _, content)) in ended.iter().enumerate() {
            let v = Handles::of(&self.m).get(*handle);
            let v = v.map_err(|e| refused(Place::Local(i), &e))?;
            self.world.shadow.look(*content, v, Place::Local(i))?;
        }
        scope
            .leave(&self.m)
            .map_err(|e| refused(Place::Local(0), &e))?;
        let mut old = ended.iter().enumerate();
        old.try_for_each(|(i, (handle, ..))| self.must_be_refused(Place::Local(i), *handle))
    }
}

fn refused(place: Place, error: &dyn std::fmt::Display) -> Fault {
    Fault::Handle {
        place,
        said: error.to_string(),
    }
}
