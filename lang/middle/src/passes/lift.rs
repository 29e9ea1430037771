//! Decides what each procedure with a name needs: lambda lifting and closedness.
//!
//! For every procedure bound by a `Fix`:
//!
//! * *lifted*: it is only ever called, with the right number of arguments, and what it uses from
//!   outside, at most [`LIFTED`] variables, becomes further arguments. No closure is made.
//! * *closed*: it is used as a value but needs nothing from outside: a constant.
//! * *closure*: anything else. Calls of it are still known calls.
//!
//! What a procedure uses from outside includes what the procedures that it calls need; that is
//! computed as a least fixed point. A lifted procedure with too many variables becomes a closure,
//! and the computation starts again, until nothing changes.
//!
//! inv:lift.scope — what a lifted procedure needs is visible at each of its calls, since a call can
//! only stand where the procedure's name is visible, which is inside the scope of all it needs.

use std::collections::BTreeSet;

use crate::core::{Expr, Lambda, Unit, VarId};

/// How many variables become arguments at most.
const LIFTED: usize = 8;

/// What a procedure is compiled as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A function with these variables as further arguments.
    Lifted(Vec<VarId>),
    /// A function without captured values, used as a value.
    Closed,
    /// A closure in a variable.
    Closure,
}

/// The shapes of all procedures bound by a `Fix`, by variable.
pub(super) struct Shapes {
    shapes: Vec<Option<Shape>>,
}

impl Shapes {
    pub(super) fn get(&self, var: VarId) -> Option<&Shape> {
        self.shapes.get(var.0 as usize).and_then(Option::as_ref)
    }
}

/// Runs the analysis.
pub(super) fn run(unit: &Unit) -> Shapes {
    let mut survey = Survey {
        index: vec![None; unit.vars.len()],
        bound_at: vec![0; unit.vars.len()],
        procedures: Vec::new(),
        around: Vec::new(),
    };
    for expr in &unit.body {
        survey.walk(expr);
    }
    let needs = solve(&mut survey.procedures);
    let mut shapes = vec![None; unit.vars.len()];
    for (procedure, needs) in survey.procedures.iter().zip(needs) {
        shapes[procedure.var.0 as usize] = Some(match (procedure.lifted, needs.is_empty()) {
            (true, _) => Shape::Lifted(needs.into_iter().collect()),
            (false, true) => Shape::Closed,
            (false, false) => Shape::Closure,
        });
    }
    Shapes { shapes }
}

struct Procedure {
    var: VarId,
    params: usize,
    has_rest: bool,
    /// So far it can be lifted.
    lifted: bool,
    /// Variables from outside, other than procedures bound by a `Fix`.
    free: BTreeSet<VarId>,
    /// Procedures from outside or itself, by index.
    mentioned: BTreeSet<u32>,
}

struct Survey {
    /// The procedure that a variable is bound to.
    index: Vec<Option<u32>>,
    /// How many procedures with names were around a variable's binding.
    bound_at: Vec<u32>,
    procedures: Vec<Procedure>,
    /// The procedures that we are in, outermost first.
    around: Vec<u32>,
}

impl Survey {
    fn bind(&mut self, var: VarId) {
        self.bound_at[var.0 as usize] = self.around.len() as u32;
    }

    fn mention(&mut self, var: VarId) {
        let from = self.bound_at[var.0 as usize] as usize;
        let callee = self.index[var.0 as usize];
        for &inside in self.around.get(from..).unwrap_or_default() {
            let procedure = &mut self.procedures[inside as usize];
            match callee {
                Some(callee) => procedure.mentioned.insert(callee),
                None => procedure.free.insert(var),
            };
        }
    }

