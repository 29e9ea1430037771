//! lang/vm
