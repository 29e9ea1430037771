//! Random calls of several threads, which one thread plays, against a shadow: with handlers that interrupt any of them and call the
//! same functions, threads that overtake another in the middle of a call, threads that end and go on, forks, a clock that moves, limits
//! that come and go, and a system that refuses.
//!
//! After each step everything is looked over as each of the threads, and the accounts are what the spans say.

mod plan;

use super::{Small, allocator, free, live, vanish};
use crate::account::Class::{self, Client, Runtime};
use crate::errno;
use crate::heap::{BUSY, DEAD};
use crate::region::SLICE;
use crate::tls::Words;
use crate::tls::model::{alarm, disarm, forget_others, play};
use plan::{Call, End, Refusal, Setting, Step, THREADS, settings, steps};
use proptest::prelude::*;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ptr;
use std::rc::Rc;

/// Client memory up to which no request may be refused, and up to how many bytes in one.
const ROOM: usize = 8 << 20;
const WHOLE: usize = 400 << 10;

/// What errno is before a call that must keep it.
const KEPT: i32 = 4711;

static ZEROS: [u8; 5 << 20] = [0; 5 << 20];

thread_local! {
    /// What is done when the client is asked.
    static ASKED: RefCell<Option<Box<dyn FnOnce() -> bool>>> = const { RefCell::new(None) };
}

extern "C" fn ask(_: usize) -> u32 {
    ASKED.take().map_or(0, |asked| u32::from(asked()))
}

/// A live block: how many bytes may be used, what it is a multiple of, and what is in it.
#[derive(Clone, Copy, Debug)]
struct Block {
    usable: usize,
    align: usize,
    seed: u8,
}

impl Block {
    /// Which bytes of it are written: of a large one a few, and of every other one nothing but its ends.
    fn places(&self) -> impl Iterator<Item = usize> + use<> {
        let end = if self.usable <= 4096 { 2048 } else { 40 };
        let step = if self.seed.is_multiple_of(2) {
            997
        } else {
            usize::MAX
        };
        let usable = self.usable;
        let middle = (end..usable).step_by(step);
        (0..usable.min(end))
            .chain(middle)
            .chain(usable.saturating_sub(end).max(end)..usable)
    }

    fn byte(&self, at: usize) -> u8 {
        self.seed.wrapping_add((at * 31) as u8)
    }

    fn fill(&self, block: *mut u8) {
        for at in self.places() {
            // SAFETY: inv:alloc.block: the block is live and has that many bytes.
            unsafe { block.wrapping_add(at).write(self.byte(at)) };
        }
    }

    /// The first bytes of it stand at `block`.
    fn verify(&self, block: *mut u8, bytes: usize) {
        for at in self.places().filter(|at| *at < bytes) {
            // SAFETY: inv:alloc.block: the block is live and was filled.
            let found = unsafe { block.wrapping_add(at).read() };
            assert_eq!(found, self.byte(at), "byte {at} of {self:?}");
        }
    }
}

/// The allocator, and what it has given out. A call in progress has taken its block out.
struct World {
    all: Box<Small>,
    setting: Setting,
    blocks: RefCell<BTreeMap<*mut u8, Block>>,
    seed: Cell<u8>,
    /// Whether a request may be refused: the system refuses, or the client has a limit, or refuses itself.
    faulty: Cell<bool>,
    limited: Cell<bool>,
    refusing: Cell<bool>,
    /// The same, and for ever.
    narrow: Cell<bool>,
    nested: Cell<bool>,
}

impl World {
    fn new(setting: Setting) -> Rc<Self> {
        let all = allocator();
        if setting.scarce {
            all.region().pal().limit_data(4 << 20);
        }
        // What is refused now is refused for ever.
        assert!(all.boot());
        assert!(!setting.hardened || all.harden());
        if let Some(interval) = setting.profile {
            assert!(all.profile(interval, |_| 0));
        }
        if setting.crowd {
            let heaps: Vec<_> = (0..17).map_while(|_| all.borrow()).collect();
            heaps.into_iter().for_each(|heap| all.finish(heap));
        }
        all.region().set_pressure(Some(ask));
        Rc::new(World {
            all,
            setting,
            blocks: RefCell::default(),
            seed: Cell::new(0),
            faulty: Cell::new(false),
            limited: Cell::new(false),
            refusing: Cell::new(false),
            narrow: Cell::new(false),
            nested: Cell::new(false),
        })
    }

    fn take_out(&self, which: usize) -> Option<(*mut u8, Block)> {
        let mut blocks = self.blocks.borrow_mut();
        let place = which.checked_rem(blocks.len())?;
        let at = *blocks.keys().nth(place)?;
        let block = blocks.remove(&at)?;
        block.verify(at, block.usable);
        Some((at, block))
    }

    fn usable(&self, at: *mut u8) -> usize {
        errno::set(KEPT);
        // SAFETY: inv:alloc.block: the block is live.
        let usable = unsafe { self.all.usable_size(at) };
        assert_eq!(errno::get(), KEPT);
        usable
    }

