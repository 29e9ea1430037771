//! Random calls of several threads, which one thread plays, against a shadow: with handlers that interrupt any of them and call the
//! same functions, threads that end and go on, forks, a clock that moves and a system that refuses.
//!
//! After each step everything is looked over as each of the threads, and the accounts are what the spans say.

use super::{Small, allocator, free, live};
use crate::account::Class::{self, Client, Runtime};
use crate::heap::EMPTY;
use crate::region::SLICE;
use crate::tls::Words;
use crate::tls::model::{alarm, disarm, forget_others, play};
use proptest::prelude::*;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

/// How many threads are played.
const THREADS: usize = 3;

/// Client memory up to which no request may be refused.
const ROOM: usize = 8 << 20;

/// A call of the family.
#[derive(Clone, Debug)]
enum Call {
    Malloc(usize),
    Calloc(usize, usize),
    Aligned(usize, u32, Class),
    Free(usize),
    Realloc(usize, usize),
    UsableSize(usize),
    Purge,
}

#[derive(Clone, Debug)]
enum Step {
    Call(Call),
    /// A call that is interrupted where it might have been so often before, by a handler with calls of its own.
    Interrupted(Call, usize, Vec<Call>),
    Play(usize),
    /// The thread ends, and goes on; or another one begins in its place.
    End(bool),
    Fork,
    Pass(u64),
    Refuse(usize),
    Heal,
}

fn sizes() -> impl Strategy<Value = usize> {
    prop_oneof![
        8 => 0..300_usize,
        4 => 0..5000_usize,
        2 => 0..70_000_usize,
        1 => 0..200_000_usize,
    ]
}

