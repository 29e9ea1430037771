//! Fields of the language's own data that have a type of C: their words.
//!
//! Such a field is a raw word of an object, which the collector does not scan: so a type that needs a pin, a
//! closure or memory around it is none for a field. What a `pointer` word points to it does not keep alive.

use crate::convert::{self, Spot};
use crate::declare_error::DeclareError;
use crate::error::FfiError;
use crate::host::Language;
use crate::types::{CType, Repr};
use bowline_gc::{Mutator, OutOfMemory};
use bowline_layout::Value;

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
