//! How far things may go before they are reported instead of done.
//!
//! inv:middle.depth — the expander counts how deep it is in forms inside forms and in expansions of
//! expansions, where a form that binds many variables or has many clauses counts once for each, and
//! stops with a message at [`NESTING_LIMIT`]. The core it makes is not nested more deeply than a
//! small multiple of that, so the passes, the printers and dropping may recurse.

/// How many forms may be open at once. An expander on a thread with [`STACK_BYTES`] of stack comes
/// this far in a debug build.
pub(crate) const NESTING_LIMIT: u32 = 10_000;

/// How much stack a thread needs that expands and compiles what may be nested to the limit.
pub const STACK_BYTES: usize = 512 << 20;
