//! Loading a unit: compile, place, make its constants, link.

use std::rc::Rc;

use bowline_layout::Value;
use bowline_middle::ir::{FuncId, GlobalId, Module, PrimitiveId};
use bowline_runtime::{CodeInfo, kinds};

use crate::compile::{self, CompileError, Constant, Unit, Word};
use crate::linker::{self, Layout, Outside};
use crate::raw::{self, Pc};
use crate::space::{FunctionFacts, LinkedUnit};
use crate::vm::{Entry, Vm};

/// What the linker asks for.
struct Resolved<'a> {
    words: Vec<u64>,
    vm: &'a Vm,
}

impl Outside for Resolved<'_> {
    fn constant(&self, number: u32) -> u64 {
        self.words[number as usize]
    }

    fn global(&self, id: GlobalId) -> u64 {
        self.vm.rt.globals.address(id.0).expose_provenance() as u64
    }
}

/// Makes a module's code ready to run.
pub(crate) fn load(vm: &mut Vm, module: &Module) -> Result<Entry, CompileError> {
    for (id, name) in &module.globals {
        if !vm.rt.globals.declare(id.0, Rc::clone(name)) {
            return Err(CompileError::TooManyGlobals);
        }
    }
    let unit = compile::compile(module, &vm.facts)?;
    let layout = Layout::new(&unit.functions);
    let start = vm.code.reserve(layout.len);
    let words = constants(vm, &unit, &layout, start)?;
    let outside = Resolved { words, vm };
    let code = linker::link(&unit.functions, &layout, &outside)
        .map_err(|_| CompileError::BadIr { function: 0 })?;
    let linked = describe(module, &unit, &layout, start);
    for (function, facts) in module.functions.iter().zip(&linked.functions) {
        let required = usize::from(function.params);
        let info = CodeInfo {
            name: function.name.clone(),
            min: required,
            max: (!function.rest).then_some(required),
            place: function.span,
        };
        let code = start.offset(facts.start as isize).bits();
        vm.rt.code.register(code, info);
    }
    vm.code.put(&code, linked);
    let entry = layout.start(module.entry);
    Ok(Entry(start.offset(entry as isize)))
}

/// What will be known of the unit's places.
fn describe(module: &Module, unit: &Unit, layout: &Layout, start: Pc) -> LinkedUnit {
    let mut functions = Vec::with_capacity(module.functions.len());
    let mut spans = Vec::new();
    for (number, function) in module.functions.iter().enumerate() {
        let this = layout.start(FuncId(number as u32));
        functions.push(FunctionFacts {
            start: this,
            name: function.name.clone(),
            span: function.span,
        });
        let own = unit.functions[number].spans.iter();
        spans.extend(own.map(|&(at, span)| (this + at, span)));
    }
    LinkedUnit {
        start,
        len: layout.len,
        functions,
        spans,
    }
}

/// Makes the unit's constants; the result is the operand word of each.
fn constants(
    vm: &mut Vm,
    unit: &Unit,
    layout: &Layout,
    start: Pc,
) -> Result<Vec<u64>, CompileError> {
    let mut words = Vec::with_capacity(unit.constants.len());
    for constant in &unit.constants {
        let word = match constant {
            Constant::Word(Word::Bits(bits)) => *bits,
            Constant::Word(Word::Symbol(name)) => {
                let made = vm.rt.intern(name);
                made.map_err(|_| CompileError::OutOfMemory)?.bits()
            }
            Constant::Primitive(p) => primitive(vm, *p)?,
            other => {
                let made = object(vm, other, layout, start);
                cell(vm, made.map_err(|_| CompileError::OutOfMemory)?)?
            }
        };
        words.push(word);
    }
    Ok(words)
}

fn object(vm: &mut Vm, constant: &Constant, layout: &Layout, start: Pc) -> bowline_runtime::Result {
    let code = |f: FuncId| start.offset(layout.start(f) as isize).bits();
    match constant {
        Constant::Datum(datum) => vm.rt.datum_to_value(datum, true),
        Constant::Procedure(f) => vm.rt.make_procedure(kinds::CLOSURE, code(*f), &[]),
        Constant::CaseLambda(clauses) => {
            let height = vm.rt.height();
            for &f in clauses {
                let clause = vm.rt.make_procedure(kinds::CLOSURE, code(f), &[])?;
                vm.rt.push(clause);
            }
            let made: Vec<Value> = (height..vm.rt.height()).map(|i| vm.rt.at(i)).collect();
            let stub = vm.rt.stubs.case_lambda;
            let object = vm.rt.make_procedure(kinds::CASE_LAMBDA, stub, &made);
            vm.rt.truncate(height);
            object
        }
        // These are not objects of the unit.
        Constant::Word(_) | Constant::Primitive(_) => Ok(Value::FALSE),
    }
}

impl Vm {
    /// The procedure that a primitive is as a value; `None` if there is no room for it.
    pub fn primitive_value(&mut self, p: PrimitiveId) -> Option<Value> {
        primitive(self, p).ok().map(raw::cell)
    }
}

/// The cell of a primitive.
fn primitive(vm: &mut Vm, p: PrimitiveId) -> Result<u64, CompileError> {
    if let Some(&address) = vm.primitive_cells.get(&p) {
        return Ok(address);
    }
    let made = vm.rt.make_primitive(p.0);
    let address = cell(vm, made.map_err(|_| CompileError::OutOfMemory)?)?;
    vm.primitive_cells.insert(p, address);
    Ok(address)
}

/// Puts a value into a cell of its own and returns the cell's address.
fn cell(vm: &Vm, v: Value) -> Result<u64, CompileError> {
    let index = vm.constants.len();
    if !vm.constants.ensure(index) {
        return Err(CompileError::OutOfMemory);
    }
    vm.constants.set(index, v);
    Ok(vm.constants.address(index).expose_provenance() as u64)
}
