//! The allocator on the model platform: what each call promises, in each standing of the thread.

mod guarded;
mod hardened;
mod held;
mod left;
mod limit;
mod parked;
mod perturb;
mod players;
mod random;
mod shared;
mod shrink;
mod untold;
mod visits;
mod walk;

use super::Allocator;
use crate::account::Class::{self, Client, Runtime};
use crate::heap::{BUSY, DEAD, EMPTY};
use crate::page::{Kind, PageEntry};
use crate::pal::Model;
use crate::region::SLICE;
use crate::tls::Words;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

type Small = Allocator<Model>;

fn allocator() -> Box<Small> {
    Box::new(Allocator::new(Model::new()))
}

/// Lets `act` run as a handler does that has interrupted this thread inside the allocator.
fn interrupted<T>(all: &Small, locked: bool, act: impl FnOnce() -> T) -> T {
    let words = all.words();
    let slot = words.slot();
    let word = words.get(slot);
    words.set(slot, BUSY);
    words.set_locked(slot, locked);
    let result = act();
    assert!(
        ptr::eq(words.get(slot), BUSY),
        "a handler leaves the word as it was"
    );
    assert_eq!(words.locked(slot), locked);
    words.set_locked(slot, false);
    words.set(slot, word);
    result
}

/// Frees `kept`, allocates blocks of many sizes and frees every other one.
fn churn(all: &Small, kept: *mut u8) -> Vec<*mut u8> {
    free(all, kept);
    let blocks: Vec<_> = (0..500).map(|i| all.malloc(i)).collect();
    let halved = blocks.iter().step_by(2);
    halved.for_each(|block| free(all, *block));
    blocks
}

/// The thread ends, and another one begins in its place.
fn next_thread(all: &Small) {
    all.thread_exit();
    begin_anew(all);
}

/// In the place of a thread whose end was told another one begins.
fn begin_anew(all: &Small) {
    let words = all.words();
    assert!(ptr::eq(words.get(words.slot()), DEAD));
    words.set(words.slot(), EMPTY);
}

/// The thread ends without a word, and another one begins in its place.
fn vanish(all: &Small) {
    let words = all.words();
    words.set(words.slot(), EMPTY);
    words.set_own(words.slot(), ptr::null());
}

fn free(all: &Small, block: *mut u8) {
    // SAFETY: the tests give live blocks, or want to see the refusal.
    unsafe { all.free(block) }
}

fn page_of(all: &Small, block: *mut u8) -> &PageEntry {
    all.at(all.region.entry_of(block).expect("a block"))
}

/// What the fast path does up to where it leaves the page to be looked at; true when it would.
fn push(all: &Small, block: *mut u8) -> bool {
    let _busy = all.busy();
    // SAFETY: the thread's own page, and a live block of it.
    unsafe { page_of(all, block).push(block.cast()) }
}

/// What the process says when it is stopped by `act`.
fn last_words(all: &Small, act: impl FnOnce()) -> String {
    assert!(
        catch_unwind(AssertUnwindSafe(act)).is_err(),
        "it is stopped"
    );
    let words = all.words();
    words.set(words.slot(), BUSY);
    all.region().pal().text()
}

fn live(all: &Small, class: Class) -> usize {
    all.region().live(class)
}

fn check(all: &Small) {
    assert_eq!(all.check(), Ok(()));
}

#[test]
fn blocks_of_no_bytes_are_distinct_and_can_be_freed() {
    let all = allocator();
    let (a, b) = (all.malloc(0), all.malloc(0));
    assert!(!a.is_null() && !b.is_null() && a != b);
    free(&all, a);
    free(&all, b);
    check(&all);
}

#[test]
fn a_block_freed_is_the_next_one_given() {
    let all = allocator();
    for bytes in [1, 16, 100, 1024, 1025, 20_000, 65_536] {
        let a = all.malloc(bytes);
        free(&all, a);
        assert_eq!(all.malloc(bytes), a, "{bytes}");
    }
    check(&all);
}

#[test]
fn too_much_is_refused_with_errno() {
    let all = allocator();
    let errno = || std::io::Error::last_os_error().raw_os_error();
    for bytes in [
        usize::MAX,
        isize::MAX as usize + 1,
        isize::MAX as usize,
        1 << 40,
    ] {
        assert!(all.malloc(bytes).is_null());
        assert_eq!(errno(), Some(libc::ENOMEM));
        assert!(all.alloc_class(bytes, 1 << 20, true, Client).is_null());
        assert!(all.alloc_class(bytes, 1 << 63, false, Client).is_null());
    }
    assert!(all.alloc_class(16, 1 << 63, false, Client).is_null());
    assert!(all.calloc(usize::MAX / 2, 3).is_null());
    assert_eq!(errno(), Some(libc::ENOMEM));
    check(&all);
}

