//! How far things may go before they are reported instead of done.
//!
//! inv:middle.depth — the expander counts how deep it is in forms inside forms and in expansions of
//! expansions, where a form that binds many variables or has many clauses counts once for each, and
//! stops with a message at [`NESTING_LIMIT`]. The core it makes is not nested more deeply than a
//! small multiple of that, and passes that move procedures stop at [`MOVED_LIMIT`], so the passes,
//! the printers and dropping may recurse.

/// How many forms may be open at once. An expander on a thread with [`STACK_BYTES`] of stack comes
/// this far in a debug build.
pub(crate) const NESTING_LIMIT: u32 = 10_000;

/// How many expansions may lie around one: each a use that the template of the one before brought.
/// Where they nest in no form, as definitions do not, only this ends them.
pub(crate) const EXPANSION_LIMIT: u32 = 2 * NESTING_LIMIT;

/// How deeply core may be nested while procedures are moved to the places that call them: into each
/// other they could be moved as deeply as the program is long.
pub(crate) const MOVED_LIMIT: u32 = 6 * NESTING_LIMIT;

/// How much stack a thread needs that expands and compiles what may be nested to the limit.
pub const STACK_BYTES: usize = 512 << 20;
