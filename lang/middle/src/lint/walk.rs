//! One walk over a unit: calls, tests and dropped values are looked at, mentions of variables
//! counted.
//!
//! Where the program catches what is raised, in the body of a `guard` and in what is given to
//! `with-exception-handler`, a call that is certain to fail may be meant, so nothing is said of it.

use bowline_syntax::{Diagnostic, Span, Symbol};

use super::known::{Known, Locals, MAKE_FOREIGN, Value};
use super::{conditionals, shadowed, unused, warning};
use crate::core::{Expr, Unit, VarId};
use crate::expand::{UnitNotes, is_written, symbols};
use crate::fx::{FxHashMap, FxHashSet};
use crate::lint::Name;
use crate::prims::GlobalId;

/// Primitives that take types of C as data, and the argument from which on they do.
const TAKES_TYPES: &[(&str, usize)] = &[
    (MAKE_FOREIGN, 3),
    ("%define-foreign-struct", 1),
    ("%define-datatype", 2),
    ("%export-procedure", 2),
    ("%sizeof", 0),
    ("%pointer-ref", 1),
    ("%pointer-set!", 1),
];

/// How often a variable is mentioned.
#[derive(Clone, Copy, Default)]
pub(super) struct Mentions {
    /// Read, but not by what it is defined as.
    pub(super) reads: u32,
    pub(super) writes: u32,
}

/// The walk over one unit.
pub(super) struct Walk<'a> {
    pub(super) unit: &'a Unit,
    pub(super) notes: &'a UnitNotes,
    pub(super) known: &'a Known<'a>,
    pub(super) locals: Locals,
    pub(super) vars: Vec<Mentions>,
    /// The top-level variables that each definition's procedure mentions, and that everything else
    /// mentions (`None`).
    pub(super) globals: FxHashMap<Option<GlobalId>, FxHashSet<GlobalId>>,
    /// The names in types of C, which are matched by name.
    pub(super) types: FxHashSet<Symbol>,
    /// Whether what is raised is caught.
    pub(super) caught: bool,
    pub(super) found: Vec<Diagnostic>,
    /// Whether the conditional at hand is what another one does when its test fails.
    pub(super) in_chain: bool,
    /// The top-level definition we are in, if what it defines is a procedure.
    inside: Option<GlobalId>,
    /// Variables whose own definitions we are in.
    defining: Vec<VarId>,
}

/// What the lints say of a unit.
pub(super) fn unit(unit: &mut Unit, notes: &UnitNotes, known: &Known<'_>) -> Vec<Diagnostic> {
    let mut body = std::mem::take(&mut unit.body);
    let mut walk = Walk {
        unit,
        notes,
        known,
        locals: Locals::default(),
        vars: vec![Mentions::default(); unit.vars.len()],
        globals: FxHashMap::default(),
        types: FxHashSet::default(),
        caught: false,
        found: Vec::new(),
        in_chain: false,
        inside: None,
        defining: Vec::new(),
    };
    for expr in &mut body {
        walk.count_writes(expr);
    }
    for index in 0..body.len() {
        walk.top(&mut body[index]);
        walk.end(&body[index], body.get(index + 1));
    }
    unused::report(&mut walk, &body);
    shadowed::report(&mut walk, &mut body);
    walk.found
}

