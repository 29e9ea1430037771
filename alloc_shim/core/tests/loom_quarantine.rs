//! The quarantine under the model checker: what is said of a block without the lock, while others come and leave.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p bowline-alloc --test loom_quarantine --release`. Without `--cfg loom` this is an empty
//! test.
//!
//! There is room for two blocks, and those of the models belong to one place of the set, so that each removal moves others.

#![cfg(loom)]

#[path = "support/futex.rs"]
mod futex;

use bowline_alloc::quarantine::{Again, BLOCKS, Held, Open, Quarantine, Table, best};
use futex::Futex;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use std::ptr::{without_provenance, without_provenance_mut};

struct World {
    quarantine: Quarantine,
    pal: Futex,
}

/// The addresses of blocks that would best be at one place.
fn blocks() -> [usize; 3] {
    let mut alike = (1..).map(|n| n * 16).filter(|at| best(*at) == best(16));
    [(); 3].map(|()| alike.next().expect("many"))
}

/// A quarantine that holds some blocks.
fn world(first: &[usize]) -> Arc<World> {
    let (quarantine, pal) = (Quarantine::new(), Futex::new());
    let table = Box::leak(Box::new(Table::default()));
    // SAFETY: the table is empty, and nobody else's.
    unsafe { quarantine.begin(table, 1 << 40, &pal) };
    let world = World { quarantine, pal };
    let put = |block: &usize| world.put(*block).expect("one of each");
    first.iter().for_each(put);
    Arc::new(world)
}

impl World {
    fn open(&self) -> Open<'_, Futex> {
        self.quarantine.open(&self.pal).expect("it is on")
    }

    fn holds(&self, block: usize) -> bool {
        self.quarantine.holds(without_provenance(block))
    }

    fn put(&self, block: usize) -> Result<(), Again> {
        let block = without_provenance_mut(block);
        let left = self.open().put(Held { block, bytes: 16 })?;
        self.live_again(left);
        Ok(())
    }

    fn take(&self) {
        let left = self.open().take();
        self.live_again(left);
    }

    /// A block belongs to whoever took it out, and is not found whatever others do: else its next free would be called the second.
    fn live_again(&self, left: Option<Held>) {
        assert!(left.is_none_or(|held| !self.quarantine.holds(held.block)));
    }
}

/// Two threads take the blocks out, each of which the other's removal may be moving.
#[test]
fn leaving_at_once() {
    loom::model(|| {
        let [a, b, _] = blocks();
        let world = world(&[a, b]);
        let other = world.clone();
        let thread = thread::spawn(move || other.take());
        world.take();
        thread.join().expect("no panic");
        assert_eq!(world.open().count(), 0);
    });
}

/// A block that comes when there is no room makes the oldest leave, beside one that is taken out.
#[test]
fn coming_beside_leaving() {
    loom::model(|| {
        let [a, b, c] = blocks();
        let world = world(&[a, b]);
        assert_eq!(BLOCKS, 2);
        let other = world.clone();
        let thread = thread::spawn(move || other.put(c));
        world.take();
        assert_eq!(thread.join().expect("no panic"), Ok(()));
        assert!(!world.holds(a) && world.holds(c));
        let held: Vec<usize> = world.open().each().map(|held| held.block.addr()).collect();
        assert!(held == [c] || held == [b, c], "{held:?}");
    });
}

/// Of two threads that free one block one is told so.
#[test]
fn one_block_twice() {
    loom::model(|| {
        let [a, b, _] = blocks();
        let world = world(&[a]);
        let other = world.clone();
        let thread = thread::spawn(move || other.put(b));
        let mine = world.put(b);
        let theirs = thread.join().expect("no panic");
        assert!(mine.is_ok() != theirs.is_ok());
        assert_eq!(world.open().count(), 2);
    });
}

/// Who looks without the lock finds no block that has never come, whatever moves; what stays is found again when all is quiet.
#[test]
fn looking_beside_leaving() {
    loom::model(|| {
        let [a, b, c] = blocks();
        let world = world(&[a, b]);
        let other = world.clone();
        let thread = thread::spawn(move || other.take());
        assert!(!world.holds(c));
        thread.join().expect("no panic");
        assert!(!world.holds(a) && world.holds(b));
    });
}

/// A block that left and was given to another thread is that one's: it is not found there, while the thread that took it out goes on.
#[test]
fn giving_out_what_left() {
    loom::model(|| {
        let [a, b, _] = blocks();
        let world = world(&[a, b]);
        let other = world.clone();
        let given = Arc::new(AtomicBool::new(false));
        let to_me = given.clone();
        let thread = thread::spawn(move || {
            other.take();
            given.store(true, Ordering::Release);
            other.take();
        });
        if to_me.load(Ordering::Acquire) {
            assert!(!world.holds(a));
        }
        thread.join().expect("no panic");
        assert!(!world.holds(b));
    });
}
