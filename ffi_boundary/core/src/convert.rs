//! Values to C words and back, by type.
//!
//! A *word* is 64 bits of which the low ones are the C value as it stands in memory; that is what
//! libffi's argument slots, its results and a load from memory have in common. Small signed integers
//! are sign-extended, as libffi wants a callback's result to be.
//!
//! Absent on purpose: what needs a call around it. Strings and bytevectors are lent by `call`, which
//! pins them, and callbacks are made there.

use crate::aggregate::{Field, StructType};
use crate::call::CallError;
use crate::callback::made;
use crate::enums::EnumType;
use crate::error::{FfiError, Place};
use crate::handle::{Handle, Handles};
use crate::host::Language;
use crate::object::{self, Integer};
use crate::types::{CType, Repr};
use bowline_gc::{Mutator, OutOfMemory, OwnerLabel};
use bowline_layout::{Value, type_id};
use std::ffi::{CStr, c_char};

const _: () = assert!(
    cfg!(target_endian = "little"),
    "a word's low bytes must be its first"
);

/// Where a value is, cheaply; [`Place`] is made of it when there is an error to report.
#[derive(Clone, Copy)]
pub(crate) enum Spot<'a> {
    Argument {
        function: &'a str,
        position: usize,
    },
    Result {
        function: &'a str,
    },
    CallbackArgument {
        function: &'a str,
        position: usize,
        argument: usize,
    },
    CallbackResult {
        function: &'a str,
        position: usize,
    },
    ExportArgument {
        export: &'a str,
        argument: usize,
    },
    ExportResult {
        export: &'a str,
    },
    Store,
    At(&'a Place),
    Field {
        structure: &'a StructType,
        field: &'a Field,
    },
    Part {
        constructor: &'a str,
        field: &'a str,
    },
}

impl Spot<'_> {
    /// The argument behind this one.
    pub(crate) fn behind(mut self) -> Self {
        if let Spot::Argument { position, .. } = &mut self {
            *position += 1;
        }
        self
    }

    pub(crate) fn place(&self) -> Place {
        match *self {
            Spot::Argument { function, position } => Place::Argument {
                function: function.to_owned(),
                position,
            },
            Spot::Result { function } => Place::Result {
                function: function.to_owned(),
            },
            Spot::CallbackArgument {
                function,
                position,
                argument,
            } => Place::CallbackArgument {
                function: function.to_owned(),
                position,
                argument,
            },
            Spot::CallbackResult { function, position } => Place::CallbackResult {
                function: function.to_owned(),
                position,
            },
            Spot::ExportArgument { export, argument } => Place::ExportArgument {
                export: export.into(),
                argument,
            },
            Spot::ExportResult { export } => Place::ExportResult {
                export: export.into(),
            },
            Spot::Store => Place::Store,
            Spot::At(place) => place.clone(),
            Spot::Field { structure, field } => Place::Field {
                structure: structure.name().into(),
                field: field.name.clone(),
            },
            Spot::Part { constructor, field } => Place::Part {
                constructor: constructor.into(),
                field: field.into(),
            },
        }
    }
}

/// The word of a value for a type that needs no pin: everything but `string`, `bytevector` and
/// callbacks, which are wrong types here.
#[inline]
pub(crate) fn to_word<L: Language + ?Sized>(
    language: &L,
    ctype: &CType,
    v: Value,
    spot: &Spot<'_>,
) -> Result<u64, FfiError> {
    match ctype.repr() {
        Repr::Signed(_) | Repr::Unsigned(_) => integer_word(language, ctype, v, spot),
        Repr::Void => Ok(0),
        Repr::Bool => Ok(u64::from(v.is_true())),
        Repr::Double => match object::flonum(v) {
            Some(x) => Ok(x.to_bits()),
            None => exact_double(language, v)
                .map(f64::to_bits)
                .ok_or_else(|| wrong_type(language, ctype, v, spot)),
        },
        Repr::Float => match object::flonum(v) {
            Some(x) => Ok(u64::from((x as f32).to_bits())),
            None => exact_float(language, v)
                .map(|x| u64::from(x.to_bits()))
                .ok_or_else(|| wrong_type(language, ctype, v, spot)),
        },
        Repr::Pointer => match pointer_word(language, ctype, v) {
            Some(address) => Ok(address as u64),
            None => Err(wrong_type(language, ctype, v, spot)),
        },
        Repr::Aggregate => Err(wrong_type(language, ctype, v, spot)),
    }
}

