//! The primitives, one table per area.
//!
//! Absent on purpose: anything that calls a procedure; `control` names those for the engine.

mod control;
mod lists;

use crate::primitive::Primitive;

/// Every table. Their concatenation is the table of primitives.
pub(crate) const TABLES: &[&[Primitive]] = &[control::TABLE, lists::TABLE];
