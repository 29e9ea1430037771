//! Values made by C.

use crate::edge::{self, BlHandle, allocating};
use crate::failure::{Failure, Result};
use bowline_ffi::inside::Inside;
use bowline_ffi::{make_bytevector, make_flonum, make_integer, make_pointer, make_string};
use bowline_layout::Value;
use std::ffi::{CStr, c_char, c_void};

/// A handle to what `make` makes.
fn from(asker: &str, make: impl FnOnce(&mut Inside<'_>) -> Result<Value>) -> BlHandle {
    edge::handle(allocating(asker, |inside| {
        let v = make(inside)?;
        edge::local(inside, v)
    }))
}

/// The bytes that C points to.
///
/// # Safety
/// `inv:capi.pointers`, and the bytes stay as they are while the result is used.
unsafe fn bytes<'a>(at: *const u8, length: usize, name: &'static str) -> Result<&'a [u8]> {
    match (at.is_null(), length) {
        (true, 0) => Ok(&[]),
        (true, _) => Err(Failure::Null(name)),
        // SAFETY: the caller's.
        (false, _) => Ok(unsafe { std::slice::from_raw_parts(at, length) }),
    }
}

/// An exact integer.
#[unsafe(no_mangle)]
pub extern "C" fn bl_from_int(n: i64) -> BlHandle {
    from("bl_from_int", |inside| {
        Ok(make_integer(inside.mutator(), n.into())?)
    })
}

/// A flonum.
#[unsafe(no_mangle)]
pub extern "C" fn bl_from_double(x: f64) -> BlHandle {
    from("bl_from_double", |inside| {
        Ok(make_flonum(inside.mutator(), x)?)
    })
}

/// A boolean.
#[unsafe(no_mangle)]
pub extern "C" fn bl_from_boolean(truth: bool) -> BlHandle {
    from("bl_from_boolean", |_| Ok(Value::bool(truth)))
}

/// A string with a copy of a text that ends with a NUL.
///
/// # Safety
/// `text` is NULL or such a text, which nobody changes meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bl_from_string(text: *const c_char) -> BlHandle {
    from("bl_from_string", |inside| {
        if text.is_null() {
            return Err(Failure::Null("text"));
        }
        // SAFETY: inv:capi.pointers. If it stands in the heap it is pinned, for C has its address.
        let text = unsafe { CStr::from_ptr(text) };
        Ok(make_string(inside.mutator(), &text.to_string_lossy())?)
    })
}

/// A string with a copy of so many bytes of text.
///
/// # Safety
/// As many bytes can be read at `text`, and nobody changes them meanwhile; NULL will do for none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bl_from_string_n(text: *const c_char, length: usize) -> BlHandle {
    from("bl_from_string_n", |inside| {
        // SAFETY: inv:capi.pointers
        let text = unsafe { bytes(text.cast(), length, "text") }?;
        let text = String::from_utf8_lossy(text);
        Ok(make_string(inside.mutator(), &text)?)
    })
}

/// A bytevector with a copy of these bytes.
///
/// # Safety
/// As for [`bl_from_string_n`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bl_from_bytes(at: *const c_void, length: usize) -> BlHandle {
    from("bl_from_bytes", |inside| {
        // SAFETY: inv:capi.pointers
        let bytes = unsafe { bytes(at.cast(), length, "bytes") }?;
        Ok(make_bytevector(inside.mutator(), bytes)?)
    })
}

/// A foreign pointer that owns nothing.
#[unsafe(no_mangle)]
pub extern "C" fn bl_from_pointer(pointer: *const c_void) -> BlHandle {
    from("bl_from_pointer", |inside| {
        let address = pointer.expose_provenance();
        Ok(make_pointer(inside.mutator(), address)?)
    })
}

/// A vector of these values.
///
/// # Safety
/// `items` has so many handles; NULL will do for none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bl_from_tuple(items: *const BlHandle, count: usize) -> BlHandle {
    from("bl_from_tuple", |inside| {
        if items.is_null() && count > 0 {
            return Err(Failure::Null("items"));
        }
        let v = inside.host().make_vector(count)?;
        for i in 0..count {
            let item = items.wrapping_add(i);
            // SAFETY: inv:capi.pointers: it is one of as many.
            let item = unsafe { item.read() };
            // Reading a handle and storing an element move nothing.
            let item = edge::object(inside, item)?;
            inside.host().set_vector_element(v, i, item);
        }
        Ok(v)
    })
}

/// What a procedure returns that has nothing to say.
#[unsafe(no_mangle)]
pub extern "C" fn bl_unspecified() -> BlHandle {
    from("bl_unspecified", |_| Ok(Value::UNSPECIFIED))
}