#[test]
fn memory_that_the_system_refuses_is_not_given_and_comes_later() {
    let all = allocator();
    let first = all.malloc(100);
    all.region().pal().commit.after(0);
    let mut blocks = Vec::new();
    loop {
        let block = all.malloc(30_000);
        if block.is_null() {
            break;
        }
        blocks.push(block);
    }
    assert!(all.malloc(1 << 20).is_null());
    all.region().pal().commit.never();
    let more = all.malloc(1 << 20);
    assert!(!more.is_null());
    for block in blocks.into_iter().chain([first, more]) {
        free(&all, block);
    }
    check(&all);
}

#[test]
fn all_memory_comes_back_when_the_thread_ends() {
    let all = allocator();
    let sizes = [16, 48, 1000, 5000, 40_000, 200_000];
    let blocks: Vec<_> = sizes
        .iter()
        .cycle()
        .take(120)
        .map(|n| all.malloc(*n))
        .collect();
    assert!(live(&all, Client) > 0);
    blocks.into_iter().for_each(|block| free(&all, block));
    next_thread(&all);
    assert_eq!(live(&all, Client), 0);
    check(&all);
}

#[test]
fn blocks_outlive_their_thread_and_their_memory_comes_back_by_whoever_frees_them() {
    let all = allocator();
    let blocks: Vec<_> = (0..3000).map(|i| all.malloc(i % 700)).collect();
    next_thread(&all);
    let before = live(&all, Client);
    assert!(before > 0);
    blocks.into_iter().for_each(|block| free(&all, block));
    assert_eq!(live(&all, Client), 0);
    assert_eq!(all.counters().heaps_created.get(), 1);
    check(&all);
}

#[test]
fn a_heap_is_taken_over_by_the_next_thread() {
    let all = allocator();
    for _ in 0..1000 {
        let block = all.malloc(100);
        let other = all.malloc(100);
        free(&all, other);
        next_thread(&all);
        free(&all, block);
    }
    assert_eq!(all.counters().heaps_created.get(), 1);
    assert_eq!(live(&all, Client), 0);
    check(&all);
}

#[test]
fn a_thread_that_has_ended_goes_on() {
    let all = allocator();
    let first = all.malloc(50);
    all.thread_exit();
    let later: Vec<_> = (0..2000).map(|i| all.malloc(i)).collect();
    free(&all, first);
    later.into_iter().for_each(|block| free(&all, block));
    let large = all.malloc(1 << 20);
    free(&all, large);
    assert_eq!(live(&all, Client), 0);
    check(&all);
}

#[test]
fn handlers_allocate_and_free_wherever_they_interrupt() {
    for locked in [false, true] {
        let all = allocator();
        let kept = all.malloc(64);
        let blocks = interrupted(&all, locked, || {
            let blocks = churn(&all, kept);
            let large = all.malloc(200_000);
            assert!(!large.is_null());
            free(&all, large);
            blocks
        });
        let others = blocks.into_iter().skip(1).step_by(2);
        others.for_each(|block| free(&all, block));
        let block = all.malloc(140_000);
        free(&all, block);
        next_thread(&all);
        all.purge();
        assert_eq!(live(&all, Client), 0, "locked: {locked}");
        check(&all);
    }
}

#[test]
fn a_handler_beside_a_held_lock_is_served_from_the_reserve_up_to_its_size() {
    let all = allocator();
    let first = all.malloc(16);
    let lock = all.region().lock();
    let mut blocks = Vec::new();
    let mut bytes = 0;
    interrupted(&all, true, || {
        loop {
            let block = all.malloc(3000);
            if block.is_null() {
                break;
            }
            blocks.push(block);
            bytes += 3000;
        }
        assert!(all.malloc(1 << 20).is_null());
    });
    drop(lock);
    assert!(bytes > 2 * SLICE && bytes < 4 * SLICE, "{bytes}");
    // The next slow path renews it.
    let block = all.malloc(1 << 20);
    let lock = all.region().lock();
    let again = interrupted(&all, true, || all.alloc_class(100, 4096, true, Client));
    assert!(!again.is_null() && again.addr().is_multiple_of(4096));
    drop(lock);
    for block in blocks.into_iter().chain([block, again, first]) {
        free(&all, block);
    }
    let runtime = live(&all, Runtime);
    next_thread(&all);
    assert_eq!(live(&all, Client), 0);
    assert!(
        runtime <= 6 * SLICE,
        "the used reserve was given back: {runtime}"
    );
    check(&all);
}

