//! What is told of an entry that failed.
//!
//! A long chain of calls is cut where it is told; the whole of it stays for whoever asks.

use bowline_middle::core::Defined;
use bowline_runtime::is_condition;
use bowline_syntax::{Diagnostic, Severity, Span};
use bowline_vm::{CompileError, Exit};

use super::{End, Interaction};
use crate::explain;
use crate::report;
use crate::session::Session;

/// Calls that are told at once.
const CALLS: usize = 6;

impl Interaction {
    /// The text of diagnostics, the first of which is kept whole.
    pub(super) fn refused(&mut self, diagnostics: &[Diagnostic]) -> End {
        self.failed = diagnostics.first().cloned();
        let brief: Vec<_> = diagnostics.iter().cloned().map(brief).collect();
        let sources = self.session.loader.sources.borrow();
        End::Failed(self.session.format.text(&brief, &sources))
    }

    /// A unit that cannot be loaded.
    pub(super) fn too_large(&mut self, error: &CompileError, place: Span) -> End {
        let place = match error {
            CompileError::FrameTooLarge { span } if !span.is_none() => *span,
            _ => place,
        };
        self.refused(&[Diagnostic::error(error.to_string(), place)])
    }

    /// A run that ended otherwise than with a value; what it would have defined.
    pub(super) fn ended(&mut self, exit: Exit, place: Span, defined: &[Defined]) -> End {
        let mut missing = None;
        let mut diagnostic = {
            let sources = self.session.loader.sources.borrow();
            match exit {
                Exit::Quit(status) => return End::Quit(status),
                Exit::Interrupted { trace } => report::interrupted(&sources, &trace, place),
                Exit::Uncaught { condition, trace } => {
                    let known = is_condition(condition);
                    let rt = &self.session.vm.rt;
                    let mut told = report::uncaught(rt, &sources, condition, trace);
                    missing = explain::unbound_name(rt, condition);
                    // An object without a place of its own was raised by the form itself.
                    if told.primary.is_none() && !known {
                        told.primary = place;
                    }
                    told
                }
            }
        };
        if let Some(name) = missing {
            let later = defined.iter().any(|defined| defined.name.as_str() == name);
            self.explain_missing(&name, later, &mut diagnostic);
        }
        self.refused(&[diagnostic])
    }

    /// Says why a variable has no value, unless it is defined `later`, and what may have been meant.
    fn explain_missing(&mut self, name: &str, later: bool, told: &mut Diagnostic) {
        if later {
            return;
        }
        let Session {
            expander, loader, ..
        } = &mut self.session;
        let bound = expander.bound(self.env, name);
        if bound.is_some_and(|bound| bound.mentioned) {
            told.message = format!("unbound variable `{name}`");
        }
        if let Some(note) = leaving_or_help(name) {
            told.notes.push(note.into());
            return;
        }
        told.notes.extend(expander.advice(name, self.env, loader));
    }

    /// Somebody wanted no more of a value.
    pub(super) fn stopped_printing(&mut self) -> End {
        self.session.vm.rt.heap.stack().take_interrupt();
        let message = "interrupted while a value was printed";
        self.refused(&[Diagnostic::new(Severity::Note, message, Span::NONE)])
    }

    /// What the last entry that failed was told, whole.
    pub(super) fn whole_failure(&self) -> Option<String> {
        let failed = self.failed.as_ref()?;
        let sources = self.session.loader.sources.borrow();
        let format = self.session.format;
        Some(format.text(std::slice::from_ref(failed), &sources))
    }
}

/// What to do at the prompt instead of typing a word that others understand.
fn leaving_or_help(word: &str) -> Option<&'static str> {
    match word {
        "quit" | "bye" | ":q" | ":quit" | ":exit" => Some("to leave type ,quit or press Ctrl-D"),
        "help" | ":help" | ":h" | "?" | ":?" => Some("type ,help for help, ,doc NAME about a name"),
        _ => None,
    }
}

/// The same with a chain that fits a screen.
fn brief(mut diagnostic: Diagnostic) -> Diagnostic {
    let more = diagnostic.calls.len().saturating_sub(CALLS);
    if more > 1 {
        diagnostic.calls.truncate(CALLS);
        diagnostic = diagnostic.with_note(format!("and {more} more calls: ,bt shows them"));
    }
    diagnostic
}
