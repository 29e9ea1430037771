//! What an expression is: identifier, constant, call, or a form with a keyword.

use std::rc::Rc;

use bowline_syntax::{Diagnostic, Symbol, check_literal};

use super::{Cx, Result, bad_form, error};
use crate::core::Expr;
use crate::env::{Binding, MacroId};
use crate::limits::EXPANSION_LIMIT;
use crate::special::Special;
use crate::stx::{Ident, Stx, View};

/// A form with a keyword: the whole and its parts behind the keyword.
pub(super) struct Form<'s> {
    pub(super) special: Special,
    pub(super) whole: &'s Stx,
    pub(super) parts: Vec<Stx>,
    /// The name that a procedure made by this form gets.
    pub(super) hint: Option<Symbol>,
}

impl Form<'_> {
    pub(super) fn span(&self) -> bowline_syntax::Span {
        self.whole.span()
    }

    /// An error that says what the form looks like.
    pub(super) fn bad<T>(&self, why: &str) -> Result<T> {
        Err(bad_form(self.special, why, self.span()))
    }

    pub(super) fn bad_at<T>(&self, why: &str, at: &Stx) -> Result<T> {
        Err(bad_form(self.special, why, at.span()))
    }
}

impl Cx<'_> {
    /// Expands an expression whose value gets this name.
    pub(super) fn expand_named(&mut self, stx: &Stx, name: &Symbol) -> Result<Expr> {
        self.name_hint = Some(name.clone());
        let result = self.expand(stx);
        self.name_hint = None;
        result
    }

    /// Expands an expression.
    pub(super) fn expand(&mut self, stx: &Stx) -> Result<Expr> {
        let hint = self.name_hint.take();
        match stx.view(&mut self.ex.scopes) {
            View::Atom | View::Vector(_) => {
                stx.count(&self.ex.effort, stx.span())?;
                Ok(Expr::Const(stx.to_acyclic()?))
            }
            View::Identifier => match stx.as_identifier() {
                Some(ident) => {
                    let outcome = self.reference(&ident);
                    self.recovered(outcome, ident.span)
                }
                None => Ok(Expr::Const(stx.to_datum())),
            },
            View::Improper(..) => match self.head_binding(stx)? {
                // A pattern may ask for it.
                Some(Binding::Macro(id)) => self.nested(stx.span(), |cx| {
                    let expanded = cx.expand_macro(id, stx)?;
                    cx.name_hint = hint;
                    cx.expand(&expanded)
                }),
                _ => Err(error("a dotted list is no expression", stx.span())),
            },
            View::List(items) if items.is_empty() => Err(Box::new(
                Diagnostic::error("() is no expression", stx.span())
                    .with_note("the empty list is written '()"),
            )),
            View::List(items) => {
                let outcome = self.nested(stx.span(), |cx| cx.list_form(stx, items, hint));
                self.recovered(outcome, stx.span())
            }
        }
    }

    fn list_form(&mut self, stx: &Stx, items: Vec<Stx>, hint: Option<Symbol>) -> Result<Expr> {
        self.count(stx.span())?;
        let binding = match items[0].as_identifier() {
            Some(ident) => self.resolve(&ident)?,
            None => None,
        };
        match binding {
            Some(Binding::Special(special)) => {
                let mut parts = items;
                parts.remove(0);
                let outcome = self.special(Form {
                    special,
                    whole: stx,
                    parts,
                    hint,
                });
                match special {
                    // Its author has said what is wrong with the use.
                    Special::SyntaxError => outcome,
                    _ => outcome.map_err(|error| of_form(error, stx)),
                }
            }
            Some(Binding::Macro(id)) => {
                drop(items);
                let expanded = self.expand_macro(id, stx);
                let expanded = expanded.map_err(|error| of_form(error, stx))?;
                self.name_hint = hint;
                self.expand(&expanded)
            }
            other => {
                if other.is_none()
                    && let Some(special) = self.header_word(stx)
                {
                    return Err(self.misplaced(special, stx.span()));
                }
                self.note_call(stx);
                if other.is_none()
                    && let Some(error) = self.misspelt_keyword(&items)
                {
                    return Err(error);
                }
                let f = self.expand(&items[0])?;
                // The arguments of a procedure that is called at once become a `let`.
                let vars = match f {
                    Expr::Lambda(_) | Expr::Local(..) => items.len() - 1,
                    _ => 0,
                };
                let args = self.binding(vars, stx.span(), |cx| cx.expand_all(&items[1..]))?;
                Ok(Expr::call(f, args, stx.span()))
            }
        }
    }

    pub(super) fn expand_all(&mut self, items: &[Stx]) -> Result<Vec<Expr>> {
        items.iter().map(|item| self.expand(item)).collect()
    }

    /// One expansion step of a macro use.
    pub(super) fn expand_macro(&mut self, id: MacroId, stx: &Stx) -> Result<Stx> {
        let mac = Rc::clone(&self.ex.macros[id.0 as usize]);
        let span = stx.span();
        if self.ex.expansions.depth(span.via) > EXPANSION_LIMIT
            && let Some(error) = self.endless(span)
        {
            return Err(Box::new(error));
        }
        let intro = self.ex.scopes.fresh();
        if mac.frame == 0 || mac.frame != self.frame {
            return mac.expand(stx, &mut self.meaning(), intro);
        }
        // Used in the context that defines it: what comes from the use must stay distinct from the
        // template's own identifiers, which carry the same scopes.
        let use_site = self.ex.scopes.fresh_use_site(self.frame);
        let marked = self.add_scope(stx.clone(), use_site);
        mac.expand(&marked, &mut self.meaning(), intro)
    }

    pub(super) fn reference(&mut self, ident: &Ident) -> Result<Expr> {
        Ok(match self.resolve(ident)? {
            Some(Binding::Local(var)) => Expr::Local(var, ident.span),
            Some(Binding::Global(id)) => Expr::Global(id, ident.span),
            Some(Binding::Primitive(id)) => Expr::Primitive(id, ident.span),
            Some(Binding::Special(special)) => {
                let diagnostic = Diagnostic::error(
                    format!("`{}` is syntax, not a variable", ident.name),
                    ident.span,
                );
                return Err(Box::new(if special.is_auxiliary() {
                    diagnostic
                } else {
                    diagnostic.with_note(format!("it looks like {}", special.shape()))
                }));
            }
            Some(Binding::Macro(id)) => {
                let mac = &self.ex.macros[id.0 as usize];
                let message = format!("`{}` is a macro, not a variable", ident.name);
                return Err(Box::new(
                    Diagnostic::error(message, ident.span)
                        .with_secondary(mac.span, "the macro is defined here"),
                ));
            }
            None => self.unbound(ident),
        })
    }

    fn special(&mut self, form: Form<'_>) -> Result<Expr> {
        match form.special {
            Special::Quote => self.quote(&form),
            Special::Quasiquote => self.quasiquote(&form),
            Special::If => self.conditional(&form),
            Special::Lambda => self.lambda(&form),
            Special::NamedLambda => self.named_lambda(&form),
            Special::CaseLambda => self.case_lambda(&form),
            Special::Set => self.assignment(&form),
            Special::Begin => self.begin(&form),
            Special::Let => self.let_form(&form),
            Special::LetStar => self.let_star(&form),
            Special::Letrec | Special::LetrecStar => self.letrec(&form),
            Special::LetValues => self.let_values(&form),
            Special::LetStarValues => self.let_star_values(&form),
            Special::Cond => self.cond(&form),
            Special::Case => self.case(&form),
            Special::And => self.and(&form),
            Special::Or => self.or(&form),
            Special::When | Special::Unless => self.when(&form),
            Special::Match => self.match_form(&form),
            Special::Do => self.do_loop(&form),
            Special::Guard => self.guard(&form),
            Special::Parameterize => self.parameterize(&form),
            Special::Delay | Special::DelayForce => self.delay(&form),
            _ => self.unusual(form),
        }
    }

    fn unusual(&mut self, form: Form<'_>) -> Result<Expr> {
        match form.special {
            Special::LetSyntax | Special::LetrecSyntax => self.let_syntax(&form),
            Special::SyntaxError => Err(self.syntax_error(&form)),
            Special::CondExpand => {
                let forms = self.cond_expand(&form)?;
                self.sequence(&forms, form.span())
            }
            Special::Include | Special::IncludeCi => {
                let forms = self.include(&form)?;
                self.sequence(&forms, form.span())
            }
            special if special.is_definition() => {
                let message = format!("`{}` stands where an expression is wanted", special.name());
                Err(Box::new(Diagnostic::error(message, form.span()).with_note(
                    "definitions may stand at the top level and in the body of a procedure or `let`",
                )))
            }
            special if special.is_export() => Err(self.misplaced_export(&form)),
            Special::Import | Special::DefineLibrary => {
                Err(self.misplaced(form.special, form.span()))
            }
            special => {
                let message = format!("`{}` has no meaning here", special.name());
                let error = Diagnostic::error(message, form.span());
                Err(Box::new(error.with_note(match special {
                    Special::Else => "it begins the last clause of `cond`, `case` and `guard`",
                    Special::Arrow => "it stands in a clause of `cond`, `case` and `guard`",
                    Special::Where => "it stands behind a pattern of `match`",
                    Special::Unquote | Special::UnquoteSplicing => {
                        "it stands inside a `quasiquote`"
                    }
                    _ => "it stands inside `syntax-rules`",
                })))
            }
        }
    }

    fn quote(&mut self, form: &Form<'_>) -> Result<Expr> {
        let [datum] = &form.parts[..] else {
            return form.bad("it takes one datum");
        };
        datum.count(&self.ex.effort, form.span())?;
        let datum = datum.to_datum();
        match check_literal(&datum) {
            Some(error) => Err(Box::new(error)),
            None => Ok(Expr::Const(datum)),
        }
    }

    fn conditional(&mut self, form: &Form<'_>) -> Result<Expr> {
        let (test, then, other) = match &form.parts[..] {
            [test, then] => (test, then, None),
            [test, then, other] => (test, then, Some(other)),
            parts => return Err(wrong_if(form, parts)),
        };
        let test = self.expand(test)?;
        let then = self.expand(then)?;
        let other = match other {
            Some(other) => self.expand(other)?,
            None => Expr::unspecified(form.span()),
        };
        Ok(Expr::conditional(test, then, other))
    }

    fn begin(&mut self, form: &Form<'_>) -> Result<Expr> {
        if form.parts.is_empty() {
            return form.bad("it is empty");
        }
        self.sequence(&form.parts, form.span())
    }

    /// Expressions one after another.
    pub(super) fn sequence(&mut self, items: &[Stx], span: bowline_syntax::Span) -> Result<Expr> {
        Ok(Expr::seq(self.expand_all(items)?, span))
    }

    fn assignment(&mut self, form: &Form<'_>) -> Result<Expr> {
        let [target, value] = &form.parts[..] else {
            return form.bad("it takes a variable and an expression");
        };
        let Some(ident) = target.as_identifier() else {
            return form.bad_at("this is no variable", target);
        };
        match self.resolve(&ident)? {
            Some(Binding::Local(var)) => {
                let value = self.expand_named(value, &ident.name)?;
                Ok(Expr::SetLocal(var, Box::new(value), form.span()))
            }
            Some(Binding::Global(id)) if self.may_assign(&ident, id) => {
                let value = self.expand_named(value, &ident.name)?;
                Ok(Expr::SetGlobal(id, Box::new(value), form.span()))
            }
            Some(Binding::Global(_) | Binding::Primitive(_)) => Err(Box::new(
                Diagnostic::error(
                    format!("`{}` is imported and cannot be assigned", ident.name),
                    ident.span,
                )
                .with_note("define a variable of your own instead"),
            )),
            Some(_) => Err(error(
                format!("`{}` is syntax and cannot be assigned", ident.name),
                ident.span,
            )),
            None => match self.unbound(&ident) {
                // At a prompt the variable may come later.
                Expr::Global(id, _) => {
                    let value = self.expand(value)?;
                    Ok(Expr::SetGlobal(id, Box::new(value), form.span()))
                }
                other => {
                    if let Some(error) = self.errors.last_mut().filter(|e| e.notes.is_empty()) {
                        error.form = form.span().via;
                        let note = "`set!` changes a variable that exists; `define` makes one";
                        error.notes.push(note.into());
                    }
                    self.expand(value)?;
                    Ok(other)
                }
            },
        }
    }
}

/// The error with what brought the form that it found wrong.
pub(super) fn of_form(mut error: Box<Diagnostic>, form: &Stx) -> Box<Diagnostic> {
    if error.form.is_written() {
        error.form = form.span().via;
    }
    error
}

/// The error of an `if` with too few or too many parts.
fn wrong_if(form: &Form<'_>, parts: &[Stx]) -> Box<Diagnostic> {
    match parts {
        [] => bad_form(form.special, "the test is missing", form.span()),
        [_] => {
            let why = "what to do when the test holds is missing";
            bad_form(form.special, why, form.span())
        }
        [_, _, _, more, ..] => {
            let why = "this is more than a test and two branches";
            let error = *bad_form(form.special, why, more.span());
            Box::new(error.with_note("(begin EXPRESSION ...) makes several expressions one branch"))
        }
        _ => bad_form(
            form.special,
            "it takes two or three expressions",
            form.span(),
        ),
    }
}
