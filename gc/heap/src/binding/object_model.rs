//! Objects as MMTk sees them: where their metadata is, how large they are, how they are copied.
//!
//! `inv:object.forward` The forwarding pointer overwrites word 0, which is all that a headerless pair
//! has to be known by; so the forwarding bits and every other bit are on the side, and kind and size
//! of an object that may be forwarded are never read from its old place.
//!
//! `inv:object.pin` MMTk asks for an object's pin bit by [`ObjectModel::load_metadata`] alone, before it moves the
//! object, and is told whether that was promoted (`pins::promoted`). For this the bit is said to be in the
//! header, where there is none: of a bit on the side MMTk would clear the table.

use super::{Bowline, object_at, side};
use crate::access;
use crate::alloc::MAX_SMALL;
use crate::heap::heap;
use crate::thread::WorkerBlock;
use bowline_layout::{Addr, WORD};
use mmtk::util::copy::{CopySemantics, GCWorkerCopyContext};
use mmtk::util::metadata::MetadataValue;
use mmtk::util::metadata::header_metadata::HeaderMetadataSpec;
use mmtk::util::{Address, ObjectReference};
use mmtk::vm::*;
use std::sync::atomic::Ordering;

/// Where the pin bit is said to be, and no other bit is (`inv:object.pin`).
const PIN: isize = -1;

/// The object model.
pub(crate) struct ObjectWords;

#[inline(always)]
fn addr(object: ObjectReference) -> Addr {
    Addr::new(object.to_raw_address().as_usize())
}

fn copy_words(from: Addr, to: Addr, bytes: usize) {
    let (from, to) = (access::pointer(from), access::pointer(to));
    // SAFETY: MMTk gave `to` for an object of this size; the two do not overlap.
    unsafe { std::ptr::copy_nonoverlapping(from, to, bytes / WORD) }
}

impl ObjectModel<Bowline> for ObjectWords {
    const GLOBAL_LOG_BIT_SPEC: VMGlobalLogBitSpec = VMGlobalLogBitSpec::side_first();
    const LOCAL_FORWARDING_POINTER_SPEC: VMLocalForwardingPointerSpec =
        VMLocalForwardingPointerSpec::in_header(0);
    // inv:side.lent: each behind the one before.
    const LOCAL_FORWARDING_BITS_SPEC: VMLocalForwardingBitsSpec =
        VMLocalForwardingBitsSpec::side_after(&side::FRONT);
    const LOCAL_MARK_BIT_SPEC: VMLocalMarkBitSpec =
        VMLocalMarkBitSpec::side_after(&side::behind(Self::LOCAL_FORWARDING_BITS_SPEC.as_spec()));
    const LOCAL_LOS_MARK_NURSERY_SPEC: VMLocalLOSMarkNurserySpec =
        VMLocalLOSMarkNurserySpec::side_after(&side::behind(Self::LOCAL_MARK_BIT_SPEC.as_spec()));
    // inv:object.pin
    const LOCAL_PINNING_BIT_SPEC: VMLocalPinningBitSpec = VMLocalPinningBitSpec::in_header(PIN);
    const UNIFIED_OBJECT_REFERENCE_ADDRESS: bool = true;
    const OBJECT_REF_OFFSET_LOWER_BOUND: isize = 0;
    const VM_WORST_CASE_COPY_EXPANSION: f64 = 1.0;

    #[inline(always)]
    unsafe fn load_metadata<T: MetadataValue>(
        spec: &HeaderMetadataSpec,
        object: ObjectReference,
        mask: Option<T>,
    ) -> T {
        if spec.bit_offset == PIN {
            let promoted = heap().pins.is_promoted_at(addr(object));
            return if promoted { T::one() } else { T::zero() };
        }
        // SAFETY: as the caller's: what MMTk does where this is not said.
        unsafe { spec.load(object.to_raw_address(), mask) }
    }

    #[inline(always)]
    fn copy(
        from: ObjectReference,
        semantics: CopySemantics,
        context: &mut GCWorkerCopyContext<Bowline>,
    ) -> ObjectReference {
        let bytes = Self::get_current_size(from);
        let start = context.alloc_copy(from, bytes, WORD, 0, semantics);
        let to = Addr::new(start.as_usize());
        copy_words(addr(from), to, bytes);
        let to = object_at(to);
        context.post_copy(to, bytes, semantics);
        WorkerBlock::count_move(bytes);
        to
    }

