//! What makes objects stay where they are: counted pins and promotion, by the object or by a handle to it.

use bowline_ffi::{Handle, HandleKind, Handles};
use bowline_layout::Value;

use super::fault::{Fault, Place, Plant};
use super::op::Kind;
use super::shadow::{Content, Id, Node, lock};
use super::worker::Worker;

/// By what an object is named.
#[derive(Clone, Copy)]
enum By {
    Object(Value),
    Handle(Handle),
}

impl Worker {
    /// Pins, unpins or promotes what is in a register.
    pub(super) fn hold(&self, kind: Kind, a: u32) -> Result<(), Fault> {
        match self.object(a) {
            Some((id, v)) => self.hold_one(kind, id, v, By::Object(v)),
            None => Ok(()),
        }
    }

    /// The same for what a handle stands for.
    pub(super) fn hold_by_handle(&self, kind: Kind, b: u32) -> Result<(), Fault> {
        // Nobody frees it meanwhile, nor makes it stand for something else.
        let cell = lock(&self.world.handles[b as usize]);
        let Some((handle, HandleKind::Global, Content::Node(id))) = cell.live else {
            return Ok(());
        };
        let v = Handles::of(&self.m).get(handle);
        let v = v.map_err(|e| Fault::Handle {
            place: Place::Handle(b),
            said: e.to_string(),
        })?;
        let kind = match kind {
            Kind::PinHandle => Kind::Pin,
            Kind::UnpinHandle => Kind::Unpin,
            _ => Kind::Promote,
        };
        self.hold_one(kind, id, v, By::Handle(handle))
    }

    fn hold_one(&self, kind: Kind, id: Id, v: Value, by: By) -> Result<(), Fault> {
        let world = self.world;
        world.shadow.with(id, |node| {
            node.identity(id, v, Place::Pin)?;
            match kind {
                Kind::Pin => self.pin(id, node, v, by),
                Kind::Unpin => self.unpin(id, node, v, by),
                _ => self.promote(id, node, v, by),
            }
        })?
    }

    fn pin(&self, id: Id, node: &mut Node, v: Value, by: By) -> Result<(), Fault> {
        let wanted = u64::from(node.pins) + 1;
        let skips = self.world.plants(Plant::Unpin) && node.pins > 0;
        let found = match by {
            _ if skips => Ok((v, wanted)),
            By::Object(v) => self.m.pin(v).map(|n| (v, n)).map_err(|e| e.to_string()),
            By::Handle(handle) => Handles::of(&self.m).pin(handle).map_err(|e| e.to_string()),
        };
        if found != Ok((v, wanted)) {
            let said = format!("pin {wanted} of {v:?} gave {found:?}");
            return Err(Fault::Pin { id, said });
        }
        node.pins += 1;
        match node.at {
            Some(at) if at != v => {
                let said = format!("pinned at {at:?} and now at {v:?}");
                Err(Fault::Pin { id, said })
            }
            _ => {
                node.at = Some(v);
                Ok(())
            }
        }
    }

    /// Takes a pin back; one that there is not must be refused.
    fn unpin(&self, id: Id, node: &mut Node, v: Value, by: By) -> Result<(), Fault> {
        let skips = self.world.plants(Plant::Unpin) && node.pins > 2;
        let found = match by {
            _ if skips => Ok(u64::from(node.pins) - 1),
            By::Object(_) => self.m.unpin(v).map_err(|e| e.to_string()),
            By::Handle(handle) => {
                let found = Handles::of(&self.m).unpin(handle);
                found.map_err(|e| e.to_string())
            }
        };
        let left = u64::from(node.pins).checked_sub(1);
        if found.as_ref().ok().copied() != left {
            let said = format!("pinned {} times, and unpin gave {found:?}", node.pins);
            return Err(Fault::Pin { id, said });
        }
        node.pins = node.pins.saturating_sub(1);
        if node.pins == 0 {
            node.at = None;
        }
        Ok(())
    }

    /// From now on it stays where it is, as long as it lives.
    fn promote(&self, id: Id, node: &mut Node, v: Value, by: By) -> Result<(), Fault> {
        let forgets = self.world.plants(Plant::Promote);
        let found = match by {
            _ if forgets => Ok(()),
            By::Object(v) => self.m.promote(v).map(|_| ()).map_err(|e| e.to_string()),
            By::Handle(handle) => match Handles::of(&self.m).promote(handle) {
                Ok(same) if same == v => Ok(()),
                Ok(other) => Err(format!("{other:?}")),
                Err(e) => Err(e.to_string()),
            },
        };
        if let Err(wrong) = found {
            let said = format!("promotion of {v:?} gave {wrong}");
            return Err(Fault::Pin { id, said });
        }
        if !self.m.is_pinned(v) && !forgets {
            let said = "promoted, and not told to be held".into();
            return Err(Fault::Pin { id, said });
        }
        node.stays = Some(v);
        Ok(())
    }
}
