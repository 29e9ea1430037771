//! Handles and scopes.

use crate::edge::{self, BlHandle, within};
use crate::status::Status;
use bowline_ffi::{HandleKind, HandleScope, Handles};

/// C's `bl_scope`; 0 stands for none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct BlScope {
    bits: u64,
}

fn another(asker: &str, handle: BlHandle, kind: HandleKind) -> BlHandle {
    edge::handle(within(asker, |inside| {
        let v = edge::object(inside, handle)?;
        edge::made(inside, v, kind)
    }))
}

/// Another handle to the same object, freed with the innermost scope.
#[unsafe(no_mangle)]
pub extern "C" fn bl_local(handle: BlHandle) -> BlHandle {
    another("bl_local", handle, HandleKind::Local)
}

/// Another that keeps the object alive until it is freed.
#[unsafe(no_mangle)]
pub extern "C" fn bl_global(handle: BlHandle) -> BlHandle {
    another("bl_global", handle, HandleKind::Global)
}

/// Another that does not keep the object alive.
#[unsafe(no_mangle)]
pub extern "C" fn bl_weak(handle: BlHandle) -> BlHandle {
    another("bl_weak", handle, HandleKind::Weak)
}

/// Frees a handle.
#[unsafe(no_mangle)]
pub extern "C" fn bl_free(handle: BlHandle) -> Status {
    edge::status(within("bl_free", |inside| {
        let handle = handle.named()?;
        Ok(Handles::of(inside.mutator()).free_and_forget(handle)?)
    }))
}

/// Opens a scope.
#[unsafe(no_mangle)]
pub extern "C" fn bl_scope_open() -> BlScope {
    let opened = within("bl_scope_open", |_| Ok(HandleScope::enter().number()));
    let bits = opened.unwrap_or(0);
    BlScope { bits }
}

/// Closes a scope.
#[unsafe(no_mangle)]
pub extern "C" fn bl_scope_close(scope: BlScope) -> Status {
    edge::status(within("bl_scope_close", |inside| {
        Ok(HandleScope::of_number(scope.bits).leave(inside.mutator())?)
    }))
}

/// Closes a scope and hands one object out.
#[unsafe(no_mangle)]
pub extern "C" fn bl_scope_close_with(scope: BlScope, handle: BlHandle) -> BlHandle {
    edge::handle(within("bl_scope_close_with", |inside| {
        // Nothing collects until it has its new handle.
        let v = edge::object(inside, handle)?;
        HandleScope::of_number(scope.bits).leave(inside.mutator())?;
        edge::local(inside, v)
    }))
}
