//! A short look from C at what handles stand for: what functions of the C interface do that are called in inner loops.
//!
//! `inv:glance.bare` Who glances is Managed and has the handles of its thread, and neither a host nor a mutator. So it needs
//! no gate and no place of `errno`, and another thread may run the language meanwhile: words of objects that can be changed
//! are read as such.
//!
//! Absent on purpose: whatever is out of the ordinary. A call in a no-GC scope, one that C has jumped into, checking
//! mode, a collection that begins: there is no glance then, and who wants it goes inside (`inside`).

use super::table::with_own;
use super::{Handle, Owned, Slots};
use crate::active;
use crate::guard;
use bowline_layout::Value;

/// Handles for a moment (`inv:glance.bare`).
pub struct Glance<'s> {
    slots: &'s Slots,
    owned: Option<Owned<'s>>,
}

/// Runs `f`, which neither waits nor allocates, from C in a foreign call of this thread. Gives nothing where that cannot be,
/// and then `f` has not begun, or where `f` gives nothing; it is to have changed nothing then.
#[inline(always)]
pub fn glance<R>(f: impl FnOnce(&Glance<'_>) -> Option<R>) -> Option<R> {
    if guard::is_on() {
        return None;
    }
    let passage = active::passage_of_c()?;
    with_own(|slots, kept| {
        let look = || {
            let owned = slots.owned(kept);
            f(&Glance { slots, owned })
        };
        // SAFETY: the thread runs C in a call, whose maker has the mutator and is Native meanwhile (inv:active.linked).
        unsafe { passage.glance(look) }.flatten()
    })
}

impl Glance<'_> {
    /// What a handle stands for, unless that takes more than a look: of a weak handle, and of one that is not live.
    #[inline(always)]
    pub fn get(&self, handle: Handle) -> Option<Value> {
        self.slots.get_strong(handle).map(Value::from_bits)
    }

    /// Whether it is a live local handle of this thread's, so that [`Glance::set`] will do.
    #[inline(always)]
    pub fn may_set(&self, handle: Handle) -> bool {
        self.owned.as_ref().is_some_and(|owned| owned.has(handle))
    }

    /// Makes a local handle of this thread's stand for `v`. Returns whether it is one.
    #[inline(always)]
    pub fn set(&self, handle: Handle, v: Value) -> bool {
        let owned = self.owned.as_ref();
        owned.is_some_and(|owned| owned.set(handle, v.bits()))
    }
}
