//! The verifier: whether a module keeps the invariants of `ir`.
//!
//! It is run on everything the compiler makes in debug builds, and on parsed text. It finds every
//! fault, not just the first.

use std::fmt;

use super::{FuncId, Function, Ir, LabelId, Module, PrimitiveId, Slot};
use crate::fx::FxHashSet;
use crate::prims::Primitives;

/// A broken invariant, with the function in which it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The entry is no function, or one that takes arguments or captures something.
    Entry(FuncId),
    /// The function with this number is not at this index.
    Misplaced(FuncId, usize),
    /// A function that does not exist.
    NoFunction(FuncId, FuncId),
    /// The arguments do not fit into `locals`.
    TooFewLocals(FuncId),
    /// inv:ir.slots: a slot at or above `locals`.
    SlotRange(FuncId, Slot),
    /// inv:ir.slots: a slot read where it has no value.
    SlotUnset(FuncId, Slot),
    /// inv:ir.slots: a slot given a value while it has one.
    SlotTaken(FuncId, Slot),
    /// inv:ir.captures: `Captured(i)` beyond `captures`.
    CapturedRange(FuncId, u16),
    /// inv:ir.captures: a closure of the second function with this many values.
    CaptureCount(FuncId, FuncId, usize),
    /// `Fix` captures something that is neither `Local` nor `Captured`.
    FixCapture(FuncId),
    /// inv:ir.tail: a call's flag is wrong.
    Tail(FuncId),
    /// inv:ir.tail: a `Jump` that is not in tail position of a loop with this label.
    JumpPlace(FuncId, LabelId),
    /// A `Jump` or `Loop` with a wrong number of values.
    LoopCount(FuncId, LabelId),
    /// Two loops of one function share a label.
    LabelTwice(FuncId, LabelId),
    /// inv:ir.known: a wrong number of arguments, or a function with a rest.
    KnownArity(FuncId, FuncId),
    /// inv:ir.known: a closure is missing or too much.
    KnownClosure(FuncId, FuncId),
    /// A primitive that does not exist, does not take that many arguments, or is `control`.
    PrimCall(FuncId, PrimitiveId),
    /// An empty `Seq`.
    EmptySeq(FuncId),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Entry(id) => write!(f, "f{} cannot be the entry", id.0),
            Self::Misplaced(id, index) => write!(f, "f{} is at index {index}", id.0),
            Self::NoFunction(at, id) => write!(f, "f{}: no function f{}", at.0, id.0),
            Self::TooFewLocals(at) => write!(f, "f{}: the arguments exceed the locals", at.0),
            Self::SlotRange(at, s) => write!(f, "f{}: s{} is beyond the locals", at.0, s.0),
            Self::SlotUnset(at, s) => write!(f, "f{}: s{} has no value here", at.0, s.0),
            Self::SlotTaken(at, s) => write!(f, "f{}: s{} has a value already", at.0, s.0),
            Self::CapturedRange(at, index) => {
                write!(f, "f{}: nothing is captured as c{index}", at.0)
            }
            Self::CaptureCount(at, id, count) => {
                write!(f, "f{}: f{} does not capture {count} values", at.0, id.0)
            }
            Self::FixCapture(at) => write!(f, "f{}: fix captures a computed value", at.0),
            Self::Tail(at) => write!(f, "f{}: a call has the wrong tail flag", at.0),
            Self::JumpPlace(at, label) => {
                write!(
                    f,
                    "f{}: jump L{} is not in tail position of its loop",
                    at.0, label.0
                )
            }
            Self::LoopCount(at, label) => {
                write!(f, "f{}: L{} gets a wrong number of values", at.0, label.0)
            }
            Self::LabelTwice(at, label) => write!(f, "f{}: two loops are L{}", at.0, label.0),
            Self::KnownArity(at, id) => {
                write!(f, "f{}: f{} does not take these arguments", at.0, id.0)
            }
            Self::KnownClosure(at, id) => {
                write!(
                    f,
                    "f{}: f{} is called with the wrong kind of closure",
                    at.0, id.0
                )
            }
            Self::PrimCall(at, prim) => {
                write!(f, "f{}: primitive {} cannot be called so", at.0, prim.0)
            }
            Self::EmptySeq(at) => write!(f, "f{}: an empty seq", at.0),
        }
    }
}

