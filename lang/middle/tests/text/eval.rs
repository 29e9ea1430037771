//! A slow and plain interpreter of IR: what the passes make must mean what the program says.
//!
//! Tail calls and loops recurse, so programs here stay small. Escapes are not supported.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use bowline_middle::ir::{FuncId, Ir, LabelId, Module};
use bowline_middle::{GlobalId, PrimitiveId, Primitives};
use bowline_syntax::{Datum, DatumKind, Number};

#[derive(Clone)]
pub(crate) enum Value {
    Atom(DatumKind),
    Pair(Rc<(Value, Value)>),
    Vector(Rc<RefCell<Vec<Value>>>),
    Box(Rc<RefCell<Value>>),
    Closure(Rc<Vec<Clause>>),
    Primitive(PrimitiveId),
    Unassigned,
    Values(Rc<Vec<Value>>),
}

pub(crate) struct Clause {
    module: Rc<Module>,
    func: FuncId,
    captured: RefCell<Vec<Value>>,
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Atom(kind) => {
                write!(
                    f,
                    "{}",
                    Datum::new(kind.clone(), bowline_syntax::Span::NONE)
                )
            }
            Self::Pair(pair) => {
                write!(f, "({}", pair.0)?;
                let mut rest = pair.1.clone();
                while let Self::Pair(pair) = &rest {
                    write!(f, " {}", pair.0)?;
                    rest = pair.1.clone();
                }
                match &rest {
                    Self::Atom(DatumKind::List(items)) if items.is_empty() => write!(f, ")"),
                    other => write!(f, " . {other})"),
                }
            }
            Self::Vector(items) => {
                let items: Vec<String> = items.borrow().iter().map(Value::to_string).collect();
                write!(f, "#({})", items.join(" "))
            }
            Self::Box(_) => write!(f, "#<box>"),
            Self::Closure(_) | Self::Primitive(_) => write!(f, "#<procedure>"),
            Self::Unassigned => write!(f, "#<unassigned>"),
            Self::Values(_) => write!(f, "#<values>"),
        }
    }
}

fn from_datum(datum: &Datum) -> Value {
    match &datum.kind {
        DatumKind::List(items) => list(items.iter().map(from_datum).collect(), null()),
        DatumKind::Improper(items, tail) => {
            list(items.iter().map(from_datum).collect(), from_datum(tail))
        }
        DatumKind::Vector(items) => Value::Vector(Rc::new(RefCell::new(
            items.iter().map(from_datum).collect(),
        ))),
        kind => Value::Atom(kind.clone()),
    }
}

fn null() -> Value {
    Value::Atom(DatumKind::List(Rc::new([])))
}

fn list(items: Vec<Value>, tail: Value) -> Value {
    let cons = |rest, item| Value::Pair(Rc::new((item, rest)));
    items.into_iter().rev().fold(tail, cons)
}

fn items(mut value: &Value) -> Vec<Value> {
    let mut out = Vec::new();
    while let Value::Pair(pair) = value {
        out.push(pair.0.clone());
        value = &pair.1;
    }
    out
}

fn boolean(truth: bool) -> Value {
    Value::Atom(DatumKind::Boolean(truth))
}

fn fixnum(n: i64) -> Value {
    Value::Atom(DatumKind::Number(Number::Fixnum(n)))
}

fn is_true(value: &Value) -> bool {
    !matches!(value, Value::Atom(DatumKind::Boolean(false)))
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Atom(a), Value::Atom(b)) => a == b,
        (Value::Pair(a), Value::Pair(b)) => Rc::ptr_eq(a, b),
        (Value::Vector(a), Value::Vector(b)) => Rc::ptr_eq(a, b),
        (Value::Closure(a), Value::Closure(b)) => Rc::ptr_eq(a, b),
        (Value::Primitive(a), Value::Primitive(b)) => a == b,
        _ => false,
    }
}

/// A turn of a loop, or an error message.
enum Exit {
    Jump(LabelId, Vec<Value>),
    Error(String),
}

type Run = Result<Value, Exit>;

