//! C memory that dies with an object of the heap.
//!
//! An *owner* is an object with something outside the heap that is given back when the collector finds the object
//! dead: mostly C memory, and otherwise what a function of the runtime's knows to give back. No finalizer runs: a
//! dead owner costs its `free` or that function and nothing else, and in a minor collection old owners cost nothing
//! at all.
//!
//! ```text
//!   add ──▶ young ──(survives any collection)──▶ old
//!             │ dies in any                       │ dies in a full one
//!             └───────────────▶ dead ◀────────────┘
//!                                │ given back
//! ```
//!
//! `inv:owners.dead` What is dead belongs to nobody: its owner was not reached when everything
//! that can be reached, resurrected objects included, had been, or never came to own it. It is taken away once.
//!
//! Dead memory is given back by the first thread that goes on after the collection, not by the
//! collector: most of it was allocated by that thread, to which a `free` is cheap, and pauses do not
//! pay for it. If no thread waits for the end of the collection the collector does it.
//!
//! `inv:owners.row` All owners stand in one row, the oldest first, also when they have died. So a collection, which may
//! find no memory, needs none to sort them; and what was made together is given back together.

use crate::c_memory::CMemory;
use crate::heap::Heap;
use crate::thread::quietly;
use crate::weak::View;
use bowline_layout::Value;
use std::collections::HashMap;
use std::ffi::c_void;
use std::ptr::NonNull;

/// What owns C memory and where it was made, as the language says it: [`crate::Heap::owner_label`]. The
/// default stands in no table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct OwnerLabel(u32);

/// A line of the table of owners.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Owner {
    /// What they are and where they were made.
    pub label: String,
    /// The bytes of C memory that they hold.
    pub bytes: usize,
    /// How many live, or have died unnoticed.
    pub count: usize,
}

/// What an owner has outside the heap.
#[derive(Clone, Copy)]
pub(crate) enum Release {
    /// Memory of [`CMemory::alloc`], for this owner alone.
    Memory(NonNull<c_void>),
    /// What the function gives back when it is called with this word.
    Call(fn(usize), usize),
}

/// What a dead owner left.
#[derive(Clone, Copy)]
pub(crate) struct Dead {
    release: Release,
    pub(crate) bytes: usize,
}

// SAFETY: C memory belongs to no thread, and a release may run on any.
unsafe impl Send for Dead {}

impl Dead {
    /// Gives it back. The thread holds no lock of the heap's.
    pub(crate) fn give_back(self, memory: &CMemory) {
        match self.release {
            // SAFETY: inv:owners.dead.
            Release::Memory(at) => unsafe { memory.free(at) },
            Release::Call(release, word) => quietly(|| release(word)),
        }
    }

    /// Whether its bytes count as declared, because the region does not count them.
    pub(crate) fn is_declared(&self) -> bool {
        matches!(self.release, Release::Call(..))
    }
}

struct Owned {
    owner: Value,
    left: Dead,
    label: OwnerLabel,
}

/// In place of an owner that has died and was taken away. One that was not is broken.
const GONE: Value = Value::FALSE;

impl Owned {
    fn lives(&self) -> bool {
        self.owner != Value::BROKEN && self.owner != GONE
    }
}

#[derive(Default)]
struct Line {
    name: String,
    bytes: usize,
    count: usize,
}

/// The most of the dead that are taken at once.
const TAKEN: usize = 64;

/// The owners of the process.
#[derive(Default)]
pub(crate) struct Owners {
    /// inv:owners.row
    row: Vec<Owned>,
    /// How many are old, and how many live.
    old: usize,
    live: usize,
    /// From where on there are dead ones, and up to where they were taken.
    dead: Option<(usize, usize)>,
    lines: Vec<Line>,
    labels: HashMap<String, OwnerLabel>,
}

impl Owners {
    /// The label of this name.
    pub(crate) fn label(&mut self, name: &str) -> OwnerLabel {
        if let Some(label) = self.labels.get(name) {
            return *label;
        }
        self.lines.push(Line {
            name: name.into(),
            ..Line::default()
        });
        let label = OwnerLabel(self.lines.len() as u32);
        self.labels.insert(name.into(), label);
        label
    }

    /// The name of a label.
    pub(crate) fn name(&self, label: OwnerLabel) -> Option<&str> {
        let index = (label.0 as usize).checked_sub(1)?;
        self.lines.get(index).map(|line| line.name.as_str())
    }

