//! lang/engine
