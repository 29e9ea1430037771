//! The lock among real threads; every interleaving of few is in `tests/loom_lock.rs`.

use super::Lock;
use crate::pal::{Model, Unix};
use std::thread;

#[test]
fn one_at_a_time() {
    let (lock, pal) = (Lock::new((0, 0)), Unix::new());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5_000 {
                    let mut pair = lock.lock(&pal);
                    assert_eq!(pair.0, pair.1);
                    pair.0 += 1;
                    thread::yield_now();
                    pair.1 += 1;
                }
            });
        }
    });
    assert_eq!(*lock.lock(&pal), (20_000, 20_000));
}

#[test]
fn trying_neither_waits_nor_lets_go() {
    let (lock, pal) = (Lock::new(()), Model::new());
    let held = lock.lock(&pal);
    assert!(lock.try_lock(&pal).is_none());
    assert!(lock.try_lock(&pal).is_none(), "still held");
    drop(held);
    let tried = lock.try_lock(&pal);
    assert!(tried.is_some() && lock.try_lock(&pal).is_none());
    drop(tried);
    assert!(lock.try_lock(&pal).is_some());
}

#[test]
fn who_holds_it_is_told() {
    let (lock, pal) = (Lock::new(()), Unix::new());
    assert!(!lock.is_mine(&pal));
    let held = lock.lock(&pal);
    assert!(lock.is_mine(&pal) && !lock.try_hold(&pal));
    thread::scope(|scope| {
        let other = scope.spawn(|| lock.is_mine(&pal));
        assert!(!other.join().expect("no panic"));
        let waiter = scope.spawn(|| drop(lock.lock(&pal)));
        while lock.word.load(super::Ordering::Relaxed) & super::WANTED == 0 {
            thread::yield_now();
        }
        assert!(lock.is_mine(&pal), "also when another wants it");
        drop(held);
        waiter.join().expect("no panic");
    });
    assert!(lock.try_hold(&pal) && lock.is_mine(&pal));
    // SAFETY: `try_hold` took the lock.
    unsafe { lock.release(&pal) };
    assert!(!lock.is_mine(&pal));
}

#[test]
fn a_child_frees_what_was_held_and_wanted() {
    let (lock, pal) = (Lock::new(7), Unix::new());
    lock.hold(&pal);
    thread::scope(|scope| {
        let waiter = scope.spawn(|| *lock.lock(&pal));
        while lock.word.load(super::Ordering::Relaxed) & super::WANTED == 0 {
            thread::yield_now();
        }
        // SAFETY: `hold` above; the waiter looks again when it is woken, as nothing else is in a child.
        unsafe { lock.reset() };
        assert!(lock.try_lock(&pal).is_some());
        crate::pal::Pal::wake(&pal, &lock.word);
        assert_eq!(waiter.join().expect("no panic"), 7);
    });
}
