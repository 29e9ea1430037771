//! The primitives, one table per area.
//!
//! Absent on purpose: anything that calls a procedure; `control` names those for the engine.

mod bytevectors;
mod callbacks;
mod chars;
mod conditions;
mod control;
mod data;
mod datatypes;
mod enums;
mod exports;
mod ffi;
mod foreign;
mod gc;
mod input;
mod lists;
mod numbers;
mod output;
mod owners;
mod strings;
mod structs;
mod system;
mod tables;
mod text;
mod vectors;
mod views;
mod weak;

pub use system::FEATURES;

use crate::fault::{Fault, Result};
use crate::primitive::Primitive;
use crate::rt::{Args, Rt};

/// Every table. Their concatenation is the table of primitives.
pub(crate) const TABLES: &[&[Primitive]] = &[
    control::TABLE,
    lists::TABLE,
    data::TABLE,
    numbers::TABLE,
    chars::TABLE,
    strings::TABLE,
    text::TABLE,
    vectors::TABLE,
    bytevectors::TABLE,
    conditions::TABLE,
    input::TABLE,
    output::TABLE,
    system::TABLE,
    tables::TABLE,
    gc::TABLE,
    weak::TABLE,
    ffi::TABLE,
    foreign::TABLE,
    enums::TABLE,
    owners::TABLE,
    callbacks::TABLE,
    structs::TABLE,
    views::TABLE,
    datatypes::TABLE,
    exports::TABLE,
];

/// The fault of a copy whose source is longer than the room after the target's index.
#[cold]
fn no_room<T>(rt: &Rt, a: Args, who: &'static str, wanted: usize, room: usize) -> Result<T> {
    let message = format!("{wanted} elements do not fit where there is room for {room}:");
    Fault::bad(who, message, vec![rt.arg(a, 1)])
}
