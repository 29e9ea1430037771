//! Number texts: the grammar, values, and shortest printing in every radix.

use bowline_syntax::{IBig, Number, NumberError, RBig, real_to_string};
use proptest::prelude::*;

fn parse(text: &str) -> Number {
    Number::parse(text, 10).unwrap_or_else(|| panic!("{text} is a number"))
}

fn reason(text: &str) -> NumberError {
    Number::parse_or_reason(text, 10).expect_err(text)
}

fn real(text: &str) -> f64 {
    match parse(text) {
        Number::Real(x) => x,
        other => panic!("{text} is inexact, not {other:?}"),
    }
}

#[test]
fn integers_have_one_representation() {
    assert_eq!(parse("0"), Number::Fixnum(0));
    assert_eq!(parse("-0"), Number::Fixnum(0));
    assert_eq!(parse("+00012"), Number::Fixnum(12));
    assert_eq!(parse("9223372036854775807"), Number::Fixnum(i64::MAX));
    assert_eq!(parse("-9223372036854775808"), Number::Fixnum(i64::MIN));
    assert!(matches!(parse("9223372036854775808"), Number::Big(_)));
    assert!(matches!(parse("-9223372036854775809"), Number::Big(_)));
    assert_eq!(Number::from_integer(IBig::from(7)), Number::Fixnum(7));
    assert_eq!(Number::from_ratio(RBig::from(7)), Number::Fixnum(7));
    assert_eq!(parse("6/3"), Number::Fixnum(2));
    assert_eq!(parse("6/4"), parse("3/2"));
    assert_eq!(parse("-6/4").to_string(10), "-3/2");
    assert_eq!(parse("0/5"), Number::Fixnum(0));
}

#[test]
fn prefixes_combine_in_either_order_and_case() {
    for text in ["#x-ff", "#X-Ff", "#e#x-ff", "#x#e-ff", "#E#X-FF"] {
        assert_eq!(parse(text), Number::Fixnum(-255), "{text}");
    }
    assert_eq!(parse("#b101"), Number::Fixnum(5));
    assert_eq!(parse("#o17"), Number::Fixnum(15));
    assert_eq!(parse("#d17"), Number::Fixnum(17));
    assert_eq!(parse("#i17"), Number::Real(17.0));
    assert_eq!(parse("#i#xff/2"), Number::Real(127.5));
    assert_eq!(parse("#e1.25e1"), parse("25/2"));
    assert_eq!(parse("#e-.5"), parse("-1/2"));
    assert_eq!(parse("#e12e2"), Number::Fixnum(1200));
    assert_eq!(parse("#e0e9999999"), Number::Fixnum(0));
    assert_eq!(Number::parse("ff", 16), Some(Number::Fixnum(255)));
    assert_eq!(Number::parse("#d10", 16), Some(Number::Fixnum(10)));
    assert_eq!(Number::parse("1e2", 16), Some(Number::Fixnum(0x1e2)));
    assert_eq!(Number::parse("zz", 36), Some(Number::Fixnum(35 * 36 + 35)));
}

#[test]
fn decimals_are_rounded_correctly() {
    assert_eq!(real("1.5"), 1.5);
    assert_eq!(real(".5"), 0.5);
    assert_eq!(real("5."), 5.0);
    assert_eq!(real("1e3"), 1000.0);
    assert_eq!(real("1E+3"), 1000.0);
    assert_eq!(real("-1.5e-3"), -0.0015);
    assert_eq!(real("1e400"), f64::INFINITY);
    assert_eq!(real("1e-400"), 0.0);
    assert_eq!(real("1e99999999999999999999"), f64::INFINITY);
    assert_eq!(real("4.9e-324"), f64::from_bits(1));
    assert_eq!(real("9007199254740993.0"), 9007199254740992.0);
    assert!(real("-0.0").is_sign_negative());
    assert_eq!(real("+inf.0"), f64::INFINITY);
    assert_eq!(real("-INF.0"), f64::NEG_INFINITY);
    assert!(real("+nan.0").is_nan());
    assert!(real("-nan.0").is_nan());
    assert_eq!(real("#i1/3"), 1.0 / 3.0);
}

