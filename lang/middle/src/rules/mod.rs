//! `syntax-rules`: patterns, templates and the macros made of them.
//!
//! A macro is compiled when it is defined, so that a malformed one is reported there, and pattern
//! variables are numbers when it is used. A use is matched against each rule in turn; what the
//! template introduces gets a fresh scope, what the pattern took from the use is put back as it is.
//!
//! Absent on purpose: any other kind of transformer.

mod compile;
mod instantiate;
mod matching;
mod mismatch;

use std::rc::Rc;

use bowline_syntax::{Datum, Diagnostic, Expansions, Span, Symbol, TemplatePlaces};

use crate::effort::Effort;
use crate::env::{Binding, Env, Resolution};
use crate::scope::{Scope, ScopeSet, Scopes};
use crate::special::Special;
use crate::stx::{Ident, Stx};

pub(crate) use compile::compile;

/// A macro.
pub(crate) struct Macro {
    /// The keyword it was defined as.
    pub(crate) name: Symbol,
    /// Its definition.
    pub(crate) span: Span,
    /// The definition context that defines it; 0 when none does (`let-syntax`).
    pub(crate) frame: u32,
    rules: Vec<Rule>,
}

struct Rule {
    pattern: Sequence,
    template: Template,
    /// Where the parts of the template stand, by their numbers.
    places: Rc<TemplatePlaces>,
    /// How many pattern variables there are, and what they are called.
    vars: Vec<Symbol>,
    /// The pattern as written, for messages.
    shown: Datum,
}

enum Pattern {
    Any,
    Var(u32),
    /// Matches an identifier that means the same.
    Literal(Ident),
    /// Matches an equal datum.
    Datum(Datum),
    List(Box<Sequence>),
    Vector(Box<Sequence>),
}

/// The parts of a list or vector pattern.
struct Sequence {
    before: Vec<Pattern>,
    repeat: Option<Repeat>,
    after: Vec<Pattern>,
    /// What the rest behind a dot must match.
    tail: Option<Pattern>,
}

/// A pattern followed by an ellipsis, and the variables inside.
struct Repeat {
    pattern: Pattern,
    vars: Vec<u32>,
}

/// The number of a part of a template, by which its place is known.
type Part = u32;

enum Template {
    Atom(Datum, Part),
    Identifier(Symbol, ScopeSet, Part),
    Var(u32),
    List(Vec<Element>, Part),
    Improper(Vec<Element>, Box<Template>, Part),
    Vector(Vec<Element>, Part),
}

/// A template followed by this many ellipses, and the variables that they run over.
struct Element {
    template: Template,
    ellipses: u8,
    vars: Vec<u32>,
}

type Result<T> = std::result::Result<T, Box<Diagnostic>>;

/// What identifiers are compared in.
pub(crate) struct Meaning<'a> {
    pub(crate) env: &'a Env,
    pub(crate) scopes: &'a mut Scopes,
    pub(crate) expansions: &'a Expansions,
    pub(crate) effort: &'a Effort,
}

impl Meaning<'_> {
    fn resolve(&self, ident: &Ident) -> Resolution {
        self.env.resolve(&ident.name, ident.scopes, self.scopes)
    }

    /// `free-identifier=?`
    fn same(&self, a: &Ident, b: &Ident) -> bool {
        if a.name == b.name && a.scopes == b.scopes {
            return true;
        }
        match (self.resolve(a), self.resolve(b)) {
            (Resolution::Unbound, Resolution::Unbound) => a.name == b.name,
            (Resolution::Bound(a), Resolution::Bound(b)) => a == b,
            _ => false,
        }
    }

    /// Whether an identifier is this auxiliary keyword. One without any binding is, too: programs
    /// need not import what they only mention.
    fn is_auxiliary(&self, ident: &Ident, special: Special) -> bool {
        match self.resolve(ident) {
            Resolution::Bound(binding) => binding == Binding::Special(special),
            Resolution::Unbound => ident.name == special.name(),
            Resolution::Ambiguous => false,
        }
    }
}

impl Macro {
    /// What the use `form` of this macro stands for.
    pub(crate) fn expand(
        &self,
        form: &Stx,
        meaning: &mut Meaning<'_>,
        intro: Scope,
    ) -> Result<Stx> {
        let parts = matching::Parts::of_use(form, meaning.scopes);
        let mut reasons = Vec::new();
        for rule in &self.rules {
            match matching::match_use(rule, &parts, meaning) {
                Ok(matches) => {
                    let span = form.span();
                    let expanding = meaning.expansions.enter(&rule.places, span.via);
                    let filler = instantiate::Filler {
                        rule,
                        name: &self.name,
                        matches,
                        scopes: meaning.scopes,
                        effort: meaning.effort,
                        intro,
                        span,
                        expanding,
                        last: None,
                    };
                    return filler.fill();
                }
                Err(reason) => reasons.push(reason),
            }
        }
        Err(Box::new(self.no_match(form, &reasons)))
    }
}
