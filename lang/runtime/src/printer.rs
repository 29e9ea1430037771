//! Heap values to text: `display`, `write`, `write-shared`, `write-simple`.
//!
//! Printing allocates nothing in the heap, so addresses hold still and may be keys. It keeps its
//! own stack: depth costs memory, never the machine stack.
//!
//! `display` and `write` label what is on a cycle only; a first walk with a budget and without a
//! table settles the usual case. R7RS lets `write-simple` run for ever on a cycle; ours labels it,
//! which is the better of the two.
//!
//! Absent on purpose: line breaking.

use std::fmt::Write;

use bowline_ffi::CType;
use bowline_layout::{Value, procedure};
use bowline_syntax::{write_character, write_string, write_symbol};

use crate::addresses::{WordMap, WordSet};
use crate::condition;
use crate::datatypes;
use crate::fault::{Fault, Result};
use crate::kinds;
use crate::object;
use crate::rt::Rt;
use crate::symbols;

/// How to print.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// For people: strings and characters stand bare.
    Display,
    /// For `read`, with labels for cycles.
    Write,
    /// For `read`, with labels for everything that occurs twice.
    Shared,
    /// For `read`, without labels for what is merely shared.
    Simple,
}

/// The text of `v`; of what is longer than the heap may be the beginning.
pub fn print(rt: &Rt, v: Value, mode: Mode) -> String {
    print_short(rt, v, mode, rt.heap().limit())
}

/// The text of `v`, or its beginning and `…` where it has more than so many bytes.
pub fn print_short(rt: &Rt, v: Value, mode: Mode, most: usize) -> String {
    match print_until(rt, v, mode, most, || false) {
        Ok(text) => text,
        Err((_, mut text)) => {
            text.truncate(text.floor_char_boundary(most));
            text.push('…');
            text
        }
    }
}

/// The text of `v`, unless somebody interrupts it or it is longer than the heap may be.
pub fn print_or_interrupt(rt: &Rt, v: Value, mode: Mode) -> Result<String> {
    let wanted = || rt.heap.stack().interrupt_wanted();
    let text = print_until(rt, v, mode, rt.heap().limit(), wanted);
    text.map_err(|(end, _)| {
        Box::new(match end {
            End::Stopped => Fault::Interrupt { unwound: false },
            End::Full => Fault::OutOfMemory,
        })
    })
}

/// Why there is no more text.
#[derive(Clone, Copy)]
enum End {
    Stopped,
    /// It has as much as it may have, or there is no memory for more.
    Full,
}

/// Steps between two looks at whether to stop.
const PATIENCE: usize = 1024;

/// Bytes of a bytevector that are printed in a step.
const BYTES: usize = 64;

/// Room for the text of a step; that of a string takes more.
const ROOM: usize = 1024;

/// The text of `v`; if `stop` said so meanwhile, or there is more than so many bytes, what there is of it.
fn print_until(
    rt: &Rt,
    v: Value,
    mode: Mode,
    most: usize,
    stop: impl Fn() -> bool,
) -> std::result::Result<String, (End, String)> {
    let labels = match mode {
        Mode::Shared => shared(v, &stop),
        _ if is_small_tree(v) => Some(Labels::default()),
        _ => cyclic(v, &stop),
    };
    let Some(labels) = labels else {
        return Err((End::Stopped, String::new()));
    };
    let mut printer = Printer {
        rt,
        quoted: mode != Mode::Display,
        out: String::new(),
        tasks: vec![Task::Value(v)],
        labels,
        next: 0,
    };
    match printer.run(most, &stop) {
        Ok(()) => Ok(printer.out),
        Err(end) => Err((end, printer.out)),
    }
}

/// Counts steps, and gives up when `stop` says so.
struct Steps<'a, F>(usize, &'a F);

