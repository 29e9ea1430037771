//! What C raises.

use crate::edge::{self, BlHandle, within};
use crate::failure::{Failure, Result};
use bowline_ffi::inside::{self, Inside};
use std::ffi::{CStr, c_char};

/// Raises by `f`, unless something is raised already.
fn raise(asker: &str, f: impl FnOnce(&mut Inside<'_>) -> Result<()>) -> BlHandle {
    // How it went is in the status; there is no handle either way.
    let _ = within(asker, |inside| match inside.is_pending() {
        true => Err(Failure::Pending),
        false => f(inside),
    });
    BlHandle::NONE
}

/// The error in `errno`.
#[unsafe(no_mangle)]
pub extern "C" fn bl_raise_errno() -> BlHandle {
    let errno = inside::errno();
    raise("bl_raise_errno", |inside| {
        inside.raise_errno(errno);
        Ok(())
    })
}

/// An error with this text.
///
/// # Safety
/// `text` is NULL or ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bl_raise_error(text: *const c_char) -> BlHandle {
    raise("bl_raise_error", |inside| {
        if text.is_null() {
            return Err(Failure::Null("text"));
        }
        // SAFETY: inv:capi.pointers
        let text = unsafe { CStr::from_ptr(text) };
        inside.raise_error(&text.to_string_lossy());
        Ok(())
    })
}

/// Any object.
#[unsafe(no_mangle)]
pub extern "C" fn bl_raise(object: BlHandle) -> BlHandle {
    raise("bl_raise", |inside| {
        let v = edge::object(inside, object)?;
        inside.raise(v);
        Ok(())
    })
}

/// Whether an exit is pending.
#[unsafe(no_mangle)]
pub extern "C" fn bl_is_pending() -> bool {
    inside::is_pending()
}
