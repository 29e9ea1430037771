//! What `(bowline ffi)` is made of: libraries, pointers, pins, handles.

use bowline_ffi::{
    CType, Handle, HandleError, HandleKind, Handles, Library, memory, pointer_address,
};
use bowline_gc::PinError;
use bowline_layout::{Value, string};

use crate::errno;
use crate::fault::{Fault, Result};
use crate::ffi;
use crate::kinds;
use crate::object;
use crate::primitive::{Primitive, row};
use crate::rt::{Args, Rt};
use crate::strings;

pub(super) const TABLE: &[Primitive] = &[
    row("%foreign-library", 1, 1, foreign_library),
    row("foreign-library?", 1, 1, |rt, a| {
        Ok(Value::bool(object::is(rt.arg(a, 0), kinds::LIBRARY)))
    }),
    row("%foreign-symbol", 2, 2, foreign_symbol),
    row("foreign-procedure?", 1, 1, |rt, a| {
        Ok(Value::bool(object::is(
            rt.arg(a, 0),
            kinds::FOREIGN_PROCEDURE,
        )))
    }),
    row("%last-errno", 0, 0, |rt, _| {
        Ok(Value::fixnum(rt.errno.into()))
    }),
    row("errno-name", 1, 1, |rt, a| {
        let n = rt.ranged(a, 0, "errno-name", "error number", 0, i32::MAX.into())?;
        errno::name(n as i32).map_or(Ok(Value::FALSE), |name| rt.intern(name))
    }),
    row("errno-number", 1, 1, |rt, a| {
        let name = rt.symbol_arg(a, 0, "errno-number")?;
        let number = errno::number(rt.symbol_name(name));
        Ok(number.map_or(Value::FALSE, |n| Value::fixnum(n.into())))
    }),
    // Pointers
    row("%null-pointer", 0, 0, |rt, _| pointer(rt, 0)),
    row("pointer?", 1, 1, |rt, a| {
        Ok(Value::bool(pointer_address(rt.arg(a, 0)).is_some()))
    }),
    row("pointer-null?", 1, 1, |rt, a| {
        let address = address(rt, a, 0, "pointer-null?")?;
        Ok(Value::bool(address == 0))
    }),
    row("pointer=?", 2, 2, |rt, a| {
        let (x, y) = (
            address(rt, a, 0, "pointer=?")?,
            address(rt, a, 1, "pointer=?")?,
        );
        Ok(Value::bool(x == y))
    }),
    row("pointer->integer", 1, 1, |rt, a| {
        let address = address(rt, a, 0, "pointer->integer")?;
        rt.make_unsigned(address as u64)
    }),
    row("integer->pointer", 1, 1, integer_to_pointer),
    row("pointer+", 2, 2, |rt, a| {
        let start = address(rt, a, 0, "pointer+")?;
        let offset = rt.fixnum_arg(a, 1, "pointer+")?;
        let there = start.wrapping_add_signed(offset as isize);
        match rt.arg(a, 0) {
            Value::FALSE => pointer(rt, there),
            base => Ok(bowline_ffi::make_pointer_into(&mut rt.heap, base, there)?),
        }
    }),
    row("pointer->string", 1, 2, pointer_to_string),
    row("%pointer-ref", 2, 3, pointer_ref),
    row("%pointer-set!", 4, 4, pointer_set),
    row("%sizeof", 1, 1, |rt, a| {
        let ctype = ffi::ctype(rt, rt.arg(a, 0))?;
        if let CType::Struct(structure) = &ctype {
            structure.defined()?;
        }
        match ctype.size() {
            Some(n) => Ok(Value::fixnum(n as i64)),
            None => Fault::bad("sizeof", "the type has no size:", vec![rt.arg(a, 0)]),
        }
    }),
    // Pins
    row("pin!", 1, 1, |rt, a| pin(rt, a, "pin!")),
    row("unpin!", 1, 1, |rt, a| unpin(rt, a, "unpin!")),
    row("pinned?", 1, 1, |rt, a| {
        let v = rt.arg(a, 0);
        Ok(Value::bool(v.is_pointer() && rt.heap.is_pinned(v)))
    }),
    row("%data-pointer", 1, 1, data_pointer),
    row("promote!", 1, 1, promote),
    // Handles
    row("make-handle", 1, 1, |rt, a| {
        make_handle(rt, a, HandleKind::Global)
    }),
    row("make-weak-handle", 1, 1, |rt, a| {
        make_handle(rt, a, HandleKind::Weak)
    }),
    row("handle?", 1, 1, |rt, a| {
        Ok(Value::bool(object::is(rt.arg(a, 0), kinds::HANDLE)))
    }),
    row("handle-ref", 1, 1, |rt, a| {
        let got = handle(rt, a, "handle-ref")
            .and_then(|h| honoured(rt, a, "handle-ref", Handles::of(&rt.heap).get(h)))?;
        Ok(got)
    }),
    row("handle-set!", 2, 2, |rt, a| {
        let h = handle(rt, a, "handle-set!")?;
        let set = Handles::of(&rt.heap).set(h, rt.arg(a, 1));
        honoured(rt, a, "handle-set!", set)?;
        Ok(Value::UNSPECIFIED)
    }),
    row("handle-free!", 1, 1, |rt, a| {
        let h = handle(rt, a, "handle-free!")?;
        honoured(rt, a, "handle-free!", Handles::of(&rt.heap).free(h))?;
        Ok(Value::UNSPECIFIED)
    }),
    row("handle->integer", 1, 1, |rt, a| {
        let h = handle(rt, a, "handle->integer")?;
        rt.make_unsigned(h.bits())
    }),
    row("integer->handle", 1, 1, |rt, a| {
        let bits = unsigned(rt, a, 0, "integer->handle")?;
        match Handle::from_bits(bits) {
            Some(h) => handle_object(rt, h),
            None => Fault::bad("integer->handle", "0 is no handle", vec![]),
        }
    }),
];

