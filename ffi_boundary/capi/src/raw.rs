//! Words of the heap, in scopes in which nothing moves.

use crate::edge::{self, BlHandle, within};
use crate::failure::{Failure, Result};
use crate::status::Status;
use bowline_ffi::inside::{Inside, RawScope};
use bowline_layout::Value;

/// C's `bl_nogc`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct BlNogc {
    call: u64,
    depth: u32,
}

/// The scope that C points to.
fn scope(at: *const BlNogc) -> Result<RawScope> {
    if at.is_null() {
        return Err(Failure::Null("scope"));
    }
    // SAFETY: inv:capi.pointers: C has let `bl_nogc_begin` write it, or has written it itself.
    let BlNogc { call, depth } = unsafe { at.read() };
    Ok(RawScope { call, depth })
}

/// The same, if it is open.
fn open(inside: &Inside<'_>, at: *const BlNogc) -> Result<RawScope> {
    let scope = scope(at)?;
    match inside.is_open(scope) {
        true => Ok(scope),
        false => Err(Failure::NoSuchScope),
    }
}

/// Opens a no-GC scope.
///
/// # Safety
/// `scope` is NULL or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bl_nogc_begin(scope: *mut BlNogc) -> Status {
    edge::status(within("bl_nogc_begin", |inside| {
        if scope.is_null() {
            return Err(Failure::Null("scope"));
        }
        let RawScope { call, depth } = inside.begin_raw();
        edge::store(scope, "scope", BlNogc { call, depth })
    }))
}

/// Ends a no-GC scope.
///
/// # Safety
/// `scope` is NULL or what [`bl_nogc_begin`] has written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bl_nogc_end(scope: *mut BlNogc) -> Status {
    edge::status(within("bl_nogc_end", |inside| {
        let open = open(inside, scope)?;
        match inside.end_raw(open) {
            true => Ok(()),
            false => Err(Failure::ScopeOrder),
        }
    }))
}

/// The word of an object.
///
/// # Safety
/// As for [`bl_nogc_end`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bl_raw(scope: *const BlNogc, handle: BlHandle) -> u64 {
    let word = within("bl_raw", |inside| {
        open(inside, scope)?;
        let object = edge::object(inside, handle)?;
        inside.lends_word("bl_raw", object);
        Ok(object)
    });
    word.unwrap_or(Value::BROKEN).bits()
}

/// A local handle for a word.
///
/// # Safety
/// As for [`bl_nogc_end`], and the word was read in this scope.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bl_from_raw(scope: *const BlNogc, value: u64) -> BlHandle {
    edge::handle(within("bl_from_raw", |inside| {
        open(inside, scope)?;
        edge::local(inside, Value::from_bits(value))
    }))
}
