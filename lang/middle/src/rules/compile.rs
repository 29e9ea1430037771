//! `(syntax-rules …)` to rules, with a message for everything that can be wrong with it.

use std::rc::Rc;

use bowline_syntax::{Datum, DatumKind, Diagnostic, Span, Symbol, TemplatePlaces};

use super::{Element, Macro, Meaning, Part, Pattern, Repeat, Result, Rule, Sequence, Template};
use crate::limits::NESTING_LIMIT;
use crate::special::Special;
use crate::stx::{Ident, Stx, View};

/// Compiles the parts of `(syntax-rules [ELLIPSIS] (LITERAL …) RULE …)`.
pub(crate) fn compile(
    name: Symbol,
    frame: u32,
    spec: &Stx,
    parts: &[Stx],
    meaning: &mut Meaning<'_>,
) -> Result<Macro> {
    let (custom, rest) = match parts {
        [first, rest @ ..] if first.name().is_some() => (first.as_identifier(), rest),
        _ => (None, parts),
    };
    let [literals, clauses @ ..] = rest else {
        return malformed("the list of literals is missing", spec.span());
    };
    let Some(items) = literals.items(meaning.scopes) else {
        return malformed(
            "the literals must be a list of identifiers",
            literals.span(),
        );
    };
    let mut idents = Vec::with_capacity(items.len());
    for item in &items {
        match item.as_identifier() {
            Some(ident) => idents.push(ident),
            None => return malformed("a literal must be an identifier", item.span()),
        }
    }
    let mut rules = Vec::with_capacity(clauses.len());
    for clause in clauses {
        let mut compiler = Compiler {
            meaning: &mut *meaning,
            custom: custom.as_ref(),
            literals: &idents,
            escaped: false,
            vars: Vec::new(),
            places: Vec::new(),
        };
        rules.push(compiler.rule(clause, &name)?);
    }
    Ok(Macro {
        name,
        span: spec.span(),
        frame,
        rules,
    })
}

fn malformed<T>(why: &str, span: Span) -> Result<T> {
    let message = format!("bad `syntax-rules`: {why}");
    let diagnostic = Diagnostic::error(message, span);
    Err(Box::new(diagnostic.with_note(format!(
        "it looks like {}",
        Special::SyntaxRules.shape()
    ))))
}

struct Var {
    ident: Ident,
    depth: u8,
}

struct Compiler<'a, 'm> {
    meaning: &'a mut Meaning<'m>,
    custom: Option<&'a Ident>,
    literals: &'a [Ident],
    /// Inside `(... TEMPLATE)`: ellipses are ordinary identifiers.
    escaped: bool,
    vars: Vec<Var>,
    /// Where the parts of the template stand.
    places: Vec<Span>,
}

fn same_name(a: &Ident, b: &Ident) -> bool {
    a.name == b.name && a.scopes == b.scopes
}

impl Compiler<'_, '_> {
    fn rule(&mut self, clause: &Stx, name: &Symbol) -> Result<Rule> {
        let parts = clause.items(self.meaning.scopes);
        let Some([pattern, template]) = parts.as_deref() else {
            return malformed("a clause must be (PATTERN TEMPLATE)", clause.span());
        };
        let sequence = match pattern.view(self.meaning.scopes) {
            View::List(items) if !items.is_empty() => self.sequence(&items[1..], None, 0)?,
            View::Improper(items, tail) => self.sequence(&items[1..], Some(&tail), 0)?,
            _ => {
                return malformed(
                    "a pattern must be a list that begins with the keyword",
                    pattern.span(),
                );
            }
        };
        let template = self.template(template, 0, 0)?;
        Ok(Rule {
            pattern: sequence,
            template,
            places: Rc::new(TemplatePlaces {
                name: name.clone(),
                places: std::mem::take(&mut self.places),
            }),
            vars: self.vars.iter().map(|var| var.ident.name.clone()).collect(),
            shown: pattern.to_datum(),
        })
    }

    fn is_literal(&self, ident: &Ident) -> bool {
        self.literals
            .iter()
            .any(|literal| same_name(literal, ident))
    }

