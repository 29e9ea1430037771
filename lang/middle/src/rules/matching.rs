//! Matching a macro use against a rule.

use std::rc::Rc;

use super::mismatch::Mismatch;
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

/// What the rule's variables stand for, or why it does not match.
pub(super) fn match_use<'r>(
    rule: &'r Rule,
    parts: &Parts,
    meaning: &mut Meaning<'_>,
) -> Result<Vec<Option<Match>>, Mismatch<'r>> {
    let mut matcher = Matcher {
        meaning,
        found: vec![None; rule.vars.len()],
    };
    matcher.sequence(&rule.pattern, parts)?;
    Ok(matcher.found)
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

type Matched<'r> = Result<(), Mismatch<'r>>;

impl Matcher<'_, '_> {
    fn other<'r>(wanted: &'r Pattern, found: &Stx) -> Matched<'r> {
        Err(Mismatch::Other {
            wanted,
            found: found.clone(),
        })
    }

    fn pattern<'r>(&mut self, pattern: &'r Pattern, stx: &Stx) -> Matched<'r> {
        let fits = match pattern {
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
                    _ => return Self::other(pattern, stx),
                };
                return self.taken_apart(sequence, parts, stx);
            }
            Pattern::Vector(sequence) => match stx.view(self.meaning.scopes) {
                View::Vector(items) => return self.taken_apart(sequence, (items, None), stx),
                _ => false,
            },
        };
        if fits {
            Ok(())
        } else {
            Self::other(pattern, stx)
        }
    }

    fn taken_apart<'r>(
        &mut self,
        sequence: &'r Sequence,
        (items, tail): (Vec<Stx>, Option<Stx>),
        whole: &Stx,
    ) -> Matched<'r> {
        let whole = whole.clone();
        self.sequence(sequence, &Parts { items, tail, whole })
    }

    fn sequence<'r>(&mut self, sequence: &'r Sequence, parts: &Parts) -> Matched<'r> {
        let items = &parts.items[..];
        let (before, after) = (&sequence.before[..], &sequence.after[..]);
        let exact = sequence.repeat.is_none() && sequence.tail.is_none();
        let fixed = before.len() + after.len();
        if let Some(wanted) = before.iter().chain(after).nth(items.len()) {
            // What is there is looked at first: a part that does not fit says more.
            self.all(before, items)?;
            let list = parts.whole.span();
            return Err(Mismatch::Missing { wanted, list });
        }
        if exact && items.len() > fixed {
            self.all(before, items)?;
            return Err(Mismatch::TooMuch {
                found: items[fixed].clone(),
            });
        }
        if let (None, Some(tail)) = (&sequence.tail, &parts.tail) {
            return Err(Mismatch::TooMuch {
                found: tail.clone(),
            });
        }
        let (first, rest) = items.split_at(before.len());
        self.all(before, first)?;
        let Some(repeat) = &sequence.repeat else {
            return self.tail(sequence, rest, parts);
        };
        // With an ellipsis the last patterns before the dot match the last elements.
        let (repeated, last) = rest.split_at(rest.len() - after.len());
        self.all(after, last)?;
        self.repeat(&repeat.pattern, &repeat.vars, repeated)?;
        self.tail(sequence, &[], parts)
    }

    fn all<'r>(&mut self, patterns: &'r [Pattern], items: &[Stx]) -> Matched<'r> {
        let mut pairs = patterns.iter().zip(items);
        pairs.try_for_each(|(pattern, item)| self.pattern(pattern, item))
    }

    /// What follows the dot of the pattern against what is left.
    fn tail<'r>(&mut self, sequence: &'r Sequence, left: &[Stx], parts: &Parts) -> Matched<'r> {
        let Some(pattern) = &sequence.tail else {
            return match left.first() {
                None => Ok(()),
                Some(found) => Err(Mismatch::TooMuch {
                    found: found.clone(),
                }),
            };
        };
        let span = left.first().map_or(parts.whole.span(), Stx::span);
        let rest = match &parts.tail {
            None => Stx::list(left.to_vec(), span),
            Some(tail) => Stx::with_tail(left.to_vec(), tail.clone(), span, self.meaning.scopes),
        };
        self.pattern(pattern, &rest)
    }

    fn repeat<'r>(&mut self, pattern: &'r Pattern, vars: &[u32], items: &[Stx]) -> Matched<'r> {
        if let Pattern::Var(var) = pattern {
            let all: Vec<Match> = items.iter().cloned().map(Match::One).collect();
            self.found[*var as usize] = Some(Match::Many(all.into()));
            return Ok(());
        }
        let mut columns: Vec<Vec<Match>> = vec![Vec::with_capacity(items.len()); vars.len()];
        for item in items {
            self.pattern(pattern, item)?;
            for (column, &var) in columns.iter_mut().zip(vars) {
                column.extend(self.found[var as usize].take());
            }
        }
        for (column, &var) in columns.into_iter().zip(vars) {
            self.found[var as usize] = Some(Match::Many(column.into()));
        }
        Ok(())
    }
}
