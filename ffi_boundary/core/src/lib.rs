//! ffi_boundary/core
