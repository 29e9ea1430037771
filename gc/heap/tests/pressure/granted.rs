//! What becomes of a heap whose memory the system refuses, with limits that are set while it runs.

use crate::foreign::{free, malloc, native};
use crate::limit::{between, fill_heap};
use crate::support::*;
use bowline_gc::{Collect, Heap, HeapConfig, Mutator, OutOfMemory, Plan};
use bowline_layout::{Header, Shape, Tag, TypeId, Value};

pub(crate) const CASES: &[Case] = &[
    case("refused pages are a full heap", || full(Plan::Throughput)),
    case("refused pages are a full heap under latency", || {
        full(Plan::Latency)
    })
    .wanting(has_latency),
    case("refused pages are a full heap under immix", || {
        full(Plan::Immix)
    }),
    case("refused pages are a full heap that moves", || {
        full(Plan::CompactTest)
    }),
    case("refused pages leave the free lines of used blocks", || {
        lines(Plan::Throughput)
    }),
    case("refused pages leave free lines under latency", || {
        lines(Plan::Latency)
    })
    .wanting(has_latency),
    case("refused pages leave free lines under immix", || {
        lines(Plan::Immix)
    }),
    case("refused addresses are a full heap", addresses),
    case("large objects are refused for their size", large),
    case("who reacts to refused pages is refused, too", lent),
    case(
        "immovable objects have no use of what others had",
        immovable,
    ),
    case(
        "a large object has no use of holes that are too small",
        holes,
    ),
    case(
        "many objects have no use of holes that are too small",
        growing,
    ),
    case("weak pairs that were refused take nothing", weak),
];

/// How many bytes a line of `/proc/self/status` speaks of.
fn status(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB"));
    kib.expect("a size")
        .trim()
        .parse::<u64>()
        .expect("a number")
        << 10
}

