//! What values are, and what primitives want and give, as far as it is certain.
//!
//! The tables name primitives by what the library calls them. A primitive that stands in neither is
//! one of which nothing is known.

use bowline_syntax::{Datum, DatumKind, Number};

/// A kind of value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Boolean,
    /// A number, and whether it is an exact integer that is not negative, if that is known.
    Number(Option<bool>),
    Character,
    String,
    Symbol,
    Bytevector,
    Vector,
    Null,
    Pair,
    Procedure,
}

impl Kind {
    /// The kind of a constant.
    pub(super) fn of(datum: &Datum) -> Option<Self> {
        Some(match &datum.kind {
            DatumKind::Boolean(_) => Self::Boolean,
            DatumKind::Number(Number::Fixnum(n)) => Self::Number(Some(*n >= 0)),
            DatumKind::Number(_) => Self::Number(None),
            DatumKind::Character(_) => Self::Character,
            DatumKind::String(_) => Self::String,
            DatumKind::Symbol(_) => Self::Symbol,
            DatumKind::Bytevector(_) => Self::Bytevector,
            DatumKind::Vector(_) => Self::Vector,
            DatumKind::List(items) if items.is_empty() => Self::Null,
            DatumKind::List(_) | DatumKind::Improper(..) => Self::Pair,
            _ => return None,
        })
    }

    /// With its article.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Boolean => "a boolean",
            Self::Number(_) => "a number",
            Self::Character => "a character",
            Self::String => "a string",
            Self::Symbol => "a symbol",
            Self::Bytevector => "a bytevector",
            Self::Vector => "a vector",
            Self::Null => "the empty list",
            Self::Pair => "a list",
            Self::Procedure => "a procedure",
        }
    }

    /// Whether a value of this kind may be what a letter of the tables asks for.
    fn fits(self, wanted: u8) -> bool {
        match wanted {
            b'p' => self == Self::Pair,
            b'l' => matches!(self, Self::Pair | Self::Null),
            b'v' => self == Self::Vector,
            b's' => self == Self::String,
            b'c' => self == Self::Character,
            b'y' => self == Self::Symbol,
            b'b' => self == Self::Bytevector,
            b'n' => matches!(self, Self::Number(_)),
            b'i' => matches!(self, Self::Number(fits) if fits != Some(false)),
            b'f' => self == Self::Procedure,
            _ => true,
        }
    }
}

/// What a letter of the tables asks for.
fn wanted_name(wanted: u8) -> &'static str {
    match wanted {
        b'p' => "a pair",
        b'l' => "a list",
        b'v' => "a vector",
        b's' => "a string",
        b'c' => "a character",
        b'y' => "a symbol",
        b'b' => "a bytevector",
        b'n' => "a number",
        b'i' => "an exact integer that is not negative",
        _ => "a procedure",
    }
}

/// Primitives that make numbers of numbers.
const ARITHMETIC: &[&str] = &[
    "+",
    "-",
    "*",
    "/",
    "abs",
    "quotient",
    "remainder",
    "modulo",
    "floor",
    "ceiling",
    "round",
    "truncate",
    "exact",
    "inexact",
    "sqrt",
    "square",
    "expt",
    "exp",
    "sin",
    "cos",
    "tan",
    "gcd",
    "lcm",
    "floor-quotient",
    "floor-remainder",
    "truncate-quotient",
    "truncate-remainder",
    "numerator",
    "denominator",
];

/// What the arguments of primitives must be: a letter for each, `.` for anything; the last stands
/// for all further ones.
const WANTED: &[(&str, &[&str])] = &[
    (
        "p",
        &[
            "car", "cdr", "caar", "cadr", "cdar", "cddr", "caddr", "cdddr", "cadddr",
        ],
    ),
    ("p.", &["set-car!", "set-cdr!"]),
    ("l", &["length", "reverse", "list->vector", "list->string"]),
    ("li", &["list-tail", "list-ref"]),
    (".l", &["memq", "memv", "%member", "assq", "assv", "%assoc"]),
    ("n", ARITHMETIC),
    (
        "n",
        &[
            "=",
            "<",
            ">",
            "<=",
            ">=",
            "max",
            "min",
            "zero?",
            "positive?",
            "negative?",
            "odd?",
            "even?",
            "number->string",
        ],
    ),
    (
        "s",
        &[
            "string-length",
            "string->symbol",
            "string-upcase",
            "string-downcase",
            "string-append",
        ],
    ),
    (
        "si",
        &["string-ref", "substring", "string->list", "string-copy"],
    ),
    ("sic", &["string-set!"]),
    ("si", &["string->number"]),
    (
        "s",
        &["string=?", "string<?", "string>?", "string<=?", "string>=?"],
    ),
    ("y", &["symbol->string", "symbol=?"]),
    (
        "c",
        &[
            "char->integer",
            "char-upcase",
            "char-downcase",
            "char-alphabetic?",
            "char-numeric?",
        ],
    ),
    (
        "c",
        &[
            "char-whitespace?",
            "char=?",
            "char<?",
            "char>?",
            "char<=?",
            "char>=?",
            "string",
        ],
    ),
    ("i", &["integer->char"]),
    ("i.", &["make-vector", "make-list"]),
    ("ic", &["make-string"]),
    ("i", &["make-bytevector", "bytevector"]),
    ("v", &["vector-length", "vector-append"]),
    ("vi", &["vector-ref", "vector->list", "vector-copy"]),
    ("vi.", &["vector-set!"]),
    ("b", &["bytevector-length", "bytevector-append"]),
    (
        "bi",
        &[
            "bytevector-u8-ref",
            "bytevector-u8-set!",
            "bytevector-copy",
            "utf8->string",
        ],
    ),
    ("si", &["string->utf8"]),
    ("f.", &["apply"]),
    ("f", &["%call/cc", "call-with-values"]),
];

