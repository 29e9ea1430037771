//! What the line editor asks while a line is edited: colour, completions, a hint.
//!
//! Absent on purpose: whether an entry is whole. The key that submits it decides (`keys`).

use std::borrow::Cow;
use std::cell::Cell;
use std::rc::Rc;

use rustyline::completion::{Candidate, Completer};
use rustyline::config::CompletionType;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hint, Hinter};
use rustyline::validate::Validator;
use rustyline::{Context, Helper};
use unicode_width::UnicodeWidthStr;

use super::paint::{FAINT, PLAIN, paint, pair};
use super::{PROMPT, Shared};

/// Up to so many completions are shown with what they are.
const FEW: usize = 12;

/// What the line editor asks.
pub(super) struct Asked {
    interaction: Rc<Shared>,
    color: bool,
    /// The width and height of the terminal when the entry began.
    size: Cell<(usize, usize)>,
    /// The column of what is said after the line, if anything is.
    remark: Cell<Option<usize>>,
    /// Whether the entry is shown for the last time.
    last: Cell<bool>,
}

impl Asked {
    pub(super) fn new(interaction: Rc<Shared>, color: bool) -> Asked {
        Asked {
            interaction,
            color,
            size: Cell::new((80, 24)),
            remark: Cell::new(None),
            last: Cell::new(false),
        }
    }

    /// Tells the size of the terminal, before an entry begins.
    pub(super) fn resize(&self, columns: usize, rows: usize) {
        self.size.set((columns, rows));
        self.remark.set(None);
    }

    /// The column at which something is said after the last line.
    pub(super) fn remark(&self) -> Option<usize> {
        self.remark.get()
    }
}

impl Helper for Asked {}

impl Validator for Asked {}

/// A completion.
pub(super) struct Completion {
    text: String,
    shown: String,
}

impl Candidate for Completion {
    fn display(&self) -> &str {
        &self.shown
    }

    fn replacement(&self) -> &str {
        &self.text
    }
}

impl Completer for Asked {
    type Candidate = Completion;

    fn complete(
        &self,
        line: &str,
        at: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Completion>)> {
        let (start, found) = self.interaction.ask(|i| i.complete(line, at));
        let width = found.iter().map(|c| c.text.width()).max();
        let told = width.filter(|_| found.len() <= FEW);
        let completions = found.into_iter().map(|candidate| Completion {
            shown: match told {
                Some(width) => format!("{:width$}  {}", candidate.text, candidate.about),
                None => candidate.text.clone(),
            },
            text: candidate.text,
        });
        Ok((start, completions.collect()))
    }
}

/// Something said after the line. It is not part of it and cannot be taken into it.
pub(super) struct Remark(String);

impl Hint for Remark {
    fn display(&self) -> &str {
        &self.0
    }

    fn completion(&self) -> Option<&str> {
        None
    }
}

impl Hinter for Asked {
    type Hint = Remark;

    fn hint(&self, line: &str, at: usize, _: &Context<'_>) -> Option<Remark> {
        self.remark.set(None);
        let closed = line[at..].chars().all(|c| c == ')');
        let (columns, rows) = self.size.get();
        // Of a text that is higher than the screen the upper part cannot be drawn again.
        if !closed || line.lines().count() >= rows {
            return None;
        }
        let signature = self.interaction.ask(|i| i.hint(line, at))?;
        // Without colour it must not look like something that was typed.
        let lead = if self.color { "  " } else { "  ; " };
        let remark = format!("{lead}{}", signature.lines().next().unwrap_or_default());
        let end = match line.rsplit_once('\n') {
            Some((_, last)) => last.width(),
            None => PROMPT.len() + line.width(),
        };
        if end + remark.width() >= columns {
            return None;
        }
        self.remark.set(Some(end));
        Some(Remark(remark))
    }
}

impl Highlighter for Asked {
    fn highlight<'l>(&self, line: &'l str, at: usize) -> Cow<'l, str> {
        let tokens = self.interaction.ask(|i| i.tokens(line));
        let pair = if self.last.get() {
            None
        } else {
            pair(line, &tokens, at)
        };
        Cow::Owned(paint(line, &tokens, pair))
    }

    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        Cow::Owned(format!("\x1b[1m{prompt}{PLAIN}"))
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(format!("{FAINT}{hint}{PLAIN}"))
    }

    fn highlight_candidate<'c>(&self, shown: &'c str, _: CompletionType) -> Cow<'c, str> {
        match shown.split_once("  ") {
            Some((name, about)) => Cow::Owned(format!("{name}  {FAINT}{about}{PLAIN}")),
            None => Cow::Borrowed(shown),
        }
    }

    fn highlight_char(&self, line: &str, _: usize, kind: CmdKind) -> bool {
        self.last.set(kind == CmdKind::ForcedRefresh);
        // A text that is higher than the screen is drawn again only where it must be.
        kind != CmdKind::ForcedRefresh && line.lines().count() < self.size.get().1
    }
}
