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

use crate::active::{self, ActiveCall, Jumped};
use crate::arguments::{Made, Passed, Target, convert_arguments, pass_handles, point_to};
use crate::blocking::Copies;
pub use crate::call_error::CallError;
use crate::callback::kept;
use crate::callback::pool::Lent;
use crate::callback_error::{Barred, CallbackError};
use crate::convert::{self, Spot};
use crate::errno::errno_around;
use crate::error::FfiError;
use crate::function::ForeignFunction;
use crate::guard;
use crate::handle::scope;
use crate::held::Held;
use crate::host::Host;
use crate::inside;
use crate::inside_error::InsideError;
use crate::object;
use crate::outs;
use crate::simple;
use crate::types::Repr;
use bowline_gc::{CallFrame, Mutator};
use bowline_layout::Value;
use core::ops::Range;
use std::cell::Cell;
use std::ffi::c_void;

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

/// Arguments that fit here are converted without an allocation.
pub(crate) const INLINE: usize = 8;

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
    if let Some(simple) = &function.simple {
        return simple::call(function, simple, host, args.start);
    }
    if !function.prepared {
        return call_with(function, host, args.start, &Made::nothing());
    }
    call_prepared(function, host, args.start)
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
        let label = host.owner_label(Held::Result(result, &function.name));
        let memory = convert::struct_memory(host.mutator(), result, label)?;
        made.result = object::pointer_address(memory).unwrap_or(0);
        host.mutator().push(memory);
    }
    outs::prepare(function, host, cells)?;
    if function.copies {
        made.copies = Copies::make(function, host, start, cells)?;
    }
    if function.keeps {
        // Last: what is made for one call of C's has no other end.
        if let Err(error) = kept::prepare(function, host, start) {
            made.copies.give_back(host.mutator());
            return Err(error);
        }
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
    let id = active::next_id();
    // The values stay on the root stack throughout (inv:host.rooted).
    let mut lent = Lent::default();
    let to = Target {
        words,
        pinned,
        made,
    };
    let open = scope::open();
    let mut converted = convert_arguments(function, host, start, id, to, &mut lent);
    if function.handles && converted.is_ok() {
        converted = pass_handles(function, host, words);
    }
    if let Err(error) = converted {
        if function.keeps {
            kept::take_back(function, host, start);
        }
        return Err(error.into());
    }
    let slots = match function.direct {
        Some(_) => &mut [],
        None => point_to(
            function,
            words,
            room(&mut slots, &mut more_slots, n, std::ptr::null_mut()),
        ),
    };
    let passed = Passed { words, slots };
    let leaf = function.leaf.is_some();
    let active = ActiveCall::new(id, host, &function.name, start, open, leaf);
    lent.belong_to(&active);
    let returned = cross(function, host, &active, passed, pinned, made);
    if scope::open() != active.open {
        scope::end_call(host.mutator(), active.open);
    }
    returned
}

/// From the frame's push to its pop.
#[inline(always)]
pub(crate) fn cross(
    function: &ForeignFunction,
    host: &mut dyn Host,
    active: &ActiveCall,
    passed: Passed<'_>,
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
    active.frame.set((&raw const frame).cast());
    // SAFETY: unlinked below; a panic in between would not get past C.
    unsafe { active.link() };
    let began = function.callee.map(|_| mutator.call_begins());
    if function.leaf.is_none() {
        active.goes_to_c();
    }
    let (word, errno) = run(function, passed, made.result);
    let left_open = come_back(function, host, active, began);
    let mutator = host.mutator();
    let returned = if active.jumped.get() != Jumped::No {
        Err(jumped_over(function, active.id))
    } else if active.pending.get() {
        Err(CallError::PendingExit)
    } else if let Some(called) = active.called_back.get() {
        Err(called_back(function, called))
    } else if left_open {
        let function = function.name.clone();
        Err(FfiError::from(InsideError::ScopeLeftOpen { function }).into())
    } else {
        results(function, mutator, word, made)
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

/// From C's return to the thread's being Managed again. Returns whether C has left no-GC scopes open.
#[inline(always)]
fn come_back(
    function: &ForeignFunction,
    host: &mut dyn Host,
    active: &ActiveCall,
    began: Option<u64>,
) -> bool {
    active.has_returned();
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
    if active.jumped.get() != Jumped::No {
        active.forget_jumped(host);
    }
    left_open
}

#[cold]
fn jumped_over(function: &ForeignFunction, id: u64) -> CallError {
    let function = function.name.clone();
    let callback = guard::jumped_over(id);
    CallError::Ffi(CallbackError::Jumped { function, callback }.into())
}

#[cold]
fn called_back(function: &ForeignFunction, called: Barred) -> CallError {
    let name = function.name.clone();
    CallError::Ffi(match function.leaf {
        Some(_) => FfiError::from(CallbackError::LeafCalledBack {
            function: name,
            called,
        }),
        None => FfiError::from(InsideError::CalledBack {
            function: name,
            called,
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
) -> Result<Value, CallError> {
    if !made.cells.is_empty() {
        if let Some(guards) = made.copies.guards() {
            guards.read_cells(made.cells);
        }
        outs::collect(function, mutator, made.cells)?;
    }
    if made.result != 0 {
        return Ok(Value::UNSPECIFIED);
    }
    if let Some(value) = function.narrow.value(word) {
        return Ok(value);
    }
    let spot = &Spot::Result {
        function: &function.name,
    };
    convert::to_value(mutator, &function.signature.result, word, spot)
}

/// The C function alone, and its `errno`.
#[inline(always)]
fn run(function: &ForeignFunction, passed: Passed<'_>, result: usize) -> (u64, i32) {
    errno_around(|| run_alone(function, passed, result))
}

#[inline(always)]
fn run_alone(function: &ForeignFunction, passed: Passed<'_>, result: usize) -> u64 {
    if let Some(direct) = function.direct {
        // SAFETY: the program says that the address is a function of this signature; there is a word for each
        // parameter, converted to its type.
        return unsafe { direct.call(function.address, passed.words) };
    }
    let mut word = 0;
    let to = match result {
        0 => &raw mut word,
        _ => std::ptr::with_exposed_provenance_mut(result),
    };
    // SAFETY: the program says that the address is a function of this signature; there is a slot for
    // each parameter, which points to a word converted to its type, or to a struct; a struct that
    // is the result has memory in whole words.
    unsafe {
        function
            .cif
            .call(function.address, passed.slots.as_mut_ptr(), to)
    };
    word
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
