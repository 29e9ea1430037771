//! Zeal and the verifier, and ends of the process that have a message.

use crate::kernel;
use crate::support::*;
use bowline_gc::{
    CallFrame, Collect, HeapConfig, HeapError, Mutator, RootSource, Zeal, access, start,
};
use bowline_layout::{Header, Shape, Tag, TypeId, Value};

pub(crate) const CASES: &[Case] = &[
    case("zeal at every allocation", || zeal(Zeal::Allocation(1), 40)),
    case("zeal at every 50th allocation", || {
        zeal(Zeal::Allocation(50), 2000)
    }),
    case("zeal at every crossing", || zeal(Zeal::Crossing(1), 200)),
    case("zeal overwrites what was left", zeal_overwrites),
    case("zeal with two threads", zeal_with_threads),
    dies(
        "the verifier finds a wrong tag",
        wrong_tag,
        "tag and first word disagree",
    ),
    dies(
        "the verifier finds a wild reference",
        || wild(Value::from_bits(0x1000_0000_0001)),
        "memory that was never used: Pair@0x100000000000 in word 3 of the object at",
    ),
    dies(
        "the verifier finds a C pointer",
        || wild(Value::from_bits(0x7fff_0000_1231)),
        "a reference leads out of the heap",
    ),
    dies(
        "the verifier finds a stale root",
        stale_root,
        "overwritten memory",
    ),
    dies(
        "a panic in the collector ends the process",
        collector_panics,
        "bowline: internal error in the collector: panicked at",
    ),
    case("a panic of the program's own is its own", program_panics),
    case("too little address space is said", address_space),
    dies(
        "the system refuses what it has just granted",
        refused_after_all,
        "bowline: the system refused memory for the heap; see ulimit -d and -v, and vm.overcommit_memory\n",
    ),
    dies(
        "the root stack has an end",
        stack_overflows,
        "root stack overflow",
    ),
    dies(
        "a missed barrier is found",
        missed_barrier,
        "an old object refers to a young one, which nobody has noted",
    ),
];

fn zealous(zeal: Zeal) -> HeapConfig {
    HeapConfig {
        zeal,
        ..HeapConfig::default()
    }
}

/// Builds, changes and checks structures of every kind.
fn exercise(m: &mut Mutator, rounds: i64) {
    let base = m.len();
    let v = vector(m, 16);
    m.push(v);
    let large = vector(m, 5000);
    m.push(large);
    let fixed = m
        .alloc_immovable(Header::new(Shape::Values, TypeId(40), 2), Tag::Object)
        .unwrap();
    m.push(fixed);
    for i in 0..rounds {
        let p = pair(m, fix(i), Value::NIL);
        let held = [p];
        let mut frame = CallFrame::new(&held);
        // SAFETY: popped below; the frame does not move.
        unsafe { m.push_call(&mut frame) };
        m.crossing();
        let l = list(m, 5);
        let (v, large, fixed) = (m.get(base), m.get(base + 1), m.get(base + 2));
        put(m, v, 1 + (i % 16) as usize, l);
        put(m, large, 1 + (i % 5000) as usize, p);
        put(m, fixed, 1, l);
        m.crossing();
        assert_eq!(at(held[0], 0), fix(i));
        // SAFETY: pushed above.
        unsafe { m.pop_call(&mut frame) };
        check_list(at(m.get(base), 1 + (i % 16) as usize), 5);
        check_list(at(m.get(base + 2), 1), 5);
        assert_eq!(at(m.get(base + 1), 1 + (i % 5000) as usize), held[0]);
        let back = at(at(m.get(base + 1), 1 + (i % 5000) as usize), 0);
        assert_eq!(back, fix(i));
    }
    m.truncate(base);
}

fn zeal(zeal: Zeal, rounds: i64) {
    let (_, mut m) = heap_with(zealous(zeal));
    exercise(&mut m, rounds);
    m.collect(Collect::Full);
    let s = m.stats();
    assert!(s.collections as i64 >= rounds / 10, "{s:?}");
    assert_eq!(s.minor, 0);
    assert!(s.moved_objects > 0);
}

