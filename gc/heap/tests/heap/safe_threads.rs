//! The safe interface between threads, and at its edges: a full root stack, a system without memory.

use crate::safe::{Data, KINDS, moving, numbers, sum};
use crate::support::*;
use bowline_gc::safe::{
    AllocError, AllocFailure, AttachError, Collect, Heap, HeapConfig, Immediate, Plan, Scope,
    reenter,
};
use bowline_gc::{Refusal, RootSource};
use bowline_layout::Value;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Mutex};
use std::time::{Duration, Instant};

pub(crate) const CASES: &[Case] = &[
    case(
        "safe: a pin that ends in a native section waits for a collection",
        pins_end_in_native,
    ),
    case("safe: a lock is held over collections", locks),
    case(
        "safe: what there is no room for is not taken",
        nothing_is_lost,
    ),
    case("safe: finalizers are run", finalizers_are_run),
    case("safe: a thread runs finalizers", finalizer_thread),
    case(
        "safe: no memory for a thread that runs finalizers",
        no_memory_for_finalizers,
    ),
    case(
        "safe: no memory for the collector when a thread runs finalizers",
        no_anchor_for_finalizers,
    )
    .wanting(has_latency),
    case("safe: what was promoted stays", promoted_stays),
    case("safe: no memory to attach", no_memory),
    case(
        "safe: no memory for the collector",
        no_memory_for_the_anchor,
    )
    .wanting(has_latency),
];

/// What the thread with the pin and a collection know of each other.
#[derive(Default)]
struct Meeting {
    wanted: AtomicBool,
    collecting: AtomicBool,
    ended: AtomicBool,
    /// The pin ended while the world was stopped.
    inside: AtomicBool,
}

/// A table of roots that holds the collection up, so that the pin could end in it.
struct Doorman(Arc<Meeting>);

impl RootSource for Doorman {
    fn visit(&self, _: &mut dyn FnMut(&mut Value)) {
        if !self.0.wanted.swap(false, SeqCst) {
            return;
        }
        self.0.collecting.store(true, SeqCst);
        let until = Instant::now() + Duration::from_secs(2);
        while !self.0.ended.load(SeqCst) && Instant::now() < until {
            std::thread::yield_now();
        }
        self.0.inside.store(self.0.ended.load(SeqCst), SeqCst);
    }
}

/// The table of pins is the collector's while the world is stopped.
fn pins_end_in_native() {
    let mut m = moving();
    let heap = m.heap();
    let meeting = Arc::new(Meeting::default());
    let below = bowline_gc::Heap::get().unwrap();
    below.register_roots(Box::new(Doorman(meeting.clone())));
    let there = Barrier::new(2);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            heap.attach().unwrap().scope(|s| {
                let data = s.buffer::<Data>(24).unwrap();
                let pin = s.pin(data).unwrap();
                let at = s.view(data).address();
                s.native(|| {
                    there.wait();
                    while !meeting.collecting.load(SeqCst) {
                        std::thread::yield_now();
                    }
                    drop(pin);
                    meeting.ended.store(true, SeqCst);
                });
                assert_eq!(s.view(data).address(), at, "it was pinned");
                s.collect(Collect::Full);
                assert_ne!(s.view(data).address(), at, "it is not any more");
            });
        });
        m.native(|| there.wait());
        meeting.wanted.store(true, SeqCst);
        m.scope(|s| s.collect(Collect::Full));
        drop(m);
    });
    assert!(meeting.ended.load(SeqCst));
    assert!(!meeting.inside.load(SeqCst), "the pin waited");
}

/// Two threads allocate with a lock in their hands and wait for it.
fn locks() {
    std::panic::set_hook(Box::new(|_| {}));
    let heap = moving().heap();
    let before = heap.collections();
    let shared = Mutex::new(0);
    let there = Barrier::new(2);
    let count = || {
        heap.attach().unwrap().scope(|s| {
            s.native(|| there.wait());
            for _ in 0..100 {
                let mut guard = s.lock(&shared).unwrap();
                s.scope(|s| {
                    let list = numbers(s, 1000).unwrap();
                    // The other thread waits for the lock now, or will.
                    s.collect(Collect::Minor);
                    assert_eq!(sum(s.view(list)), 499_500);
                });
                *guard += 1;
            }
        });
    };
    std::thread::scope(|threads| {
        threads.spawn(count);
        threads.spawn(count);
    });
    assert_eq!(*shared.lock().unwrap(), 200);
    assert!(heap.collections() >= before + 200);
    std::thread::scope(|threads| {
        let poisons = threads.spawn(|| {
            let _guard = shared.lock();
            panic!("with the lock");
        });
        assert!(poisons.join().is_err());
    });
    heap.attach().unwrap().scope(|s| {
        assert_eq!(**s.lock(&shared).unwrap_err().get_ref(), 200);
    });
}

