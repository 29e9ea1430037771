//! What can go wrong in a primitive, with the facts inside.
//!
//! A fault is made on the failing path only, so it travels boxed: `Result` stays two words and
//! comes back in registers.
//!
//! inv:fault.fresh — a fault may hold values, and nothing scans a fault: whoever gets one turns it
//! into a condition (`Rt::condition_of`) before anything else allocates.
//!
//! Absent on purpose: texts. `condition` makes them.

use bowline_ffi::FfiError;
use bowline_gc::OutOfMemory;
use bowline_layout::Value;

/// The result of a primitive.
pub type Result<T = Value> = std::result::Result<T, Box<Fault>>;

/// One thing that went wrong.
#[derive(Debug)]
pub enum Fault {
    /// An argument is not of the type that the procedure wants.
    WrongType {
        /// The procedure.
        who: &'static str,
        /// Which argument, from 1.
        position: usize,
        /// What it wants, as in "a string".
        expected: &'static str,
        /// What it got.
        got: Value,
    },
    /// An integer argument is outside its range.
    Range {
        /// The procedure.
        who: &'static str,
        /// What the number stands for: "index", "radix" …
        what: &'static str,
        /// The number.
        got: Value,
        /// The smallest that is allowed.
        low: i64,
        /// The largest that is allowed; less than `low` when nothing is.
        high: i64,
    },
    /// An argument has the right type and a wrong value.
    Bad {
        /// The procedure.
        who: &'static str,
        /// What is wrong with it.
        message: String,
        /// The arguments that are to blame.
        irritants: Vec<Value>,
    },
    /// An object that may not be changed.
    Immutable {
        /// The procedure.
        who: &'static str,
        /// The object.
        got: Value,
    },
    /// An exact division by zero.
    DivideByZero {
        /// The procedure.
        who: &'static str,
    },
    /// A record procedure got something that is no record of its type.
    NotInstance {
        /// The name of the accessor or modifier, a symbol.
        who: Value,
        /// The record type.
        rtd: Value,
        /// What it got.
        got: Value,
    },
    /// An accessor got something that its constructor has not made.
    NotMade {
        /// The name of the accessor, a symbol.
        who: Value,
        /// What it wants, as in "made by `yes` of maybe".
        wanted: String,
        /// What it got.
        got: Value,
    },
    /// A procedure was called with the wrong number of arguments.
    Arity {
        /// The procedure.
        procedure: Value,
        /// How many it got.
        got: usize,
        /// How few it takes.
        min: usize,
        /// How many it takes, if there is a limit.
        max: Option<usize>,
    },
    /// A form or a nameless procedure received the wrong number of values.
    Values {
        /// How many it got.
        got: usize,
        /// How few it expects.
        min: usize,
        /// How many it expects, if there is a limit.
        max: Option<usize>,
    },
    /// Something was called that is no procedure.
    NotProcedure {
        /// What was called.
        got: Value,
        /// With how many arguments.
        args: usize,
    },
    /// A variable was read that has no value.
    Unbound {
        /// Its name.
        name: String,
    },
    /// A variable of a `letrec` was read before its initialisation.
    Uninitialised {
        /// Its name.
        name: String,
    },
    /// A continuation or the dynamic state was used where it cannot be.
    Control {
        /// What is wrong.
        message: String,
        /// The object to blame.
        irritants: Vec<Value>,
    },
    /// A port that is closed, or of the wrong direction or kind.
    Port {
        /// The procedure.
        who: &'static str,
        /// What is wrong, as in "the port is closed".
        message: &'static str,
        /// The port.
        port: Value,
    },
    /// A file could not be opened or deleted.
    File {
        /// The procedure.
        who: &'static str,
        /// The system's number.
        errno: i32,
        /// The file's name.
        path: String,
    },
    /// Reading or writing an open file failed.
    Io {
        /// The procedure.
        who: &'static str,
        /// The system's number.
        errno: i32,
    },
    /// A foreign procedure reported an error through `errno`.
    System {
        /// The foreign procedure, a symbol.
        who: Value,
        /// The system's number.
        errno: i32,
    },
    /// `read` met text that is no datum.
    Read {
        /// What the reader says.
        message: String,
    },
    /// The boundary refused something.
    Ffi(FfiError),
    /// The heap is full.
    OutOfMemory,
    /// A condition that was made already.
    Condition(Value),
    /// An object raised from Rust.
    Raise {
        /// The object.
        object: Value,
        /// Whether its handler may return.
        continuable: bool,
    },
    /// The program asks to end with this status.
    Exit(i32),
    /// Somebody wants what is running to stop.
    Interrupt {
        /// Whether the program's winders have run, so that nothing is left to do.
        unwound: bool,
    },
}

impl From<OutOfMemory> for Box<Fault> {
    fn from(_: OutOfMemory) -> Self {
        Box::new(Fault::OutOfMemory)
    }
}

impl Fault {
    /// `Err` of a `WrongType`.
    #[cold]
    pub fn wrong_type<T>(
        who: &'static str,
        position: usize,
        expected: &'static str,
        got: Value,
    ) -> Result<T> {
        Err(Box::new(Fault::WrongType {
            who,
            position,
            expected,
            got,
        }))
    }

    /// `Err` of a `Range`.
    #[cold]
    pub fn range<T>(
        who: &'static str,
        what: &'static str,
        got: Value,
        low: i64,
        high: i64,
    ) -> Result<T> {
        Err(Box::new(Fault::Range {
            who,
            what,
            got,
            low,
            high,
        }))
    }

    /// `Err` of a `Bad` without irritants beyond those given.
    #[cold]
    pub fn bad<T>(
        who: &'static str,
        message: impl Into<String>,
        irritants: Vec<Value>,
    ) -> Result<T> {
        Err(Box::new(Fault::Bad {
            who,
            message: message.into(),
            irritants,
        }))
    }
}
