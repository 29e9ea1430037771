//! What a declaration says of a function's calls besides their types.

use crate::callback_error::CallbackError;
use crate::declare_error::DeclareError;
use crate::error::FfiError;
use crate::function::{ForeignFunction, Way};
use crate::types::{CType, Passing};
use bowline_gc::Leaf;

impl ForeignFunction {
    /// The same function, whose calls are leaf calls: the thread stays Managed, so no collection begins meanwhile,
    /// and the function may not block, nor call back.
    pub fn into_leaf(mut self) -> Result<ForeignFunction, FfiError> {
        let callback = |way: &Way| matches!(way, Way::Callback(_) | Way::Kept(_));
        if let Some(i) = self.ways.iter().position(callback) {
            let (function, position) = (self.name, i + 1);
            return Err(CallbackError::Leaf { function, position }.into());
        }
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

    /// The same function, whose result is an error number, 0 for none.
    pub fn with_errno_result(mut self) -> Result<ForeignFunction, FfiError> {
        let result = &self.signature.result;
        if result.repr().range().is_none() {
            let type_name = result.to_string();
            return Err(DeclareError::ErrnoResult { type_name }.into());
        }
        self.errno_result = true;
        self.plain = false;
        Ok(self)
    }

    /// The same function, whose result is to be given to `free`: a string as soon as it is copied, a pointer when it
    /// has died, which is the host's to do ([`ForeignFunction::finalizes`]).
    pub fn freed_by(mut self, free: &ForeignFunction) -> Result<ForeignFunction, FfiError> {
        let takes = match free.signature.params.as_slice() {
            [param] => param.passing == Passing::In && param.ctype.is_pointer(),
            _ => false,
        };
        if !takes || free.signature.fixed.is_some() {
            let function = free.name.clone();
            let declared = free.signature.to_string();
            return Err(DeclareError::FreesNothing { function, declared }.into());
        }
        match &self.signature.result {
            CType::String => self.free = Some(free.address),
            result if result.is_pointer() => {
                self.finalizes = true;
                self.plain = false;
            }
            result => {
                let type_name = result.to_string();
                return Err(DeclareError::FreedResult { type_name }.into());
            }
        }
        Ok(self)
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
