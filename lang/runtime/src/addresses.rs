//! Maps and sets keyed by the words of heap objects, for as long as nothing moves.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// One multiplication: addresses are chosen by nobody.
#[derive(Default)]
pub(crate) struct WordHasher(u64);

impl Hasher for WordHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&b| self.write_u64(b.into()));
    }

    fn write_u64(&mut self, n: u64) {
        let mixed = (self.0 ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ mixed >> 32;
    }
}

/// A map from words.
pub(crate) type WordMap<T> = HashMap<u64, T, BuildHasherDefault<WordHasher>>;
/// A set of words.
pub(crate) type WordSet = HashSet<u64, BuildHasherDefault<WordHasher>>;