fn fail<T>(message: impl Into<String>) -> Result<T, Exit> {
    Err(Exit::Error(message.into()))
}

struct Frame<'a> {
    module: &'a Rc<Module>,
    slots: Vec<Value>,
    captured: Vec<Value>,
}

pub(crate) struct Machine<'p> {
    prims: &'p Primitives,
    globals: HashMap<GlobalId, Value>,
    pub(crate) output: String,
}

impl<'p> Machine<'p> {
    pub(crate) fn new(prims: &'p Primitives) -> Self {
        Self {
            prims,
            globals: HashMap::new(),
            output: String::new(),
        }
    }

    pub(crate) fn run(&mut self, module: Module) -> String {
        let module = Rc::new(module);
        let entry = module.entry;
        match self.enter(&module, entry, Vec::new(), Vec::new()) {
            Ok(value) => value.to_string(),
            Err(Exit::Error(message)) => format!("error: {message}"),
            Err(Exit::Jump(..)) => "error: a jump left its function".into(),
        }
    }

    fn enter(
        &mut self,
        module: &Rc<Module>,
        id: FuncId,
        mut args: Vec<Value>,
        captured: Vec<Value>,
    ) -> Run {
        let module = Rc::clone(module);
        let function = module.function(id).expect("a function");
        if function.rest {
            let more = args.split_off(usize::from(function.params));
            args.push(list(more, null()));
        }
        args.resize(usize::from(function.locals), Value::Unassigned);
        let mut frame = Frame {
            module: &module,
            slots: args,
            captured,
        };
        self.eval(&function.body, &mut frame)
    }

    fn all(&mut self, items: &[Ir], frame: &mut Frame<'_>) -> Result<Vec<Value>, Exit> {
        items.iter().map(|ir| self.eval(ir, frame)).collect()
    }

    fn clause(&mut self, func: FuncId, captured: Vec<Value>, frame: &Frame<'_>) -> Clause {
        Clause {
            module: Rc::clone(frame.module),
            func,
            captured: RefCell::new(captured),
        }
    }

    fn eval(&mut self, ir: &Ir, frame: &mut Frame<'_>) -> Run {
        Ok(match ir {
            Ir::Const(datum) => from_datum(datum),
            Ir::Local(slot) => frame.slots[usize::from(slot.0)].clone(),
            Ir::Captured(index) => frame.captured[usize::from(*index)].clone(),
            Ir::Global(id, _) => match self.globals.get(id) {
                Some(value) => value.clone(),
                None => return fail("unbound variable"),
            },
            Ir::Primitive(id) => Value::Primitive(*id),
            Ir::Unassigned => Value::Unassigned,
            Ir::SetGlobal(id, value, _) | Ir::DefineGlobal(id, value) => {
                let value = self.eval(value, frame)?;
                self.globals.insert(*id, value);
                Value::Atom(DatumKind::Unspecified)
            }
            Ir::If(test, then, other) => {
                let test = self.eval(test, frame)?;
                self.eval(if is_true(&test) { then } else { other }, frame)?
            }
            Ir::Seq(items) => {
                let mut last = Value::Unassigned;
                for item in items {
                    last = self.eval(item, frame)?;
                }
                last
            }
            Ir::Let { slot, init, body } => {
                frame.slots[usize::from(slot.0)] = self.eval(init, frame)?;
                self.eval(body, frame)?
            }
            Ir::Closure { func, captured } => {
                let captured = self.all(captured, frame)?;
                Value::Closure(Rc::new(vec![self.clause(*func, captured, frame)]))
            }
            Ir::CaseLambda { clauses } => {
                let mut all = Vec::new();
                for (func, captured) in clauses {
                    let captured = self.all(captured, frame)?;
                    all.push(self.clause(*func, captured, frame));
                }
                Value::Closure(Rc::new(all))
            }
            Ir::CheckBound { value, name, .. } => match self.eval(value, frame)? {
                Value::Unassigned => return fail(format!("{name} is used before its definition")),
                value => value,
            },
            Ir::Jump { label, args, .. } => {
                let args = self.all(args, frame)?;
                return Err(Exit::Jump(*label, args));
            }
            Ir::PrimCall { .. } | Ir::Call { .. } | Ir::CallKnown { .. } => self.call(ir, frame)?,
            Ir::BoxNew(_) | Ir::BoxGet(_) | Ir::BoxSet(..) => self.boxes(ir, frame)?,
            Ir::Fix { .. } | Ir::Loop { .. } => self.binding(ir, frame)?,
        })
    }

