//! IR as text (`dump --stage=ir`), in the form that `parse` reads.
//!
//! Slots are `s0`, captured values `c0`, functions `f0`, loops `L0`, top-level variables
//! `name.number`. A chain of `Let` prints as one `let*`. Spans are not printed.

use std::cell::Cell;

use bowline_syntax::{Datum, DatumKind, Span, write_apart};

use super::{FuncId, Function, Ir, Module, Slot};
use crate::pretty::Doc;
use crate::prims::{GlobalId, Globals, PrimitiveId, Primitives};

/// The module as text.
pub fn print(module: &Module, prims: &Primitives, globals: &Globals) -> String {
    let printer = Printer {
        module,
        prims,
        globals,
        next_label: Cell::new(0),
    };
    let mut parts = vec![Doc::form("entry", 1, [func(module.entry)])];
    let names = module.globals.iter().map(|&(id, _)| printer.global(id));
    parts.push(Doc::form("globals", 0, names));
    parts.extend(module.functions.iter().map(|f| printer.function(f)));
    let mut text = String::from("(module");
    for part in parts {
        text.push_str("\n  ");
        text.push_str(&part.render(2));
    }
    text.push_str(")\n");
    text
}

struct Printer<'a> {
    module: &'a Module,
    prims: &'a Primitives,
    globals: &'a Globals,
    next_label: Cell<u32>,
}

fn func(id: FuncId) -> Doc {
    Doc::word(format!("f{}", id.0))
}

fn slot(slot: Slot) -> Doc {
    Doc::word(format!("s{}", slot.0))
}

fn number(count: u16) -> Doc {
    Doc::word(count.to_string())
}

/// A name as the reader would take it back.
fn symbol(name: &str) -> String {
    Datum::symbol(name, Span::NONE).to_string()
}

/// A constant: quoted unless it stands for itself.
/// `next_label` is the first number that no label in the text has yet.
pub(crate) fn constant(datum: &Datum, next_label: &Cell<u32>) -> Doc {
    match &datum.kind {
        DatumKind::Symbol(_)
        | DatumKind::List(_)
        | DatumKind::Improper(..)
        | DatumKind::Vector(_)
        | DatumKind::Labelled(..)
        | DatumKind::Reference(_) => {
            let mut next = next_label.get();
            let text = write_apart(datum, &mut next);
            next_label.set(next);
            Doc::form("quote", 1, [Doc::word(text)])
        }
        _ => Doc::word(datum.to_string()),
    }
}

