//! From C into the runtime: whatever is done inside ends as a status.

use crate::failure::{Failure, Result};
use crate::status::{self, Status};
use bowline_ffi::inside::{Glance, Inside, glance, inside};
use bowline_ffi::{Handle, HandleError, HandleKind, Handles};
use bowline_gc::Mutator;
use bowline_layout::Value;

/// C's `bl_handle`; 0 stands for none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct BlHandle {
    bits: u64,
}

impl BlHandle {
    /// What functions return that fail.
    pub(crate) const NONE: BlHandle = BlHandle { bits: 0 };

    /// The handle, unless it is 0.
    #[inline(always)]
    pub(crate) fn maybe(self) -> Option<Handle> {
        Handle::from_bits(self.bits)
    }

    /// The handle, if it may be one.
    pub(crate) fn named(self) -> Result<Handle> {
        self.maybe()
            .ok_or_else(|| HandleError::Foreign { bits: 0 }.into())
    }
}

impl From<Handle> for BlHandle {
    fn from(handle: Handle) -> Self {
        let bits = handle.bits();
        BlHandle { bits }
    }
}

/// Does `f` within the foreign call that this thread is in, as the function `asker` of the interface.
pub(crate) fn within<T>(
    asker: &str,
    f: impl FnOnce(&mut Inside<'_>) -> Result<T>,
) -> std::result::Result<T, Status> {
    ended(
        asker,
        inside(f).unwrap_or_else(|outside| Err(outside.into())),
    )
}

/// The same for what may allocate in the heap, and so is a crossing that moves objects.
pub(crate) fn allocating<T>(
    asker: &str,
    f: impl FnOnce(&mut Inside<'_>) -> Result<T>,
) -> std::result::Result<T, Status> {
    within(asker, |inside| {
        if inside.is_pending() {
            return Err(Failure::Pending);
        }
        if inside.is_raw() {
            return Err(Failure::NoGc);
        }
        inside.mutator().crossing();
        f(inside)
    })
}

/// Does `f` by a glance, and succeeds; or gives nothing, where that cannot be or `f` gives nothing. Then all is to be done
/// [`within`] the call, where each error is found.
#[inline(always)]
pub(crate) fn at_a_glance<T>(f: impl FnOnce(&Glance<'_>) -> Option<T>) -> Option<T> {
    let seen = glance(f)?;
    status::succeed();
    Some(seen)
}

/// Notes how a call of the interface has ended.
pub(crate) fn ended<T>(asker: &str, done: Result<T>) -> std::result::Result<T, Status> {
    match done {
        Ok(done) => {
            status::succeed();
            Ok(done)
        }
        Err(failure) => {
            let status = failure.status();
            status::fail(status, format_args!("{asker}: {failure}"));
            Err(status)
        }
    }
}

/// The handle, or none.
pub(crate) fn handle(done: std::result::Result<BlHandle, Status>) -> BlHandle {
    done.unwrap_or(BlHandle::NONE)
}

/// What a handle from C stands for.
pub(crate) fn object(inside: &mut Inside<'_>, handle: BlHandle) -> Result<Value> {
    object_of(inside.mutator(), handle)
}

/// The same with the mutator alone.
pub(crate) fn object_of(mutator: &mut Mutator, handle: BlHandle) -> Result<Value> {
    let handle = handle.named()?;
    Ok(Handles::of(mutator).object(handle)?)
}

/// A new local handle.
pub(crate) fn local(inside: &mut Inside<'_>, v: Value) -> Result<BlHandle> {
    made(inside, v, HandleKind::Local)
}

/// A new handle of this kind.
pub(crate) fn made(inside: &mut Inside<'_>, v: Value, kind: HandleKind) -> Result<BlHandle> {
    Ok(Handles::of(inside.mutator()).create(v, kind)?.into())
}

/// Stores a result where C wants it; with `inv:capi.pointers` that is null or good.
pub(crate) fn store<T>(to: *mut T, name: &'static str, value: T) -> Result<()> {
    if to.is_null() {
        return Err(Failure::Null(name));
    }
    // SAFETY: inv:capi.pointers: it is not null, so it points to room for one.
    unsafe { to.write(value) };
    Ok(())
}

/// The status of what gives nothing else.
pub(crate) fn status(done: std::result::Result<(), Status>) -> Status {
    done.err().unwrap_or(Status::Ok)
}

const MAJOR: u32 = 0;
const MINOR: u32 = 1;

/// The interface's version.
#[unsafe(no_mangle)]
pub extern "C" fn bl_version() -> u32 {
    MAJOR << 16 | MINOR
}
