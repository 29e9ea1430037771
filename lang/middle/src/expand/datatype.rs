//! `define-datatype`: an algebraic data type by its constructors, and the procedures for it.
//!
//! `(define-datatype D (C FIELD …) …)` defines D and `D?`, and for each constructor C, `C?` and, for each field F,
//! `C-F`, with the identity of the identifier that they are made of. A constructor without fields gives one
//! object each time, which a hidden variable holds.
//!
//! inv:expand.constructor — the constructors of a session are numbered in the order of their definitions, those of
//! one datatype in a row, and code names them by these constants. So a definition in a body is one datatype
//! however often it is carried out, and a definition anew is another one.
//!
//! The primitives are `(%define-datatype NAME FIRST CONSTRUCTORS)`, `(%make-data NUMBER VALUE …)`,
//! `(%data? OBJECT NUMBER)`, `(%datatype? OBJECT FIRST COUNT)` and `(%data-ref OBJECT NUMBER INDEX)`.
//!
//! Absent on purpose: what the type of a field means. Types are data for the C boundary.

use std::rc::Rc;

use bowline_syntax::{Datum, DatumKind, Number, Span, Symbol};

use super::definitions::{Place, Scan};
use super::foreign_struct::derived;
use super::form::Form;
use super::record::{ident_span, push};
use super::syntax_forms::symbol_datum;
use super::{Cx, Result, error};
use crate::core::{Expr, Lambda, VarId};
use crate::env::Binding;
use crate::fx::FxHashSet;
use crate::scope::ScopeSet;
use crate::stx::{Ident, Stx};

/// How many constructors a session may define: the runtime has a type id for each.
const CONSTRUCTORS: usize = 64_512;

/// How many fields a constructor may have: as many as a `%make-data` takes arguments.
const FIELDS: usize = 254;

/// A datatype, as its definition says it.
#[derive(Debug)]
pub(crate) struct Datatype {
    pub(crate) name: Symbol,
    /// The number of the first constructor (inv:expand.constructor).
    pub(crate) first: usize,
    pub(crate) constructors: Vec<Shape>,
}

/// The name of a constructor, its place and its fields.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) name: Symbol,
    pub(crate) span: Span,
    pub(crate) fields: Vec<Field>,
}

/// A field's name, and the datum `NAME` or `(NAME TYPE)`.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: Symbol,
    pub(crate) datum: Datum,
}

/// One of the constructors of a datatype.
#[derive(Clone, Debug)]
pub(crate) struct Constructor {
    pub(crate) datatype: Rc<Datatype>,
    pub(crate) index: usize,
}

impl Datatype {
    /// The first of its constructors.
    pub(super) fn first(datatype: &Rc<Datatype>) -> Constructor {
        let (datatype, index) = (Rc::clone(datatype), 0);
        Constructor { datatype, index }
    }
}

impl Constructor {
    pub(crate) fn shape(&self) -> &Shape {
        &self.datatype.constructors[self.index]
    }

    /// Its number (inv:expand.constructor), as a constant.
    pub(crate) fn number(&self, span: Span) -> Expr {
        integer(self.datatype.first + self.index, span)
    }
}

pub(super) fn integer(n: usize, span: Span) -> Expr {
    let kind = DatumKind::Number(Number::Fixnum(n as i64));
    Expr::Const(Datum::new(kind, span))
}

/// Names that one form defines: each may stand once.
#[derive(Default)]
struct Names(FxHashSet<(String, ScopeSet)>);

impl Names {
    /// Adds a name with the identity of `ident`.
    fn add(&mut self, name: String, ident: &Ident, form: &Form<'_>, at: &Stx) -> Result<()> {
        let why = format!("it would define `{name}` twice");
        match self.0.insert((name, ident.scopes)) {
            true => Ok(()),
            false => form.bad_at(&why, at),
        }
    }

    /// Adds the name itself and that of its predicate.
    fn add_type(&mut self, ident: &Ident, form: &Form<'_>, at: &Stx) -> Result<()> {
        self.add(ident.name.to_string(), ident, form, at)?;
        self.add(format!("{}?", ident.name), ident, form, at)
    }
}

