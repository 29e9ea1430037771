//! The stack's watermark: frames that have not run since the last collection are not scanned again.
//!
//! The machine keeps the top of the stack in a register, and a procedure returns without telling. So
//! now and then a *return barrier* is put into a frame (Cheng, Harper and Lee, "Generational Stack
//! Collection and Profile-Driven Pretenuring", PLDI 1998): the place where its procedure goes on is
//! kept here, and that of `Lower` stands there instead.
//!
//! ```text
//! frames that wait           | frames that may run
//! … closure  LOWER  size     | arguments  locals …
//!                            ^ fp of the youngest barrier: nothing below is written
//! ```
//!
//! inv:vm.barrier — the barriers are those of frames that have not returned, oldest first, and none is in
//! an activation's first frame, which has no frame below. Whatever takes frames off otherwise than by return
//! drops theirs ([`Vm::drop_barriers`]), and whoever reads a return address asks [`Vm::back_of`].
//!
//! Barriers cost the paths between them nothing: a function finds the stack fuller than its limit,
//! which the machine moves along, [`STRIDE`] words above the youngest.

use crate::raw::{Pc, Sp};
use crate::vm::Vm;

use super::Regs;

/// Words of stack between two barriers, about: a minor collection scans twice as many, which takes a few
/// microseconds.
const STRIDE: isize = 1024;

/// A frame whose return address is kept here.
#[derive(Clone, Copy)]
pub(crate) struct Barrier {
    fp: Sp,
    back: Pc,
}

impl Vm {
    /// Begins, with nothing on the stack but what `keep` words at its base hold.
    pub(crate) fn watch_stack(&mut self, keep: usize) {
        self.stack.keep(keep);
        self.stack.rely_below(self.stack.base());
        self.stack.move_limit(self.floor.at(STRIDE));
    }

    /// The place below which no barrier is needed.
    fn lowest(&self) -> Sp {
        self.barriers
            .last()
            .map_or(self.stack.base(), |barrier| barrier.fp)
    }

    /// The stack is fuller than its limit, which nobody has pulled: puts a barrier into the running
    /// frame, if there is none near, and moves the limit.
    pub(super) fn put_barrier(&mut self, r: &Regs) {
        if r.fp > self.floor && r.fp.above(self.lowest()) >= STRIDE / 2 {
            let back = Pc::from_bits(r.fp.get(-2).bits());
            self.barriers.push(Barrier { fp: r.fp, back });
            r.fp.put(-2, self.stubs.lower.value());
            self.stack.rely_below(r.fp);
        }
        self.stack.move_limit(r.sp.at(STRIDE));
    }

    /// The youngest barrier's frame has returned. Returns where its caller goes on.
    #[inline(never)]
    pub(super) fn pass_barrier(&mut self) -> Pc {
        match self.barriers.pop() {
            Some(Barrier { fp, back }) => {
                self.stack.rely_below(self.lowest());
                self.stack.move_limit(fp.at(STRIDE));
                back
            }
            // inv:vm.barrier
            None => self.stubs.halt,
        }
    }

    /// Takes the barriers of all frames above `floor` away. The frames may stay.
    pub(super) fn drop_barriers(&mut self, floor: Sp) {
        let mut dropped = false;
        while let Some(&Barrier { fp, back }) = self.barriers.last()
            && fp > floor
        {
            fp.put(-2, back.value());
            self.barriers.pop();
            dropped = true;
        }
        if dropped {
            self.stack.rely_below(self.lowest());
            self.stack.move_limit(floor.at(STRIDE));
        }
    }

    /// Where the caller of the frame at `fp` goes on.
    pub(super) fn back_of(&self, fp: Sp) -> Pc {
        let back = Pc::from_bits(fp.get(-2).bits());
        if back != self.stubs.lower {
            return back;
        }
        let at = self
            .barriers
            .binary_search_by(|barrier| barrier.fp.cmp(&fp));
        at.map_or(back, |i| self.barriers[i].back)
    }
}
