//! Where a datum that contains itself may stand.
//!
//! `inv:syntax.cycle` In a program such a datum is whole in a quotation: its `Labelled` part and all
//! its references are in one literal, and no other form has a `Labelled` or `Reference` part. The
//! reader cannot tell what is quoted; whoever takes a program apart asks here.
//!
//! Keeps its own stack (inv:syntax.depth).

use std::collections::HashMap;

use crate::datum::{Datum, DatumKind};
use crate::diagnostic::Diagnostic;
use crate::fault::Fault;
use crate::span::Span;

/// The labels that close cycles in a datum, and the references to labels, in reading order.
#[derive(Default)]
struct Labels {
    defined: HashMap<u32, Span>,
    references: Vec<(u32, Span)>,
}

fn labels(datum: &Datum) -> Labels {
    let mut found = Labels::default();
    let mut stack = vec![datum];
    while let Some(datum) = stack.pop() {
        match &datum.kind {
            DatumKind::List(items) | DatumKind::Vector(items) => stack.extend(items.iter().rev()),
            DatumKind::Improper(items, tail) => {
                stack.push(tail);
                stack.extend(items.iter().rev());
            }
            DatumKind::Labelled(label, inner) => {
                found.defined.insert(*label, label_span(*label, datum.span));
                stack.push(inner);
            }
            DatumKind::Reference(label) => found.references.push((*label, datum.span)),
            _ => {}
        }
    }
    found
}

/// The place of `#N=` in the place of the datum that begins with it.
fn label_span(label: u32, whole: Span) -> Span {
    let length = format!("#{label}=").len() as u32;
    Span::new(
        whole.source,
        whole.start,
        whole.end.min(whole.start + length),
    )
}

/// What is wrong if this is quoted: it refers to a circular datum that is not part of it.
pub fn check_literal(datum: &Datum) -> Option<Diagnostic> {
    let found = labels(datum);
    let outside = |(label, _): &&(u32, Span)| !found.defined.contains_key(label);
    let (label, span) = found.references.iter().find(outside)?;
    Some(Fault::CycleElsewhere(*label).diagnostic(*span))
}

/// What is wrong if this is not quoted: it contains itself, or a part of it does.
pub fn check_unquoted(datum: &Datum) -> Option<Diagnostic> {
    let found = labels(datum);
    let (label, span) = found.references.first()?;
    let fault = match found.defined.get(label) {
        Some(definition) => Fault::Cycle(*label, *definition),
        None => Fault::CycleElsewhere(*label),
    };
    Some(fault.diagnostic(*span))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::read_all;
    use crate::span::SourceId;

    fn read(text: &str) -> Datum {
        let (data, diagnostics) = read_all(SourceId(0), text);
        assert_eq!(diagnostics, []);
        data.into_iter().next().expect("one datum")
    }

    #[test]
    fn a_literal_holds_all_of_its_cycles() {
        for text in ["a", "(#0=(a) #0#)", "#0=(a . #0#)", "#(#1=(#1#) #1#)"] {
            assert_eq!(check_literal(&read(text)), None, "{text}");
        }
        let whole = read("(#0=(a . #0#) (b . #0#))");
        let parts = whole.as_list().expect("a list");
        let error = check_literal(&parts[1]).expect("it refers to the other part");
        assert_eq!(
            error.message,
            "`#0#` stands for a circular datum that is not in the same literal"
        );
        assert_eq!((error.primary.start, error.primary.end), (19, 22));
    }

    #[test]
    fn only_a_cycle_is_wrong_outside_a_literal() {
        assert_eq!(check_unquoted(&read("(#0=(a) #0#)")), None);
        let error = check_unquoted(&read("(x #10=#(a (b . #10#)))")).expect("a cycle");
        assert_eq!(error.message, "`#10#` makes this datum contain itself");
        let definition = &error.secondary[0].0;
        assert_eq!((definition.start, definition.end), (3, 7));
    }
}
