//! Roots that belong to no thread: global cells, and tables that register themselves.
//!
//! `inv:roots.still` The words that a source visits stay where they are until the collection ends, and
//! the source changes none of them meanwhile. It holds because sources change only by threads that are
//! Managed.

use crate::sync::lock;
use crate::thread::quietly;
use bowline_layout::{Addr, Value};
use std::cell::UnsafeCell;
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard};

/// A table of roots of somebody else's, scanned at every collection.
///
/// Both methods run while the world is stopped: they must not allocate from the heap nor wait for a
/// lock that a stopped thread may hold. `inv:roots.still` binds them.
pub trait RootSource: Send + Sync {
    /// Calls `f` with each word that keeps its object alive. The collector updates it when the object
    /// moves.
    fn visit(&self, f: &mut dyn FnMut(&mut Value));

    /// Calls `f` with each word that does not. It becomes [`Value::BROKEN`] when the object dies.
    fn visit_weak(&self, f: &mut dyn FnMut(&mut Value)) {
        let _ = f;
    }

    /// Whether nobody will want it any more. Such a source is dropped when another is registered.
    fn is_dead(&self) -> bool {
        false
    }
}

/// A global cell: [`crate::Heap::new_global`].
#[derive(PartialEq, Eq, Hash, Debug)]
pub struct Global(u32);

const CHUNK: usize = 256;

/// What the global cells' lock guards.
#[derive(Default)]
pub(crate) struct Cells {
    /// A list of slices, so that growing moves no cell (`inv:roots.still`). Handles and the collector reach theirs
    /// by address, whoever has the lock.
    chunks: Vec<Box<[UnsafeCell<Value>]>>,
    free: Vec<u32>,
    /// Given back by threads that need not be Managed: still cells until somebody who may change them comes.
    retired: Vec<u32>,
}

impl Cells {
    fn cell(&self, index: u32) -> &UnsafeCell<Value> {
        let index = index as usize;
        &self.chunks[index / CHUNK][index % CHUNK]
    }

    fn get(&self, index: u32) -> Value {
        // SAFETY: a cell is written by whoever it belongs to, and by the collector (inv:roots.still).
        unsafe { self.cell(index).get().read() }
    }

    fn set(&mut self, index: u32, v: Value) {
        // SAFETY: as for `get`.
        unsafe { self.cell(index).get().write(v) };
    }

    /// Frees what was retired. The calling thread is Managed, or the collector's before it looks at a cell.
    fn reclaim(&mut self) {
        while let Some(index) = self.retired.pop() {
            self.set(index, Value::FALSE);
            self.free.push(index);
        }
    }

    /// A cell that holds `v`.
    fn add(&mut self, v: Value) -> u32 {
        self.reclaim();
        if self.free.is_empty() {
            let first = (self.chunks.len() * CHUNK) as u32;
            let fresh = || UnsafeCell::new(Value::FALSE);
            self.chunks
                .push(std::iter::repeat_with(fresh).take(CHUNK).collect());
            self.free.extend((first..first + CHUNK as u32).rev());
        }
        let index = self.free.pop().expect("a chunk was just added");
        self.set(index, v);
        index
    }
}

/// The global cells.
#[derive(Default)]
pub(crate) struct Globals(Mutex<Cells>);

impl Globals {
    /// More than the tables grow by for one more cell, in bytes, unless there are millions.
    pub(crate) const STEP: usize = 1 << 20;

    pub(crate) fn hold(&self) -> MutexGuard<'_, Cells> {
        lock(&self.0)
    }

    pub(crate) fn add(&self, v: Value) -> Global {
        Global(lock(&self.0).add(v))
    }

    /// [`Globals::add`], with the address of the cell, which is good for ever.
    pub(crate) fn add_cell(&self, v: Value) -> (Global, NonNull<Value>) {
        let mut cells = lock(&self.0);
        let index = cells.add(v);
        let cell = NonNull::new(cells.cell(index).get()).expect("a cell is at no null");
        (Global(index), cell)
    }

    /// Gives a cell back, on any thread in any state (`inv:roots.still`: the cell does not change now).
    pub(crate) fn retire(&self, global: Global) {
        quietly(|| lock(&self.0).retired.push(global.0));
    }

    pub(crate) fn get(&self, global: &Global) -> Value {
        lock(&self.0).get(global.0)
    }

    pub(crate) fn set(&self, global: &Global, v: Value) {
        lock(&self.0).set(global.0, v);
    }

    pub(crate) fn remove(&self, global: Global) {
        let mut cells = lock(&self.0);
        cells.set(global.0, Value::FALSE);
        cells.free.push(global.0);
    }

    /// Calls `f` with the address of each cell.
    pub(crate) fn each_word(&self, f: &mut dyn FnMut(Addr)) {
        let mut cells = lock(&self.0);
        cells.reclaim();
        for cell in cells.chunks.iter().flatten() {
            f(word_at(cell.get()));
        }
    }
}

/// The address of a word that holds a value.
pub(crate) fn word_of(v: &mut Value) -> Addr {
    word_at(v)
}

fn word_at(p: *mut Value) -> Addr {
    Addr::new(p.expose_provenance())
}

/// The registered tables.
#[derive(Default)]
pub(crate) struct Sources(Mutex<Vec<Box<dyn RootSource>>>);

impl Sources {
    pub(crate) fn hold(&self) -> MutexGuard<'_, Vec<Box<dyn RootSource>>> {
        lock(&self.0)
    }

    pub(crate) fn add(&self, source: Box<dyn RootSource>) {
        let mut sources = lock(&self.0);
        let dead: Vec<_> = sources.extract_if(.., |s| s.is_dead()).collect();
        sources.push(source);
        drop(sources);
        // What they hold is somebody else's: it goes after the lock.
        drop(dead);
    }

    /// Calls `f` with the address of each strong word.
    pub(crate) fn each_word(&self, f: &mut dyn FnMut(Addr)) {
        for source in lock(&self.0).iter() {
            source.visit(&mut |v| f(word_of(v)));
        }
    }

    /// Calls `f` with each weak word.
    pub(crate) fn each_weak(&self, f: &mut dyn FnMut(&mut Value)) {
        for source in lock(&self.0).iter() {
            source.visit_weak(f);
        }
    }
}
