//! Data that the reader made, as heap values.
//!
//! Works from its own stack. What is built so far hangs on one root: a heap list with one element
//! per level of nesting, because neither the width nor the depth of data is bounded by the root
//! stack.

use std::collections::HashSet;
use std::rc::Rc;

use bowline_layout::Value;
use bowline_syntax::{Datum, DatumKind};

use crate::fault::Result;
use crate::kinds;
use crate::object;
use crate::rt::Rt;

/// A compound datum that is being built; what is built of it is the level's accumulator.
enum Level {
    /// The elements before an index are still to come, last first; the accumulator is the list
    /// behind them.
    List(Rc<[Datum]>, usize),
    /// What stands before the dot, while the tail behind it is built.
    Tail(Rc<[Datum]>),
    /// The elements before an index are still to come; the accumulator is the vector.
    Vector(Rc<[Datum]>, usize),
    /// The label of the datum inside.
    Label(u32),
}

/// What to do next.
enum Action {
    /// Build this.
    Enter(Datum),
    /// Go on with the innermost level.
    Next,
    /// Hand this finished value to the innermost level.
    Done(Value),
}

struct Builder<'a> {
    rt: &'a mut Rt,
    literal: bool,
    levels: Vec<Level>,
    /// Root stack position of the accumulators, a list, innermost first.
    accumulators: usize,
    /// Root stack position of the labels: a list of (label . value).
    labels: usize,
}

impl Rt {
    /// The heap value of a datum. Strings of a `literal` one may not be changed.
    pub fn datum_to_value(&mut self, datum: &Datum, literal: bool) -> Result {
        let height = self.height();
        self.push(Value::NIL);
        self.push(Value::NIL);
        let mut builder = Builder {
            rt: self,
            literal,
            levels: Vec::new(),
            accumulators: height,
            labels: height + 1,
        };
        let result = builder.run(datum.clone());
        let labels = self.at(height + 1);
        self.truncate(height);
        let v = result?;
        if labels == Value::NIL {
            return Ok(v);
        }
        let named = |p: Value| lookup(labels, p).unwrap_or(p);
        let v = named(v);
        resolve(self, v, labels);
        Ok(v)
    }
}

