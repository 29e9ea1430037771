//! The intermediate representation: closed functions whose bodies are trees.
//!
//! A [`Module`] is one unit (a library body, a program, a form at the prompt). Its entry function
//! takes no arguments and runs the unit's top-level forms in order. Inside a function every
//! variable is a numbered slot, nothing is nested, and nothing is assigned but boxes, globals and,
//! by `Jump`, the slots of a `Loop`.
//!
//! inv:ir.slots — slots `0..params` hold the arguments, the next one the list of the rest if there
//! is one; every other slot is written by the one `Let`, `Fix` or `Loop` in whose body it is read.
//! A slot number may serve again after that body. All are below `locals`.
//!
//! inv:ir.captures — `Captured(i)` has `i < captures` of its function, and everything that makes a
//! closure of a function gives exactly that many values, in that order.
//!
//! inv:ir.tail — `tail` is set exactly on the calls in tail position of their function, and a
//! `Jump` stands in tail position of its `Loop`. Arguments and the rest go left to right.
//!
//! inv:ir.known — a `CallKnown` has the right number of arguments for its function, which has no
//! rest, and gives a closure exactly when the function captures something.
//!
//! The verifier checks all four. Absent on purpose: types, and any order but that of the tree.

mod parse;
mod print;
mod verify;

use std::rc::Rc;

use bowline_syntax::{Datum, Span};

pub use crate::prims::{GlobalId, PrimitiveId};
pub use parse::{ParseError, parse};
pub(crate) use print::constant;
pub use print::print;
pub use verify::{Fault, verify};

/// One compiled unit.
#[derive(Clone, Debug)]
pub struct Module {
    /// All functions; a [`FuncId`] is an index.
    pub functions: Vec<Function>,
    /// The function that runs the unit.
    pub entry: FuncId,
    /// The top-level variables that this unit is the first to mention.
    pub globals: Vec<(GlobalId, Rc<str>)>,
}

/// The number of a function within its module.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct FuncId(pub u32);

/// A local slot of a function's frame (inv:ir.slots).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Slot(pub u16);

/// The number of a loop within its function.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct LabelId(pub u32);

/// A function: closed but for its captured values.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its number.
    pub id: FuncId,
    /// What the program calls it.
    pub name: Option<Rc<str>>,
    /// How many arguments it needs, those added by lambda lifting among them (they are the last).
    pub params: u16,
    /// Whether further arguments are taken, as a list in slot `params`.
    pub rest: bool,
    /// How many values its closures hold; 0 when none is needed.
    pub captures: u16,
    /// How many slots its frame has, arguments included.
    pub locals: u16,
    /// What it does.
    pub body: Ir,
    /// Where it was written.
    pub span: Span,
}

/// An expression. Spans are those of the innermost form that the user wrote.
#[derive(Clone, Debug)]
pub enum Ir {
    /// A constant.
    Const(Datum),
    /// The value of a slot.
    Local(Slot),
    /// A value held by the running closure.
    Captured(u16),
    /// The value of a top-level variable; an error if it has none yet.
    Global(GlobalId, Span),
    /// A primitive as a value.
    Primitive(PrimitiveId),
    /// The marker that stands in a variable before its definition; see `CheckBound`.
    Unassigned,
    /// Assignment to a top-level variable; an error if it has no value yet.
    SetGlobal(GlobalId, Box<Ir>, Span),
    /// Definition of a top-level variable.
    DefineGlobal(GlobalId, Box<Ir>),
    /// A test and its two outcomes.
    If(Box<Ir>, Box<Ir>, Box<Ir>),
    /// One after another; the value is the last one's. Never empty.
    Seq(Vec<Ir>),
    /// Gives a slot a value for the length of a body.
    Let {
        /// The slot.
        slot: Slot,
        /// Its value.
        init: Box<Ir>,
        /// Where it has it.
        body: Box<Ir>,
    },
    /// A primitive applied to a number of arguments that it takes. Never a `control` primitive.
    PrimCall {
        /// The primitive.
        prim: PrimitiveId,
        /// Its arguments.
        args: Vec<Ir>,
        /// The call.
        span: Span,
    },
    /// A call of whatever `f` turns out to be.
    Call {
        /// The procedure, evaluated before the arguments.
        f: Box<Ir>,
        /// Its arguments.
        args: Vec<Ir>,
        /// inv:ir.tail
        tail: bool,
        /// The call.
        span: Span,
    },
    /// A call of a function of this module (inv:ir.known): no check is needed.
    CallKnown {
        /// The function.
        func: FuncId,
        /// Its closure, if it captures anything.
        closure: Option<Box<Ir>>,
        /// Its arguments.
        args: Vec<Ir>,
        /// inv:ir.tail
        tail: bool,
        /// The call.
        span: Span,
    },
    /// A new closure; without captured values a constant procedure, made once.
    Closure {
        /// The function.
        func: FuncId,
        /// inv:ir.captures
        captured: Vec<Ir>,
    },
    /// Closures that may mention each other: all are allocated, then filled. What they capture is
    /// `Local` or `Captured`, nothing else.
    Fix {
        /// Slot, function and captured values of each.
        closures: Vec<(Slot, FuncId, Vec<Ir>)>,
        /// Where the slots hold them.
        body: Box<Ir>,
    },
    /// A procedure that chooses among functions by the number of arguments.
    CaseLambda {
        /// Function and captured values of each clause; the first that fits is taken.
        clauses: Vec<(FuncId, Vec<Ir>)>,
    },
    /// A new box.
    BoxNew(Box<Ir>),
    /// What a box holds.
    BoxGet(Box<Ir>),
    /// Changes what a box holds; the value is unspecified.
    BoxSet(Box<Ir>, Box<Ir>),
    /// The value, or an error if it is `Unassigned`: the variable is used before its definition.
    CheckBound {
        /// What is looked at.
        value: Box<Ir>,
        /// The variable's name.
        name: Rc<str>,
        /// Where it is used.
        span: Span,
    },
    /// Gives the slots their first values and runs the body, which may `Jump` back.
    Loop {
        /// Its label, unlike any other in the function.
        label: LabelId,
        /// The slots that change from turn to turn.
        slots: Vec<Slot>,
        /// Their first values, all evaluated before any slot is written.
        inits: Vec<Ir>,
        /// One turn.
        body: Box<Ir>,
    },
    /// The next turn of an enclosing loop: all arguments are evaluated before any slot is written.
    Jump {
        /// The loop.
        label: LabelId,
        /// The slots' next values.
        args: Vec<Ir>,
        /// The call that it was.
        span: Span,
    },
}

impl Function {
    /// How many slots the arguments take.
    pub fn argument_slots(&self) -> u16 {
        self.params + u16::from(self.rest)
    }
}

impl Module {
    /// The function with this number.
    pub fn function(&self, id: FuncId) -> Option<&Function> {
        self.functions.get(id.0 as usize)
    }
}
