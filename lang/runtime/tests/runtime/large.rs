//! Trials that need size or a configuration of their own.

use crate::evaluate::Session;
use crate::runtime;
use bowline_gc::{HeapConfig, Refusal};
use bowline_layout::Value;
use bowline_runtime::{
    Fault, Rt, equal, equal_or_interrupt, num, object, primitives, printer, table,
};
use std::collections::HashSet;

pub(crate) const NAMES: &[&str] = &[
    "deep_data",
    "out_of_memory",
    "forgotten_ports_are_closed",
    "tables_survive_motion",
    "names_are_distinct",
    "fast_paths",
    "frozen",
    "long_primitives_are_interrupted",
    "strings_are_pinned_whole_or_not",
];

pub(crate) fn run(name: &str) {
    match name {
        "deep_data" => deep_data(),
        "out_of_memory" => out_of_memory(),
        "forgotten_ports_are_closed" => forgotten_ports_are_closed(),
        "tables_survive_motion" => tables_survive_motion(),
        "names_are_distinct" => names_are_distinct(),
        "fast_paths" => fast_paths(),
        "frozen" => frozen(),
        "long_primitives_are_interrupted" => long_primitives_are_interrupted(),
        "strings_are_pinned_whole_or_not" => strings_are_pinned_whole_or_not(),
        _ => panic!("no trial {name}"),
    }
}

fn ok<T>(result: bowline_runtime::Result<T>) -> T {
    result.unwrap_or_else(|fault| panic!("{fault:?}"))
}

/// A million levels, long and deep, are built, compared and printed without the machine stack. An
/// unoptimised build does a fifth of that, which would overflow the stack as well.
fn deep_data() {
    let levels = if cfg!(debug_assertions) {
        200_000
    } else {
        1_000_000
    };
    let mut rt = runtime(HeapConfig::default());
    for deep in [false, true] {
        for _ in 0..2 {
            rt.push(Value::NIL);
            for i in 0..levels {
                let top = rt.height() - 1;
                let last = rt.at(top);
                let next = if deep {
                    ok(rt.cons(last, Value::NIL))
                } else {
                    ok(rt.cons(Value::fixnum(i % 10), last))
                };
                rt.set_at(top, next);
            }
        }
        let (b, a) = (rt.pop(), rt.pop());
        assert!(equal(&rt, a, b));
        let text = printer::print(&rt, a, printer::Mode::Write);
        // Deep: one level more than there are conses, for the empty list inside.
        let length = if deep { 2 * levels + 2 } else { 2 * levels + 1 };
        assert_eq!(text.len() as i64, length);
        let shared = printer::print(&rt, a, printer::Mode::Shared);
        assert!(shared == text);
        let (data, errors) = bowline_syntax::read_all(bowline_syntax::SourceId(0), &text);
        assert!(errors.is_empty());
        rt.push(a);
        let read = ok(rt.datum_to_value(&data[0], false));
        let a = rt.pop();
        assert!(equal(&rt, a, read));
    }
}

/// Each way of filling the heap ends in the condition, and the heap is usable afterwards.
fn out_of_memory() {
    let mut session = Session::new(runtime(HeapConfig {
        limit: Some(16 << 20),
        ..HeapConfig::default()
    }));
    let message = "! out of memory: the heap is full";
    for _ in 0..2 {
        assert_eq!(session.run("(make-list 100000000)"), message);
        assert_eq!(session.run("(make-vector 1000000000)"), message);
        assert_eq!(session.run("(make-string 4000000000)"), message);
        assert_eq!(session.run("(make-bytevector 4000000000)"), message);
        assert_eq!(session.run("(expt 2 (expt 2 40))"), message);
        assert_eq!(session.run("(arithmetic-shift 1 (expt 2 50))"), message);
        assert_eq!(session.run("(length (make-list 1000 'x))"), "1000");
    }
    assert_eq!(
        session.run("(condition-kind (fault (make-list 100000000)))"),
        "out-of-memory"
    );
}

/// A port that nobody can reach is flushed and closed when the next one is opened.
fn forgotten_ports_are_closed() {
    let path = std::env::temp_dir().join(format!("bowline-port-{}", std::process::id()));
    let name = path.to_str().expect("a plain path");
    let mut session = Session::new(runtime(HeapConfig::default()));
    session.run(&format!(
        "(%write-string \"kept\" (open-output-file \"{name}\"))"
    ));
    assert_eq!(std::fs::read(&path).expect("the file").len(), 0);
    session.run("(collect)");
    let limit = std::fs::read_dir("/proc/self/fd")
        .expect("descriptors")
        .count();
    for _ in 0..100 {
        session.run(&format!("(open-input-file \"{name}\")"));
        session.run("(collect)");
    }
    assert_eq!(std::fs::read_to_string(&path).expect("the file"), "kept");
    let now = std::fs::read_dir("/proc/self/fd")
        .expect("descriptors")
        .count();
    assert!(now <= limit + 2, "{limit} descriptors became {now}");
    std::fs::remove_file(&path).expect("the file");
}