/// Every fault of the module; empty when it is sound.
pub fn verify(module: &Module, prims: &Primitives) -> Vec<Fault> {
    let mut faults = Vec::new();
    match module.function(module.entry) {
        Some(f) if f.argument_slots() == 0 && f.captures == 0 => {}
        _ => faults.push(Fault::Entry(module.entry)),
    }
    for (index, function) in module.functions.iter().enumerate() {
        if function.id.0 as usize != index {
            faults.push(Fault::Misplaced(function.id, index));
        }
        let locals = usize::from(function.locals);
        let arguments = usize::from(function.argument_slots());
        if arguments > locals {
            faults.push(Fault::TooFewLocals(function.id));
        }
        let mut verifier = Verifier {
            module,
            prims,
            function,
            live: (0..locals.max(arguments)).map(|s| s < arguments).collect(),
            labels: FxHashSet::default(),
            faults,
        };
        verifier.check(
            &function.body,
            &Place {
                tail: true,
                loops: Vec::new(),
            },
        );
        faults = verifier.faults;
    }
    faults
}

/// Where an expression stands: in tail position of the function, and of which loops.
struct Place {
    tail: bool,
    loops: Vec<(LabelId, usize)>,
}

const INNER: Place = Place {
    tail: false,
    loops: Vec::new(),
};

struct Verifier<'a> {
    module: &'a Module,
    prims: &'a Primitives,
    function: &'a Function,
    /// Which slots have values here.
    live: Vec<bool>,
    labels: FxHashSet<LabelId>,
    faults: Vec<Fault>,
}

