//! C types and signatures: one description of a C function for every way of calling it.
//!
//! The interpreter's path over libffi, the native code generator, the C header generator and the
//! documentation read the same [`Signature`]. What a type means to the machine is its [`Repr`];
//! conversion and memory access look at nothing else.
//!
//! Absent on purpose: the names that a program writes. `parse` turns those into what is here.

use crate::aggregate::{ArrayType, StructType};
use crate::byvalue;
use crate::declare_error::DeclareError;
use crate::enums::EnumType;
use crate::error::FfiError;
use crate::struct_error::StructError;
use core::ffi::{
    c_char, c_int, c_long, c_longlong, c_short, c_uint, c_ulong, c_ulonglong, c_ushort,
};
use std::fmt;
use std::sync::Arc;

/// What a C value is to the machine: how wide it is and how its bits are read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Repr {
    /// Nothing.
    Void,
    /// `_Bool`: one byte, 0 or 1.
    Bool,
    /// A signed integer of so many bytes.
    Signed(u8),
    /// An unsigned integer of so many bytes.
    Unsigned(u8),
    /// `float`.
    Float,
    /// `double`.
    Double,
    /// An address.
    Pointer,
    /// A struct or an array: bytes in memory, no word. Its size and alignment are its type's.
    Aggregate,
}

impl Repr {
    /// The bytes that a value takes in memory; 0 for what is no word.
    pub const fn size(self) -> usize {
        match self {
            Repr::Void | Repr::Aggregate => 0,
            Repr::Bool => 1,
            Repr::Signed(bytes) | Repr::Unsigned(bytes) => bytes as usize,
            Repr::Float => 4,
            Repr::Double | Repr::Pointer => 8,
        }
    }

    /// The smallest and largest integer, for an integer type.
    pub const fn range(self) -> Option<(i128, i128)> {
        match self {
            Repr::Signed(bytes) => {
                let bits = bytes as u32 * 8;
                Some((-(1 << (bits - 1)), (1 << (bits - 1)) - 1))
            }
            Repr::Unsigned(bytes) => Some((0, (1 << (bytes as u32 * 8)) - 1)),
            _ => None,
        }
    }
}

const fn signed<T>() -> Repr {
    Repr::Signed(size_of::<T>() as u8)
}

const fn unsigned<T>() -> Repr {
    Repr::Unsigned(size_of::<T>() as u8)
}

/// `char` is signed on some machines and not on others.
const fn plain_char() -> Repr {
    if c_char::MIN == 0 {
        unsigned::<c_char>()
    } else {
        signed::<c_char>()
    }
}

