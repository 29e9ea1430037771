//! Data that the reader made, as heap values.
//!
//! Works from its own stack. What is built so far hangs on one root: a heap list with one element
//! per level of nesting, because neither the width nor the depth of data is bounded by the root
//! stack.
//!
//! What the datum shares (acyclic labels in text, parts that a macro used twice) is shared in the
//! heap too: a part that has several owners is built once and remembered by its address in Rust.

use std::collections::HashMap;
use std::rc::Rc;

use bowline_layout::Value;
use bowline_syntax::{Datum, DatumKind};

use crate::addresses::WordSet;
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
    /// Each with the key of a part that may come again.
    levels: Vec<(Level, Option<Key>)>,
    /// Where in the vector at `shared` a part that has been built is.
    memo: HashMap<Key, usize>,
    /// Root stack position of a vector of built parts.
    shared: usize,
    /// Root stack position of the accumulators, a list, innermost first.
    accumulators: usize,
    /// Root stack position of the labels: a list of (label . value).
    labels: usize,
}

/// The address of a part in Rust.
type Key = usize;

/// The key of a part that has more owners than the datum around it and its copy in an `Action`.
fn key_of(kind: &DatumKind) -> Option<Key> {
    fn key<T: ?Sized>(part: &Rc<T>) -> Option<Key> {
        (Rc::strong_count(part) > 2).then(|| Rc::as_ptr(part).addr())
    }
    match kind {
        DatumKind::List(items) if items.is_empty() => None,
        DatumKind::List(items) | DatumKind::Vector(items) => key(items),
        DatumKind::Improper(items, _) => key(items),
        DatumKind::String(text) => key(text),
        DatumKind::Bytevector(bytes) => key(bytes),
        _ => None,
    }
}

impl Rt {
    /// The heap value of a datum. Strings of a `literal` one may not be changed.
    pub fn datum_to_value(&mut self, datum: &Datum, literal: bool) -> Result {
        let height = self.height();
        self.push(Value::NIL);
        self.push(Value::NIL);
        self.push(Value::FALSE);
        let mut builder = Builder {
            rt: self,
            literal,
            levels: Vec::new(),
            memo: HashMap::new(),
            accumulators: height,
            labels: height + 1,
            shared: height + 2,
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
                Action::Next => self.next()?,
                Action::Done(v) if self.levels.is_empty() => return Ok(v),
                Action::Done(v) => self.absorb(v)?,
            };
        }
    }

    fn push_level(&mut self, level: Level, key: Option<Key>, accumulator: Value) -> Result<()> {
        let list = self.rt.at(self.accumulators);
        let list = self.rt.cons(accumulator, list)?;
        self.rt.set_at(self.accumulators, list);
        self.levels.push((level, key));
        Ok(())
    }

    /// Remembers a part that may come again. Gives it back as it is then.
    fn remember(&mut self, key: Option<Key>, v: Value) -> Result {
        let Some(key) = key else {
            return Ok(v);
        };
        let index = self.memo.len();
        let parts = self.rt.at(self.shared);
        let room = if parts.is_true() {
            object::length(parts)
        } else {
            0
        };
        let mut v = v;
        if index == room {
            self.rt.push(v);
            let more = self.rt.make_vector((room * 2).max(8), Value::FALSE)?;
            v = self.rt.pop();
            let parts = self.rt.at(self.shared);
            for i in 1..=room {
                object::init(more, i, object::field(parts, i));
            }
            self.rt.set_at(self.shared, more);
        }
        let parts = self.rt.at(self.shared);
        object::store(&mut self.rt.heap, parts, 1 + index, v);
        self.memo.insert(key, index);
        Ok(v)
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
        let key = key_of(&datum.kind);
        if let Some(index) = key.and_then(|key| self.memo.get(&key)) {
            let parts = self.rt.at(self.shared);
            return Ok(Action::Done(object::field(parts, 1 + index)));
        }
        match &datum.kind {
            DatumKind::List(items) if items.is_empty() => return Ok(Action::Done(Value::NIL)),
            DatumKind::List(items) => {
                self.push_level(Level::List(Rc::clone(items), items.len()), key, Value::NIL)?;
            }
            DatumKind::Improper(items, tail) => {
                self.push_level(Level::Tail(Rc::clone(items)), key, Value::NIL)?;
                return Ok(Action::Enter(Datum::clone(tail)));
            }
            DatumKind::Vector(items) => {
                let vector = self.rt.make_vector(items.len(), Value::FALSE)?;
                self.push_level(Level::Vector(Rc::clone(items), items.len()), key, vector)?;
            }
            DatumKind::Labelled(label, inner) => {
                self.push_level(Level::Label(*label), None, Value::NIL)?;
                return Ok(Action::Enter(Datum::clone(inner)));
            }
            atom => {
                let v = self.atom(atom)?;
                return Ok(Action::Done(self.remember(key, v)?));
            }
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
            DatumKind::Symbol(symbol) => rt.intern(symbol.as_str()),
            DatumKind::Bytevector(bytes) => rt.make_bytevector(bytes),
            DatumKind::Reference(label) => {
                rt.make_object(kinds::PLACEHOLDER, &[Value::fixnum((*label).into())])
            }
            DatumKind::Eof => Ok(Value::EOF),
            DatumKind::Default => Ok(Value::DEFAULT),
            _ => Ok(Value::UNSPECIFIED),
        }
    }

    fn next(&mut self) -> Result<Action> {
        match self.levels.last_mut() {
            Some((Level::List(items, left) | Level::Vector(items, left), _)) if *left > 0 => {
                *left -= 1;
                Ok(Action::Enter(items[*left].clone()))
            }
            last => {
                let key = last.and_then(|level| level.1);
                let v = self.pop_level();
                Ok(Action::Done(self.remember(key, v)?))
            }
        }
    }

    fn absorb(&mut self, v: Value) -> Result<Action> {
        match self.levels.last_mut() {
            Some((level @ Level::Tail(_), _)) => {
                if let Level::Tail(items) = level {
                    let (items, n) = (Rc::clone(items), items.len());
                    *level = Level::List(items, n);
                }
                self.set_accumulator(v);
            }
            Some((Level::Vector(_, i), _)) => {
                let i = *i;
                let vector = self.accumulator();
                object::store(&mut self.rt.heap, vector, 1 + i, v);
            }
            Some((Level::Label(label), _)) => {
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
    let mut seen = WordSet::default();
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