/// The address of the struct that C gets by value: that of a pointer to one.
pub(crate) fn struct_to_pass<L: Language + ?Sized>(
    language: &L,
    ctype: &CType,
    v: Value,
    spot: &Spot<'_>,
) -> Result<usize, FfiError> {
    if let CType::Struct(structure) = ctype
        && may_point_to(language, structure, v)
        && let Some(address) = object::pointer_address(v)
        && address != 0
    {
        return Ok(address);
    }
    Err(wrong_type(language, ctype, v, spot))
}

/// Fresh memory for a struct that C gives by value, of so many bytes that it can be written in whole words. May
/// collect.
pub(crate) fn struct_memory(
    mutator: &mut Mutator,
    ctype: &CType,
    label: OwnerLabel,
) -> Result<Value, OutOfMemory> {
    let bytes = ctype.size().unwrap_or(0).next_multiple_of(8);
    let v = mutator.foreign_memory(bytes, true, label)?;
    object::set_pointer_target(v, ctype.number());
    Ok(v)
}

/// The address for a type that is a pointer to C memory, if the value is one.
fn pointer_word<L: Language + ?Sized>(language: &L, ctype: &CType, v: Value) -> Option<usize> {
    let accepted = match ctype {
        CType::Pointer => true,
        CType::PointerTo(structure) => may_point_to(language, structure, v),
        _ => return None,
    };
    match object::pointer_address(v) {
        Some(address) if accepted => Some(address),
        None if v == Value::FALSE => Some(0),
        None if *ctype == CType::Pointer => made::address(v),
        _ => None,
    }
}

/// Whether a pointer may be handed to C as one to this struct: it is one, or one to an array of them, or
/// it does not say what it points to.
fn may_point_to<L: Language + ?Sized>(language: &L, structure: &StructType, v: Value) -> bool {
    match object::pointer_target(v) {
        0 => true,
        number if number == structure.number() => true,
        number => match language.types().target(number) {
            Some(CType::Array(array)) => {
                matches!(&array.element, CType::Struct(element) if **element == *structure)
            }
            _ => false,
        },
    }
}

fn integer_word<L: Language + ?Sized>(
    language: &L,
    ctype: &CType,
    v: Value,
    spot: &Spot<'_>,
) -> Result<u64, FfiError> {
    let Some(n) = object::integer(v) else {
        return match ctype.as_enum() {
            None => Err(wrong_type(language, ctype, v, spot)),
            Some(enumeration) => match enumeration.number_of(v) {
                Some(number) => Ok(number as u64),
                None => Err(enumeration.no_member(language, v, spot.place())),
            },
        };
    };
    if let (Integer::Small(n), Some((low, high))) = (n, ctype.repr().range())
        && low <= n
        && n <= high
    {
        return Ok(n as u64);
    }
    Err(FfiError::OutOfRange {
        place: spot.place(),
        ctype: ctype.clone(),
        got: language.describe(v),
    })
}

fn power_of_two(exponent: u32) -> f64 {
    // Beyond this every normalised magnitude is infinite anyway.
    2f64.powi(exponent.min(2000) as i32)
}

fn exact_double<L: Language + ?Sized>(language: &L, v: Value) -> Option<f64> {
    if let Some(n) = v.as_fixnum() {
        return Some(n as f64);
    }
    if let Some((negative, top, exponent)) = object::bignum_parts(v) {
        let magnitude = top as f64 * power_of_two(exponent);
        return Some(if negative { -magnitude } else { magnitude });
    }
    language.to_double(v)
}

