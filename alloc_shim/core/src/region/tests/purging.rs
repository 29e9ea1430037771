//! When free spans go back to the system, and how many.

use super::{dirty, is_zero, region, take};
use crate::account::Class::Client;
use crate::pal::Model;
use crate::purge::{DELAY_MS, FLOOR, PLAY, PLAY_SHARE, bound};
use crate::region::{Region, SLICE};
use crate::spans::REST_MS;

#[test]
fn old_spans_are_purged_by_whoever_comes_by() {
    let region = region();
    let (old, wall, young) = (take(&region, 1), take(&region, 1), take(&region, 1));
    take(&region, 1);
    region.give(old.first, 1, Client);
    region.pal().pass(u64::from(DELAY_MS) / 2);
    region.give(young.first, 1, Client);
    region.pal().pass(u64::from(DELAY_MS) / 2);
    assert_eq!(region.figures().dirty, 2 * SLICE);
    take(&region, 2);
    let figures = region.figures();
    assert_eq!((figures.dirty, figures.purged), (SLICE, SLICE));
    region.pal().pass(u64::from(DELAY_MS));
    region.give(wall.first, 1, Client);
    assert_eq!(
        region.figures().dirty,
        0,
        "the merged span was as old as its oldest part"
    );
}

#[test]
fn what_has_rested_is_as_old_as_it_is() {
    let region = region();
    let (one, _, other, _) = (
        take(&region, 1),
        take(&region, 1),
        take(&region, 2),
        take(&region, 1),
    );
    region.give(one.first, 1, Client);
    region.pal().pass(u64::from(REST_MS));
    region.give(other.first, 2, Client);
    let totals = region.check().expect("sound");
    assert_eq!((totals.dirty, totals.resting), (3, 0), "whoever comes by");
    region.pal().pass(u64::from(DELAY_MS - REST_MS));
    take(&region, 3);
    assert_eq!(region.figures().dirty, 2 * SLICE, "the first was old");
    region.pal().pass(u64::from(REST_MS));
    take(&region, 4);
    assert_eq!(region.figures().dirty, 0);
}

#[test]
fn who_takes_what_rests_purges_what_is_old() {
    let region = region();
    let (old, _, young, _) = (
        take(&region, 3),
        take(&region, 1),
        take(&region, 2),
        take(&region, 1),
    );
    region.give(old.first, 3, Client);
    assert!(region.settle(&mut region.lock()));
    region.pal().pass(u64::from(DELAY_MS) - 1);
    region.give(young.first, 2, Client);
    assert_eq!(
        region.check().map(|totals| (totals.resting, totals.dirty)),
        Ok((2, 3))
    );
    region.pal().pass(1);
    assert_eq!(take(&region, 2).first, young.first);
    assert_eq!(region.figures().dirty, 0);
}

#[test]
fn what_rests_counts_against_the_bound() {
    let region = region();
    let spans: Vec<_> = (0..3).map(|_| take(&region, 40)).collect();
    region.shrink(spans[0].first, 40, 1, Client);
    let live = region.live(Client);
    assert_eq!(region.figures().dirty, 39 * SLICE);
    assert!(region.take_zeroed(40, 1, Client).is_some());
    assert_eq!(region.live(Client), live + 40 * SLICE);
    let most = bound(live + 40 * SLICE, region.peak(Client));
    assert_eq!(region.figures().dirty, most / SLICE * SLICE);
    region.purge_all();
    let totals = region.check().expect("sound");
    assert_eq!((totals.dirty, totals.resting), (0, 0));
}

#[test]
fn the_clock_may_wrap_around() {
    let region = region();
    region.pal().pass(u64::from(u32::MAX) - 10);
    let (one, _, other) = (take(&region, 1), take(&region, 1), take(&region, 1));
    take(&region, 1);
    region.give(one.first, 1, Client);
    region.pal().pass(20);
    region.give(other.first, 1, Client);
    assert_eq!(region.check().map(|totals| totals.dirty), Ok(2));
    region.pal().pass(u64::from(DELAY_MS) - 20);
    take(&region, 3);
    assert_eq!(region.figures().dirty, SLICE);
}

#[test]
fn the_bound_grows_with_what_is_live() {
    assert_eq!(bound(0, 2 * FLOOR), FLOOR);
    assert_eq!(bound(FLOOR, 3 * FLOOR), FLOOR);
    assert_eq!(bound(80 * FLOOR, 100 * FLOOR), 10 * FLOOR);
}

#[test]
fn both_free_and_live_are_bounded_by_what_once_lived() {
    assert_eq!(bound(SLICE, SLICE), PLAY);
    assert_eq!(bound(SLICE, 9 * SLICE), 8 * SLICE + PLAY);
    assert_eq!(bound(10 * FLOOR, 10 * FLOOR), 10 * FLOOR / PLAY_SHARE);
    let region = region();
    let holes = |region: &Region<Model>| {
        let spans: Vec<_> = (0..60).map(|_| take(region, 1)).collect();
        spans.iter().for_each(|span| dirty(region, *span));
        let free = spans.iter().step_by(2);
        free.for_each(|span| region.give(span.first, 1, Client));
    };
    holes(&region);
    assert_eq!(region.figures().dirty, 30 * SLICE);
    assert!(take(&region, 2).zeroed);
    assert_eq!(region.figures().dirty, 30 * SLICE);
    assert!(take(&region, 50).zeroed);
    assert_eq!(region.figures().dirty, PLAY);
    let most = region.live(Client) + region.figures().dirty;
    holes(&region);
    assert!(region.live(Client) + region.figures().dirty <= most + 60 * SLICE);
    assert_eq!(region.check().map(|totals| totals.leaving), Ok(0));
}

#[test]
fn zero_memory_is_new_while_there_is_room() {
    let region = region();
    let (used, next) = (take(&region, 2), take(&region, 1));
    dirty(&region, used);
    region.give(used.first, 2, Client);
    let zeroed = |slices| region.take_zeroed(slices, 1, Client);
    let new = zeroed(2).expect("room enough");
    assert!(new.zeroed && new.first == next.first + 1 && is_zero(&region, new.first, 2));
    assert_eq!(region.figures().dirty, 2 * SLICE);
    let rest = region.size() / SLICE - new.first - 2;
    let _ = zeroed(rest).expect("the rest of the region");
    dirty(&region, take(&region, 2));
    region.give(used.first, 2, Client);
    let last = zeroed(2).expect("what was used");
    assert!(last.first == used.first && !last.zeroed);
}

#[test]
fn a_purge_that_is_refused_leaves_the_span_dirty() {
    let region = region();
    let span = take(&region, 4);
    dirty(&region, span);
    region.give(span.first, 4, Client);
    region.pal().purge.after(0);
    region.purge_all();
    let figures = region.figures();
    assert_eq!((figures.dirty, figures.purged), (4 * SLICE, 0));
    assert!(!take(&region, 4).zeroed);
}

#[test]
fn one_refused_purge_does_not_keep_the_others() {
    let region = region();
    let (one, _, other) = (take(&region, 1), take(&region, 1), take(&region, 1));
    take(&region, 1);
    region.give(one.first, 1, Client);
    region.give(other.first, 1, Client);
    region.pal().purge.once();
    region.purge_all();
    assert_eq!(region.figures().dirty, SLICE);
    region.purge_all();
    assert_eq!(region.figures().dirty, 0);
    region.give(take(&region, 1).first, 1, Client);
    region.pal().purge.after(0);
    region.pal().pass(u64::from(DELAY_MS));
    let purges = region.figures().purges;
    take(&region, 2);
    assert_eq!(region.figures().purges, purges + 1, "tried once");
}
