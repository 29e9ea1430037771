//! Every fault as a condition, those too that only an engine makes.

use bowline_gc::{HeapConfig, Zeal};
use bowline_layout::Value;
use bowline_runtime::{CodeInfo, EXTRA, Fault, KIND, Rt, kinds, object, printer};

use crate::runtime;

pub(crate) fn run() {
    let mut rt = runtime(HeapConfig {
        zeal: Zeal::Allocation(1),
        verify: true,
        limit: Some(64 << 20),
        ..HeapConfig::default()
    });
    calls(&mut rt);
    variables(&mut rt);
    system(&mut rt);
    ready_made(&mut rt);
    procedures(&mut rt);
}

/// The condition's kind and text are these, and the stack is as high as before.
fn check(rt: &mut Rt, fault: Fault, kind: &str, text: &str) -> Value {
    let height = rt.height();
    let condition = rt.condition_of(Box::new(fault));
    assert_eq!(rt.height(), height);
    assert_eq!(rt.symbol_name(object::field(condition, KIND)), kind);
    assert_eq!(rt.describe(condition), text);
    condition
}

fn list(rt: &mut Rt) -> Value {
    rt.cons(Value::fixnum(1), Value::NIL).expect("room")
}

fn calls(rt: &mut Rt) {
    let got = list(rt);
    check(
        rt,
        Fault::NotProcedure { got, args: 2 },
        "not-procedure",
        "called an object that is not a procedure: (1)",
    );
    for (min, max, text) in [
        (2, Some(2), "expected 2 values, but got 1"),
        (0, Some(0), "expected no values, but got 1"),
        (3, None, "expected at least 3 values, but got 1"),
    ] {
        check(rt, Fault::Values { got: 1, min, max }, "arity", text);
    }
    let cons = rt.primitives.iter().position(|p| p.name == "cons");
    let index = cons.expect("cons") as u16;
    for (min, max, takes) in [
        (0, Some(0), "no arguments"),
        (1, Some(1), "1 argument"),
        (2, Some(2), "2 arguments"),
        (1, Some(3), "1 to 3 arguments"),
        (1, None, "at least 1 argument"),
        (2, None, "at least 2 arguments"),
    ] {
        let procedure = rt.make_primitive(index).expect("room");
        let text = format!("procedure `cons` takes {takes}, but was called with 9");
        let fault = Fault::Arity {
            procedure,
            got: 9,
            min,
            max,
        };
        check(rt, fault, "arity", &text);
    }
    let blamed = list(rt);
    let fault = Fault::Control {
        message: "the continuation is over:".into(),
        irritants: vec![blamed],
    };
    check(rt, fault, "control", "the continuation is over: (1)");
}

fn variables(rt: &mut Rt) {
    let name = || "x".to_string();
    let text = "the variable `x` has no value yet";
    let condition = check(rt, Fault::Unbound { name: name() }, "unbound", text);
    let extra = printer::print(rt, object::field(condition, EXTRA), printer::Mode::Write);
    assert_eq!(extra, "\"x\"");
    let text = "the variable `x` is used before its initialisation";
    check(rt, Fault::Uninitialised { name: name() }, "unbound", text);
}

fn system(rt: &mut Rt) {
    let fault = Fault::Io {
        who: "read-char",
        errno: libc_enospc(),
    };
    check(rt, fault, "io", "read-char: No space left on device");
    let who = rt.intern("c-open").expect("room");
    let fault = Fault::System { who, errno: 2 };
    check(rt, fault, "system", "c-open: No such file or directory");
    let fault = Fault::Read {
        message: "read: odd".into(),
    };
    check(rt, fault, "read", "read: odd");
}

fn libc_enospc() -> i32 {
    bowline_runtime::errno::number("ENOSPC").expect("a Linux error")
}

fn ready_made(rt: &mut Rt) {
    let text = "out of memory: the heap is full";
    let first = check(rt, Fault::OutOfMemory, "out-of-memory", text);
    // inv:condition.ready: the very same object each time, wherever it has moved.
    assert_eq!(first, rt.condition_of(Box::new(Fault::OutOfMemory)));
    let object = list(rt);
    let raised = Fault::Raise {
        object,
        continuable: true,
    };
    assert_eq!(rt.condition_of(Box::new(raised)), object);
    let made = check(
        rt,
        Fault::DivideByZero { who: "/" },
        "divide",
        "/: division by zero",
    );
    assert_eq!(rt.condition_of(Box::new(Fault::Condition(made))), made);
}

/// Procedures print by what the engine has told of their code.
fn procedures(rt: &mut Rt) {
    rt.code.register(
        7,
        CodeInfo {
            name: Some("area".into()),
            min: 1,
            max: Some(2),
            place: bowline_syntax::Span::NONE,
        },
    );
    let shown = |rt: &Rt, v: Value| printer::print(rt, v, printer::Mode::Write);
    let named = rt.make_procedure(kinds::CLOSURE, 7, &[]).expect("room");
    assert_eq!(shown(rt, named), "#<procedure area>");
    assert!(rt.procedure_accepts(named, 2) && !rt.procedure_accepts(named, 3));
    let nameless = rt.make_procedure(kinds::CLOSURE, 8, &[]).expect("room");
    assert_eq!(shown(rt, nameless), "#<procedure>");
    assert!(rt.procedure_accepts(nameless, 3));
    let clause = rt.make_procedure(kinds::CLOSURE, 7, &[]).expect("room");
    let cases = rt
        .make_procedure(kinds::CASE_LAMBDA, 9, &[clause])
        .expect("room");
    assert!(rt.procedure_accepts(cases, 1) && !rt.procedure_accepts(cases, 0));
    assert_eq!(rt.procedure_arity(cases), Some((1, Some(2))));
    let kont = rt.make_procedure(kinds::KONT, 9, &[]).expect("room");
    assert_eq!(shown(rt, kont), "#<continuation>");
    assert!(rt.procedure_accepts(kont, 5));
}