fn foreign_library(rt: &mut Rt, a: Args) -> Result {
    let library = match rt.arg(a, 0) {
        Value::FALSE => Library::open(None)?,
        _ => {
            let name = rt.string_arg(a, 0, "define-foreign-library")?;
            Library::open(Some(rt.text(name)))?
        }
    };
    let index = rt.foreign.add_library(library);
    rt.make_object(kinds::LIBRARY, &[index, rt.arg(a, 0)])
}

/// The library in argument `i`.
pub(super) fn library(
    rt: &Rt,
    a: Args,
    i: usize,
    who: &'static str,
) -> Result<std::sync::Arc<Library>> {
    let v = rt.typed(a, i, who, kinds::LIBRARY, "a foreign library")?;
    match rt.foreign.library(object::field(v, 1)) {
        Some(library) => Ok(library.clone()),
        None => Fault::wrong_type(who, i + 1, "a foreign library", v),
    }
}

fn foreign_symbol(rt: &mut Rt, a: Args) -> Result {
    let library = library(rt, a, 0, "foreign-symbol")?;
    let name = rt.string_arg(a, 1, "foreign-symbol")?;
    let address = library.symbol(rt.text(name))?;
    pointer(rt, address.expose_provenance())
}

fn pointer(rt: &mut Rt, address: usize) -> Result {
    Ok(bowline_ffi::make_pointer(&mut rt.heap, address)?)
}

/// The address in argument `i`: a pointer, or `#f` for null.
pub(super) fn address(rt: &Rt, a: Args, i: usize, who: &'static str) -> Result<usize> {
    let v = rt.arg(a, i);
    if v == Value::FALSE {
        return Ok(0);
    }
    match pointer_address(v) {
        Some(address) => Ok(address),
        None => Fault::wrong_type(who, i + 1, "a pointer", v),
    }
}

