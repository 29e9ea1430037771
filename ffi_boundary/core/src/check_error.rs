//! What C may not do with what it was lent, as checking mode tells it. The texts of crimes are made by a signal handler, too:
//! they allocate nothing.

use crate::error::plural;
use std::fmt;

/// Something that C was lent.
pub(crate) struct Loan {
    /// What it is, as in "argument 2 (bytevector) of memset".
    pub(crate) what: String,
    /// Where it was lent, as in "main.scm:7", if that is known.
    pub(crate) place: Option<String>,
}

/// How memory was used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Access {
    Written,
    Read,
    /// The system does not say.
    #[cfg_attr(
        target_arch = "x86_64",
        allow(dead_code, reason = "there it always says")
    )]
    Unknown,
}

/// Why an address is worth nothing any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum End {
    /// The call that it was lent to has returned.
    Returned,
    /// The object there has moved.
    Moved,
    /// What had the memory there has died.
    Died,
}

/// What was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wrong {
    /// So many bytes from the end on.
    Past(Access, usize),
    /// So many bytes before the beginning.
    Before(Access, usize),
    /// Anything, when it was over.
    After(End),
    /// Something was written to what may only be read.
    Changed,
}

/// What was done to what.
pub(crate) struct Crime<'a> {
    /// Whether the thread ran C, and not the program, by a pointer that C gave it.
    pub(crate) by_c: bool,
    pub(crate) wrong: Wrong,
    pub(crate) loan: &'a Loan,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Access::Written => "written",
            Access::Read => "read",
            Access::Unknown => "read or written",
        })
    }
}

impl fmt::Display for Crime<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.by_c { "C" } else { "the program" })?;
        let what = &self.loan.what;
        let bytes = |n: usize| if n == 1 { "byte" } else { "bytes" };
        match self.wrong {
            Wrong::Past(access, n) => {
                write!(f, " has {access} {n} {} past the end of {what}", bytes(n))
            }
            Wrong::Before(access, n) => {
                let bytes = bytes(n);
                write!(
                    f,
                    " has {access} {n} {bytes} before the beginning of {what}"
                )
            }
            Wrong::After(End::Returned) => write!(f, " has used {what} after the call"),
            Wrong::After(_) => write!(f, " has used {what} when the pointer to it had died"),
            Wrong::Changed => write!(f, " has written to {what}, which it may only read"),
        }?;
        self.loan.fmt_place(f)
    }
}

/// What has a word of C's memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Holder {
    /// A variable of a library.
    Static {
        /// Its file, if that is known.
        library: Option<String>,
        /// The name of the variable, if others can see it.
        symbol: Option<String>,
        /// Where in the variable, or else in the library as it is loaded.
        offset: usize,
    },
    /// A block of `malloc`.
    Block {
        /// How many bytes it has.
        bytes: usize,
        /// Where it is.
        at: usize,
        /// Where in it the word is.
        offset: usize,
    },
}

/// An address that C has kept longer than it is worth something.
pub(crate) struct Kept<'a> {
    pub(crate) loan: &'a Loan,
    pub(crate) end: End,
    pub(crate) holder: Holder,
}

impl Loan {
    fn fmt_place(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, ", lent at {place}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Holder::Static {
                library,
                symbol,
                offset,
            } => {
                let library = library.as_deref().unwrap_or("a library");
                match (symbol, offset) {
                    (Some(symbol), 0) => write!(f, "`{symbol}` of {library}"),
                    (Some(symbol), offset) => {
                        write!(
                            f,
                            "`{symbol}` of {library}, {} into it",
                            plural(*offset, "byte")
                        )
                    }
                    (None, offset) => write!(f, "static memory of {library} at {offset:#x}"),
                }
            }
            Holder::Block { bytes, at, offset } => write!(
                f,
                "a block of {} at {at:#x}, {} into it",
                plural(*bytes, "byte"),
                plural(*offset, "byte")
            ),
        }
    }
}

impl fmt::Display for Kept<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = match self.end {
            End::Returned => "after the call",
            End::Moved => "though the object has moved",
            End::Died => "though the object has died",
        };
        let (what, holder) = (&self.loan.what, &self.holder);
        write!(f, "C still has the address of {what} {end}, in {holder}")?;
        self.loan.fmt_place(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_crime_has_its_text() {
        let mut loan = Loan {
            what: "argument 2 (bytevector) of memset".into(),
            place: Some("main.scm:7".into()),
        };
        let text = |by_c, wrong, loan: &Loan| Crime { by_c, wrong, loan }.to_string();
        let lent = "argument 2 (bytevector) of memset, lent at main.scm:7";
        for (wrong, expected) in [
            (
                Wrong::Past(Access::Written, 1),
                "C has written 1 byte past the end of ",
            ),
            (
                Wrong::Past(Access::Read, 3),
                "C has read 3 bytes past the end of ",
            ),
            (
                Wrong::Before(Access::Unknown, 2),
                "C has read or written 2 bytes before the beginning of ",
            ),
        ] {
            assert_eq!(text(true, wrong, &loan), format!("{expected}{lent}"));
        }
        loan.place = None;
        assert_eq!(
            text(false, Wrong::After(End::Returned), &loan),
            "the program has used argument 2 (bytevector) of memset after the call"
        );
        assert_eq!(
            text(true, Wrong::After(End::Died), &loan),
            "C has used argument 2 (bytevector) of memset when the pointer to it had died"
        );
        assert_eq!(
            text(true, Wrong::Changed, &loan),
            "C has written to argument 2 (bytevector) of memset, which it may only read"
        );
    }
    #[test]
    fn what_is_kept_is_told_with_its_holder() {
        let loan = Loan {
            what: "argument 1 (string) of openlog".into(),
            place: Some("main.scm:7".into()),
        };
        let variable = |symbol: Option<&str>, offset| Holder::Static {
            library: Some("libc.so.6".into()),
            symbol: symbol.map(str::to_owned),
            offset,
        };
        let block = Holder::Block {
            bytes: 32,
            at: 0x7000,
            offset: 8,
        };
        let unknown = Holder::Static {
            library: None,
            symbol: None,
            offset: 0x40,
        };
        for (end, holder, expected) in [
            (
                End::Returned,
                variable(Some("tag"), 0),
                "after the call, in `tag` of libc.so.6",
            ),
            (
                End::Returned,
                variable(Some("tags"), 16),
                "after the call, in `tags` of libc.so.6, 16 bytes into it",
            ),
            (
                End::Returned,
                variable(None, 0x40),
                "after the call, in static memory of libc.so.6 at 0x40",
            ),
            (
                End::Moved,
                unknown,
                "though the object has moved, in static memory of a library at 0x40",
            ),
            (
                End::Died,
                block,
                "though the object has died, in a block of 32 bytes at 0x7000, 8 bytes into it",
            ),
        ] {
            let loan = &loan;
            assert_eq!(
                Kept { loan, end, holder }.to_string(),
                format!(
                    "C still has the address of argument 1 (string) of openlog {expected}, lent at main.scm:7"
                )
            );
        }
    }
}
