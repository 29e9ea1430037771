//! The region of a process that is copied.

use super::{depart, dirty, region, take};
use crate::account::Class::Client;
use crate::pal::{Model, Pal};
use crate::region::{Region, SLICE};
use crate::tls::model::{alarm, disarm};
use std::cell::Cell;
use std::rc::Rc;

#[test]
fn a_child_finishes_what_other_threads_were_purging() {
    let region = region();
    let span = take(&region, 2);
    dirty(&region, span);
    region.give(span.first, 2, Client);
    depart(&region, region.pal().me() + 1);
    region.lock().waiting = 1;
    assert_eq!(region.check().map(|totals| totals.leaving), Ok(2));
    region.fork_prepare();
    assert_eq!(region.take_now(1, 1, Client), None, "locked");
    region.fork_child(false);
    let totals = region.check().expect("sound");
    assert_eq!((totals.clean, totals.dirty, totals.leaving), (2, 0, 0));
    assert!(take(&region, 2).zeroed);
}

#[test]
fn a_child_leaves_alone_what_its_own_thread_was_purging() {
    let region = region();
    let spans = [take(&region, 2), take(&region, 1), take(&region, 3)];
    region.give(spans[0].first, 2, Client);
    let mine = depart(&region, region.pal().me());
    region.give(spans[2].first, 3, Client);
    depart(&region, region.pal().me() + 1);
    for _ in 0..2 {
        region.fork_prepare();
        region.fork_child(false);
        let totals = region.check().expect("sound");
        assert_eq!((totals.clean, totals.leaving), (3, 2));
    }
    region.end_purge(mine, true);
    let totals = region.check().expect("sound");
    assert_eq!((totals.clean, totals.leaving), (5, 0));
}

#[test]
fn a_parent_goes_on_after_fork() {
    let region = region();
    region.fork_prepare();
    region.fork_parent(false);
    take(&region, 1);
}

/// Lets a handler fork, wherever it may interrupt `act`, of a region with three dirty spans; both processes go on.
fn forked_anywhere(act: impl Fn(&Region<Model>)) {
    for (after, child) in (0..40).flat_map(|after| [(after, false), (after, true)]) {
        let region = Rc::new(region());
        let spans: Vec<_> = (0..6).map(|_| take(&region, 2)).collect();
        for span in spans.iter().step_by(2) {
            dirty(&region, *span);
            region.give(span.first, 2, Client);
        }
        let forked = region.clone();
        alarm(after, move || {
            let kept = forked.fork_prepare();
            match child {
                true => forked.fork_child(kept),
                false => forked.fork_parent(kept),
            }
        });
        act(&region);
        disarm();
        region.mend();
        let totals = region.check().expect("sound");
        assert_eq!(totals.leaving, 0, "{after}");
    }
}

#[test]
fn a_handler_may_fork_in_the_middle_of_a_purge() {
    forked_anywhere(|region| {
        region.purge_all();
        assert!(take(region, 2).zeroed);
    });
}

#[test]
fn a_handler_may_fork_in_the_middle_of_a_wait() {
    let found = Rc::new(Cell::new(false));
    for after in (0..).take_while(|_| !found.get()) {
        let region = Rc::new(region());
        let rest = region.size() / SLICE - take(&region, 1).first - 1;
        let all = take(&region, rest);
        region.give(all.first, rest, Client);
        depart(&region, region.pal().me() + 1);
        let (forked, waits) = (region.clone(), found.clone());
        alarm(after, move || {
            let kept = forked.fork_prepare();
            forked.fork_parent(kept);
            waits.set(!kept && forked.lock().waiting == 1);
            let kept = forked.fork_prepare();
            forked.fork_child(kept);
        });
        // What the lost thread was purging is waited for, unless the child has purged it.
        take(&region, rest);
        disarm();
        assert_eq!(region.lock().waiting, 0);
    }
}
