//! What a mutator does with the dead: guardians and finalizers; and what it does to the whole
//! process: a full heap, forks, threads.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bowline_gc::{Collect, Mutator};
use bowline_layout::Value;

use super::check::{self, delivered};
use super::fault::{Fault, Plant};
use super::op::Group;
use super::shadow::{Content, Form, lock};
use super::worker::Worker;
use super::world::{Entry, count};
use crate::random::Rng;
use crate::raw::{End, errno, exit_now, fork};

/// The most that guardians and finalizers owe at once.
const OWED: usize = 500;

/// The largest heap that is filled.
const FILLED: u64 = 32 << 20;

/// How long a forked child may take: it does some hundred operations.
const CHILD: Duration = Duration::from_secs(30);

/// What a child leaves when it has left a verdict.
const JUDGED: i32 = 3;

/// What neither a forked child nor a thread that comes and goes does.
const LONG: [Group; 5] = [
    Group::Check,
    Group::Fill,
    Group::Fork,
    Group::Thread,
    Group::Freeze,
];

impl Worker {
    /// Register `a` guards what is in `b`; what is in `c` stands in for it.
    pub(super) fn guard(&mut self, a: u32, b: u32, c: u32) -> Result<(), Fault> {
        let objects = (self.object(a), self.object(b), self.object(c));
        let (Some((guardian, g)), Some((object, o)), Some((agent, r))) = objects else {
            return Ok(());
        };
        let world = self.world;
        // What comes back must be told from others.
        let told = world.shadow.with(agent, |node| node.form.has_number())?;
        let mut owed = world.owed();
        // From one guardian nobody could tell which of two objects it stands for.
        let stands_for_another = owed.iter().any(|e| {
            let same = e.guardian == Some(guardian) && e.representative == Content::Node(agent);
            same && e.object != object
        });
        if !told || stands_for_another || owed.len() >= OWED {
            return Ok(());
        }
        let times = match world.plant {
            Some(Plant::GuardTwice) => 2,
            Some(Plant::GuardLost) => 0,
            _ => 1,
        };
        for _ in 0..times {
            if self.m.guard(g, o, r).is_err() {
                return Ok(());
            }
        }
        owed.push(Entry {
            guardian: Some(guardian),
            object,
            representative: Content::Node(agent),
            bytes: 0,
            serial: world.serial.fetch_add(1, Ordering::Relaxed),
        });
        Ok(())
    }

    pub(super) fn next(&mut self, a: u32, b: u32) -> Result<(), Fault> {
        let Some((id, guardian)) = self.object(b) else {
            return Ok(());
        };
        let world = self.world;
        let _turn = world.take_turn(&mut self.m);
        // It may have moved meanwhile.
        let guardian = self.object(b).map_or(guardian, |(_, v)| v);
        if let Some(v) = self.m.guardian_next(guardian) {
            let entry = delivered(self.world, Some(id), None, v)?;
            self.set(a, v, entry.representative);
        }
        Ok(())
    }

    /// Attaches what is in `b` to the owner in `a`, for so many bytes.
    pub(super) fn finalize(&mut self, a: u32, b: u32, bytes: usize) -> Result<(), Fault> {
        let Some((object, pointer)) = self.object(a) else {
            return Ok(());
        };
        let form = self.world.shadow.with(object, |node| node.form)?;
        let mut owed = self.world.owed();
        if !matches!(form, Form::Owner(_)) || owed.len() >= OWED {
            return Ok(());
        }
        let (finalizer, representative) = (self.value(b), self.content(b));
        if representative == Content::Broken {
            return Ok(());
        }
        let label = self.world.heap.owner_label(super::LABEL);
        let times = match self.world.plant {
            Some(Plant::FinalizeTwice) => 2,
            Some(Plant::FinalizeLost) => 0,
            _ => 1,
        };
        for _ in 0..times {
            let attached = self.m.attach_finalizer(pointer, finalizer, bytes, label);
            if attached.is_err() {
                return Ok(());
            }
        }
        owed.push(Entry {
            guardian: None,
            object,
            representative,
            bytes,
            serial: self.world.serial.fetch_add(1, Ordering::Relaxed),
        });
        Ok(())
    }

    pub(super) fn finalizer(&mut self, a: u32, b: u32) -> Result<(), Fault> {
        let world = self.world;
        let _turn = world.take_turn(&mut self.m);
        if let Some((object, finalizer)) = self.m.next_finalizable() {
            let entry = delivered(self.world, None, Some(object), finalizer)?;
            self.set(a, object, Content::Node(entry.object));
            self.set(b, finalizer, entry.representative);
        }
        Ok(())
    }

