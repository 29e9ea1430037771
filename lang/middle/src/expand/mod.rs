//! The expander: from data to core.
//!
//! [`Expander`] is what lasts for a session: scopes, bindings, macros, libraries. One run over a
//! program, a library or a form is a [`Cx`], which borrows it. Reading order: `session` (the
//! interface, with `prompt`), `module` (top levels), `library` and `imports`, `body` (definitions inside
//! procedures), `form` (what an expression is), then the forms themselves by family.
//!
//! Scopes are added where they can matter and nowhere else: a body without definitions makes none,
//! and since a syntax-rules template is the only source of introduced identifiers, the scope of an
//! expansion is put on those alone (inv:rules.intro).
//!
//! Absent on purpose: evaluation at expansion time, and phases.

mod binding_forms;
mod body;
mod c_names;
mod case_do;
mod check;
mod conditionals;
mod control;
mod datatype;
mod definitions;
mod elsewhere;
mod exports;
mod features;
mod foreign;
mod foreign_enum;
mod foreign_struct;
mod form;
mod imports;
mod lambda;
mod library;
mod matching;
mod module;
mod notes;
mod patterns;
mod prompt;
mod quasi;
mod record;
mod session;
mod suggest;
mod syntax_forms;
mod unbound;
mod usefulness;
mod values;

use std::rc::Rc;

use bowline_syntax::{Datum, Diagnostic, Expansions, SourceId, Span, Symbol};

use crate::core::{Defined, Expr, Unit, VarId};
use crate::effort::Effort;
use crate::env::{Binding, Env, Resolution};
use crate::fx::{FxHashMap, FxHashSet};
use crate::limits::NESTING_LIMIT;
use crate::prims::{GlobalId, Globals, Primitives};
use crate::rules::{Macro, Meaning};
use crate::scope::{ModuleId, Scope, Scopes};
use crate::special::Special;
use crate::stx::{Ident, Stx};

use datatype::{Constructor, Datatype};
use library::Library;
use notes::Notes;

pub use c_names::C_WORDS;
pub use check::Findings;
pub use exports::{Export, ExportKind, ExportOf};
pub(crate) use notes::{Definition, Notes as UnitNotes, VarKind, is_written, symbols};
pub use prompt::{Bound, BoundTo};
pub use session::{ReplEnv, SourceLoader};
pub use suggest::nearest;

/// An error is boxed: it is rare and large.
pub(crate) type Result<T> = std::result::Result<T, Box<Diagnostic>>;

/// What a session's expansions share.
pub struct Expander {
    prims: Rc<Primitives>,
    globals: Globals,
    scopes: Scopes,
    /// The module that defines each top-level variable.
    owners: Vec<ModuleId>,
    /// Procedures of finished units that nobody assigns: calls of them are wired.
    fixed: FxHashSet<GlobalId>,
    env: Env,
    macros: Vec<Rc<Macro>>,
    expansions: Rc<Expansions>,
    effort: Effort,
    libraries: FxHashMap<Rc<str>, Library>,
    /// Libraries in the order in which they were first seen; `Origin::Imported` counts them.
    library_names: Vec<Rc<str>>,
    features: Vec<Rc<str>>,
    /// The number of the last definition context.
    last_frame: u32,
    /// What the constructors of algebraic data types are bound to, and how many there are.
    constructors: FxHashMap<GlobalId, Rc<Constructor>>,
    constructor_count: usize,
    /// What the datatypes are bound to.
    datatypes: FxHashMap<GlobalId, Rc<Datatype>>,
    /// The members of C's enumerations, by what their predicates are bound to.
    foreign_enums: FxHashMap<GlobalId, Vec<(Symbol, i64)>>,
    /// Variables of prompts whose names an import has taken, with what they mean now.
    replaced: Vec<(GlobalId, Binding)>,
}

/// What kind of top level is being expanded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TopKind {
    Library,
    Program,
    /// Definitions may come later or again.
    Prompt,
}

/// The unit under construction.
pub(crate) struct UnitBuilder {
    kind: TopKind,
    module: ModuleId,
    library: Option<Rc<str>>,
    vars: Vec<Symbol>,
    globals: Vec<GlobalId>,
    /// What is defined as a procedure.
    procedures: Vec<GlobalId>,
    /// What is assigned, or defined more than once.
    redefined: FxHashSet<GlobalId>,
    /// What a form at a prompt defines under names of the module's own.
    definitions: Vec<Defined>,
    /// Local constructors of algebraic data types.
    constructors: FxHashMap<VarId, Rc<Constructor>>,
    exports: Vec<Export>,
    /// For the lints, if they are wanted.
    notes: Option<Box<Notes>>,
}

impl UnitBuilder {
    fn new(kind: TopKind, module: ModuleId, library: Option<Rc<str>>) -> Self {
        Self {
            kind,
            module,
            library,
            vars: Vec::new(),
            globals: Vec::new(),
            procedures: Vec::new(),
            redefined: FxHashSet::default(),
            definitions: Vec::new(),
            constructors: FxHashMap::default(),
            exports: Vec::new(),
            notes: None,
        }
    }

