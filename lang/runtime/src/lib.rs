//! lang/runtime
