//! Removes `SetLocal`: variables that are assigned hold boxes.
//!
//! A parameter that is assigned is received under a new name and put into a box bound to the old.

use super::letrec::find_assigned;
use crate::core::{Expr, Lambda, Unit, VarId};

/// Runs the pass.
pub(super) fn run(unit: &mut Unit) {
    let mut assigned = vec![false; unit.vars.len()];
    for expr in &mut unit.body {
        find_assigned(expr, &mut assigned);
    }
    if !assigned.contains(&true) {
        return;
    }
    let mut body = std::mem::take(&mut unit.body);
    let mut pass = Pass { assigned, unit };
    body.iter_mut().for_each(|expr| pass.walk(expr));
    unit.body = body;
}

struct Pass<'a> {
    assigned: Vec<bool>,
    unit: &'a mut Unit,
}

impl Pass<'_> {
    /// Variables made by this pass are never assigned.
    fn is_assigned(&self, var: VarId) -> bool {
        self.assigned.get(var.0 as usize).copied().unwrap_or(false)
    }

    fn walk(&mut self, expr: &mut Expr) {
        match expr {
            Expr::Local(var, _) if self.is_assigned(*var) => *expr = Expr::BoxGet(*var),
            Expr::SetLocal(var, value, _) => {
                self.walk(value);
                let value = std::mem::replace(&mut **value, Expr::Unassigned);
                *expr = Expr::BoxSet(*var, Box::new(value));
            }
            Expr::Let { vars, inits, body } => {
                inits.iter_mut().for_each(|init| self.walk(init));
                for (var, init) in vars.iter().zip(inits) {
                    if self.is_assigned(*var) {
                        let value = std::mem::replace(init, Expr::Unassigned);
                        *init = Expr::BoxNew(Box::new(value));
                    }
                }
                self.walk(body);
            }
            Expr::Lambda(lambda) => self.lambda(lambda),
            Expr::CaseLambda(clauses, _) => clauses.iter_mut().for_each(|c| self.lambda(c)),
            Expr::Fix { lambdas, body, .. } => {
                lambdas.iter_mut().for_each(|lambda| self.lambda(lambda));
                self.walk(body);
            }
            _ => expr.children_mut(|child| self.walk(child)),
        }
    }

    fn lambda(&mut self, lambda: &mut Lambda) {
        self.walk(&mut lambda.body);
        let span = lambda.span;
        let (mut vars, mut inits) = (Vec::new(), Vec::new());
        for param in lambda.params.iter_mut().chain(&mut lambda.rest) {
            if self.is_assigned(*param) {
                let name = self.unit.vars[param.0 as usize].clone();
                self.unit.vars.push(name);
                let received = VarId(self.unit.vars.len() as u32 - 1);
                vars.push(*param);
                inits.push(Expr::BoxNew(Box::new(Expr::Local(received, span))));
                *param = received;
            }
        }
        if !vars.is_empty() {
            let body = std::mem::replace(&mut lambda.body, Expr::Unassigned);
            lambda.body = Expr::Let {
                vars,
                inits,
                body: Box::new(body),
            };
        }
    }
}