#[test]
fn a_reserve_of_which_nothing_is_cut_marks_one_slice() {
    let all = allocator();
    let first = all.malloc(16);
    let at = |kind| {
        let is_such = |slice: &usize| all.entry(*slice).kind() == kind;
        all.region().reached().filter(is_such).collect::<Vec<_>>()
    };
    assert_eq!(at(Kind::Reserve).len(), 1);
    assert!(at(Kind::Inside).is_empty());
    let lock = all.region().lock();
    interrupted(&all, true, || {
        let [near, far] = [100, SLICE].map(|bytes| all.malloc(bytes));
        let next = all.malloc(100);
        for block in [near, far, next] {
            assert!(!block.is_null());
        }
        let reserve = at(Kind::Reserve)[0];
        assert_eq!(at(Kind::Inside), [reserve + 1]);
        for block in [next, far, near] {
            free(&all, block);
        }
    });
    drop(lock);
    free(&all, first);
    check(&all);
}

#[test]
fn realloc_tells_at_once_of_what_stays() {
    let all = allocator();
    let block = all.malloc(100);
    let at_once = |block: *mut u8, bytes| !all.realloc_fast(block, bytes).is_null();
    assert_eq!([57, 100, 112].map(|bytes| at_once(block, bytes)), [true; 3]);
    // What frees it, what is too small for it, and what is too large.
    assert_eq!([0, 56, 113].map(|bytes| at_once(block, bytes)), [false; 3]);
    assert!(!at_once(block.wrapping_add(8), 100) && !at_once(block.wrapping_add(112), 100));
    assert!(!at_once(std::ptr::null_mut(), 100) && !at_once((&raw mut *Box::new(1u8)), 1));
    interrupted(&all, false, || assert!(!at_once(block, 100)));
    free(&all, block);
    assert!(!at_once(block, 100));
    let large = all.malloc(200_000);
    assert!(!at_once(large, 200_000));
    let small = all.malloc(1);
    assert_eq!(
        [0, 1, 16, 17].map(|bytes| at_once(small, bytes)),
        [false, true, true, false]
    );
}

#[test]
fn realloc_keeps_contents_and_moves_when_it_must() {
    let all = allocator();
    let mut block = all.malloc(1);
    let mut bytes = 1;
    // SAFETY: the block is live and has that many bytes.
    unsafe { block.write(7) };
    for next in [
        30,
        16,
        500,
        100,
        70_000,
        140_000,
        300_000,
        80_000,
        60_000,
        17,
        1 << 20,
    ] {
        // SAFETY: the block is live.
        block = unsafe { all.realloc(block, next) };
        // SAFETY: the block is live.
        let usable = unsafe { all.usable_size(block) };
        assert!(usable >= next && usable <= 2 * next + 2 * SLICE);
        // SAFETY: the first byte was written.
        assert_eq!(unsafe { block.read() }, 7, "{bytes} to {next}");
        bytes = next;
    }
    // SAFETY: the block is live.
    assert!(unsafe { all.realloc(block, usize::MAX) }.is_null());
    // SAFETY: a refused realloc leaves the block.
    assert!(unsafe { all.realloc(block, 0) }.is_null());
    next_thread(&all);
    assert_eq!(live(&all, Client), 0);
    // SAFETY: null is no block.
    let fresh = unsafe { all.realloc(ptr::null_mut(), 5) };
    // SAFETY: the block is live.
    assert!(unsafe { all.usable_size(fresh) } >= 5);
    // SAFETY: null is no block.
    assert_eq!(unsafe { all.usable_size(ptr::null()) }, 0);
    check(&all);
}

#[test]
fn blocks_that_others_free_are_counted_when_they_are_collected() {
    let all = allocator();
    let blocks: Vec<_> = (0..3000).map(|i| all.malloc(i % 700)).collect();
    let collected = || all.counters().remote_frees.get();
    let (mine, others) = blocks.split_at(1000);
    mine.iter().for_each(|block| free(&all, *block));
    assert_eq!(collected(), 0, "a thread's own frees are not");
    interrupted(&all, false, || {
        others.iter().for_each(|block| free(&all, *block));
    });
    all.purge();
    assert_eq!(collected(), 2000);
    next_thread(&all);
    assert_eq!((collected(), live(&all, Client)), (2000, 0));
    assert_eq!(all.figures().map(|now| now.remote_frees), Some(2000));
}

static ASKED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn refuse(bytes: usize) -> u32 {
    ASKED.fetch_add(bytes, Ordering::Relaxed);
    1
}

#[test]
fn the_client_is_watched_and_nobody_else() {
    let all = allocator();
    let kept = all.malloc(16);
    all.region().set_pressure(Some(refuse));
    all.region().set_mark(0);
    assert!(all.malloc(1000).is_null() && all.malloc(1 << 20).is_null());
    assert_eq!(ASKED.load(Ordering::Relaxed), SLICE + (1 << 20));
    assert!(!all.malloc(16).is_null(), "a page with room asks nobody");
    assert!(!all.alloc_class(1 << 20, 16, false, Runtime).is_null());
    assert!(!interrupted(&all, false, || all.malloc(2000)).is_null());
    all.region().set_mark(usize::MAX);
    assert!(!all.malloc(1000).is_null());
    free(&all, kept);
    check(&all);
}

