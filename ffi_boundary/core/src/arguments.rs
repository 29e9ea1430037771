//! Arguments, from values to what libffi takes.
//!
//! Absent on purpose: what goes on around them; `call` has it, and with it `inv:call.lent`.

use crate::blocking::Copies;
use crate::callback::pool::{Lender, Lent, Plan, Trampoline};
use crate::callback::{kept, made};
use crate::convert::{self, Spot};
use crate::error::FfiError;
use crate::function::{ForeignFunction, Way};
use crate::handle::{Handles, scope};
use crate::host::Host;
use crate::object;
use crate::outs;
use crate::types::CType;
use bowline_gc::Mutator;
use bowline_layout::Value;
use std::cell::Cell;
use std::ffi::c_void;

/// What was made for a call before anything is lent.
pub(crate) struct Made<'a> {
    /// A word for each out parameter (`inv:outs.cells`).
    pub(crate) cells: &'a [Cell<u64>],
    /// What was copied (`inv:blocking.copies`).
    pub(crate) copies: Copies,
    /// The address of the memory for a struct that is the result; 0 for another one.
    pub(crate) result: usize,
}

impl Made<'_> {
    pub(crate) const fn nothing() -> Self {
        Made {
            cells: &[],
            copies: Copies::none(),
            result: 0,
        }
    }
}

/// What arguments are turned into.
pub(crate) struct Target<'a> {
    /// A word for each parameter.
    pub(crate) words: &'a mut [u64],
    /// What must be pinned for it.
    pub(crate) pinned: &'a mut [Value],
    pub(crate) made: &'a Made<'a>,
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
pub(crate) fn convert_arguments(
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
        words[i] = match way {
            Way::Word => convert::to_word(host, ctype, v, spot)?,
            Way::Widened => {
                let narrow = convert::to_word(host, ctype, v, spot)? as u32;
                f64::from(f32::from_bits(narrow)).to_bits()
            }
            Way::String | Way::Bytevector | Way::BytevectorAt => {
                lend_bytes(host, way, v, &mut pinned[i], (ctype, spot))?
            }
            Way::StringCopy | Way::BytevectorCopy | Way::BytevectorAtCopy => {
                match bytes_of(host, way, v, pinned[i], (ctype, spot))? {
                    Some((body, offset)) => {
                        pinned[i] = Value::FALSE;
                        let copy = object::view_start(body).unwrap_or_else(|| copies.next());
                        match copy {
                            0 => object::lend(body, &mut pinned[i]) + offset,
                            copy => copy + offset,
                        }
                    }
                    None => 0,
                }
            }
            Way::Handle => v.bits(),
            Way::ByValue => convert::struct_to_pass(host, ctype, v, spot)? as u64,
            Way::Callback(plan) => {
                kept::check(host, ctype, plan, v, spot)?;
                let lender = copies.lender().or(function.lender);
                let trampoline = lend(lender, plan, (id, argument), spot)?;
                lent.add(trampoline);
                function_of(function, trampoline, i, words)
            }
            // inv:kept.place
            Way::Kept(_) => made::live(v).map_or(0, |made| function_of(function, made, i, words)),
            // inv:function.envs
            Way::Env => words[i],
            Way::Cell { argument } | Way::Memory { argument } => {
                let Some(cell) = cells.next() else { continue };
                if *argument {
                    outs::begin_with(host, ctype, cell, v, spot)?;
                }
                let copy = copies.guards().and_then(|guards| guards.next_cell(cell));
                copy.unwrap_or_else(|| outs::address(way, cell))
            }
        };
    }
    Ok(())
}

/// What C calls during the call `id` for the procedure that is this argument.
#[inline(always)]
fn lend(
    lender: Option<&'static Lender>,
    plan: &'static Plan,
    (id, argument): (u64, usize),
    spot: &Spot<'_>,
) -> Result<&'static Trampoline, FfiError> {
    let lend = |lender| plan.lend(lender, id, argument);
    let lent = lender.and_then(lend);
    lent.ok_or_else(|| made::refused(plan, spot))
}

/// What C calls for the callback that is parameter `i`; its env gets its word (`inv:function.envs`).
#[inline(always)]
fn function_of(
    function: &ForeignFunction,
    trampoline: &'static Trampoline,
    i: usize,
    words: &mut [u64],
) -> u64 {
    if let Some(env) = trampoline.env()
        && let Some((_, at)) = function.envs.iter().find(|(callback, _)| *callback == i)
    {
        words[*at] = env as u64;
    }
    trampoline.code() as u64
}

/// The word of an argument for which nothing was made: a number's bits, or the address of a string's or bytevector's bytes,
/// which are noted as pinned.
pub(crate) fn word_or_bytes(
    host: &dyn Host,
    way: &Way,
    v: Value,
    pinned: &mut Value,
    (ctype, spot): (&CType, &Spot<'_>),
) -> Result<u64, FfiError> {
    match way {
        Way::String | Way::Bytevector => lend_bytes(host, way, v, pinned, (ctype, spot)),
        _ => convert::to_word(host, ctype, v, spot),
    }
}

/// The address of the bytes of the string or bytevector `v`; what has them is pinned from now on. A second argument is
/// where that is noted.
#[inline(always)]
fn lend_bytes(
    host: &dyn Host,
    way: &Way,
    v: Value,
    pinned: &mut Value,
    (ctype, spot): (&CType, &Spot<'_>),
) -> Result<u64, FfiError> {
    let Some((body, offset)) = bytes_of(host, way, v, *pinned, (ctype, spot))? else {
        return Ok(0);
    };
    Ok(object::lend(body, pinned) + offset)
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

/// Makes handles, local to the call that is about to begin, of the values whose bits the words are.
#[cold]
pub(crate) fn pass_handles(
    function: &ForeignFunction,
    host: &mut dyn Host,
    words: &mut [u64],
) -> Result<(), FfiError> {
    let open = scope::open();
    let mut position = 0;
    for (word, way) in words.iter_mut().zip(&function.ways) {
        position += way.arguments();
        if !matches!(way, Way::Handle) {
            continue;
        }
        let spot = &Spot::Argument {
            function: &function.name,
            position,
        };
        let v = Value::from_bits(*word);
        *word = match host.handle_bits(v) {
            Some(bits) => bits,
            None => match scope::create_for_call(&Handles::of(host.mutator()), v) {
                Ok(handle) => handle.bits(),
                Err(error) => {
                    scope::end_call(host.mutator(), open);
                    return Err(FfiError::Handle {
                        place: spot.place(),
                        error: Some(error),
                    });
                }
            },
        };
    }
    Ok(())
}

/// What a C function is handed.
pub(crate) struct Passed<'a> {
    /// A word for each parameter.
    pub(crate) words: &'a [u64],
    /// For libffi a pointer to each of them, or to a struct.
    pub(crate) slots: &'a mut [*mut c_void],
}

/// Points libffi to the words.
pub(crate) fn point_to<'a>(
    function: &ForeignFunction,
    words: &mut [u64],
    slots: &'a mut [*mut c_void],
) -> &'a mut [*mut c_void] {
    let first = words.as_mut_ptr();
    for (i, slot) in slots.iter_mut().enumerate() {
        *slot = first.wrapping_add(i).cast();
    }
    if function.by_value {
        pass_structs(function, slots, words);
    }
    slots
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
