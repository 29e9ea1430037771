//! Structs by value: what a C compiler makes of structs that nobody has thought of.
//!
//! A sequence of pseudo-random structs of every size and class is compiled together with C functions that take and
//! give them; every byte of every field must arrive, behind few and behind many other arguments, in the variable
//! part, and through callbacks both ways.

use crate::toy::{Leave, Toy, double, integer, read_fields, signature_in};
use bowline_ffi::{
    CType, ForeignFunction, Library, StructType, make_pointer, memory, pointer_address,
    pointer_target, set_pointer_target,
};
use bowline_gc::OwnerLabel;
use bowline_layout::Value;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

pub(crate) const TRIALS: &[crate::Body] = &[
    ("structs_by_value", generated),
    ("struct_errors_by_value", errors),
    ("struct_callback_left", left),
];

/// How many structs.
const STRUCTS: usize = 60;

/// Numbers that look random: a linear congruential generator (Knuth, "The Art of Computer Programming", 3.3.4).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: usize) -> usize {
        let (factor, addend) = (6_364_136_223_846_793_005, 1_442_695_040_888_963_407);
        self.0 = self.0.wrapping_mul(factor).wrapping_add(addend);
        (self.0 >> 33) as usize % n
    }
}

const SCALARS: [(&str, &str); 9] = [
    ("int8", "int8_t"),
    ("uint16", "uint16_t"),
    ("int32", "int32_t"),
    ("int64", "int64_t"),
    ("float", "float"),
    ("float", "float"),
    ("double", "double"),
    ("pointer", "void *"),
    ("bool", "unsigned char"),
];

/// The fields of a struct as the program writes them, and as C does. Earlier structs may be among them.
fn fields(numbers: &mut Numbers, known: usize) -> (String, String) {
    let (mut ours, mut cs) = (String::from("("), String::new());
    for i in 0..1 + numbers.below(5) {
        let (scalar, c) = SCALARS[numbers.below(SCALARS.len())];
        match numbers.below(8) {
            0 if known > 0 => {
                let inner = numbers.below(known);
                let _ = write!(ours, "(f{i} (struct s{inner}))");
                let _ = write!(cs, " struct s{inner} f{i};");
            }
            1 => {
                let count = 1 + numbers.below(4);
                let _ = write!(ours, "(f{i} (array {scalar} {count}))");
                let _ = write!(cs, " {c} f{i}[{count}];");
            }
            _ => {
                let _ = write!(ours, "(f{i} {scalar})");
                let _ = write!(cs, " {c} f{i};");
            }
        }
    }
    (ours + ")", cs)
}

/// The C functions for struct `i`.
fn functions(i: usize) -> String {
    format!(
        "void early{i}(int a, struct s{i} s, double b, struct s{i} *to) {{ *to = s; check(a, b); }}
         void late{i}(long a, long b, long c, long d, long e, double x, struct s{i} s, struct s{i} *to)
         {{ *to = s; check((int)(a + b + c + d + e), x); }}
         struct s{i} give{i}(const struct s{i} *from) {{ return *from; }}
         struct s{i} via{i}(struct s{i} (*f)(struct s{i}, int), struct s{i} s) {{ return f(s, 7); }}
         struct s{i} enve{i}(struct s{i} (*f)(struct s{i}, void *, int), void *env, struct s{i} s) {{ return f(s, env, 7); }}
         struct s{i} crowd{i}(struct s{i} (*f)(long, long, double, float, double, double, void *, struct s{i}, int, long),
             void *env, struct s{i} s)
         {{ return f(1, 2, 1.5, 2.5f, 3.5, 4.5, env, s, 7, 8); }}
         void vary{i}(struct s{i} *to, ...)
         {{ va_list args; va_start(args, to); check(va_arg(args, int), 2.5); *to = va_arg(args, struct s{i}); va_end(args); }}\n"
    )
}

fn library(source: &str) -> Arc<Library> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let stem = directory.join(format!("byvalue-{}", std::process::id()));
    let (c, so) = (stem.with_extension("c"), stem.with_extension("so"));
    std::fs::write(&c, source).expect("can be written");
    crate::compile(std::slice::from_ref(&c), &so);
    let library = Library::open(so.to_str()).expect("was compiled");
    let _ = std::fs::remove_file(c);
    let _ = std::fs::remove_file(so);
    library
}

/// The offsets of a type's bytes that are no padding.
fn bytes_of(ctype: &CType, at: usize, all: &mut Vec<usize>) {
    match ctype {
        CType::Struct(structure) => {
            for field in &structure.layout().expect("it is defined").fields {
                bytes_of(&field.ctype, at + field.offset, all);
            }
        }
        CType::Array(array) => {
            let step = array.element.size().expect("it has one");
            (0..array.count).for_each(|i| bytes_of(&array.element, at + i * step, all));
        }
        _ => all.extend(at..at + ctype.size().expect("it has one")),
    }
}

