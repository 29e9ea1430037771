//! A profile's tables under the model checker: samples that come, go and are read at once.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p bowline-alloc --test loom_profile --release`. Without `--cfg loom` this is an empty test.
//!
//! There is room for two samples and two places, and all stacks are in one chain.
//!
//! The checker tries another order of two accesses where they are the last ones of their atomic, and takes a thread's own load before
//! its exchange for the last one: what another thread has read before is forgotten then. Therefore threads of which one reads
//! alone [`meet`] as well.

#![cfg(loom)]

use bowline_alloc::profile::DEPTH;
use bowline_alloc::profile::tables::{Frames, PARTS, Tables, Weight};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::thread;

/// An object of so many bytes that stands for itself.
fn weight(bytes: usize) -> Weight {
    Weight {
        parts: PARTS,
        bytes: bytes as u64,
    }
}

fn tables() -> Arc<Tables> {
    let tables = Tables::default();
    tables.begin();
    Arc::new(tables)
}

fn inner(frames: &mut [usize; DEPTH]) -> usize {
    *frames = [100, 200];
    2
}

fn outer(frames: &mut [usize; DEPTH]) -> usize {
    frames[0] = 200;
    1
}

fn frames(backtrace: fn(&mut [usize; DEPTH]) -> usize) -> Frames {
    let mut frames = Frames::none();
    frames.fill(backtrace);
    frames
}

/// A block is allocated and is a sample.
fn take(tables: &Tables, block: usize, bytes: usize, backtrace: fn(&mut [usize; DEPTH]) -> usize) {
    assert!(tables.take(block, bytes, &frames(backtrace), weight(bytes)));
}

fn give(tables: &Tables, block: usize) -> bool {
    tables.give(block, weight)
}

/// Where two threads meet either may be first; nothing that they did before is seen by the other for it.
fn meet(place: &AtomicU32) {
    place.fetch_add(1, Ordering::Relaxed);
}

/// Each stack by its places' addresses, with objects and bytes ever and now; several records of one are added up. What is told of a
/// stack is whole, whoever writes meanwhile.
fn read(tables: &Tables) -> Vec<(Vec<usize>, [u64; 4])> {
    let mut stacks = Vec::new();
    tables.sites(&mut |site| {
        let sums = [site.objects, site.bytes, site.live_objects, site.live_bytes];
        stacks.push((site.places().collect::<Vec<_>>(), sums));
    });
    let mut known = Vec::new();
    tables.places(&mut |number, address| known.push((number, address)));
    let address = |place: &usize| {
        let found = known.iter().find(|(number, _)| number == place);
        found.expect("a place that a stack has is there").1
    };
    let mut sums: Vec<(Vec<usize>, [u64; 4])> = Vec::new();
    for (places, more) in stacks {
        let frames: Vec<usize> = places.iter().map(address).collect();
        assert!(frames == [100, 200] || frames == [200], "{frames:?}");
        match sums.iter_mut().find(|(known, _)| *known == frames) {
            Some((_, sum)) => (0..4).for_each(|n| sum[n] += more[n]),
            None => sums.push((frames, more)),
        }
    }
    sums.sort();
    sums
}

/// Two threads are the first with one stack: nothing is lost, and its places have one number each.
#[test]
fn one_stack_at_once() {
    loom::model(|| {
        let tables = tables();
        let other = tables.clone();
        let thread = thread::spawn(move || take(&other, 16, 10, inner));
        take(&tables, 32, 5, inner);
        thread.join().expect("no panic");
        assert_eq!(read(&tables), [(vec![100, 200], [2, 15, 2, 15])]);
        let mut places = 0;
        tables.places(&mut |_, _| places += 1);
        assert_eq!(places, 2);
        assert!(give(&tables, 16) && give(&tables, 32));
        assert_eq!(read(&tables), [(vec![100, 200], [2, 15, 0, 0])]);
    });
}

/// Two stacks come into one chain at once: both are there.
#[test]
fn two_stacks_at_once() {
    loom::model(|| {
        let tables = tables();
        let other = tables.clone();
        let thread = thread::spawn(move || take(&other, 16, 10, inner));
        take(&tables, 32, 5, outer);
        thread.join().expect("no panic");
        let all = [(vec![100, 200], [1, 10, 1, 10]), (vec![200], [1, 5, 1, 5])];
        assert_eq!(read(&tables), all);
    });
}

/// Whoever reads beside a thread that adds a stack finds it whole or not at all.
#[test]
fn reading_beside_taking() {
    // Of the test, not of the model: whether the reader was ever late enough.
    static SAW: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
    loom::model(|| {
        let tables = tables();
        take(&tables, 16, 10, outer);
        let (other, place) = (tables.clone(), Arc::new(AtomicU32::new(0)));
        let there = place.clone();
        let thread = thread::spawn(move || {
            take(&other, 32, 5, inner);
            meet(&there);
        });
        meet(&place);
        let before = read(&tables);
        assert_eq!(before.last(), Some(&(vec![200], [1, 10, 1, 10])));
        if let [(_, sums), _] = before[..] {
            // Each sum is there or not yet; without objects nothing is told.
            assert!(sums[0] == 1 && (sums[1] == 5 || sums[1] == 0), "{sums:?}");
            SAW.store(true, std::sync::atomic::Ordering::Relaxed);
        }
        thread.join().expect("no panic");
        assert_eq!(read(&tables)[0], (vec![100, 200], [1, 5, 1, 5]));
    });
    assert!(SAW.load(std::sync::atomic::Ordering::Relaxed));
}

/// A block that one thread has allocated and another frees is found, while a third thread's comes to where another was.
#[test]
fn giving_what_another_took() {
    // In one order or the other the first two are in each other's way.
    for early in [48, 80, 112, 144] {
        loom::model(move || {
            let tables = tables();
            take(&tables, early, 1, outer);
            take(&tables, 16, 10, outer);
            let (other, place) = (tables.clone(), Arc::new(AtomicU32::new(0)));
            let there = place.clone();
            let thread = thread::spawn(move || {
                assert!(give(&other, early), "it is a sample");
                take(&other, 32, 3, outer);
                meet(&there);
            });
            meet(&place);
            assert!(give(&tables, 16), "it is a sample");
            thread.join().expect("no panic");
            assert!(give(&tables, 32), "it is a sample");
            assert_eq!(read(&tables), [(vec![200], [3, 14, 0, 0])]);
        });
    }
}

/// Two threads want the last place for a sample: one gets it, and the other is told that there is none.
#[test]
fn the_last_room() {
    loom::model(|| {
        let tables = tables();
        take(&tables, 16, 1, outer);
        let other = tables.clone();
        let thread = thread::spawn(move || other.take(32, 1, &frames(outer), weight(1)));
        let mine = tables.take(48, 1, &frames(outer), weight(1));
        let theirs = thread.join().expect("no panic");
        assert!(mine != theirs);
        assert_eq!((give(&tables, 48), give(&tables, 32)), (mine, theirs));
        assert_eq!(read(&tables), [(vec![200], [2, 2, 1, 1])]);
    });
}
