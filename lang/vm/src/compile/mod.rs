//! From the intermediate representation to unlinked bytecode.
//!
//! A function's variables are not kept at their slot numbers: `Let`, `Fix` and `Loop` push them, and
//! the compiler knows how deep the stack is at every point, so a frame is exactly as large as what
//! is live in it and every word of it is initialised.
//!
//! inv:vm.depth — at every instruction the number of words between `fp` and `sp` is the same however
//! control came there.
//!
//! Absent on purpose: optimisation beyond choosing instructions. The passes of `lang/middle` do it.

mod branch;
mod call;
mod expr;
mod inline;
mod literal;

use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use bowline_middle::InlineOp;
use bowline_middle::ir::{FuncId, Function, LabelId, Module, PrimitiveId, Slot};
use bowline_syntax::{Datum, Span};

use crate::assembler::{FunctionCode, Label};
use crate::opcode::{Insn, Op};

/// A constant of a unit that is no immediate.
#[derive(Debug)]
pub(crate) enum Constant {
    /// A symbol or a number that fits a word: goes into the code itself.
    Word(Word),
    /// Anything else that was written down.
    Datum(Datum),
    /// A procedure that captures nothing.
    Procedure(FuncId),
    /// A primitive.
    Primitive(PrimitiveId),
    /// A case-lambda whose clauses capture nothing.
    CaseLambda(Vec<FuncId>),
}

/// A constant that never moves.
#[derive(Debug)]
pub(crate) enum Word {
    /// A value's bits.
    Bits(u64),
    /// A symbol.
    Symbol(Rc<str>),
}

/// A compiled unit, not yet linked.
pub(crate) struct Unit {
    /// The code of each function.
    pub(crate) functions: Vec<FunctionCode>,
    /// Constants by number.
    pub(crate) constants: Vec<Constant>,
}

/// Why a unit cannot be compiled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CompileError {
    /// A function needs a frame of more words than an operand can say.
    FrameTooLarge {
        /// Where the function was written; for the top level, the call that needs the room.
        span: Span,
    },
    /// The module breaks one of the invariants that its verifier checks.
    BadIr {
        /// The function's number.
        function: u32,
    },
    /// More global variables than there is room for.
    TooManyGlobals,
    /// The heap has no room for the unit's constants.
    OutOfMemory,
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CompileError::FrameTooLarge { .. } => {
                f.write_str("a procedure needs more than 65,000 temporaries or arguments at once")
            }
            CompileError::BadIr { function } => {
                write!(
                    f,
                    "the intermediate code of function {function} is malformed"
                )
            }
            CompileError::TooManyGlobals => f.write_str("too many global variables"),
            CompileError::OutOfMemory => f.write_str("no room for the constants of the program"),
        }
    }
}

impl std::error::Error for CompileError {}

impl CompileError {
    /// The same with this place, if it has none yet.
    fn at(self, place: Span) -> CompileError {
        match self {
            CompileError::FrameTooLarge { span } if span.is_none() => {
                CompileError::FrameTooLarge { span: place }
            }
            other => other,
        }
    }
}

/// What the compiler knows of each primitive.
#[derive(Clone, Copy)]
pub(crate) struct PrimitiveFacts {
    /// The operation the machine has an instruction for.
    pub(crate) inline: Option<InlineOp>,
}

/// The deepest frame, in words.
const MAX_DEPTH: u32 = 65_000;
/// Frames up to this depth need no check of their own: the slack of the stack is larger.
pub(crate) const SMALL_FRAME: u32 = 512;

/// Compiles every function of a module.
pub(crate) fn compile(
    module: &Module,
    primitives: &[PrimitiveFacts],
) -> Result<Unit, CompileError> {
    let mut constants = Constants::default();
    let mut functions = Vec::with_capacity(module.functions.len());
    for function in &module.functions {
        let mut room = None;
        loop {
            let mut c = Compiler::new(module, function, primitives, &mut constants);
            c.function(function, room)?;
            if c.max_depth > SMALL_FRAME && room.is_none() {
                room = Some(c.max_depth);
                continue;
            }
            functions.push(c.code);
            break;
        }
    }
    Ok(Unit {
        functions,
        constants: constants.list,
    })
}

/// The constants of a unit, each procedure among them once.
#[derive(Default)]
pub(crate) struct Constants {
    list: Vec<Constant>,
    procedures: HashMap<FuncId, u32>,
    primitives: HashMap<PrimitiveId, u32>,
}

impl Constants {
    fn add(&mut self, constant: Constant) -> u32 {
        self.list.push(constant);
        self.list.len() as u32 - 1
    }

