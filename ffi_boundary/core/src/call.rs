//! A foreign call, from values to values.
//!
//! ```text
//!  Managed   out parameters get their memory (it may collect: nothing is lent yet)
//!            arguments → words; strings and bytevectors noted as pinned, closures lent
//!            frame pushed ─ crossing ─ enter_native
//!  Native    the gate is left (inv:gate.one)
//!            errno = 0 ─ C ─ errno kept                 (callbacks: see `callback`)
//!            the gate is taken ─ leave_native
//!  Managed   pending exit? ─ outs and result → values ─ frame popped, closures retired
//! ```
//!
//! `inv:call.leaf` A *leaf call* leaves out `enter_native` and `leave_native`: the thread stays Managed, C's
//! `malloc` asks it for no collection, and none begins before its next poll. A callback that C reaches all the
//! same runs nothing, for its procedure could collect, and the call ends in an error.
//!
//! `inv:call.lent` From the moment that an address into the heap is taken until the frame is pushed
//! nothing allocates from the heap, and from then until it is popped its objects are pinned. The
//! result is converted before that, for C may return a pointer into what it was lent.

use crate::active::{self, ActiveCall};
use crate::blocking::Copies;
use crate::callback::pool::{Lender, Lent, Plan, Trampoline};
use crate::callback_error::CallbackError;
use crate::convert::{self, Spot};
use crate::errno::errno_around;
use crate::error::FfiError;
use crate::function::{ForeignFunction, Way};
use crate::handle::scope;
use crate::host::Host;
use crate::inside;
use crate::inside_error::InsideError;
use crate::object;
use crate::outs;
use crate::types::{CType, Repr};
use bowline_gc::{CallFrame, Mutator, OutOfMemory};
use bowline_layout::Value;
use core::ops::Range;
use std::cell::Cell;
use std::ffi::c_void;
use std::fmt;

/// What a foreign call gave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Returned {
    /// The result.
    pub value: Value,
    /// `errno` as the C function left it; it was 0 before.
    pub errno: i32,
    /// How many further results there are, one for each `(out T)` and `(inout T)`: they are the last
    /// on the root stack, in order, and the caller takes them off.
    pub outs: usize,
}

/// Why a foreign call gave no value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CallError {
    /// The call could not be made, or a callback's result could not be converted.
    Ffi(FfiError),
    /// A callback's procedure was left otherwise than by return; the host knows how to go on.
    PendingExit,
    /// There was no room for the result.
    OutOfMemory(OutOfMemory),
}

impl From<FfiError> for CallError {
    fn from(error: FfiError) -> Self {
        CallError::Ffi(error)
    }
}

impl From<OutOfMemory> for CallError {
    fn from(error: OutOfMemory) -> Self {
        CallError::OutOfMemory(error)
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::Ffi(error) => error.fmt(f),
            CallError::PendingExit => f.write_str("an exit is pending"),
            CallError::OutOfMemory(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CallError {}

/// Arguments that fit here are converted without an allocation.
const INLINE: usize = 8;

/// A slice of `n` words: the small array, or the vector when that is too small.
fn room<'a, T: Copy>(
    small: &'a mut [T; INLINE],
    large: &'a mut Vec<T>,
    n: usize,
    fill: T,
) -> &'a mut [T] {
    if n <= INLINE {
        &mut small[..n]
    } else {
        large.resize(n, fill);
        large
    }
}

/// Calls a foreign function with the arguments at `args` on the host's root stack. The calling thread
/// is Managed, and the arguments stay where they are.
pub fn call(
    function: &ForeignFunction,
    host: &mut dyn Host,
    args: Range<usize>,
) -> Result<Returned, CallError> {
    if args.len() != function.arguments {
        return Err(arity(function, args.len()).into());
    }
    if active::stack_nearly_full() {
        return Err(FfiError::TooDeep {
            function: function.name.clone(),
        }
        .into());
    }
    if !function.prepared {
        return call_with(function, host, args.start, &Made::nothing());
    }
    call_prepared(function, host, args.start)
}

/// What was made for a call before anything is lent.
struct Made<'a> {
    /// A word for each out parameter (`inv:outs.cells`).
    cells: &'a [Cell<u64>],
    /// What was copied (`inv:blocking.copies`).
    copies: Copies,
    /// The address of the memory for a struct that is the result; 0 for another one.
    result: usize,
}

