//! The index by itself: bins, and that the check finds what is broken.

use super::find::{Fit, Want};
use super::index::{BINS, EXACT, bin_of};
use super::{Fault, Index, Kind, Purger, Spans, State, Tag};

const LOW: u32 = 5;
const PURGER: Purger = Purger {
    thread: 7,
    process: 0,
};

fn want(len: u32) -> Want {
    Want {
        len,
        align: 1,
        origin: 0,
        first: Kind::Dirty,
    }
}

/// Tags for 100 slices, and an index of none of them.
fn empty() -> (Index, Vec<Tag>) {
    (Index::new(), vec![Tag::default(); 100])
}

/// Spans up to slice 45: clean, taken, clean, dirty, taken, dirty, taken, clean.
fn sample(index: &mut Index, tags: &mut [Tag]) -> u32 {
    let mut spans = Spans::new(index, tags, LOW);
    spans.free(5, 40, Kind::Clean, 0);
    let taken = [
        (10, 5, 10),
        (20, 5, 15),
        (25, 2, 25),
        (27, 3, 27),
        (30, 3, 30),
    ];
    for (start, len, span) in taken {
        spans.carve(span_before(&spans, span), start, len);
    }
    spans.free(20, 5, Kind::Dirty, 1);
    spans.free(27, 3, Kind::Dirty, 2);
    45
}

/// The free span that holds `slice`.
fn span_before(spans: &Spans<'_>, slice: u32) -> u32 {
    (LOW..=slice)
        .rev()
        .find(|first| spans.at(*first).is_some())
        .expect("a span")
}

#[test]
fn longer_spans_have_later_bins() {
    let mut last = 0;
    for len in 1..100_000 {
        let bin = bin_of(len);
        assert!(bin == last || bin == last + 1, "at {len}");
        last = bin;
    }
    assert!((1..=EXACT).all(|len| bin_of(len) == len as usize - 1));
    assert_eq!(bin_of(EXACT + 1), EXACT as usize);
    assert_eq!(bin_of((1 << 31) - 1), BINS - 1);
}

#[test]
fn the_newest_of_a_bin_is_taken_first() {
    let (mut index, mut tags) = empty();
    sample(&mut index, &mut tags);
    let spans = Spans::new(&mut index, &mut tags, LOW);
    assert_eq!(
        spans.find(Kind::Dirty, want(3), false),
        Some(Fit {
            span: 27,
            start: 27
        })
    );
    assert_eq!(
        spans.find(Kind::Dirty, want(4), false),
        Some(Fit {
            span: 20,
            start: 20
        })
    );
    assert_eq!(
        spans.find(Kind::Clean, want(6), false),
        Some(Fit {
            span: 33,
            start: 33
        })
    );
    assert_eq!(spans.find(Kind::Dirty, want(6), true), None);
    assert_eq!(spans.find(Kind::Clean, want(13), true), None);
}

#[test]
fn of_more_than_four_the_one_that_rested_longest_becomes_dirty() {
    let (mut index, mut tags) = (Index::new(), vec![Tag::default(); 100]);
    let mut spans = Spans::new(&mut index, &mut tags, LOW);
    spans.free(5, 40, Kind::Clean, 0);
    spans.carve(5, 5, 40);
    for (first, now) in [(5, 1), (10, 2), (15, 3), (20, 4), (25, 5)] {
        spans.set(first, 5, State::Taken);
        spans.rest(first, 5, now);
    }
    spans.set(30, 15, State::Taken);
    let totals = spans.check(45, 9).expect("sound");
    assert_eq!((totals.resting, totals.dirty), (20, 5));
    assert_eq!(spans.at(5), Some((State::Dirty, 5)));
    assert_eq!((spans.rested(9), spans.oldest_age(9)), (Some(7), Some(8)));
    assert_eq!(spans.take_resting(want(4)), None);
    let aligned = Want {
        align: 16,
        origin: 1,
        ..want(5)
    };
    assert_eq!(spans.take_resting(aligned), Some(15));
    assert_eq!(spans.take_resting(want(5)), Some(25));
    spans.settle(9);
    let totals = spans.check(45, 9).expect("sound");
    assert_eq!((totals.resting, totals.dirty, totals.taken), (0, 15, 25));
    assert_eq!(
        (spans.at(5), spans.rested(9)),
        (Some((State::Dirty, 10)), None)
    );
}

