//! What variables are known to hold: procedures with their lambda lists, and values of a kind.
//!
//! inv:lint.fixed — a top-level variable is known only if one definition in all units gives it a
//! value and no assignment changes it; a local one only if nothing assigns it.

use std::rc::Rc;

use bowline_syntax::{Datum, Span, Symbol};

use super::kinds::{self, Kind};
use crate::core::{Expr, Lambda, Unit, VarId};
use crate::expand::UnitNotes;
use crate::fx::FxHashMap;
use crate::prims::{GlobalId, Globals, PrimitiveId, Primitives};

/// How many arguments a clause of a procedure takes.
#[derive(Clone, Debug)]
pub(super) struct Clause {
    pub(super) min: usize,
    pub(super) max: Option<usize>,
}

impl Clause {
    fn of(lambda: &Lambda) -> Self {
        let min = lambda.params.len();
        let max = lambda.rest.is_none().then_some(min);
        Clause { min, max }
    }

    pub(super) fn accepts(&self, count: usize) -> bool {
        count >= self.min && self.max.is_none_or(|max| count <= max)
    }
}

/// A procedure.
#[derive(Clone, Debug)]
pub(super) struct Procedure {
    pub(super) name: Option<Rc<str>>,
    pub(super) clauses: Vec<Clause>,
    /// What a call of it looks like, for each clause; empty when that is not known.
    pub(super) shapes: Vec<String>,
    /// Its definition.
    pub(super) place: Span,
    /// Whether it came as a primitive, and which.
    pub(super) primitive: Option<PrimitiveId>,
}

/// What a variable or expression is known to be.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Procedure(Rc<Procedure>),
    Data(Kind),
}

impl Value {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Value::Procedure(_) => Kind::Procedure,
            Value::Data(kind) => *kind,
        }
    }
}

/// What is known of all top-level variables.
pub(super) struct Known<'a> {
    pub(super) prims: &'a Primitives,
    pub(super) globals: &'a Globals,
    values: FxHashMap<GlobalId, Value>,
    /// How often each is defined or assigned.
    changes: FxHashMap<GlobalId, u32>,
    /// The library of each, if a library defines it.
    libraries: FxHashMap<GlobalId, Rc<str>>,
    places: FxHashMap<GlobalId, Span>,
}

/// The primitive that makes foreign procedures.
pub(super) const MAKE_FOREIGN: &str = "%make-foreign-procedure";

/// Values of local variables.
pub(super) type Locals = FxHashMap<VarId, Value>;

fn changes(expr: &mut Expr, found: &mut FxHashMap<GlobalId, u32>) {
    if let Expr::SetGlobal(id, ..) | Expr::DefineGlobal(id, ..) = expr {
        *found.entry(*id).or_default() += 1;
    }
    expr.children_mut(|child| changes(child, found));
}

impl<'a> Known<'a> {
    pub(super) fn of(
        units: &mut [Unit],
        notes: &[UnitNotes],
        prims: &'a Primitives,
        globals: &'a Globals,
    ) -> Self {
        let mut known = Known {
            prims,
            globals,
            values: FxHashMap::default(),
            changes: FxHashMap::default(),
            libraries: FxHashMap::default(),
            places: FxHashMap::default(),
        };
        for (unit, notes) in units.iter_mut().zip(notes) {
            known.places.extend(&notes.places);
            for expr in &mut unit.body {
                changes(expr, &mut known.changes);
            }
        }
        for unit in units.iter() {
            for expr in &unit.body {
                let Expr::DefineGlobal(id, init, span) = expr else {
                    continue;
                };
                if let Some(library) = &unit.library {
                    known.libraries.insert(*id, Rc::clone(library));
                }
                if !known.is_fixed(*id) {
                    continue;
                }
                let named = (
                    globals.name(*id),
                    known.places.get(id).copied().unwrap_or(*span),
                );
                if let Some(value) = known.value(init, &Locals::default(), unit, named) {
                    known.values.insert(*id, value);
                }
            }
        }
        known
    }

    /// Whether a top-level variable never changes (inv:lint.fixed).
    pub(super) fn is_fixed(&self, id: GlobalId) -> bool {
        self.changes.get(&id).is_none_or(|&count| count < 2)
    }

