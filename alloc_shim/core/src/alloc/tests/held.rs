//! Which pages a heap keeps, and from which of several it allocates.

use super::{Small, allocator, check, free, live, page_of, push};
use crate::account::Class::Client;
use crate::classes::{CLASSES, bin_of};
use crate::region::SLICE;

/// So many blocks of a size, taken.
fn some(all: &Small, count: usize, bytes: usize) -> Vec<*mut u8> {
    (0..count).map(|_| all.malloc(bytes)).collect()
}

#[test]
fn of_empty_pages_with_much_memory_eight_are_kept() {
    let all = allocator();
    let sizes = || (1..=16).map(|step| 64 * step);
    let taken: Vec<_> = sizes()
        .map(|bytes| some(&all, 40_000 / bytes, bytes))
        .collect();
    let filled = live(&all, Client);
    taken.iter().flatten().for_each(|block| free(&all, *block));
    assert_eq!(filled, sizes().count() * SLICE);
    assert_eq!(live(&all, Client), 8 * SLICE);
    let kept = all.figures().expect("no lock is held").takes;
    for _ in 0..3 {
        sizes()
            .skip(8)
            .for_each(|bytes| free(&all, all.malloc(bytes)));
    }
    assert_eq!(all.figures().expect("no lock is held").takes, kept);
    check(&all);
}

#[test]
fn empty_pages_with_little_memory_are_all_kept() {
    let all = allocator();
    for bytes in (16..=256).step_by(16) {
        free(&all, all.malloc(bytes));
    }
    assert_eq!(live(&all, Client), 16 * SLICE);
    all.purge();
    assert_eq!(live(&all, Client), 0);
}

#[test]
fn a_large_page_is_kept_for_a_block_that_comes_and_goes() {
    let all = allocator();
    let takes = || all.figures().expect("no lock is held").takes;
    for bytes in [10_000, 40_000, 70_000, 100_000, 128 << 10] {
        free(&all, all.malloc(bytes));
        let before = takes();
        for _ in 0..10 {
            let blocks = some(&all, 2, bytes);
            blocks.iter().for_each(|block| free(&all, *block));
        }
        assert_eq!(takes(), before, "{bytes}");
    }
    check(&all);
}

#[test]
fn large_pages_are_kept_up_to_eight_slices() {
    let all = allocator();
    let sizes = || (3..=16).map(|step| 8192 * step);
    for round in 0..4 {
        for bytes in sizes().filter(|bytes| bytes % (round + 1) == 0) {
            let blocks = some(&all, 2, bytes);
            blocks.iter().for_each(|block| free(&all, *block));
            assert!(live(&all, Client) <= 8 * SLICE, "{bytes}");
        }
        assert!(live(&all, Client) > 0);
    }
    check(&all);
    all.purge();
    assert_eq!(live(&all, Client), 0);
}

#[test]
fn the_fullest_page_serves_first_and_new_blocks_are_carved_last() {
    let all = allocator();
    let slice = |block: *mut u8| block.addr() / SLICE;
    let [sparse, dense] = [(); 2].map(|()| some(&all, 64, 1024));
    let new = some(&all, 1, 1024);
    sparse[..60].iter().for_each(|block| free(&all, *block));
    dense[..20].iter().for_each(|block| free(&all, *block));
    let pages = [&new, &dense, &sparse, &new].map(|page| slice(page[0]));
    let counts = [3, 20, 60, 60];
    for (page, count) in pages.into_iter().zip(counts) {
        let blocks = some(&all, count, 1024);
        assert!(blocks.iter().all(|block| slice(*block) == page));
    }
    check(&all);
}

#[test]
fn nothing_is_given_back_for_a_block_that_no_region_holds() {
    let all = allocator();
    free(&all, all.malloc(10 * SLICE));
    let before = all.figures().expect("no lock is held");
    assert!(all.malloc(all.region().size() + 1).is_null());
    assert!(all.malloc(1 << 46).is_null());
    let after = all.figures().expect("no lock is held");
    assert_eq!((after.dirty, after.purges), (before.dirty, before.purges));
    assert_eq!(after.refusals, before.refusals + 2);
    assert!(before.dirty > 0);
}

