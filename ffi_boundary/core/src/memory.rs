//! C memory, read and written by type.
//!
//! Like a foreign call, an access does what the program says: an address that is not C memory of the
//! program's is the program's error and cannot be found here, except null, and except beyond the ends of
//! an array whose pointer says how long it is.
//!
//! What is read as a struct or an array is a pointer to it, which keeps alive what the pointer that it
//! was read through keeps alive.

use crate::aggregate::{ArrayType, StructType};
use crate::call::CallError;
use crate::convert::{self, Spot};
use crate::error::FfiError;
use crate::host::Language;
use crate::object;
use crate::struct_error::{NotPointer, StructError};
use crate::types::{CType, Repr};
use bowline_gc::{Mutator, OutOfMemory};
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
    let at = address.wrapping_add_signed(offset);
    Ok(read_at(mutator, ctype, Value::FALSE, at)?)
}

/// As [`read`], at `offset` from where the foreign pointer `base` points to.
pub fn read_through(
    mutator: &mut Mutator,
    ctype: &CType,
    base: Value,
    offset: isize,
) -> Result<Value, CallError> {
    let address = object::pointer_address(base).unwrap_or(0);
    check(ctype, address, "pointer-ref")?;
    let at = address.wrapping_add_signed(offset);
    Ok(read_at(mutator, ctype, base, at)?)
}

fn read_at(
    mutator: &mut Mutator,
    ctype: &CType,
    base: Value,
    address: usize,
) -> Result<Value, OutOfMemory> {
    if ctype.repr() == Repr::Aggregate {
        let v = match object::pointer_address(base) {
            Some(_) => object::make_pointer_into(mutator, base, address)?,
            None => object::make_pointer(mutator, address)?,
        };
        object::set_pointer_target(v, ctype.number());
        return Ok(v);
    }
    let at = std::ptr::with_exposed_provenance::<u8>(address);
    // SAFETY: the program says that a C object of this type stands there.
    let word = unsafe { convert::load(at, ctype.repr()) };
    convert::word_value(mutator, ctype, word)
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
    let at = address.wrapping_add_signed(offset);
    Ok(store(language, ctype, at, v, &Spot::Store)?)
}

/// As [`write`], for field `index` of the struct at `address`.
pub fn write_field<L: Language + ?Sized>(
    language: &L,
    structure: &StructType,
    index: usize,
    address: usize,
    v: Value,
) -> Result<(), CallError> {
    let field = &structure.defined()?.fields[index];
    let spot = &Spot::Field { structure, field };
    let at = address.wrapping_add(field.offset);
    Ok(store(language, &field.ctype, at, v, spot)?)
}

/// The value of field `index` of the struct that `base` points to.
pub fn read_field(
    mutator: &mut Mutator,
    structure: &StructType,
    index: usize,
    base: Value,
) -> Result<Value, CallError> {
    let field = &structure.defined()?.fields[index];
    let address = object::pointer_address(base).unwrap_or(0);
    let at = address.wrapping_add(field.offset);
    Ok(read_at(mutator, &field.ctype, base, at)?)
}

/// The address in `v`, which must point to this struct, for an access to `field`. `who` makes the name of
/// the procedure.
#[inline]
pub fn struct_address<L: Language + ?Sized>(
    language: &L,
    structure: &StructType,
    v: Value,
    field: &str,
    who: impl FnOnce() -> String,
) -> Result<usize, FfiError> {
    match object::pointer_address(v) {
        Some(address) if address != 0 && object::pointer_target(v) == structure.number() => {
            Ok(address)
        }
        address => Err(no_struct(language, structure, v, address, field, who())),
    }
}

