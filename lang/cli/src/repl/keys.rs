//! The keys that mean something else here than in any other line editor.

use bowline_engine::{Entry, entry};
use rustyline::history::FileHistory;
use rustyline::{
    Cmd, ConditionalEventHandler, Editor, Event, EventContext, EventHandler, Helper, KeyCode,
    KeyEvent, Modifiers, RepeatCount,
};

use super::PROMPT;
use super::terminal::Terminal;

/// Gives the keys of this module their meaning.
pub(super) fn bind<H: Helper>(editor: &mut Editor<H, FileHistory>, terminal: Terminal) {
    let enter = |modifiers| KeyEvent(KeyCode::Enter, modifiers);
    let on = |handler: Box<dyn ConditionalEventHandler>| EventHandler::Conditional(handler);
    // A terminal sends the one, a program that drives it often the other.
    editor.bind_sequence(enter(Modifiers::NONE), on(Box::new(Enter)));
    editor.bind_sequence(KeyEvent::ctrl('J'), on(Box::new(Enter)));
    editor.bind_sequence(enter(Modifiers::ALT), Cmd::AcceptLine);
    editor.bind_sequence(KeyEvent::ctrl('O'), on(Box::new(Open)));
    editor.bind_sequence(KeyEvent(KeyCode::Tab, Modifiers::NONE), on(Box::new(Tab)));
    editor.bind_sequence(KeyEvent::ctrl('Z'), on(Box::new(Suspend(terminal))));
    editor.bind_sequence(KeyEvent::alt('p'), Cmd::HistorySearchBackward);
    editor.bind_sequence(KeyEvent::alt('n'), Cmd::HistorySearchForward);
}

/// The column at which the line after `text` begins.
///
/// The first line stands after the prompt, the others at the edge of the screen. So that what belongs
/// together is seen below each other, all of them are indented as on the screen.
fn indentation(text: &str) -> usize {
    let shown = " ".repeat(PROMPT.len()) + text;
    match entry(&shown) {
        Entry::Incomplete { indent } => indent,
        Entry::Complete | Entry::Empty => 0,
    }
}

fn new_line(text: &str) -> Cmd {
    Cmd::Insert(1, format!("\n{}", " ".repeat(indentation(text))))
}

/// Submits what is whole; otherwise opens a line at the right column.
struct Enter;

impl ConditionalEventHandler for Enter {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, at: &EventContext) -> Option<Cmd> {
        Some(match entry(at.line()) {
            Entry::Complete | Entry::Empty => Cmd::AcceptLine,
            Entry::Incomplete { .. } => new_line(&at.line()[..at.pos()]),
        })
    }
}

/// Opens a line at the right column.
struct Open;

impl ConditionalEventHandler for Open {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, at: &EventContext) -> Option<Cmd> {
        Some(new_line(&at.line()[..at.pos()]))
    }
}

/// Suspends the process.
struct Suspend(Terminal);

impl ConditionalEventHandler for Suspend {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, at: &EventContext) -> Option<Cmd> {
        self.0.suspend(at.line().matches('\n').count());
        Some(Cmd::Repaint)
    }
}

/// Completes a word; where a line has only begun, moves to the right column.
struct Tab;

impl ConditionalEventHandler for Tab {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, at: &EventContext) -> Option<Cmd> {
        Some(match missing(&at.line()[..at.pos()]) {
            None => Cmd::Complete,
            Some(0) => Cmd::Noop,
            Some(columns) => Cmd::Insert(1, " ".repeat(columns)),
        })
    }
}

/// How many columns to the right the cursor belongs, if nothing but white space is before it.
fn missing(before: &str) -> Option<usize> {
    let Some((above, line)) = before.rsplit_once('\n') else {
        return before.trim().is_empty().then_some(0);
    };
    line.trim()
        .is_empty()
        .then(|| indentation(above).saturating_sub(line.chars().count()))
}

#[cfg(test)]
mod tests {
    use super::{indentation, missing};

    #[test]
    fn lines_are_indented_as_they_are_seen() {
        assert_eq!(indentation("(define (f x)"), PROMPT_AND_BODY);
        // The second line is at the edge already.
        assert_eq!(indentation("(define (f x)\n    (let ((a 1))"), 6);
        assert_eq!(indentation("(f)"), 0);
    }

    const PROMPT_AND_BODY: usize = 4;

    #[test]
    fn tab_moves_only_where_a_line_begins() {
        assert_eq!(missing("(car"), None);
        assert_eq!(missing(""), Some(0));
        assert_eq!(missing("(define (f x)\n"), Some(PROMPT_AND_BODY));
        assert_eq!(missing("(define (f x)\n   "), Some(PROMPT_AND_BODY - 3));
        assert_eq!(missing("(define (f x)\n         "), Some(0));
        assert_eq!(missing("(define (f x)\n  (ca"), None);
    }
}
