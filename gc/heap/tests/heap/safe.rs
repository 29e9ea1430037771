//! The safe interface: what the compiler cannot see is checked when the program runs.

use crate::support::{Case, case, everywhere, planned};
use bowline_gc::safe::{
    AllocError, AllocFailure, AttachError, Collect, Handle, Heap, HeapConfig, Immediate, Local,
    Mutator, Plain, Plan, ReenterError, Rootable, Scope, View, reenter,
};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::Relaxed;

bowline_gc::kinds! {
    pub(crate) const KINDS;
    record Point = 16 [x: f64, tag: u64] { label, next }
    pub(crate) text Name = 17;
    pub(crate) bytes Blob = 18;
    pub(crate) buffer Data = 19;
    values Vector = 20;
    weak values Watch = 21;
}

pub(crate) const CASES: &[Case] = &[
    everywhere("safe: handles follow their objects", handles_follow),
    everywhere("safe: objects of every form", every_form),
    everywhere("safe: a panic takes its handles along", panics_unwind),
    everywhere("safe: a thread is attached once", attached_once),
    everywhere("safe: callbacks come back", callbacks_come_back),
    everywhere("safe: too many handles are an error", too_many_handles),
    everywhere("safe: a full heap is an error", full_heap),
    everywhere("safe: handles go to other threads", handles_go_far),
    everywhere("safe: dropped handles let go", dropped_handles_let_go),
    everywhere("safe: tables are updated", tables_are_updated),
    everywhere(
        "safe: a table is not opened inside itself",
        tables_are_open_once,
    ),
    everywhere("safe: weak things", weak_things),
    everywhere("safe: guardians and finalizers", guardians_and_finalizers),
    everywhere("safe: pins and loans stay", pins_and_loans),
    everywhere("safe: threads share objects", threads_share),
    case("safe: kinds with one number are refused", one_number),
];

/// Checks that what was at `before` is elsewhere, where all moves.
fn assert_moved(s: &Scope<'_>, before: usize, now: usize) {
    let moves = s.heap().config().plan == Plan::CompactTest;
    assert!(now != before || !moves, "at {now:#x} still");
}

/// A heap in which everything moves unless the trial runs under another plan, and this thread's mutator.
pub(crate) fn moving() -> Mutator {
    let config = HeapConfig {
        plan: Plan::CompactTest,
        verify: true,
        nursery: 1 << 20,
        ..HeapConfig::default()
    };
    let heap = Heap::start_with(planned(config), KINDS).unwrap();
    heap.attach().unwrap()
}

/// A list of the integers below `n`, the largest first.
pub(crate) fn numbers<'s>(s: &mut Scope<'s>, n: i32) -> Result<Local<'s>, AllocError> {
    s.escape(|s| {
        let mut list = s.root(Immediate::NIL);
        for i in 0..n {
            list.cons(s, i)?;
        }
        Ok(s.local(list.get()))
    })
}

pub(crate) fn sum(list: View<'_>) -> i64 {
    let (mut sum, mut rest) = (0, list);
    while let Some(pair) = rest.as_pair() {
        sum += pair.car().as_fixnum().unwrap();
        rest = pair.cdr();
    }
    sum
}

fn handles_follow() {
    moving().scope(|s| {
        let before = s.locals();
        let list = numbers(s, 1000).unwrap();
        assert_eq!(s.locals(), before + 1, "only the result stays");
        let address = s.view(list).address();
        let handle = s.handle(list);
        s.collect(Collect::Full);
        assert_moved(s, address, s.view(list).address());
        assert!(handle.view(s).same(s.view(list)));
        assert_eq!(sum(s.view(list)), 499_500);
        // Handles of outer scopes serve in inner ones.
        s.scope(|inner| {
            let pair = inner.pair(list, list).unwrap();
            inner.collect(Collect::Minor);
            assert!(inner.view(pair).car().same(inner.view(list)));
        });
        for _ in 0..5 {
            numbers(s, 100_000).unwrap();
        }
        // Where there is no nursery this is little.
        let least = match s.heap().config().plan {
            Plan::Throughput | Plan::CompactTest => 5,
            Plan::Latency | Plan::Immix => 1,
        };
        assert!(s.stats().collections >= least);
        assert_eq!(sum(s.view(list)), 499_500);
    });
}

