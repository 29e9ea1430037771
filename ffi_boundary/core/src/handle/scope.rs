//! What lasts as long as a scope: local handles and the pins of objects whose addresses C has asked for. All of
//! it ends together, when the scope does or the foreign call that it was made in returns.
//!
//! Scopes of a thread are nested. Each active foreign call is one, inside those that were open when it
//! began.
//!
//! `inv:scope.nested` The local handles and pins of a thread stand in the order in which they were made, and
//! each scope owns those from its start on, so ending a scope ends all inside it.
//!
//! `inv:scope.serial` Every scope of the process has a number of its own, so C, which copies it as it likes,
//! ends a scope once, on its thread, and no other scope by mistake.

use super::{Handle, HandleError, HandleKind, HandlePinError, Handles};
use crate::active;
use bowline_gc::Mutator;
use bowline_layout::Value;
use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

/// The most local handles and pins in one scope.
pub const LOCAL_LIMIT: usize = 1 << 16;

/// What a scope ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Local {
    Handle(Handle),
    /// A counted pin of this object.
    Pin(Value),
}

#[derive(Clone, Copy)]
struct Scope {
    /// Where it starts among the locals.
    start: usize,
    /// `inv:scope.serial`
    serial: u64,
}

struct Locals {
    all: Vec<Local>,
    scopes: Vec<Scope>,
    /// The number of the last scope; 0 before the first.
    last_serial: u64,
}

/// Numbers of scopes are a thread's number, then a count.
const COUNT_BITS: u32 = 40;
static THREADS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static LOCALS: RefCell<Locals> = const {
        RefCell::new(Locals { all: Vec::new(), scopes: Vec::new(), last_serial: 0 })
    };
    /// The same in numbers, where a foreign call can look at little cost.
    static OPEN: Cell<Open> = const { Cell::new(Open { locals: 0, scopes: 0 }) };
}

/// How many locals and scopes of a thread are open.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Open {
    locals: usize,
    scopes: usize,
}

/// What this thread has open.
#[inline]
pub(crate) fn open() -> Open {
    OPEN.get()
}

/// Makes the thread's row of locals, if it has none.
pub(crate) fn begin() {
    LOCALS.with_borrow(|_| ());
}

/// Ends what a foreign call left open, before which `start` was.
#[cold]
pub(crate) fn end_call(mutator: &Mutator, start: Open) {
    LOCALS.with_borrow_mut(|locals| {
        locals.scopes.truncate(start.scopes);
        locals.end(&Handles::of(mutator), start.locals);
    });
}

impl Locals {
    /// Ends everything from `start` on (`inv:scope.nested`).
    fn end(&mut self, handles: &Handles<'_>, start: usize) {
        let start = start.min(self.all.len());
        for local in self.all.drain(start..).rev() {
            // What the program freed or unpinned itself is gone by now, which is no harm.
            match local {
                Local::Handle(handle) => drop(handles.end_scope(handle)),
                Local::Pin(v) => drop(handles.mutator().unpin(v)),
            }
        }
        self.count();
    }

    fn count(&self) {
        OPEN.set(Open {
            locals: self.all.len(),
            scopes: self.scopes.len(),
        });
    }

    fn next_serial(&mut self) -> u64 {
        if self.last_serial == 0 {
            self.last_serial = THREADS.fetch_add(1, Ordering::Relaxed) << COUNT_BITS;
        }
        self.last_serial += 1;
        self.last_serial
    }

    /// Where the innermost scope starts.
    fn start(&self) -> Result<usize, HandleError> {
        let call = active::with_innermost(|call| call.map(|call| call.open.locals));
        let scope = self.scopes.last().map(|scope| scope.start);
        scope.max(call).ok_or(HandleError::NoScope)
    }

    /// Adds what `make` makes to the innermost scope.
    fn add<E: From<HandleError>>(
        &mut self,
        make: impl FnOnce() -> Result<Local, E>,
    ) -> Result<Local, E> {
        if self.all.len() - self.start()?.min(self.all.len()) >= LOCAL_LIMIT {
            return Err(HandleError::TooManyLocals { limit: LOCAL_LIMIT }.into());
        }
        let local = make()?;
        self.all.push(local);
        self.count();
        Ok(local)
    }
}

