//! Callbacks that outlive the call which they are handed to C in.
//!
//! ```text
//!              ┌── freed by the program ──┐
//!   made ──► live ── called, once only ───┴─► ended ──(its object dies)──► tombstone ──► another's, or libffi's again
//!              └────────── its object dies ─────────────────────────────────▲   │ 4,096 others have died
//!                                                                               ▼ since, and it does not run
//! ```
//!
//! A *callback object* stands for the C function in the language. Its procedure is found by a handle: a weak one for
//! the lifetime `gc`, so that the object alone keeps both alive, and a global one of the object otherwise.
//!
//! A procedure that captures nothing has one function of each type and lifetime: one callback object is the *original*,
//! and what is made of the procedure is a *copy*, an object that refers to the original and has nothing else of its own.
//! The original ends when it dies or when as many copies were freed as were made. A function for `once` is never shared.
//!
//! `inv:made.object` A callback object's trampoline is its own until the object has died, whatever ended the callback:
//! only what the heap calls for a dead owner buries it. A copy that is not freed keeps its original alive, and has the
//! same trampoline.
//!
//! `inv:made.grave` A closure becomes another callback's, or libffi's again, when [`GRAVES`] others have died after its
//! object had, and never while C is in it. Until then it is a function that says what is wrong and returns the default. In checking mode it is
//! for ever.
//!
//! Absent on purpose: finalizers. A dead callback costs what is here, outside any collection.

use super::pool::{self, Lender, Plan, Trampoline, lock};
use crate::call::CallError;
use crate::callback_error::{CallbackError, Ended};
use crate::convert::Spot;
use crate::declare_error::DeclareError;
use crate::error::FfiError;
use crate::guard;
use crate::handle::{Handle, HandleError, HandleKind, Handles};
use crate::host::HostGate;
use crate::object;
use crate::types::{CType, CallbackType, Lifetime};
use bowline_gc::{Mutator, OutOfMemory, OwnerLabel};
use bowline_layout::{Tag, Value, callback};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, LazyLock, Mutex};

/// How many tombstones there are before the oldest is used again.
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

/// What an original is of: the addresses of its plan and of its host's gate, and the number of the procedure.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    plan: usize,
    gate: usize,
    number: u64,
}

/// The handles of originals. What has died is found by its handle.
static ORIGINALS: LazyLock<Mutex<HashMap<Key, Handle>>> = LazyLock::new(Mutex::default);

