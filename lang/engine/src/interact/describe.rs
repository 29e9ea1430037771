//! What is known of a name: what it is, how it is used, and what was said where it was defined.
//!
//! Names of the standard library are described by the reference; what was typed or loaded by its own
//! text: parameters, patterns, and the comment that stands right before the definition. Of anything
//! else the value tells what it can.

use bowline_layout::Value;
use bowline_middle::{Bound, BoundTo};
use bowline_runtime::CodeInfo;
use bowline_runtime::printer::{Mode, print_or_interrupt};
use bowline_syntax::{Datum, DatumKind, Span, Symbol, read_all};

use super::{End, Interaction, Outcome};
use crate::explain;
use crate::libraries;
use crate::reference::{self, Kind};

/// Longer texts of values are cut.
const SHOWN: usize = 60;

impl Interaction {
    /// The value of a name that is a variable with one, or a primitive's procedure.
    fn value_of(&self, bound: &Bound) -> Option<Value> {
        let BoundTo::Variable(id) = bound.meaning else {
            return None;
        };
        self.session.vm.global(id)
    }

    /// Whether a name means something, or was only mentioned.
    pub(super) fn has_meaning(&self, bound: &Bound) -> bool {
        !matches!(bound.meaning, BoundTo::Variable(_)) || self.value_of(bound).is_some()
    }

