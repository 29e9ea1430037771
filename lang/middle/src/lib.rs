//! lang/middle
