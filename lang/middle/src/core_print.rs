//! Core as text (`dump --stage=core`): variables are `name.number`.

use std::cell::Cell;

use bowline_syntax::{Datum, Span};

use crate::core::{Expr, Lambda, Unit, VarId};
use crate::ir::constant;
use crate::pretty::Doc;
use crate::prims::{GlobalId, Globals, Primitives};

/// The unit as text, a top-level form after the other.
pub fn print(unit: &Unit, prims: &Primitives, globals: &Globals) -> String {
    let printer = Printer {
        unit,
        prims,
        globals,
        next_label: Cell::new(0),
    };
    let mut text = String::new();
    for form in &unit.body {
        text.push_str(&printer.expr(form).render(0));
        text.push('\n');
    }
    text
}

struct Printer<'a> {
    unit: &'a Unit,
    prims: &'a Primitives,
    globals: &'a Globals,
    next_label: Cell<u32>,
}

fn symbol(name: &str) -> Doc {
    Doc::word(Datum::symbol(name, Span::NONE).to_string())
}

impl Printer<'_> {
    fn var(&self, var: VarId) -> Doc {
        let name = self
            .unit
            .vars
            .get(var.0 as usize)
            .map_or("", |name| name.as_str());
        symbol(&format!("{name}.{}", var.0))
    }

    fn global(&self, id: GlobalId) -> Doc {
        match self.globals.name(id) {
            Some(name) => symbol(name.as_str()),
            None => symbol(&id.to_string()),
        }
    }

    fn all(&self, items: &[Expr]) -> Vec<Doc> {
        items.iter().map(|item| self.expr(item)).collect()
    }

    fn form<'e>(&self, head: &str, kept: usize, items: impl IntoIterator<Item = &'e Expr>) -> Doc {
        Doc::form(head, kept, items.into_iter().map(|item| self.expr(item)))
    }

    fn headed(&self, head: &str, first: Doc, rest: &[Expr]) -> Doc {
        Doc::form(head, 1, [first].into_iter().chain(self.all(rest)))
    }

    fn bindings(&self, vars: &[VarId], inits: Vec<Doc>) -> Doc {
        let pairs = vars.iter().zip(inits);
        let pairs = pairs.map(|(&var, init)| Doc::list(2, vec![self.var(var), init]));
        Doc::list(0, pairs.collect())
    }

    fn formals(&self, lambda: &Lambda) -> Doc {
        let mut items: Vec<Doc> = lambda.params.iter().map(|&var| self.var(var)).collect();
        if let Some(rest) = lambda.rest {
            if items.is_empty() {
                return self.var(rest);
            }
            items.push(Doc::word("."));
            items.push(self.var(rest));
        }
        Doc::list(items.len(), items)
    }

    fn lambda(&self, lambda: &Lambda) -> Doc {
        Doc::form("lambda", 1, [self.formals(lambda), self.expr(&lambda.body)])
    }

    fn expr(&self, expr: &Expr) -> Doc {
        match expr {
            Expr::Const(datum) => constant(datum, &self.next_label),
            Expr::Local(var, _) => self.var(*var),
            Expr::Global(id, _) => self.global(*id),
            Expr::Primitive(id, _) => symbol(&format!("%{}", self.prims.name(*id))),
            Expr::Unassigned => Doc::form("unassigned", 0, []),
            Expr::SetLocal(var, value, _) => {
                Doc::form("set!", 1, [self.var(*var), self.expr(value)])
            }
            Expr::SetGlobal(id, value, _) => {
                Doc::form("set!", 1, [self.global(*id), self.expr(value)])
            }
            Expr::DefineGlobal(id, value, _) => {
                Doc::form("define", 1, [self.global(*id), self.expr(value)])
            }
            Expr::If(a, b, c) => self.form("if", 1, [&**a, b, c]),
            Expr::Seq(items) => self.form("begin", 0, items),
            Expr::Lambda(lambda) => self.lambda(lambda),
            Expr::CaseLambda(clauses, _) => {
                let clause = |c: &Lambda| Doc::list(1, vec![self.formals(c), self.expr(&c.body)]);
                Doc::form("case-lambda", 0, clauses.iter().map(clause))
            }
            Expr::Call { f, args, .. } => {
                let mut items = vec![self.expr(f)];
                items.extend(self.all(args));
                Doc::list(1, items)
            }
            Expr::PrimCall { prim, args, .. } => {
                let mut items = vec![symbol(&format!("%{}", self.prims.name(*prim)))];
                items.extend(self.all(args));
                Doc::list(2, items)
            }
            Expr::BoxNew(value) => self.form("box-new", 1, [&**value]),
            Expr::BoxGet(var) => Doc::form("box-get", 1, [self.var(*var)]),
            Expr::BoxSet(var, value) => Doc::form("box-set", 1, [self.var(*var), self.expr(value)]),
            Expr::CheckBound(value, ..) => self.form("check-bound", 1, [&**value]),
            Expr::Jump(label, args, _) => self.headed("jump", self.var(*label), args),
            _ => self.binding(expr),
        }
    }

    fn binding(&self, expr: &Expr) -> Doc {
        match expr {
            Expr::Let { vars, inits, body } => {
                let bindings = self.bindings(vars, self.all(inits));
                Doc::form("let", 1, [bindings, self.expr(body)])
            }
            Expr::Letrec { vars, inits, body } => {
                let bindings = self.bindings(vars, self.all(inits));
                Doc::form("letrec*", 1, [bindings, self.expr(body)])
            }
            Expr::Fix {
                vars,
                lambdas,
                body,
            } => {
                let lambdas = lambdas.iter().map(|lambda| self.lambda(lambda)).collect();
                let bindings = self.bindings(vars, lambdas);
                Doc::form("fix", 1, [bindings, self.expr(body)])
            }
            Expr::Loop {
                label,
                vars,
                inits,
                body,
            } => {
                let bindings = self.bindings(vars, self.all(inits));
                Doc::form("loop", 2, [self.var(*label), bindings, self.expr(body)])
            }
            _ => Doc::word("?"),
        }
    }
}
