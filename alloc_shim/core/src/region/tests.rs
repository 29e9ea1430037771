//! The region on the model platform: what each operation promises, with and without faults.

mod forking;
mod limit;
mod purging;
mod random;

use super::{Region, SLICE, Span};
use crate::account::Class::{Client, Runtime};
use crate::pal::{Model, Pal};
use crate::purge::DELAY_MS;
use crate::spans::Purger;
use std::sync::atomic::{AtomicUsize, Ordering};

fn region() -> Region<Model> {
    let region = Region::new(Model::new());
    assert!(region.boot());
    region
}

fn take(region: &Region<Model>, slices: usize) -> Span {
    region.take(slices, 1, Client).expect("room enough")
}

/// Writes to a word of every page of a span.
fn dirty(region: &Region<Model>, span: Span) {
    for offset in (0..span.slices * SLICE).step_by(4096) {
        let word = region.slice_start(span.first).wrapping_add(offset);
        // SAFETY: inv:region.span.
        unsafe { word.write(1) };
    }
}

/// As if the thread with this number were purging the oldest dirty span: where it begins.
fn depart(region: &Region<Model>, thread: u32) -> u32 {
    let mut inner = region.lock();
    region.settle(&mut inner);
    let purger = Purger { thread, process: 0 };
    let departed = region.spans(&mut inner).depart(u32::MAX, purger);
    departed.expect("a dirty span").0
}

fn is_zero(region: &Region<Model>, first: usize, slices: usize) -> bool {
    let start = region.slice_start(first).cast_const();
    // SAFETY: inv:region.span.
    let bytes = unsafe { std::slice::from_raw_parts(start, slices * SLICE) };
    bytes.iter().all(|byte| *byte == 0)
}

/// How often the system was called.
fn calls(region: &Region<Model>) -> (usize, usize) {
    let figures = region.figures();
    (figures.commits, figures.purges)
}

#[test]
fn nothing_is_ours_before_boot() {
    let region = Region::new(Model::new());
    assert!(region.base().is_null() && region.size() == 0);
    assert!(!region.contains(std::ptr::null()));
    region.purge_all();
    assert_eq!(region.check().map(|totals| totals.taken), Ok(0));
    assert_eq!(region.figures().reserved, 0);
}

#[test]
fn what_is_inside_is_told_by_address() {
    let region = region();
    let (base, size) = (region.base().cast_const(), region.size());
    assert!(base.addr().is_multiple_of(SLICE) && size.is_multiple_of(SLICE));
    assert!(region.contains(base) && region.contains(base.wrapping_add(size - 1)));
    assert!(!region.contains(base.wrapping_sub(1)) && !region.contains(base.wrapping_add(size)));
    assert!(!region.contains(std::ptr::null()));
}

#[test]
fn booting_again_changes_nothing() {
    let region = region();
    let base = region.base();
    assert!(region.boot());
    assert_eq!(region.base(), base);
}

#[test]
fn a_refused_reservation_is_tried_by_half() {
    let model = Model::new();
    model.commit.after(0);
    let region = Region::new(model);
    assert!(!region.boot(), "the tables cannot be made readable");
    assert!(region.take(1, 1, Client).is_none());
    assert_eq!(
        region.pal().text(),
        "bowline_malloc: cannot reserve 1 MiB of address space: there is no static region\n",
        "said once"
    );
}

#[test]
fn a_limit_leaves_three_quarters_to_others() {
    let model = Model::new();
    model.limit(20 << 20);
    let region = Region::new(model);
    assert!(region.boot());
    let lost_to_alignment = (5 << 20) - region.size();
    assert!(lost_to_alignment <= SLICE, "{}", region.size());
}

#[test]
fn a_limit_too_low_is_named() {
    let model = Model::new();
    model.limit(2 << 20);
    model.reserve.after(0);
    let region = Region::new(model);
    assert!(!region.boot());
    assert_eq!(
        region.pal().text(),
        "bowline_malloc: cannot reserve 1 MiB of address space under a limit of 2 MiB (ulimit -v): \
         there is no static region\n"
    );
}

