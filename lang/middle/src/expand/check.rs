//! Expansion for its findings: everything that is wrong with a text, and what the lints say of it.
//!
//! Absent on purpose: the units. Nothing that was checked is run.

use bowline_syntax::{Datum, Diagnostic, Severity};

use super::session::sorted;
use super::{Cx, Expander, SourceLoader, TopKind, UnitBuilder};
use crate::lint;
use crate::stx::Stx;

/// What was found in a text.
#[derive(Default, Debug)]
pub struct Findings {
    /// What is wrong, in this text and in the libraries that it imports, in order.
    pub errors: Vec<Diagnostic>,
    /// What the lints say of this text, in order; of what is unused only if there are no errors, and
    /// nothing if a form of it could not be expanded.
    pub warnings: Vec<Diagnostic>,
}

impl Expander {
    /// Checks the forms of a program, or of a file of libraries, all of which are expanded.
    ///
    /// An expander checks one text; what it notes of the libraries it needs is part of that.
    pub fn check(&mut self, forms: &[Datum], sources: &mut dyn SourceLoader) -> Findings {
        let Some(source) = forms.first().map(|form| form.span.source) else {
            return Findings::default();
        };
        self.env.start_noting();
        self.effort.begin();
        let module = self.env.add_module(&mut self.scopes);
        let mut cx = Cx::new(
            self,
            sources,
            UnitBuilder::new(TopKind::Program, module, None),
        );
        cx.unit = cx.new_unit(TopKind::Program, module, None);
        if let Some(notes) = &mut cx.unit.notes {
            notes.source = Some(source);
        }
        let scopes = cx.ex.env.module(module).scopes;
        let rest = cx.program_header(forms);
        let rest = rest.iter().map(|form| Stx::new(form.clone(), scopes));
        let body = cx.expand_top(rest.collect());
        let unit = std::mem::replace(
            &mut cx.unit,
            UnitBuilder::new(TopKind::Program, module, None),
        );
        cx.finish_unit(unit, body);
        for form in forms {
            cx.check_library(form);
        }
        let Cx {
            mut units,
            notes,
            errors,
            ex,
            ..
        } = cx;
        // When expansion was given up, all else that was found follows from it.
        let errors = match ex.effort.take_failure() {
            Some(failure) => vec![failure],
            None => sorted(errors),
        };
        let whole = |error: &Diagnostic| {
            error.severity != Severity::Error || error.code == Some(super::unbound::CODE)
        };
        let mut warnings = Vec::new();
        if errors.iter().all(whole) {
            warnings = lint::run(&mut units, &notes, &ex.prims, &ex.globals, source);
        }
        if !errors.is_empty() {
            // What is misspelt in one place is unused in another.
            warnings.retain(|found| !lint::is_of_use(found));
        }
        Findings { errors, warnings }
    }
}

impl Cx<'_> {
    /// Expands a library that the text defines, unless it was.
    pub(super) fn check_library(&mut self, form: &Datum) {
        let Some([head, name, ..]) = form.as_list() else {
            return;
        };
        if head.is_symbol("define-library")
            && let Ok(text) = self.library_name(name)
            && self.ex.libraries.contains_key(&text)
            && let Err(error) = self.library_exports(&text, name.span)
        {
            self.report(*error);
        }
    }
}
