//! gc/heap
