//! Structs and arrays: C's layout of them, and the table of those that a program knows.
//!
//! `inv:aggregate.layout` A field begins at the first multiple of its type's alignment behind the field
//! before it. A struct is aligned as the field that is aligned most, and its size is a multiple of that.
//! An array is its elements. That is C's layout on every machine that we run on.
//!
//! `inv:aggregate.once` A struct gets its fields once. Whoever holds a [`StructType`] that has them may
//! keep offsets; a name that is defined anew stands for a new type.
//!
//! A struct is known by its name, in one table for a program, as a tag is in C. `(pointer (struct S))`
//! may stand before the definition of S, and so a struct can point to itself; a struct's size needs it.
//!
//! Absent on purpose: unions, bit fields, packed structs.

use crate::byvalue::Description;
use crate::declare_error::DeclareError;
use crate::enums::EnumType;
use crate::error::FfiError;
use crate::parse::TypeExpr;
use crate::struct_error::StructError;
use crate::types::{CType, Repr};
use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

/// No type is larger than this; more than any machine has, so that no sum of two overflows.
const MOST_BYTES: usize = 1 << 46;

/// A struct, with or without its fields.
pub struct StructType {
    name: Box<str>,
    number: u32,
    layout: OnceLock<Layout>,
    description: OnceLock<Description>,
}

/// Where a struct's fields are (`inv:aggregate.layout`).
#[derive(Debug)]
pub struct Layout {
    /// The fields, in order.
    pub fields: Box<[Field]>,
    /// The bytes of the struct.
    pub size: usize,
    /// What its address is a multiple of.
    pub align: usize,
}

/// A field of a struct.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Field {
    /// Its name.
    pub name: Box<str>,
    /// Its type.
    pub ctype: CType,
    /// The bytes before it.
    pub offset: usize,
}

impl StructType {
    /// The name that the program gave it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number that pointers to it carry.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Where its fields are, once it is defined.
    pub fn layout(&self) -> Option<&Layout> {
        self.layout.get()
    }

    /// As [`StructType::layout`], for who cannot do without.
    pub fn defined(&self) -> Result<&Layout, FfiError> {
        self.layout.get().ok_or_else(|| {
            let name = self.name.to_string();
            StructError::Undefined { name }.into()
        })
    }

    /// What libffi must know of it where it is handed over by value; `None` until it is defined.
    pub(crate) fn description(&self) -> Option<&Description> {
        let layout = self.layout()?;
        Some(self.description.get_or_init(|| Description::of(layout)))
    }
}

/// A type is itself and no other of the same name (`inv:aggregate.once`).
impl PartialEq for StructType {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for StructType {}

impl Hash for StructType {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.number.hash(state);
    }
}

/// A struct may refer to itself, so its fields are left out.
impl fmt::Debug for StructType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StructType({} {})", self.name, self.number)
    }
}

/// So many elements of a type, one after another.
#[derive(PartialEq, Eq, Hash, Debug)]
pub struct ArrayType {
    /// The type of each.
    pub element: CType,
    /// How many; 0 for an array at a struct's end whose length only the program knows.
    pub count: usize,
    number: u32,
}

impl ArrayType {
    /// The number that pointers to it carry; 0 if nothing is known of its length.
    pub fn number(&self) -> u32 {
        if self.count == 0 { 0 } else { self.number }
    }

    /// Whether its elements are bytes, so that it may be text.
    pub fn is_bytes(&self) -> bool {
        matches!(self.element.repr(), Repr::Signed(1) | Repr::Unsigned(1))
    }

    /// The bytes of the array.
    pub fn size(&self) -> usize {
        self.count * self.element.size().unwrap_or(0)
    }
}

/// The structs, arrays and enumerations that a program knows.
#[derive(Default)]
pub struct Types {
    structs: HashMap<Box<str>, Arc<StructType>>,
    arrays: HashMap<(CType, usize), Arc<ArrayType>>,
    /// Each at its number less 1.
    numbered: Vec<CType>,
    pub(crate) enums: HashMap<Box<str>, Arc<EnumType>>,
    /// Each at its number.
    pub(crate) numbered_enums: Vec<Arc<EnumType>>,
}

impl Types {
    /// What a pointer with this number points to; `None` for 0.
    pub fn target(&self, number: u32) -> Option<&CType> {
        self.numbered.get((number as usize).checked_sub(1)?)
    }

    /// The struct with this number.
    pub fn structure(&self, number: u32) -> Option<&Arc<StructType>> {
        match self.target(number)? {
            CType::Struct(structure) => Some(structure),
            _ => None,
        }
    }

