//! C memory, read and written by type.
//!
//! Like a foreign call, an access does what the program says: an address that is not C memory of the
//! program's is the program's error and cannot be found here, except null.

use crate::call::CallError;
use crate::convert::{self, Spot};
use crate::error::FfiError;
use crate::host::Language;
use crate::types::{CType, Repr};
use bowline_gc::Mutator;
use bowline_layout::Value;

/// The value of the C object of this type at `address + offset`. A `string` is a pointer to a C
/// string, which is copied.
pub fn read(
    mutator: &mut Mutator,
    ctype: &CType,
    address: usize,
    offset: isize,
) -> Result<Value, CallError> {
    check(ctype, address, "pointer-ref")?;
    let at = std::ptr::with_exposed_provenance::<u8>(address).wrapping_offset(offset);
    // SAFETY: the program says that a C object of this type stands there.
    let word = unsafe { convert::load(at, ctype.repr()) };
    convert::to_value(mutator, ctype, word).map_err(CallError::from)
}

/// Makes the C object of this type at `address + offset` the one that `v` converts to.
pub fn write<L: Language + ?Sized>(
    language: &L,
    ctype: &CType,
    address: usize,
    offset: isize,
    v: Value,
) -> Result<(), CallError> {
    check(ctype, address, "pointer-set!")?;
    if *ctype == CType::String {
        return Err(FfiError::StoredString.into());
    }
    let word = convert::to_word(language, ctype, v, Spot::Store)?;
    let at = std::ptr::with_exposed_provenance_mut::<u8>(address).wrapping_offset(offset);
    // SAFETY: the program says that a C object of this type stands there.
    unsafe { convert::store(at, ctype.repr(), word) };
    Ok(())
}

/// Copies `bytes` to C memory at `address`.
pub fn copy_in(address: usize, bytes: &[u8]) {
    let to = std::ptr::with_exposed_provenance_mut::<u8>(address);
    // SAFETY: the caller says that there is so much C memory; the heap, where `bytes` may be, is none.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
}

fn check(ctype: &CType, address: usize, operation: &'static str) -> Result<(), CallError> {
    if ctype.repr() == Repr::Void || matches!(ctype, CType::Bytevector | CType::Callback(_)) {
        return Err(FfiError::NotInMemory {
            type_name: ctype.to_string(),
        }
        .into());
    }
    if address == 0 {
        return Err(FfiError::NullPointer { operation }.into());
    }
    Ok(())
}
