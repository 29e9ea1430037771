//! `define-foreign-enum`: a C enumeration by its members, and the procedures for it.
//!
//! `(define-foreign-enum E MEMBER …)` defines `E?`, `E->integer` and `integer->E`, with the identity of the identifier
//! E. Behind them stands a hidden variable for the enumeration's number, and the primitives are
//! `(%define-foreign-enum NAME MEMBERS ANEW?)`, which gives the number, `(%enum? OBJECT NUMBER)`,
//! `(%enum->integer OBJECT NUMBER)` and `(%integer->enum OBJECT NUMBER)`. ANEW? says that the form stands at a prompt,
//! where an enumeration may be defined otherwise than before.

use bowline_syntax::{Datum, DatumKind, Number, Span, Symbol};

use super::definitions::Scan;
use super::foreign_struct::derived;
use super::form::Form;
use super::record::push;
use super::syntax_forms::symbol_datum;
use super::{Cx, Result, TopKind};
use crate::core::Expr;
use crate::stx::Stx;

impl Cx<'_> {
    pub(super) fn scan_foreign_enum(&mut self, scan: &mut Scan, form: &Form<'_>) -> Result<()> {
        let [name, members @ ..] = &form.parts[..] else {
            return form.bad("the name is missing");
        };
        let Some(ident) = name.as_identifier() else {
            return form.bad_at("the name must be an identifier", name);
        };
        let members = self.enum_members(members, form)?;
        let span = form.span();
        let anew = scan.top && self.unit.kind == TopKind::Prompt;
        let make = vec![
            Expr::Const(symbol_datum(&ident.name, span)),
            Expr::Const(Datum::list(members.clone(), span)),
            Expr::boolean(anew, span),
        ];
        let make = self.call_primitive("%define-foreign-enum", make, span)?;
        let hidden = derived(&ident, format!("enum {}", ident.name));
        let number = self.define_variable(scan, &hidden)?;
        push(scan, number, &hidden, make, form.whole);
        let procedures = [
            (format!("{}?", ident.name), "%enum?"),
            (format!("{}->integer", ident.name), "%enum->integer"),
            (format!("integer->{}", ident.name), "%integer->enum"),
        ];
        for (name, primitive) in procedures {
            let object = self.fresh_var(Symbol::new("object"));
            let args = vec![Expr::Local(object, span), number.value(span)];
            // An error is where the procedure was called.
            let body = self.call_primitive(primitive, args, Span::NONE)?;
            let name = derived(&ident, name);
            self.record_procedure(scan, &name, vec![object], body, form)?;
        }
        if scan.top {
            self.note_foreign_enum(&ident, &members);
        }
        Ok(())
    }

    fn enum_members(&mut self, specs: &[Stx], form: &Form<'_>) -> Result<Vec<Datum>> {
        let mut names: Vec<Symbol> = Vec::with_capacity(specs.len());
        let mut members = Vec::with_capacity(specs.len());
        for spec in specs {
            let parts = self.items(spec);
            let name = match parts.as_deref() {
                None => spec.name(),
                Some([name, number]) if is_number(number) => name.name(),
                Some(_) => None,
            };
            let Some(name) = name else {
                return form.bad_at("a member is NAME or (NAME INTEGER)", spec);
            };
            if names.contains(name) {
                return form.bad_at("a member stands twice", spec);
            }
            names.push(name.clone());
            members.push(spec.to_acyclic()?);
        }
        match members.is_empty() {
            true => form.bad("it has no members"),
            false => Ok(members),
        }
    }
}

/// Whether it is an integer that can be the number of a member.
fn is_number(stx: &Stx) -> bool {
    matches!(
        stx.as_raw().map(|datum| &datum.kind),
        Some(DatumKind::Number(Number::Fixnum(_)))
    )
}