#[test]
fn entries_of_the_whole_region_can_be_read() {
    let region = region();
    let span = take(&region, 3);
    for slice in 0..region.size() / SLICE {
        // SAFETY: inv:region.table.
        let kind = unsafe { &*region.entry(slice) }.kind();
        assert_eq!(kind, crate::page::Kind::None);
    }
    for slice in span.first..span.first + span.slices {
        let entry = region.entry(slice).cast::<u8>();
        // SAFETY: inv:region.table: the slice is taken.
        unsafe { entry.write_bytes(0xff, size_of::<crate::page::PageEntry>()) };
    }
}

#[test]
fn new_spans_are_zero_and_used_ones_are_not_called_so() {
    let region = region();
    let first = take(&region, 2);
    assert!(first.zeroed && is_zero(&region, first.first, 2));
    dirty(&region, first);
    region.give(first.first, 2, Client);
    let again = take(&region, 2);
    assert_eq!((again.first, again.zeroed), (first.first, false));
    region.give(again.first, 2, Client);
    region.purge_all();
    let purged = take(&region, 2);
    assert_eq!((purged.first, purged.zeroed), (first.first, true));
    assert!(is_zero(&region, purged.first, 2));
}

#[test]
fn taking_and_giving_in_turn_needs_no_system_call() {
    let region = region();
    let span = take(&region, 16);
    region.give(span.first, 16, Client);
    let before = calls(&region);
    for _ in 0..1000 {
        let span = take(&region, 16);
        region.give(span.first, 16, Client);
    }
    assert_eq!(calls(&region), before);
}

#[test]
fn little_is_committed_at_first() {
    let region = region();
    take(&region, 1);
    let committed = region.figures().committed;
    assert!(committed <= (1 << 20) + (128 << 10), "{committed}");
}

#[test]
fn neighbours_become_one() {
    let region = region();
    let spans = [1, 2, 3, 4].map(|slices| take(&region, slices));
    for place in [0, 2, 1, 3] {
        let span = spans[place];
        region.give(span.first, span.slices, Client);
        assert_eq!(region.check().map(|_| ()), Ok(()));
    }
    let all = take(&region, 10);
    assert_eq!((all.first, all.zeroed), (spans[0].first, false));
}

#[test]
fn alignment_is_of_the_address_and_wastes_nothing() {
    let region = region();
    take(&region, 1);
    for align in [2, 8, 32] {
        let span = region.take(3, align, Client).expect("room enough");
        let address = region.slice_start(span.first).addr();
        assert!(address.is_multiple_of(align * SLICE));
        assert!(span.zeroed && is_zero(&region, span.first, 3));
    }
    let totals = region.check().expect("sound");
    assert_eq!((totals.taken, totals.dirty), (10, 0));
    let skipped = totals.clean;
    assert!(skipped > 0);
    for _ in 0..skipped {
        take(&region, 1);
    }
    assert_eq!(region.check().map(|totals| totals.clean), Ok(0));
}

#[test]
fn too_much_is_refused_and_counted() {
    let region = region();
    let slices = region.size() / SLICE;
    for wanted in [slices, u32::MAX as usize, usize::MAX / SLICE] {
        assert_eq!(region.take(wanted, 1, Client), None);
    }
    assert_eq!(region.take(1, 1 << 40, Client), None);
    assert_eq!(region.figures().refusals, 4);
    assert_eq!(region.live(Client), 0);
    take(&region, 1);
}

#[test]
fn the_region_can_be_filled_to_the_last_slice() {
    let region = region();
    let mut taken = Vec::new();
    while let Some(span) = region.take(1, 1, Runtime) {
        taken.push(span.first);
    }
    assert_eq!(*taken.last().expect("some"), region.size() / SLICE - 1);
    for first in taken.iter().step_by(2) {
        region.give(*first, 1, Runtime);
    }
    assert_eq!(region.take(2, 1, Runtime), None, "no two in a row");
    for first in taken.iter().skip(1).step_by(2) {
        region.give(*first, 1, Runtime);
    }
    let all = region.take(taken.len(), 1, Client).expect("one again");
    assert_eq!(all.first, taken[0]);
    assert_eq!(region.live(Runtime), 0);
    assert_eq!(region.figures().peak[Runtime as usize], taken.len() * SLICE);
}

