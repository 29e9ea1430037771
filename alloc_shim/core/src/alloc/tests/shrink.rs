//! A block that is made smaller: no shortage of memory can refuse it.

use super::{allocator, check, free};
use crate::account::Class;
use crate::alloc::Allocator;
use crate::errno;
use crate::pal::Model;
use crate::region::SLICE;

/// Blocks so large, and what is asked of them: each would move to a class of which there is no page yet.
const SHRINKS: [(usize, usize); 5] = [
    (1000, 40),
    (60_000, 500),
    (200_000, 100),
    (200_000, 30_000),
    (140_000, 130_000),
];

/// What `realloc` makes of a block that was filled, with the errno that it leaves.
fn shrunk(all: &Allocator<Model>, block: *mut u8, to: usize) -> (*mut u8, i32) {
    errno::set(libc::EBADF);
    // SAFETY: the block is live.
    let after = unsafe { all.realloc(block, to) };
    (after, errno::get())
}

/// The block stays, keeps what is in it, and errno stays as well.
fn stays(all: &Allocator<Model>, block: *mut u8, to: usize) {
    // SAFETY: the block is live and at least as large.
    unsafe { block.write_bytes(7, to) };
    assert_eq!(shrunk(all, block, to), (block, libc::EBADF), "to {to}");
    // SAFETY: the block is live and at least as large.
    let kept = unsafe { std::slice::from_raw_parts(block, to) };
    assert!(kept.iter().all(|byte| *byte == 7));
    // SAFETY: the block is live.
    assert!(unsafe { all.usable_size(block) } >= to);
    free(all, block);
    check(all);
}

#[test]
fn where_no_smaller_one_is_to_be_had_the_block_stays() {
    for (bytes, to) in SHRINKS {
        let all = allocator();
        let block = all.malloc(bytes);
        all.region().pal().commit.after(0);
        for other in [SLICE + 1, to] {
            while !all.malloc(other).is_null() {}
        }
        stays(&all, block, to);
    }
}

extern "C" fn refuse(_: usize) -> u32 {
    1
}

#[test]
fn where_the_client_may_have_no_more_the_block_stays() {
    for (bytes, to) in SHRINKS {
        let all = allocator();
        let block = all.malloc(bytes);
        all.region().set_pressure(Some(refuse));
        all.region().set_mark(0);
        assert!(all.malloc(to).is_null(), "the hook refuses");
        stays(&all, block, to);
    }
}

#[test]
fn an_alignment_that_the_block_does_not_have_can_be_refused() {
    let all = allocator();
    let blocks = [all.malloc(48), all.malloc(48), all.malloc(48)];
    let odd = blocks
        .into_iter()
        .find(|block| !block.addr().is_multiple_of(4096));
    let odd = odd.expect("three blocks, and not all at the beginning of a page");
    all.region().pal().commit.after(0);
    while !all.malloc(SLICE).is_null() {}
    while !all.alloc_class(16, 4096, false, Class::Runtime).is_null() {}
    // SAFETY: the block is live.
    let moved = unsafe { all.realloc_class(odd, 16, 4096, Class::Runtime) };
    assert!(moved.is_null());
    blocks.into_iter().for_each(|block| free(&all, block));
    check(&all);
}

#[test]
fn a_large_block_that_was_to_be_aligned_in_vain_is_as_large_as_before() {
    let all = allocator();
    let blocks = [(); 2].map(|()| all.malloc(5 * SLICE));
    let odd = blocks
        .into_iter()
        .find(|block| !block.addr().is_multiple_of(2 * SLICE));
    let odd = odd.expect("they are an odd number of slices apart");
    all.region().pal().commit.after(0);
    while !all.malloc(SLICE).is_null() {}
    for bytes in [5 * SLICE - 1, 3 * SLICE, 6 * SLICE] {
        // SAFETY: the block is live.
        let moved = unsafe { all.realloc_class(odd, bytes, 2 * SLICE, Class::Runtime) };
        assert!(moved.is_null());
        // SAFETY: the block is live.
        assert_eq!(unsafe { all.usable_size(odd) }, 5 * SLICE);
    }
    blocks.into_iter().for_each(|block| free(&all, block));
    check(&all);
}
