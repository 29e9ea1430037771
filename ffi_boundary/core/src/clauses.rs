//! What a declaration says of a function's calls besides their types.

use crate::callback_error::CallbackError;
use crate::declare_error::DeclareError;
use crate::error::FfiError;
use crate::function::{ForeignFunction, Way};
use crate::types::{CType, Passing, Repr, Signature};
use bowline_gc::Leaf;

/// That calls of `function`, whose arguments go these ways, may be leaf calls.
pub(crate) fn check_leaf(function: &str, ways: &[Way]) -> Result<(), FfiError> {
    let callback = |way: &Way| matches!(way, Way::Callback(_) | Way::Kept(_));
    let Some(i) = ways.iter().position(callback) else {
        return Ok(());
    };
    let (function, position) = (function.to_owned(), i + 1);
    Err(CallbackError::Leaf { function, position }.into())
}

/// That a predicate can be asked about a result of this type.
pub(crate) fn check_errno_when(result: &CType) -> Result<(), FfiError> {
    match result.repr() {
        Repr::Void => Err(DeclareError::ErrnoWhen.into()),
        _ => Ok(()),
    }
}

/// That a result of this type may be an error number.
pub(crate) fn check_errno_result(result: &CType) -> Result<(), FfiError> {
    if result.repr().range().is_some() {
        return Ok(());
    }
    let type_name = result.to_string();
    Err(DeclareError::ErrnoResult { type_name }.into())
}

/// That a result of this type can be given back.
pub(crate) fn check_freed(result: &CType) -> Result<(), FfiError> {
    if *result == CType::String || result.is_pointer() {
        return Ok(());
    }
    let type_name = result.to_string();
    Err(DeclareError::FreedResult { type_name }.into())
}

/// That it can be given to `function`, which is declared so.
pub(crate) fn check_frees(function: &str, declared: &Signature) -> Result<(), FfiError> {
    let takes = match declared.params.as_slice() {
        [param] => param.passing == Passing::In && param.ctype.is_pointer(),
        _ => false,
    };
    if takes && declared.fixed.is_none() {
        return Ok(());
    }
    let (function, declared) = (function.to_owned(), declared.to_string());
    Err(DeclareError::FreesNothing { function, declared }.into())
}

impl ForeignFunction {
    /// The same function, whose calls are leaf calls: the thread stays Managed, so no collection begins meanwhile,
    /// and the function may not block, nor call back.
    pub fn into_leaf(mut self) -> Result<ForeignFunction, FfiError> {
        check_leaf(&self.name, &self.ways)?;
        self.leaf = Some(Leaf::named(&self.name));
        Ok(self)
    }

    /// The same function, whose calls may take long: C gets copies of strings and bytevectors, so that nothing is
    /// pinned meanwhile, and what it writes into those of bytevectors is copied back.
    pub fn into_blocking(mut self) -> ForeignFunction {
        self.blocking = true;
        for way in &mut self.ways {
            if way.copy() {
                self.copies = true;
                self.prepared = true;
                self.simple = None;
            }
        }
        self
    }

    /// The same function, whose calls get guarded copies of whatever C is lent (module `guard`).
    pub(crate) fn into_guarded(mut self) -> ForeignFunction {
        self.ways.iter_mut().for_each(|way| {
            way.copy();
        });
        self.copies = true;
        self.prepared = true;
        self.simple = None;
        self.guarded = true;
        self
    }

    /// The same function, whose result a predicate is asked about, which is the host's to do.
    pub fn with_errno_when(self) -> Result<ForeignFunction, FfiError> {
        check_errno_when(&self.signature.result)?;
        Ok(self)
    }

    /// The same function, whose result is an error number, 0 for none.
    pub fn with_errno_result(mut self) -> Result<ForeignFunction, FfiError> {
        check_errno_result(&self.signature.result)?;
        self.errno_result = true;
        self.plain = false;
        Ok(self)
    }

    /// The same function, whose result is to be given to `free`: a string as soon as it is copied, a pointer when it
    /// has died, which is the host's to do ([`ForeignFunction::finalizes`]).
    pub fn freed_by(mut self, free: &ForeignFunction) -> Result<ForeignFunction, FfiError> {
        let result = &self.signature.result;
        check_frees(&free.name, &free.signature)?;
        check_freed(result)?;
        if *result == CType::String {
            self.free = Some(free.address);
        } else {
            self.finalizes = true;
            self.plain = false;
        }
        Ok(self)
    }

    /// How many bytes are free once this function was called with `address`, for which the program has named it: known
    /// of C's own `free` alone.
    pub fn gives_back(&self, address: usize) -> usize {
        if self.address != libc::free as *const () || address == 0 {
            return 0;
        }
        let block = std::ptr::with_exposed_provenance_mut(address);
        // SAFETY: the program says that `free` takes what is there, and that has not happened yet.
        unsafe { libc::malloc_usable_size(block) }
    }

    /// Whether what a call gives is the value that C returned and nothing else is to be done.
    #[inline]
    pub fn is_plain(&self) -> bool {
        self.plain
    }

    /// Whether the result is an error number.
    pub fn gives_errno(&self) -> bool {
        self.errno_result
    }

    /// Whether the pointer that is the result is to get a finalizer.
    pub fn finalizes(&self) -> bool {
        self.finalizes
    }
}