#[test]
fn dirty_and_clean_neighbours_serve_one_request_when_there_is_nothing_else() {
    let region = region();
    let rest = region.size() / SLICE - take(&region, 1).first - 1;
    let half = take(&region, rest / 2);
    let other = take(&region, rest - rest / 2);
    region.give(half.first, half.slices, Client);
    region.purge_all();
    region.give(other.first, other.slices, Client);
    let both = take(&region, rest);
    assert_eq!((both.first, both.zeroed), (half.first, false));
    region.shrink(both.first, rest, 1, Client);
    region.purge_all();
    region.give(both.first, 1, Client);
    let zeroed = region.take_zeroed(rest, 1, Client).expect("room enough");
    assert_eq!((zeroed.first, zeroed.zeroed), (half.first, true));
}

#[test]
fn dirty_spans_too_short_serve_before_new_memory() {
    let region = region();
    let (clean, dirt, wall) = (take(&region, 3), take(&region, 4), take(&region, 1));
    let last = take(&region, 2);
    region.give(clean.first, 3, Client);
    region.purge_all();
    region.give(dirt.first, 4, Client);
    let both = take(&region, 6);
    assert_eq!((both.first, both.zeroed), (clean.first + 1, false));
    dirty(&region, last);
    region.give(last.first, 2, Client);
    let zeroed = region.take_zeroed(5, 1, Client).expect("room enough");
    assert!(zeroed.zeroed && zeroed.first == wall.first + 3);
    region.give(zeroed.first, 5, Client);
    let beyond = take(&region, 9);
    assert_eq!(
        (beyond.first, beyond.zeroed),
        (wall.first + 1, false),
        "over the frontier"
    );
    assert_eq!(region.check().map(|totals| totals.dirty), Ok(0));
}

#[test]
fn refused_memory_is_an_answer_and_not_an_end() {
    let region = region();
    let span = take(&region, 1);
    region.pal().commit.after(0);
    assert_eq!(region.take(100, 1, Client), None);
    assert!(region.take(2, 1, Client).is_some(), "committed already");
    assert_eq!(region.grow(span.first + 1, 2, 200, Client), None);
    region.pal().commit.never();
    assert!(take(&region, 100).zeroed);
    assert_eq!(region.check().map(|totals| totals.taken), Ok(103));
}

#[test]
fn a_step_that_is_refused_is_taken_exactly() {
    let region = region();
    take(&region, 100);
    let mut committed = region.figures().committed;
    while region.figures().committed == committed {
        take(&region, 1);
    }
    let step = region.figures().committed - committed;
    assert!(step > SLICE, "more than was needed");
    take(&region, step / SLICE - 1);
    committed = region.figures().committed;
    region.pal().commit.once();
    take(&region, 1);
    assert_eq!(region.figures().committed - committed, SLICE);
}

#[test]
fn growing_in_place_uses_what_is_free_behind() {
    let region = region();
    let (span, behind, wall) = (take(&region, 2), take(&region, 4), take(&region, 1));
    assert_eq!(region.grow(span.first, 2, 3, Client), None, "taken");
    dirty(&region, behind);
    region.give(behind.first, 4, Client);
    assert_eq!(region.grow(span.first, 2, 3, Client), Some(false));
    assert_eq!(region.grow(span.first, 3, 7, Client), None, "one too many");
    assert_eq!(region.grow(span.first, 3, 6, Client), Some(false));
    assert_eq!(
        region.grow(wall.first, 1, 40, Client),
        Some(true),
        "the frontier"
    );
    assert!(is_zero(&region, wall.first + 1, 39));
    let end = region.size() / SLICE;
    assert_eq!(region.grow(wall.first, 40, end, Client), None);
    assert_eq!(region.live(Client), 46 * SLICE);
    assert_eq!(region.check().map(|totals| totals.taken), Ok(46));
}

