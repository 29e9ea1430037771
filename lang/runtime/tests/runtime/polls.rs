//! Primitives that poll in the midst of their work: what they work on moves, and what they give is the same.
//!
//! Each is called alone, and while a thread asks for collections, all of which move every object: without rest from the
//! call's beginning on, where one must come within the call, and from later on, for loops behind the first.

use std::cell::Cell;
use std::hint::spin_loop;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use bowline_gc::{Heap, HeapConfig, Plan, Zeal};
use bowline_layout::Value;
use bowline_runtime::{Args, kinds, object, printer};

use crate::evaluate::Session;
use crate::runtime;

/// Elements of what is long: what is done between two polls, and something.
const LONG: usize = 4096 + 1000;

/// Calls of each primitive, with the first collection at the first poll, after a third of the call, and so on.
const ROUNDS: u64 = 3;

/// A definition, and a call of a primitive with variables and numbers. If the name ends with `!`, the first argument is
/// the answer.
type Case = (&'static str, &'static str);

const fn case(call: &'static str) -> Case {
    ("(def none 0)", call)
}

const CASES: &[Case] = &[
    case("length entries"),
    case("length improper"),
    case("length cyclic"),
    case("list? entries"),
    case("list? improper"),
    case("list? cyclic"),
    case("list-tail entries 4096"),
    case("list-tail improper 6000"),
    case("list-ref entries 5095"),
    case("list-ref entries 5096"),
    case("list-ref cyclic 5099"),
    ("(def l (list-copy entries))", "list-set! l 5095 small"),
    case("list-copy entries"),
    case("list-copy cyclic"),
    case("last-pair entries"),
    case("last-pair improper"),
    case("last-pair cyclic"),
    case("reverse entries"),
    case("append entries entries small"),
    case("memq small entries"),
    case("memq small improper"),
    case("memq small cyclic"),
    case("memv large entries"),
    case("%member small entries"),
    case("%member entries rows"),
    case("assq 5095 entries"),
    case("assq -1 cyclic"),
    case("assv large entries"),
    case("%assoc large entries"),
    case("%assoc entries table"),
    case("list->vector entries"),
    case("list->string letters"),
    case("list->string entries"),
    case("string->vector text"),
    case("vector->string characters"),
    case("vector->string flat"),
    case("make-vector 5096 small"),
    case("vector-copy flat"),
    case("vector-append flat flat"),
    ("(def v (vector-copy flat))", "vector-fill! v small 50"),
    ("(def v (vector-copy flat))", "vector-copy! v 0 flat 50"),
    ("(def v (vector-copy flat))", "vector-copy! v 0 v 50"),
    ("(def v (vector-copy flat))", "vector-copy! v 50 v 0 5046"),
    case("equal? entries twin"),
    case("equal? entries improper"),
    case("equal? flat level"),
    case("equal? cyclic round"),
    case("equal? tree leaves"),
    case("equal? nested knot"),
    case("%define-foreign-struct name fields small"),
    (
        "(def s (%define-foreign-struct name (quote ((x int))) small))",
        "%make-struct s entries",
    ),
    case("%make-condition name text entries none"),
    case("%make-condition name text improper none"),
    case("* large larger"),
    case("quotient larger large"),
    case("expt 7 9000"),
    case("number->string larger"),
    case("string->number digits"),
    ("(def p (open-input-string source))", "%read p"),
    (
        "(def t (hash-table-copy full))",
        "hash-table-set! t text small",
    ),
    (
        "(def t (hash-table-copy places))",
        "hash-table-set! t small small",
    ),
    ("(def t (hash-table-copy full))", "hash-table-clear! t"),
    case("hash-table-copy full"),
    case("hash-table-copy places"),
    case("hash-table-keys full"),
    case("hash-table->alist full"),
    case("hash-table-count weak"),
];

/// A list of entries with these numbers, and what stands behind the last one.
fn entries(end: &str) -> String {
    let entries: String = (0..LONG).map(|i| format!("({i} . entry)")).collect();
    format!("(quote ({entries}{end}))")
}

