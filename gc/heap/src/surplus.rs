//! Memory that the heap gives back to the system.
//!
//! MMTk keeps every page that it ever had. So after a collection the free ones beyond what the heap may grow to
//! before the next full one are given back: the pages of large objects that died, then free blocks of the moving space,
//! those first that MMTk would use last, and the side tables of chunks that are free as a whole. What stays resident
//! is thus at most the heap's size (see `pressure`), and a steady load, which needs all of it again, gives nothing back.
//!
//! It takes the system a quarter of a second for a gigabyte, while the world is stopped, and longer to give them
//! again. So one collection gives back a part, the more the longer its pause is anyhow, and the following ones
//! go on; one that was asked for gives back all.
//!
//! `inv:surplus.large` A large object that died is noted before MMTk can give its pages to another, and struck
//! out when one is made there: both happen under one lock, the former while the world is stopped. So what is noted
//! is nobody's.
//!
//! Absent on purpose: free lines in used blocks. A full collection that finds many moves what is between them.

mod large;

use crate::binding::{self, BLOCK, CHUNK};
use crate::sync::lock;
use crate::sys;
use bowline_layout::Addr;
use large::Large;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

const PAGE: usize = 4096;
/// Less than this is not worth a system call.
const LEAST: usize = 1 << 20;

/// How much a collection gives back at most, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Quota {
    /// What may stay resident though it is free.
    pub(crate) keep: usize,
    /// What this collection gives back at most.
    pub(crate) most: usize,
}

/// The free memory of the heap, and what was given back of it.
#[derive(Default)]
pub(crate) struct Surplus {
    /// The first chunk of the moving space, or 0.
    first: AtomicUsize,
    large: Mutex<Large>,
    /// What large objects take that live, or were not found dead yet.
    large_bytes: AtomicUsize,
    /// For each chunk its blocks that were given back and not used since, a bit each.
    away: Mutex<Vec<u128>>,
    given: AtomicU64,
}

/// The runs of bits that are set: where each begins, and how many there are.
fn runs(mut bits: u128) -> impl Iterator<Item = (usize, usize)> {
    std::iter::from_fn(move || {
        let from = bits.trailing_zeros();
        let length = bits.checked_shr(from)?.trailing_ones();
        let run = u128::MAX.checked_shl(length).map_or(u128::MAX, |m| !m) << from;
        bits &= !run;
        Some((from as usize, length as usize))
    })
}

impl Surplus {
    /// An object of the moving space was made at `at`. The first of the process is in the first chunk.
    #[inline]
    pub(crate) fn small_made(&self, at: Addr) {
        if self.first.load(Relaxed) == 0 {
            self.first.store(binding::chunk(at).raw(), Relaxed);
        }
    }

    /// A large object was made at `at`.
    pub(crate) fn large_made(&self, at: Addr, bytes: usize) {
        lock(&self.large).made(at, bytes);
        self.large_bytes
            .fetch_add(bytes.next_multiple_of(PAGE), Relaxed);
    }

    /// Whether a large object of `bytes` fits between others, where MMTk maps nothing.
    pub(crate) fn has_hole(&self, bytes: usize) -> bool {
        lock(&self.large).has_hole(bytes.next_multiple_of(PAGE))
    }

    /// The chunks of the moving space, each with its free blocks.
    fn chunks(&self) -> impl Iterator<Item = (Addr, u128)> {
        let first = Addr::new(self.first.load(Relaxed));
        let chunks = (0..).map(move |i| first.byte(i * CHUNK));
        let chunks = chunks.map_while(|at| Some((at, binding::free_blocks(at)?)));
        chunks.filter(move |_| first.raw() != 0)
    }

    /// A collection begins: the world is stopped.
    pub(crate) fn begin(&self) {
        let mut away = lock(&self.away);
        // What is in use now is resident, though it may be free again at the end.
        for (away, (_, free)) in away.iter_mut().zip(self.chunks()) {
            *away &= free;
        }
    }

    /// A collection ends that has let the dead go: the world is stopped, and no collector thread runs.
    pub(crate) fn settle(&self, full: bool) {
        let mut large = lock(&self.large);
        large.settle(full, |at| binding::large_lives(Addr::new(at), !full));
        let bytes = large.old.iter().map(|(_, bytes)| bytes).sum();
        self.large_bytes.store(bytes, Relaxed);
    }

    /// What large objects take that live, or were not found dead yet.
    pub(crate) fn large_bytes(&self) -> usize {
        self.large_bytes.load(Relaxed)
    }

    /// Gives back what is free and resident beyond `quota.keep`, after [`Surplus::settle`].
    pub(crate) fn give_back(&self, quota: Quota) {
        let mut large = lock(&self.large);
        let mut away = lock(&self.away);
        let chunks: Vec<(Addr, u128)> = self.chunks().collect();
        away.resize(chunks.len(), 0);
        let mut blocks = 0;
        for (away, (_, free)) in away.iter_mut().zip(&chunks) {
            *away &= free;
            blocks += (free & !*away).count_ones() as usize * BLOCK;
        }
        let excess = (blocks + large.free_bytes()).saturating_sub(quota.keep);
        let mut left = excess.min(quota.most);
        if left < LEAST {
            return;
        }
        while left > 0
            && let Some((start, bytes)) = large.free.pop_last()
        {
            self.release(Addr::new(start), bytes);
            left = left.saturating_sub(bytes);
        }
        for (away, (chunk, free)) in away.iter_mut().zip(chunks) {
            if left == 0 {
                break;
            }
            for (block, count) in runs(free & !*away) {
                self.release(chunk.byte(block * BLOCK), count * BLOCK);
                left = left.saturating_sub(count * BLOCK);
            }
            *away = free;
            if free == u128::MAX {
                binding::each_table(chunk, &mut |at, bytes| self.release(at, bytes));
            }
        }
    }

    /// Bytes that were given back so far.
    pub(crate) fn given(&self) -> u64 {
        self.given.load(Relaxed)
    }

    fn release(&self, at: Addr, bytes: usize) {
        // SAFETY: inv:surplus.large and inv:blocks.zero: the pages are nobody's, and zeros are as good there.
        if unsafe { sys::forget(at, bytes) } {
            self.given.fetch_add(bytes as u64, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_bits_are_found() {
        let found = |bits| runs(bits).collect::<Vec<_>>();
        assert_eq!(found(0), []);
        assert_eq!(found(0b1101), [(0, 1), (2, 2)]);
        assert_eq!(found(u128::MAX), [(0, 128)]);
        assert_eq!(found(u128::MAX << 5), [(5, 123)]);
        assert_eq!(found(1 << 127 | 1), [(0, 1), (127, 1)]);
    }
}
