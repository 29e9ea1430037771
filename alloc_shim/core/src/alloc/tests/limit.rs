//! A limit for the client: what it would take beyond it is refused, whatever asks.

use super::{Small, allocator, check, free, interrupted, live};
use crate::account::Class::{Client, Runtime};
use crate::errno;
use crate::region::SLICE;

const LIMIT: usize = 64 * SLICE;

fn limited() -> Box<Small> {
    let all = allocator();
    all.region().set_limit(LIMIT);
    all
}

/// Blocks of a size until there are no more.
fn all_of(all: &Small, bytes: usize) -> Vec<*mut u8> {
    errno::set(0);
    let blocks = std::iter::repeat_with(|| all.malloc(bytes))
        .take_while(|block| !block.is_null())
        .collect();
    assert_eq!(errno::get(), libc::ENOMEM);
    blocks
}

#[test]
fn small_and_large_blocks_fill_it_to_the_last_page_again_and_again() {
    let all = limited();
    for bytes in [1, 16, 1000, 5000, SLICE, 3 * SLICE, 64 * SLICE] {
        let blocks = all_of(&all, bytes);
        // What a block and the end of its page leave.
        let least = LIMIT - LIMIT / 8 - 8 * SLICE;
        assert!(
            blocks.len() * bytes.next_multiple_of(16) >= least,
            "{} of {bytes}",
            blocks.len()
        );
        assert!(live(&all, Client) <= LIMIT);
        blocks.into_iter().for_each(|block| free(&all, block));
        check(&all);
    }
    assert!(all.malloc(LIMIT + 1).is_null());
    assert!(all.region().peak(Client) <= LIMIT);
}

#[test]
fn a_block_grows_up_to_it_and_stays_where_it_cannot() {
    let all = limited();
    let block = all.malloc(60 * SLICE);
    // SAFETY: the block is live.
    let more = unsafe { all.realloc(block, 65 * SLICE) };
    assert!(more.is_null());
    // SAFETY: the block is live, for it was not moved.
    let same = unsafe { all.realloc(block, 64 * SLICE) };
    assert_eq!(same, block);
    free(&all, same);
    check(&all);
}

#[test]
fn neither_the_runtime_nor_a_handler_that_must_not_wait_is_held_to_it() {
    let all = limited();
    let blocks = all_of(&all, SLICE + 1);
    assert!(!all.alloc_class(10 * SLICE, 16, false, Runtime).is_null());
    // A handler that must not wait has the reserve, which is the runtime's.
    let block = interrupted(&all, true, || all.malloc(100));
    assert!(!block.is_null());
    assert!(live(&all, Client) <= LIMIT);
    free(&all, block);
    blocks.into_iter().for_each(|block| free(&all, block));
    check(&all);
}

#[test]
fn a_cleared_block_that_gets_no_new_memory_comes_from_a_page() {
    let all = limited();
    let [first, _page] = [(); 2].map(|()| all.calloc(1, 100_000));
    let _other = all.calloc(1, 200_000);
    (0..10).for_each(|_| all.sparse.learn(true));
    assert!(all.sparse.prevail());
    free(&all, first);
    all.region().set_limit(live(&all, Client));
    let block = all.calloc(1, 100_000);
    assert_eq!(block, first);
    assert!(all.calloc(1, 200_000).is_null());
    free(&all, block);
    check(&all);
}
