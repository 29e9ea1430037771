//! What foreign code has on its stack, in the build where that counts.

use crate::support::*;
use bowline_gc::{CallFrame, Collect, HeapConfig, Mutator, Plan, access};
use bowline_layout::{Value, weak_pair};
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

pub(crate) const CASES: &[Case] = &[
    case("ambiguous: a word on C's stack pins", a_word_pins),
    case("ambiguous: without it nothing is pinned", control),
    case(
        "ambiguous: tagged words and inner addresses pin",
        all_words_pin,
    ),
    case(
        "ambiguous: large objects by an inner address",
        large_objects,
    ),
    case("ambiguous: a register alone pins", a_register_pins),
    case("ambiguous: what only C has lives", what_only_c_has_lives),
    case(
        "ambiguous: a collection in a callback",
        collection_in_a_callback,
    ),
    case("ambiguous: a callback that attaches again", attached_again),
    case("ambiguous: outside calls nothing counts", outside_calls),
    case("ambiguous: minor collections", minor_collections),
    case("ambiguous: threads that run on", threads_that_run_on),
    case("ambiguous: C on a stack of its own", another_stack),
    case("ambiguous: any word may be there", any_word),
    dies(
        "ambiguous: a blocked signal",
        blocked_signal,
        "a thread in foreign code blocks signal",
    ),
];

fn ambiguous() -> HeapConfig {
    HeapConfig {
        plan: Plan::CompactTest,
        verify: true,
        ambiguous: true,
        ..HeapConfig::default()
    }
}

/// Runs `c` as foreign code that was handed nothing.
fn foreign<R>(m: &mut Mutator, c: impl FnOnce(&mut Mutator) -> R) -> R {
    let mut frame = CallFrame::new(&[]);
    // SAFETY: popped below; the frame does not move.
    unsafe { m.push_call(&mut frame) };
    m.enter_native();
    let result = c(m);
    m.leave_native();
    // SAFETY: pushed above.
    unsafe { m.pop_call(&mut frame) };
    result
}

/// Another thread's collection.
fn collect_elsewhere(m: &Mutator, kind: Collect) {
    let heap = m.heap();
    std::thread::scope(|s| {
        s.spawn(|| heap.attach().collect(kind));
    });
}

/// Words that a C function has on its stack.
#[inline(never)]
fn with_on_stack<R>(words: &[u64], f: impl FnOnce() -> R) -> R {
    let mut local = [0u64; 8];
    local[..words.len()].copy_from_slice(words);
    black_box(&mut local);
    let result = f();
    black_box(&mut local);
    result
}

/// Forgets what the calls before have left on the stack.
#[inline(never)]
fn sweep_stack() {
    black_box(&mut [0u64; 4096]);
}

/// An address that is nowhere as it is.
struct Hidden(u64);

impl Hidden {
    fn of(v: Value) -> Self {
        Hidden(!v.bits())
    }

    fn is(&self, v: Value) -> bool {
        v.bits() == !self.0
    }
}

/// Whether a pair that the root stack holds at `root` stays when C has its address, changed by `change`.
#[inline(never)]
fn stays(m: &mut Mutator, hidden: &Hidden, change: impl Fn(u64) -> u64, kind: Collect) -> bool {
    let root = m.len() - 1;
    let word = change(black_box(!hidden.0));
    foreign(m, |m| with_on_stack(&[word], || collect_elsewhere(m, kind)));
    hidden.is(m.get(root))
}

#[inline(never)]
fn fresh_root(m: &mut Mutator) -> Hidden {
    let p = pair(m, fix(1), fix(2));
    m.push(p);
    Hidden::of(p)
}

fn a_word_pins() {
    let (_, mut m) = heap_with(ambiguous());
    for _ in 0..3 {
        let hidden = fresh_root(&mut m);
        sweep_stack();
        assert!(stays(&mut m, &hidden, |word| word, Collect::Full));
        assert_eq!(m.stats().pinned_objects, 1);
        sweep_stack();
        m.collect(Collect::Full);
        assert!(!hidden.is(m.get(m.len() - 1)), "only while C has it");
        assert_eq!(m.stats().pinned_bytes_now, 0);
    }
}

fn control() {
    let (_, mut m) = heap_with(HeapConfig {
        ambiguous: false,
        ..ambiguous()
    });
    let hidden = fresh_root(&mut m);
    assert!(!stays(&mut m, &hidden, |word| word, Collect::Full));
}

fn all_words_pin() {
    let (_, mut m) = heap_with(ambiguous());
    let changes: [fn(u64) -> u64; 4] = [
        |word| word & !7,
        |word| word | 7,
        |word| (word & !7) + 8,
        |word| (word & !7) + 15,
    ];
    for change in changes {
        let hidden = fresh_root(&mut m);
        sweep_stack();
        assert!(stays(&mut m, &hidden, change, Collect::Full));
    }
    let hidden = fresh_root(&mut m);
    sweep_stack();
    // One past the end belongs to whatever is there.
    assert!(!stays(
        &mut m,
        &hidden,
        |word| (word & !7) + 16,
        Collect::Full
    ));
}

