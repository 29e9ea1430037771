//! Whatever can be written reads back as an equal datum.

use std::rc::Rc;

use bowline_syntax::{Datum, DatumKind, IBig, Number, RBig, Span, Symbol, read_all, write};
use proptest::prelude::*;

use crate::SOURCE;

fn number() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<i64>().prop_map(Number::Fixnum),
        any::<i128>().prop_map(|n| Number::from_integer(IBig::from(n) * IBig::from(i64::MAX))),
        (any::<i64>(), 1u64..)
            .prop_map(|(n, d)| Number::from_ratio(RBig::from_parts(n.into(), d.into()))),
        any::<f64>().prop_map(Number::Real),
        any::<u64>().prop_map(|bits| Number::Real(f64::from_bits(bits))),
    ]
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z!?*<>=/+.@-]{0,6}",
        "[-+.]?[0-9]{1,3}[-+./ei@]?[0-9]{0,3}i?",
        "#?\\PC{0,5}",
        any::<String>(),
        prop::sample::select(vec![
            "quote",
            "unquote",
            "quasiquote",
            "unquote-splicing",
            "+inf.0",
            "-i",
            "...",
            "."
        ])
        .prop_map(str::to_owned),
    ]
}

fn atom() -> impl Strategy<Value = DatumKind> {
    prop_oneof![
        any::<bool>().prop_map(DatumKind::Boolean),
        number().prop_map(DatumKind::Number),
        any::<char>().prop_map(DatumKind::Character),
        any::<String>().prop_map(|text| DatumKind::String(text.into())),
        name().prop_map(|name| DatumKind::Symbol(Symbol::new(&name))),
        prop::collection::vec(any::<u8>(), 0..5)
            .prop_map(|bytes| DatumKind::Bytevector(bytes.into())),
        Just(DatumKind::Eof),
        Just(DatumKind::Unspecified),
        Just(DatumKind::Default),
    ]
}

fn any_datum() -> impl Strategy<Value = Datum> {
    let at = |kind| Datum::new(kind, Span::NONE);
    atom().prop_map(at).prop_recursive(6, 60, 6, move |inner| {
        let items = prop::collection::vec(inner.clone(), 0..6);
        prop_oneof![
            items
                .clone()
                .prop_map(move |items| at(DatumKind::List(items.into()))),
            items
                .clone()
                .prop_map(move |items| at(DatumKind::Vector(items.into()))),
            (items, inner.clone()).prop_map(|(items, tail)| Datum::list_with_tail(
                items,
                tail,
                Span::NONE
            )),
            (name(), inner).prop_map(|(name, datum)| {
                Datum::list(vec![Datum::symbol(&name, Span::NONE), datum], Span::NONE)
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn written_data_read_back(datum in any_datum()) {
        let text = write(&datum);
        let (data, diagnostics) = read_all(SOURCE, &text);
        prop_assert!(diagnostics.is_empty(), "{}: {:?}", text, diagnostics);
        prop_assert_eq!(data.len(), 1, "{}", text);
        prop_assert_eq!(&data[0], &datum, "{}", text);
        prop_assert_eq!(write(&data[0]), text);
    }

    #[test]
    fn every_character_reads_back(c: char) {
        let datum = Datum::new(DatumKind::Character(c), Span::NONE);
        prop_assert_eq!(&read_all(SOURCE, &write(&datum)).0[..], &[datum]);
    }
}

#[test]
fn every_ascii_character_reads_back_in_every_literal() {
    for c in (0u8..128).map(char::from) {
        let text: Rc<str> = Rc::from(c.to_string());
        let kinds = [
            DatumKind::Character(c),
            DatumKind::String(Rc::clone(&text)),
            DatumKind::Symbol(Symbol::new(&text)),
            DatumKind::Symbol(Symbol::new(&format!("a{c}b"))),
        ];
        for kind in kinds {
            let datum = Datum::new(kind, Span::NONE);
            assert_eq!(read_all(SOURCE, &write(&datum)).0, [datum]);
        }
    }
}
