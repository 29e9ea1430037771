//! What a torture run can find wrong, with the facts.

use std::fmt;

use crate::plan::Kind;
use crate::raw::{Call, Wrong};

/// A promise that the malloc under test did not keep.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// A block lies on memory that is another's.
    Overlap {
        origin: Origin,
        address: usize,
        size: usize,
        at: usize,
    },
    /// A byte is not what was written there.
    Content {
        address: usize,
        size: usize,
        wrong: Wrong,
        when: &'static str,
    },
    /// A block begins at no multiple of what was promised.
    Misaligned {
        origin: Origin,
        address: usize,
        align: usize,
    },
    /// `calloc` gave memory that is not zero.
    Dirty {
        call: Call,
        address: usize,
        wrong: Wrong,
    },
    /// `malloc_usable_size` is less than was asked for.
    Short {
        origin: Origin,
        address: usize,
        usable: usize,
    },
    /// A request that can be granted was not.
    Refused {
        origin: Origin,
        errno: i32,
        held: usize,
    },
    /// A request that cannot be granted was.
    Granted { origin: Origin, address: usize },
    /// A refusal without its errno.
    Errno {
        origin: Origin,
        wanted: i32,
        found: i32,
    },
    /// `free` changed errno.
    FreeErrno { found: i32 },
    /// A forked child died of a signal.
    ChildDied { signal: i32 },
    /// A forked child did not end.
    ChildHung,
    /// No process could be forked.
    NoFork { errno: i32 },
}

/// The call that gave a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    Call(Call),
    Realloc { address: usize, size: usize },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(call) => call.fmt(f),
            Self::Realloc { address, size } => write!(f, "realloc({address:#x}, {size})"),
        }
    }
}

/// How a child process fared, from good to bad.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Verdict {
    /// The function is not there.
    Missing,
    /// All held.
    Held,
    /// A promise did not hold.
    Broken,
    /// It did not go on.
    Hung,
    /// It died of a signal.
    Crashed,
}

impl Verdict {
    /// The word for a line of the report.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Missing => "not there",
            Self::Held => "ok",
            Self::Broken => "BROKEN",
            Self::Hung => "HUNG",
            Self::Crashed => "CRASHED",
        }
    }

    /// The exit code of a run whose worst this was.
    pub(crate) const fn exit_code(self) -> u8 {
        match self {
            Self::Missing | Self::Held => 0,
            Self::Broken => 1,
            Self::Crashed => 3,
            Self::Hung => 4,
        }
    }
}

impl Fault {
    pub(crate) const fn verdict(&self) -> Verdict {
        match self {
            Self::ChildDied { .. } => Verdict::Crashed,
            Self::ChildHung => Verdict::Hung,
            _ => Verdict::Broken,
        }
    }

    /// The kind of step to leave out in order to look past this fault, if one alone shows it.
    pub(crate) const fn kind(&self) -> Option<Kind> {
        match self {
            Self::Errno { .. } | Self::Granted { .. } | Self::FreeErrno { .. } => Some(Kind::Errno),
            Self::Dirty { .. } => Some(Kind::Calloc),
            Self::ChildDied { .. } | Self::ChildHung | Self::NoFork { .. } => Some(Kind::Fork),
            _ => None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overlap {
                origin,
                address,
                size,
                at,
            } => write!(
                f,
                "{origin} gave {size} bytes at {address:#x}, but {at:#x} lies in a live block"
            ),
            Self::Content {
                address,
                size,
                wrong,
                when,
            } => write!(
                f,
                "{when}: byte {} of the {size} at {address:#x} is {:#04x}, {:#04x} was written",
                wrong.offset, wrong.found, wrong.wanted
            ),
            Self::Misaligned {
                origin,
                address,
                align,
            } => write!(f, "{origin} gave {address:#x}, no multiple of {align}"),
            Self::Dirty {
                call,
                address,
                wrong,
            } => write!(
                f,
                "{call} gave {address:#x}, whose byte {} is {:#04x} and not zero",
                wrong.offset, wrong.found
            ),
            Self::Short {
                origin,
                address,
                usable,
            } => write!(
                f,
                "{origin} gave {address:#x}, whose malloc_usable_size is {usable}"
            ),
            Self::Refused {
                origin,
                errno,
                held,
            } => write!(
                f,
                "{origin} gave NULL (errno {errno}) while this thread held {held} bytes"
            ),
            Self::Granted { origin, address } => {
                write!(f, "{origin} gave {address:#x}, which cannot be that large")
            }
            Self::Errno {
                origin,
                wanted,
                found,
            } => write!(f, "{origin} gave NULL and errno {found}, not {wanted}"),
            Self::FreeErrno { found } => write!(f, "free changed errno to {found}"),
            Self::ChildDied { signal } => write!(f, "a forked child died of signal {signal}"),
            Self::ChildHung => write!(f, "a forked child did not end"),
            Self::NoFork { errno } => write!(f, "fork failed with errno {errno}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_says_what_was_seen() {
        let call = Call::Malloc { size: 100 };
        let origin = Origin::Call(call);
        let wrong = Wrong {
            offset: 5,
            wanted: 1,
            found: 2,
        };
        let address = 0x1000;
        #[rustfmt::skip] // a table
        let texts = [
            (Fault::Overlap { origin, address, size: 112, at: 0x1040 },
             "malloc(100) gave 112 bytes at 0x1000, but 0x1040 lies in a live block"),
            (Fault::Content { address, size: 112, wrong, when: "before free" },
             "before free: byte 5 of the 112 at 0x1000 is 0x02, 0x01 was written"),
            (Fault::Misaligned { origin, address: 0x1008, align: 16 },
             "malloc(100) gave 0x1008, no multiple of 16"),
            (Fault::Dirty { call: Call::Calloc { count: 2, size: 50 }, address, wrong },
             "calloc(2, 50) gave 0x1000, whose byte 5 is 0x02 and not zero"),
            (Fault::Short { origin, address, usable: 96 },
             "malloc(100) gave 0x1000, whose malloc_usable_size is 96"),
            (Fault::Refused { origin: Origin::Realloc { address, size: 9 }, errno: 12, held: 7 },
             "realloc(0x1000, 9) gave NULL (errno 12) while this thread held 7 bytes"),
            (Fault::Granted { origin, address },
             "malloc(100) gave 0x1000, which cannot be that large"),
            (Fault::Errno { origin, wanted: 12, found: 0 },
             "malloc(100) gave NULL and errno 0, not 12"),
            (Fault::FreeErrno { found: 22 }, "free changed errno to 22"),
            (Fault::ChildDied { signal: 11 }, "a forked child died of signal 11"),
            (Fault::ChildHung, "a forked child did not end"),
            (Fault::NoFork { errno: 11 }, "fork failed with errno 11"),
        ];
        for (fault, text) in texts {
            assert_eq!(fault.to_string(), text);
        }
    }

    #[test]
    fn the_worst_verdict_decides_the_exit_code() {
        let worst = [Verdict::Hung, Verdict::Crashed, Verdict::Broken].into_iter();
        assert_eq!(worst.max().unwrap().exit_code(), 3);
        let codes = [Verdict::Missing, Verdict::Held, Verdict::Broken].map(Verdict::exit_code);
        assert_eq!(codes, [0, 0, 1]);
        assert_eq!(Verdict::Hung.exit_code(), 4);
    }
}