/// Entries of a table that another one makes larger: more slots than are looked at between two polls.
const FULL: usize = 6144;

/// Tables: `full`, whose keys are hashed by what they hold, `places`, whose keys are hashed by their addresses, and
/// `weak`, whose keys live.
fn tables(s: &mut Session) {
    let tables = [
        ("full", "(%make-hash-table (quote equal?))"),
        ("places", "(%make-hash-table (quote eq?))"),
        ("weak", "(%make-hash-table (quote eq?) #t)"),
    ];
    for (name, made) in tables {
        assert_eq!(s.run(&format!("(def {name} {made})")), "#<unspecified>");
    }
    for i in 0..FULL {
        s.run(&format!("(def key (quote ({i} . entry)))"));
        for (name, _) in tables {
            s.run(&format!("(hash-table-set! {name} key {i})"));
        }
    }
}

/// Defines what the calls name.
fn define(s: &mut Session) {
    tables(s);
    let mut def = |name: &str, source: &str| {
        let told = s.run(&format!("(def {name} {source})"));
        assert_eq!(told, "#<unspecified>", "{name}");
    };
    let text: String = ('a'..='z').chain('α'..='ω').cycle().take(LONG).collect();
    let digits = "1234567890".repeat(500);
    let source = entries(" . end").replace("(quote ", "");
    def("source", &format!("{source:?}"));
    def("small", "(list 1 2)");
    def("entries", &entries(""));
    def("twin", &entries(""));
    def("improper", &entries(" . end"));
    def("text", &format!("\"{text}\""));
    def("letters", "(string->list text)");
    def("characters", "(string->vector text)");
    def("flat", "(list->vector entries)");
    def("level", "(list->vector twin)");
    // The error names both.
    def("name", "(string->uninterned-symbol \"big\")");
    def("fields", "(make-list 5096 (quote (again int)))");
    def("digits", &format!("\"{digits}\""));
    def("large", "(string->number digits)");
    def("larger", "(* large large)");
    def("other", "(append twin (list 'other))");
    def("rows", "(list small other improper twin small)");
    def(
        "table",
        "(list (list other) (list improper 1) (list twin 2))",
    );
    // The first pair is not on the cycle.
    for (name, of) in [("cyclic", "entries"), ("round", "twin")] {
        def(name, &format!("(list-copy {of})"));
        def(
            "tail",
            &format!("(set-cdr! (last-pair {name}) (cdr {name}))"),
        );
    }
    // Vectors that share all their parts: two to the power of thirty leaves.
    for (name, of) in [("tree", "entries"), ("leaves", "twin")] {
        def(name, &format!("(vector small {of})"));
        for _ in 0..30 {
            def(name, &format!("(vector {name} {name} 1)"));
        }
    }

    for (name, of) in [("nested", "flat"), ("knot", "level")] {
        def(name, &format!("(vector-copy {of})"));
        def("tied", &format!("(vector-set! {name} 5 {name})"));
        def(
            "tied",
            &format!("(vector-set! {name} 5000 (list {name} {name}))"),
        );
    }
}

/// No collections are asked for. Anything else is the nanoseconds from a call's beginning until they are.
const NEVER: u64 = u64::MAX;

/// What a call gives, printed, and how many collections began and ended within it.
fn call(
    s: &mut Session,
    (setup, call): Case,
    asked: impl FnOnce(&Session),
    rest: impl FnOnce(),
) -> (String, u64) {
    assert_eq!(s.run(setup), "#<unspecified>");
    let (name, args) = call.split_once(' ').expect("arguments");
    let function = s.primitive(name).function().expect("a primitive of Rust");
    let base = s.rt.height();
    for arg in args.split(' ') {
        let number = arg.parse().map(Value::fixnum);
        let v = number.unwrap_or_else(|_| s.variable(arg));
        s.rt.push(v);
    }
    let heap = s.rt.heap();
    let len = s.rt.height() - base;
    asked(s);
    let before = heap.collections();
    let result = function(&mut s.rt, Args { base, len });
    let collections = heap.collections() - before;
    rest();
    let text = match result {
        Ok(_) if name.ends_with('!') => written(s, base),
        Ok(v) => {
            s.rt.set_at(base, v);
            written(s, base)
        }
        Err(fault) => {
            let condition = s.rt.condition_of(fault);
            format!("! {}", s.rt.describe(condition))
        }
    };
    s.rt.truncate(base);
    (text, collections)
}

