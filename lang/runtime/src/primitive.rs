//! The table of primitives: what the library and the compiler see of this crate.
//!
//! A primitive's index in [`primitives`] is its identity for the compiler. The table is the
//! concatenation of one table per area.
//!
//! inv:primitive.leaf — no primitive calls a Scheme procedure. What must is a `Control` entry,
//! which the engine carries out itself.
//!
//! inv:primitive.stack — a primitive leaves the root stack as high as it found it when it
//! succeeds; when it fails the engine resets the stack.

use crate::fault::Result;
use crate::prims;
use crate::rt::{Args, Rt};

/// A primitive's code.
pub type PrimFn = fn(&mut Rt, Args) -> Result;

/// How a primitive is carried out.
#[derive(Clone, Copy)]
pub enum PrimKind {
    /// By this function.
    Fn(PrimFn),
    /// By this function, which makes something that C memory dies with. The engine calls it as a
    /// procedure, tells it the place of the call ([`crate::Owners::place`]), and when memory has run
    /// out lets finalizers run and asks it once more.
    Owner(PrimFn),
    /// By the engine.
    Control(ControlOp),
}

/// What only the engine can do, because it calls procedures or changes the continuation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ControlOp {
    /// `(apply f arg … list)`
    Apply,
    /// `(%call/cc f)`
    CallCc,
    /// `(values v …)`
    Values,
    /// `(call-with-values producer consumer)`
    CallWithValues,
    /// `(%dyn)`: the current dynamic state.
    Dyn,
    /// `(%with-dyn d thunk)`
    WithDyn,
    /// `(%winders)`: the list of active `dynamic-wind`s.
    Winders,
    /// `(%set-winders! l)`
    SetWinders,
    /// `(%activation-winders)`: those with which C, or the program's start, entered Scheme.
    ActivationWinders,
    /// `(%throw k vals)`: jumps without running winders.
    Throw,
    /// `(%kont-winders k)`
    KontWinders,
    /// `(%kont-dyn k)`
    KontDyn,
    /// `(%uncaught obj)`: ends the run.
    Uncaught,
    /// `(%current-trace)`
    Trace,
    /// `(%install-hook! 'name procedure)`
    InstallHook,
    /// `(%run-finalizers)`: runs those that wait, if they may run now.
    RunFinalizers,
    /// Never in the table: what the stub of a foreign procedure does.
    ForeignCall,
}

/// One primitive.
#[derive(Clone, Copy)]
pub struct Primitive {
    /// The name that the library sees.
    pub name: &'static str,
    /// The fewest arguments.
    pub min: u8,
    /// The most arguments, if there is a limit.
    pub max: Option<u8>,
    /// How it is carried out.
    pub kind: PrimKind,
}

/// A primitive of `min` to `max` arguments.
pub(crate) const fn row(name: &'static str, min: u8, max: u8, f: PrimFn) -> Primitive {
    Primitive {
        name,
        min,
        max: Some(max),
        kind: PrimKind::Fn(f),
    }
}

/// A primitive of `min` arguments or more.
pub(crate) const fn rest(name: &'static str, min: u8, f: PrimFn) -> Primitive {
    Primitive {
        name,
        min,
        max: None,
        kind: PrimKind::Fn(f),
    }
}

/// A primitive of `min` to `max` arguments that makes something with C memory.
pub(crate) const fn owner(name: &'static str, min: u8, max: u8, f: PrimFn) -> Primitive {
    Primitive {
        name,
        min,
        max: Some(max),
        kind: PrimKind::Owner(f),
    }
}

/// A primitive that the engine carries out.
pub(crate) const fn control(
    name: &'static str,
    min: u8,
    max: Option<u8>,
    op: ControlOp,
) -> Primitive {
    Primitive {
        name,
        min,
        max,
        kind: PrimKind::Control(op),
    }
}

/// Every primitive; the index is the primitive's number.
pub fn primitives() -> Vec<Primitive> {
    prims::TABLES.concat()
}