#[test]
fn bad_frees_are_named() {
    /// Bytes, how far into the block, what comes before, what is said.
    type Case = (usize, usize, fn(&Small, *mut u8), &'static str);
    let cases: [Case; 7] = [
        (
            40,
            0,
            |all, block| free(all, block),
            "double free of a block of 48 bytes\n",
        ),
        (40, 16, |_, _| {}, "inside the block of 48 bytes at "),
        (40, 8, |_, _| {}, "inside the block of 48 bytes at "),
        (
            180_000,
            0,
            |all, block| free(all, block),
            "double free of a block of 196608 bytes\n",
        ),
        (
            180_000,
            16,
            |_, _| {},
            "inside the block of 196608 bytes at ",
        ),
        (
            180_000,
            SLICE,
            |_, _| {},
            "inside the block of 196608 bytes at ",
        ),
        (40, SLICE - 16, |_, _| {}, "not allocated here\n"),
    ];
    for (bytes, into, before, what) in cases {
        for elsewhere in [false, true] {
            let all = allocator();
            let block = all.malloc(bytes);
            let _beside = all.malloc(bytes);
            if elsewhere {
                next_thread(&all);
                let words = all.words();
                words.set(words.slot(), DEAD);
            }
            before(&all, block);
            let wrong = block.wrapping_add(into);
            let text = last_words(&all, || free(&all, wrong));
            let begins = format!("bowline_malloc: free of {wrong:p}: {what}");
            assert!(text.starts_with(&begins), "{text} should begin {begins}");
        }
    }
}

#[test]
fn foreign_pointers_are_named() {
    let all = allocator();
    let _ = all.malloc(1);
    let mut mine = [0u64; 4];
    let foreign = mine.as_mut_ptr().cast::<u8>();
    let text = last_words(&all, || free(&all, foreign));
    assert_eq!(
        text,
        format!("bowline_malloc: free of {foreign:p}: not allocated here\n")
    );
}

#[test]
fn freed_blocks_are_named_by_the_others_too() {
    let all = allocator();
    let block = all.malloc(40);
    let _beside = all.malloc(40);
    free(&all, block);
    // SAFETY: the block is freed, which the call is to find.
    let text = last_words(&all, || {
        // SAFETY: as above.
        let _ = unsafe { all.realloc(block, 100) };
    });
    let line =
        format!("bowline_malloc: realloc of {block:p}: a block of 48 bytes that was freed\n");
    assert_eq!(text, line);
}

#[test]
fn a_live_block_that_bears_the_seal_is_freed_all_the_same() {
    for elsewhere in [false, true] {
        let all = allocator();
        let block = all.malloc(40);
        let _beside = all.malloc(40);
        if elsewhere {
            next_thread(&all);
        }
        let seal = page_of(&all, block).seal();
        // SAFETY: the block is live.
        unsafe { block.cast::<usize>().wrapping_add(1).write(seal) };
        free(&all, block);
        check(&all);
    }
}

#[test]
fn a_forked_child_takes_over_sound_heaps_and_leaves_others_alone() {
    let all = allocator();
    let block = all.malloc(40);
    next_thread(&all);
    // Two threads that will be gone, one of them in the middle of a change.
    let (sound, broken) = (all.borrow().expect("memory"), all.borrow().expect("memory"));
    sound.shared.tenure.keep();
    broken.shared.tenure.keep();
    std::mem::forget(broken.change(all.words()));
    all.fork_prepare();
    all.fork_child();
    assert!(sound.shared.tenure.is_vacant() && broken.shared.tenure.is_lost());
    free(&all, block);
    let more: Vec<_> = (0..100).map(|_| all.malloc(40)).collect();
    more.into_iter().for_each(|block| free(&all, block));
    assert_eq!(all.counters().heaps_created.get(), 2);
    check(&all);
}

#[test]
fn a_miscount_that_a_fork_leaves_is_mended() {
    let all = allocator();
    let blocks: Vec<_> = (0..10).map(|_| all.malloc(40)).collect();
    let heap = all.each_heap().next().expect("one heap");
    let page = heap.current(Client, 3).expect("one page");
    // As if the thread had been cut off between the list and the count.
    page.count_up();
    vanish(&all);
    all.fork_prepare();
    all.fork_child();
    blocks.into_iter().for_each(|block| free(&all, block));
    let first = all.malloc(5000);
    free(&all, first);
    next_thread(&all);
    assert_eq!(live(&all, Client), 0);
    check(&all);
}