/// What callbacks of one type have in common: the way to [`make_callback`].
#[derive(Clone, Copy)]
pub struct CallbackPlan(&'static Plan);

impl CallbackPlan {
    /// That of a type. It is made once, and lives for ever.
    pub fn of(callback: &CallbackType) -> Result<CallbackPlan, FfiError> {
        pool::plan(callback).map(CallbackPlan).ok_or_else(|| {
            let signature = CType::Callback(Arc::new(callback.clone())).to_string();
            DeclareError::Unsupported { signature }.into()
        })
    }

    /// How many arguments C passes.
    pub fn arguments(self) -> usize {
        self.0.arguments
    }
}

/// Who makes a callback.
#[derive(Clone, Copy)]
pub struct Maker {
    /// The gate of the host that the procedure is of, if it has one.
    pub gate: Option<&'static HostGate>,
    /// Who makes it, and where.
    pub label: OwnerLabel,
}

/// A callback object for `procedure`, which accepts what C passes. If it captures nothing, `constant` is a number for
/// what it does. May collect.
pub fn make_callback(
    mutator: &mut Mutator,
    plan: CallbackPlan,
    procedure: Value,
    constant: Option<u64>,
    by: Maker,
) -> Result<Value, CallError> {
    let (function, position) = ("make-callback", 1);
    let spot = &Spot::Argument { function, position };
    make(mutator, plan.0, procedure, constant, by, spot)
}

/// As [`make_callback`], of the procedure at `spot`.
pub(super) fn make(
    mutator: &mut Mutator,
    plan: &'static Plan,
    procedure: Value,
    constant: Option<u64>,
    by: Maker,
    spot: &Spot<'_>,
) -> Result<Value, CallError> {
    let number = match constant {
        Some(number) if plan.lifetime != Lifetime::Once => number,
        _ => return make_own(mutator, plan, procedure, by, spot),
    };
    let key = Key {
        plan: std::ptr::from_ref(plan).addr(),
        gate: by.gate.map_or(0, |gate| std::ptr::from_ref(gate).addr()),
        number,
    };
    let original = match original(mutator, key) {
        Some(original) => original,
        None => {
            let original = make_own(mutator, plan, procedure, by, spot)?;
            if let Some(handle) = trampoline_of(original).and_then(Trampoline::held) {
                lock(&ORIGINALS).insert(key, handle);
            }
            original
        }
    };
    make_copy(mutator, original, by)
}

/// The original of this key, if there is one that is live.
fn original(mutator: &Mutator, key: Key) -> Option<Value> {
    let handle = *lock(&ORIGINALS).get(&key)?;
    let original = Handles::of(mutator).get(handle).ok()?;
    // Broken: it has died and is about to be buried.
    (trampoline_of(original)?.held() == Some(handle)).then_some(original)
}

/// Another object for the function of `original`.
fn make_copy(mutator: &mut Mutator, original: Value, by: Maker) -> Result<Value, CallError> {
    mutator.push(original);
    let allocated = mutator.alloc(callback::HEADER, Tag::Object);
    let original = mutator.pop();
    let copy = allocated?;
    object::init_callback(copy, original);
    if let Some(trampoline) = trampoline_of(original) {
        trampoline.copied_by(pool::lender_of(mutator.heap(), by.label));
        let word = std::ptr::from_ref(trampoline).expose_provenance();
        object::set_callback(copy, trampoline.code(), word);
    }
    Ok(copy)
}

/// A callback object with a function of its own.
fn make_own(
    mutator: &mut Mutator,
    plan: &'static Plan,
    procedure: Value,
    by: Maker,
    spot: &Spot<'_>,
) -> Result<Value, CallError> {
    free_handles(mutator);
    mutator.push(procedure);
    let allocated = mutator.alloc(callback::HEADER, Tag::Object);
    let procedure = mutator.pop();
    let made = allocated?;
    object::init_callback(made, procedure);
    let trampoline = plan.take().ok_or_else(|| refused(plan, spot))?;
    // The object of a weak handle's is the callback object: the procedure may live on without it.
    let kind = match plan.lifetime {
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
    trampoline.hold(pool::lender_of(mutator.heap(), by.label), by.gate, handle);
    let word = std::ptr::from_ref(trampoline).expose_provenance();
    object::set_callback(made, trampoline.code(), word);
    let owns = mutator.own_by(made, bury, word, BYTES, by.label);
    owns.map_err(CallError::OutOfMemory)?;
    Ok(made)
}

/// The system gives nothing for a function of this plan.
#[cold]
pub(crate) fn refused(plan: &Plan, spot: &Spot<'_>) -> FfiError {
    let place = spot.place();
    match &plan.env {
        Some(env) if env.is_static() => CallbackError::NoEnv { place }.into(),
        _ => CallbackError::NoClosure { place }.into(),
    }
}

fn no_handle(error: HandleError) -> CallError {
    match error {
        HandleError::Full { limit } => CallError::Ffi(CallbackError::TooMany { limit }.into()),
        _ => CallError::OutOfMemory(OutOfMemory { requested: BYTES }),
    }
}

/// What a callback object is.
enum Made {
    /// It has a function of its own.
    Own(&'static Trampoline),
    /// It has that of its original.
    Copy(&'static Trampoline),
    /// It was a copy, and was freed; who made it last.
    Freed(&'static Lender),
}

/// What the callback object `v` is; `None` for anything else, and for one that was not made to the end.
fn read(v: Value) -> Option<Made> {
    let word = object::callback_trampoline(v).filter(|word| *word != 0)?;
    let procedure = object::callback_procedure(v)?;
    if procedure == Value::FALSE {
        let lender: *const Lender = std::ptr::with_exposed_provenance(word);
        // SAFETY: `free_copy` has put it there; lenders live for ever.
        return Some(Made::Freed(unsafe { &*lender }));
    }
    let trampoline: *const Trampoline = std::ptr::with_exposed_provenance(word);
    // SAFETY: a trampoline, which lives for ever (inv:made.object).
    let trampoline = unsafe { &*trampoline };
    Some(match is_callback(procedure) {
        true => Made::Copy(trampoline),
        false => Made::Own(trampoline),
    })
}

fn trampoline_of(v: Value) -> Option<&'static Trampoline> {
    match read(v)? {
        Made::Own(trampoline) | Made::Copy(trampoline) => Some(trampoline),
        Made::Freed(_) => None,
    }
}

/// Ends the callback of a callback object.
pub fn free_callback(mutator: &mut Mutator, v: Value) -> Result<(), CallbackError> {
    let trampoline = match read(v) {
        None => return Ok(()),
        Some(Made::Freed(by)) => return Err(not_live(&by.name, Ended::Freed)),
        Some(Made::Copy(trampoline)) => {
            free_copy(mutator, v, trampoline);
            return Ok(());
        }
        Some(Made::Own(trampoline)) => trampoline,
    };
    match end(mutator, trampoline, Ended::Freed) {
        true => Ok(()),
        false => {
            let ended = trampoline.ended().unwrap_or(Ended::Dead);
            Err(not_live(trampoline.lender_name(), ended))
        }
    }
}

fn not_live(name: &str, ended: Ended) -> CallbackError {
    let name = name.to_owned();
    CallbackError::NotLive { name, ended }
}

/// Ends what a trampoline holds; whether it held anything.
fn end(mutator: &Mutator, trampoline: &Trampoline, ended: Ended) -> bool {
    let handle = trampoline.end(ended);
    if let Some(handle) = handle {
        // It was this callback's alone.
        let _ = Handles::of(mutator).free(handle);
    }
    handle.is_some()
}

/// Frees a copy, and the original with the last one.
fn free_copy(mutator: &mut Mutator, v: Value, trampoline: &Trampoline) {
    let by = trampoline
        .lender()
        .map_or(std::ptr::null(), std::ptr::from_ref);
    object::set_callback(v, 0, by.expose_provenance());
    object::forget_procedure(mutator, v);
    if trampoline.copy_freed() {
        end(mutator, trampoline, Ended::Freed);
    }
}

/// Whether a value is a callback object, also one that has ended.
pub fn is_callback(v: Value) -> bool {
    object::callback_trampoline(v).is_some()
}

/// The address of the C function of a callback object that is live.
pub(crate) fn address(v: Value) -> Option<usize> {
    live(v).map(Trampoline::code)
}

/// The trampoline of a callback object that is live.
pub(crate) fn live(v: Value) -> Option<&'static Trampoline> {
    trampoline_of(v).filter(|trampoline| trampoline.ended().is_none())
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
    if guard::is_on() {
        return;
    }
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