    fn finish(self, body: Vec<Expr>) -> Unit {
        let mut fixed = self.procedures;
        fixed.retain(|id| self.kind != TopKind::Prompt && !self.redefined.contains(id));
        Unit {
            library: self.library,
            vars: self.vars,
            globals: self.globals,
            fixed,
            definitions: self.definitions,
            exports: self.exports,
            body,
        }
    }
}

/// How many parts of syntax a form takes the room of, in core.
const FORM_COST: usize = 4;

/// One run of the expander.
pub(crate) struct Cx<'a> {
    ex: &'a mut Expander,
    loader: &'a mut dyn SourceLoader,
    unit: UnitBuilder,
    /// Libraries expanded on the way.
    units: Vec<Unit>,
    /// The notes of these units, if any are made.
    notes: Vec<Notes>,
    errors: Vec<Diagnostic>,
    /// Whether forms are nested too deeply, so that going on might never end.
    gave_up: bool,
    /// Whether an import failed: then what is unbound may be what it should have brought.
    import_failed: bool,
    /// Names whose definitions failed: that they are unbound is no news.
    failed: FxHashSet<Symbol>,
    /// How deep we are (inv:middle.depth).
    depth: u32,
    /// Whether a macro expands without end: what it has left behind would do so, too.
    endless: bool,
    /// The top-level form at hand, the one that stands furthest down in the text.
    form: Span,
    /// The definition context around.
    frame: u32,
    /// What the next procedure is called.
    name_hint: Option<Symbol>,
    /// How many includes lie around each included file, to notice one that includes itself.
    including: FxHashMap<SourceId, u32>,
    /// The libraries being expanded, each imported by the one before.
    loading: Vec<Rc<str>>,
    /// The libraries expanded in this run: name, form, whether a loader found it (inv:expand.all-or-nothing).
    loaded: Vec<(Rc<str>, Datum, bool)>,
}

impl<'a> Cx<'a> {
    fn new(ex: &'a mut Expander, loader: &'a mut dyn SourceLoader, unit: UnitBuilder) -> Self {
        Self {
            ex,
            loader,
            unit,
            units: Vec::new(),
            notes: Vec::new(),
            errors: Vec::new(),
            gave_up: false,
            import_failed: false,
            failed: FxHashSet::default(),
            depth: 0,
            endless: false,
            form: Span::NONE,
            frame: 0,
            name_hint: None,
            including: FxHashMap::default(),
            loading: Vec::new(),
            loaded: Vec::new(),
        }
    }

    fn report(&mut self, error: Diagnostic) {
        self.errors.push(error);
    }

    /// The outcome of a form; when that is an error it is reported, so that the forms around are
    /// looked at, too. The units that come of it are never seen (inv:expand.all-or-nothing).
    fn recovered(&mut self, outcome: Result<Expr>, span: Span) -> Result<Expr> {
        match outcome {
            Err(error) if !self.gave_up && !self.endless && !self.ex.effort.is_spent() => {
                self.report(*error);
                Ok(Expr::unspecified(span))
            }
            outcome => outcome,
        }
    }

    /// Runs `body` one level deeper.
    fn nested<T>(&mut self, span: Span, body: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.deeper(1, span, body)
    }

    /// Runs `body` as many levels deeper as expansion took steps.
    fn deeper<T>(
        &mut self,
        steps: usize,
        span: Span,
        body: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        self.levels(steps, span, "the uses of macros around count, too", body)
    }

    /// Runs `body` for a form whose core nests so many parts where the source does not.
    fn chain<T>(
        &mut self,
        parts: usize,
        span: Span,
        body: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        let note = "each variable or clause of a form counts as a form around the next one";
        self.levels(parts, span, note, body)
    }

    /// Runs `body` for a form that binds so many variables, one inside the other in core. The form
    /// itself counts for the first.
    fn binding<T>(
        &mut self,
        vars: usize,
        span: Span,
        body: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        self.chain(vars.saturating_sub(1), span, body)
    }

    fn levels<T>(
        &mut self,
        levels: usize,
        span: Span,
        note: &str,
        body: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        let before = self.depth;
        self.depth = before.saturating_add(u32::try_from(levels).unwrap_or(u32::MAX));
        if self.depth > NESTING_LIMIT {
            self.depth = before;
            self.gave_up = true;
            if let Some(error) = self.endless(span) {
                return Err(Box::new(error));
            }
            let message = format!("forms are nested more than {NESTING_LIMIT} deep here");
            return Err(Box::new(Diagnostic::error(message, span).with_note(note)));
        }
        let result = body(self);
        self.depth = before;
        result
    }