struct Case {
    structure: Arc<StructType>,
    bytes: Vec<usize>,
}

impl Case {
    fn new(structure: Arc<StructType>) -> Case {
        let mut bytes = Vec::new();
        bytes_of(&CType::Struct(structure.clone()), 0, &mut bytes);
        Case { structure, bytes }
    }

    fn size(&self) -> usize {
        self.structure.layout().expect("it is defined").size
    }

    /// A new struct whose bytes are a pattern; pushed.
    fn make(&self, toy: &mut Toy, seed: usize) {
        let label = OwnerLabel::default();
        let v = toy.mutator.foreign_memory(self.size(), true, label);
        let v = v.expect("room");
        set_pointer_target(v, self.structure.number());
        let content: Vec<u8> = (0..self.size()).map(|i| pattern(i, seed)).collect();
        memory::copy_in(pointer_address(v).expect("a pointer"), &content);
        toy.mutator.push(v);
    }

    fn check(&self, v: Value, seed: usize, what: &str) {
        assert_eq!(pointer_target(v), self.structure.number());
        let mut content = vec![0; self.size()];
        memory::copy_out(pointer_address(v).expect("a pointer"), &mut content);
        for &i in &self.bytes {
            assert_eq!(content[i], pattern(i, seed), "byte {i} of {what}");
        }
    }
}

/// Never the bits of a number that is none, which a move may change.
fn pattern(i: usize, seed: usize) -> u8 {
    (i * 37 + seed * 11 + 1) as u8 & 0x3f
}

fn generated() {
    let mut toy = Toy::start();
    let mut numbers = Numbers(20);
    let mut source = String::from(
        "#include <stdarg.h>\n#include <stdint.h>\n#include <stdlib.h>\n
         static void check(int a, double b) { if (a != 15 || b != 2.5) abort(); }\n",
    );
    let mut cases = Vec::new();
    for i in 0..STRUCTS {
        let (ours, cs) = fields(&mut numbers, i);
        let _ = writeln!(source, "struct s{i} {{{cs} }};\n{}", functions(i));
        cases.push(Case::new(toy.define(&format!("s{i}"), &ours)));
    }
    let sizes: Vec<usize> = cases.iter().map(Case::size).collect();
    assert!(sizes.iter().any(|&n| n <= 8) && sizes.iter().any(|&n| n > 32));
    assert!(sizes.iter().any(|&n| 8 < n && n <= 16) && sizes.iter().any(|&n| 16 < n && n <= 32));
    let library = library(&source);
    for (i, case) in cases.iter().enumerate() {
        trip(&mut toy, &library, i, case);
    }
}

/// Struct `i` there and back in every way.
fn trip(toy: &mut Toy, library: &Arc<Library>, i: usize, case: &Case) {
    let mut function = |name: &str, params: &str, result: &str| {
        let params = params.replace('S', &format!("(struct s{i})"));
        let result = result.replace('S', &format!("(struct s{i})"));
        let signature = signature_in(&mut toy.types, &params, &result);
        let symbol = format!("{name}{i}");
        ForeignFunction::new(&symbol, library, &symbol, signature).expect("is there")
    };
    let early = function("early", "(int S double (pointer S))", "void");
    let late = function(
        "late",
        "(long long long long long double S (out S))",
        "void",
    );
    let give = function("give", "((pointer S))", "S");
    let via = function("via", "((callback (S int) S) S)", "S");
    let with_env = function("enve", "((callback/env (S env int) S) env S)", "S");
    let crowded = "((callback/env (long long double float double double env S int long) S) env S)";
    let crowded = function("crowd", crowded, "S");
    let vary = function("vary", "((out S) ... int S)", "void");
    let base = toy.mutator.len();
    case.make(toy, 1);
    case.make(toy, 2);
    let half = toy.flonum(2.5);
    let (s, to) = (toy.mutator.get(base), toy.mutator.get(base + 1));
    toy.value(&early, &[Value::fixnum(15), s, half, to]);
    case.check(toy.mutator.get(base + 1), 1, "early");
    let half = toy.flonum(2.5);
    let mut args = vec![Value::fixnum(3); 5];
    args.extend([half, toy.mutator.get(base)]);
    case.check(toy.values(&late, &args)[1], 1, "late");
    let s = toy.mutator.get(base);
    case.check(toy.value(&give, &[s]), 1, "give");
    let s = toy.mutator.get(base);
    case.check(toy.values(&vary, &[Value::fixnum(15), s])[1], 1, "vary");
    let (number, size) = (case.structure.number(), case.size());
    let back = move |toy: &mut Toy, at: usize| {
        assert_eq!(integer(toy.mutator.get(at + 1)), 7);
        let v = toy.mutator.get(at);
        assert_eq!(pointer_target(v), number);
        let bytes = pointer_address(v).expect("a pointer");
        let mut content = vec![0; size];
        memory::copy_out(bytes, &mut content);
        let first = usize::from(content[0] & 0x3f);
        assert_eq!(first, usize::from(pattern(0, 1)));
        toy.churn();
        let content: Vec<u8> = (0..size).map(|i| pattern(i, 5)).collect();
        memory::copy_in(bytes, &content);
        Ok(toy.mutator.get(at))
    };
    for (f, what) in [(via, "via"), (with_env, "enve"), (crowded, "crowd")] {
        let back = match what {
            "crowd" => toy.procedure("back", 9, move |toy, args| {
                let whole = [(0, 1), (1, 2), (8, 8)];
                let arg = |toy: &Toy, i: usize| toy.mutator.get(args.start + i);
                assert!(whole.iter().all(|(i, n)| integer(arg(toy, *i)) == *n));
                let reals = [(2, 1.5), (3, 2.5), (4, 3.5), (5, 4.5)];
                assert!(reals.iter().all(|(i, x)| double(arg(toy, *i)) == *x));
                back(toy, args.start + 6)
            }),
            _ => toy.procedure("back", 2, move |toy, args| back(toy, args.start)),
        };
        let s = toy.mutator.get(base);
        case.check(toy.value(&f, &[back, s]), 5, what);
        case.check(toy.mutator.get(base), 1, "what was passed");
    }
    toy.mutator.truncate(base);
}

