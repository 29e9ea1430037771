//! Whether a text is a whole entry, and how far the next line of one that is not is indented.
//!
//! Absent on purpose: what is wrong with a text. One that more text cannot mend is complete, and
//! evaluating it tells.

use bowline_syntax::{Reader, SourceId};

/// How much of an entry a text is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entry {
    /// Nothing but white space and comments.
    Empty,
    /// It can be submitted.
    Complete,
    /// A form is still open.
    Incomplete {
        /// The column of the next line, from 0.
        indent: usize,
    },
}

/// Whether `text` is an entry. Nothing is evaluated, and what is bound makes no difference.
pub fn entry(text: &str) -> Entry {
    if text.trim_start().starts_with(',') {
        return Entry::Complete;
    }
    let mut seen = false;
    for datum in Reader::new(SourceId(0), text).keep_cycles() {
        match datum {
            Ok(_) => seen = true,
            Err(error) if error.is_incomplete() => return Entry::Incomplete { indent: 2 },
            Err(_) => return Entry::Complete,
        }
    }
    if seen { Entry::Complete } else { Entry::Empty }
}
