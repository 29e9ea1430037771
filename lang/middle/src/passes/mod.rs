//! From core to IR.
//!
//! Each pass says which form it removes:
//!
//! 1. `letrec`: `Letrec` becomes `Fix` (procedures that nobody assigns), `Let`, and, where
//!    definitions need each other in a circle, variables that are assigned and checked.
//! 2. `assign`: `SetLocal` becomes operations on boxes; from here on variables never change.
//! 3. `optimize`: direct application, copies, unused bindings, constant tests; calls of primitives
//!    become `PrimCall`.
//! 4. `contify`: procedures that are only ever turned around in become `Loop` and `Jump`.
//! 5. `lift`: decides for each named procedure whether it needs a closure.
//! 6. `close`: the rest becomes closed functions with slots.
//!
//! The passes recurse on the nesting of core, which the expander bounds (inv:middle.depth).
//!
//! Absent on purpose: types, inlining of anything used more than once, and any pass over IR.

mod assign;
mod close;
mod contify;
mod depth;
mod fold;
mod graph;
mod letrec;
mod lift;
mod optimize;

use bowline_syntax::Diagnostic;

use crate::core::Unit;
use crate::ir::Module;
use crate::prims::{Globals, Primitives};

/// How far `lower` goes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Pass {
    /// No `Letrec` any more.
    Letrec,
    /// No `SetLocal` any more.
    Assign,
    /// Calls of primitives are `PrimCall`.
    Optimize,
    /// Loops are `Loop`.
    Contify,
}

/// Runs the passes over core up to and including `last`. The only error is core too deep to go on
/// with; the unit is good for nothing then.
pub fn lower(unit: &mut Unit, prims: &Primitives, last: Pass) -> Result<(), Box<Diagnostic>> {
    letrec::run(unit);
    if last >= Pass::Assign {
        assign::run(unit);
    }
    if last >= Pass::Optimize {
        optimize::run(unit, prims)?;
    }
    if last >= Pass::Contify {
        contify::run(unit)?;
    }
    Ok(())
}

/// Compiles a unit. The only errors are a procedure too large for the IR's numbers, and procedures
/// moved into each other too deeply.
pub fn compile(
    mut unit: Unit,
    prims: &Primitives,
    globals: &Globals,
) -> Result<Module, Box<Diagnostic>> {
    lower(&mut unit, prims, Pass::Contify)?;
    let shapes = lift::run(&unit);
    let module = close::run(unit, &shapes, globals, prims)?;
    debug_assert!(
        crate::ir::verify(&module, prims).is_empty(),
        "the compiler made broken IR: {:?}",
        crate::ir::verify(&module, prims)
    );
    Ok(module)
}
