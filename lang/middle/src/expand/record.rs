//! `define-record-type`: definitions whose values need no expansion.
//!
//! The primitives are `(%make-record-type NAME FIELDS)`, `(%make-record TYPE VALUE …)`,
//! `(%record? OBJECT TYPE)`, `(%record-ref OBJECT TYPE INDEX WHO)` and
//! `(%record-set! OBJECT TYPE INDEX VALUE WHO)`; fields that the constructor does not take are
//! false. WHO is the accessor's name, for messages.

use bowline_syntax::{Datum, DatumKind, Diagnostic, Number, Span, Symbol};

use super::definitions::{Item, Place, Rhs, Scan};
use super::form::Form;
use super::suggest::nearest;
use super::syntax_forms::symbol_datum;
use super::{Cx, Result, bad_form};
use crate::core::{Expr, Lambda};
use crate::stx::{Ident, Stx};

struct Field {
    ident: Ident,
    accessor: Option<Ident>,
    modifier: Option<Ident>,
}

impl Cx<'_> {
    pub(super) fn scan_record(&mut self, scan: &mut Scan, form: &Form<'_>) -> Result<()> {
        let [type_name, constructor, predicate, fields @ ..] = &form.parts[..] else {
            return form.bad("the name, the constructor or the predicate is missing");
        };
        let type_ident = match self.items(type_name).as_deref() {
            Some([first, ..]) => first.as_identifier(),
            _ => type_name.as_identifier(),
        };
        let Some(type_ident) = type_ident else {
            return form.bad_at("the name must be an identifier", type_name);
        };
        let fields = self.record_fields(fields, form)?;
        let span = form.span();
        let name = Expr::Const(symbol_datum(&type_ident.name, span));
        let names: Vec<Datum> = fields
            .iter()
            .map(|f| symbol_datum(&f.ident.name, f.ident.span))
            .collect();
        let names = Expr::Const(Datum::new(DatumKind::Vector(names.into()), span));
        let make = self.call_primitive("%make-record-type", vec![name, names], span)?;
        let rtd = self.define_variable(scan, &type_ident)?;
        push(scan, rtd, &type_ident, make, form.whole);
        self.record_constructor(scan, constructor, &fields, rtd, form)?;
        if is_wanted(predicate) {
            let Some(ident) = predicate.as_identifier() else {
                return form.bad_at("the predicate must be an identifier", predicate);
            };
            let object = self.fresh_var(Symbol::new("object"));
            let args = vec![Expr::Local(object, span), rtd.value(span)];
            let body = self.call_primitive("%record?", args, span)?;
            self.record_procedure(scan, &ident, vec![object], body, form)?;
        }
        for (index, field) in fields.iter().enumerate() {
            self.record_field(scan, field, index, rtd, form)?;
        }
        Ok(())
    }

    fn record_fields(&mut self, specs: &[Stx], form: &Form<'_>) -> Result<Vec<Field>> {
        let mut fields: Vec<Field> = Vec::with_capacity(specs.len());
        for spec in specs {
            let mut idents = Vec::with_capacity(3);
            match self.items(spec) {
                Some(parts) if (1..=3).contains(&parts.len()) => {
                    for part in &parts {
                        let Some(ident) = part.as_identifier() else {
                            return form.bad_at("a field's names must be identifiers", part);
                        };
                        idents.push(ident);
                    }
                }
                Some(_) => return form.bad_at("a field is (FIELD ACCESSOR [MODIFIER])", spec),
                None => match spec.as_identifier() {
                    Some(ident) => idents.push(ident),
                    None => return form.bad_at("a field is (FIELD ACCESSOR [MODIFIER])", spec),
                },
            }
            let mut idents = idents.into_iter();
            let Some(ident) = idents.next() else {
                return form.bad_at("a field is (FIELD ACCESSOR [MODIFIER])", spec);
            };
            let same = |f: &Field| f.ident.name == ident.name && f.ident.scopes == ident.scopes;
            if fields.iter().any(same) {
                let why = format!("`{}` is a field already", ident.name);
                return form.bad_at(&why, spec);
            }
            fields.push(Field {
                ident,
                accessor: idents.next(),
                modifier: idents.next(),
            });
        }
        Ok(fields)
    }

    fn record_constructor(
        &mut self,
        scan: &mut Scan,
        spec: &Stx,
        fields: &[Field],
        rtd: Place,
        form: &Form<'_>,
    ) -> Result<()> {
        let span = form.span();
        if !is_wanted(spec) {
            return Ok(());
        }
        let (ident, taken) = match (spec.as_identifier(), self.items(spec)) {
            (Some(ident), _) => (ident, (0..fields.len()).collect()),
            (None, Some(parts)) => {
                let Some(ident) = parts.first().and_then(Stx::as_identifier) else {
                    return form.bad_at("the constructor is (NAME FIELD ...)", spec);
                };
                let mut taken: Vec<usize> = Vec::with_capacity(parts.len() - 1);
                for part in &parts[1..] {
                    let field = part.as_identifier().and_then(|wanted| {
                        let same = |f: &Field| {
                            f.ident.name == wanted.name && f.ident.scopes == wanted.scopes
                        };
                        fields.iter().position(same)
                    });
                    match field {
                        None => return Err(no_field(part, fields, form)),
                        Some(field) if taken.contains(&field) => {
                            return form.bad_at("the constructor takes a field twice", part);
                        }
                        Some(field) => taken.push(field),
                    }
                }
                (ident, taken)
            }
            _ => return form.bad_at("the constructor is (NAME FIELD ...)", spec),
        };
        let vars: Vec<_> = fields
            .iter()
            .map(|field| self.fresh_var(field.ident.name.clone()))
            .collect();
        let mut args = vec![rtd.value(span)];
        for (index, &var) in vars.iter().enumerate() {
            args.push(if taken.contains(&index) {
                Expr::Local(var, span)
            } else {
                Expr::boolean(false, span)
            });
        }
        let body = self.call_primitive("%make-record", args, span)?;
        let params = taken.iter().map(|&index| vars[index]).collect();
        self.record_procedure(scan, &ident, params, body, form)
    }

    fn record_field(
        &mut self,
        scan: &mut Scan,
        field: &Field,
        index: usize,
        rtd: Place,
        form: &Form<'_>,
    ) -> Result<()> {
        let span = form.span();
        let index = || {
            let kind = DatumKind::Number(Number::Fixnum(index as i64));
            Expr::Const(Datum::new(kind, span))
        };
        let who = |ident: &Ident| Expr::Const(symbol_datum(&ident.name, span));
        if let Some(ident) = &field.accessor {
            let object = self.fresh_var(Symbol::new("object"));
            let args = vec![
                Expr::Local(object, span),
                rtd.value(span),
                index(),
                who(ident),
            ];
            let body = self.call_primitive("%record-ref", args, span)?;
            self.record_procedure(scan, ident, vec![object], body, form)?;
        }
        if let Some(ident) = &field.modifier {
            let object = self.fresh_var(Symbol::new("object"));
            let value = self.fresh_var(Symbol::new("value"));
            let args = vec![
                Expr::Local(object, span),
                rtd.value(span),
                index(),
                Expr::Local(value, span),
                who(ident),
            ];
            let body = self.call_primitive("%record-set!", args, span)?;
            self.record_procedure(scan, ident, vec![object, value], body, form)?;
        }
        Ok(())
    }

    pub(super) fn record_procedure(
        &mut self,
        scan: &mut Scan,
        ident: &Ident,
        params: Vec<crate::core::VarId>,
        body: Expr,
        form: &Form<'_>,
    ) -> Result<()> {
        let place = self.define_variable(scan, ident)?;
        let lambda = Expr::Lambda(Box::new(Lambda {
            name: Some(ident.name.clone()),
            params,
            rest: None,
            body,
            span: ident_span(ident, form.span()),
        }));
        push(scan, place, ident, lambda, form.whole);
        Ok(())
    }
}