impl Printer<'_> {
    fn global(&self, id: GlobalId) -> Doc {
        let fresh = self.module.globals.iter().find(|(other, _)| *other == id);
        let name = match (self.globals.name(id), fresh) {
            (Some(name), _) => name.as_str(),
            (None, Some((_, name))) => name,
            (None, None) => "",
        };
        Doc::word(symbol(&format!("{name}.{}", id.0)))
    }

    fn primitive(&self, id: PrimitiveId) -> Doc {
        Doc::word(symbol(self.prims.name(id)))
    }

    fn function(&self, f: &Function) -> Doc {
        let name = f.name.as_deref().map_or("#f".into(), symbol);
        let mut params = vec![number(f.params)];
        if f.rest {
            params.push(Doc::word("rest"));
        }
        let mut parts = vec![
            func(f.id),
            Doc::word(name),
            Doc::form("params", 2, params),
            Doc::form("captures", 1, [number(f.captures)]),
            Doc::form("locals", 1, [number(f.locals)]),
        ];
        let kept = parts.len();
        parts.push(self.ir(&f.body));
        Doc::form("function", kept, parts)
    }

    fn all<'i>(&self, items: impl IntoIterator<Item = &'i Ir>) -> Vec<Doc> {
        items.into_iter().map(|ir| self.ir(ir)).collect()
    }

    fn form<'i>(&self, head: &str, kept: usize, items: impl IntoIterator<Item = &'i Ir>) -> Doc {
        Doc::form(head, kept, self.all(items))
    }

    /// `first` and then `items`, the first on the line of the keyword.
    fn headed<'i>(&self, head: &str, first: Doc, items: impl IntoIterator<Item = &'i Ir>) -> Doc {
        let mut parts = vec![first];
        parts.extend(self.all(items));
        Doc::form(head, 1, parts)
    }

    fn ir(&self, ir: &Ir) -> Doc {
        match ir {
            Ir::Const(datum) => constant(datum, &self.next_label),
            Ir::Local(s) => slot(*s),
            Ir::Captured(index) => Doc::word(format!("c{index}")),
            Ir::Global(id, _) => Doc::form("global", 1, [self.global(*id)]),
            Ir::Primitive(id) => Doc::form("primitive", 1, [self.primitive(*id)]),
            Ir::Unassigned => Doc::form("unassigned", 0, []),
            Ir::SetGlobal(id, value, _) => self.headed("set-global", self.global(*id), [&**value]),
            Ir::DefineGlobal(id, value) => {
                self.headed("define-global", self.global(*id), [&**value])
            }
            Ir::If(test, then, other) => self.form("if", 1, [&**test, then, other]),
            Ir::Seq(items) => self.form("seq", 0, items),
            Ir::Let { .. } => self.lets(ir),
            Ir::PrimCall { prim, args, .. } => self.headed("prim", self.primitive(*prim), args),
            Ir::BoxNew(value) => self.form("box-new", 1, [&**value]),
            Ir::BoxGet(value) => self.form("box-get", 1, [&**value]),
            Ir::BoxSet(target, value) => self.form("box-set", 1, [&**target, value]),
            Ir::CheckBound { value, name, .. } => {
                Doc::form("check-bound", 1, [self.ir(value), Doc::word(symbol(name))])
            }
            Ir::Jump { label, args, .. } => {
                self.headed("jump", Doc::word(format!("L{}", label.0)), args)
            }
            Ir::Call { .. } | Ir::CallKnown { .. } => self.call(ir),
            _ => self.binding(ir),
        }
    }

    fn lets(&self, mut ir: &Ir) -> Doc {
        let mut bindings = Vec::new();
        while let Ir::Let {
            slot: target,
            init,
            body,
        } = ir
        {
            bindings.push(Doc::list(2, vec![slot(*target), self.ir(init)]));
            ir = body;
        }
        Doc::form("let*", 1, [Doc::list(0, bindings), self.ir(ir)])
    }

    fn call(&self, ir: &Ir) -> Doc {
        match ir {
            Ir::Call { f, args, tail, .. } => {
                let head = if *tail { "tail-call" } else { "call" };
                self.headed(head, self.ir(f), args)
            }
            Ir::CallKnown {
                func: id,
                closure,
                args,
                tail,
                ..
            } => {
                let head = match (tail, closure.is_some()) {
                    (false, false) => "call-known",
                    (true, false) => "tail-call-known",
                    (false, true) => "call-closure",
                    (true, true) => "tail-call-closure",
                };
                self.headed(head, func(*id), closure.as_deref().into_iter().chain(args))
            }
            _ => Doc::word("?"),
        }
    }

    fn captured(&self, first: Vec<Doc>, id: FuncId, values: &[Ir]) -> Doc {
        let mut items = first;
        items.push(func(id));
        items.extend(self.all(values));
        Doc::list(2, items)
    }

    fn binding(&self, ir: &Ir) -> Doc {
        match ir {
            Ir::Closure { func: id, captured } => self.headed("closure", func(*id), captured),
            Ir::Fix { closures, body } => {
                let list = closures
                    .iter()
                    .map(|(s, id, values)| self.captured(vec![slot(*s)], *id, values));
                let list = Doc::list(0, list.collect());
                Doc::form("fix", 1, [list, self.ir(body)])
            }
            Ir::CaseLambda { clauses } => {
                let list = clauses.iter();
                let list = list.map(|(id, values)| self.captured(Vec::new(), *id, values));
                Doc::form("case-lambda", 0, list)
            }
            Ir::Loop {
                label,
                slots,
                inits,
                body,
            } => {
                let pairs = slots.iter().zip(inits);
                let pairs = pairs.map(|(s, init)| Doc::list(2, vec![slot(*s), self.ir(init)]));
                let bindings = Doc::list(0, pairs.collect());
                let label = Doc::word(format!("L{}", label.0));
                Doc::form("loop", 2, [label, bindings, self.ir(body)])
            }
            _ => Doc::word("?"),
        }
    }
}
