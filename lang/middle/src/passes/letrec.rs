//! Removes `Letrec` (after Ghuloum and Dybvig, "Fixing letrec (reloaded)").
//!
//! The definitions of one `Letrec` form a graph: each needs those that it mentions, and each whose
//! evaluation can be noticed needs the one before it of that kind, which keeps their order. A
//! component of one definition that does not mention itself is a `Let`; procedures that nobody
//! assigns are a `Fix`; in any other circle the procedures are a `Fix` and the rest are variables
//! assigned in order, whose uses inside the circle are checked.

use bowline_syntax::Span;

use super::graph::components;
use crate::core::{Expr, Lambda, Unit, VarId};

/// Runs the pass.
pub(super) fn run(unit: &mut Unit) {
    let mut assigned = vec![false; unit.vars.len()];
    for expr in &mut unit.body {
        find_assigned(expr, &mut assigned);
    }
    let mut pass = Pass {
        assigned,
        member: vec![None; unit.vars.len()],
        groups: Vec::new(),
    };
    for expr in &mut unit.body {
        pass.walk(expr);
    }
}

/// Notes every variable that is assigned.
pub(super) fn find_assigned(expr: &mut Expr, assigned: &mut [bool]) {
    if let Expr::SetLocal(var, ..) = expr {
        assigned[var.0 as usize] = true;
    }
    expr.children_mut(|child| find_assigned(child, assigned));
}

/// A `Letrec` around the place at hand.
struct Group {
    /// The definition we are in, unless it is the body.
    current: Option<u32>,
    /// What each definition needs.
    needs: Vec<Vec<u32>>,
}

struct Pass {
    assigned: Vec<bool>,
    /// For the variables of enclosing `Letrec`s: which one, counted from outside, and where in it.
    member: Vec<Option<(u32, u32)>>,
    groups: Vec<Group>,
}

impl Pass {
    fn walk(&mut self, expr: &mut Expr) {
        match expr {
            Expr::Letrec { vars, inits, body } => {
                let vars = std::mem::take(vars);
                let inits = std::mem::take(inits);
                let body = std::mem::replace(&mut **body, Expr::Unassigned);
                *expr = self.group(vars, inits, body);
            }
            Expr::Local(var, _) => self.mention(*var),
            Expr::SetLocal(var, value, _) => {
                self.mention(*var);
                self.walk(value);
            }
            _ => expr.children_mut(|child| self.walk(child)),
        }
    }

    fn mention(&mut self, var: VarId) {
        if let Some((group, index)) = self.member[var.0 as usize] {
            let group = &mut self.groups[group as usize];
            if let Some(current) = group.current {
                group.needs[current as usize].push(index);
            }
        }
    }

    fn group(&mut self, vars: Vec<VarId>, mut inits: Vec<Expr>, mut body: Expr) -> Expr {
        let depth = self.groups.len() as u32;
        for (index, var) in vars.iter().enumerate() {
            self.member[var.0 as usize] = Some((depth, index as u32));
        }
        self.groups.push(Group {
            current: None,
            needs: vec![Vec::new(); vars.len()],
        });
        for (index, init) in inits.iter_mut().enumerate() {
            self.groups[depth as usize].current = Some(index as u32);
            self.walk(init);
        }
        self.groups[depth as usize].current = None;
        self.walk(&mut body);
        let Some(mut group) = self.groups.pop() else {
            return body;
        };
        let mut previous = None;
        for (index, init) in inits.iter().enumerate() {
            if !self.is_quiet(init) {
                group.needs[index].extend(previous);
                previous = Some(index as u32);
            }
        }
        let mut slots: Vec<Option<Expr>> = inits.into_iter().map(Some).collect();
        let order = components(&group.needs);
        for component in order.into_iter().rev() {
            let take = |&index: &u32| Some((vars[index as usize], slots[index as usize].take()?));
            let definitions: Vec<(VarId, Expr)> = component.iter().filter_map(take).collect();
            let first = component[0];
            let circular = component.len() > 1 || group.needs[first as usize].contains(&first);
            body = self.bind(definitions, circular, body);
        }
        body
    }

    /// Whether evaluating it neither does nor notices anything.
    fn is_quiet(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Const(_)
            | Expr::Primitive(..)
            | Expr::Lambda(_)
            | Expr::CaseLambda(..)
            | Expr::Unassigned => true,
            Expr::Local(var, _) => !self.assigned[var.0 as usize],
            _ => false,
        }
    }

    fn bind(&mut self, definitions: Vec<(VarId, Expr)>, circular: bool, body: Expr) -> Expr {
        if !circular {
            let nest = |body, (var, init)| Expr::bind(var, init, body);
            return definitions.into_iter().rev().fold(body, nest);
        }
        let noticed = definitions.iter().any(|(_, init)| !self.is_quiet(init));
        let (mut vars, mut lambdas) = (Vec::new(), Vec::new());
        let mut others = Vec::new();
        for (var, init) in definitions {
            match init {
                Expr::Lambda(lambda) if !self.assigned[var.0 as usize] => {
                    vars.push(var);
                    lambdas.push(*lambda);
                }
                init => others.push((var, init)),
            }
        }
        if others.is_empty() {
            return fix(vars, lambdas, body);
        }
        let unknown: Vec<VarId> = others.iter().map(|&(var, _)| var).collect();
        if noticed {
            lambdas
                .iter_mut()
                .for_each(|lambda| check(&mut lambda.body, &unknown));
            others
                .iter_mut()
                .for_each(|(_, init)| check(init, &unknown));
        }
        let assign = |(var, init): (VarId, Expr)| {
            let span = place(&init);
            Expr::SetLocal(var, Box::new(init), span)
        };
        let mut steps: Vec<Expr> = others.into_iter().map(assign).collect();
        steps.push(body);
        let mut inner = Expr::Seq(steps);
        if !vars.is_empty() {
            inner = fix(vars, lambdas, inner);
        }
        Expr::Let {
            inits: unknown.iter().map(|_| Expr::Unassigned).collect(),
            vars: unknown,
            body: Box::new(inner),
        }
    }
}

fn fix(vars: Vec<VarId>, lambdas: Vec<Lambda>, body: Expr) -> Expr {
    Expr::Fix {
        vars,
        lambdas,
        body: Box::new(body),
    }
}

/// Makes every use of these variables notice when they have no value yet.
fn check(expr: &mut Expr, vars: &[VarId]) {
    match expr {
        Expr::Local(var, span) if vars.contains(var) => {
            let (var, span) = (*var, *span);
            *expr = Expr::CheckBound(Box::new(Expr::Local(var, span)), var, span);
        }
        Expr::CheckBound(..) => {}
        _ => expr.children_mut(|child| check(child, vars)),
    }
}

fn place(expr: &Expr) -> Span {
    match expr {
        Expr::Const(datum) => datum.span,
        Expr::Call { span, .. } | Expr::Local(_, span) | Expr::Global(_, span) => *span,
        Expr::Lambda(lambda) => lambda.span,
        _ => Span::NONE,
    }
}
