//! Finalizers: in which order, on which thread, and what they may do.

use crate::support::*;
use bowline_gc::{CallFrame, Collect, Mutator, OwnerLabel};
use bowline_layout::Value;
use std::sync::mpsc;
use std::time::Duration;

pub(crate) const CASES: &[Case] = &[
    everywhere("finalizers that do everything", do_everything),
    everywhere("finalizers of a cycle", of_a_cycle),
    everywhere("no finalizer in a foreign call", not_in_a_call),
    everywhere("finalizers of all that lives", hurried),
    everywhere("young finalizers that hurry live on", hurried_live_on),
    everywhere("finalizers on a thread of their own", own_thread),
    everywhere("a finalizer thread takes each once", thread_and_program),
];

fn attach(m: &mut Mutator, v: Value, finalizer: Value) {
    m.attach_finalizer(v, finalizer, 0, OwnerLabel::default())
        .expect("memory");
}

fn lost(m: &mut Mutator, n: i64) {
    let v = pointer(m, 0x1000);
    attach(m, v, fix(n));
}

/// Runs what waits and returns the numbers.
fn run(m: &mut Mutator) -> Vec<i64> {
    let mut ran = Vec::new();
    m.run_finalizers(|_, _, f| ran.push(f.as_fixnum().expect("a number")));
    ran
}

/// One that keeps its pointer, one that attaches itself again, one that allocates and collects, and one that
/// runs others.
fn do_everything() {
    let (heap, mut m) = heap();
    (0..4).for_each(|i| lost(&mut m, i));
    m.collect(Collect::Full);
    assert_eq!(heap.finalizers_waiting(), 4);
    let mut ran = Vec::new();
    let mut body = |m: &mut Mutator, pointer: Value, finalizer: Value| {
        let n = finalizer.as_fixnum().expect("a number");
        ran.push(n);
        match n {
            0 => m.push(pointer),
            1 => attach(m, pointer, fix(10)),
            2 => {
                garbage(m, 100_000);
                lost(m, 20);
                m.collect(Collect::Full);
            }
            _ => {
                let inner = run(m);
                ran.extend(inner.iter().map(|n| n + 100));
            }
        }
    };
    assert_eq!(m.run_finalizers(&mut body), 4);
    // What died in the third was there for the fourth, which asked. Where a full collection begins with a
    // minor one, that found the younger pointer.
    let last = match is_generational(heap) {
        true => [120, 110],
        false => [110, 120],
    };
    assert_eq!(ran, [&[0, 1, 2, 3], &last[..]].concat());
    m.collect(Collect::Full);
    assert_eq!(run(&mut m), []);
    let kept = m.get(0);
    attach(&mut m, kept, fix(8));
    m.truncate(0);
    m.collect(Collect::Full);
    assert_eq!(run(&mut m), [8], "the one that was kept");
}

/// Pointers whose finalizers refer to each other's pointers die together, and go in the order of attachment.
fn of_a_cycle() {
    for_each_kind(|m, kind| {
        let a = pointer(m, 0x1000);
        m.push(a);
        let b = pointer(m, 0x2000);
        m.push(b);
        let b = m.get(1);
        let of_a = pair(m, b, fix(1));
        m.push(of_a);
        let a = m.get(0);
        let of_b = pair(m, a, fix(2));
        m.push(of_b);
        for (pointer, finalizer) in [(1, 3), (0, 2)] {
            let (v, f) = (m.get(pointer), m.get(finalizer));
            attach(m, v, f);
        }
        m.truncate(0);
        m.collect(kind);
        let mut ran = Vec::new();
        m.run_finalizers(|_, p, f| ran.push((p, at(f, 0), at(f, 1))));
        let [(b, other_of_b, second), (a, other_of_a, first)] = ran[..] else {
            panic!("both: {ran:?}");
        };
        assert_eq!((second, first), (fix(2), fix(1)));
        assert_eq!(
            (other_of_b, other_of_a),
            (a, b),
            "each finds the other whole"
        );
    });
}

