//! Whole-system tests: what a user of the built products sees.
//!
//! The tests are the targets under `tests/`; what they run lies in `lang/`. This library holds the
//! text format of those cases, so that every target reads the same one.
//!
//! Absent on purpose: anything that links the runtime. The products are run as processes.

#![forbid(unsafe_code)]

pub mod case;
pub mod process;