#[test]
fn texts_that_are_no_numbers() {
    let none = [
        "", "+", "-", ".", "...", "1.2.3", "1e", "e1", "1e+", "1/", "/2", "1/-2", "1/2.0", "inf.0",
        "nan.0", "+inf", "+inf.00", "1_000", "0x10", "1 ", " 1", "--1", "+-1", "1-", "1+", "#",
        "#x", "#e#i1", "#x#b1", "#q1", "#é", "1e1.0", "i", "1i", "1+2", "1+2j", "1@", "@1", "٣",
        "x",
    ];
    for text in none {
        assert_eq!(reason(text), NumberError::Malformed, "{text}");
        assert_eq!(Number::parse(text, 10), None, "{text}");
    }
    assert_eq!(Number::parse("12", 2), None);
    assert_eq!(Number::parse("1", 1), None);
    assert_eq!(Number::parse("1", 37), None);
}

#[test]
fn refusals_say_why() {
    for text in [
        "+i",
        "-i",
        "1+i",
        "1-2i",
        "1.5e-3+2e-4i",
        "+inf.0i",
        "1@2",
        "1/2@-3",
        "#x1+fi",
        "+1/0i",
    ] {
        assert_eq!(reason(text), NumberError::Complex, "{text}");
    }
    assert_eq!(reason("1/0"), NumberError::ZeroDenominator);
    assert_eq!(reason("#i1/0"), NumberError::ZeroDenominator);
    assert_eq!(reason("#e+inf.0"), NumberError::NotExact);
    assert_eq!(reason("#e+nan.0"), NumberError::NotExact);
    assert_eq!(reason("#e1e1000001"), NumberError::ExponentTooLarge);
    assert_eq!(reason("#e1e-1000001"), NumberError::ExponentTooLarge);
    assert_eq!(
        reason("#e1e99999999999999999999"),
        NumberError::ExponentTooLarge
    );
    let texts = [
        (NumberError::Malformed, "not a number"),
        (NumberError::Complex, "complex numbers are not supported"),
        (NumberError::ZeroDenominator, "the denominator is zero"),
        (
            NumberError::NotExact,
            "an infinity or NaN has no exact value",
        ),
        (
            NumberError::ExponentTooLarge,
            "the exponent of an exact number may not exceed 1000000",
        ),
    ];
    for (reason, text) in texts {
        assert_eq!(format!("{reason}"), text);
    }
}

#[test]
fn the_largest_exact_exponent_is_read_quickly() {
    assert_eq!(parse("#e1e1000000").to_string(10).len(), 1_000_001);
    assert!(matches!(parse("#e1e-1000000"), Number::Ratio(_)));
}

#[test]
fn long_texts_take_linear_time() {
    let digits = "7".repeat(200_000);
    assert_eq!(parse(&digits).to_string(10), digits);
    assert_eq!(
        reason(&format!("{}i", "+".repeat(1_000_000))),
        NumberError::Malformed
    );
    assert_eq!(
        reason(&format!("{}x", "1".repeat(1_000_000))),
        NumberError::Malformed
    );
    assert_eq!(real(&format!("{}.5", "1".repeat(1_000_000))), f64::INFINITY);
}

