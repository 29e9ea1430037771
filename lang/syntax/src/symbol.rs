//! Symbols: names that are cheap to clone and to compare.
//!
//! Two symbols are equal when their characters are. Clones share one allocation, and comparing
//! clones looks at the pointer first.
//!
//! Absent on purpose: a process-wide table of names. The runtime interns symbols in its own heap,
//! and the expander gives identifiers their meaning by scopes, not by identity.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

/// A name.
#[derive(Clone)]
pub struct Symbol(Rc<str>);

impl Symbol {
    /// The symbol with these characters.
    pub fn new(name: &str) -> Self {
        Self(Rc::from(name))
    }

    /// Its characters, without any bars.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its characters, shared.
    pub fn shared(&self) -> Rc<str> {
        Rc::clone(&self.0)
    }
}

impl PartialEq for Symbol {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Eq for Symbol {}

impl PartialEq<str> for Symbol {
    fn eq(&self, other: &str) -> bool {
        &*self.0 == other
    }
}

impl PartialEq<&str> for Symbol {
    fn eq(&self, other: &&str) -> bool {
        &*self.0 == *other
    }
}

impl PartialOrd for Symbol {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Symbol {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl Hash for Symbol {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl From<&str> for Symbol {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl From<Rc<str>> for Symbol {
    fn from(name: Rc<str>) -> Self {
        Self(name)
    }
}

/// The bare characters; `write` of a datum adds bars where they are needed.
impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}
