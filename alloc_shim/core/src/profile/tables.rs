//! What a profile remembers: stacks with their sums, the places in them, and the sampled blocks that live.
//!
//! ```text
//!   lives    block's address ──► bytes, stack            a hash table
//!   heads    hash of a stack ──► its record in `words`   chains
//!   words    │ hash │ next, depth │ taken: parts, bytes │ given: parts, bytes │ place, place │ … │ hash │ …
//!   places   number ◄──► address                         a hash table
//! ```
//!
//! `inv:profile.tables` The tables are memory of the allocator that is zeroed before it is shown and never given back. All of it is
//! atomics, so references to it are sound whoever writes.
//!
//! `inv:profile.record` A record is complete when its chain shows it, and of what it says only the sums change. A place, once there,
//! stays. So whoever reads needs no lock, and who writes waits for nobody: a handler may do either, and a child of a fork finds
//! everything usable; what another thread was adding then is not in it.
//!
//! Each table is bounded. A block without room is no sample; a stack without room counts for the first record, which has no
//! place; a place without room is left out of its stack.

use crate::sync::{
    AtomicU32, AtomicU64, AtomicUsize,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};
use sizes::{HEADS, LIVES, PLACES, REACH, WORDS};

/// The most places of a stack, the innermost ones.
pub const DEPTH: usize = sizes::DEPTH;

/// How many parts an object is counted in.
pub const PARTS: u64 = 256;

#[cfg(not(loom))]
mod sizes {
    pub(super) const DEPTH: usize = 64;
    pub(super) const LIVES: usize = 1 << 17;
    pub(super) const PLACES: usize = 1 << 15;
    pub(super) const HEADS: usize = 1 << 13;
    pub(super) const WORDS: usize = 1 << 19;
    /// How far from where it would best be an entry is looked for.
    pub(super) const REACH: usize = 64;
}

/// Everything lies in the way of everything.
#[cfg(loom)]
mod sizes {
    pub(super) const DEPTH: usize = 2;
    pub(super) const LIVES: usize = 2;
    pub(super) const PLACES: usize = 2;
    pub(super) const HEADS: usize = 1;
    pub(super) const WORDS: usize = 32;
    pub(super) const REACH: usize = 2;
}

/// What stands before the places of a record.
const HEADER: usize = 6;
const TAKEN: usize = 2;
const GIVEN: usize = 4;

/// An entry of `lives` that is free again, and one that is being filled. No block has such an address.
const GONE: usize = 1;
const FILLING: usize = 2;

/// How many bits a record's number has beside a block's size.
const NUMBER: u32 = 24;
const _: () = assert!(WORDS <= 1 << NUMBER);

#[derive(Debug)]
struct Live {
    block: AtomicUsize,
    /// Bytes, and the number of the stack's record.
    what: AtomicU64,
}

/// Writes the addresses from which the running function was called, innermost first, and says how many they are. An address is
/// one in the instruction that called.
pub type Backtrace = fn(&mut [usize; DEPTH]) -> usize;

/// What a sample stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weight {
    /// Objects, in [`PARTS`].
    pub parts: u64,
    /// Bytes.
    pub bytes: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Tables {
    lives: [Live; LIVES],
    places: [AtomicUsize; PLACES],
    heads: [AtomicU32; HEADS],
    top: AtomicUsize,
    words: [AtomicU64; WORDS],
}

/// A stack as it was found.
#[derive(Debug)]
pub struct Frames {
    addresses: [usize; DEPTH],
    depth: usize,
}

impl Frames {
    /// A stack without places.
    pub fn none() -> Self {
        Self {
            addresses: [0; DEPTH],
            depth: 0,
        }
    }

    /// Lets `backtrace` find the places.
    pub fn fill(&mut self, backtrace: Backtrace) {
        self.depth = backtrace(&mut self.addresses).min(DEPTH);
    }

    fn addresses(&self) -> &[usize] {
        &self.addresses[..self.depth]
    }
}