fn every_form() {
    moving().scope(|s| {
        let label = s.text::<Name>("grüße").unwrap();
        let point = Point::make(s, 1.5, 7, label, Immediate::NIL).unwrap();
        let blob = s
            .bytes::<Blob>(3, |b| b.copy_from_slice(&[1, 2, 3]))
            .unwrap();
        let data = s.buffer::<Data>(5).unwrap();
        let vector = s.values::<Vector>(3000, point).unwrap();
        let number = s.flonum(0.25).unwrap();
        s.view(data).cells()[4].store(9, Relaxed);
        s.set_at(vector, 2999, number).unwrap();
        s.set(point, Point::next, vector);
        s.set_raw(point, Point::x, -2.5);
        s.collect(Collect::Full);
        let view = s.view(point);
        assert_eq!((view.raw(Point::x), view.raw(Point::tag)), (-2.5, 7));
        let text = view.get(Point::label).cast::<Name>().unwrap();
        assert_eq!((text.as_str(), text.len()), ("grüße", 7));
        assert_eq!(s.view(blob).bytes(), [1, 2, 3]);
        assert_eq!(s.view(data).cells()[4].load(Relaxed), 9);
        let vector = view.get(Point::next).downcast::<Vector>().unwrap();
        assert!(vector.iter().take(2999).all(|v| v.same(view)));
        let last = vector.at(2999).unwrap().cast().unwrap();
        assert_eq!(View::<bowline_gc::safe::Flonum>::number(last), 0.25);
        assert!(vector.at(3000).is_none());
        let error = s.set_at(vector, 3000, 1).unwrap_err().to_string();
        assert_eq!(error, "index 3000 is out of range: there are 3000");
        let error = view.erase().cast::<Vector>().unwrap_err().to_string();
        assert_eq!(error, "wanted a Vector, found a Point");
        let error = vector.erase().fixnum().unwrap_err().to_string();
        assert_eq!(error, "wanted a fixnum, found a Vector");
        // Bytes that never change are not taken for others.
        assert!(!s.view(blob).is::<Data>() && !s.view(blob).is::<Name>());
        assert!(!s.view(data).is::<Blob>() && !s.view(label).is::<Blob>());
    });
}

fn panics_unwind() {
    std::panic::set_hook(Box::new(|_| {}));
    moving().scope(|s| {
        let list = numbers(s, 10).unwrap();
        let before = s.locals();
        for _ in 0..100 {
            let caught = catch_unwind(AssertUnwindSafe(|| {
                s.escape(|s| -> Result<Local<'_>, AllocError> {
                    for _ in 0..50 {
                        s.pair(1, 2)?;
                    }
                    s.scope(|s| s.native(|| reenter(|s| s.pair(1, 2).map(|_| panic!("inside")))))
                        .unwrap()
                })
                .map(|_| ())
            }));
            assert!(caught.is_err());
            assert_eq!(s.locals(), before);
        }
        s.collect(Collect::Full);
        assert_eq!(sum(s.view(list)), 45);
    });
}

fn attached_once() {
    let mutator = moving();
    let heap = mutator.heap();
    let error = heap.attach().unwrap_err();
    assert_eq!(error, AttachError::AlreadyAttached);
    assert_eq!(
        error.to_string(),
        "this thread is attached to the heap already"
    );
    drop(mutator);
    let mut mutator = heap.attach().unwrap();
    let refused = mutator.native(|| heap.attach().is_err());
    assert!(refused, "in a native section the thread is attached, too");
    std::mem::forget(mutator);
    assert!(heap.attach().is_err());
    assert!(
        std::thread::spawn(move || heap.attach().is_ok())
            .join()
            .unwrap()
    );
}

fn callbacks_come_back() {
    let error = reenter(|_| ()).unwrap_err();
    assert_eq!(error, ReenterError::NotNative);
    let message = "this thread is in no native section that it could come back from";
    assert_eq!(error.to_string(), message);
    moving().scope(|s| {
        let outer = numbers(s, 100).unwrap();
        assert!(
            reenter(|_| ()).is_err(),
            "who has a scope does not get another"
        );
        fn nested(s: &mut Scope<'_>, outer: Local<'_>, depth: u32) -> i64 {
            if depth == 0 {
                s.collect(Collect::Full);
                return sum(s.view(outer));
            }
            s.native(|| {
                reenter(|s| {
                    let list = numbers(s, 10).unwrap();
                    let below = nested(s, outer, depth - 1);
                    below + sum(s.view(list))
                })
                .unwrap()
            })
        }
        assert_eq!(nested(s, outer, 20), 4950 + 20 * 45);
    });
}