/// Primitives that do nothing but give a value, by the kind that they give (`.` for any).
const GIVES: &[(u8, &[&str])] = &[
    (b'p', &["cons"]),
    (
        b'.',
        &[
            "car",
            "cdr",
            "caar",
            "cadr",
            "cdar",
            "cddr",
            "caddr",
            "cdddr",
            "cadddr",
            "list",
            "append",
            "reverse",
            "list-tail",
            "list-ref",
            "list-copy",
            "memq",
            "memv",
            "%member",
            "assq",
            "assv",
            "%assoc",
            "vector-ref",
            "string->number",
            "make-list",
            "bytevector-u8-ref",
            "string->list",
            "vector->list",
            "max",
            "min",
        ],
    ),
    (b'n', ARITHMETIC),
    (
        b'n',
        &[
            "length",
            "vector-length",
            "string-length",
            "bytevector-length",
            "char->integer",
        ],
    ),
    (
        b't',
        &[
            "=",
            "<",
            ">",
            "<=",
            ">=",
            "not",
            "eq?",
            "eqv?",
            "equal?",
            "null?",
            "pair?",
            "list?",
            "symbol?",
            "string?",
            "char?",
            "vector?",
            "bytevector?",
            "procedure?",
            "boolean?",
            "number?",
            "integer?",
            "rational?",
            "real?",
            "zero?",
            "positive?",
            "negative?",
            "odd?",
            "even?",
            "exact?",
            "inexact?",
            "eof-object?",
            "char=?",
            "char<?",
            "string=?",
            "string<?",
            "char-alphabetic?",
            "char-numeric?",
            "char-whitespace?",
        ],
    ),
    (
        b's',
        &[
            "string-append",
            "number->string",
            "symbol->string",
            "substring",
            "string-copy",
            "list->string",
            "make-string",
            "string",
            "string-upcase",
            "string-downcase",
            "utf8->string",
            "vector->string",
        ],
    ),
    (
        b'c',
        &[
            "string-ref",
            "integer->char",
            "char-upcase",
            "char-downcase",
        ],
    ),
    (b'y', &["string->symbol"]),
    (
        b'v',
        &[
            "vector",
            "make-vector",
            "vector-copy",
            "vector-append",
            "list->vector",
        ],
    ),
    (
        b'b',
        &[
            "bytevector",
            "make-bytevector",
            "bytevector-copy",
            "bytevector-append",
            "bytevector-view",
        ],
    ),
];

fn row<T: Copy>(table: &[(T, &[&str])], name: &str) -> Option<T> {
    let row = table.iter().find(|(_, names)| names.contains(&name));
    row.map(|(letters, _)| *letters)
}

/// What argument number `index` of a primitive must be, if this kind is certainly not that.
pub(super) fn refused(name: &str, index: usize, kind: Kind) -> Option<&'static str> {
    let letters = row(WANTED, name)?.as_bytes();
    let wanted = *letters.get(index).or(letters.last())?;
    (!kind.fits(wanted)).then(|| wanted_name(wanted))
}

/// Whether a primitive does nothing but give a value.
pub(super) fn only_gives(name: &str) -> bool {
    row(GIVES, name).is_some()
}

/// The kind of what a primitive gives, if that is always the same.
pub(super) fn given(name: &str) -> Option<Kind> {
    Some(match row(GIVES, name)? {
        b'p' => Kind::Pair,
        b'n' => Kind::Number(None),
        b't' => Kind::Boolean,
        b's' => Kind::String,
        b'c' => Kind::Character,
        b'y' => Kind::Symbol,
        b'v' => Kind::Vector,
        b'b' => Kind::Bytevector,
        _ => return None,
    })
}
