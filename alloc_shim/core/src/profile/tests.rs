//! What a profile finds, on the model platform.

use super::{DEPTH, Site};
use crate::account::Class::Runtime;
use crate::alloc::Allocator;
use crate::heap::{BUSY, EMPTY};
use crate::pal::Model;
use crate::region::SLICE;
use crate::tls::Words;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::ptr;

type Small = Allocator<Model>;

thread_local! {
    /// Whence the tests allocate.
    static PLACE: Cell<usize> = const { Cell::new(1) };
}

/// Two callers deep.
fn backtrace(frames: &mut [usize; DEPTH]) -> usize {
    frames[..2].copy_from_slice(&[PLACE.get(), 4096]);
    2
}

fn profiled(interval: usize) -> Box<Small> {
    let all = Box::new(Allocator::new(Model::new()));
    assert!(all.profile(interval, backtrace));
    all
}

fn free(all: &Small, block: *mut u8) {
    // SAFETY: the tests give live blocks.
    unsafe { all.free(block) }
}

/// By innermost place: objects and bytes ever, objects and bytes now.
fn sums(all: &Small) -> BTreeMap<usize, [u64; 4]> {
    let mut places = BTreeMap::new();
    all.places(|number, address| assert!(places.insert(number, address).is_none()));
    let mut sums: BTreeMap<usize, [u64; 4]> = BTreeMap::new();
    all.sites(|site: &Site<'_>| {
        let frames: Vec<usize> = site.places().map(|place| places[&place]).collect();
        assert_eq!(frames[1..], [4096]);
        let sum = sums.entry(frames[0]).or_default();
        let more = [site.objects, site.bytes, site.live_objects, site.live_bytes];
        (0..4).for_each(|n| sum[n] += more[n]);
    });
    sums
}

#[test]
fn without_a_profile_there_is_nothing() {
    let all = Small::new(Model::new());
    free(&all, all.malloc(100));
    all.sites(|_| panic!("a site"));
    all.places(|_, _| panic!("a place"));
}

#[test]
fn with_an_interval_of_one_byte_everything_is_exact() {
    let all = profiled(1);
    PLACE.set(10);
    let kept: Vec<_> = (0..10).map(|_| all.malloc(100)).collect();
    (0..5).for_each(|_| free(&all, all.malloc(7)));
    PLACE.set(20);
    let large = all.malloc(3 * SLICE);
    let other = all.alloc_class(5000, 4096, true, Runtime);
    let empty = all.malloc(0);
    assert_eq!(
        sums(&all),
        BTreeMap::from([
            (10, [15, 1035, 10, 1000]),
            (20, [3, 3 * SLICE as u64 + 5001, 3, 3 * SLICE as u64 + 5001]),
        ])
    );
    kept.into_iter()
        .chain([large, other, empty])
        .for_each(|block| free(&all, block));
    assert_eq!(
        sums(&all),
        BTreeMap::from([
            (10, [15, 1035, 0, 0]),
            (20, [3, 3 * SLICE as u64 + 5001, 0, 0])
        ])
    );
    assert_eq!((all.summary().interval, all.summary().lost), (1, 0));
    assert_eq!(all.check(), Ok(()));
}

#[test]
fn a_block_that_moves_or_grows_in_place_is_told_where_it_grew() {
    let all = profiled(1);
    PLACE.set(10);
    let block = all.malloc(100);
    PLACE.set(20);
    // SAFETY: the block is live.
    let block = unsafe { all.realloc(block, 4 * SLICE) };
    assert_eq!(sums(&all)[&10], [1, 100, 0, 0]);
    PLACE.set(30);
    // SAFETY: the block is live.
    let same = unsafe { all.realloc(block, 8 * SLICE) };
    assert_eq!(same, block, "it lies at the frontier");
    let bytes = 8 * SLICE as u64;
    assert_eq!(sums(&all)[&20], [1, bytes / 2, 0, 0]);
    assert_eq!(sums(&all)[&30], [1, bytes, 1, bytes]);
    free(&all, same);
    assert_eq!(sums(&all)[&30], [1, bytes, 0, 0]);
}