#[test]
fn what_becomes_free_between_two_is_as_old_as_the_older_of_them() {
    let (mut index, mut tags) = empty();
    let mut spans = Spans::new(&mut index, &mut tags, LOW);
    spans.free(5, 4, Kind::Clean, 0);
    spans.carve(5, 5, 4);
    (5..9).for_each(|slice| spans.set(slice, 1, State::Taken));
    spans.free(5, 1, Kind::Dirty, 100);
    spans.free(8, 1, Kind::Dirty, 300);
    // The last slice of the first span is younger than both.
    spans.rest(6, 1, 400);
    spans.settle(400);
    assert_eq!(spans.at(5), Some((State::Dirty, 2)));
    spans.free(7, 1, Kind::Dirty, 450);
    assert_eq!(spans.at(5), Some((State::Dirty, 4)));
    assert_eq!(spans.oldest_age(500), Some(400));
}

#[test]
fn a_dirty_span_too_short_is_used_with_its_neighbours() {
    let (mut index, mut tags) = (Index::new(), vec![Tag::default(); 100]);
    let mut spans = Spans::new(&mut index, &mut tags, LOW);
    // 10 to 16 clean, to 20 dirty, to 26 clean, to 34 dirty, to 36 clean.
    spans.free(5, 40, Kind::Clean, 0);
    for (span, start, len) in [(5, 5, 5), (10, 36, 9), (10, 16, 4), (20, 26, 8)] {
        spans.carve(span, start, len);
    }
    spans.free(16, 4, Kind::Dirty, 1);
    spans.free(26, 8, Kind::Dirty, 2);
    let around = |spans: &Spans<'_>, want| spans.find_around(want).map(|fit| fit.start);
    assert_eq!(around(&spans, want(9)), Some(26), "all of the longest");
    assert_eq!(around(&spans, want(12)), Some(24), "and before it");
    assert_eq!(around(&spans, want(26)), Some(10));
    assert_eq!(around(&spans, want(27)), None);
    let aligned = Want {
        align: 8,
        ..want(12)
    };
    assert_eq!(around(&spans, aligned), Some(24));
    assert_eq!(
        around(&spans, Want { len: 14, ..aligned }),
        Some(16),
        "the shorter one's neighbours have room"
    );
    let fit = spans.find_around(want(14)).expect("room");
    assert_eq!(
        fit,
        Fit {
            span: 20,
            start: 22
        }
    );
    assert_eq!(spans.take_run(fit.span, fit.start, 14), 6);
    assert_eq!(spans.at(22), Some((State::Taken, 14)));
    let totals = spans.check(45, 9).expect("sound");
    assert_eq!((totals.taken, totals.dirty, totals.clean), (28, 4, 8));
}

#[test]
fn only_some_spans_too_short_are_looked_at() {
    let (mut index, mut tags) = (Index::new(), vec![Tag::default(); 100]);
    let mut spans = Spans::new(&mut index, &mut tags, LOW);
    spans.free(5, 60, Kind::Clean, 0);
    // Dirty spans with a clean slice on each side, of which the first is the oldest.
    let short = [10, 14, 18, 22, 26, 30, 34, 38, 42];
    spans.carve(5, 5, 60);
    for first in short {
        spans.free(first, 1, Kind::Dirty, 0);
    }
    spans.free(9, 1, Kind::Clean, 0);
    assert_eq!(spans.find_around(want(2)), None, "the ninth");
    spans.free(41, 1, Kind::Clean, 0);
    assert_eq!(spans.find_around(want(2)).map(|fit| fit.start), Some(41));
}

#[test]
fn a_thorough_search_finds_what_a_quick_one_misses() {
    let (mut index, mut tags) = (Index::new(), vec![Tag::default(); 1000]);
    let mut spans = Spans::new(&mut index, &mut tags, LOW);
    spans.free(5, 900, Kind::Clean, 0);
    let mut at = 5;
    for len in [35].into_iter().chain([33; 12]) {
        spans.carve(at, at, len);
        spans.carve(at + len, at + len, 1);
        spans.free(at, len, Kind::Dirty, 0);
        at += len + 1;
    }
    assert_eq!(spans.check(905, 0).map(|_| ()), Ok(()));
    spans.carve(at, at, 905 - at);
    assert_eq!(spans.find(Kind::Dirty, want(35), false), None);
    assert_eq!(
        spans.find(Kind::Dirty, want(35), true),
        Some(Fit { span: 5, start: 5 })
    );
}

