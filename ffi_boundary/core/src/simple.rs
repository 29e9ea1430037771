//! Calls that most declarations ask for: a few arguments, each an integer, a number, a pointer, a string or a bytevector,
//! all of them in registers, and nothing made beforehand.
//!
//! What such a call does is what `call` says of every call, in the same order and by the same functions; here is what it
//! need not look at. A fixnum that is in range, a string that is known to have no NUL and a bytevector are converted
//! here, and a result that fits a fixnum; everything else, errors above all, as for other calls.

use crate::active::{self, ActiveCall};
use crate::arguments::{self, Made, Passed};
use crate::call::{CallError, INLINE, Returned, cross};
use crate::convert::Spot;
use crate::error::FfiError;
use crate::function::{ForeignFunction, Way};
use crate::handle::scope;
use crate::host::Host;
use crate::object;
use crate::types::{CType, Passing, Repr, Signature};
use bowline_layout::{FIXNUM_MAX, FIXNUM_MIN, Value};

/// What is tried for an argument first.
#[derive(Clone, Copy)]
enum Step {
    /// A fixnum in this range is its word.
    Integer {
        low: i64,
        high: i64,
    },
    String,
    Bytevector,
    /// Nothing.
    Other,
}

/// How the arguments of a simple call are converted.
pub(crate) struct Simple {
    steps: Box<[Step]>,
    /// Whether something is lent.
    lends: bool,
}

impl Simple {
    /// How those of a function are that is called without libffi, if it is simple.
    pub(crate) fn of(signature: &Signature, ways: &[Way]) -> Option<Simple> {
        let step = |(way, ctype): (&Way, &CType)| match way {
            Way::Word => Some(match ctype.repr().range() {
                Some((low, high)) => Step::Integer {
                    low: clamped(low),
                    high: clamped(high),
                },
                None => Step::Other,
            }),
            Way::String => Some(Step::String),
            Way::Bytevector => Some(Step::Bytevector),
            _ => None,
        };
        let params = &signature.params;
        if params.len() > INLINE || params.iter().any(|p| p.passing != Passing::In) {
            return None;
        }
        let ctypes = params.iter().map(|param| &param.ctype);
        let steps: Option<Box<[Step]>> = ways.iter().zip(ctypes).map(step).collect();
        let steps = steps?;
        let lends = steps
            .iter()
            .any(|s| matches!(s, Step::String | Step::Bytevector));
        Some(Simple { steps, lends })
    }
}

/// The nearest of 64 bits.
fn clamped(n: i128) -> i64 {
    n.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

/// How a result is converted that is a fixnum: by how many bits it is moved up and down again.
#[derive(Clone, Copy)]
pub(crate) enum Narrow {
    Signed(u32),
    Unsigned(u32),
    /// Otherwise.
    No,
}

impl Narrow {
    /// How a result of this type is converted.
    pub(crate) fn of(result: &CType) -> Narrow {
        let unused = |bytes: u8| 64 - 8 * u32::from(bytes);
        match result.repr() {
            _ if result.as_enum().is_some() => Narrow::No,
            Repr::Signed(bytes) => Narrow::Signed(unused(bytes)),
            Repr::Unsigned(bytes) => Narrow::Unsigned(unused(bytes)),
            _ => Narrow::No,
        }
    }

    /// The result's value, if it is a fixnum.
    #[inline(always)]
    pub(crate) fn value(self, word: u64) -> Option<Value> {
        let n = match self {
            Narrow::Signed(unused) => (word << unused) as i64 >> unused,
            // What has the highest of 64 bits set is negative here, and no fixnum.
            Narrow::Unsigned(unused) => match (word << unused >> unused) as i64 {
                n if n < 0 => return None,
                n => n,
            },
            Narrow::No => return None,
        };
        (FIXNUM_MIN..=FIXNUM_MAX)
            .contains(&n)
            .then(|| Value::fixnum(n))
    }
}

/// Calls a simple function with the arguments from `start` on.
#[inline(always)]
pub(crate) fn call(
    function: &ForeignFunction,
    simple: &Simple,
    host: &mut dyn Host,
    start: usize,
) -> Result<Returned, CallError> {
    let n = simple.steps.len().min(INLINE);
    let (mut words, mut pinned) = ([0u64; INLINE], [Value::FALSE; INLINE]);
    let id = active::next_id();
    let open = scope::open();
    for (i, &step) in simple.steps.iter().enumerate().take(INLINE) {
        // The values stay on the root stack throughout (inv:host.rooted).
        let v = host.mutator().get(start + i);
        words[i] = match at_once(step, v, &mut pinned[i]) {
            Some(word) => word,
            None => convert(function, host, i, v, &mut pinned[i])?,
        };
    }
    let pinned = if simple.lends { &pinned[..n] } else { &[] };
    let passed = Passed {
        words: &words[..n],
        slots: &mut [],
    };
    let leaf = function.leaf.is_some();
    let active = ActiveCall::new(id, host, &function.name, start, open, leaf);
    let made = Made::nothing();
    let returned = cross(function, host, &active, passed, pinned, &made);
    if scope::open() != active.open {
        scope::end_call(host.mutator(), active.open);
    }
    returned
}

/// The word of an argument that needs no more than a look (`inv:call.lent`).
#[inline(always)]
fn at_once(step: Step, v: Value, pinned: &mut Value) -> Option<u64> {
    let lent = match step {
        Step::Integer { low, high } => {
            let n = v.as_fixnum()?;
            return (low..=high).contains(&n).then_some(n as u64);
        }
        Step::String => object::known_text(v)?,
        Step::Bytevector => object::bytevector(v)?,
        Step::Other => return None,
    };
    Some(object::lend(lent, pinned))
}

/// The word of an argument as other calls convert it.
#[inline(never)]
fn convert(
    function: &ForeignFunction,
    host: &dyn Host,
    i: usize,
    v: Value,
    pinned: &mut Value,
) -> Result<u64, FfiError> {
    let spot = &Spot::Argument {
        function: &function.name,
        position: i + 1,
    };
    let ctype = &function.signature.params[i].ctype;
    arguments::word_or_bytes(host, &function.ways[i], v, pinned, (ctype, spot))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_that_fit_are_fixnums() {
        let value = |ctype: CType, word| Narrow::of(&ctype).value(word);
        let fixnum = |n| Some(Value::fixnum(n));
        assert_eq!(value(CType::Int, 0xdead_beef_ffff_fffe), fixnum(-2));
        assert_eq!(
            value(CType::UInt, 0xdead_beef_ffff_fffe),
            fixnum(4_294_967_294)
        );
        assert_eq!(value(CType::UInt8, 0x1ff), fixnum(255));
        assert_eq!(value(CType::Int8, 0x1ff), fixnum(-1));
        assert_eq!(value(CType::Long, FIXNUM_MIN as u64), fixnum(FIXNUM_MIN));
        assert_eq!(value(CType::Long, i64::MIN as u64), None);
        assert_eq!(value(CType::ULong, FIXNUM_MAX as u64), fixnum(FIXNUM_MAX));
        assert_eq!(value(CType::ULong, u64::MAX), None);
        assert_eq!(value(CType::Double, 0), None);
        assert_eq!(value(CType::Void, 0), None);
    }
}
