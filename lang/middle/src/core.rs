//! The core language: what is left of a program once macros, scopes and names of syntax are gone.
//!
//! Expansion makes it; each pass takes away one form until `close` turns the rest into IR:
//!
//! | form | made by | removed by |
//! |---|---|---|
//! | `Letrec` | expansion | `letrec` (to `Fix`, `Let`, assignments) |
//! | `SetLocal` | expansion, `letrec` | `assign` (to boxes) |
//! | `Call` of a known primitive | expansion | `optimize` (to `PrimCall`) |
//! | lambda that is only called | expansion | `lift` (to `Loop`, or a function with more arguments) |
//!
//! inv:core.unique — every [`VarId`] is bound in one place only.
//!
//! Absent on purpose: quotation of syntax, and any notion of a macro.

use std::fmt;
use std::rc::Rc;

use bowline_syntax::{Datum, DatumKind, Span, Symbol};

use crate::prims::{GlobalId, PrimitiveId};

pub use crate::core_print::print;

/// A local variable (inv:core.unique): an index into [`Unit::vars`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct VarId(pub u32);

impl fmt::Display for VarId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

/// What is expanded at once and run at once: the body of a library, a program, or a form at the
/// prompt.
#[derive(Clone, Debug)]
pub struct Unit {
    /// The library's name, as written; `None` for programs and prompts.
    pub library: Option<Rc<str>>,
    /// The names of the local variables.
    pub vars: Vec<Symbol>,
    /// The top-level variables that this unit is the first to mention.
    pub globals: Vec<GlobalId>,
    /// Those that are procedures, defined once and never assigned.
    pub fixed: Vec<GlobalId>,
    /// What a form at the prompt defines under names that it is asked for by, in order.
    pub definitions: Vec<Defined>,
    /// What C may use of it.
    pub exports: Vec<crate::Export>,
    /// The top-level forms, in order.
    pub body: Vec<Expr>,
}

/// The definition of a variable at the prompt.
#[derive(Clone, Debug)]
pub struct Defined {
    /// The name.
    pub name: Symbol,
    /// What it is bound to.
    pub variable: GlobalId,
    /// Where the name stands in the definition.
    pub span: Span,
}

/// A procedure.
#[derive(Clone, Debug)]
pub struct Lambda {
    /// What the program calls it.
    pub name: Option<Symbol>,
    /// Its parameters.
    pub params: Vec<VarId>,
    /// The parameter for the list of further arguments.
    pub rest: Option<VarId>,
    /// What it does.
    pub body: Expr,
    /// Where it was written.
    pub span: Span,
}

/// An expression.
#[derive(Clone, Debug)]
pub enum Expr {
    /// A constant, with its place.
    Const(Datum),
    /// A local variable.
    Local(VarId, Span),
    /// A top-level variable.
    Global(GlobalId, Span),
    /// A primitive as a value.
    Primitive(PrimitiveId, Span),
    /// What stands in a variable before its definition.
    Unassigned,
    /// Assignment to a local variable.
    SetLocal(VarId, Box<Expr>, Span),
    /// Assignment to a top-level variable.
    SetGlobal(GlobalId, Box<Expr>, Span),
    /// Definition of a top-level variable.
    DefineGlobal(GlobalId, Box<Expr>, Span),
    /// A test and its two outcomes.
    If(Box<Expr>, Box<Expr>, Box<Expr>),
    /// One after another, never empty.
    Seq(Vec<Expr>),
    /// A procedure.
    Lambda(Box<Lambda>),
    /// A procedure that chooses by the number of arguments.
    CaseLambda(Vec<Lambda>, Span),
    /// Variables with their values; the values do not see the variables.
    Let {
        /// The variables.
        vars: Vec<VarId>,
        /// Their values.
        inits: Vec<Expr>,
        /// Where they are visible.
        body: Box<Expr>,
    },
    /// Variables defined one after another, all visible everywhere (`letrec*`).
    Letrec {
        /// The variables.
        vars: Vec<VarId>,
        /// Their values.
        inits: Vec<Expr>,
        /// Where they are visible, too.
        body: Box<Expr>,
    },
    /// Procedures that see each other.
    Fix {
        /// The variables.
        vars: Vec<VarId>,
        /// The procedures.
        lambdas: Vec<Lambda>,
        /// Where they are visible, too.
        body: Box<Expr>,
    },
    /// A call.
    Call {
        /// The procedure.
        f: Box<Expr>,
        /// Its arguments.
        args: Vec<Expr>,
        /// The call, or the macro use that it comes from.
        span: Span,
    },
    /// A primitive applied to a number of arguments that it takes.
    PrimCall {
        /// The primitive.
        prim: PrimitiveId,
        /// Its arguments.
        args: Vec<Expr>,
        /// The call, or the macro use that it comes from.
        span: Span,
    },
    /// A new box.
    BoxNew(Box<Expr>),
    /// What a variable's box holds.
    BoxGet(VarId),
    /// Changes what a variable's box holds.
    BoxSet(VarId, Box<Expr>),
    /// The value, or an error that this variable is used before its definition.
    CheckBound(Box<Expr>, VarId, Span),
    /// A procedure called from one place only and then by its own tail calls: a loop.
    Loop {
        /// The variable that the procedure was bound to; `Jump` names it.
        label: VarId,
        /// What changes from turn to turn.
        vars: Vec<VarId>,
        /// The first values.
        inits: Vec<Expr>,
        /// One turn.
        body: Box<Expr>,
    },
    /// The next turn of a loop.
    Jump(VarId, Vec<Expr>, Span),
}