pub(super) fn ident_span(ident: &Ident, form: Span) -> Span {
    if ident.span.is_none() {
        form
    } else {
        ident.span
    }
}

/// Whether a constructor or predicate is wanted: `#f` in its place says no.
fn is_wanted(stx: &Stx) -> bool {
    !matches!(
        stx.as_raw().map(|datum| &datum.kind),
        Some(DatumKind::Boolean(false))
    )
}

pub(super) fn push(scan: &mut Scan, place: Place, ident: &Ident, value: Expr, whole: &Stx) {
    scan.items.push(Item::Define {
        place,
        name: ident.name.clone(),
        rhs: Rhs::Core(value),
        whole: whole.clone(),
    });
}

/// The error that the constructor takes something that is no field.
fn no_field(part: &Stx, fields: &[Field], form: &Form<'_>) -> Box<Diagnostic> {
    let datum = part.to_datum();
    let why = format!("the constructor takes `{datum}`, which is no field");
    let names = fields.iter().map(|field| field.ident.name.as_str());
    let names: Vec<&str> = names.collect();
    let error = *bad_form(form.special, &why, part.span());
    Box::new(match nearest(&datum.to_string(), names.iter().copied()) {
        Some(near) => error.with_note(format!("did you mean `{near}`?")),
        None if names.is_empty() => error,
        None => error.with_note(format!("the fields are {}", names.join(", "))),
    })
}
