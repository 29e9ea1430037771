//! C memory as bytevectors: copies, and views, which are C memory that every procedure of bytevectors takes.
//!
//! A view keeps the pointer alive that it was made of, and with it the memory, if that has an owner. Whether C has
//! freed memory of its own is known to nobody here: a view of it is like a pointer to it (`inv:view.memory`).
//!
//! How far a pointer goes is respected as far as it says that: the array or the struct that it points to, and the memory
//! that it owns or was derived from.

use bowline_ffi::{CType, FfiError, memory, pointer_target};
use bowline_layout::{FIXNUM_MAX, Header, Tag, Value, bytevector_view, foreign_pointer};

use super::ffi::address;
use crate::fault::{Fault, Result};
use crate::kinds;
use crate::object;
use crate::primitive::{Primitive, row};
use crate::rt::{Args, Rt};

pub(super) const TABLE: &[Primitive] = &[
    row("pointer->bytevector", 1, 2, pointer_to_bytevector),
    row("bytevector-view", 1, 2, bytevector_view),
];

/// `(pointer [size])`: a copy of so many bytes; of all when the pointer says how many there are.
fn pointer_to_bytevector(rt: &mut Rt, a: Args) -> Result {
    let (start, size) = extent(rt, a, "pointer->bytevector", Header::MAX_LENGTH)?;
    let copy = rt.alloc_bytevector(size)?;
    memory::copy_out(start, rt.bytevector_mut(copy));
    Ok(copy)
}

/// `(pointer [size])`: so many bytes where they are. None at NULL are an ordinary bytevector.
fn bytevector_view(rt: &mut Rt, a: Args) -> Result {
    let (start, size) = extent(rt, a, "bytevector-view", FIXNUM_MAX as usize)?;
    if start == 0 {
        return rt.alloc_bytevector(0);
    }
    let v = rt.heap.alloc(bytevector_view::HEADER, Tag::Object)?;
    object::set_raw(v, bytevector_view::START, start as u64);
    object::set_raw(v, bytevector_view::LENGTH, size as u64);
    object::init(v, bytevector_view::BASE, rt.arg(a, 0));
    Ok(v)
}

/// The address in argument 0, and how many bytes there are meant: argument 1, or what the pointer says.
fn extent(rt: &Rt, a: Args, who: &'static str, most: usize) -> Result<(usize, usize)> {
    let start = address(rt, a, 0, who)?;
    let pointer = rt.arg(a, 0);
    let room = room(pointer, start, who)?;
    let target = rt.foreign.types.target(pointer_target(pointer));
    let size = match (rt.opt(a, 1), target.and_then(CType::size).or(room)) {
        (Some(_), _) => {
            // Nothing in memory is larger than that or ends beyond it.
            let most = most.min((isize::MAX as usize).saturating_sub(start));
            let most = match memory::array_target(rt, pointer) {
                None => most.min(room.unwrap_or(most)),
                Some(_) => most,
            };
            rt.ranged(a, 1, who, "number of bytes", 0, most as i64)? as usize
        }
        (None, Some(size)) => size,
        (None, None) => {
            let message = "the number of bytes is missing, and the pointer does not say how many:";
            return Fault::bad(who, message, vec![pointer]);
        }
    };
    if start == 0 && size > 0 {
        return Err(FfiError::NullPointer { operation: who }.into());
    }
    memory::check_range(rt, pointer, size, 0, who)?;
    match room {
        // What it points to was said of memory that is smaller.
        Some(room) if size > room => {
            let size = Value::fixnum(size as i64);
            Fault::range(who, "number of bytes", size, 0, room as i64)
        }
        _ => Ok((start, size)),
    }
}

/// How many bytes there are from `start` on of the memory that `pointer` owns, or the one that it was derived from, if
/// that is known.
fn room(pointer: Value, start: usize, who: &'static str) -> Result<Option<usize>> {
    if !object::is(pointer, kinds::FOREIGN_POINTER) {
        return Ok(None);
    }
    let base = object::field(pointer, foreign_pointer::BASE);
    let owner = match object::is(base, kinds::FOREIGN_POINTER) {
        true => base,
        false => pointer,
    };
    let first = object::raw(owner, foreign_pointer::POINTER) as usize;
    let bytes = match object::raw(owner, foreign_pointer::BYTES) as usize {
        0 => return Ok(None),
        bytes => bytes,
    };
    match start.wrapping_sub(first) {
        offset if offset <= bytes => Ok(Some(bytes - offset)),
        _ => {
            let message = format!("the pointer leads out of its memory, which has {bytes} bytes:");
            Fault::bad(who, message, vec![pointer])
        }
    }
}