    /// The reference's entry, if the name is what the standard library calls so.
    fn reference(bound: &Bound) -> Option<&'static reference::Entry> {
        let library = bound.library.as_deref()?;
        let path = library.trim_matches(['(', ')']).replace(' ', "/");
        libraries::embedded(&path)?;
        reference::lookup(bound.name.as_str())
    }

    /// What a name is, in a word or two.
    pub(super) fn kind(&self, bound: &Bound) -> String {
        let procedure = match bound.meaning {
            BoundTo::Variable(_) => self.value_of(bound).is_some_and(|v| v.is_procedure()),
            _ => true,
        };
        let what = match (
            bound.meaning,
            Self::reference(bound).map(|entry| entry.kind),
        ) {
            (_, Some(Kind::Auxiliary)) => "keyword",
            (BoundTo::Syntax | BoundTo::Macro, _) => "syntax",
            _ if procedure => "procedure",
            _ => "variable",
        };
        match (&bound.library, what) {
            (Some(library), _) => format!("{what} {library}"),
            (None, "variable") => "yours".to_string(),
            (None, _) => format!("{what}, yours"),
        }
    }

    /// How a name is used, a line for each way, if that is known.
    pub(super) fn signature(&self, bound: &Bound) -> Option<String> {
        if let Some(entry) = Self::reference(bound) {
            return Some(entry.signature.to_string());
        }
        let value = match bound.meaning {
            BoundTo::Variable(_) => Some(self.value_of(bound).filter(|v| v.is_procedure())?),
            _ => None,
        };
        if let Some(signature) = value.and_then(|value| self.parameters(bound, value)) {
            return Some(signature);
        }
        if bound.library.is_none()
            && let Some(form) = self.definition(bound)
            && value.is_none_or(|value| self.is_made_by(value, &form))
            && let Some(signature) = used(bound, &form)
        {
            return Some(signature);
        }
        let value = value?;
        let (min, max) = self.session.vm.argument_counts(value);
        let mut signature = format!("({}", bound.name);
        (1..=min).for_each(|i| signature += &format!(" arg{i}"));
        match max {
            None => signature += " arg ...",
            Some(max) => (min + 1..=max).for_each(|i| signature += &format!(" [arg{i}]")),
        }
        Some(signature + ")")
    }

    /// How a procedure whose text was typed or loaded is used, by its own parameters.
    fn parameters(&self, bound: &Bound, procedure: Value) -> Option<String> {
        if bound.library.is_some() {
            return None;
        }
        let sources = self.session.loader.sources.borrow();
        let is_clause = self.session.vm.rt.procedure_info(procedure).is_none();
        let lines = self.clauses(procedure).into_iter().map(|info| {
            let form = explain::written(&sources, info.place)?;
            called(bound.name.as_str(), &form, is_clause)
        });
        let lines: Vec<_> = lines.collect::<Option<_>>()?;
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    /// What is known of the code of a procedure, of each of its clauses.
    fn clauses(&self, procedure: Value) -> Vec<&CodeInfo> {
        let rt = &self.session.vm.rt;
        match rt.procedure_info(procedure) {
            Some(info) => vec![info],
            None => rt.clauses(procedure).unwrap_or_default(),
        }
    }

    /// Whether a form may have made a procedure: nothing is known of where it was made otherwise.
    fn is_made_by(&self, procedure: Value, form: &Datum) -> bool {
        let clauses = self.clauses(procedure);
        clauses.iter().all(|info| holds(form.span, info.place))
    }

    /// The top-level form that defines a name.
    fn definition(&self, bound: &Bound) -> Option<Datum> {
        let sources = self.session.loader.sources.borrow();
        let text = sources.shared_text(bound.span.source)?;
        let (forms, _) = read_all(bound.span.source, &text);
        forms.into_iter().find(|form| holds(form.span, bound.span))
    }

    /// The comment that ends right before the line on which a definition begins.
    fn comment(&self, form: &Datum) -> String {
        let sources = self.session.loader.sources.borrow();
        let text = sources.text(form.span.source);
        let before = text.get(..form.span.start as usize).unwrap_or("");
        let before = &before[..before.rfind('\n').map_or(0, |at| at + 1)];
        let lines = before.lines().rev().map(str::trim);
        let mut block: Vec<_> = lines.take_while(|line| line.starts_with(';')).collect();
        block.reverse();
        let bare = block.iter().map(|line| line.trim_start_matches(';').trim());
        bare.collect::<Vec<_>>().join("\n")
    }

    /// What is known of a name, for a person.
    pub(super) fn describe(&mut self, name: &str) -> Outcome<String> {
        let bound = self.session.expander.bound(self.env, name);
        let Some(bound) = bound.filter(|bound| self.has_meaning(bound)) else {
            return Err(self.unknown(name));
        };
        let mut out = match self.signature(&bound) {
            Some(signature) => signature,
            None => name.to_string(),
        };
        out += &format!("\n  {}", self.kind(&bound));
        if let Some(entry) = Self::reference(&bound) {
            match self.columns {
                Some(columns) => paragraph(&mut out, &fill(entry.text, columns)),
                None => paragraph(&mut out, entry.text),
            }
            for line in entry.examples.lines() {
                out += &format!("\n  {line}");
            }
            return Ok(out + "\n");
        }
        let place = self.session.loader.sources.borrow().location(bound.span);
        match (place, &bound.library) {
            (Some(place), None) => out += &format!(", defined at {place}"),
            (Some(place), Some(_)) => out += &format!(", imported at {place}"),
            (None, _) => {}
        }
        if let Some(value) = self.value_of(&bound).filter(|v| !v.is_procedure()) {
            let text = print_or_interrupt(&self.session.vm.rt, value, Mode::Write);
            let text = text.map_err(|_| self.stopped_printing())?;
            out += &format!("\n  its value: {}", cut(&text));
        }
        if bound.library.is_none()
            && let Some(form) = self.definition(&bound)
        {
            paragraph(&mut out, &self.comment(&form));
        }
        Ok(out + "\n")
    }

    /// That a name means nothing, with what may have been meant.
    fn unknown(&self, name: &str) -> End {
        let all = self.session.expander.all_bound(self.env);
        let meant = all.iter().filter(|bound| self.has_meaning(bound));
        let names = meant.map(|bound| bound.name.as_str());
        let message = match bowline_middle::nearest(name, names) {
            Some(near) => format!("`{name}` means nothing here: did you mean `{near}`?"),
            None => format!("`{name}` means nothing here: ,apropos TEXT looks for names"),
        };
        End::Failed(self.session.format.remark(&message))
    }
}

fn holds(outer: Span, inner: Span) -> bool {
    outer.source == inner.source && outer.start <= inner.start && inner.end <= outer.end
}

/// The beginning of a long text.
pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_string(),
    }
}

/// How far a description is indented.
const INDENT: usize = 2;

fn paragraph(out: &mut String, text: &str) {
    for line in text.lines() {
        *out += &format!("\n{:INDENT$}{line}", "");
    }
}

