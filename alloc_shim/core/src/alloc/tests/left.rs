//! What is said of pointers into pages that were given back.

use super::{allocator, free, last_words};
use crate::classes::{CLASSES, bin_of};
use crate::page::Kind;
use crate::region::SLICE;

#[test]
fn a_second_free_is_told_when_the_page_was_given_back() {
    // A page of one slice, and one of several, in whose last slice a block begins, too.
    for bytes in [1000, 20_000] {
        let all = allocator();
        let blocks: Vec<_> = (0..300).map(|_| all.malloc(bytes)).collect();
        blocks.iter().for_each(|block| free(&all, *block));
        all.purge();
        let size = CLASSES[bin_of(bytes)].size;
        let left = blocks.iter().filter(|block| {
            let slice = all.region.offset(**block).expect("a block") / SLICE;
            all.entry(slice).kind() == Kind::Left
        });
        let left: Vec<_> = left.collect();
        assert!(
            left.len() > 10,
            "{} blocks of pages that are gone",
            left.len()
        );
        for block in left.into_iter().copied() {
            let text = last_words(&all, || free(&all, block));
            let line = format!("free of {block:p}: double free of a block of {size} bytes\n");
            assert!(text.ends_with(&line), "{text}");
            let inside = block.wrapping_add(16);
            let text = last_words(&all, || free(&all, inside));
            let line = "not allocated here any more: all blocks around it were freed\n";
            assert!(text.ends_with(line), "{text}");
        }
    }
}

#[test]
fn of_a_page_under_a_large_block_that_is_gone_nothing_is_claimed() {
    let all = allocator();
    let blocks: Vec<_> = (0..100).map(|_| all.malloc(20_000)).collect();
    blocks.iter().for_each(|block| free(&all, *block));
    all.purge();
    let large = all.malloc(100 * 20_480);
    let inside = blocks
        .iter()
        .find(|block| **block > large.wrapping_add(SLICE));
    let inside = *inside.expect("a block of before under the large one");
    let text = last_words(&all, || free(&all, inside));
    assert!(text.contains("inside the block of "), "{text}");
    free(&all, large);
    let text = last_words(&all, || free(&all, inside));
    let line = "not allocated here any more: all blocks around it were freed\n";
    assert!(text.ends_with(line), "{text}");
}
