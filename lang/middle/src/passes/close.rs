//! Closure conversion: core becomes functions with slots.
//!
//! Each function is built with a table from variables to slots. A variable that is not in it is
//! captured: it gets the next number, and whoever makes the closure supplies it, capturing in turn
//! what it does not have itself. Lifted procedures get what they need as arguments instead.
//!
//! inv:close.defined — a call of one of the unit's own top-level procedures is a known call only
//! where the definition has certainly run: the definition stands before the calling form, or no form
//! from the calling one up to the definition can run anything but definitions of procedures and
//! constants.
//!
//! A call with a number of arguments that its callee certainly refuses is no tail call, wherever it
//! stands: its frame is still there to be blamed when it fails.

use std::rc::Rc;

use bowline_syntax::{Diagnostic, Span, Symbol};

use super::lift::{Shape, Shapes};
use crate::core::{Expr, Lambda, Unit, VarId};
use crate::fx::FxHashMap;
use crate::ir::{FuncId, Function, Ir, LabelId, Module, Slot};
use crate::prims::{GlobalId, Globals, Primitives};

/// Runs the pass.
pub(super) fn run(
    unit: Unit,
    shapes: &Shapes,
    globals: &Globals,
    prims: &Primitives,
) -> Result<Module, Box<Diagnostic>> {
    let mut pass = Pass {
        shapes,
        prims,
        fixed: fixed_arities(&unit.body, &unit.fixed),
        vars: unit.vars,
        functions: vec![None],
        procedures: FxHashMap::default(),
        arities: FxHashMap::default(),
        top: top_procedures(&unit.body, &unit.fixed),
        form: 0,
        too_large: None,
        builder: Builder::default(),
    };
    for index in pass.top.order.clone() {
        let id = pass.reserve();
        if let Some(top) = pass.top.by_id.get_mut(&index) {
            top.func = id;
        }
    }
    let mut forms = Vec::with_capacity(unit.body.len());
    let count = unit.body.len();
    for (index, form) in unit.body.into_iter().enumerate() {
        pass.form = index;
        forms.push(pass.expr(form, index + 1 == count));
    }
    let body = match forms.len() {
        0 => Ir::Const(bowline_syntax::Datum::new(
            bowline_syntax::DatumKind::Unspecified,
            Span::NONE,
        )),
        1 => forms.swap_remove(0),
        _ => Ir::Seq(forms),
    };
    pass.functions[0] = Some(Function {
        id: FuncId(0),
        name: unit.library.clone(),
        params: 0,
        rest: false,
        captures: 0,
        locals: pass.builder.locals,
        body,
        span: Span::NONE,
    });
    if let Some(span) = pass.too_large {
        let message = "this procedure is too large: more than 65,535 variables";
        return Err(Box::new(Diagnostic::error(message, span)));
    }
    let name = |id: GlobalId| globals.name(id).map_or(Rc::from(""), Symbol::shared);
    Ok(Module {
        functions: pass.functions.into_iter().flatten().collect(),
        entry: FuncId(0),
        globals: unit.globals.into_iter().map(|id| (id, name(id))).collect(),
    })
}

/// A top-level procedure that can be called directly.
struct Top {
    func: FuncId,
    params: usize,
    /// Calls from forms before this one could come too early (inv:close.defined).
    callable_from: usize,
}

#[derive(Default)]
struct Tops {
    by_id: FxHashMap<GlobalId, Top>,
    order: Vec<GlobalId>,
}

fn top_procedures(forms: &[Expr], fixed: &[GlobalId]) -> Tops {
    let fixed: crate::fx::FxHashSet<GlobalId> = fixed.iter().copied().collect();
    let mut tops = Tops::default();
    // The first form behind the last one that may run anything.
    let mut quiet_from = 0;
    for (index, form) in forms.iter().enumerate() {
        let Expr::DefineGlobal(id, value, _) = form else {
            quiet_from = index + 1;
            continue;
        };
        match &**value {
            Expr::Lambda(lambda) => {
                if fixed.contains(id) && lambda.rest.is_none() {
                    let top = Top {
                        func: FuncId(0),
                        params: lambda.params.len(),
                        callable_from: quiet_from,
                    };
                    tops.by_id.insert(*id, top);
                    tops.order.push(*id);
                }
            }
            Expr::Const(_) | Expr::Primitive(..) | Expr::CaseLambda(..) => {}
            _ => quiet_from = index + 1,
        }
    }
    tops
}

/// What the arguments of the unit's own top-level procedures may be, of those that are never assigned.
fn fixed_arities(forms: &[Expr], fixed: &[GlobalId]) -> FxHashMap<GlobalId, Arities> {
    let fixed: crate::fx::FxHashSet<GlobalId> = fixed.iter().copied().collect();
    let arities = |form: &Expr| match form {
        Expr::DefineGlobal(id, value, _) if fixed.contains(id) => Some((*id, Arities::of(value)?)),
        _ => None,
    };
    forms.iter().filter_map(arities).collect()
}

