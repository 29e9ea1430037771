//! What a prompt asks about its environment: what is bound there, to what, and by whom.
//!
//! A name that was only mentioned is bound, too, to a variable that its definition will set; whether
//! it has a value the engine knows.
//!
//! Absent on purpose: values.

use std::rc::Rc;

use bowline_syntax::{Datum, Diagnostic, Span, Symbol};

use super::session::{ReplEnv, SourceLoader};
use super::unbound::is_internal;
use super::{Cx, Expander, TopKind, UnitBuilder};
use crate::core::{Defined, Unit};
use crate::env::{Binding, Entry, Origin};
use crate::prims::{GlobalId, PrimitiveId};
use crate::stx::Stx;

/// What a name means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BoundTo {
    /// A form or an auxiliary keyword that the expander knows.
    Syntax,
    /// A macro.
    Macro,
    /// A variable.
    Variable(GlobalId),
    /// A primitive.
    Primitive(PrimitiveId),
}

/// A name that is bound in an interaction environment.
#[derive(Clone, Debug)]
pub struct Bound {
    /// The name.
    pub name: Symbol,
    /// What it means.
    pub meaning: BoundTo,
    /// The library that it was imported from; `None` for what was defined at the prompt.
    pub library: Option<Rc<str>>,
    /// Whether it was only mentioned, and nothing has defined it.
    pub mentioned: bool,
    /// Where it was defined, imported, or mentioned first.
    pub span: Span,
}

fn meaning(binding: Binding) -> Option<BoundTo> {
    Some(match binding {
        Binding::Special(_) => BoundTo::Syntax,
        Binding::Macro(_) => BoundTo::Macro,
        Binding::Global(id) => BoundTo::Variable(id),
        Binding::Primitive(id) => BoundTo::Primitive(id),
        Binding::Local(_) => return None,
    })
}

impl Expander {
    fn known(&self, name: &Symbol, entry: &Entry) -> Option<Bound> {
        let meaning = meaning(entry.binding)?;
        let library = match entry.origin {
            Origin::Defined | Origin::Mentioned => None,
            Origin::Imported(number) => self.library_names.get(number as usize).cloned(),
        };
        Some(Bound {
            name: name.clone(),
            meaning,
            library,
            mentioned: entry.origin == Origin::Mentioned,
            span: entry.span,
        })
    }

    /// What a name means in an interaction environment.
    pub fn bound(&self, env: ReplEnv, name: &str) -> Option<Bound> {
        let name = Symbol::new(name);
        let module = self.env.module(env.module);
        self.known(&name, module.get(&name, module.scopes)?)
    }

    /// Every name of an interaction environment, sorted.
    pub fn all_bound(&self, env: ReplEnv) -> Vec<Bound> {
        let entries = self.env.module(env.module).entries();
        let mut all: Vec<_> = entries
            .filter_map(|(name, entry)| self.known(name, entry))
            .collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// Variables of prompts whose names were taken by imports since this was asked last, with what the
    /// names mean now. What was compiled before still refers to the variables.
    pub fn take_replaced(&mut self) -> Vec<(GlobalId, BoundTo)> {
        let replaced = std::mem::take(&mut self.replaced);
        let meant = |(id, binding)| Some((id, meaning(binding)?));
        replaced.into_iter().filter_map(meant).collect()
    }

    /// The names of all libraries that can be imported, sorted.
    pub fn library_names(&self, sources: &dyn SourceLoader) -> Vec<String> {
        let mut names = sources.known_libraries();
        let declared = self.libraries.keys().map(|name| name.to_string());
        names.extend(declared.filter(|name| !is_internal(name)));
        names.retain(|name| !is_internal(name));
        names.sort();
        names.dedup();
        names
    }

    /// The variable that a definition of `name` in an interaction environment sets. It counts as
    /// defined.
    pub fn define(&mut self, env: ReplEnv, name: &str) -> GlobalId {
        let bound = self
            .bound(env, name)
            .filter(|bound| bound.library.is_none());
        let id = match bound.map(|bound| bound.meaning) {
            Some(BoundTo::Variable(id)) => id,
            _ => {
                self.owners.push(env.module);
                self.globals.add(Symbol::new(name))
            }
        };
        let name = Symbol::new(name);
        let entry = Entry {
            binding: Binding::Global(id),
            origin: Origin::Defined,
            span: Span::NONE,
        };
        let module = self.env.module_mut(env.module);
        let scopes = module.scopes;
        module.insert(name, scopes, entry);
        id
    }

    /// Notes that a definition of a unit's was carried out.
    pub fn defined(&mut self, env: ReplEnv, definition: &Defined) {
        let module = self.env.module_mut(env.module);
        let scopes = module.scopes;
        let binding = Binding::Global(definition.variable);
        let entry = module.get(&definition.name, scopes);
        if entry.is_some_and(|entry| entry.binding == binding) {
            let entry = Entry {
                binding,
                origin: Origin::Defined,
                span: definition.span,
            };
            module.insert(definition.name.clone(), scopes, entry);
        }
    }

    /// Forgets a library whose unit was returned and could not be run; it is expanded again when
    /// something imports it. One that no loader finds is gone.
    pub fn forget_library(&mut self, name: &str) {
        self.libraries.remove(name);
    }

    /// Expands a form as [`Expander::expand_repl`] does, and forgets what it would define.
    pub fn preview(
        &mut self,
        form: &Datum,
        env: ReplEnv,
        sources: &mut dyn SourceLoader,
    ) -> Result<Vec<Unit>, Vec<Diagnostic>> {
        let before = self.env.module(env.module).clone();
        let units = self.expand_repl(form, env, sources);
        *self.env.module_mut(env.module) = before;
        units
    }

    /// What the use of a macro stands for after one step; `None` if the form is no use of one.
    pub fn expand_step(
        &mut self,
        form: &Datum,
        env: ReplEnv,
        sources: &mut dyn SourceLoader,
    ) -> Result<Option<Datum>, Vec<Diagnostic>> {
        self.effort.begin();
        let scopes = self.env.module(env.module).scopes;
        let unit = UnitBuilder::new(TopKind::Prompt, env.module, None);
        let mut cx = Cx::new(self, sources, unit);
        let stx = Stx::new(form.clone(), scopes);
        let step = cx.head_binding(&stx).and_then(|binding| match binding {
            Some(Binding::Macro(id)) => cx.expand_macro(id, &stx).map(Some),
            _ => Ok(None),
        });
        match step {
            Ok(step) => Ok(step.map(|stx| stx.to_datum())),
            Err(error) => Err(vec![*error]),
        }
    }
}
