//! Who runs finalizers, and when.
//!
//! A collection queues the finalizers of what it finds dead (see `weak`); it runs none. They are taken
//!
//! * by [`Mutator::next_finalizable`], one by one: a virtual machine asks at its safe points when
//!   [`Heap::finalizable`] says so;
//! * by [`Mutator::run_finalizers`], all that wait: an embedder calls it where it suits the program;
//! * or by a thread of their own, [`Heap::finalizer_thread`], for programs that seldom come to such a place
//!   and whose finalizers may run beside everything else.
//!
//! Each goes to one taker, so the three can be mixed. The order is that of death; within one collection
//! that of attachment.
//!
//! `inv:finalize.outside` None is run inside a collection, nor on a thread that has an active foreign call:
//! C may hold a lock there that the finalizer's own call of C wants.
//!
//! At the end of the process nothing runs by itself. Who wants what lives to be finalized too calls
//! [`Mutator::hurry_finalizers`] first.
//!
//! A forked child does not have the thread. What waits there is taken by the other two, or by a thread that
//! the child starts.

use crate::config::HeapError;
use crate::heap::Heap;
use crate::mutator::Mutator;
use crate::sync::lock;
use crate::thread::{managed_here, quietly};
use bowline_layout::Value;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, mpsc};
use std::thread::JoinHandle;

/// Where the threads that run finalizers wait.
#[derive(Default)]
pub(crate) struct Bell {
    /// Held between a look at what waits and the wait for more.
    looking: Mutex<()>,
    rung: Condvar,
    /// How many threads there are.
    threads: AtomicUsize,
}

impl Bell {
    /// Wakes the threads, if there are any.
    pub(crate) fn ring(&self) {
        if self.threads.load(Ordering::SeqCst) > 0 {
            let _looking = lock(&self.looking);
            self.rung.notify_all();
        }
    }

    /// The lock, for a fork.
    pub(crate) fn hold(&self) -> MutexGuard<'_, ()> {
        lock(&self.looking)
    }

    /// In a forked child: nobody listens.
    pub(crate) fn forked(&self) {
        self.threads.store(0, Ordering::SeqCst);
    }
}

impl Mutator {
    /// Calls `run` with each pointer and finalizer that wait now, those of the first that died first. What
    /// becomes ready meanwhile waits for the next time, so a finalizer that attaches itself again ends
    /// nothing up in a loop. Returns how many were run: none on a thread with an active foreign call
    /// (`inv:finalize.outside`).
    ///
    /// `run` may do all that the mutator can: keep the pointer, attach a finalizer again, allocate, collect,
    /// and call this. Both values are roots of nobody: it pushes what it wants to keep over a safepoint.
    pub fn run_finalizers(&mut self, mut run: impl FnMut(&mut Mutator, Value, Value)) -> usize {
        if self.block().in_call() {
            return 0;
        }
        let waiting = self.heap().finalizers_waiting();
        let mut done = 0;
        while done < waiting {
            let Some((pointer, finalizer)) = self.next_finalizable() else {
                break;
            };
            run(self, pointer, finalizer);
            done += 1;
        }
        done
    }

    /// Queues the finalizers of all that lives behind those that wait, the last attached first, as things
    /// that were built one upon the other are taken down. Returns how many wait now.
    pub fn hurry_finalizers(&mut self) -> usize {
        let heap = self.heap();
        let waiting = heap.with_weak(|weak| {
            let (waiting, bytes) = weak.hurry_finalizers();
            // With the lock held, for another thread may take one, or hurry more.
            heap.pressure.made_ready(bytes);
            heap.finalizers_left(waiting);
            waiting
        });
        heap.bell.ring();
        waiting
    }
}

/// A thread that runs finalizers.
#[must_use = "the thread runs until it is stopped"]
pub struct FinalizerThread {
    heap: &'static Heap,
    thread: JoinHandle<u64>,
    /// Says that it is to end.
    ends: Arc<AtomicBool>,
    /// The process that has it.
    process: u32,
}

impl Heap {
    /// Starts a thread of the heap's that calls `run` with each pointer and finalizer as they become ready.
    /// `run` happens beside all other threads and their foreign calls. An error says that the system gives no
    /// thread, or there is no memory to attach it.
    pub fn finalizer_thread(
        &'static self,
        mut run: impl FnMut(&mut Mutator, Value, Value) + Send + 'static,
    ) -> io::Result<FinalizerThread> {
        self.must_be_whole();
        let no_memory = |e: HeapError| io::Error::new(io::ErrorKind::OutOfMemory, e);
        let stack = self.new_stack().map_err(no_memory)?;
        let (tell, attached) = mpsc::channel();
        let ends = Arc::new(AtomicBool::new(false));
        let told = ends.clone();
        let starting = self.pressure.thread_starts();
        let thread = std::thread::Builder::new()
            .name("bowline-final".into())
            .spawn(move || {
                let mut mutator = match self.attach_with(stack) {
                    Ok(mutator) => mutator,
                    Err(e) => {
                        // Who does not listen knows that this cannot be.
                        let _ = tell.send(e);
                        return 0;
                    }
                };
                drop((tell, starting));
                let mut done = 0;
                loop {
                    done += mutator.run_finalizers(&mut run) as u64;
                    mutator.enter_native();
                    let more = self.wait_for_finalizers(&told);
                    mutator.leave_native();
                    if !more {
                        return done;
                    }
                }
            })?;
        // A thread that is Managed must not wait for one that attaches. It has itself seen to all that could be
        // lacking (inv:cycle.anchor).
        if managed_here().is_none()
            && let Ok(e) = attached.recv()
        {
            return Err(no_memory(e));
        }
        self.bell.threads.fetch_add(1, Ordering::SeqCst);
        // What became ready before the thread counted.
        self.bell.ring();
        Ok(FinalizerThread {
            heap: self,
            thread,
            ends,
            process: std::process::id(),
        })
    }

    /// Waits until there is a finalizer to run. Returns whether there is; if not the thread ends.
    fn wait_for_finalizers(&self, ends: &AtomicBool) -> bool {
        quietly(|| {
            let mut looking = lock(&self.bell.looking);
            while !self.finalizable() && !ends.load(Ordering::SeqCst) {
                let waited = self.bell.rung.wait(looking);
                looking = waited.unwrap_or_else(|e| e.into_inner());
            }
            self.finalizable()
        })
    }
}

impl FinalizerThread {
    /// Lets the thread run what waits, and ends it. Returns how many finalizers it has run; an error holds
    /// the panic that ended it before. `mutator` is the calling thread's, which waits in Native. A forked
    /// child does not have its parent's thread, and nothing happens.
    pub fn stop(self, mutator: &mut Mutator) -> std::thread::Result<u64> {
        if self.process != std::process::id() {
            std::mem::forget(self.thread);
            return Ok(0);
        }
        mutator.enter_native();
        self.ends.store(true, Ordering::SeqCst);
        self.heap.bell.ring();
        let ended = self.thread.join();
        self.heap.bell.threads.fetch_sub(1, Ordering::SeqCst);
        mutator.leave_native();
        ended
    }
}
