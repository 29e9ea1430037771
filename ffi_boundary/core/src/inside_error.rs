//! What C code can do wrong by the functions of the C interface, where only the Scheme program can be told.

use crate::callback_error::Barred;
use std::fmt;

/// An error that the foreign call ends in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum InsideError {
    /// C has returned within a no-GC scope.
    ScopeLeftOpen {
        /// The foreign procedure.
        function: String,
    },
    /// C has called back within a no-GC scope: nothing has run, and C got the default at once.
    CalledBack {
        /// The foreign procedure.
        function: String,
        /// What C has called.
        called: Barred,
    },
    /// C has raised the error in `errno` when there was none.
    NoErrno {
        /// The foreign procedure.
        function: String,
    },
    /// C has raised an error with a text of its own.
    Raised {
        /// The foreign procedure.
        function: String,
        /// What C says.
        text: String,
    },
}

impl fmt::Display for InsideError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InsideError::ScopeLeftOpen { function } => write!(
                f,
                "`{function}` has returned within a no-GC scope: `bl_nogc_end` must end it before"
            ),
            InsideError::CalledBack { function, called } => write!(
                f,
                "`{function}` has called {called} within a no-GC scope, where no procedure \
                 can run: that ran nothing and returned its default"
            ),
            InsideError::NoErrno { function } => write!(
                f,
                "`{function}` has raised an error by `bl_raise_errno`, but errno was 0"
            ),
            InsideError::Raised { function, text } => write!(f, "{function}: {text}"),
        }
    }
}

impl std::error::Error for InsideError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let function = || "ml-read".to_owned();
        let texts = [
            (
                InsideError::ScopeLeftOpen {
                    function: function(),
                },
                "`ml-read` has returned within a no-GC scope: `bl_nogc_end` must end it before",
            ),
            (
                InsideError::CalledBack {
                    function: function(),
                    called: Barred::Callback("qsort"),
                },
                "`ml-read` has called the callback lent to `qsort` within a no-GC scope, where no procedure can run: \
                 that ran nothing and returned its default",
            ),
            (
                InsideError::NoErrno {
                    function: function(),
                },
                "`ml-read` has raised an error by `bl_raise_errno`, but errno was 0",
            ),
            (
                InsideError::Raised {
                    function: function(),
                    text: "no port".into(),
                },
                "ml-read: no port",
            ),
        ];
        for (error, text) in texts {
            assert_eq!(error.to_string(), text);
        }
    }
}
