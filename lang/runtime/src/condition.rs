//! Conditions: the objects that errors raise, and how faults become them.
//!
//! A condition is kind, message, irritants, who, trace and extra (`kinds`). Its message reads on
//! into the irritants: `car: argument 1 must be a pair, not` + `5`. `extra` is the error number of
//! a `file`, `io` or `system` condition, the name of an `unbound` variable, the procedure of an
//! `arity` condition, else `#f`.
//!
//! inv:condition.ready — the condition for a full heap is made when the runtime starts, so raising
//! it allocates nothing.
//!
//! Absent on purpose: raising. The engine does that.

use bowline_ffi::FfiError;
use bowline_layout::Value;

use crate::code::CodeInfo;
use crate::errno;
use crate::fault::{Fault, Result};
use crate::kinds;
use crate::object;
use crate::printer;
use crate::rt::{Rt, root};
use crate::strings;
use crate::symbols::is_symbol;

/// Word of a condition's kind, a symbol.
pub const KIND: usize = 1;
/// Word of its message, a string.
pub const MESSAGE: usize = 2;
/// Word of its irritants, a list.
pub const IRRITANTS: usize = 3;
/// Word of the procedure that failed, a symbol or `#f`.
pub const WHO: usize = 4;
/// Word of its trace, a list or `#f`.
pub const TRACE: usize = 5;
/// Word of what only its kind knows.
pub const EXTRA: usize = 6;

/// Bytes of text that a report shows of a value.
const DESCRIPTION: usize = 64 << 10;

/// Whether `v` is a condition.
#[inline]
pub fn is_condition(v: Value) -> bool {
    object::is(v, kinds::CONDITION)
}

/// A condition before it is in the heap.
struct Draft {
    kind: Value,
    message: String,
    who: Who,
    extra: Extra,
}

impl Draft {
    fn nobody(kind: Value, message: String, extra: Extra) -> Draft {
        Draft {
            kind,
            message,
            who: Who::Nobody,
            extra,
        }
    }
}

enum Who {
    Nobody,
    Name(&'static str),
    /// The value at the bottom of the values that were pushed.
    First,
}

enum Extra {
    None,
    Number(i32),
    Text(String),
    /// The value at the bottom of the values that were pushed.
    First,
}

impl Rt {
    /// Makes the condition for when the heap is full (inv:condition.ready).
    pub(crate) fn prepare_out_of_memory(&mut self) -> Result<()> {
        let message = self.make_literal_string("out of memory: the heap is full")?;
        let kind = self.known.out_of_memory;
        let condition = self.make_object(
            kinds::CONDITION,
            &[
                kind,
                message,
                Value::NIL,
                Value::FALSE,
                Value::FALSE,
                Value::FALSE,
            ],
        )?;
        self.roots.set(root::OUT_OF_MEMORY, condition);
        Ok(())
    }

    /// The condition for when the heap is full.
    pub fn out_of_memory_condition(&self) -> Value {
        self.roots.get(root::OUT_OF_MEMORY)
    }