#[test]
fn what_was_given_a_moment_ago_is_taken_as_it_is() {
    let region = region();
    let spans = [3, 1, 3, 1].map(|slices| take(&region, slices).first);
    region.give(spans[0], 3, Client);
    region.give(spans[2], 3, Client);
    let totals = region.check().expect("sound");
    assert_eq!((totals.resting, totals.dirty), (6, 0));
    assert_eq!(take(&region, 3).first, spans[2], "the last one first");
    assert_eq!(take(&region, 3).first, spans[0]);
    region.give(spans[0], 3, Client);
    region.give(spans[1], 1, Client);
    assert_eq!(
        take(&region, 4).first,
        spans[0],
        "what rests is not lost to others"
    );
    assert_eq!(region.grow(spans[0], 4, 5, Client), None);
    region.give(spans[2], 3, Client);
    assert_eq!(region.grow(spans[0], 4, 6, Client), Some(false));
    assert_eq!(region.check().map(|totals| totals.taken), Ok(7));
}

#[test]
fn what_rests_is_no_zero_memory() {
    let region = region();
    let span = take(&region, 4);
    dirty(&region, span);
    region.give(span.first, 4, Client);
    let zeroed = region.take_zeroed(4, 1, Client).expect("room enough");
    assert!(zeroed.zeroed && is_zero(&region, zeroed.first, 4));
}

#[test]
fn growing_over_dirty_and_clean_and_new_slices() {
    let region = region();
    let (span, clean, dirt) = (take(&region, 1), take(&region, 2), take(&region, 2));
    region.give(clean.first, 2, Client);
    region.purge_all();
    region.give(dirt.first, 2, Client);
    assert_eq!(region.grow(span.first, 1, 3, Client), Some(true));
    assert_eq!(region.grow(span.first, 3, 8, Client), Some(false));
    assert_eq!(region.check().map(|totals| totals.taken), Ok(8));
}

#[test]
fn shrinking_gives_the_end_back() {
    let region = region();
    let span = take(&region, 8);
    region.shrink(span.first, 8, 8, Client);
    region.shrink(span.first, 8, 3, Client);
    assert_eq!(region.live(Client), 3 * SLICE);
    assert_eq!(region.check().map(|totals| totals.resting), Ok(5));
    assert_eq!(take(&region, 5).first, span.first + 3);
}

#[test]
fn whoever_cannot_wait_goes_without() {
    let unborn = Region::new(Model::new());
    assert_eq!(unborn.take_now(1, 1, Client), None);
    assert_eq!(unborn.size(), 0, "booting might wait");
    let region = region();
    let span = take(&region, 1);
    let held = region.lock();
    assert_eq!(region.take_now(1, 1, Client), None);
    assert!(!region.give_now(span.first, 1, Client));
    drop(held);
    let other = region.take_now(1, 1, Client).expect("room enough");
    assert!(region.give_now(span.first, 1, Client));
    assert!(region.give_now(other.first, 1, Client));
    assert_eq!(region.live(Client), 0);
}

#[test]
fn a_request_waits_for_a_purge_of_another_thread() {
    let region = region();
    let rest = region.size() / SLICE - take(&region, 1).first - 1;
    let all = take(&region, rest);
    region.give(all.first, rest, Client);
    let first = depart(&region, region.pal().me());
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| region.take(rest, 1, Client));
        while region.lock().waiting == 0 {
            std::thread::yield_now();
        }
        region.end_purge(first, true);
        assert!(waiter.join().expect("no panic").is_some());
    });
    assert_eq!(region.lock().waiting, 0);
}

static ASKED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn refuse_odd(bytes: usize) -> u32 {
    ASKED.fetch_add(1, Ordering::Relaxed);
    (bytes % 2) as u32
}

#[test]
fn the_client_is_asked_beyond_the_mark_alone() {
    let region = region();
    assert!(region.ask(Client, usize::MAX), "no mark");
    region.set_mark(2 * SLICE);
    assert!(region.ask(Client, 3 * SLICE), "no hook");
    region.set_pressure(Some(refuse_odd));
    assert!(region.ask(Client, 2 * SLICE) && region.ask(Runtime, usize::MAX));
    assert_eq!(ASKED.load(Ordering::Relaxed), 0);
    take(&region, 1);
    assert!(region.ask(Client, 2 * SLICE));
    assert!(!region.ask(Client, 2 * SLICE + 1));
    assert!(!region.ask(Client, usize::MAX));
    assert_eq!(ASKED.load(Ordering::Relaxed), 3);
    assert_eq!(region.figures().refusals, 2);
    region.set_pressure(None);
    assert!(region.ask(Client, usize::MAX));
}

