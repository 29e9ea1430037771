//! The word of a slot that says whose it is, and whether it is live.
//!
//! ```text
//!  63   56 55           28 27          16 15    8 7        0
//! +-------+---------------+--------------+-------+----------+
//! |  tag  |  generation   |      0       | owner | kind     |
//! +-------+---------------+--------------+-------+----------+
//! ```
//!
//! It is a handle's bits with the owner and the kind where the index stands. So one comparison tells that a handle is of
//! this process, of the slot's generation, and live. Local handles alone have an owner, and not all of them; for other
//! kinds it is 0.

use super::{GENERATION_BITS, Handle, HandleKind, INDEX_BITS, MAX_GENERATION};
use crate::sync::OWNERS;

/// The kinds of a state that are no [`HandleKind`].
pub(super) const FREE: u8 = 0;
pub(super) const SCOPE_ENDED: u8 = 4;
/// The bit that a live state has while its value is being replaced.
pub(super) const BUSY: u64 = 0x80;

/// Where a state has its slot's owner.
pub(super) const OWNER_BITS: u32 = 8;
pub(super) const OWNER: u64 = 0xff << OWNER_BITS;
const _: () = assert!(OWNERS < 1 << 8);

pub(super) const LINK_BYTE: u64 = 0x57;
pub(super) const FIRST_GENERATION: u32 = 1;
/// What of a state, and of a handle's bits, is tag and generation.
pub(super) const NAME: u64 = !0 << INDEX_BITS;

pub(super) const fn pack(tag: u8, generation: u32, kind: u8) -> u64 {
    (tag as u64) << (INDEX_BITS + GENERATION_BITS) | (generation as u64) << INDEX_BITS | kind as u64
}

pub(super) const fn generation_of(state: u64) -> u32 {
    (state >> INDEX_BITS) as u32 & MAX_GENERATION
}

pub(super) const fn owner_of(state: u64) -> u32 {
    ((state & OWNER) >> OWNER_BITS) as u32
}

pub(super) const fn kind_of(state: u64) -> Option<HandleKind> {
    match (state & !NAME & !OWNER) as u32 {
        1 => Some(HandleKind::Local),
        2 => Some(HandleKind::Global),
        3 => Some(HandleKind::Weak),
        _ => None,
    }
}

/// Whether a slot in this state is the handle's, live, and not busy (`inv:handle.generation`, `inv:handle.tag`).
#[inline(always)]
pub(super) const fn is_live(state: u64, handle: Handle) -> bool {
    const FIRST: u64 = HandleKind::Local as u64;
    const LAST: u64 = HandleKind::Weak as u64;
    // The kind, if all else agrees.
    let kind = (state ^ (handle.bits() & NAME)) & !OWNER;
    kind.wrapping_sub(FIRST) <= LAST - FIRST
}

/// What the state of a live slot has besides the name.
#[inline(always)]
pub(super) const fn mark(kind: HandleKind, owner: u32) -> u64 {
    match kind {
        HandleKind::Local => kind as u64 | (owner as u64) << OWNER_BITS,
        _ => kind as u64,
    }
}

/// The state of a slot that was in this one and is free, for a reason.
pub(super) const fn freed(state: u64, reason: u8) -> u64 {
    ((state & NAME) + (1 << INDEX_BITS)) | reason as u64
}
