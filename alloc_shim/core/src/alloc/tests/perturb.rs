//! Memory filled at allocation and at free.

use super::{Small, allocator, check, free};
use crate::account::Class::Client;

fn bytes(block: *mut u8, count: usize) -> Vec<u8> {
    // SAFETY: the memory is there; of a freed block only what no list writes is looked at.
    unsafe { std::slice::from_raw_parts(block, count) }.to_vec()
}

fn filled(all: &Small, size: usize) -> *mut u8 {
    let block = all.malloc(size);
    assert!(
        bytes(block, size).iter().all(|byte| *byte == 0x5a),
        "{size}"
    );
    block
}

#[test]
fn fresh_and_freed_memory_bears_the_byte_and_zeroed_memory_does_not() {
    let all = allocator();
    let before = all.malloc(100);
    all.set_perturb(Some(0xa5));
    for size in [1, 100, 1000, 20_000, 200_000] {
        let block = filled(&all, size);
        let zeroed = all.calloc(1, size);
        assert!(bytes(zeroed, size).iter().all(|byte| *byte == 0));
        let freed = filled(&all, size);
        let aligned = all.alloc_class(size, 64, false, Client);
        assert!(bytes(aligned, size).iter().all(|byte| *byte == 0x5a));
        free(&all, freed);
        if size >= 100 {
            let rest = bytes(freed.wrapping_add(16), size - 16);
            assert!(rest.iter().all(|byte| *byte == 0xa5), "{size}");
        }
        [block, zeroed, aligned]
            .into_iter()
            .for_each(|block| free(&all, block));
    }
    free(&all, before);
    check(&all);
}

#[test]
fn without_the_byte_the_fast_paths_come_back() {
    let all = allocator();
    all.set_perturb(Some(1));
    free(&all, all.malloc(100));
    all.set_perturb(None);
    let first = all.malloc(100);
    free(&all, first);
    let block = all.malloc(100);
    assert_eq!(block, first);
    assert_ne!(bytes(block, 100)[50..], [0xfe; 50]);
    free(&all, block);
    check(&all);
}

#[test]
fn a_double_free_is_still_told() {
    let all = allocator();
    all.set_perturb(Some(9));
    let (keep, block) = (all.malloc(100), all.malloc(100));
    free(&all, block);
    let text = super::last_words(&all, || free(&all, block));
    let line = format!("bowline_malloc: free of {block:p}: double free of a block of 112 bytes\n");
    assert_eq!(text, line);
    free(&all, keep);
}
