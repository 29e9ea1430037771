//! Turns procedures into loops.
//!
//! A procedure bound by a `Fix` of its own becomes a loop when it is called from exactly one place
//! outside itself, and inside itself only in tail position, where the body of a loop inside it
//! counts as a part of it. The loop stands where that one call was: what it returns goes there.
//!
//! Inner procedures are decided before outer ones, so whether a tail call from an inner loop is one
//! of the outer procedure is known in time.

use bowline_syntax::Diagnostic;

use super::depth::Depth;
use crate::core::{Expr, Lambda, Unit, VarId};

/// Runs the pass.
pub(super) fn run(unit: &mut Unit) -> Result<(), Box<Diagnostic>> {
    let mut survey = Survey { known: Vec::new() };
    survey.known.resize_with(unit.vars.len(), || None);
    for expr in &mut unit.body {
        survey.walk(expr, Place::Elsewhere);
    }
    let mut loops = Loops {
        known: survey.known,
        waiting: Vec::new(),
        depth: Depth::new(),
    };
    loops.waiting.resize_with(unit.vars.len(), || None);
    for expr in &mut unit.body {
        loops.walk(expr);
    }
    loops.depth.finish()
}

/// Where an expression stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In tail position of the procedure bound to this variable.
    TailOf(VarId),
    Elsewhere,
}

/// What is found out about a procedure that may become a loop.
struct Known {
    params: usize,
    /// Whether we are inside it.
    open: bool,
    /// Mentioned otherwise than by a call that fits.
    escapes: bool,
    outside: Vec<Place>,
    inside: Vec<Place>,
    is_loop: bool,
}

struct Survey {
    known: Vec<Option<Known>>,
}

impl Survey {
    fn get(&mut self, var: VarId) -> Option<&mut Known> {
        self.known[var.0 as usize].as_mut()
    }

    fn walk(&mut self, expr: &mut Expr, place: Place) {
        match expr {
            Expr::Local(var, _) => {
                if let Some(known) = self.get(*var) {
                    known.escapes = true;
                }
            }
            Expr::If(test, then, other) => {
                self.walk(test, Place::Elsewhere);
                self.walk(then, place);
                self.walk(other, place);
            }
            Expr::Seq(items) => {
                if let Some((last, items)) = items.split_last_mut() {
                    items
                        .iter_mut()
                        .for_each(|item| self.walk(item, Place::Elsewhere));
                    self.walk(last, place);
                }
            }
            Expr::Let { inits, body, .. } => {
                inits
                    .iter_mut()
                    .for_each(|init| self.walk(init, Place::Elsewhere));
                self.walk(body, place);
            }
            Expr::Call { f, args, .. } => {
                self.call(f, args.len(), place);
                args.iter_mut()
                    .for_each(|arg| self.walk(arg, Place::Elsewhere));
            }
            Expr::Fix {
                vars,
                lambdas,
                body,
            } => self.fix(vars, lambdas, body, place),
            _ => expr.children_mut(|child| self.walk(child, Place::Elsewhere)),
        }
    }

    fn call(&mut self, f: &mut Expr, count: usize, place: Place) {
        if let Expr::Local(var, _) = f
            && let Some(known) = self.get(*var)
            && known.params == count
        {
            let calls = if known.open {
                &mut known.inside
            } else {
                &mut known.outside
            };
            calls.push(place);
            return;
        }
        self.walk(f, Place::Elsewhere);
    }

    fn fix(&mut self, vars: &[VarId], lambdas: &mut [Lambda], body: &mut Expr, place: Place) {
        let ([var], [lambda]) = (vars, &mut *lambdas) else {
            for lambda in lambdas {
                self.walk(&mut lambda.body, Place::Elsewhere);
            }
            self.walk(body, place);
            return;
        };
        self.known[var.0 as usize] = Some(Known {
            params: lambda.params.len(),
            open: true,
            escapes: lambda.rest.is_some(),
            outside: Vec::new(),
            inside: Vec::new(),
            is_loop: false,
        });
        self.walk(&mut lambda.body, Place::TailOf(*var));
        if let Some(known) = self.get(*var) {
            known.open = false;
        }
        self.walk(body, place);
        let is_loop = self.decide(*var);
        if let Some(known) = self.get(*var) {
            known.is_loop = is_loop;
        }
    }

    fn decide(&self, var: VarId) -> bool {
        let Some(known) = &self.known[var.0 as usize] else {
            return false;
        };
        // Without a call inside it would be no loop but a procedure called once, and such a one was
        // moved to its call already.
        !known.escapes
            && known.outside.len() == 1
            && known
                .inside
                .iter()
                .all(|&place| self.is_tail_of(place, var))
    }

    /// Whether a place is in tail position of `var`, perhaps through loops inside it.
    fn is_tail_of(&self, mut place: Place, var: VarId) -> bool {
        loop {
            match place {
                Place::Elsewhere => return false,
                Place::TailOf(other) if other == var => return true,
                Place::TailOf(other) => match &self.known[other.0 as usize] {
                    Some(known) if known.is_loop => place = known.outside[0],
                    _ => return false,
                },
            }
        }
    }
}

struct Loops {
    known: Vec<Option<Known>>,
    /// Procedures on their way to the call that becomes their loop.
    waiting: Vec<Option<Box<Lambda>>>,
    depth: Depth,
}

impl Loops {
    fn is_loop(&self, var: VarId) -> bool {
        self.known[var.0 as usize]
            .as_ref()
            .is_some_and(|known| known.is_loop)
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
            Expr::Fix {
                vars,
                lambdas,
                body,
            } if vars.len() == 1 && self.is_loop(vars[0]) => {
                self.waiting[vars[0].0 as usize] = lambdas.pop().map(Box::new);
                let mut body = std::mem::replace(&mut **body, Expr::Unassigned);
                self.walk(&mut body);
                *expr = body;
            }
            Expr::Call { f, args, span } => {
                let span = *span;
                let label = match **f {
                    Expr::Local(var, _) if self.is_loop(var) => Some(var),
                    _ => None,
                };
                let Some(label) = label else {
                    expr.children_mut(|child| self.walk(child));
                    return;
                };
                let mut args = std::mem::take(args);
                // Before the arguments are looked at: they stand outside the loop.
                let lambda = self.waiting[label.0 as usize].take();
                args.iter_mut().for_each(|arg| self.walk(arg));
                *expr = match lambda {
                    None => Expr::Jump(label, args, span),
                    Some(mut lambda) => {
                        self.depth.moves_to(span);
                        self.walk(&mut lambda.body);
                        Expr::Loop {
                            label,
                            vars: lambda.params,
                            inits: args,
                            body: Box::new(lambda.body),
                        }
                    }
                };
            }
            _ => expr.children_mut(|child| self.walk(child)),
        }
    }
}
