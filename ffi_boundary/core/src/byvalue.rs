//! Structs that C gets and gives by value, as libffi must know them.
//!
//! `inv:byvalue.still` What describes a struct is made once, kept with it and never written to again: its size and
//! alignment are set from the beginning, so libffi has nothing to find out. It refers to descriptions of the fields'
//! types, which live as long, for a struct keeps the types of its fields.
//!
//! libffi knows no arrays, so an array in a struct stands there as its elements.

use crate::aggregate::{Layout, StructType};
use crate::cif;
use crate::error::FfiError;
use crate::struct_error::StructError;
use crate::types::CType;
use libffi::low::{ffi_type, type_tag};

/// The most elements of arrays and fields that a struct is described with.
const MOST_ELEMENTS: usize = 4096;

/// A struct of more bytes than this is handed over in memory whatever is in it, so nobody asks for its fields: in
/// the calling conventions of x86-64 ("System V Application Binary Interface", 3.2.3).
const ALWAYS_IN_MEMORY: usize = if cfg!(all(target_arch = "x86_64", unix)) {
    32
} else {
    usize::MAX
};

/// The description of a struct.
pub(crate) struct Description {
    raw: Box<ffi_type>,
    /// What `raw` refers to, ended by a null pointer.
    _elements: Box<[*mut ffi_type]>,
}

// SAFETY: inv:byvalue.still
unsafe impl Send for Description {}
// SAFETY: inv:byvalue.still
unsafe impl Sync for Description {}

impl Description {
    /// Describes a struct.
    pub(crate) fn of(layout: &Layout) -> Description {
        let mut elements = Vec::new();
        if layout.size > ALWAYS_IN_MEMORY {
            elements.push(cif::ffi_type_of(&CType::UInt8));
        } else {
            for field in &layout.fields {
                add_elements(&field.ctype, &mut elements);
            }
        }
        elements.push(std::ptr::null_mut());
        let mut elements = elements.into_boxed_slice();
        let raw = Box::new(ffi_type {
            size: layout.size,
            alignment: layout.align as u16,
            type_: type_tag::STRUCT,
            elements: elements.as_mut_ptr(),
        });
        Description {
            raw,
            _elements: elements,
        }
    }

    /// For libffi, which only reads it.
    pub(crate) fn as_ptr(&self) -> *mut ffi_type {
        (&raw const *self.raw).cast_mut()
    }
}

fn add_elements(ctype: &CType, elements: &mut Vec<*mut ffi_type>) {
    match ctype {
        CType::Array(array) => {
            (0..array.count).for_each(|_| add_elements(&array.element, elements));
        }
        _ => elements.push(cif::ffi_type_of(ctype)),
    }
}

/// How many elements describe a value of this type; `None` if an array in it has none.
fn count_elements(ctype: &CType) -> Option<usize> {
    match ctype {
        CType::Array(array) if array.count == 0 => None,
        CType::Array(array) => Some(count_elements(&array.element)?.saturating_mul(array.count)),
        CType::Struct(structure) => {
            let fields = structure.layout().map_or(&[][..], |layout| &layout.fields);
            fields.iter().try_fold(0usize, |sum, field| {
                Some(sum.saturating_add(count_elements(&field.ctype)?))
            })
        }
        _ => Some(1),
    }
}

/// Whether C can have this struct at `place` by value: it is defined, and all of it is known.
pub(crate) fn check(structure: &StructType, place: &'static str) -> Result<(), FfiError> {
    let layout = structure.defined()?;
    let counts = layout
        .fields
        .iter()
        .map(|field| count_elements(&field.ctype));
    let name = || structure.name().to_owned();
    let mut sum = 0usize;
    for count in counts {
        match count {
            Some(count) => sum = sum.saturating_add(count),
            None => {
                return Err(StructError::OpenEnd {
                    name: name(),
                    place,
                }
                .into());
            }
        }
    }
    if layout.size <= ALWAYS_IN_MEMORY && sum > MOST_ELEMENTS {
        let (name, limit) = (name(), MOST_ELEMENTS);
        return Err(StructError::TooManyElements { name, place, limit }.into());
    }
    Ok(())
}