/// Keys that hash by address are found after everything has moved, many times over.
fn tables_survive_motion() {
    let mut rt = runtime(HeapConfig {
        plan: bowline_gc::Plan::CompactTest,
        ..HeapConfig::default()
    });
    let t = ok(table::make(&mut rt, table::Equivalence::Eq, false));
    let base = rt.height();
    rt.push(t);
    rt.push(Value::NIL);
    for i in 0..2000 {
        let key = ok(rt.cons(Value::fixnum(i), Value::NIL));
        rt.push(key);
        rt.push(Value::fixnum(i));
        ok(table::set(&mut rt, base, base + 2, base + 3));
        let keys = ok(rt.cons(rt.at(base + 2), rt.at(base + 1)));
        rt.set_at(base + 1, keys);
        rt.truncate(base + 2);
    }
    for round in 0..6 {
        let kind = if round % 2 == 0 {
            bowline_gc::Collect::Full
        } else {
            bowline_gc::Collect::Minor
        };
        rt.heap.collect(kind);
        let mut keys = rt.at(base + 1);
        let mut found = 0;
        while keys.is_pair() {
            let key = object::car(keys);
            let t = rt.at(base);
            assert_eq!(table::get(&mut rt, t, key), Some(object::car(key)));
            found += 1;
            keys = object::cdr(keys);
        }
        assert_eq!(found, 2000);
    }
    assert!(rt.heap().stats().moved_objects > 4000);
}

/// Names are identities for the library, and every arity makes sense.
fn names_are_distinct() {
    let table = primitives();
    let names: HashSet<_> = table.iter().map(|p| p.name).collect();
    assert_eq!(names.len(), table.len());
    for p in &table {
        assert!(p.max.is_none_or(|max| max >= p.min), "{}", p.name);
    }
    assert!(table.len() > 380, "{} primitives", table.len());
}

fn is(rt: &Rt, result: bowline_runtime::Result<Value>, text: &str) {
    assert_eq!(printer::print(rt, ok(result), printer::Mode::Write), text);
}

/// The engines' entry points at the edges of the fixnums and beyond.
fn fast_paths() {
    let mut rt = runtime(HeapConfig::default());
    let rt = &mut rt;
    let (max, min) = (
        Value::fixnum(bowline_layout::FIXNUM_MAX),
        Value::fixnum(bowline_layout::FIXNUM_MIN),
    );
    let (one, minus) = (Value::fixnum(1), Value::fixnum(-1));
    let r = num::add(rt, max, one);
    is(rt, r, "4611686018427387904");
    let r = num::sub(rt, min, one);
    is(rt, r, "-4611686018427387905");
    let r = num::mul(rt, min, minus);
    is(rt, r, "4611686018427387904");
    let r = num::mul(rt, max, max);
    is(rt, r, "21267647932558653957237540927630737409");
    let r = num::quotient(rt, min, minus);
    is(rt, r, "4611686018427387904");
    let r = num::div(rt, min, minus);
    is(rt, r, "4611686018427387904");
    let big = ok(num::add(rt, max, one));
    let r = num::sub(rt, big, one);
    assert_eq!(ok(r), max);
    let half = ok(rt.make_flonum(0.5));
    let r = num::add(rt, half, one);
    is(rt, r, "1.5");
    let r = num::sub(rt, one, half);
    is(rt, r, "0.5");
    assert!(ok(num::less(rt, half, one)));
    assert!(!ok(num::equal(rt, half, one)));
    assert!(ok(num::greater(rt, big, max)));
    match num::less(rt, one, Value::NIL) {
        Err(fault) => assert!(matches!(*fault, Fault::WrongType { position: 2, .. })),
        Ok(_) => panic!("() is a number"),
    }
    match num::add(rt, Value::TRUE, one) {
        Err(fault) => assert!(matches!(*fault, Fault::WrongType { position: 1, .. })),
        Ok(_) => panic!("#t is a number"),
    }
}

