//! What large cleared blocks cost a process that writes little of them, and one that writes all.

use crate::trial::{Case, case, resident};
use bowline_alloc::global::{self, ALLOCATOR};

const MIB: usize = 1 << 20;
const BLOCKS: usize = 20;

pub(crate) const CASES: &[Case] = &[
    case(
        "cleared_blocks_of_which_little_is_written_hold_little",
        cleared_blocks_of_which_little_is_written_hold_little,
    ),
    case(
        "cleared_blocks_that_are_written_are_not_purged_each",
        cleared_blocks_that_are_written_are_not_purged_each,
    ),
];

/// A cleared block, which is looked at.
fn cleared(bytes: usize) -> &'static mut [u8] {
    let block = global::calloc(bytes, 1);
    assert!(!block.is_null());
    // SAFETY: the block is live, so large, and nobody else's.
    let block = unsafe { std::slice::from_raw_parts_mut(block, bytes) };
    assert!(block.iter().step_by(1000).all(|byte| *byte == 0));
    block
}

fn free(block: &'static mut [u8]) {
    // SAFETY: the block is live, and was made by `cleared`.
    unsafe { global::free(block.as_mut_ptr()) };
}

/// Replaces blocks one after the other, and writes `written` bytes at both their ends; the most memory meanwhile.
fn replace(steps: usize, bytes: usize, written: usize) -> usize {
    let fresh = || {
        let block = cleared(bytes);
        block[..written].fill(1);
        block[bytes - written..].fill(1);
        block
    };
    let mut blocks: Vec<_> = (0..BLOCKS).map(|_| fresh()).collect();
    let mut most = 0;
    for step in 0..steps {
        let old = std::mem::replace(&mut blocks[step % BLOCKS], fresh());
        free(old);
        if step % 50 == 0 {
            most = most.max(resident());
        }
    }
    blocks.into_iter().for_each(free);
    most
}

fn cleared_blocks_of_which_little_is_written_hold_little() {
    let before = resident();
    for bytes in [150_000, MIB, 100_000] {
        let most = replace(1000, bytes, 300);
        assert!(most - before < 3 * MIB, "{bytes}: {most} after {before}");
    }
}

fn cleared_blocks_that_are_written_are_not_purged_each() {
    for bytes in [150_000, MIB] {
        // Also where little was written of those before.
        replace(200, bytes, 300);
        replace(100, bytes, bytes / 2);
        let purges = || ALLOCATOR.figures().expect("no lock is held").purges;
        let before = purges();
        replace(1000, bytes, bytes / 2);
        let purges = purges() - before;
        assert!(purges < 100, "{bytes}: {purges}");
    }
}