    fn call(&mut self, ir: &Ir, frame: &mut Frame<'_>) -> Run {
        match ir {
            Ir::PrimCall { prim, args, .. } => {
                let args = self.all(args, frame)?;
                self.primitive(*prim, args)
            }
            Ir::Call { f, args, .. } => {
                let f = self.eval(f, frame)?;
                let args = self.all(args, frame)?;
                self.apply(&f, args)
            }
            Ir::CallKnown {
                func,
                closure,
                args,
                ..
            } => {
                let captured = match closure {
                    None => Vec::new(),
                    Some(closure) => match self.eval(closure, frame)? {
                        Value::Closure(clauses) => clauses[0].captured.borrow().clone(),
                        other => return fail(format!("{other} is no closure")),
                    },
                };
                let args = self.all(args, frame)?;
                self.enter(frame.module, *func, args, captured)
            }
            _ => fail("not a call"),
        }
    }

    fn boxes(&mut self, ir: &Ir, frame: &mut Frame<'_>) -> Run {
        match ir {
            Ir::BoxNew(value) => {
                let value = self.eval(value, frame)?;
                Ok(Value::Box(Rc::new(RefCell::new(value))))
            }
            Ir::BoxGet(target) => match self.eval(target, frame)? {
                Value::Box(value) => Ok(value.borrow().clone()),
                other => fail(format!("{other} is no box")),
            },
            Ir::BoxSet(target, value) => {
                let target = self.eval(target, frame)?;
                let value = self.eval(value, frame)?;
                let Value::Box(target) = target else {
                    return fail("no box");
                };
                *target.borrow_mut() = value;
                Ok(Value::Atom(DatumKind::Unspecified))
            }
            _ => fail("not a box"),
        }
    }

    fn binding(&mut self, ir: &Ir, frame: &mut Frame<'_>) -> Run {
        match ir {
            Ir::Fix { closures, body } => {
                let mut made = Vec::new();
                for (slot, func, _) in closures {
                    let closure = Rc::new(vec![self.clause(*func, Vec::new(), frame)]);
                    frame.slots[usize::from(slot.0)] = Value::Closure(Rc::clone(&closure));
                    made.push(closure);
                }
                for (closure, (_, _, captured)) in made.iter().zip(closures) {
                    *closure[0].captured.borrow_mut() = self.all(captured, frame)?;
                }
                self.eval(body, frame)
            }
            Ir::Loop {
                label,
                slots,
                inits,
                body,
            } => {
                let mut values = self.all(inits, frame)?;
                loop {
                    for (slot, value) in slots.iter().zip(values) {
                        frame.slots[usize::from(slot.0)] = value;
                    }
                    match self.eval(body, frame) {
                        Err(Exit::Jump(target, next)) if target == *label => values = next,
                        other => return other,
                    }
                }
            }
            _ => fail("not a binding"),
        }
    }

    fn apply(&mut self, f: &Value, args: Vec<Value>) -> Run {
        match f {
            Value::Primitive(id) => self.primitive(*id, args),
            Value::Closure(clauses) => {
                for clause in clauses.iter() {
                    let function = clause.module.function(clause.func).expect("a function");
                    let params = usize::from(function.params);
                    if params == args.len() || (function.rest && params <= args.len()) {
                        let captured = clause.captured.borrow().clone();
                        return self.enter(&clause.module, clause.func, args, captured);
                    }
                }
                fail("wrong number of arguments")
            }
            other => fail(format!("{other} is no procedure")),
        }
    }

