//! `define-foreign`: a C function by its name and its type, and what its clauses say of the calls.
//!
//! `(define-foreign NAME (LIBRARY SYMBOL) (TYPE …) RESULT CLAUSE …)` defines NAME as the value of
//! `(%make-foreign-procedure 'NAME LIBRARY SYMBOL '(TYPE …) 'RESULT '(KEYWORD …) OPERAND …)`. A clause
//! is `(KEYWORD)` or `(KEYWORD OPERAND)`; they stand in any order, each once, and the operands follow
//! in the order of their keywords.
//!
//! Types and the keywords of clauses are matched by name, never by a binding.
//!
//! Absent on purpose: what a type means. Types are data for the C boundary.

use bowline_syntax::{Datum, Symbol};

use super::definitions::{Argument, Item, Rhs, Scan};
use super::form::Form;
use super::suggest::nearest;
use super::syntax_forms::symbol_datum;
use super::{Cx, Result, bad_form};
use crate::core::Expr;
use crate::stx::Stx;

/// The clauses: keyword, how it is written, whether an operand belongs to it.
const CLAUSES: [(&str, &str, bool); 5] = [
    ("leaf", "(leaf)", false),
    ("blocking", "(blocking)", false),
    ("errno-when", "(errno-when PREDICATE)", true),
    ("errno-result", "(errno-result)", false),
    ("free-with", "(free-with PROCEDURE)", true),
];

/// Clauses that contradict each other, and why.
const CONTRADICTIONS: [(&str, &str, &str); 2] = [
    (
        "leaf",
        "blocking",
        "a call is (leaf) or (blocking), not both: a leaf call may not block",
    ),
    (
        "errno-when",
        "errno-result",
        "the error number is in `errno` or is the result: (errno-when PREDICATE) or (errno-result), not both",
    ),
];

/// What an incomplete form lacks, by the number of its parts.
const MISSING: [&str; 4] = [
    "the name is missing",
    "the library and the name in C are missing",
    "the types of the parameters and of the result are missing",
    "the type of the result is missing",
];

/// The clauses of a form: their keywords and operands.
#[derive(Default)]
struct Clauses {
    keywords: Vec<Symbol>,
    operands: Vec<Stx>,
}

impl Cx<'_> {
    pub(super) fn scan_foreign(&mut self, scan: &mut Scan, form: &Form<'_>) -> Result<()> {
        let [name, source, types, result, clauses @ ..] = &form.parts[..] else {
            return form.bad(MISSING[form.parts.len()]);
        };
        let Some(ident) = name.as_identifier() else {
            return form.bad_at("the name must be an identifier", name);
        };
        let Some([library, symbol]) = self
            .items(source)
            .and_then(|s| <[Stx; 2]>::try_from(s).ok())
        else {
            let why = "the library and the name in C stand in parentheses, (LIBRARY \"symbol\")";
            return form.bad_at(why, source);
        };
        if self.items(types).is_none() {
            let why = "the types of the parameters stand in parentheses, (TYPE ...)";
            return form.bad_at(why, types);
        }
        let clauses = self.foreign_clauses(clauses, form)?;
        let span = form.span();
        let keywords = clauses.keywords.iter().map(|name| symbol_datum(name, span));
        let keywords = Datum::list(keywords.collect::<Vec<_>>(), span);
        let datum = |datum| Argument::Core(Expr::Const(datum));
        let mut args = vec![
            datum(symbol_datum(&ident.name, span)),
            Argument::Stx(library),
            Argument::Stx(symbol),
            datum(types.to_acyclic()?),
            datum(result.to_acyclic()?),
            datum(keywords),
        ];
        args.extend(clauses.operands.into_iter().map(Argument::Stx));
        let place = self.define_variable(scan, &ident)?;
        scan.items.push(Item::Define {
            place,
            name: ident.name,
            rhs: Rhs::Primitive("%make-foreign-procedure", args),
            whole: form.whole.clone(),
        });
        Ok(())
    }

    fn foreign_clauses(&mut self, clauses: &[Stx], form: &Form<'_>) -> Result<Clauses> {
        let mut found = Clauses::default();
        for clause in clauses {
            let parts = self.items(clause).unwrap_or_default();
            let Some((keyword, operands)) = parts.split_first() else {
                return form.bad_at("a clause stands in parentheses", clause);
            };
            let known = keyword.name().and_then(|keyword| {
                let known = CLAUSES.iter().find(|(known, ..)| keyword == known)?;
                Some((keyword.clone(), known))
            });
            let Some((keyword, (_, shape, operand))) = known else {
                return Err(unknown(keyword, form));
            };
            if operands.len() != usize::from(*operand) {
                return form.bad_at(&format!("the clause is {shape}"), clause);
            }
            if found.keywords.contains(&keyword) {
                return form.bad_at(&format!("the clause ({keyword}) stands twice"), clause);
            }
            for (one, other, why) in CONTRADICTIONS {
                let excluded = match keyword.as_str() {
                    keyword if keyword == one => other,
                    keyword if keyword == other => one,
                    _ => continue,
                };
                if found.keywords.iter().any(|keyword| *keyword == *excluded) {
                    return form.bad_at(why, clause);
                }
            }
            found.keywords.push(keyword);
            found.operands.extend_from_slice(operands);
        }
        Ok(found)
    }
}

fn unknown(keyword: &Stx, form: &Form<'_>) -> Box<bowline_syntax::Diagnostic> {
    let keyword_text = keyword.to_datum().to_string();
    let why = format!("there is no clause `{keyword_text}`");
    let error = *bad_form(form.special, &why, keyword.span());
    let names = || CLAUSES.iter().map(|(name, ..)| *name);
    Box::new(match nearest(&keyword_text, names()) {
        Some(near) => error.with_note(format!("did you mean `{near}`?")),
        None => {
            let shapes: Vec<&str> = CLAUSES.iter().map(|(_, shape, _)| *shape).collect();
            error.with_note(format!("the clauses are {}", shapes.join(", ")))
        }
    })
}
