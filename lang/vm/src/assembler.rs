//! Instructions of one function before it has a place: labels and references are still names.
//!
//! The first pass (the compiler) emits; the second (`linker`) gives every function its place in the
//! unit and turns each [`Reference`] into a distance or an address.
//!
//! Absent on purpose: any knowledge of the intermediate language.

use bowline_middle::ir::{FuncId, GlobalId};
use bowline_syntax::Span;

use crate::opcode::{Insn, Op};

/// A place in a function, perhaps not yet known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Label(u32);

/// Where a call enters a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Entry {
    /// The first instruction, which counts the arguments.
    Checked,
    /// The second: the compiler has counted them.
    Known,
}

/// What an instruction refers to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reference {
    /// A label of `this` function: a distance in `b`.
    This(Label),
    /// The code of a function of the unit: a distance in `b`.
    FunctionCode(FuncId, Entry),
    /// A constant of the unit: what its number stands for goes into the operand word.
    Constant(u32),
    /// A global variable: the address of its cell goes into the operand word.
    Global(GlobalId),
}

/// A reference and the instruction that it is in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Relocation {
    /// Index of the instruction, from the function's start.
    pub(crate) at: usize,
    /// What it refers to.
    pub(crate) to: Reference,
}

/// The unlinked code of a function.
#[derive(Default, Debug)]
pub(crate) struct FunctionCode {
    /// Instructions and operand words.
    pub(crate) insns: Vec<Insn>,
    /// What the second pass has to fill in.
    pub(crate) relocations: Vec<Relocation>,
    /// Spans by the index behind their instruction (inv:vm.resume), ascending.
    pub(crate) spans: Vec<(usize, Span)>,
    labels: Vec<Option<usize>>,
    /// Whether control cannot come here, so that nothing need be emitted.
    dead: bool,
}

impl FunctionCode {
    /// A label without a place.
    pub(crate) fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() as u32 - 1)
    }

    /// Gives the label its place: here.
    pub(crate) fn bind(&mut self, label: Label) {
        self.labels[label.0 as usize] = Some(self.insns.len());
        self.dead = false;
    }

    /// Where a label is.
    pub(crate) fn place(&self, label: Label) -> Option<usize> {
        self.labels.get(label.0 as usize).copied().flatten()
    }

    /// Emits an instruction.
    pub(crate) fn emit(&mut self, insn: Insn) {
        if !self.dead {
            self.insns.push(insn);
        }
    }

    /// Emits an instruction that refers to something, and room for its operand word if it has one.
    pub(crate) fn emit_to(&mut self, insn: Insn, to: Reference) {
        if self.dead {
            return;
        }
        let at = self.insns.len();
        self.relocations.push(Relocation { at, to });
        self.insns.push(insn);
        if insn.op().is_some_and(|op| op.operands().has_word()) {
            self.insns.push(Insn::word(0));
        }
    }

    /// Emits a jump or another instruction whose `b` is a label.
    pub(crate) fn jump(&mut self, op: Op, c: u8, a: u16, label: Label) {
        self.emit_to(Insn::new(op, c, a, 0), Reference::This(label));
    }

    /// Says that control does not go on behind the last instruction.
    pub(crate) fn end(&mut self) {
        self.dead = true;
    }

    /// Files a span under the last instruction.
    pub(crate) fn span(&mut self, span: Span) {
        if !self.dead && !span.is_none() {
            self.spans.push((self.insns.len(), span));
        }
    }
}