fn calls() -> impl Strategy<Value = Call> {
    let class = prop_oneof![2 => Just(Client), 1 => Just(Runtime)];
    prop_oneof![
        8 => sizes().prop_map(Call::Malloc),
        2 => (0..5_usize, sizes()).prop_map(|(n, bytes)| Call::Calloc(n, bytes)),
        3 => (sizes(), 4..15_u32, class).prop_map(|(n, a, c)| Call::Aligned(n, a, c)),
        11 => any::<usize>().prop_map(Call::Free),
        4 => (any::<usize>(), sizes()).prop_map(|(i, n)| Call::Realloc(i, n)),
        2 => any::<usize>().prop_map(Call::UsableSize),
        1 => Just(Call::Purge),
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    let handler = prop::collection::vec(calls(), 1..8);
    let after = prop_oneof![0..12_usize, 0..90_usize];
    prop_oneof![
        20 => calls().prop_map(Step::Call),
        10 => (calls(), after, handler).prop_map(|(c, n, h)| Step::Interrupted(c, n, h)),
        8 => (0..THREADS).prop_map(Step::Play),
        2 => any::<bool>().prop_map(Step::End),
        1 => Just(Step::Fork),
        2 => (0..900_u64).prop_map(Step::Pass),
        1 => (0..3_usize).prop_map(Step::Refuse),
        2 => Just(Step::Heal),
    ]
}

/// A live block: how many bytes may be used and how many were asked for, and what they begin with.
#[derive(Clone, Copy, Debug)]
struct Block {
    usable: usize,
    bytes: usize,
    seed: u8,
}

/// The allocator, and what it has given out. A call in progress has taken its block out.
struct World {
    all: Box<Small>,
    blocks: RefCell<BTreeMap<*mut u8, Block>>,
    seed: Cell<u8>,
    /// Whether a request may be refused.
    faulty: Cell<bool>,
    nested: Cell<bool>,
}

impl World {
    fn new() -> Rc<Self> {
        let all = allocator();
        // What is refused now is refused for ever.
        assert!(all.boot());
        Rc::new(World {
            all,
            blocks: RefCell::default(),
            seed: Cell::new(0),
            faulty: Cell::new(false),
            nested: Cell::new(false),
        })
    }

    fn take_out(&self, which: usize) -> Option<(*mut u8, Block)> {
        let mut blocks = self.blocks.borrow_mut();
        let place = which.checked_rem(blocks.len())?;
        let at = *blocks.keys().nth(place)?;
        let block = blocks.remove(&at)?;
        verify(at, block.seed, block.bytes);
        Some((at, block))
    }

    /// A block was given out.
    fn put_in(&self, at: *mut u8, bytes: usize, align: usize) {
        if at.is_null() {
            let crowded = live(&self.all, Client) + live(&self.all, Runtime) > ROOM;
            assert!(self.faulty.get() || self.nested.get() || crowded, "{bytes}");
            return;
        }
        assert!(at.addr().is_multiple_of(align));
        // SAFETY: inv:alloc.block: the block is live.
        let usable = unsafe { self.all.usable_size(at) };
        assert!(usable >= bytes);
        let mut blocks = self.blocks.borrow_mut();
        let before = blocks.range(..=at).next_back();
        assert!(before.is_none_or(|(start, block)| start.addr() + block.usable <= at.addr()));
        let after = blocks.range(at..).next();
        assert!(after.is_none_or(|(start, _)| at.addr() + usable <= start.addr()));
        let seed = self.seed.get().wrapping_add(1);
        self.seed.set(seed);
        fill(at, seed, bytes);
        let block = Block {
            usable,
            bytes,
            seed,
        };
        blocks.insert(at, block);
    }

    fn call(&self, call: &Call) {
        let all = &self.all;
        match *call {
            Call::Malloc(bytes) => self.put_in(all.malloc(bytes), bytes, 16),
            Call::Calloc(count, bytes) => {
                let at = all.calloc(count, bytes);
                if !at.is_null() {
                    // SAFETY: inv:alloc.block: the block is live and has that many bytes.
                    let found = unsafe { std::slice::from_raw_parts(at, count * bytes) };
                    assert!(found.iter().all(|byte| *byte == 0));
                }
                self.put_in(at, count * bytes, 16);
            }
            Call::Aligned(bytes, shift, class) => {
                let at = all.alloc_class(bytes, 1 << shift, false, class);
                self.put_in(at, bytes, 1 << shift);
            }
            Call::Free(which) => {
                if let Some((at, _)) = self.take_out(which) {
                    free(all, at);
                }
            }
            Call::Realloc(which, bytes) => self.realloc(which, bytes),
            Call::UsableSize(which) => {
                if let Some((at, block)) = self.take_out(which) {
                    // SAFETY: inv:alloc.block: the block is live.
                    assert_eq!(unsafe { all.usable_size(at) }, block.usable);
                    self.blocks.borrow_mut().insert(at, block);
                }
            }
            Call::Purge => all.purge(),
        }
    }

    fn realloc(&self, which: usize, bytes: usize) {
        let Some((at, block)) = self.take_out(which) else {
            return;
        };
        // SAFETY: inv:alloc.block: the block is live.
        let moved = unsafe { self.all.realloc(at, bytes) };
        if bytes == 0 {
            assert!(moved.is_null());
        } else if moved.is_null() {
            verify(at, block.seed, block.bytes);
            self.blocks.borrow_mut().insert(at, block);
            self.put_in(moved, bytes, 16);
        } else {
            verify(moved, block.seed, block.bytes.min(bytes));
            self.put_in(moved, bytes, 16);
        }
    }

    /// Makes a call that a handler interrupts, if it takes so long.
    fn interrupt(self: &Rc<Self>, call: &Call, after: usize, calls: Vec<Call>) {
        let world = self.clone();
        alarm(after, move || {
            world.nested.set(true);
            calls.iter().for_each(|call| world.call(call));
            world.nested.set(false);
        });
        self.call(call);
        disarm();
    }

    fn begin_anew(&self) {
        let words = self.all.words();
        words.set(words.slot(), EMPTY);
    }

    fn step(self: &Rc<Self>, step: Step) {
        let pal = self.all.region().pal();
        match step {
            Step::Call(call) => self.call(&call),
            Step::Interrupted(call, after, calls) => self.interrupt(&call, after, calls),
            Step::Play(thread) => play(thread),
            Step::End(goes_on) => {
                self.all.thread_exit();
                if !goes_on {
                    self.begin_anew();
                }
            }
            Step::Fork => {
                self.all.fork_prepare();
                self.all.fork_child();
                forget_others(pal);
            }
            Step::Pass(ms) => pal.pass(ms),
            Step::Refuse(after) => {
                pal.commit.after(after);
                self.faulty.set(true);
            }
            Step::Heal => {
                pal.commit.never();
                self.faulty.set(false);
            }
        }
    }

    fn check(&self) {
        let (_, now) = self.all.words().slot();
        for thread in 0..THREADS {
            play(thread);
            assert_eq!(self.all.check(), Ok(()), "as thread {thread}");
        }
        play(now);
        let totals = self.all.region().check().expect("sound");
        let counted = live(&self.all, Client) + live(&self.all, Runtime);
        assert_eq!(totals.taken * SLICE, counted);
        let given: usize = self.blocks.borrow().values().map(|b| b.usable).sum();
        assert!(given <= counted, "{given} of {counted}");
    }
}

fn byte(seed: u8, at: usize) -> u8 {
    seed.wrapping_add((at * 31) as u8)
}

fn fill(block: *mut u8, seed: u8, bytes: usize) {
    for at in 0..bytes {
        // SAFETY: inv:alloc.block: the block is live and has that many bytes.
        unsafe { block.wrapping_add(at).write(byte(seed, at)) };
    }
}

fn verify(block: *mut u8, seed: u8, bytes: usize) {
    for at in 0..bytes {
        // SAFETY: inv:alloc.block: the block is live and was filled.
        let found = unsafe { block.wrapping_add(at).read() };
        assert_eq!(found, byte(seed, at), "byte {at} of {bytes}");
    }
}

const CASES: u32 = if cfg!(debug_assertions) { 60 } else { 600 };

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn random_calls_of_several_threads_keep_every_promise(plan in prop::collection::vec(steps(), 1..250)) {
        let world = World::new();
        play(0);
        for step in plan {
            world.step(step);
            world.check();
        }
        world.step(Step::Heal);
        while !world.blocks.borrow().is_empty() {
            world.call(&Call::Free(0));
        }
        for thread in 0..THREADS {
            play(thread);
            world.all.thread_exit();
            world.begin_anew();
            world.all.do_chores();
        }
        play(0);
        world.all.purge();
        prop_assert_eq!(live(&world.all, Client), 0);
        world.check();
    }
}