impl Verifier<'_> {
    fn fault(&mut self, fault: impl FnOnce(FuncId) -> Fault) {
        self.faults.push(fault(self.function.id));
    }

    fn expect(&mut self, sound: bool, fault: impl FnOnce(FuncId) -> Fault) {
        if !sound {
            self.fault(fault);
        }
    }

    fn inner(&mut self, items: &[Ir]) {
        items.iter().for_each(|ir| self.check(ir, &INNER));
    }

    fn bind(&mut self, slot: Slot) {
        match self.live.get(usize::from(slot.0)).copied() {
            None => self.fault(|at| Fault::SlotRange(at, slot)),
            Some(true) => self.fault(|at| Fault::SlotTaken(at, slot)),
            Some(false) => self.live[usize::from(slot.0)] = true,
        }
    }

    fn unbind(&mut self, slot: Slot) {
        if let Some(live) = self.live.get_mut(usize::from(slot.0)) {
            *live = false;
        }
    }

    fn read(&mut self, slot: Slot) {
        match self.live.get(usize::from(slot.0)) {
            None => self.fault(|at| Fault::SlotRange(at, slot)),
            Some(false) => self.fault(|at| Fault::SlotUnset(at, slot)),
            Some(true) => {}
        }
    }

    fn closure(&mut self, func: FuncId, count: usize) {
        match self.module.function(func) {
            None => self.fault(|at| Fault::NoFunction(at, func)),
            Some(f) => self.expect(usize::from(f.captures) == count, |at| {
                Fault::CaptureCount(at, func, count)
            }),
        }
    }

    fn check(&mut self, ir: &Ir, place: &Place) {
        match ir {
            Ir::Const(_) | Ir::Global(..) | Ir::Unassigned => {}
            Ir::Primitive(prim) => {
                self.expect(self.prims.get(*prim).is_some(), |at| {
                    Fault::PrimCall(at, *prim)
                });
            }
            Ir::Local(slot) => self.read(*slot),
            Ir::Captured(index) => self.expect(*index < self.function.captures, |at| {
                Fault::CapturedRange(at, *index)
            }),
            Ir::SetGlobal(_, value, _)
            | Ir::DefineGlobal(_, value)
            | Ir::BoxNew(value)
            | Ir::BoxGet(value)
            | Ir::CheckBound { value, .. } => self.check(value, &INNER),
            Ir::BoxSet(target, value) => {
                self.check(target, &INNER);
                self.check(value, &INNER);
            }
            Ir::If(test, then, other) => {
                self.check(test, &INNER);
                self.check(then, place);
                self.check(other, place);
            }
            Ir::Seq(items) => match items.split_last() {
                None => self.fault(Fault::EmptySeq),
                Some((last, init)) => {
                    self.inner(init);
                    self.check(last, place);
                }
            },
            Ir::Let { slot, init, body } => {
                self.check(init, &INNER);
                self.bind(*slot);
                self.check(body, place);
                self.unbind(*slot);
            }
            Ir::PrimCall { prim, args, .. } => {
                let info = self.prims.get(*prim);
                let sound = info.is_some_and(|info| info.accepts(args.len()) && !info.control);
                self.expect(sound, |at| Fault::PrimCall(at, *prim));
                self.inner(args);
            }
            Ir::Closure { func, captured } => {
                self.closure(*func, captured.len());
                self.inner(captured);
            }
            Ir::CaseLambda { clauses } => {
                for (func, captured) in clauses {
                    self.closure(*func, captured.len());
                    self.inner(captured);
                }
            }
            _ => self.check_control(ir, place),
        }
    }

    fn check_control(&mut self, ir: &Ir, place: &Place) {
        match ir {
            Ir::Call { f, args, tail, .. } => {
                self.expect(*tail == place.tail, Fault::Tail);
                self.check(f, &INNER);
                self.inner(args);
            }
            Ir::CallKnown {
                func,
                closure,
                args,
                tail,
                ..
            } => {
                self.expect(*tail == place.tail, Fault::Tail);
                self.check_known(*func, closure.is_some(), args.len());
                if let Some(closure) = closure {
                    self.check(closure, &INNER);
                }
                self.inner(args);
            }
            Ir::Fix { closures, body } => {
                closures.iter().for_each(|(slot, _, _)| self.bind(*slot));
                for (_, func, captured) in closures {
                    self.closure(*func, captured.len());
                    let plain = |ir: &Ir| matches!(ir, Ir::Local(_) | Ir::Captured(_));
                    self.expect(captured.iter().all(plain), Fault::FixCapture);
                    self.inner(captured);
                }
                self.check(body, place);
                closures.iter().for_each(|(slot, _, _)| self.unbind(*slot));
            }
            Ir::Loop {
                label,
                slots,
                inits,
                body,
            } => {
                let fresh = self.labels.insert(*label);
                self.expect(fresh, |at| Fault::LabelTwice(at, *label));
                self.expect(slots.len() == inits.len(), |at| {
                    Fault::LoopCount(at, *label)
                });
                self.inner(inits);
                slots.iter().for_each(|slot| self.bind(*slot));
                let mut loops = place.loops.clone();
                loops.push((*label, slots.len()));
                let tail = place.tail;
                self.check(body, &Place { tail, loops });
                slots.iter().for_each(|slot| self.unbind(*slot));
            }
            Ir::Jump { label, args, .. } => {
                match place.loops.iter().find(|(other, _)| other == label) {
                    None => self.fault(|at| Fault::JumpPlace(at, *label)),
                    Some((_, count)) => {
                        self.expect(*count == args.len(), |at| Fault::LoopCount(at, *label));
                    }
                }
                self.inner(args);
            }
            _ => {}
        }
    }

    fn check_known(&mut self, func: FuncId, closure: bool, count: usize) {
        match self.module.function(func) {
            None => self.fault(|at| Fault::NoFunction(at, func)),
            Some(f) => {
                let fits = !f.rest && usize::from(f.params) == count;
                self.expect(fits, |at| Fault::KnownArity(at, func));
                self.expect(closure == (f.captures > 0), |at| {
                    Fault::KnownClosure(at, func)
                });
            }
        }
    }
}
