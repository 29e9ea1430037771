//! C's `malloc` in foreign code starts collections, and what C was lent stays where it is.

use crate::support::*;
use bowline_gc::{CallFrame, Collect, HeapConfig, Mutator, OwnerLabel, Zeal, access};
use bowline_layout::{Tag, Value, bytevector, foreign_pointer};
use std::ffi::{CStr, c_void};
use std::time::{Duration, Instant};

pub(crate) const CASES: &[Case] = &[
    case("C's bytes are counted", bytes_are_counted),
    case("malloc asks for a collection and goes on", malloc_asks),
    case("zeal collects inside malloc", zeal_inside_malloc),
    case("zeal waits for a managed thread's poll", zeal_managed),
    case("malloc while managed collects at a poll", managed_malloc),
    case("what the region counts is not declared", not_declared),
    case("1 GiB dropped under 128 MiB", || dropped(1, fill)),
    case("20 GiB dropped under 128 MiB", || dropped(20, touch)),
];

/// Runs `f` as foreign code that was lent `pinned`.
pub(crate) fn native<R>(m: &mut Mutator, pinned: &[Value], f: impl FnOnce() -> R) -> R {
    let mut frame = CallFrame::new(pinned);
    // SAFETY: popped below; the frame does not move.
    unsafe { m.push_call(&mut frame) };
    m.enter_native();
    let result = f();
    m.leave_native();
    // SAFETY: pushed above.
    unsafe { m.pop_call(&mut frame) };
    result
}

/// `malloc`, as C calls it.
pub(crate) fn malloc(bytes: usize) -> *mut c_void {
    // SAFETY: malloc takes any size.
    std::hint::black_box(unsafe { libc::malloc(bytes) })
}

/// `free`, as C calls it.
pub(crate) fn free(p: *mut c_void) {
    // SAFETY: the trials free what they got, once.
    unsafe { libc::free(p) }
}

/// Waits until `done` says so.
pub(crate) fn until(done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(20), "waited in vain");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn bytes_are_counted() {
    let (_, mut m) = heap();
    let before = m.stats();
    assert!(!before.degraded);
    assert!(before.runtime_bytes > 0, "the heap itself has tables");
    let p = malloc(50 * MIB);
    let s = m.stats();
    let grown = s.client_bytes - before.client_bytes;
    assert!(grown.abs_diff(50 << 20) < 1 << 20, "{grown} bytes");
    assert_eq!(s.static_bytes, s.client_bytes);
    assert!(s.runtime_bytes - before.runtime_bytes < 1 << 20);
    free(p);
    let left = m.stats().client_bytes - before.client_bytes;
    assert!(left < 1 << 20, "{left} bytes");
    let v = owner(&mut m, 30 * MIB);
    m.push(v);
    let s = m.stats();
    let grown = s.client_bytes - before.client_bytes;
    assert!(grown.abs_diff(30 << 20) < 1 << 20, "{grown} bytes");
    assert_eq!(s.declared_bytes, 0, "not twice");
}

fn lent(m: &mut Mutator) -> Value {
    let v = m.alloc(bytevector::header(6), Tag::Object).expect("room");
    // SAFETY: a fresh bytevector of six bytes.
    let bytes = unsafe { access::bytes_mut(v, 1, 6) };
    bytes.copy_from_slice(b"lent!\0");
    v
}

fn check_lent(v: Value) {
    // SAFETY: a live bytevector.
    let text = unsafe { access::bytes_ptr(v, 1) };
    // SAFETY: it ends in NUL.
    let text = unsafe { CStr::from_ptr(text.cast()) };
    assert_eq!(text.to_bytes(), b"lent!");
}

fn malloc_asks() {
    let (heap, mut m) = heap();
    let v = lent(&mut m);
    m.push(v);
    let before = m.stats();
    native(&mut m, &[v], || {
        let blocks: Vec<_> = (0..1600).map(|_| malloc(64 << 10)).collect();
        assert!(blocks.iter().all(|p| !p.is_null()));
        until(|| heap.collections() > before.collections);
        check_lent(v);
        blocks.into_iter().for_each(free);
    });
    assert_eq!(m.get(0), v, "it stayed");
    let s = m.stats();
    assert!(
        s.pressure_collections > 0 && s.in_foreign_calls > 0,
        "{s:?}"
    );
    assert_eq!((s.pressure_waits, s.pressure_refusals), (0, 0));
    assert!(s.collections < 10, "{s:?}");
}