/// The table of the types that are one word of a signature: variant, name, representation. It makes
/// the enum, the names and the representations.
macro_rules! ctypes {
    ($( $(#[$doc:meta])* $variant:ident $name:literal $repr:expr; )*) => {
        /// A C type as a signature names it.
        #[derive(Clone, PartialEq, Eq, Hash, Debug)]
        pub enum CType {
            $( $(#[$doc])* $variant, )*
            /// A pointer to a struct: of this one or, as `void *` in C, of unknown type; NULL is allowed.
            PointerTo(Arc<StructType>),
            /// A struct, in memory.
            Struct(Arc<StructType>),
            /// An array, in memory.
            Array(Arc<ArrayType>),
            /// An enumeration.
            Enum(Arc<EnumType>),
            /// The bytes of a bytevector from an offset on, pinned for the call. An argument only; the offset is
            /// one of its own.
            BytevectorAt,
            /// A pointer to a function that calls a procedure of the language.
            Callback(Arc<CallbackType>),
        }

        impl CType {
            /// Every type that is one word, with its name.
            pub const NAMED: &'static [(&'static str, CType)] = &[
                $( ($name, CType::$variant), )*
            ];

            /// What a value of this type is to the machine.
            pub fn repr(&self) -> Repr {
                match self {
                    $( CType::$variant => $repr, )*
                    CType::Enum(enumeration) => enumeration.repr(),
                    CType::Callback(_) | CType::PointerTo(_) | CType::BytevectorAt => Repr::Pointer,
                    CType::Struct(_) | CType::Array(_) => Repr::Aggregate,
                }
            }

            /// The name of this type; for a form the word that it begins with.
            pub const fn name(&self) -> &'static str {
                match self {
                    $( CType::$variant => $name, )*
                    CType::PointerTo(_) => "pointer",
                    CType::Struct(_) => "struct",
                    CType::Array(_) => "array",
                    CType::Enum(_) => "enum",
                    CType::BytevectorAt => "bytevector-at",
                    CType::Callback(_) => "callback",
                }
            }
        }
    };
}

ctypes! {
    /// No value.
    Void "void" Repr::Void;
    /// `_Bool`. Any value but false is true.
    Bool "bool" Repr::Bool;
    /// `char`, an integer.
    Char "char" plain_char();
    /// `signed char`.
    SChar "schar" Repr::Signed(1);
    /// `unsigned char`.
    UChar "uchar" Repr::Unsigned(1);
    /// `int8_t`.
    Int8 "int8" Repr::Signed(1);
    /// `uint8_t`.
    UInt8 "uint8" Repr::Unsigned(1);
    /// `int16_t`.
    Int16 "int16" Repr::Signed(2);
    /// `uint16_t`.
    UInt16 "uint16" Repr::Unsigned(2);
    /// `int32_t`.
    Int32 "int32" Repr::Signed(4);
    /// `uint32_t`.
    UInt32 "uint32" Repr::Unsigned(4);
    /// `int64_t`.
    Int64 "int64" Repr::Signed(8);
    /// `uint64_t`.
    UInt64 "uint64" Repr::Unsigned(8);
    /// `short`.
    Short "short" signed::<c_short>();
    /// `unsigned short`.
    UShort "ushort" unsigned::<c_ushort>();
    /// `int`.
    Int "int" signed::<c_int>();
    /// `unsigned int`.
    UInt "uint" unsigned::<c_uint>();
    /// `long`.
    Long "long" signed::<c_long>();
    /// `unsigned long`.
    ULong "ulong" unsigned::<c_ulong>();
    /// `long long`.
    LongLong "longlong" signed::<c_longlong>();
    /// `unsigned long long`.
    ULongLong "ulonglong" unsigned::<c_ulonglong>();
    /// `intptr_t`.
    IntPtrT "intptr_t" signed::<isize>();
    /// `uintptr_t`.
    UIntPtrT "uintptr_t" unsigned::<usize>();
    /// `size_t`.
    SizeT "size_t" unsigned::<usize>();
    /// `ssize_t`.
    SSizeT "ssize_t" signed::<isize>();
    /// `float`.
    Float "float" Repr::Float;
    /// `double`.
    Double "double" Repr::Double;
    /// Any pointer to C memory; NULL is allowed.
    Pointer "pointer" Repr::Pointer;
    /// `const char *`: as an argument the string's own bytes, pinned; as a result a copy.
    String "string" Repr::Pointer;
    /// The bytes of a bytevector, pinned for the call. An argument only.
    Bytevector "bytevector" Repr::Pointer;
    /// What C passes back to a callback: in a signature beside a callback with one, and there. It takes no argument.
    Env "env" Repr::Pointer;
    /// `bl_handle`: any value, by a number that C holds. It ends with the call, but for one of `make-handle`.
    Handle "handle" Repr::Pointer;
}

impl CType {
    /// The type that is this one word.
    pub fn named(name: &str) -> Option<CType> {
        let known = CType::NAMED.iter().find(|(known, _)| *known == name);
        known.map(|(_, ctype)| ctype.clone())
    }

    /// The bytes that a value of this type takes in C memory; `None` for `void` and for a struct that
    /// is not defined.
    pub fn size(&self) -> Option<usize> {
        match self {
            CType::Void | CType::Env => None,
            CType::Struct(structure) => Some(structure.layout()?.size),
            CType::Array(array) => Some(array.size()),
            _ => Some(self.repr().size()),
        }
    }

    /// Whether it is the address of C memory, and no string.
    pub(crate) fn is_pointer(&self) -> bool {
        matches!(self, CType::Pointer | CType::PointerTo(_))
    }

    /// What the address of a value of this type is a multiple of. A scalar is aligned as it is large.
    pub fn align(&self) -> usize {
        match self {
            CType::Struct(structure) => structure.layout().map_or(1, |layout| layout.align),
            CType::Array(array) => array.element.align(),
            _ => self.repr().size().max(1),
        }
    }

    /// The number that a pointer to a value of this type carries; 0 for what is no aggregate.
    pub fn number(&self) -> u32 {
        match self {
            CType::Struct(structure) => structure.number(),
            CType::Array(array) => array.number(),
            _ => 0,
        }
    }

    /// This type, if a value of it can stand in C memory; `place` says where it is to stand.
    pub(crate) fn in_memory(self, place: &'static str) -> Result<CType, FfiError> {
        match &self {
            CType::Handle => {
                let error = DeclareError::MisplacedType {
                    type_name: self.to_string(),
                    place,
                    hint: "`uint64` with `handle->integer`, for nobody would free it",
                };
                return Err(error.into());
            }
            CType::Void
            | CType::Bytevector
            | CType::BytevectorAt
            | CType::Callback(_)
            | CType::Env => {
                let error = DeclareError::MisplacedType {
                    type_name: self.to_string(),
                    place,
                    hint: "`pointer`",
                };
                return Err(error.into());
            }
            CType::Struct(structure) => {
                structure.defined()?;
            }
            _ => {}
        }
        Ok(self)
    }

    /// This type, if C can get or give it.
    pub(crate) fn by_value(self, place: &'static str) -> Result<CType, FfiError> {
        match &self {
            CType::Array(array) => {
                let element = array.element.clone();
                return Err(StructError::ArrayByValue { element, place }.into());
            }
            CType::Struct(structure) => byvalue::check(structure, place)?,
            _ => {}
        }
        Ok(self)
    }
}

const _: () = {
    assert!(align_of::<i16>() == 2 && align_of::<i32>() == 4 && align_of::<i64>() == 8);
    assert!(align_of::<f32>() == 4 && align_of::<f64>() == 8 && align_of::<*const u8>() == 8);
};

impl fmt::Display for CType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let callback = match self {
            CType::Callback(callback) => callback,
            CType::PointerTo(structure) => {
                return write!(f, "(pointer (struct {}))", structure.name());
            }
            CType::Struct(structure) => return write!(f, "(struct {})", structure.name()),
            CType::Array(array) => return write!(f, "(array {} {})", array.element, array.count),
            CType::Enum(enumeration) => return write!(f, "(enum {})", enumeration.name()),
            CType::BytevectorAt => return f.write_str("(bytevector-at)"),
            _ => return f.write_str(self.name()),
        };
        f.write_str(match callback.env() {
            Some(_) => "(callback/env (",
            None => "(callback (",
        })?;
        write_list(f, &callback.params)?;
        write!(f, ") {}", callback.result)?;
        if callback.lifetime != Lifetime::Call {
            write!(f, " {}", callback.lifetime.name())?;
        }
        if let Some(value) = callback.on_exit {
            write!(f, " (on-exit {value})")?;
        }
        f.write_str(")")
    }
}

