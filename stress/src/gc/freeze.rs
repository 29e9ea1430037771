//! What a freeze does to the books: everything that lives, lives for ever and does not move again.
//!
//! Before it there is a check, so that the books have nothing but what lives. Afterwards every place is
//! looked at. What is in the boot heap refers strongly to whatever it refers to, and its pairs are not
//! changed; what was promoted or never moves is as before, but for its life.

use std::collections::HashMap;

use bowline_gc::FreezeError;
use bowline_layout::Value;

use super::check;
use super::fault::{Fault, Plant};
use super::shadow::{Id, lock};
use super::worker::Worker;

/// The register that a planted fault does not tell of.
const UNTOLD: u32 = 5;

impl Worker {
    /// Freezes the heap, if this thread is alone in it. With pins or calls that must be refused.
    pub(super) fn freeze(&mut self) -> Result<(), Fault> {
        let world = self.world;
        if !world.single() {
            return Ok(());
        }
        check::check(world, &mut self.m)?;
        // What a guardian may have queued that nobody can ask would live for ever, and come all the same.
        let places = check::places(world, &self.m)?;
        let asked = |id: Option<Id>| id.is_none_or(|id| places.contains_key(&id));
        if !world.owed().iter().all(|e| asked(e.guardian)) {
            return Ok(());
        }
        let mut held = !lock(&self.me.roots).calls.is_empty();
        world.shadow.each(|_, node| held |= node.pins > 0);
        let untold = self.value(UNTOLD);
        match world.heap.freeze(&mut self.m, &mut |_| {}) {
            Ok(_) if held => return said("happened, with objects held in place"),
            Ok(_) => {}
            Err(FreezeError::Pinned) if held => return Ok(()),
            // Less may live than is in use.
            Err(FreezeError::NoRoom { .. }) => return Ok(()),
            Err(e) => return said(&e.to_string()),
        }
        if world.plants(Plant::Freeze) {
            self.m.set(UNTOLD as usize, untold);
        }
        let mut promoted = Vec::new();
        world.shadow.each(|id, node| {
            let stays = node.stays.take().filter(|_| !node.boot);
            promoted.extend(stays.map(|v| (id, v)));
            node.frozen = true;
        });
        let places = self.settle_in()?;
        let moved = |(id, v): &(Id, Value)| places.get(id).is_some_and(|now| now != v);
        match promoted.iter().find(|kept| moved(kept)) {
            Some((id, _)) => Err(Fault::Pin {
                id: *id,
                said: "promoted, and moved by a freeze".into(),
            }),
            None => Ok(()),
        }
    }

    /// Notes where everything stands: first what is reached by strong references, then what weak ones keep
    /// that are strong now.
    fn settle_in(&self) -> Result<HashMap<Id, Value>, Fault> {
        let world = self.world;
        let mut known = 0;
        loop {
            let places = check::places(world, &self.m)?;
            if places.len() == known {
                return Ok(places);
            }
            known = places.len();
            for (id, v) in &places {
                world.shadow.with(*id, |node| {
                    node.stays = Some(*v);
                    node.boot = world.heap.in_boot_heap(*v);
                })?;
            }
        }
    }
}

fn said(text: &str) -> Result<(), Fault> {
    Err(Fault::Freeze { said: text.into() })
}
