//! The quarantine against a queue and a set of the standard library.

use super::*;
use crate::pal::Model;
use proptest::prelude::*;
use std::alloc::{Layout, alloc_zeroed};
use std::collections::VecDeque;
use std::ptr::without_provenance_mut;

/// A quarantine in a region of so many bytes. Its table is never given back.
fn quarantine(region: usize, pal: &Model) -> Quarantine {
    let all = Quarantine::new();
    assert!(!all.is_on() && all.open(pal).is_none() && !all.holds(without_provenance_mut(16)));
    // SAFETY: the layout has a size.
    let table = unsafe { alloc_zeroed(Layout::new::<Table>()) };
    // SAFETY: just zeroed, and nobody else's.
    unsafe { all.begin(table.cast(), region, pal) };
    all
}

fn held(address: usize, bytes: usize) -> Held {
    let block = without_provenance_mut(address);
    Held { block, bytes }
}

#[test]
fn what_came_first_leaves_first_and_for_the_one_too_many() {
    let pal = Model::new();
    let all = quarantine(1 << 40, &pal);
    let mut open = all.open(&pal).expect("it is on");
    for n in 1..=BLOCKS {
        assert_eq!(open.put(held(n * 16, 16)), Ok(None));
    }
    assert_eq!(open.put(held(16, 16)), Err(Again));
    assert_eq!(open.put(held(1 << 30, 16)), Ok(Some(held(16, 16))));
    assert!(!all.holds(without_provenance_mut(16)) && all.holds(without_provenance_mut(1 << 30)));
    assert_eq!(open.count(), BLOCKS);
    assert_eq!(open.each().last(), Some(held(1 << 30, 16)));
    for n in 2..=BLOCKS {
        assert_eq!(open.take(), Some(held(n * 16, 16)));
    }
    assert_eq!(open.take(), Some(held(1 << 30, 16)));
    assert_eq!(open.take(), None);
    assert!(open.table.set.iter().all(|place| place.load(Relaxed) == 0));
}

#[test]
fn bytes_are_bounded_and_no_block_weighs_more_than_an_eighth() {
    let pal = Model::new();
    let all = quarantine(SHARE << 20, &pal);
    let mut open = all.open(&pal).expect("it is on");
    for n in 1..=8 {
        assert_eq!(open.put(held(n << 40, 1 << 39)), Ok(None));
        assert_eq!(open.take_excess(), None);
    }
    assert_eq!(open.put(held(64, 64)), Ok(None));
    assert_eq!(open.take_excess(), Some(held(1 << 40, 1 << 39)));
    assert_eq!(open.take_excess(), None);
}

/// Addresses that belong at the end of the set, so that they lie in each other's way and around it.
fn crowd() -> Vec<usize> {
    let crowded = |address: &usize| best(*address) >= PLACES - 6;
    (16..).step_by(16).filter(crowded).take(40).collect()
}

proptest! {
    #[test]
    fn the_set_is_what_is_in_the_ring(steps in prop::collection::vec((0usize..3, 0usize..40), 1..300)) {
        let pal = Model::new();
        let all = quarantine(1 << 40, &pal);
        let mut open = all.open(&pal).expect("it is on");
        let crowd = crowd();
        let mut shadow = VecDeque::new();
        for (step, number) in steps {
            let address = crowd[number];
            if step == 0 {
                prop_assert_eq!(open.take().map(|held| held.block.addr()), shadow.pop_front());
            } else if shadow.contains(&address) {
                prop_assert_eq!(open.put(held(address, 16)), Err(Again));
            } else {
                prop_assert_eq!(open.put(held(address, 16)), Ok(None));
                shadow.push_back(address);
            }
            for address in &crowd {
                let there = all.holds(without_provenance_mut(*address));
                prop_assert_eq!(there, shadow.contains(address));
            }
        }
    }
}
