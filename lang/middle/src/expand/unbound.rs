//! Identifiers without a binding.

use std::collections::BTreeSet;

use bowline_syntax::{Datum, Diagnostic, Symbol, read_all};

use super::elsewhere;
use super::library::Library;
use super::session::PRIMITIVES;
use super::suggest::nearest;
use super::{Cx, TopKind};
use crate::core::Expr;
use crate::env::{Binding, Entry, Origin};
use crate::special::Special;
use crate::stx::{Ident, Stx};

/// The name of these errors.
pub(super) const CODE: &str = "unbound-variable";

/// After this many errors no more is looked for what may have been meant.
const SUGGESTED: usize = 20;

/// Libraries that the public ones stand on, and that no program is told to import.
const INTERNAL: &[&str] = &[
    PRIMITIVES,
    "(bowline core)",
    "(bowline ports)",
    "(bowline support)",
];

/// Whether a library is one that no program is told to import.
pub(super) fn is_internal(library: &str) -> bool {
    INTERNAL.contains(&library)
}

impl Cx<'_> {
    /// At a prompt a variable that may be defined later; an error, already reported, elsewhere.
    pub(super) fn unbound(&mut self, ident: &Ident) -> Expr {
        let module = self.ex.env.module(self.unit.module).scopes;
        let own = self.ex.scopes.is_subset(module, ident.scopes);
        if own && self.unit.kind == TopKind::Prompt {
            let id = self.fresh_global(ident.name.clone());
            let entry = Entry {
                binding: Binding::Global(id),
                origin: Origin::Mentioned,
                span: ident.span,
            };
            let table = self.ex.env.module_mut(self.unit.module);
            table.insert(ident.name.clone(), module, entry);
            return Expr::Global(id, ident.span);
        }
        if self.import_failed || self.failed.contains(&ident.name) {
            return Expr::unspecified(ident.span);
        }
        let error = self.unbound_error(ident);
        self.errors.push(error);
        Expr::unspecified(ident.span)
    }

    fn unbound_error(&mut self, ident: &Ident) -> Diagnostic {
        let message = format!("unbound variable `{}`", ident.name);
        let mut error = Diagnostic::error(message, ident.span).with_code(CODE);
        if self.errors.len() < SUGGESTED {
            error.notes = self.unbound_notes(ident);
        }
        error
    }

    /// The error for an unbound head of a form that seems to be meant for syntax: then nothing is to
    /// be said about what follows, which is no expressions. At a prompt all may be defined later.
    pub(super) fn misspelt_keyword(&mut self, form: &[Stx]) -> Option<Box<Diagnostic>> {
        let ident = form.first()?.as_identifier()?;
        let silent = self.import_failed || self.failed.contains(&ident.name);
        if silent || self.unit.kind == TopKind::Prompt || self.errors.len() >= SUGGESTED {
            return None;
        }
        if elsewhere::defines(ident.name.as_str()) {
            self.failed
                .extend(form.get(1).and_then(|defined| defined.name().cloned()));
            return Some(Box::new(self.unbound_error(&ident)));
        }
        let syntax = |name: &str| {
            let mut all = Special::ALL
                .iter()
                .filter(|special| !special.is_auxiliary());
            all.find(|special| special.name() == name).copied()
        };
        let special = syntax(ident.name.as_str());
        let special = special.or_else(|| syntax(&self.near_name(&ident.name)?))?;
        if special.is_definition()
            && let Some(defined) = form.get(1)
        {
            let head = defined.head(&mut self.ex.scopes);
            let name = head.as_ref().unwrap_or(defined).name().cloned();
            self.failed.extend(name);
        }
        Some(Box::new(self.unbound_error(&ident)))
    }

    /// The visible name nearest to one, of those that mean something.
    fn near_name(&self, name: &Symbol) -> Option<String> {
        let module = self.ex.env.module(self.unit.module).entries();
        let known = module.filter(|(_, entry)| entry.origin != Origin::Mentioned);
        let names = self.ex.env.local_names().chain(known.map(|(name, _)| name));
        nearest(name.as_str(), names.map(|name| name.as_str()))
    }

    pub(super) fn unbound_notes(&mut self, ident: &Ident) -> Vec<String> {
        if let Some(note) = elsewhere::name(ident.name.as_str()) {
            return vec![note.into()];
        }
        if let Some(library) = self.exporter(&ident.name) {
            return vec![format!("{library} exports it: add (import {library})")];
        }
        match self.near_name(&ident.name) {
            Some(name) => vec![format!("did you mean `{name}`?")],
            None => Vec::new(),
        }
    }

    /// The public library to import for a name: a standard one if there is one, and that of the
    /// older standard, which repeats the others' names, only if no other has it.
    fn exporter(&mut self, name: &Symbol) -> Option<String> {
        let mut known = self.loader.known_libraries();
        known.extend(self.ex.libraries.keys().map(|library| library.to_string()));
        let rank = |library: String| {
            let standard = library.starts_with("(scheme ");
            (!standard, library == "(scheme r5rs)", library)
        };
        let public = known
            .into_iter()
            .filter(|library| !INTERNAL.contains(&library.as_str()));
        let ranked: BTreeSet<_> = public.map(rank).collect();
        let mut libraries = ranked.into_iter().map(|(_, _, library)| library);
        libraries.find(|library| self.does_export(library, name))
    }

    /// Whether a library exports a name, as far as that can be told without expanding it.
    fn does_export(&mut self, library: &str, name: &Symbol) -> bool {
        match self.ex.libraries.get(library) {
            Some(Library::Ready(exports)) => exports.contains_key(name),
            Some(Library::Declared { form, .. }) => lists(form, library, name),
            Some(Library::Loading) => false,
            None => {
                let source = self.loader.library(&Self::name_parts(library));
                source.is_some_and(|(id, text)| {
                    let (forms, _) = read_all(id, &text);
                    forms.iter().any(|form| lists(form, library, name))
                })
            }
        }
    }
}

/// Whether a form is the definition of this library and has the name in an `export`.
fn lists(form: &Datum, library: &str, name: &Symbol) -> bool {
    let Some([head, defined, declarations @ ..]) = form.as_list() else {
        return false;
    };
    let exports = |spec: &Datum| match spec.as_list() {
        Some([_, _, outside]) => outside.as_symbol() == Some(name),
        _ => spec.as_symbol() == Some(name),
    };
    head.is_symbol("define-library")
        && defined.to_string() == library
        && declarations
            .iter()
            .any(|declaration| match declaration.as_list() {
                Some([word, specs @ ..]) => word.is_symbol("export") && specs.iter().any(exports),
                _ => false,
            })
}
