//! Algebraic data types: which constructor a type id stands for, and where its fields lie.
//!
//! inv:data.id — every constructor has a type id of its own, from [`FIRST`] on, and the ids of one datatype
//! follow each other; so a test for a constructor is one comparison with an object's header, and one for a
//! datatype is a range. An id is never used again.
//!
//! inv:data.layout — an object of a constructor has a raw word for each typed field, then a value for each other
//! field, both in the order of the fields; `Values` if none is typed, otherwise `Mixed`. Nothing changes after
//! the object was made.
//!
//! A typed field holds the bits that C would see, so C reads a `double` without a box; a `pointer` field holds
//! the address alone and keeps nothing alive.
//!
//! Absent on purpose: the procedures of a datatype, which expansion makes.

use std::collections::HashMap;
use std::rc::Rc;

use bowline_ffi::data::{self, Exported};
use bowline_ffi::{CType, Repr};
use bowline_layout::{Header, Shape, TypeId, Value};
use bowline_syntax::Number;

use crate::fault::{Fault, Result};
use crate::object;

/// The type id of the first constructor (inv:data.id).
pub const FIRST: u16 = 1024;

/// How many constructors there can be.
pub const CONSTRUCTORS: usize = (1 << 16) - FIRST as usize;

/// Word of a datatype's name.
pub(crate) const NAME: usize = 1;

/// A field of a constructor.
#[derive(Debug)]
pub struct Field {
    /// Its name.
    pub name: Box<str>,
    /// The type of C that it was declared with.
    pub ctype: Option<CType>,
    /// Its word in an object.
    pub word: usize,
}

/// A constructor.
#[derive(Debug)]
pub struct Constructor {
    /// Its name.
    pub name: Box<str>,
    /// The datatype's name.
    pub datatype: Box<str>,
    /// Its fields in order.
    pub fields: Box<[Field]>,
    /// The header of its objects.
    pub header: Header,
}

impl Constructor {
    /// A constructor with these fields: names, and types of C.
    fn new(
        id: TypeId,
        datatype: &str,
        name: &str,
        fields: Vec<(Box<str>, Option<CType>)>,
    ) -> Constructor {
        let raw = fields.iter().filter(|(_, ctype)| ctype.is_some()).count();
        let values = fields.len() - raw;
        let (mut next_raw, mut next_value) = (1, 1 + raw);
        let place = |(name, ctype): (Box<str>, Option<CType>)| {
            let next = match ctype {
                Some(_) => &mut next_raw,
                None => &mut next_value,
            };
            let word = *next;
            *next += 1;
            Field { name, ctype, word }
        };
        Constructor {
            name: name.into(),
            datatype: datatype.into(),
            fields: fields.into_iter().map(place).collect(),
            header: match raw {
                0 => Header::new(Shape::Values, id, values),
                _ => Header::mixed(id, raw, values),
            },
        }
    }

    /// What C is told of it.
    pub(crate) fn exported(&self) -> Exported {
        let fields = self.fields.iter();
        let fields = fields.map(|field| (&*field.name, field.ctype.as_ref()));
        Exported::Made {
            header: self.header,
            layout: data::layout(&self.datatype, &self.name, fields),
        }
    }
}

/// The constructors of a program, and what C may use of them.
#[derive(Default)]
pub struct Datatypes {
    /// By name in C.
    exports: HashMap<Box<str>, Exported>,
    /// By number: the type id without [`FIRST`].
    constructors: Vec<Option<Rc<Constructor>>>,
}

/// Name and fields of a constructor that is to be.
pub(crate) type Draft = (Box<str>, Vec<(Box<str>, Option<CType>)>);

impl Datatypes {
    /// Whether the constructor of this number is defined.
    pub(crate) fn is_defined(&self, number: usize) -> bool {
        matches!(self.constructors.get(number), Some(Some(_)))
    }

    /// Defines constructors with numbers from `first` on. False if these are more than there can be.
    pub(crate) fn define(&mut self, first: usize, datatype: &str, drafts: Vec<Draft>) -> bool {
        let end = first + drafts.len();
        if end > CONSTRUCTORS {
            return false;
        }
        if self.constructors.len() < end {
            self.constructors.resize(end, None);
        }
        for (number, (name, fields)) in (first..end).zip(drafts) {
            let id = TypeId(FIRST + number as u16);
            let constructor = Constructor::new(id, datatype, &name, fields);
            self.constructors[number] = Some(Rc::new(constructor));
        }
        true
    }

    /// Exports something to C. False if the name stands for something else.
    pub(crate) fn export(&mut self, name: &str, what: Exported) -> bool {
        *self.exports.entry(name.into()).or_insert(what) == what
    }

    /// The same, whatever the name has stood for.
    pub(crate) fn export_anew(&mut self, name: &str, what: Exported) {
        self.exports.insert(name.into(), what);
    }

    /// What was exported under this name.
    pub fn exported(&self, name: &str) -> Option<Exported> {
        self.exports.get(name).copied()
    }

    /// The constructor of this number.
    pub(crate) fn numbered(&self, number: Value) -> Option<&Rc<Constructor>> {
        let number = usize::try_from(number.as_fixnum()?).ok()?;
        self.constructors.get(number)?.as_ref()
    }