impl Walk<'_> {
    pub(super) fn warn(&mut self, name: Name, message: String, span: Span) -> &mut Diagnostic {
        let at = self.found.len();
        self.found.push(warning(name, message, span));
        &mut self.found[at]
    }

    /// Whether the user wrote what stands here, a call or anything else (inv:lint.written).
    pub(super) fn is_written(&self, expr: &Expr) -> bool {
        let span = expr.place();
        match expr {
            Expr::Call { .. } => self.notes.calls.contains(&span),
            _ => is_written(span),
        }
    }

    pub(super) fn value(&self, expr: &Expr) -> Option<Value> {
        let nameless = (None, Span::NONE);
        self.known.value(expr, &self.locals, self.unit, nameless)
    }

    fn count_writes(&mut self, expr: &mut Expr) {
        if let Expr::SetLocal(var, ..) = expr {
            self.vars[var.0 as usize].writes += 1;
        }
        expr.children_mut(|child| self.count_writes(child));
    }

    /// A form at top level.
    fn top(&mut self, expr: &mut Expr) {
        match expr {
            Expr::DefineGlobal(id, init, _) => {
                let procedure = matches!(**init, Expr::Lambda(_) | Expr::CaseLambda(..));
                self.inside = procedure.then_some(*id);
                self.walk(init);
                self.inside = None;
            }
            expr => {
                self.walk(expr);
                self.dropped(expr);
            }
        }
    }

    fn walk_all(&mut self, items: &mut [Expr]) {
        for item in items {
            self.walk(item);
        }
    }

    /// Looks at an expression and all inside.
    pub(super) fn walk(&mut self, expr: &mut Expr) {
        match expr {
            Expr::Local(var, _) => {
                if !self.defining.contains(var) {
                    self.vars[var.0 as usize].reads += 1;
                }
            }
            Expr::Global(id, _) => {
                self.globals.entry(self.inside).or_default().insert(*id);
            }
            Expr::Call { .. } => self.call(expr),
            Expr::If(..) => {
                conditionals::look(self, expr);
                self.in_chain = false;
                if let Expr::If(test, then, other) = expr {
                    self.walk(test);
                    self.walk(then);
                    self.in_chain = matches!(**other, Expr::If(..));
                    self.walk(other);
                }
            }
            Expr::Seq(items) => self.sequence(items),
            Expr::Let { vars, inits, body } => {
                self.walk_all(inits);
                self.learn(vars, inits);
                self.walk(body);
            }
            Expr::Letrec { vars, inits, body } => {
                self.learn(vars, inits);
                for (var, init) in vars.iter().zip(inits) {
                    let lambda = matches!(init, Expr::Lambda(_) | Expr::CaseLambda(..));
                    if lambda {
                        self.defining.push(*var);
                    }
                    self.walk(init);
                    if lambda {
                        self.defining.pop();
                    }
                }
                self.walk(body);
            }
            expr => expr.children_mut(|child| self.walk(child)),
        }
    }

    /// What variables hold that nothing assigns (inv:lint.fixed).
    fn learn(&mut self, vars: &[VarId], inits: &[Expr]) {
        for (var, init) in vars.iter().zip(inits) {
            if self.vars[var.0 as usize].writes > 0 {
                continue;
            }
            let span = self
                .notes
                .vars
                .get(var)
                .map_or(Span::NONE, |note| note.span);
            let named = (self.unit.vars.get(var.0 as usize), span);
            if let Some(value) = self.known.value(init, &self.locals, self.unit, named) {
                self.locals.insert(*var, value);
            }
        }
    }

    fn call(&mut self, expr: &mut Expr) {
        self.look_at_call(expr);
        let Expr::Call { f, args, .. } = expr else {
            return;
        };
        if let Expr::Primitive(id, _) = **f {
            self.note_types(self.known.prims.name(id), args);
        }
        self.walk(f);
        let caught = self.caught;
        let catching = self.catching(f);
        for (index, arg) in args.iter_mut().enumerate() {
            self.caught = caught || catching == Some(index);
            self.walk(arg);
        }
        self.caught = caught;
    }

    /// Notes the names in the types that a primitive is given.
    fn note_types(&mut self, prim: &str, args: &[Expr]) {
        let Some((_, first)) = TAKES_TYPES.iter().find(|(name, _)| *name == prim) else {
            return;
        };
        let data = args.iter().skip(*first).filter_map(|arg| match arg {
            Expr::Const(datum) => Some(datum.clone()),
            _ => None,
        });
        symbols(data.collect(), |name| {
            self.types.insert(name);
        });
    }

    /// Which argument of this procedure is a body whose errors are caught.
    fn catching(&self, f: &Expr) -> Option<usize> {
        let Expr::Global(id, _) = f else {
            return None;
        };
        match self.known.in_library(*id, "(bowline support)")? {
            "%with-guard" | "%with-guard-reraise" => Some(0),
            "with-exception-handler" => Some(1),
            _ => None,
        }
    }

    fn sequence(&mut self, items: &mut [Expr]) {
        let last = items.len().saturating_sub(1);
        for index in 0..items.len() {
            self.walk(&mut items[index]);
            if index < last {
                self.dropped(&items[index]);
                self.end(&items[index], items.get(index + 1));
            }
        }
    }

    /// Looks whether an expression ends what it stands in, with another one behind it.
    fn end(&mut self, expr: &Expr, next: Option<&Expr>) {
        let (Some((name, span)), Some(next)) = (self.never_returns(expr), next) else {
            return;
        };
        if self.notes.calls.contains(&span) {
            let next = next.place();
            let message = format!("nothing behind this call of `{name}` is ever run");
            let found = self.warn(Name::Unreachable, message, span);
            if !next.is_none() && next != span {
                found.secondary.push((next, "this is not reached".into()));
            }
        }
    }

    /// The call that ends an expression for good, if there is one.
    fn never_returns(&self, expr: &Expr) -> Option<(String, Span)> {
        match expr {
            Expr::Call { f, span, .. } => {
                let name = match **f {
                    Expr::Primitive(id, _) => self.known.prims.name(id),
                    Expr::Global(id, _) => self.known.in_library(id, "(scheme process-context)")?,
                    _ => return None,
                };
                let ends = ["raise", "error", "exit", "emergency-exit"].contains(&name);
                ends.then(|| (name.to_owned(), *span))
            }
            Expr::If(_, then, other) => {
                self.never_returns(then)?;
                self.never_returns(other)
            }
            Expr::Seq(items) => self.never_returns(items.last()?),
            Expr::Let { body, .. } | Expr::Letrec { body, .. } => self.never_returns(body),
            _ => None,
        }
    }
}
