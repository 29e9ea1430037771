//! Definitions of macros: `define-syntax`, `let-syntax`, `letrec-syntax`; and `syntax-error`.

use std::rc::Rc;

use bowline_syntax::{Datum, DatumKind, Diagnostic, Span, Symbol, Via};

use super::form::Form;
use super::{Cx, Result, bad_form};
use crate::core::Expr;
use crate::env::{Binding, MacroId};
use crate::rules::compile;
use crate::special::Special;
use crate::stx::{Ident, Stx};

impl Cx<'_> {
    /// What a transformer specification stands for: a macro, or another name for a keyword.
    pub(super) fn transformer(&mut self, spec: &Stx, name: &Symbol, frame: u32) -> Result<Binding> {
        let mut spec = spec.clone();
        let mut steps = 0;
        loop {
            if let Some(ident) = spec.as_identifier() {
                match self.resolve(&ident)? {
                    Some(binding @ (Binding::Special(_) | Binding::Macro(_))) => {
                        return Ok(binding);
                    }
                    _ => return Err(self.no_transformer(&spec)),
                }
            }
            match self.head_binding(&spec)? {
                Some(Binding::Special(Special::SyntaxRules)) => break,
                Some(Binding::Macro(id)) => {
                    steps += 1;
                    spec = self.deeper(steps, spec.span(), |cx| cx.expand_macro(id, &spec))?;
                }
                _ => return Err(self.no_transformer(&spec)),
            }
        }
        let parts = self.items(&spec);
        let Some([_, parts @ ..]) = parts.as_deref() else {
            let why = "a dotted list cannot be its use";
            return Err(bad_form(Special::SyntaxRules, why, spec.span()));
        };
        let mac = compile(name.clone(), frame, &spec, parts, &mut self.meaning())?;
        self.note_macro(parts);
        self.ex.macros.push(Rc::new(mac));
        Ok(Binding::Macro(MacroId(self.ex.macros.len() as u32 - 1)))
    }

    fn no_transformer(&self, spec: &Stx) -> Box<Diagnostic> {
        let message =
            "a keyword must be defined by `syntax-rules` or as another name for a keyword";
        Box::new(Diagnostic::error(message, spec.span()))
    }

    pub(super) fn let_syntax(&mut self, form: &Form<'_>) -> Result<Expr> {
        let Some(first) = form.parts.first() else {
            return form.bad("the bindings are missing");
        };
        let Some(items) = self.items(first) else {
            return form.bad_at("the bindings must be a list", first);
        };
        let recursive = form.special == Special::LetrecSyntax;
        self.with_locals(|cx| {
            let scope = cx.ex.scopes.fresh();
            let mut bound = Vec::with_capacity(items.len());
            for item in &items {
                let parts = cx.items(item);
                let Some([name, spec]) = parts.as_deref() else {
                    return form.bad_at("a binding is (KEYWORD TRANSFORMER)", item);
                };
                let Some(ident) = name.as_identifier() else {
                    return form.bad_at("a keyword must be an identifier", name);
                };
                let mut spec = spec.clone();
                if recursive {
                    spec = cx.add_scope(spec, scope);
                }
                bound.push((ident, spec));
            }
            let mut transformers = Vec::with_capacity(bound.len());
            if !recursive {
                for (ident, spec) in &bound {
                    transformers.push(cx.transformer(spec, &ident.name, 0)?);
                }
            }
            // The placeholder keeps an earlier meaning of the name away from the transformers.
            let placeholder = Binding::Special(Special::Underscore);
            let mut idents = Vec::with_capacity(bound.len());
            for (ident, _) in &bound {
                let scopes = cx.ex.scopes.add(ident.scopes, scope);
                let ident = Ident {
                    scopes,
                    ..ident.clone()
                };
                if !cx.ex.env.bind(&ident, placeholder, &cx.ex.scopes) {
                    let why = format!("`{}` is bound twice", ident.name);
                    return Err(bad_form(form.special, &why, ident.span));
                }
                idents.push(ident);
            }
            if recursive {
                for (ident, spec) in &bound {
                    transformers.push(cx.transformer(spec, &ident.name, 0)?);
                }
            }
            for (ident, binding) in idents.iter().zip(transformers) {
                cx.ex.env.rebind(ident, binding);
            }
            let body = cx.scoped(&form.parts[1..], scope);
            cx.expand_body(body, form, true)
        })
    }

    /// `(syntax-error MESSAGE FORM …)`
    pub(super) fn syntax_error(&mut self, form: &Form<'_>) -> Box<Diagnostic> {
        let Some((message, irritants)) = form.parts.split_first() else {
            return bad_form(form.special, "the message is missing", form.span());
        };
        let Some(text) = message.as_string() else {
            let why = "the message must be a string";
            return bad_form(form.special, why, message.span());
        };
        let mut message = text.to_string();
        for irritant in irritants {
            message.push(' ');
            message.push_str(&irritant.to_datum().to_string());
        }
        // The macro speaks for itself: where in its template it does so tells nobody anything.
        let span = Span {
            via: Via::WRITTEN,
            ..form.span()
        };
        Box::new(Diagnostic::error(message, span))
    }
}

/// The datum of a name, for messages and record types.
pub(super) fn symbol_datum(name: &Symbol, span: Span) -> Datum {
    Datum::new(DatumKind::Symbol(name.clone()), span)
}