fn large_objects() {
    let (_, mut m) = heap_with(ambiguous());
    let words = 100_000;
    let weak = {
        let v = vector(&mut m, words);
        put(&mut m, v, words, fix(77));
        m.weak_pair(v, Value::NIL).expect("room")
    };
    m.push(weak);
    let inside = (at(m.get(0), weak_pair::CAR).bits() & !7) + 8 * words as u64;
    sweep_stack();
    foreign(&mut m, |m| {
        with_on_stack(&[inside], || collect_elsewhere(m, Collect::Full))
    });
    let v = at(m.get(0), weak_pair::CAR);
    assert_ne!(v, Value::BROKEN);
    assert_eq!(at(v, words), fix(77));
}

/// Waits for `go` with a word in a register and nowhere else.
#[cfg(target_arch = "x86_64")]
#[inline(never)]
fn wait_with_register(hidden: &Hidden, ready: &AtomicBool, go: &AtomicBool) {
    // SAFETY: reads two live bytes and writes one, and uses the named registers.
    unsafe {
        std::arch::asm!(
            "not r12",
            "mov byte ptr [{ready}], 1",
            "2:",
            "pause",
            "cmp byte ptr [{go}], 0",
            "je 2b",
            "xor r12d, r12d",
            ready = in(reg) ready.as_ptr(),
            go = in(reg) go.as_ptr(),
            inout("r12") hidden.0 => _,
        );
    }
}

#[cfg(target_arch = "x86_64")]
fn a_register_pins() {
    let (heap, mut m) = heap_with(ambiguous());
    let hidden = fresh_root(&mut m);
    sweep_stack();
    let (ready, go) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|s| {
        s.spawn(|| {
            let mut other = heap.attach();
            while !ready.load(Ordering::SeqCst) {
                other.poll();
                std::thread::yield_now();
            }
            other.collect(Collect::Full);
            go.store(true, Ordering::SeqCst);
        });
        foreign(&mut m, |_| wait_with_register(&hidden, &ready, &go));
    });
    assert!(hidden.is(m.get(0)));
}

#[cfg(not(target_arch = "x86_64"))]
fn a_register_pins() {}

#[inline(never)]
fn weakly_held(m: &mut Mutator) -> Hidden {
    let p = pair(m, fix(1), fix(2));
    let weak = m.weak_pair(p, Value::NIL).expect("room");
    m.push(weak);
    Hidden::of(at(weak, weak_pair::CAR))
}

fn what_only_c_has_lives() {
    let (_, mut m) = heap_with(ambiguous());
    let hidden = weakly_held(&mut m);
    sweep_stack();
    let word = black_box(!hidden.0);
    foreign(&mut m, |m| {
        with_on_stack(&[word], || {
            for _ in 0..5 {
                collect_elsewhere(m, Collect::Full);
            }
        });
    });
    let kept = at(m.get(0), weak_pair::CAR);
    assert!(hidden.is(kept));
    assert_eq!((at(kept, 0), at(kept, 1)), (fix(1), fix(2)));
    m.collect(Collect::Full);
    assert_eq!(at(m.get(0), weak_pair::CAR), Value::BROKEN);
}

fn collection_in_a_callback() {
    let (_, mut m) = heap_with(ambiguous());
    let hidden = fresh_root(&mut m);
    sweep_stack();
    let word = black_box(!hidden.0);
    foreign(&mut m, |m| {
        with_on_stack(&[word], || {
            m.leave_native();
            garbage(m, 10_000);
            m.collect(Collect::Full);
            m.enter_native();
        });
    });
    assert!(hidden.is(m.get(0)));
}

/// C that is called by a mutator attaches another on the same thread, which calls C too: what either has stays,
/// whoever was attached first.
fn attached_again() {
    let (heap, mut m) = heap_with(ambiguous());
    for _ in 0..50 {
        let outer = fresh_root(&mut m);
        sweep_stack();
        let word = black_box(!outer.0);
        foreign(&mut m, |m| {
            with_on_stack(&[word], || {
                let mut again = heap.attach();
                let inner = fresh_root(&mut again);
                let word = black_box(!inner.0);
                foreign(&mut again, |_| {
                    with_on_stack(&[word], || collect_elsewhere(m, Collect::Full))
                });
                assert!(inner.is(again.get(0)));
            });
        });
        assert!(outer.is(m.get(m.len() - 1)));
    }
}