impl<F: Fn() -> bool> Steps<'_, F> {
    fn next(&mut self) -> Option<()> {
        self.0 += 1;
        if self.0.is_multiple_of(PATIENCE) && (self.1)() {
            return None;
        }
        Some(())
    }
}

/// The parts of a compound value that printing goes into: pairs, vectors, records, data of constructors.
fn children(v: Value) -> Option<(usize, usize)> {
    if v.is_pair() {
        return Some((0, 2));
    }
    match object::type_id(v)? {
        kinds::VECTOR | kinds::MULTIPLE_VALUES if object::length(v) > 0 => {
            Some((1, 1 + object::length(v)))
        }
        kinds::RECORD => Some((2, 1 + object::length(v))),
        kinds::BOX => Some((1, 2)),
        _ if datatypes::is_data(v) => Some(datatypes::words(v)),
        _ => None,
    }
}

fn child(v: Value, i: usize) -> Value {
    if v.is_pair() {
        if i == 0 {
            object::car(v)
        } else {
            object::cdr(v)
        }
    } else {
        object::field(v, i)
    }
}

/// Whether a walk of at most some thousand steps ends, so that there is no cycle.
fn is_small_tree(v: Value) -> bool {
    let mut budget = 4096;
    let mut stack = vec![v];
    while let Some(v) = stack.pop() {
        if let Some((first, end)) = children(v) {
            if budget < end - first {
                return false;
            }
            budget -= end - first;
            stack.extend((first..end).map(|i| child(v, i)));
        }
    }
    true
}

/// What has been given a label: `None` until it is printed.
type Labels = WordMap<Option<usize>>;

/// Everything that the walk meets again while it is inside it.
fn cyclic(v: Value, stop: &impl Fn() -> bool) -> Option<Labels> {
    enum Step {
        Enter(Value),
        Leave(Value),
    }
    let mut labels = Labels::default();
    // Whether a node is on the path; nodes that were left stay, so that each is walked once.
    let mut seen: WordMap<bool> = WordMap::default();
    let mut stack = vec![Step::Enter(v)];
    let mut steps = Steps(0, stop);
    while let Some(step) = stack.pop() {
        steps.next()?;
        match step {
            Step::Leave(v) => {
                seen.insert(v.bits(), false);
            }
            Step::Enter(v) => {
                let Some((first, end)) = children(v) else {
                    continue;
                };
                match seen.get(&v.bits()) {
                    Some(true) => {
                        labels.insert(v.bits(), None);
                    }
                    Some(false) => {}
                    None => {
                        seen.insert(v.bits(), true);
                        stack.push(Step::Leave(v));
                        stack.extend((first..end).rev().map(|i| Step::Enter(child(v, i))));
                    }
                }
            }
        }
    }
    Some(labels)
}

/// Everything that occurs twice.
fn shared(v: Value, stop: &impl Fn() -> bool) -> Option<Labels> {
    let mut labels = Labels::default();
    let mut seen = WordSet::default();
    let mut stack = vec![v];
    let mut steps = Steps(0, stop);
    while let Some(v) = stack.pop() {
        steps.next()?;
        let Some((first, end)) = children(v) else {
            continue;
        };
        if seen.insert(v.bits()) {
            stack.extend((first..end).map(|i| child(v, i)));
        } else {
            labels.insert(v.bits(), None);
        }
    }
    Some(labels)
}

enum Task {
    Value(Value),
    /// What follows an element of a list.
    Tail(Value),
    /// The fields from an index on, with a space before each but the first of a vector.
    Fields(Value, usize, bool),
    /// The fields of what a constructor has made, from a number on.
    Parts(Value, usize),
    /// The bytes of a bytevector from an index on.
    Bytes(Value, usize),
    Text(&'static str),
}

struct Printer<'a> {
    rt: &'a Rt,
    quoted: bool,
    out: String,
    tasks: Vec<Task>,
    labels: Labels,
    next: usize,
}

