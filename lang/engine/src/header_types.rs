//! How what a program exports is written in C: types, and the names of parameters.
//!
//! inv:header.names — a name of the program's ends up as a parameter without an underscore at its end, and what the
//! functions need beside has one.

use std::collections::HashSet;

use bowline_ffi::data::field_type;
use bowline_ffi::{CType, Repr, TypeExpr, Types};
use bowline_middle::C_WORDS;
use bowline_syntax::{Datum, Diagnostic, Symbol};

use crate::dump_ffi::{type_expr, type_exprs};

pub(crate) type Result<T> = std::result::Result<T, Box<Diagnostic>>;

/// A field, or a parameter of a procedure, as C sees it.
pub(crate) struct Field {
    /// Its parameter (inv:header.names).
    pub(crate) c_name: String,
    pub(crate) name: String,
    /// Its type; a value of any kind without one.
    pub(crate) ctype: Option<CType>,
}

impl Field {
    /// What C passes; `raw` says that it is within a no-GC scope.
    pub(crate) fn c_type(&self, raw: bool) -> &'static str {
        match &self.ctype {
            Some(ctype) => c_type(ctype),
            None if raw => "bl_value ",
            None => "bl_handle ",
        }
    }
}

/// How a type of a field is written in C, with the blank before a name.
pub(crate) fn c_type(ctype: &CType) -> &'static str {
    const TYPES: [(CType, &str); 19] = [
        (CType::Char, "char "),
        (CType::SChar, "signed char "),
        (CType::UChar, "unsigned char "),
        (CType::Short, "short "),
        (CType::UShort, "unsigned short "),
        (CType::Int, "int "),
        (CType::UInt, "unsigned int "),
        (CType::Long, "long "),
        (CType::ULong, "unsigned long "),
        (CType::LongLong, "long long "),
        (CType::ULongLong, "unsigned long long "),
        (CType::IntPtrT, "intptr_t "),
        (CType::UIntPtrT, "uintptr_t "),
        (CType::SizeT, "size_t "),
        (CType::SSizeT, "ptrdiff_t "),
        (CType::Pointer, "void *"),
        (CType::String, "const char *"),
        (CType::Handle, "bl_handle "),
        (CType::Void, "void "),
    ];
    if let Some((_, text)) = TYPES.iter().find(|(known, _)| known == ctype) {
        return text;
    }
    match ctype.repr() {
        Repr::Bool => "bool ",
        Repr::Float => "float ",
        Repr::Double => "double ",
        Repr::Signed(1) => "int8_t ",
        Repr::Signed(2) => "int16_t ",
        Repr::Signed(4) => "int32_t ",
        Repr::Signed(_) => "int64_t ",
        Repr::Unsigned(1) => "uint8_t ",
        Repr::Unsigned(2) => "uint16_t ",
        Repr::Unsigned(4) => "uint32_t ",
        Repr::Unsigned(_) => "uint64_t ",
        _ => "void *",
    }
}

/// The type of a field, or what is wrong with it.
fn parsed(datum: &Datum, types: &mut Types) -> Result<CType> {
    let Some(expr) = type_expr(datum) else {
        let message = format!("unknown type `{datum}`");
        return Err(Box::new(Diagnostic::error(message, datum.span)));
    };
    let ctype = expr.parse(types).and_then(field_type);
    ctype.map_err(|error| Box::new(Diagnostic::error(error.to_string(), datum.span)))
}

/// Names that the functions use, and macros of compilers and of C's headers.
const OF_C: [&str; 11] = [
    "memcpy", "NULL", "EOF", "I", "assert", "errno", "linux", "stderr", "stdin", "stdout", "unix",
];

/// The name of a parameter for a field (inv:header.names).
fn parameter(name: &str, index: usize, taken: &mut HashSet<String>) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let mut text: String = name.chars().map(letter).collect();
    let digit = text.starts_with(|c: char| c.is_ascii_digit());
    let of_c = ["_", "_t"].iter().any(|end| text.ends_with(end)) || OF_C.contains(&text.as_str());
    if digit
        || of_c
        || C_WORDS.contains(&text.as_str())
        || text.starts_with("bl_")
        || text.starts_with("BL_")
    {
        text = format!("f_{text}{index}");
    }
    while !taken.insert(text.clone()) {
        text = format!("{text}_{index}");
    }
    text
}

pub(crate) fn fields(given: &[(Symbol, Option<Datum>)], types: &mut Types) -> Result<Vec<Field>> {
    let mut taken = HashSet::new();
    let field = |(index, (name, ctype)): (usize, &(Symbol, Option<Datum>))| {
        let ctype = ctype
            .as_ref()
            .map(|datum| parsed(datum, types))
            .transpose()?;
        let name = name.to_string();
        let c_name = parameter(&name, index + 1, &mut taken);
        Ok(Field {
            c_name,
            name,
            ctype,
        })
    };
    given.iter().enumerate().map(field).collect()
}

/// The parameters of a procedure and the type of its result, or what is wrong with them.
pub(crate) fn signature(
    params: &Datum,
    result: &Datum,
    types: &mut Types,
) -> Result<(Vec<Field>, CType)> {
    let refused = |message: String, at: &Datum| Box::new(Diagnostic::error(message, at.span));
    let unknown = |datum: &Datum| refused(format!("unknown type `{datum}`"), datum);
    let exprs = type_exprs(params).ok_or_else(|| unknown(params))?;
    let expr = type_expr(result).ok_or_else(|| unknown(result))?;
    let parsed = TypeExpr::parse_exported(&exprs, &expr, types);
    let (ctypes, result) = parsed.map_err(|error| refused(error.to_string(), params))?;
    let param = |(i, ctype)| Field {
        c_name: format!("a{i}"),
        name: String::new(),
        ctype: Some(ctype),
    };
    Ok(((1..).zip(ctypes).map(param).collect(), result))
}

/// The statement that makes the word `to` of the variable of a field.
pub(crate) fn to_word(ctype: &CType, name: &str, to: &str) -> String {
    match (ctype, ctype.repr()) {
        (CType::Handle, _) => format!("{to} = {name}.bits;"),
        (_, Repr::Float | Repr::Double) => {
            format!("{to} = 0;\n    memcpy(&{to}, &{name}, sizeof {name});")
        }
        (_, Repr::Signed(_)) => format!("{to} = (uint64_t)(int64_t){name};"),
        (_, Repr::Pointer) => format!("{to} = (uint64_t)(uintptr_t){name};"),
        _ => format!("{to} = (uint64_t){name};"),
    }
}

/// The value of the word `from` as an expression; nothing for types that need more.
pub(crate) fn word_value(ctype: &CType, from: &str) -> Option<String> {
    Some(match (ctype, ctype.repr()) {
        (CType::Handle, _) | (_, Repr::Float | Repr::Double) => return None,
        (_, Repr::Bool) => format!("({from} & 255) != 0"),
        (_, Repr::Pointer) => format!("(void *)(uintptr_t){from}"),
        _ => format!("({}){from}", c_type(ctype).trim_end()),
    })
}

/// The statement that stores the word `from`, as a value of the type, in `to`: a variable, or `*` and a pointer.
pub(crate) fn from_word(ctype: &CType, to: &str, from: &str) -> String {
    match (word_value(ctype, from), ctype) {
        (Some(value), _) => format!("{to} = {value};"),
        (None, CType::Handle) => format!("{to}.bits = {from};"),
        (None, _) => {
            let at = to.strip_prefix('*').map(str::to_owned);
            let at = at.unwrap_or_else(|| format!("&{to}"));
            format!("memcpy({at}, &{from}, sizeof {to});")
        }
    }
}
