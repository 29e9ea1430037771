//! What is said of the things that a program exports to C, in its header and by `bowline dump`.
//!
//! Absent on purpose: C, which `header` writes.

use bowline_ffi::Types;
use bowline_middle::{Export, ExportKind, ExportOf};
use bowline_syntax::Symbol;

use crate::header_types::{Result, fields};

/// The fields of a pair as C is given them.
pub(crate) fn pair() -> [(Symbol, Option<bowline_syntax::Datum>); 2] {
    ["first", "rest"].map(|name| (Symbol::new(name), None))
}

/// What an export is of, in the words of the program.
fn subject(of: &ExportOf) -> String {
    match of {
        ExportOf::Procedure {
            name,
            params,
            result,
        } => match name {
            Some(name) => format!("`{name}`, {params} to {result}"),
            None => format!("a procedure, {params} to {result}"),
        },
        ExportOf::Constructor {
            datatype,
            name,
            fields,
        } => {
            let fields = fields.iter().map(|(name, ctype)| match ctype {
                Some(ctype) => format!(" ({name} {ctype})"),
                None => format!(" {name}"),
            });
            format!("({name}{}) of {datatype}", fields.collect::<String>())
        }
        ExportOf::Enumeration { datatype, .. } => format!("the constructors of {datatype}"),
        ExportOf::Constants { name, .. } => format!("the members of {name}"),
        ExportOf::Null => "the empty list".to_owned(),
        ExportOf::Pair => "a pair of a list".to_owned(),
    }
}

/// Whether both are of one constructor.
fn is_same(one: &ExportOf, other: &ExportOf) -> bool {
    match (one, other) {
        (
            ExportOf::Constructor { datatype, name, .. },
            ExportOf::Constructor {
                datatype: of,
                name: other,
                ..
            },
        ) => datatype == of && name == other,
        (ExportOf::Null, ExportOf::Null) => true,
        _ => false,
    }
}

/// Whether there is something in it that C could get.
fn has_fields(of: &ExportOf) -> bool {
    match of {
        ExportOf::Constructor { fields, .. } => !fields.is_empty(),
        ExportOf::Pair => true,
        _ => false,
    }
}

/// What the function of an export does, which is one of `all`.
pub(crate) fn purpose(export: &Export, all: &[Export]) -> String {
    let what = subject(&export.of);
    match export.kind {
        ExportKind::Procedure => format!(
            "Calls {what}. Gives 0 where bl_last_status() is not BL_OK, and C should return if it is BL_E_PENDING."
        ),
        ExportKind::Construction => {
            format!("Makes {what}. Like all that allocates it is refused within a no-GC scope.")
        }
        ExportKind::Deconstruction if !has_fields(&export.of) => {
            let is_test =
                |other: &&Export| other.kind == ExportKind::Test && is_same(&export.of, &other.of);
            let does = match all.iter().find(is_test) {
                Some(test) => format!("this does what {} does", test.name),
                None => "this only tests".to_owned(),
            };
            format!("Whether it is {what}. That has no fields, so {does}.")
        }
        ExportKind::Deconstruction => {
            format!("Whether it is {what}; its fields if so, otherwise they are left alone.")
        }
        ExportKind::Test => format!("Whether it is {what}."),
        ExportKind::Enumeration => format!("Constants for {what}."),
    }
}

/// A text as a comment of C, in one line. A name of the program's may have anything in it: what ends a comment, what
/// seems to begin one, and, behind a backslash, the end of a line.
pub(crate) fn comment(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        let c = if c.is_control() { ' ' } else { c };
        if matches!(
            (safe.chars().next_back(), c),
            (Some('*'), '/') | (Some('/'), '*')
        ) {
            safe.push(' ');
        }
        safe.push(c);
    }
    format!("/* {safe} */")
}

/// How each field of what C makes or takes apart crosses: as it is declared, and how.
pub(crate) fn crossings(export: &Export, types: &mut Types) -> Result<Vec<(String, &'static str)>> {
    let pair = pair();
    let given = match &export.of {
        ExportOf::Constructor { fields, .. } => fields.as_slice(),
        ExportOf::Pair => &pair,
        _ => &[],
    };
    let (to, how): (_, [&str; 2]) = match export.kind {
        ExportKind::Construction => (
            "",
            ["its word is the object's", "what the handle stands for"],
        ),
        ExportKind::Deconstruction => (
            "*",
            [
                "the object's word",
                "a new local handle; by `_assign` one that is there, by `_raw` the word itself",
            ],
        ),
        _ => return Ok(Vec::new()),
    };
    let rows = fields(given, types)?.into_iter().map(|field| {
        let how = how[usize::from(field.ctype.is_none())];
        (format!("{}{to}{}", field.c_type(false), field.c_name), how)
    });
    Ok(rows.collect())
}

#[cfg(test)]
mod tests {
    use super::comment;

    #[test]
    fn nothing_in_a_name_ends_its_comment() {
        for (text, safe) in [
            ("of `a*/b`", "/* of `a* /b` */"),
            ("/*/ **//", "/* / * / ** // */"),
            ("*\\\n/ a\tb", "/* *\\ / a b */"),
            ("a*", "/* a* */"),
        ] {
            assert_eq!(comment(text), safe);
        }
    }
}
