//! The collector's threads, and how they are lent to MMTk.
//!
//! MMTk hands out *workers* when it starts and after each fork, and takes them back before one. A thread of
//! ours runs a worker, waits for the next, and stays where it is meanwhile: so a fork costs two changes of
//! thread and not the making of one.
//!
//! ```text
//!            hire                    give                    MMTk lets go of the worker
//!   (none) ───────▶ waiting for one ──────▶ inside MMTk ────────────────────────────────┐
//!                        ▲                                                              │
//!                        └──────────────────────────────────────────────────────────────┘
//! ```
//!
//! `inv:workers.out` When no worker is lent, no thread of the collector's is in MMTk, holds a lock, or owns
//! anything: a child that is forked then loses nothing with them.
//!
//! Absent on purpose: letting threads go. There are as many as MMTk was promised.

use crate::binding::Bowline;
use crate::heap::{engine, heap};
use crate::pressure::Starting;
use crate::sync::lock;
use crate::sys;
use crate::thread::WorkerBlock;
use mmtk::scheduler::GCWorker;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard};

/// The name of each thread.
pub(crate) const THREAD_NAME: &str = "bowline-gc";

/// What the lock guards.
#[derive(Default)]
pub(crate) struct Inner {
    /// One for each thread there ever was in one process: a child's threads take them over.
    blocks: Vec<&'static WorkerBlock>,
    /// Threads that were started.
    threads: usize,
    /// Workers that no thread has taken yet.
    #[expect(clippy::vec_box, reason = "MMTk gives them boxed and wants them so")]
    waiting: Vec<Box<GCWorker<Bowline>>>,
    /// Threads inside MMTk.
    inside: usize,
}

/// The threads.
#[derive(Default)]
pub(crate) struct Workers {
    inner: Mutex<Inner>,
    changed: Condvar,
}

impl Workers {
    fn wait<'a>(&self, guard: MutexGuard<'a, Inner>) -> MutexGuard<'a, Inner> {
        self.changed.wait(guard).unwrap_or_else(|e| e.into_inner())
    }

    /// Sees to it that there are `count` threads.
    pub(crate) fn hire(&'static self, count: usize) -> io::Result<()> {
        loop {
            let mut inner = lock(&self.inner);
            let next = inner.threads;
            if next >= count {
                return Ok(());
            }
            if inner.blocks.len() == next {
                inner.blocks.push(WorkerBlock::new());
            }
            let block = inner.blocks[next];
            inner.threads += 1;
            drop(inner);
            let starting = heap().pressure.thread_starts();
            let started = std::thread::Builder::new()
                .name(THREAD_NAME.into())
                .spawn(move || self.work(block, starting));
            if let Err(e) = started {
                lock(&self.inner).threads -= 1;
                return Err(e);
            }
        }
    }

    /// What a thread does.
    fn work(&self, block: &'static WorkerBlock, starting: Starting) {
        sys::leave_signals_to_others();
        block.adopt();
        drop(starting);
        let mut inner = lock(&self.inner);
        loop {
            let Some(worker) = inner.waiting.pop() else {
                inner = self.wait(inner);
                continue;
            };
            inner.inside += 1;
            drop(inner);
            mmtk::memory_manager::start_worker(engine().mmtk, block.tls(), worker);
            inner = lock(&self.inner);
            inner.inside -= 1;
            self.changed.notify_all();
        }
    }

    /// Lets a thread run `worker`.
    pub(crate) fn give(&self, worker: Box<GCWorker<Bowline>>) {
        lock(&self.inner).waiting.push(worker);
        self.changed.notify_all();
    }

    /// Waits until MMTk, which was told to, has let go of every worker (`inv:workers.out`).
    pub(crate) fn wait_out(&self) -> MutexGuard<'_, Inner> {
        let mut inner = lock(&self.inner);
        while inner.inside > 0 || !inner.waiting.is_empty() {
            inner = self.wait(inner);
        }
        inner
    }

    /// The lock, for a fork.
    pub(crate) fn hold(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }

    /// Takes the weak objects away that the collector threads have scanned.
    pub(crate) fn take_weak(&self) -> Vec<bowline_layout::Addr> {
        let inner = lock(&self.inner);
        inner.blocks.iter().flat_map(|w| w.take_weak()).collect()
    }

    /// Bytes of objects that were found alive beside the program since the start.
    pub(crate) fn marked(&self) -> u64 {
        lock(&self.inner).blocks.iter().map(|b| b.marked()).sum()
    }

    /// Objects and bytes moved since the start.
    pub(crate) fn moved(&self) -> (u64, u64) {
        let inner = lock(&self.inner);
        let moved = inner.blocks.iter().map(|w| w.moved());
        moved.fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
    }
}

impl Inner {
    /// In a forked child: its parent's threads are not there.
    pub(crate) fn forked(&mut self) {
        self.threads = 0;
    }
}
