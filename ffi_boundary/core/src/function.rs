//! Foreign functions: a C address with a signature, made ready to be called.
//!
//! `inv:function.envs` The first `env` among the parameters is that of the first callback that is found by one, and so on;
//! what it is to C is known, and written, when the callback is converted.

use crate::callback::pool::{self, Lender, Plan};
use crate::cif::Cif;
use crate::declare_error::DeclareError;
use crate::direct::Direct;
use crate::error::FfiError;
use crate::guard;
use crate::library::Library;
use crate::simple::{Narrow, Simple};
use crate::types::{CType, Lifetime, Parameter, Passing, Repr, Signature};
use bowline_gc::{Callee, Heap, Leaf};
use std::fmt;
use std::sync::Arc;

/// How one argument gets to C.
pub(crate) enum Way {
    /// Converted to a word.
    Word,
    /// As for `Word`, then widened from `float` to `double`, as C does in the variadic part.
    Widened,
    /// A string's bytes, pinned.
    String,
    /// A bytevector's bytes, pinned.
    Bytevector,
    /// Those from an offset on, which is a further argument.
    BytevectorAt,
    /// A handle of the value, local to the call; it is made when every argument is converted.
    Handle,
    /// A struct: the bytes that a pointer points to.
    ByValue,
    /// A copy of a string's bytes.
    StringCopy,
    /// A copy of a bytevector's bytes.
    BytevectorCopy,
    /// Those from an offset on.
    BytevectorAtCopy,
    /// A closure of this plan, lent for the call.
    Callback(&'static Plan),
    /// The function of a callback object of this plan, which is made before the call (`inv:kept.place`).
    Kept(&'static Plan),
    /// What C passes back to a callback (`inv:function.envs`).
    Env,
    /// The address of a word that C writes to; with an argument it begins as that, converted.
    Cell {
        /// Whether there is one.
        argument: bool,
    },
    /// The address of memory that C writes to; with an argument it begins as a copy of that.
    Memory {
        /// Whether there is one.
        argument: bool,
    },
}

impl Way {
    /// Makes it one that copies, if it lends strings or bytevectors; whether it did.
    pub(crate) fn copy(&mut self) -> bool {
        *self = match self {
            Way::String => Way::StringCopy,
            Way::Bytevector => Way::BytevectorCopy,
            Way::BytevectorAt => Way::BytevectorAtCopy,
            _ => return false,
        };
        true
    }

    /// How many arguments a call has for it.
    #[inline]
    pub(crate) fn arguments(&self) -> usize {
        match self {
            Way::Cell { argument: false } | Way::Memory { argument: false } | Way::Env => 0,
            Way::BytevectorAt | Way::BytevectorAtCopy => 2,
            _ => 1,
        }
    }
}

/// A C function that can be called.
pub struct ForeignFunction {
    /// What errors call it.
    pub name: String,
    /// Where it is from.
    pub library: Arc<Library>,
    /// Its address.
    pub address: *const (),
    /// Its type.
    pub signature: Signature,
    pub(crate) cif: Cif,
    /// How it is called without libffi, if it can be.
    pub(crate) direct: Option<Direct>,
    pub(crate) ways: Vec<Way>,
    /// How its arguments are converted if it is simple.
    pub(crate) simple: Option<Simple>,
    /// How its result is converted if that is a fixnum.
    pub(crate) narrow: Narrow,
    /// Where its calls are counted, if they are.
    pub(crate) callee: Option<&'static Callee>,
    /// How many arguments a call has, and how many results besides its own.
    pub(crate) arguments: usize,
    pub(crate) outs: usize,
    /// Whether C gets copies (`inv:blocking.copies`).
    pub(crate) copies: bool,
    /// Whether these are guarded (module `guard`).
    pub(crate) guarded: bool,
    /// Whether C gets them also where objects are not in its way.
    pub(crate) blocking: bool,
    /// Whether the result is an error number.
    pub(crate) errno_result: bool,
    /// The C function that takes the result once it is copied.
    pub(crate) free: Option<*const ()>,
    /// Whether the result is to get a finalizer.
    pub(crate) finalizes: bool,
    /// Whether a parameter is a struct by value.
    pub(crate) by_value: bool,
    /// Whether a parameter is a handle.
    pub(crate) handles: bool,
    /// For each callback that is found by its env, the callback's place among the parameters and the env's.
    pub(crate) envs: Vec<(usize, usize)>,
    /// Whether C keeps a procedure beyond the call.
    pub(crate) keeps: bool,
    /// Whether something must be made for a call before it.
    pub(crate) prepared: bool,
    /// Whether a call gives C's result alone.
    pub(crate) plain: bool,
    /// Its name if its calls stay Managed (`inv:call.leaf`).
    pub(crate) leaf: Option<&'static Leaf>,
    /// Who its callbacks are lent by.
    pub(crate) lender: Option<&'static Lender>,
}

// SAFETY: the addresses are those of code that is never unloaded (inv:library.open); the rest is Send.
unsafe impl Send for ForeignFunction {}
// SAFETY: as for `Send`; calling changes nothing in here.
unsafe impl Sync for ForeignFunction {}

impl ForeignFunction {
    /// Finds `symbol` in `library` and makes it ready. Errors call it `name`.
    pub fn new(
        name: &str,
        library: &Arc<Library>,
        symbol: &str,
        signature: Signature,
    ) -> Result<ForeignFunction, FfiError> {
        let address = library.symbol(symbol)?;
        ForeignFunction::at(name, library, address, signature)
    }

    /// As [`ForeignFunction::new`], for function `index` of a table.
    pub fn numbered(
        name: &str,
        table: &Arc<Library>,
        index: i64,
        signature: Signature,
    ) -> Result<ForeignFunction, FfiError> {
        let (_, address) = table.numbered(index)?;
        ForeignFunction::at(name, table, address, signature)
    }

    fn at(
        name: &str,
        library: &Arc<Library>,
        address: *const (),
        signature: Signature,
    ) -> Result<ForeignFunction, FfiError> {
        let ways = ways(&signature)?;
        let outs = signature.params.iter().filter(|p| p.is_result()).count();
        let lends = ways.iter().any(|way| matches!(way, Way::Callback(_)));
        let by_value = ways.iter().any(|way| matches!(way, Way::ByValue));
        let handles = ways.iter().any(|way| matches!(way, Way::Handle));
        let keeps = ways.iter().any(|way| matches!(way, Way::Kept(_)));
        let prepared = outs > 0 || keeps || signature.result.repr() == Repr::Aggregate;
        let direct = Direct::of(&signature);
        let simple = direct.filter(|_| !prepared);
        let made = ForeignFunction {
            simple: simple.and_then(|_| Simple::of(&signature, &ways)),
            narrow: Narrow::of(&signature.result),
            name: name.to_owned(),
            callee: Heap::get().and_then(|heap| heap.callee(name, false)),
            library: library.clone(),
            address,
            cif: Cif::of_signature(&signature)?,
            direct,
            ways,
            arguments: signature.arguments(),
            outs,
            by_value,
            handles,
            envs: envs(&signature),
            keeps,
            prepared,
            copies: false,
            guarded: false,
            blocking: false,
            errno_result: false,
            free: None,
            finalizes: false,
            plain: outs == 0,
            leaf: None,
            lender: lends.then(|| pool::lender(name)),
            signature,
        };
        Ok(if guard::begins() {
            made.into_guarded()
        } else {
            made
        })
    }

    /// The parameters that give results besides the function's own, in order.
    pub(crate) fn results(&self) -> impl Iterator<Item = &Parameter> {
        self.signature.params.iter().filter(|p| p.is_result())
    }

    /// Which of its parameters this one is, counted from 1.
    pub(crate) fn position(&self, param: &Parameter) -> usize {
        let params = self.signature.params.iter();
        let before = params.take_while(|known| !std::ptr::eq(*known, param));
        before.count() + 1
    }
}

fn envs(signature: &Signature) -> Vec<(usize, usize)> {
    let all = |is: fn(&Parameter) -> bool| {
        let params = signature.params.iter().enumerate();
        params.filter(move |(_, param)| is(param)).map(|(i, _)| i)
    };
    all(Parameter::takes_env)
        .zip(all(|param| param.ctype == CType::Env))
        .collect()
}

/// How the arguments of a function of this type get to C.
pub(crate) fn ways(signature: &Signature) -> Result<Vec<Way>, FfiError> {
    let fixed = signature.fixed.unwrap_or(signature.params.len());
    let params = signature.params.iter().enumerate();
    params.map(|(i, param)| way(param, i >= fixed)).collect()
}

fn way(param: &Parameter, variadic: bool) -> Result<Way, FfiError> {
    if param.is_result() {
        let argument = param.passing == Passing::InOut;
        return Ok(match param.ctype.repr() {
            Repr::Aggregate => Way::Memory { argument },
            _ => Way::Cell { argument },
        });
    }
    match &param.ctype {
        CType::String => Ok(Way::String),
        CType::Bytevector => Ok(Way::Bytevector),
        CType::BytevectorAt => Ok(Way::BytevectorAt),
        CType::Handle => Ok(Way::Handle),
        CType::Struct(_) => Ok(Way::ByValue),
        CType::Callback(callback) => match pool::plan(callback) {
            Some(plan) if plan.lifetime == Lifetime::Call => Ok(Way::Callback(plan)),
            Some(plan) => Ok(Way::Kept(plan)),
            None => {
                let signature = param.to_string();
                Err(DeclareError::Unsupported { signature }.into())
            }
        },
        CType::Env => Ok(Way::Env),
        CType::Float if variadic => Ok(Way::Widened),
        _ => Ok(Way::Word),
    }
}

impl fmt::Debug for ForeignFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ForeignFunction({} : {})", self.name, self.signature)
    }
}
