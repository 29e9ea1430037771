//! What libffi must know of a C function type.
//!
//! `inv:cif.still` A prepared description refers to its list of parameter types and to libffi's own
//! type objects. The list is boxed with it and neither changes afterwards, so it may be used from any
//! thread and from several at once.

use crate::declare_error::DeclareError;
use crate::error::FfiError;
use crate::types::{CType, Passing, Repr, Signature};
use libffi::low::{self, CodePtr, ffi_abi_FFI_DEFAULT_ABI, ffi_cif, ffi_type, types};
use std::ffi::c_void;

/// A prepared description of a C function type.
pub(crate) struct Cif {
    raw: Box<ffi_cif>,
    /// What `raw` refers to.
    _params: Box<[*mut ffi_type]>,
}

// SAFETY: inv:cif.still
unsafe impl Send for Cif {}
// SAFETY: inv:cif.still
unsafe impl Sync for Cif {}

/// What libffi must know of a type. A struct is handed over by value, an array by its address.
pub(crate) fn ffi_type_of(ctype: &CType) -> *mut ffi_type {
    match ctype {
        CType::Struct(structure) => match structure.description() {
            Some(description) => description.as_ptr(),
            None => &raw mut types::pointer,
        },
        _ => of_word(ctype.repr()),
    }
}

fn of_word(repr: Repr) -> *mut ffi_type {
    match repr {
        Repr::Void => &raw mut types::void,
        Repr::Bool => &raw mut types::uint8,
        Repr::Signed(1) => &raw mut types::sint8,
        Repr::Signed(2) => &raw mut types::sint16,
        Repr::Signed(4) => &raw mut types::sint32,
        Repr::Signed(_) => &raw mut types::sint64,
        Repr::Unsigned(1) => &raw mut types::uint8,
        Repr::Unsigned(2) => &raw mut types::uint16,
        Repr::Unsigned(4) => &raw mut types::uint32,
        Repr::Unsigned(_) => &raw mut types::uint64,
        Repr::Float => &raw mut types::float,
        Repr::Double => &raw mut types::double,
        Repr::Pointer | Repr::Aggregate => &raw mut types::pointer,
    }
}

/// What C's default argument promotions make of a type in the variadic part of a call.
pub(crate) fn promoted(repr: Repr) -> Repr {
    match repr {
        Repr::Bool => Repr::Signed(4),
        Repr::Signed(bytes) | Repr::Unsigned(bytes) if bytes < 4 => Repr::Signed(4),
        Repr::Float => Repr::Double,
        _ => repr,
    }
}

impl Cif {
    /// Prepares the description of functions with this signature.
    pub(crate) fn of_signature(signature: &Signature) -> Result<Cif, FfiError> {
        let fixed = signature.fixed.unwrap_or(signature.params.len());
        let params = signature.params.iter().enumerate().map(|(i, param)| {
            let variadic = i >= fixed;
            match (param.passing, param.repr()) {
                (Passing::In, Repr::Aggregate) => ffi_type_of(&param.ctype),
                (_, repr) if variadic => of_word(promoted(repr)),
                (_, repr) => of_word(repr),
            }
        });
        let result = ffi_type_of(&signature.result);
        Cif::prepare(params.collect(), signature.fixed, result).ok_or_else(|| {
            let signature = signature.to_string();
            DeclareError::Unsupported { signature }.into()
        })
    }

    /// Prepares the description of a callback.
    pub(crate) fn of_callback(params: &[CType], result: &CType) -> Option<Cif> {
        let params = params.iter().map(ffi_type_of).collect();
        Cif::prepare(params, None, ffi_type_of(result))
    }

    fn prepare(
        mut params: Box<[*mut ffi_type]>,
        fixed: Option<usize>,
        result: *mut ffi_type,
    ) -> Option<Cif> {
        let mut raw = Box::<ffi_cif>::default();
        let (count, list) = (params.len(), params.as_mut_ptr());
        let prepared = match fixed {
            // SAFETY: the list has `count` types and stays with the description (inv:cif.still).
            None => unsafe {
                low::prep_cif(&mut *raw, ffi_abi_FFI_DEFAULT_ABI, count, result, list)
            },
            // SAFETY: as above.
            Some(fixed) => unsafe {
                low::prep_cif_var(
                    &mut *raw,
                    ffi_abi_FFI_DEFAULT_ABI,
                    fixed,
                    count,
                    result,
                    list,
                )
            },
        };
        prepared.ok()?;
        Some(Cif {
            raw,
            _params: params,
        })
    }

    /// For libffi, which only reads it.
    #[inline]
    pub(crate) fn as_ptr(&self) -> *mut ffi_cif {
        (&raw const *self.raw).cast_mut()
    }

    /// Calls `code`. The result's word is written to `result`, or a struct; nothing for `void`.
    ///
    /// # Safety
    /// `code` is a C function of this type; `args` are pointers to as many C values of its parameter
    /// types; `result` has room for a word, and for a struct if that is the result, in whole words.
    #[inline]
    pub(crate) unsafe fn call(&self, code: *const (), args: *mut *mut c_void, result: *mut u64) {
        let CodePtr(code) = CodePtr::from_ptr(code.cast());
        // SAFETY: a function pointer is an address; what it points to is the caller's.
        let function = unsafe { std::mem::transmute::<*mut c_void, unsafe extern "C" fn()>(code) };
        // SAFETY: the caller's; libffi writes a word for any result that is no struct.
        unsafe { libffi::raw::ffi_call(self.as_ptr(), Some(function), result.cast(), args) };
    }
}