/// A text whose lines, indented, are as long as `columns` allows. Empty lines and indented ones are
/// left as they are.
fn fill(text: &str, columns: usize) -> String {
    let width = columns.saturating_sub(INDENT);
    let mut out = String::new();
    // The columns of the line at hand that are taken, if words may still follow.
    let mut taken = None;
    for line in text.lines() {
        if line.trim().is_empty() || line.starts_with(' ') {
            out += &format!("{}{line}", if out.is_empty() { "" } else { "\n" });
            taken = None;
            continue;
        }
        for word in line.split_whitespace() {
            let length = word.chars().count();
            let (between, column) = match taken {
                Some(taken) if taken + 1 + length <= width => (" ", taken + 1),
                _ if out.is_empty() => ("", 0),
                _ => ("\n", 0),
            };
            out += between;
            out += word;
            taken = Some(column + length);
        }
    }
    out
}

/// How what a form defines under a name is used, as far as the form tells.
fn used(bound: &Bound, form: &Datum) -> Option<String> {
    let [word, parts @ ..] = form.as_list()? else {
        return None;
    };
    let name = bound.name.as_str();
    match word.as_symbol()?.as_str() {
        "define-record-type" => of_record(bound, name, parts),
        "define-syntax" => of_macro(name, parts.get(1)?),
        "begin" => {
            let part = parts.iter().find(|part| holds(part.span, bound.span))?;
            used(bound, part)
        }
        _ => None,
    }
}

/// How the procedure is called that a form makes, or a clause of a `case-lambda`.
fn called(name: &str, form: &Datum, is_clause: bool) -> Option<String> {
    let [first, parts @ ..] = form.as_list()? else {
        return None;
    };
    let formals = match first.as_symbol().map(Symbol::as_str) {
        _ if is_clause => first,
        Some("lambda") => parts.first()?,
        Some("define") => {
            let header = parts.first()?;
            let (DatumKind::List(items) | DatumKind::Improper(items, _)) = &header.kind else {
                return None;
            };
            let defined = items.first()?.to_string();
            let text = header.to_string();
            return Some(format!("({name}{}", &text[1 + defined.len()..]));
        }
        _ => return None,
    };
    Some(match &formals.kind {
        DatumKind::List(items) if items.is_empty() => format!("({name})"),
        DatumKind::List(_) | DatumKind::Improper(..) => {
            let text = formals.to_string();
            format!("({name} {}", &text[1..])
        }
        DatumKind::Symbol(_) => format!("({name} . {formals})"),
        _ => return None,
    })
}

/// The patterns of `(syntax-rules (LITERAL …) (PATTERN TEMPLATE) …)`.
fn of_macro(name: &str, transformer: &Datum) -> Option<String> {
    let [_, parts @ ..] = transformer.as_list()? else {
        return None;
    };
    let rules = parts.iter().filter_map(|rule| match rule.as_list()? {
        [pattern, _] => pattern.as_list(),
        _ => None,
    });
    let lines: Vec<_> = rules
        .filter_map(|pattern| {
            let operands = pattern.get(1..)?.iter();
            let operands: String = operands.map(|part| format!(" {part}")).collect();
            Some(format!("({name}{operands})"))
        })
        .collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// Of what `define-record-type` defines.
fn of_record(bound: &Bound, name: &str, parts: &[Datum]) -> Option<String> {
    let [record, constructor, _, fields @ ..] = parts else {
        return None;
    };
    let record = match record.as_list() {
        Some([record, ..]) => record,
        _ => record,
    };
    if constructor.as_list().is_some() && holds(constructor.span, bound.span) {
        return Some(constructor.to_string());
    }
    let field = fields.iter().find(|field| holds(field.span, bound.span));
    match field.and_then(Datum::as_list) {
        Some([_, _, modifier]) if modifier.is_symbol(name) => {
            Some(format!("({name} {record} value)"))
        }
        Some(_) => Some(format!("({name} {record})")),
        None if record.is_symbol(name) => None,
        None => Some(format!("({name} object)")),
    }
}

#[cfg(test)]
mod tests {
    use super::fill;

    #[test]
    fn lines_are_as_long_as_there_is_room() {
        let text = "one two three\nfour five\n\n  kept as it is\nsix";
        assert_eq!(
            fill(text, 12),
            "one two\nthree four\nfive\n\n  kept as it is\nsix"
        );
        assert_eq!(
            fill(text, 80),
            "one two three four five\n\n  kept as it is\nsix"
        );
        assert_eq!(fill("wider-than-that λλλλ λ", 8), "wider-than-that\nλλλλ λ");
        assert_eq!(fill("", 8), "");
    }
}
