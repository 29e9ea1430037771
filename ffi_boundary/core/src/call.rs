//! A foreign call, from values to values.
//!
//! ```text
//!  Managed   out parameters get their memory (it may collect: nothing is lent yet)
//!            arguments → words; strings and bytevectors noted as pinned, closures lent
//!            frame pushed ─ crossing ─ enter_native
//!  Native    errno = 0 ─ C ─ errno kept                 (callbacks: see `callback`)
//!            leave_native
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
use crate::callback::pool::{Lender, Lent, Plan, Trampoline};
use crate::convert::{self, Spot};
use crate::errno::errno_around;
use crate::error::FfiError;
use crate::function::{ForeignFunction, Way};
use crate::handle::scope;
use crate::host::Host;
use crate::object;
use crate::outs;
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
    match function.outs {
        0 => call_with(function, host, args.start, &[]),
        _ => call_with_outs(function, host, args.start),
    }
}

/// As [`call`], for a function that has out parameters.
#[inline(never)]
fn call_with_outs(
    function: &ForeignFunction,
    host: &mut dyn Host,
    start: usize,
) -> Result<Returned, CallError> {
    let (mut cells, mut more_cells) = ([0u64; INLINE], Vec::new());
    let cells = room(&mut cells, &mut more_cells, function.outs, 0);
    // C writes to them.
    let cells = Cell::from_mut(cells).as_slice_of_cells();
    let height = host.mutator().len();
    let returned =
        outs::prepare(function, host, cells).and_then(|()| call_with(function, host, start, cells));
    if returned.is_err() {
        host.mutator().truncate(height);
    }
    returned
}

/// As [`call`], with a cell for each out parameter. This and what it is made of is there twice, so that
/// the calls without any, which most are, do nothing about them.
#[inline(always)]
fn call_with(
    function: &ForeignFunction,
    host: &mut dyn Host,
    start: usize,
    cells: &[Cell<u64>],
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
        cells,
    };
    convert_arguments(function, host, start, id, to, &mut lent)?;
    let first = words.as_mut_ptr();
    for (i, slot) in slots.iter_mut().enumerate() {
        *slot = first.wrapping_add(i).cast();
    }
    let leaf = function.leaf.is_some();
    let active = ActiveCall::new(id, host, &function.name, start, scope::open(), leaf);
    let returned = cross(function, host, &active, slots, pinned, cells);
    if scope::open() != active.open {
        scope::end_call(host.mutator(), active.open);
    }
    returned
}

/// From the frame's push to its pop.
#[inline(always)]
fn cross(
    function: &ForeignFunction,
    host: &mut dyn Host,
    active: &ActiveCall,
    slots: &mut [*mut c_void],
    pinned: &[Value],
    cells: &[Cell<u64>],
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
    let (word, errno) = match function.callee {
        None => run(function, slots),
        Some(callee) => {
            let began = mutator.call_begins();
            let done = run(function, slots);
            host.mutator().call_ends(began, callee);
            done
        }
    };
    active.unlink();
    let mutator = host.mutator();
    match function.leaf {
        None => mutator.leave_native(),
        Some(_) => mutator.leaf_ends(),
    }
    let returned = if active.pending.get() {
        Err(CallError::PendingExit)
    } else if let Some(lender) = active.called_back.get() {
        Err(called_back(function, lender))
    } else {
        results(function, mutator, word, cells).map_err(CallError::from)
    };
    // SAFETY: pushed above; inner calls have popped theirs.
    unsafe { mutator.pop_call(&mut frame) };
    returned.map(|value| Returned {
        value,
        errno,
        outs: cells.len(),
    })
}

#[cold]
fn called_back(function: &ForeignFunction, lender: &str) -> CallError {
    CallError::Ffi(FfiError::LeafCalledBack {
        function: function.name.clone(),
        lender: lender.to_owned(),
    })
}

/// The result's value. Those of out parameters, if any, become values first, where they have roots.
#[inline(always)]
fn results(
    function: &ForeignFunction,
    mutator: &mut Mutator,
    word: u64,
    cells: &[Cell<u64>],
) -> Result<Value, OutOfMemory> {
    if !cells.is_empty() {
        outs::collect(function, mutator, cells)?;
    }
    convert::to_value(mutator, &function.signature.result, word)
}

/// The C function alone, and its `errno`.
#[inline(always)]
fn run(function: &ForeignFunction, slots: &mut [*mut c_void]) -> (u64, i32) {
    let mut word = 0;
    let ((), errno) = errno_around(|| {
        // SAFETY: the program says that the address is a function of this signature; there is a slot for
        // each parameter, which points to a word converted to its type.
        unsafe {
            function
                .cif
                .call(function.address, slots.as_mut_ptr(), &raw mut word)
        }
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
    /// A word for each out parameter (`inv:outs.cells`).
    cells: &'a [Cell<u64>],
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
    let (words, pinned) = (to.words, to.pinned);
    let mutator = host.mutator();
    let mut next = start;
    for (word, way) in words.iter_mut().zip(&function.ways) {
        if way.is_argument() {
            *word = mutator.get(next).bits();
            next += 1;
        }
    }
    let host: &dyn Host = host;
    let mut cells = to.cells.iter();
    let mut position = 0;
    let params = function.signature.params.iter().zip(&function.ways);
    for (i, (param, way)) in params.enumerate() {
        let ctype = &param.ctype;
        let v = Value::from_bits(words[i]);
        let argument = position;
        position += usize::from(way.is_argument());
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
            Way::String if v == Value::FALSE => 0,
            Way::String => {
                let body = string_body(v, spot, wrong)?;
                pinned[i] = body;
                object::bytes_address(body).expose_provenance() as u64
            }
            Way::Bytevector => {
                let body = object::bytevector(v).ok_or_else(wrong)?;
                pinned[i] = body;
                object::bytes_address(body).expose_provenance() as u64
            }
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
        return Err(FfiError::CallbackArity {
            place: spot.place(),
            procedure: host.procedure_name(v),
            count,
        });
    }
    function
        .lender
        .and_then(lend)
        .ok_or_else(|| FfiError::NoClosure {
            place: spot.place(),
        })
}