impl Builder<'_> {
    fn run(&mut self, datum: Datum) -> Result {
        let mut action = Action::Enter(datum);
        loop {
            action = match action {
                Action::Enter(datum) => self.enter(&datum)?,
                Action::Next => self.next(),
                Action::Done(v) if self.levels.is_empty() => return Ok(v),
                Action::Done(v) => self.absorb(v)?,
            };
        }
    }

    fn push_level(&mut self, level: Level, accumulator: Value) -> Result<()> {
        let list = self.rt.at(self.accumulators);
        let list = self.rt.cons(accumulator, list)?;
        self.rt.set_at(self.accumulators, list);
        self.levels.push(level);
        Ok(())
    }

    fn pop_level(&mut self) -> Value {
        let list = self.rt.at(self.accumulators);
        self.rt.set_at(self.accumulators, object::cdr(list));
        self.levels.pop();
        object::car(list)
    }

    fn accumulator(&self) -> Value {
        object::car(self.rt.at(self.accumulators))
    }

    fn set_accumulator(&mut self, v: Value) {
        let list = self.rt.at(self.accumulators);
        object::store(&mut self.rt.heap, list, 0, v);
    }

    fn enter(&mut self, datum: &Datum) -> Result<Action> {
        match &datum.kind {
            DatumKind::List(items) if items.is_empty() => return Ok(Action::Done(Value::NIL)),
            DatumKind::List(items) => {
                self.push_level(Level::List(Rc::clone(items), items.len()), Value::NIL)?;
            }
            DatumKind::Improper(items, tail) => {
                self.push_level(Level::Tail(Rc::clone(items)), Value::NIL)?;
                return Ok(Action::Enter(Datum::clone(tail)));
            }
            DatumKind::Vector(items) => {
                let vector = self.rt.make_vector(items.len(), Value::FALSE)?;
                self.push_level(Level::Vector(Rc::clone(items), items.len()), vector)?;
            }
            DatumKind::Labelled(label, inner) => {
                self.push_level(Level::Label(*label), Value::NIL)?;
                return Ok(Action::Enter(Datum::clone(inner)));
            }
            atom => return Ok(Action::Done(self.atom(atom)?)),
        }
        Ok(Action::Next)
    }

    fn atom(&mut self, atom: &DatumKind) -> Result {
        let rt = &mut *self.rt;
        match atom {
            DatumKind::Boolean(b) => Ok(Value::bool(*b)),
            DatumKind::Number(n) => rt.make_number(n),
            DatumKind::Character(c) => Ok(Value::char(*c)),
            DatumKind::String(text) if self.literal => rt.make_literal_string(text),
            DatumKind::String(text) => rt.make_string(text),
            DatumKind::Symbol(symbol) => Ok(rt.intern(symbol.as_str())),
            DatumKind::Bytevector(bytes) => rt.make_bytevector(bytes),
            DatumKind::Reference(label) => {
                rt.make_object(kinds::PLACEHOLDER, &[Value::fixnum((*label).into())])
            }
            DatumKind::Eof => Ok(Value::EOF),
            DatumKind::Default => Ok(Value::DEFAULT),
            _ => Ok(Value::UNSPECIFIED),
        }
    }

    fn next(&mut self) -> Action {
        match self.levels.last_mut() {
            Some(Level::List(items, left) | Level::Vector(items, left)) if *left > 0 => {
                *left -= 1;
                Action::Enter(items[*left].clone())
            }
            _ => Action::Done(self.pop_level()),
        }
    }

    fn absorb(&mut self, v: Value) -> Result<Action> {
        match self.levels.last_mut() {
            Some(Level::Tail(items)) => {
                let (items, n) = (Rc::clone(items), items.len());
                self.levels.pop();
                self.levels.push(Level::List(items, n));
                self.set_accumulator(v);
            }
            Some(Level::Vector(_, i)) => {
                let i = *i;
                let vector = self.accumulator();
                object::store(&mut self.rt.heap, vector, 1 + i, v);
            }
            Some(Level::Label(label)) => {
                let label = Value::fixnum((*label).into());
                let entry = self.rt.cons(label, v)?;
                let labels = self.rt.at(self.labels);
                let labels = self.rt.cons(entry, labels)?;
                self.rt.set_at(self.labels, labels);
                self.pop_level();
                return Ok(Action::Done(object::cdr(object::car(labels))));
            }
            _ => {
                let rest = self.accumulator();
                let list = self.rt.cons(v, rest)?;
                self.set_accumulator(list);
            }
        }
        Ok(Action::Next)
    }
}

/// What the label of a placeholder names.
fn lookup(labels: Value, v: Value) -> Option<Value> {
    if !object::is(v, kinds::PLACEHOLDER) {
        return None;
    }
    let label = object::field(v, 1);
    let mut rest = labels;
    while rest.is_pair() {
        let entry = object::car(rest);
        if object::car(entry) == label {
            return Some(object::cdr(entry));
        }
        rest = object::cdr(rest);
    }
    None
}

/// Puts what the labels name where placeholders stand. Allocates nothing in the heap.
fn resolve(rt: &mut Rt, v: Value, labels: Value) {
    let mut seen = HashSet::new();
    let mut stack = vec![v];
    while let Some(v) = stack.pop() {
        let (first, end) = if v.is_pair() {
            (0, 2)
        } else if object::is(v, kinds::VECTOR) {
            (1, 1 + object::length(v))
        } else {
            continue;
        };
        if !seen.insert(v.bits()) {
            continue;
        }
        for i in first..end {
            let part = match i {
                0 => object::car(v),
                1 if v.is_pair() => object::cdr(v),
                _ => object::field(v, i),
            };
            match lookup(labels, part) {
                Some(named) => object::store(&mut rt.heap, v, i, named),
                None => stack.push(part),
            }
        }
    }
}
