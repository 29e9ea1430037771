//! Reading and writing heap objects: the only module of this crate with `unsafe`.
//!
//! Everything else reaches the heap through these functions, which are safe to call on the
//! strength of two invariants that the whole crate keeps:
//!
//! inv:rooted — a `Value` that is used was read from a scanned place (the root stack, a cell, a
//! heap object) after the last safepoint. After anything that may allocate, arguments are read
//! again with `Rt::arg` (inv:rooted.args) and temporaries from where they were pushed.
//!
//! The type id fixes the shape (inv:object.kind), so a caller that has looked at the type id, and
//! at the length where it varies, knows that the words it names exist.
//!
//! inv:cells.fixed — a cell of [`Cells`] never moves once it was made, so generated code and the
//! collector may keep its address.
//!
//! Bytes are lent for as long as the heap is borrowed: nothing can allocate, hence nothing can
//! move, while such a slice lives.
//!
//! inv:view.memory — the bytes of a view are C memory, not at NULL, that can be read and written while its base
//! lives: the program says so when it makes the view, as it does with each access through a pointer.
//!
//! Two questions to the system that the standard library has no safe form of stand here too.
//!
//! Absent on purpose: knowledge of any one type; those stand in the modules named after them.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bowline_gc::{Mutator, RootSource, access};
use bowline_layout::{Flags, Header, TypeId, Value, bytevector_view};

use crate::kinds;

/// The header of a headed object.
#[inline(always)]
pub fn header(v: Value) -> Header {
    debug_assert!(v.is_headed());
    // SAFETY: inv:rooted: a headed value points to a live object.
    unsafe { access::header(v) }
}

/// Gives a headed object these flags instead of its own.
pub(crate) fn set_flags(v: Value, flags: Flags) {
    debug_assert!(v.is_headed());
    // SAFETY: inv:rooted: a headed value points to a live object.
    unsafe { access::set_flags(v, flags) }
}

/// The type id of a headed object; `None` for pairs and immediates.
#[inline(always)]
pub fn type_id(v: Value) -> Option<TypeId> {
    if v.is_headed() {
        Some(header(v).type_id())
    } else {
        None
    }
}

/// Whether `v` is a headed object of this type.
#[inline(always)]
pub fn is(v: Value, id: TypeId) -> bool {
    v.is_headed() && header(v).type_id() == id
}

/// The length in the header of an object whose shape counts words or bytes.
#[inline(always)]
pub fn length(v: Value) -> usize {
    header(v).length()
}

/// The first field of a pair.
#[inline(always)]
pub fn car(v: Value) -> Value {
    debug_assert!(v.is_pair());
    // SAFETY: inv:rooted: a pair value points to two live words.
    unsafe { access::value(v, 0) }
}

/// The second field of a pair.
#[inline(always)]
pub fn cdr(v: Value) -> Value {
    debug_assert!(v.is_pair());
    // SAFETY: inv:rooted: a pair value points to two live words.
    unsafe { access::value(v, 1) }
}

/// The value in word `i` of a headed object.
#[inline(always)]
pub fn field(v: Value, i: usize) -> Value {
    debug_assert!(i >= 1 && i < bowline_layout::object_bytes(header(v)) / 8);
    // SAFETY: inv:rooted and inv:object.kind: word `i` is one of the object's.
    unsafe { access::value(v, i) }
}

/// Word `i` of a headed object, one that does not keep its object alive, to be used (`inv:weak.door` of the heap).
#[inline(always)]
pub fn weak_field(heap: &Mutator, v: Value, i: usize) -> Value {
    debug_assert!(i >= 1 && i < bowline_layout::object_bytes(header(v)) / 8);
    // SAFETY: inv:rooted and inv:object.kind: word `i` is one of the object's.
    unsafe { heap.read_weak(v, i) }
}

/// The bits of word `i` of a headed object.
#[inline(always)]
pub fn raw(v: Value, i: usize) -> u64 {
    debug_assert!(i >= 1 && i < bowline_layout::object_bytes(header(v)) / 8);
    // SAFETY: inv:rooted and inv:object.kind: word `i` is one of the object's.
    unsafe { access::word(v, i) }
}

/// Overwrites word `i`, which the collector does not scan.
#[inline(always)]
pub fn set_raw(v: Value, i: usize, bits: u64) {
    debug_assert!(i >= 1 && i < bowline_layout::object_bytes(header(v)) / 8);
    // SAFETY: inv:rooted and inv:object.kind: word `i` is one of the object's raw words.
    unsafe { access::set_word(v, i, bits) }
}

