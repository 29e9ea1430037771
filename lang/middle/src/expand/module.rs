//! Top levels: the body of a library, a program, forms at a prompt.

use bowline_syntax::{Diagnostic, Span, Symbol};

use super::definitions::{Item, Place, Scan};
use super::form::of_form;
use super::{Cx, Result, TopKind};
use crate::core::{Defined, Expr, Lambda, VarId};
use crate::env::{Binding, Entry, Origin};
use crate::prims::GlobalId;
use crate::stx::{Ident, Stx};

impl Cx<'_> {
    /// Expands top-level forms, which have the scopes of the unit's module.
    pub(super) fn expand_top(&mut self, forms: Vec<Stx>) -> Vec<Expr> {
        let frame = self.fresh_frame();
        let outside = std::mem::replace(&mut self.frame, frame);
        let mut scan = Scan::new(true, frame, forms);
        scan.inner = Some(self.ex.env.module(self.unit.module).inner);
        while let Some(stx) = scan.queue.pop() {
            self.begin_form(stx.span());
            if let Err(error) = self.scan_form(&mut scan, stx.clone()) {
                let error = of_form(error, &stx);
                self.definition_failed(&stx);
                self.report(*error);
                if self.endless {
                    break;
                }
            }
        }
        let mut body = Vec::with_capacity(scan.items.len());
        self.form = Span::NONE;
        for item in scan.items {
            if let Some(span) = item.span() {
                self.begin_form(span);
            }
            match self.expand_item(item) {
                Ok(expr) => body.push(expr),
                Err(error) => self.report(*error),
            }
        }
        self.frame = outside;
        body
    }

    fn expand_item(&mut self, item: Item) -> Result<Expr> {
        match item {
            Item::Expr(stx) => self.expand(&stx),
            Item::Export(stx) => {
                let outcome = self.foreign_export(&stx);
                outcome.map_err(|error| of_form(error, &stx))
            }
            Item::Nothing(nothing) => Ok(nothing),
            Item::Define {
                place,
                name,
                rhs,
                whole,
            } => {
                let value = self.define_rhs(&name, rhs, &whole)?;
                Ok(self.definition(place, value, whole.span()))
            }
            Item::Values {
                places,
                rest,
                init,
                span,
            } => {
                let init = self.expand(&init)?;
                self.top_values(places, rest, init, span)
            }
        }
    }

    fn definition(&mut self, place: Place, value: Expr, span: Span) -> Expr {
        match place {
            Place::Local(var) => Expr::SetLocal(var, Box::new(value), span),
            Place::Global(id) => {
                if matches!(value, Expr::Lambda(_)) {
                    self.unit.procedures.push(id);
                }
                Expr::DefineGlobal(id, Box::new(value), span)
            }
        }
    }

    fn top_values(
        &mut self,
        places: Vec<(Place, Symbol)>,
        rest: Option<(Place, Symbol)>,
        init: Expr,
        span: Span,
    ) -> Result<Expr> {
        let mut define = Vec::with_capacity(places.len() + 1);
        let mut param = |cx: &mut Self, place: Place, name: Symbol| -> VarId {
            let var = cx.fresh_var(name);
            define.push(cx.definition(place, Expr::Local(var, span), span));
            var
        };
        let mut params = Vec::with_capacity(places.len());
        for (place, name) in places {
            params.push(param(self, place, name));
        }
        let rest = rest.map(|(place, name)| param(self, place, name));
        let consumer = Expr::Lambda(Box::new(Lambda {
            name: None,
            params,
            rest,
            body: Expr::seq(define, span),
            span,
        }));
        let args = vec![Self::thunk(init, span), consumer];
        self.call_primitive("call-with-values", args, span)
    }

    /// The variable for a definition of this name in the module.
    pub(super) fn define_global(&mut self, ident: &Ident) -> Result<GlobalId> {
        let id = self.find_global(ident)?;
        // Under a constructor's name there may be something else now.
        self.ex.constructors.remove(&id);
        self.ex.datatypes.remove(&id);
        self.ex.foreign_enums.remove(&id);
        Ok(id)
    }

    fn find_global(&mut self, ident: &Ident) -> Result<GlobalId> {
        let module = self.ex.env.module(self.unit.module);
        let previous = module.get(&ident.name, ident.scopes).copied();
        if let Some(Entry {
            binding: Binding::Global(id),
            origin: Origin::Defined | Origin::Mentioned,
            ..
        }) = previous
            && self.unit.kind != TopKind::Library
        {
            // Once more in the same program: an assignment to what is there.
            self.unit.redefined.insert(id);
            self.note_definition(ident, Binding::Global(id), previous);
            self.define_later(ident, id);
            return Ok(id);
        }
        self.check_free(ident, previous)?;
        let id = self.fresh_global(ident.name.clone());
        self.note_definition(ident, Binding::Global(id), previous);
        let origin = match self.define_later(ident, id) {
            true => Origin::Mentioned,
            false => Origin::Defined,
        };
        self.enter_name(ident, Binding::Global(id), origin);
        Ok(id)
    }

    /// At a prompt a name counts as defined once its definition was carried out. Names that macros
    /// introduced nobody asks for.
    fn define_later(&mut self, ident: &Ident, variable: GlobalId) -> bool {
        let later = self.unit.kind == TopKind::Prompt
            && ident.scopes == self.ex.env.module(self.unit.module).scopes;
        if later {
            self.unit.definitions.push(Defined {
                name: ident.name.clone(),
                variable,
                span: ident.span,
            });
        }
        later
    }

    /// Defines a keyword in the module.
    pub(super) fn define_keyword(&mut self, ident: &Ident, binding: Binding) -> Result<()> {
        let module = self.ex.env.module(self.unit.module);
        let previous = module.get(&ident.name, ident.scopes).copied();
        self.check_free(ident, previous)?;
        self.note_definition(ident, binding, previous);
        self.enter_name(ident, binding, Origin::Defined);
        Ok(())
    }

    fn enter_name(&mut self, ident: &Ident, binding: Binding, origin: Origin) {
        let entry = Entry {
            binding,
            origin,
            span: ident.span,
        };
        let module = self.ex.env.module_mut(self.unit.module);
        module.insert(ident.name.clone(), ident.scopes, entry);
    }

    /// In a library every name means one thing.
    fn check_free(&mut self, ident: &Ident, previous: Option<Entry>) -> Result<()> {
        let Some(entry) = previous else {
            return Ok(());
        };
        if self.unit.kind != TopKind::Library {
            return Ok(());
        }
        Err(Box::new(match entry.origin {
            Origin::Defined | Origin::Mentioned => {
                let message = format!("`{}` is defined twice in this library", ident.name);
                Diagnostic::error(message, ident.span)
                    .with_secondary(entry.span, "it is defined here first")
            }
            Origin::Imported(library) => {
                let library = &self.ex.library_names[library as usize];
                let message = format!("`{}` is imported from {library}", ident.name);
                Diagnostic::error(message, ident.span)
                    .with_secondary(entry.span, "it is imported here")
                    .with_note(format!(
                        "leave it out of the import: (import (except {library} {}))",
                        ident.name
                    ))
            }
        }))
    }

    /// Whether the top-level variable behind an identifier may be assigned here: one of this
    /// module, or one that a macro assigns in its own library, unless calls of it are wired.
    pub(super) fn may_assign(&mut self, ident: &Ident, id: GlobalId) -> bool {
        let owner = self.ex.owners[id.0 as usize];
        if owner == self.unit.module {
            self.unit.redefined.insert(id);
            return true;
        }
        let mut modules = self.ex.scopes.modules(ident.scopes);
        modules.any(|module| module == owner) && !self.ex.fixed.contains(&id)
    }
}