    fn copy_to(from: ObjectReference, to: ObjectReference, _region: Address) -> Address {
        // Only sliding collectors call this, and no plan of ours is one.
        let bytes = Self::get_current_size(from);
        if from != to {
            copy_words(addr(from), addr(to), bytes);
        }
        to.to_raw_address() + bytes
    }

    fn get_reference_when_copied_to(_from: ObjectReference, to: Address) -> ObjectReference {
        object_at(Addr::new(to.as_usize()))
    }

    #[inline(always)]
    fn get_current_size(object: ObjectReference) -> usize {
        // SAFETY: MMTk asks before it forwards the object (inv:object.forward).
        unsafe { access::size_at(addr(object)) }
    }

    fn get_size_when_copied(object: ObjectReference) -> usize {
        Self::get_current_size(object)
    }

    fn get_align_when_copied(_object: ObjectReference) -> usize {
        WORD
    }

    fn get_align_offset_when_copied(_object: ObjectReference) -> usize {
        0
    }

    fn get_type_descriptor(_object: ObjectReference) -> &'static [i8] {
        &[]
    }

    #[inline(always)]
    fn ref_to_object_start(object: ObjectReference) -> Address {
        object.to_raw_address()
    }

    #[inline(always)]
    fn ref_to_header(object: ObjectReference) -> Address {
        object.to_raw_address()
    }

    fn dump_object(object: ObjectReference) {
        let at = addr(object);
        // SAFETY: MMTk dumps objects that it holds for live.
        let first = unsafe { access::read(at) };
        crate::sys::say(format_args!("object at {at:?}, first word {first:#x}"));
    }
}

/// The bit that says that a large object is younger than the last collection.
const NURSERY_BIT: u8 = 0b10;

/// Whether a collection that has traced all it will has reached `object`.
///
/// MMTk's own answer is right for what a collection of this kind traces. A minor one leaves the
/// non-moving space alone, so everything there lives on; and a young large object has been reached
/// exactly when its nursery bit is gone.
pub(crate) fn is_reached(object: ObjectReference, minor: bool) -> bool {
    if !minor || object.is_movable() {
        return object.is_reachable();
    }
    // SAFETY: objects outside the moving space are never forwarded.
    let bytes = unsafe { access::size_at(addr(object)) };
    bytes <= MAX_SMALL || !is_young_large(object)
}

/// Whether a minor collection takes `object` for old: it does not look at its words, but for those that
/// were remembered. Asked while no collection traces, of a generational plan.
pub(crate) fn is_old(object: ObjectReference) -> bool {
    if object.is_movable() {
        let spec = ObjectWords::LOCAL_MARK_BIT_SPEC;
        let mark: u8 = spec.load_atomic::<Bowline, u8>(object, None, Ordering::SeqCst);
        return mark != 0;
    }
    // SAFETY: objects outside the moving space are never forwarded.
    let bytes = unsafe { access::size_at(addr(object)) };
    bytes <= MAX_SMALL || !is_young_large(object)
}

/// Whether the barrier wants to be told of a store into `object`.
pub(crate) fn is_unlogged(object: ObjectReference) -> bool {
    ObjectWords::GLOBAL_LOG_BIT_SPEC.is_unlogged::<Bowline>(object, Ordering::SeqCst)
}

/// Whether the large object is younger than the last collection.
fn is_young_large(object: ObjectReference) -> bool {
    let spec = ObjectWords::LOCAL_LOS_MARK_NURSERY_SPEC;
    let bits: u8 = spec.load_atomic::<Bowline, u8>(object, None, Ordering::SeqCst);
    bits & NURSERY_BIT != 0
}

/// Whether the large object at `at` has outlived the collection that ends. Its words are not looked at.
pub(crate) fn large_lives(at: Addr, minor: bool) -> bool {
    let object = object_at(at);
    match minor {
        true => !is_young_large(object),
        false => object.is_reachable(),
    }
}

/// Where `object`, which was reached, is now.
pub(crate) fn now_at(object: ObjectReference) -> Addr {
    addr(object.get_forwarded_object().unwrap_or(object))
}
