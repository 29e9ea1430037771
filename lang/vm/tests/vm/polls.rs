//! Control primitives that walk long lists, while a thread asks for collections without rest, all of which move every
//! object: what they give is the same.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use bowline_gc::{Collect, Heap, Plan, Zeal};
use bowline_layout::Value;
use bowline_runtime::{Args, PrimKind, Primitive, Result, Rt};

use crate::support::{Case, LONG, World};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "long lists move while control primitives walk them",
        body: long_lists,
        zeal: LONG,
    },
    Case {
        name: "control primitives poll while they walk long lists",
        body: many_polls,
        zeal: LONG,
    },
];

/// Pairs that are walked in several pieces.
const PAIRS: usize = 40_000;
/// Pairs that are counted in one piece and copied in more.
const FEW: usize = 4000;

const SETUP: &str = "
(define (numbered n tail) (if (= n 0) tail (numbered (- n 1) (cons n tail))))
(define (as-long . arguments) (begin (%rest!) (equal? arguments long)))
(define (as-few . arguments) (begin (%rest!) (equal? arguments few)))
";

const PROGRAMS: &[&str] = &[
    "(apply as-long (begin (%ask!) improper))",
    "(apply long (begin (%ask!) long))",
    "(apply as-long (begin (%ask!) long))",
    "(apply as-long '(1) (begin (%ask!) long))",
    "(apply as-few (begin (%ask!) few))",
    "(apply few (begin (%ask!) few))",
    "(call-with-values (lambda () (%call/cc (lambda (k) (%throw k (begin (%ask!) long))))) as-long)",
    "(call-with-values (lambda () (%call/cc (lambda (k) (%throw k (begin (%ask!) few))))) as-few)",
];

/// Under zeal every collection is a full one; none is made for its sake alone.
const ALL_FULL: Zeal = Zeal::Allocation(1 << 60);
/// How often each is run.
const ROUNDS: usize = 2;
/// More collections than a call can have whose walk does not poll.
const MANY: u64 = 6;

/// Whether collections are asked for.
static ASKED: AtomicBool = AtomicBool::new(false);

/// `(%ask!)` and `(%rest!)`: have collections asked for without rest from when the first is wanted, and no longer.
pub(crate) const PRIMITIVES: [Primitive; 2] = [
    Primitive {
        name: "%ask!",
        min: 0,
        max: Some(0),
        kind: PrimKind::Fn(ask),
    },
    Primitive {
        name: "%rest!",
        min: 0,
        max: Some(0),
        kind: PrimKind::Fn(rest),
    },
];

fn ask(rt: &mut Rt, _: Args) -> Result<Value> {
    ASKED.store(true, Relaxed);
    rt.heap().request_collection();
    while !rt.heap.stack().poll_wanted() {
        std::hint::spin_loop();
    }
    Ok(Value::UNSPECIFIED)
}

fn rest(_: &mut Rt, _: Args) -> Result<Value> {
    ASKED.store(false, Relaxed);
    Ok(Value::UNSPECIFIED)
}

/// Raises a flag at its end.
struct Raised<'a>(&'a AtomicBool);

impl Drop for Raised<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

fn asker(heap: &Heap, done: &AtomicBool) {
    while !done.load(Relaxed) {
        match ASKED.load(Relaxed) {
            true => heap.request_collection(),
            false => std::thread::yield_now(),
        }
    }
}

/// What a program gives, or its error, and how many collections there were meanwhile.
fn outcome(w: &mut World, program: &str) -> (String, u64) {
    let entry = w.load(program);
    let heap = w.vm.rt.heap();
    let before = heap.collections();
    let result = w.run_entry(entry);
    ASKED.store(false, Relaxed);
    let collections = heap.collections() - before;
    let text = result.unwrap_or_else(|exit| w.describe(&exit));
    (text, collections)
}

/// An engine with the definitions, whose plan and lists are these.
fn world(plan: Plan, pairs: usize) -> World {
    let mut w = World::with(|config| {
        config.plan = plan;
        config.verify = plan == Plan::CompactTest;
        if plan == Plan::CompactTest {
            config.zeal = ALL_FULL;
        }
    })
    .library();
    w.run(SETUP).expect("definitions");
    let lists = [
        ("long", pairs, "'()"),
        ("improper", pairs, "'end"),
        ("few", FEW, "'()"),
    ];
    for (name, pairs, end) in lists {
        w.run(&format!("(define {name} (numbered {pairs} {end}))"))
            .expect("room");
    }
    w
}

/// Runs `f` beside the thread that asks.
fn beside_asker(w: &mut World, f: impl FnOnce(&mut World)) {
    let heap = w.vm.rt.heap();
    let done = AtomicBool::new(false);
    std::thread::scope(|threads| {
        // Raised also when a check fails, or nobody would hear of it.
        let _end = Raised(&done);
        threads.spawn(|| asker(heap, &done));
        f(w);
    });
}

fn long_lists() {
    let mut w = world(Plan::CompactTest, PAIRS);
    let alone: Vec<_> = PROGRAMS.iter().map(|p| outcome(&mut w, p).0).collect();
    assert_eq!(alone[2], "#t");
    beside_asker(&mut w, |w| {
        for (program, alone) in PROGRAMS.iter().zip(&alone) {
            for _ in 0..ROUNDS {
                assert!(outcome(w, program).0 == *alone, "{program}");
            }
        }
    });
}

fn many_polls() {
    let mut w = world(Plan::Throughput, 10 * PAIRS);
    w.vm.rt.heap.collect(Collect::Full);
    beside_asker(&mut w, |w| {
        let mut runs = 0;
        while outcome(w, PROGRAMS[0]).1 < MANY {
            runs += 1;
            assert!(runs < 100, "as many collections as without polls");
        }
    });
}
