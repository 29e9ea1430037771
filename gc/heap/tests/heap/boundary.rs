//! What foreign code holds stays where it is.

use crate::support::*;
use bowline_gc::{CallFrame, Collect, HeapConfig, PinError, Plan, RootSource};
use bowline_layout::Value;
use std::sync::{Arc, Mutex};

pub(crate) const CASES: &[Case] = &[
    everywhere("call frames pin in minor and full", call_frames_pin),
    everywhere("nested call frames pin", nested_call_frames_pin),
    everywhere("counted pins hold", counted_pins_hold),
    everywhere("registered roots are scanned", registered_roots),
    everywhere("weak registered roots break", weak_registered_roots),
    everywhere("collections in calls are counted", collections_in_calls),
];

fn moving() -> HeapConfig {
    HeapConfig {
        plan: Plan::CompactTest,
        verify: true,
        ..HeapConfig::default()
    }
}

fn call_frames_pin() {
    let (heap, mut m) = heap_with(moving());
    for kind in [Collect::Minor, Collect::Full, Collect::Full] {
        let child = pair(&mut m, fix(3), Value::NIL);
        m.push(child);
        let held = pair(&mut m, child, fix(4));
        m.push(held);
        let free = pair(&mut m, fix(5), fix(6));
        m.push(free);
        let pinned = [held, fix(9), Value::TRUE];
        let mut frame = CallFrame::new(&pinned);
        // SAFETY: popped below; the frame does not move.
        unsafe { m.push_call(&mut frame) };
        assert!(m.is_pinned(held) && !m.is_pinned(free));
        assert_eq!(m.stats().pinned_bytes_now, 16);
        m.collect(kind);
        assert_eq!(m.get(1), held, "a pinned object stays");
        assert_moved(heap, free, m.get(2), "others do not");
        assert_moved(heap, child, at(held, 0), "what it refers to does not");
        assert_eq!((at(at(held, 0), 0), at(held, 1)), (fix(3), fix(4)));
        assert_eq!(m.stats().pinned_objects, 1);
        // SAFETY: pushed above.
        unsafe { m.pop_call(&mut frame) };
        assert_eq!(m.stats().pinned_bytes_now, 0);
        m.collect(Collect::Full);
        assert_moved(heap, held, m.get(1), "and moves when the call is over");
        m.truncate(0);
    }
}

fn nested_call_frames_pin() {
    fn nest(m: &mut bowline_gc::Mutator, depth: i64) {
        if depth == 0 {
            return m.collect(Collect::Full);
        }
        let held = [pair(m, fix(depth), Value::NIL)];
        let mut frame = CallFrame::new(&held);
        // SAFETY: popped below; the frame does not move.
        unsafe { m.push_call(&mut frame) };
        m.collect(Collect::Minor);
        nest(m, depth - 1);
        assert_eq!(at(held[0], 0), fix(depth));
        // SAFETY: pushed above.
        unsafe { m.pop_call(&mut frame) };
    }
    let (_, mut m) = heap_with(moving());
    nest(&mut m, 100);
}

fn counted_pins_hold() {
    let (heap, mut m) = heap_with(moving());
    let v = pair(&mut m, fix(1), fix(2));
    assert_eq!((m.pin(v), m.pin(v)), (Ok(1), Ok(2)));
    assert_eq!(m.unpin(v), Ok(1));
    m.collect(Collect::Full);
    assert!(m.is_pinned(v), "pinned twice, unpinned once");
    assert_eq!((at(v, 0), at(v, 1)), (fix(1), fix(2)), "and kept alive");
    assert_eq!(
        (m.stats().pinned_objects, m.stats().pinned_bytes_now),
        (1, 16)
    );
    m.push(v);
    assert_eq!(m.unpin(v), Ok(0));
    assert_eq!(m.unpin(v), Err(PinError::NotPinned(v)));
    assert_eq!(m.pin(fix(1)), Err(PinError::NotAnObject(fix(1))));
    m.collect(Collect::Full);
    assert_moved(heap, v, m.get(0), "and let go");
}

struct Table(Arc<Mutex<Vec<Value>>>, Arc<Mutex<Vec<Value>>>);

impl RootSource for Table {
    fn visit(&self, f: &mut dyn FnMut(&mut Value)) {
        self.0.lock().unwrap().iter_mut().for_each(f);
    }

    fn visit_weak(&self, f: &mut dyn FnMut(&mut Value)) {
        self.1.lock().unwrap().iter_mut().for_each(f);
    }
}

fn registered_roots() {
    let (heap, mut m) = heap_with(moving());
    let table = Arc::new(Mutex::new(Vec::new()));
    heap.register_roots(Box::new(Table(table.clone(), Arc::default())));
    for i in 0..100 {
        let p = pair(&mut m, fix(i), Value::NIL);
        table.lock().unwrap().push(p);
    }
    let before = table.lock().unwrap().clone();
    m.collect(Collect::Full);
    for (i, v) in table.lock().unwrap().iter().enumerate() {
        assert_eq!(at(*v, 0), fix(i as i64));
        assert_moved(heap, before[i], *v, "a table's");
    }
}

fn weak_registered_roots() {
    let (heap, mut m) = heap_with(moving());
    let weak = Arc::new(Mutex::new(Vec::new()));
    heap.register_roots(Box::new(Table(Arc::default(), weak.clone())));
    let (alive, dead) = (pair(&mut m, fix(1), fix(1)), pair(&mut m, fix(2), fix(2)));
    m.push(alive);
    *weak.lock().unwrap() = vec![alive, dead, fix(7)];
    m.collect(Collect::Minor);
    let now = weak.lock().unwrap().clone();
    assert_eq!(now, [m.get(0), Value::BROKEN, fix(7)]);
}

fn collections_in_calls() {
    let (heap, mut m) = heap();
    m.collect(Collect::Full);
    assert_eq!(m.stats().in_foreign_calls, 0);
    let mut frame = CallFrame::new(&[]);
    // SAFETY: popped below; the frame does not move.
    unsafe { m.push_call(&mut frame) };
    m.collect(Collect::Full);
    // SAFETY: pushed above.
    unsafe { m.pop_call(&mut frame) };
    m.collect(Collect::Minor);
    let s = m.stats();
    // What is asked for as full is two, the first a minor one where there are such; under `latency` it is one.
    let counted = match heap.config().plan {
        Plan::Latency => (1, 0, 3),
        Plan::Immix => (2, 0, 5),
        _ => (2, 3, 2),
    };
    assert_eq!((s.in_foreign_calls, s.minor, s.major), counted);
    assert!(s.max_pause_ns > 0 && s.total_pause_ns >= s.max_pause_ns);
    let held = pair(&mut m, fix(1), fix(1));
    m.push(held);
    assert!(m.stats().heap_bytes > 0);
    assert_eq!(s.static_bytes, 0);
}
