//! What expansion notes for the lints, which need to know what the core no longer says: where a
//! variable was bound and as what, which imports were used, and what the user wrote himself.
//!
//! inv:lint.written — an identifier, a call or a constant is *written* if no template of a macro
//! brought it, which its place says. Calls that a form's core makes have the form's place; so those
//! that the user wrote are noted.
//!
//! Nothing is noted unless somebody asked for it ([`super::Expander::check`]).

use bowline_syntax::{Datum, DatumKind, Diagnostic, SourceId, Span, Symbol, Via};

use super::lambda::Params;
use super::{Cx, TopKind, UnitBuilder};
use crate::core::VarId;
use crate::env::{Binding, Entry, Origin, Resolution};
use crate::fx::{FxHashMap, FxHashSet};
use crate::lint::{self, Name};
use crate::prims::GlobalId;
use crate::stx::{Ident, Stx};

/// How a local variable was bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum VarKind {
    /// By a form that gives it a value: `let`, `do`.
    Local,
    /// By a procedure, which callers give its value, or by a form that takes apart what it gets.
    Param,
    /// By a definition in a body.
    Definition,
}

/// A local variable that the user wrote.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VarNote {
    pub(crate) span: Span,
    pub(crate) kind: VarKind,
    /// The local variable that its name meant before.
    pub(crate) hides: Option<VarId>,
}

/// A definition at top level that the user wrote.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    pub(crate) name: Symbol,
    pub(crate) binding: Binding,
    pub(crate) span: Span,
    /// The form that makes several definitions, and what they make, if one did.
    pub(crate) group: Option<Group>,
}

/// A form that makes several definitions, and what it makes in all.
pub(crate) type Group = (Span, &'static str);

/// Names that came into the unit together: by an import set, or by one name of an `only`.
#[derive(Clone, Debug)]
pub(crate) struct Import {
    pub(crate) span: Span,
    pub(crate) library: std::rc::Rc<str>,
    pub(crate) names: Vec<(Symbol, Binding)>,
    /// The name, if the user chose it.
    pub(crate) only: Option<Symbol>,
}

/// The notes of one unit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes {
    /// Where the unit stands.
    pub(crate) source: Option<SourceId>,
    pub(crate) vars: FxHashMap<VarId, VarNote>,
    pub(crate) definitions: Vec<Definition>,
    pub(crate) imports: Vec<Import>,
    /// Names with what they meant where they were mentioned.
    pub(crate) used: FxHashSet<(Symbol, Binding)>,
    /// What a library exports.
    pub(crate) exported: FxHashSet<Binding>,
    /// The names in the templates and literals of the unit's macros.
    pub(crate) templates: FxHashSet<Symbol>,
    /// Calls that the user wrote (inv:lint.written).
    pub(crate) calls: FxHashSet<Span>,
    /// Where variables that stand for top-level variables were defined.
    pub(crate) places: FxHashMap<GlobalId, Span>,
    /// What was found on the way.
    pub(crate) found: Vec<Diagnostic>,
    /// The form whose definitions are being made.
    group: Option<Group>,
    /// Variables bound by the form whose body comes next.
    around: Vec<VarId>,
}

impl Notes {
    fn define(&mut self, ident: &Ident, binding: Binding) {
        self.definitions.push(Definition {
            name: ident.name.clone(),
            binding,
            span: ident.span,
            group: self.group,
        });
    }
}

/// Whether the user wrote what stands here (inv:lint.written).
pub(crate) fn is_written(span: Span) -> bool {
    !span.is_none() && span.via == Via::WRITTEN
}

/// Calls `each` with the symbols in some data.
pub(crate) fn symbols(mut queue: Vec<Datum>, mut each: impl FnMut(Symbol)) {
    while let Some(datum) = queue.pop() {
        match &datum.kind {
            DatumKind::Symbol(name) => each(name.clone()),
            DatumKind::List(items) | DatumKind::Vector(items) => {
                queue.extend(items.iter().cloned());
            }
            DatumKind::Improper(items, tail) => {
                queue.extend(items.iter().cloned());
                queue.push((**tail).clone());
            }
            _ => {}
        }
    }
}

