//! Where code lives, and what is known of each place in it.
//!
//! Units are put into large chunks one after another and stay (inv:vm.code), so a return address or
//! a procedure's code word is simply the address of an instruction.
//!
//! Absent on purpose: giving code back. A unit lives as long as the process, like its symbols.

use std::rc::Rc;

use bowline_syntax::Span;

use crate::opcode::Insn;
use crate::raw::{CodeChunk, Pc};

/// Instructions in a chunk.
const CHUNK: usize = 64 << 10;

/// What is known of a function.
#[derive(Clone, Debug)]
pub(crate) struct FunctionFacts {
    /// Where it begins in its unit.
    pub(crate) start: usize,
    /// Its name.
    pub(crate) name: Option<Rc<str>>,
    /// Where it was written.
    pub(crate) span: Span,
}

/// A linked unit.
pub(crate) struct LinkedUnit {
    /// Its first instruction.
    pub(crate) start: Pc,
    /// How many instructions it has.
    pub(crate) len: usize,
    /// Its functions in ascending order.
    pub(crate) functions: Vec<FunctionFacts>,
    /// Spans by the offset behind their instruction (inv:vm.resume), ascending.
    pub(crate) spans: Vec<(usize, Span)>,
}

/// One entry of a call chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TraceFrame {
    /// The name of the procedure that is running, if it has one.
    pub name: Option<Rc<str>>,
    /// The call or operation in it.
    pub span: Span,
    /// How this call led to what runs above it.
    pub reached: Reached,
}

/// How a call led to what runs above it on the stack.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reached {
    /// It called that, as far as anybody can tell; or nothing runs above it.
    Directly,
    /// It called something else, which went on by tail calls.
    ByTailCalls {
        /// What it called.
        from: Rc<str>,
        /// Where that is defined.
        defined: Span,
        /// What runs above it and where that is defined, if it is a procedure of Scheme with a name.
        to: Option<(Rc<str>, Span)>,
    },
    /// It raised something, whose handler runs above it.
    Raised,
    /// It called C, which called back.
    ThroughC {
        /// The foreign procedure, if the call names it.
        function: Option<Rc<str>>,
    },
}

/// All code.
#[derive(Default)]
pub(crate) struct CodeSpace {
    chunks: Vec<CodeChunk>,
    /// In ascending order of address.
    units: Vec<LinkedUnit>,
}

impl CodeSpace {
    /// Where a unit of `len` instructions will be put.
    pub(crate) fn reserve(&mut self, len: usize) -> Pc {
        match self.chunks.last() {
            Some(chunk) if chunk.room() >= len => chunk.next(),
            _ => {
                let chunk = CodeChunk::new(len.max(CHUNK));
                let start = chunk.next();
                self.chunks.push(chunk);
                start
            }
        }
    }

    /// Puts a unit where `reserve` said.
    pub(crate) fn put(&mut self, code: &[Insn], unit: LinkedUnit) {
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.put(code);
        }
        let at = self.units.partition_point(|u| u.start < unit.start);
        self.units.insert(at, unit);
    }

    /// The unit that `pc` points into, or behind the last instruction of.
    pub(crate) fn unit(&self, pc: Pc) -> Option<&LinkedUnit> {
        let before = self.units.partition_point(|u| u.start < pc);
        let unit = self.units.get(before.checked_sub(1)?)?;
        (pc.since(unit.start) <= unit.len).then_some(unit)
    }

    /// What is filed under the place behind an instruction.
    pub(crate) fn frame(&self, resume: Pc) -> Option<TraceFrame> {
        let unit = self.unit(resume)?;
        let offset = resume.since(unit.start);
        let at = unit.spans.binary_search_by_key(&offset, |s| s.0).ok()?;
        Some(TraceFrame {
            name: unit.function_at(offset - 1).and_then(|f| f.name.clone()),
            span: unit.spans[at].1,
            reached: Reached::Directly,
        })
    }

    /// The procedure that runs at a place where it polls, and the nearest place in it that is known:
    /// the first behind, for it polls where a body or a loop begins, or else the last before.
    pub(crate) fn running(&self, pc: Pc) -> Option<TraceFrame> {
        let unit = self.unit(pc)?;
        let offset = pc.since(unit.start);
        let number = unit.function_number(offset.checked_sub(1)?)?;
        let function = &unit.functions[number];
        let end = unit.functions.get(number + 1).map_or(unit.len, |f| f.start);
        let behind = unit.spans.partition_point(|s| s.0 <= offset);
        let inside = |s: &&(usize, Span)| s.0 > function.start && s.0 <= end;
        let after = unit.spans.get(behind).filter(inside);
        let span = after.or_else(|| unit.spans[..behind].last().filter(inside));
        Some(TraceFrame {
            name: function.name.clone(),
            span: span.map_or(Span::NONE, |s| s.1),
            reached: Reached::Directly,
        })
    }

    /// Every unit, in ascending order of address.
    pub(crate) fn units(&self) -> &[LinkedUnit] {
        &self.units
    }
}

impl LinkedUnit {
    /// The function that the instruction at `offset` belongs to.
    pub(crate) fn function_at(&self, offset: usize) -> Option<&FunctionFacts> {
        self.functions.get(self.function_number(offset)?)
    }

    fn function_number(&self, offset: usize) -> Option<usize> {
        self.functions
            .partition_point(|f| f.start <= offset)
            .checked_sub(1)
    }
}