/// Something for the guardian and for a finalizer.
fn doomed(s: &mut Scope<'_>, guardian: bowline_gc::safe::Local<'_, bowline_gc::safe::Guardian>) {
    s.scope(|s| {
        let object = numbers(s, 4).unwrap();
        s.guard(guardian, object, object).expect("memory");
        finalized(s, 64);
    });
}

/// A dead pointer with a finalizer.
fn finalized(s: &mut Scope<'_>, address: usize) {
    s.scope(|s| {
        let at = std::ptr::without_provenance_mut(address);
        let pointer = s.foreign_pointer(at).unwrap();
        let label = s.heap().owner_label("a test");
        s.attach_finalizer(pointer, 'f', 100, label)
            .expect("memory");
    });
}

fn nothing_is_lost() {
    moving().scope(|s| {
        let guardian = s.guardian().unwrap();
        doomed(s, guardian);
        s.collect(Collect::Full);
        let full = |error: AllocError| {
            let most = (1 << 20) / 8;
            assert_eq!(error.why(), AllocFailure::TooManyLocals { most });
        };
        s.scope(|s| {
            while s.locals() < (1 << 20) / 8 {
                s.local(Immediate::NIL);
            }
            full(s.guardian_next(guardian).unwrap_err());
            full(s.next_finalizable().unwrap_err());
            full(s.run_finalizers(|_, _, _| ()).unwrap_err());
        });
        // Room for one is not room for two.
        s.scope(|s| {
            while s.locals() < (1 << 20) / 8 - 1 {
                s.local(Immediate::NIL);
            }
            full(s.next_finalizable().unwrap_err());
            assert!(s.guardian_next(guardian).unwrap().is_some());
        });
        assert!(s.guardian_next(guardian).unwrap().is_none());
        let (pointer, _) = s.next_finalizable().unwrap().unwrap();
        assert_eq!(s.view(pointer).pointer().addr(), 64);
        assert!(s.next_finalizable().unwrap().is_none());
    });
}

fn finalizers_are_run() {
    moving().scope(|s| {
        for i in 1..=10 {
            finalized(s, 64 * i);
        }
        s.collect(Collect::Full);
        let mut seen = Vec::new();
        let before = s.locals();
        let run = s.run_finalizers(|s, pointer, finalizer| {
            s.collect(Collect::Full);
            assert_eq!(s.view(finalizer).as_char(), Some('f'));
            let address = s.view(pointer).pointer().addr();
            seen.push(address / 64);
            if address == 64 {
                // Again, for the next time.
                let label = s.heap().owner_label("a test");
                s.attach_finalizer(pointer, 'f', 100, label)
                    .expect("memory");
            }
        });
        assert_eq!((run, s.locals()), (Ok(10), before));
        assert_eq!(seen, (1..=10).collect::<Vec<_>>());
        s.collect(Collect::Full);
        let data = s.buffer::<Data>(8).unwrap();
        s.lend([data], |_| {
            let run = reenter(|s| s.run_finalizers(|_, _, _| unreachable!())).unwrap();
            assert_eq!(run, Ok(0), "C may hold a lock");
        });
        assert_eq!(s.run_finalizers(|_, _, _| ()), Ok(1));
        assert_eq!(s.hurry_finalizers(), 0);
        let at = std::ptr::without_provenance_mut(4096);
        let alive = s.foreign_pointer(at).unwrap();
        let label = s.heap().owner_label("a test");
        s.attach_finalizer(alive, 'g', 100, label).expect("memory");
        assert_eq!(s.run_finalizers(|_, _, _| ()), Ok(0));
        assert_eq!(s.hurry_finalizers(), 1);
        let run = s.run_finalizers(|s, _, finalizer| {
            assert_eq!(s.view(finalizer).as_char(), Some('g'));
        });
        assert_eq!(run, Ok(1));
        assert_eq!(s.view(alive).pointer().addr(), 4096);
    });
}