fn outside_calls() {
    let (_, mut m) = heap_with(ambiguous());
    let hidden = fresh_root(&mut m);
    let word = black_box(!hidden.0);
    with_on_stack(&[word], || m.collect(Collect::Full));
    assert!(!hidden.is(m.get(0)), "Rust frames are no foreign stack");
}

fn minor_collections() {
    let (_, mut m) = heap_with(HeapConfig {
        plan: Plan::Throughput,
        ..ambiguous()
    });
    let hidden = fresh_root(&mut m);
    sweep_stack();
    assert!(stays(&mut m, &hidden, |word| word, Collect::Minor));
    let other = fresh_root(&mut m);
    sweep_stack();
    m.collect(Collect::Minor);
    assert!(!other.is(m.get(1)), "a nursery moves");
}

/// Threads that hold an object each, some running and some asleep, while others collect.
fn threads_that_run_on() {
    let (heap, mut m) = heap_with(ambiguous());
    let done = AtomicU32::new(0);
    std::thread::scope(|s| {
        for i in 0..6 {
            let done = &done;
            s.spawn(move || {
                let mut m = heap.attach();
                for n in 0..20 {
                    let p = pair(&mut m, fix(i), fix(n));
                    let word = p.bits();
                    foreign(&mut m, |_| {
                        with_on_stack(&[word], || match i % 2 {
                            0 => std::thread::sleep(std::time::Duration::from_millis(2)),
                            _ => (0..20_000).for_each(|i| drop(black_box(vec![i; 9]))),
                        });
                        let p = Value::from_bits(word);
                        assert_eq!((at(p, 0), at(p, 1)), (fix(i), fix(n)));
                    });
                }
                done.fetch_add(1, Ordering::SeqCst);
            });
        }
        while done.load(Ordering::SeqCst) < 6 {
            m.collect(Collect::Full);
            garbage(&mut m, 1000);
        }
    });
    assert!(m.stats().major > 10);
}

thread_local! {
    static ON_OTHER: std::cell::Cell<Option<&'static bowline_gc::Heap>> = const { std::cell::Cell::new(None) };
}

extern "C" fn on_other_stack() {
    if let Some(heap) = ON_OTHER.get() {
        std::thread::scope(|s| {
            s.spawn(|| heap.attach().collect(Collect::Full));
        });
    }
}

/// Runs `f` on a stack of its own.
fn on_stack_of_its_own(f: extern "C" fn()) {
    let mut stack = vec![0u8; 256 << 10];
    let mut contexts = std::mem::MaybeUninit::<[libc::ucontext_t; 2]>::zeroed();
    // SAFETY: zeroes are a value of them.
    let [here, there] = unsafe { contexts.assume_init_mut() };
    // SAFETY: fills in the context.
    assert_eq!(unsafe { libc::getcontext(there) }, 0);
    there.uc_stack.ss_sp = stack.as_mut_ptr().cast();
    there.uc_stack.ss_size = stack.len();
    there.uc_link = here;
    // SAFETY: the stack is large enough and lives until the function has returned.
    unsafe { libc::makecontext(there, f, 0) };
    // SAFETY: both contexts are live; the other one ends by coming back here.
    assert_eq!(unsafe { libc::swapcontext(here, there) }, 0);
}

fn another_stack() {
    let (heap, mut m) = heap_with(ambiguous());
    ON_OTHER.set(Some(heap));
    let hidden = fresh_root(&mut m);
    sweep_stack();
    let word = black_box(!hidden.0);
    foreign(&mut m, |_| {
        with_on_stack(&[word], || on_stack_of_its_own(on_other_stack))
    });
    assert!(hidden.is(m.get(0)));
}

/// Words all over the heap's range, and beside it, do no harm.
fn any_word() {
    let (_, mut m) = heap_with(ambiguous());
    let l = list(&mut m, 1000);
    m.push(l);
    let v = vector(&mut m, 9000);
    m.push(v);
    let base = (l.bits() & !0xffff, v.bits() & !0xffff);
    for i in 0..300u64 {
        let wild = 1u64 << (41 + i % 5) | i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 24;
        let words = [base.0 + 211 * i, base.1 + 211 * i, wild, !0, i, 1 << 41];
        foreign(&mut m, |m| {
            with_on_stack(&words, || collect_elsewhere(m, Collect::Full))
        });
        check_list(m.get(0), 1000);
    }
    // SAFETY: the vector lives.
    assert_eq!(unsafe { access::header(m.get(1)) }.length(), 9000);
}

fn blocked_signal() {
    let (heap, mut m) = heap_with(ambiguous());
    foreign(&mut m, |_| {
        let mut all = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: fills in the set.
        unsafe { libc::sigfillset(all.as_mut_ptr()) };
        // SAFETY: the set was filled in.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, all.as_ptr(), std::ptr::null_mut()) };
        ON_OTHER.set(Some(heap));
        on_other_stack();
    });
}
