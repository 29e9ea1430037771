//! The lock under the model checker: every interleaving of a few threads, with a futex that wakes nobody by chance.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p bowline-alloc --test loom_lock --release`. Without `--cfg loom` this is an empty
//! test. A wake-up that is lost shows as a deadlock, which loom reports.

#![cfg(loom)]

#[path = "support/futex.rs"]
mod futex;

use bowline_alloc::lock::Lock;
use futex::Futex;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

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
