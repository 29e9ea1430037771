//! Full pages that wait, a few of their blocks free, until they are used again.

use super::{
    Small, allocator, check, free, interrupted, last_words, live, next_thread, page_of, push,
    vanish,
};
use crate::account::Class::Client;
use crate::classes::{CLASSES, SizeClass, bin_of};

/// Small enough that some blocks of a page are free before it is used again.
const BYTES: usize = 200;

fn shape() -> &'static SizeClass {
    &CLASSES[bin_of(BYTES)]
}

fn waking() -> usize {
    shape().waking as usize
}

/// The blocks of a page that is full and parked, and one of the page after it.
fn full(all: &Small) -> (Vec<*mut u8>, *mut u8) {
    let blocks: Vec<_> = (0..shape().blocks).map(|_| all.malloc(BYTES)).collect();
    let beside = all.malloc(BYTES);
    assert!(page_of(all, blocks[0]).is_parked() && !page_of(all, beside).is_parked());
    (blocks, beside)
}

#[test]
fn a_page_of_many_blocks_waits_and_one_of_few_does_not() {
    assert!(waking() > 1);
    for class in &CLASSES[1..] {
        assert!(class.waking >= 1 && class.waking * 2 <= class.blocks);
        assert!(class.waking == 1 || class.waking * 16 <= class.blocks);
    }
}

#[test]
fn a_full_page_is_used_again_when_some_of_its_blocks_are_free() {
    for others in [false, true] {
        let all = allocator();
        let (blocks, beside) = full(&all);
        let page = page_of(&all, blocks[0]);
        for block in &blocks[..waking()] {
            assert!(page.is_parked());
            match others {
                false => free(&all, *block),
                true => interrupted(&all, false, || free(&all, *block)),
            }
        }
        // What others have freed is seen at the next slow path.
        let _ = all.malloc(BYTES * 2);
        assert!(!page.is_parked(), "by others: {others}");
        assert_eq!(page.used() as usize, blocks.len() - waking());
        check(&all);
        free(&all, beside);
        let again: Vec<_> = (0..shape().blocks).map(|_| all.malloc(BYTES)).collect();
        let taken = blocks[..waking()].iter();
        assert!(
            taken.copied().all(|block| again.contains(&block)),
            "by others: {others}"
        );
        check(&all);
    }
}

#[test]
fn a_page_is_given_back_when_its_own_thread_and_others_free_parts_of_it() {
    for mine in [1, waking() - 1, waking(), shape().blocks as usize - 1] {
        let all = allocator();
        let (blocks, beside) = full(&all);
        let (own, rest) = blocks.split_at(mine);
        own.iter().for_each(|block| free(&all, *block));
        interrupted(&all, false, || {
            rest.iter().for_each(|block| free(&all, *block));
        });
        check(&all);
        free(&all, beside);
        next_thread(&all);
        assert_eq!(live(&all, Client), 0, "{mine} by its own");
        check(&all);
    }
}

#[test]
fn a_page_whose_thread_has_left_is_given_back() {
    let all = allocator();
    let (blocks, beside) = full(&all);
    free(&all, blocks[0]);
    next_thread(&all);
    for block in blocks.into_iter().skip(1).chain([beside]) {
        free(&all, block);
    }
    assert_eq!(live(&all, Client), 0);
    check(&all);
}

#[test]
fn a_double_free_in_a_waiting_page_is_named() {
    let all = allocator();
    let (blocks, _beside) = full(&all);
    free(&all, blocks[0]);
    assert!(page_of(&all, blocks[0]).is_parked());
    let text = last_words(&all, || free(&all, blocks[0]));
    assert!(
        text.ends_with(": double free of a block of 208 bytes\n"),
        "{text}"
    );
}

#[test]
fn a_handler_frees_between_the_last_free_and_the_look_at_the_page() {
    let all = allocator();
    let (blocks, _beside) = full(&all);
    let page = page_of(&all, blocks[0]);
    let (first, rest) = blocks.split_at(waking());
    let due = first.iter().filter(|block| push(&all, **block));
    assert_eq!(due.count(), 1);
    free(&all, rest[0]);
    assert!(page.is_parked());
    all.due(page);
    assert!(!page.is_parked());
    check(&all);
}

#[test]
fn a_forked_child_uses_a_waiting_page_again_that_was_due() {
    let all = allocator();
    let (blocks, beside) = full(&all);
    let page = page_of(&all, blocks[0]);
    // The thread is cut off between a free and the look at the page, and another between the list and the count.
    let due = blocks[..waking()]
        .iter()
        .filter(|block| push(&all, **block));
    assert_eq!(due.count(), 1);
    page.count_up();
    vanish(&all);
    all.fork_prepare();
    all.fork_child();
    all.purge();
    assert!(!page.is_parked());
    let rest = blocks.into_iter().skip(waking());
    rest.chain([beside]).for_each(|block| free(&all, block));
    next_thread(&all);
    assert_eq!(live(&all, Client), 0);
    check(&all);
}
