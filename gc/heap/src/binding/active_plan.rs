//! The threads that MMTk may ask about, and the reference processing that it need not do.

use super::Bowline;
use crate::heap::heap;
use crate::thread::{Kind, ThreadBlock, kind};
use mmtk::util::{ObjectReference, VMMutatorThread, VMThread, VMWorkerThread};
use mmtk::vm::{ActivePlan, ReferenceGlue};

/// The threads of the world.
pub(crate) struct Threads;

/// MMTk's context of a mutator.
pub(super) fn context(block: &ThreadBlock) -> &'static mut mmtk::Mutator<Bowline> {
    // SAFETY: set when the thread was attached and freed after it is detached; MMTk asks for it only
    // while the thread is stopped or from that thread itself.
    unsafe { &mut *block.mmtk.get() }
}

impl ActivePlan<Bowline> for Threads {
    /// Whoever may ask for a collection is one, for MMTk.
    fn is_mutator(tls: VMThread) -> bool {
        kind(tls) != Kind::Worker
    }

    fn mutator(tls: VMMutatorThread) -> &'static mut mmtk::Mutator<Bowline> {
        context(ThreadBlock::of(tls))
    }

    fn mutators<'a>() -> Box<dyn Iterator<Item = &'a mut mmtk::Mutator<Bowline>> + 'a> {
        Box::new(heap().world.mutators().into_iter().map(|b| context(b)))
    }

    fn number_of_mutators() -> usize {
        heap().world.count()
    }
}

/// MMTk's reference types, which we do not use.
pub(crate) struct NoReferences;

impl ReferenceGlue<Bowline> for NoReferences {
    type FinalizableType = ObjectReference;

    fn clear_referent(_reference: ObjectReference) {}

    fn get_referent(_object: ObjectReference) -> Option<ObjectReference> {
        None
    }

    fn set_referent(_reference: ObjectReference, _referent: ObjectReference) {}

    fn enqueue_references(_references: &[ObjectReference], _tls: VMWorkerThread) {}
}
