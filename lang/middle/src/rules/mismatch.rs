//! Why a use matches none of a macro's rules, in words.
//!
//! A rule is tried from left to right and given up at the first part that does not fit, so there is
//! one reason for each rule.

use bowline_syntax::{Datum, DatumKind, Diagnostic, Span};

use super::{Macro, Pattern, Rule, Sequence};
use crate::stx::Stx;

/// Rules whose reasons are told.
const SHOWN: usize = 6;
/// Characters of a pattern or of a part of the use that are shown.
const WIDTH: usize = 60;

/// The first part of a use that does not fit a rule.
pub(super) enum Mismatch<'r> {
    /// The use, or a list in it, ends where this pattern still wants something.
    Missing { wanted: &'r Pattern, list: Span },
    /// Nothing in the rule is left for this.
    TooMuch { found: Stx },
    /// Something else is wanted here.
    Other { wanted: &'r Pattern, found: Stx },
}

impl Mismatch<'_> {
    fn span(&self) -> Span {
        match self {
            Mismatch::Missing { list, .. } => *list,
            Mismatch::TooMuch { found } | Mismatch::Other { found, .. } => found.span(),
        }
    }

    /// What to say at the place itself.
    fn label(&self, rule: &Rule) -> String {
        match self {
            Mismatch::Missing { wanted, .. } => format!("{} is missing", named(wanted, rule)),
            Mismatch::TooMuch { .. } => "the pattern ends before this".into(),
            Mismatch::Other { wanted, .. } => format!("{} must stand here", named(wanted, rule)),
        }
    }

    /// What to say elsewhere.
    fn reason(&self, rule: &Rule) -> String {
        match self {
            Mismatch::Missing { wanted, .. } => format!("{} is missing", named(wanted, rule)),
            Mismatch::TooMuch { found } => format!("it ends before `{}`", text(&found.to_datum())),
            Mismatch::Other { wanted, found } => {
                let found = text(&found.to_datum());
                let wanted = named(wanted, rule);
                format!("{wanted} must stand where `{found}` does")
            }
        }
    }
}

/// A datum as written, cut where it gets long.
fn text(datum: &Datum) -> String {
    let all = datum.to_string();
    match all.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{} …", &all[..end]),
        None => all,
    }
}

/// What a pattern wants, as a message names it.
fn named(pattern: &Pattern, rule: &Rule) -> String {
    match pattern {
        Pattern::List(_) => format!("a list like `{}`", shown(pattern, rule)),
        Pattern::Vector(_) => format!("a vector like `{}`", shown(pattern, rule)),
        Pattern::Literal(_) => format!("the word `{}`", shown(pattern, rule)),
        _ => format!("`{}`", shown(pattern, rule)),
    }
}

fn shown(pattern: &Pattern, rule: &Rule) -> String {
    match pattern {
        Pattern::Any => "_".into(),
        Pattern::Var(var) => rule.vars[*var as usize].to_string(),
        Pattern::Literal(ident) => ident.name.to_string(),
        Pattern::Datum(datum) => text(datum),
        Pattern::List(sequence) => format!("({})", parts(sequence, rule)),
        Pattern::Vector(sequence) => format!("#({})", parts(sequence, rule)),
    }
}

fn parts(sequence: &Sequence, rule: &Rule) -> String {
    let mut words: Vec<String> = Vec::new();
    words.extend(sequence.before.iter().map(|p| shown(p, rule)));
    if let Some(repeat) = &sequence.repeat {
        words.push(shown(&repeat.pattern, rule));
        words.push("...".into());
    }
    words.extend(sequence.after.iter().map(|p| shown(p, rule)));
    if let Some(tail) = &sequence.tail {
        words.push(".".into());
        words.push(shown(tail, rule));
    }
    words.join(" ")
}

impl Macro {
    /// A rule's pattern as a use would look.
    fn usage(&self, rule: &Rule) -> String {
        let head = Datum::new(DatumKind::Symbol(self.name.clone()), rule.shown.span);
        let named = |items: &[Datum]| {
            let rest = items.iter().skip(1).cloned();
            std::iter::once(head).chain(rest).collect::<Vec<_>>()
        };
        text(&match &rule.shown.kind {
            DatumKind::List(items) => Datum::list(named(items), rule.shown.span),
            DatumKind::Improper(items, tail) => {
                Datum::list_with_tail(named(items), (**tail).clone(), rule.shown.span)
            }
            _ => rule.shown.clone(),
        })
    }

    /// The error that no rule matches, with the reason for each.
    pub(super) fn no_match(&self, form: &Stx, reasons: &[Mismatch<'_>]) -> Diagnostic {
        let message = format!("no clause of the macro `{}` matches this use", self.name);
        let mut error = Diagnostic::error(message, form.span());
        if let ([only], [rule]) = (reasons, &self.rules[..]) {
            if only.span() == form.span() {
                error = error.with_label(only.label(rule));
            } else {
                error = error.with_secondary(only.span(), only.label(rule));
            }
        }
        error = error.with_secondary(self.span, format!("`{}` is defined here", self.name));
        if self.rules.is_empty() {
            return error.with_note("it has no clauses");
        }
        for (rule, reason) in self.rules.iter().zip(reasons).take(SHOWN) {
            let usage = self.usage(rule);
            error = error.with_note(match reasons.len() {
                1 => format!("a use looks like {usage}"),
                _ => format!("it is not like {usage}: {}", reason.reason(rule)),
            });
        }
        match self.rules.len().saturating_sub(SHOWN) {
            0 => error,
            more => error.with_note(format!("{more} more clauses do not match either")),
        }
    }
}
