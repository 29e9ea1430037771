//! From what a program writes to the types of a procedure that it exports to C.

use super::{TypeExpr, check_count, misplaced, parameter};
use crate::aggregate::Types;
use crate::error::FfiError;
use crate::types::{CType, Repr};

impl TypeExpr {
    /// The types of a procedure that C calls by its name: its parameters' and its result's.
    pub fn parse_exported(
        params: &[TypeExpr],
        result: &TypeExpr,
        types: &mut Types,
    ) -> Result<(Vec<CType>, CType), FfiError> {
        check_count(params.len())?;
        let params = params.iter().map(|param| match param.parse(types)? {
            CType::String => Ok(CType::String),
            ctype => word(parameter(ctype)?, "a parameter of an exported procedure"),
        });
        let params = params.collect::<Result<Vec<_>, FfiError>>()?;
        let result = word(result.parse(types)?, "the result of an exported procedure")?;
        Ok((params, result))
    }
}

/// A type whose values are a word, which needs no memory of its own.
fn word(ctype: CType, place: &'static str) -> Result<CType, FfiError> {
    let hint = match (&ctype, ctype.repr()) {
        (CType::Pointer | CType::PointerTo(_) | CType::Handle, _) => return Ok(ctype),
        (CType::String | CType::Bytevector | CType::BytevectorAt, _) => "`handle`",
        (_, Repr::Pointer | Repr::Aggregate) => "`pointer`",
        _ => return Ok(ctype),
    };
    Err(misplaced(&ctype, place, hint))
}
