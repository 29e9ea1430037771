//! How deep a pass is that moves procedures to their calls (inv:middle.depth).
//!
//! What is nested too deeply is left as it stands, and the unit is refused afterwards.

use bowline_syntax::{Diagnostic, Span};

use crate::limits::MOVED_LIMIT;

/// Where a pass is.
pub(super) struct Depth {
    now: u32,
    /// The last call that a procedure was moved to.
    moved: Span,
    too_deep: Option<Span>,
}

impl Depth {
    pub(super) fn new() -> Self {
        Self {
            now: 0,
            moved: Span::NONE,
            too_deep: None,
        }
    }

    /// One level deeper; false if that is too deep.
    pub(super) fn enter(&mut self) -> bool {
        self.now += 1;
        let fits = self.now <= MOVED_LIMIT;
        if !fits {
            self.too_deep.get_or_insert(self.moved);
        }
        fits
    }

    /// Back to where there were this many levels.
    pub(super) fn leave_to(&mut self, levels: u32) {
        self.now = levels;
    }

    /// How many levels there are.
    pub(super) fn levels(&self) -> u32 {
        self.now
    }

    /// A procedure goes to this call.
    pub(super) fn moves_to(&mut self, call: Span) {
        self.moved = call;
    }

    /// Whether everything was walked.
    pub(super) fn finish(self) -> Result<(), Box<Diagnostic>> {
        let Some(call) = self.too_deep else {
            return Ok(());
        };
        let message = "procedures that are called once are nested too deeply here";
        let note = "each is compiled as a part of the one that calls it";
        Err(Box::new(Diagnostic::error(message, call).with_note(note)))
    }
}
