//! Exported procedures that need no activation of their own.
//!
//! inv:vm.light — a procedure is *light* if its code only computes: it neither calls nor makes a procedure, has no loop,
//! no rest list and no large frame. So each of its instructions runs once at most, nothing in it polls, and nothing asks which activation is
//! running but a fault. It runs in a frame that returns to `Halt`, and becomes an activation only by a fault
//! ([`Vm::begin_fully`]), before that does anything else.
//!
//! ```text
//!   invoke_light ──► args copied, as of an activation's base on ──► the code ──► Return ──► Halt
//!                                                                     │
//!                                                                     └ fault ──► the base is filled in: an activation
//! ```

use std::fmt;
use std::rc::Rc;

use bowline_layout::Value;
use bowline_middle::GlobalId;
use bowline_runtime::{kinds, object};

use super::activation::{BASE, RETURN};
use super::reached::instructions;
use super::{Outcome, Regs, Start, code_of, execute};
use crate::opcode::{Insn, Op, Operands};
use crate::raw::{Pc, cell};
use crate::vm::Vm;

/// Instructions of a function's entry: the check of its arguments, and the poll.
const ENTRY: isize = 2;

/// Why a procedure is not light (inv:vm.light).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Heavy {
    /// It calls something; its name if the code says it.
    Calls(Option<Rc<str>>),
    /// It goes round.
    Loops,
    /// It makes a procedure.
    MakesProcedure,
    /// It takes any number of arguments.
    Rest,
    /// Its frame has no room at every place.
    LargeFrame,
    /// It is none that a program's text defines once.
    NotCompiled,
}

impl fmt::Display for Heavy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Heavy::Calls(Some(name)) => write!(f, "it calls `{name}`"),
            Heavy::Calls(None) => f.write_str("it calls a procedure"),
            Heavy::Loops => f.write_str("it has a loop"),
            Heavy::MakesProcedure => f.write_str("it makes a procedure"),
            Heavy::Rest => f.write_str("it takes any number of arguments"),
            Heavy::LargeFrame => f.write_str("it has many temporaries"),
            Heavy::NotCompiled => f.write_str("it is not defined once by a `define` or `lambda`"),
        }
    }
}

impl Vm {
    /// Why the procedure is not light; nothing if it is.
    pub(crate) fn heavy(&self, f: Value) -> Option<Heavy> {
        match object::type_id(f) {
            Some(kinds::CLOSURE) => self.heavy_code(code_of(f)),
            _ => Some(Heavy::NotCompiled),
        }
    }

    /// The same for the procedure that a global variable will have by its only definition. Nothing need have run.
    pub fn heavy_global(&self, id: GlobalId) -> Option<Heavy> {
        let mut procedure = None;
        for unit in self.code.units() {
            let mut last = None;
            for (behind, insn) in instructions(unit, 0) {
                let here = insn.b() as u32 == id.0;
                match insn.op() {
                    Some(Op::DefineGlobal) if here && procedure.is_none() => procedure = last,
                    Some(Op::DefineGlobal | Op::SetGlobal) if here => {
                        return Some(Heavy::NotCompiled);
                    }
                    _ => {}
                }
                let word = unit.start.offset(behind as isize - 1).fetch();
                last = (insn.op() == Some(Op::Literal)).then(|| cell(word.bits()));
            }
        }
        procedure.map_or(Some(Heavy::NotCompiled), |procedure| self.heavy(procedure))
    }

    fn heavy_code(&self, code: Pc) -> Option<Heavy> {
        let Some(unit) = self.code.unit(code) else {
            return Some(Heavy::NotCompiled);
        };
        let start = code.since(unit.start);
        let end = unit
            .functions
            .iter()
            .map(|f| f.start)
            .find(|at| *at > start);
        let end = end.unwrap_or(unit.len);
        let mut all = instructions(unit, start).take_while(|(behind, _)| *behind <= end);
        all.find_map(|(behind, insn)| {
            let entry = behind as isize - start as isize <= ENTRY;
            self.heavy_instruction(unit.start.offset(behind as isize), insn, entry)
        })
    }

    /// What in an instruction, behind which is `behind`, makes its procedure heavy.
    fn heavy_instruction(&self, behind: Pc, insn: Insn, entry: bool) -> Option<Heavy> {
        let global = || Heavy::Calls(Some(self.rt.globals.name(insn.b() as u32).into()));
        let known = || {
            let callee = self.function_of(behind.offset(insn.b() as isize));
            Heavy::Calls(callee.and_then(|(_, facts)| facts.name.clone()))
        };
        let Some(op) = insn.op() else {
            return Some(Heavy::NotCompiled);
        };
        match op {
            Op::Enter | Op::Poll if entry => None,
            Op::EnterRest => Some(Heavy::Rest),
            Op::Room => Some(Heavy::LargeFrame),
            Op::LoopBack | Op::LoopBackAcc => Some(Heavy::Loops),
            Op::CallGlobal | Op::TailCallGlobal => Some(global()),
            Op::CallKnown | Op::TailCallKnown | Op::CallClosure | Op::TailCallClosure => {
                Some(known())
            }
            Op::Call | Op::TailCall => Some(Heavy::Calls(None)),
            // What it is for follows.
            Op::Frame => None,
            Op::Closure | Op::CaseLambda | Op::Patch => Some(Heavy::MakesProcedure),
            _ if op as u8 >= Op::Halt as u8 || matches!(op, Op::Enter | Op::Poll) => {
                Some(Heavy::NotCompiled)
            }
            _ if jumps(op) && insn.b() < 0 => Some(Heavy::Loops),
            _ => None,
        }
    }

    /// Runs the light procedure that stands on the root stack below its `n` arguments, the top words. They stay.
    pub(crate) fn run_light(&mut self, n: usize) -> (Outcome, Value) {
        let base = self.stack.top();
        let floor = base.at(BASE);
        let sp = floor.at(n as isize);
        if sp.addr() > self.limit.get() {
            // There is something to do that only an activation can.
            return self.activate(Start::Procedure, n);
        }
        for i in 0..BASE {
            base.put(i, Value::fixnum(0));
        }
        base.put(RETURN, self.stubs.halt.value());
        let args = base.at(-(n as isize));
        for i in 0..n as isize {
            floor.put(i, args.get(i));
        }
        let closure = args.get(-1);
        self.regs = Regs {
            pc: code_of(closure).offset(ENTRY),
            sp,
            fp: floor,
            acc: Value::UNSPECIFIED,
            closure,
        };
        self.light = Some(floor);
        let outer = self.floor;
        let value = execute(self);
        if self.light.take().is_none() {
            return self.end_activation(base, outer, value);
        }
        self.stack.publish(base);
        (Outcome::Returned, value)
    }

    /// The light procedure that is running, if one is, goes on as an activation does (inv:vm.light).
    #[cold]
    pub(super) fn begin_fully(&mut self) {
        if let Some(floor) = self.light.take() {
            self.fill_base(floor.at(-BASE));
            self.begin_activation(floor, false);
        }
    }
}

/// Whether an instruction may go on elsewhere than behind it, by its distance.
fn jumps(op: Op) -> bool {
    matches!(
        op.operands(),
        Operands::Target
            | Operands::SlotTarget
            | Operands::BitsTarget
            | Operands::SlotSmallTarget
            | Operands::SlotSlotTarget
    )
}