#[test]
fn what_departs_is_the_end_of_the_oldest_and_the_rest_stays_as_old() {
    let (mut index, mut tags) = empty();
    let frontier = sample(&mut index, &mut tags);
    let mut spans = Spans::new(&mut index, &mut tags, LOW);
    assert_eq!(spans.depart(0, PURGER), None);
    assert_eq!(spans.depart(2, PURGER), Some((23, 2)));
    let totals = spans.check(frontier, 9).expect("sound");
    assert_eq!((totals.dirty, totals.leaving), (6, 2));
    assert_eq!(spans.oldest_age(9), Some(8));
    spans.arrive(23, true, 9);
    assert_eq!(spans.depart(u32::MAX, PURGER), Some((20, 3)));
    assert_eq!(spans.depart(u32::MAX, PURGER), Some((27, 3)));
    assert_eq!(spans.depart(u32::MAX, PURGER), None);
}

#[test]
fn the_check_counts() {
    let (mut index, mut tags) = empty();
    let frontier = sample(&mut index, &mut tags);
    let totals = Spans::new(&mut index, &mut tags, LOW)
        .check(frontier, 9)
        .expect("sound");
    assert_eq!((totals.taken, totals.dirty, totals.clean), (10, 8, 22));
}

/// Breaks the sample in one way and gives what the check says.
fn broken(damage: impl Fn(&mut Index, &mut [Tag])) -> Option<Fault> {
    let (mut index, mut tags) = empty();
    let frontier = sample(&mut index, &mut tags);
    damage(&mut index, &mut tags);
    Spans::new(&mut index, &mut tags, LOW)
        .check(frontier, 9)
        .err()
}

fn at(slice: u32) -> usize {
    (slice - LOW) as usize
}

#[test]
fn every_damage_is_found() {
    assert_eq!(broken(|_, _| {}), None);
    assert_eq!(
        broken(|_, tags| tags[at(20)].first = 21),
        Some(Fault::Gap(20))
    );
    assert_eq!(
        broken(|_, tags| tags[at(33)].len = 13),
        Some(Fault::Gap(33))
    );
    assert_eq!(
        broken(|_, tags| tags[at(24)].len = 4),
        Some(Fault::Ends(20))
    );
    assert_eq!(
        broken(|_, tags| tags[at(20)].after = 27),
        Some(Fault::Link(27))
    );
    assert_eq!(
        broken(|_, tags| tags[at(20)].before = 27),
        Some(Fault::Link(20))
    );
    assert_eq!(
        broken(|_, tags| tags[at(27)].older = 0),
        Some(Fault::Link(27))
    );
    assert_eq!(
        broken(|_, tags| tags[at(27)].freed = 0),
        Some(Fault::Age(27))
    );
    assert_eq!(
        broken(|index, _| index.bins[0].filled[0] = 0),
        Some(Fault::Mark(2))
    );
    assert_eq!(
        broken(|index, _| index.bins[1].slices = 0),
        Some(Fault::Count(22))
    );
    assert_eq!(
        broken(|index, _| index.bins[0].spans = 1),
        Some(Fault::Count(2))
    );
    assert_eq!(
        broken(|index, _| index.dirty.oldest = 27),
        Some(Fault::Link(27))
    );
    assert_eq!(
        broken(|index, _| index.leaving.oldest = 20),
        Some(Fault::Link(20))
    );
    assert_eq!(
        broken(|index, _| index.resting.slices = 1),
        Some(Fault::Count(1))
    );
    let restless = |index: &mut Index, tags: &mut [Tag]| {
        let mut spans = Spans::new(index, tags, LOW);
        spans.rest(25, 2, 9);
        spans.set(25, 2, State::Taken);
    };
    assert_eq!(broken(restless), Some(Fault::Link(25)));
    let unmerged = |index: &mut Index, tags: &mut [Tag]| {
        let mut spans = Spans::new(index, tags, LOW);
        spans.set(25, 2, State::Dirty);
    };
    assert_eq!(broken(unmerged), Some(Fault::Unmerged(25)));
}
