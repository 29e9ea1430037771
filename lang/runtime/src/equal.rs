//! `eqv?` and `equal?`.
//!
//! `equal?` ends on cyclic data: after a number of steps it puts what it has compared into classes
//! (union-find), and two things in one class are taken to be equal; a difference shows elsewhere.
//! Nothing is allocated in the heap, so addresses are good keys.

use bowline_layout::{Value, foreign_pointer};

use crate::addresses::WordMap;
use crate::fault::{Fault, Result};
use crate::kinds;
use crate::num;
use crate::object;
use crate::rt::Rt;
use crate::strings;

/// `(eqv? a b)`
#[inline]
pub fn eqv(rt: &Rt, a: Value, b: Value) -> bool {
    a == b || (a.is_object() && b.is_object() && num::eqv(rt, a, b))
}

/// Steps without a table of what was compared.
const FREE_STEPS: usize = 2000;

/// `(equal? a b)`
pub fn equal(rt: &Rt, a: Value, b: Value) -> bool {
    equal_until(rt, a, b, || false).unwrap_or(false)
}

/// The same, unless somebody interrupts it.
pub fn equal_or_interrupt(rt: &Rt, a: Value, b: Value) -> Result<bool> {
    let equal = equal_until(rt, a, b, || rt.heap.stack().interrupt_wanted());
    equal.ok_or_else(|| Box::new(Fault::Interrupt { unwound: false }))
}

/// Steps between two looks at whether to stop.
const PATIENCE: usize = 1024;

/// Whether the two are equal; `None` if `stop` said so meanwhile.
fn equal_until(rt: &Rt, a: Value, b: Value, stop: impl Fn() -> bool) -> Option<bool> {
    let mut stack = vec![(a, b)];
    let mut steps = 0usize;
    let mut classes = Classes::default();
    while let Some((mut a, mut b)) = stack.pop() {
        // A pair's spine is walked in place, so lists cost no stack.
        loop {
            if a == b {
                break;
            }
            steps += 1;
            if steps.is_multiple_of(PATIENCE) && stop() {
                return None;
            }
            if !(a.is_pair() && b.is_pair()) {
                if !equal_objects(rt, a, b, &mut stack, steps, &mut classes) {
                    return Some(false);
                }
                break;
            }
            if steps > FREE_STEPS && !classes.join(a, b) {
                break;
            }
            let (x, y) = (object::car(a), object::car(b));
            if x != y {
                if x.is_pointer() && y.is_pointer() {
                    stack.push((x, y));
                } else {
                    return Some(false);
                }
            }
            (a, b) = (object::cdr(a), object::cdr(b));
        }
    }
    Some(true)
}

fn equal_objects(
    rt: &Rt,
    a: Value,
    b: Value,
    stack: &mut Vec<(Value, Value)>,
    steps: usize,
    classes: &mut Classes,
) -> bool {
    if !a.is_object() || !b.is_object() {
        return false;
    }
    let kind = object::header(a).type_id();
    if kind != object::header(b).type_id() {
        return false;
    }
    match kind {
        kinds::STRING => strings::counts(a) == strings::counts(b) && rt.text(a) == rt.text(b),
        kinds::FOREIGN_POINTER => {
            object::raw(a, foreign_pointer::POINTER) == object::raw(b, foreign_pointer::POINTER)
        }
        kinds::BYTEVECTOR => rt.bytevector(a) == rt.bytevector(b),
        kinds::VECTOR => {
            let n = object::length(a);
            if n != object::length(b) {
                return false;
            }
            if steps <= FREE_STEPS || classes.join(a, b) {
                let elements = (1..=n).rev();
                stack.extend(elements.map(|i| (object::field(a, i), object::field(b, i))));
            }
            true
        }
        _ => num::eqv(rt, a, b),
    }
}

/// What is taken to be equal: a forest over the words of the objects.
#[derive(Default)]
struct Classes(WordMap<u64>);

impl Classes {
    fn find(&mut self, start: u64) -> u64 {
        let mut root = start;
        while let Some(&parent) = self.0.get(&root) {
            root = parent;
        }
        let mut at = start;
        while at != root {
            let next = self.0.insert(at, root);
            at = next.unwrap_or(root);
        }
        root
    }

    /// Puts both into one class; false when they were in one already.
    fn join(&mut self, a: Value, b: Value) -> bool {
        let (a, b) = (self.find(a.bits()), self.find(b.bits()));
        if a == b {
            return false;
        }
        self.0.insert(a, b);
        true
    }
}
