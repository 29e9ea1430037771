//! What is said of an object that nobody handled, by the program or by a finalizer.
//!
//! The place is that of the innermost frame of the user's own code; frames of the standard library
//! are left out, as they say nothing about the program. The rest of the chain follows as calls, the
//! innermost first; a recursion is one of them, without a number: a long chain is cut.

use std::cell::RefCell;
use std::rc::Rc;

use bowline_layout::Value;
use bowline_runtime::{Rt, is_condition};
use bowline_syntax::{Call, Diagnostic, Format, Severity, SourceMap, Span};
use bowline_vm::{Reporter, TraceFrame};

use crate::session::tell;

/// The diagnostic for an uncaught object with the chain of calls that raised it.
pub(crate) fn uncaught(
    rt: &Rt,
    sources: &SourceMap,
    object: Value,
    trace: Vec<TraceFrame>,
) -> Diagnostic {
    let text = rt.describe(object);
    let message = if is_condition(object) {
        text
    } else {
        format!("uncaught object: {text}")
    };
    with_chain(Diagnostic::error(message, Span::NONE), sources, &trace)
}

/// What is said of a program that was interrupted, at `place` if no frame tells.
pub(crate) fn interrupted(sources: &SourceMap, trace: &[TraceFrame], place: Span) -> Diagnostic {
    let diagnostic = Diagnostic::new(Severity::Note, "interrupted", Span::NONE);
    let mut diagnostic = with_chain(diagnostic, sources, trace);
    if diagnostic.primary.is_none() {
        diagnostic.primary = place;
    }
    diagnostic
}

/// The same finding with its place and the calls that led there.
fn with_chain(mut diagnostic: Diagnostic, sources: &SourceMap, trace: &[TraceFrame]) -> Diagnostic {
    let own: Vec<&TraceFrame> = trace
        .iter()
        .filter(|frame| !frame.span.is_none() && !sources.is_library(frame.span.source))
        .collect();
    let Some((first, callers)) = own.split_first() else {
        return diagnostic;
    };
    diagnostic.primary = first.span;
    if let Some(name) = &first.name {
        diagnostic = diagnostic.with_label(format!("in {name}"));
    }
    for group in callers.chunk_by(|a, b| a.span == b.span && a.name == b.name) {
        let again = if group.len() > 1 { ", repeatedly" } else { "" };
        diagnostic = diagnostic.with_call(Call {
            name: group[0].name.clone(),
            place: group[0].span,
            text: caller(group[0], sources) + again,
        });
    }
    diagnostic
}

fn caller(frame: &TraceFrame, sources: &SourceMap) -> String {
    let place = sources
        .location(frame.span)
        .map_or_else(|| "an unknown place".to_string(), |place| place.to_string());
    match &frame.name {
        Some(name) => format!("called from {name} at {place}"),
        None => format!("called from {place}"),
    }
}

/// Tells the user, on standard error, of what happens while a program runs.
pub(crate) struct Telling {
    pub(crate) sources: Rc<RefCell<SourceMap>>,
    pub(crate) format: Format,
}

impl Reporter for Telling {
    fn place(&self, span: Span) -> Option<String> {
        let sources = self.sources.borrow();
        if sources.is_library(span.source) {
            return None;
        }
        let place = sources.location(span)?;
        Some(format!("{}:{}", place.file, place.line))
    }

    fn finalizer_failed(&self, rt: &mut Rt, object: Value, trace: Vec<TraceFrame>) {
        let sources = self.sources.borrow();
        let mut diagnostic = uncaught(rt, &sources, object, trace);
        diagnostic.message.insert_str(0, "in a finalizer: ");
        let diagnostic = diagnostic.with_note("the program goes on");
        // What the program printed before comes before.
        let _ = rt.flush_ports();
        tell(&self.format.text(&[diagnostic], &sources));
    }
}
