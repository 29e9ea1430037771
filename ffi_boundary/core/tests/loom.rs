//! The handle table and the gate under the model checker: every interleaving of a few threads.
//!
//! Of the gate, and of threads that own handles, only the form by fences is tried: what `membarrier(2)` does to a processor
//! loom does not know. Nobody wakes by time there, so a wake that is missed ends a model. Without the fence that an owner of
//! the gate passes when it comes back three models fail, by two threads that touch the host at once; without the one in a
//! section of handles' owners three do.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p bowline-ffi --test loom --release`. Without `--cfg loom`
//! this is an empty test.

#![cfg(loom)]

use bowline_ffi::{Closed, Gate, Handle, HandleError, HandleKind, Kept, Pull, Slots};
use loom::cell::UnsafeCell;
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

/// A table whose threads own their local handles, and what this one has of it.
fn owned_table() -> (Arc<Slots>, Kept) {
    let table = Arc::new(Slots::new(7, 16).fencing(Some(|| ())));
    let kept = Kept::new();
    table.join(&kept);
    (table, kept)
}

fn own(table: &Slots, kept: &Kept, bits: u64) -> Handle {
    table
        .create_own(kept, 0, bits, HandleKind::Local)
        .expect("room enough")
}

/// An owner that writes does not write to who has the slot next.
#[test]
fn an_owner_writes_beside_a_free() {
    loom::model(|| {
        let (table, kept) = owned_table();
        let handle = own(&table, &kept, 42);
        let other = table.clone();
        let thread = thread::spawn(move || {
            other.free(0, handle).expect("nobody else frees it");
            global(&other, 0, 7)
        });
        let set = table.set_kept(&kept, handle, 43);
        assert!(matches!(
            set,
            Ok(()) | Err(HandleError::Freed { .. } | HandleError::Stale { .. })
        ));
        let new = thread.join().expect("no panic");
        assert_eq!(table.get(new), Ok(7));
        assert!(table.get(handle).is_err());
        assert_eq!(table.check(), Ok(()));
    });
}

/// Of an owner and another thread that free the same handle exactly one succeeds.
#[test]
fn an_owner_frees_beside_a_free() {
    loom::model(|| {
        let (table, kept) = owned_table();
        let handle = own(&table, &kept, 42);
        let other = table.clone();
        let thread = thread::spawn(move || other.free(1, handle).is_ok());
        let mine = table.free_kept(&kept, 0, handle, false).is_ok();
        let theirs = thread.join().expect("no panic");
        assert!(mine != theirs);
        table.give_back_kept(&kept, 0);
        assert_eq!(table.check(), Ok(()));
    });
}

/// Each of several looks and writes of one section meets the same handles, whatever another thread does.
#[test]
fn a_section_beside_a_write() {
    loom::model(|| {
        let (table, kept) = owned_table();
        let handle = own(&table, &kept, 42);
        let other = table.clone();
        let thread = thread::spawn(move || other.set(handle, 44));
        if let Some(owned) = table.owned(&kept) {
            let seen = table.get_strong(handle);
            assert!(seen == Some(42) || seen == Some(44));
            assert_eq!(table.get_strong(handle), seen);
            assert!(owned.has(handle) && owned.set(handle, 43));
            assert_eq!(table.get_strong(handle), Some(43));
        }
        assert_eq!(thread.join().expect("no panic"), Ok(()));
        let last = table.get(handle);
        assert!(last == Ok(43) || last == Ok(44));
    });
}

/// Who reads beside an owner that writes, frees and makes another sees a value of the handle or none.
#[test]
fn reading_beside_an_owner() {
    loom::model(|| {
        let (table, kept) = owned_table();
        let handle = own(&table, &kept, 42);
        let other = table.clone();
        let thread = thread::spawn(move || other.get(handle));
        table.set_kept(&kept, handle, 43).expect("live");
        table.free_kept(&kept, 0, handle, false).expect("live");
        table.create_kept(&kept, 7, HandleKind::Global);
        let seen = thread.join().expect("no panic");
        assert!(matches!(seen, Ok(42 | 43) | Err(_)));
    });
}

