//! How the call at a return address led to what runs above it: by itself, by tail calls, by
//! raising something, through C.
//!
//! A tail call replaces its caller's frame, so a chain may lack procedures between a call and what
//! runs above it. Where the code itself says what was called (a function of the unit, a global
//! variable that is defined once and never assigned) and something else runs, there were tail
//! calls; elsewhere nothing can be said, and nothing is. An instruction that is no call and has
//! something running above it has raised something: handlers run on top of what failed.
//!
//! All of it is found when a chain is shown, from the code alone: calls pay nothing.

use bowline_layout::Value;
use bowline_runtime::{kinds, object};

use crate::opcode::{Insn, Op};
use crate::raw::Pc;
use crate::space::{FunctionFacts, LinkedUnit, Reached};
use crate::vm::{Root, Vm};

use super::code_of;

/// What a call instruction names.
enum Callee {
    /// The function that begins there.
    Function(Pc),
    /// A global variable's value.
    Global(u32),
}

/// The instructions of a unit from an offset on, each with the offset behind it.
pub(super) fn instructions(unit: &LinkedUnit, from: usize) -> impl Iterator<Item = (usize, Insn)> {
    let mut at = from;
    std::iter::from_fn(move || {
        if at >= unit.len {
            return None;
        }
        let insn = unit.start.offset(at as isize).fetch();
        let word = insn.op().is_some_and(|op| op.operands().has_word());
        at += 1 + usize::from(word);
        Some((at, insn))
    })
}

impl Vm {
    /// How the call at `place` led to `above`, the next place up the stack.
    pub(super) fn reached(&self, above: Pc, place: Pc) -> Reached {
        if self.raised(above, place) {
            return Reached::Raised;
        }
        if above == self.stubs.halt {
            let function = match self.call_before(place) {
                Some(Callee::Global(id)) => self.foreign_name(self.rt.globals.get(id)),
                _ => None,
            };
            return Reached::ThroughC { function };
        }
        let entry = match self.call_before(place) {
            Some(Callee::Function(start)) => start,
            Some(Callee::Global(id)) => match self.constant_closure(id) {
                Some(closure) => code_of(closure),
                None => return Reached::Directly,
            },
            None => return Reached::Directly,
        };
        let running = self.function_of(above);
        match (self.function_of(entry.offset(1)), running) {
            (Some((_, called)), None) => Self::tail_calls(called, None),
            (Some((start, called)), Some((other, facts))) if start != other => {
                Self::tail_calls(called, Some(facts))
            }
            _ => Reached::Directly,
        }
    }

    fn tail_calls(called: &FunctionFacts, running: Option<&FunctionFacts>) -> Reached {
        match &called.name {
            Some(name) => Reached::ByTailCalls {
                from: name.clone(),
                defined: called.span,
                to: running.and_then(|facts| Some((facts.name.clone()?, facts.span))),
            },
            None => Reached::Directly,
        }
    }

    /// The function that a place behind an instruction belongs to, with its first instruction.
    pub(super) fn function_of(&self, place: Pc) -> Option<(Pc, &FunctionFacts)> {
        let unit = self.code.unit(place)?;
        let offset = place.since(unit.start).checked_sub(1)?;
        let facts = unit.function_at(offset)?;
        Some((unit.start.offset(facts.start as isize), facts))
    }

    /// Whether what stands at `place` is no call, so that what runs above it handles what it raised.
    pub(super) fn raised(&self, above: Pc, place: Pc) -> bool {
        if place == self.stubs.halt || above == self.stubs.halt {
            return false;
        }
        let interrupt = self.root(Root::Interrupt);
        let hook = interrupt.is_procedure().then(|| code_of(interrupt));
        if hook.is_some() && self.function_of(above).map(|(start, _)| start) == hook {
            return false;
        }
        let calls = [Op::Call, Op::CallGlobal, Op::CallKnown, Op::CallClosure];
        match self.instruction_before(place).and_then(Insn::op) {
            Some(op) => !calls.contains(&op),
            None => place == Pc::from_bits(self.stubs.codes.primitive).offset(1),
        }
    }

    /// The instruction of a function that ends at `place`.
    fn instruction_before(&self, place: Pc) -> Option<Insn> {
        let unit = self.code.unit(place)?;
        let (start, _) = self.function_of(place)?;
        let wanted = place.since(unit.start);
        // From the function's start on: an operand word might look like an instruction.
        let mut all = instructions(unit, start.since(unit.start));
        Some(all.find(|&(behind, _)| behind >= wanted)?.1)
    }

    /// What the call that returns to `place` names, if it is a call and names something.
    fn call_before(&self, place: Pc) -> Option<Callee> {
        let insn = self.instruction_before(place)?;
        match insn.op()? {
            Op::CallGlobal => Some(Callee::Global(insn.b() as u32)),
            // Known calls enter behind the first instruction.
            Op::CallKnown | Op::CallClosure => {
                Some(Callee::Function(place.offset(insn.b() as isize - 1)))
            }
            _ => None,
        }
    }

    /// The closure that a global variable has held ever since it was defined.
    fn constant_closure(&self, id: u32) -> Option<Value> {
        let value = self.rt.globals.get(id);
        if object::type_id(value) != Some(kinds::CLOSURE) {
            return None;
        }
        let mut definitions = 0;
        for unit in self.code.units() {
            for (_, insn) in instructions(unit, 0) {
                match insn.op() {
                    Some(Op::DefineGlobal) if insn.b() as u32 == id => definitions += 1,
                    Some(Op::SetGlobal) if insn.b() as u32 == id => return None,
                    _ => {}
                }
            }
        }
        (definitions == 1).then_some(value)
    }

    fn foreign_name(&self, value: Value) -> Option<std::rc::Rc<str>> {
        let foreign = object::type_id(value) == Some(kinds::FOREIGN_PROCEDURE);
        let name = foreign.then(|| self.rt.procedure_name(value))?;
        name.map(Into::into)
    }
}