    fn primitive(&mut self, id: PrimitiveId, args: Vec<Value>) -> Run {
        let name = self.prims.name(id);
        if !self
            .prims
            .get(id)
            .is_some_and(|info| info.accepts(args.len()))
        {
            return fail(format!("wrong number of arguments for {name}"));
        }
        match name {
            "apply" => {
                let (last, front) = args.split_last().expect("two arguments");
                let mut all = front[1..].to_vec();
                all.extend(items(last));
                self.apply(&args[0], all)
            }
            "values" => Ok(match <[Value; 1]>::try_from(args) {
                Ok([one]) => one,
                Err(many) => Value::Values(Rc::new(many)),
            }),
            "call-with-values" => {
                let args_of = match self.apply(&args[0], Vec::new())? {
                    Value::Values(values) => values.to_vec(),
                    one => vec![one],
                };
                self.apply(&args[1], args_of)
            }
            "display" => {
                self.output.push_str(&args[0].to_string());
                self.output.push('\n');
                Ok(Value::Atom(DatumKind::Unspecified))
            }
            _ => simple(name, &args),
        }
    }
}

fn numbers(args: &[Value]) -> Result<Vec<i64>, Exit> {
    let number = |value: &Value| match value {
        Value::Atom(DatumKind::Number(Number::Fixnum(n))) => Ok(*n),
        other => fail(format!("{other} is no number")),
    };
    args.iter().map(number).collect()
}

fn simple(name: &str, args: &[Value]) -> Run {
    let index = |value: &Value| numbers(std::slice::from_ref(value)).map(|n| n[0] as usize);
    Ok(match (name, args) {
        ("+", args) => fixnum(numbers(args)?.into_iter().sum()),
        ("*", args) => fixnum(numbers(args)?.into_iter().product()),
        ("-", args) => match &numbers(args)?[..] {
            [one] => fixnum(-one),
            [first, rest @ ..] => fixnum(first - rest.iter().sum::<i64>()),
            [] => return fail("no arguments"),
        },
        ("=", args) => boolean(numbers(args)?.windows(2).all(|w| w[0] == w[1])),
        ("<", args) => boolean(numbers(args)?.windows(2).all(|w| w[0] < w[1])),
        ("zero?", args) => boolean(numbers(args)?[0] == 0),
        ("not", [value]) => boolean(!is_true(value)),
        ("eq?" | "eqv?", [a, b]) => boolean(same(a, b)),
        ("null?", [value]) => boolean(same(value, &null())),
        ("pair?", [value]) => boolean(matches!(value, Value::Pair(_))),
        ("car", [Value::Pair(pair)]) => pair.0.clone(),
        ("cdr", [Value::Pair(pair)]) => pair.1.clone(),
        ("cons", [a, b]) => Value::Pair(Rc::new((a.clone(), b.clone()))),
        ("list", args) => list(args.to_vec(), null()),
        ("append", [front @ .., last]) => {
            let join = |tail, front: &Value| list(items(front), tail);
            front.iter().rev().fold(last.clone(), join)
        }
        ("append", []) => null(),
        ("memv", [key, all]) => {
            let found = items(all).iter().any(|item| same(item, key));
            boolean(found)
        }
        ("vector" | "%make-record-type" | "%make-record", args) => {
            Value::Vector(Rc::new(RefCell::new(args.to_vec())))
        }
        ("list->vector", [all]) => Value::Vector(Rc::new(RefCell::new(items(all)))),
        ("vector-ref", [Value::Vector(v), at]) => v.borrow()[index(at)?].clone(),
        ("%record?", [object, rtd]) => match object {
            Value::Vector(fields) => boolean(
                fields
                    .borrow()
                    .first()
                    .is_some_and(|first| same(first, rtd)),
            ),
            _ => boolean(false),
        },
        ("%record-ref", [Value::Vector(v), _, at, _]) => v.borrow()[index(at)? + 1].clone(),
        ("%record-set!", [Value::Vector(v), _, at, value, _]) => {
            v.borrow_mut()[index(at)? + 1] = value.clone();
            Value::Atom(DatumKind::Unspecified)
        }
        _ => return fail(format!("{name} does not take these arguments")),
    })
}