impl Made<'_> {
    const fn nothing() -> Self {
        Made {
            cells: &[],
            copies: Copies::none(),
            result: 0,
        }
    }
}

/// As [`call`], for a function that wants something made before it is called.
#[inline(never)]
fn call_prepared(
    function: &ForeignFunction,
    host: &mut dyn Host,
    start: usize,
) -> Result<Returned, CallError> {
    let (mut cells, mut more_cells) = ([0u64; INLINE], Vec::new());
    let cells = room(&mut cells, &mut more_cells, function.outs, 0);
    // C writes to them.
    let cells = Cell::from_mut(cells).as_slice_of_cells();
    let height = host.mutator().len();
    let returned = call_with_room(function, host, start, cells);
    if returned.is_err() {
        host.mutator().truncate(height);
    }
    returned
}

/// As [`call`], with a cell for each out parameter.
fn call_with_room(
    function: &ForeignFunction,
    host: &mut dyn Host,
    start: usize,
    cells: &[Cell<u64>],
) -> Result<Returned, CallError> {
    let mut made = Made {
        cells,
        ..Made::nothing()
    };
    let height = host.mutator().len();
    let result = &function.signature.result;
    let by_value = result.repr() == Repr::Aggregate;
    if by_value {
        let memory = convert::struct_memory(host.mutator(), result)?;
        made.result = object::pointer_address(memory).unwrap_or(0);
        host.mutator().push(memory);
    }
    outs::prepare(function, host, cells)?;
    if function.copies {
        made.copies = Copies::make(function, host.mutator(), start)?;
    }
    let returned = call_with(function, host, start, &made);
    // Also when a callback was left: C has written.
    made.copies.give_back(host.mutator());
    let mut returned = returned?;
    if by_value {
        // The further results are to be the last.
        let mutator = host.mutator();
        returned.value = mutator.get(height);
        for i in height..height + cells.len() {
            let further = mutator.get(i + 1);
            mutator.set(i, further);
        }
        mutator.truncate(height + cells.len());
    }
    Ok(returned)
}

/// As [`call`], with what was made for it. This and what it is made of is there twice, so that the calls that want
/// nothing, which most are, do nothing about it.
#[inline(always)]
fn call_with(
    function: &ForeignFunction,
    host: &mut dyn Host,
    start: usize,
    made: &Made<'_>,
) -> Result<Returned, CallError> {
    let n = function.ways.len();
    let (mut words, mut more_words) = ([0u64; INLINE], Vec::new());
    let (mut pinned, mut more_pinned) = ([Value::FALSE; INLINE], Vec::new());
    let (mut slots, mut more_slots) = ([std::ptr::null_mut(); INLINE], Vec::new());
    let words = room(&mut words, &mut more_words, n, 0);
    let pinned = room(&mut pinned, &mut more_pinned, n, Value::FALSE);
    let slots = room(&mut slots, &mut more_slots, n, std::ptr::null_mut());
    let id = active::next_id();
    // The values stay on the root stack throughout (inv:host.rooted).
    let mut lent = Lent::default();
    let to = Target {
        words,
        pinned,
        made,
    };
    convert_arguments(function, host, start, id, to, &mut lent)?;
    let first = words.as_mut_ptr();
    for (i, slot) in slots.iter_mut().enumerate() {
        *slot = first.wrapping_add(i).cast();
    }
    if function.by_value {
        pass_structs(function, slots, words);
    }
    let leaf = function.leaf.is_some();
    let active = ActiveCall::new(id, host, &function.name, start, scope::open(), leaf);
    lent.belong_to(&active);
    let returned = cross(function, host, &active, slots, pinned, made);
    if scope::open() != active.open {
        scope::end_call(host.mutator(), active.open);
    }
    returned
}