    /// Adds an owner of what `release` gives back, which are `bytes`. For `Err`, there is no memory to note it, and
    /// the caller gives that back.
    pub(crate) fn add(
        &mut self,
        heap: &Heap,
        owner: Value,
        release: Release,
        bytes: usize,
        label: OwnerLabel,
    ) -> Result<(), Dead> {
        let left = Dead { release, bytes };
        if !heap.has_room_in(&mut self.row, 1) {
            return Err(left);
        }
        self.charge(label, bytes);
        self.row.push(Owned { owner, left, label });
        self.live += 1;
        Ok(())
    }

    /// How many objects own something.
    pub(crate) fn count(&self) -> usize {
        self.live
    }

    fn line(&mut self, label: OwnerLabel) -> Option<&mut Line> {
        let index = (label.0 as usize).checked_sub(1)?;
        self.lines.get_mut(index)
    }

    /// Counts something with this label.
    pub(crate) fn charge(&mut self, label: OwnerLabel, bytes: usize) {
        if let Some(line) = self.line(label) {
            line.bytes += bytes;
            line.count += 1;
        }
    }

    /// Takes [`Owners::charge`] back.
    pub(crate) fn discharge(&mut self, label: OwnerLabel, bytes: usize) {
        if let Some(line) = self.line(label) {
            line.bytes -= bytes;
            line.count -= 1;
        }
    }

    /// Sorts the dead from the living at the end of a collection, when nothing more is reached. Returns
    /// the bytes that died.
    pub(crate) fn settle(&mut self, view: View) -> usize {
        self.sort(!view.minor, &mut |v| view.settle(v))
    }

    /// [`Owners::settle`] for a collection of another kind: `place` says where an owner is now, or that
    /// it is broken.
    pub(crate) fn settle_by(&mut self, place: &mut dyn FnMut(Value) -> Value) -> usize {
        self.sort(true, place)
    }

    fn sort(&mut self, old_too: bool, place: &mut dyn FnMut(Value) -> Value) -> usize {
        let mut died = 0;
        let first = if old_too { 0 } else { self.old };
        for i in first..self.row.len() {
            let owned = &mut self.row[i];
            if !owned.lives() {
                continue;
            }
            owned.owner = place(owned.owner);
            if owned.lives() {
                continue;
            }
            let (label, bytes) = (owned.label, owned.left.bytes);
            died += bytes;
            self.live -= 1;
            self.discharge(label, bytes);
            let (from, taken) = self.dead.unwrap_or((first, first));
            self.dead = Some((from.min(first), taken.min(first)));
        }
        self.old = self.row.len();
        died
    }

    /// Takes some of the dead away (`inv:owners.dead`), the oldest first; nothing once there are none.
    pub(crate) fn take_dead(&mut self) -> [Option<Dead>; TAKEN] {
        let mut dead = [None; TAKEN];
        let mut count = 0;
        let Some((from, mut at)) = self.dead else {
            return dead;
        };
        while count < TAKEN && at < self.row.len() {
            let owned = &mut self.row[at];
            if owned.owner == Value::BROKEN {
                owned.owner = GONE;
                dead[count] = Some(owned.left);
                count += 1;
            }
            at += 1;
        }
        self.dead = Some((from, at));
        if at == self.row.len() {
            self.close_up(from);
        }
        dead
    }

    /// Closes the gaps that the dead have left from here on.
    fn close_up(&mut self, from: usize) {
        let mut kept = from;
        for i in from..self.row.len() {
            if self.row[i].owner != GONE {
                self.row.swap(kept, i);
                kept += 1;
            }
        }
        // What is gone was old.
        self.old -= self.row.len() - kept;
        self.row.truncate(kept);
        self.dead = None;
    }

    /// The labels that hold the most bytes, at most `top` of them.
    pub(crate) fn table(&self, top: usize) -> Vec<Owner> {
        let mut lines: Vec<&Line> = self.lines.iter().filter(|l| l.count > 0).collect();
        lines.sort_by(|a, b| (b.bytes, b.count, &a.name).cmp(&(a.bytes, a.count, &b.name)));
        let owner = |line: &Line| Owner {
            label: line.name.clone(),
            bytes: line.bytes,
            count: line.count,
        };
        lines.into_iter().take(top).map(owner).collect()
    }
}