/// What was made before a freeze works after it: tables find their keys, ports their state, and
/// pairs of the library cannot be changed.
fn frozen() {
    let mut session = Session::new(runtime(HeapConfig::default()));
    let s = &mut session;
    for setup in [
        "(def k (list 'key))",
        "(def t (%make-hash-table 'eq?))",
        "(hash-table-set! t k 'found)",
        "(def v (vector 1 2))",
        "(def pr (%make-promise #f 1))",
        "(def par (%make-parameter 1 #f))",
        "(def out (open-output-string))",
        "(def str (string-copy \"abc\"))",
    ] {
        s.run(setup);
    }
    let mut none = |_: &mut dyn FnMut(&mut Value)| {};
    s.rt.freeze(&mut none).expect("nothing is pinned");
    for (source, expected) in [
        ("(hash-table-ref/default t k #f)", "found"),
        ("(hash-table-set! t (list 'young) 'too)", "#<unspecified>"),
        ("(collect)", "#<unspecified>"),
        ("(hash-table->alist t)", "(((young) . too) ((key) . found))"),
        (
            "(set-car! k 1)",
            "! set-car!: the object may not be changed: (key)",
        ),
        (
            "(list-set! k 0 1)",
            "! list-set!: the object may not be changed: (key)",
        ),
        (
            "(begin (vector-set! v 0 (list 'new)) (collect) v)",
            "#((new) 2)",
        ),
        (
            "(begin (%promise-set! pr #t (list 1)) (collect) (%promise-value pr))",
            "(1)",
        ),
        (
            "(begin (%parameter-set-default! par (list 2)) (collect) (%parameter-default par))",
            "(2)",
        ),
        (
            "(begin (%write-string \"text\" out) (collect) (get-output-string out))",
            "\"text\"",
        ),
        ("(begin (string-set! str 0 #\\λ) (collect) str)", "\"λbc\""),
        ("(eq? 'key (car k))", "#t"),
        ("(condition-kind (fault (make-list 100000000000)))", "range"),
    ] {
        let got = s.run(source);
        let either = expected == "(((young) . too) ((key) . found))"
            && got == "(((key) . found) ((young) . too))";
        assert!(got == expected || either, "{source}: {got}");
    }
}

/// What walks long data stops where somebody wants it to; what is short does not look.
fn long_primitives_are_interrupted() {
    let mut rt = runtime(HeapConfig::default());
    for _ in 0..2 {
        rt.push(Value::NIL);
        for i in 0..10_000 {
            let top = rt.height() - 1;
            let last = rt.at(top);
            let next = ok(rt.cons(Value::fixnum(i), last));
            rt.set_at(top, next);
        }
    }
    let (a, b) = (rt.at(rt.height() - 1), rt.at(rt.height() - 2));
    let modes = [
        printer::Mode::Write,
        printer::Mode::Simple,
        printer::Mode::Shared,
    ];
    assert!(ok(equal_or_interrupt(&mut rt, a, b)));
    rt.heap.stack().listen(true);
    rt.heap.stack().interrupter().interrupt();
    let interrupted = |fault: Box<Fault>| matches!(*fault, Fault::Interrupt { unwound: false });
    assert!(equal_or_interrupt(&mut rt, a, b).is_err_and(interrupted));
    for mode in modes {
        assert!(printer::print_or_interrupt(&rt, a, mode).is_err_and(interrupted));
    }
    assert!(ok(equal_or_interrupt(&mut rt, Value::TRUE, Value::TRUE)));
    // Tables must not be told that equal keys differ.
    assert!(equal(&rt, a, b));
    assert!(rt.check_interrupt().is_err_and(interrupted));
    assert!(rt.heap.stack().take_interrupt());
    assert!(rt.check_interrupt().is_ok());
    for mode in modes {
        assert!(printer::print_or_interrupt(&rt, a, mode).is_ok());
    }
}

/// A string whose body cannot be pinned is not pinned either: the program was told so.
fn strings_are_pinned_whole_or_not() {
    let mut session = Session::new(runtime(HeapConfig {
        // The string is counted in one page of counters, its large body in another.
        refusal: Some(Refusal {
            nth: 2,
            lasting: false,
            early: false,
        }),
        ..HeapConfig::default()
    }));
    session.run("(def s (make-string 100000 #\\a))");
    session.rt.heap().begin_refusals();
    let mut told = |source: &str| {
        let told = session.run(source);
        told.split_once(": \"")
            .map_or(told.clone(), |(text, _)| text.into())
    };
    let never = "! unpin!: the object is unpinned more often than it was pinned";
    assert_eq!(told("(pin! s)"), "! pin!: no memory to count the pins of");
    assert_eq!(told("(unpin! s)"), never);
    assert!(!told("(pin! s)").starts_with('!'));
    assert!(!told("(unpin! s)").starts_with("! "));
    assert_eq!(told("(unpin! s)"), never);
}