    /// How many types there are. As long as there are no more a name stands for what it did.
    pub fn count(&self) -> usize {
        self.numbered.len() + self.numbered_enums.len()
    }

    fn next_number(&self) -> u32 {
        self.numbered.len() as u32 + 1
    }

    fn fresh(&mut self, name: &str) -> Arc<StructType> {
        let structure = Arc::new(StructType {
            name: name.into(),
            number: self.next_number(),
            layout: OnceLock::new(),
            description: OnceLock::new(),
        });
        self.numbered.push(CType::Struct(structure.clone()));
        self.structs.insert(name.into(), structure.clone());
        structure
    }

    /// The struct of this name, which may not have its fields yet.
    pub fn named(&mut self, name: &str) -> Arc<StructType> {
        match self.structs.get(name) {
            Some(known) => known.clone(),
            None => self.fresh(name),
        }
    }

    /// So many elements of this type.
    pub(crate) fn array(
        &mut self,
        element: CType,
        count: usize,
    ) -> Result<Arc<ArrayType>, FfiError> {
        let size = element.size().and_then(|size| size.checked_mul(count));
        if size.is_none_or(|size| size > MOST_BYTES) {
            let type_name = format!("(array {element} {count})");
            return Err(StructError::TooLarge { type_name }.into());
        }
        let key = (element, count);
        if let Some(known) = self.arrays.get(&key) {
            return Ok(known.clone());
        }
        let array = Arc::new(ArrayType {
            element: key.0.clone(),
            count,
            number: self.next_number(),
        });
        self.numbered.push(CType::Array(array.clone()));
        self.arrays.insert(key, array.clone());
        Ok(array)
    }

    /// Defines the struct `name`. The same definition once more gives the same type; another one is
    /// an error, or with `anew` a new type that the name stands for from now on.
    pub fn define(
        &mut self,
        name: &str,
        fields: &[(String, TypeExpr)],
        anew: bool,
    ) -> Result<Arc<StructType>, FfiError> {
        let known = self.named(name);
        let layout = self.lay_out(name, fields)?;
        match known.layout() {
            None => {
                // Nobody but this function sets it, and it has `self` to itself.
                let _ = known.layout.set(layout);
                Ok(known)
            }
            Some(old) if old.fields == layout.fields => Ok(known),
            Some(_) if anew => {
                // Fields that point to the struct point to the new one.
                let structure = self.fresh(name);
                let layout = self.lay_out(name, fields)?;
                let _ = structure.layout.set(layout);
                Ok(structure)
            }
            Some(_) => {
                let name = name.to_owned();
                Err(StructError::Redefined { name }.into())
            }
        }
    }

    fn lay_out(&mut self, name: &str, fields: &[(String, TypeExpr)]) -> Result<Layout, FfiError> {
        let (mut size, mut align) = (0usize, 1);
        let mut placed: Vec<Field> = Vec::with_capacity(fields.len());
        for (field, expr) in fields {
            if placed.iter().any(|known| *known.name == **field) {
                let (name, field) = (name.to_owned(), field.clone());
                return Err(StructError::DuplicateField { name, field }.into());
            }
            let ctype = self
                .field_type(name, expr)
                .map_err(|error| type_first(field, error))?;
            let offset = size.next_multiple_of(ctype.align());
            size = offset + ctype.size().unwrap_or(0);
            if size > MOST_BYTES {
                let type_name = format!("(struct {name})");
                return Err(StructError::TooLarge { type_name }.into());
            }
            align = align.max(ctype.align());
            placed.push(Field {
                name: field.as_str().into(),
                ctype,
                offset,
            });
        }
        if placed.is_empty() {
            let name = name.to_owned();
            return Err(StructError::NoFields { name }.into());
        }
        Ok(Layout {
            fields: placed.into(),
            size: size.next_multiple_of(align),
            align,
        })
    }

    fn field_type(&mut self, name: &str, expr: &TypeExpr) -> Result<CType, FfiError> {
        if expr.mentions_by_value(name) {
            let name = name.to_owned();
            return Err(StructError::ContainsItself { name }.into());
        }
        expr.parse(self)?.in_memory("a field of a struct")
    }
}

/// What is wrong with the type of a field: that it is the name, if the name is a type.
fn type_first(field: &str, error: FfiError) -> FfiError {
    if let FfiError::Declare(declare) = &error
        && let DeclareError::UnknownType { text } = &**declare
        && CType::named(field).is_some()
    {
        let (type_name, field) = (field.to_owned(), text.clone());
        return StructError::TypeFirst { type_name, field }.into();
    }
    error
}
