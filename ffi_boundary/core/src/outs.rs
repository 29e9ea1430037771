//! `(out T)` and `(inout T)` parameters: memory of the call's own that C writes to, and the values that
//! stand there afterwards.
//!
//! `inv:outs.cells` A scalar has a word on the C stack of the function that makes the call, so it is
//! there for as long as C runs, whatever callbacks and collections happen meanwhile. A struct or an array
//! has C memory, owned by the pointer that becomes the result; that stands on the root stack from before
//! the call until its maker takes it off, so the memory is there too. All of it begins as zeros.

use crate::call::CallError;
use crate::convert::{self, Spot};
use crate::error::FfiError;
use crate::function::{ForeignFunction, Way};
use crate::guard;
use crate::held::Held;
use crate::host::{Host, Language};
use crate::memory;
use crate::object;
use crate::types::{CType, Parameter, Repr};
use bowline_gc::{Mutator, OutOfMemory};
use bowline_layout::Value;
use std::cell::Cell;

/// Pushes a root for each out parameter. What is no scalar gets its memory now, while an allocation may
/// still collect and fail; its cell gets the address.
#[cold]
pub(crate) fn prepare(
    function: &ForeignFunction,
    host: &mut dyn Host,
    cells: &[Cell<u64>],
) -> Result<(), CallError> {
    for (cell, param) in cells.iter().zip(function.results()) {
        let mut root = Value::FALSE;
        if param.ctype.repr() == Repr::Aggregate {
            root = memory(function, host, param)?;
            object::set_pointer_target(root, param.ctype.number());
            cell.set(object::pointer_address(root).unwrap_or(0) as u64);
        }
        host.mutator().push(root);
    }
    Ok(())
}

/// A pointer that owns zeros for a struct or an array.
fn memory(
    function: &ForeignFunction,
    host: &mut dyn Host,
    param: &Parameter,
) -> Result<Value, OutOfMemory> {
    let guarded = function
        .guarded
        .then(|| guard::out_memory(function, host, param));
    if let Some(made) = guarded.flatten() {
        return made;
    }
    let bytes = param.ctype.size().unwrap_or(0);
    let label = host.owner_label(Held::Result(&param.ctype, &function.name));
    host.mutator().foreign_memory(bytes, true, label)
}

/// Gives a cell the value of its argument, or the memory that it names a copy.
pub(crate) fn begin_with<L: Language + ?Sized>(
    language: &L,
    ctype: &CType,
    cell: &Cell<u64>,
    v: Value,
    spot: &Spot<'_>,
) -> Result<(), FfiError> {
    if ctype.repr() == Repr::Aggregate {
        return memory::store(language, ctype, cell.get() as usize, v, spot);
    }
    cell.set(convert::to_word(language, ctype, v, spot)?);
    Ok(())
}

/// What C gets for a cell: the address of the word, or of the memory that it names.
pub(crate) fn address(way: &Way, cell: &Cell<u64>) -> u64 {
    match way {
        Way::Memory { .. } => cell.get(),
        _ => cell.as_ptr().expose_provenance() as u64,
    }
}

/// Makes the scalars that C has left in the cells the values of their roots, which are the last on the
/// root stack. May collect.
#[cold]
pub(crate) fn collect(
    function: &ForeignFunction,
    mutator: &mut Mutator,
    cells: &[Cell<u64>],
) -> Result<(), CallError> {
    let first = mutator.len() - cells.len();
    for (i, (cell, param)) in cells.iter().zip(function.results()).enumerate() {
        if param.ctype.repr() != Repr::Aggregate {
            let spot = &Spot::Argument {
                function: &function.name,
                position: function.position(param),
            };
            let value = convert::to_value(mutator, &param.ctype, cell.get(), spot)?;
            mutator.set(first + i, value);
        }
    }
    Ok(())
}
