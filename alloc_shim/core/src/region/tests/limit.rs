//! A limit on address space that comes when the region is there already.

use super::{region, take};
use crate::account::Class::Client;
use crate::region::SLICE;

/// The model's region has 16 MiB; a quarter of this limit is 32 slices.
const LIMIT: usize = 8 << 20;

#[test]
fn a_limit_that_comes_later_is_met_when_more_memory_is_made_usable() {
    let region = region();
    let size = region.size();
    let mut held = vec![take(&region, 1)];
    region.pal().limit(LIMIT);
    while let Some(span) = region.take(1, 1, Client) {
        held.push(span);
    }
    assert_eq!(held.len(), LIMIT / 4 / SLICE);
    let low = held[0].first;
    assert_eq!(region.size(), low * SLICE + LIMIT / 4);
    let base = region.base().cast_const();
    assert!(region.contains(base.wrapping_add(region.size() - 1)));
    assert!(!region.contains(base.wrapping_add(region.size())));
    assert_eq!(region.figures().reserved, region.size());
    assert!(region.take(40, 1, Client).is_none());
    for span in held.drain(..) {
        region.give(span.first, span.slices, Client);
    }
    region.check().expect("sound");
    // Raised again, it stays as it is.
    region.pal().limit(usize::MAX);
    assert!(region.take(LIMIT / 4 / SLICE, 1, Client).is_some());
    assert!(region.take(1, 1, Client).is_none() && region.size() < size);
    region.check().expect("sound");
}

#[test]
fn what_is_usable_already_stays() {
    let region = region();
    let spans: Vec<_> = (0..100).map(|_| take(&region, 1)).collect();
    region.pal().limit(1 << 20);
    region.purge_all();
    let usable = region.size();
    assert!((100 * SLICE..120 * SLICE).contains(&(usable - spans[0].first * SLICE)));
    for span in spans {
        region.give(span.first, span.slices, Client);
    }
    assert!(region.take(100, 1, Client).is_some());
    region.check().expect("sound");
}

#[test]
fn it_is_looked_at_before_a_fork() {
    let region = region();
    let span = take(&region, 1);
    region.pal().limit(LIMIT);
    let kept = region.fork_prepare();
    region.look_at_limit();
    region.fork_parent(kept);
    assert!(!kept);
    assert_eq!(region.size(), span.first * SLICE + LIMIT / 4);
}

#[test]
fn a_limit_that_leaves_room_changes_nothing() {
    let region = region();
    let size = region.size();
    region.pal().limit(64 << 20);
    take(&region, 1);
    region.purge_all();
    assert_eq!(region.size(), size);
}

#[test]
fn what_was_given_back_under_one_limit_is_not_given_back_again_under_the_next() {
    let region = region();
    let span = take(&region, 1);
    let limits = [LIMIT, LIMIT / 2 + 4 * SLICE, LIMIT / 2, LIMIT];
    let sizes = limits.map(|limit| {
        region.pal().limit(limit);
        region.purge_all();
        region.size() - span.first * SLICE
    });
    assert_eq!(
        sizes,
        [LIMIT, LIMIT / 2 + 4 * SLICE, LIMIT / 2, LIMIT / 2].map(|limit| limit / 4)
    );
    while region.take(1, 1, Client).is_some() {}
    region.check().expect("sound");
}