#[cold]
fn no_struct<L: Language + ?Sized>(
    language: &L,
    structure: &StructType,
    v: Value,
    address: Option<usize>,
    field: &str,
    who: String,
) -> FfiError {
    let name = structure.name().to_owned();
    if address == Some(0) {
        let field = field.to_owned();
        return StructError::Null { who, name, field }.into();
    }
    let what = match (address, language.types().target(object::pointer_target(v))) {
        (None, _) => NotPointer::Other,
        (Some(_), None) => NotPointer::Untyped,
        (Some(_), Some(CType::Struct(other))) if other.name() == structure.name() => {
            NotPointer::OtherDefinition
        }
        _ => NotPointer::Elsewhere,
    };
    let got = language.describe(v);
    StructError::NotPointer {
        who,
        name,
        got,
        what,
    }
    .into()
}

/// Whether a C object of this type at `offset` from the pointer is inside of what it points to, as far as
/// the pointer says that.
pub fn check_inside<L: Language + ?Sized>(
    language: &L,
    pointer: Value,
    ctype: &CType,
    offset: isize,
    operation: &'static str,
) -> Result<(), FfiError> {
    check_range(
        language,
        pointer,
        ctype.size().unwrap_or(0),
        offset,
        operation,
    )
}

/// As [`check_inside`], for so many bytes.
pub fn check_range<L: Language + ?Sized>(
    language: &L,
    pointer: Value,
    bytes: usize,
    offset: isize,
    operation: &'static str,
) -> Result<(), FfiError> {
    let Some(array) = array_target(language, pointer) else {
        return Ok(());
    };
    let end = usize::try_from(offset)
        .ok()
        .and_then(|o| o.checked_add(bytes));
    if end.is_some_and(|end| end <= array.size()) {
        return Ok(());
    }
    let target = object::pointer_target(pointer);
    let ctype = language.types().target(target).cloned();
    Err(StructError::OutOfBounds {
        operation,
        offset,
        bytes,
        ctype: ctype.unwrap_or(CType::Void),
    }
    .into())
}

/// The array that a pointer says it points to.
pub fn array_target<L: Language + ?Sized>(language: &L, pointer: Value) -> Option<&ArrayType> {
    match language.types().target(object::pointer_target(pointer))? {
        CType::Array(array) => Some(array),
        _ => None,
    }
}

/// Makes the C object of this type at `address` the one that `v` converts to.
pub(crate) fn store<L: Language + ?Sized>(
    language: &L,
    ctype: &CType,
    address: usize,
    v: Value,
    spot: &Spot<'_>,
) -> Result<(), FfiError> {
    let at = std::ptr::with_exposed_provenance_mut::<u8>(address);
    let word = match ctype {
        CType::Struct(_) | CType::Array(_) => return store_bytes(language, ctype, at, v, spot),
        CType::String if object::string_body(v).is_some() => {
            return Err(FfiError::StoredString);
        }
        CType::String => match object::pointer_address(v) {
            Some(address) => address as u64,
            None if v == Value::FALSE => 0,
            None => {
                return Err(FfiError::WrongType {
                    place: spot.place(),
                    ctype: ctype.clone(),
                    expected: "a pointer to a C string or #f",
                    got: language.describe(v),
                    hint: "",
                });
            }
        },
        _ => convert::to_word(language, ctype, v, spot)?,
    };
    // SAFETY: the program says that a C object of this type stands there.
    unsafe { convert::store(at, ctype.repr(), word) };
    Ok(())
}

