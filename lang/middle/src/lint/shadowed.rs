//! Variables of `let`, `do` and procedures that hide a local variable of a form around.
//!
//! A variable that is made of the one that it hides may be meant to take its place: as in
//! `(let ((x (trim x))) …)`, in a loop that begins so, and where a procedure is passed along with what
//! its parameter hides. Nor is anything said of one that is bound right inside of the other, as the steps of
//! `let*` are: then nothing but those steps could see the hidden one, and if none does it is unused.
//!
//! Absent on purpose: what is as good with one name for both: the names of loops, the parameters of
//! procedures that a body defines, which mostly get what they hide, and continuations. Definitions in
//! bodies are looked at by expansion itself.

use super::walk::Walk;
use crate::core::{Expr, VarId};
use crate::expand::VarKind;
use crate::fx::FxHashSet;
use crate::lint::Name;

/// The look at one unit.
struct Look<'a, 'w> {
    walk: &'a mut Walk<'w>,
    /// Variables that may hide what they do.
    meant: FxHashSet<VarId>,
}

/// Adds what there is to say of these forms.
pub(super) fn report(walk: &mut Walk<'_>, body: &mut [Expr]) {
    if walk.notes.vars.values().all(|note| note.hides.is_none()) {
        return;
    }
    let meant = FxHashSet::default();
    let mut look = Look { walk, meant };
    for expr in body {
        look.visit(expr, &[]);
    }
}

impl Look<'_, '_> {
    /// `chain` has the variables that are bound right around this, with nothing between.
    fn visit(&mut self, expr: &mut Expr, chain: &[VarId]) {
        match expr {
            Expr::Let { vars, inits, body } => {
                self.excuse(vars, inits);
                vars.iter().for_each(|var| self.look(*var, chain));
                inits.iter_mut().for_each(|init| self.visit(init, &[]));
                self.visit(body, &[chain, vars].concat());
            }
            Expr::Letrec { vars, inits, body } => {
                if let ([Expr::Lambda(lambda)], Expr::Call { args, .. }) = (&inits[..], &mut **body)
                {
                    self.excuse(&lambda.params, args);
                }
                for (var, init) in vars.iter().zip(inits) {
                    match init {
                        Expr::Lambda(lambda) if self.is_definition(*var) => {
                            self.visit(&mut lambda.body, &[]);
                        }
                        init => self.visit(init, &[]),
                    }
                }
                self.visit(body, &[]);
            }
            Expr::Call { f, args, .. } => {
                let prim = match **f {
                    Expr::Primitive(id, _) => self.walk.known.prims.name(id),
                    _ => "",
                };
                let values = prim == "call-with-values";
                if let ("%call/cc", [Expr::Lambda(receiver)]) = (prim, &mut args[..]) {
                    return self.visit(&mut receiver.body, &[]);
                }
                self.visit(f, &[]);
                for at in 0..args.len() {
                    self.operand(args, at, if values { chain } else { &[] }, values);
                }
            }
            Expr::Lambda(_) => self.procedure(expr, &[], false),
            _ => expr.children_mut(|child| self.visit(child, &[])),
        }
    }

    fn is_definition(&self, var: VarId) -> bool {
        let note = self.walk.notes.vars.get(&var);
        note.is_some_and(|note| note.kind == VarKind::Definition)
    }

    /// An argument of a call.
    fn operand(&mut self, args: &mut [Expr], at: usize, chain: &[VarId], values: bool) {
        let (before, rest) = args.split_at_mut(at);
        let Some((expr, behind)) = rest.split_first_mut() else {
            return;
        };
        let Expr::Lambda(lambda) = expr else {
            return self.visit(expr, &[]);
        };
        for param in lambda.params.iter().chain(&lambda.rest) {
            for other in before.iter_mut().chain(&mut *behind) {
                self.excuse(&[*param], std::slice::from_mut(other));
            }
        }
        self.procedure(expr, chain, values);
    }

    /// A procedure, which may stand for a form that binds what an expression gives.
    fn procedure(&mut self, expr: &mut Expr, chain: &[VarId], binds: bool) {
        let Expr::Lambda(lambda) = expr else {
            return;
        };
        let params: Vec<VarId> = lambda.params.iter().chain(&lambda.rest).copied().collect();
        params.iter().for_each(|var| self.look(*var, chain));
        let around = if binds {
            [chain, &params].concat()
        } else {
            Vec::new()
        };
        self.visit(&mut lambda.body, &around);
    }

    /// Lets each variable hide one that its value mentions.
    fn excuse(&mut self, vars: &[VarId], values: &mut [Expr]) {
        for (var, value) in vars.iter().zip(values) {
            let hidden = self.walk.notes.vars.get(var).and_then(|note| note.hides);
            if hidden.is_some_and(|hidden| mentions(value, hidden)) {
                self.meant.insert(*var);
            }
        }
    }

    fn look(&mut self, var: VarId, chain: &[VarId]) {
        let notes = self.walk.notes;
        let Some(note) = notes.vars.get(&var) else {
            return;
        };
        let outer = note.hides.filter(|hidden| !chain.contains(hidden));
        let outer = outer.and_then(|hidden| notes.vars.get(&hidden));
        let name = self.walk.unit.vars[var.0 as usize].clone();
        let told = note.kind != VarKind::Definition && !name.as_str().starts_with('_');
        if let Some(outer) = outer.filter(|_| told && !self.meant.contains(&var)) {
            let message = format!("this `{name}` hides the `{name}` of the form around it");
            let found = self.walk.warn(Name::Shadowed, message, note.span);
            found
                .secondary
                .push((outer.span, "which is bound here".into()));
        }
    }
}

fn mentions(expr: &mut Expr, var: VarId) -> bool {
    let mut found = matches!(expr, Expr::Local(other, _) if *other == var);
    expr.children_mut(|child| found = found || mentions(child, var));
    found
}