    fn is_ellipsis(&self, stx: &Stx) -> bool {
        if self.escaped {
            return false;
        }
        let Some(ident) = stx.as_identifier() else {
            return false;
        };
        // What is among the literals is a literal (R7RS 4.3.2).
        if self.is_literal(&ident) {
            return false;
        }
        match self.custom {
            Some(custom) => same_name(custom, &ident),
            None => ident.name == "..." && self.meaning.is_auxiliary(&ident, Special::Ellipsis),
        }
    }

    fn nesting(depth: u32, span: Span) -> Result<()> {
        if depth > NESTING_LIMIT {
            return malformed("it is nested too deeply", span);
        }
        Ok(())
    }

    fn pattern(&mut self, stx: &Stx, ellipses: u8, depth: u32) -> Result<Pattern> {
        Self::nesting(depth, stx.span())?;
        match stx.view(self.meaning.scopes) {
            View::Identifier => {
                let Some(ident) = stx.as_identifier() else {
                    return malformed("this is no pattern", stx.span());
                };
                self.identifier_pattern(stx, ident, ellipses)
            }
            View::List(items) => Ok(Pattern::List(Box::new(
                self.nested(&items, None, ellipses, depth)?,
            ))),
            View::Improper(items, tail) => Ok(Pattern::List(Box::new(self.nested(
                &items,
                Some(&tail),
                ellipses,
                depth,
            )?))),
            View::Vector(items) => Ok(Pattern::Vector(Box::new(
                self.nested(&items, None, ellipses, depth)?,
            ))),
            View::Atom => Ok(Pattern::Datum(stx.to_acyclic()?)),
        }
    }

    fn identifier_pattern(&mut self, stx: &Stx, ident: Ident, ellipses: u8) -> Result<Pattern> {
        if self.is_literal(&ident) {
            return Ok(Pattern::Literal(ident));
        }
        if self.is_ellipsis(stx) {
            return malformed("an ellipsis must follow a pattern", ident.span);
        }
        if ident.name == "_" && self.meaning.is_auxiliary(&ident, Special::Underscore) {
            return Ok(Pattern::Any);
        }
        if self.vars.iter().any(|var| same_name(&var.ident, &ident)) {
            let why = format!(
                "the pattern variable `{}` stands twice in one pattern",
                ident.name
            );
            return malformed(&why, ident.span);
        }
        self.vars.push(Var {
            ident,
            depth: ellipses,
        });
        Ok(Pattern::Var(self.vars.len() as u32 - 1))
    }

    fn sequence(&mut self, items: &[Stx], tail: Option<&Stx>, depth: u32) -> Result<Sequence> {
        self.nested(items, tail, 0, depth)
    }

    fn nested(
        &mut self,
        items: &[Stx],
        tail: Option<&Stx>,
        ellipses: u8,
        depth: u32,
    ) -> Result<Sequence> {
        let mut sequence = Sequence {
            before: Vec::new(),
            repeat: None,
            after: Vec::new(),
            tail: None,
        };
        let mut index = 0;
        while index < items.len() {
            let item = &items[index];
            index += 1;
            let repeated = items.get(index).is_some_and(|next| self.is_ellipsis(next));
            if !repeated {
                let pattern = self.pattern(item, ellipses, depth + 1)?;
                match sequence.repeat {
                    None => sequence.before.push(pattern),
                    Some(_) => sequence.after.push(pattern),
                }
                continue;
            }
            if sequence.repeat.is_some() {
                return malformed("a list pattern may have one ellipsis", items[index].span());
            }
            index += 1;
            let first = self.vars.len() as u32;
            let pattern = self.pattern(item, ellipses.saturating_add(1), depth + 1)?;
            sequence.repeat = Some(Repeat {
                pattern,
                vars: (first..self.vars.len() as u32).collect(),
            });
        }
        if let Some(tail) = tail {
            sequence.tail = Some(self.pattern(tail, ellipses, depth + 1)?);
        }
        Ok(sequence)
    }

    /// The number of a part of the template.
    fn part(&mut self, stx: &Stx) -> Part {
        self.places.push(stx.span());
        self.places.len() as Part - 1
    }

