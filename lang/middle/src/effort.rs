//! What expansion may cost: the parts that templates, what they bring and quotations make are counted, since a few
//! lines of macros can ask for more of them than any memory holds.
//!
//! Whoever runs the expander may also want it to stop before; it asks every [`STEP`] parts.
//!
//! Absent on purpose: what data from the reader costs. It is there already.

use std::cell::{Cell, RefCell};

use bowline_syntax::{Diagnostic, Severity, Span};

/// How many parts one top-level form may make: with all that goes with them they fit a gigabyte.
const LIMIT: usize = 5_000_000;

/// How many parts lie between two looks at whether to stop.
const STEP: usize = 1024;

/// The parts made so far, and why no more are.
#[derive(Default)]
pub(crate) struct Effort {
    made: Cell<usize>,
    failure: RefCell<Option<Diagnostic>>,
    stop: Option<Box<dyn Fn() -> bool>>,
}

impl Effort {
    pub(crate) fn stop_when(&mut self, stop: Box<dyn Fn() -> bool>) {
        self.stop = Some(stop);
    }

    /// A run begins.
    pub(crate) fn begin(&self) {
        self.made.set(0);
        self.failure.replace(None);
    }

    /// Another form begins, unless the run was given up.
    pub(crate) fn begin_form(&self) {
        if self.failure.borrow().is_none() {
            self.made.set(0);
        }
    }

    /// Whether the run was given up.
    pub(crate) fn is_spent(&self) -> bool {
        self.failure.borrow().is_some()
    }

    /// Why the run was given up, if it was; asked once.
    pub(crate) fn take_failure(&self) -> Option<Diagnostic> {
        self.failure.take()
    }

    /// One part more, made by `who` for the form at `span`.
    pub(crate) fn part(&self, who: impl Fn() -> String, span: Span) -> Result<(), Box<Diagnostic>> {
        let made = self.made.get() + 1;
        let is_asked = made.is_multiple_of(STEP);
        let stops = is_asked && self.stop.as_ref().is_some_and(|stop| stop());
        if made <= LIMIT && !stops {
            self.made.set(made);
            return Ok(());
        }
        // The count stays: whatever is tried next fails, too.
        let found = if made > LIMIT {
            let message = format!("{} grows beyond {LIMIT} parts", who());
            Diagnostic::error(message, span)
        } else {
            self.made.set(LIMIT);
            let message = format!("interrupted in {}", who());
            Diagnostic::new(Severity::Note, message, span)
        };
        self.failure
            .borrow_mut()
            .get_or_insert_with(|| found.clone());
        Err(Box::new(found))
    }
}
