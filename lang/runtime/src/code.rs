//! What the runtime must know of compiled code: names and arities for printing and errors, and the
//! code words that it writes into the procedures it makes itself.
//!
//! The engine fills both. Absent on purpose: the code.

use std::rc::Rc;

use bowline_syntax::Span;

/// What is known of one piece of compiled code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeInfo {
    /// The procedure's name, if it has one.
    pub name: Option<Rc<str>>,
    /// The fewest arguments it takes.
    pub min: usize,
    /// The most arguments it takes, if there is a limit.
    pub max: Option<usize>,
    /// Where it was written.
    pub place: Span,
}

/// Code words in ascending order with what is known of each.
#[derive(Default)]
pub struct CodeTable {
    entries: Vec<(u64, CodeInfo)>,
}

impl CodeTable {
    /// Records the code that begins at `start`.
    pub fn register(&mut self, start: u64, info: CodeInfo) {
        match self.entries.last() {
            Some(&(last, _)) if last >= start => {
                match self.entries.binary_search_by_key(&start, |e| e.0) {
                    Ok(i) => self.entries[i].1 = info,
                    Err(i) => self.entries.insert(i, (start, info)),
                }
            }
            _ => self.entries.push((start, info)),
        }
    }

    /// What is known of the code that begins at `start`.
    pub fn info(&self, start: u64) -> Option<&CodeInfo> {
        let i = self.entries.binary_search_by_key(&start, |e| e.0).ok()?;
        Some(&self.entries[i].1)
    }
}

/// The code words of procedures that are not compiled from Scheme.
#[derive(Clone, Copy, Default, Debug)]
pub struct StubCodes {
    /// Of primitives.
    pub primitive: u64,
    /// Of parameters.
    pub parameter: u64,
    /// Of foreign procedures.
    pub foreign: u64,
    /// Of continuations.
    pub kont: u64,
    /// Of procedures made by `case-lambda`.
    pub case_lambda: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_found_by_its_start_whatever_the_order() {
        let info = |name: &str| CodeInfo {
            name: Some(name.into()),
            min: 0,
            max: None,
            place: Span::NONE,
        };
        let mut table = CodeTable::default();
        for start in [10, 30, 20, 10] {
            table.register(start, info(&start.to_string()));
        }
        assert_eq!(table.info(20), Some(&info("20")));
        assert_eq!(table.info(30), Some(&info("30")));
        assert_eq!(table.info(11), None);
    }
}
