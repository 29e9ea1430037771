//! C memory that dies with its owner, and finalizers.
//!
//! The pointer object is the owner: as long as somebody has it, or a pointer that was derived from it
//! by `pointer+`, the memory is there. An address alone (an integer, or what C keeps) owns nothing.

use bowline_ffi::{FfiError, Held, Place, memory, pointer_address};
use bowline_gc::OwnerLabel;
use bowline_layout::{FIXNUM_MAX, Value, procedure};

use crate::fault::{Fault, Result};
use crate::ffi::FUNCTION_INDEX;
use crate::kinds;
use crate::object;
use crate::owners::Maker;
use crate::primitive::{Primitive, owner};
use crate::rt::{Args, Rt};

pub(super) const TABLE: &[Primitive] = &[
    owner("make-foreign-memory", 1, 1, make_foreign_memory),
    owner("string->pointer", 1, 1, string_to_pointer),
    owner("attach-finalizer!", 3, 3, attach_finalizer),
];

/// The label of what a primitive of this name makes now.
pub(super) fn label(rt: &mut Rt, name: &'static str) -> OwnerLabel {
    let maker = Maker::Primitive(name);
    match rt.owners.known(maker) {
        Some(label) => label,
        None => new_label(rt, maker, name),
    }
}

#[cold]
pub(super) fn new_label(rt: &mut Rt, maker: Maker, name: &str) -> OwnerLabel {
    let label = rt.heap().owner_label(&rt.owners.text(name));
    rt.owners.keep(maker, label);
    label
}

/// Argument `i`, a number of bytes.
fn bytes(rt: &Rt, a: Args, i: usize, who: &'static str) -> Result<usize> {
    let n = rt.ranged(a, i, who, "number of bytes", 0, FIXNUM_MAX)?;
    Ok(n as usize)
}

fn make_foreign_memory(rt: &mut Rt, a: Args) -> Result {
    let who = "make-foreign-memory";
    let bytes = bytes(rt, a, 0, who)?;
    let label = label(rt, who);
    Ok(rt.heap.foreign_memory(bytes, true, label)?)
}

/// The text, and a NUL behind it.
fn string_to_pointer(rt: &mut Rt, a: Args) -> Result {
    let who = "string->pointer";
    let text = rt.string_arg(a, 0, who)?;
    let text = rt.text(text);
    if let Some(offset) = text.bytes().position(|b| b == 0) {
        let function = who.to_string();
        let place = Place::Argument {
            function,
            position: 1,
        };
        return Err(FfiError::EmbeddedNul { place, offset }.into());
    }
    let bytes = text.len() + 1;
    let label = label(rt, who);
    let pointer = rt.heap.foreign_memory(bytes, true, label)?;
    let text = rt.text(rt.arg(a, 0));
    memory::copy_in(pointer_address(pointer).unwrap_or(0), text.as_bytes());
    Ok(pointer)
}

/// `(pointer procedure bytes)`
fn attach_finalizer(rt: &mut Rt, a: Args) -> Result {
    let who = "attach-finalizer!";
    let (pointer, finalizer) = (rt.arg(a, 0), rt.arg(a, 1));
    match pointer_address(pointer) {
        None => return Fault::wrong_type(who, 1, "a pointer", pointer),
        Some(0) => return Fault::bad(who, "the pointer is null", vec![]),
        Some(_) => {}
    }
    if !finalizer.is_procedure() {
        return Fault::wrong_type(who, 2, "a procedure", finalizer);
    }
    if !rt.procedure_accepts(finalizer, 1) {
        let message =
            "a finalizer is called with the pointer, one argument that is not accepted by";
        return Fault::bad(who, message, vec![finalizer]);
    }
    let bytes = bytes(rt, a, 2, who)?;
    let label = finalizer_label(rt, finalizer);
    rt.heap.attach_finalizer(pointer, finalizer, bytes, label)?;
    Ok(rt.arg(a, 0))
}

impl Rt {
    /// The label of what a foreign call gives at the current place, or a callback. Functions are known for ever
    /// (`Foreign`), so the text is made once.
    pub fn held_label(&mut self, held: Held<'_>) -> OwnerLabel {
        let maker = Maker::Crossing(held.key());
        match self.owners.known(maker) {
            Some(label) => label,
            None => new_label(self, maker, &held.to_string()),
        }
    }

    /// `finalizer` will be called with `pointer`, which a foreign call has given, once that has died.
    pub fn finalize_result(
        &mut self,
        pointer: Value,
        finalizer: Value,
        held: Held<'_>,
    ) -> Result<()> {
        let label = self.held_label(held);
        let address = pointer_address(pointer).unwrap_or(0);
        let free = self.foreign.function(finalizer);
        let bytes = free.map_or(0, |free| free.gives_back(address));
        let attached = self.heap.attach_finalizer(pointer, finalizer, bytes, label);
        Ok(attached?)
    }
}

/// The label of what is given a finalizer now.
fn finalizer_label(rt: &mut Rt, finalizer: Value) -> OwnerLabel {
    let maker = match object::type_id(finalizer) {
        Some(kinds::FOREIGN_PROCEDURE) => {
            Maker::Foreign(object::field(finalizer, FUNCTION_INDEX).bits())
        }
        Some(kinds::PRIMITIVE) => Maker::Code(object::field(finalizer, procedure::CAPTURED).bits()),
        _ => Maker::Code(object::raw(finalizer, procedure::CODE)),
    };
    if let Some(label) = rt.owners.known(maker) {
        return label;
    }
    let name = rt.procedure_name(finalizer);
    new_label(rt, maker, name.as_deref().unwrap_or("finalizer"))
}
