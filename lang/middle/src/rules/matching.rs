//! Matching a macro use against a rule.

use std::rc::Rc;

use super::{Meaning, Pattern, Rule, Sequence};
use crate::scope::Scopes;
use crate::stx::{Stx, View};

/// What a pattern variable stands for.
#[derive(Clone)]
pub(super) enum Match {
    One(Stx),
    Many(Rc<[Match]>),
}

/// A list, dotted list or vector taken apart.
pub(super) struct Parts {
    items: Vec<Stx>,
    tail: Option<Stx>,
    whole: Stx,
}

impl Parts {
    /// The parts of a macro use behind its keyword.
    pub(super) fn of_use(form: &Stx, scopes: &mut Scopes) -> Self {
        let (mut items, tail) = match form.view(scopes) {
            View::List(items) => (items, None),
            View::Improper(items, tail) => (items, Some(tail)),
            _ => (Vec::new(), None),
        };
        if !items.is_empty() {
            items.remove(0);
        }
        Self {
            items,
            tail,
            whole: form.clone(),
        }
    }
}

/// What the rule's variables stand for, if it matches.
pub(super) fn match_use(
    rule: &Rule,
    parts: &Parts,
    meaning: &mut Meaning<'_>,
) -> Option<Vec<Option<Match>>> {
    let mut matcher = Matcher {
        meaning,
        found: vec![None; rule.vars.len()],
    };
    matcher
        .sequence(&rule.pattern, parts)
        .then_some(matcher.found)
}

impl Sequence {
    fn matches_bare_tail(&self) -> bool {
        self.before.is_empty() && self.after.is_empty() && self.tail.is_some()
    }
}

struct Matcher<'a, 'm> {
    meaning: &'a mut Meaning<'m>,
    found: Vec<Option<Match>>,
}

impl Matcher<'_, '_> {
    fn pattern(&mut self, pattern: &Pattern, stx: &Stx) -> bool {
        match pattern {
            Pattern::Any => true,
            Pattern::Var(var) => {
                self.found[*var as usize] = Some(Match::One(stx.clone()));
                true
            }
            Pattern::Literal(literal) => match stx.as_identifier() {
                Some(ident) => self.meaning.same(literal, &ident),
                None => false,
            },
            Pattern::Datum(datum) => stx.as_raw().is_some_and(|raw| raw == datum),
            Pattern::List(sequence) => {
                let parts = match stx.view(self.meaning.scopes) {
                    View::List(items) => (items, None),
                    View::Improper(items, tail) => (items, Some(tail)),
                    // (PATTERN ... . TAIL) matches what is no list at all: no element, all tail.
                    _ if sequence.matches_bare_tail() => (Vec::new(), Some(stx.clone())),
                    _ => return false,
                };
                self.taken_apart(sequence, parts, stx)
            }
            Pattern::Vector(sequence) => match stx.view(self.meaning.scopes) {
                View::Vector(items) => self.taken_apart(sequence, (items, None), stx),
                _ => false,
            },
        }
    }

    fn taken_apart(
        &mut self,
        sequence: &Sequence,
        (items, tail): (Vec<Stx>, Option<Stx>),
        whole: &Stx,
    ) -> bool {
        let whole = whole.clone();
        self.sequence(sequence, &Parts { items, tail, whole })
    }

    fn sequence(&mut self, sequence: &Sequence, parts: &Parts) -> bool {
        let items = &parts.items[..];
        let fixed = sequence.before.len() + sequence.after.len();
        let exact = sequence.repeat.is_none() && sequence.tail.is_none();
        if items.len() < fixed || (exact && items.len() > fixed) {
            return false;
        }
        if sequence.tail.is_none() && parts.tail.is_some() {
            return false;
        }
        let (before, rest) = items.split_at(sequence.before.len());
        if !self.all(&sequence.before, before) {
            return false;
        }
        let after_len = sequence.after.len();
        let Some(repeat) = &sequence.repeat else {
            return self.tail(sequence, rest, parts);
        };
        // With an ellipsis the last patterns before the dot match the last elements.
        let (repeated, after) = rest.split_at(rest.len() - after_len);
        if !self.all(&sequence.after, after) {
            return false;
        }
        self.repeat(&repeat.pattern, &repeat.vars, repeated) && self.tail(sequence, &[], parts)
    }

    fn all(&mut self, patterns: &[Pattern], items: &[Stx]) -> bool {
        let mut pairs = patterns.iter().zip(items);
        pairs.all(|(pattern, item)| self.pattern(pattern, item))
    }

    /// What follows the dot of the pattern against what is left.
    fn tail(&mut self, sequence: &Sequence, left: &[Stx], parts: &Parts) -> bool {
        let Some(pattern) = &sequence.tail else {
            return left.is_empty();
        };
        let span = left.first().map_or(parts.whole.span(), Stx::span);
        let rest = match &parts.tail {
            None => Stx::list(left.to_vec(), span),
            Some(tail) => Stx::with_tail(left.to_vec(), tail.clone(), span, self.meaning.scopes),
        };
        self.pattern(pattern, &rest)
    }

    fn repeat(&mut self, pattern: &Pattern, vars: &[u32], items: &[Stx]) -> bool {
        if let Pattern::Var(var) = pattern {
            let all: Vec<Match> = items.iter().cloned().map(Match::One).collect();
            self.found[*var as usize] = Some(Match::Many(all.into()));
            return true;
        }
        let mut columns: Vec<Vec<Match>> = vec![Vec::with_capacity(items.len()); vars.len()];
        for item in items {
            if !self.pattern(pattern, item) {
                return false;
            }
            for (column, &var) in columns.iter_mut().zip(vars) {
                column.extend(self.found[var as usize].take());
            }
        }
        for (column, &var) in columns.into_iter().zip(vars) {
            self.found[var as usize] = Some(Match::Many(column.into()));
        }
        true
    }
}
