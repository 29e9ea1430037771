//! Which places a diagnostic shows beside its own.

use super::Diagnostic;
use crate::expansion::ExpansionStep;
use crate::span::{SourceMap, Span};

/// Steps from expanded code to what was written that are looked at, and those that are shown.
const STEPS: usize = 1000;
const SHOWN_STEPS: usize = 3;

impl Diagnostic {
    /// The other places to show: what `secondary` says, and, when a macro brought the code at
    /// fault or the form that it is a part of, where its template has it, the innermost first.
    /// Definitions and templates of the standard library are left out of what is said about a
    /// program.
    pub fn other_places(&self, sources: &SourceMap) -> Vec<(Span, String)> {
        let own = sources.is_library(self.primary.source);
        let shown = |span: Span| own || !sources.is_library(span.source);
        let secondary = self.secondary.iter().filter(|(span, _)| shown(*span));
        let mut places: Vec<(Span, String)> = secondary.cloned().collect();
        let [mut steps, form] =
            [self.primary.via, self.form].map(|via| sources.expansions().steps(via, STEPS));
        if form.len() > steps.len() {
            // The form came from further inside than the part of it that is wrong.
            steps = form;
        }
        steps.retain(|step| shown(step.place));
        let mut counted: Vec<(ExpansionStep, usize)> = Vec::new();
        for step in steps {
            match counted.iter_mut().find(|(other, _)| *other == step) {
                Some((_, count)) => *count += 1,
                None => counted.push((step, 1)),
            }
        }
        let inner = counted.len().min(SHOWN_STEPS - 1);
        // Of a long chain the ends: what failed, and what the user wrote.
        let outer = counted.iter().skip(inner).last();
        for (step, count) in counted.iter().take(inner).chain(outer) {
            let again = if *count > 1 { ", repeatedly" } else { "" };
            let label = format!("in the expansion of `{}`{again}", step.name);
            places.push((step.place, label));
        }
        places
    }
}
