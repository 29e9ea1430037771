//! The language's side of the C boundary.

use std::sync::Arc;

use bowline_ffi::{ForeignFunction, Library};
use bowline_layout::Value;

/// Foreign libraries and procedures; heap objects hold indices into these.
#[derive(Default)]
pub struct Foreign {
    /// Opened libraries.
    pub libraries: Vec<Arc<Library>>,
    /// Foreign procedures.
    pub procedures: Vec<Arc<ForeignFunction>>,
}

impl Foreign {
    /// How many arguments the foreign procedure of this index takes.
    pub(crate) fn parameters(&self, _index: Value) -> Option<usize> {
        None
    }
}