/// What is at this position of the root stack, as it is written; of a table its entries in the order of their keys.
fn written(s: &mut Session, at: usize) -> String {
    if !object::is(s.rt.at(at), kinds::HASH_TABLE) {
        return printer::print(&s.rt, s.rt.at(at), printer::Mode::Write);
    }
    let list = s.primitive("hash-table->alist").function();
    let args = Args { base: at, len: 1 };
    let list = list.expect("a primitive of Rust");
    let mut list = list(&mut s.rt, args).expect("room");
    let mut entries = Vec::new();
    while list.is_pair() {
        let entry = object::car(list);
        entries.push(printer::print(&s.rt, entry, printer::Mode::Write));
        list = object::cdr(list);
    }
    entries.sort();
    entries.join(" ")
}

/// Asks for collections without rest from a time of each call on to its end.
fn asker(heap: &Heap, ask: &AtomicU64, done: &AtomicBool) {
    while !done.load(Relaxed) {
        match ask.load(Relaxed) {
            NEVER => std::thread::yield_now(),
            nanos => {
                let begun = Instant::now();
                while begun.elapsed() < Duration::from_nanos(nanos) {
                    spin_loop();
                }
                while ask.load(Relaxed) != NEVER && !done.load(Relaxed) {
                    heap.request_collection();
                }
            }
        }
    }
}

/// The answer is the same when the first poll of a call finds a collection wanted, and when a later one does.
fn check(s: &mut Session, case: Case, alone: &(String, u64), ask: &AtomicU64) {
    let (expected, took) = alone;
    for round in 0..ROUNDS {
        let asked = |s: &Session| {
            ask.store(took * round / ROUNDS, Relaxed);
            while round == 0 && !s.rt.heap.stack().poll_wanted() {
                spin_loop();
            }
        };
        let (got, collections) = call(s, case, asked, || ask.store(NEVER, Relaxed));
        let pairs = expected.bytes().zip(got.bytes());
        let at = pairs.take_while(|(a, b)| a == b).count();
        assert!(got == *expected, "{}: differs from {at} on", case.1);
        assert!(round > 0 || collections > 0, "{}: does not poll", case.1);
    }
}

pub(crate) fn run() {
    let mut session = Session::new(runtime(HeapConfig {
        plan: Plan::CompactTest,
        verify: true,
        // Under zeal every collection is a full one; none is made for its sake alone.
        zeal: Zeal::Allocation(1 << 60),
        ..HeapConfig::default()
    }));
    let s = &mut session;
    define(s);
    let begun = Cell::new(Instant::now());
    let alone = CASES.iter().map(|case| {
        let mut took = 0;
        let rest = || took = begun.get().elapsed().as_nanos() as u64;
        let (text, _) = call(s, *case, |_| begun.set(Instant::now()), rest);
        (text, took)
    });
    let alone: Vec<_> = alone.collect();
    let heap = s.rt.heap();
    let (ask, done) = (AtomicU64::new(NEVER), AtomicBool::new(false));
    std::thread::scope(|threads| {
        // Raised also when a check fails, or nobody would hear of it.
        let _end = Raised(&done);
        threads.spawn(|| asker(heap, &ask, &done));
        for (case, alone) in CASES.iter().zip(&alone) {
            check(s, *case, alone, &ask);
        }
    });
}

/// Raises a flag at its end.
struct Raised<'a>(&'a AtomicBool);

impl Drop for Raised<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}
