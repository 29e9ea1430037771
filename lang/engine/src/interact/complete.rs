//! Completion and hints.

use super::Interaction;

/// Something that a word may be completed to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Candidate {
    /// The whole word.
    pub text: String,
    /// What it is: "syntax", "procedure (scheme base)", "yours".
    pub about: String,
}

impl Interaction {
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
    pub fn tokens(&self, text: &str) -> Vec<super::Token> {
        super::token::tokens(text, |_| super::TokenClass::Name)
    }
}
