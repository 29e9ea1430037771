//! Memory that is given back to the system after a phase that needed much.

use crate::support::*;
use bowline_gc::{Collect, HeapConfig, Mutator, Plan, access, start};
use bowline_layout::{Header, Shape, Tag, TypeId, Value};

pub(crate) const CASES: &[Case] = &[
    case("a dropped list is given back", || {
        small_objects(Plan::Throughput, 120)
    }),
    case("a dropped list is given back by immix", || {
        small_objects(Plan::Immix, 120)
    }),
    case("a dropped list is given back by latency", || {
        small_objects(Plan::Latency, 120)
    })
    .wanting(has_latency),
    slow("half a gigabyte is given back", || {
        small_objects(Plan::Throughput, 500)
    }),
    case("dropped large objects are given back", large_objects),
    case("the next full collections give back, unasked", unasked),
    case("a steady load gives nothing back", steady),
];

const MIB: u64 = 1 << 20;

/// How many pairs fill this many MiB.
fn pairs(mib: u64) -> i64 {
    (mib * MIB / 16) as i64
}

/// Bytes of this process that are resident.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = pages.split_whitespace().nth(1).unwrap().parse().unwrap();
    pages * 4096
}

fn config(plan: Plan) -> HeapConfig {
    HeapConfig {
        plan,
        min_heap: 16 << 20,
        nursery: 4 << 20,
        limit: Some(4 << 30),
        ..HeapConfig::default()
    }
}

/// What may stay resident beyond what lives, with that configuration and next to nothing alive: the least heap, an
/// eighth of it, two nurseries, and the side tables of the chunks that stay.
const BOUND: u64 = 32 * MIB;

fn bytes(m: &mut Mutator, n: usize) -> Value {
    let header = Header::new(Shape::Bytes, TypeId(50), n);
    m.alloc(header, Tag::Object).unwrap()
}

fn small_objects(plan: Plan, mib: u64) {
    let mut m = start(config(plan)).unwrap().attach();
    let kept = list(&mut m, 1000);
    m.push(kept);
    m.collect(Collect::Full);
    let before = resident();
    for phase in 0..2 {
        let long = list(&mut m, pairs(mib));
        m.push(long);
        m.collect(Collect::Full);
        assert!(
            resident() > before + mib * MIB / 10 * 9,
            "phase {phase} built little"
        );
        // Pages that were given back are as good as new.
        check_list(m.get(1), pairs(mib));
        m.truncate(1);
        m.collect(Collect::Full);
        let after = resident();
        assert!(
            after <= before + BOUND,
            "phase {phase}: {} MiB before, {} MiB after",
            before / MIB,
            after / MIB
        );
        check_list(m.get(0), 1000);
    }
    assert!(m.stats().returned_bytes >= mib * MIB);
}

/// Large objects of 2 MiB that are made at a time.
const LARGE: usize = 100;

fn large_objects() {
    let mut m = start(config(Plan::Throughput)).unwrap().attach();
    m.collect(Collect::Full);
    let before = resident();
    for phase in 0u8..2 {
        for i in 0..LARGE {
            let v = bytes(&mut m, 2 * MIB as usize);
            // SAFETY: the object is fresh and nobody else has it.
            let all = unsafe { access::bytes_mut(v, 1, 2 * MIB as usize) };
            assert!(all.iter().all(|b| *b == 0), "fresh memory is zero");
            all.fill(i as u8 ^ phase);
            m.push(v);
        }
        assert!(resident() > before + 190 * MIB);
        // Every tenth lives on, among those that die.
        for i in 0..LARGE {
            if i % 10 != 0 {
                m.set(i, Value::NIL);
            }
        }
        m.collect(Collect::Full);
        for i in (0..LARGE).step_by(10) {
            // SAFETY: a root, and no safepoint follows.
            let all = unsafe { access::bytes(m.get(i), 1, 2 * MIB as usize) };
            assert!(all.iter().all(|b| *b == i as u8 ^ phase), "damaged");
        }
        let live = 20 * MIB;
        // The heap may grow to twice what lives.
        assert!(resident() <= before + 2 * live + live / 4 + BOUND);
        m.truncate(0);
        m.collect(Collect::Full);
        let after = resident();
        assert!(
            after <= before + BOUND,
            "phase {phase}: {} MiB before, {} MiB after",
            before / MIB,
            after / MIB
        );
    }
}

fn unasked() {
    let mut m = start(config(Plan::Throughput)).unwrap().attach();
    let before = resident();
    let long = list(&mut m, pairs(100));
    m.push(long);
    m.truncate(0);
    assert!(resident() > before + 95 * MIB);
    // Full collections come because of what grows old and dies. The first finds the list dead, too.
    let fulls = m.stats().major;
    while m.stats().major < fulls + 4 {
        list(&mut m, pairs(20));
    }
    let after = resident();
    assert!(
        after <= before + 2 * BOUND,
        "{} MiB before, {} MiB after",
        before / MIB,
        after / MIB
    );
}

fn steady() {
    let mut m = start(config(Plan::Throughput)).unwrap().attach();
    let kept = list(&mut m, pairs(40));
    m.push(kept);
    m.collect(Collect::Full);
    let given = m.stats().returned_bytes;
    let fulls = m.stats().major;
    while m.stats().major < fulls + 4 {
        list(&mut m, pairs(5));
    }
    assert_eq!(m.stats().returned_bytes, given);
}
