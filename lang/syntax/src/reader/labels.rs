//! Datum labels of one outermost datum.
//!
//! Sharing lets a short text stand for more data than any memory holds: each line of
//! `#1=(#0# #0#)`, `#2=(#1# #1#)`, … doubles it. Whoever copies the datum would pay for that, so the
//! parts that labels repeat are counted and bounded.

use std::collections::HashMap;
use std::rc::Rc;

use crate::datum::{Datum, DatumKind};
use crate::fault::Fault;
use crate::span::Span;

/// How many parts labels may repeat in one outermost datum.
pub(super) const LABEL_LIMIT: u64 = 1_000_000;

enum State {
    /// Its datum is being read; whether it has been referred to from inside.
    Open { cyclic: bool },
    /// Its datum, to be shared.
    Closed { kind: DatumKind, weight: u64 },
}

#[derive(Default)]
pub(super) struct Labels {
    table: HashMap<u32, (Span, State)>,
    repeated: u64,
}

impl Labels {
    /// `#N=` at `span`. A second definition replaces the first after the complaint.
    pub(super) fn open(&mut self, label: u32, span: Span) -> Result<(), Fault> {
        let state = State::Open { cyclic: false };
        match self.table.insert(label, (span, state)) {
            Some((first, _)) => Err(Fault::LabelTwice(label, first)),
            None => Ok(()),
        }
    }

    /// The datum behind `#N=` is complete. Returns it as it is to stand in the data.
    pub(super) fn close(&mut self, label: u32, datum: Datum, weight: u64, span: Span) -> Datum {
        let Some((_, state)) = self.table.get_mut(&label) else {
            return datum;
        };
        let cyclic = matches!(state, State::Open { cyclic: true });
        let kind = match cyclic {
            true => DatumKind::Reference(label),
            false => datum.kind.clone(),
        };
        *state = State::Closed { kind, weight };
        if cyclic {
            let whole = span.to(datum.span);
            return Datum::new(DatumKind::Labelled(label, Rc::new(datum)), whole);
        }
        datum
    }

    /// `#N#`: what it stands for, and how many parts that has. Beyond the limit it is a placeholder
    /// for a datum that has been complained about.
    pub(super) fn refer(&mut self, label: u32, keep: bool) -> Result<(DatumKind, u64), Fault> {
        let (kind, weight) = match self.table.get_mut(&label) {
            None => return Err(Fault::UnknownLabel(label)),
            Some((_, State::Open { cyclic })) if keep => {
                *cyclic = true;
                (DatumKind::Reference(label), 1)
            }
            Some((span, State::Open { .. })) => return Err(Fault::Cycle(label, *span)),
            Some((_, State::Closed { kind, weight })) => (kind.clone(), *weight),
        };
        if self.spend(weight)? {
            Ok((kind, weight))
        } else {
            Ok((DatumKind::Unspecified, 1))
        }
    }

    /// Asks to repeat so many parts. Beyond the limit the answer is no, with a complaint the first
    /// time.
    pub(super) fn spend(&mut self, parts: u64) -> Result<bool, Fault> {
        let already = self.repeated > LABEL_LIMIT;
        self.repeated = self.repeated.saturating_add(parts);
        match self.repeated > LABEL_LIMIT {
            true if already => Ok(false),
            true => Err(Fault::LabelsMultiply(LABEL_LIMIT)),
            false => Ok(true),
        }
    }
}