fn not_in_a_call() {
    let (_, mut m) = heap();
    lost(&mut m, 1);
    let mut frame = CallFrame::new(&[]);
    // SAFETY: popped below; the frame does not move.
    unsafe { m.push_call(&mut frame) };
    m.collect(Collect::Full);
    assert_eq!(run(&mut m), []);
    // SAFETY: pushed above.
    unsafe { m.pop_call(&mut frame) };
    assert_eq!(run(&mut m), [1]);
}

fn hurried() {
    let (heap, mut m) = heap();
    for i in 0..6 {
        if i == 3 {
            m.collect(Collect::Full);
        }
        let v = pointer(&mut m, 0x1000);
        m.push(v);
        m.attach_finalizer(v, fix(i), 1000, OwnerLabel::default())
            .expect("memory");
    }
    lost(&mut m, 9);
    m.collect(Collect::Minor);
    assert_eq!(m.hurry_finalizers(), 7);
    assert!(heap.finalizable());
    assert_eq!(run(&mut m), [9, 5, 4, 3, 2, 1, 0]);
    assert_eq!(m.stats().declared_bytes, 0);
    assert_eq!(m.hurry_finalizers(), 0);
    m.truncate(0);
    m.collect(Collect::Full);
    assert_eq!(run(&mut m), [], "each once");
}

/// Queued by a thread, young objects wait through collections of both kinds.
fn hurried_live_on() {
    for_each_kind(|m, kind| {
        for i in 0..100 {
            let v = pointer(m, 0x1000 + i);
            let f = pair(m, fix(i as i64), Value::NIL);
            m.push(f);
            attach(m, v, f);
            m.truncate(0);
        }
        assert_eq!(m.hurry_finalizers(), 100);
        m.collect(kind);
        m.collect(Collect::Minor);
        let mut next = 99;
        m.run_finalizers(|_, _, f| {
            assert_eq!(at(f, 0), fix(next));
            next -= 1;
        });
        assert_eq!(next, -1);
    });
}

/// Long enough that only a hang lasts longer.
const PATIENCE: Duration = Duration::from_secs(300);

fn own_thread() {
    let (heap, mut m) = heap();
    let (tell, told) = mpsc::channel();
    let main = std::thread::current().id();
    let thread = heap.finalizer_thread(move |m, pointer, finalizer| {
        assert_ne!(std::thread::current().id(), main);
        m.push(pointer);
        garbage(m, 1000);
        m.pop();
        tell.send(finalizer.as_fixnum().expect("a number"))
            .expect("somebody listens");
    });
    let thread = thread.expect("a thread");
    for round in 0..5 {
        for i in 0..10 {
            lost(&mut m, 10 * round + i);
        }
        m.collect(if round % 2 == 0 {
            Collect::Minor
        } else {
            Collect::Full
        });
        m.enter_native();
        for i in 0..10 {
            assert_eq!(told.recv_timeout(PATIENCE), Ok(10 * round + i));
        }
        m.leave_native();
    }
    // What waits when it is stopped is run.
    (50..60).for_each(|i| lost(&mut m, i));
    m.hurry_finalizers();
    assert_eq!(thread.stop(&mut m).expect("it ended well"), 60);
    assert_eq!(told.try_iter().count(), 10);
    lost(&mut m, 1);
    m.collect(Collect::Full);
    assert_eq!(run(&mut m), [1], "the program's own again");
}

fn thread_and_program() {
    let (heap, mut m) = heap();
    let (tell, told) = mpsc::channel();
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let tell = tell.clone();
            let thread = heap.finalizer_thread(move |_, _, f| {
                tell.send(f.as_fixnum().expect("a number"))
                    .expect("somebody listens");
            });
            thread.expect("a thread")
        })
        .collect();
    let mut ran = Vec::new();
    for i in 0..10_000 {
        m.poll();
        lost(&mut m, i);
        if i % 500 == 499 {
            m.collect(Collect::Minor);
            ran.append(&mut run(&mut m));
        }
    }
    m.collect(Collect::Full);
    ran.append(&mut run(&mut m));
    let by_threads: u64 = threads
        .into_iter()
        .map(|t| t.stop(&mut m).expect("it ended well"))
        .sum();
    assert_eq!(by_threads as usize + ran.len(), 10_000);
    ran.extend(told.try_iter());
    ran.sort_unstable();
    assert!(ran.into_iter().eq(0..10_000), "each once");
    assert!(!heap.finalizable());
}