/// A stack and what was taken there. Numbers are estimates of all that was, not of the samples alone.
#[derive(Debug)]
pub struct Site<'a> {
    /// Objects that were ever allocated there.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Those that live.
    pub live_objects: u64,
    /// Their bytes.
    pub live_bytes: u64,
    words: &'a [AtomicU64],
    depth: usize,
}

impl Site<'_> {
    /// The numbers of the stack's places, innermost first.
    pub fn places(&self) -> impl Iterator<Item = usize> {
        let place = |n: usize| self.words[n / 2].load(Relaxed) >> (n % 2 * 32) & 0xffff_ffff;
        (0..self.depth).map(move |n| place(n) as usize)
    }
}

/// A number of which each bit depends on all bits of the other.
pub(super) fn mixed(number: u64) -> u64 {
    let mut bits = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

/// The entries of a table of `size`, a power of two, in which something with this number may be. Numbers are mixed, so that neighbours,
/// as blocks of a page are, lie apart.
fn reach(number: usize, size: usize) -> impl Iterator<Item = usize> {
    let best = mixed(number as u64) as usize;
    (0..REACH).map(move |step| best.wrapping_add(step) & (size - 1))
}

/// What is zeroed memory in the product.
#[cfg(loom)]
impl Default for Tables {
    fn default() -> Self {
        use core::array::from_fn;
        let live = |_| Live {
            block: AtomicUsize::new(0),
            what: AtomicU64::new(0),
        };
        Self {
            lives: from_fn(live),
            places: from_fn(|_| AtomicUsize::new(0)),
            heads: from_fn(|_| AtomicU32::new(0)),
            top: AtomicUsize::new(0),
            words: from_fn(|_| AtomicU64::new(0)),
        }
    }
}

impl Tables {
    /// Makes zeroed tables empty ones.
    pub fn begin(&self) {
        self.top.store(HEADER, Release);
    }

    /// A sampled block is taken; false where there is no room for it.
    pub fn take(&self, block: usize, bytes: usize, stack: &Frames, weight: Weight) -> bool {
        let free = |live: &&Live| {
            let now = live.block.load(Relaxed);
            let free = now == 0 || now == GONE;
            let turn = || live.block.compare_exchange(now, FILLING, Acquire, Relaxed);
            free && turn().is_ok()
        };
        let mut lives = reach(block / 16, LIVES).map(|place| &self.lives[place]);
        let Some(live) = lives.find(free) else {
            return false;
        };
        let number = self.record(stack);
        self.add(number + TAKEN, weight);
        let what = (bytes as u64) << NUMBER | number as u64;
        live.what.store(what, Relaxed);
        live.block.store(block, Release);
        true
    }

    /// A block is given back; false where it was no sample.
    pub fn give(&self, block: usize, weight: impl Fn(usize) -> Weight) -> bool {
        for place in reach(block / 16, LIVES) {
            let live = &self.lives[place];
            let now = live.block.load(Acquire);
            if now == 0 {
                return false;
            }
            if now != block {
                continue;
            }
            let what = live.what.load(Relaxed);
            let turn = live.block.compare_exchange(block, GONE, AcqRel, Relaxed);
            if turn.is_ok() {
                let number = what & ((1 << NUMBER) - 1);
                self.add(number as usize + GIVEN, weight((what >> NUMBER) as usize));
            }
            return turn.is_ok();
        }
        false
    }

    fn add(&self, place: usize, weight: Weight) {
        self.words[place].fetch_add(weight.parts, Relaxed);
        self.words[place + 1].fetch_add(weight.bytes, Relaxed);
    }

    /// The number of an address; none where there is no room.
    fn place(&self, address: usize) -> Option<u32> {
        for place in reach(address, PLACES) {
            let cell = &self.places[place];
            let found = match cell.compare_exchange(0, address, AcqRel, Acquire) {
                Ok(_) => address,
                Err(found) => found,
            };
            if found == address {
                return Some(place as u32 + 1);
            }
        }
        None
    }

    /// The record of a stack: where it stands in the words.
    fn record(&self, stack: &Frames) -> usize {
        let mut places = [0; DEPTH];
        let mut depth = 0;
        let mut hash = 0;
        let addresses = stack.addresses().iter().filter(|address| **address != 0);
        for place in addresses.filter_map(|address| self.place(*address)) {
            places[depth] = place;
            depth += 1;
            hash = mixed(hash ^ u64::from(place)).wrapping_add(1);
        }
        let places = &places[..depth];
        let head = &self.heads[hash as usize & (HEADS - 1)];
        let mut first = head.load(Acquire);
        if let Some(known) = self.find(first, hash, places) {
            return known;
        }
        let Some(number) = self.write(hash, places) else {
            return 0;
        };
        loop {
            self.words[number + 1].store(u64::from(first) | (depth as u64) << 32, Relaxed);
            // inv:profile.record
            match head.compare_exchange(first, number as u32, AcqRel, Acquire) {
                Ok(_) => return number,
                // It may be the same stack: two records of it do no harm.
                Err(now) => first = now,
            }
        }
    }

    fn find(&self, first: u32, hash: u64, places: &[u32]) -> Option<usize> {
        let mut next = first as usize;
        while next != 0 {
            let (record, after) = self.read(next);
            let alike = self.words[next].load(Relaxed) == hash
                && record.depth == places.len()
                && record
                    .places()
                    .eq(places.iter().map(|place| *place as usize));
            if alike {
                return Some(next);
            }
            next = after;
        }
        None
    }

    /// Writes a record that no chain shows yet.
    fn write(&self, hash: u64, places: &[u32]) -> Option<usize> {
        let length = HEADER + places.len().div_ceil(2);
        let grown = |top: usize| (top + length <= WORDS).then_some(top + length);
        let number = self.top.fetch_update(AcqRel, Acquire, grown).ok()?;
        self.words[number].store(hash, Relaxed);
        for (word, pair) in self.words[number + HEADER..].iter().zip(places.chunks(2)) {
            let upper = pair.get(1).copied().unwrap_or(0);
            word.store(u64::from(pair[0]) | u64::from(upper) << 32, Relaxed);
        }
        Some(number)
    }

    /// The record at a place, and the next one in its chain.
    fn read(&self, number: usize) -> (Site<'_>, usize) {
        let word = |place: usize| self.words[number + place].load(Relaxed);
        // What was given back was taken before: read in this order, less than nothing seldom lives.
        let given = [word(GIVEN), word(GIVEN + 1)];
        let taken = [word(TAKEN), word(TAKEN + 1)];
        let whole = |parts: u64| (parts + PARTS / 2) / PARTS;
        let link = word(1);
        let depth = (link >> 32) as usize;
        let site = Site {
            objects: whole(taken[0]),
            bytes: taken[1],
            live_objects: whole(taken[0].saturating_sub(given[0])),
            live_bytes: taken[1].saturating_sub(given[1]),
            words: &self.words[number + HEADER..],
            depth,
        };
        (site, link as u32 as usize)
    }

    /// Calls `visit` with every stack that has taken something.
    pub fn sites(&self, visit: &mut impl FnMut(&Site<'_>)) {
        let mut each = |number: usize| {
            let (site, next) = self.read(number);
            if site.objects > 0 {
                visit(&site);
            }
            next
        };
        each(0);
        for head in &self.heads {
            let mut next = head.load(Acquire) as usize;
            while next != 0 {
                next = each(next);
            }
        }
    }

    /// Calls `visit` with the number and the address of every place.
    pub fn places(&self, visit: &mut impl FnMut(usize, usize)) {
        for (place, cell) in self.places.iter().enumerate() {
            match cell.load(Acquire) {
                0 => {}
                address => visit(place + 1, address),
            }
        }
    }
}