    /// A thread of the heap's takes what waits and what a collection adds to it, and ends. Nobody else
    /// takes meanwhile.
    pub(super) fn finalizer_thread(&mut self, n: u32) -> Result<(), Fault> {
        let world = self.world;
        let _turn = world.take_turn(&mut self.m);
        let take = move |_: &mut Mutator, object: Value, finalizer: Value| {
            // One of them is lost: a fault to be found.
            if world.plants(Plant::FinalizerThread) && finalizer.is_pointer() {
                return;
            }
            let taken = delivered(world, None, Some(object), finalizer);
            taken.map_or_else(|fault| world.fail(&fault), drop);
        };
        // Where no thread can be had there is nothing to see.
        let Ok(thread) = world.heap.finalizer_thread(take) else {
            return Ok(());
        };
        self.m.collect(if n & 1 == 0 {
            Collect::Minor
        } else {
            Collect::Full
        });
        let ended = thread.stop(&mut self.m);
        let left = world.heap.finalizers_waiting();
        match ended {
            Err(_) => Err(Fault::Child {
                said: "thread for finalizers panicked".into(),
            }),
            Ok(_) if left > 0 && world.single() => Err(Fault::Figure {
                name: "what the thread for finalizers leaves",
                wanted: 0,
                found: left as u64,
            }),
            Ok(_) => Ok(()),
        }
    }

    /// Fills the heap with a list until there is no room, lets it go, and goes on.
    pub(super) fn fill(&mut self) -> Result<(), Fault> {
        let (world, setup) = (self.world, &self.world.setup);
        if setup.heap > FILLED || setup.zeal != "off" {
            return Ok(());
        }
        world.filling.fetch_add(1, Ordering::Relaxed);
        let root = self.m.len();
        self.m.push(Value::NIL);
        let most = setup.heap / 16;
        let mut made = 0;
        while made <= most {
            self.m.poll();
            let tail = self.m.get(root);
            match self.m.alloc_pair(Value::fixnum(made as i64), tail) {
                Ok(pair) => self.m.set(root, pair),
                Err(_) => break,
            }
            made += 1;
            // A heap that is verified takes its time, and goes on.
            if made % 1024 == 0 {
                self.stepped();
            }
        }
        if made > most {
            return Err(Fault::Figure {
                name: "the most pairs in the heap",
                wanted: most,
                found: made,
            });
        }
        count(&world.counts.refusals);
        self.check_filled(root, made)?;
        self.m.truncate(root);
        self.m.collect(Collect::Full);
        world.filling.fetch_sub(1, Ordering::Relaxed);
        Ok(())
    }

    fn check_filled(&self, root: usize, made: u64) -> Result<(), Fault> {
        let mut at = self.m.get(root);
        for wanted in (0..made).rev() {
            let found = match at.is_pair() {
                true => crate::raw::object::value(at, 0),
                false => at,
            };
            if found != Value::fixnum(wanted as i64) {
                return Err(Fault::Filled { wanted, found });
            }
            at = crate::raw::object::value(at, 1);
        }
        Ok(())
    }

    /// A child looks at its copy, goes on for a while, looks again and ends. The world is still.
    pub(super) fn fork(&mut self, n: u32) -> Result<(), Fault> {
        count(&self.world.counts.forks);
        if n & 1 != 0 {
            self.world.heap.request_collection();
        }
        let forked = fork(|| match self.in_child(n) {
            Ok(()) => 0,
            Err(fault) => self.world.fail(&fault),
        });
        let said = |said: String| Fault::Child { said };
        let forked = forked.map_err(|_| said(format!("was not made: errno {}", errno())))?;
        self.m.enter_native();
        let end = forked.wait(CHILD);
        let judged = self.world.recorder.judged();
        self.m.leave_native();
        match end {
            End::Exited(_) if judged => exit_now(JUDGED),
            End::Exited(0) => Ok(()),
            End::Exited(status) => Err(said(format!("ended with status {status}"))),
            End::Signalled(signal) => Err(said(format!("died of signal {signal}"))),
            End::Late => Err(said("did not end".into())),
        }
    }

    fn in_child(&mut self, n: u32) -> Result<(), Fault> {
        let world = self.world;
        world.forked.store(true, Ordering::Relaxed);
        // The root stacks and calls of other threads are gone; local handles stand in the table of all.
        for thread in lock(&world.threads).iter() {
            if !std::sync::Arc::ptr_eq(thread, &self.me) {
                let mut roots = lock(&thread.roots);
                roots.words.clear();
                roots.calls.clear();
            }
        }
        check::walk(world, &self.m)?;
        let mut rng = Rng::new(u64::from(n));
        self.alone();
        for _ in 0..n % 256 {
            self.step(world.profile.draw(&mut rng, &LONG))?;
        }
        check::check(world, &mut self.m)
    }

    /// A thread comes, does some operations and goes, while this one waits.
    pub(super) fn thread(&mut self, n: u32) -> Result<(), Fault> {
        let world = self.world;
        let visit = move || -> Result<(), Fault> {
            let mut visitor = Worker::new(world, None, n);
            let mut rng = Rng::new(u64::from(n));
            for _ in 0..n % 512 {
                visitor.step(world.profile.draw(&mut rng, &LONG))?;
            }
            visitor.finish()
        };
        let thread = std::thread::Builder::new().spawn(visit);
        // Where no thread can be had there is nothing to see.
        let Ok(thread) = thread else {
            return Ok(());
        };
        self.m.enter_native();
        let ended = thread.join();
        self.m.leave_native();
        ended.unwrap_or_else(|_| {
            Err(Fault::Child {
                said: "thread panicked".into(),
            })
        })
    }
}
