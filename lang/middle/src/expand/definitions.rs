//! What a body or a top level is made of: finding the definitions among its forms.
//!
//! Forms are looked at in order, macros at their heads expanded, `begin` and its like spliced;
//! definitions bind their names at once, and what they are bound to is expanded only when all are
//! known. That makes every name of the body visible in all of it.
//!
//! inv:expand.edges — the forms of a body carry an outer scope that what macros introduce there
//! lacks, and an inner scope that both carry and that every definition binds with. So a macro's own
//! identifiers see what the macro defines here, and not what the user defines under the same name.
//! The inner scope of a local body is made when the first definition shows up.

use bowline_syntax::{Diagnostic, Span, Symbol};

use super::form::Form;
use super::lambda::Formals;
use super::notes::VarKind;
use super::{Cx, Result, bad_form};
use crate::core::{Expr, VarId};
use crate::env::Binding;
use crate::prims::GlobalId;
use crate::scope::Scope;
use crate::special::Special;
use crate::stx::{Ident, Stx, View};

/// How many parts of a wrong definition are looked at for names. A macro can make it larger than
/// anybody can read.
const NAMES: usize = 1000;

/// A variable that a definition makes.
#[derive(Clone, Copy)]
pub(super) enum Place {
    Local(VarId),
    Global(GlobalId),
}

impl Place {
    /// Its value.
    pub(super) fn value(self, span: Span) -> Expr {
        match self {
            Self::Local(var) => Expr::Local(var, span),
            Self::Global(id) => Expr::Global(id, span),
        }
    }
}

/// Variables for several values and for a list of the rest, with their names.
type Named = (Vec<(Place, Symbol)>, Option<(Place, Symbol)>);

/// What a variable is defined as.
pub(super) enum Rhs {
    /// An expression.
    Stx(Stx),
    /// `(define (NAME . FORMALS) BODY …)`: the formals and the body.
    Procedure(Stx, Vec<Stx>),
    /// What needs no expansion.
    Core(Expr),
    /// A call of a primitive.
    Primitive(&'static str, Vec<Argument>),
}

/// An argument of such a call.
pub(super) enum Argument {
    /// An expression.
    Stx(Stx),
    /// What needs no expansion.
    Core(Expr),
}

/// A form of a body after the search for definitions.
pub(super) enum Item {
    Define {
        place: Place,
        name: Symbol,
        rhs: Rhs,
        whole: Stx,
    },
    Values {
        places: Vec<(Place, Symbol)>,
        rest: Option<(Place, Symbol)>,
        init: Stx,
        span: Span,
    },
    Expr(Stx),
    /// What gives something to C, at a top level.
    Export(Stx),
    /// What stands for a form that is wrong.
    Nothing(Expr),
}

impl Item {
    /// Where the form stands, if there is anything to expand in it.
    pub(super) fn span(&self) -> Option<Span> {
        match self {
            Self::Define { whole, .. } => Some(whole.span()),
            Self::Values { span, .. } => Some(*span),
            Self::Expr(stx) | Self::Export(stx) => Some(stx.span()),
            Self::Nothing(_) => None,
        }
    }

    /// How many variables it becomes in a body.
    pub(super) fn vars(&self) -> usize {
        match self {
            Self::Define { .. } | Self::Expr(_) | Self::Export(_) | Self::Nothing(_) => 1,
            // All the values, then each of them.
            Self::Values { places, rest, .. } => 1 + places.len() + usize::from(rest.is_some()),
        }
    }
}

/// A body being searched.
pub(super) struct Scan {
    /// Whether it is a top level.
    pub(super) top: bool,
    pub(super) frame: u32,
    /// inv:expand.edges
    pub(super) inner: Option<Scope>,
    pub(super) items: Vec<Item>,
    /// What is still to be looked at, next form last.
    pub(super) queue: Vec<Stx>,
    /// Names defined so far, to show where a duplicate was defined first.
    names: Vec<(Symbol, Span)>,
    /// The variables of the form whose body this is, as far as notes are made.
    pub(super) around: Vec<VarId>,
    /// How many macro uses in a row stand behind the form at hand.
    steps: usize,
}

impl Scan {
    pub(super) fn new(top: bool, frame: u32, mut forms: Vec<Stx>) -> Self {
        forms.reverse();
        Self {
            top,
            frame,
            inner: None,
            items: Vec::new(),
            queue: forms,
            names: Vec::new(),
            around: Vec::new(),
            steps: 0,
        }
    }