    fn procedure(&mut self, f: FuncId) -> u32 {
        if let Some(&n) = self.procedures.get(&f) {
            return n;
        }
        let n = self.add(Constant::Procedure(f));
        self.procedures.insert(f, n);
        n
    }

    fn primitive(&mut self, p: PrimitiveId) -> u32 {
        if let Some(&n) = self.primitives.get(&p) {
            return n;
        }
        let n = self.add(Constant::Primitive(p));
        self.primitives.insert(p, n);
        n
    }
}

/// Where an expression's value is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Want {
    /// In `acc`.
    Acc,
    /// On the stack.
    Push,
    /// Nowhere.
    Effect,
    /// As the function's result; control does not go on.
    Tail,
}

/// A loop being compiled.
struct Loop {
    label: Label,
    /// Position in the frame of its first variable.
    base: u32,
}

/// The state of compiling one function.
pub(crate) struct Compiler<'a> {
    code: FunctionCode,
    module: &'a Module,
    number: u32,
    span: Span,
    primitives: &'a [PrimitiveFacts],
    constants: &'a mut Constants,
    /// Where each slot is in the frame.
    places: Vec<u32>,
    loops: HashMap<LabelId, Loop>,
    /// Words between `fp` and `sp` (inv:vm.depth).
    depth: u32,
    max_depth: u32,
}

impl<'a> Compiler<'a> {
    fn new(
        module: &'a Module,
        function: &Function,
        primitives: &'a [PrimitiveFacts],
        constants: &'a mut Constants,
    ) -> Self {
        Compiler {
            code: FunctionCode::default(),
            module,
            number: function.id.0,
            span: function.span,
            primitives,
            constants,
            places: vec![u32::MAX; usize::from(function.locals)],
            loops: HashMap::new(),
            depth: 0,
            max_depth: 0,
        }
    }

    /// The whole function; `room` is the depth to check for at entry.
    fn function(&mut self, function: &Function, room: Option<u32>) -> Result<(), CompileError> {
        let arguments = function.argument_slots();
        for slot in 0..arguments {
            self.place(Slot(slot), u32::from(slot))?;
        }
        self.grow(u32::from(arguments))?;
        let enter = if function.rest {
            Op::EnterRest
        } else {
            Op::Enter
        };
        self.code.emit(Insn::new(enter, 0, function.params, 0));
        self.op(Op::Poll);
        if let Some(depth) = room {
            self.op_b(Op::Room, depth as i32);
        }
        // The top level makes no tail calls: its frame stays, so that a report can always name the
        // form that is running. Nothing grows by it, for a unit's entry runs once.
        if function.id == self.module.entry {
            self.expr(&function.body, Want::Acc)?;
            return self.deliver(Want::Tail);
        }
        self.expr(&function.body, Want::Tail)
    }

    fn bad<T>(&self) -> Result<T, CompileError> {
        Err(CompileError::BadIr {
            function: self.number,
        })
    }

    /// Notes that `n` words more are on the stack.
    fn grow(&mut self, n: u32) -> Result<(), CompileError> {
        self.depth += n;
        self.max_depth = self.max_depth.max(self.depth);
        if self.depth > MAX_DEPTH {
            return Err(CompileError::FrameTooLarge { span: self.span });
        }
        Ok(())
    }

    fn place(&mut self, slot: Slot, position: u32) -> Result<(), CompileError> {
        match self.places.get_mut(usize::from(slot.0)) {
            Some(place) => {
                *place = position;
                Ok(())
            }
            None => self.bad(),
        }
    }

    fn find(&self, slot: Slot) -> Result<u32, CompileError> {
        match self.places.get(usize::from(slot.0)) {
            Some(&place) if place < self.depth => Ok(place),
            _ => self.bad(),
        }
    }

    fn op(&mut self, op: Op) {
        self.code.emit(Insn::new(op, 0, 0, 0));
    }

    fn op_b(&mut self, op: Op, b: i32) {
        self.code.emit(Insn::new(op, 0, 0, b));
    }

    fn op_ab(&mut self, op: Op, a: u32, b: i32) {
        self.code.emit(Insn::new(op, 0, a as u16, b));
    }

    /// Delivers the value in `acc` to where it is wanted.
    fn deliver(&mut self, want: Want) -> Result<(), CompileError> {
        match want {
            Want::Acc | Want::Effect => {}
            Want::Push => {
                self.op(Op::Push);
                self.grow(1)?;
            }
            Want::Tail => {
                self.op(Op::Return);
                self.code.end();
            }
        }
        Ok(())
    }
}
