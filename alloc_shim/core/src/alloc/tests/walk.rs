//! The walk over blocks that are in use finds those that are, and no others.

use super::{Client, Runtime, allocator, free, next_thread};
use crate::account::Class;
use crate::alloc::Allocator;
use crate::pal::Model;
use std::collections::BTreeSet;

/// The blocks that the walk finds, with their sizes.
fn found(all: &Allocator<Model>, class: Class) -> BTreeSet<(usize, usize)> {
    let mut found = BTreeSet::new();
    all.each_in_use(class, &mut |run| {
        assert_eq!(run.bytes % run.block, 0);
        for i in 0..run.bytes / run.block {
            assert!(
                found.insert((run.start.addr() + i * run.block, run.block)),
                "once each"
            );
        }
    });
    found
}

fn expected(all: &Allocator<Model>, blocks: &[*mut u8]) -> BTreeSet<(usize, usize)> {
    // SAFETY: the blocks are live.
    let size = |block: *mut u8| unsafe { all.usable_size(block) };
    blocks
        .iter()
        .map(|block| (block.addr(), size(*block)))
        .collect()
}

#[test]
fn nothing_is_in_use_before_anything_was_allocated() {
    assert!(found(&allocator(), Client).is_empty());
}

#[test]
fn what_lives_is_found_and_what_was_freed_is_not() {
    let all = allocator();
    let sizes = [1, 16, 24, 100, 1000, 5000, 40_000, 100_000, 300_000];
    let some = |class| -> Vec<*mut u8> {
        let sizes = sizes.iter().cycle().take(90);
        sizes
            .map(|bytes| all.alloc_class(*bytes, 16, false, class))
            .collect()
    };
    let (mut clients, runtimes) = (some(Client), some(Runtime));
    assert_eq!(found(&all, Client), expected(&all, &clients));
    assert_eq!(found(&all, Runtime), expected(&all, &runtimes));
    let mut i = 0;
    clients.retain(|block| {
        i += 1;
        if i % 3 != 0 {
            free(&all, *block);
        }
        i % 3 == 0
    });
    assert_eq!(found(&all, Client), expected(&all, &clients));
    // By another thread than that of their heap.
    next_thread(&all);
    clients.drain(..15).for_each(|block| free(&all, block));
    assert_eq!(found(&all, Client), expected(&all, &clients));
    clients.drain(..).for_each(|block| free(&all, block));
    assert!(found(&all, Client).is_empty());
    assert_eq!(found(&all, Runtime), expected(&all, &runtimes));
}
