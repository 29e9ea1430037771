//! What `(bowline ffi)` is made of.

use crate::primitive::Primitive;

pub(super) const TABLE: &[Primitive] = &[];