impl Expr {
    /// Where it stands, or the first part of it that knows its place.
    pub fn place(&self) -> Span {
        match self {
            Expr::Const(datum) => datum.span,
            Expr::Local(_, span)
            | Expr::Global(_, span)
            | Expr::Primitive(_, span)
            | Expr::SetLocal(_, _, span)
            | Expr::SetGlobal(_, _, span)
            | Expr::DefineGlobal(_, _, span)
            | Expr::CaseLambda(_, span)
            | Expr::Call { span, .. }
            | Expr::PrimCall { span, .. }
            | Expr::CheckBound(_, _, span) => *span,
            Expr::Lambda(lambda) => lambda.span,
            Expr::If(test, ..) => test.place(),
            Expr::Seq(items) => items.first().map_or(Span::NONE, Expr::place),
            Expr::Let { inits, body, .. } | Expr::Letrec { inits, body, .. } => {
                inits.first().unwrap_or(body).place()
            }
            _ => Span::NONE,
        }
    }

    /// The constant that stands for no value.
    pub(crate) fn unspecified(span: Span) -> Self {
        Self::Const(Datum::new(DatumKind::Unspecified, span))
    }

    /// A truth value.
    pub(crate) fn boolean(value: bool, span: Span) -> Self {
        Self::Const(Datum::new(DatumKind::Boolean(value), span))
    }

    /// `items` one after another; unspecified when there are none.
    pub(crate) fn seq(mut items: Vec<Expr>, span: Span) -> Self {
        match items.len() {
            0 => Self::unspecified(span),
            1 => items.swap_remove(0),
            _ => Self::Seq(items),
        }
    }

    /// A call.
    pub(crate) fn call(f: Expr, args: Vec<Expr>, span: Span) -> Self {
        Self::Call {
            f: Box::new(f),
            args,
            span,
        }
    }

    /// A conditional.
    pub(crate) fn conditional(test: Expr, then: Expr, other: Expr) -> Self {
        Self::If(Box::new(test), Box::new(then), Box::new(other))
    }

    /// One variable with its value.
    pub(crate) fn bind(var: VarId, init: Expr, body: Expr) -> Self {
        Self::Let {
            vars: vec![var],
            inits: vec![init],
            body: Box::new(body),
        }
    }

    /// A procedure without a name and a rest.
    pub(crate) fn lambda(params: Vec<VarId>, body: Expr, span: Span) -> Self {
        Self::Lambda(Box::new(Lambda {
            name: None,
            params,
            rest: None,
            body,
            span,
        }))
    }

    /// Calls `each` on the expressions directly inside, in order of evaluation.
    pub fn children_mut(&mut self, mut each: impl FnMut(&mut Expr)) {
        match self {
            Self::Const(_)
            | Self::Local(..)
            | Self::Global(..)
            | Self::Primitive(..)
            | Self::Unassigned
            | Self::BoxGet(_) => {}
            Self::SetLocal(_, e, _)
            | Self::SetGlobal(_, e, _)
            | Self::DefineGlobal(_, e, _)
            | Self::BoxNew(e)
            | Self::BoxSet(_, e)
            | Self::CheckBound(e, ..) => each(e),
            Self::If(a, b, c) => {
                each(a);
                each(b);
                each(c);
            }
            Self::Seq(items) | Self::Jump(_, items, _) => items.iter_mut().for_each(each),
            Self::Lambda(lambda) => each(&mut lambda.body),
            Self::CaseLambda(clauses, _) => clauses.iter_mut().for_each(|l| each(&mut l.body)),
            Self::Let { inits, body, .. }
            | Self::Letrec { inits, body, .. }
            | Self::Loop { inits, body, .. } => {
                inits.iter_mut().for_each(&mut each);
                each(body);
            }
            Self::Fix { lambdas, body, .. } => {
                lambdas.iter_mut().for_each(|lambda| each(&mut lambda.body));
                each(body);
            }
            Self::Call { f, args, .. } => {
                each(f);
                args.iter_mut().for_each(each);
            }
            Self::PrimCall { args, .. } => args.iter_mut().for_each(each),
        }
    }
}
