//! Every scalar type at its limits, both ways.

use crate::toy::{Leave, Toy, double, function, integer};
use bowline_ffi::CType;
use bowline_layout::Value;

pub(crate) const TRIALS: &[crate::Body] = &[
    ("every_register", every_register),
    ("integer_limits", limits),
    ("integer_limits_through_callbacks", limits_through_callbacks),
    ("floats", floats),
    ("floats_through_callbacks", floats_through_callbacks),
    ("booleans", booleans),
    ("exact_numbers_as_floats", exact_as_floats),
    ("twelve_arguments", twelve_arguments),
    ("promotions", promotions),
];

fn integer_types() -> impl Iterator<Item = (&'static str, i128, i128)> {
    CType::NAMED.iter().filter_map(|(name, ctype)| {
        let (low, high) = ctype.repr().range()?;
        Some((*name, low, high))
    })
}

/// Values worth a look: the limits of every width and of the fixnums, and their neighbours.
fn samples() -> Vec<i128> {
    let mut out = vec![0, 1, -1];
    for bits in [7, 8, 15, 16, 31, 32, 61, 62, 63, 64] {
        for edge in [1i128 << bits, -(1i128 << bits)] {
            out.extend([edge - 1, edge, edge + 1]);
        }
    }
    out
}

fn make(toy: &mut Toy, n: i128) -> Option<Value> {
    (n.unsigned_abs() <= u128::from(u64::MAX)).then(|| toy.integer(n))
}

fn limits() {
    let mut toy = Toy::start();
    for (name, low, high) in integer_types() {
        let id = function(&format!("id_{name}"), &format!("({name})"), name);
        for n in samples() {
            let Some(v) = make(&mut toy, n) else {
                continue;
            };
            if (low..=high).contains(&n) {
                let back = toy.value(&id, &[v]);
                assert_eq!(integer(back), n, "{name}");
            } else {
                assert_eq!(
                    toy.error(&id, &[v]),
                    format!(
                        "argument 1 of `id_{name}` has type {name}: {n} is not between {low} and {high}"
                    )
                );
            }
        }
    }
}

fn limits_through_callbacks() {
    let mut toy = Toy::start();
    // The callback checks what it gets by sending it back: C returns what the procedure returned.
    let same = toy.procedure("same", 1, |toy, args| Ok(toy.mutator.get(args.start)));
    toy.mutator.push(same);
    for (name, low, high) in integer_types() {
        let via = function(
            &format!("via_{name}"),
            &format!("((callback ({name}) {name}) {name})"),
            name,
        );
        for n in [low, low + 1, 0, 1, high - 1, high] {
            let v = toy.integer(n);
            let same = toy.mutator.get(0);
            let back = toy.value(&via, &[same, v]);
            assert_eq!(integer(back), n, "{name}");
        }
        for n in [low - 1, high + 1] {
            let Some(v) = make(&mut toy, n) else {
                continue;
            };
            toy.mutator.push(v);
            let wrong = toy.procedure("wrong", 1, |toy, _| Ok(toy.mutator.get(1)));
            let returned = toy.call_inside(&via, &[wrong, Value::fixnum(0)]);
            toy.mutator.truncate(1);
            let message = format!(
                "the result of the callback that is argument 1 of `via_{name}` has type {name}: \
                 {n} is not between {low} and {high}"
            );
            assert_eq!(returned, Err(Leave::Call(message)));
        }
    }
}

const DOUBLES: [f64; 8] = [
    0.0,
    -0.0,
    1.5,
    f64::MIN,
    f64::MAX,
    f64::MIN_POSITIVE,
    f64::INFINITY,
    5e-324,
];

fn floats() {
    let mut toy = Toy::start();
    let (id_double, id_float) = (
        function("id_double", "(double)", "double"),
        function("id_float", "(float)", "float"),
    );
    for x in DOUBLES {
        let v = toy.flonum(x);
        let back = toy.value(&id_double, &[v]);
        assert_eq!(double(back).to_bits(), x.to_bits());
        let v = toy.flonum(x);
        let back = toy.value(&id_float, &[v]);
        assert_eq!(double(back), f64::from(x as f32));
    }
    let nan = toy.flonum(f64::NAN);
    let back = toy.value(&id_double, &[nan]);
    assert!(double(back).is_nan());
}

