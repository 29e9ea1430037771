//! Whole-system tests: what a user of the built products sees.
//!
//! The tests are the targets under `tests/`; what they run lies in `capi/`, `lang/`, `malloc/` and `memory/`. This
//! library holds what more than one of them needs: the text format of the language's cases, and
//! processes, folders, C programs and mallocs to run, and how a target runs its trials.
//!
//! Absent on purpose: anything that links the runtime. The products are run as processes.

#![forbid(unsafe_code)]

pub mod case;
pub mod compiler;
pub mod malloc;
pub mod process;
pub mod scratch;
pub mod trials;