impl Cx<'_> {
    /// The constructor that an identifier is bound to, if it is one.
    pub(super) fn constructor(&mut self, binding: Option<Binding>) -> Option<Rc<Constructor>> {
        match binding? {
            Binding::Global(id) => self.ex.constructors.get(&id),
            Binding::Local(var) => self.unit.constructors.get(&var),
            _ => None,
        }
        .cloned()
    }

    pub(super) fn scan_datatype(&mut self, scan: &mut Scan, form: &Form<'_>) -> Result<()> {
        let [name, specs @ ..] = &form.parts[..] else {
            return form.bad("the name is missing");
        };
        let Some(ident) = name.as_identifier() else {
            return form.bad_at("the name must be an identifier", name);
        };
        if specs.is_empty() {
            return form.bad("it has no constructors");
        }
        let mut names = Names::default();
        names.add_type(&ident, form, name)?;
        let mut idents = Vec::with_capacity(specs.len());
        let mut shapes = Vec::with_capacity(specs.len());
        for spec in specs {
            let (constructor, shape) = self.datatype_constructor(spec, &mut names, form)?;
            idents.push(constructor);
            shapes.push(shape);
        }
        let first = self.ex.constructor_count;
        if first + shapes.len() > CONSTRUCTORS {
            let message = format!("there are more than {CONSTRUCTORS} constructors in all");
            return Err(error(message, form.span()));
        }
        self.ex.constructor_count += shapes.len();
        let datatype = Rc::new(Datatype {
            name: ident.name.clone(),
            first,
            constructors: shapes,
        });
        self.define_datatype(scan, &ident, &datatype, form)?;
        for (index, ident) in idents.iter().enumerate() {
            let datatype = Rc::clone(&datatype);
            let constructor = Rc::new(Constructor { datatype, index });
            self.define_constructor(scan, ident, &constructor, form)?;
        }
        Ok(())
    }

    /// What `(CONSTRUCTOR FIELD …)` says.
    fn datatype_constructor(
        &mut self,
        spec: &Stx,
        names: &mut Names,
        form: &Form<'_>,
    ) -> Result<(Ident, Shape)> {
        let parts = self.items(spec);
        let Some([name, fields @ ..]) = parts.as_deref() else {
            let why = match spec.name() {
                Some(name) => format!("a constructor stands in parentheses, as ({name})"),
                None => "a constructor is (NAME FIELD ...)".to_owned(),
            };
            return form.bad_at(&why, spec);
        };
        let Some(ident) = name.as_identifier() else {
            return form.bad_at("a constructor's name must be an identifier", name);
        };
        names.add_type(&ident, form, name)?;
        if fields.len() > FIELDS {
            let why = format!("a constructor has at most {FIELDS} fields");
            return form.bad_at(&why, spec);
        }
        let mut found = Vec::with_capacity(fields.len());
        for field in fields {
            let parts = self.items(field);
            let name = match parts.as_deref() {
                Some([name, _]) => name.name(),
                Some(_) => None,
                None => field.name(),
            };
            let Some(name) = name.cloned() else {
                return form.bad_at("a field is NAME or (NAME TYPE)", field);
            };
            names.add(format!("{}-{name}", ident.name), &ident, form, field)?;
            let datum = field.to_acyclic()?;
            found.push(Field { name, datum });
        }
        let (name, span) = (ident.name.clone(), ident.span);
        let fields = found;
        Ok((ident, Shape { name, span, fields }))
    }

    /// D and `D?`.
    fn define_datatype(
        &mut self,
        scan: &mut Scan,
        ident: &Ident,
        datatype: &Rc<Datatype>,
        form: &Form<'_>,
    ) -> Result<()> {
        let span = form.span();
        let constructors = datatype.constructors.iter().map(|shape| {
            let name = symbol_datum(&shape.name, span);
            let fields = shape.fields.iter().map(|field| field.datum.clone());
            Datum::list(
                std::iter::once(name).chain(fields).collect::<Vec<_>>(),
                span,
            )
        });
        let constructors = Datum::list(constructors.collect::<Vec<_>>(), span);
        let make = vec![
            Expr::Const(symbol_datum(&ident.name, span)),
            integer(datatype.first, span),
            Expr::Const(constructors),
        ];
        let make = self.call_primitive("%define-datatype", make, span)?;
        let place = self.define_variable(scan, ident)?;
        if let Place::Global(id) = place {
            self.ex.datatypes.insert(id, Rc::clone(datatype));
        }
        push(scan, place, ident, make, form.whole);
        let object = self.fresh_var(Symbol::new("object"));
        let args = vec![
            Expr::Local(object, span),
            integer(datatype.first, span),
            integer(datatype.constructors.len(), span),
        ];
        let body = self.call_primitive("%datatype?", args, span)?;
        let predicate = derived(ident, format!("{}?", ident.name));
        self.record_procedure(scan, &predicate, vec![object], body, form)
    }

    /// C, `C?` and the accessors.
    fn define_constructor(
        &mut self,
        scan: &mut Scan,
        ident: &Ident,
        constructor: &Rc<Constructor>,
        form: &Form<'_>,
    ) -> Result<()> {
        let span = form.span();
        let fields = &constructor.shape().fields;
        let params: Vec<VarId> = fields
            .iter()
            .map(|field| self.fresh_var(field.name.clone()))
            .collect();
        let mut args = vec![constructor.number(span)];
        args.extend(params.iter().map(|&var| Expr::Local(var, span)));
        // An error is where the constructor was called.
        let mut body = self.call_primitive("%make-data", args, Span::NONE)?;
        if fields.is_empty() {
            let hidden = derived(ident, format!("value of {}", ident.name));
            let value = self.define_variable(scan, &hidden)?;
            push(scan, value, &hidden, body, form.whole);
            body = value.value(span);
        }
        let place = self.define_variable(scan, ident)?;
        match place {
            Place::Global(id) => drop(self.ex.constructors.insert(id, Rc::clone(constructor))),
            Place::Local(var) => drop(self.unit.constructors.insert(var, Rc::clone(constructor))),
        }
        let lambda = Expr::Lambda(Box::new(Lambda {
            name: Some(ident.name.clone()),
            params,
            rest: None,
            body,
            span: ident_span(ident, span),
        }));
        push(scan, place, ident, lambda, form.whole);
        let object = self.fresh_var(Symbol::new("object"));
        let args = vec![Expr::Local(object, span), constructor.number(span)];
        let body = self.call_primitive("%data?", args, span)?;
        let predicate = derived(ident, format!("{}?", ident.name));
        self.record_procedure(scan, &predicate, vec![object], body, form)?;
        for (index, field) in fields.iter().enumerate() {
            let object = self.fresh_var(Symbol::new("object"));
            let args = vec![
                Expr::Local(object, span),
                constructor.number(span),
                integer(index, span),
            ];
            let body = self.call_primitive("%data-ref", args, Span::NONE)?;
            let accessor = derived(ident, format!("{}-{}", ident.name, field.name));
            self.record_procedure(scan, &accessor, vec![object], body, form)?;
        }
        Ok(())
    }
}