/// Fills word `i` of an object that was allocated after the last safepoint: no barrier.
#[inline(always)]
pub fn init(v: Value, i: usize, x: Value) {
    debug_assert!(i >= 1 && i < bowline_layout::object_bytes(header(v)) / 8);
    // SAFETY: inv:rooted; every caller has just allocated `v`, so it is young.
    unsafe { access::init(v, i, x) }
}

/// Overwrites word `i` of a headed object (1 and up) or of a pair (0 or 1), with the barrier.
#[inline(always)]
pub fn store(heap: &mut Mutator, v: Value, i: usize, x: Value) {
    // SAFETY: inv:rooted and inv:object.kind: word `i` is one of the object's values.
    unsafe { heap.store(v, i, x) }
}

/// Whether `v` is a bytevector: one with bytes of its own or a view.
#[inline(always)]
pub fn is_bytevector(v: Value) -> bool {
    matches!(type_id(v), Some(kinds::BYTEVECTOR | kinds::BYTEVECTOR_VIEW))
}

/// How many bytes a `Bytes` object has, or a view.
#[inline(always)]
pub fn byte_count(v: Value) -> usize {
    match header(v) {
        h if h.type_id() == kinds::BYTEVECTOR_VIEW => raw(v, bytevector_view::LENGTH) as usize,
        h => h.length(),
    }
}

/// Where the bytes of a `Bytes` object are, or those of a view.
#[inline(always)]
fn first_byte(v: Value) -> *mut u8 {
    if header(v).type_id() == kinds::BYTEVECTOR_VIEW {
        return std::ptr::with_exposed_provenance_mut(raw(v, bytevector_view::START) as usize);
    }
    // SAFETY: inv:rooted: the payload of a live object.
    unsafe { access::bytes_ptr(v, 1) }
}

/// All bytes of a `Bytes` object or of a view, lent while the heap is borrowed.
#[inline(always)]
pub fn content(_heap: &Mutator, v: Value) -> &[u8] {
    // SAFETY: inv:rooted and inv:view.memory: so many bytes are there; nothing moves while the heap is borrowed.
    unsafe { std::slice::from_raw_parts(first_byte(v), byte_count(v)) }
}

/// All bytes of a `Bytes` object or of a view, lent for writing.
#[inline(always)]
pub fn content_mut(_heap: &mut Mutator, v: Value) -> &mut [u8] {
    // SAFETY: inv:rooted and inv:view.memory: so many bytes are there; the heap is borrowed mutably, so no other
    // slice lives.
    unsafe { std::slice::from_raw_parts_mut(first_byte(v), byte_count(v)) }
}

/// The payload of a `Bytes` object from `start` on, lent while the heap is borrowed.
#[inline(always)]
pub fn bytes(_heap: &Mutator, v: Value, start: usize, len: usize) -> &[u8] {
    assert!(start + len <= length(v), "a slice outside its object");
    // SAFETY: inv:rooted; the range was checked; nothing moves while the heap is borrowed.
    let whole = unsafe { access::bytes(v, 1, start + len) };
    &whole[start..]
}

/// The payload of a `Bytes` object from `start` on, lent for writing.
#[inline(always)]
pub fn bytes_mut(_heap: &mut Mutator, v: Value, start: usize, len: usize) -> &mut [u8] {
    assert!(start + len <= length(v), "a slice outside its object");
    // SAFETY: inv:rooted; the range was checked; the heap is borrowed mutably, so no other slice lives.
    let whole = unsafe { access::bytes_mut(v, 1, start + len) };
    &mut whole[start..]
}

/// The first `len` bytes of a string's body as text, lent while the heap is borrowed.
#[inline(always)]
pub fn text(heap: &Mutator, body: Value, len: usize) -> &str {
    let content = bytes(heap, body, 0, len);
    debug_assert!(std::str::from_utf8(content).is_ok());
    // SAFETY: inv:string.nul: a string's body is UTF-8; only `strings` writes it, from `str`s.
    unsafe { std::str::from_utf8_unchecked(content) }
}

