//! Atomics, from core or from loom.
//!
//! What is lock-free takes its atomics from here, so that `--cfg loom` runs the same code under the model checker. Loom's
//! atomics cannot be made in a constant; `const_fn!` makes the constructors that hold one `const` in the product alone.

#[cfg(not(loom))]
pub(crate) use core::sync::atomic::{
    AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
};
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{
    AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
};

#[cfg(not(loom))]
pub(crate) use core::hint::spin_loop as spin;
#[cfg(loom)]
pub(crate) use loom::thread::yield_now as spin;

/// A function that is `const` wherever atomics can be made in constants.
macro_rules! const_fn {
    ($(#[$attribute:meta])* $visibility:vis fn $($rest:tt)*) => {
        #[cfg(not(loom))]
        $(#[$attribute])*
        $visibility const fn $($rest)*
        #[cfg(loom)]
        $(#[$attribute])*
        $visibility fn $($rest)*
    };
}
pub(crate) use const_fn;