    fn splice(&mut self, forms: &[Stx]) {
        self.queue.extend(forms.iter().rev().cloned());
    }
}

impl Cx<'_> {
    /// Looks at one form.
    pub(super) fn scan_form(&mut self, scan: &mut Scan, stx: Stx) -> Result<()> {
        let special = match self.head_binding(&stx)? {
            Some(Binding::Special(special)) => special,
            Some(Binding::Macro(id)) => {
                scan.steps += 1;
                let steps = scan.steps;
                let stx = self.deeper(steps, stx.span(), |cx| cx.expand_macro(id, &stx))?;
                let stx = match scan.inner {
                    Some(inner) => self.add_scope(stx, inner),
                    None => stx,
                };
                scan.queue.push(stx);
                return Ok(());
            }
            _ => {
                scan.steps = 0;
                scan.items.push(Item::Expr(stx));
                return Ok(());
            }
        };
        if !special.is_definition() && !special.is_spliced() {
            scan.steps = 0;
            scan.items.push(match scan.top && special.is_export() {
                true => Item::Export(stx),
                false => Item::Expr(stx),
            });
            return Ok(());
        }
        let stx = if special.is_definition() {
            scan.steps = 0;
            self.ensure_inner(scan, stx)
        } else {
            stx
        };
        let Some(mut parts) = self.items(&stx) else {
            return Err(bad_form(special, "it is a dotted list", stx.span()));
        };
        parts.remove(0);
        let form = Form {
            special,
            whole: &stx,
            parts,
            hint: None,
        };
        match special {
            Special::Begin => scan.splice(&form.parts),
            Special::CondExpand => {
                let forms = self.cond_expand(&form)?;
                scan.splice(&forms);
            }
            Special::Include | Special::IncludeCi => {
                let forms = self.include(&form)?;
                scan.splice(&forms);
            }
            Special::Define => self.scan_define(scan, &form)?,
            Special::DefineValues => self.scan_define_values(scan, &form)?,
            Special::DefineForeign => self.scan_foreign(scan, &form)?,
            Special::DefineRecordType
            | Special::DefineForeignStruct
            | Special::DefineForeignEnum
            | Special::DefineDatatype => {
                self.scan_group(scan, &form)?;
            }
            _ => self.scan_define_syntax(scan, &form)?,
        }
        Ok(())
    }

    /// A form that makes several definitions, of which it is enough that one is used.
    fn scan_group(&mut self, scan: &mut Scan, form: &Form<'_>) -> Result<()> {
        let what = match form.special {
            Special::DefineRecordType => "record type",
            Special::DefineForeignStruct => "struct",
            Special::DefineForeignEnum => "enum",
            _ => "datatype",
        };
        self.note_group(Some((form.span(), what)));
        let outcome = match form.special {
            Special::DefineRecordType => self.scan_record(scan, form),
            Special::DefineForeignStruct => self.scan_foreign_struct(scan, form),
            Special::DefineForeignEnum => self.scan_foreign_enum(scan, form),
            _ => self.scan_datatype(scan, form),
        };
        self.note_group(None);
        outcome
    }

    /// Gives a local body its inner scope, now that it defines something.
    fn ensure_inner(&mut self, scan: &mut Scan, stx: Stx) -> Stx {
        if scan.inner.is_some() {
            return stx;
        }
        let inner = self.ex.scopes.fresh();
        scan.inner = Some(inner);
        for stx in &mut scan.queue {
            *stx = stx.clone().add_scope(inner, &mut self.ex.scopes);
        }
        for item in &mut scan.items {
            // Nothing was defined yet, so these are expressions.
            if let Item::Expr(stx) = item {
                *stx = stx.clone().add_scope(inner, &mut self.ex.scopes);
            }
        }
        self.add_scope(stx, inner)
    }

    /// The identifier that a definition of `ident` binds here.
    fn defined_ident(&mut self, scan: &Scan, ident: &Ident) -> Ident {
        let scopes = self.ex.scopes.without_use_sites(ident.scopes, scan.frame);
        Ident {
            scopes,
            ..ident.clone()
        }
    }

    /// Makes the variable of a definition.
    pub(super) fn define_variable(&mut self, scan: &mut Scan, ident: &Ident) -> Result<Place> {
        let ident = self.defined_ident(scan, ident);
        if scan.top {
            return Ok(Place::Global(self.define_global(&ident)?));
        }
        let var = self.fresh_var(ident.name.clone());
        self.note_variable(&ident, var, VarKind::Definition);
        self.note_local_definition(&ident, &scan.around);
        self.define_local(scan, &ident, Binding::Local(var))?;
        Ok(Place::Local(var))
    }

    fn define_local(&mut self, scan: &mut Scan, ident: &Ident, binding: Binding) -> Result<()> {
        if !self.ex.env.bind(ident, binding, &self.ex.scopes) {
            let first = scan.names.iter().find(|(name, _)| *name == ident.name);
            let message = format!("`{}` is defined twice in this body", ident.name);
            let mut error = Diagnostic::error(message, ident.span);
            if let Some((_, span)) = first {
                error = error.with_secondary(*span, "it is defined here first");
            }
            return Err(Box::new(error));
        }
        scan.names.push((ident.name.clone(), ident.span));
        Ok(())
    }

