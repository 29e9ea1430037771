//! One thread of a torture run: its slots, and what each step does to them.

use std::thread;
use std::time::Duration;

use crate::fault::Fault;
use crate::plan::{Impossible, Kind, SLOTS, Step};
use crate::random::{Rng, derive};
use crate::raw::{Block, Call, End, at_thread_end, errno, exit_now, fork};
use crate::recorder::Seat;

use super::World;
use super::checked::Checked;

/// How long a forked child may take: it does some thousand calls.
const CHILD: Duration = Duration::from_secs(12);

/// Blocks larger than this are not left in boxes, where nobody's share counts them.
const PASSED: usize = 1 << 18;

/// What a child leaves when it has left a verdict.
const JUDGED: i32 = 3;

/// A thread that carries out its part of the plan.
pub(super) struct Worker {
    world: &'static World,
    checked: Checked<'static>,
    seat: Seat,
    number: u32,
    slots: Vec<Option<Block>>,
    held: usize,
    /// Told to every block, so that no two have the same pattern.
    serial: u64,
}

/// What a block costs its holder: large alignments leave gaps.
fn cost(block: &Block) -> usize {
    block.usable() + block.call().align()
}

impl Worker {
    pub(super) fn new(world: &'static World, number: u32, seat: Seat) -> Self {
        Self {
            world,
            checked: Checked::new(world, seat),
            seat,
            number,
            slots: (0..SLOTS).map(|_| None).collect(),
            held: 0,
            serial: u64::from(number) << 48,
        }
    }

    /// Does every step, then frees everything.
    pub(super) fn run(&mut self) -> Result<(), Fault> {
        for index in 0..self.world.plan.steps {
            if self.world.stopped() {
                break;
            }
            self.step(self.world.plan.step(self.number, index), index)?;
            self.seat.stepped();
        }
        (0..SLOTS).try_for_each(|slot| self.empty(slot))
    }