/// Rounds once: through a double an integer could be rounded twice.
fn exact_float<L: Language + ?Sized>(language: &L, v: Value) -> Option<f32> {
    if let Some(n) = v.as_fixnum() {
        return Some(n as f32);
    }
    if let Some((negative, top, exponent)) = object::bignum_parts(v) {
        let magnitude = (f64::from(top as f32) * power_of_two(exponent)) as f32;
        return Some(if negative { -magnitude } else { magnitude });
    }
    language.to_double(v).map(|x| x as f32)
}

/// Whether a pointer is to another struct with the name of this one.
fn is_namesake<L: Language + ?Sized>(language: &L, wanted: &StructType, pointer: Value) -> bool {
    match language.types().target(object::pointer_target(pointer)) {
        Some(CType::Struct(other)) => **other != *wanted && other.name() == wanted.name(),
        _ => false,
    }
}

/// The error for a value that the type cannot come from.
#[cold]
pub(crate) fn wrong_type<L: Language + ?Sized>(
    language: &L,
    ctype: &CType,
    v: Value,
    spot: &Spot<'_>,
) -> FfiError {
    let expected = match ctype.repr() {
        Repr::Signed(_) | Repr::Unsigned(_) => "an exact integer",
        Repr::Float | Repr::Double => "a real number",
        Repr::Void | Repr::Bool => "any value",
        Repr::Aggregate => match ctype {
            CType::Array(array) if array.is_bytes() => {
                "a string, a bytevector, a vector or a pointer to such an array"
            }
            CType::Array(_) => "a vector or a pointer to such an array",
            _ => "a pointer to such a struct",
        },
        Repr::Pointer => match ctype {
            CType::String => "a string or #f",
            CType::Bytevector | CType::BytevectorAt => "a bytevector",
            CType::Callback(_) => "a procedure",
            CType::PointerTo(_) => "such a pointer or #f",
            _ => "a foreign pointer or #f",
        },
    };
    let is = |id| object::type_of(v) == Some(id);
    let hint = match ctype {
        CType::Pointer | CType::PointerTo(_) if object::bytevector(v).is_some() => {
            "declare it as `bytevector`"
        }
        CType::PointerTo(wanted) | CType::Struct(wanted)
            if is(type_id::FOREIGN_POINTER) && is_namesake(language, wanted, v) =>
        {
            "that is another definition of the same name"
        }
        CType::Pointer if is(type_id::STRING) => "declare it as `string`",
        CType::Pointer if v.is_procedure() => "declare it as a `callback`",
        CType::Pointer if is(type_id::CALLBACK) => "that callback has ended",
        CType::Callback(_) if is(type_id::CALLBACK) => "declare it as `pointer`",
        CType::Pointer if object::integer(v).is_some() => "use `integer->pointer`",
        CType::Callback(_) if v == Value::FALSE => "declare it as `pointer` to pass NULL",
        CType::Callback(_) if is(type_id::FOREIGN_POINTER) => "declare it as `pointer`",
        CType::String if object::bytevector(v).is_some() => "declare it as `bytevector`",
        CType::Bytevector | CType::BytevectorAt if is(type_id::STRING) => "declare it as `string`",
        CType::Bytevector | CType::BytevectorAt if is(type_id::FOREIGN_POINTER) => {
            "declare it as `pointer`"
        }
        _ if v.is_char() && ctype.repr().range().is_some() => "use `char->integer`",
        _ => "",
    };
    FfiError::WrongType {
        place: spot.place(),
        ctype: ctype.clone(),
        expected,
        got: language.describe(v),
        hint,
    }
}

/// The value that C's handle stands for. An `(out handle)` that C has not written is `#f`.
#[cold]
fn handle_value(mutator: &Mutator, word: u64, spot: &Spot<'_>) -> Result<Value, FfiError> {
    let place = || spot.place();
    match Handle::from_bits(word) {
        Some(handle) => Handles::of(mutator)
            .get(handle)
            .map_err(|error| FfiError::Handle {
                place: place(),
                error: Some(error),
            }),
        None if matches!(spot, Spot::Argument { .. }) => Ok(Value::FALSE),
        None => Err(FfiError::Handle {
            place: place(),
            error: None,
        }),
    }
}

