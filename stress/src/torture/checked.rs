//! The calls of the malloc under test with every answer looked at: alignment, room, zeros, errno,
//! contents before and after, and that no live block shares a byte with another.

use crate::fault::{Fault, Origin};
use crate::plan::Kind;
use crate::random::mix;
use crate::raw::{Answer, Block, Call, Wrong, errno, set_errno};
use crate::recorder::Seat;

use super::World;

/// An errno that no call sets, to see that `free` leaves it alone.
const SENTINEL: i32 = 12345;

/// The calls as one thread makes them.
#[derive(Clone, Copy)]
pub(super) struct Checked<'a> {
    world: &'a World,
    seat: Seat,
}

fn lost(block: &Block, wrong: Wrong, when: &'static str) -> Fault {
    Fault::Content {
        address: block.start(),
        size: block.usable(),
        wrong,
        when,
    }
}

impl<'a> Checked<'a> {
    pub(super) const fn new(world: &'a World, seat: Seat) -> Self {
        Self { world, seat }
    }

    /// Makes a call, or `malloc` in its place where this malloc lacks it, and fills the block.
    pub(super) fn take(&self, call: Call, key: u64, held: usize) -> Result<Block, Fault> {
        let family = &self.world.family;
        let call = if family.has(call) {
            call
        } else {
            Call::Malloc { size: call.size() }
        };
        let (name, first, second) = call.parts();
        self.seat.act(name, first, second, 0);
        let origin = Origin::Call(call);
        match family.take(call) {
            Some(Ok(block)) => self.admit(block, origin, key),
            Some(Err(answer)) => Err(Fault::Refused {
                origin,
                errno: answer.errno.max(answer.code),
                held,
            }),
            None => Err(Fault::Refused {
                origin,
                errno: 0,
                held,
            }),
        }
    }

    /// Looks at a block that was just given, claims its memory and fills it.
    fn admit(&self, mut block: Block, origin: Origin, key: u64) -> Result<Block, Fault> {
        let (address, align) = (block.start(), block.call().align());
        if !address.is_multiple_of(align) {
            return Err(Fault::Misaligned {
                origin,
                address,
                align,
            });
        }
        if block.measured() < block.asked() {
            let usable = block.measured();
            return Err(Fault::Short {
                origin,
                address,
                usable,
            });
        }
        // inv:shadow.order: the call that gave it has returned.
        let size = block.usable();
        if let Some(at) = self.world.shadow.claim(address, size) {
            return Err(Fault::Overlap {
                origin,
                address,
                size,
                at,
            });
        }
        self.seat.act("looking at a block", 0, 0, address);
        let call = block.call();
        if let (true, Some(wrong)) = (call.zeroed(), block.dirty()) {
            return Err(Fault::Dirty {
                call,
                address,
                wrong,
            });
        }
        block.fill(mix(key));
        Ok(block)
    }

    /// Whether the contents are as they were left.
    pub(super) fn look(&self, block: &Block, when: &'static str) -> Result<(), Fault> {
        self.seat.act("looking at a block", 0, 0, block.start());
        block.check().map_err(|wrong| lost(block, wrong, when))
    }

    /// Frees a block, after a last look.
    pub(super) fn drop(&self, block: Block) -> Result<(), Fault> {
        self.look(&block, "before free")?;
        self.seat.act("free", 0, 0, block.start());
        // inv:shadow.order: the call that takes it back comes next.
        self.world.shadow.release(block.start(), block.usable());
        set_errno(SENTINEL);
        self.world.family.free(block);
        let found = errno();
        if found != SENTINEL && self.world.plan.has(Kind::Errno) {
            return Err(Fault::FreeErrno { found });
        }
        Ok(())
    }

    /// Changes a block's size. `element` asks for `reallocarray` with elements of this size.
    pub(super) fn resize(
        &self,
        block: Block,
        size: usize,
        element: Option<usize>,
        key: u64,
        held: usize,
    ) -> Result<Block, Fault> {
        self.look(&block, "before realloc")?;
        let address = block.start();
        let family = &self.world.family;
        self.world.shadow.release(address, block.usable());
        let resized = match element {
            Some(element) => {
                let count = size.div_ceil(element);
                self.seat.act("reallocarray", count, element, address);
                family.resize_array(block, count, element)
            }
            None => {
                self.seat.act("realloc", size, 0, address);
                family.resize(block, size)
            }
        };
        let origin = Origin::Realloc { address, size };
        let block = resized.map_err(|(_, answer)| Fault::Refused {
            origin,
            errno: answer.errno,
            held,
        })?;
        self.seat.act("looking at a block", 0, 0, block.start());
        block
            .check()
            .map_err(|wrong| lost(&block, wrong, "after realloc"))?;
        self.admit(block, origin, key)
    }

    /// Makes a call that must be refused.
    pub(super) fn refused(&self, call: Call) -> Result<(), Fault> {
        let (name, first, second) = call.parts();
        self.seat.act(name, first, second, 0);
        let Some(answer) = self.world.family.ask(call) else {
            return Ok(());
        };
        let told = match call {
            Call::PosixMemalign { .. } => answer.code,
            _ => answer.errno,
        };
        refusal(Origin::Call(call), answer, told)
    }

    /// `realloc` to a size that must be refused; the block stays as it was.
    pub(super) fn resize_refused(&self, block: Option<&Block>, size: usize) -> Result<(), Fault> {
        let address = block.map_or(0, Block::start);
        self.seat.act("realloc", size, 0, address);
        let answer = self.world.family.realloc_at(address, size);
        refusal(Origin::Realloc { address, size }, answer, answer.errno)?;
        match block {
            Some(block) => self.look(block, "after a refused realloc"),
            None => Ok(()),
        }
    }
}

fn refusal(origin: Origin, answer: Answer, told: i32) -> Result<(), Fault> {
    if answer.address != 0 {
        let address = answer.address;
        return Err(Fault::Granted { origin, address });
    }
    if told != libc::ENOMEM {
        return Err(Fault::Errno {
            origin,
            wanted: libc::ENOMEM,
            found: told,
        });
    }
    Ok(())
}