fn floats_through_callbacks() {
    let mut toy = Toy::start();
    let same = toy.procedure("same", 1, |toy, args| Ok(toy.mutator.get(args.start)));
    toy.mutator.push(same);
    for name in ["double", "float"] {
        let via = function(
            &format!("via_{name}"),
            &format!("((callback ({name}) {name}) {name})"),
            name,
        );
        for x in DOUBLES {
            let v = toy.flonum(x);
            let same = toy.mutator.get(0);
            let back = toy.value(&via, &[same, v]);
            let expected = if name == "float" {
                f64::from(x as f32)
            } else {
                x
            };
            assert_eq!(double(back).to_bits(), expected.to_bits());
        }
    }
}

fn booleans() {
    let mut toy = Toy::start();
    let id = function("id_bool", "(bool)", "bool");
    for v in [Value::TRUE, Value::fixnum(0), Value::NIL, Value::char('a')] {
        assert_eq!(toy.value(&id, &[v]), Value::TRUE);
    }
    assert_eq!(toy.value(&id, &[Value::FALSE]), Value::FALSE);
    let via = function("via_bool", "((callback (bool) bool) bool)", "bool");
    let not = toy.procedure("not", 1, |toy, args| {
        Ok(Value::bool(!toy.mutator.get(args.start).is_true()))
    });
    toy.mutator.push(not);
    for (v, expected) in [(Value::TRUE, Value::FALSE), (Value::FALSE, Value::TRUE)] {
        let not = toy.mutator.get(0);
        assert_eq!(toy.value(&via, &[not, v]), expected);
    }
}

fn bignum(toy: &mut Toy, negative: bool, limbs: &[u64]) -> Value {
    use bowline_gc::access;
    use bowline_layout::{Tag, bignum};
    let v = toy
        .mutator
        .alloc(bignum::header(limbs.len()), Tag::Object)
        .expect("room");
    // SAFETY: fresh, and the words are raw.
    unsafe { access::set_word(v, bignum::SIGN, u64::from(negative)) };
    for (i, limb) in limbs.iter().enumerate() {
        // SAFETY: as above.
        unsafe { access::set_word(v, bignum::LIMBS + i, *limb) };
    }
    v
}

fn exact_as_floats() {
    let mut toy = Toy::start();
    let (id_double, id_float) = (
        function("id_double", "(double)", "double"),
        function("id_float", "(float)", "float"),
    );
    for n in samples() {
        let Some(v) = make(&mut toy, n) else {
            continue;
        };
        let back = toy.value(&id_double, &[v]);
        assert_eq!(double(back), n as f64);
        let v = toy.integer(n);
        let back = toy.value(&id_float, &[v]);
        assert_eq!(double(back), f64::from(n as f32));
    }
    // Several limbs: a tie that only the lowest bit breaks, and what no double can hold.
    let tie = [1, 1 << 10 | 1 << 63, 1 << 63];
    for (limbs, expected) in [
        (&[0, 1][..], 2f64.powi(64)),
        (
            &[1, 1 << 63 | 1 << 10],
            2f64.powi(127) * (1.0 + f64::EPSILON),
        ),
        (&[0, 1 << 63 | 1 << 10], 2f64.powi(127)),
        (&tie, 2f64.powi(191)),
        (&[u64::MAX; 17], f64::INFINITY),
    ] {
        for negative in [false, true] {
            let v = bignum(&mut toy, negative, limbs);
            let back = toy.value(&id_double, &[v]);
            let expected = if negative { -expected } else { expected };
            assert_eq!(double(back), expected, "{limbs:x?}");
        }
    }
    // Through a double this one would be rounded twice: up to the tie, then away from it.
    let v = bignum(&mut toy, false, &[1, 1 << 63 | 1 << 39]);
    let back = toy.value(&id_float, &[v]);
    assert_eq!(
        double(back),
        2f64.powi(127) * (1.0 + f64::from(f32::EPSILON))
    );
    // A number that only the language knows.
    let v = toy.half(3);
    let back = toy.value(&id_double, &[v]);
    assert_eq!(double(back), 1.5);
    let v = toy.half(3);
    let back = toy.value(&id_float, &[v]);
    assert_eq!(double(back), 1.5);
    // No integer type takes more than 64 bits.
    let v = bignum(&mut toy, true, &[1, 1]);
    toy.mutator.push(v);
    let id = function("id_int64", "(int64)", "int64");
    let v = toy.mutator.get(0);
    assert_eq!(
        toy.error(&id, &[v]),
        "argument 1 of `id_int64` has type int64: a large integer is not between \
         -9223372036854775808 and 9223372036854775807"
    );
}