fn too_many_handles() {
    std::panic::set_hook(Box::new(|_| {}));
    moving().scope(|s| {
        let before = s.locals();
        let error = s.scope(|s| {
            loop {
                if let Err(e) = s.pair(1, 2) {
                    return e;
                }
            }
        });
        let most = (1 << 20) / 8;
        assert_eq!(error.why(), AllocFailure::TooManyLocals { most });
        assert_eq!(
            error.to_string(),
            "too many handles: the root stack holds 131072; give loops and calls scopes of their own"
        );
        assert_eq!(s.locals(), before);
        let endless = catch_unwind(AssertUnwindSafe(|| {
            s.scope(|s| {
                loop {
                    s.local(Immediate::NIL);
                }
            })
        }));
        assert!(endless.is_err());
        assert_eq!(s.locals(), before);
        assert!(s.pair(1, 2).is_ok());
    });
}

fn full_heap() {
    let config = HeapConfig {
        limit: Some(16 << 20),
        ..HeapConfig::default()
    };
    let heap = Heap::start_with(planned(config), KINDS).unwrap();
    let mut mutator = heap.attach().unwrap();
    mutator.scope(|s| {
        for _ in 0..3 {
            let error = s.scope(|s| {
                let mut chain = s.root(Immediate::NIL);
                loop {
                    let more = s.scope(|s| {
                        let block = s.values::<Vector>(1000, chain.get())?;
                        chain.set(s, block);
                        Ok::<_, AllocError>(())
                    });
                    if let Err(e) = more {
                        return e;
                    }
                }
            });
            assert_eq!(error.why(), AllocFailure::OutOfMemory { requested: 8008 });
            assert_eq!(error.to_string(), "out of memory: no room for 8008 bytes");
        }
        let error = s.values::<Vector>(1 << 33, 1).unwrap_err();
        assert_eq!(error.why(), AllocFailure::TooLong { length: 1 << 33 });
        assert_eq!(
            error.to_string(),
            "an object of length 8589934592 is longer than any can be"
        );
    });
}

fn handles_go_far() {
    let mut mutator = moving();
    let heap = mutator.heap();
    let handle = mutator.scope(|s| {
        let list = numbers(s, 1000).unwrap();
        s.handle(list)
    });
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let handle: Handle = mutator.scope(|s| s.handle(&handle));
            std::thread::spawn(move || {
                let total = heap.attach().unwrap().scope(|s| {
                    numbers(s, 50_000).unwrap();
                    sum(s.view(&handle))
                });
                // Dropped where nobody is attached.
                drop(handle);
                total
            })
        })
        .collect();
    for thread in threads {
        assert_eq!(mutator.native(|| thread.join()).unwrap(), 499_500);
    }
    mutator.scope(|s| {
        s.collect(Collect::Full);
        assert_eq!(sum(handle.view(s)), 499_500);
    });
}

fn dropped_handles_let_go() {
    moving().scope(|s| {
        let (strong, weak) = s.scope(|s| {
            let list = numbers(s, 10).unwrap();
            (s.handle(list), s.weak_handle(list).unwrap())
        });
        s.collect(Collect::Full);
        assert_eq!(weak.view(s).map(sum), Some(45));
        s.native(|| drop(strong));
        s.collect(Collect::Full);
        assert!(weak.view(s).is_none());
        // Cells are used again.
        for i in 0..10_000 {
            let mut handle = s.handle(Immediate::from(i));
            handle.set(s, Immediate::from(i + 1));
            assert_eq!(handle.view(s).as_fixnum(), Some(i64::from(i) + 1));
        }
    });
}

pub(crate) struct Names;

impl Rootable for Names {
    type Of<'r> = (
        HashMap<String, Vec<View<'r, Name>>>,
        Option<View<'r>>,
        Plain<u32>,
    );
}