    /// The error for what goes too deep because a macro expands into its own use.
    fn endless(&mut self, span: Span) -> Option<Diagnostic> {
        let expansions = &self.ex.expansions;
        if expansions.depth(span.via) < NESTING_LIMIT / 4 {
            return None;
        }
        let step = expansions.steps(span.via, 1).pop()?;
        self.endless = true;
        let message = format!("the expansion of the macro `{}` does not end", step.name);
        let note = "what it expands to contains a further use, thousands deep";
        Some(Diagnostic::error(message, span).with_note(note))
    }

    /// Begins to count anew if this form stands further down in the text than all before: one that a macro has
    /// repeated does not.
    fn begin_form(&mut self, span: Span) {
        if span.source != self.form.source || span.start > self.form.start {
            self.form = span;
            self.ex.effort.begin_form();
        }
    }

    /// Counts a form that a macro has brought: it may be there as often as its parts are shared.
    fn count(&self, span: Span) -> Result<()> {
        if span.via.is_written() {
            return Ok(());
        }
        let who = || match self.ex.expansions.steps(span.via, 1).pop() {
            Some(step) => format!("the expansion of the macro `{}`", step.name),
            None => "this form".to_string(),
        };
        (0..FORM_COST).try_for_each(|_| self.ex.effort.part(who, span))
    }

    fn fresh_var(&mut self, name: Symbol) -> VarId {
        self.unit.vars.push(name);
        VarId(self.unit.vars.len() as u32 - 1)
    }

    fn fresh_global(&mut self, name: Symbol) -> GlobalId {
        let id = self.ex.globals.add(name);
        self.ex.owners.push(self.unit.module);
        self.unit.globals.push(id);
        id
    }

    fn fresh_frame(&mut self) -> u32 {
        self.ex.last_frame += 1;
        self.ex.last_frame
    }

    fn items(&mut self, stx: &Stx) -> Option<Vec<Stx>> {
        stx.items(&mut self.ex.scopes)
    }

    fn add_scope(&mut self, stx: Stx, scope: Scope) -> Stx {
        stx.add_scope(scope, &mut self.ex.scopes)
    }

    fn scoped(&mut self, items: &[Stx], scope: Scope) -> Vec<Stx> {
        let add = |stx: &Stx| stx.clone().add_scope(scope, &mut self.ex.scopes);
        items.iter().map(add).collect()
    }

    /// What an identifier means; an ambiguous one is an error.
    fn resolve(&mut self, ident: &Ident) -> Result<Option<Binding>> {
        match self
            .ex
            .env
            .resolve(&ident.name, ident.scopes, &self.ex.scopes)
        {
            Resolution::Bound(binding) => Ok(Some(binding)),
            Resolution::Unbound => Ok(None),
            Resolution::Ambiguous => Err(Box::new(
                Diagnostic::error(format!("`{}` is ambiguous here", ident.name), ident.span)
                    .with_note("a macro mixes several variables of this name"),
            )),
        }
    }

    /// What the identifier at the head of a form means.
    fn head_binding(&mut self, stx: &Stx) -> Result<Option<Binding>> {
        let head = stx.head(&mut self.ex.scopes);
        match head.and_then(|head| head.as_identifier()) {
            Some(ident) => self.resolve(&ident),
            None => Ok(None),
        }
    }

    /// Whether this is the auxiliary keyword, or an unbound identifier of its name.
    fn is_auxiliary(&mut self, stx: &Stx, special: Special) -> bool {
        let Some(name) = stx.name() else {
            return false;
        };
        match self.ex.env.resolve(name, stx.scopes(), &self.ex.scopes) {
            Resolution::Bound(binding) => binding == Binding::Special(special),
            Resolution::Unbound => name == special.name(),
            Resolution::Ambiguous => false,
        }
    }

    fn meaning(&mut self) -> Meaning<'_> {
        Meaning {
            env: &self.ex.env,
            scopes: &mut self.ex.scopes,
            expansions: &self.ex.expansions,
            effort: &self.ex.effort,
        }
    }

    /// A primitive that a form's core needs.
    fn primitive(&self, name: &str, span: Span) -> Result<Expr> {
        match self.ex.prims.find(name) {
            Some(id) => Ok(Expr::Primitive(id, span)),
            None => Err(Box::new(Diagnostic::error(
                format!("this form needs the primitive `{name}`, which this system lacks"),
                span,
            ))),
        }
    }

    fn call_primitive(&self, name: &str, args: Vec<Expr>, span: Span) -> Result<Expr> {
        Ok(Expr::call(self.primitive(name, span)?, args, span))
    }
}

/// An error that a form is not what it should look like.
pub(crate) fn bad_form(special: Special, why: &str, span: Span) -> Box<Diagnostic> {
    let message = format!("bad `{}`: {why}", special.name());
    let note = format!("it looks like {}", special.shape());
    Box::new(Diagnostic::error(message, span).with_note(note))
}

/// An error without anything further.
pub(crate) fn error(message: impl Into<String>, span: Span) -> Box<Diagnostic> {
    Box::new(Diagnostic::error(message, span))
}