fn twelve_arguments() {
    let mut toy = Toy::start();
    let twelve = function(
        "twelve",
        "(int8 double uint16 float int32 double uint64 float long double bool double)",
        "double",
    );
    let mut args = Vec::new();
    for i in 0..12 {
        let v = if i % 2 == 1 {
            toy.flonum(f64::from(i) + 0.5)
        } else {
            Value::fixnum(i.into())
        };
        toy.mutator.push(v);
        args.push(i);
    }
    let returned = bowline_ffi::call(&twelve, &mut toy, 0..12).expect("called");
    let mut expected = 0.0;
    for i in 0..12 {
        let x = if i % 2 == 1 {
            f64::from(i) + 0.5
        } else {
            f64::from(i)
        };
        // `_Bool` makes 1 of 10.
        expected += f64::from(i + 1) * if i == 10 { 1.0 } else { x };
    }
    assert_eq!(double(returned.value), expected);
}

fn promotions() {
    let mut toy = Toy::start();
    let sum = function(
        "sum",
        "(string ... int8 uint8 bool short ushort char float long double string)",
        "double",
    );
    let types = toy.string("iiiiiidlds");
    toy.mutator.push(types);
    let x = toy.flonum(0.25);
    toy.mutator.push(x);
    let s = toy.string("four");
    let n = Value::fixnum;
    let (types, x) = (toy.mutator.get(0), toy.mutator.get(1));
    let args = [
        types,
        n(-128),
        n(255),
        Value::TRUE,
        n(-32_768),
        n(65_535),
        n(-1),
        x,
        n(1 << 40),
        x,
        s,
    ];
    let total = toy.value(&sum, &args);
    let expected = -128 + 255 + 1 - 32_768 + 65_535 - 1 + (1i64 << 40) + 4;
    assert_eq!(double(total), expected as f64 + 0.5);
}

/// Integers and floating-point numbers among each other, as many as there are registers, and more.
fn every_register() {
    let mut toy = Toy::start();
    let mixed =
        "int8 float int64 double uint16 float int double long double bool float double float";
    let values = [-3i64, 5, -7, 11, 13, 17, -19, 23, 29, 31, 1, 37, 41, 43];
    let weighted = |values: &[i64]| {
        let terms = values.iter().enumerate();
        terms.map(|(i, value)| value << i).sum::<i64>()
    };
    // The `bool` is true, which is 1.
    let mut args: Vec<Value> = values.iter().map(|n| Value::fixnum(*n)).collect();
    args[10] = Value::TRUE;
    let expected = weighted(&values);
    for (name, result) in [
        ("mix_to_double", "double"),
        ("mix_to_float", "float"),
        ("mix_to_integer", "int64"),
    ] {
        let function = function(name, &format!("({mixed})"), result);
        let got = toy.value(&function, &args);
        match result {
            "int64" => assert_eq!(integer(got), i128::from(expected)),
            _ => assert_eq!(double(got), expected as f64, "{name}"),
        }
    }
    args.push(Value::fixnum(47));
    for (name, more) in [("mix_one_more", "long"), ("mix_one_more_float", "double")] {
        let function = function(name, &format!("({mixed} {more})"), "double");
        let got = double(toy.value(&function, &args));
        assert_eq!(got, (expected + (47 << 14)) as f64, "{name}");
    }
    let six = function(
        "integers_to_float",
        "(int8 uint8 int16 uint16 int uint)",
        "float",
    );
    let args = [-128, 255, -32_768, 65_535, -1, 7].map(Value::fixnum);
    assert_eq!(double(toy.value(&six, &args)), 32_900.0);
    let five = function("five_integers", "(int8 int64 uint8 int short)", "int64");
    let args = [-1, -2, 255, -4, -5].map(Value::fixnum);
    assert_eq!(
        integer(toy.value(&five, &args)),
        -1 - 20 + 25_500 - 4000 - 50_000
    );
}