    /// A request was refused.
    fn refused(&self, bytes: usize) {
        assert_eq!(errno::get(), libc::ENOMEM);
        let crowded = live(&self.all, Client) + live(&self.all, Runtime) > ROOM;
        let reasons = [
            &self.faulty,
            &self.limited,
            &self.refusing,
            &self.narrow,
            &self.nested,
        ];
        let refused = reasons.into_iter().any(Cell::get);
        assert!(refused || crowded || bytes > WHOLE, "{bytes}");
    }

    /// A block was given out.
    fn put_in(&self, at: *mut u8, bytes: usize, align: usize) {
        if at.is_null() {
            return self.refused(bytes);
        }
        assert!(at.addr().is_multiple_of(align.max(16)), "{at:p} {align}");
        let usable = self.usable(at);
        assert!(usable >= bytes);
        let mut blocks = self.blocks.borrow_mut();
        let before = blocks.range(..=at).next_back();
        assert!(before.is_none_or(|(start, block)| start.addr() + block.usable <= at.addr()));
        let after = blocks.range(at..).next();
        assert!(after.is_none_or(|(start, _)| at.addr() + usable <= start.addr()));
        let seed = self.seed.get().wrapping_add(1);
        self.seed.set(seed);
        let block = Block {
            usable,
            align,
            seed,
        };
        block.fill(at);
        blocks.insert(at, block);
    }

    /// The same of one that is to be zero.
    fn put_in_zeroed(&self, at: *mut u8, bytes: usize, align: usize) {
        if !at.is_null() {
            // SAFETY: inv:alloc.block: the block is live and has that many bytes.
            let found = unsafe { std::slice::from_raw_parts(at, bytes) };
            assert!(found == &ZEROS[..bytes]);
        }
        self.put_in(at, bytes, align);
    }

    fn call(&self, call: &Call) {
        let all = &self.all;
        match *call {
            Call::Malloc(bytes) => self.put_in(all.malloc(bytes), bytes, 16),
            Call::Calloc(count, bytes) => {
                let at = all.calloc(count, bytes);
                self.put_in_zeroed(at, count * bytes, 16);
            }
            Call::Aligned(bytes, shift, false, Client) => {
                self.put_in(all.aligned(bytes, 1 << shift), bytes, 1 << shift);
            }
            Call::Aligned(bytes, shift, false, class) => {
                let at = all.alloc_class(bytes, 1 << shift, false, class);
                self.put_in(at, bytes, 1 << shift);
            }
            Call::Aligned(bytes, shift, true, class) => {
                let at = all.alloc_class(bytes, 1 << shift, true, class);
                self.put_in_zeroed(at, bytes, 1 << shift);
            }
            Call::Free(which) => {
                if let Some((at, _)) = self.take_out(which) {
                    errno::set(KEPT);
                    free(all, at);
                    assert_eq!(errno::get(), KEPT);
                }
            }
            Call::Realloc(which, bytes) => self.realloc(which, bytes),
            Call::ReallocClass(which, bytes, shift, class) => {
                self.realloc_class(which, bytes.max(1), shift, class);
            }
            Call::UsableSize(which) => {
                if let Some((at, block)) = self.take_out(which) {
                    assert_eq!(self.usable(at), block.usable);
                    self.blocks.borrow_mut().insert(at, block);
                }
            }
            Call::Purge => all.purge(),
            Call::Fork(false) => {
                all.fork_prepare();
                all.fork_parent();
            }
            Call::Fork(true) => {
                all.fork_prepare();
                all.fork_child();
                forget_others(all.region().pal());
            }
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
        } else {
            self.resized(at, block, moved, bytes, 16);
        }
    }

    fn realloc_class(&self, which: usize, bytes: usize, shift: Option<u32>, class: Class) {
        let Some((at, block)) = self.take_out(which) else {
            return;
        };
        let align = shift.map_or(block.align, |shift| 1 << shift);
        // SAFETY: inv:alloc.block: the block is live.
        let moved = unsafe { self.all.realloc_class(at, bytes, align, class) };
        self.resized(at, block, moved, bytes, align);
    }

    /// A block was to hold so many bytes.
    fn resized(&self, at: *mut u8, block: Block, moved: *mut u8, bytes: usize, align: usize) {
        if moved.is_null() {
            self.refused(bytes);
            assert!(bytes > block.usable || !at.addr().is_multiple_of(align));
            assert_eq!(self.usable(at), block.usable);
            block.verify(at, block.usable);
            self.blocks.borrow_mut().insert(at, block);
        } else {
            block.verify(moved, block.usable.min(bytes));
            self.put_in(moved, bytes, align);
        }
    }

    /// Makes a call that is interrupted, if it takes so long.
    fn interrupt(self: &Rc<Self>, call: &Call, after: usize, by: impl FnOnce(&Self) + 'static) {
        let world = self.clone();
        alarm(after, move || errno::keeping(|| by(&world)));
        self.call(call);
        disarm();
    }

    /// As a handler that has interrupted the thread.
    fn handle(&self, calls: &[Call]) {
        let nested = self.nested.replace(true);
        calls.iter().for_each(|call| self.call(call));
        self.nested.set(nested);
    }