impl Printer<'_> {
    fn run(&mut self, most: usize, stop: &impl Fn() -> bool) -> std::result::Result<(), End> {
        let mut steps = Steps(0, stop);
        while let Some(task) = self.tasks.pop() {
            steps.next().ok_or(End::Stopped)?;
            if self.out.len() > most || !self.has_room() {
                return Err(End::Full);
            }
            match task {
                Task::Text(text) => self.out.push_str(text),
                Task::Value(v) => self.value(v),
                Task::Tail(v) => self.tail(v),
                Task::Fields(v, i, space) => self.fields(v, i, space),
                Task::Parts(v, i) => self.parts(v, i),
                Task::Bytes(v, i) => self.bytes(v, i),
            }
        }
        match self.out.len() > most {
            true => Err(End::Full),
            false => Ok(()),
        }
    }

    /// Whether there is room for the text of a step, or memory to make it.
    fn has_room(&mut self) -> bool {
        if self.out.capacity() - self.out.len() >= ROOM || self.out.len() < ROOM {
            return true;
        }
        let more = self.out.len().max(ROOM);
        self.rt.heap().has_memory_for(self.out.len() + more) && self.out.try_reserve(more).is_ok()
    }

    fn fields(&mut self, v: Value, i: usize, space: bool) {
        if i > object::length(v) {
            return;
        }
        if space {
            self.out.push(' ');
        }
        self.tasks.push(Task::Fields(v, i + 1, true));
        self.tasks.push(Task::Value(object::field(v, i)));
    }

    fn parts(&mut self, v: Value, i: usize) {
        let constructor = self.rt.datatypes.of(v);
        let Some(field) = constructor.and_then(|constructor| constructor.fields.get(i)) else {
            return;
        };
        self.out.push(' ');
        self.tasks.push(Task::Parts(v, i + 1));
        let Some(ctype) = &field.ctype else {
            self.tasks.push(Task::Value(object::field(v, field.word)));
            return;
        };
        let word = object::raw(v, field.word);
        if let Some(symbol) = datatypes::word_symbol(ctype, word) {
            self.tasks.push(Task::Value(symbol));
            return;
        }
        match (ctype, datatypes::word_text(ctype, word)) {
            (_, Some(text)) => self.out.push_str(&text),
            (CType::PointerTo(of), None) => {
                let name = of.name();
                self.out
                    .push_str(&format!("#<pointer (struct {name}) {word:#x}>"));
            }
            (_, None) => self.out.push_str(&format!("#<pointer {word:#x}>")),
        }
    }

    fn bytes(&mut self, v: Value, i: usize) {
        let bytes = self.rt.bytevector(v);
        let end = bytes.len().min(i + BYTES);
        for (i, byte) in (i..end).zip(&bytes[i..end]) {
            if i > 0 {
                self.out.push(' ');
            }
            // Writing to a string does not fail.
            let _ = write!(self.out, "{byte}");
        }
        if end < bytes.len() {
            self.tasks.push(Task::Bytes(v, end));
        }
    }

    fn tail(&mut self, v: Value) {
        if v == Value::NIL {
            self.out.push(')');
        } else if v.is_pair() && !self.labels.contains_key(&v.bits()) {
            self.out.push(' ');
            self.tasks.push(Task::Tail(object::cdr(v)));
            self.tasks.push(Task::Value(object::car(v)));
        } else {
            self.out.push_str(" . ");
            self.tasks.push(Task::Text(")"));
            self.tasks.push(Task::Value(v));
        }
    }

    fn value(&mut self, v: Value) {
        if let Some(label) = self.labels.get_mut(&v.bits()) {
            if let Some(n) = label {
                self.out.push_str(&format!("#{n}#"));
                return;
            }
            let n = self.next;
            *label = Some(n);
            self.next += 1;
            self.out.push_str(&format!("#{n}="));
        }
        if v.is_pair() {
            self.pair(v);
        } else if v.is_procedure() {
            self.out
                .push_str(&format!("#<{}>", labelled(self.rt, v, "")));
        } else if v.is_object() {
            self.object(v);
        } else {
            self.immediate(v);
        }
    }

    fn pair(&mut self, v: Value) {
        if let Some(prefix) = self.abbreviation(v) {
            self.out.push_str(prefix);
            let datum = object::car(object::cdr(v));
            self.tasks.push(Task::Value(datum));
            return;
        }
        self.out.push('(');
        self.tasks.push(Task::Tail(object::cdr(v)));
        self.tasks.push(Task::Value(object::car(v)));
    }

    fn abbreviation(&self, v: Value) -> Option<&'static str> {
        let rest = object::cdr(v);
        if !rest.is_pair()
            || object::cdr(rest) != Value::NIL
            || self.labels.contains_key(&rest.bits())
        {
            return None;
        }
        let known = self.rt.known;
        match object::car(v) {
            s if s == known.quote => Some("'"),
            s if s == known.quasiquote => Some("`"),
            s if s == known.unquote => Some(","),
            s if s == known.unquote_splicing => Some(",@"),
            _ => None,
        }
    }

    fn immediate(&mut self, v: Value) {
        if let Some(n) = v.as_fixnum() {
            self.out.push_str(&n.to_string());
            return;
        }
        if let Some(c) = v.as_char() {
            if self.quoted {
                write_character(c, &mut self.out);
            } else {
                self.out.push(c);
            }
            return;
        }
        self.out.push_str(match v {
            Value::TRUE => "#t",
            Value::FALSE => "#f",
            Value::NIL => "()",
            Value::EOF => "#<eof>",
            Value::UNSPECIFIED => "#<unspecified>",
            Value::UNBOUND => "#<unbound>",
            Value::DEFAULT => "#<default>",
            Value::BROKEN => "#<broken>",
            _ => "#<unknown>",
        });
    }

    fn object(&mut self, v: Value) {
        let rt = self.rt;
        match object::header(v).type_id() {
            kinds::STRING if self.quoted => write_string(rt.text(v), &mut self.out),
            kinds::STRING => self.out.push_str(rt.text(v)),
            kinds::SYMBOL if self.quoted => write_symbol(rt.symbol_name(v), &mut self.out),
            kinds::SYMBOL => self.out.push_str(rt.symbol_name(v)),
            kinds::FLONUM | kinds::BIGNUM | kinds::RATNUM => {
                if let Some(n) = rt.number(v) {
                    self.out.push_str(&n.to_string(10));
                }
            }
            kinds::BYTEVECTOR | kinds::BYTEVECTOR_VIEW => {
                self.out.push_str("#u8(");
                self.tasks.push(Task::Text(")"));
                self.tasks.push(Task::Bytes(v, 0));
            }
            kinds::VECTOR => self.compound("#(", v, 1, ")"),
            kinds::MULTIPLE_VALUES => self.compound("#<values ", v, 1, ">"),
            kinds::BOX => self.compound("#<box ", v, 1, ">"),
            kinds::RECORD => {
                let name = object::field(object::field(v, 1), 1);
                self.out.push_str("#<");
                if symbols::is_symbol(name) {
                    self.out.push_str(rt.symbol_name(name));
                }
                self.tasks.push(Task::Text(">"));
                self.tasks.push(Task::Fields(v, 2, true));
            }
            _ => match rt.datatypes.of(v) {
                Some(constructor) => {
                    self.out.push_str("#<");
                    write_symbol(&constructor.name, &mut self.out);
                    self.tasks.push(Task::Text(">"));
                    self.tasks.push(Task::Parts(v, 0));
                }
                None => self.opaque(v),
            },
        }
    }

    fn compound(&mut self, open: &'static str, v: Value, first: usize, close: &'static str) {
        self.out.push_str(open);
        self.tasks.push(Task::Text(close));
        self.tasks.push(Task::Fields(v, first, false));
    }

    fn opaque(&mut self, v: Value) {
        let rt = self.rt;
        let text = match object::header(v).type_id() {
            kinds::RECORD_TYPE => {
                let name = object::field(v, 1);
                format!("#<record-type {}>", print(rt, name, Mode::Display))
            }
            kinds::DATATYPE => {
                let name = object::field(v, datatypes::NAME);
                format!("#<datatype {}>", print(rt, name, Mode::Display))
            }
            kinds::CONDITION => {
                let kind = print(rt, object::field(v, condition::KIND), Mode::Display);
                format!("#<condition {kind}: {}>", rt.describe_shallow(v))
            }
            kinds::PROMISE => "#<promise>".into(),
            kinds::PORT => rt.port_label(v),
            kinds::HASH_TABLE => format!("#<hash-table {}>", crate::table::count(v)),
            kinds::ENVIRONMENT => "#<environment>".into(),
            kinds::CALLBACK => "#<callback>".into(),
            kinds::LIBRARY => {
                format!(
                    "#<foreign-library {}>",
                    print(rt, object::field(v, 2), Mode::Display)
                )
            }
            kinds::GUARDIAN => "#<guardian>".into(),
            kinds::HANDLE => "#<handle>".into(),
            kinds::DYN => "#<dynamic-state>".into(),
            kinds::SEGMENT => "#<stack-segment>".into(),
            kinds::WEAK_PAIR => "#<weak-pair>".into(),
            kinds::WEAK_VECTOR => format!("#<weak-vector {}>", object::length(v)),
            kinds::EPHEMERON => "#<ephemeron>".into(),
            kinds::FOREIGN_POINTER => {
                let address = object::raw(v, bowline_layout::foreign_pointer::POINTER);
                match rt.foreign.types.target(bowline_ffi::pointer_target(v)) {
                    Some(target) => format!("#<pointer {target} {address:#x}>"),
                    None => format!("#<pointer {address:#x}>"),
                }
            }
            _ => "#<object>".into(),
        };
        self.out.push_str(&text);
    }
}

