//! Primitives that make something with C memory: where they were called from, and a second attempt
//! when memory has run out.
//!
//! The place is that of the call in the innermost frame of the program's own text. A call in tail
//! position has left no frame, so there it is the place that its procedure was called from.

use bowline_ffi::Held;
use bowline_gc::OwnerLabel;
use bowline_layout::Value;
use bowline_runtime::{Args, Fault, PrimFn};

use super::Regs;
use crate::raw::{Pc, Sp};
use crate::vm::Vm;

/// Frames of the library that are looked through for the program's own.
const DEPTH: usize = 32;

impl Vm {
    /// Carries out such a primitive with the words of the running frame.
    pub(super) fn make_owner(&mut self, mut r: Regs, make: PrimFn) -> Regs {
        let place = self.place_of_caller(r.fp);
        r.acc = Value::UNSPECIFIED;
        let mut made = self.attempt(&mut r, make, place);
        let full = matches!(&made, Err(fault) if matches!(**fault, Fault::OutOfMemory));
        if full && self.finalizers_wait() {
            // The collector has done what it can; finalizers may free what it cannot.
            r = match self.finalize(r) {
                Ok(r) => r,
                Err(elsewhere) => return elsewhere,
            };
            made = self.attempt(&mut r, make, place);
        }
        match made {
            Ok(v) => {
                r.acc = v;
                r.leave();
                r
            }
            Err(fault) => self.fault(r, fault),
        }
    }

    fn attempt(&mut self, r: &mut Regs, make: PrimFn, place: u32) -> bowline_runtime::Result {
        self.rt.owners.place = place;
        let args = Args {
            base: self.stack.index(r.fp),
            len: r.argc(),
        };
        // inv:vm.publish
        r.sp.put(0, r.closure);
        self.stack.publish(r.sp.at(1));
        let made = make(&mut self.rt, args);
        r.closure = r.sp.get(0);
        made
    }

    /// The label of what a foreign call makes, from the frame that has called it, or a callback. A callback is C's to
    /// call, from no place of the program's.
    pub(crate) fn label_held(&mut self, held: Held<'_>) -> OwnerLabel {
        self.rt.owners.place = match held {
            Held::Argument(..) => 0,
            Held::Result(..) | Held::Callback(..) => self.place_of_caller(self.caller_fp),
        };
        self.rt.held_label(held)
    }

    /// The place in the program's own text of the foreign call that is being made.
    pub(crate) fn place_of_call(&mut self) -> Option<String> {
        let place = self.place_of_caller(self.caller_fp);
        self.rt.owners.place_text(place).map(str::to_owned)
    }

    /// The number of the place in the program's own text that the frame at `fp` was called from; 0
    /// if there is none near.
    pub(super) fn place_of_caller(&mut self, fp: Sp) -> u32 {
        let caller = self.back_of(fp).bits();
        if self.last_place.0 == caller {
            return self.last_place.1;
        }
        if let Some(&Some(place)) = self.places.get(&caller) {
            self.last_place = (caller, place);
            return place;
        }
        let mut callers = Vec::new();
        self.each_frame(fp, self.floor, &mut |pc| {
            callers.push(pc);
            callers.len() < DEPTH
        });
        callers
            .into_iter()
            .find_map(|pc| self.place_at(pc))
            .unwrap_or(0)
    }

    /// The number of the place behind which `pc` is, if it is in the program's own text.
    fn place_at(&mut self, pc: Pc) -> Option<u32> {
        if let Some(&known) = self.places.get(&pc.bits()) {
            return known;
        }
        let frame = self.code.frame(pc);
        let text = frame.and_then(|frame| self.reporter.place(frame.span));
        let place = text.map(|text| self.rt.owners.new_place(text));
        self.places.insert(pc.bits(), place);
        place
    }
}