#[test]
fn reals_print_shortest_with_a_point_or_exponent() {
    let texts = [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (1.0, "1.0"),
        (-1.5, "-1.5"),
        (0.1, "0.1"),
        (100.0, "100.0"),
        (123456.789, "123456.789"),
        (1e20, "100000000000000000000.0"),
        (1e21, "1e21"),
        (1e100, "1e100"),
        (1.5e300, "1.5e300"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"),
        (1.25e-10, "1.25e-10"),
        (f64::MAX, "1.7976931348623157e308"),
        (f64::from_bits(1), "5e-324"),
        (f64::INFINITY, "+inf.0"),
        (f64::NEG_INFINITY, "-inf.0"),
        (f64::NAN, "+nan.0"),
        (-f64::NAN, "+nan.0"),
    ];
    for (x, text) in texts {
        assert_eq!(real_to_string(x, 10), text);
        assert_eq!(format!("{}", Number::Real(x)), text);
    }
}

#[test]
fn reals_print_in_other_radixes() {
    assert_eq!(real_to_string(0.5, 2), "0.1");
    assert_eq!(real_to_string(-5.25, 2), "-101.01");
    assert_eq!(real_to_string(255.5, 16), "ff.8");
    assert_eq!(real_to_string(1.0 / 3.0, 3), "0.1");
    assert_eq!(real_to_string(1e-3, 10), "0.001");
    assert_eq!(
        real_to_string(2f64.powi(100), 16),
        "10000000000000000000000000.0"
    );
    assert_eq!(real_to_string(f64::INFINITY, 2), "+inf.0");
    assert_eq!(real_to_string(0.0, 7), "0.0");
}

#[test]
fn exact_numbers_print_in_other_radixes() {
    assert_eq!(Number::Fixnum(i64::MIN).to_string(16), "-8000000000000000");
    assert_eq!(Number::Fixnum(255).to_string(2), "11111111");
    assert_eq!(parse("-255/16").to_string(16), "-ff/10");
    assert_eq!(
        parse("#x123456789abcdef0123456789").to_string(16),
        "123456789abcdef0123456789"
    );
}

#[test]
fn equality_is_eqv() {
    assert_eq!(Number::Real(f64::NAN), Number::Real(-f64::NAN));
    assert_ne!(Number::Real(0.0), Number::Real(-0.0));
    assert_ne!(Number::Real(1.0), Number::Fixnum(1));
    assert!(Number::Fixnum(1).is_exact() && !Number::Real(1.0).is_exact());
}

/// Any finite double: bit patterns, so that small, large and subnormal ones all occur.
fn finite() -> impl Strategy<Value = f64> {
    any::<u64>()
        .prop_map(f64::from_bits)
        .prop_filter("finite", |x| x.is_finite())
}

proptest! {
    #[test]
    fn reals_read_back(x in finite(), radix in 2u32..=36) {
        let text = real_to_string(x, radix);
        let back = Number::parse(&text, radix);
        prop_assert_eq!(back, Some(Number::Real(x)), "{} in radix {}", text, radix);
    }

    #[test]
    fn friendly_reals_read_back(n in -1_000_000i32..1_000_000, d in 1i32..1000, radix in 2u32..=36) {
        let x = f64::from(n) / f64::from(d);
        prop_assert_eq!(Number::parse(&real_to_string(x, radix), radix), Some(Number::Real(x)));
    }

    #[test]
    fn integers_read_back(bytes in prop::collection::vec(any::<u8>(), 0..40), negative: bool, radix in 2u32..=36) {
        let n = IBig::from(bowline_syntax::UBig::from_le_bytes(&bytes));
        let n = Number::from_integer(if negative { -n } else { n });
        prop_assert_eq!(Number::parse(&n.to_string(radix), radix), Some(n));
    }

    #[test]
    fn ratios_read_back(n: i128, d in 1u128.., radix in 2u32..=36) {
        let q = Number::from_ratio(RBig::from_parts(n.into(), d.into()));
        prop_assert_eq!(Number::parse(&q.to_string(radix), radix), Some(q));
    }

    /// The general digit generator agrees with the standard library where both apply.
    #[test]
    fn exact_decimals_round_as_the_standard_library_does(x in finite()) {
        let exact = Number::parse(&format!("#e{x:e}"), 10);
        prop_assert_eq!(exact.map(|n| n.to_f64()), Some(x + 0.0));
    }

    #[test]
    fn halfway_cases_go_to_even(bits in 1u64..0x7fe0_0000_0000_0000) {
        let (below, above) = (f64::from_bits(bits), f64::from_bits(bits + 1));
        let exact = |x: f64| RBig::try_from(x).expect("finite");
        let middle = (exact(below) + exact(above)) / RBig::from(2);
        let even = if bits % 2 == 0 { below } else { above };
        prop_assert_eq!(Number::Ratio(middle).to_f64(), even);
    }
}