    /// As another thread. It would wait for a lock that is held.
    fn overtake(&self, by: usize, calls: &[Call]) {
        let (_, now) = self.all.words().slot();
        if !self.all.is_locked() {
            play((now + by) % THREADS);
            calls.iter().for_each(|call| self.call(call));
            play(now);
        }
    }

    /// Makes a call that asks the client, if it needs memory.
    fn ask(self: &Rc<Self>, call: &Call, calls: Vec<Call>, refuse: bool) {
        let world = self.clone();
        let asked = move || {
            calls.iter().for_each(|call| world.call(call));
            world.refusing.set(refuse);
            refuse
        };
        ASKED.set(Some(Box::new(asked)));
        self.all.region().set_mark(0);
        self.call(call);
        self.all.region().set_mark(usize::MAX);
        ASKED.set(None);
        self.refusing.set(false);
    }

    fn end(&self, end: End) {
        if !matches!(end, End::Untold) {
            self.all.thread_exit();
        }
        if !matches!(end, End::GoesOn) {
            vanish(&self.all);
        }
    }

    fn step(self: &Rc<Self>, step: Step) {
        let all = &self.all;
        let pal = all.region().pal();
        match step {
            Step::Call(call) => self.call(&call),
            Step::Interrupted(call, after, calls) => {
                self.interrupt(&call, after, move |world| world.handle(&calls));
            }
            Step::Overtaken(call, after, by, calls) => {
                self.interrupt(&call, after, move |world| world.overtake(by, &calls));
            }
            Step::Asked(call, calls, refuse) => self.ask(&call, calls, refuse),
            Step::Play(thread) => play(thread),
            Step::End(end) => self.end(end),
            Step::Pass(ms) => pal.pass(ms),
            Step::Refuse(Refusal::Memory(after)) => {
                pal.commit.after(after);
                self.faulty.set(true);
            }
            Step::Refuse(Refusal::Purges(after)) => pal.purge.after(after),
            Step::Heal => {
                pal.commit.never();
                pal.purge.never();
                self.faulty.set(false);
            }
            Step::Limit(more) => {
                let limit = more.map_or(usize::MAX, |more| live(all, Client) + more);
                all.region().set_limit(limit);
                self.limited.set(more.is_some());
            }
            Step::Perturb(byte) => all.set_perturb(byte),
            Step::Narrow(limit) => {
                pal.limit(limit);
                self.narrow.set(true);
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
        let words = self.all.words();
        let slot = words.slot();
        assert!(!words.locked(slot) && !ptr::eq(words.get(slot), BUSY));
        let totals = self.all.region().check().expect("sound");
        let counted = live(&self.all, Client) + live(&self.all, Runtime);
        assert_eq!(totals.taken * SLICE, counted);
        let figures = self.all.figures().expect("no lock is held");
        assert!(figures.committed <= figures.reserved.max(16 << 20));
        let given: usize = self.blocks.borrow().values().map(|b| b.usable).sum();
        assert!(given <= counted, "{given} of {counted}");
    }

    /// Whoever looks through the client's memory finds all of it.
    fn walk(&self) {
        let mut runs = BTreeMap::new();
        for class in [Client, Runtime] {
            self.all.each_in_use(class, &mut |run| {
                assert!(runs.insert(run.start.addr(), run.bytes).is_none());
            });
        }
        for (at, block) in self.blocks.borrow().iter() {
            let run = runs.range(..=at.addr()).next_back();
            let holds = run.is_some_and(|(start, bytes)| at.addr() + block.usable <= start + bytes);
            // Those of a reserve are nobody's account.
            let reserved = || matches!(self.all.place(*at), Ok(crate::free::Place::Reserve(..)));
            assert!(holds || reserved(), "{at:p} {block:?}");
        }
    }

    /// Gives everything back.
    fn end_all(self: &Rc<Self>) {
        for step in [Step::Heal, Step::Limit(None), Step::Perturb(None)] {
            self.step(step);
        }
        while !self.blocks.borrow().is_empty() {
            self.call(&Call::Free(0));
        }
        for thread in 0..THREADS {
            play(thread);
            if ptr::eq(self.all.words().get(self.all.words().slot()), DEAD) {
                vanish(&self.all);
            }
            // It has the heap of one whose end nobody was told of.
            self.call(&Call::Malloc(1));
            self.call(&Call::Free(0));
            self.end(End::Next);
            self.all.do_chores();
        }
        play(0);
        self.all.purge();
    }
}

const CASES: u32 = if cfg!(debug_assertions) { 60 } else { 600 };

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn random_calls_of_several_threads_keep_every_promise(
        setting in settings(), plan in prop::collection::vec(steps(), 1..250)
    ) {
        play(0);
        let world = World::new(setting);
        for step in plan {
            world.step(step);
            world.check();
        }
        world.walk();
        world.end_all();
        world.check();
        // A handler that has forked may have lost the heaps that its thread was about to take.
        if world.all.each_heap().all(|heap| !heap.shared.tenure.is_lost()) {
            prop_assert_eq!(live(&world.all, Client), 0, "{:?}", world.setting);
            world.all.sites(|site| assert_eq!((site.live_objects, site.live_bytes), (0, 0)));
        }
    }
}
