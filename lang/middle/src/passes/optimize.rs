//! The simple optimiser: one walk that binds arguments of procedures applied where they stand,
//! follows copies, drops what is not used, decides constant tests and finds calls of primitives.
//!
//! Variables never change here (`assign` ran before), so a variable that stands for another
//! variable, a primitive or an immediate constant can be replaced, and a procedure that is
//! mentioned once, as what is called, can be moved there: making one does nothing.
//!
//! Leaves `Let` with one variable each, and no `Let` of a procedure: those become `Fix`.

use bowline_syntax::{Datum, Diagnostic, Span};

use super::depth::Depth;
use super::fold::{fold, is_immediate, is_pure, truth};
use crate::core::{Expr, Lambda, Unit, VarId};
use crate::prims::{InlineOp, Primitives};

/// Runs the pass.
pub(super) fn run(unit: &mut Unit, prims: &Primitives) -> Result<(), Box<Diagnostic>> {
    let mut pass = Pass {
        prims,
        uses: vec![0; unit.vars.len()],
        called: vec![0; unit.vars.len()],
        values: Vec::new(),
        depth: Depth::new(),
    };
    pass.values.resize_with(unit.vars.len(), || Value::Itself);
    for expr in &mut unit.body {
        pass.count(expr);
    }
    for expr in &mut unit.body {
        pass.walk(expr);
    }
    pass.depth.finish()
}

/// What a variable is replaced by.
enum Value {
    Itself,
    Copy(Expr),
    /// A procedure on its way to the one place that calls it.
    Moved(Box<Lambda>),
}

struct Pass<'a> {
    prims: &'a Primitives,
    /// How often a variable is mentioned, and how often of these it is called.
    uses: Vec<u32>,
    called: Vec<u32>,
    values: Vec<Value>,
    depth: Depth,
}

fn take(expr: &mut Expr) -> Expr {
    std::mem::replace(expr, Expr::Unassigned)
}

