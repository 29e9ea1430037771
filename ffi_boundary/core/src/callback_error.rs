//! What can be wrong with a callback: with its type, with its procedure, or with how C calls it.

use crate::error::{Place, plural};
use std::fmt;

/// An error about a callback.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CallbackError {
    /// A callback lifetime that does not exist.
    UnknownLifetime {
        /// The lifetime as it was written.
        text: String,
    },
    /// A callback that is made, of the lifetime of an argument.
    Lasting,
    /// There are as many callbacks, with handles, as there can be.
    TooMany {
        /// How many.
        limit: u32,
    },
    /// A callback object that stands for nothing any more.
    NotLive {
        /// Who made it.
        name: String,
        /// What has ended it.
        ended: Ended,
    },
    /// An `(on-exit V)` that the callback's result type cannot hold.
    OnExitRange {
        /// The value.
        value: i64,
        /// The result type.
        type_name: String,
    },
    /// A procedure that does not accept what C passes.
    Arity {
        /// Where the procedure was.
        place: Place,
        /// The procedure.
        procedure: String,
        /// How many arguments C passes.
        count: usize,
    },
    /// The system gives no memory that can be executed.
    NoClosure {
        /// Where the procedure was.
        place: Place,
    },
    /// The system gives no memory for what an env is the address of, or as many are in use as there can be.
    NoEnv {
        /// Where the procedure was.
        place: Place,
    },
    /// A leaf call that takes a callback.
    Leaf {
        /// The function.
        function: String,
        /// The callback's parameter.
        position: usize,
    },
    /// A leaf call during which C has called back: nothing has run, and C got the default at once.
    LeafCalledBack {
        /// The function.
        function: String,
        /// What C has called.
        called: Barred,
    },
    /// C has jumped from an inner call back into this one's function.
    Jumped {
        /// The function.
        function: String,
        /// The callback that it has jumped over, if checking mode has noted which.
        callback: Option<String>,
    },
}

/// What C has called where no procedure can run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Barred {
    /// The callback lent to the function of this name.
    Callback(&'static str),
    /// The procedure exported under this name.
    Exported(&'static str),
}

impl fmt::Display for Barred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Barred::Callback(lender) => write!(f, "the callback lent to `{lender}`"),
            Barred::Exported(name) => write!(f, "the exported `{name}`"),
        }
    }
}

/// Why a C function calls no procedure any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// It was lent for a call, which has returned.
    Returned,
    /// Nobody in the program had it any more.
    Dead,
    /// The program has freed it.
    Freed,
    /// C has called it, for the one time that it could.
    Called,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Ended::Returned => "the call that lent it has returned",
            Ended::Dead => "nobody in the program had it any more",
            Ended::Freed => "callback-free! has freed it",
            Ended::Called => "C has called it, and its lifetime is `once`",
        })
    }
}

