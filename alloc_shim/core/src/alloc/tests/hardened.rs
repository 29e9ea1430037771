//! The hardened mode: what is written to freed blocks is found, and all else goes on as without it.

use super::{
    Small, allocator, begin_anew, check, churn, free, interrupted, last_words, live, next_thread,
};
use crate::account::Class::{Client, Runtime};
use crate::quarantine::BLOCKS;
use crate::region::SLICE;

fn hardened() -> Box<Small> {
    let all = allocator();
    assert!(all.harden());
    all
}

fn write(block: *mut u8, at: usize) {
    // SAFETY: the memory is there, and what the tests write to freed blocks is to be found.
    unsafe { block.wrapping_add(at).write(1) };
}

fn line(block: *mut u8, bytes: usize, at: usize) -> String {
    format!(
        "bowline_malloc: use after free: block of {bytes} bytes at {block:p} \
         was written at offset {at} after it was freed\n"
    )
}

/// Ways in which a block leaves the quarantine, or is looked at.
const LOOKS: [fn(&Small); 3] = [
    |all| all.inspect(),
    |all| all.purge(),
    |all| (0..=BLOCKS).for_each(|_| free(all, all.malloc(1))),
];

#[test]
fn a_write_to_a_freed_block_is_found_wherever_it_is() {
    // Bytes asked for, usable bytes, where.
    let cases = [
        (40, 48, 0),
        (40, 48, 47),
        (1000, 1024, 500),
        (30_000, 30_720, 30_719),
        (180_000, 3 * SLICE, 0),
        (180_000, 3 * SLICE, 4095),
        (180_000, 3 * SLICE, 3 * SLICE - 4096),
        ((4 << 20) - 8, 4 << 20, (4 << 20) - 1),
    ];
    for (bytes, usable, at) in cases {
        for look in LOOKS {
            let all = hardened();
            let block = all.malloc(bytes);
            free(&all, block);
            write(block, at);
            let text = last_words(&all, || look(&all));
            assert_eq!(text, line(block, usable, at));
        }
    }
}

#[test]
fn a_large_block_of_one_slice_bears_the_pattern_throughout() {
    let all = hardened();
    let block = all.alloc_class(100, 2 * SLICE, false, Client);
    free(&all, block);
    all.inspect();
    write(block, 30_000);
    let text = last_words(&all, || all.inspect());
    assert_eq!(text, line(block, SLICE, 30_000));
}

#[test]
fn between_its_ends_a_large_block_holds_no_memory_and_is_not_looked_at() {
    let all = hardened();
    let block = all.malloc(200_000);
    // SAFETY: the block is live and so large.
    unsafe { block.write_bytes(1, 200_000) };
    free(&all, block);
    // SAFETY: the memory is there.
    assert_eq!(unsafe { block.wrapping_add(50_000).read() }, 0);
    write(block, 50_000);
    all.inspect();
    all.purge();
    assert_eq!(live(&all, Client), 0);
    let fresh = all.calloc(1, 200_000);
    // SAFETY: the block is live and so large.
    let bytes = unsafe { std::slice::from_raw_parts(fresh, 200_000) };
    assert!(bytes.iter().all(|byte| *byte == 0));
    free(&all, fresh);
}

#[test]
fn realloc_always_moves_and_the_old_place_is_guarded() {
    for (bytes, to) in [
        (100, 101),
        (100, 100),
        (180_000, 170_000),
        (180_000, 300_000),
    ] {
        let all = hardened();
        let block = all.malloc(bytes);
        write(block, 7);
        // SAFETY: the block is live.
        let moved = unsafe { all.realloc(block, to) };
        assert!(!moved.is_null() && moved != block);
        // SAFETY: the block is live.
        assert_eq!(unsafe { moved.wrapping_add(7).read() }, 1);
        // SAFETY: the process is stopped unless the block is live.
        let size = unsafe { all.usable_size(moved) };
        assert!(size >= to);
        write(block, 7);
        let text = last_words(&all, || all.inspect());
        let usable = if bytes == 100 { 112 } else { 3 * SLICE };
        assert_eq!(text, line(block, usable, 7));
    }
}

