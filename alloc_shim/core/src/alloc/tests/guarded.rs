//! The hardened mode: writes past the end, damage to lists, and where blocks are placed.

use super::{Small, allocator, check, free, interrupted, last_words, next_thread};
use crate::account::Class::{Client, Runtime};
use crate::quarantine::BLOCKS;
use crate::region::SLICE;

fn hardened() -> Box<Small> {
    let all = allocator();
    assert!(all.harden());
    all
}

fn write(block: *mut u8, at: usize, byte: u8) {
    // SAFETY: the memory is there, and what the tests write past ends is to be found.
    unsafe { block.wrapping_add(at).write(byte) };
}

fn size(all: &Small, block: *const u8) -> usize {
    // SAFETY: the process is stopped unless the block is live.
    unsafe { all.usable_size(block) }
}

/// Sizes beside those of classes, of pages and of slices.
const SIZES: [usize; 16] = [
    0,
    1,
    7,
    8,
    9,
    24,
    40,
    41,
    1000,
    4096,
    65_528,
    65_529,
    100_000,
    131_064,
    131_065,
    4 << 20,
];

/// A call that looks at a live block, by its name.
type Look = (&'static str, fn(&Small, *mut u8));

const LOOKS: [Look; 3] = [
    ("free", |all, block| free(all, block)),
    ("realloc", |all, block| {
        // SAFETY: the block is live.
        unsafe { all.realloc(block, 50) };
    }),
    ("malloc_usable_size", |all, block| {
        size(all, block);
    }),
];

#[test]
fn a_block_is_as_large_as_was_asked() {
    for align in [16, 64, 4096, 2 * SLICE] {
        let all = hardened();
        for bytes in SIZES {
            for zeroed in [false, true] {
                let block = all.alloc_class(bytes, align, zeroed, Client);
                assert!(block.addr().is_multiple_of(align));
                assert_eq!(size(&all, block), bytes);
                (0..bytes).for_each(|at| write(block, at, at as u8));
                free(&all, block);
            }
        }
        all.inspect();
        all.purge();
        check(&all);
    }
}

#[test]
fn one_byte_too_many_is_found_whatever_it_is_and_whoever_looks() {
    let bytes = [0, b'x', 0x7f];
    for (turn, (what, look)) in LOOKS.into_iter().enumerate() {
        for (byte, size) in bytes.into_iter().cycle().skip(turn).zip(SIZES) {
            let all = hardened();
            let block = all.malloc(size);
            write(block, size, byte);
            let text = last_words(&all, || look(&all, block));
            let line = format!(
                "bowline_malloc: {what} of {block:p}: overflow: the block of {size} bytes \
                 was written at offset {size}\n"
            );
            assert_eq!(text, line);
        }
    }
}

#[test]
fn the_first_byte_too_many_is_named() {
    let all = hardened();
    // Of 112 bytes eight are the guard's last: size and check.
    let block = all.malloc(90);
    write(block, 95, 1);
    write(block, 97, 1);
    let text = last_words(&all, || free(&all, block));
    assert!(
        text.ends_with("overflow: the block of 90 bytes was written at offset 95\n"),
        "{text}"
    );
}

#[test]
fn without_its_size_a_block_is_named_alone() {
    for at in 105..112 {
        let all = hardened();
        let block = all.malloc(104);
        write(block, at, 0xff);
        let text = last_words(&all, || free(&all, block));
        let line = format!(
            "bowline_malloc: free of {block:p}: overflow: what stands behind the block was overwritten, its size too\n"
        );
        assert_eq!(text, line);
    }
}

#[test]
fn blocks_from_before_the_mode_have_no_guard_and_do_no_harm() {
    let all = allocator();
    let blocks: Vec<_> = [1, 40, 1000, 20_000, 200_000]
        .into_iter()
        .map(|bytes| (all.malloc(bytes), bytes))
        .collect();
    free(&all, all.malloc(40));
    assert!(all.harden());
    for (block, bytes) in blocks {
        assert!(size(&all, block) >= bytes);
        free(&all, block);
    }
    for _ in 0..2 {
        (0..=BLOCKS).for_each(|_| free(&all, all.malloc(40)));
        next_thread(&all);
    }
    all.purge();
    check(&all);
}

#[test]
fn handlers_get_guards_too() {
    for locked in [false, true] {
        let all = hardened();
        free(&all, all.malloc(100));
        let block = interrupted(&all, locked, || all.malloc(100));
        assert!(size(&all, block) >= 100);
        interrupted(&all, locked, || free(&all, block));
        let block = interrupted(&all, locked, || all.malloc(100));
        free(&all, block);
        all.inspect();
        all.purge();
        check(&all);
    }
}

/// A block that has been through the quarantine and lies in a list; the classes of the two that are churned differ.
fn listed(all: &Small) -> *mut u8 {
    let keep = all.malloc(100);
    let block = all.malloc(100);
    free(all, block);
    (0..=BLOCKS).for_each(|_| free(all, all.malloc(1000)));
    assert!(!keep.is_null());
    block
}

#[test]
fn a_write_to_a_block_in_a_list_is_found_when_it_is_given_out() {
    for (at, place) in [
        (0, "in its first 8 bytes"),
        (7, "in its first 8 bytes"),
        (8, "at offset 8"),
        (15, "at offset 15"),
        (16, "at offset 16"),
        (111, "at offset 111"),
    ] {
        let all = hardened();
        let block = listed(&all);
        // SAFETY: the memory is there.
        let old = unsafe { block.wrapping_add(at).read() };
        write(block, at, !old);
        let text = last_words(&all, || {
            for _ in 0..2000 {
                all.malloc(100);
            }
        });
        let line = format!(
            "bowline_malloc: use after free: block of 112 bytes at {block:p} was written {place} after it was freed\n"
        );
        assert_eq!(text, line);
    }
}

#[test]
fn links_are_not_addresses() {
    let all = hardened();
    let block = listed(&all);
    // SAFETY: the memory is there.
    let word = unsafe { block.cast::<usize>().read() };
    assert!(!all.region().contains(std::ptr::without_provenance(word)));
}

#[test]
fn what_another_thread_freed_is_looked_at_as_well() {
    let all = hardened();
    let blocks: Vec<_> = (0..40).map(|_| all.malloc(100)).collect();
    let own = all.words();
    use crate::tls::Words;
    // As if another thread had taken them: its heap is this one's no more.
    let heap = own.own(own.slot());
    own.set_own(own.slot(), std::ptr::null());
    free(&all, all.malloc(100));
    for block in &blocks {
        free(&all, *block);
    }
    (0..=BLOCKS).for_each(|_| free(&all, all.malloc(1000)));
    write(blocks[20], 3, 0x11);
    let text = last_words(&all, || {
        own.set(own.slot(), crate::heap::EMPTY);
        own.set_own(own.slot(), heap);
        for _ in 0..2000 {
            all.malloc(100);
        }
    });
    let start = format!(
        "bowline_malloc: use after free: block of 112 bytes at {:p} was written",
        blocks[20]
    );
    assert!(text.starts_with(&start), "{text}");
}

#[test]
fn blocks_come_in_no_order() {
    let all = hardened();
    let blocks: Vec<_> = (0..200)
        .map(|_| all.alloc_class(100, 16, false, Runtime).addr())
        .collect();
    let rising = blocks.windows(2).filter(|pair| pair[0] < pair[1]).count();
    assert!((40..160).contains(&rising), "{rising} of 199 rise");
    let next = blocks.windows(2).filter(|pair| pair[0] + 112 == pair[1]);
    assert!(next.count() < 30);
}