impl Cx<'_> {
    /// A unit to fill, with room for notes if any are wanted.
    pub(super) fn new_unit(
        &self,
        kind: TopKind,
        module: crate::scope::ModuleId,
        library: Option<std::rc::Rc<str>>,
    ) -> UnitBuilder {
        let mut unit = UnitBuilder::new(kind, module, library);
        unit.notes = self.ex.env.is_noting().then(Box::default);
        unit
    }

    /// A local variable, which is about to be bound.
    pub(super) fn note_variable(&mut self, ident: &Ident, var: VarId, kind: VarKind) {
        if self.unit.notes.is_none() || !is_written(ident.span) {
            return;
        }
        let meant = self.ex.env.peek(&ident.name, ident.scopes, &self.ex.scopes);
        let Some(notes) = &mut self.unit.notes else {
            return;
        };
        let span = ident.span;
        if let Resolution::Bound(Binding::Special(_) | Binding::Macro(_)) = meant {
            let message = format!("the variable `{}` hides syntax of that name", ident.name);
            let found = lint::warning(Name::ShadowedSyntax, message, span);
            notes.found.push(found);
        }
        if kind != VarKind::Definition {
            notes.around.push(var);
        }
        // Of the parts of a record type it is enough that one is used.
        let kind = match notes.group {
            Some(_) => VarKind::Param,
            None => kind,
        };
        let hides = match meant {
            Resolution::Bound(Binding::Local(outer)) => Some(outer),
            _ => None,
        };
        notes.vars.insert(var, VarNote { span, kind, hides });
    }

    /// Variables that callers give their values.
    pub(super) fn note_params(&mut self, params: &Params) {
        let Some(notes) = &mut self.unit.notes else {
            return;
        };
        for var in params.params.iter().chain(&params.rest) {
            if let Some(note) = notes.vars.get_mut(var) {
                note.kind = VarKind::Param;
            }
        }
    }

    /// Variables that may hide others, since they are made of them.
    pub(super) fn note_made_of(&mut self, params: &Params, others: &FxHashSet<VarId>) {
        let Some(notes) = &mut self.unit.notes else {
            return;
        };
        for var in params.params.iter().chain(&params.rest) {
            if let Some(note) = notes.vars.get_mut(var) {
                note.hides = note.hides.filter(|hidden| !others.contains(hidden));
            }
        }
    }

    /// The variables of the form whose body begins.
    pub(super) fn note_body(&mut self) -> Vec<VarId> {
        match &mut self.unit.notes {
            Some(notes) => std::mem::take(&mut notes.around),
            None => Vec::new(),
        }
    }

    /// A definition in a body, whose form binds the variables `around` it.
    pub(super) fn note_local_definition(&mut self, ident: &Ident, around: &[VarId]) {
        if self.unit.notes.is_none() || !is_written(ident.span) {
            return;
        }
        let vars = &self.unit.vars;
        let Some(notes) = &mut self.unit.notes else {
            return;
        };
        let same = |var: &&VarId| vars[var.0 as usize] == ident.name;
        if let Some(note) = around.iter().find(same).and_then(|var| notes.vars.get(var)) {
            let message = format!(
                "this `{0}` hides the `{0}` of the form around it",
                ident.name
            );
            let found = lint::warning(Name::Shadowed, message, ident.span)
                .with_secondary(note.span, "which is bound here");
            notes.found.push(found);
        }
    }

    /// Definitions until the end of the form belong together.
    pub(super) fn note_group(&mut self, group: Option<Group>) {
        if let Some(notes) = &mut self.unit.notes {
            notes.group = group;
        }
    }

    /// A definition at top level, in place of what the name meant in the module before.
    pub(super) fn note_definition(
        &mut self,
        ident: &Ident,
        binding: Binding,
        previous: Option<Entry>,
    ) {
        if self.unit.notes.is_none() {
            return;
        }
        let written = is_written(ident.span);
        let names = &self.ex.library_names;
        let Some(notes) = &mut self.unit.notes else {
            return;
        };
        if let Binding::Global(id) = binding {
            notes.places.insert(id, ident.span);
        }
        if !written {
            return;
        }
        if let Some(previous) = previous {
            let (message, label) = match previous.origin {
                Origin::Defined | Origin::Mentioned => (
                    format!("`{}` is defined twice", ident.name),
                    "it is defined here first",
                ),
                Origin::Imported(library) if !names[library as usize].starts_with("(scheme ") => {
                    // A library may export more than those know who import it.
                    notes.define(ident, binding);
                    return;
                }
                Origin::Imported(library) => (
                    format!(
                        "`{}` is imported from {} and defined anew",
                        ident.name, names[library as usize]
                    ),
                    "it is imported here",
                ),
            };
            let found = lint::warning(Name::Redefined, message, ident.span)
                .with_secondary(previous.span, label);
            notes.found.push(found);
        }
        notes.define(ident, binding);
    }

    /// An import set. The names of a plain `only` are looked at one by one.
    pub(super) fn note_import(
        &mut self,
        datum: &Datum,
        library: &std::rc::Rc<str>,
        names: &[(Symbol, Binding)],
    ) {
        let Some(notes) = &mut self.unit.notes else {
            return;
        };
        let parts = datum.as_list().unwrap_or_default();
        let chosen = match parts {
            [word, set, chosen @ ..] if word.is_symbol("only") && set.as_list().is_some() => chosen,
            _ => &[],
        };
        let mut import = |span, names, only| {
            notes.imports.push(Import {
                span,
                library: std::rc::Rc::clone(library),
                names,
                only,
            });
        };
        if chosen.is_empty() {
            import(datum.span, names.to_vec(), None);
            return;
        }
        for (datum, name) in chosen.iter().zip(names) {
            import(datum.span, vec![name.clone()], Some(name.0.clone()));
        }
    }

    /// Something is exported.
    pub(super) fn note_export(&mut self, name: &Symbol, binding: Binding) {
        if let Some(notes) = &mut self.unit.notes {
            notes.exported.insert(binding);
            notes.used.insert((name.clone(), binding));
        }
    }

    /// A call.
    pub(super) fn note_call(&mut self, stx: &Stx) {
        if let Some(notes) = &mut self.unit.notes
            && is_written(stx.span())
        {
            notes.calls.insert(stx.span());
        }
    }

    /// The parts of a macro of this unit.
    pub(super) fn note_macro(&mut self, parts: &[Stx]) {
        if let Some(notes) = &mut self.unit.notes {
            let data = parts.iter().map(Stx::to_datum);
            symbols(data.collect(), |name| {
                notes.templates.insert(name);
            });
        }
    }

    /// Two keys of a `case` that are the same.
    pub(super) fn note_case_key(&mut self, seen: &mut FxHashMap<String, Span>, datum: &Datum) {
        let Some(notes) = &mut self.unit.notes else {
            return;
        };
        match seen.entry(datum.to_string()) {
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert(datum.span);
            }
            std::collections::hash_map::Entry::Occupied(first) => {
                let message = format!("`{datum}` stands among the keys of this `case` before");
                let found = lint::warning(Name::DuplicateKey, message, datum.span)
                    .with_secondary(*first.get(), "it stands here first");
                notes.found.push(found);
            }
        }
    }
}