/// libffi takes a struct from where it is.
#[cold]
fn pass_structs(function: &ForeignFunction, slots: &mut [*mut c_void], words: &[u64]) {
    for ((slot, word), way) in slots.iter_mut().zip(words).zip(&function.ways) {
        if matches!(way, Way::ByValue) {
            *slot = std::ptr::with_exposed_provenance_mut(*word as usize);
        }
    }
}

/// From the frame's push to its pop.
#[inline(always)]
fn cross(
    function: &ForeignFunction,
    host: &mut dyn Host,
    active: &ActiveCall,
    slots: &mut [*mut c_void],
    pinned: &[Value],
    made: &Made<'_>,
) -> Result<Returned, CallError> {
    let mut frame = CallFrame::new(pinned);
    let mutator = host.mutator();
    // SAFETY: the frame is popped below, before anything else could pop or drop it.
    unsafe { mutator.push_call(&mut frame) };
    mutator.crossing();
    match function.leaf {
        None => mutator.enter_native(),
        Some(leaf) => mutator.leaf_begins(leaf),
    }
    // SAFETY: unlinked below; a panic in between would not get past C.
    unsafe { active.link() };
    let began = function.callee.map(|_| mutator.call_begins());
    if function.leaf.is_none() {
        active.goes_to_c();
    }
    let (word, errno) = run(function, slots, made.result);
    if function.leaf.is_none() && active.raw.get() == 0 {
        // Before anything of the host is used: its state may be another thread's.
        active.is_back(host);
    }
    let mutator = host.mutator();
    if let (Some(callee), Some(began)) = (function.callee, began) {
        mutator.call_ends(began, callee);
    }
    let left_open = active.raw.get() > 0;
    if left_open {
        inside::end_left_open(mutator, active);
    }
    active.unlink();
    match function.leaf {
        None => mutator.leave_native(),
        Some(_) => mutator.leaf_ends(),
    }
    let returned = if active.pending.get() {
        Err(CallError::PendingExit)
    } else if let Some(lender) = active.called_back.get() {
        Err(called_back(function, lender))
    } else if left_open {
        let function = function.name.clone();
        Err(FfiError::from(InsideError::ScopeLeftOpen { function }).into())
    } else {
        results(function, mutator, word, made).map_err(CallError::from)
    };
    let returned = match function.free {
        Some(free) if word != 0 => freed(free, mutator, word, returned),
        _ => returned,
    };
    // SAFETY: pushed above; inner calls have popped theirs.
    unsafe { mutator.pop_call(&mut frame) };
    returned.map(|value| Returned {
        value,
        errno,
        outs: made.cells.len(),
    })
}

#[cold]
fn called_back(function: &ForeignFunction, lender: &str) -> CallError {
    let lender = lender.to_owned();
    let name = function.name.clone();
    CallError::Ffi(match function.leaf {
        Some(_) => FfiError::from(CallbackError::LeafCalledBack {
            function: name,
            lender,
        }),
        None => FfiError::from(InsideError::CalledBack {
            function: name,
            lender,
        }),
    })
}

/// Gives a result that is copied, or that nobody will ask for, back to C.
#[cold]
fn freed(
    free: *const (),
    mutator: &mut Mutator,
    word: u64,
    returned: Result<Value, CallError>,
) -> Result<Value, CallError> {
    // SAFETY: the program says that it is a C function, and its declaration that it takes a pointer; what it
    // returns, if anything, is in a register that nobody reads.
    let free = unsafe { std::mem::transmute::<*const (), extern "C" fn(*mut c_void)>(free) };
    mutator.push(*returned.as_ref().unwrap_or(&Value::FALSE));
    mutator.enter_native();
    free(std::ptr::with_exposed_provenance_mut(word as usize));
    mutator.leave_native();
    let value = mutator.pop();
    returned.map(|_| value)
}

