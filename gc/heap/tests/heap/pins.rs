//! Counted pins, and sites of objects that are promoted: what stays, what comes free, and a heap that is full of it.

use crate::support::*;
use bowline_gc::{Collect, HeapConfig, Mutator, PinError, Plan, access};
use bowline_layout::{Tag, Value, bytevector};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};

pub(crate) const CASES: &[Case] = &[
    everywhere("pins in a nursery stay", pinned_nursery),
    everywhere("a pointer to the middle of what is pinned", middle),
    everywhere("large objects are pinned without a copy", large),
    everywhere("a pin for every line", every_line),
    everywhere("a pin for every block", every_block),
    everywhere("threads pin and others unpin", threads_pin),
    everywhere(
        "threads go and their pins are counted",
        pins_made_never_sinks,
    ),
    everywhere("pins of the boot heap are counted", boot_pins),
    everywhere(
        "sites of the promoted allocate where nothing moves",
        sites_learn,
    ),
];

pub(crate) fn moving() -> HeapConfig {
    HeapConfig {
        plan: Plan::CompactTest,
        verify: true,
        ..HeapConfig::default()
    }
}

/// One that a minor collection is about to copy stays, as often as it is pinned more often than unpinned.
fn pinned_nursery() {
    for_each_kind(|m, kind| {
        let young: Vec<Value> = (0..1000).map(|i| pair(m, fix(i), Value::NIL)).collect();
        for v in young.iter().step_by(2) {
            assert_eq!((m.pin(*v), m.pin(*v), m.unpin(*v)), (Ok(1), Ok(2), Ok(1)));
        }
        m.collect(kind);
        for (i, v) in young.iter().enumerate().step_by(2) {
            assert!(m.is_pinned(*v));
            assert_eq!(at(*v, 0), fix(i as i64));
            m.push(*v);
        }
        assert_eq!(m.stats().pinned_objects, 500);
        for v in young.iter().step_by(2) {
            assert_eq!(m.unpin(*v), Ok(0));
            assert_eq!(m.unpin(*v), Err(PinError::NotPinned(*v)));
        }
        m.collect(kind);
        assert_eq!(m.stats().pinned_objects, 0);
    });
}

/// An address inside a pinned buffer is good across collections of both kinds.
fn middle() {
    let (_, mut m) = heap_with(moving());
    for n in [100, 5000, 40_000] {
        let v = m.alloc(bytevector::header(n), Tag::Object).expect("room");
        m.pin(v).expect("an object");
        // SAFETY: the object is pinned.
        let inside = unsafe { access::bytes_ptr(v, 1) }.wrapping_add(n / 2);
        // SAFETY: as above.
        unsafe { inside.write(77) };
        m.collect(Collect::Minor);
        garbage(&mut m, 10_000);
        m.collect(Collect::Full);
        // SAFETY: as above.
        assert_eq!(unsafe { inside.read() }, 77);
        // SAFETY: as above.
        assert_eq!(unsafe { access::bytes(v, 1, n) }[n / 2], 77);
        m.unpin(v).expect("pinned");
    }
}

fn large() {
    let (_, mut m) = heap_with(moving());
    let v = vector(&mut m, 100_000);
    put(&mut m, v, 99_999, fix(5));
    m.pin(v).expect("an object");
    let moved = m.stats().moved_bytes;
    m.collect(Collect::Full);
    assert!(m.stats().moved_bytes - moved < 1000, "nothing was copied");
    assert_eq!(at(v, 99_999), fix(5));
    assert!(m.is_pinned(v));
    m.unpin(v).expect("pinned");
    assert!(m.is_pinned(v), "it never moves");
    assert_eq!(m.unpin(v), Err(PinError::NotPinned(v)));
}

/// Pins every `every`th of fresh pairs until there is no room, at most `most`.
fn pin_all_over(m: &mut Mutator, every: usize, most: usize) -> Vec<Value> {
    let mut pinned = Vec::new();
    for i in 0.. {
        m.poll();
        let Ok(v) = m.alloc_pair(fix(i as i64), Value::NIL) else {
            break;
        };
        if i % every == 0 {
            m.pin(v).expect("an object");
            pinned.push(v);
        }
        if pinned.len() >= most {
            break;
        }
    }
    pinned
}

/// One pinned pair in each line of the heap: it is full, and says so; with every other unpinned it goes on,
/// and each that is still pinned is where it was.
fn every_line() {
    let (_, mut m) = limited(32 * MIB);
    for _ in 0..3 {
        let pinned = pin_all_over(&mut m, 16, usize::MAX);
        assert!(pinned.len() > 50_000, "{} fitted", pinned.len());
        assert!(
            pinned.len() <= 32 * MIB / 256 + 1,
            "{} fitted",
            pinned.len()
        );
        for v in pinned.iter().step_by(2) {
            m.unpin(*v).expect("pinned");
        }
        let l = list(&mut m, 100_000);
        check_list(l, 100_000);
        m.push(l);
        m.collect(Collect::Full);
        for (i, v) in pinned.iter().enumerate().skip(1).step_by(2) {
            assert_eq!(at(*v, 0), fix(16 * i as i64));
            m.unpin(*v).expect("pinned");
        }
        check_list(m.pop(), 100_000);
    }
}

