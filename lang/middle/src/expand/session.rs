//! The interface of the expander.
//!
//! inv:expand.all-or-nothing — a run that reports errors returns no units, and the libraries it
//! expanded on the way will be expanded again: every unit that is returned was
//! expanded after all that it uses had been returned.

use std::rc::Rc;

use bowline_syntax::{Datum, Diagnostic, Expansions, Severity, SourceId, Span, Symbol};

use super::library::{Exports, Library};
use super::{Cx, Expander, TopKind, UnitBuilder};
use crate::core::{Expr, Unit};
use crate::effort::Effort;
use crate::env::{Binding, Env, Used};
use crate::fx::{FxHashMap, FxHashSet};
use crate::prims::{Globals, PrimitiveInfo, Primitives};
use crate::scope::{ModuleId, ScopeSet, Scopes};
use crate::special::Special;
use crate::stx::{Ident, Stx};

/// The library of all primitives and all syntax.
pub(super) const PRIMITIVES: &str = "(bowline primitives)";

const FEATURES: &[&str] = &[
    "r7rs",
    "exact-closed",
    "exact-rational",
    "ieee-float",
    "full-unicode",
    "ratios",
    "bowline",
];

/// Where the expander gets text from.
pub trait SourceLoader {
    /// The source of the library with these name parts.
    fn library(&mut self, name: &[String]) -> Option<(SourceId, String)>;

    /// Whether there is such a library.
    fn has_library(&mut self, name: &[String]) -> bool {
        self.library(name).is_some()
    }

    /// The text of a file that a form in source `from` includes, or why there is none.
    fn include(&mut self, path: &str, from: SourceId) -> Result<(SourceId, String), String>;

    /// The names of all libraries, as `(scheme base)`, for suggestions.
    fn known_libraries(&self) -> Vec<String> {
        Vec::new()
    }
}

/// An interaction environment: top-level bindings that grow form by form.
#[derive(Clone, Copy, Debug)]
pub struct ReplEnv {
    pub(super) module: ModuleId,
}

/// Errors in the order of their places, each once: a macro may repeat a part of its use, with what
/// is wrong in it.
pub(super) fn sorted(mut errors: Vec<Diagnostic>) -> Vec<Diagnostic> {
    errors.sort_by_key(|error| (error.primary.source.0, error.primary.start));
    errors.dedup();
    errors
}

type Outcome = Result<Vec<Unit>, Vec<Diagnostic>>;

impl Expander {
    /// An expander with these primitives; a primitive's number is its place in the list.
    pub fn new(prims: Vec<PrimitiveInfo>) -> Self {
        let prims = Rc::new(Primitives::new(prims));
        let mut exports = Exports::default();
        for (id, info) in prims.iter() {
            let name = Symbol::new(info.name);
            exports.entry(name).or_insert(Binding::Primitive(id));
        }
        for &special in Special::ALL {
            exports.insert(Symbol::new(special.name()), Binding::Special(special));
        }
        let name: Rc<str> = Rc::from(PRIMITIVES);
        let mut libraries = FxHashMap::default();
        libraries.insert(Rc::clone(&name), Library::Ready(Rc::new(exports)));
        Self {
            prims,
            globals: Globals::default(),
            owners: Vec::new(),
            fixed: FxHashSet::default(),
            scopes: Scopes::new(),
            env: Env::new(),
            macros: Vec::new(),
            expansions: Rc::default(),
            effort: Effort::default(),
            libraries,
            library_names: vec![name],
            features: FEATURES.iter().map(|&feature| Rc::from(feature)).collect(),
            last_frame: 0,
            constructors: FxHashMap::default(),
            constructor_count: 0,
            datatypes: FxHashMap::default(),
            foreign_enums: FxHashMap::default(),
            replaced: Vec::new(),
        }
    }

    /// Macros are expanded no further when `stop` says so: then an expansion fails.
    pub fn stop_when(&mut self, stop: Box<dyn Fn() -> bool>) {
        self.effort.stop_when(stop);
    }

    /// Adds a feature for `cond-expand`, the system's name for instance.
    pub fn add_feature(&mut self, feature: &str) {
        self.features.push(Rc::from(feature));
    }

    /// The features of `cond-expand`.
    pub fn features(&self) -> &[Rc<str>] {
        &self.features
    }

    /// The primitives.
    pub fn primitives(&self) -> &Rc<Primitives> {
        &self.prims
    }

    /// Through which macros the code of every unit came.
    pub fn expansions(&self) -> &Rc<Expansions> {
        &self.expansions
    }

