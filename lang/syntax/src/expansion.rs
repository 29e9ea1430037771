//! What macros brought: through which templates a piece of expanded code came.
//!
//! A span of expanded code says where the user wrote the macro use. Its [`Via`] says more: in which
//! template the piece itself stands, and, when that template was filled in for a use that another
//! template had brought, where that one stands, and so on out to what was written.
//!
//! `inv:syntax.via` The parts of a template have consecutive numbers, beginning with one for each
//! expansion that no earlier expansion has; numbers ascend with time. So a number's expansion is
//! found by search, and an expansion costs one record however large its template is.
//!
//! Absent on purpose: forgetting, and macros of the standard library, which say nothing about a
//! program: whoever draws leaves them out.

use std::cell::RefCell;
use std::rc::Rc;

use crate::span::Span;
use crate::symbol::Symbol;

/// The part of a template that a piece of code was made from.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Via(u32);

impl Via {
    /// No template: it was written where its span says.
    pub const WRITTEN: Self = Self(0);

    /// Whether it was written where its span says.
    pub fn is_written(self) -> bool {
        self == Self::WRITTEN
    }
}

/// The template of one rule of a macro.
#[derive(Debug)]
pub struct TemplatePlaces {
    /// What the macro was defined as.
    pub name: Symbol,
    /// Where each part of the template stands.
    pub places: Vec<Span>,
}

struct Expansion {
    /// The number of the template's first part.
    first: u32,
    template: Rc<TemplatePlaces>,
    /// What brought the macro use.
    used: Via,
    depth: u32,
}

/// An expansion that has begun: it numbers the parts of its template.
#[derive(Copy, Clone, Debug)]
pub struct Expanding {
    first: u32,
    parts: u32,
    /// How many expansions lie around this one, itself included.
    pub depth: u32,
}

impl Expanding {
    /// The number for a part of the template; beyond all numbers, none.
    pub fn via(self, part: u32) -> Via {
        if part < self.parts {
            Via(self.first + part)
        } else {
            Via::WRITTEN
        }
    }
}

/// One step from a piece of code to the macro use that brought it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExpansionStep {
    /// The macro.
    pub name: Symbol,
    /// The part of its template.
    pub place: Span,
}

/// Every expansion of a session.
#[derive(Default)]
pub struct Expansions {
    list: RefCell<Vec<Expansion>>,
}

impl Expansions {
    /// Begins the expansion of a use that came through `used`.
    pub fn enter(&self, template: &Rc<TemplatePlaces>, used: Via) -> Expanding {
        let depth = self.depth(used).saturating_add(1);
        let mut list = self.list.borrow_mut();
        let first = list
            .last()
            .map_or(1, |last| last.first + last.template.places.len() as u32);
        let parts = u32::try_from(template.places.len()).unwrap_or(u32::MAX);
        if first.checked_add(parts).is_none() {
            // Every number is taken: what comes now is told at its use alone.
            return Expanding {
                first: 0,
                parts: 0,
                depth,
            };
        }
        if parts > 0 {
            list.push(Expansion {
                first,
                template: Rc::clone(template),
                used,
                depth,
            });
        }
        Expanding {
            first,
            parts,
            depth,
        }
    }

    /// How many expansions lie around a piece of code.
    pub fn depth(&self, via: Via) -> u32 {
        let list = self.list.borrow();
        Self::find(&list, via).map_or(0, |found| found.depth)
    }

    /// The expansion that a number belongs to (inv:syntax.via).
    fn find(list: &[Expansion], via: Via) -> Option<&Expansion> {
        if via.is_written() {
            return None;
        }
        let behind = list.partition_point(|expansion| expansion.first <= via.0);
        list.get(behind.checked_sub(1)?)
    }

    /// The steps from a piece of code to what was written, the innermost first, at most `limit`.
    pub fn steps(&self, via: Via, limit: usize) -> Vec<ExpansionStep> {
        let list = self.list.borrow();
        let mut steps = Vec::new();
        let mut at = via;
        while let Some(found) = Self::find(&list, at) {
            if steps.len() == limit {
                break;
            }
            let part = (at.0 - found.first) as usize;
            steps.push(ExpansionStep {
                name: found.template.name.clone(),
                place: Self::written(&list, found.template.places[part]),
            });
            at = found.used;
        }
        steps
    }

    /// Where text stands that a macro may itself have put into a template.
    fn written(list: &[Expansion], mut place: Span) -> Span {
        while let Some(found) = Self::find(list, place.via) {
            place = found.template.places[(place.via.0 - found.first) as usize];
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::SourceId;

    fn place(start: u32) -> Span {
        Span::new(SourceId(0), start, start + 1)
    }

    fn template(name: &str, starts: &[u32]) -> Rc<TemplatePlaces> {
        Rc::new(TemplatePlaces {
            name: Symbol::new(name),
            places: starts.iter().map(|&start| place(start)).collect(),
        })
    }

    fn told(expansions: &Expansions, via: Via) -> Vec<(String, u32)> {
        let steps = expansions.steps(via, 10);
        let step = |step: &ExpansionStep| (step.name.to_string(), step.place.start);
        steps.iter().map(step).collect()
    }

    #[test]
    fn steps_lead_from_the_innermost_template_out() {
        let expansions = Expansions::default();
        let outer = expansions.enter(&template("outer", &[10, 11, 12]), Via::WRITTEN);
        let inner = expansions.enter(&template("inner", &[20, 21]), outer.via(2));
        let other = expansions.enter(&template("other", &[30]), Via::WRITTEN);
        let expected = [("inner".to_string(), 21), ("outer".to_string(), 12)];
        assert_eq!(told(&expansions, inner.via(1)), expected);
        assert_eq!(told(&expansions, other.via(0)), [("other".to_string(), 30)]);
        assert_eq!(told(&expansions, Via::WRITTEN), []);
        assert_eq!((outer.depth, inner.depth, other.depth), (1, 2, 1));
    }

    #[test]
    fn a_part_that_the_template_lacks_was_written() {
        let expansions = Expansions::default();
        let empty = expansions.enter(&template("empty", &[]), Via::WRITTEN);
        let next = expansions.enter(&template("next", &[5]), Via::WRITTEN);
        assert!(empty.via(0).is_written() && next.via(1).is_written());
        assert_eq!(told(&expansions, next.via(0)), [("next".to_string(), 5)]);
    }

    #[test]
    fn a_template_that_a_macro_wrote_is_shown_where_that_macro_has_it() {
        let expansions = Expansions::default();
        let definer = expansions.enter(&template("definer", &[10]), Via::WRITTEN);
        let made = Rc::new(TemplatePlaces {
            name: Symbol::new("made"),
            places: vec![Span {
                via: definer.via(0),
                ..place(99)
            }],
        });
        let used = expansions.enter(&made, Via::WRITTEN);
        assert_eq!(told(&expansions, used.via(0)), [("made".to_string(), 10)]);
    }
}
