//! Continuations: capture, underflow, throw, stack overflow.
//!
//! A continuation is a reference (segment, offset): the frames below `offset` in the segment's
//! image, then those of its link. An activation's base holds the reference to what it has captured
//! already, so what a procedure returns to is always "the frames above the base, then the
//! reference".
//!
//! ```text
//! base:  dyn  winders  offset  segment  UNDERFLOW  0 | floor: first frame …
//! image: words of a frame … closure return size | words of the next younger frame … | …
//! ```
//!
//! inv:kont.image — a segment is never changed after it was filled. Its image is whole frames: the
//! last three words of each are the three that its call pushed.
//!
//! Capture copies the frames above the base to a new segment once and empties the stack down to the
//! base; returning there runs `UNDERFLOW`, which copies the youngest frame of the reference back to
//! the base and steps the reference. So capturing again copies only what is new, and a segment can
//! be entered any number of times.

use bowline_layout::{Header, Shape, Tag, Value, procedure};
use bowline_runtime::{Fault, kinds, object};

use super::{FRAME, Regs, frame_size};
use crate::raw::{Pc, Sp};
use crate::vm::{Root, Vm};

/// Words of a segment: the reference that it continues, then the image.
const LINK: usize = 1;
const LINK_OFFSET: usize = 2;
const IMAGE: usize = 3;

/// Captured words of a continuation object.
const SEGMENT: usize = procedure::CAPTURED;
const OFFSET: usize = procedure::CAPTURED + 1;
const WINDERS: usize = procedure::CAPTURED + 2;
const DYN: usize = procedure::CAPTURED + 3;
const ACTIVATION: usize = procedure::CAPTURED + 4;

/// Words of the largest image that is made on purpose: 128 KiB.
const PIECE: usize = 16 << 10;

/// Words above the limit that may be used while a full heap is being reported.
const OVERDRAFT: usize = 1024;

/// Where a continuation leads, seen from the running activation.
enum Reach {
    /// Into this activation.
    Here,
    /// Into one further out, with C frames between.
    Outer,
    /// Into one of another thread's.
    Elsewhere,
    /// Into one that has returned.
    Gone,
}

impl Vm {
    /// The reference at the running activation's base.
    fn reference(&self) -> (Value, Value) {
        (self.floor.get(-3), self.floor.get(-4))
    }

    fn set_reference(&mut self, segment: Value, offset: Value) {
        self.floor.put(-3, segment);
        self.floor.put(-4, offset);
    }

    /// Moves every frame but the running one to the heap. On failure nothing has changed.
    pub(super) fn capture(&mut self, mut r: Regs) -> Result<Regs, (Regs, Box<Fault>)> {
        let floor = self.floor;
        let len = r.fp.above(floor) as usize;
        if len == 0 {
            return Ok(r);
        }
        self.drop_barriers(floor);
        let (segment, offset) = self.reference();
        // inv:vm.publish, and the reference, to go back to.
        for (i, v) in [r.closure, r.acc, segment, offset].into_iter().enumerate() {
            r.sp.put(i as isize, v);
        }
        self.stack.publish(r.sp.at(4));
        let copied = self.copy_out(len);
        r.closure = r.sp.get(0);
        r.acc = r.sp.get(1);
        if let Err(fault) = copied {
            self.set_reference(r.sp.get(2), r.sp.get(3));
            return Err((r, fault));
        }
        let n = r.sp.above(r.fp);
        floor.take(r.fp, n as usize);
        r.fp = floor;
        r.sp = floor.at(n);
        Ok(r)
    }

    /// Copies the `len` words from the floor on into segments, the oldest first.
    fn copy_out(&mut self, len: usize) -> bowline_runtime::Result<()> {
        if len <= PIECE {
            return self.copy_piece(0, len);
        }
        let mut ends = vec![len];
        let mut at = len;
        let mut end = len;
        while at > 0 {
            let start = at - frame_size(self.floor.get(at as isize - 1)) as usize;
            if end - start > PIECE && at < end {
                ends.push(at);
                end = at;
            }
            at = start;
        }
        let mut start = 0;
        for &end in ends.iter().rev() {
            self.copy_piece(start, end)?;
            start = end;
        }
        Ok(())
    }

    fn copy_piece(&mut self, start: usize, end: usize) -> bowline_runtime::Result<()> {
        let n = end - start;
        let header = Header::new(Shape::Continuation, kinds::SEGMENT, n + IMAGE - 1);
        let segment = self.rt.heap.alloc(header, Tag::Object)?;
        let (link, offset) = self.reference();
        object::init(segment, LINK, link);
        object::init(segment, LINK_OFFSET, offset);
        let from = self.floor.at(start as isize);
        for i in 0..n {
            object::init(segment, IMAGE + i, from.get(i as isize));
        }
        self.set_reference(segment, Value::fixnum(n as i64));
        Ok(())
    }

