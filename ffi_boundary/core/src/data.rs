//! The language's own data for C: objects of constructors, whose fields may have a type of C.
//!
//! A field with a type is a raw word of an object; those come first, then the other fields, which are values.
//!
//! A raw word is nothing that the collector scans: so a type that needs a pin, a
//! closure or memory around it is none for a field. What a `pointer` word points to it does not keep alive.

use crate::convert::{self, Spot};
use crate::declare_error::DeclareError;
use crate::error::FfiError;
use crate::exported::ExportedProcedure;
use crate::host::Language;
use crate::object;
use crate::types::{CType, Repr};
use bowline_gc::{Mutator, OutOfMemory, access};
use bowline_layout::{Header, Shape, Tag, Value};

/// This type, if a field of a constructor can have it.
pub fn field_type(ctype: CType) -> Result<CType, FfiError> {
    let fits = match ctype {
        CType::Pointer | CType::PointerTo(_) => true,
        _ => !matches!(ctype.repr(), Repr::Void | Repr::Aggregate | Repr::Pointer),
    };
    match fits {
        true => Ok(ctype),
        false => Err(DeclareError::MisplacedType {
            type_name: ctype.to_string(),
            place: "the type of a constructor's field",
            hint: "a field without a type, or `pointer`",
        }
        .into()),
    }
}

/// The word of a value for the field `field` of `constructor`.
pub fn field_word<L: Language + ?Sized>(
    language: &L,
    ctype: &CType,
    v: Value,
    constructor: &str,
    field: &str,
) -> Result<u64, FfiError> {
    let spot = Spot::Part { constructor, field };
    convert::to_word(language, ctype, v, &spot)
}

/// The value of the word of a field. May collect.
pub fn field_value(mutator: &mut Mutator, ctype: &CType, word: u64) -> Result<Value, OutOfMemory> {
    convert::word_value(mutator, ctype, word)
}

/// How C knows what was exported to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exported {
    /// A constructor: the header of its objects, and a number for the names and types of its fields.
    Made {
        /// The header, without flags.
        header: Header,
        /// [`layout`] of the constructor.
        layout: u64,
    },
    /// The empty list.
    Null,
    /// A pair.
    Pair,
    /// A procedure.
    Procedure(&'static ExportedProcedure),
}

impl Exported {
    /// The number for the fields of pairs and of the empty list.
    pub const OF_LISTS: u64 = 0;

    /// The number for its fields, or its types.
    pub fn layout(self) -> u64 {
        match self {
            Exported::Made { layout, .. } => layout,
            Exported::Procedure(procedure) => procedure.layout(),
            _ => Exported::OF_LISTS,
        }
    }
}

/// A number for a constructor with these fields, which another one hardly has: FNV-1a of the names and types.
pub fn layout<'a>(
    datatype: &str,
    constructor: &str,
    fields: impl IntoIterator<Item = (&'a str, Option<&'a CType>)>,
) -> u64 {
    let mut text = format!("{datatype} {constructor}");
    for (name, ctype) in fields {
        let ctype = ctype.map_or_else(String::new, CType::to_string);
        text += &format!("\n{name} {ctype}");
    }
    let step = |h: u64, b: &u8| (h ^ u64::from(*b)).wrapping_mul(0x0000_0100_0000_01b3);
    text.as_bytes().iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// Whether a header, whatever its flags, is that of a constructor's objects.
pub fn is_made(v: Value, header: Header) -> bool {
    object::type_of(v) == Some(header.type_id())
}

/// A new object of a constructor: its raw words, and what gives each of its values, which may not allocate. May
/// collect, but not once the first value was asked for.
pub fn make<E: From<OutOfMemory>>(
    mutator: &mut Mutator,
    header: Header,
    words: &[u64],
    mut value: impl FnMut(&mut Mutator, usize) -> Result<Value, E>,
) -> Result<Value, E> {
    let made = mutator.alloc(header, Tag::Object)?;
    let (raw, values) = counts(header);
    assert_eq!(raw, words.len(), "a word for each typed field");
    for (i, &word) in words.iter().enumerate() {
        // SAFETY: inv:data.counts: the object has so many raw words behind its header.
        unsafe { access::set_word(made, 1 + i, word) };
    }
    for i in 0..values {
        let v = value(mutator, i)?;
        // SAFETY: inv:data.counts: and so many values; nothing was allocated since the object was.
        unsafe { access::init(made, 1 + raw + i, v) };
    }
    Ok(made)
}

/// How many raw words objects with this header have, and how many values.
///
/// `inv:data.counts` These are all words of such an object, raw ones first.
pub fn counts(header: Header) -> (usize, usize) {
    match header.shape() {
        Shape::Mixed => (header.mixed_raw(), header.mixed_values()),
        _ => (0, header.length()),
    }
}

/// Raw word `i` of an object of the constructor with this header.
pub fn word(v: Value, header: Header, i: usize) -> u64 {
    assert!(is_made(v, header) && i < counts(header).0);
    // SAFETY: inv:data.counts
    unsafe { access::word(v, 1 + i) }
}

/// Value `i` of an object of the constructor with this header.
pub fn value(v: Value, header: Header, i: usize) -> Value {
    let (raw, values) = counts(header);
    assert!(is_made(v, header) && i < values);
    // SAFETY: inv:data.counts
    unsafe { access::published(v, 1 + raw + i) }
}

/// Both fields of a pair.
pub fn pair(v: Value) -> Option<(Value, Value)> {
    if !v.is_pair() {
        return None;
    }
    // SAFETY: a pair has two words, both values.
    let car = unsafe { access::published(v, 0) };
    // SAFETY: as above.
    let cdr = unsafe { access::published(v, 1) };
    Some((car, cdr))
}

/// How far the constructor of an object stands behind the one with this header, by their type ids.
pub fn index(v: Value, first: Header) -> Option<u32> {
    let index = object::type_of(v)?.0.checked_sub(first.type_id().0)?;
    Some(index.into())
}
