//! The torture's hands in the collected heap: words of objects, call frames, C memory.
//!
//! * `inv:object.fresh`: a value that is handed in here was read from a root, or from an object that
//!   was, by a thread that has been Managed since and has passed no safepoint; or its object is
//!   pinned; or every thread that could collect waits for the one that looks. The books outside the
//!   heap say how many words the object has. Where the heap broke its promises the process dies,
//!   and its parent tells.
//! * `inv:object.frames`: a frame is boxed with what it pins and goes away innermost first.

use bowline_gc::{CallFrame, Mutator, access};
use bowline_layout::{Addr, Header, Value};

use super::block::Wrong;

/// Word `i` of `v`, raw.
pub(crate) fn word(v: Value, i: usize) -> u64 {
    // SAFETY: inv:object.fresh
    unsafe { access::word(v, i) }
}

/// Word `i` of `v`, as a value.
pub(crate) fn value(v: Value, i: usize) -> Value {
    // SAFETY: inv:object.fresh
    unsafe { access::value(v, i) }
}

/// Word `i` of the weak object `v`, to be used from now on.
pub(crate) fn read_weak(m: &Mutator, v: Value, i: usize) -> Value {
    // SAFETY: inv:object.fresh
    unsafe { m.read_weak(v, i) }
}

/// The header of `v`, if its first word is one.
pub(crate) fn header(v: Value) -> Option<Header> {
    Header::from_bits(word(v, 0))
}

/// Sets word `i` of the fresh object `v`, which the collector scans.
pub(crate) fn init(v: Value, i: usize, x: Value) {
    // SAFETY: inv:object.fresh
    unsafe { access::init(v, i, x) }
}

/// Sets raw word `i` of `v`.
pub(crate) fn set_word(v: Value, i: usize, bits: u64) {
    // SAFETY: inv:object.fresh
    unsafe { access::set_word(v, i, bits) }
}

/// Stores `x` into word `i` of `v` with all that belongs to it.
pub(crate) fn store(m: &mut Mutator, v: Value, i: usize, x: Value) {
    // SAFETY: inv:object.fresh
    unsafe { m.store(v, i, x) }
}

/// What a pattern has at a place.
fn pattern(key: u64, i: usize) -> u8 {
    (key.wrapping_add(i as u64 >> 3)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        >> (8 * (i & 7))) as u8
}

fn fill_slice(bytes: &mut [u8], key: u64) {
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = pattern(key, i);
    }
}

fn check_slice(bytes: &[u8], key: u64) -> Result<(), Wrong> {
    let wrong = |(i, found): (usize, &u8)| {
        let wanted = pattern(key, i);
        (*found != wanted).then_some(Wrong {
            offset: i,
            wanted,
            found: *found,
        })
    };
    bytes.iter().enumerate().find_map(wrong).map_or(Ok(()), Err)
}

/// Lays the pattern of `key` over `length` raw bytes from word `i` of `v` on.
pub(crate) fn fill(v: Value, i: usize, length: usize, key: u64) {
    // SAFETY: inv:object.fresh
    fill_slice(unsafe { access::bytes_mut(v, i, length) }, key);
}

/// Whether they still carry it.
pub(crate) fn check(v: Value, i: usize, length: usize, key: u64) -> Result<(), Wrong> {
    // SAFETY: inv:object.fresh
    check_slice(unsafe { access::bytes(v, i, length) }, key)
}

/// The word at an address of a thread's root stack.
pub(crate) fn stack_word(base: usize, i: usize) -> Value {
    value(
        Value::pointer(Addr::new(base), bowline_layout::Tag::Pair),
        i,
    )
}

/// Lays the pattern of `key` over C memory at `address`.
pub(crate) fn fill_at(address: usize, length: usize, key: u64) {
    let start: *mut u8 = std::ptr::with_exposed_provenance_mut(address);
    // SAFETY: inv:object.fresh: the owner lives, or the block was not freed.
    fill_slice(
        unsafe { std::slice::from_raw_parts_mut(start, length) },
        key,
    );
}

/// Whether C memory still carries it.
pub(crate) fn check_at(address: usize, length: usize, key: u64) -> Result<(), Wrong> {
    let start: *const u8 = std::ptr::with_exposed_provenance(address);
    // SAFETY: inv:object.fresh: the owner lives, or the block was not freed.
    check_slice(unsafe { std::slice::from_raw_parts(start, length) }, key)
}

/// A block of C's `malloc`, or nothing.
pub(crate) fn c_malloc(bytes: usize) -> Option<usize> {
    // SAFETY: malloc takes any size.
    let block = unsafe { libc::malloc(bytes) };
    (!block.is_null()).then(|| block.expose_provenance())
}

/// Gives a block of [`c_malloc`] back.
pub(crate) fn c_free(address: usize) {
    // SAFETY: inv:object.fresh: it came from there and goes back once.
    unsafe { libc::free(std::ptr::with_exposed_provenance_mut(address)) }
}

/// A call into C that pins what it was handed.
pub(crate) struct Lent {
    frame: Box<CallFrame<'static>>,
    pinned: *mut [Value],
    pushed: bool,
}

impl Lent {
    /// Hands `values` to C by address. A call that is not `told` to the heap pins nothing: that is a
    /// fault to be found.
    pub(crate) fn new(m: &mut Mutator, values: Vec<Value>, told: bool) -> Self {
        let pinned = Box::into_raw(values.into_boxed_slice());
        // SAFETY: inv:object.frames: given back in `end`, after the frame.
        let mut frame = Box::new(CallFrame::new(unsafe { &*pinned }));
        if told {
            // SAFETY: inv:object.frames
            unsafe { m.push_call(&mut frame) };
        }
        Lent {
            frame,
            pinned,
            pushed: told,
        }
    }

    /// C has returned.
    pub(crate) fn end(mut self, m: &mut Mutator) {
        if self.pushed {
            // SAFETY: inv:object.frames
            unsafe { m.pop_call(&mut self.frame) };
        }
        drop(self.frame);
        // SAFETY: inv:object.frames: made by Box::into_raw, and the frame is gone.
        drop(unsafe { Box::from_raw(self.pinned) });
    }
}
