//! Threads that hand blocks to each other, end and begin anew while one looks on: for the thread sanitizer.
//!
//! ```text
//! RUSTC_BOOTSTRAP=1 RUSTFLAGS='-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer' \
//!     cargo test -p bowline-alloc --test races --target x86_64-unknown-linux-gnu
//! ```
//!
//! The compiler comes with a standard library that the sanitizer does not see into: what is handed over there looks like a race.
//! Therefore nothing of it stands between these threads. They are begun and joined by libc, which the sanitizer knows, and blocks go
//! from one to the other through atomics alone. What a thread writes into a block is plain memory: where the allocator gives
//! it to the next thread without an order between the two, that is a race as well, and told.
//!
//! Each storm has a process of its own, which the binary starts with the storm's name in `BOWLINE_RACES`. Without the sanitizer
//! it is a storm like others, in which contents and accounts are verified.
//!
//! Absent: fork and handlers; [`walk`](bowline_alloc::walk), which on purpose reads blocks that others write; and threads of whose end
//! nobody is told, for what orders them and their heirs happens inside libc.

#[cfg(not(loom))]
#[path = "support/blocks.rs"]
mod blocks;

#[cfg(not(loom))]
#[path = "support/race.rs"]
mod race;

#[cfg(not(loom))]
fn main() {
    race::main();
}

#[cfg(loom)]
fn main() {}