    fn key(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    fn put(&mut self, slot: usize, block: Block) {
        self.held += cost(&block);
        self.slots[slot] = Some(block);
    }

    fn get(&mut self, slot: usize) -> Option<Block> {
        let block = self.slots[slot].take()?;
        self.held -= cost(&block);
        Some(block)
    }

    fn empty(&mut self, slot: usize) -> Result<(), Fault> {
        match self.get(slot) {
            Some(block) => self.checked.drop(block),
            None => Ok(()),
        }
    }

    fn fits(&self, size: usize) -> bool {
        self.held.saturating_add(size) <= self.world.plan.share()
    }

    fn step(&mut self, step: Step, index: u64) -> Result<(), Fault> {
        match step {
            Step::Rest => Ok(()),
            Step::Take { slot, call } => self.take(slot, call),
            Step::Drop { slot } => self.empty(slot),
            Step::Resize {
                slot,
                size,
                element,
            } => self.resize(slot, size, element),
            Step::Look { slot } => match &self.slots[slot] {
                Some(block) => self.checked.look(block, "meanwhile"),
                None => Ok(()),
            },
            Step::Pass { slot, at } => self.pass(slot, at),
            Step::Refused(Impossible::Ask(call)) => self.checked.refused(call),
            Step::Refused(Impossible::Resize(slot, size)) => {
                self.checked.resize_refused(self.slots[slot].as_ref(), size)
            }
            Step::Churn { blocks } => self.churn(blocks, index),
            Step::Fork => self.fork(),
            Step::Trim => {
                self.seat.act("malloc_trim", 0, 0, 0);
                self.world.family.trim(0);
                Ok(())
            }
        }
    }

    fn take(&mut self, slot: usize, call: Call) -> Result<(), Fault> {
        self.empty(slot)?;
        if !self.fits(call.size() + call.align()) {
            return Ok(());
        }
        let key = self.key();
        let block = self.checked.take(call, key, self.held)?;
        self.put(slot, block);
        Ok(())
    }

    fn resize(&mut self, slot: usize, size: usize, element: Option<usize>) -> Result<(), Fault> {
        // A block of `new` may not be resized.
        let made_by_new = |block: &Block| matches!(block.call(), Call::New { .. });
        if !self.fits(size) || self.slots[slot].as_ref().is_some_and(made_by_new) {
            return self.empty(slot);
        }
        let Some(block) = self.get(slot) else {
            return self.take(slot, Call::Malloc { size });
        };
        let key = self.key();
        let block = self.checked.resize(block, size, element, key, self.held)?;
        self.put(slot, block);
        Ok(())
    }

    fn pass(&mut self, slot: usize, at: usize) -> Result<(), Fault> {
        let large = |block: &Block| cost(block) > PASSED;
        if self.slots[slot].as_ref().is_some_and(large) {
            return Ok(());
        }
        // Not `lock`: a forked child may find it held by a thread that it does not have.
        let Ok(mut place) = self.world.boxes[at].try_lock() else {
            return Ok(());
        };
        let mine = self.slots[slot].take();
        self.held -= mine.as_ref().map_or(0, cost);
        let theirs = std::mem::replace(&mut *place, mine);
        drop(place);
        if let Some(block) = theirs {
            self.checked.look(&block, "after it was handed over")?;
            self.put(slot, block);
        }
        Ok(())
    }

    /// A thread takes some blocks, frees some of ours, hands us some, and dies with the rest in
    /// its hands, which its last destructor frees.
    fn churn(&mut self, blocks: usize, index: u64) -> Result<(), Fault> {
        let mut gifts = Vec::with_capacity(blocks);
        for slot in 0..blocks.min(SLOTS) {
            gifts.extend(self.get(slot));
        }
        let keys = derive(self.serial, index);
        let (world, seat) = (self.world, self.seat);
        let thread = thread::Builder::new().spawn(move || {
            visit(world, seat, gifts, blocks, keys).unwrap_or_else(|f| world.fail(&f))
        });
        self.seat.act("starting or joining a thread", 0, 0, 0);
        // With no thread to be had the gifts are leaked: still claimed, so still watched.
        let Ok(thread) = thread else {
            return Ok(());
        };
        let left = thread.join().unwrap_or_default();
        for (slot, block) in left.into_iter().enumerate() {
            if self.slots[slot].is_none() && self.fits(cost(&block)) {
                self.put(slot, block);
            } else {
                self.checked.drop(block)?;
            }
        }
        Ok(())
    }

    fn fork(&mut self) -> Result<(), Fault> {
        self.seat.act("fork", 0, 0, 0);
        let forked = fork(|| match self.in_child() {
            Ok(()) => 0,
            Err(fault) => self.world.fail(&fault),
        });
        let forked = forked.map_err(|_| Fault::NoFork { errno: errno() })?;
        match forked.wait(CHILD) {
            // A child that found a fault has left it as the verdict.
            End::Exited(_) if self.world.recorder.judged() => exit_now(JUDGED),
            End::Exited(_) => Ok(()),
            End::Signalled(signal) => Err(Fault::ChildDied { signal }),
            End::Late => Err(Fault::ChildHung),
        }
    }

    /// What a forked child does: it looks at what it inherited from this thread and what lies in
    /// the boxes, frees half, uses the malloc for a while, and frees the rest.
    fn in_child(&mut self) -> Result<(), Fault> {
        for slot in 0..SLOTS {
            if slot % 2 == 0 {
                self.empty(slot)?;
            } else if let Some(block) = &self.slots[slot] {
                self.checked.look(block, "in a forked child")?;
            }
        }
        for at in 0..self.world.boxes.len() {
            let left = self.world.boxes[at]
                .try_lock()
                .map(|mut place| place.take());
            if let Ok(Some(block)) = left {
                self.checked.drop(block)?;
            }
        }
        for index in 0..300 {
            let slot = index % SLOTS;
            let call = match self.world.plan.step(self.number, index as u64) {
                Step::Take { call, .. } => call,
                _ => Call::Malloc { size: index * 7 },
            };
            self.take(slot, call)?;
        }
        (0..SLOTS).try_for_each(|slot| self.empty(slot))
    }
}

/// The life of a short-lived thread: what it returns is for the one that started it.
fn visit(
    world: &'static World,
    seat: Seat,
    gifts: Vec<Block>,
    blocks: usize,
    keys: u64,
) -> Result<Vec<Block>, Fault> {
    let checked = Checked::new(world, seat);
    let mut rng = Rng::new(keys);
    let mut mine = Vec::with_capacity(blocks);
    for i in 0..blocks {
        let size = rng.within(1, 2000);
        let call = if world.plan.has(Kind::Calloc) && i % 4 == 0 {
            Call::Calloc { count: 1, size }
        } else {
            Call::Malloc { size }
        };
        mine.push(checked.take(call, keys.wrapping_add(i as u64), 0)?);
    }
    gifts
        .into_iter()
        .try_for_each(|block| checked.drop(block))?;
    let kept = mine.split_off(blocks / 2);
    at_thread_end(move || {
        let last = farewell(world, seat, kept, keys);
        last.unwrap_or_else(|fault| world.fail(&fault));
    });
    Ok(mine)
}

/// What the last destructor of a thread does: allocates once more and frees everything, and again
/// in the next round of destructors.
fn farewell(world: &'static World, seat: Seat, kept: Vec<Block>, keys: u64) -> Result<(), Fault> {
    let checked = Checked::new(world, seat);
    let block = checked.take(Call::Malloc { size: 100 }, !keys, 0)?;
    kept.into_iter().try_for_each(|block| checked.drop(block))?;
    at_thread_end(move || {
        let checked = Checked::new(world, seat);
        let last = checked.drop(block);
        last.unwrap_or_else(|fault| world.fail(&fault));
    });
    Ok(())
}
