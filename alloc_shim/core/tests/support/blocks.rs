//! Blocks of random sizes, each of which says how long it is and of which every byte can be verified.
//!
//! Nothing of the standard library is called here that hands something from one thread to another.

use bowline_alloc::Class;
use bowline_alloc::global;

/// Before the contents of each block: how many bytes they are, and what they are.
pub(crate) const HEAD: usize = 2 * size_of::<usize>();

pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9) + 1)
    }

    /// Marsaglia, *Xorshift RNGs* (2003).
    pub(crate) fn next(&mut self) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize
    }

    fn size(&mut self) -> usize {
        let most = match self.next() % 128 {
            0..96 => 200,
            96..122 => 4000,
            122..127 => 40_000,
            _ => 300_000,
        };
        self.next() % most
    }
}

fn byte(seed: usize, at: usize) -> u8 {
    (seed ^ at.wrapping_mul(0x9d)) as u8
}

pub(crate) fn make(random: &mut Random) -> *mut u8 {
    let (bytes, seed) = (random.size(), random.next());
    let block = match random.next() % 5 {
        0 => global::aligned(32 << (random.next() % 6), bytes + HEAD),
        1 => global::calloc(1, bytes + HEAD),
        2 => global::alloc_class(bytes + HEAD, 16, false, Class::Runtime),
        _ => global::malloc(bytes + HEAD),
    };
    fill(block, bytes, seed);
    block
}

fn words(block: *mut u8) -> [*mut usize; 2] {
    assert!(!block.is_null());
    [block.cast(), block.wrapping_add(HEAD / 2).cast()]
}

pub(crate) fn fill(block: *mut u8, bytes: usize, seed: usize) {
    for (word, number) in words(block).into_iter().zip([bytes, seed]) {
        // SAFETY: the block is ours, and so large.
        unsafe { word.write(number) };
    }
    for at in 0..bytes {
        // SAFETY: as above.
        unsafe { block.wrapping_add(HEAD + at).write(byte(seed, at)) };
    }
}

/// How many bytes a block has, and what they are.
fn head(block: *mut u8) -> [usize; 2] {
    // SAFETY: the block is ours and was filled.
    words(block).map(|word| unsafe { word.read() })
}

fn verify(block: *mut u8, seed: usize, bytes: usize) {
    for at in 0..bytes {
        // SAFETY: the block is ours and was filled.
        let found = unsafe { block.wrapping_add(HEAD + at).read() };
        assert_eq!(found, byte(seed, at), "byte {at} of {bytes}");
    }
}

/// Looks at a block, if there is one, and frees it.
pub(crate) fn end(block: *mut u8) {
    if !block.is_null() {
        let [bytes, seed] = head(block);
        verify(block, seed, bytes);
        // SAFETY: the block is live.
        assert!(unsafe { global::usable_size(block) } >= bytes + HEAD);
        // SAFETY: the block is ours, and used no more.
        unsafe { global::free(block) };
    }
}

pub(crate) fn resize(block: *mut u8, random: &mut Random) -> *mut u8 {
    let [old, seed] = head(block);
    verify(block, seed, old);
    let bytes = random.size();
    // SAFETY: the block is ours.
    let moved = unsafe { global::realloc(block, bytes + HEAD) };
    assert!(!moved.is_null());
    verify(moved, seed, old.min(bytes));
    fill(moved, bytes, seed);
    moved
}
