//! What others have freed of a thread that sleeps.

use super::{Small, allocator, check, free, live};
use crate::account::Class::Client;
use crate::alloc::Allocator;
use crate::classes::{CLASSES, bin_of};
use crate::pal::Model;
use crate::region::SLICE;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

/// Blocks, as they go from one thread to another.
struct Blocks(Vec<*mut u8>);

// SAFETY: whoever has the list has the blocks.
unsafe impl Send for Blocks {}

const BYTES: usize = 200;

/// Blocks of so many full pages.
fn pages(all: &Small, count: usize) -> Vec<*mut u8> {
    let blocks = CLASSES[bin_of(BYTES)].blocks as usize;
    (0..count * blocks).map(|_| all.malloc(BYTES)).collect()
}

/// Lets `act` run while another thread sleeps that has done `begin`; it does `end` afterwards.
fn beside<T>(
    all: &Small,
    begin: impl FnOnce(&Small) -> T + Send,
    act: impl FnOnce(T),
    end: impl FnOnce(&Small) + Send,
) where
    T: Send,
{
    let (tell, told): (Sender<T>, Receiver<T>) = channel();
    let (wake, sleep) = channel();
    thread::scope(|scope| {
        let sleeper = scope.spawn(move || {
            tell.send(begin(all)).expect("somebody waits");
            sleep.recv().expect("somebody wakes");
            end(all);
            all.thread_exit();
        });
        act(told.recv().expect("no panic"));
        wake.send(()).expect("it sleeps");
        sleeper.join().expect("no panic");
    });
    check(all);
}

fn free_all(all: &Allocator<Model>, blocks: impl IntoIterator<Item = *mut u8>) {
    blocks.into_iter().for_each(|block| free(all, block));
}

#[test]
fn what_others_free_of_a_thread_that_sleeps_is_given_back() {
    let all = allocator();
    let begin = |all: &Small| Blocks(pages(all, 20));
    let act = |Blocks(blocks)| {
        assert_eq!(live(&all, Client), 20 * SLICE);
        free_all(&all, blocks);
        all.purge();
        // The page from which it would take its next block stays.
        assert_eq!(live(&all, Client), SLICE);
    };
    beside(&all, begin, act, |all| {
        let blocks = pages(all, 3);
        assert_eq!(live(all, Client), 3 * SLICE);
        free_all(all, blocks);
    });
    assert_eq!(live(&all, Client), 0);
}

#[test]
fn what_the_thread_and_others_have_freed_is_given_back() {
    for mine in [1, 2, 7, 100] {
        let all = allocator();
        let begin = |all: &Small| {
            let blocks = pages(all, 10);
            let (own, rest): (Vec<_>, Vec<_>) = blocks
                .into_iter()
                .enumerate()
                .partition(|(i, _)| i % 100 < mine - 1);
            free_all(all, own.into_iter().map(|(_, block)| block));
            Blocks(rest.into_iter().map(|(_, block)| block).collect())
        };
        let act = |Blocks(blocks)| {
            free_all(&all, blocks);
            all.purge();
            assert!(
                live(&all, Client) <= SLICE,
                "{mine}: {}",
                live(&all, Client)
            );
        };
        beside(&all, begin, act, |all| free(all, all.malloc(BYTES)));
    }
}

#[test]
fn pages_with_a_block_in_use_stay_and_so_does_the_word_about_them() {
    let all = allocator();
    let begin = |all: &Small| Blocks(pages(all, 10));
    let act = |Blocks(blocks)| {
        let kept = blocks.iter().copied().step_by(blocks.len() / 5);
        let kept: Vec<_> = kept.collect();
        let others = blocks.into_iter().filter(|block| !kept.contains(block));
        free_all(&all, others);
        all.purge();
        let some = live(&all, Client);
        assert!((5 * SLICE..=6 * SLICE).contains(&some), "{some}");
        check(&all);
        free_all(&all, kept);
        all.purge();
        assert_eq!(live(&all, Client), SLICE);
    };
    beside(&all, begin, act, |all| free(all, all.malloc(BYTES)));
}

#[test]
fn who_wants_memory_visits_those_who_sleep_now_and_then() {
    let all = allocator();
    let begin = |all: &Small| Blocks(pages(all, 20));
    let act = |Blocks(blocks)| {
        free_all(&all, blocks);
        let mut sizes = (1..).map(|step| 16 * step);
        let mut want = || all.malloc(sizes.next().expect("there is always another"));
        let pal = all.region().pal();
        pal.pass(1000);
        let mut taken = vec![want()];
        assert_eq!(live(&all, Client), 2 * SLICE);
        pal.pass(999);
        taken.push(want());
        assert_eq!(live(&all, Client), 3 * SLICE);
        free_all(&all, taken);
    };
    beside(&all, begin, act, |all| free(all, all.malloc(BYTES)));
}

#[test]
fn many_pages_are_given_back_in_several_visits() {
    let all = allocator();
    // Two blocks to a page, so that there are many pages of few blocks.
    let begin = |all: &Small| Blocks((0..120).map(|_| all.malloc(128 << 10)).collect());
    let act = |Blocks(blocks)| {
        free_all(&all, blocks);
        all.purge();
        assert!(live(&all, Client) <= 4 * SLICE);
    };
    beside(&all, begin, act, |_| ());
    assert_eq!(live(&all, Client), 0);
}

#[test]
fn a_handler_that_forks_inside_a_visit_loses_the_heap_in_the_child() {
    let all = allocator();
    let begin = |all: &Small| {
        let blocks = Blocks(pages(all, 2));
        let words = crate::tls::Words::slot(all.words());
        (blocks, crate::tls::Words::own(all.words(), words).addr())
    };
    let act = |(Blocks(_), heap): (Blocks, usize)| {
        let is = |found: &&crate::heap::Heap| std::ptr::from_ref(*found).addr() == heap;
        let heap = all.each_heap().find(is).expect("it is there");
        let tenure = &heap.shared.tenure;
        assert!(tenure.visit() && !tenure.visit());
        all.fork_prepare();
        all.fork_child();
        assert!(tenure.is_lost());
        tenure.end_visit(all.words());
        assert!(tenure.is_lost());
    };
    beside(&all, begin, act, |_| ());
}

#[test]
fn what_the_thread_itself_frees_last_is_given_back_when_it_asks_for_that() {
    let all = allocator();
    let (wake, sleep) = channel();
    let (tell, told): (Sender<Blocks>, Receiver<Blocks>) = channel();
    let all = &*all;
    thread::scope(|scope| {
        scope.spawn(move || {
            let blocks = pages(all, 10);
            let (now, rest): (Vec<_>, Vec<_>) = blocks
                .into_iter()
                .enumerate()
                .partition(|(i, _)| i % 8 == 0);
            let (theirs, mine): (Vec<_>, Vec<_>) = rest.into_iter().partition(|(i, _)| i % 8 < 4);
            let each = |blocks: Vec<(usize, *mut u8)>| blocks.into_iter().map(|(_, block)| block);
            // The pages are not full any more, so that nobody tells of what others free.
            free_all(all, each(now));
            tell.send(Blocks(each(theirs).collect()))
                .expect("somebody waits");
            sleep.recv().expect("somebody wakes");
            free_all(all, each(mine));
            all.purge();
            assert_eq!(live(all, Client), 0);
        });
        let Blocks(blocks) = told.recv().expect("no panic");
        free_all(all, blocks);
        wake.send(()).expect("it waits");
    });
    check(all);
}