/// The numbers of arguments that a procedure takes: the parameters of each clause, and whether more
/// may follow.
struct Arities(Vec<(usize, bool)>);

impl Arities {
    fn of(procedure: &Expr) -> Option<Arities> {
        let clause = |lambda: &Lambda| (lambda.params.len(), lambda.rest.is_some());
        match procedure {
            Expr::Lambda(lambda) => Some(Arities(vec![clause(lambda)])),
            Expr::CaseLambda(clauses, _) => Some(Arities(clauses.iter().map(clause).collect())),
            _ => None,
        }
    }

    fn refuse(&self, count: usize) -> bool {
        let takes = |&(params, rest): &(usize, bool)| count == params || rest && count > params;
        !self.0.iter().any(takes)
    }
}

/// A function under construction.
#[derive(Default)]
struct Builder {
    slots: FxHashMap<VarId, Slot>,
    captured: Vec<VarId>,
    captured_index: FxHashMap<VarId, u16>,
    next: u16,
    locals: u16,
    labels: FxHashMap<VarId, LabelId>,
    next_label: u32,
}

struct Pass<'a> {
    shapes: &'a Shapes,
    prims: &'a Primitives,
    vars: Vec<Symbol>,
    functions: Vec<Option<Function>>,
    /// The functions of procedures bound by a `Fix`.
    procedures: FxHashMap<VarId, FuncId>,
    /// What arguments they take.
    arities: FxHashMap<VarId, Arities>,
    /// What arguments the top-level procedures take that are never assigned.
    fixed: FxHashMap<GlobalId, Arities>,
    top: Tops,
    /// The top-level form at hand.
    form: usize,
    too_large: Option<Span>,
    builder: Builder,
}