    /// The name of a global that a library of this name defines.
    pub(super) fn in_library(&self, id: GlobalId, library: &str) -> Option<&'a str> {
        let same = self.libraries.get(&id).is_some_and(|of| **of == *library);
        same.then(|| self.globals.name(id).map_or("", Symbol::as_str))
    }

    /// What an expression is. A procedure that it makes gets this name and place.
    pub(super) fn value(
        &self,
        expr: &Expr,
        locals: &Locals,
        unit: &Unit,
        named: (Option<&Symbol>, Span),
    ) -> Option<Value> {
        match expr {
            Expr::Const(datum) => Kind::of(datum).map(Value::Data),
            Expr::Local(var, _) => locals.get(var).cloned(),
            Expr::Global(id, _) => self.values.get(id).cloned(),
            Expr::Primitive(id, _) => Some(self.primitive(*id)),
            Expr::Lambda(lambda) => Some(procedure(std::slice::from_ref(lambda), unit, named)),
            Expr::CaseLambda(clauses, _) => Some(procedure(clauses, unit, named)),
            Expr::Call { f, args, .. } => {
                let Expr::Primitive(id, _) = **f else {
                    return None;
                };
                match self.prims.name(id) {
                    MAKE_FOREIGN => foreign(args, named),
                    name => kinds::given(name).map(Value::Data),
                }
            }
            _ => None,
        }
    }

    fn primitive(&self, id: PrimitiveId) -> Value {
        let info = self.prims.get(id);
        let clause = Clause {
            min: info.map_or(0, |info| usize::from(info.min_args)),
            max: info.and_then(|info| info.max_args).map(usize::from),
        };
        Value::Procedure(Rc::new(Procedure {
            name: Some(Rc::from(self.prims.name(id).trim_start_matches('%'))),
            clauses: vec![clause],
            shapes: Vec::new(),
            place: Span::NONE,
            primitive: Some(id),
        }))
    }
}

fn procedure<L: std::borrow::Borrow<Lambda>>(
    lambdas: &[L],
    unit: &Unit,
    (name, place): (Option<&Symbol>, Span),
) -> Value {
    let lambdas = || lambdas.iter().map(L::borrow);
    let place = match place.is_none() {
        true => lambdas().next().map_or(Span::NONE, |lambda| lambda.span),
        false => place,
    };
    let name = name.or_else(|| lambdas().find_map(|lambda| lambda.name.as_ref()));
    Value::Procedure(Rc::new(Procedure {
        name: name.map(|name| Rc::from(name.as_str())),
        clauses: lambdas().map(Clause::of).collect(),
        shapes: lambdas().map(|lambda| shape(name, lambda, unit)).collect(),
        place,
        primitive: None,
    }))
}

/// What a call looks like.
fn shape(name: Option<&Symbol>, lambda: &Lambda, unit: &Unit) -> String {
    let var = |var: &VarId| unit.vars.get(var.0 as usize).map_or("_", Symbol::as_str);
    let name = name.map_or("procedure", Symbol::as_str);
    let mut words = vec![name];
    words.extend(lambda.params.iter().map(var));
    if let Some(rest) = &lambda.rest {
        words.extend([".", var(rest)]);
    }
    format!("({})", words.join(" "))
}

/// A foreign procedure from the arguments of the primitive that makes it, the fourth of which is
/// the quoted list of its parameters' types.
fn foreign(args: &[Expr], (name, place): (Option<&Symbol>, Span)) -> Option<Value> {
    let Some(Expr::Const(types)) = args.get(3) else {
        return None;
    };
    // The dots are no parameter, C gives what an `(out TYPE)` stands for, and an env comes with its callback.
    let taken = |datum: &&Datum| match datum.as_list() {
        Some([head, ..]) => !head.is_symbol("out"),
        _ => !datum.is_symbol("...") && !datum.is_symbol("env"),
    };
    // A bytevector with an offset takes two.
    let words = |datum: &Datum| match datum.as_list() {
        Some([head]) if head.is_symbol("bytevector-at") => {
            vec!["bytevector".into(), "offset".into()]
        }
        _ => vec![datum.to_string()],
    };
    let types = types.as_list()?.iter().filter(taken);
    let words: Vec<String> = types.flat_map(words).collect();
    let called = name.map_or("procedure", Symbol::as_str);
    let count = words.len();
    let clause = Clause {
        min: count,
        max: Some(count),
    };
    Some(Value::Procedure(Rc::new(Procedure {
        name: name.map(|name| Rc::from(name.as_str())),
        clauses: vec![clause],
        shapes: vec![format!("({called} {})", words.join(" ")).replace(" )", ")")],
        place,
        primitive: None,
    })))
}