/// Lets the process have `more` bytes than it has.
fn allow(resource: libc::__rlimit_resource_t, line: &str, more: usize) {
    let limit = libc::rlimit {
        rlim_cur: status(line) + more as u64,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: `limit` is a live rlimit.
    assert_eq!(unsafe { libc::setrlimit(resource, &limit) }, 0);
}

fn heap_of(plan: Plan) -> (&'static Heap, Box<Mutator>) {
    heap_with(HeapConfig {
        plan,
        limit: Some(4 << 30),
        ..HeapConfig::default()
    })
}

/// Fills the heap, lets go, and fills it once more.
fn fill_twice(m: &mut Mutator) -> (usize, usize) {
    let root = m.len();
    m.push(Value::NIL);
    let mut fill = || {
        let n = fill_heap(m, root);
        m.set(root, Value::NIL);
        n
    };
    let counts = (fill(), fill());
    let l = list(m, 10_000);
    check_list(l, 10_000);
    m.truncate(root);
    counts
}

fn full(plan: Plan) {
    let (_, mut m) = heap_of(plan);
    m.push(Value::NIL);
    allow(libc::RLIMIT_DATA, "VmData:", 120 * MIB);
    let (first, second) = fill_twice(&mut m);
    assert!(first > 500_000, "{first} pairs");
    assert!(second > first / 4 * 3, "{first} pairs, then {second}");
    // The limit that was asked for is in force again, in the end, when the system gives more.
    allow(libc::RLIMIT_DATA, "VmData:", 160 * MIB);
    let (third, _) = fill_twice(&mut m);
    assert!(third > second, "{second} pairs, then {third}");
    let p = native(&mut m, &[], || malloc(MIB));
    assert!(!p.is_null());
    free(p);
}

fn lines(plan: Plan) {
    let (heap, mut m) = heap_of(plan);
    m.push(Value::NIL);
    allow(libc::RLIMIT_DATA, "VmData:", 120 * MIB);
    between(heap, &mut m);
}

fn addresses() {
    let (_, mut m) = heap_of(Plan::Throughput);
    m.push(Value::NIL);
    allow(libc::RLIMIT_AS, "VmSize:", 90 * MIB);
    let (first, second) = fill_twice(&mut m);
    // What MMTk maps it has reserved before, so it takes no addresses.
    assert!(first > 500_000 && second > first / 4 * 3);
}

fn try_vector(m: &mut Mutator, n: usize) -> Result<Value, OutOfMemory> {
    m.alloc(Header::new(Shape::Values, TypeId(40), n), Tag::Object)
}

fn large() {
    let (_, mut m) = heap_of(Plan::Throughput);
    allow(libc::RLIMIT_DATA, "VmData:", 200 * MIB);
    let vectors = |m: &mut Mutator| {
        let n = (0..1000).take_while(|_| match try_vector(m, 1 << 17) {
            Ok(v) => {
                m.push(v);
                true
            }
            Err(_) => false,
        });
        let n = n.count();
        m.truncate(0);
        n
    };
    for _ in 0..3 {
        let n = vectors(&mut m);
        assert!((20..200).contains(&n), "{n} MiB");
        assert!(try_vector(&mut m, 1 << 26).is_err(), "512 MiB");
        let l = list(&mut m, 100_000);
        check_list(l, 100_000);
    }
}

/// Fills the heap with large objects, has the reserve lent, and takes what there is then, of both kinds.
fn lent() {
    let (heap, mut m) = heap_of(Plan::Throughput);
    allow(libc::RLIMIT_DATA, "VmData:", 200 * MIB);
    for _ in 0..3 {
        while let Ok(v) = try_vector(&mut m, 1 << 17) {
            m.push(v);
        }
        heap.lend_reserve();
        assert!(try_vector(&mut m, 1 << 25).is_err(), "256 MiB");
        let root = m.len();
        m.push(Value::NIL);
        let more = fill_heap(&mut m, root);
        assert!(more > 500_000, "{more} pairs of what is lent");
        heap.take_reserve_back();
        m.truncate(0);
        let l = list(&mut m, 100_000);
        check_list(l, 100_000);
    }
}

/// Fills the heap with small objects that do not move, after it was full of pairs, and with pairs afterwards.
fn immovable() {
    let (_, mut m) = heap_of(Plan::Throughput);
    m.push(Value::NIL);
    allow(libc::RLIMIT_DATA, "VmData:", 200 * MIB);
    let (pairs, _) = fill_twice(&mut m);
    m.collect(Collect::Full);
    let header = Header::new(Shape::Values, TypeId(40), 1000);
    for _ in 0..3 {
        let made = (0..100_000).take_while(|_| match m.alloc_immovable(header, Tag::Object) {
            Ok(v) => {
                m.push(v);
                true
            }
            Err(_) => false,
        });
        let made = made.count();
        assert!(made < 30_000, "{made} of 8 KB");
        m.truncate(1);
        let l = list(&mut m, 100_000);
        check_list(l, 100_000);
    }
    let (again, _) = fill_twice(&mut m);
    assert!(again > pairs / 4 * 3, "{pairs} pairs, then {again}");
}

/// Lets every other large object go, and asks for one that lies behind all, and for others that do not.
fn holes() {
    let (_, mut m) = heap_of(Plan::Throughput);
    garbage(&mut m, 200_000);
    allow(libc::RLIMIT_DATA, "VmData:", 400 * MIB);
    for _ in 0..100 {
        let v = try_vector(&mut m, 1 << 17).expect("1 MiB");
        m.push(v);
    }
    // The system gives no more, not even the margin.
    allow(libc::RLIMIT_DATA, "VmData:", 60 * MIB);
    (0..100).step_by(2).for_each(|i| m.set(i, Value::NIL));
    m.collect(Collect::Full);
    assert!(try_vector(&mut m, 5 << 20).is_err(), "40 MiB");
    for i in (0..80).step_by(2) {
        let v = try_vector(&mut m, 1 << 17).expect("a hole");
        m.set(i, v);
    }
    let l = list(&mut m, 100_000);
    check_list(l, 100_000);
}

/// The same with objects that are each far smaller than what is asked for at once.
fn growing() {
    let (_, mut m) = heap_of(Plan::Throughput);
    garbage(&mut m, 200_000);
    allow(libc::RLIMIT_DATA, "VmData:", 400 * MIB);
    for _ in 0..200 {
        let v = try_vector(&mut m, 1 << 16).expect("512 KiB");
        m.push(v);
    }
    allow(libc::RLIMIT_DATA, "VmData:", 60 * MIB);
    (0..200).step_by(2).for_each(|i| m.set(i, Value::NIL));
    m.collect(Collect::Full);
    let grown = (0..200)
        .step_by(2)
        .take_while(|i| match try_vector(&mut m, 3 << 16) {
            Ok(v) => {
                m.set(*i, v);
                true
            }
            Err(_) => false,
        });
    let grown = grown.count();
    assert!(grown < 10, "{grown} of 1.5 MiB");
    let l = list(&mut m, 100_000);
    check_list(l, 100_000);
}

/// Asks for so many weak pairs that the system would not give what collections would take for all of them, and then for
/// one when it gives some.
fn weak() {
    let (_, mut m) = heap_of(Plan::Throughput);
    garbage(&mut m, 200_000);
    allow(libc::RLIMIT_DATA, "VmData:", 20 * MIB);
    let refused = (0..1_000_000).filter(|i| m.weak_pair(fix(*i), fix(0)).is_err());
    let refused = refused.count();
    assert!(refused > 900_000, "{refused}");
    allow(libc::RLIMIT_DATA, "VmData:", 100 * MIB);
    assert!(m.weak_pair(fix(1), fix(0)).is_ok());
}
