//! Call chains: the places that are running now, found by their return addresses.
//!
//! A chain is kept as a list of fixnums, for an address of code is an even word; it is turned into
//! names and spans only when somebody shows it. A tail call leaves no trace of its caller; what can
//! be said of it all the same, `reached` finds.
//!
//! `Stubs::halt`, to which nothing returns, stands where C called back.

use bowline_layout::Value;
use bowline_runtime::{Result, TRACE, is_condition, object};

use super::{Regs, frame_size};
use crate::raw::{Pc, Sp};
use crate::space::{Reached, TraceFrame};
use crate::vm::Vm;

/// The longest chain that is kept.
const MAX_FRAMES: usize = 50;
/// Return addresses looked at before giving up: most without a span are stubs.
const MAX_STEPS: usize = 2_000;

/// The places of a chain, those that no span is known of among them, and whether there were more.
pub(super) struct Chain {
    places: Vec<Pc>,
    cut: bool,
}

impl Vm {
    /// The chain of this moment, innermost first.
    pub(super) fn trace(&self, r: &Regs) -> Chain {
        let mut chain = Chain {
            places: Vec::new(),
            cut: false,
        };
        let mut frames = 0;
        let mut add = |pc: Pc| {
            if frames == MAX_FRAMES || chain.places.len() == MAX_STEPS {
                chain.cut = true;
                return false;
            }
            frames += usize::from(self.code.frame(pc).is_some());
            chain.places.push(pc);
            true
        };
        if add(r.pc) {
            let mut fp = r.fp;
            for (at, activation) in self.activations.iter().enumerate().rev() {
                if !self.each_frame(fp, activation.floor, &mut add) || activation.interrupts {
                    break;
                }
                if at > 0 {
                    fp = activation.caller_fp;
                    add(self.stubs.halt);
                }
            }
        }
        chain
    }

    /// Calls `f` with each return address of one activation.
    pub(super) fn each_frame(&self, mut fp: Sp, floor: Sp, f: &mut dyn FnMut(Pc) -> bool) -> bool {
        while fp > floor {
            if !f(self.back_of(fp)) {
                return false;
            }
            fp = fp.at(-frame_size(fp.get(-1)));
        }
        self.each_captured(floor, f)
    }

    /// The chain as a list; `#t` at its end stands for what was left out. The registers are kept.
    pub(super) fn trace_list(&mut self, r: &mut Regs, chain: &Chain) -> Result {
        r.sp.put(0, r.closure);
        self.stack.publish(r.sp.at(1));
        let mut list = Ok(Value::NIL);
        let end = chain.cut.then_some(Value::TRUE);
        let places = chain.places.iter().map(|pc| pc.value());
        for item in end.into_iter().chain(places.rev()) {
            list = match list {
                Ok(tail) => self.rt.heap.alloc_pair(item, tail).map_err(Into::into),
                failed => failed,
            };
        }
        r.closure = r.sp.get(0);
        list
    }

    /// Names and spans of a chain.
    pub(super) fn frames(&self, chain: &Chain) -> Vec<TraceFrame> {
        self.frames_at(&chain.places)
    }

    fn frames_at(&self, places: &[Pc]) -> Vec<TraceFrame> {
        let mut frames = Vec::new();
        let mut raised = false;
        for (at, &place) in places.iter().enumerate() {
            if let Some(mut frame) = self.code.frame(place) {
                if let Some(above) = at.checked_sub(1) {
                    frame.reached = self.reached(places[above], place);
                }
                if raised && frame.reached == Reached::Directly {
                    frame.reached = Reached::Raised;
                }
                raised = false;
                frames.push(frame);
            } else if let Some(above) = at.checked_sub(1) {
                // What failed in a procedure without places, failed for its caller.
                raised |= self.raised(places[above], place);
            }
        }
        frames
    }

    /// Names and spans of the chain that a condition carries.
    pub(crate) fn condition_trace(&self, object: Value) -> Option<Vec<TraceFrame>> {
        if !is_condition(object) {
            return None;
        }
        let mut list = object::field(object, TRACE);
        if !list.is_pair() {
            return None;
        }
        let mut places = Vec::new();
        while list.is_pair() {
            let place = object::car(list);
            if place.is_fixnum() {
                places.push(Pc::from_bits(place.bits()));
            }
            list = object::cdr(list);
        }
        Some(self.frames_at(&places))
    }
}