    /// The constructor that made an object.
    #[inline]
    pub fn of(&self, v: Value) -> Option<&Rc<Constructor>> {
        let number = object::type_id(v)?.0.checked_sub(FIRST)?;
        self.constructors.get(usize::from(number))?.as_ref()
    }
}

/// Whether `v` is an object of a constructor (inv:data.id).
#[inline]
pub fn is_data(v: Value) -> bool {
    object::type_id(v).is_some_and(|id| id.0 >= FIRST)
}

/// Where the raw words of such an object end and its values begin, and where those end.
pub(crate) fn words(v: Value) -> (usize, usize) {
    let header = object::header(v);
    match header.shape() {
        Shape::Mixed => {
            let values = 1 + header.mixed_raw();
            (values, values + header.mixed_values())
        }
        _ => (1, 1 + header.length()),
    }
}

/// The number, or the truth value, that the word of a typed field stands for, as text; `pointer` gives nothing.
pub(crate) fn word_text(ctype: &CType, word: u64) -> Option<String> {
    Some(match ctype.repr() {
        Repr::Bool => (if word as u8 == 0 { "#f" } else { "#t" }).to_owned(),
        Repr::Float => Number::Real(f32::from_bits(word as u32).into()).to_string(10),
        Repr::Double => Number::Real(f64::from_bits(word)).to_string(10),
        Repr::Signed(bytes) => {
            let unused = 64 - u32::from(bytes) * 8;
            (((word << unused) as i64) >> unused).to_string()
        }
        Repr::Unsigned(bytes) => {
            let unused = 64 - u32::from(bytes) * 8;
            (word << unused >> unused).to_string()
        }
        _ => return None,
    })
}

/// The symbol that the word of a typed field stands for, if that is of an enumeration and it has one.
pub(crate) fn word_symbol(ctype: &CType, word: u64) -> Option<Value> {
    let enumeration = ctype.as_enum()?;
    enumeration.symbol_of(match ctype.repr() {
        Repr::Unsigned(_) => i64::from(word as u32),
        _ => i64::from(word as i32),
    })
}

/// `Err` of what a procedure got that is no object of a constructor; `who` is a symbol.
#[cold]
pub(crate) fn not_made<T>(
    types: &Datatypes,
    who: Value,
    wanted: &Constructor,
    got: Value,
) -> Result<T> {
    let same = |c: &Rc<Constructor>| c.name == wanted.name && c.datatype == wanted.datatype;
    let mut text = format!("made by `{}` of {}", wanted.name, wanted.datatype);
    if types.of(got).is_some_and(same) {
        text += " as it is defined here";
    }
    let wanted = text;
    Err(Box::new(Fault::NotMade { who, wanted, got }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(types: &[Option<CType>]) -> Vec<(Box<str>, Option<CType>)> {
        types.iter().map(|t| ("f".into(), t.clone())).collect()
    }

    #[test]
    fn typed_fields_come_first_and_keep_their_order() {
        let mixed = [None, Some(CType::Double), None, Some(CType::Int8)];
        let made = Constructor::new(TypeId(FIRST), "t", "c", fields(&mixed));
        let words: Vec<usize> = made.fields.iter().map(|field| field.word).collect();
        assert_eq!(words, [3, 1, 4, 2]);
        assert_eq!(
            (made.header.mixed_raw(), made.header.mixed_values()),
            (2, 2)
        );
        let plain = Constructor::new(TypeId(FIRST), "t", "c", fields(&[None, None]));
        assert_eq!(plain.header, Header::new(Shape::Values, TypeId(FIRST), 2));
    }

    #[test]
    fn constructors_run_out() {
        let draft = || ("c".into(), Vec::new());
        let mut types = Datatypes::default();
        assert!(!types.define(CONSTRUCTORS - 1, "t", vec![draft(), draft()]));
        assert!(types.define(CONSTRUCTORS - 1, "t", vec![draft()]));
        let last = types.numbered(Value::fixnum(CONSTRUCTORS as i64 - 1));
        let id = last.map(|constructor| constructor.header.type_id());
        assert_eq!(id, Some(TypeId(u16::MAX)));
        assert!(types.numbered(Value::fixnum(0)).is_none());
    }

    #[test]
    fn words_read_as_their_type_says() {
        let text = |ctype, word| word_text(&ctype, word);
        assert_eq!(text(CType::Int8, 0xff).as_deref(), Some("-1"));
        assert_eq!(text(CType::UInt8, 0xff).as_deref(), Some("255"));
        assert_eq!(
            text(CType::UInt64, u64::MAX).as_deref(),
            Some("18446744073709551615")
        );
        assert_eq!(text(CType::Bool, 1).as_deref(), Some("#t"));
        assert_eq!(text(CType::Bool, 0).as_deref(), Some("#f"));
        assert_eq!(
            text(CType::Double, 2.5f64.to_bits()).as_deref(),
            Some("2.5")
        );
        let half = 0.5f32.to_bits();
        assert_eq!(text(CType::Float, half.into()).as_deref(), Some("0.5"));
        assert_eq!(text(CType::Pointer, 8), None);
    }
}