    fn scan_define(&mut self, scan: &mut Scan, form: &Form<'_>) -> Result<()> {
        let [target, rest @ ..] = &form.parts[..] else {
            return form.bad("the variable is missing");
        };
        let (ident, rhs) = if let Some(ident) = target.as_identifier() {
            let rhs = match rest {
                [] => Rhs::Core(Expr::unspecified(form.span())),
                [value] => Rhs::Stx(value.clone()),
                _ => return form.bad("one expression must follow the variable"),
            };
            (ident, rhs)
        } else {
            let Some((ident, formals)) = self.header(target) else {
                return form.bad_at("this is no variable", target);
            };
            (ident, Rhs::Procedure(formals, rest.to_vec()))
        };
        let place = self.define_variable(scan, &ident)?;
        scan.items.push(Item::Define {
            place,
            name: ident.name,
            rhs,
            whole: form.whole.clone(),
        });
        Ok(())
    }

    fn scan_define_values(&mut self, scan: &mut Scan, form: &Form<'_>) -> Result<()> {
        let [formals, init] = &form.parts[..] else {
            return form.bad("it takes formals and one expression");
        };
        let formals = self.formals(formals, form)?;
        self.note_group(Some((form.span(), "variable")));
        let outcome = self.define_formals(scan, &formals);
        self.note_group(None);
        let (places, rest) = outcome?;
        scan.items.push(Item::Values {
            places,
            rest,
            init: init.clone(),
            span: form.span(),
        });
        Ok(())
    }

    fn define_formals(&mut self, scan: &mut Scan, formals: &Formals) -> Result<Named> {
        let mut places = Vec::with_capacity(formals.params.len());
        for ident in &formals.params {
            places.push((self.define_variable(scan, ident)?, ident.name.clone()));
        }
        let rest = match &formals.rest {
            Some(ident) => Some((self.define_variable(scan, ident)?, ident.name.clone())),
            None => None,
        };
        Ok((places, rest))
    }

    fn scan_define_syntax(&mut self, scan: &mut Scan, form: &Form<'_>) -> Result<()> {
        let [keyword, spec] = &form.parts[..] else {
            return form.bad("it takes a keyword and one transformer");
        };
        let Some(ident) = keyword.as_identifier() else {
            return form.bad_at("the keyword must be an identifier", keyword);
        };
        let binding = self.transformer(spec, &ident.name, scan.frame)?;
        let ident = self.defined_ident(scan, &ident);
        if scan.top {
            self.define_keyword(&ident, binding)
        } else {
            self.define_local(scan, &ident, binding)
        }
    }

    /// A definition is wrong: what it would have bound is not to be called unbound. In a form that
    /// is none of the plain definitions that may be any name.
    pub(super) fn definition_failed(&mut self, stx: &Stx) {
        let parts = self.items(stx).unwrap_or_default();
        let Some((head, rest)) = parts.split_first() else {
            return;
        };
        let plain = ["define", "define-values", "define-syntax"];
        let plain = head
            .name()
            .is_some_and(|head| plain.contains(&head.as_str()));
        let rest = if plain {
            rest.get(..1).unwrap_or_default()
        } else {
            rest
        };
        let mut queue = rest.to_vec();
        for _ in 0..NAMES {
            let Some(stx) = queue.pop() else {
                return;
            };
            match stx.view(&mut self.ex.scopes) {
                View::Identifier => self.failed.extend(stx.name().cloned()),
                View::List(items) => queue.extend(items),
                View::Improper(items, tail) => {
                    queue.extend(items);
                    queue.push(tail);
                }
                View::Vector(_) | View::Atom => {}
            }
        }
    }

    /// The value of a definition.
    pub(super) fn define_rhs(&mut self, name: &Symbol, rhs: Rhs, whole: &Stx) -> Result<Expr> {
        match rhs {
            Rhs::Core(expr) => Ok(expr),
            Rhs::Primitive(primitive, args) => self.nested(whole.span(), |cx| {
                let args = args.into_iter().map(|arg| match arg {
                    Argument::Stx(stx) => cx.expand(&stx),
                    Argument::Core(expr) => Ok(expr),
                });
                let args = args.collect::<Result<Vec<_>>>()?;
                cx.call_primitive(primitive, args, whole.span())
            }),
            Rhs::Stx(stx) => self.expand_named(&stx, name),
            Rhs::Procedure(formals, body) => {
                let form = Form {
                    special: Special::Define,
                    whole,
                    parts: Vec::new(),
                    hint: None,
                };
                self.nested(whole.span(), |cx| {
                    let lambda = cx.procedure(&formals, &body, &form, Some(name.clone()))?;
                    Ok(Expr::Lambda(Box::new(lambda)))
                })
            }
        }
    }
}
