//! Procedures that the program has exported, called by C.

use crate::edge::{self, ended};
use crate::failure::{Failure, Result};
use crate::status::Status;
use bowline_ffi::Host;
use bowline_ffi::data::Exported;
use bowline_ffi::exported::{self, ExportedProcedure, NotCalled};
use std::ffi::{CStr, c_char};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

/// C's `bl_procedure`.
#[derive(Debug)]
#[repr(C)]
pub struct BlProcedure {
    name: *const c_char,
    layout: u64,
    /// The address of what was found; 0 before.
    found: AtomicU64,
}

/// The procedure that C points to.
///
/// `inv:procedure.found` In `found` stands 0, or the address of a procedure that was exported, which lives for ever;
/// the header says that C does not write there.
fn find(host: &dyn Host, at: *const BlProcedure) -> Result<&'static ExportedProcedure> {
    if at.is_null() {
        return Err(Failure::Null("procedure"));
    }
    // SAFETY: inv:capi.pointers: it is one, and what changes in it is atomic.
    let site = unsafe { &*at };
    let found = site.found.load(Ordering::Acquire) as usize;
    let found: *const ExportedProcedure = ptr::with_exposed_provenance(found);
    // SAFETY: inv:procedure.found
    if let Some(found) = unsafe { found.as_ref() } {
        return Ok(found);
    }
    if site.name.is_null() {
        return Err(Failure::Null("name"));
    }
    // SAFETY: inv:capi.pointers: a text that ends with a NUL.
    let name = unsafe { CStr::from_ptr(site.name) };
    let name = name.to_string_lossy().into_owned();
    let found = match host.exported(&name) {
        None => return Err(Failure::NotExported { name }),
        Some(Exported::Procedure(found)) if found.layout() == site.layout => found,
        Some(_) => return Err(Failure::Types { name }),
    };
    let address = ptr::from_ref(found).expose_provenance() as u64;
    site.found.store(address, Ordering::Release);
    Ok(found)
}

/// Calls a procedure that the program has exported.
///
/// # Safety
/// `procedure` is NULL or one whose name is a text that ends with a NUL; `words` has one for each of its parameters.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bl_procedure_call(
    procedure: *mut BlProcedure,
    words: *const u64,
    result: *mut u64,
) -> Status {
    let called = exported::call(|host| {
        let found = find(host, procedure)?;
        let words: &[u64] = match found.words() {
            0 => &[],
            _ if words.is_null() => return Err(Failure::Null("words")),
            // SAFETY: inv:capi.pointers: so many words, which C does not change meanwhile.
            count => unsafe { std::slice::from_raw_parts(words, count) },
        };
        Ok((found, words))
    });
    let done = match called {
        Ok(_) if result.is_null() => Ok(()),
        Ok(word) => edge::store(result, "result", word),
        Err(NotCalled::Outside(outside)) => Err(outside.into()),
        Err(NotCalled::NotLetIn(why)) => Err(Failure::NotLetIn(why)),
        Err(NotCalled::Pending) => Err(Failure::Pending),
        Err(NotCalled::Raw) => Err(Failure::Calls),
        Err(NotCalled::NotFound(failure)) => Err(failure),
        Err(NotCalled::Left) => Err(Failure::Left),
    };
    edge::status(ended("bl_procedure_call", done))
}
