//! Heaps on the system itself: many threads that hand their blocks to each other, end, and begin anew.
//!
//! One test, for it looks at the accounts of the one allocator of the process.

#![cfg(not(loom))]

#[path = "support/blocks.rs"]
mod blocks;

use blocks::{Random, end, make, resize};
use bowline_alloc::account::Class;
use bowline_alloc::global::{self, ALLOCATOR};
use std::ptr::null_mut;
use std::sync::Barrier;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::thread;

fn churn(slots: &[AtomicPtr<u8>], seed: u64, steps: usize) {
    let mut random = Random::new(seed);
    for _ in 0..steps {
        let mut block = make(&mut random);
        if random.next().is_multiple_of(4) {
            block = resize(block, &mut random);
        }
        let slot = &slots[random.next() % slots.len()];
        end(slot.swap(block, Ordering::AcqRel));
    }
    global::thread_exit();
    // What runs on a thread after its end goes on.
    let slot = &slots[random.next() % slots.len()];
    end(slot.swap(make(&mut random), Ordering::AcqRel));
}

fn live() -> usize {
    global::purge();
    ALLOCATOR.region().live(Class::Client)
}

#[test]
fn threads_hand_blocks_to_each_other_and_all_memory_comes_back() {
    let slots: Vec<_> = (0..500).map(|_| AtomicPtr::new(null_mut())).collect();
    for wave in 0..10 {
        thread::scope(|scope| {
            for thread in 0..8 {
                let slots = &slots;
                scope.spawn(move || churn(slots, wave * 8 + thread, 1500));
            }
        });
    }
    let made = ALLOCATOR.region().figures().heaps_created;
    assert!(made <= 8 + 8, "heaps are taken over, but {made} were made");
    for slot in &slots {
        end(slot.swap(null_mut(), Ordering::AcqRel));
    }
    assert_eq!(live(), 0);

    // Threads that allocate and end; another one frees.
    let ready = &Barrier::new(64);
    let blocks = thread::scope(|scope| {
        let work = move || {
            let mut random = Random::new(99);
            let blocks: Vec<_> = (0..200).map(|_| make(&mut random).addr()).collect();
            ready.wait();
            global::thread_exit();
            blocks
        };
        let threads: Vec<_> = (0..64).map(|_| scope.spawn(work)).collect();
        let join = |thread: thread::ScopedJoinHandle<Vec<usize>>| thread.join().expect("no panic");
        threads.into_iter().flat_map(join).collect::<Vec<_>>()
    });
    let base = ALLOCATOR.region().base();
    for address in blocks {
        end(base.with_addr(address));
    }
    assert_eq!(ALLOCATOR.region().live(Class::Client), 0, "without a purge");

    // Thousands of threads in turn need no more than one.
    let made = ALLOCATOR.region().figures().heaps_created;
    for turn in 0..3000 {
        thread::spawn(move || {
            end(make(&mut Random::new(turn)));
            global::thread_exit();
        })
        .join()
        .expect("no panic");
    }
    assert_eq!(ALLOCATOR.region().figures().heaps_created, made);
    assert_eq!(live(), 0);
    assert_eq!(ALLOCATOR.check(), Ok(()));
}