    fn all<'e>(&mut self, items: impl IntoIterator<Item = &'e Expr>) {
        items.into_iter().for_each(|item| self.walk(item));
    }

    fn lambda(&mut self, lambda: &Lambda) {
        lambda
            .params
            .iter()
            .chain(&lambda.rest)
            .for_each(|&var| self.bind(var));
        self.walk(&lambda.body);
    }

    fn walk(&mut self, expr: &Expr) {
        match expr {
            Expr::Const(_) | Expr::Global(..) | Expr::Primitive(..) | Expr::Unassigned => {}
            Expr::Local(var, _) => {
                if let Some(index) = self.index[var.0 as usize] {
                    self.procedures[index as usize].lifted = false;
                }
                self.mention(*var);
            }
            Expr::BoxGet(var) => self.mention(*var),
            Expr::BoxSet(var, value) => {
                self.mention(*var);
                self.walk(value);
            }
            Expr::SetLocal(_, value, _)
            | Expr::SetGlobal(_, value, _)
            | Expr::DefineGlobal(_, value, _)
            | Expr::BoxNew(value)
            | Expr::CheckBound(value, ..) => self.walk(value),
            Expr::If(a, b, c) => self.all([&**a, b, c]),
            Expr::Seq(items) | Expr::Jump(_, items, _) => self.all(items),
            Expr::PrimCall { args, .. } => self.all(args),
            Expr::Lambda(lambda) => self.lambda(lambda),
            Expr::CaseLambda(clauses, _) => clauses.iter().for_each(|c| self.lambda(c)),
            Expr::Let { vars, inits, body }
            | Expr::Letrec { vars, inits, body }
            | Expr::Loop {
                vars, inits, body, ..
            } => {
                self.all(inits);
                vars.iter().for_each(|&var| self.bind(var));
                self.walk(body);
            }
            Expr::Call { f, args, .. } => {
                self.call(f, args.len());
                self.all(args);
            }
            Expr::Fix {
                vars,
                lambdas,
                body,
            } => self.fix(vars, lambdas, body),
        }
    }

    fn call(&mut self, f: &Expr, count: usize) {
        if let Expr::Local(var, _) = f
            && let Some(index) = self.index[var.0 as usize]
        {
            let procedure = &self.procedures[index as usize];
            if procedure.params == count && !procedure.has_rest {
                self.mention(*var);
                return;
            }
        }
        self.walk(f);
    }

    fn fix(&mut self, vars: &[VarId], lambdas: &[Lambda], body: &Expr) {
        let first = self.procedures.len() as u32;
        for (&var, lambda) in vars.iter().zip(lambdas) {
            self.bind(var);
            self.index[var.0 as usize] = Some(self.procedures.len() as u32);
            self.procedures.push(Procedure {
                var,
                params: lambda.params.len(),
                has_rest: lambda.rest.is_some(),
                lifted: true,
                free: BTreeSet::new(),
                mentioned: BTreeSet::new(),
            });
        }
        for (index, lambda) in (first..).zip(lambdas) {
            self.around.push(index);
            self.lambda(lambda);
            self.around.pop();
        }
        self.walk(body);
    }
}

/// What each procedure needs from outside, and which cannot be lifted after all.
fn solve(procedures: &mut [Procedure]) -> Vec<BTreeSet<VarId>> {
    loop {
        let needs = least(procedures);
        let mut demoted = false;
        for (procedure, needs) in procedures.iter_mut().zip(&needs) {
            if procedure.lifted && needs.len() > LIFTED {
                procedure.lifted = false;
                demoted = true;
            }
        }
        if !demoted {
            return needs;
        }
    }
}

fn least(procedures: &[Procedure]) -> Vec<BTreeSet<VarId>> {
    let mut needs: Vec<BTreeSet<VarId>> = procedures.iter().map(|p| p.free.clone()).collect();
    let mut callers: Vec<Vec<u32>> = vec![Vec::new(); procedures.len()];
    for (index, procedure) in (0..).zip(procedures) {
        for &callee in &procedure.mentioned {
            callers[callee as usize].push(index);
        }
    }
    let mut work: Vec<u32> = (0..procedures.len() as u32).collect();
    while let Some(callee) = work.pop() {
        let procedure = &procedures[callee as usize];
        if needs[callee as usize].is_empty() {
            continue;
        }
        // What a mention of it asks for: its needs, or the closure.
        let asked: Vec<VarId> = if procedure.lifted {
            needs[callee as usize].iter().copied().collect()
        } else {
            vec![procedure.var]
        };
        for &caller in &callers[callee as usize] {
            let before = needs[caller as usize].len();
            needs[caller as usize].extend(asked.iter().copied());
            if needs[caller as usize].len() > before {
                work.push(caller);
            }
        }
    }
    needs
}