/// The result's value. Those of out parameters, if any, become values first, where they have roots.
#[inline(always)]
fn results(
    function: &ForeignFunction,
    mutator: &mut Mutator,
    word: u64,
    made: &Made<'_>,
) -> Result<Value, OutOfMemory> {
    if !made.cells.is_empty() {
        outs::collect(function, mutator, made.cells)?;
    }
    if made.result != 0 {
        return Ok(Value::UNSPECIFIED);
    }
    convert::to_value(mutator, &function.signature.result, word)
}

/// The C function alone, and its `errno`.
#[inline(always)]
fn run(function: &ForeignFunction, slots: &mut [*mut c_void], result: usize) -> (u64, i32) {
    let mut word = 0;
    let to = match result {
        0 => &raw mut word,
        _ => std::ptr::with_exposed_provenance_mut(result),
    };
    let ((), errno) = errno_around(|| {
        // SAFETY: the program says that the address is a function of this signature; there is a slot for
        // each parameter, which points to a word converted to its type, or to a struct; a struct that
        // is the result has memory in whole words.
        unsafe { function.cif.call(function.address, slots.as_mut_ptr(), to) };
    });
    (word, errno)
}

#[cold]
fn arity(function: &ForeignFunction, got: usize) -> FfiError {
    FfiError::Arity {
        function: function.name.clone(),
        expected: function.arguments,
        got,
        declared: function.signature.to_string(),
    }
}

/// What arguments are turned into.
struct Target<'a> {
    /// A word for each parameter.
    words: &'a mut [u64],
    /// What must be pinned for it.
    pinned: &'a mut [Value],
    made: &'a Made<'a>,
}

/// Gives each parameter that has an argument that one's bits, and the value of a second one its place among what is
/// pinned.
#[inline(always)]
fn read_arguments(
    function: &ForeignFunction,
    mutator: &Mutator,
    start: usize,
    words: &mut [u64],
    pinned: &mut [Value],
) {
    let mut next = start;
    for (i, way) in function.ways.iter().enumerate() {
        let arguments = way.arguments();
        if arguments > 0 {
            words[i] = mutator.get(next).bits();
        }
        if arguments > 1 {
            pinned[i] = mutator.get(next + 1);
        }
        next += arguments;
    }
}

/// Turns the arguments into words, notes what must be pinned and lends closures (`inv:call.lent`).
#[inline(always)]
fn convert_arguments(
    function: &ForeignFunction,
    host: &mut dyn Host,
    start: usize,
    id: u64,
    to: Target<'_>,
    lent: &mut Lent,
) -> Result<(), FfiError> {
    let (words, pinned, copies) = (to.words, to.pinned, &to.made.copies);
    read_arguments(function, host.mutator(), start, words, pinned);
    let host: &dyn Host = host;
    let mut cells = to.made.cells.iter();
    let mut position = 0;
    let params = function.signature.params.iter().zip(&function.ways);
    for (i, (param, way)) in params.enumerate() {
        let ctype = &param.ctype;
        let v = Value::from_bits(words[i]);
        let argument = position;
        position += way.arguments();
        let spot = &Spot::Argument {
            function: &function.name,
            position: argument + 1,
        };
        let wrong = || convert::wrong_type(host, ctype, v, spot);
        words[i] = match way {
            Way::Word => convert::to_word(host, ctype, v, spot)?,
            Way::Widened => {
                let narrow = convert::to_word(host, ctype, v, spot)? as u32;
                f64::from(f32::from_bits(narrow)).to_bits()
            }
            Way::String | Way::Bytevector | Way::BytevectorAt => {
                match bytes_of(host, way, v, pinned[i], (ctype, spot))? {
                    Some((body, offset)) => {
                        pinned[i] = body;
                        object::bytes_address(body).expose_provenance() as u64 + offset
                    }
                    None => 0,
                }
            }
            Way::StringCopy | Way::BytevectorCopy | Way::BytevectorAtCopy => {
                match bytes_of(host, way, v, pinned[i], (ctype, spot))? {
                    Some((_, offset)) => {
                        pinned[i] = Value::FALSE;
                        copies.next() + offset
                    }
                    None => 0,
                }
            }
            Way::ByValue => convert::struct_to_pass(host, ctype, v, spot)? as u64,
            Way::Callback(plan) => {
                if !host.is_procedure(v) {
                    return Err(wrong());
                }
                let lend = |lender| plan.lend(lender, id, argument);
                let trampoline = lend_closure(function, host, plan, v, spot, lend)?;
                lent.add(trampoline);
                trampoline.code() as u64
            }
            Way::Cell { argument } | Way::Memory { argument } => {
                let Some(cell) = cells.next() else { continue };
                if *argument {
                    outs::begin_with(host, ctype, cell, v, spot)?;
                }
                outs::address(way, cell)
            }
        };
    }
    Ok(())
}

