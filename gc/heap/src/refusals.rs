//! Refusing memory that there is, to try what becomes of a program that is refused some.
//!
//! What asks is counted: each allocation in the heap, each owner of C memory, each page of counters for pins, and
//! what others count in with [`Heap::refuses`]. Counting begins when the heap starts, or when
//! [`Heap::begin_refusals`] says so, and the Nth is refused: once, or with all that follow.
//!
//! Absent on purpose: choosing by chance. A failure that is found can be had again by its number.

use crate::config::HeapError;
use crate::heap::Heap;
use crate::recorder::Note;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// What is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The number of the first that is refused, counted from 1.
    pub nth: u64,
    /// Whether everything after it is refused, too.
    pub lasting: bool,
    /// Whether what the runtime allocates before the program begins counts.
    pub early: bool,
}

impl FromStr for Refusal {
    type Err = HeapError;

    fn from_str(text: &str) -> Result<Self, HeapError> {
        let (early, rest) = match text.strip_prefix("start:") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (lasting, digits) = match rest.strip_suffix('+') {
            Some(digits) => (true, digits),
            None => (false, rest),
        };
        let nth = digits.parse().ok().filter(|n| *n >= 1).ok_or_else(|| {
            HeapError::BadConfig(format!(
                "what is refused is \"N\", \"N+\", \"start:N\" or \"start:N+\" with N at least 1, not \
                 \"{text}\""
            ))
        })?;
        Ok(Refusal {
            nth,
            lasting,
            early,
        })
    }
}

/// The count.
pub(crate) struct Refusals {
    wanted: Option<Refusal>,
    counting: AtomicBool,
    asked: AtomicU64,
}

impl Refusals {
    pub(crate) fn new(wanted: Option<Refusal>) -> Self {
        Refusals {
            wanted,
            counting: AtomicBool::new(wanted.is_some_and(|r| r.early)),
            asked: AtomicU64::new(0),
        }
    }

    /// Whether anything is refused.
    #[inline]
    pub(crate) fn are_wanted(&self) -> bool {
        self.wanted.is_some()
    }

    fn count(&self, wanted: Refusal) -> bool {
        if !self.counting.load(Relaxed) {
            return false;
        }
        let n = self.asked.fetch_add(1, Relaxed) + 1;
        n == wanted.nth || (wanted.lasting && n > wanted.nth)
    }
}

impl Heap {
    /// From now on what asks for memory is counted, if the configuration says that some is to be refused.
    pub fn begin_refusals(&self) {
        self.refusals.counting.store(true, Relaxed);
    }

    /// Counts somebody who asks for memory, and returns whether it is refused although there may be some. What
    /// grows beside the heap at a program's wish asks this.
    #[inline]
    pub fn refuses(&self) -> bool {
        let Some(wanted) = self.refusals.wanted else {
            return false;
        };
        let refused = self.refusals.count(wanted);
        if refused {
            self.recorder.note(Note::OutOfMemory);
        }
        refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_by_name() {
        let refusal = |nth, lasting, early| {
            Ok(Refusal {
                nth,
                lasting,
                early,
            })
        };
        assert_eq!("7".parse(), refusal(7, false, false));
        assert_eq!("7+".parse(), refusal(7, true, false));
        assert_eq!("start:9".parse(), refusal(9, false, true));
        assert_eq!("start:1+".parse(), refusal(1, true, true));
        for bad in ["", "0", "+", "x", "start:", "-1", "1++"] {
            let message = bad.parse::<Refusal>().unwrap_err().to_string();
            assert!(message.starts_with("what is refused is \"N\", \"N+\""));
            assert!(message.ends_with(&format!("not \"{bad}\"")), "{message}");
        }
    }

    #[test]
    fn the_nth_is_refused_and_the_rest_only_if_that_is_wanted() {
        let refused = |text: &str, begun: bool| -> Vec<bool> {
            let wanted = text.parse().unwrap();
            let refusals = Refusals::new(Some(wanted));
            refusals.counting.fetch_or(begun, Relaxed);
            (0..4).map(|_| refusals.count(wanted)).collect()
        };
        assert_eq!(refused("2", true), [false, true, false, false]);
        assert_eq!(refused("2+", true), [false, true, true, true]);
        assert_eq!(refused("1+", false), [false; 4]);
        assert_eq!(refused("start:3", false), [false, false, true, false]);
    }
}