fn tables_are_updated() {
    moving().scope(|s| {
        let names = s.table::<Names>((HashMap::new(), None, Plain(0)));
        for i in 0..1000 {
            s.scope(|s| {
                let name = s.text::<Name>(&format!("n{i}")).unwrap();
                names.with(s, |(map, last, count), s| {
                    map.entry(format!("{}", i % 10))
                        .or_default()
                        .push(s.view(name));
                    *last = Some(s.view(name).erase());
                    count.0 += 1;
                });
            });
            if i % 100 == 0 {
                s.collect(Collect::Full);
            }
        }
        s.collect(Collect::Full);
        let (weak, dropped) = s.scope(|s| {
            let found = names.clone().with(s, |(map, last, count), s| {
                assert_eq!(count.0, 1000);
                for (last_digit, names) in map.iter() {
                    assert!(names.len() == 100);
                    assert!(names.iter().all(|name| name.as_str().ends_with(last_digit)));
                }
                last.take().map(|name| s.local(name))
            });
            s.collect(Collect::Full);
            let found = s.cast::<Name, _>(found.unwrap()).unwrap();
            assert_eq!(s.view(found).as_str(), "n999");
            let other = s.text::<Name>("only in the table").unwrap();
            names.with(s, |(map, ..), s| {
                map.insert("kept".into(), vec![s.view(other)]);
            });
            (s.weak_handle(other).unwrap(), s.weak_handle(found).unwrap())
        });
        s.collect(Collect::Full);
        let text = weak.view(s).map(|name| name.as_str().to_owned());
        assert_eq!(text.as_deref(), Some("only in the table"));
        drop(names);
        // The next table takes the dropped one's place.
        s.table::<Names>((HashMap::new(), None, Plain(0)));
        s.collect(Collect::Full);
        assert!(weak.view(s).is_none() && dropped.view(s).is_none());
    });
}

fn tables_are_open_once() {
    std::panic::set_hook(Box::new(|_| {}));
    moving().scope(|s| {
        let names = s.table::<Names>((HashMap::new(), None, Plain(0)));
        let twice = AssertUnwindSafe(|| names.with(s, |_, s| names.with(s, |_, _| ())));
        let message = *catch_unwind(twice).unwrap_err().downcast::<&str>().unwrap();
        assert_eq!(message, "a table is opened inside itself");
        assert_eq!(names.with(s, |(_, _, count), _| count.0), 0);
    });
}

fn weak_things() {
    moving().scope(|s| {
        let kept = numbers(s, 5).unwrap();
        let (pair, key) = (s.weak_pair(kept, kept).unwrap(), s.pair(1, 2).unwrap());
        let watch = s.weak_values::<Watch>(3).unwrap();
        s.set_weak_at(watch, 0, kept).unwrap();
        let (bad, dead) = s.scope(|s| {
            let gone = numbers(s, 5).unwrap();
            s.set_weak_at(watch, 1, gone).unwrap();
            (
                s.set_weak_at(watch, 3, gone).is_err(),
                s.weak_handle(gone).unwrap(),
            )
        });
        assert!(bad);
        let (held, broken) = (s.ephemeron(key, kept).unwrap(), {
            let other = s.scope(|s| {
                let other = s.pair(3, 4).unwrap();
                let ephemeron = s.ephemeron(other, kept).unwrap();
                s.handle(ephemeron)
            });
            s.local(&other)
        });
        s.collect(Collect::Full);
        assert_eq!(s.view(pair).car(s).map(sum), Some(10));
        assert_eq!(sum(s.view(pair).cdr()), 10);
        assert_eq!(s.view(watch).live(0, s).map(sum), Some(10));
        assert!(s.view(watch).live(1, s).is_none() && dead.view(s).is_none());
        assert_eq!(
            s.view(watch).live(2, s).and_then(View::as_bool),
            Some(false)
        );
        assert_eq!(s.view(held).value(s).map(sum), Some(10));
        assert!(s.view(held).key(s).unwrap().same(s.view(key)));
        assert!(s.view(broken).key(s).is_none() && s.view(broken).value(s).is_none());
        s.set_weak_car(pair, 5);
        assert_eq!(s.view(pair).car(s).and_then(View::as_fixnum), Some(5));
    });
}