/// The object with the bytes of the string or bytevector `v`, and how many of them C does not get; `None` for NULL.
/// An offset is `next`, the argument behind `v`.
#[inline(always)]
fn bytes_of(
    host: &dyn Host,
    way: &Way,
    v: Value,
    next: Value,
    (ctype, spot): (&CType, &Spot<'_>),
) -> Result<Option<(Value, u64)>, FfiError> {
    let wrong = || convert::wrong_type(host, ctype, v, spot);
    match way {
        Way::String | Way::StringCopy if v == Value::FALSE => Ok(None),
        Way::String | Way::StringCopy => Ok(Some((string_body(v, spot, wrong)?, 0))),
        Way::BytevectorAt | Way::BytevectorAtCopy => {
            let body = object::bytevector(v).ok_or_else(wrong)?;
            Ok(Some((body, offset_into(host, body, next, spot)?)))
        }
        _ => Ok(Some((object::bytevector(v).ok_or_else(wrong)?, 0))),
    }
}

/// The offset into the bytevector `body`, which is the argument at `spot`, that `v` is, the one behind it.
fn offset_into(host: &dyn Host, body: Value, v: Value, spot: &Spot<'_>) -> Result<u64, FfiError> {
    let length = object::bytevector_length(body).unwrap_or(0);
    match v.as_fixnum().and_then(|n| usize::try_from(n).ok()) {
        Some(offset) if offset <= length => Ok(offset as u64),
        _ => Err(FfiError::Offset {
            place: spot.behind().place(),
            length,
            got: host.describe(v),
        }),
    }
}

/// The object with a string's bytes, which C can read to their end.
#[inline(always)]
fn string_body(
    v: Value,
    spot: &Spot<'_>,
    wrong: impl FnOnce() -> FfiError,
) -> Result<Value, FfiError> {
    let (body, length) = object::string_body(v).ok_or_else(wrong)?;
    match object::find_nul(body, length) {
        None => Ok(body),
        Some(offset) => {
            let place = spot.place();
            Err(FfiError::EmbeddedNul { place, offset })
        }
    }
}

/// The closure that C calls for the procedure `v`.
#[inline(always)]
fn lend_closure(
    function: &ForeignFunction,
    host: &dyn Host,
    plan: &Plan,
    v: Value,
    spot: &Spot<'_>,
    lend: impl FnOnce(&'static Lender) -> Option<&'static Trampoline>,
) -> Result<&'static Trampoline, FfiError> {
    let count = plan.params.len();
    if !host.accepts(v, count) {
        let error = CallbackError::Arity {
            place: spot.place(),
            procedure: host.procedure_name(v),
            count,
        };
        return Err(error.into());
    }
    function.lender.and_then(lend).ok_or_else(|| {
        let place = spot.place();
        CallbackError::NoClosure { place }.into()
    })
}
