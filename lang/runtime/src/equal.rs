//! `eqv?` and `equal?`.
//!
//! What one constructor has made is compared field by field, typed ones by their bits.
//!
//! `equal?` ends on cyclic data: after a number of steps it puts what it has compared into classes
//! (union-find), and two things in one class are taken to be equal; a difference shows elsewhere.
//! Nothing is allocated in the heap, so addresses are good keys until the next poll, at which all that was
//! remembered is kept and found again.

use bowline_layout::{Value, foreign_pointer};

use crate::addresses::WordMap;
use crate::datatypes;
use crate::fault::Result;
use crate::kinds;
use crate::num;
use crate::object;
use crate::rt::Rt;
use crate::strings;
use crate::walk::PIECE;

/// `(eqv? a b)`
#[inline]
pub fn eqv(rt: &Rt, a: Value, b: Value) -> bool {
    a == b || (a.is_object() && b.is_object() && num::eqv(rt, a, b))
}

/// Steps without a table of what was compared.
const FREE_STEPS: usize = 2000;

/// `(equal? a b)`, in one go.
pub fn equal(rt: &Rt, a: Value, b: Value) -> bool {
    let mut comparison = Comparison::new(a, b);
    loop {
        if let Some(same) = comparison.go(rt) {
            return same;
        }
    }
}

/// The same for what a program asks, which may be large: polls, and stops if somebody interrupts it.
pub fn equal_or_interrupt(rt: &mut Rt, a: Value, b: Value) -> Result<bool> {
    Comparison::new(a, b).finish(rt)
}

/// Two things that are being compared, or parts of two vectors or of what one constructor has made.
#[derive(Clone, Copy)]
struct Task {
    a: Value,
    b: Value,
    /// 0 for the things themselves, otherwise the first field that is still to be compared.
    field: usize,
}

/// A comparison under way.
pub(crate) struct Comparison {
    stack: Vec<Task>,
    steps: usize,
    classes: Classes,
}

impl Comparison {
    pub(crate) fn new(a: Value, b: Value) -> Self {
        Comparison {
            stack: vec![Task { a, b, field: 0 }],
            steps: 0,
            classes: Classes::default(),
        }
    }

    /// Goes on to the end, with polls (inv:walk.piece).
    pub(crate) fn finish(mut self, rt: &mut Rt) -> Result<bool> {
        loop {
            if let Some(same) = self.go(rt) {
                return Ok(same);
            }
            rt.check_interrupt()?;
            if rt.heap.stack().poll_wanted() {
                self.poll(rt);
            }
        }
    }

    /// Lets a collection happen, and finds everything again.
    fn poll(&mut self, rt: &mut Rt) {
        let epoch = rt.epoch();
        let mut words: Vec<Value> = self.stack.iter().flat_map(|t| [t.a, t.b]).collect();
        let links = self.classes.0.iter().flat_map(|(k, v)| [*k, *v]);
        words.extend(links.map(Value::from_bits));
        rt.poll_keeping_all(&mut words);
        if rt.epoch() == epoch {
            return;
        }
        let (tasks, links) = words.split_at(2 * self.stack.len());
        for (task, words) in self.stack.iter_mut().zip(tasks.chunks_exact(2)) {
            (task.a, task.b) = (words[0], words[1]);
        }
        let links = links.chunks_exact(2);
        self.classes = Classes(links.map(|w| (w[0].bits(), w[1].bits())).collect());
    }

    /// Whether the two are equal; `None` if that is not clear after some thousand steps more.
    pub(crate) fn go(&mut self, rt: &Rt) -> Option<bool> {
        let end = self.steps + PIECE;
        while let Some(task) = self.stack.pop() {
            let (mut a, mut b) = (task.a, task.b);
            if task.field > 0 {
                if task.field + 1 < datatypes::words(a).1 {
                    let field = task.field + 1;
                    self.stack.push(Task { field, ..task });
                }
                (a, b) = (object::field(a, task.field), object::field(b, task.field));
            }
            // A pair's spine is walked in place, so lists cost no stack.
            loop {
                self.steps += 1;
                if self.steps > end {
                    self.stack.push(Task { a, b, field: 0 });
                    return None;
                }
                if a == b {
                    break;
                }
                if !(a.is_pair() && b.is_pair()) {
                    if !self.objects(rt, a, b) {
                        return Some(false);
                    }
                    break;
                }
                if self.steps > FREE_STEPS && !self.classes.join(a, b) {
                    break;
                }
                let (x, y) = (object::car(a), object::car(b));
                if x != y {
                    if !(x.is_pointer() && y.is_pointer()) {
                        return Some(false);
                    }
                    self.stack.push(Task {
                        a: x,
                        b: y,
                        field: 0,
                    });
                }
                (a, b) = (object::cdr(a), object::cdr(b));
            }
        }
        Some(true)
    }

    /// Whether two things that are not both pairs may be equal: parts of vectors are compared later.
    fn objects(&mut self, rt: &Rt, a: Value, b: Value) -> bool {
        if !a.is_object() || !b.is_object() {
            return false;
        }
        let kind = object::header(a).type_id();
        if kind != object::header(b).type_id() {
            let bytes = object::is_bytevector(a) && object::is_bytevector(b);
            return bytes && rt.bytevector(a) == rt.bytevector(b);
        }
        match kind {
            kinds::STRING => strings::counts(a) == strings::counts(b) && rt.text(a) == rt.text(b),
            kinds::FOREIGN_POINTER => {
                object::raw(a, foreign_pointer::POINTER) == object::raw(b, foreign_pointer::POINTER)
            }
            kinds::BYTEVECTOR | kinds::BYTEVECTOR_VIEW => rt.bytevector(a) == rt.bytevector(b),
            kinds::VECTOR => {
                let n = object::length(a);
                if n != object::length(b) {
                    return false;
                }
                if n > 0 && (self.steps <= FREE_STEPS || self.classes.join(a, b)) {
                    self.stack.push(Task { a, b, field: 1 });
                }
                true
            }
            _ if datatypes::is_data(a) => self.made(a, b),
            _ => num::eqv(rt, a, b),
        }
    }

    /// Whether two objects of one constructor may be equal: their values are compared later.
    fn made(&mut self, a: Value, b: Value) -> bool {
        let (first, end) = datatypes::words(a);
        if (1..first).any(|word| object::raw(a, word) != object::raw(b, word)) {
            return false;
        }
        if first < end && (self.steps <= FREE_STEPS || self.classes.join(a, b)) {
            self.stack.push(Task { a, b, field: first });
        }
        true
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
