//! Starts MMTk as it comes, greets, and ends: what of a process's start nothing of ours can take away.
//!
//! The plan is the one that our heap runs by default, and everything else is MMTk's own choice: side
//! tables one behind the other, the size of the heap, how many threads. No thread is ever started and
//! no object allocated, so MMTk asks this virtual machine nothing.

use mmtk::util::copy::{CopySemantics, GCWorkerCopyContext};
use mmtk::util::options::PlanSelector;
use mmtk::util::{Address, ObjectReference, VMMutatorThread, VMThread, VMWorkerThread};
use mmtk::vm::slot::{SimpleSlot, UnimplementedMemorySlice};
use mmtk::vm::*;
use mmtk::{MMTKBuilder, Mutator, memory_manager};
use std::io::Write;

fn main() -> std::io::Result<()> {
    let mut builder = MMTKBuilder::new_no_env_vars();
    builder.options.plan.set(PlanSelector::StickyImmix);
    let mmtk = memory_manager::mmtk_init::<Nothing>(&builder);
    std::mem::forget(mmtk);
    writeln!(std::io::stdout(), "hello")
}

/// A virtual machine that runs nothing.
#[derive(Default)]
struct Nothing;

impl VMBinding for Nothing {
    type VMObjectModel = Nothing;
    type VMScanning = Nothing;
    type VMCollection = Nothing;
    type VMActivePlan = Nothing;
    type VMReferenceGlue = Nothing;
    type VMSlot = SimpleSlot;
    type VMMemorySlice = UnimplementedMemorySlice<SimpleSlot>;
}

impl ObjectModel<Nothing> for Nothing {
    const GLOBAL_LOG_BIT_SPEC: VMGlobalLogBitSpec = VMGlobalLogBitSpec::side_first();
    const LOCAL_FORWARDING_POINTER_SPEC: VMLocalForwardingPointerSpec =
        VMLocalForwardingPointerSpec::in_header(0);
    const LOCAL_MARK_BIT_SPEC: VMLocalMarkBitSpec = VMLocalMarkBitSpec::side_first();
    const LOCAL_PINNING_BIT_SPEC: VMLocalPinningBitSpec =
        VMLocalPinningBitSpec::side_after(Self::LOCAL_MARK_BIT_SPEC.as_spec());
    const LOCAL_LOS_MARK_NURSERY_SPEC: VMLocalLOSMarkNurserySpec =
        VMLocalLOSMarkNurserySpec::side_after(Self::LOCAL_PINNING_BIT_SPEC.as_spec());
    const LOCAL_FORWARDING_BITS_SPEC: VMLocalForwardingBitsSpec =
        VMLocalForwardingBitsSpec::side_after(Self::LOCAL_LOS_MARK_NURSERY_SPEC.as_spec());
    const OBJECT_REF_OFFSET_LOWER_BOUND: isize = 0;

    fn copy(
        _: ObjectReference,
        _: CopySemantics,
        _: &mut GCWorkerCopyContext<Nothing>,
    ) -> ObjectReference {
        unreachable!()
    }

    fn copy_to(_: ObjectReference, _: ObjectReference, _: Address) -> Address {
        unreachable!()
    }

    fn get_reference_when_copied_to(_: ObjectReference, _: Address) -> ObjectReference {
        unreachable!()
    }

    fn get_current_size(_: ObjectReference) -> usize {
        unreachable!()
    }

    fn get_size_when_copied(_: ObjectReference) -> usize {
        unreachable!()
    }

    fn get_align_when_copied(_: ObjectReference) -> usize {
        unreachable!()
    }

    fn get_align_offset_when_copied(_: ObjectReference) -> usize {
        unreachable!()
    }

    fn get_type_descriptor(_: ObjectReference) -> &'static [i8] {
        unreachable!()
    }

    fn ref_to_object_start(_: ObjectReference) -> Address {
        unreachable!()
    }

    fn ref_to_header(_: ObjectReference) -> Address {
        unreachable!()
    }

    fn dump_object(_: ObjectReference) {
        unreachable!()
    }
}

impl Scanning<Nothing> for Nothing {
    fn scan_object<V: SlotVisitor<SimpleSlot>>(_: VMWorkerThread, _: ObjectReference, _: &mut V) {
        unreachable!()
    }

    fn notify_initial_thread_scan_complete(_: bool, _: VMWorkerThread) {
        unreachable!()
    }

    fn scan_roots_in_mutator_thread(
        _: VMWorkerThread,
        _: &'static mut Mutator<Nothing>,
        _: impl RootsWorkFactory<SimpleSlot>,
    ) {
        unreachable!()
    }

    fn scan_vm_specific_roots(_: VMWorkerThread, _: impl RootsWorkFactory<SimpleSlot>) {
        unreachable!()
    }

    fn supports_return_barrier() -> bool {
        unreachable!()
    }

    fn prepare_for_roots_re_scanning() {
        unreachable!()
    }
}

impl Collection<Nothing> for Nothing {
    fn stop_all_mutators<F: FnMut(&'static mut Mutator<Nothing>)>(_: VMWorkerThread, _: F) {
        unreachable!()
    }

    fn resume_mutators(_: VMWorkerThread) {
        unreachable!()
    }

    fn block_for_gc(_: VMMutatorThread) {
        unreachable!()
    }

    fn spawn_gc_thread(_: VMThread, GCThreadContext::Worker(_): GCThreadContext<Nothing>) {
        unreachable!()
    }
}

impl ActivePlan<Nothing> for Nothing {
    fn is_mutator(_: VMThread) -> bool {
        unreachable!()
    }

    fn mutator(_: VMMutatorThread) -> &'static mut Mutator<Nothing> {
        unreachable!()
    }

    fn mutators<'a>() -> Box<dyn Iterator<Item = &'a mut Mutator<Nothing>> + 'a> {
        unreachable!()
    }

    fn number_of_mutators() -> usize {
        unreachable!()
    }
}

impl ReferenceGlue<Nothing> for Nothing {
    type FinalizableType = ObjectReference;

    fn clear_referent(_: ObjectReference) {
        unreachable!()
    }

    fn get_referent(_: ObjectReference) -> Option<ObjectReference> {
        unreachable!()
    }

    fn set_referent(_: ObjectReference, _: ObjectReference) {
        unreachable!()
    }

    fn enqueue_references(_: &[ObjectReference], _: VMWorkerThread) {
        unreachable!()
    }
}
