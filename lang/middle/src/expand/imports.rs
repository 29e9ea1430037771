//! Import sets: `only`, `except`, `prefix`, `rename`, and what they bring into a module.

use bowline_syntax::{Datum, Diagnostic, Span, Symbol};

use super::suggest::nearest;
use super::{Cx, Result, TopKind, bad_form};
use crate::env::{Binding, Entry, Origin};
use crate::special::Special;

/// What an import set brings in, in no particular order.
struct ImportSet {
    names: Vec<(Symbol, Binding)>,
    /// The library's number, and its name as written.
    library: u32,
    library_name: std::rc::Rc<str>,
}

fn bad_set<T>(why: &str, span: Span) -> Result<T> {
    Err(bad_form(Special::Import, why, span))
}

impl Cx<'_> {
    /// Brings the import sets of `(import SET …)` into the unit's module. Reports what is wrong.
    pub(super) fn import(&mut self, sets: &[Datum]) {
        for set in sets {
            if let Err(error) = self.import_one(set) {
                self.import_failed = true;
                self.report(*error);
            }
        }
    }

    fn import_one(&mut self, datum: &Datum) -> Result<()> {
        let set = self.import_set(datum)?;
        let module = self.unit.module;
        let scopes = self.ex.env.module(module).scopes;
        self.ex.env.module_mut(module).reserve(set.names.len());
        self.note_import(datum, &set.library_name, &set.names);
        for (name, binding) in set.names {
            let entry = Entry {
                binding,
                origin: Origin::Imported(set.library),
                span: datum.span,
            };
            self.note_replaced(&name, binding);
            if let Some(previous) = self.ex.env.module(module).get(&name, scopes)
                && previous.binding != binding
                && self.unit.kind != TopKind::Prompt
            {
                return Err(Box::new(self.conflict(
                    &name,
                    *previous,
                    &set.library_name,
                    datum,
                )));
            }
            self.ex.env.module_mut(module).insert(name, scopes, entry);
        }
        Ok(())
    }

    /// Remembers a variable of the prompt's whose name will mean something imported.
    fn note_replaced(&mut self, name: &Symbol, binding: Binding) {
        let module = self.ex.env.module(self.unit.module);
        if let Some(Entry {
            binding: Binding::Global(id),
            origin: Origin::Defined | Origin::Mentioned,
            ..
        }) = module.get(name, module.scopes)
            && self.unit.kind == TopKind::Prompt
        {
            self.ex.replaced.push((*id, binding));
        }
    }

    fn conflict(&self, name: &Symbol, previous: Entry, library: &str, at: &Datum) -> Diagnostic {
        let other = match previous.origin {
            Origin::Imported(other) => &self.ex.library_names[other as usize],
            Origin::Defined | Origin::Mentioned => "this file",
        };
        let message =
            format!("`{name}` is imported from {other} and, as something else, from {library}");
        Diagnostic::error(message, at.span)
            .with_secondary(previous.span, "it is imported here first")
            .with_note(format!("leave one out: (import (except {library} {name}))"))
    }

    fn import_set(&mut self, datum: &Datum) -> Result<ImportSet> {
        self.nested(datum.span, |cx| cx.import_set_here(datum))
    }

    fn import_set_here(&mut self, datum: &Datum) -> Result<ImportSet> {
        let Some(parts) = datum.as_list() else {
            return bad_set(
                "an import set is a library name or a form around one",
                datum.span,
            );
        };
        let modifier = match parts {
            [head, inner, ..] if inner.as_list().is_some() => head.as_symbol(),
            _ => None,
        };
        let args = parts.get(2..).unwrap_or_default();
        match modifier.map(Symbol::as_str) {
            Some("only") => {
                let set = self.import_set(&parts[1])?;
                self.import_only(set, args)
            }
            Some("except") => {
                let set = self.import_set(&parts[1])?;
                self.import_except(set, args)
            }
            Some("prefix") => {
                let mut set = self.import_set(&parts[1])?;
                let [prefix] = args else {
                    return bad_set("it is (prefix SET PREFIX)", datum.span);
                };
                let Some(prefix) = prefix.as_symbol() else {
                    return bad_set("a prefix is an identifier", prefix.span);
                };
                for (name, _) in &mut set.names {
                    *name = Symbol::new(&format!("{prefix}{name}"));
                }
                Ok(set)
            }
            Some("rename") => {
                let set = self.import_set(&parts[1])?;
                self.import_rename(set, args)
            }
            _ => self.import_library(datum),
        }
    }

    fn import_library(&mut self, datum: &Datum) -> Result<ImportSet> {
        let name = self.library_name(datum)?;
        let exports = self.library_exports(&name, datum.span)?;
        let names = exports
            .iter()
            .map(|(name, binding)| (name.clone(), *binding));
        Ok(ImportSet {
            names: names.collect(),
            library: self.library_number(&name),
            library_name: name,
        })
    }

    fn import_only(&mut self, mut set: ImportSet, args: &[Datum]) -> Result<ImportSet> {
        let mut kept = Vec::with_capacity(args.len());
        for arg in args {
            let index = self.find_name(&set, arg)?;
            kept.push(set.names[index].clone());
        }
        set.names = kept;
        Ok(set)
    }

    fn import_except(&mut self, mut set: ImportSet, args: &[Datum]) -> Result<ImportSet> {
        for arg in args {
            let index = self.find_name(&set, arg)?;
            set.names.swap_remove(index);
        }
        Ok(set)
    }

    fn import_rename(&mut self, mut set: ImportSet, args: &[Datum]) -> Result<ImportSet> {
        let mut renamed = Vec::with_capacity(args.len());
        for arg in args {
            let Some([from, to]) = arg.as_list() else {
                return bad_set("a renaming is (FROM TO)", arg.span);
            };
            let Some(to) = to.as_symbol() else {
                return bad_set("a renaming is (FROM TO)", arg.span);
            };
            let index = self.find_name(&set, from)?;
            renamed.push((to.clone(), set.names.swap_remove(index).1));
        }
        set.names.extend(renamed);
        Ok(set)
    }

    fn find_name(&self, set: &ImportSet, datum: &Datum) -> Result<usize> {
        let Some(name) = datum.as_symbol() else {
            return bad_set("an identifier is wanted", datum.span);
        };
        if let Some(index) = set.names.iter().position(|(other, _)| other == name) {
            return Ok(index);
        }
        let message = format!("{} does not export `{name}`", set.library_name);
        let mut error = Diagnostic::error(message, datum.span);
        let names = set.names.iter().map(|(name, _)| name.as_str());
        if let Some(near) = nearest(name.as_str(), names) {
            error = error.with_note(format!("did you mean `{near}`?"));
        }
        Err(Box::new(error))
    }
}
