//! Diagnostics: what went wrong, where, and what to do, and how they look on a terminal.
//!
//! The first line is `FILE:LINE:COL: error: MESSAGE`, which editors and scripts take apart; the
//! source lines with their underlines follow. Everything that reports an error in program text,
//! from the reader to the running program, reports it as a [`Diagnostic`]. For programs there is the
//! same as JSON.

mod json;
mod places;
mod render;

use std::fmt;
use std::rc::Rc;

use crate::expansion::Via;
use crate::span::{SourceMap, Span};

pub use json::to_json;
pub use render::render;

/// How diagnostics are told.
#[derive(Copy, Clone, PartialEq, Eq, Default, Debug)]
pub enum Format {
    /// As text.
    #[default]
    Plain,
    /// As text with a terminal's colours.
    Color,
    /// As JSON, an object on each line.
    Json,
}

impl Format {
    /// The text of these diagnostics.
    pub fn text(self, diagnostics: &[Diagnostic], sources: &SourceMap) -> String {
        match self {
            Self::Plain => render(diagnostics, sources, false),
            Self::Color => render(diagnostics, sources, true),
            Self::Json => to_json(diagnostics, sources),
        }
    }

    /// The text of what was found about no place in a program: the command's own failures.
    pub fn remark(self, message: &str) -> String {
        match self {
            Self::Plain | Self::Color => format!("bowline: {message}\n"),
            Self::Json => to_json(&[Diagnostic::error(message, Span::NONE)], &SourceMap::new()),
        }
    }
}

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

/// A call that was under way when a running program failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Call {
    /// The procedure that made it, if it has a name.
    pub name: Option<Rc<str>>,
    /// Where it stands.
    pub place: Span,
    /// What to say of it, in one line.
    pub text: String,
}

/// One finding about program text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The name of this kind of finding, where there is one: `unused-variable`.
    pub code: Option<&'static str>,
    /// What is wrong, in one line, without a full stop.
    pub message: String,
    /// Where.
    pub primary: Span,
    /// What brought the form that this is a wrong part of, where that was not the program's text.
    pub form: Via,
    /// What to say at that place; may be empty.
    pub primary_label: String,
    /// Other places that matter, each with what to say there.
    pub secondary: Vec<(Span, String)>,
    /// The calls that led there, the innermost first.
    pub calls: Vec<Call>,
    /// Advice and background, a line or more each.
    pub notes: Vec<String>,
}

impl Diagnostic {
    /// A finding without labels and notes.
    pub fn new(severity: Severity, message: impl Into<String>, primary: Span) -> Self {
        Self {
            severity,
            code: None,
            message: message.into(),
            primary,
            form: Via::WRITTEN,
            primary_label: String::new(),
            secondary: Vec::new(),
            calls: Vec::new(),
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

    /// The same as one of a kind with a name.
    #[must_use]
    pub fn with_code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
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

    /// The same with the call around those that it has.
    #[must_use]
    pub fn with_call(mut self, call: Call) -> Self {
        self.calls.push(call);
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
