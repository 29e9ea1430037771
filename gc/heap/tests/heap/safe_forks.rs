//! Forks by threads that have the safe interface: nothing moves under who looks at it.

use crate::forked::{Stop, fork};
use crate::safe::{Blob, Name, Names, moving, numbers, sum};
use crate::support::*;
use bowline_gc::RootStack;
use bowline_gc::safe::{Collect, Heap, Immediate, Plain, Scope, reenter};
use std::collections::HashMap;
use std::process::Command;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

pub(crate) const CASES: &[Case] = &[
    case(
        "safe: nothing moves at a fork by std",
        nothing_moves_at_a_fork,
    ),
    case("safe: a forked child collects", child_collects),
    case(
        "safe: a child forked in a native section is whole",
        child_of_a_native_section,
    ),
    case("safe: forks while others collect", while_others_collect),
    case("safe: two threads fork at once", two_at_once),
    dies(
        "safe: a forked child knows that a collection was to come",
        torn,
        "or a collection was to come, and cannot use it",
    ),
];

static FORKS: AtomicUsize = AtomicUsize::new(0);

extern "C" fn forked() {
    FORKS.fetch_add(1, Relaxed);
}

/// Counts forks from now on.
fn count_forks() {
    // SAFETY: the handler is always there.
    let status = unsafe { libc::pthread_atfork(None, Some(forked), None) };
    assert_eq!(status, 0);
}

/// Runs a program by way of a fork, all of it safe code.
fn run_a_program() {
    let before = FORKS.load(Relaxed);
    // A program's name without a path, and a path for the child: std cannot have that from posix_spawn.
    let mut command = Command::new("true");
    let status = command.env("PATH", "/bin:/usr/bin").status();
    assert!(status.expect("the program is there").success());
    assert!(FORKS.load(Relaxed) > before, "std has forked");
}

/// This thread's root stack.
fn stack_of(s: &mut Scope<'_>) -> *const RootStack {
    // SAFETY: nothing is done with it here.
    unsafe { s.low_level() }.stack()
}

/// Has a collection wait for this thread.
fn want_a_collection(heap: Heap, stack: *const RootStack) {
    heap.request_collection();
    // SAFETY: the thread is attached, so its stack is there.
    let stack = unsafe { &*stack };
    while !stack.poll_wanted() {
        std::hint::spin_loop();
    }
}

fn nothing_moves_at_a_fork() {
    count_forks();
    moving().scope(|s| {
        let (heap, stack) = (s.heap(), stack_of(s));
        let fork_when_wanted = || {
            let before = heap.collections();
            want_a_collection(heap, stack);
            run_a_program();
            assert_eq!(heap.collections(), before, "nobody collects meanwhile");
        };

        let list = numbers(s, 100).unwrap();
        let view = s.view(list);
        let at = view.address();
        fork_when_wanted();
        assert_eq!((sum(view), s.view(list).address()), (4950, at));
        s.poll();
        assert_ne!(s.view(list).address(), at, "the collection comes later");

        let name = s.text::<Name>("looked at").unwrap();
        let bytes = s.view(name).bytes();
        fork_when_wanted();
        assert_eq!(bytes.as_ptr(), s.view(name).bytes().as_ptr());
        assert_eq!(bytes, b"looked at");

        let names = s.table::<Names>((HashMap::new(), None, Plain(0)));
        let name = s.text::<Name>("in a table").unwrap();
        names.with(s, |(map, ..), s| {
            map.insert("it".into(), vec![s.view(name)]);
            let held = map["it"][0];
            fork_when_wanted();
            assert_eq!(held.address(), s.view(name).address());
            assert_eq!(map["it"][0].as_str(), "in a table");
        });

        let blob = s.bytes::<Blob>(300, |bytes| {
            fork_when_wanted();
            bytes.fill(7);
        });
        let blob = blob.unwrap();
        s.collect(Collect::Full);
        assert_eq!(s.view(blob).bytes(), [7; 300]);
        assert_eq!(sum(s.view(list)), 4950);
    });
}

fn child_collects() {
    moving().scope(|s| {
        let list = numbers(s, 1000).unwrap();
        fork(|| {
            let more = numbers(s, 100_000).unwrap();
            s.collect(Collect::Full);
            assert_eq!(sum(s.view(list)), 499_500);
            assert_eq!(sum(s.view(more)), 4_999_950_000);
            // A child of a child.
            fork(|| s.collect(Collect::Full));
        });
        s.collect(Collect::Full);
        assert_eq!(sum(s.view(list)), 499_500);
    });
}

fn child_of_a_native_section() {
    moving().scope(|s| {
        let (heap, stack) = (s.heap(), stack_of(s));
        let list = numbers(s, 1000).unwrap();
        let at = s.view(list).address();
        want_a_collection(heap, stack);
        s.native(|| {
            fork(|| {
                reenter(|s| {
                    assert_ne!(s.view(list).address(), at);
                    s.collect(Collect::Full);
                    assert_eq!(sum(s.view(list)), 499_500);
                })
                .unwrap();
            });
        });
    });
}

fn torn() {
    moving().scope(|s| {
        want_a_collection(s.heap(), stack_of(s));
        fork(|| s.collect(Collect::Full));
    });
}

/// Threads make children and look at objects meanwhile, and one collects as often as it can.
fn while_others_collect() {
    count_forks();
    let heap = moving().heap();
    let done = AtomicBool::new(false);
    let before = heap.collections();
    std::thread::scope(|threads| {
        threads.spawn(|| {
            let mut mutator = heap.attach().unwrap();
            while !done.load(Relaxed) {
                mutator.scope(|s| s.collect(Collect::Full));
            }
        });
        let forking: Vec<_> = (0..2)
            .map(|_| {
                threads.spawn(|| {
                    heap.attach().unwrap().scope(|s| {
                        for _ in 0..30 {
                            s.scope(|s| {
                                let list = numbers(s, 100).unwrap();
                                let view = s.view(list);
                                run_a_program();
                                assert_eq!(sum(view), 4950);
                                assert_eq!(view.address(), s.view(list).address());
                                s.poll();
                            });
                        }
                    });
                })
            })
            .collect();
        let _stop = Stop(&done);
        forking.into_iter().for_each(|t| t.join().unwrap());
    });
    assert!(heap.collections() > before);
}

/// Two threads that fork within their scopes, where neither stops for the other.
fn two_at_once() {
    let heap = moving().heap();
    let there = Barrier::new(2);
    let forks = || {
        heap.attach().unwrap().scope(|s| {
            let list = s.pair(1, Immediate::NIL).unwrap();
            for _ in 0..50 {
                s.native(|| there.wait());
                fork(|| {
                    // Only a look: the child may be torn.
                    assert_eq!(s.view(list).car().as_fixnum(), Some(1));
                });
            }
        });
    };
    std::thread::scope(|threads| {
        threads.spawn(forks);
        threads.spawn(forks);
    });
}
