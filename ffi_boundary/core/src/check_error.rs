//! What C may not do with what it was lent, as checking mode tells it. The texts are made by a signal handler, too: they
//! allocate nothing.

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

/// What was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wrong {
    /// So many bytes from the end on.
    Past(Access, usize),
    /// So many bytes before the beginning.
    Before(Access, usize),
    /// Anything, when the call had returned.
    After,
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
            Wrong::After => write!(f, " has used {what} after the call"),
            Wrong::Changed => write!(f, " has written to {what}, which it may only read"),
        }?;
        match &self.loan.place {
            Some(place) => write!(f, ", lent at {place}"),
            None => Ok(()),
        }
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
            text(false, Wrong::After, &loan),
            "the program has used argument 2 (bytevector) of memset after the call"
        );
        assert_eq!(
            text(true, Wrong::Changed, &loan),
            "C has written to argument 2 (bytevector) of memset, which it may only read"
        );
    }
}