fn errors() {
    let mut toy = Toy::start();
    let point = Case::new(toy.define("point", "((x int) (y double))"));
    toy.define("other", "((x int))");
    let same = toy.function("point_by_value", "((struct point))", "(struct point)");
    let wrong = "argument 1 of `point_by_value` has type (struct point): expected a pointer to such a struct, got";
    let error = toy.error(&same, &[Value::FALSE]);
    assert_eq!(
        error,
        format!("{wrong} Value(#f)").replace("Value(#f)", &format!("{:?}", Value::FALSE))
    );
    let null = make_pointer(&mut toy.mutator, 0).expect("room");
    assert_eq!(toy.error(&same, &[null]), format!("{wrong} #<pointer>"));
    let height = toy.mutator.len();
    point.make(&mut toy, 3);
    let s = toy.mutator.get(height);
    point.check(toy.value(&same, &[s]), 3, "same");
    // What does not say what it points to is believed, as for `(pointer (struct point))`.
    let address = pointer_address(toy.mutator.get(height)).expect("a pointer");
    let plain = make_pointer(&mut toy.mutator, address).expect("room");
    point.check(toy.value(&same, &[plain]), 3, "plain");
    toy.mutator.truncate(height);
    let mut refused = |fields: &str| {
        let fields = read_fields(fields);
        toy.types
            .define("odd", &fields, true)
            .expect("a definition");
        let odd = bowline_ffi::TypeExpr::List(vec![
            bowline_ffi::TypeExpr::name("struct"),
            bowline_ffi::TypeExpr::name("odd"),
        ]);
        let void = bowline_ffi::TypeExpr::name("void");
        bowline_ffi::Signature::parse(&[odd], &void, &mut toy.types).map(|_| ())
    };
    let open = refused("((n int) (rest (array char 0)))").expect_err("it is not whole");
    assert_eq!(
        open.to_string(),
        "(struct odd) cannot be a parameter: it has an array whose length only the program knows; use `(pointer (struct odd))`"
    );
    if cfg!(target_arch = "x86_64") {
        assert_eq!(refused("((bytes (array char 100000)))"), Ok(()));
    }
}

/// A callback that is left gives zeros, and one that gives something else an error.
fn left() {
    let mut toy = Toy::start();
    toy.define("point", "((x int) (y double))");
    let sum = toy.function(
        "point_of_callback",
        "((callback (int) (struct point)))",
        "int",
    );
    let leave = toy.procedure("leave", 1, |_, _| Err(Leave::Raise("left".into())));
    let error = toy.call_inside(&sum, &[leave]);
    assert_eq!(error, Err(Leave::Raise("left".into())));
    let wrong = toy.procedure("wrong", 1, |_, _| Ok(Value::fixnum(1)));
    let Err(Leave::Call(text)) = toy.call_inside(&sum, &[wrong]) else {
        panic!("a number is no struct");
    };
    assert_eq!(
        text,
        "the result of the callback that is argument 1 of `point_of_callback` has type (struct point): \
         expected a pointer to such a struct, got 1"
    );
}