    /// `%call/cc`: the running frame holds the receiver.
    pub(super) fn call_cc(&mut self, r: Regs) -> Regs {
        let receiver = r.fp.get(0);
        if !receiver.is_procedure() {
            return self.not_a_procedure(r, "call/cc", 1, receiver);
        }
        let mut r = match self.capture(r) {
            Ok(r) => r,
            Err((r, fault)) => return self.fault(r, fault),
        };
        r.sp.put(0, r.closure);
        self.stack.publish(r.sp.at(1));
        let header = procedure::header(kinds::KONT, ACTIVATION + 1 - procedure::CAPTURED);
        let k = match self.rt.heap.alloc(header, Tag::Procedure) {
            Ok(k) => k,
            Err(e) => {
                r.closure = r.sp.get(0);
                return self.fault(r, e.into());
            }
        };
        object::set_raw(k, procedure::CODE, self.rt.stubs.kont);
        let (segment, offset) = self.reference();
        object::init(k, SEGMENT, segment);
        object::init(k, OFFSET, offset);
        object::init(k, WINDERS, self.root(Root::Winders));
        object::init(k, DYN, self.root(Root::Dyn));
        object::init(k, ACTIVATION, Value::fixnum(self.activation_id() as i64));
        let receiver = r.fp.get(0);
        r.fp.put(0, k);
        r.sp = r.fp.at(1);
        r.enter(receiver);
        r
    }

    /// A return to an activation's base: the youngest captured frame goes on there, or the
    /// activation ends.
    pub(super) fn underflow(&mut self, mut r: Regs) -> Regs {
        let floor = self.floor;
        let (segment, offset) = self.reference();
        r.fp = floor;
        if segment == Value::NIL {
            r.sp = floor;
            r.pc = self.stubs.halt;
            return r;
        }
        // The frame is copied, not taken: another jump may lead here again (inv:kont.image).
        let end = frame_size(offset) as usize;
        let word = |i: usize| object::field(segment, IMAGE + i);
        let size = frame_size(word(end - 1)) as usize;
        let start = end - size;
        let body = size - FRAME;
        for i in 0..body {
            floor.put(i as isize, word(start + i));
        }
        r.closure = word(end - 3);
        r.pc = Pc::from_bits(word(end - 2).bits());
        r.sp = floor.at(body as isize);
        if start == 0 {
            let link = object::field(segment, LINK);
            self.set_reference(link, object::field(segment, LINK_OFFSET));
        } else {
            self.set_reference(segment, Value::fixnum(start as i64));
        }
        r
    }

    fn reach(&self, k: Value) -> Reach {
        let id = object::field(k, ACTIVATION).as_fixnum();
        let live = |n: &u64| Some(*n as i64) == id;
        if live(&self.activation_id()) {
            Reach::Here
        } else if self.activations.iter().any(|a| live(&a.id)) {
            Reach::Outer
        } else if self.is_elsewhere(&live) {
            Reach::Elsewhere
        } else {
            Reach::Gone
        }
    }

    /// The winders that must be active for a jump to `k` to go ahead; for a continuation outside of
    /// the running activation those with which this was entered.
    pub(super) fn kont_winders(&self, k: Value) -> Value {
        match self.reach(k) {
            Reach::Outer => self.entry_winders(),
            _ => object::field(k, WINDERS),
        }
    }

    /// The dynamic state that `k` was captured in.
    pub(super) fn kont_dyn(&self, k: Value) -> Value {
        object::field(k, DYN)
    }

    /// A call of the continuation `closure` with the words of the running frame.
    pub(super) fn kont_called(&mut self, mut r: Regs) -> Regs {
        // A continuation that is called with itself turns without entering a function
        // (inv:vm.interrupt).
        if self.limit.is_pulled() {
            r = match self.serve(r) {
                Ok(r) => r,
                Err(elsewhere) => return elsewhere,
            };
        }
        let k = r.closure;
        let winders = object::field(k, WINDERS);
        if matches!(self.reach(k), Reach::Here) && winders == self.root(Root::Winders) {
            if r.argc() == 1 {
                r.acc = r.fp.get(0);
                return self.resume(r, k);
            }
            return match self.pack(&mut r) {
                Ok(values) => {
                    r.acc = values;
                    self.resume(r, r.closure)
                }
                Err(fault) => self.fault(r, fault),
            };
        }
        match self.list_of_arguments(&mut r) {
            Ok(list) => self.go_to(r, r.closure, list, false),
            Err(fault) => self.fault(r, fault),
        }
    }