fn write_list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, types: &[T]) -> fmt::Result {
    for (i, t) in types.iter().enumerate() {
        if i > 0 {
            f.write_str(" ")?;
        }
        write!(f, "{t}")?;
    }
    Ok(())
}

/// How long C may go on calling a callback.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Lifetime {
    /// Until the foreign call that it was an argument of returns.
    Call,
    /// As long as the program has it.
    Gc,
    /// Until C has called it.
    Once,
    /// As long as the process lives.
    Forever,
}

impl Lifetime {
    /// The lifetimes that a program can ask for, as it writes them.
    pub const NAMES: &'static [(&'static str, Lifetime)] = &[
        ("call", Lifetime::Call),
        ("gc", Lifetime::Gc),
        ("once", Lifetime::Once),
        ("forever", Lifetime::Forever),
    ];

    /// As a program writes it.
    pub fn name(self) -> &'static str {
        let mut known = Lifetime::NAMES.iter();
        known
            .find(|(_, lifetime)| *lifetime == self)
            .map_or("", |(name, _)| name)
    }
}

/// The C side of a callback.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CallbackType {
    /// What C passes; with an env among it, that finds the procedure.
    pub params: Vec<CType>,
    /// What C gets back.
    pub result: CType,
    /// How long C may call it.
    pub lifetime: Lifetime,
    /// What C gets back when the procedure is left otherwise than by return; 0 when not given.
    pub on_exit: Option<i64>,
}

