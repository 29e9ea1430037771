//! The handle table under the model checker: every interleaving of a few threads.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p bowline-ffi --test loom --release`. Without `--cfg loom`
//! this is an empty test.

#![cfg(loom)]

use bowline_ffi::{Handle, HandleError, HandleKind, Slots};
use loom::sync::Arc;
use loom::thread;

fn table() -> Arc<Slots> {
    Arc::new(Slots::new(7, 16))
}

fn global(table: &Slots, shard: usize, bits: u64) -> Handle {
    table
        .create(shard, bits, HandleKind::Global)
        .expect("room enough")
}

/// Two threads that create at once, where the first chunk does not exist yet, get different slots.
#[test]
fn creating_at_once() {
    loom::model(|| {
        let table = table();
        let other = table.clone();
        let thread = thread::spawn(move || global(&other, 0, 2));
        let mine = global(&table, 0, 4);
        let theirs = thread.join().expect("no panic");
        assert_ne!(mine, theirs);
        assert_eq!((table.get(mine), table.get(theirs)), (Ok(4), Ok(2)));
        assert_eq!(table.check(), Ok(()));
    });
}

/// Growing into the second chunk from two threads loses nothing.
#[test]
fn growing_at_once() {
    loom::model(|| {
        let table = table();
        let first = global(&table, 0, 1);
        let second = global(&table, 0, 2);
        let other = table.clone();
        let thread = thread::spawn(move || global(&other, 1, 3));
        let mine = global(&table, 0, 4);
        let theirs = thread.join().expect("no panic");
        let values = [first, second, theirs, mine].map(|h| table.get(h));
        assert_eq!(values, [Ok(1), Ok(2), Ok(3), Ok(4)]);
        assert_eq!(table.check(), Ok(()));
    });
}

/// A reader beside a thread that frees the handle and uses its slot again sees the old value or an
/// error, never the link of the free list nor the new value.
#[test]
fn reading_beside_free_and_reuse() {
    loom::model(|| {
        let table = table();
        let old = global(&table, 0, 42);
        let other = table.clone();
        let thread = thread::spawn(move || {
            other.free(0, old).expect("live");
            global(&other, 0, 43)
        });
        match table.get(old) {
            Ok(bits) => assert_eq!(bits, 42),
            Err(error) => assert!(matches!(
                error,
                HandleError::Freed { .. } | HandleError::Stale { .. }
            )),
        }
        let new = thread.join().expect("no panic");
        assert_eq!(table.get(new), Ok(43));
    });
}

/// A writer beside a thread that frees the handle and uses its slot again does not damage the new
/// handle nor the free list.
#[test]
fn writing_beside_free_and_reuse() {
    loom::model(|| {
        let table = table();
        let old = global(&table, 0, 42);
        let other = table.clone();
        let thread = thread::spawn(move || {
            other.free(0, old).expect("live");
            global(&other, 0, 43)
        });
        let _ = table.set(old, 99);
        let new = thread.join().expect("no panic");
        assert_eq!(table.get(new), Ok(43));
        assert_eq!(table.check(), Ok(()));
    });
}

/// Two writers and a reader of one live handle: each sees one whole value.
#[test]
fn writing_at_once() {
    loom::model(|| {
        let table = table();
        let handle = global(&table, 0, 42);
        let other = table.clone();
        let thread = thread::spawn(move || other.set(handle, 43));
        assert_eq!(table.set(handle, 44), Ok(()));
        let seen = table.get(handle).expect("live");
        assert!(seen == 43 || seen == 44);
        assert_eq!(thread.join().expect("no panic"), Ok(()));
        assert!(table.get(handle).is_ok());
    });
}

/// A free beside a write waits for it and wins in the end.
#[test]
fn freeing_beside_writing() {
    loom::model(|| {
        let table = table();
        let handle = global(&table, 0, 42);
        let other = table.clone();
        let thread = thread::spawn(move || other.set(handle, 43).is_ok());
        assert_eq!(table.free(0, handle), Ok(()));
        thread.join().expect("no panic");
        assert!(table.get(handle).is_err());
        assert_eq!(table.check(), Ok(()));
    });
}

/// Of two threads that free the same handle exactly one succeeds.
#[test]
fn freeing_twice_at_once() {
    loom::model(|| {
        let table = table();
        let handle = global(&table, 0, 42);
        let other = table.clone();
        let thread = thread::spawn(move || other.free(1, handle).is_ok());
        let mine = table.free(0, handle).is_ok();
        let theirs = thread.join().expect("no panic");
        assert!(mine != theirs);
        assert_eq!(table.check(), Ok(()));
    });
}

/// Slots that go round between two threads through one free list are never given out twice.
#[test]
fn recycling_at_once() {
    loom::model(|| {
        let table = table();
        let (a, b) = (global(&table, 0, 1), global(&table, 0, 2));
        table.free(0, a).expect("live");
        let other = table.clone();
        let thread = thread::spawn(move || {
            let c = global(&other, 0, 3);
            other.free(0, b).expect("live");
            c
        });
        let mine = global(&table, 0, 4);
        let theirs = thread.join().expect("no panic");
        assert_ne!(mine.bits(), theirs.bits());
        assert_eq!((table.get(mine), table.get(theirs)), (Ok(4), Ok(3)));
        assert_eq!(table.check(), Ok(()));
    });
}

/// A handle made on one thread and freed on another makes room for both.
#[test]
fn freed_on_another_thread() {
    loom::model(|| {
        let table = table();
        let handle = global(&table, 0, 1);
        let other = table.clone();
        let thread = thread::spawn(move || other.free(1, handle));
        let mine = global(&table, 0, 2);
        assert_eq!(thread.join().expect("no panic"), Ok(()));
        assert_eq!(table.get(mine), Ok(2));
        assert_eq!(table.count(), 1);
        assert_eq!(table.check(), Ok(()));
    });
}