fn guardians_and_finalizers() {
    moving().scope(|s| {
        let guardian = s.guardian().unwrap();
        let label = s.heap().owner_label("a test");
        s.scope(|s| {
            let doomed = numbers(s, 4).unwrap();
            s.guard(guardian, doomed, doomed).expect("memory");
            let memory = s.foreign_memory(1000, label).unwrap();
            s.view(memory).memory()[999].store(1, Relaxed);
            let pointer = s
                .foreign_pointer(std::ptr::without_provenance_mut(64))
                .unwrap();
            assert_eq!(
                (s.view(pointer).owned(), s.view(pointer).memory().len()),
                (0, 0)
            );
            s.attach_finalizer(pointer, 'f', 100, label)
                .expect("memory");
        });
        assert!(s.guardian_next(guardian).unwrap().is_none());
        assert!(s.next_finalizable().unwrap().is_none());
        assert_eq!(s.heap().owners(1)[0].bytes, 1100);
        s.collect(Collect::Full);
        let back = s.guardian_next(guardian).unwrap().unwrap();
        assert_eq!(sum(s.view(back)), 6);
        let (pointer, finalizer) = s.next_finalizable().unwrap().unwrap();
        assert_eq!(s.view(pointer).pointer().addr(), 64);
        assert_eq!(s.view(finalizer).as_char(), Some('f'));
        assert!(s.guardian_next(guardian).unwrap().is_none());
        assert!(s.next_finalizable().unwrap().is_none());
        assert!(s.heap().owners(1).is_empty());
    });
}

fn pins_and_loans() {
    moving().scope(|s| {
        let (name, data) = (
            s.text::<Name>("pinned").unwrap(),
            s.buffer::<Data>(64).unwrap(),
        );
        let lent = s.lend([name], |[lent]| {
            reenter(|s| s.collect(Collect::Full)).unwrap();
            assert_eq!(lent.bytes(), b"pinned");
            lent.as_ptr().addr()
        });
        assert_eq!(s.view(name).bytes().as_ptr().addr(), lent.get());
        s.collect(Collect::Full);
        // The loan has ended.
        assert_moved(s, lent.get(), s.view(name).bytes().as_ptr().addr());
        let pin = s.pin(data).unwrap();
        assert_eq!(bowline_gc::Heap::get().map(|h| h.pins_made()), Some(1));
        let address = pin.as_ptr().addr().get();
        s.lend([data], |[lent]| {
            lent.cells()[0].store(7, Relaxed);
            reenter(|s| s.collect(Collect::Full)).unwrap();
            assert_eq!((lent.as_ptr().addr().get(), lent.len()), (address + 8, 64));
        });
        s.collect(Collect::Full);
        assert_eq!(s.view(data).address(), address);
        assert_eq!(pin.view(s).cells()[0].load(Relaxed), 7);
        // A pin may be dropped where there is no scope.
        s.native(|| drop(pin));
        s.collect(Collect::Full);
        assert_moved(s, address, s.view(data).address());
        let error = s.pin(Immediate::NIL).unwrap_err().to_string();
        assert_eq!(error, "() is no object and cannot be pinned");
    });
}

fn threads_share() {
    let mut mutator = moving();
    let heap = mutator.heap();
    let shared = mutator.scope(|s| {
        let vector = s.values::<Vector>(64, Immediate::NIL).unwrap();
        std::sync::Arc::new(s.handle(vector))
    });
    let threads: Vec<_> = (0..3)
        .map(|id| {
            let shared = std::sync::Arc::clone(&shared);
            std::thread::spawn(move || {
                heap.attach().unwrap().scope(|s| {
                    for i in 0..20_000 {
                        if i % 5000 == 0 {
                            s.collect(Collect::Minor);
                        }
                        s.scope(|s| {
                            let point = Point::make(s, f64::from(i), id, 1, 2).unwrap();
                            s.set_at(&*shared, (i % 64) as usize, point).unwrap();
                            let other = s.view(&*shared).at((i * 7 % 64) as usize).unwrap();
                            if let Some(point) = other.downcast::<Point>() {
                                assert!(point.raw(Point::tag) < 3);
                                assert_eq!(point.get(Point::next).as_fixnum(), Some(2));
                            }
                        });
                    }
                });
            })
        })
        .collect();
    for thread in threads {
        mutator.native(|| thread.join()).unwrap();
    }
    assert!(heap.collections() > 0);
}

fn one_number() {
    const TWICE: &[bowline_gc::safe::KindInfo] =
        &[bowline_gc::safe::KindInfo { id: 16, name: "A" }, KINDS[0]];
    let error = Heap::start_with(HeapConfig::default(), TWICE).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the kinds A and Point have one number, 16"
    );
    assert!(Heap::get().is_none());
}