/// An open scope of local handles. Dropping it without [`HandleScope::leave`] leaves its handles to
/// the scope around it.
#[must_use = "a scope lasts until it is left"]
pub struct HandleScope {
    serial: u64,
    /// A scope belongs to its thread.
    on_thread: PhantomData<*const ()>,
}

impl HandleScope {
    /// Opens a scope on this thread.
    pub fn enter() -> HandleScope {
        LOCALS.with_borrow_mut(|locals| {
            let serial = locals.next_serial();
            let start = locals.all.len();
            locals.scopes.push(Scope { start, serial });
            locals.count();
            HandleScope::of_number(serial)
        })
    }

    /// Its number, never 0, by which C knows it (`inv:scope.serial`).
    pub fn number(&self) -> u64 {
        self.serial
    }

    /// The scope with this number. Whether there is one is found when it is left.
    pub fn of_number(serial: u64) -> HandleScope {
        HandleScope {
            serial,
            on_thread: PhantomData,
        }
    }

    /// Frees the local handles, and takes the pins back, that were made since the scope was opened. An error if it
    /// is not the innermost one, or was opened before the innermost foreign call began; then nothing is freed.
    pub fn leave(self, mutator: &Mutator) -> Result<(), HandleError> {
        let outer = active::with_innermost(|call| call.map_or(0, |call| call.open.scopes));
        LOCALS.with_borrow_mut(|locals| {
            let innermost = locals.scopes.last().copied();
            match innermost {
                Some(scope) if scope.serial == self.serial && locals.scopes.len() > outer => {
                    locals.scopes.pop();
                    locals.end(&Handles::of(mutator), scope.start);
                    Ok(())
                }
                _ => Err(HandleError::ScopeOrder),
            }
        })
    }
}

/// Makes a local handle in the innermost scope.
pub(super) fn create(handles: &Handles<'_>, v: Value) -> Result<Handle, HandleError> {
    LOCALS.with_borrow_mut(|locals| {
        let mut made = None;
        locals.add(|| {
            let handle = handles.create_unscoped(v, HandleKind::Local)?;
            made = Some(handle);
            Ok::<_, HandleError>(Local::Handle(handle))
        })?;
        made.ok_or(HandleError::NoScope)
    })
}

/// Makes a local handle for the foreign call that is about to begin, which began with what was open before.
pub(crate) fn create_for_call(handles: &Handles<'_>, v: Value) -> Result<Handle, HandleError> {
    let handle = handles.create_unscoped(v, HandleKind::Local)?;
    LOCALS.with_borrow_mut(|locals| {
        locals.all.push(Local::Handle(handle));
        locals.count();
    });
    Ok(handle)
}

/// Pins an object until the innermost scope ends.
pub(super) fn pin(handles: &Handles<'_>, v: Value) -> Result<(), HandlePinError> {
    LOCALS.with_borrow_mut(|locals| {
        locals.add(|| {
            handles.mutator().pin(v)?;
            Ok::<_, HandlePinError>(Local::Pin(v))
        })
    })?;
    Ok(())
}

/// How many of the youngest locals are looked at for a handle that was freed.
const LOOKED_AT: usize = 4;

/// Counts a handle that was freed no more, if it is one of the youngest of the innermost scope: so a loop that frees
/// what it makes, or what it had from the turn before, stays within the limit.
pub(super) fn forget(handle: Handle) {
    LOCALS.with_borrow_mut(|locals| {
        let Ok(start) = locals.start() else { return };
        let first = start.max(locals.all.len().saturating_sub(LOOKED_AT));
        let youngest = locals.all.get(first..).unwrap_or_default();
        if let Some(i) = youngest.iter().rposition(|l| *l == Local::Handle(handle)) {
            locals.all.remove(first + i);
            locals.count();
        }
    });
}