    /// The object to raise for a fault (inv:fault.fresh). When there is no room even for that, it
    /// is the condition for a full heap.
    #[allow(
        clippy::boxed_local,
        reason = "faults travel boxed, so every caller has a box"
    )]
    pub fn condition_of(&mut self, fault: Box<Fault>) -> Value {
        let height = self.height();
        let made = self.make_condition_of(*fault);
        self.truncate(height);
        made.unwrap_or_else(|_| self.out_of_memory_condition())
    }

    fn make_condition_of(&mut self, fault: Fault) -> Result {
        let base = self.height();
        match fault {
            Fault::Condition(v) | Fault::Raise { object: v, .. } => return Ok(v),
            Fault::OutOfMemory => return Ok(self.out_of_memory_condition()),
            _ => {}
        }
        let irritants = self.push_irritants(&fault);
        let draft = self.draft(fault, base);
        let first = match (&draft.who, &draft.extra) {
            (Who::First, _) | (_, Extra::First) => base + 1,
            _ => base,
        };
        self.finish_condition(draft, base, first, irritants)
    }

    /// Pushes the values in a fault and says how many there are.
    fn push_irritants(&mut self, fault: &Fault) -> usize {
        let base = self.height();
        match fault {
            Fault::WrongType { got, .. }
            | Fault::Range { got, .. }
            | Fault::Immutable { got, .. }
            | Fault::NotProcedure { got, .. } => self.push(*got),
            Fault::Bad { irritants, .. } | Fault::Control { irritants, .. } => {
                // A primitive blames its own arguments, which are few; more would not be read.
                for &v in irritants.iter().take(16) {
                    self.push(v);
                }
            }
            Fault::NotInstance { who, got, .. } | Fault::NotMade { who, got, .. } => {
                self.push(*who);
                self.push(*got);
            }
            Fault::System { who, .. } => self.push(*who),
            Fault::Arity { procedure, .. } => self.push(*procedure),
            Fault::Port { port, .. } => self.push(*port),
            _ => {}
        }
        self.height() - base
    }

    /// Kind and text of a fault whose values are on the stack. Allocates nothing.
    fn draft(&self, fault: Fault, base: usize) -> Draft {
        let k = self.known;
        let draft = |kind, message: String, who| Draft {
            kind,
            message,
            who,
            extra: Extra::None,
        };
        match fault {
            Fault::WrongType {
                who,
                position,
                expected,
                ..
            } => draft(
                k.type_error,
                format!("{who}: argument {position} must be {expected}, not"),
                Who::Name(who),
            ),
            Fault::Range {
                who,
                what,
                low,
                high,
                ..
            } => {
                let message = if low <= high {
                    format!("{who}: the {what} must be from {low} to {high}, not")
                } else {
                    format!("{who}: no {what} is valid here, so neither is")
                };
                draft(k.range, message, Who::Name(who))
            }
            Fault::Bad { who, message, .. } => {
                draft(k.argument, format!("{who}: {message}"), Who::Name(who))
            }
            Fault::Immutable { who, .. } => draft(
                k.immutable,
                format!("{who}: the object may not be changed:"),
                Who::Name(who),
            ),
            Fault::DivideByZero { who } => {
                draft(k.divide, format!("{who}: division by zero"), Who::Name(who))
            }
            Fault::NotInstance { rtd, .. } => {
                let who = printer::print(self, self.at(base), printer::Mode::Display);
                let name = printer::print(self, object::field(rtd, 1), printer::Mode::Display);
                let message = format!("{who}: argument 1 must be a record of type {name}, not");
                draft(k.type_error, message, Who::First)
            }
            Fault::NotMade { wanted, .. } => {
                let who = printer::print(self, self.at(base), printer::Mode::Display);
                let message = format!("{who}: argument 1 must be {wanted}, not");
                draft(k.type_error, message, Who::First)
            }
            fault => self.draft_of_call(fault, base),
        }
    }

    /// The second part of `draft`: calls and variables.
    fn draft_of_call(&self, fault: Fault, base: usize) -> Draft {
        let k = self.known;
        match fault {
            Fault::Arity {
                procedure,
                got,
                min,
                max,
            } => {
                let takes = self
                    .clauses_text(procedure)
                    .unwrap_or_else(|| arity_text(min, max, "argument"));
                let name = printer::procedure_label(self, procedure);
                let message = format!("{name} takes {takes}, but was called with {got}");
                Draft::nobody(k.arity, message, Extra::First)
            }
            Fault::Values { got, min, max } => {
                let message = format!("expected {}, but got {got}", arity_text(min, max, "value"));
                Draft::nobody(k.arity, message, Extra::None)
            }
            Fault::NotProcedure { .. } => {
                let message = "called an object that is not a procedure:".into();
                Draft::nobody(k.not_procedure, message, Extra::None)
            }
            Fault::Unbound { name } => {
                let message = format!("the variable `{name}` has no value yet");
                Draft::nobody(k.unbound, message, Extra::Text(name))
            }
            Fault::Uninitialised { name } => {
                let message = format!("the variable `{name}` is used before its initialisation");
                Draft::nobody(k.unbound, message, Extra::Text(name))
            }
            Fault::Control { message, .. } => Draft::nobody(k.control, message, Extra::None),
            Fault::Interrupt { .. } => Draft::nobody(k.control, "interrupted".into(), Extra::None),
            Fault::Exit(status) => Draft::nobody(k.control, format!("exit {status}"), Extra::None),
            fault => self.draft_of_system(fault, base),
        }
    }

    /// The third part of `draft`: ports, the system, C.
    fn draft_of_system(&self, fault: Fault, base: usize) -> Draft {
        let k = self.known;
        let named = |kind, who: &'static str, message, extra| Draft {
            who: Who::Name(who),
            ..Draft::nobody(kind, message, extra)
        };
        match fault {
            Fault::Port { who, message, .. } => {
                named(k.port, who, format!("{who}: {message}:"), Extra::None)
            }
            Fault::File { who, errno, path } => {
                let message = format!("{who}: {path}: {}", errno::text(errno));
                named(k.file, who, message, Extra::Number(errno))
            }
            Fault::Io { who, errno } => {
                let message = format!("{who}: {}", errno::text(errno));
                named(k.io, who, message, Extra::Number(errno))
            }
            Fault::System { errno, .. } => {
                let who = printer::print(self, self.at(base), printer::Mode::Display);
                let message = format!("{who}: {}", errno::text(errno));
                Draft {
                    who: Who::First,
                    ..Draft::nobody(k.system, message, Extra::Number(errno))
                }
            }
            Fault::Read { message } => Draft::nobody(k.read, message, Extra::None),
            Fault::Ffi(error) => {
                let message = error.to_string();
                let extra = match error {
                    FfiError::Arity {
                        function, declared, ..
                    } => Extra::Text(format!("(define-foreign {function} (…) {declared})")),
                    _ => Extra::None,
                };
                Draft::nobody(k.foreign, message, extra)
            }
            // Every other fault is drafted above or has its condition already.
            _ => Draft::nobody(k.error, "unknown error".into(), Extra::None),
        }
    }

    fn finish_condition(
        &mut self,
        draft: Draft,
        base: usize,
        first: usize,
        count: usize,
    ) -> Result {
        let mut list = Value::NIL;
        for i in (first..base + count).rev() {
            let item = self.at(i);
            list = self.cons(item, list)?;
        }
        self.push(list);
        let extra = match &draft.extra {
            Extra::None | Extra::First => Value::FALSE,
            Extra::Number(n) => Value::fixnum((*n).into()),
            Extra::Text(text) => self.make_string(text)?,
        };
        self.push(extra);
        // Interned before the message is made: symbols hold still (inv:symbol.boot), strings do not.
        let name = match draft.who {
            Who::Name(name) => self.intern(name)?,
            _ => Value::FALSE,
        };
        let message = self.make_string(&draft.message)?;
        let who = match draft.who {
            Who::First => self.at(base),
            _ => name,
        };
        let extra = match (self.pop(), draft.extra) {
            (_, Extra::First) => self.at(base),
            (made, _) => made,
        };
        let list = self.pop();
        self.make_object(
            kinds::CONDITION,
            &[draft.kind, message, list, who, Value::FALSE, extra],
        )
    }

    /// What a procedure of several clauses takes: "1 or 3 arguments".
    fn clauses_text(&self, procedure: Value) -> Option<String> {
        let clauses = self.clauses(procedure)?;
        // What a clause with a rest takes, no other needs to say.
        let open = clauses.iter().filter(|info| info.max.is_none());
        let open = open.map(|info| info.min).min();
        let closed = clauses.iter().filter_map(|info| info.max);
        let mut counts: Vec<usize> = closed.filter(|&n| open.is_none_or(|min| n < min)).collect();
        counts.sort_unstable();
        counts.dedup();
        if let (&[low, .., high], None) = (&counts[..], open)
            && counts.len() > 2
            && high - low + 1 == counts.len()
        {
            return Some(arity_text(low, Some(high), "argument"));
        }
        let mut words: Vec<String> = counts.iter().map(usize::to_string).collect();
        words.extend(open.map(|min| format!("at least {min}")));
        let (last, first) = words.split_last()?;
        let ending = if open.or(counts.last().copied()) == Some(1) {
            ""
        } else {
            "s"
        };
        Some(match first {
            [] => format!("{last} argument{ending}"),
            _ => format!("{} or {last} argument{ending}", first.join(", ")),
        })
    }

    /// What is known of each clause of a `case-lambda`.
    pub fn clauses(&self, procedure: Value) -> Option<Vec<&CodeInfo>> {
        if !object::is(procedure, kinds::CASE_LAMBDA) {
            return None;
        }
        let count = object::header(procedure).mixed_values();
        let clause = |i: usize| {
            let clause = object::field(procedure, bowline_layout::procedure::CAPTURED + i);
            self.procedure_info(clause)
        };
        (0..count).map(clause).collect()
    }

    /// What is known of the code of a procedure compiled from Scheme.
    pub fn procedure_info(&self, procedure: Value) -> Option<&CodeInfo> {
        if !object::is(procedure, kinds::CLOSURE) {
            return None;
        }
        let code = object::raw(procedure, bowline_layout::procedure::CODE);
        self.code.info(code)
    }

    /// Sets the trace of a condition.
    pub fn set_condition_trace(&mut self, condition: Value, trace: Value) {
        object::store(&mut self.heap, condition, TRACE, trace);
    }

    /// What a person is told of a raised object: a condition's message with its irritants, or the
    /// object as written.
    pub fn describe(&self, v: Value) -> String {
        let text = |v| printer::print_short(self, v, printer::Mode::Write, DESCRIPTION);
        if !is_condition(v) {
            return text(v);
        }
        let message = object::field(v, MESSAGE);
        let mut out = if strings::is_string(message) {
            self.text(message).to_string()
        } else {
            text(message)
        };
        let mut rest = object::field(v, IRRITANTS);
        while rest.is_pair() {
            out.push(' ');
            out.push_str(&text(object::car(rest)));
            rest = object::cdr(rest);
        }
        out
    }
}

/// "2 arguments", "at least 1 argument", "1 to 3 arguments".
pub(crate) fn arity_text(min: usize, max: Option<usize>, what: &str) -> String {
    let ending = |n: usize| if n == 1 { "" } else { "s" };
    match max {
        Some(0) => format!("no {what}s"),
        Some(max) if max == min => format!("{min} {what}{}", ending(min)),
        Some(max) => format!("{min} to {max} {what}s"),
        None => format!("at least {min} {what}{}", ending(min)),
    }
}

/// The error number of a condition that has one.
pub fn error_number(v: Value) -> Option<i32> {
    let n = object::field(v, EXTRA).as_fixnum()?;
    i32::try_from(n).ok()
}

/// Whether `who` may stand in a condition: a symbol or `#f`.
pub(crate) fn is_who(v: Value) -> bool {
    is_symbol(v) || v == Value::FALSE
}
