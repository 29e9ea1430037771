//! Libraries: names, finding them, `define-library` and what it exports.
//!
//! A library is expanded once, when something imports it for the first time, and its unit comes
//! before the unit of whatever imports it.

use std::rc::Rc;

use bowline_syntax::{Datum, DatumKind, Diagnostic, Number, Span, Symbol, read_all};

use super::elsewhere;
use super::form::Form;
use super::suggest::{nearest, nearest_library};
use super::{Cx, Result, TopKind, bad_form};
use crate::env::{Binding, Used};
use crate::fx::FxHashMap;
use crate::special::Special;
use crate::stx::Stx;

/// What a library exports.
pub(super) type Exports = FxHashMap<Symbol, Binding>;

/// What is known of a library.
pub(super) enum Library {
    /// Its `define-library` form was seen, in a source from the loader or elsewhere.
    Declared { form: Datum, loaded: bool },
    /// It is being expanded.
    Loading,
    /// It was expanded.
    Ready(Rc<Exports>),
}

impl Library {
    pub(super) fn exports(&self) -> Option<&Exports> {
        match self {
            Self::Ready(exports) => Some(exports),
            _ => None,
        }
    }
}

/// The declarations of a library, sorted.
#[derive(Default)]
struct Declarations {
    imports: Vec<Datum>,
    exports: Vec<Datum>,
    body: Vec<Stx>,
}

