//! Values as C sees them.

use crate::edge::{self, BlHandle, at_a_glance, store, within};
use crate::failure::{Failure, Result};
use crate::status::Status;
use bowline_ffi::inside::{self, Inside};
use bowline_ffi::{CType, Handles};
use bowline_layout::Value;
use std::ffi::{c_char, c_void};

/// Stores the word of a handle's object, made by `of`, where C wants it.
fn to<T>(
    asker: &'static str,
    handle: BlHandle,
    (at, name): (*mut T, &'static str),
    of: impl FnOnce(&mut Inside<'_>, Value) -> Result<T>,
) -> Status {
    edge::status(within(asker, |inside| {
        let v = edge::object(inside, handle)?;
        let word = of(inside, v)?;
        store(at, name, word)
    }))
}

/// The same for an object of which `of` knows the word without anybody else; the status, or nothing for another object.
#[inline(always)]
fn seen<T>(handle: BlHandle, at: *mut T, of: impl FnOnce(Value) -> Option<T>) -> Option<Status> {
    at_a_glance(|glance| {
        let word = of(glance.get(handle.maybe()?)?)?;
        store(at, "", word).ok()?;
        Some(Status::Ok)
    })
}

/// The error for an object that is not what is expected.
fn wrong(inside: &mut Inside<'_>, expected: &'static str, v: Value) -> Failure {
    let got = inside.host().describe(v);
    Failure::Wrong { expected, got }
}

/// An exact integer.
///
/// # Safety
/// `n` is NULL or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bl_to_int(handle: BlHandle, n: *mut i64) -> Status {
    if let Some(status) = seen(handle, n, Value::as_fixnum) {
        return status;
    }
    to("bl_to_int", handle, (n, "n"), |inside, v| {
        let word = inside.word(&CType::Int64, v);
        let word = word.map_err(|error| Failure::of_value(error, "int64_t"))?;
        Ok(word as i64)
    })
}

/// A real number.
///
/// # Safety
/// `x` is NULL or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bl_to_double(handle: BlHandle, x: *mut f64) -> Status {
    to("bl_to_double", handle, (x, "x"), |inside, v| {
        let word = inside.word(&CType::Double, v);
        let word = word.map_err(|error| Failure::of_value(error, "double"))?;
        Ok(f64::from_bits(word))
    })
}

/// Whether a value counts as true.
///
/// # Safety
/// `truth` is NULL or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bl_to_boolean(handle: BlHandle, truth: *mut bool) -> Status {
    if let Some(status) = seen(handle, truth, |v| Some(v.is_true())) {
        return status;
    }
    to("bl_to_boolean", handle, (truth, "truth"), |_, v| {
        Ok(v.is_true())
    })
}

/// The address in a foreign pointer.
///
/// # Safety
/// `pointer` is NULL or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bl_to_pointer(handle: BlHandle, pointer: *mut *mut c_void) -> Status {
    to(
        "bl_to_pointer",
        handle,
        (pointer, "pointer"),
        |inside, v| {
            let word = inside.word(&CType::Pointer, v);
            let word = word.map_err(|error| Failure::of_value(error, "void *"))?;
            Ok(std::ptr::with_exposed_provenance_mut(word as usize))
        },
    )
}

/// The address of a body's bytes, which stay until the innermost scope ends.
fn lend(inside: &mut Inside<'_>, body: Value) -> Result<*mut u8> {
    Handles::of(inside.mutator()).pin_in_scope(body)?;
    Ok(inside::bytes_address(body).cast_mut())
}

/// Stores a length if C wants it.
fn store_length(at: *mut usize, length: usize) {
    // A null pointer means that it does not.
    let _ = store(at, "length", length);
}

/// A string's bytes, where they stand.
///
/// # Safety
/// `length` is NULL or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bl_to_string(handle: BlHandle, length: *mut usize) -> *const c_char {
    let done = within("bl_to_string", |inside| {
        let v = edge::object(inside, handle)?;
        let Some((body, bytes)) = inside::string_body(v) else {
            return Err(wrong(inside, "a string", v));
        };
        if length.is_null()
            && let Some(offset) = inside::find_nul(body, bytes)
        {
            return Err(Failure::Nul { offset });
        }
        let at = lend(inside, body)?;
        store_length(length, bytes);
        Ok(at.cast_const().cast())
    });
    done.unwrap_or(std::ptr::null())
}

/// A bytevector's bytes, where they stand.
///
/// # Safety
/// `length` is NULL or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bl_to_bytes(handle: BlHandle, length: *mut usize) -> *mut c_void {
    let done = within("bl_to_bytes", |inside| {
        let v = edge::object(inside, handle)?;
        let Some(bytes) = inside::bytevector_length(v) else {
            return Err(wrong(inside, "a bytevector", v));
        };
        let at = lend(inside, v)?;
        store_length(length, bytes);
        Ok(at.cast())
    });
    done.unwrap_or(std::ptr::null_mut())
}

/// A vector that a handle stands for, and its size.
fn tuple(inside: &mut Inside<'_>, handle: BlHandle) -> Result<(Value, usize)> {
    let v = edge::object(inside, handle)?;
    match inside.host().vector_length(v) {
        Some(size) => Ok((v, size)),
        None => Err(wrong(inside, "a vector", v)),
    }
}

/// How many values a vector has.
///
/// # Safety
/// `count` is NULL or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bl_tuple_size(handle: BlHandle, count: *mut usize) -> Status {
    edge::status(within("bl_tuple_size", |inside| {
        let (_, size) = tuple(inside, handle)?;
        store(count, "count", size)
    }))
}

/// One value of a vector.
#[unsafe(no_mangle)]
pub extern "C" fn bl_tuple_ref(handle: BlHandle, index: usize) -> BlHandle {
    edge::handle(within("bl_tuple_ref", |inside| {
        let (v, size) = tuple(inside, handle)?;
        if index >= size {
            return Err(Failure::Index { index, size });
        }
        let item = inside.host().vector_element(v, index);
        edge::local(inside, item)
    }))
}

/// All values of a vector.
///
/// # Safety
/// `items` has room for so many handles; NULL will do for none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bl_to_tuple(
    handle: BlHandle,
    items: *mut BlHandle,
    count: usize,
) -> Status {
    edge::status(within("bl_to_tuple", |inside| {
        let (v, has) = tuple(inside, handle)?;
        if has != count {
            let wanted = count;
            return Err(Failure::Size { has, wanted });
        }
        if items.is_null() && count > 0 {
            return Err(Failure::Null("items"));
        }
        // Making handles moves nothing. C's array is changed when all are there.
        let made = (0..count).map(|i| {
            let item = inside.host().vector_element(v, i);
            edge::local(inside, item)
        });
        let made: Vec<BlHandle> = made.collect::<Result<_>>()?;
        for (i, item) in made.into_iter().enumerate() {
            store(items.wrapping_add(i), "items", item)?;
        }
        Ok(())
    }))
}