impl Rt {
    /// A condition's message alone, so that printing it cannot go round in circles.
    fn describe_shallow(&self, v: Value) -> String {
        let message = object::field(v, condition::MESSAGE);
        if crate::strings::is_string(message) {
            self.text(message).to_string()
        } else {
            "?".into()
        }
    }

    /// The name of a procedure, if it has one.
    pub fn procedure_name(&self, v: Value) -> Option<String> {
        let captured = |i: usize| object::field(v, procedure::CAPTURED + i);
        match object::type_id(v)? {
            kinds::PRIMITIVE => {
                let index = usize::try_from(captured(0).as_fixnum()?).ok()?;
                Some(self.primitives.get(index)?.name.to_string())
            }
            kinds::FOREIGN_PROCEDURE => Some(print(self, captured(1), Mode::Display)),
            kinds::CLOSURE => {
                let info = self.code.info(object::raw(v, procedure::CODE))?;
                info.name.as_ref().map(|name| name.to_string())
            }
            // Every clause has the name of the whole.
            kinds::CASE_LAMBDA => self.procedure_name(captured(0)),
            _ => None,
        }
    }
}

/// "procedure `car`", "procedure", "continuation", "parameter": for messages.
pub fn procedure_label(rt: &Rt, v: Value) -> String {
    labelled(rt, v, "`")
}

/// The same with the name between these quotes.
fn labelled(rt: &Rt, v: Value, quote: &str) -> String {
    let what = match object::type_id(v) {
        Some(kinds::KONT) => "continuation",
        Some(kinds::PARAMETER) => "parameter",
        Some(kinds::FOREIGN_PROCEDURE) => "foreign procedure",
        _ => "procedure",
    };
    match rt.procedure_name(v) {
        Some(name) => format!("{what} {quote}{name}{quote}"),
        None => what.to_string(),
    }
}
