//! Bytecode as text: `dump --stage=bytecode`.
//!
//! Places are numbers of instructions from the unit's start, so that a listing is the same in every
//! run. Cells and primitives are shown by name.

use std::fmt::Write;
use std::ops::Range;

use bowline_layout::{Value, procedure};
use bowline_runtime::printer::{Mode, print};
use bowline_runtime::{kinds, object};

use crate::machine::code_of;
use crate::opcode::{Insn, Operands};
use crate::raw;
use crate::space::LinkedUnit;
use crate::vm::{Entry, Vm};

impl Vm {
    /// The listing of the unit that `entry` is in.
    pub fn disassemble(&self, entry: Entry) -> String {
        let mut out = String::new();
        if let Some(unit) = self.code.unit(entry.0.offset(1)) {
            self.list_unit(unit, &mut out);
        }
        out
    }

    /// The listing of a procedure's own code; `None` for one that is not compiled from Scheme.
    pub fn disassemble_procedure(&self, procedure: Value) -> Option<String> {
        let mut out = String::new();
        match object::type_id(procedure)? {
            kinds::CLOSURE => self.list_procedure(procedure, &mut out),
            kinds::CASE_LAMBDA => {
                for i in 0..object::header(procedure).mixed_values() {
                    let clause = object::field(procedure, procedure::CAPTURED + i);
                    self.list_procedure(clause, &mut out);
                }
            }
            _ => return None,
        }
        Some(out)
    }

    fn list_procedure(&self, procedure: Value, out: &mut String) {
        let start = code_of(procedure);
        let Some(unit) = self.code.unit(start.offset(1)) else {
            return;
        };
        let at = start.since(unit.start);
        let next = unit.functions.iter().find(|f| f.start > at);
        self.list(unit, at..next.map_or(unit.len, |f| f.start), out);
    }

    fn list_unit(&self, unit: &LinkedUnit, out: &mut String) {
        self.list(unit, 0..unit.len, out);
    }

    fn list(&self, unit: &LinkedUnit, range: Range<usize>, out: &mut String) {
        let mut at = range.start;
        let mut next_function = unit.functions.partition_point(|f| f.start < at);
        while at < range.end {
            while unit
                .functions
                .get(next_function)
                .is_some_and(|f| f.start == at)
            {
                let name = unit.functions[next_function].name.as_deref();
                let _ = writeln!(
                    out,
                    "{}f{next_function} {}:",
                    if !out.is_empty() { "\n" } else { "" },
                    name.unwrap_or("-")
                );
                next_function += 1;
            }
            let pc = unit.start.offset(at as isize);
            let insn = pc.fetch();
            let word = pc.offset(1).fetch().bits();
            let (name, operands) = match insn.op() {
                Some(op) => (
                    op.name(),
                    self.operands(insn, op.operands(), at, word, unit),
                ),
                None => ("?", String::new()),
            };
            let line = format!("{at:6}  {name:<22} {operands}");
            let _ = writeln!(out, "{}", line.trim_end());
            at += 1;
            if insn.op().is_some_and(|op| op.operands().has_word()) {
                at += 1;
            }
        }
    }

    fn operands(&self, i: Insn, kind: Operands, at: usize, word: u64, unit: &LinkedUnit) -> String {
        let value = |bits: u64| print(&self.rt, Value::from_bits(bits), Mode::Write);
        let b = i.b();
        let target = || {
            let to = (at as i64 + 1 + i64::from(b)) as usize;
            match unit
                .functions
                .iter()
                .position(|f| f.start == to || f.start + 1 == to)
            {
                Some(n) if unit.functions[n].start + 1 == to => format!("f{n}+1"),
                Some(n) if to != 0 => format!("f{n}"),
                _ => format!("-> {to}"),
            }
        };
        let global = || self.rt.globals.name(b as u32).to_string();
        let (a, c) = (i.a(), i.c());
        match kind {
            Operands::None => String::new(),
            Operands::Bits => value(b as i64 as u64),
            Operands::Word => value(word),
            Operands::Literal => value(raw::cell(word).bits()),
            Operands::Number => format!("{b}"),
            Operands::Slot => format!("[{b}]"),
            Operands::SlotBits => format!("[{a}] {}", value(b as i64 as u64)),
            Operands::SlotNumber => format!("[{a}] {b}"),
            Operands::SlotSlot => format!("[{a}] [{b}]"),
            Operands::Target => target(),
            Operands::SlotTarget => format!("[{a}] {}", target()),
            Operands::BitsTarget => format!("{} {}", value(i.small() as u64), target()),
            Operands::SlotSmallTarget => format!("[{c}] {} {}", i.small(), target()),
            Operands::SlotSlotTarget => format!("[{c}] [{a}] {}", target()),
            Operands::SlideTarget => format!("{c} [{a}] {}", target()),
            Operands::CountTarget => format!("{a} {}", target()),
            Operands::Count => format!("{a}"),
            Operands::Global => global(),
            Operands::CountGlobal => format!("{a} {}", global()),
            Operands::Primitive => {
                let name = self.rt.primitives.get(b as usize).map_or("?", |p| p.name);
                format!("{a} {name}")
            }
        }
    }
}
