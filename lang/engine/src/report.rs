//! What is said of an object that nobody handled, by the program or by a finalizer.
//!
//! The place is that of the innermost frame of the user's own code; frames of the standard library
//! are left out, as they say nothing about the program. The rest of the chain follows as calls, the
//! innermost first; a recursion is one of them, without a number: a long chain is cut.

use std::cell::RefCell;
use std::rc::Rc;

use bowline_layout::Value;
use bowline_runtime::Rt;
use bowline_syntax::{Call, Diagnostic, Format, Severity, SourceMap, Span};
use bowline_vm::{Reached, Reporter, TraceFrame};

use crate::explain;
use crate::reference;
use crate::session::tell;

/// The diagnostic for an uncaught object with the chain of calls that raised it.
pub(crate) fn uncaught(
    rt: &Rt,
    sources: &SourceMap,
    object: Value,
    trace: Vec<TraceFrame>,
) -> Diagnostic {
    // Whether the failing operation itself is the program's.
    let direct = trace.first().is_some_and(|frame| is_own(sources, frame));
    let mut frames = own(sources, trace);
    if let [accessor, _, ..] = &frames[..]
        && explain::blames(rt, object, accessor.name.as_deref())
    {
        // A record's accessor blames its argument: the place is the call.
        frames.remove(0);
    }
    if let Some(TraceFrame { reached, .. }) = frames.first_mut()
        && let Reached::ByTailCalls { to, .. } = reached
        && let Some(refused) = explain::refused(rt, object)
    {
        *to = Some(refused);
    }
    // Nor is it the operation if something else went wrong by then.
    let operation = |frame: &&TraceFrame| direct && frame.reached == Reached::Directly;
    let place = frames.first().filter(operation).map(|frame| frame.span);
    let said = explain::explain(rt, sources, object, place);
    let mut diagnostic = Diagnostic::error(said.message, Span::NONE);
    diagnostic.secondary = said.places;
    diagnostic.notes = said.notes;
    with_chain(diagnostic, sources, &frames)
}

/// What is said of a program that was interrupted, at `place` if no frame tells.
pub(crate) fn interrupted(sources: &SourceMap, trace: &[TraceFrame], place: Span) -> Diagnostic {
    let diagnostic = Diagnostic::new(Severity::Note, "interrupted", Span::NONE);
    let frames = own(sources, trace.to_vec());
    let mut diagnostic = with_chain(diagnostic, sources, &frames);
    if diagnostic.primary.is_none() {
        diagnostic.primary = place;
    }
    diagnostic
}

/// Whether a frame is the program's own.
fn is_own(sources: &SourceMap, frame: &TraceFrame) -> bool {
    !frame.span.is_none() && !sources.is_library(frame.span.source)
}

/// The program's own frames. What a procedure of the library raised, its caller is told to have
/// raised.
fn own(sources: &SourceMap, trace: Vec<TraceFrame>) -> Vec<TraceFrame> {
    let mut frames = Vec::with_capacity(trace.len());
    let mut raised = false;
    for mut frame in trace {
        raised |= frame.reached == Reached::Raised;
        if !is_own(sources, &frame) {
            continue;
        }
        if raised && frame.reached == Reached::Directly {
            frame.reached = Reached::Raised;
        }
        raised = false;
        frames.push(frame);
    }
    frames
}

/// The same finding with its place and the calls that led there, which are the program's own.
fn with_chain(
    mut diagnostic: Diagnostic,
    sources: &SourceMap,
    frames: &[TraceFrame],
) -> Diagnostic {
    let Some((first, callers)) = frames.split_first() else {
        return diagnostic;
    };
    diagnostic.primary = first.span;
    if let Some(name) = &first.name {
        diagnostic = diagnostic.with_label(format!("in {name}"));
    }
    diagnostic.calls.extend(between(first, sources));
    for group in callers.chunk_by(|a, b| a == b) {
        diagnostic.calls.extend(between(&group[0], sources));
        let again = if group.len() > 1 { ", repeatedly" } else { "" };
        diagnostic = diagnostic.with_call(Call {
            name: group[0].name.clone(),
            place: group[0].span,
            text: caller(&group[0], sources) + again,
        });
    }
    diagnostic
}

fn caller(frame: &TraceFrame, sources: &SourceMap) -> String {
    let place = sources
        .location(frame.span)
        .map_or_else(|| "an unknown place".to_string(), |place| place.to_string());
    match (&frame.name, &frame.reached) {
        (Some(name), Reached::Raised) => format!("while handling what {name} raised at {place}"),
        (None, Reached::Raised) => format!("while handling what was raised at {place}"),
        (Some(name), _) => format!("called from {name} at {place}"),
        (None, _) => format!("called from {place}"),
    }
}

/// What stood between a call and what runs above it, as far as it left a trace.
fn between(frame: &TraceFrame, sources: &SourceMap) -> Option<Call> {
    let (name, place, text) = match &frame.reached {
        Reached::Directly | Reached::Raised => return None,
        // What the library does behind its own procedures concerns nobody.
        Reached::ByTailCalls { defined, .. } if sources.is_library(defined.source) => return None,
        // Nor what it put behind the names that a definition makes.
        Reached::ByTailCalls { defined, .. } if explain::is_made(sources, *defined) => return None,
        Reached::ByTailCalls { from, defined, to } => {
            // Nor do the names that it has for itself.
            let public = |(name, place): &&(Rc<str>, Span)| {
                !sources.is_library(place.source) || reference::lookup(name).is_some()
            };
            let to = match to.as_ref().filter(public) {
                Some((name, _)) => format!("to {name}"),
                None => "elsewhere".to_string(),
            };
            let text = format!("tail calls elided: {from} was called and went on {to}");
            (Some(from.clone()), *defined, text)
        }
        Reached::ThroughC { function } => {
            let text = match function {
                Some(name) => format!("called from C in {name}"),
                None => "called from C".to_string(),
            };
            (function.clone(), Span::NONE, text)
        }
    };
    Some(Call { name, place, text })
}

/// Tells the user, on standard error, of what happens while a program runs.
pub(crate) struct Telling {
    pub(crate) sources: Rc<RefCell<SourceMap>>,
    pub(crate) format: Format,
}

impl Telling {
    /// Tells of an object that nobody has handled.
    fn failed(
        &self,
        rt: &mut Rt,
        (object, trace): (Value, Vec<TraceFrame>),
        place: &str,
        note: &str,
    ) {
        let sources = self.sources.borrow();
        let mut diagnostic = uncaught(rt, &sources, object, trace);
        diagnostic.message.insert_str(0, place);
        let diagnostic = diagnostic.with_note(note);
        // What the program printed before comes before.
        let _ = rt.flush_ports();
        tell(&self.format.text(&[diagnostic], &sources));
    }
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
        let uncaught = (object, trace);
        self.failed(rt, uncaught, "in a finalizer: ", "the program goes on");
    }

    fn guest_failed(&self, rt: &mut Rt, object: Value, trace: Vec<TraceFrame>) {
        let place = "in a callback on a thread of C's: ";
        let note = "C gets the callback's default, and the program goes on";
        self.failed(rt, (object, trace), place, note);
    }

    fn guest_quits(&self, rt: &mut Rt, status: i32) -> i32 {
        match rt.flush_ports() {
            Ok(()) => status,
            Err(lost) => {
                tell(&self.format.remark(&lost.to_string()));
                match status {
                    0 => crate::session::FAILED,
                    failed => failed,
                }
            }
        }
    }
}