impl Pass<'_> {
    fn count(&mut self, expr: &mut Expr) {
        match expr {
            Expr::Local(var, _) | Expr::BoxGet(var) | Expr::BoxSet(var, _) => {
                self.uses[var.0 as usize] += 1;
            }
            Expr::Call { f, .. } => {
                if let Expr::Local(var, _) = **f {
                    self.called[var.0 as usize] += 1;
                }
            }
            _ => {}
        }
        expr.children_mut(|child| self.count(child));
    }

    fn walk(&mut self, expr: &mut Expr) {
        let levels = self.depth.levels();
        if self.depth.enter() {
            self.walk_here(expr);
        }
        self.depth.leave_to(levels);
    }

    fn walk_here(&mut self, expr: &mut Expr) {
        match expr {
            Expr::Local(var, span) => {
                if let Value::Copy(copy) = &self.values[var.0 as usize] {
                    *expr = placed(copy.clone(), *span);
                }
            }
            Expr::Let { vars, inits, body } => {
                let (vars, inits) = (std::mem::take(vars), std::mem::take(inits));
                let body = take(body);
                *expr = self.lets(vars, inits, body);
            }
            Expr::If(test, then, other) => {
                let (test, then, other) = (take(test), take(then), take(other));
                *expr = self.conditional(test, then, other);
            }
            Expr::Seq(items) => {
                let items = std::mem::take(items);
                *expr = self.sequence(items);
            }
            Expr::Call { f, args, span } => {
                let (f, args, span) = (take(f), std::mem::take(args), *span);
                *expr = self.call(f, args, span);
            }
            Expr::Fix { vars, lambdas, .. }
                if vars.iter().all(|v| self.uses[v.0 as usize] == 0) =>
            {
                lambdas.clear();
                let Expr::Fix { body, .. } = expr else { return };
                let mut body = take(body);
                self.walk(&mut body);
                *expr = body;
            }
            _ => expr.children_mut(|child| self.walk(child)),
        }
    }

    fn lets(&mut self, vars: Vec<VarId>, inits: Vec<Expr>, mut body: Expr) -> Expr {
        let levels = self.depth.levels();
        let mut kept = Vec::with_capacity(vars.len());
        for (var, mut init) in vars.into_iter().zip(inits) {
            let at = var.0 as usize;
            match init {
                Expr::Lambda(lambda) if self.uses[at] == 1 && self.called[at] == 1 => {
                    self.values[at] = Value::Moved(lambda);
                    continue;
                }
                _ => self.walk(&mut init),
            }
            let copied = match &init {
                Expr::Local(..) | Expr::Primitive(..) => true,
                Expr::Const(datum) => is_immediate(datum),
                _ => false,
            };
            if copied {
                self.values[at] = Value::Copy(init);
            } else if self.uses[at] > 0 || !is_pure(&init, self.prims) {
                kept.push((var, init));
                // What follows stands inside.
                self.depth.enter();
            }
        }
        self.walk(&mut body);
        self.depth.leave_to(levels);
        // Moved procedures whose call was in code that is gone are gone with it.
        kept.into_iter().rev().fold(body, |body, (var, init)| {
            if self.uses[var.0 as usize] == 0 {
                return flat(vec![init, body]);
            }
            match init {
                Expr::Lambda(lambda) => Expr::Fix {
                    vars: vec![var],
                    lambdas: vec![*lambda],
                    body: Box::new(body),
                },
                init => Expr::bind(var, init, body),
            }
        })
    }

    fn sequence(&mut self, mut items: Vec<Expr>) -> Expr {
        items.iter_mut().for_each(|item| self.walk(item));
        let Some(last) = items.pop() else {
            return Expr::unspecified(Span::NONE);
        };
        items.retain(|item| !is_pure(item, self.prims));
        if items.is_empty() {
            return last;
        }
        items.push(last);
        flat(items)
    }

    fn conditional(&mut self, mut test: Expr, mut then: Expr, mut other: Expr) -> Expr {
        self.walk(&mut test);
        loop {
            match truth(&test) {
                Some(true) => {
                    self.walk(&mut then);
                    return then;
                }
                Some(false) => {
                    self.walk(&mut other);
                    return other;
                }
                None => {}
            }
            match self.simpler_test(test) {
                (simpler, Change::Nothing) => {
                    test = simpler;
                    break;
                }
                (simpler, Change::Same) => test = simpler,
                (simpler, Change::Negated) => {
                    test = simpler;
                    std::mem::swap(&mut then, &mut other);
                }
            }
        }
        self.walk(&mut then);
        self.walk(&mut other);
        Expr::conditional(test, then, other)
    }

    /// A test that comes out the same, or the opposite, and is simpler.
    fn simpler_test(&self, test: Expr) -> (Expr, Change) {
        match test {
            Expr::PrimCall { prim, mut args, .. }
                if self.prims.inline(prim) == Some(InlineOp::Not) && args.len() == 1 =>
            {
                (args.swap_remove(0), Change::Negated)
            }
            Expr::If(inner, a, b) => match (truth(&a), truth(&b)) {
                (Some(true), Some(false)) => (*inner, Change::Same),
                (Some(false), Some(true)) => (*inner, Change::Negated),
                _ => (Expr::If(inner, a, b), Change::Nothing),
            },
            // (let ((t A)) (if t t B)), what `or` stands for: only its truth matters here.
            Expr::Let {
                vars,
                mut inits,
                body,
            } if self.is_or(&vars, &body) => match (inits.pop(), *body) {
                (Some(init), Expr::If(_, then, other)) => {
                    let yes = Expr::boolean(true, place(&then));
                    (Expr::conditional(init, yes, *other), Change::Same)
                }
                (init, body) => (
                    flat(init.into_iter().chain([body]).collect()),
                    Change::Nothing,
                ),
            },
            test => (test, Change::Nothing),
        }
    }

    fn is_or(&self, vars: &[VarId], body: &Expr) -> bool {
        let [var] = vars else {
            return false;
        };
        let is_var = |expr: &Expr| matches!(expr, Expr::Local(other, _) if other == var);
        match body {
            Expr::If(test, then, _) => {
                is_var(test) && is_var(then) && self.uses[var.0 as usize] == 2
            }
            _ => false,
        }
    }

    fn call(&mut self, mut f: Expr, mut args: Vec<Expr>, span: Span) -> Expr {
        if let Expr::Local(var, _) = f {
            let value = &mut self.values[var.0 as usize];
            if let Value::Moved(_) = value
                && let Value::Moved(lambda) = std::mem::replace(value, Value::Itself)
            {
                f = Expr::Lambda(lambda);
                self.depth.moves_to(span);
            }
        }
        match f {
            Expr::Lambda(lambda) if self.can_bind(&lambda, args.len()) => {
                return self.apply(*lambda, args, span);
            }
            _ => self.walk(&mut f),
        }
        args.iter_mut().for_each(|arg| self.walk(arg));
        if let Expr::Primitive(prim, _) = f
            && let Some(info) = self.prims.get(prim)
            && info.accepts(args.len())
            && !info.control
        {
            return match fold(prim, &args, self.prims) {
                Some(kind) => Expr::Const(Datum::new(kind, span)),
                None => Expr::PrimCall { prim, args, span },
            };
        }
        Expr::call(f, args, span)
    }

    fn can_bind(&self, lambda: &Lambda, count: usize) -> bool {
        match lambda.rest {
            None => lambda.params.len() == count,
            Some(_) => lambda.params.len() <= count && self.prims.find("list").is_some(),
        }
    }

    /// A procedure applied where it stands.
    fn apply(&mut self, lambda: Lambda, mut args: Vec<Expr>, span: Span) -> Expr {
        let mut vars = lambda.params;
        if let Some(rest) = lambda.rest
            && let Some(list) = self.prims.find("list")
        {
            let more = args.split_off(vars.len());
            vars.push(rest);
            args.push(Expr::call(Expr::Primitive(list, span), more, span));
        }
        self.lets(vars, args, lambda.body)
    }
}

enum Change {
    Nothing,
    Same,
    Negated,
}

/// A sequence without sequences inside.
fn flat(items: Vec<Expr>) -> Expr {
    let mut out = Vec::with_capacity(items.len());
    for item in items {
        match item {
            Expr::Seq(inner) => out.extend(inner),
            item => out.push(item),
        }
    }
    Expr::Seq(out)
}

fn place(expr: &Expr) -> Span {
    match expr {
        Expr::Local(_, span) => *span,
        _ => Span::NONE,
    }
}

/// A copy at the place of the variable that it replaces.
fn placed(copy: Expr, at: Span) -> Expr {
    match copy {
        Expr::Local(var, _) => Expr::Local(var, at),
        Expr::Primitive(id, _) => Expr::Primitive(id, at),
        Expr::Const(datum) => Expr::Const(Datum::new(datum.kind.clone(), at)),
        other => other,
    }
}