impl fmt::Display for CallbackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallbackError::UnknownLifetime { text } => {
                write!(
                    f,
                    "unknown callback lifetime `{text}`: expected `call`, `gc`, `once` or `forever`"
                )
            }
            CallbackError::Lasting => f.write_str(
                "the lifetime `call` is that of a procedure which is an argument: a callback that is made outlives the \
                 call, as `gc`, `once` or `forever`",
            ),
            CallbackError::TooMany { limit } => {
                write!(f, "too many callbacks: there can be {limit} handles and callbacks")
            }
            CallbackError::NotLive { name, ended } => {
                write!(f, "the callback of `{name}` has ended: {ended}")
            }
            CallbackError::OnExitRange { value, type_name } => {
                write!(
                    f,
                    "(on-exit {value}) does not fit the result type {type_name}"
                )
            }
            CallbackError::Arity {
                place,
                procedure,
                count,
            } => write!(
                f,
                "{place} is a callback that C calls with {}, which {procedure} does not accept",
                plural(*count, "argument")
            ),
            CallbackError::NoClosure { place } => write!(
                f,
                "cannot make a C function for {place}: the system gives no executable memory"
            ),
            CallbackError::NoEnv { place } => write!(
                f,
                "cannot make an env for {place}: the system gives no memory, or too many are in use"
            ),
            CallbackError::Leaf { function, position } => write!(
                f,
                "`{function}` cannot be a leaf call: its parameter {position} is a callback, and a leaf call may not call back"
            ),
            CallbackError::LeafCalledBack { function, called } => write!(
                f,
                "`{function}` is a leaf call, which may not call back, and called {called}: that ran nothing and \
                 returned its default"
            ),
            CallbackError::Jumped { function, callback } => {
                write!(f, "C jumped (longjmp) back into `{function}`, past a callback of it")?;
                if let Some(callback) = callback {
                    write!(f, " ({callback})")?;
                }
                f.write_str(
                    ": what the callback was doing is lost, and its `after` thunks did not run",
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::tests::argument;

    #[test]
    fn texts() {
        let texts = [
            (
                CallbackError::Jumped {
                    function: "parse".into(),
                    callback: None,
                },
                "C jumped (longjmp) back into `parse`, past a callback of it: what the callback was doing is lost, and \
                 its `after` thunks did not run",
            ),
            (
                CallbackError::Jumped {
                    function: "parse".into(),
                    callback: Some("argument 2 of parse, lent at main.scm:7".into()),
                },
                "C jumped (longjmp) back into `parse`, past a callback of it (argument 2 of parse, lent at main.scm:7): \
                 what the callback was doing is lost, and its `after` thunks did not run",
            ),
            (
                CallbackError::Arity {
                    place: argument(),
                    procedure: "compare".into(),
                    count: 2,
                },
                "argument 1 of `labs` is a callback that C calls with 2 arguments, which compare does not accept",
            ),
            (
                CallbackError::NoClosure { place: argument() },
                "cannot make a C function for argument 1 of `labs`: the system gives no executable memory",
            ),
            (
                CallbackError::NoEnv { place: argument() },
                "cannot make an env for argument 1 of `labs`: the system gives no memory, or too many are in use",
            ),
            (
                CallbackError::Leaf {
                    function: "qsort".into(),
                    position: 4,
                },
                "`qsort` cannot be a leaf call: its parameter 4 is a callback, and a leaf call may not call back",
            ),
            (
                CallbackError::LeafCalledBack {
                    function: "abs".into(),
                    called: Barred::Callback("qsort"),
                },
                "`abs` is a leaf call, which may not call back, and called the callback lent to `qsort`: that ran \
                 nothing and returned its default",
            ),
            (
                CallbackError::LeafCalledBack {
                    function: "abs".into(),
                    called: Barred::Exported("area"),
                },
                "`abs` is a leaf call, which may not call back, and called the exported `area`: that ran nothing and \
                 returned its default",
            ),
        ];
        for (error, text) in texts {
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn texts_of_what_lasts() {
        let name = || "make-callback at main.scm:3".to_owned();
        let texts = [
            (
                CallbackError::Lasting,
                "the lifetime `call` is that of a procedure which is an argument: a callback that is made outlives the \
                 call, as `gc`, `once` or `forever`",
            ),
            (
                CallbackError::TooMany { limit: 9 },
                "too many callbacks: there can be 9 handles and callbacks",
            ),
            (
                CallbackError::NotLive {
                    name: name(),
                    ended: Ended::Freed,
                },
                "the callback of `make-callback at main.scm:3` has ended: callback-free! has freed it",
            ),
            (
                CallbackError::NotLive {
                    name: name(),
                    ended: Ended::Called,
                },
                "the callback of `make-callback at main.scm:3` has ended: C has called it, and its lifetime is `once`",
            ),
        ];
        for (error, text) in texts {
            assert_eq!(error.to_string(), text);
        }
    }
}
