//! Lints: what a program most likely did not mean, found without running it.
//!
//! They look at core as expansion made it, with the notes that expansion took ([`UnitNotes`]); so
//! they see through macros, and say nothing of what a macro brought (inv:lint.written). A lint
//! speaks up only when it is certain: a call that is wrong whenever it is reached, a variable that
//! nobody reads, a value that goes nowhere.
//!
//! Reading order: `known` (what variables hold), `kinds` (what values are), `walk` (one walk over a
//! unit), `calls` and `conditionals` (what that looks at), `unused` and `shadowed` (what is left when the walk is
//! done).
//!
//! Absent on purpose: types that flow. Only constants, procedures and what primitives always give
//! are known.

mod calls;
mod conditionals;
mod kinds;
mod known;
mod shadowed;
mod unused;
mod walk;

use bowline_syntax::{Diagnostic, SourceId, Span};

use crate::core::Unit;
use crate::expand::UnitNotes;
use crate::prims::{Globals, Primitives};

use known::Known;

macro_rules! names {
    ($($(#[doc = $doc:literal])* $variant:ident $name:literal,)*) => {
        /// A kind of warning.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Name { $($(#[doc = $doc])* $variant,)* }

        impl Name {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its name, as messages show it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it warns of.
            pub fn about(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),*).trim_ascii_start(),)* }
            }
        }
    };
}

names! {
    /// a local variable that nothing reads
    UnusedVariable "unused-variable",
    /// a definition of a program, or one that a library does not export, that nothing uses
    UnusedDefinition "unused-definition",
    /// an import of which nothing is used
    UnusedImport "unused-import",
    /// a value that goes nowhere, of an expression that does nothing else
    UnusedValue "unused-value",
    /// a local variable that hides another one of a form around it
    Shadowed "shadowed",
    /// a variable with the name of a syntactic form or macro
    ShadowedSyntax "shadowed-syntax",
    /// a second definition of a name, or one of a name that is imported
    Redefined "redefined",
    /// a call with more or fewer arguments than the procedure takes
    WrongArguments "wrong-arguments",
    /// an argument of a type that the procedure refuses
    WrongType "wrong-type",
    /// a call of what is no procedure
    NotProcedure "not-a-procedure",
    /// code behind a call that never returns, or a clause of a match that those before it leave nothing
    Unreachable "unreachable",
    /// a match that has no clause for some value of the datatypes that its clauses talk of
    IncompleteMatch "incomplete-match",
    /// a test that always comes out true
    ConstantTest "constant-test",
    /// a test that was made just before
    DuplicateTest "duplicate-test",
    /// a key that stands twice in a case
    DuplicateKey "duplicate-key",
    /// a comment that allows a warning there is not
    UnknownWarning "unknown-warning",
}

/// A warning of this kind.
pub fn warning(name: Name, message: impl Into<String>, span: Span) -> Diagnostic {
    Diagnostic::warning(message, span).with_code(name.as_str())
}

/// Whether a warning is about what is not used.
pub(crate) fn is_of_use(found: &Diagnostic) -> bool {
    let names = [
        Name::UnusedVariable,
        Name::UnusedDefinition,
        Name::UnusedImport,
    ];
    names.iter().any(|name| found.code == Some(name.as_str()))
}

/// What the lints say of the units that stand in this source, in order.
pub(crate) fn run(
    units: &mut [Unit],
    notes: &[UnitNotes],
    prims: &Primitives,
    globals: &Globals,
    source: SourceId,
) -> Vec<Diagnostic> {
    let known = Known::of(units, notes, prims, globals);
    let mut found = Vec::new();
    for (unit, notes) in units.iter_mut().zip(notes) {
        if notes.source == Some(source) {
            found.extend(notes.found.iter().cloned());
            found.extend(walk::unit(unit, notes, &known));
        }
    }
    found.sort_by_key(|found| (found.primary.source.0, found.primary.start));
    found.dedup();
    found
}