#[test]
fn sums_are_true_on_average_whatever_the_sizes() {
    let all = profiled(4096);
    let mut kept = Vec::new();
    for (place, bytes, count) in [(10, 16, 100_000), (20, 1000, 4000), (30, 50_000, 100)] {
        PLACE.set(place);
        for n in 0..count {
            let block = all.malloc(bytes);
            match n % 4 {
                0 => kept.push(block),
                _ => free(&all, block),
            }
        }
        let [objects, sum, live, live_bytes] = sums(&all)[&place].map(|n| n as f64);
        let near = |found: f64, truth: usize, by: f64| {
            let truth = truth as f64;
            assert!(
                (found / truth - 1.0).abs() < by,
                "{found} for {truth} at {place}"
            );
        };
        near(objects, count, 0.3);
        near(sum, count * bytes, 0.3);
        near(live, count / 4, 0.5);
        near(live_bytes, count / 4 * bytes, 0.5);
    }
    kept.into_iter().for_each(|block| free(&all, block));
    assert!(sums(&all).values().all(|sum| sum[2..] == [0, 0]));
}

#[test]
fn threads_free_what_others_have_taken_and_go_on_with_their_heaps() {
    let all = profiled(1);
    PLACE.set(10);
    let block = all.malloc(100);
    all.thread_exit();
    let words = all.words();
    words.set(words.slot(), EMPTY);
    let mine = all.malloc(200);
    assert_eq!(sums(&all)[&10], [2, 300, 2, 300]);
    free(&all, block);
    free(&all, mine);
    assert_eq!(sums(&all)[&10], [2, 300, 0, 0]);
}

#[test]
fn what_a_handler_inside_the_allocator_takes_is_no_sample_and_what_it_frees_is_told() {
    let all = profiled(1);
    let block = all.malloc(100);
    let words = all.words();
    let slot = words.slot();
    words.set(slot, BUSY);
    let other = all.malloc(50);
    free(&all, block);
    words.set(slot, EMPTY);
    let sum = [1, 100, 0, 0];
    assert!(sums(&all).into_values().all(|found| found == sum));
    free(&all, other);
    assert!(sums(&all).into_values().all(|found| found == sum));
}

#[test]
fn in_the_hardened_mode_blocks_are_told_once() {
    let all = profiled(1);
    assert!(all.harden());
    PLACE.set(10);
    let blocks = [all.malloc(100), all.malloc(100_000)];
    assert_eq!(sums(&all)[&10], [2, 100_100, 2, 100_100]);
    blocks.into_iter().for_each(|block| free(&all, block));
    assert_eq!(sums(&all)[&10], [2, 100_100, 0, 0]);
    all.inspect();
}

#[test]
fn where_there_is_no_room_samples_are_counted_as_lost() {
    let all = profiled(1);
    let mut kept = Vec::new();
    while all.summary().lost == 0 {
        kept.push(all.malloc(16));
        assert!(
            !kept.last().expect("one").is_null(),
            "memory for {}",
            kept.len()
        );
    }
    assert!(kept.len() > 60_000, "{}", kept.len());
    let live = |all: &Small| sums(all).values().map(|sum| sum[2]).sum::<u64>();
    assert_eq!(live(&all), kept.len() as u64 - 1);
    kept.into_iter().for_each(|block| free(&all, block));
    assert_eq!(live(&all), 0);
}

#[test]
fn where_there_is_no_memory_there_is_no_profile() {
    let model = Model::new();
    model.limit(4 << 20);
    let all = Small::new(model);
    assert!(!all.profile(1, backtrace));
    let block = all.malloc(10);
    assert!(!block.is_null() && !ptr::eq(all.words().get(all.words().slot()), EMPTY));
    all.sites(|_| panic!("a site"));
}
