//! Identifiers without a binding.

use bowline_syntax::Diagnostic;

use super::suggest::nearest;
use super::{Cx, TopKind};
use crate::core::Expr;
use crate::env::{Binding, Entry, Origin};
use crate::stx::Ident;

/// After this many errors no more is looked for what may have been meant.
const SUGGESTED: usize = 20;

impl Cx<'_> {
    /// At a prompt a variable that may be defined later; an error, already reported, elsewhere.
    pub(super) fn unbound(&mut self, ident: &Ident) -> Expr {
        let module = self.ex.env.module(self.unit.module).scopes;
        let own = self.ex.scopes.is_subset(module, ident.scopes);
        if own && self.unit.kind == TopKind::Prompt {
            let id = self.fresh_global(ident.name.clone());
            let entry = Entry {
                binding: Binding::Global(id),
                origin: Origin::Defined,
                span: ident.span,
            };
            let table = self.ex.env.module_mut(self.unit.module);
            table.insert(ident.name.clone(), module, entry);
            return Expr::Global(id, ident.span);
        }
        let message = format!("unbound variable `{}`", ident.name);
        let mut error = Diagnostic::error(message, ident.span);
        if self.errors.len() < SUGGESTED {
            error.notes = self.unbound_notes(ident);
        }
        self.errors.push(error);
        Expr::unspecified(ident.span)
    }

    fn unbound_notes(&self, ident: &Ident) -> Vec<String> {
        let mut exporters: Vec<&str> = Vec::new();
        for name in &self.ex.library_names {
            let exports = self
                .ex
                .libraries
                .get(name)
                .and_then(|library| library.exports());
            if exports.is_some_and(|exports| exports.contains_key(&ident.name)) {
                exporters.push(name);
            }
        }
        // What the other libraries stand on is of no use to a program that has not imported it.
        if exporters.len() > 1 {
            exporters.retain(|name| *name != super::session::PRIMITIVES);
        }
        let standard = exporters.iter().find(|name| name.starts_with("(scheme "));
        if let Some(library) = standard.or(exporters.first()) {
            return vec![format!("{library} exports it: add (import {library})")];
        }
        let module = self.ex.env.module(self.unit.module);
        let names = self.ex.env.local_names().chain(module.names());
        match nearest(ident.name.as_str(), names.map(|name| name.as_str())) {
            Some(name) => vec![format!("did you mean `{name}`?")],
            None => Vec::new(),
        }
    }
}
