//! The accounts and the size, by figures.

use super::*;

pub(super) const MIB: usize = 1 << 20;

/// Nobody counts C's bytes here: all are declared.
pub(super) fn pressure() -> Pressure {
    Pressure::new(&HeapConfig {
        limit: Some(160 * MIB),
        min_heap: 40 * MIB,
        nursery: 8 * MIB,
        ..HeapConfig::default()
    })
}

#[test]
fn the_size_follows_what_lives_on_both_sides() {
    let p = pressure();
    assert_eq!(p.size(), 40 * MIB);
    p.declare(20 * MIB);
    assert!(!p.poll(20 * MIB) && p.poll(20 * MIB + 1));
    p.full_ends();
    assert_eq!(p.size(), 160 * MIB);
    p.ended(10 * MIB, true);
    assert_eq!(p.size(), 68 * MIB, "(10 + 20) × 2 + 8");
    p.ended(50 * MIB, false);
    assert_eq!(p.size(), 68 * MIB, "a minor one leaves it");
    p.undeclare(20 * MIB);
    p.ended(MIB, true);
    assert_eq!(p.size(), 40 * MIB, "not below the minimum");
    p.ended(100 * MIB, true);
    assert_eq!(p.size(), 160 * MIB, "nor above the limit");
    assert!(!p.can_grow());
    p.want(20 * MIB);
    p.ended(10 * MIB, true);
    assert_eq!(p.size(), 68 * MIB, "what is wanted counts once");
    p.ended(10 * MIB, true);
    assert_eq!(p.size(), 40 * MIB);
}

#[test]
fn what_the_heap_may_grow_to_is_not_given_back() {
    let p = pressure();
    p.ended(10 * MIB, true);
    let quota = p.surplus(true, true);
    assert_eq!(quota.keep, (40 - 10 + 5 + 8) * MIB);
    assert_eq!(quota.most, usize::MAX);
    p.ended(60 * MIB, false);
    assert_eq!(p.surplus(false, true).keep, (5 + 8) * MIB);
    p.ended(60 * MIB, true);
    p.ended(10 * MIB, true);
    assert_eq!(p.surplus(true, true).keep, (40 - 10 + 5 + 8) * MIB);
    let late = 40 + (128 - 40) / 2;
    assert_eq!(
        p.surplus(true, false).keep,
        (late - 10) * MIB + late * MIB / 8 + 8 * MIB,
        "a size that was larger of late is remembered"
    );
    assert!(p.surplus(false, true).most < p.surplus(true, false).most);
}

#[test]
fn what_waits_for_finalizers_counts_against_the_limit_alone() {
    let p = pressure();
    p.declare(100 * MIB);
    assert!(p.poll(MIB));
    p.expect(80 * MIB);
    p.made_ready(80 * MIB);
    assert!(!p.poll(MIB));
    assert!(p.poll(61 * MIB), "beyond the limit");
    p.taken(80 * MIB);
    assert!(p.poll(MIB));
}

#[test]
fn no_size_can_grow_while_finalizers_keep_the_total_beyond_the_limit() {
    let p = pressure();
    p.declare(170 * MIB);
    p.expect(170 * MIB);
    p.made_ready(170 * MIB);
    p.ended(MIB, true);
    assert!(p.size() < 160 * MIB && !p.can_grow());
    p.taken(170 * MIB);
    p.undeclare(170 * MIB);
    assert!(p.can_grow());
}

#[test]
fn what_died_counts_no_more() {
    let p = pressure();
    p.owner_made(30 * MIB, false);
    assert!(p.poll(20 * MIB));
    p.died(30 * MIB);
    assert!(p.has_dead() && !p.poll(20 * MIB));
    p.gave_back(30 * MIB, 0);
    assert!(!p.has_dead() && !p.poll(20 * MIB));
    assert_eq!(p.outside(), 0);
}

#[test]
fn a_minor_collection_must_promise_enough() {
    let p = pressure();
    p.declare(35 * MIB);
    p.owner_made(6 * MIB, false);
    assert!(
        p.poll(0) && !p.wants_full(0),
        "6 of 41 brings it to 35 of 40"
    );
    assert!(p.wants_full(MIB));
    p.ended(0, false);
    assert!(p.wants_full(0), "nothing is young any more");
    p.ended(0, true);
    assert!(!p.is_over(0) && !p.wants_full(0));
    p.full_ends();
    p.declare(117 * MIB);
    p.owner_made(4 * MIB, false);
    assert!(
        !p.wants_full(0),
        "where no size can grow a little is enough"
    );
}

#[test]
fn many_young_owners_are_a_reason_of_their_own() {
    let p = pressure();
    p.full_ends();
    p.owner_made(24 * MIB, false);
    assert!(!p.is_young_full());
    p.owner_made(1, false);
    assert!(p.is_young_full() && !p.is_over(0));
    p.ended(0, false);
    assert!(!p.is_young_full());
}

#[test]
fn the_last_of_the_limit_is_for_small_requests() {
    let p = pressure();
    p.declare(145 * MIB);
    assert_eq!(p.beyond_limit(5 * MIB), 0);
    assert_eq!(p.beyond_limit(5 * MIB + 1), 1);
    p.declare(14 * MIB);
    assert_eq!(p.beyond_limit(SMALL), 0);
    assert!(p.beyond_limit(SMALL + 1) > 9 * MIB);
    assert!(p.beyond_limit(usize::MAX) > MIB, "no overflow");
}

#[test]
fn who_is_refused_has_taken_nothing() {
    let p = pressure();
    p.ended(10 * MIB, true);
    p.poll(11 * MIB);
    assert!(!p.has_grown(MIB), "what was asked for");
    assert!(p.has_grown(MIB / 2), "somebody else");
    p.declare(MIB);
    assert!(p.has_grown(MIB), "C's memory, too");
}

#[test]
fn a_collection_is_in_vain_until_there_is_more_or_less() {
    let p = pressure();
    p.declare(170 * MIB);
    p.ended(MIB, true);
    assert!(p.is_over(0) && p.is_in_vain());
    p.declare(2 * MIB);
    assert!(!p.is_in_vain(), "more");
    p.undeclare(2 * MIB);
    assert!(p.is_in_vain(), "as before");
    p.undeclare(2 * MIB);
    assert!(p.is_over(0) && !p.is_in_vain(), "less");
}

#[test]
fn a_thread_of_the_heaps_own_starts_until_it_is_known_or_never_was() {
    let p: &Pressure = Box::leak(Box::new(pressure()));
    let (first, second) = (p.thread_starts(), p.thread_starts());
    drop(first);
    assert_eq!(p.starting.load(Relaxed), 1);
    drop(second);
    assert_eq!(p.starting.load(Relaxed), 0);
    std::mem::forget(p.thread_starts());
    p.forked();
    assert_eq!(p.starting.load(Relaxed), 0, "it is not in the child");
}