/// The value of a word that C gave us. May collect.
///
/// A `string` word is the address of a C string, which is copied: what is not UTF-8 in it becomes
/// U+FFFD. NULL is `#f`. The word of a struct or an array is its address.
#[inline]
pub(crate) fn to_value(
    mutator: &mut Mutator,
    ctype: &CType,
    word: u64,
    spot: &Spot<'_>,
) -> Result<Value, CallError> {
    if let CType::Handle = ctype {
        return Ok(handle_value(mutator, word, spot)?);
    }
    Ok(word_value(mutator, ctype, word)?)
}

/// As [`to_value`], for what is no handle.
#[inline]
pub(crate) fn word_value(
    mutator: &mut Mutator,
    ctype: &CType,
    word: u64,
) -> Result<Value, OutOfMemory> {
    if let CType::Enum(enumeration) = ctype {
        return enum_value(mutator, enumeration, word);
    }
    match ctype.repr() {
        Repr::Void => Ok(Value::UNSPECIFIED),
        Repr::Bool => Ok(Value::bool(word as u8 != 0)),
        Repr::Signed(bytes) => {
            let unused = 64 - u32::from(bytes) * 8;
            let n = ((word << unused) as i64) >> unused;
            object::make_integer(mutator, i128::from(n))
        }
        Repr::Unsigned(bytes) => {
            let unused = 64 - u32::from(bytes) * 8;
            object::make_integer(mutator, i128::from(word << unused >> unused))
        }
        Repr::Float => object::make_flonum(mutator, f64::from(f32::from_bits(word as u32))),
        Repr::Double => object::make_flonum(mutator, f64::from_bits(word)),
        Repr::Pointer => match ctype {
            CType::String => copy_c_string(mutator, word as usize),
            CType::PointerTo(structure) => {
                let v = object::make_pointer(mutator, word as usize)?;
                object::set_pointer_target(v, structure.number());
                Ok(v)
            }
            _ => object::make_pointer(mutator, word as usize),
        },
        Repr::Aggregate => {
            let v = object::make_pointer(mutator, word as usize)?;
            object::set_pointer_target(v, ctype.number());
            Ok(v)
        }
    }
}

/// The symbol of a number that has one, or the number.
fn enum_value(
    mutator: &mut Mutator,
    enumeration: &EnumType,
    word: u64,
) -> Result<Value, OutOfMemory> {
    let number = match enumeration.repr() {
        Repr::Unsigned(_) => i64::from(word as u32),
        _ => i64::from(word as i32),
    };
    match enumeration.symbol_of(number) {
        Some(symbol) => Ok(symbol),
        None => object::make_integer(mutator, i128::from(number)),
    }
}

fn copy_c_string(mutator: &mut Mutator, address: usize) -> Result<Value, OutOfMemory> {
    if address == 0 {
        return Ok(Value::FALSE);
    }
    let start: *const c_char = std::ptr::with_exposed_provenance(address);
    // SAFETY: the signature says that C gives a string here, which ends with a NUL. If it stands in
    // the heap, the foreign call that it was lent to pins it still.
    let text = unsafe { CStr::from_ptr(start) };
    let text = text.to_string_lossy();
    object::make_string(mutator, &text)
}

/// Reads a C value of this representation as a word.
///
/// # Safety
/// `at` is readable for `repr.size()` bytes.
pub(crate) unsafe fn load(at: *const u8, repr: Repr) -> u64 {
    let mut word = [0u8; 8];
    // SAFETY: the caller's for the source; no representation is longer than a word.
    unsafe { std::ptr::copy_nonoverlapping(at, word.as_mut_ptr(), repr.size()) };
    u64::from_le_bytes(word)
}

/// Writes a word as a C value of this representation.
///
/// # Safety
/// `at` is writable for `repr.size()` bytes.
pub(crate) unsafe fn store(at: *mut u8, repr: Repr, word: u64) {
    let word = word.to_le_bytes();
    // SAFETY: the caller's for the target; no representation is longer than a word.
    unsafe { std::ptr::copy_nonoverlapping(word.as_ptr(), at, repr.size()) };
}
