//! The heap profile: which places of the program hold the memory, and which have taken how much, by samples.
//!
//! Of all bytes that are asked for each one is chosen with the same small chance, 1 in `interval`; a block with a chosen byte is a
//! sample, and the stack that asked for it is kept ([`tables`]). So large blocks are nearly always seen and small ones in
//! proportion, and what is seen can be multiplied back ([`chance`]): the sums are true on average, whatever the sizes are.
//!
//! ```text
//!   allocation, slow path ──► bytes left until the chosen one ──► none left: the stack, a record of the block
//!   free, slow path       ──► a block of the page is sampled?  ──► its record, if it has one: given back
//! ```
//!
//! `inv:profile.word` While there is a profile the word of a thread stays EMPTY, as in the hardened mode (`inv:hardened.word`): every
//! call takes its slow path, and the fast paths know nothing of this. Before it and without it nothing is counted.
//!
//! What is allocated in a handler that has interrupted the allocator is not sampled, and neither is what a thread asks for after its
//! end. Sampling runs busy: what the backtrace itself allocates comes from borrowed heaps.
//!
//! Bytes are those asked for. A block that `realloc` leaves in its page keeps the number it began with.

#[cfg(not(loom))]
mod chance;
#[cfg(not(loom))]
mod sampling;
pub mod tables;
#[cfg(test)]
mod tests;

#[cfg(not(loom))]
pub use sampling::Summary;
#[cfg(not(loom))]
pub(crate) use sampling::{Profile, Until};
pub use tables::{Backtrace, DEPTH, Site};
