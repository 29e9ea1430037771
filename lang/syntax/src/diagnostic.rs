//! Diagnostics: what went wrong, where, and what to do, and how they look on a terminal.
//!
//! The first line is `FILE:LINE:COL: error: MESSAGE`, which editors and scripts take apart; the
//! source lines with their underlines follow. Everything that reports an error in program text,
//! from the reader to the running program, reports it as a [`Diagnostic`].

mod render;

use std::fmt;

use crate::span::Span;

pub use render::render;

/// How bad it is.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Probably wrong.
    Warning,
    /// Wrong.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// One finding about program text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one line, without a full stop.
    pub message: String,
    /// Where.
    pub primary: Span,
    /// What to say at that place; may be empty.
    pub primary_label: String,
    /// Other places that matter, each with what to say there.
    pub secondary: Vec<(Span, String)>,
    /// Advice and background, a line or more each.
    pub notes: Vec<String>,
}

impl Diagnostic {
    /// A finding without labels and notes.
    pub fn new(severity: Severity, message: impl Into<String>, primary: Span) -> Self {
        Self {
            severity,
            message: message.into(),
            primary,
            primary_label: String::new(),
            secondary: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// An error without labels and notes.
    pub fn error(message: impl Into<String>, primary: Span) -> Self {
        Self::new(Severity::Error, message, primary)
    }

    /// A warning without labels and notes.
    pub fn warning(message: impl Into<String>, primary: Span) -> Self {
        Self::new(Severity::Warning, message, primary)
    }

    /// The same with a label at its place.
    #[must_use]
    pub fn with_label(mut self, label: impl Into<String>) -> Self {
        self.primary_label = label.into();
        self
    }

    /// The same with another place.
    #[must_use]
    pub fn with_secondary(mut self, span: Span, label: impl Into<String>) -> Self {
        self.secondary.push((span, label.into()));
        self
    }

    /// The same with another note.
    #[must_use]
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

/// The message alone, for places that have no source map.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.severity, self.message)
    }
}

impl std::error::Error for Diagnostic {}
