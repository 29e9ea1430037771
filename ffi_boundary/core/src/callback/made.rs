//! Callbacks that outlive the call which they are handed to C in.
//!
//! ```text
//!              ┌── freed by the program ──┐
//!   made ──► live ── called, once only ───┴─► ended ──(its object dies)──► tombstone ──► given back to libffi
//!              └────────── its object dies ─────────────────────────────────▲   │ 4,096 others have died
//!                                                                               ▼ since, and it does not run
//! ```
//!
//! A *callback object* stands for the C function in the language. Its procedure is found by a handle: a weak one for
//! the lifetime `gc`, so that the object alone keeps both alive, and a global one of the object otherwise.
//!
//! `inv:made.object` A callback object's trampoline is its own until the object has died, whatever ended the callback:
//! only what the heap calls for a dead owner buries it.
//!
//! `inv:made.grave` A closure is given back to libffi when [`GRAVES`] others have died after its object had, and never
//! while C is in it. Until then it is a function that says what is wrong and returns the default.
//!
//! Absent on purpose: finalizers. A dead callback costs what is here, outside any collection.

use super::pool::{self, Trampoline, lock};
use crate::call::CallError;
use crate::callback_error::{CallbackError, Ended};
use crate::declare_error::DeclareError;
use crate::error::Place;
use crate::handle::{Handle, HandleError, HandleKind, Handles};
use crate::host::HostGate;
use crate::object;
use crate::types::{CType, CallbackType, Lifetime};
use bowline_gc::{Mutator, OutOfMemory, OwnerLabel};
use bowline_layout::{Tag, Value, callback};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// How many tombstones there are before the oldest is given back.
const GRAVES: usize = 4096;

/// What a callback holds outside the heap, about: libffi's closure with its part of a table, and a trampoline.
const BYTES: usize = 256;

/// What died.
struct Graves {
    tombstones: VecDeque<&'static Trampoline>,
    /// Handles of the dead, to be freed by a thread that is Managed.
    handles: Vec<Handle>,
}

static DEAD: Mutex<Graves> = Mutex::new(Graves {
    tombstones: VecDeque::new(),
    handles: Vec::new(),
});

/// A callback object for `procedure`, which the host with this gate calls and which accepts what C passes. `label` says
/// who makes it, and where. May collect.
pub fn make_callback(
    mutator: &mut Mutator,
    callback: &CallbackType,
    procedure: Value,
    gate: Option<&'static HostGate>,
    label: OwnerLabel,
) -> Result<Value, CallError> {
    let plan = pool::plan(callback).ok_or_else(|| {
        let signature = CType::Callback(Arc::new(callback.clone())).to_string();
        CallError::Ffi(DeclareError::Unsupported { signature }.into())
    })?;
    free_handles(mutator);
    mutator.push(procedure);
    let allocated = mutator.alloc(callback::HEADER, Tag::Object);
    let procedure = mutator.pop();
    let made = allocated?;
    object::init_callback(made, procedure);
    let trampoline = plan.take().ok_or_else(no_closure)?;
    // The object of a weak handle's is the callback object: the procedure may live on without it.
    let kind = match callback.lifetime {
        Lifetime::Gc => HandleKind::Weak,
        _ => HandleKind::Global,
    };
    let handle = match Handles::of(mutator).create(made, kind) {
        Ok(handle) => handle,
        Err(error) => {
            plan.give_back(trampoline);
            return Err(no_handle(error));
        }
    };
    trampoline.hold(pool::lender_of(mutator.heap(), label), gate, handle);
    let word = std::ptr::from_ref(trampoline).expose_provenance();
    object::set_callback(made, trampoline.code(), word);
    mutator.own_by(made, bury, word, BYTES, label);
    Ok(made)
}

fn no_closure() -> CallError {
    let (function, position) = ("make-callback".to_owned(), 1);
    let place = Place::Argument { function, position };
    CallError::Ffi(CallbackError::NoClosure { place }.into())
}

fn no_handle(error: HandleError) -> CallError {
    match error {
        HandleError::Full { limit } => CallError::Ffi(CallbackError::TooMany { limit }.into()),
        _ => CallError::OutOfMemory(OutOfMemory { requested: BYTES }),
    }
}

/// Ends the callback of a callback object.
pub fn free_callback(mutator: &mut Mutator, v: Value) -> Result<(), CallbackError> {
    let Some(trampoline) = of(v) else {
        return Ok(());
    };
    match trampoline.end(Ended::Freed) {
        Some(handle) => {
            // It was this callback's alone.
            let _ = Handles::of(mutator).free(handle);
            Ok(())
        }
        None => Err(CallbackError::NotLive {
            name: trampoline.lender_name().to_owned(),
            ended: trampoline.ended().unwrap_or(Ended::Dead),
        }),
    }
}

/// Whether a value is a callback object, also one that has ended.
pub fn is_callback(v: Value) -> bool {
    object::callback_trampoline(v).is_some()
}

/// The address of the C function of a callback object that is live.
pub(crate) fn address(v: Value) -> Option<usize> {
    let trampoline = of(v)?;
    trampoline.ended().is_none().then(|| trampoline.code())
}

fn of(v: Value) -> Option<&'static Trampoline> {
    let word = object::callback_trampoline(v)?;
    let trampoline: *const Trampoline = std::ptr::with_exposed_provenance(word);
    // SAFETY: null in an object that was not made to the end; otherwise a trampoline, which lives for ever
    // (inv:made.object).
    unsafe { trampoline.as_ref() }
}

/// The procedure that C calls now by a trampoline that holds one. The thread is Managed, and the only one that uses the
/// host.
pub(super) fn procedure(trampoline: &Trampoline, mutator: &Mutator) -> Result<Value, Ended> {
    let handles = Handles::of(mutator);
    let handle = match trampoline.plan.lifetime {
        Lifetime::Once => trampoline.end(Ended::Called),
        _ => trampoline.held(),
    };
    let handle = handle.ok_or(trampoline.ended().unwrap_or(Ended::Dead))?;
    let made = handles.get(handle).unwrap_or(Value::BROKEN);
    if trampoline.plan.lifetime == Lifetime::Once {
        // It was this callback's alone.
        let _ = handles.free(handle);
    }
    // Broken: it has died and is about to be buried.
    object::callback_procedure(made).ok_or(Ended::Dead)
}

/// What the heap calls when a callback object has died (`inv:made.object`): on any thread.
fn bury(word: usize) {
    let trampoline: *const Trampoline = std::ptr::with_exposed_provenance(word);
    // SAFETY: what `make_callback` gave the heap; trampolines live for ever.
    let trampoline: &'static Trampoline = unsafe { &*trampoline };
    let mut dead = lock(&DEAD);
    dead.handles.extend(trampoline.end(Ended::Dead));
    dead.tombstones.push_back(trampoline);
    // inv:made.grave
    for _ in GRAVES..dead.tombstones.len() {
        match dead.tombstones.pop_front() {
            Some(old) if old.runs() => dead.tombstones.push_back(old),
            Some(old) => old.plan.give_back(old),
            None => {}
        }
    }
}

/// Frees the handles of the dead.
fn free_handles(mutator: &Mutator) {
    let dead = std::mem::take(&mut lock(&DEAD).handles);
    let handles = Handles::of(mutator);
    for handle in dead {
        // It was a dead callback's alone.
        let _ = handles.free(handle);
    }
}
