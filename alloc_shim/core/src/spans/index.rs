//! The index: free spans by length, and two lists by age.

use super::rest::Resting;
use super::{Kind, NONE};

/// Lengths up to here have a bin each.
pub(super) const EXACT: u32 = 32;
const EIGHTHS: usize = 8;
/// The largest length has 31 bits.
pub(super) const BINS: usize = EXACT as usize + (31 - EXACT.ilog2() as usize) * EIGHTHS;
const WORDS: usize = BINS.div_ceil(64);

/// A list by age.
#[derive(Debug)]
pub(super) struct List {
    pub(super) oldest: u32,
    pub(super) newest: u32,
}

impl List {
    const EMPTY: List = List {
        oldest: NONE,
        newest: NONE,
    };
}

/// The bins of one kind.
#[derive(Debug)]
pub(super) struct Bins {
    pub(super) heads: [u32; BINS],
    /// A bit for each bin that has a span.
    pub(super) filled: [u64; WORDS],
    pub(super) slices: usize,
    pub(super) spans: usize,
}

impl Bins {
    const EMPTY: Bins = Bins {
        heads: [NONE; BINS],
        filled: [0; WORDS],
        slices: 0,
        spans: 0,
    };

    /// The first bin that has a span, from `bin` on.
    pub(super) fn filled_from(&self, bin: usize) -> Option<usize> {
        let mut word = bin / 64;
        let mut bits = self.filled.get(word)? & (!0 << (bin % 64));
        while bits == 0 {
            word += 1;
            bits = *self.filled.get(word)?;
        }
        Some(word * 64 + bits.trailing_zeros() as usize)
    }

    /// The last bin that has a span, below `bin`.
    pub(super) fn filled_below(&self, bin: usize) -> Option<usize> {
        let mut word = bin / 64;
        let mut bits = self.filled.get(word).copied().unwrap_or(0) & !(!0 << (bin % 64));
        while bits == 0 {
            word = word.checked_sub(1)?;
            bits = self.filled[word];
        }
        Some(word * 64 + bits.ilog2() as usize)
    }
}

/// The bin of spans of `len` slices.
pub(super) fn bin_of(len: u32) -> usize {
    debug_assert!(len > 0);
    if len <= EXACT {
        return len as usize - 1;
    }
    let power = len.ilog2() as usize;
    let eighth = (len >> (power - 3)) as usize % EIGHTHS;
    EXACT as usize + (power - EXACT.ilog2() as usize) * EIGHTHS + eighth
}

/// Where the free spans are. It is zero when nothing is free.
#[derive(Debug)]
pub(crate) struct Index {
    pub(super) bins: [Bins; 2],
    pub(super) dirty: List,
    pub(super) leaving: List,
    pub(super) resting: Resting,
}

impl Index {
    pub(crate) const fn new() -> Self {
        Index {
            bins: [Bins::EMPTY; 2],
            dirty: List::EMPTY,
            leaving: List::EMPTY,
            resting: Resting::EMPTY,
        }
    }

    /// Free slices of a kind.
    pub(crate) fn slices(&self, kind: Kind) -> usize {
        self.bins[kind as usize].slices
    }

    /// Free slices that have memory.
    pub(crate) fn with_memory(&self) -> usize {
        self.slices(Kind::Dirty) + self.resting.slices
    }

    /// Free spans that can be taken, a number.
    pub(crate) fn takable(&self) -> usize {
        self.spans(Kind::Dirty) + self.spans(Kind::Clean) + self.resting.each().len()
    }

    /// Free spans of a kind, a number.
    pub(crate) fn spans(&self, kind: Kind) -> usize {
        self.bins[kind as usize].spans
    }

    /// Whether a span is between dirty and clean.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.oldest != NONE
    }
}
