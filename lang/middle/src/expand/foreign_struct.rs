//! `define-foreign-struct`: a C struct by its fields, and the procedures for it.
//!
//! `(define-foreign-struct S (F T) …)` defines `make-S`, `S?` and for each field `S-F` and `set-S-F!`,
//! with the identity of the identifier S. Behind them stands a hidden variable for the struct's number,
//! and the primitives are `(%define-foreign-struct NAME FIELDS ANEW?)`, which gives the number,
//! `(%make-struct NUMBER VALUES)`, `(%struct? OBJECT NUMBER)`, `(%struct-ref OBJECT NUMBER INDEX)` and
//! `(%struct-set! OBJECT NUMBER INDEX VALUE)`. ANEW? says that the form stands at a prompt, where a
//! struct may be defined otherwise than before.
//!
//! Absent on purpose: what a type means. Types are data for the C boundary.

use bowline_syntax::{Datum, DatumKind, Number, Span, Symbol};

use super::definitions::{Place, Scan};
use super::form::Form;
use super::record::{ident_span, push};
use super::syntax_forms::symbol_datum;
use super::{Cx, Result, TopKind};
use crate::core::{Expr, Lambda};
use crate::stx::Ident;

/// A struct's field: its name, and the datum `(NAME TYPE)`.
struct Field {
    name: Symbol,
    datum: Datum,
}

/// Words that hardly name two fields, but begin them in C.
const C_WORDS: [&str; 12] = [
    "int", "char", "short", "long", "unsigned", "float", "double", "bool", "size_t", "pointer",
    "string", "struct",
];

impl Cx<'_> {
    pub(super) fn scan_foreign_struct(&mut self, scan: &mut Scan, form: &Form<'_>) -> Result<()> {
        let [name, fields @ ..] = &form.parts[..] else {
            return form.bad("the name is missing");
        };
        let Some(ident) = name.as_identifier() else {
            return form.bad_at("the name must be an identifier", name);
        };
        let fields = self.struct_fields(fields, form)?;
        let span = form.span();
        let anew = scan.top && self.unit.kind == TopKind::Prompt;
        let data = fields.iter().map(|field| field.datum.clone());
        let make = vec![
            Expr::Const(symbol_datum(&ident.name, span)),
            Expr::Const(Datum::list(data.collect::<Vec<_>>(), span)),
            Expr::boolean(anew, span),
        ];
        let make = self.call_primitive("%define-foreign-struct", make, span)?;
        let hidden = derived(&ident, format!("struct {}", ident.name));
        let number = self.define_variable(scan, &hidden)?;
        push(scan, number, &hidden, make, form.whole);
        self.struct_constructor(scan, &ident, number, form)?;
        let predicate = derived(&ident, format!("{}?", ident.name));
        let object = self.fresh_var(Symbol::new("object"));
        let args = vec![Expr::Local(object, span), number.value(span)];
        let body = self.call_primitive("%struct?", args, span)?;
        self.record_procedure(scan, &predicate, vec![object], body, form)?;
        for (index, field) in fields.iter().enumerate() {
            self.struct_field(scan, &ident, &field.name, index, number, form)?;
        }
        Ok(())
    }

    fn struct_fields(&mut self, specs: &[crate::stx::Stx], form: &Form<'_>) -> Result<Vec<Field>> {
        let mut fields: Vec<Field> = Vec::with_capacity(specs.len());
        for spec in specs {
            let parts = self.items(spec);
            let Some([name, _]) = parts.as_deref() else {
                return form.bad_at("a field is (FIELD TYPE)", spec);
            };
            let Some(name) = name.name() else {
                return form.bad_at("a field's name must be an identifier", name);
            };
            let twice = fields.iter().any(|field| field.name == *name);
            if twice && C_WORDS.contains(&name.as_str()) {
                return form.bad_at("the field's name stands in front of its type", spec);
            }
            if twice {
                return form.bad_at("a field stands twice", spec);
            }
            fields.push(Field {
                name: name.clone(),
                datum: spec.to_acyclic()?,
            });
        }
        match fields.is_empty() {
            true => form.bad("it has no fields"),
            false => Ok(fields),
        }
    }

    /// `make-S`: no arguments for zeros, or one for each field.
    fn struct_constructor(
        &mut self,
        scan: &mut Scan,
        name: &Ident,
        number: Place,
        form: &Form<'_>,
    ) -> Result<()> {
        let span = form.span();
        let ident = derived(name, format!("make-{}", name.name));
        let values = self.fresh_var(Symbol::new("values"));
        let args = vec![number.value(span), Expr::Local(values, span)];
        let lambda = Expr::Lambda(Box::new(Lambda {
            name: Some(ident.name.clone()),
            params: Vec::new(),
            rest: Some(values),
            body: self.call_primitive("%make-struct", args, span)?,
            span: ident_span(&ident, span),
        }));
        let place = self.define_variable(scan, &ident)?;
        push(scan, place, &ident, lambda, form.whole);
        Ok(())
    }

    fn struct_field(
        &mut self,
        scan: &mut Scan,
        name: &Ident,
        field: &Symbol,
        index: usize,
        number: Place,
        form: &Form<'_>,
    ) -> Result<()> {
        let span = form.span();
        let index = Expr::Const(Datum::new(
            DatumKind::Number(Number::Fixnum(index as i64)),
            span,
        ));
        let object = self.fresh_var(Symbol::new("object"));
        let args = vec![Expr::Local(object, span), number.value(span), index.clone()];
        // An error is where the accessor was called.
        let body = self.call_primitive("%struct-ref", args, Span::NONE)?;
        let accessor = derived(name, format!("{}-{field}", name.name));
        self.record_procedure(scan, &accessor, vec![object], body, form)?;
        let object = self.fresh_var(Symbol::new("object"));
        let value = self.fresh_var(Symbol::new("value"));
        let args = vec![
            Expr::Local(object, span),
            number.value(span),
            index,
            Expr::Local(value, span),
        ];
        let body = self.call_primitive("%struct-set!", args, Span::NONE)?;
        let modifier = derived(name, format!("set-{}-{field}!", name.name));
        self.record_procedure(scan, &modifier, vec![object, value], body, form)
    }
}

/// Another name with the identity of this one.
pub(super) fn derived(ident: &Ident, name: String) -> Ident {
    Ident {
        name: Symbol::new(&name),
        ..ident.clone()
    }
}
