//! The language's side of the C boundary.

use bowline_ffi::Library;
use std::sync::Arc;

/// Foreign libraries and procedures; heap objects hold indices into these.
#[derive(Default)]
pub struct Foreign {
    /// Opened libraries.
    pub libraries: Vec<Arc<Library>>,
}
