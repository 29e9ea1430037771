//! Heaps on the system itself: many threads that hand their blocks to each other, end, and begin anew.
//!
//! One test, for it looks at the accounts of the one allocator of the process.

#![cfg(not(loom))]

use bowline_alloc::account::Class;
use bowline_alloc::global::{self, ALLOCATOR};
use std::ptr::null_mut;
use std::sync::Barrier;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::thread;

/// A block that says how long it is, and of which every byte can be verified.
#[repr(C)]
struct Head {
    bytes: usize,
    seed: usize,
}

const HEAD: usize = size_of::<Head>();

fn byte(seed: usize, at: usize) -> u8 {
    (seed ^ at.wrapping_mul(0x9d)) as u8
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize
    }

    fn size(&mut self) -> usize {
        let most = match self.next() % 64 {
            0..48 => 200,
            48..60 => 4000,
            60..63 => 40_000,
            _ => 300_000,
        };
        self.next() % most
    }
}

fn make(random: &mut Random) -> *mut u8 {
    let (bytes, seed) = (random.size(), random.next());
    let block = match random.next() % 4 {
        0 => global::aligned(32 << (random.next() % 6), bytes + HEAD),
        1 => global::calloc(1, bytes + HEAD),
        _ => global::malloc(bytes + HEAD),
    };
    assert!(!block.is_null());
    fill(block, Head { bytes, seed });
    block
}

fn fill(block: *mut u8, head: Head) {
    for at in 0..head.bytes {
        let place = block.wrapping_add(HEAD + at);
        // SAFETY: the block is ours and holds the head and so many bytes.
        unsafe { place.write(byte(head.seed, at)) };
    }
    // SAFETY: as above.
    unsafe { block.cast::<Head>().write(head) };
}

fn verify(block: *mut u8) -> usize {
    // SAFETY: the block was filled.
    let head = unsafe { block.cast::<Head>().read() };
    for at in 0..head.bytes {
        let place = block.wrapping_add(HEAD + at);
        // SAFETY: as above.
        let found = unsafe { place.read() };
        assert_eq!(found, byte(head.seed, at), "byte {at} of {}", head.bytes);
    }
    head.bytes
}

fn end(block: *mut u8) {
    if !block.is_null() {
        verify(block);
        // SAFETY: the block is ours, and used no more.
        unsafe { global::free(block) };
    }
}

fn resize(block: *mut u8, random: &mut Random) -> *mut u8 {
    let old = verify(block);
    let bytes = random.size();
    // SAFETY: the block is ours.
    let moved = unsafe { global::realloc(block, bytes + HEAD) };
    assert!(!moved.is_null());
    // SAFETY: the head has moved along.
    let seed = unsafe { moved.cast::<Head>().read() }.seed;
    for at in 0..old.min(bytes) {
        let place = moved.wrapping_add(HEAD + at);
        // SAFETY: the smaller of both sizes was kept.
        assert_eq!(unsafe { place.read() }, byte(seed, at));
    }
    fill(moved, Head { bytes, seed });
    moved
}

fn churn(slots: &[AtomicPtr<u8>], seed: u64, steps: usize) {
    let mut random = Random(seed * 0x9e37_79b9 + 1);
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
            let mut random = Random(99);
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
            end(make(&mut Random(turn + 1)));
            global::thread_exit();
        })
        .join()
        .expect("no panic");
    }
    assert_eq!(ALLOCATOR.region().figures().heaps_created, made);
    assert_eq!(live(), 0);
    assert_eq!(ALLOCATOR.check(), Ok(()));
}