impl CallbackType {
    /// Which of C's parameters is its env, if one is.
    pub fn env(&self) -> Option<usize> {
        self.params.iter().position(|param| *param == CType::Env)
    }

    /// How many arguments the procedure gets.
    pub fn arguments(&self) -> usize {
        self.params.len() - usize::from(self.env().is_some())
    }
}

/// Which way the value of a parameter goes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Passing {
    /// To C.
    In,
    /// From C, which gets the address of zeroed memory and writes there.
    Out,
    /// To C and back: the memory begins with the argument's value.
    InOut,
}

/// A parameter of a foreign function.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Parameter {
    /// The type of the value.
    pub ctype: CType,
    /// Which way it goes.
    pub passing: Passing,
}

impl Parameter {
    /// What C is handed.
    pub fn repr(&self) -> Repr {
        match self.passing {
            Passing::In => self.ctype.repr(),
            Passing::Out | Passing::InOut => Repr::Pointer,
        }
    }

    /// How many arguments a call has for it.
    pub const fn arguments(&self) -> usize {
        match (self.passing, &self.ctype) {
            (Passing::Out, _) | (Passing::In, CType::Env) => 0,
            (Passing::In, CType::BytevectorAt) => 2,
            (Passing::In | Passing::InOut, _) => 1,
        }
    }

    /// Whether it is a callback that is found by an env.
    pub fn takes_env(&self) -> bool {
        matches!(&self.ctype, CType::Callback(callback) if callback.env().is_some())
    }

    /// Whether a call has a result for it.
    pub const fn is_result(&self) -> bool {
        !matches!(self.passing, Passing::In)
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.passing {
            Passing::In => self.ctype.fmt(f),
            Passing::Out => write!(f, "(out {})", self.ctype),
            Passing::InOut => write!(f, "(inout {})", self.ctype),
        }
    }
}

/// The C side of a foreign function.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Signature {
    /// What the function takes, the variadic part included.
    pub params: Vec<Parameter>,
    /// For a variadic function, how many of the parameters come before its `...`.
    pub fixed: Option<usize>,
    /// What it returns.
    pub result: CType,
}

impl Signature {
    /// How many arguments a call has: those of each parameter.
    pub fn arguments(&self) -> usize {
        self.params.iter().map(Parameter::arguments).sum()
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fixed = self.fixed.unwrap_or(self.params.len());
        let (before, after) = self.params.split_at(fixed.min(self.params.len()));
        f.write_str("(")?;
        write_list(f, before)?;
        if self.fixed.is_some() {
            f.write_str(" ...")?;
            if !after.is_empty() {
                f.write_str(" ")?;
            }
        }
        write_list(f, after)?;
        write!(f, ") {}", self.result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_c() {
        assert_eq!(CType::Int8.repr().range(), Some((-128, 127)));
        assert_eq!(CType::UInt16.repr().range(), Some((0, 65_535)));
        let (low, high) = (i128::from(i64::MIN), i128::from(i64::MAX));
        assert_eq!(CType::Int64.repr().range(), Some((low, high)));
        let top = i128::from(u64::MAX);
        assert_eq!(CType::SizeT.repr().range(), Some((0, top)));
        assert_eq!(CType::Double.repr().range(), None);
    }

    #[test]
    fn sizes_are_those_of_c() {
        assert_eq!(CType::Void.size(), None);
        assert_eq!(CType::Bool.size(), Some(1));
        assert_eq!(CType::Long.size(), Some(size_of::<c_long>()));
        assert_eq!(CType::Float.size(), Some(4));
        assert_eq!(CType::String.size(), Some(8));
    }

    #[test]
    fn names_are_distinct() {
        let mut names: Vec<_> = CType::NAMED.iter().map(|(n, _)| *n).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CType::NAMED.len());
    }
}
