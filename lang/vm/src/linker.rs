//! The second pass: places functions one after another and resolves what they refer to.
//!
//! Jumps and calls within a unit become distances, so only operand words hold addresses.
//!
//! Absent on purpose: making constants. Whoever places the unit does it, knowing the functions'
//! addresses, and hands over what each constant's number stands for.

use bowline_middle::ir::{FuncId, GlobalId};

use crate::assembler::{Entry, FunctionCode, Reference, Relocation};
use crate::opcode::Insn;

/// Where each function of a unit begins, in instructions from the unit's start.
pub(crate) struct Layout {
    starts: Vec<usize>,
    /// Instructions of the whole unit.
    pub(crate) len: usize,
}

impl Layout {
    /// Places the functions in order.
    pub(crate) fn new(functions: &[FunctionCode]) -> Layout {
        let mut starts = Vec::with_capacity(functions.len());
        let mut len = 0;
        for function in functions {
            starts.push(len);
            len += function.insns.len();
        }
        Layout { starts, len }
    }

    /// Where a function begins.
    pub(crate) fn start(&self, function: FuncId) -> usize {
        self.starts[function.0 as usize]
    }
}

/// What references outside the unit's code stand for.
pub(crate) trait Outside {
    /// The operand word for constant `number`.
    fn constant(&self, number: u32) -> u64;
    /// The address of a global variable's cell.
    fn global(&self, id: GlobalId) -> u64;
}

/// A reference that leads nowhere; the compiler does not make any.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LinkError {
    /// A label that was never bound.
    Label {
        /// The function's number.
        function: u32,
    },
    /// A distance that does not fit its operand.
    Distance {
        /// The function's number.
        function: u32,
    },
}

/// Resolves every reference and returns the unit's instructions.
pub(crate) fn link(
    functions: &[FunctionCode],
    layout: &Layout,
    outside: &dyn Outside,
) -> Result<Vec<Insn>, LinkError> {
    let mut code = Vec::with_capacity(layout.len);
    for (number, function) in functions.iter().enumerate() {
        let this = code.len();
        code.extend_from_slice(&function.insns);
        for &Relocation { at, to } in &function.relocations {
            let number = number as u32;
            let at = this + at;
            let target = match to {
                Reference::Constant(n) => {
                    code[at + 1] = Insn::word(outside.constant(n));
                    continue;
                }
                Reference::Global(id) => {
                    code[at + 1] = Insn::word(outside.global(id));
                    continue;
                }
                Reference::This(label) => {
                    let place = function.place(label);
                    this + place.ok_or(LinkError::Label { function: number })?
                }
                Reference::FunctionCode(f, Entry::Checked) => layout.start(f),
                Reference::FunctionCode(f, Entry::Known) => layout.start(f) + 1,
            };
            let distance = i32::try_from(target as i64 - (at as i64 + 1));
            let distance = distance.map_err(|_| LinkError::Distance { function: number })?;
            code[at] = code[at].with_b(distance);
        }
    }
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::opcode::Op;

    struct Nothing;
    impl Outside for Nothing {
        fn constant(&self, number: u32) -> u64 {
            1000 + u64::from(number)
        }
        fn global(&self, id: GlobalId) -> u64 {
            2000 + u64::from(id.0)
        }
    }

    #[test]
    fn distances_count_from_the_next_instruction() {
        let mut first = FunctionCode::default();
        let end = first.label();
        first.jump(Op::Jump, 0, 0, end);
        first.emit_to(Insn::new(Op::Wide, 0, 0, 0), Reference::Constant(5));
        first.bind(end);
        let callee = Reference::FunctionCode(FuncId(1), Entry::Known);
        first.emit_to(Insn::new(Op::CallKnown, 0, 2, 0), callee);
        let mut second = FunctionCode::default();
        second.emit(Insn::new(Op::Enter, 0, 2, 0));
        second.emit(Insn::new(Op::Poll, 0, 0, 0));
        second.emit_to(
            Insn::new(Op::Global, 0, 0, 7),
            Reference::Global(GlobalId(7)),
        );
        let functions = [first, second];
        let layout = Layout::new(&functions);
        let code = link(&functions, &layout, &Nothing).unwrap();
        assert_eq!(layout.start(FuncId(1)), 4);
        assert_eq!(code[0].b(), 2);
        assert_eq!(code[2], Insn::word(1005));
        assert_eq!(code[3].b(), 1);
        assert_eq!((code[6].b(), code[7]), (7, Insn::word(2007)));
    }

    #[test]
    fn a_label_without_a_place_is_reported() {
        let mut function = FunctionCode::default();
        let label = function.label();
        function.jump(Op::Jump, 0, 0, label);
        let functions = [function];
        let layout = Layout::new(&functions);
        let error = link(&functions, &layout, &Nothing);
        assert_eq!(error.err(), Some(LinkError::Label { function: 0 }));
    }

    #[test]
    fn what_cannot_be_reached_is_not_emitted() {
        let mut function = FunctionCode::default();
        function.emit(Insn::new(Op::Return, 0, 0, 0));
        function.end();
        function.emit(Insn::new(Op::Push, 0, 0, 0));
        assert_eq!(function.insns.len(), 1);
    }
}
