//! Calls without libffi, where every argument goes in a register.
//!
//! `inv:direct.registers` In the calling conventions of x86-64 ("System V Application Binary Interface", 3.2.3) and of
//! 64-bit ARM ("Procedure Call Standard", 6.8) integers and floating-point numbers are counted separately, each kind
//! takes its registers in order, and what a function does not take it does not look at. So a function of at most six
//! integers and eight floating-point numbers can be called as one that takes more of them, its integers before its
//! others, and every integer as 64 bits: a word is extended as its type wants it. The low half of a register with a
//! `double` is where a `float` stands.
//!
//! Absent on purpose: variadic functions, whose convention says how many floating-point numbers there are, and structs.

use crate::types::{CType, Passing, Repr, Signature};

/// Whether this machine has such a convention.
const KNOWN: bool = cfg!(all(
    unix,
    any(
        target_arch = "x86_64",
        all(target_arch = "aarch64", not(target_vendor = "apple"))
    )
));

const INTEGERS: usize = 6;
const FLOATS: usize = 8;

/// How a function is called so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Direct {
    /// A bit for each parameter that is a floating-point number.
    floats: u32,
    /// Whether the result is one.
    gives_float: bool,
}

fn is_float(repr: Repr) -> bool {
    matches!(repr, Repr::Float | Repr::Double)
}

/// A call of a function at this address, as if it took and gave this.
macro_rules! call {
    ($address:expr, ($($argument:expr => $type:ty),*) -> $result:ty) => {{
        // SAFETY: a function pointer is an address.
        let function = unsafe {
            std::mem::transmute::<*const (), unsafe extern "C" fn($($type),*) -> $result>($address)
        };
        // SAFETY: inv:direct.registers; the caller's for the rest.
        unsafe { function($($argument),*) }
    }};
}

/// As `call`, with a word as the result, for any number of integers.
macro_rules! call_integers {
    ($address:expr, $words:expr, $result:ty) => {
        match *$words {
            [] => call!($address, () -> $result),
            [a] => call!($address, (a => u64) -> $result),
            [a, b] => call!($address, (a => u64, b => u64) -> $result),
            [a, b, c] => call!($address, (a => u64, b => u64, c => u64) -> $result),
            _ => {
                let i = padded($words);
                call!(
                    $address,
                    (i[0] => u64, i[1] => u64, i[2] => u64, i[3] => u64, i[4] => u64, i[5] => u64)
                        -> $result
                )
            }
        }
    };
}

/// The first six words, with zeros behind them.
fn padded(words: &[u64]) -> [u64; INTEGERS] {
    let mut padded = [0; INTEGERS];
    for (to, word) in padded.iter_mut().zip(words) {
        *to = *word;
    }
    padded
}

impl Direct {
    /// How a function of this type is called without libffi, if it can be.
    pub(crate) fn of(signature: &Signature) -> Option<Direct> {
        let by_value = signature
            .params
            .iter()
            .any(|p| p.passing == Passing::In && matches!(p.ctype, CType::Struct(_)));
        let result = signature.result.repr();
        if !KNOWN || by_value || signature.fixed.is_some() || result == Repr::Aggregate {
            return None;
        }
        let mut floats = 0u32;
        let mut count = 0;
        for (i, param) in signature.params.iter().enumerate() {
            if i >= INTEGERS + FLOATS {
                return None;
            }
            if is_float(param.repr()) {
                floats |= 1 << i;
                count += 1;
            }
        }
        let integers = signature.params.len() - count;
        (integers <= INTEGERS && count <= FLOATS).then_some(Direct {
            floats,
            gives_float: is_float(result),
        })
    }

    /// Calls the function at `address` and gives its result's word.
    ///
    /// # Safety
    /// It is a function of the type that this was made for, and `words` are C values of its parameters' types.
    #[inline(always)]
    pub(crate) unsafe fn call(self, address: *const (), words: &[u64]) -> u64 {
        match (self.floats, self.gives_float) {
            (0, false) => call_integers!(address, words, u64),
            (0, true) => call_integers!(address, words, f64).to_bits(),
            // SAFETY: the caller's.
            _ => unsafe { self.call_mixed(address, words) },
        }
    }

    /// # Safety
    /// As for [`Direct::call`].
    unsafe fn call_mixed(self, address: *const (), words: &[u64]) -> u64 {
        let (mut i, mut x) = ([0u64; INTEGERS], [0f64; FLOATS]);
        let (mut integers, mut floats) = (0, 0);
        for (at, &word) in words.iter().enumerate() {
            if self.floats & 1 << at == 0 {
                i[integers] = word;
                integers += 1;
            } else {
                x[floats] = f64::from_bits(word);
                floats += 1;
            }
        }
        macro_rules! mixed {
            ($result:ty) => {
                call!(
                    address,
                    (i[0] => u64, i[1] => u64, i[2] => u64, i[3] => u64, i[4] => u64, i[5] => u64,
                     x[0] => f64, x[1] => f64, x[2] => f64, x[3] => f64,
                     x[4] => f64, x[5] => f64, x[6] => f64, x[7] => f64) -> $result
                )
            };
        }
        match self.gives_float {
            true => mixed!(f64).to_bits(),
            false => mixed!(u64),
        }
    }
}