    /// All top-level variables so far.
    pub fn globals(&self) -> &Globals {
        &self.globals
    }

    /// The top-level variable that a library exports under a name, if the library was expanded and
    /// does so.
    pub fn exported_global(&self, library: &str, name: &str) -> Option<crate::GlobalId> {
        let exports = self.libraries.get(library)?.exports()?;
        match exports.get(&Symbol::new(name))? {
            Binding::Global(id) => Some(*id),
            _ => None,
        }
    }

    /// The names that a library exports, sorted, if it was expanded.
    pub fn exported_names(&self, library: &str) -> Option<Vec<Symbol>> {
        let exports = self.libraries.get(library)?.exports()?;
        let mut names: Vec<Symbol> = exports.keys().cloned().collect();
        names.sort();
        Some(names)
    }

    /// Runs `body` with a fresh unit and finishes it.
    fn run(
        &mut self,
        kind: TopKind,
        module: ModuleId,
        sources: &mut dyn SourceLoader,
        body: impl FnOnce(&mut Cx<'_>) -> Option<Vec<Expr>>,
    ) -> Outcome {
        self.effort.begin();
        let mut cx = Cx::new(self, sources, UnitBuilder::new(kind, module, None));
        let body = body(&mut cx);
        let failure = cx.ex.effort.take_failure();
        let given_up = failure.is_some();
        if let Some(failure) = failure {
            // All else that was found follows from it.
            cx.errors = vec![failure];
        }
        let unit = std::mem::replace(&mut cx.unit, UnitBuilder::new(kind, module, None));
        if let Some(body) = body {
            cx.finish_unit(unit, body);
        }
        let Cx {
            ex,
            units,
            errors,
            loaded,
            ..
        } = cx;
        let errors = sorted(errors);
        if !given_up && !errors.iter().any(|error| error.severity == Severity::Error) {
            return Ok(units);
        }
        for (name, form, loaded) in loaded {
            if loaded {
                // Its source may be mended meanwhile.
                ex.libraries.remove(&name);
            } else {
                ex.libraries
                    .insert(name, Library::Declared { form, loaded });
            }
        }
        Err(errors)
    }

    /// Expands a program: `define-library` forms and imports, then the body. The units come in
    /// the order in which they must run; libraries that ran before are not among them.
    pub fn expand_program(&mut self, forms: &[Datum], sources: &mut dyn SourceLoader) -> Outcome {
        let module = self.env.add_module(&mut self.scopes);
        self.run(TopKind::Program, module, sources, |cx| {
            let body = cx.program_header(forms);
            let scopes = cx.ex.env.module(module).scopes;
            let stx = |datum: &Datum| Stx::new(datum.clone(), scopes);
            let body = body.iter().map(stx).collect();
            Some(cx.expand_top(body))
        })
    }

    /// As [`Self::expand_program`], with the libraries that the text defines although nobody imports them.
    pub fn expand_whole(&mut self, forms: &[Datum], sources: &mut dyn SourceLoader) -> Outcome {
        let module = self.env.add_module(&mut self.scopes);
        self.run(TopKind::Program, module, sources, |cx| {
            let body = cx.program_header(forms);
            for form in forms {
                cx.check_library(form);
            }
            let scopes = cx.ex.env.module(module).scopes;
            let stx = |datum: &Datum| Stx::new(datum.clone(), scopes);
            let body = body.iter().map(stx).collect();
            Some(cx.expand_top(body))
        })
    }

    /// Expands a library, and all that it imports, as if a program imported it.
    pub fn expand_library(&mut self, name: &str, sources: &mut dyn SourceLoader) -> Outcome {
        let module = self.env.add_module(&mut self.scopes);
        self.run(TopKind::Program, module, sources, |cx| {
            if let Err(error) = cx.library_exports(&Rc::from(name), Span::NONE) {
                cx.report(*error);
            }
            None
        })
    }

    /// Notes a `define-library` form for when it is imported.
    pub fn define_library(
        &mut self,
        form: &Datum,
        sources: &mut dyn SourceLoader,
    ) -> Result<(), Vec<Diagnostic>> {
        let module = self.env.add_module(&mut self.scopes);
        self.run(TopKind::Prompt, module, sources, |cx| {
            if let Err(error) = cx.declare_library(form, false) {
                cx.report(*error);
            }
            None
        })
        .map(|_| ())
    }

    /// A new interaction environment, in which nothing is bound but `import` is understood.
    pub fn new_repl_env(&mut self) -> ReplEnv {
        ReplEnv {
            module: self.env.add_module(&mut self.scopes),
        }
    }

    /// Imports sets such as `(scheme base)` into an interaction environment.
    pub fn import(
        &mut self,
        env: ReplEnv,
        sets: &[Datum],
        sources: &mut dyn SourceLoader,
    ) -> Outcome {
        self.run(TopKind::Prompt, env.module, sources, |cx| {
            cx.import(sets);
            None
        })
    }

    /// What may have been meant by a name that has no value in an interaction environment.
    pub fn advice(
        &mut self,
        name: &str,
        env: ReplEnv,
        sources: &mut dyn SourceLoader,
    ) -> Vec<String> {
        let unit = UnitBuilder::new(TopKind::Prompt, env.module, None);
        let mut cx = Cx::new(self, sources, unit);
        cx.unbound_notes(&Ident {
            name: Symbol::new(name),
            scopes: ScopeSet::EMPTY,
            span: Span::NONE,
        })
    }

    /// Expands one form in an interaction environment: an import, a `define-library`, a definition
    /// or an expression. Variables may be defined again, and used before they are defined.
    pub fn expand_repl(
        &mut self,
        form: &Datum,
        env: ReplEnv,
        sources: &mut dyn SourceLoader,
    ) -> Outcome {
        self.run(TopKind::Prompt, env.module, sources, |cx| {
            let scopes = cx.ex.env.module(env.module).scopes;
            let stx = Stx::new(form.clone(), scopes);
            match cx.header_word(&stx) {
                Some(Special::Import) => {
                    cx.import(&form.as_list().unwrap_or_default()[1..]);
                    None
                }
                Some(Special::DefineLibrary) => {
                    if let Err(error) = cx.declare_library(form, false) {
                        cx.report(*error);
                    }
                    None
                }
                _ => Some(cx.expand_top(vec![stx])),
            }
        })
    }
}

impl Cx<'_> {
    /// `import` or `define-library` at the head of a form, by binding or, unbound, by name.
    pub(super) fn header_word(&mut self, stx: &Stx) -> Option<Special> {
        let head = stx.head(&mut self.ex.scopes)?;
        [Special::Import, Special::DefineLibrary]
            .into_iter()
            .find(|&special| self.is_auxiliary(&head, special))
    }

