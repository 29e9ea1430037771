//! What a census finds, on the model platform.

use super::{Found, Holder};
use crate::account::Class::{Client, Runtime};
use crate::alloc::Allocator;
use crate::classes::bin_of;
use crate::pal::Model;
use crate::region::SLICE;

fn allocator() -> Box<Allocator<Model>> {
    Box::new(Allocator::new(Model::new()))
}

#[test]
fn before_the_first_allocation_there_is_nothing() {
    let all = allocator();
    all.look(|slice, _, _| panic!("{slice}"));
    assert_eq!(all.census().own_bytes, 0);
    assert_eq!(all.holders().count(), 0);
}

#[test]
fn blocks_are_counted_by_class_and_account() {
    let all = allocator();
    let small: Vec<_> = (0..100).map(|_| all.malloc(48)).collect();
    let medium = all.alloc_class(5000, 16, false, Runtime);
    let large = all.malloc(3 * SLICE - 5);
    let census = all.census();
    let row = census.rows[bin_of(48)];
    assert_eq!((row.pages, row.used), (1, 100));
    assert_eq!(row.room as usize, SLICE / 48);
    assert_eq!(census.rows[bin_of(5000)].used, 1);
    assert_eq!(
        (census.large_blocks, census.large_bytes),
        ([1, 0], [3 * SLICE, 0])
    );
    assert!(census.own_bytes > 0, "the heap itself");
    let mut pages = Vec::new();
    all.look(|_, _, found| {
        if let Found::Page(page) = found {
            pages.push((page.bin, page.class, page.parked));
        }
    });
    assert_eq!(
        pages,
        [(bin_of(48), Client, false), (bin_of(5000), Runtime, false)]
    );
    // SAFETY: the blocks are live.
    small.iter().for_each(|block| unsafe { all.free(*block) });
    // SAFETY: the block is live.
    unsafe { all.free(medium) };
    // SAFETY: the block is live.
    unsafe { all.free(large) };
    all.purge();
    let census = all.census();
    assert!(census.rows.iter().all(|row| row.pages == 0));
    assert_eq!(census.large_blocks, [0, 0]);
}

#[test]
fn slices_are_told_once_and_in_order() {
    let all = allocator();
    let blocks = [100, 20_000, 5 * SLICE, 60_000].map(|bytes| all.malloc(bytes));
    // SAFETY: the block is live.
    unsafe { all.free(blocks[2]) };
    let reached = all.region().reached();
    let (mut next, mut free) = (reached.start, 0);
    all.look(|slice, slices, found| {
        assert_eq!(slice, next);
        next += slices;
        free += usize::from(found == Found::Free);
    });
    assert_eq!(next, reached.end);
    assert_eq!(free, 5);
}

#[test]
fn heaps_are_told_with_whether_a_thread_has_them() {
    let all = allocator();
    all.malloc(1);
    let vacant = |all: &Allocator<Model>| -> Vec<bool> {
        all.holders().map(|Holder { vacant, .. }| vacant).collect()
    };
    assert_eq!(vacant(&all), [false]);
    all.thread_exit();
    assert_eq!(vacant(&all), [true]);
}