#[test]
fn what_is_done_twice_is_named_while_the_block_is_held_and_afterwards() {
    for bytes in [40, 180_000] {
        let usable = if bytes == 40 { 48 } else { 3 * SLICE };
        for written in [false, true] {
            for nested in [false, true] {
                let all = hardened();
                let block = all.malloc(bytes);
                free(&all, block);
                if written {
                    (0..40).for_each(|at| write(block, at));
                }
                let again = || free(&all, block);
                let text = last_words(&all, || match nested {
                    true => interrupted(&all, true, again),
                    false => again(),
                });
                let expected = format!(
                    "bowline_malloc: free of {block:p}: double free of a block of {usable} bytes\n"
                );
                assert_eq!(text, expected);
            }
        }
        let all = hardened();
        let (block, _beside) = (all.malloc(bytes), all.malloc(bytes));
        free(&all, block);
        let text = last_words(&all, || {
            // SAFETY: the block is freed, which the call is to find.
            let _ = unsafe { all.realloc(block, 10) };
        });
        let expected = format!(
            "bowline_malloc: realloc of {block:p}: a block of {usable} bytes that was freed\n"
        );
        assert_eq!(text, expected);
        let all = hardened();
        let (block, _beside) = (all.malloc(bytes), all.malloc(bytes));
        free(&all, block);
        all.purge();
        let text = last_words(&all, || free(&all, block));
        assert!(text.contains("double free of a block of "), "{text}");
    }
}

#[test]
fn a_block_is_not_given_out_while_it_is_held() {
    let all = hardened();
    let first = all.malloc(40);
    free(&all, first);
    for _ in 1..BLOCKS {
        let block = all.malloc(40);
        assert!(block != first && !block.is_null());
        free(&all, block);
    }
    all.inspect();
    check(&all);
    next_thread(&all);
    all.purge();
    assert_eq!(live(&all, Client), 0);
}

#[test]
fn a_thread_that_had_its_heap_before_is_hardened_too() {
    let all = allocator();
    let block = all.malloc(40);
    assert!(all.harden());
    free(&all, block);
    write(block, 20);
    let text = last_words(&all, || all.inspect());
    assert_eq!(text, line(block, 48, 20));
    assert_eq!(all.counters().heaps_created.get(), 1);
}

#[test]
fn memory_that_is_only_held_is_had_when_it_is_wanted() {
    let all = hardened();
    // The region is 16 MiB, of which this is most.
    for _ in 0..20 {
        let block = all.malloc(12 << 20);
        assert!(!block.is_null());
        free(&all, block);
    }
    let mut blocks = Vec::new();
    for _ in 0..10 {
        blocks.extend((0..12).map(|_| all.malloc(1 << 20)));
        assert!(blocks.iter().all(|block| !block.is_null()));
        blocks.drain(..).for_each(|block| free(&all, block));
    }
    check(&all);
}

extern "C" fn refuse(_: usize) -> u32 {
    1
}

#[test]
fn what_is_only_held_refuses_nothing_to_the_client() {
    let all = hardened();
    all.region().set_pressure(Some(refuse));
    all.region().set_mark(2 << 20);
    for _ in 0..100 {
        let block = all.malloc(1 << 20);
        assert!(!block.is_null());
        free(&all, block);
    }
    let (block, more) = (all.malloc(1 << 20), all.malloc(2 << 20));
    assert!(!block.is_null() && more.is_null());
    free(&all, block);
    check(&all);
}

#[test]
fn handlers_and_ended_threads_go_on() {
    for locked in [false, true] {
        let all = hardened();
        let kept = all.malloc(64);
        let blocks = interrupted(&all, locked, || {
            let blocks = churn(&all, kept);
            all.inspect();
            blocks
        });
        let mut others = blocks.into_iter().skip(1).step_by(2);
        others
            .by_ref()
            .take(100)
            .for_each(|block| free(&all, block));
        all.thread_exit();
        others.for_each(|block| free(&all, block));
        free(&all, all.malloc(100));
        begin_anew(&all);
        all.purge();
        assert_eq!(live(&all, Client), 0, "locked: {locked}");
        check(&all);
    }
}

#[test]
fn a_forked_child_goes_on_with_what_is_held() {
    let all = hardened();
    let blocks: Vec<_> = (0..100).map(|i| all.malloc(i * 100)).collect();
    next_thread(&all);
    let (held, kept) = blocks.split_at(50);
    held.iter().for_each(|block| free(&all, *block));
    all.fork_prepare();
    all.fork_child();
    kept.iter().for_each(|block| free(&all, *block));
    all.fork_prepare();
    all.fork_parent();
    all.inspect();
    all.purge();
    assert_eq!(live(&all, Client), 0);
    let block = all.alloc_class(10, 16, false, Runtime);
    free(&all, block);
    write(block, 3);
    let text = last_words(&all, || all.inspect());
    assert_eq!(text, line(block, 32, 3));
}

#[test]
fn without_memory_for_it_there_is_no_mode() {
    let all = allocator();
    all.region().pal().commit.after(0);
    assert!(!all.harden());
    all.region().pal().commit.never();
    let block = all.malloc(40);
    free(&all, block);
    assert_eq!(all.malloc(40), block);
}