impl Cx<'_> {
    /// The canonical text of a library name.
    pub(super) fn library_name(&self, datum: &Datum) -> Result<Rc<str>> {
        let parts = datum.as_list().unwrap_or_default();
        let part = |part: &Datum| match &part.kind {
            DatumKind::Symbol(_) => true,
            DatumKind::Number(Number::Fixnum(n)) => *n >= 0,
            _ => false,
        };
        if parts.is_empty() || !parts.iter().all(part) {
            let message = "a library name is a list of identifiers and numbers";
            let mut error = Diagnostic::error(message, datum.span);
            error
                .notes
                .extend(elsewhere::library(&datum.to_string()).map(String::from));
            return Err(Box::new(error));
        }
        Ok(Rc::from(datum.to_string()))
    }

    /// The parts of a canonical name, for the loader.
    pub(super) fn name_parts(name: &str) -> Vec<String> {
        let inner = name.trim_start_matches('(').trim_end_matches(')');
        inner.split(' ').map(str::to_owned).collect()
    }

    /// A library's number in `Origin::Imported`.
    pub(super) fn library_number(&mut self, name: &Rc<str>) -> u32 {
        let names = &mut self.ex.library_names;
        let index = names.iter().position(|other| other == name);
        index.unwrap_or_else(|| {
            names.push(Rc::clone(name));
            names.len() - 1
        }) as u32
    }

    pub(super) fn library_exists(&mut self, name: &Datum) -> bool {
        let Ok(name) = self.library_name(name) else {
            return false;
        };
        self.ex.libraries.contains_key(&name) || self.loader.has_library(&Self::name_parts(&name))
    }

    /// What a library exports; it is expanded if it was not yet.
    pub(super) fn library_exports(&mut self, name: &Rc<str>, span: Span) -> Result<Rc<Exports>> {
        match self.ex.libraries.get(name) {
            Some(Library::Ready(exports)) => return Ok(Rc::clone(exports)),
            Some(Library::Loading) => return Err(Box::new(self.cycle(name, span))),
            Some(Library::Declared { .. }) => {}
            None => self.find_library(name, span)?,
        }
        let state = self.ex.libraries.insert(Rc::clone(name), Library::Loading);
        let Some(Library::Declared { form, loaded }) = state else {
            return Err(Box::new(self.unknown(name, span)));
        };
        self.library_number(name);
        self.loading.push(Rc::clone(name));
        let exports = self.nested(span, |cx| Ok(Rc::new(cx.expand_library(name, &form))));
        self.loading.pop();
        match &exports {
            Ok(exports) => {
                let ready = Library::Ready(Rc::clone(exports));
                self.ex.libraries.insert(Rc::clone(name), ready);
                self.loaded.push((Rc::clone(name), form, loaded));
            }
            Err(_) => {
                let declared = Library::Declared { form, loaded };
                self.ex.libraries.insert(Rc::clone(name), declared);
            }
        }
        exports
    }

    fn cycle(&self, name: &Rc<str>, span: Span) -> Diagnostic {
        let start = self
            .loading
            .iter()
            .position(|other| other == name)
            .unwrap_or(0);
        let mut chain: Vec<&str> = self.loading[start..].iter().map(|name| &**name).collect();
        chain.push(name);
        let message = format!("the library {name} imports itself");
        Diagnostic::error(message, span).with_note(chain.join(" imports "))
    }

    fn unknown(&self, name: &str, span: Span) -> Diagnostic {
        let error = Diagnostic::error(format!("there is no library {name}"), span);
        if let Some(note) = elsewhere::library(name) {
            return error.with_note(note);
        }
        let mut known = self.loader.known_libraries();
        known.extend(self.ex.libraries.keys().map(|name| name.to_string()));
        match nearest_library(name, known.iter().map(String::as_str)) {
            Some(near) => error.with_note(format!("did you mean {near}?")),
            None => error,
        }
    }

    /// Gets a library's source and declares what is in it.
    fn find_library(&mut self, name: &Rc<str>, span: Span) -> Result<()> {
        let Some((id, text)) = self.loader.library(&Self::name_parts(name)) else {
            return Err(Box::new(self.unknown(name, span)));
        };
        let (data, faults) = read_all(id, &text);
        self.errors.extend(faults);
        for datum in &data {
            if let Err(error) = self.declare_library(datum, true) {
                self.report(*error);
            }
        }
        if self.ex.libraries.contains_key(name) {
            return Ok(());
        }
        let message = format!("the source found for {name} does not define it");
        let at = data.first().map_or(Span::new(id, 0, 0), |datum| datum.span);
        Err(Box::new(
            Diagnostic::error(message, span).with_secondary(at, "this is what was found"),
        ))
    }

    /// Notes a `define-library` form for when it is imported.
    pub(super) fn declare_library(&mut self, datum: &Datum, loaded: bool) -> Result<()> {
        let Some([head, name, ..]) = datum.as_list() else {
            let why = "a library source consists of such forms";
            return Err(bad_form(Special::DefineLibrary, why, datum.span));
        };
        if !head.is_symbol("define-library") {
            let why = "a library source consists of such forms";
            return Err(bad_form(Special::DefineLibrary, why, datum.span));
        }
        let text = self.library_name(name)?;
        let again = self.unit.kind == TopKind::Prompt
            && !loaded
            && !self.loader.has_library(&Self::name_parts(&text));
        match self.ex.libraries.get(&text) {
            // Whoever imported the old one keeps it.
            Some(Library::Ready(_)) if again => {}
            Some(Library::Ready(_) | Library::Loading) => {
                let message = format!("the library {text} is already in use");
                return Err(Box::new(Diagnostic::error(message, name.span)));
            }
            Some(Library::Declared { form: first, .. }) if self.unit.kind != TopKind::Prompt => {
                let message = format!("the library {text} is defined twice");
                return Err(Box::new(
                    Diagnostic::error(message, name.span)
                        .with_secondary(first.span, "it is defined here first"),
                ));
            }
            _ => {}
        }
        let form = datum.clone();
        self.ex
            .libraries
            .insert(text, Library::Declared { form, loaded });
        Ok(())
    }

    /// Expands a library. What is wrong with it is reported, and it exports what it can.
    fn expand_library(&mut self, name: &Rc<str>, form: &Datum) -> Exports {
        let module = self.ex.env.add_module(&mut self.ex.scopes);
        let mut unit = self.new_unit(TopKind::Library, module, Some(Rc::clone(name)));
        if let Some(notes) = &mut unit.notes {
            notes.source = Some(form.span.source);
        }
        let outside = std::mem::replace(&mut self.unit, unit);
        let used = self.ex.env.swap_used(Used::default());
        let frame = std::mem::replace(&mut self.frame, 0);
        let mut declarations = Declarations::default();
        for declaration in form.as_list().unwrap_or_default().iter().skip(2) {
            if let Err(error) = self.declaration(declaration, &mut declarations) {
                self.report(*error);
            }
        }
        let imports = std::mem::take(&mut declarations.imports);
        self.import(&imports);
        let body = self.expand_top(declarations.body);
        let exports = self.exports(&declarations.exports);
        let unit = std::mem::replace(&mut self.unit, outside);
        self.frame = frame;
        self.finish_unit(unit, body);
        self.ex.env.swap_used(used);
        exports
    }

    fn declaration(&mut self, datum: &Datum, out: &mut Declarations) -> Result<()> {
        let head = datum.as_list().and_then(|parts| parts.split_first());
        let name = head.and_then(|(head, args)| Some((head.as_symbol()?, args)));
        let scopes = self.ex.env.module(self.unit.module).scopes;
        let stx = |datum: &Datum| Stx::new(datum.clone(), scopes);
        let form = |special, args: &[Datum], whole| Form {
            special,
            whole,
            parts: args.iter().map(stx).collect(),
            hint: None,
        };
        let whole = stx(datum);
        match name.map(|(name, args)| (name.as_str(), args)) {
            Some(("export", args)) => out.exports.extend(args.iter().cloned()),
            Some(("import", args)) => out.imports.extend(args.iter().cloned()),
            Some(("begin", args)) => out.body.extend(args.iter().map(stx)),
            Some((word @ ("include" | "include-ci"), args)) => {
                let special = match word {
                    "include" => Special::Include,
                    _ => Special::IncludeCi,
                };
                out.body.extend(self.include(&form(special, args, &whole))?);
            }
            Some(("include-library-declarations", args)) => {
                let form = form(Special::Include, args, &whole);
                let declarations = self.include(&form)?;
                for declaration in declarations {
                    self.nested(datum.span, |cx| {
                        cx.declaration(&declaration.to_datum(), out)
                    })?;
                }
            }
            Some(("cond-expand", args)) => {
                let form = form(Special::CondExpand, args, &whole);
                for declaration in self.cond_expand(&form)? {
                    self.nested(datum.span, |cx| {
                        cx.declaration(&declaration.to_datum(), out)
                    })?;
                }
            }
            _ => {
                return Err(Box::new(
                    Diagnostic::error("this is no library declaration", datum.span).with_note(
                        "they begin with export, import, begin, include, include-ci, \
                         include-library-declarations or cond-expand",
                    ),
                ));
            }
        }
        Ok(())
    }

    fn exports(&mut self, specs: &[Datum]) -> Exports {
        let mut exports = Exports::default();
        exports.reserve(specs.len());
        for spec in specs {
            if let Err(error) = self.export(spec, &mut exports) {
                self.report(*error);
            }
        }
        exports
    }

    fn export(&mut self, spec: &Datum, exports: &mut Exports) -> Result<()> {
        let (inner, outer) = match (&spec.kind, spec.as_list()) {
            (DatumKind::Symbol(name), _) => (name, name),
            (_, Some([word, inner, outer])) if word.is_symbol("rename") => {
                match (inner.as_symbol(), outer.as_symbol()) {
                    (Some(inner), Some(outer)) => (inner, outer),
                    _ => return Err(Self::bad_export(spec)),
                }
            }
            _ => return Err(Self::bad_export(spec)),
        };
        let module = self.ex.env.module(self.unit.module);
        let Some(entry) = module.get(inner, module.scopes) else {
            let message = format!("`{inner}` is exported, but neither defined nor imported");
            let error = Diagnostic::error(message, spec.span);
            let near = nearest(inner.as_str(), module.names().map(Symbol::as_str));
            return Err(Box::new(match near {
                Some(near) => error.with_note(format!("did you mean `{near}`?")),
                None => error,
            }));
        };
        let binding = entry.binding;
        self.note_export(inner, binding);
        match exports.insert(outer.clone(), binding) {
            Some(previous) if previous != binding => {
                let message = format!("two things are exported as `{outer}`");
                Err(Box::new(Diagnostic::error(message, spec.span)))
            }
            _ => Ok(()),
        }
    }

    fn bad_export(spec: &Datum) -> Box<Diagnostic> {
        let message = "an export is an identifier or (rename INNER OUTER)";
        Box::new(Diagnostic::error(message, spec.span))
    }
}
