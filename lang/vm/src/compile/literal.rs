//! Constants: which fit an instruction, which an operand word, and which need a cell.

use std::rc::Rc;

use bowline_layout::Value;
use bowline_middle::ir::Ir;
use bowline_syntax::{Datum, DatumKind, Number};

use super::{CompileError, Compiler, Constant, Want, Word};
use crate::assembler::Reference;
use crate::opcode::{Insn, Op};

/// The value of a datum that is no object.
pub(crate) fn immediate(datum: &Datum) -> Option<Value> {
    Some(match &datum.kind {
        DatumKind::Boolean(b) => Value::bool(*b),
        DatumKind::Character(c) => Value::char(*c),
        DatumKind::Number(Number::Fixnum(n)) => return Value::try_fixnum(*n),
        DatumKind::List(items) if items.is_empty() => Value::NIL,
        DatumKind::Eof => Value::EOF,
        DatumKind::Unspecified => Value::UNSPECIFIED,
        DatumKind::Default => Value::DEFAULT,
        _ => return None,
    })
}

/// The bits of a constant if they fit the large operand, which is extended by its sign.
fn fits(v: Value) -> Option<i32> {
    i32::try_from(v.bits() as i64).ok()
}

/// A fixnum constant whose bits fit the large operand.
pub(super) fn small_bits(ir: &Ir) -> Option<i32> {
    match ir {
        Ir::Const(datum) => immediate(datum).filter(|v| v.is_fixnum()).and_then(fits),
        _ => None,
    }
}

/// A fixnum constant that fits the middle operand.
pub(super) fn small(ir: &Ir) -> Option<i16> {
    match ir {
        Ir::Const(datum) => immediate(datum)?.as_fixnum()?.try_into().ok(),
        _ => None,
    }
}

/// The bits of a constant that fit the middle operand, which is extended by its sign.
pub(super) fn word16(ir: &Ir) -> Option<i16> {
    match ir {
        Ir::Const(datum) => i16::try_from(immediate(datum)?.bits() as i64).ok(),
        _ => None,
    }
}

/// Whether a constant is true, if `ir` is one.
pub(super) fn truth(ir: &Ir) -> Option<bool> {
    match ir {
        Ir::Const(datum) => Some(!matches!(datum.kind, DatumKind::Boolean(false))),
        _ => None,
    }
}

impl Compiler<'_> {
    /// A constant that was written down.
    pub(super) fn datum(&mut self, datum: &Datum, want: Want) -> Result<(), CompileError> {
        if let Some(v) = immediate(datum) {
            return self.value(v, want);
        }
        let constant = match &datum.kind {
            DatumKind::Symbol(name) => Constant::Word(Word::Symbol(name.shared())),
            _ => Constant::Datum(datum.clone()),
        };
        let number = self.constants.add(constant);
        self.constant(number, want)
    }

    /// An immediate.
    pub(super) fn value(&mut self, v: Value, want: Want) -> Result<(), CompileError> {
        let Some(b) = fits(v) else {
            let number = self.constants.add(Constant::Word(Word::Bits(v.bits())));
            return self.constant(number, want);
        };
        match want {
            Want::Effect => Ok(()),
            Want::Push => {
                self.op_b(Op::PushConst, b);
                self.grow(1)
            }
            Want::Acc | Want::Tail => {
                self.op_b(Op::Const, b);
                self.deliver(want)
            }
        }
    }

    /// A constant of the unit by its number.
    pub(super) fn constant(&mut self, number: u32, want: Want) -> Result<(), CompileError> {
        let in_code = matches!(self.constants.list[number as usize], Constant::Word(_));
        let (acc, push) = if in_code {
            (Op::Wide, Op::PushWide)
        } else {
            (Op::Literal, Op::PushLiteral)
        };
        match want {
            Want::Effect => Ok(()),
            Want::Push => {
                self.reference(push, number);
                self.grow(1)
            }
            Want::Acc | Want::Tail => {
                self.reference(acc, number);
                self.deliver(want)
            }
        }
    }

    fn reference(&mut self, op: Op, number: u32) {
        let insn = Insn::new(op, 0, 0, 0);
        self.code.emit_to(insn, Reference::Constant(number));
    }

    /// The number of the constant that is the symbol `name`.
    pub(super) fn symbol(&mut self, name: &Rc<str>) -> u32 {
        let word = Word::Symbol(Rc::clone(name));
        self.constants.add(Constant::Word(word))
    }
}