impl Pass<'_> {
    fn reserve(&mut self) -> FuncId {
        self.functions.push(None);
        FuncId(self.functions.len() as u32 - 1)
    }

    fn slot(&mut self, var: VarId) -> Slot {
        let slot = self.nameless_slot();
        self.builder.slots.insert(var, slot);
        slot
    }

    fn nameless_slot(&mut self) -> Slot {
        let slot = Slot(self.builder.next);
        match self.builder.next.checked_add(1) {
            Some(next) => self.builder.next = next,
            None => self.too_large = self.too_large.or(Some(Span::NONE)),
        }
        self.builder.locals = self.builder.locals.max(self.builder.next);
        slot
    }

    /// Runs `body`; slots given meanwhile are free again.
    fn scoped<T>(&mut self, body: impl FnOnce(&mut Self) -> T) -> T {
        let next = self.builder.next;
        let result = body(self);
        self.builder.next = next;
        result
    }

    fn variable(&mut self, var: VarId) -> Ir {
        if let Some(&slot) = self.builder.slots.get(&var) {
            return Ir::Local(slot);
        }
        let builder = &mut self.builder;
        let next = builder.captured.len() as u16;
        let index = *builder.captured_index.entry(var).or_insert(next);
        if index == next {
            builder.captured.push(var);
        }
        Ir::Captured(index)
    }

    fn all(&mut self, items: Vec<Expr>) -> Vec<Ir> {
        items
            .into_iter()
            .map(|item| self.expr(item, false))
            .collect()
    }

    fn boxed(&mut self, expr: Expr) -> Box<Ir> {
        Box::new(self.expr(expr, false))
    }

    fn expr(&mut self, expr: Expr, tail: bool) -> Ir {
        match expr {
            Expr::Const(datum) => Ir::Const(datum),
            Expr::Local(var, _) => self.reference(var),
            Expr::Global(id, span) => Ir::Global(id, span),
            Expr::Primitive(id, _) => Ir::Primitive(id),
            Expr::Unassigned => Ir::Unassigned,
            Expr::SetGlobal(id, value, span) => Ir::SetGlobal(id, self.boxed(*value), span),
            Expr::DefineGlobal(id, value, _) => self.define(id, *value),
            Expr::If(test, then, other) => {
                let test = self.boxed(*test);
                let then = Box::new(self.expr(*then, tail));
                Ir::If(test, then, Box::new(self.expr(*other, tail)))
            }
            Expr::Seq(items) => self.sequence(items, tail),
            Expr::Lambda(lambda) => {
                let (func, captured) = self.function(*lambda, &[], None);
                Ir::Closure { func, captured }
            }
            Expr::CaseLambda(clauses, _) => self.case_lambda(clauses),
            Expr::Let { vars, inits, body } => self.lets(vars, inits, *body, tail),
            Expr::Fix {
                vars,
                lambdas,
                body,
            } => self.fix(vars, lambdas, *body, tail),
            Expr::Call { f, args, span } => self.call(*f, args, span, tail),
            Expr::PrimCall { prim, args, span } => Ir::PrimCall {
                prim,
                args: self.all(args),
                span,
            },
            Expr::BoxNew(value) => Ir::BoxNew(self.boxed(*value)),
            Expr::BoxGet(var) => Ir::BoxGet(Box::new(self.variable(var))),
            Expr::BoxSet(var, value) => {
                let target = Box::new(self.variable(var));
                Ir::BoxSet(target, self.boxed(*value))
            }
            Expr::CheckBound(value, var, span) => Ir::CheckBound {
                value: self.boxed(*value),
                name: self.vars[var.0 as usize].shared(),
                span,
            },
            Expr::Loop {
                label,
                vars,
                inits,
                body,
            } => self.turns(label, vars, inits, *body, tail),
            Expr::Jump(label, args, span) => self.jump(label, args, span),
            // The passes before have removed these; a unit that skipped them is refused.
            Expr::SetLocal(_, value, span) => {
                self.too_large = Some(span);
                self.expr(*value, false)
            }
            Expr::Letrec { body, .. } => {
                self.too_large = Some(Span::NONE);
                self.expr(*body, tail)
            }
        }
    }

    fn sequence(&mut self, items: Vec<Expr>, tail: bool) -> Ir {
        let last = items.len().saturating_sub(1);
        let items = items.into_iter().enumerate();
        let items = items.map(|(i, item)| self.expr(item, tail && i == last));
        Ir::Seq(items.collect())
    }

    fn case_lambda(&mut self, clauses: Vec<Lambda>) -> Ir {
        let clauses = clauses.into_iter().map(|c| self.function(c, &[], None));
        Ir::CaseLambda {
            clauses: clauses.collect(),
        }
    }

    fn jump(&mut self, label: VarId, args: Vec<Expr>, span: Span) -> Ir {
        let label = self.builder.labels.get(&label).copied();
        Ir::Jump {
            label: label.unwrap_or(LabelId(u32::MAX)),
            args: self.all(args),
            span,
        }
    }

    fn define(&mut self, id: GlobalId, value: Expr) -> Ir {
        let func = self.top.by_id.get(&id).map(|top| top.func);
        let value = match (value, func) {
            (Expr::Lambda(lambda), Some(func)) => {
                let (func, captured) = self.function(*lambda, &[], Some(func));
                Ir::Closure { func, captured }
            }
            (value, _) => self.expr(value, false),
        };
        Ir::DefineGlobal(id, Box::new(value))
    }

    /// A variable's value.
    fn reference(&mut self, var: VarId) -> Ir {
        match (self.shapes.get(var), self.procedures.get(&var)) {
            (Some(Shape::Closed), Some(&func)) => Ir::Closure {
                func,
                captured: Vec::new(),
            },
            _ => self.variable(var),
        }
    }

    fn lets(&mut self, vars: Vec<VarId>, inits: Vec<Expr>, body: Expr, tail: bool) -> Ir {
        self.scoped(|pass| {
            let mut bound = Vec::with_capacity(vars.len());
            for (var, init) in vars.into_iter().zip(inits) {
                let init = pass.boxed(init);
                bound.push((pass.slot(var), init));
            }
            let body = pass.expr(body, tail);
            bound
                .into_iter()
                .rev()
                .fold(body, |body, (slot, init)| Ir::Let {
                    slot,
                    init,
                    body: Box::new(body),
                })
        })
    }

    fn turns(
        &mut self,
        label: VarId,
        vars: Vec<VarId>,
        inits: Vec<Expr>,
        body: Expr,
        tail: bool,
    ) -> Ir {
        let inits = self.all(inits);
        let id = LabelId(self.builder.next_label);
        self.builder.next_label += 1;
        self.builder.labels.insert(label, id);
        self.scoped(|pass| {
            let slots = vars.into_iter().map(|var| pass.slot(var)).collect();
            let body = Box::new(pass.expr(body, tail));
            Ir::Loop {
                label: id,
                slots,
                inits,
                body,
            }
        })
    }

    fn call(&mut self, f: Expr, args: Vec<Expr>, span: Span, tail: bool) -> Ir {
        match f {
            Expr::Local(var, _) if self.takes(var, args.len()) => {
                self.known_call(var, args, span, tail)
            }
            Expr::Global(id, _) if self.is_defined(id, args.len()) => {
                let func = self.top.by_id.get(&id).map_or(FuncId(0), |top| top.func);
                Ir::CallKnown {
                    func,
                    closure: None,
                    args: self.all(args),
                    tail,
                    span,
                }
            }
            f if tail && self.refuses(&f, args.len()) => self.scoped(|pass| {
                let init = Box::new(pass.call(f, args, span, false));
                let slot = pass.nameless_slot();
                let body = Box::new(Ir::Local(slot));
                Ir::Let { slot, init, body }
            }),
            f => Ir::Call {
                f: self.boxed(f),
                args: self.all(args),
                tail,
                span,
            },
        }
    }

    /// Whether a variable is a procedure that takes exactly this many arguments, and no more.
    fn takes(&self, var: VarId, count: usize) -> bool {
        let arities = self.arities.get(&var);
        arities.is_some_and(|arities| arities.0 == [(count, false)])
    }

    /// Whether a call of `f` with this many arguments certainly fails.
    fn refuses(&self, f: &Expr, count: usize) -> bool {
        match f {
            Expr::Local(var, _) => self.arities.get(var).is_some_and(|a| a.refuse(count)),
            Expr::Global(id, _) => self.fixed.get(id).is_some_and(|a| a.refuse(count)),
            Expr::Primitive(id, _) => {
                let facts = self.prims.get(*id);
                facts.is_some_and(|facts| !facts.accepts(count))
            }
            f => Arities::of(f).is_some_and(|a| a.refuse(count)),
        }
    }

    /// Whether a known call of this top-level variable is allowed here (inv:close.defined).
    fn is_defined(&self, id: GlobalId, count: usize) -> bool {
        let top = self.top.by_id.get(&id);
        top.is_some_and(|top| top.params == count && self.form >= top.callable_from)
    }

    fn known_call(&mut self, var: VarId, args: Vec<Expr>, span: Span, tail: bool) -> Ir {
        let func = self.procedures.get(&var).copied().unwrap_or(FuncId(0));
        let (closure, more) = match self.shapes.get(var) {
            Some(Shape::Lifted(needs)) => (None, needs.clone()),
            Some(Shape::Closed) => (None, Vec::new()),
            _ => (Some(Box::new(self.variable(var))), Vec::new()),
        };
        let mut args = self.all(args);
        for var in more {
            // Each has a slot here or can be captured: inv:lift.scope.
            let arg = self.reference(var);
            args.push(arg);
        }
        Ir::CallKnown {
            func,
            closure,
            args,
            tail,
            span,
        }
    }

    fn fix(&mut self, vars: Vec<VarId>, lambdas: Vec<Lambda>, body: Expr, tail: bool) -> Ir {
        for (&var, lambda) in vars.iter().zip(&lambdas) {
            let func = self.reserve();
            self.procedures.insert(var, func);
            let clause = (lambda.params.len(), lambda.rest.is_some());
            self.arities.insert(var, Arities(vec![clause]));
        }
        self.scoped(|pass| {
            let is_closure = |var: &VarId| pass.shapes.get(*var) == Some(&Shape::Closure);
            let held: Vec<VarId> = vars.iter().copied().filter(is_closure).collect();
            for &var in &held {
                pass.slot(var);
            }
            let mut closures = Vec::with_capacity(held.len());
            for (var, lambda) in vars.into_iter().zip(lambdas) {
                let more = match pass.shapes.get(var) {
                    Some(Shape::Lifted(needs)) => needs.clone(),
                    _ => Vec::new(),
                };
                let func = pass.procedures.get(&var).copied();
                let (func, captured) = pass.function(lambda, &more, func);
                if let (true, Some(&slot)) = (held.contains(&var), pass.builder.slots.get(&var)) {
                    closures.push((slot, func, captured));
                }
            }
            let body = pass.expr(body, tail);
            if closures.is_empty() {
                return body;
            }
            Ir::Fix {
                closures,
                body: Box::new(body),
            }
        })
    }

    /// Compiles a procedure, with these variables as further arguments; gives the values that its
    /// closure holds.
    fn function(
        &mut self,
        lambda: Lambda,
        more: &[VarId],
        func: Option<FuncId>,
    ) -> (FuncId, Vec<Ir>) {
        let id = func.unwrap_or_else(|| self.reserve());
        let outside = std::mem::take(&mut self.builder);
        for &var in lambda.params.iter().chain(more).chain(&lambda.rest) {
            self.slot(var);
        }
        let body = self.expr(lambda.body, true);
        let built = std::mem::replace(&mut self.builder, outside);
        let params = lambda.params.len() + more.len();
        if params > usize::from(u16::MAX) || built.captured.len() > usize::from(u16::MAX) {
            self.too_large = Some(lambda.span);
        }
        self.functions[id.0 as usize] = Some(Function {
            id,
            name: lambda.name.map(|name| name.shared()),
            params: params as u16,
            rest: lambda.rest.is_some(),
            captures: built.captured.len() as u16,
            locals: built.locals,
            body,
            span: lambda.span,
        });
        let captured = built.captured.into_iter().map(|var| self.variable(var));
        (id, captured.collect())
    }
}
