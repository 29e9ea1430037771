//! Local handles: freed together, when their scope ends or the foreign call that they were made in
//! returns.
//!
//! Scopes of a thread are nested. Each active foreign call is one, inside those that were open when it
//! began.
//!
//! `inv:scope.nested` The local handles of a thread stand in the order in which they were made, and
//! each scope owns those from its start on, so ending a scope ends all inside it.

use super::{Handle, HandleError, HandleKind, Handles};
use crate::active;
use bowline_gc::Mutator;
use bowline_layout::Value;
use std::cell::{Cell, RefCell};
use std::marker::PhantomData;

/// The most local handles in one scope.
pub const LOCAL_LIMIT: usize = 1 << 16;

struct Locals {
    handles: Vec<Handle>,
    /// Where each open scope starts.
    scopes: Vec<usize>,
}

thread_local! {
    static LOCALS: RefCell<Locals> = const {
        RefCell::new(Locals { handles: Vec::new(), scopes: Vec::new() })
    };
    /// The same in numbers, where a foreign call can look at little cost.
    static OPEN: Cell<Open> = const { Cell::new(Open { handles: 0, scopes: 0 }) };
}

/// How many local handles and scopes of a thread are open.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Open {
    handles: usize,
    scopes: usize,
}

/// What this thread has open.
#[inline]
pub(crate) fn open() -> Open {
    OPEN.get()
}

/// Ends what a foreign call left open, before which `start` was.
#[cold]
pub(crate) fn end_call(mutator: &Mutator, start: Open) {
    LOCALS.with_borrow_mut(|locals| {
        locals.scopes.truncate(start.scopes);
        locals.end(&Handles::of(mutator), start.handles);
    });
}

impl Locals {
    /// Ends every local handle from `start` on (`inv:scope.nested`).
    fn end(&mut self, handles: &Handles<'_>, start: usize) {
        let start = start.min(self.handles.len());
        for handle in self.handles.drain(start..).rev() {
            // One that the program freed itself is stale by now, which is no harm.
            let _ = handles.end_scope(handle);
        }
        self.count();
    }

    fn count(&self) {
        OPEN.set(Open {
            handles: self.handles.len(),
            scopes: self.scopes.len(),
        });
    }
}

/// An open scope of local handles. Dropping it without [`HandleScope::leave`] leaves its handles to
/// the scope around it.
#[must_use = "a scope lasts until it is left"]
pub struct HandleScope {
    /// Which one it is, counted from the outermost.
    depth: usize,
    /// Where it starts.
    start: usize,
    /// A scope belongs to its thread.
    on_thread: PhantomData<*const ()>,
}

impl HandleScope {
    /// Opens a scope on this thread.
    pub fn enter() -> HandleScope {
        LOCALS.with_borrow_mut(|locals| {
            let start = locals.handles.len();
            locals.scopes.push(start);
            locals.count();
            HandleScope {
                depth: locals.scopes.len(),
                start,
                on_thread: PhantomData,
            }
        })
    }

    /// Frees the local handles that were made since the scope was opened. An error if it is not the
    /// innermost one; then nothing is freed.
    pub fn leave(self, mutator: &Mutator) -> Result<(), HandleError> {
        LOCALS.with_borrow_mut(|locals| {
            let innermost =
                locals.scopes.len() == self.depth && locals.scopes.last() == Some(&self.start);
            if !innermost {
                return Err(HandleError::ScopeOrder);
            }
            locals.scopes.pop();
            locals.end(&Handles::of(mutator), self.start);
            Ok(())
        })
    }
}

/// Makes a local handle in the innermost scope.
pub(super) fn create(handles: &Handles<'_>, v: Value) -> Result<Handle, HandleError> {
    let call = active::with_innermost(|call| call.map(|call| call.open.handles));
    LOCALS.with_borrow_mut(|locals| {
        let start = match (locals.scopes.last().copied(), call) {
            (None, None) => return Err(HandleError::NoScope),
            (scope, call) => scope.max(call).unwrap_or(0),
        };
        if locals.handles.len() - start.min(locals.handles.len()) >= LOCAL_LIMIT {
            return Err(HandleError::TooManyLocals { limit: LOCAL_LIMIT });
        }
        let handle = handles.create_unscoped(v, HandleKind::Local)?;
        locals.handles.push(handle);
        locals.count();
        Ok(handle)
    })
}
