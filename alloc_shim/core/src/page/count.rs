//! How many blocks of a page are in use, and when the heap looks at it: inv:page.used, inv:page.due.
//!
//! ```text
//!   floor      the page                        the heap is told of
//!   0          is in a queue                   the last block
//!   STAYS      is in a queue, alone            nothing
//!   more       is parked                       enough blocks to use it again
//! ```

use super::PageEntry;
use core::arch::asm;
use core::mem::offset_of;
use core::sync::atomic::Ordering::Relaxed;

/// The floor of a page that stays when it is empty: one less than none.
const STAYS: u32 = u32::MAX;

impl PageEntry {
    /// One block more is in use. The holder of the heap only, as all that follows.
    #[inline(always)]
    pub(crate) fn count_up(&self) {
        let countdown = self.countdown.load(Relaxed);
        self.countdown.store(countdown.wrapping_add(1), Relaxed);
    }

    /// One block less is in use; true when the heap is to look at the page. A handler may free another one before it does.
    #[inline(always)]
    pub(crate) fn count_down(&self) -> bool {
        // SAFETY: inv:page.holder: what a relaxed load and a relaxed store would do, in one instruction.
        unsafe {
            asm!("dec dword ptr [{page} + {countdown}]", "jz {due}",
                 page = in(reg) self, countdown = const offset_of!(Self, countdown),
                 due = label { return true }, options(nostack));
        }
        false
    }

    /// How many blocks are in use: inv:page.used. For anybody, and a hint where the page is not at rest.
    pub(crate) fn used(&self) -> u32 {
        let countdown = self.countdown.load(Relaxed);
        countdown.wrapping_add(self.floor.load(Relaxed))
    }

    /// Says that so many blocks are in use.
    pub(crate) fn set_used(&self, used: u32) {
        let countdown = used.wrapping_sub(self.floor.load(Relaxed));
        self.countdown.store(countdown, Relaxed);
    }

    /// Whether the page was put aside for want of free blocks.
    pub(crate) fn is_parked(&self) -> bool {
        !matches!(self.floor.load(Relaxed), 0 | STAYS)
    }

    /// Whether so many blocks of a parked page are free that it is to be used again.
    pub(crate) fn is_due(&self) -> bool {
        self.used() <= self.floor.load(Relaxed)
    }

    /// Says that the page is parked, or that it is not.
    pub(crate) fn set_parked(&self, parked: bool) {
        let shape = self.shape();
        let floor = if parked {
            shape.blocks - shape.waking
        } else {
            0
        };
        self.set_floor(floor);
    }

    /// Whether the page stays when it is empty.
    pub(crate) fn is_staying(&self) -> bool {
        self.floor.load(Relaxed) == STAYS
    }

    /// Says that the page, which is not parked, stays when it is empty, so that the heap is not told of that; or, of one that does, that
    /// it no longer does.
    pub(crate) fn set_staying(&self, staying: bool) {
        if staying {
            self.set_floor(STAYS);
        } else if self.is_staying() {
            self.set_floor(0);
        }
    }

    fn set_floor(&self, floor: u32) {
        let used = self.used();
        self.floor.store(floor, Relaxed);
        self.set_used(used);
    }
}
