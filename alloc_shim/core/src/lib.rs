//! The static region: memory that never moves, is never collected and is known by its address.
#![cfg_attr(not(any(test, loom)), no_std)]
