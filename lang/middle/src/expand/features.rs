//! `cond-expand` and `include`: forms that stand for other forms.

use bowline_syntax::{Datum, Diagnostic, Reader, Symbol};

use super::form::Form;
use super::{Cx, Result, bad_form};
use crate::special::Special;
use crate::stx::Stx;

/// How many files may be open, each included by the one before.
const INCLUDE_LIMIT: u32 = 100;

impl Cx<'_> {
    /// The forms that a `cond-expand` stands for.
    pub(super) fn cond_expand(&mut self, form: &Form<'_>) -> Result<Vec<Stx>> {
        for (index, clause) in form.parts.iter().enumerate() {
            let parts = self.items(clause);
            let Some([requirement, forms @ ..]) = parts.as_deref() else {
                return form.bad_at("a clause is (REQUIREMENT FORM ...)", clause);
            };
            if self.is_auxiliary(requirement, Special::Else) {
                if index + 1 < form.parts.len() {
                    return form.bad_at("`else` must be the last clause", clause);
                }
                return Ok(forms.to_vec());
            }
            if self.requirement(&requirement.to_datum(), form.special)? {
                return Ok(forms.to_vec());
            }
        }
        let error = bad_form(
            form.special,
            "no clause applies and there is no `else`",
            form.span(),
        );
        let features = self.ex.features.join(" ");
        Err(Box::new(
            error.with_note(format!("the features are {features}")),
        ))
    }

    /// Whether a feature requirement holds.
    fn requirement(&mut self, datum: &Datum, special: Special) -> Result<bool> {
        self.nested(datum.span, |cx| cx.requirement_here(datum, special))
    }

    fn requirement_here(&mut self, datum: &Datum, special: Special) -> Result<bool> {
        if let Some(name) = datum.as_symbol() {
            return Ok(name == "else" || self.ex.features.iter().any(|f| **f == *name.as_str()));
        }
        let parts = datum.as_list().unwrap_or_default();
        let Some(([head], args)) = parts.split_first_chunk::<1>() else {
            let why =
                "a requirement is a feature, (library NAME), (and ...), (or ...) or (not ...)";
            return Err(bad_form(special, why, datum.span));
        };
        match (head.as_symbol().map(Symbol::as_str), args) {
            (Some("and"), args) => {
                for arg in args {
                    if !self.requirement(arg, special)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Some("or"), args) => {
                for arg in args {
                    if self.requirement(arg, special)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            (Some("not"), [arg]) => Ok(!self.requirement(arg, special)?),
            (Some("library"), [name]) => Ok(self.library_exists(name)),
            _ => {
                let why =
                    "a requirement is a feature, (library NAME), (and ...), (or ...) or (not ...)";
                Err(bad_form(special, why, datum.span))
            }
        }
    }

    /// The forms of the files that an `include` names, in the scopes of the form.
    pub(super) fn include(&mut self, form: &Form<'_>) -> Result<Vec<Stx>> {
        if form.parts.is_empty() {
            return form.bad("it names no file");
        }
        let mut forms = Vec::new();
        for part in &form.parts {
            // The names in the file mean what they mean where the form stands.
            let scopes = part.scopes();
            for datum in self.included(form, part)? {
                forms.push(Stx::new(datum, scopes));
            }
        }
        Ok(forms)
    }

    /// The data of one file of an `include`.
    pub(super) fn included(&mut self, form: &Form<'_>, file: &Stx) -> Result<Vec<Datum>> {
        let Some(path) = file.as_string() else {
            return form.bad_at("a file must be named by a string", file);
        };
        let (id, text) = self
            .loader
            .include(path, file.span().source)
            .map_err(|why| {
                let message = format!("cannot include \"{path}\": {why}");
                Box::new(Diagnostic::error(message, file.span()))
            })?;
        let depth = self
            .including
            .get(&file.span().source)
            .map_or(1, |depth| depth + 1);
        if depth > INCLUDE_LIMIT {
            let message = format!("\"{path}\" includes itself, or files are included too deeply");
            return Err(Box::new(Diagnostic::error(message, file.span())));
        }
        self.including.insert(id, depth);
        let fold = form.special == Special::IncludeCi;
        let (data, faults) = Reader::new(id, &text)
            .fold_case(fold)
            .keep_cycles()
            .read_to_end();
        self.errors.extend(faults);
        Ok(data)
    }
}
