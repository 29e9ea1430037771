//! The lock under the model checker: every interleaving of a few threads, with a futex that wakes nobody by chance.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p bowline-alloc --test loom_lock --release`. Without `--cfg loom` this is an empty
//! test. A wake-up that is lost shows as a deadlock, which loom reports.

#![cfg(loom)]

use bowline_alloc::lock::Lock;
use bowline_alloc::pal::Pal;
use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

/// A platform that can sleep and wake, and nothing else.
struct Futex {
    kernel: Mutex<()>,
    sleepers: Condvar,
}

impl Futex {
    fn new() -> Self {
        Futex {
            kernel: Mutex::new(()),
            sleepers: Condvar::new(),
        }
    }
}

impl Pal for Futex {
    const LARGEST: usize = 0;
    const SMALLEST: usize = 0;

    fn me(&self) -> u32 {
        // Who holds a lock is asked by forks alone.
        1
    }

    fn wait(&self, word: &AtomicU32, seen: u32) {
        let kernel = self.kernel.lock().expect("no panic");
        if word.load(Ordering::Relaxed) == seen {
            drop(self.sleepers.wait(kernel).expect("no panic"));
        }
    }

    fn wake(&self, _: &AtomicU32) {
        let _kernel = self.kernel.lock().expect("no panic");
        self.sleepers.notify_one();
    }

    fn reserve(&self, _: usize, _: usize) -> *mut u8 {
        unreachable!("a lock needs no memory")
    }
    unsafe fn release(&self, _: *mut u8, _: usize) {
        unreachable!("a lock needs no memory")
    }
    unsafe fn release_part(&self, _: *mut u8, _: usize) {
        unreachable!("a lock needs no memory")
    }
    unsafe fn readable(&self, _: *mut u8, _: usize) -> bool {
        unreachable!("a lock needs no memory")
    }
    unsafe fn commit(&self, _: *mut u8, _: usize) -> bool {
        unreachable!("a lock needs no memory")
    }
    unsafe fn purge(&self, _: *mut u8, _: usize) -> bool {
        unreachable!("a lock needs no memory")
    }
    fn now_ms(&self) -> u64 {
        unreachable!("a lock needs no clock")
    }
    fn address_limit(&self) -> Option<usize> {
        unreachable!("a lock needs no memory")
    }
    fn random(&self) -> u64 {
        unreachable!("a lock needs no chance")
    }
    fn write(&self, _: &[u8]) {
        unreachable!("a lock says nothing")
    }
    fn abort(&self) -> ! {
        unreachable!("a lock ends nothing")
    }
}

struct Shared {
    lock: Lock<UnsafeCell<usize>>,
    pal: Futex,
}

fn shared() -> Arc<Shared> {
    Arc::new(Shared {
        lock: Lock::new(UnsafeCell::new(0)),
        pal: Futex::new(),
    })
}

/// Adds one to what the lock protects; loom sees any access that is not ordered by it.
fn add(cell: &UnsafeCell<usize>) {
    // SAFETY: inv:lock.exclusive, which is what is tested.
    cell.with_mut(|value| unsafe { *value += 1 });
}

fn total(shared: &Shared) -> usize {
    // SAFETY: inv:lock.exclusive.
    shared
        .lock
        .lock(&shared.pal)
        .with(|value| unsafe { *value })
}

#[test]
fn two_threads_exclude_each_other_and_both_get_on() {
    loom::model(|| {
        let shared = shared();
        let other = shared.clone();
        let thread = thread::spawn(move || {
            for _ in 0..2 {
                add(&other.lock.lock(&other.pal));
            }
        });
        add(&shared.lock.lock(&shared.pal));
        thread.join().expect("no panic");
        assert_eq!(total(&shared), 3);
    });
}

/// With three, one may sleep while another is woken: the one woken must remember that others sleep.
#[test]
fn of_three_threads_none_sleeps_for_ever() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let shared = shared();
        let threads = [(), ()].map(|()| {
            let other = shared.clone();
            thread::spawn(move || add(&other.lock.lock(&other.pal)))
        });
        add(&shared.lock.lock(&shared.pal));
        for thread in threads {
            thread.join().expect("no panic");
        }
        assert_eq!(total(&shared), 3);
    });
}

#[test]
fn whoever_tries_sees_what_the_last_holder_did_or_nothing() {
    loom::model(|| {
        let shared = shared();
        let other = shared.clone();
        let thread = thread::spawn(move || add(&other.lock.lock(&other.pal)));
        let tried = match shared.lock.try_lock(&shared.pal) {
            Some(cell) => {
                add(&cell);
                1
            }
            None => 0,
        };
        thread.join().expect("no panic");
        assert_eq!(total(&shared), 1 + tried);
    });
}

#[test]
fn holding_without_a_guard_excludes_as_well() {
    loom::model(|| {
        let shared = shared();
        let other = shared.clone();
        let thread = thread::spawn(move || add(&other.lock.lock(&other.pal)));
        shared.lock.hold(&shared.pal);
        // SAFETY: `hold` above; the value is not used.
        unsafe { shared.lock.release(&shared.pal) };
        thread.join().expect("no panic");
        assert_eq!(total(&shared), 1);
    });
}