/// Argument `i`, an integer of 64 bits without sign.
fn unsigned(rt: &Rt, a: Args, i: usize, who: &'static str) -> Result<u64> {
    use bowline_syntax::Number;
    let v = rt.arg(a, i);
    let n = match rt.number(v) {
        Some(Number::Fixnum(n)) => u64::try_from(n).ok(),
        Some(Number::Big(n)) => u64::try_from(&n).ok(),
        _ => return Fault::wrong_type(who, i + 1, "an exact integer", v),
    };
    match n {
        Some(n) => Ok(n),
        None => Fault::bad(who, "the integer must be from 0 to 2⁶⁴ − 1, not", vec![v]),
    }
}

fn integer_to_pointer(rt: &mut Rt, a: Args) -> Result {
    let n = unsigned(rt, a, 0, "integer->pointer")?;
    pointer(rt, n as usize)
}

/// The C string at a pointer, copied; `#f` at null. With a second argument, or when the pointer says
/// that it points to an array, at most so many bytes are looked at.
fn pointer_to_string(rt: &mut Rt, a: Args) -> Result {
    let who = "pointer->string";
    let start = address(rt, a, 0, who)?;
    let array = memory::array_target(rt, rt.arg(a, 0)).map(|array| array.size());
    let given = match rt.opt(a, 1) {
        Some(_) => Some(rt.size_arg(a, 1, who)?),
        None => None,
    };
    if start == 0 {
        return Ok(Value::FALSE);
    }
    let Some(most) = given.into_iter().chain(array).min() else {
        // The boundary reads strings through a pointer to them.
        let cell = (&raw const start).expose_provenance();
        return Ok(memory::read(&mut rt.heap, &CType::String, cell, 0)?);
    };
    let bytes = memory::text(start, most);
    rt.make_string(&String::from_utf8_lossy(&bytes))
}

/// `(pointer type [offset])`
fn pointer_ref(rt: &mut Rt, a: Args) -> Result {
    let who = "pointer-ref";
    address(rt, a, 0, who)?;
    let ctype = ffi::ctype(rt, rt.arg(a, 1))?;
    let offset = match rt.opt(a, 2) {
        Some(_) => rt.fixnum_arg(a, 2, who)? as isize,
        None => 0,
    };
    let base = rt.arg(a, 0);
    memory::check_inside(rt, base, &ctype, offset, who)?;
    Ok(memory::read_through(&mut rt.heap, &ctype, base, offset)?)
}

/// `(pointer type offset value)`
fn pointer_set(rt: &mut Rt, a: Args) -> Result {
    let who = "pointer-set!";
    let start = address(rt, a, 0, who)?;
    let ctype = ffi::ctype(rt, rt.arg(a, 1))?;
    let offset = rt.fixnum_arg(a, 2, who)? as isize;
    memory::check_inside(rt, rt.arg(a, 0), &ctype, offset, who)?;
    memory::write(rt, &ctype, start, offset, rt.arg(a, 3))?;
    Ok(Value::UNSPECIFIED)
}

/// Argument 0, something that can stay in its place.
fn pinnable(rt: &Rt, a: Args, who: &'static str) -> Result {
    let v = rt.arg(a, 0);
    if v.is_pointer() {
        Ok(v)
    } else {
        Fault::wrong_type(who, 1, "an object in the heap", v)
    }
}

/// A string is pinned with its body, which is what C gets.
fn pin(rt: &mut Rt, a: Args, who: &'static str) -> Result {
    let v = pinnable(rt, a, who)?;
    let refused = |e| {
        let message = match e {
            PinError::OutOfMemory(_) => "no memory to count the pins of:",
            PinError::TooOften(_) => "it is pinned more often than can be counted:",
            PinError::NotAnObject(_) | PinError::NotPinned(_) => "the object cannot be pinned:",
        };
        Fault::bad(who, message, vec![v])
    };
    if let Err(e) = rt.heap.pin(v) {
        return refused(e);
    }
    if strings::is_string(v) {
        let body = object::field(v, string::BODY);
        if let Err(e) = rt.heap.pin(body) {
            // The program is told that nothing was pinned.
            let _ = rt.heap.unpin(v);
            return refused(e);
        }
        strings::share(body);
        // inv:lent.body
        rt.lent.pinned(v, body);
    }
    Ok(v)
}

