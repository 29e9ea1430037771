//! Input nested as deeply as is allowed, and more deeply: no overflow, a clear message.

use bowline_middle::passes::{self, Pass};
use bowline_middle::{Expander, InlineOp, PrimitiveInfo, STACK_BYTES, SourceLoader};
use bowline_syntax::{Diagnostic, SourceId, read_all};

struct NoLoader;

impl SourceLoader for NoLoader {
    fn library(&mut self, _name: &[String]) -> Option<(SourceId, String)> {
        None
    }

    fn include(&mut self, _path: &str, _from: SourceId) -> Result<(SourceId, String), String> {
        Err("no files here".into())
    }
}

fn primitive(name: &'static str, min_args: u8, max_args: Option<u8>) -> PrimitiveInfo {
    PrimitiveInfo {
        name,
        min_args,
        max_args,
        inline: InlineOp::by_name(name),
        control: false,
    }
}

/// Expands and compiles; how many functions came out, or the errors.
fn compile(source: &str) -> Result<usize, Vec<Diagnostic>> {
    let prims = vec![
        primitive("+", 0, None),
        primitive("list", 0, None),
        primitive("cons", 2, Some(2)),
        primitive("append", 0, None),
        primitive("list->vector", 1, Some(1)),
        primitive("vector", 0, None),
        primitive("vector-ref", 2, Some(2)),
        primitive("call-with-values", 2, Some(2)),
    ];
    let text = format!("(import (bowline primitives))\n{source}");
    let (data, faults) = read_all(SourceId(0), &text);
    if !faults.is_empty() {
        return Err(faults);
    }
    let mut expander = Expander::new(prims);
    let units = expander.expand_program(&data, &mut NoLoader)?;
    let mut functions = 0;
    for unit in units {
        let lowered = passes::lower(&mut unit.clone(), expander.primitives(), Pass::Contify);
        lowered.map_err(|error| vec![*error])?;
        let module = passes::compile(unit, expander.primitives(), expander.globals());
        functions += module.map_err(|error| vec![*error])?.functions.len();
    }
    Ok(functions)
}

/// Runs on a thread with the stack that is promised to suffice.
fn on_big_stack(body: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
    let result = thread.spawn(body).expect("a thread can be made").join();
    result.expect("the body succeeds");
}

fn nest(depth: usize, open: &str, inner: &str, close: &str) -> String {
    format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
}

/// What can be nested: opening, innermost, closing.
const FORMS: &[(&str, &str, &str)] = &[
    ("(+ 1 ", "2", ")"),
    ("(if ", "1", " 2 3)"),
    ("(let ((x ", "1", ")) x)"),
    ("(let ((x 1)) ", "x", ")"),
    ("(lambda (x) ", "x", ")"),
    ("(let () (define x 1) ", "x", ")"),
    ("(begin 1 ", "2", ")"),
    ("(let loop ((i 1)) (loop ", "i", "))"),
    ("(cond (1 ", "2", ") (else 3))"),
    ("(or 1 ", "2", ")"),
    ("(let* ((a 1) (b 2)) ", "a", ")"),
    ("(letrec ((f (lambda (x) ", "x", "))) f)"),
    ("(let-syntax () ", "1", ")"),
    ("(m ", "1", ")"),
    ("`(1 ,", "2", ")"),
    ("(", "", ")"),
];

const MACRO: &str = "(define-syntax m (syntax-rules () ((_ x) (list x 'y))))\n";

#[test]
fn a_hundred_thousand_levels_are_an_error() {
    on_big_stack(|| {
        for (open, inner, close) in FORMS {
            if open.starts_with("(begin") {
                // Spliced, not nested, at the top level.
                continue;
            }
            let source = nest(100_000, open, inner, close);
            let errors = compile(&format!("{MACRO}{source}")).expect_err(open);
            let deep = |error: &Diagnostic| error.message.contains("nested more than 10000 deep");
            assert!(errors.iter().any(deep), "{open}: {errors:?}");
        }
    });
}

#[test]
fn what_is_just_allowed_compiles() {
    on_big_stack(|| {
        for (open, inner, close) in FORMS {
            if matches!(*open, "(" | "(m ") {
                continue;
            }
            let source = nest(2_400, open, inner, close);
            let result = compile(&format!("{MACRO}{source}"));
            assert!(result.is_ok(), "{open}: {result:?}");
        }
    });
}

#[test]
fn one_call_nested_to_the_limit_compiles() {
    on_big_stack(|| {
        for (open, inner, close) in &FORMS[..5] {
            let result = compile(&nest(9_990, open, inner, close));
            assert!(result.is_ok(), "{open}: {result:?}");
        }
    });
}

#[test]
fn long_forms_are_not_deep() {
    on_big_stack(|| {
        let long = format!("(list {})", "1 ".repeat(100_000));
        assert!(compile(&long).is_ok());
        let body = format!("(begin {})", "(list 1) ".repeat(100_000));
        assert!(compile(&body).is_ok());
        let template = format!("`({})", ",(list) ".repeat(5_000));
        assert!(compile(&template).is_ok());
        let quoted = nest(100_000, "(", "", ")");
        assert!(compile(&format!("'{quoted}")).is_ok());
        let data = format!("'({})", "a ".repeat(100_000));
        assert!(compile(&data).is_ok());
    });
}