#[test]
fn an_account_that_is_not_the_sum_of_its_spans_is_found() {
    let region = region();
    take(&region, 2);
    region.accounts.add(Client, SLICE);
    assert_eq!(region.check(), Err(crate::spans::Fault::Count(3)));
}

#[test]
fn accounts_are_kept_apart() {
    let region = region();
    let one = take(&region, 3);
    let other = region.take(5, 1, Runtime).expect("room enough");
    assert_eq!(
        (region.live(Client), region.live(Runtime)),
        (3 * SLICE, 5 * SLICE)
    );
    region.give(one.first, 3, Client);
    region.give(other.first, 5, Runtime);
    let figures = region.figures();
    assert_eq!(
        (figures.live, figures.peak),
        ([0, 0], [3 * SLICE, 5 * SLICE])
    );
    assert_eq!((figures.takes, figures.gives), (2, 2));
    assert_eq!((figures.free_spans, figures.dirty), (2, 8 * SLICE));
}

#[test]
fn threads_take_and_give_at_once() {
    let region = region();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let region = &region;
            scope.spawn(move || {
                for round in 0..200 {
                    let slices = 1 + (thread + round) % 5;
                    let span = take(region, slices);
                    dirty(region, span);
                    if round % 7 == 0 {
                        region.pal().pass(u64::from(DELAY_MS));
                    }
                    region.give(span.first, slices, Client);
                }
            });
        }
    });
    region.purge_all();
    let totals = region.check().expect("sound");
    assert_eq!((totals.taken, totals.dirty, totals.leaving), (0, 0, 0));
}

#[test]
fn the_client_never_holds_more_than_its_limit_and_the_runtime_has_none() {
    let region = region();
    region.set_limit(10 * SLICE);
    assert_eq!(region.figures().limit, 10 * SLICE);
    let span = take(&region, 8);
    assert!(region.take(3, 1, Client).is_none());
    assert!(region.take_now(3, 1, Client).is_none());
    assert!(region.grow(span.first, 8, 11, Client).is_none());
    assert_eq!(region.live(Client), 8 * SLICE);
    assert!(region.grow(span.first, 8, 10, Client).is_some());
    assert!(region.take(1, 1, Client).is_none());
    assert!(region.take(100, 1, Runtime).is_some());
    region.shrink(span.first, 10, 9, Client);
    take(&region, 1);
    assert_eq!(region.peak(Client), 10 * SLICE);
    assert!(region.take(usize::MAX / SLICE, 1, Client).is_none());
}

#[test]
fn under_a_limit_free_spans_hold_no_more_memory_than_is_left_of_it() {
    let region = region();
    region.set_limit(20 * SLICE);
    let (first, second) = (take(&region, 10), take(&region, 10));
    region.give(first.first, 10, Client);
    assert_eq!(region.figures().dirty, 10 * SLICE);
    let other = region.take(4, 1, Client).expect("room enough");
    assert_eq!(region.figures().dirty, 6 * SLICE);
    region.give(second.first, 10, Client);
    region.give(other.first, 4, Client);
    assert_eq!(region.figures().dirty, 20 * SLICE);
    region.set_limit(19 * SLICE);
    let one = take(&region, 1);
    assert!(region.figures().dirty + SLICE <= 19 * SLICE);
    region.give(one.first, 1, Client);
    assert_eq!(region.check().map(|totals| totals.taken), Ok(0));
}

#[test]
fn tables_that_are_refused_again_and_again_are_counted_once() {
    let [refused, plain] = [region(), region()];
    // Slices and entries are had, and the tags are not; afterwards the entries again, and not the tags.
    for passes in [2, 1, 1, 1] {
        refused.pal().commit.after(passes);
        assert!(refused.take(1, 1, Client).is_none());
        refused.pal().commit.never();
    }
    take(&refused, 1);
    take(&plain, 1);
    assert_eq!(refused.figures().committed, plain.figures().committed);
}