    /// Leaves for `k` with a list of values, through the library's rewinding procedure if winders
    /// are in the way and this is not its doing already.
    pub(super) fn go_to(&mut self, mut r: Regs, k: Value, list: Value, wound: bool) -> Regs {
        let reach = self.reach(k);
        let message = match reach {
            Reach::Here | Reach::Outer => None,
            Reach::Elsewhere => {
                Some("a continuation was entered on another thread than the one it belongs to:")
            }
            Reach::Gone => Some(
                "a continuation was entered after the callback or finalizer that it belongs to had returned:",
            ),
        };
        if let Some(message) = message {
            return self.control_fault(r, message, k);
        }
        // What a finalizer interrupts goes on when it returns (inv:vm.finalize).
        let outer = matches!(reach, Reach::Outer);
        if outer && self.activations.last().is_some_and(|a| a.interrupts) {
            let message = "a finalizer cannot leave for a continuation of what it interrupts:";
            return self.control_fault(r, message, k);
        }
        let hook = self.root(Root::Rewind);
        if self.kont_winders(k) != self.root(Root::Winders) && hook.is_procedure() && !wound {
            r.fp.put(0, k);
            r.fp.put(1, list);
            r.sp = r.fp.at(2);
            r.enter(hook);
            return r;
        }
        if outer {
            self.set_root(Root::PendingKont, k);
            self.set_root(Root::PendingValues, list);
            return self.end(r, super::Outcome::Throw);
        }
        r.fp.put(0, k);
        r.fp.put(1, list);
        r.sp = r.fp.at(2);
        match self.unpack_list(&mut r) {
            Ok(value) => {
                r.acc = value;
                let k = r.fp.get(0);
                self.resume(r, k)
            }
            Err(fault) => self.fault(r, fault),
        }
    }

    /// Replaces the running activation's frames by those of `k` and returns `acc` to them.
    fn resume(&mut self, mut r: Regs, k: Value) -> Regs {
        self.set_reference(object::field(k, SEGMENT), object::field(k, OFFSET));
        self.set_root(Root::Dyn, object::field(k, DYN));
        self.set_root(Root::Winders, object::field(k, WINDERS));
        self.overdraft = false;
        self.drop_barriers(self.floor);
        r.sp = self.floor;
        self.got_away();
        self.underflow(r)
    }

    /// Makes room for `extra` words, or serves whoever wants the thread. At a function's entry and at
    /// a loop's turn, where this is called, nobody wants `acc`.
    #[cold]
    #[inline(never)]
    pub(super) fn room(&mut self, mut r: Regs, extra: usize) -> Regs {
        // What it was may be out of date (inv:vm.publish).
        r.acc = Value::UNSPECIFIED;
        if self.limit.is_pulled() {
            r = match self.serve(r) {
                Ok(r) => r,
                Err(elsewhere) => return elsewhere,
            };
        }
        if self.has_room(r.sp, extra) {
            if r.sp.addr() > self.limit.get() {
                self.put_barrier(&r);
            }
            return r;
        }
        if self.overdraft && self.has_room(r.sp.at(-(OVERDRAFT as isize)), extra) {
            return r;
        }
        match self.capture(r) {
            Ok(r) if self.has_room(r.sp, extra) => r,
            Ok(r) => self.control_fault(r, "a frame is larger than the stack", Value::FALSE),
            Err((r, fault)) if !self.overdraft => {
                self.overdraft = true;
                self.fault(r, fault)
            }
            Err((r, _)) => {
                let condition = self.rt.out_of_memory_condition();
                self.uncaught(r, condition)
            }
        }
    }

    pub(super) fn has_room(&self, sp: Sp, extra: usize) -> bool {
        sp.at(extra as isize).addr() <= self.stack.real_limit()
    }

    /// Whether `extra` words fit, if need be after the frames below were moved to the heap.
    pub(super) fn make_room(&mut self, r: Regs, extra: usize) -> Result<Regs, (Regs, Box<Fault>)> {
        if self.has_room(r.sp, extra) {
            return Ok(r);
        }
        self.capture(r)
    }

    /// Calls `f` with the return address of each captured frame of the running activation and those
    /// it returns to, youngest first, until it says stop. The last words of each frame tell its size
    /// (inv:kont.image).
    pub(super) fn each_captured(&self, floor: Sp, f: &mut dyn FnMut(Pc) -> bool) -> bool {
        let mut segment = floor.get(-3);
        let mut end = frame_size(floor.get(-4)) as usize;
        while segment != Value::NIL {
            while end > 0 {
                let word = |i: usize| object::field(segment, IMAGE + i);
                if !f(Pc::from_bits(word(end - 2).bits())) {
                    return false;
                }
                end -= frame_size(word(end - 1)) as usize;
            }
            end = frame_size(object::field(segment, LINK_OFFSET)) as usize;
            segment = object::field(segment, LINK);
        }
        true
    }
}