/// One pinned pair in each block leaves nearly all of the heap to others.
fn every_block() {
    let (_, mut m) = limited(64 * MIB);
    for _ in 0..3 {
        let pinned = pin_all_over(&mut m, (32 << 10) / 16, 1500);
        assert_eq!(pinned.len(), 1500);
        // 32 MiB of live pairs between them.
        let l = list(&mut m, 2_000_000);
        m.push(l);
        m.collect(Collect::Full);
        check_list(m.pop(), 2_000_000);
        for v in pinned {
            m.unpin(v).expect("pinned");
        }
    }
}

/// Eight threads pin; what each has pinned another unpins, while all allocate and one collects.
fn threads_pin() {
    const THREADS: usize = 8;
    const EACH: usize = 200;
    let (heap, mut m) = heap_with(HeapConfig {
        verify: false,
        ..moving()
    });
    let barrier = Barrier::new(THREADS);
    let pinned: Vec<std::sync::Mutex<Vec<Value>>> =
        (0..THREADS).map(|_| Default::default()).collect();
    m.enter_native();
    std::thread::scope(|scope| {
        for t in 0..THREADS {
            let (barrier, pinned) = (&barrier, &pinned);
            scope.spawn(move || {
                for round in 0..5 {
                    let mut m = heap.attach();
                    for i in 0..EACH {
                        let v = pair(&mut m, fix((t * EACH + i) as i64), Value::NIL);
                        assert_eq!((m.pin(v), m.pin(v)), (Ok(1), Ok(2)));
                        pinned[t].lock().expect("no panic").push(v);
                        garbage(&mut m, 10);
                    }
                    if t == round {
                        m.collect(Collect::Full);
                    }
                    m.enter_native();
                    barrier.wait();
                    m.leave_native();
                    let other = (t + 1) % THREADS;
                    let taken = std::mem::take(&mut *pinned[other].lock().expect("no panic"));
                    for (i, v) in taken.into_iter().enumerate() {
                        assert_eq!(at(v, 0), fix((other * EACH + i) as i64));
                        assert_eq!((m.unpin(v), m.unpin(v)), (Ok(1), Ok(0)));
                        garbage(&mut m, 10);
                    }
                    m.enter_native();
                    barrier.wait();
                    m.leave_native();
                }
            });
        }
    });
    m.leave_native();
    m.collect(Collect::Full);
    assert_eq!(m.stats().pinned_objects, 0);
    assert_eq!(heap.pins_made(), 2 * 5 * (THREADS * EACH) as u64);
}

fn boot_pins() {
    let (_, mut m) = heap();
    let v = m.alloc_boot(bytevector::header(10), Tag::Object).unwrap();
    assert!(m.is_pinned(v), "it never moves");
    assert_eq!((m.pin(v), m.pin(v)), (Ok(1), Ok(2)));
    m.collect(Collect::Full);
    assert_eq!((m.unpin(v), m.unpin(v)), (Ok(1), Ok(0)));
    assert_eq!(m.unpin(v), Err(PinError::NotPinned(v)));
}

fn sites_learn() {
    let (heap, mut m) = heap_with(moving());
    let kept = heap.alloc_site("buffers that C keeps");
    let other = heap.alloc_site("buffers that it does not");
    assert_eq!(heap.alloc_site("buffers that C keeps"), kept);
    let buffer = |m: &mut Mutator, site, promote: bool| {
        let v = m.alloc_at(site, bytevector::header(100), Tag::Object);
        let v = v.expect("room");
        let stays = m.is_pinned(v);
        if promote {
            m.promote_at(site, v).expect("an object");
        }
        stays
    };
    for i in 0..1000 {
        m.poll();
        let stays = buffer(&mut m, kept, true);
        assert_eq!(stays, i >= 64, "after {i}");
        // One in four is too few.
        assert!(!buffer(&mut m, other, i % 4 == 0));
    }
    let figures = heap.alloc_sites();
    let named = |label: &str| {
        figures
            .iter()
            .find(|f| f.label == label)
            .expect("made")
            .clone()
    };
    let f = named("buffers that C keeps");
    assert_eq!((f.made, f.promoted, f.immovable), (1000, 1000, 936));
    let f = named("buffers that it does not");
    assert_eq!((f.made, f.promoted, f.immovable), (1000, 250, 0));
    // Only those needed MMTk's pin bit that could have moved. Under `latency` what is asked for as immovable
    // stands among the others, too.
    let immovable = match heap.config().plan {
        Plan::Latency => 936,
        _ => 0,
    };
    assert_eq!(heap.promoted(), 64 + 250 + immovable);
    // When they are kept no more, the site allocates as others do again.
    for i in 0..200 {
        m.poll();
        let stays = buffer(&mut m, kept, false);
        assert_eq!(stays, i < 24 + 64, "after {i}");
    }
}

/// A thread that goes takes none of its pins out of the sum.
fn pins_made_never_sinks() {
    let (heap, mut m) = heap();
    m.enter_native();
    let going = AtomicU32::new(4);
    std::thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| {
                for _ in 0..150 {
                    let mut m = heap.attach();
                    let v = pair(&mut m, fix(1), fix(2));
                    m.pin(v).unwrap();
                    m.unpin(v).unwrap();
                }
                going.fetch_sub(1, Ordering::SeqCst);
            });
        }
        let mut seen = 0;
        while going.load(Ordering::SeqCst) > 0 {
            let now = heap.pins_made();
            assert!(now >= seen, "{now} after {seen}");
            seen = now;
        }
    });
    m.leave_native();
    assert_eq!(heap.pins_made(), 600);
}