/// `count` pieces, each made from its number.
fn many(count: usize, piece: impl Fn(usize) -> String) -> String {
    (0..count).map(piece).collect()
}

/// Forms that bind `count` variables, which core binds one inside the other.
fn long_forms(count: usize) -> Vec<(&'static str, String)> {
    let names = many(count, |i| format!("x{i} "));
    // Neither constants nor quiet, so that every binding stays.
    let args = "(list) ".repeat(count);
    let pairs = many(count, |i| format!("(x{i} (list)) "));
    let defines = many(count, |i| format!("(define x{i} (list)) "));
    let all = format!("(list {names})");
    vec![
        ("let", format!("(let ({pairs}) {all})")),
        ("named let", format!("(let loop ({pairs}) {all})")),
        ("let*", format!("(let* ({pairs}) {all})")),
        ("letrec", format!("(letrec ({pairs}) {all})")),
        ("letrec*", format!("(letrec* ({pairs}) {all})")),
        ("define", format!("(let () {defines} {all})")),
        ("define a procedure", {
            let procedures = many(count, |i| format!("(define (x{i}) x{i}) "));
            format!("(lambda () {procedures} {all})")
        }),
        ("effects", format!("(let () {args} (define y 1) (list y))")),
        ("lambda", format!("((lambda ({names}) {all}) {args})")),
        (
            "lambda with a name",
            format!("(let ((f (lambda ({names}) {all}))) (f {args}))"),
        ),
        (
            "define-values",
            format!("(let () (define-values ({names}) (list)) {all})"),
        ),
    ]
}

#[test]
fn long_bindings_count_as_nesting() {
    on_big_stack(|| {
        for (form, source) in long_forms(20_000) {
            let errors = compile(&source).expect_err(form);
            let deep = "forms are nested more than 10000 deep here";
            assert_eq!(errors[0].message, deep, "{form}");
            let note = "each variable or clause of a form counts as a form around the next one";
            assert_eq!(errors[0].notes, [note], "{form}");
        }
    });
}

#[test]
fn bindings_up_to_the_limit_compile() {
    on_big_stack(|| {
        for (form, source) in long_forms(4_900) {
            let result = compile(&source);
            assert!(result.is_ok(), "{form}: {result:?}");
        }
    });
}

#[test]
fn long_bindings_count_wherever_they_are_nested() {
    on_big_stack(|| {
        let pairs = many(999, |i| format!("(x{i} (list)) "));
        let defines = many(1_000, |i| format!("(define x{i} (list)) "));
        let args = "(list) ".repeat(999);
        let names = many(1_000, |i| format!("x{i} "));
        let forms = [
            // In the body, in the last value, after definitions, in the last argument.
            (format!("(let ({pairs}) "), ")".to_owned()),
            (format!("(let ({pairs} (x "), ")) x)".to_owned()),
            (format!("(let () {defines} "), ")".to_owned()),
            (format!("((lambda ({names}) x0) {args}"), ")".to_owned()),
        ];
        for (open, close) in forms {
            let result = compile(&nest(4, &open, "1", &close));
            assert!(result.is_ok(), "{close}: {result:?}");
            assert!(compile(&nest(12, &open, "1", &close)).is_err(), "{close}");
        }
    });
}

/// Procedures of which each calls the one before, `depth` forms deep inside: so many as nest to
/// `levels` if they are moved into each other.
fn moved(levels: usize, depth: usize, call: &str, define: &str) -> String {
    let procedures = many(levels / depth, |i| {
        let before = match i {
            0 => "(list)".to_owned(),
            _ => call.replace('#', &(i - 1).to_string()),
        };
        let body = nest(depth, "(+ 1 ", &before, ")");
        define.replace('#', &i.to_string()).replace("BODY", &body)
    });
    let last = (levels / depth - 1).to_string();
    format!("(let () {procedures} {})", call.replace('#', &last))
}

/// Procedures that are called once, and loops.
const MOVED: [(&str, &str); 2] = [
    ("(f#)", "(define (f#) BODY)\n"),
    ("(f# 1)", "(define (f# k) (if (list k) BODY (f# 2)))\n"),
];

#[test]
fn procedures_are_not_moved_into_each_other_without_end() {
    on_big_stack(|| {
        for (call, define) in MOVED {
            let errors = compile(&moved(160_000, 4_000, call, define)).expect_err(define);
            let message = "procedures that are called once are nested too deeply here";
            assert_eq!(errors[0].message, message);
            let note = "each is compiled as a part of the one that calls it";
            assert_eq!(errors[0].notes, [note]);
            assert!(!errors[0].primary.is_none(), "{define}");
        }
    });
}

#[test]
fn procedures_moved_just_as_deeply_as_allowed_compile() {
    on_big_stack(|| {
        for (call, define) in MOVED {
            let result = compile(&moved(56_000, 4_000, call, define));
            assert!(result.is_ok(), "{define}: {result:?}");
        }
    });
}