fn zeal_inside_malloc() {
    let (heap, mut m) = heap_with(HeapConfig {
        zeal: Zeal::Malloc(1),
        ..HeapConfig::default()
    });
    m.collect(Collect::Full);
    let v = lent(&mut m);
    m.push(v);
    let other = pair(&mut m, fix(1), fix(2));
    m.push(other);
    native(&mut m, &[v], || {
        for i in 1..20 {
            let before = heap.collections();
            let p = malloc(i * MIB);
            assert!(!p.is_null());
            assert!(heap.collections() > before, "not at {i} MiB");
            check_lent(v);
            free(p);
        }
        let mut text: *mut std::ffi::c_char = std::ptr::null_mut();
        // SAFETY: a live bytevector that ends in NUL.
        let lent = unsafe { access::bytes_ptr(v, 1) };
        for _ in 0..1000 {
            // SAFETY: a C string.
            text = unsafe { libc::strdup(lent.cast()) };
            // SAFETY: so is its copy.
            assert_eq!(unsafe { CStr::from_ptr(text) }, c"lent!");
        }
        free(text.cast());
    });
    assert_eq!(m.get(0), v, "it stayed");
    assert_ne!(m.get(1), other, "others did not");
    assert!(m.stats().in_foreign_calls >= 19);
}

fn zeal_managed() {
    let (heap, mut m) = heap_with(HeapConfig {
        zeal: Zeal::Malloc(1),
        ..HeapConfig::default()
    });
    let before = heap.collections();
    let p = malloc(MIB);
    assert_eq!(heap.collections(), before);
    m.poll();
    assert_eq!(heap.collections(), before + 1);
    m.poll();
    assert_eq!(heap.collections(), before + 1);
    free(p);
}

fn managed_malloc() {
    let (heap, mut m) = limited(64 * MIB);
    let before = heap.collections();
    let p = malloc(100 * MIB);
    assert!(!p.is_null(), "a managed thread is not refused");
    assert_eq!(heap.collections(), before);
    m.poll();
    assert!(heap.collections() > before, "but its next poll collects");
    free(p);
    let l = list(&mut m, 10_000);
    check_list(l, 10_000);
}

fn not_declared() {
    let (_, mut m) = heap();
    let p = malloc(MIB);
    let inside = pointer(&mut m, p.expose_provenance());
    m.push(inside);
    m.attach_finalizer(inside, fix(1), MIB, OwnerLabel::default())
        .expect("memory");
    assert_eq!(m.stats().declared_bytes, 0);
    let outside = pointer(&mut m, 0x1000);
    m.push(outside);
    m.attach_finalizer(outside, fix(2), 1000, OwnerLabel::default())
        .expect("memory");
    assert_eq!(m.stats().declared_bytes, 1000);
    m.truncate(0);
    m.collect(Collect::Full);
    while let Some((v, n)) = m.next_finalizable() {
        if n == fix(1) {
            // SAFETY: a live foreign pointer.
            let address = unsafe { access::word(v, foreign_pointer::POINTER) };
            free(std::ptr::with_exposed_provenance_mut(address as usize));
        }
    }
    assert_eq!(m.stats().declared_bytes, 0);
}

/// Kilobytes after `field` in this process's status.
fn kilobytes(field: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("a status");
    let line = status.lines().find(|l| l.starts_with(field));
    let number = line.and_then(|l| l.split_whitespace().nth(1));
    number.and_then(|n| n.parse().ok()).expect("a number")
}

/// Writes all of it.
fn fill(memory: &mut [u8]) {
    memory.fill(7);
}

/// Writes a page of it.
fn touch(memory: &mut [u8]) {
    memory[0] = 7;
}

/// Makes owners of so much in all, a third each of three sizes, and keeps none. `used` is run on each.
fn dropped(gib: usize, used: fn(&mut [u8])) {
    let (heap, mut m) = limited(128 * MIB);
    let label = heap.owner_label("a test");
    let started = Instant::now();
    for bytes in [MIB, 100_000, 3000].repeat(gib) {
        for _ in 0..(1 << 30) / bytes / 3 {
            let v = m.foreign_memory(bytes, false, label).expect("room");
            used(memory(v, bytes));
            m.poll();
        }
    }
    let s = m.stats();
    let peak = kilobytes("VmHWM:");
    eprintln!("{gib} GiB: {:?}, peak {peak} kB, {s:?}", started.elapsed());
    assert!(s.major <= 2 * gib as u64, "{s:?}");
    assert!(peak < 200 << 10, "{peak} kB");
}