fn unpin(rt: &mut Rt, a: Args, who: &'static str) -> Result {
    let v = pinnable(rt, a, who)?;
    if rt.heap.unpin(v).is_err() {
        let message = "the object is unpinned more often than it was pinned:";
        return Fault::bad(who, message, vec![v]);
    }
    // inv:lent.body
    if let Some(body) = rt.lent.unpinned(v) {
        let _ = rt.heap.unpin(body);
    }
    Ok(Value::UNSPECIFIED)
}

/// Makes a bytevector's or a string's bytes stay where they are, and gives a pointer to them.
fn promote(rt: &mut Rt, a: Args) -> Result {
    let who = "promote!";
    let holder = holder(rt, a, who)?;
    if !is_view(holder) && rt.promote(holder).is_err() {
        // It is an object.
        let message = "no memory to keep the bytes in their place of:";
        return Fault::bad(who, message, vec![rt.arg(a, 0)]);
    }
    if strings::is_string(rt.arg(a, 0)) {
        strings::share(holder);
    }
    if !is_view(holder) {
        bowline_ffi::note_address(&rt.heap, holder);
    }
    Ok(bowline_ffi::make_pointer_to_bytes(&mut rt.heap, holder)?)
}

fn is_view(v: Value) -> bool {
    object::is(v, kinds::BYTEVECTOR_VIEW)
}

/// Where the bytes of argument 0 are; for a view itself, for they are C's.
fn holder(rt: &Rt, a: Args, who: &'static str) -> Result {
    let v = rt.arg(a, 0);
    match object::type_id(v) {
        Some(kinds::BYTEVECTOR | kinds::BYTEVECTOR_VIEW) => Ok(v),
        Some(kinds::STRING) => Ok(object::field(v, string::BODY)),
        _ => Fault::wrong_type(who, 1, "a bytevector or a string", v),
    }
}

/// A pointer to the bytes of a pinned bytevector or string, or to those of a view.
fn data_pointer(rt: &mut Rt, a: Args) -> Result {
    let who = "%data-pointer";
    let v = rt.arg(a, 0);
    let holder = holder(rt, a, who)?;
    if is_view(holder) {
        return Ok(bowline_ffi::make_pointer_to_bytes(&mut rt.heap, holder)?);
    }
    if !rt.heap.is_pinned(holder) {
        return Fault::bad(who, "the object is not pinned:", vec![v]);
    }
    bowline_ffi::note_address(&rt.heap, holder);
    pointer(rt, holder.addr().word(1).raw())
}

const HANDLE_BITS: usize = 1;

fn handle_object(rt: &mut Rt, h: Handle) -> Result {
    let header = bowline_layout::Header::new(bowline_layout::Shape::Bytes, kinds::HANDLE, 8);
    let v = rt.heap.alloc(header, bowline_layout::Tag::Object)?;
    object::set_raw(v, HANDLE_BITS, h.bits());
    Ok(v)
}

fn make_handle(rt: &mut Rt, a: Args, kind: HandleKind) -> Result {
    let made = Handles::of(&rt.heap).create(rt.arg(a, 0), kind);
    let h = honoured(rt, a, "make-handle", made)?;
    let object = handle_object(rt, h);
    if object.is_err() {
        // Nobody could give it back later.
        let _ = Handles::of(&rt.heap).free(h);
    }
    object
}

fn handle(rt: &Rt, a: Args, who: &'static str) -> Result<Handle> {
    let v = rt.typed(a, 0, who, kinds::HANDLE, "a handle")?;
    match Handle::from_bits(object::raw(v, HANDLE_BITS)) {
        Some(h) => Ok(h),
        None => Fault::wrong_type(who, 1, "a handle", v),
    }
}

fn honoured<T>(
    rt: &Rt,
    a: Args,
    who: &'static str,
    result: std::result::Result<T, HandleError>,
) -> Result<T> {
    result.or_else(|e| Fault::bad(who, e.to_string(), vec![rt.arg(a, 0)]))
}
