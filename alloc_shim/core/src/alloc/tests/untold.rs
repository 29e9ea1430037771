//! Threads whose end nobody tells, and forks by handlers that have interrupted the allocator.

use super::{Small, allocator, check, churn, free, interrupted, live, vanish};
use crate::account::Class::Client;
use crate::tls::Words;
use std::ptr;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

fn heaps(all: &Small) -> usize {
    all.figures().expect("no lock is held").heaps_created
}

#[test]
fn a_heap_that_was_left_without_a_word_goes_to_the_next_thread_in_that_place() {
    let all = allocator();
    for _ in 0..100 {
        let blocks: Vec<_> = (0..50).map(|i| all.malloc(i * 30)).collect();
        blocks.iter().for_each(|block| free(&all, *block));
        vanish(&all);
    }
    free(&all, all.malloc(10));
    assert_eq!(heaps(&all), 1);
    check(&all);
}

#[test]
fn a_thread_in_another_place_gets_a_heap_of_its_own() {
    let all = allocator();
    let block = all.malloc(100);
    let alive = &*all;
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            free(alive, alive.malloc(100));
            alive.thread_exit();
        });
        other.join().expect("no panic");
    });
    assert_eq!(heaps(&all), 2);
    free(&all, block);
    check(&all);
}

#[test]
fn a_heap_that_was_left_is_not_that_of_a_later_thread_in_the_same_place() {
    let all = allocator();
    free(&all, all.malloc(100));
    all.thread_exit();
    let heap = all.each_heap().next().expect("it is there");
    // As far as a thread in another place comes before it is interrupted.
    assert!(heap.shared.tenure.adopt());
    vanish(&all);
    free(&all, all.malloc(100));
    assert_eq!(heaps(&all), 2);
    assert!(!ptr::eq(all.words().own(all.words().slot()), heap));
}

#[test]
fn in_the_child_the_heap_of_a_thread_that_is_gone_is_nobodys() {
    let all = allocator();
    free(&all, all.malloc(100));
    let alive = &*all;
    thread::scope(|scope| {
        scope.spawn(|| alive.malloc(100).is_null());
    });
    fork(&all, true);
    let vacant = |heap: &&crate::heap::Heap| heap.shared.tenure.is_vacant();
    let heap = all.each_heap().find(vacant).expect("the other's");
    assert_eq!(heap.shared.thread.load(Relaxed), 0);
    check(&all);
}

/// Forks, and goes on as the child or as the parent.
fn fork(all: &Small, child: bool) {
    all.fork_prepare();
    if child {
        all.fork_child();
    } else {
        all.fork_parent();
    }
}

#[test]
fn a_handler_may_fork_whatever_its_thread_holds() {
    for hardened in [false, true] {
        for held in [false, true] {
            for child in [false, true] {
                let all = allocator();
                assert!(!hardened || all.harden());
                let kept = all.malloc(100);
                let lock = held.then(|| all.region().lock());
                let blocks = interrupted(&all, held, || {
                    fork(&all, child);
                    churn(&all, kept)
                });
                assert!(blocks.iter().filter(|block| !block.is_null()).count() > 400);
                drop(lock);
                for block in blocks.into_iter().skip(1).step_by(2) {
                    free(&all, block);
                }
                free(&all, all.malloc(1 << 20));
                fork(&all, child);
                all.purge();
                check(&all);
            }
        }
    }
}

#[test]
fn in_the_child_a_heap_that_its_thread_may_hold_is_left_alone() {
    let all = allocator();
    free(&all, all.malloc(100));
    let alive = &*all;
    let other = thread::scope(|scope| {
        let other = scope.spawn(|| {
            alive.malloc(100);
            let words = alive.words();
            words.own(words.slot()).addr()
        });
        other.join().expect("no panic")
    });
    interrupted(&all, false, || {
        let find = || {
            all.each_heap()
                .find(|heap| ptr::from_ref(*heap).addr() == other)
        };
        let heap = find().expect("it is there");
        heap.shared.tenure.begin_leave(all.words());
        fork(&all, true);
        assert!(heap.shared.tenure.is_lost());
    });
    free(&all, all.malloc(100));
    check(&all);
}

#[test]
fn whoever_takes_a_heap_over_after_a_fork_counts_what_the_fork_may_have_miscounted() {
    let all = allocator();
    let blocks: Vec<_> = (0..10).map(|_| all.malloc(40)).collect();
    let heap = all.each_heap().next().expect("one heap");
    // As if the thread had been cut off between the list and the count.
    heap.current(Client, 3).expect("one page").count_up();
    vanish(&all);
    fork(&all, true);
    free(&all, all.malloc(5000));
    assert_eq!(all.counters().heaps_adopted.get(), 1);
    check(&all);
    blocks.into_iter().for_each(|block| free(&all, block));
    all.purge();
    assert_eq!(live(&all, Client), 0);
}
