//! The interaction, which the loop that evaluates and the line editor's helper share.
//!
//! While the user types it rests: collections and threads of C's go on without this thread. What the line editor asks on
//! the way is asked of an interaction that is woken for it.
//!
//! Absent on purpose: other threads. Whoever shares it is on the prompt's.

use std::cell::{Cell, RefCell, RefMut};

use bowline_engine::{Interaction, Rest};

/// The interaction, awake or at rest.
pub(super) struct Shared {
    interaction: RefCell<Interaction>,
    rest: Cell<Option<Rest>>,
}

/// Wakes the interaction when it is dropped.
struct Wakes<'s>(&'s Shared);

impl Drop for Wakes<'_> {
    fn drop(&mut self) {
        if let Some(rest) = self.0.rest.take() {
            self.0.interaction.borrow_mut().resume(rest);
        }
    }
}

impl Shared {
    pub(super) fn new(interaction: Interaction) -> Shared {
        Shared {
            interaction: RefCell::new(interaction),
            rest: Cell::new(None),
        }
    }

    /// The interaction, to evaluate by. It is awake.
    pub(super) fn awake(&self) -> RefMut<'_, Interaction> {
        self.interaction.borrow_mut()
    }

    /// Runs `edit`, which takes as long as the user does, with the interaction at rest.
    pub(super) fn while_resting<R>(&self, edit: impl FnOnce() -> R) -> R {
        self.rest.set(Some(self.interaction.borrow_mut().rest()));
        let _wakes = Wakes(self);
        edit()
    }

    /// What `look` finds in the interaction, which is woken for it if it rests.
    pub(super) fn ask<R>(&self, look: impl FnOnce(&Interaction) -> R) -> R {
        let mut interaction = self.interaction.borrow_mut();
        let Some(rest) = self.rest.take() else {
            return look(&interaction);
        };
        interaction.resume(rest);
        let found = look(&interaction);
        self.rest.set(Some(interaction.rest()));
        found
    }
}