fn zeal_overwrites() {
    let (_, mut m) = heap_with(zealous(Zeal::Crossing(1)));
    let (moved, dead) = (pair(&mut m, fix(1), fix(2)), pair(&mut m, fix(3), fix(4)));
    m.push(moved);
    m.crossing();
    assert_ne!(m.get(0), moved);
    for v in [moved, dead] {
        for i in 0..2 {
            // SAFETY: MMTk keeps the block mapped.
            assert_eq!(unsafe { access::word(v, i) }, 0xfdfd_fdfd_fdfd_fdfd);
        }
    }
    assert_eq!((at(m.get(0), 0), at(m.get(0), 1)), (fix(1), fix(2)));
}

fn zeal_with_threads() {
    let (heap, mut m) = heap_with(zealous(Zeal::Allocation(20)));
    m.enter_native();
    std::thread::scope(|s| {
        for _ in 0..2 {
            s.spawn(|| exercise(&mut heap.attach(), 100));
        }
    });
    m.leave_native();
}

fn wrong_tag() {
    let (_, mut m) = heap();
    let v = vector(&mut m, 3);
    m.push(Value::pointer(v.addr(), Tag::Pair));
    m.collect(Collect::Minor);
}

fn wild(bad: Value) {
    let (_, mut m) = heap();
    let v = vector(&mut m, 3);
    m.push(v);
    put(&mut m, v, 3, bad);
    m.collect(Collect::Minor);
}

fn stale_root() {
    let (_, mut m) = heap_with(zealous(Zeal::Crossing(1)));
    let p = pair(&mut m, fix(1), fix(2));
    m.push(p);
    m.crossing();
    m.push(p);
    m.crossing();
}

fn missed_barrier() {
    let (_, mut m) = heap();
    let v = vector(&mut m, 3);
    m.push(v);
    m.collect(Collect::Full);
    let (v, p) = (m.get(0), pair(&mut m, fix(1), fix(2)));
    // SAFETY: wrong on purpose: the vector is old, so a barrier is due.
    unsafe { access::init(v, 1, p) };
    m.collect(Collect::Minor);
}

struct Broken;

impl RootSource for Broken {
    fn visit(&self, _: &mut dyn FnMut(&mut Value)) {
        panic!("on purpose");
    }
}

/// It begins as those do with which MMTk says that the system has refused it memory.
fn program_panics() {
    let _heap = heap();
    let thread = std::thread::spawn(|| panic!("Failed to mmap file"));
    let said = thread.join().expect_err("it panics");
    assert_eq!(said.downcast_ref(), Some(&"Failed to mmap file"));
}

fn collector_panics() {
    let (heap, mut m) = heap_with(HeapConfig::default());
    heap.register_roots(Box::new(Broken));
    m.collect(Collect::Minor);
}

fn address_space() {
    let limit = libc::rlimit {
        rlim_cur: 1 << 30,
        rlim_max: 1 << 30,
    };
    // SAFETY: `limit` is a live rlimit.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) }, 0);
    let e = start(HeapConfig::default()).err().unwrap();
    assert_eq!(e, HeapError::AddressSpace { limit: 1 << 30 });
}

/// The system is asked by a mapping anywhere, which it gives, and the collector's own is refused.
fn refused_after_all() {
    let (_, mut m) = heap_with(HeapConfig {
        limit: Some(512 << 20),
        ..HeapConfig::default()
    });
    kernel::refuse_fixed_mappings();
    for _ in 0..512 {
        m.alloc(Header::new(Shape::Bytes, TypeId(20), 1 << 20), Tag::Object)
            .expect("the process has ended");
    }
}

fn stack_overflows() {
    let (_, mut m) = heap();
    loop {
        m.push(fix(1));
    }
}
