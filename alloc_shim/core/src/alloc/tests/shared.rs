//! Where there are many threads, or little memory: sizes that share pages, and larger blocks in place of none.

use super::{Small, allocator, check, free, live};
use crate::account::Class::{Client, Runtime};
use crate::classes::{CLASSES, bin_of};
use crate::region::SLICE;

/// As if so many threads had come before.
fn crowd(all: &Small) {
    for _ in 0..17 {
        assert!(all.borrow().is_some());
    }
}

fn usable(all: &Small, block: *mut u8) -> usize {
    // SAFETY: a live block.
    unsafe { all.usable_size(block) }
}

#[test]
fn in_a_crowd_the_first_blocks_of_all_sizes_share_pages() {
    let all = allocator();
    crowd(&all);
    let blocks: Vec<_> = (0..64).map(|step| all.malloc(16 * step + 16)).collect();
    // Those up to 256 bytes, and those up to 1024.
    assert_eq!(live(&all, Client), 2 * SLICE);
    let sizes = blocks.iter().map(|block| usable(&all, *block));
    for (bytes, size) in (1..=64).map(|step| 16 * step).zip(sizes) {
        assert_eq!(size, if bytes <= 256 { 256 } else { 1024 });
    }
    check(&all);
    let larger = all.malloc(1025);
    assert_eq!(usable(&all, larger), 1152);
    blocks.iter().for_each(|block| free(&all, *block));
    free(&all, larger);
    all.purge();
    assert_eq!(live(&all, Client), 0);
}

#[test]
fn in_a_crowd_a_size_that_is_used_gets_pages_of_its_own() {
    for (bytes, shared) in [(48, 8), (600, 4)] {
        let all = allocator();
        crowd(&all);
        let size = |_| {
            let block = all.malloc(bytes);
            free(&all, block);
            usable(&all, all.malloc(bytes))
        };
        let sizes: Vec<_> = (0..20).map(size).collect();
        let own = if bytes == 48 { 48 } else { 640 };
        let larger = sizes.iter().filter(|size| **size != own).count();
        assert!(sizes[0] >= 256 && sizes[19] == own, "{sizes:?}");
        assert!(larger <= shared, "{sizes:?}");
        check(&all);
    }
}

#[test]
fn few_threads_have_pages_for_each_size() {
    let all = allocator();
    (1..=16).for_each(|step| assert_eq!(usable(&all, all.malloc(16 * step)), 16 * step));
    assert_eq!(live(&all, Client), 16 * SLICE);
}

#[test]
fn under_a_near_limit_on_memory_sizes_share_pages_and_the_reserve_is_small() {
    let all = allocator();
    all.region().pal().limit_data(4 << 20);
    (1..=64).for_each(|step| assert!(!all.malloc(16 * step).is_null()));
    assert_eq!(live(&all, Client), 2 * SLICE);
    // One slice of heaps, and one of the reserve.
    assert_eq!(live(&all, Runtime), 2 * SLICE);
    check(&all);
}

#[test]
fn where_there_is_no_memory_for_a_page_a_larger_block_is_better_than_none() {
    let all = allocator();
    all.region().set_limit(SLICE);
    let first = all.malloc(1000);
    let second = all.malloc(300);
    assert_eq!(usable(&all, second), 1024);
    assert!(all.malloc(2000).is_null(), "none is large enough");
    let rest = std::iter::from_fn(|| Some(all.malloc(10)).filter(|block| !block.is_null()));
    let rest: Vec<_> = rest.collect();
    assert_eq!(rest.len(), 62);
    assert_eq!(live(&all, Client), SLICE);
    check(&all);
    rest.iter()
        .chain([&first, &second])
        .for_each(|block| free(&all, *block));
    // All is free again for another size.
    assert_eq!(usable(&all, all.malloc(10)), 16);
    check(&all);
}

#[test]
fn a_larger_block_in_place_of_none_begins_where_it_was_asked_to() {
    let all = allocator();
    let slices = CLASSES[bin_of(1152)].slices + CLASSES[bin_of(1536)].slices;
    all.region().set_limit(slices as usize * SLICE);
    assert_eq!(usable(&all, all.malloc(1152)), 1152);
    assert_eq!(usable(&all, all.malloc(1536)), 1536);
    assert!(all.aligned(1024, 1024).is_null(), "no other is aligned so");
    let aligned = all.aligned(1024, 512);
    assert!(aligned.addr().is_multiple_of(512));
    assert_eq!(usable(&all, aligned), 1536);
    assert_eq!(usable(&all, all.malloc(1024)), 1152);
    check(&all);
}