/// As [`store`], for a struct or an array: a copy of another one; for an array the elements of a vector,
/// and for one of bytes those of text or of a bytevector, with zeros behind them as in C.
fn store_bytes<L: Language + ?Sized>(
    language: &L,
    ctype: &CType,
    at: *mut u8,
    v: Value,
    spot: &Spot<'_>,
) -> Result<(), FfiError> {
    let size = ctype.size().unwrap_or(0);
    if let CType::Array(array) = ctype
        && let Some(got) = language.vector_length(v)
    {
        let step = array.element.size().unwrap_or(0);
        if got > array.count {
            let (place, ctype) = (spot.place(), ctype.clone());
            return Err(StructError::TooMany { place, ctype, got }.into());
        }
        for i in 0..got {
            let element = language.vector_element(v, i);
            store(
                language,
                &array.element,
                at.addr() + i * step,
                element,
                spot,
            )?;
        }
        // SAFETY: the program says that there is such an array, and the rest of it is behind these.
        unsafe {
            at.wrapping_add(got * step)
                .write_bytes(0, size - got * step)
        };
        return Ok(());
    }
    if let CType::Array(array) = ctype
        && array.is_bytes()
        && let Some((body, length)) = text_or_bytes(ctype, v, size, spot)?
    {
        // SAFETY: the program says that there is an array of so many bytes, and they are not more.
        unsafe { object::copy_bytes_out(body, length, at) };
        // SAFETY: as above, for the rest of the array.
        unsafe { at.wrapping_add(length).write_bytes(0, size - length) };
        return Ok(());
    }
    let same = ctype.number() != 0 && object::pointer_target(v) == ctype.number();
    match object::pointer_address(v) {
        Some(from) if same && from != 0 => {
            let from = std::ptr::with_exposed_provenance::<u8>(from);
            // SAFETY: the pointer says that it points to one too; they may overlap.
            unsafe { std::ptr::copy(from, at, size) };
            Ok(())
        }
        _ => Err(convert::wrong_type(language, ctype, v, spot)),
    }
}

/// The object with the bytes of a string, which must leave room for its NUL, or of a bytevector.
fn text_or_bytes(
    ctype: &CType,
    v: Value,
    size: usize,
    spot: &Spot<'_>,
) -> Result<Option<(Value, usize)>, FfiError> {
    if let Some((body, got)) = object::string_body(v) {
        let (place, ctype) = (spot.place(), ctype.clone());
        if let Some(offset) = object::find_nul(body, got) {
            return Err(FfiError::EmbeddedNul { place, offset });
        }
        if got >= size {
            return Err(StructError::TooLong { place, ctype, got }.into());
        }
        return Ok(Some((body, got)));
    }
    let Some(got) = object::bytevector_length(v) else {
        return Ok(None);
    };
    if got > size {
        let (place, ctype) = (spot.place(), ctype.clone());
        return Err(StructError::TooMany { place, ctype, got }.into());
    }
    Ok(Some((v, got)))
}

/// Copies `bytes` to C memory at `address`.
pub fn copy_in(address: usize, bytes: &[u8]) {
    let to = std::ptr::with_exposed_provenance_mut::<u8>(address);
    // SAFETY: the caller says that there is so much C memory; the heap, where `bytes` may be, is none.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
}

/// Copies C memory at `address` to `bytes`.
pub fn copy_out(address: usize, bytes: &mut [u8]) {
    let from = std::ptr::with_exposed_provenance::<u8>(address);
    // SAFETY: the program says that so many bytes stand there.
    unsafe { std::ptr::copy(from, bytes.as_mut_ptr(), bytes.len()) };
}

/// A copy of the C string at `address`, of which not more than `most` bytes are looked at.
pub fn text(address: usize, most: usize) -> Vec<u8> {
    let start = std::ptr::with_exposed_provenance::<u8>(address);
    let mut bytes = Vec::new();
    for i in 0..most {
        // SAFETY: the program says that a C string or so many bytes stand there; none was a NUL yet.
        match unsafe { start.wrapping_add(i).read() } {
            0 => break,
            b => bytes.push(b),
        }
    }
    bytes
}

fn check(ctype: &CType, address: usize, operation: &'static str) -> Result<(), CallError> {
    if ctype.repr() == Repr::Void
        || matches!(
            ctype,
            CType::Bytevector
                | CType::BytevectorAt
                | CType::Handle
                | CType::Callback(_)
                | CType::Env
        )
    {
        return Err(FfiError::NotInMemory {
            type_name: ctype.to_string(),
        }
        .into());
    }
    if let CType::Struct(structure) = ctype {
        structure.defined()?;
    }
    if address == 0 {
        return Err(FfiError::NullPointer { operation }.into());
    }
    Ok(())
}