    fn template(&mut self, stx: &Stx, ellipses: u8, depth: u32) -> Result<Template> {
        Self::nesting(depth, stx.span())?;
        match stx.view(self.meaning.scopes) {
            View::Identifier => self.identifier_template(stx, ellipses),
            View::List(items) => {
                if let [first, inner] = &items[..]
                    && self.is_ellipsis(first)
                {
                    self.escaped = true;
                    let template = self.template(inner, ellipses, depth + 1);
                    self.escaped = false;
                    return template;
                }
                let items = self.elements(&items, ellipses, depth)?;
                Ok(Template::List(items, self.part(stx)))
            }
            View::Improper(items, tail) => {
                let items = self.elements(&items, ellipses, depth)?;
                let tail = self.template(&tail, ellipses, depth + 1)?;
                Ok(Template::Improper(items, Box::new(tail), self.part(stx)))
            }
            View::Vector(items) => {
                let items = self.elements(&items, ellipses, depth)?;
                Ok(Template::Vector(items, self.part(stx)))
            }
            View::Atom => Ok(Template::Atom(stx.to_acyclic()?, self.part(stx))),
        }
    }

    fn identifier_template(&mut self, stx: &Stx, ellipses: u8) -> Result<Template> {
        let Some(ident) = stx.as_identifier() else {
            return malformed("this is no template", stx.span());
        };
        let index = self
            .vars
            .iter()
            .position(|var| same_name(&var.ident, &ident));
        let Some(index) = index else {
            if self.is_ellipsis(stx) {
                return malformed("an ellipsis must follow a template", ident.span);
            }
            let part = self.part(stx);
            return Ok(Template::Identifier(ident.name, ident.scopes, part));
        };
        let wanted = self.vars[index].depth;
        if wanted > ellipses {
            let why = format!(
                "`{}` is followed by {} in its pattern and by {} here",
                ident.name,
                count(wanted),
                count(ellipses),
            );
            return malformed(&why, ident.span);
        }
        Ok(Template::Var(index as u32))
    }

    fn elements(&mut self, items: &[Stx], ellipses: u8, depth: u32) -> Result<Vec<Element>> {
        let mut elements = Vec::with_capacity(items.len());
        let mut index = 0;
        while index < items.len() {
            let item = &items[index];
            index += 1;
            let mut more = 0u8;
            while items.get(index).is_some_and(|next| self.is_ellipsis(next)) {
                more = more.saturating_add(1);
                index += 1;
            }
            let template = self.template(item, ellipses.saturating_add(more), depth + 1)?;
            let mut vars = Vec::new();
            if more > 0 {
                self.repeated_vars(&template, &mut vars);
                let deepest = vars.iter().map(|&var| self.vars[var as usize].depth).max();
                if deepest.is_none_or(|deepest| deepest < more) {
                    return malformed(
                        "no variable in front of this ellipsis has one in the pattern",
                        items[index - 1].span(),
                    );
                }
            }
            elements.push(Element {
                template,
                ellipses: more,
                vars,
            });
        }
        Ok(elements)
    }

    /// The variables inside that stand for several things.
    fn repeated_vars(&self, template: &Template, vars: &mut Vec<u32>) {
        match template {
            Template::Atom(..) | Template::Identifier(..) => {}
            Template::Var(var) => {
                if self.vars[*var as usize].depth > 0 && !vars.contains(var) {
                    vars.push(*var);
                }
            }
            Template::List(items, _) | Template::Vector(items, _) => {
                items
                    .iter()
                    .for_each(|item| self.repeated_vars(&item.template, vars));
            }
            Template::Improper(items, tail, _) => {
                items
                    .iter()
                    .for_each(|item| self.repeated_vars(&item.template, vars));
                self.repeated_vars(tail, vars);
            }
        }
    }
}

fn count(ellipses: u8) -> String {
    match ellipses {
        0 => "none".into(),
        1 => "one ellipsis".into(),
        many => format!("{many} ellipses"),
    }
}

/// A template's atom at the place of a macro use.
pub(super) fn atom_at(datum: &Datum, span: Span) -> Datum {
    let kind: DatumKind = datum.kind.clone();
    Datum::new(kind, span)
}