/// Copies bytes between `Bytes` objects or views, which may be one, or overlap.
pub fn copy_bytes(from: Value, start: usize, to: Value, at: usize, len: usize) {
    assert!(start + len <= byte_count(from) && at + len <= byte_count(to));
    let source = first_byte(from).wrapping_add(start);
    let target = first_byte(to).wrapping_add(at);
    // SAFETY: inv:rooted and inv:view.memory; both ranges were checked; `copy` allows them to overlap.
    unsafe { std::ptr::copy(source.cast_const(), target, len) }
}

/// Whether reading from a file descriptor would not wait.
pub(crate) fn input_ready(fd: i32) -> bool {
    poll_input(fd, 0) > 0
}

/// How many milliseconds a wait for input lasts before somebody looks whether it is still wanted.
const GLANCE: i32 = 200;

/// Waits until reading from a file descriptor does not wait; false if a signal came first, or may have
/// come before the wait began.
pub(crate) fn wait_for_input(fd: i32) -> bool {
    match poll_input(fd, GLANCE) {
        0 => false,
        1.. => true,
        _ => std::io::Error::last_os_error().raw_os_error() != Some(libc::EINTR),
    }
}

fn poll_input(fd: i32, timeout: i32) -> i32 {
    let mut poll = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one pollfd, on this frame, for the length of the call.
    unsafe { libc::poll(&mut poll, 1, timeout) }
}

/// The processor time that the process has used, all threads together.
pub fn cpu_time() -> std::time::Duration {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: one timespec, on this frame, for the length of the call. The clock exists on Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut now) };
    std::time::Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

const CHUNK: usize = 1024;
const CHUNKS: usize = 1024;

/// Cells at fixed addresses that the collector scans: global variables, the runtime's own roots,
/// and, as the weak kind, what a table of ports must not keep alive.
pub struct Cells {
    chunks: Box<[OnceLock<Box<[AtomicU64]>>]>,
    len: AtomicUsize,
    weak: bool,
    empty: Value,
}

impl Cells {
    /// A table without cells. New cells hold `empty`; weak cells do not keep what they hold alive.
    pub fn new(weak: bool, empty: Value) -> Arc<Cells> {
        Arc::new(Cells {
            chunks: (0..CHUNKS).map(|_| OnceLock::new()).collect(),
            len: AtomicUsize::new(0),
            weak,
            empty,
        })
    }

    /// How many cells there are.
    pub fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many cells there can be.
    pub const CAPACITY: usize = CHUNK * CHUNKS;

    /// Makes cells up to and including `index`. False when that is more than there can be.
    pub fn ensure(&self, index: usize) -> bool {
        if index >= Self::CAPACITY {
            return false;
        }
        for chunk in &self.chunks[..=index / CHUNK] {
            chunk.get_or_init(|| {
                (0..CHUNK)
                    .map(|_| AtomicU64::new(self.empty.bits()))
                    .collect()
            });
        }
        self.len.fetch_max(index + 1, Ordering::Relaxed);
        true
    }

    fn slot(&self, index: usize) -> &AtomicU64 {
        let chunk = self.chunks[index / CHUNK].get();
        &chunk.expect("a cell is made before it is used")[index % CHUNK]
    }

    /// What the cell holds.
    #[inline]
    pub fn get(&self, index: usize) -> Value {
        Value::from_bits(self.slot(index).load(Ordering::Relaxed))
    }

    /// Overwrites the cell. Cells are scanned at every collection, so there is no barrier.
    #[inline]
    pub fn set(&self, index: usize, v: Value) {
        self.slot(index).store(v.bits(), Ordering::Relaxed);
    }

    /// The address of the cell (inv:cells.fixed).
    pub fn address(&self, index: usize) -> *mut Value {
        self.slot(index).as_ptr().cast()
    }

    fn each(&self, f: &mut dyn FnMut(&mut Value)) {
        for index in 0..self.len() {
            let cell = self.address(index);
            // SAFETY: inv:cells.fixed; the collector visits while mutators are stopped, so nothing
            // else refers to the cell.
            f(unsafe { &mut *cell });
        }
    }
}

/// What the heap holds of a table of cells.
pub struct CellRoots(pub Arc<Cells>);

impl RootSource for CellRoots {
    fn visit(&self, f: &mut dyn FnMut(&mut Value)) {
        if !self.0.weak {
            self.0.each(f);
        }
    }

    fn visit_weak(&self, f: &mut dyn FnMut(&mut Value)) {
        if self.0.weak {
            self.0.each(f);
        }
    }
}