    /// The error that such a form stands where none may.
    pub(super) fn misplaced(&self, special: Special, span: Span) -> Box<Diagnostic> {
        let name = special.name();
        let message = match self.unit.kind {
            TopKind::Program => format!("`{name}` must stand at the beginning of the program"),
            TopKind::Prompt => format!("`{name}` may stand at the top level only"),
            TopKind::Library => format!("`{name}` cannot stand in the body of a library"),
        };
        let error = Diagnostic::error(message, span);
        Box::new(match (self.unit.kind, special) {
            (TopKind::Program, Special::DefineLibrary) => {
                error.with_note("libraries come first, then the imports, then everything else")
            }
            _ => error,
        })
    }

    /// Takes the libraries and imports at the beginning of a program; gives the rest.
    pub(super) fn program_header<'f>(&mut self, forms: &'f [Datum]) -> &'f [Datum] {
        let scopes = self.ex.env.module(self.unit.module).scopes;
        let mut imported = false;
        let mut at = 0;
        for form in forms {
            let stx = Stx::new(form.clone(), scopes);
            match self.header_word(&stx) {
                Some(Special::Import) => {
                    imported = true;
                    self.import(&form.as_list().unwrap_or_default()[1..]);
                }
                Some(Special::DefineLibrary) if !imported => {
                    if let Err(error) = self.declare_library(form, false) {
                        self.report(*error);
                    }
                }
                _ => break,
            }
            at += 1;
        }
        if !imported && at < forms.len() {
            let error = Diagnostic::error("the program imports nothing", forms[at].span)
                .with_note("a program begins with its imports, for instance")
                .with_note("(import (scheme base) (scheme write))");
            self.errors.push(error);
            return &[];
        }
        &forms[at..]
    }

    /// Closes a unit.
    pub(super) fn finish_unit(&mut self, mut unit: UnitBuilder, body: Vec<Expr>) {
        if let Some(mut notes) = unit.notes.take() {
            notes.used.extend(self.ex.env.swap_used(Used::default()));
            self.notes.push(*notes);
        }
        let unit = unit.finish(body);
        self.ex.fixed.extend(unit.fixed.iter().copied());
        self.units.push(unit);
    }
}