/// What a thread has left that has ended belongs to who gets its number.
#[test]
fn a_number_goes_on() {
    loom::model(|| {
        let (table, kept) = owned_table();
        let other = table.clone();
        let thread = thread::spawn(move || {
            let kept = Kept::new();
            other.join(&kept);
            let handle = own(&other, &kept, 1);
            other.set_kept(&kept, handle, 2).expect("live");
            other.give_back_kept(&kept, 0);
            handle
        });
        table.give_back_kept(&kept, 0);
        table.join(&kept);
        let left = thread.join().expect("no panic");
        assert_eq!(table.set_kept(&kept, left, 3), Ok(()));
        assert_eq!(table.get(left), Ok(3));
    });
}

/// Who is asked to give way does so at once in these models.
struct Nobody;

impl Pull for Nobody {
    fn pull(&self) {}

    fn is_here(&self) -> bool {
        false
    }
}

/// A gate, and the host behind it: loom complains if two touch it at once, or if one does not see what the other did.
struct Shared {
    gate: Gate<Nobody>,
    host: UnsafeCell<u32>,
}

impl Shared {
    fn new() -> Arc<Self> {
        Arc::new(Shared {
            gate: Gate::new(None, Nobody),
            host: UnsafeCell::new(0),
        })
    }

    fn touch(&self) {
        self.host.with_mut(|host| {
            // SAFETY: loom checks that nobody else touches it.
            unsafe { *host += 1 }
        });
    }

    fn touched(&self) -> u32 {
        // SAFETY: as above.
        self.host.with(|host| unsafe { *host })
    }

    /// A callback on a thread of C's.
    fn visit(&self) -> Result<(), Closed> {
        self.gate.arrive(Nobody)?;
        self.touch();
        self.gate.depart();
        Ok(())
    }
}

/// Where the host is, of which nothing is asked.
fn place() -> *mut () {
    std::ptr::dangling_mut::<u64>().cast()
}

/// The owner goes to C and comes back while a thread arrives that C has made.
#[test]
fn a_guest_beside_an_owner_that_comes_back() {
    loom::model(|| {
        let shared = Shared::new();
        let other = shared.clone();
        let thread = thread::spawn(move || other.visit());
        shared.gate.leave(place());
        shared.gate.take(place());
        shared.touch();
        // C waits for the thread.
        shared.gate.leave(place());
        assert_eq!(thread.join().expect("no panic"), Ok(()));
        shared.gate.take(place());
        assert_eq!(shared.touched(), 2);
    });
}

/// Two threads come while the owner waits for both in C.
#[test]
fn two_guests() {
    loom::model(|| {
        let shared = Shared::new();
        shared.gate.leave(place());
        let threads = [shared.clone(), shared.clone()].map(|s| thread::spawn(move || s.visit()));
        for thread in threads {
            assert_eq!(thread.join().expect("no panic"), Ok(()));
        }
        shared.gate.take(place());
        assert_eq!(shared.touched(), 2);
    });
}

/// The owner is in C, comes back and goes to C again, while a guest does its work in two halves.
fn beside_a_guest(between_halves: fn(&Gate<Nobody>)) {
    loom::model(move || {
        let shared = Shared::new();
        shared.gate.leave(place());
        let other = shared.clone();
        let thread = thread::spawn(move || {
            assert_eq!(other.gate.arrive(Nobody), Ok(place()));
            other.touch();
            between_halves(&other.gate);
            other.touch();
            other.gate.depart();
        });
        shared.gate.take(place());
        shared.touch();
        shared.gate.leave(place());
        thread.join().expect("no panic");
        shared.gate.take(place());
        assert_eq!(shared.touched(), 3);
    });
}

/// A guest goes to C itself, and the owner comes back meanwhile.
#[test]
fn a_guest_in_c() {
    beside_a_guest(|gate| {
        gate.leave_as_guest();
        gate.take_as_guest(Nobody);
    });
}

/// A guest gives way to the owner, which goes to C again.
#[test]
fn a_guest_gives_way() {
    beside_a_guest(|gate| gate.give_way_as_guest(Nobody));
}

/// The program ends while a thread arrives: it is let in or turned away, and does not wait for ever.
#[test]
fn closing_beside_a_guest() {
    loom::model(|| {
        let shared = Shared::new();
        let other = shared.clone();
        let thread = thread::spawn(move || other.visit());
        shared.gate.leave(place());
        shared.gate.take(place());
        shared.gate.close();
        let let_in = thread.join().expect("no panic").is_ok();
        assert_eq!(shared.touched(), u32::from(let_in));
    });
}
