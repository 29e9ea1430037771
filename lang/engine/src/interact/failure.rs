//! What is told of an entry that failed.
//!
//! A long chain of calls is cut where it is told; the whole of it stays for whoever asks.

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

    /// A run that ended otherwise than with a value.
    pub(super) fn ended(&mut self, exit: Exit, place: Span) -> End {
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
            let Session {
                expander, loader, ..
            } = &mut self.session;
            diagnostic
                .notes
                .extend(expander.advice(&name, self.env, loader));
        }
        self.refused(&[diagnostic])
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

/// The same with a chain that fits a screen.
fn brief(mut diagnostic: Diagnostic) -> Diagnostic {
    let more = diagnostic.calls.len().saturating_sub(CALLS);
    if more > 1 {
        diagnostic.calls.truncate(CALLS);
        diagnostic = diagnostic.with_note(format!("and {more} more calls: ,bt shows them"));
    }
    diagnostic
}