fn finalizer_thread() {
    static SUM: AtomicUsize = AtomicUsize::new(0);
    moving().scope(|s| {
        let thread = s.heap().finalizer_thread(|s, pointer, finalizer| {
            let address = s.view(pointer).pointer().addr();
            let list = numbers(s, 1000).unwrap();
            s.collect(Collect::Full);
            assert_eq!(sum(s.view(list)), 499_500);
            assert_eq!(s.view(finalizer).as_char(), Some('f'));
            assert_eq!(s.view(pointer).pointer().addr(), address);
            SUM.fetch_add(address / 64, SeqCst);
        });
        let thread = thread.unwrap();
        for i in 1..=100 {
            finalized(s, 64 * i);
            if i % 10 == 0 {
                s.collect(Collect::Full);
            }
        }
        s.collect(Collect::Full);
        assert_eq!(thread.stop(s).unwrap(), 100);
        assert_eq!(SUM.load(SeqCst), 5050);
    });
}

fn promoted_stays() {
    moving().scope(|s| {
        let list = numbers(s, 100).unwrap();
        let at = s.view(list).address();
        assert_eq!(s.promote(list), Ok(true));
        assert_eq!(s.promote(list), Ok(false), "it does not move already");
        let rest = s.view(list).as_pair().unwrap().cdr().address();
        s.collect(Collect::Full);
        assert_eq!(s.view(list).address(), at);
        let moved = s.view(list).as_pair().unwrap().cdr().address();
        assert_ne!(moved, rest, "what it refers to moves");
        assert_eq!(sum(s.view(list)), 4950);
        let error = s.promote(Immediate::NIL).unwrap_err().to_string();
        assert_eq!(error, "() is no object and cannot be pinned");
        let weak = s.weak_handle(list).unwrap();
        s.scope(|s| {
            let mut list = s.root(list);
            list.set(s, Immediate::NIL);
        });
        assert!(weak.view(s).is_some());
    });
}

/// A heap in which the `nth` that asks for memory is refused it.
fn refusing(nth: u64, plan: Plan) -> Heap {
    let config = HeapConfig {
        plan,
        refusal: Some(Refusal {
            nth,
            lasting: false,
            early: true,
        }),
        ..HeapConfig::default()
    };
    Heap::start_with(config, KINDS).unwrap()
}

fn refused(heap: Heap) {
    let error = heap.attach().unwrap_err();
    assert_eq!(error, AttachError::NoMemory);
    assert_eq!(
        error.to_string(),
        "there is no memory to attach this thread to the heap"
    );
    assert_eq!(bowline_gc::Heap::get().unwrap().threads(), 0);
    heap.attach().unwrap().scope(|s| {
        let list = numbers(s, 1000).unwrap();
        s.collect(Collect::Full);
        assert_eq!(sum(s.view(list)), 499_500);
    });
}

fn no_memory() {
    let heap = refusing(1, Plan::CompactTest);
    let below = bowline_gc::Heap::get().unwrap();
    std::thread::spawn(move || refused(heap)).join().unwrap();
    // The layer below says what there was no memory for.
    let mutator = below.try_attach().unwrap();
    let error = below.try_attach().err().unwrap().to_string();
    assert_eq!(
        error,
        "this thread uses the heap already: it can attach again inside a foreign call only"
    );
    drop(mutator);
    assert!(below.try_attach().is_ok());
}

fn no_memory_for_the_anchor() {
    refused(refusing(2, Plan::Latency));
}

fn no_memory_for_finalizers() {
    refusing(2, Plan::CompactTest).attach().unwrap().scope(|s| {
        let start = |s: &mut Scope<'_>| s.heap().finalizer_thread(|_, _, _| {});
        let error = start(s).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutOfMemory);
        assert_eq!(
            error.to_string(),
            "the system refused memory for a root stack"
        );
        assert_eq!(bowline_gc::Heap::get().unwrap().threads(), 1);
        let thread = start(s).unwrap();
        finalized(s, 64);
        s.collect(Collect::Full);
        assert_eq!(thread.stop(s).unwrap(), 1);
    });
}

/// Of a heap that nobody has attached to yet.
fn no_anchor_for_finalizers() {
    let heap = refusing(2, Plan::Latency);
    let error = heap.finalizer_thread(|_, _, _| {}).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfMemory);
    assert_eq!(
        error.to_string(),
        "the system refused memory for the collector's own object"
    );
    let thread = heap.finalizer_thread(|_, _, _| {}).unwrap();
    heap.attach().unwrap().scope(|s| {
        finalized(s, 64);
        s.collect(Collect::Full);
        assert_eq!(thread.stop(s).unwrap(), 1);
    });
}