/// How many bytes went back to the system.
fn purged(all: &Small) -> usize {
    all.figures().expect("no lock is held").purged
}

#[test]
fn a_page_of_a_size_that_needs_little_keeps_little_of_the_memory_that_it_finds() {
    let all = allocator();
    let many = some(&all, 2 * SLICE / 32, 32);
    many.iter().for_each(|block| free(&all, *block));
    assert_eq!((live(&all, Client), purged(&all)), (SLICE, 0));
    let block = all.malloc(48);
    assert_eq!(
        purged(&all),
        SLICE - (8 << 10),
        "all of the slice had memory"
    );
    free(&all, block);
}

#[test]
fn a_size_that_once_needed_a_whole_page_keeps_what_it_finds() {
    let all = allocator();
    for bytes in [48, 80] {
        some(&all, SLICE / bytes, bytes)
            .iter()
            .for_each(|block| free(&all, *block));
    }
    let before = purged(&all);
    for bytes in [48, 80] {
        let many = some(&all, 2 * SLICE / bytes, bytes);
        many.iter().for_each(|block| free(&all, *block));
    }
    assert_eq!(purged(&all), before);
    check(&all);
}

#[test]
fn a_page_that_stays_when_it_is_empty_is_not_looked_at_again_for_that() {
    let all = allocator();
    let first = all.malloc(64);
    assert!(!page_of(&all, first).is_staying());
    free(&all, first);
    for _ in 0..3 {
        let block = all.malloc(64);
        assert!(page_of(&all, block).is_staying());
        assert_eq!(page_of(&all, block).used(), 1);
        assert!(!push(&all, block));
        assert_eq!(page_of(&all, block).used(), 0);
    }
    check(&all);
    all.purge();
    assert_eq!(live(&all, Client), 0);
}

#[test]
fn a_page_of_which_more_is_used_is_looked_at_again() {
    let all = allocator();
    free(&all, all.malloc(64));
    let blocks = some(&all, 40_000 / 64, 64);
    let page = page_of(&all, blocks[0]);
    assert!(!page.is_staying());
    check(&all);
    blocks.iter().for_each(|block| free(&all, *block));
    assert!(page.is_staying());
    check(&all);
}

#[test]
fn a_page_that_is_no_longer_alone_is_looked_at_when_it_is_empty() {
    let all = allocator();
    let shape = &CLASSES[bin_of(200)];
    let blocks = some(&all, shape.blocks as usize, 200);
    let beside = all.malloc(200);
    free(&all, beside);
    assert!(page_of(&all, beside).is_staying());
    let (some, rest) = blocks.split_at(shape.waking as usize);
    some.iter().for_each(|block| free(&all, *block));
    assert!(!page_of(&all, blocks[0]).is_parked() && !page_of(&all, beside).is_staying());
    check(&all);
    rest.iter().for_each(|block| free(&all, *block));
    check(&all);
    assert_eq!(live(&all, Client), SLICE);
}

#[test]
fn a_page_that_is_kept_no_longer_is_looked_at_when_it_is_empty() {
    let all = allocator();
    let fill = |bytes| {
        let blocks = some(&all, 40_000 / bytes, bytes);
        blocks.iter().for_each(|block| free(&all, *block));
    };
    fill(64);
    let block = all.malloc(64);
    assert!(page_of(&all, block).is_staying());
    (2..=9).for_each(|step| fill(64 * step));
    assert!(!page_of(&all, block).is_staying());
    assert_eq!(live(&all, Client), 9 * SLICE);
    free(&all, block);
    assert_eq!(live(&all, Client), 8 * SLICE);
    check(&all);
}
