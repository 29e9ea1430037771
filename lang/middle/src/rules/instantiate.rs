//! Filling in a template.
//!
//! inv:rules.intro — every identifier that the template itself brings gets the scope of this
//! expansion; what the variables stand for does not. That is what sets of scopes ask for by adding
//! the scope to the use and flipping it on the result, without touching the use.
//!
//! What the template brings stands, for messages, where the macro was used, and came there through
//! its place in the template.

use bowline_syntax::{Diagnostic, Expanding, Span, Symbol};

use super::compile::atom_at;
use super::matching::Match;
use super::{Element, Part, Result, Rule, Template};
use crate::effort::Effort;
use crate::scope::{Scope, ScopeSet, Scopes};
use crate::stx::Stx;

/// What is at hand for a template.
pub(super) struct Filler<'a> {
    pub(super) rule: &'a Rule,
    /// The macro's name.
    pub(super) name: &'a Symbol,
    pub(super) matches: Vec<Option<Match>>,
    pub(super) scopes: &'a mut Scopes,
    pub(super) effort: &'a Effort,
    pub(super) intro: Scope,
    pub(super) span: Span,
    pub(super) expanding: Expanding,
    /// The last set that got the scope, and what came of it: most identifiers share theirs.
    pub(super) last: Option<(ScopeSet, ScopeSet)>,
}

impl Filler<'_> {
    /// The rule's template with its variables.
    pub(super) fn fill(mut self) -> Result<Stx> {
        self.template(&self.rule.template)
    }

    fn introduced(&mut self, set: ScopeSet) -> ScopeSet {
        match self.last {
            Some((before, after)) if before == set => after,
            _ => {
                let after = self.scopes.add(set, self.intro);
                self.last = Some((set, after));
                after
            }
        }
    }

    /// The place of a part of the template.
    fn at(&self, part: Part) -> Span {
        Span {
            via: self.expanding.via(part),
            ..self.span
        }
    }

    fn template(&mut self, template: &Template) -> Result<Stx> {
        let who = || format!("the expansion of the macro `{}`", self.name);
        self.effort.part(who, self.span)?;
        Ok(match template {
            Template::Atom(datum, part) => {
                Stx::new(atom_at(datum, self.at(*part)), ScopeSet::EMPTY)
            }
            Template::Identifier(name, set, part) => {
                let set = self.introduced(*set);
                Stx::identifier(name.clone(), set, self.at(*part))
            }
            Template::Var(var) => match &self.matches[*var as usize] {
                Some(Match::One(stx)) => stx.clone(),
                _ => return Err(self.wrong_depth(*var)),
            },
            Template::List(items, part) => Stx::list(self.elements(items)?, self.at(*part)),
            Template::Vector(items, part) => Stx::vector(self.elements(items)?, self.at(*part)),
            Template::Improper(items, tail, part) => {
                let items = self.elements(items)?;
                let tail = self.template(tail)?;
                Stx::with_tail(items, tail, self.at(*part), self.scopes)
            }
        })
    }

    fn elements(&mut self, elements: &[Element]) -> Result<Vec<Stx>> {
        let mut out = Vec::with_capacity(elements.len());
        for element in elements {
            self.element(element, element.ellipses, &mut out)?;
        }
        Ok(out)
    }

    /// One element under this many ellipses.
    fn element(&mut self, element: &Element, ellipses: u8, out: &mut Vec<Stx>) -> Result<()> {
        if ellipses == 0 {
            out.push(self.template(&element.template)?);
            return Ok(());
        }
        let mut columns = Vec::new();
        for &var in &element.vars {
            if let Some(Match::Many(items)) = &self.matches[var as usize] {
                columns.push((var, items.clone()));
            }
        }
        let Some((first, items)) = columns.first() else {
            return Err(self.wrong_depth(element.vars.first().copied().unwrap_or(0)));
        };
        let len = items.len();
        if let Some((other, _)) = columns.iter().find(|(_, items)| items.len() != len) {
            return Err(self.different_lengths(*first, *other));
        }
        for index in 0..len {
            for (var, items) in &columns {
                self.matches[*var as usize] = Some(items[index].clone());
            }
            self.element(element, ellipses - 1, out)?;
        }
        for (var, items) in columns {
            self.matches[var as usize] = Some(Match::Many(items));
        }
        Ok(())
    }

    fn wrong_depth(&self, var: u32) -> Box<Diagnostic> {
        let name = &self.rule.vars[var as usize];
        let message = format!("`{name}` stands under the wrong ellipses in a macro's template");
        Box::new(Diagnostic::error(message, self.span))
    }

    fn different_lengths(&self, a: u32, b: u32) -> Box<Diagnostic> {
        let (a, b) = (&self.rule.vars[a as usize], &self.rule.vars[b as usize]);
        let message = format!(
            "a macro's template repeats `{a}` and `{b}` together, \
             but this use gives different numbers of them"
        );
        Box::new(Diagnostic::error(message, self.span))
    }
}
