//! Putting spans into bins and into lists by age, and taking them out.

use super::index::{List, bin_of};
use super::{NONE, Spans, Tag};

/// One of the two lists by age.
#[derive(Clone, Copy)]
pub(super) enum Which {
    Dirty,
    Leaving,
}

impl Spans<'_> {
    /// Puts a free span into its bin, as the newest.
    pub(super) fn bin(&mut self, first: u32) {
        let Tag { state, len, .. } = self.tag(first);
        let kind = state.kind().expect("only free spans are binned");
        let bin = bin_of(len);
        let bins = &mut self.index.bins[kind as usize];
        let head = core::mem::replace(&mut bins.heads[bin], first);
        bins.filled[bin / 64] |= 1 << (bin % 64);
        bins.slices += len as usize;
        bins.spans += 1;
        let tag = self.tag_mut(first);
        (tag.before, tag.after) = (NONE, head);
        if head != NONE {
            self.tag_mut(head).before = first;
        }
    }

    /// Takes a free span out of its bin.
    pub(super) fn unbin(&mut self, first: u32) {
        let Tag {
            state,
            len,
            before,
            after,
            ..
        } = self.tag(first);
        let kind = state.kind().expect("only free spans are binned");
        let bin = bin_of(len);
        if after != NONE {
            self.tag_mut(after).before = before;
        }
        if before != NONE {
            self.tag_mut(before).after = after;
        }
        let bins = &mut self.index.bins[kind as usize];
        if before == NONE {
            bins.heads[bin] = after;
        }
        if bins.heads[bin] == NONE {
            bins.filled[bin / 64] &= !(1 << (bin % 64));
        }
        bins.slices -= len as usize;
        bins.spans -= 1;
    }

    fn list(&mut self, which: Which) -> &mut List {
        match which {
            Which::Dirty => &mut self.index.dirty,
            Which::Leaving => &mut self.index.leaving,
        }
    }

    /// Makes `older` and `newer` neighbours; NONE stands for the list's end.
    fn join(&mut self, which: Which, older: u32, newer: u32) {
        match older {
            NONE => self.list(which).oldest = newer,
            _ => self.tag_mut(older).newer = newer,
        }
        match newer {
            NONE => self.list(which).newest = older,
            _ => self.tag_mut(newer).older = older,
        }
    }

    pub(super) fn push_newest(&mut self, which: Which, span: u32) {
        let newest = self.list(which).newest;
        self.join(which, newest, span);
        self.join(which, span, NONE);
    }

    pub(super) fn leave_list(&mut self, which: Which, span: u32) {
        let Tag { older, newer, .. } = self.tag(span);
        self.join(which, older, newer);
    }

    /// Puts the dirty span `new` behind `older`, as one of the same age.
    pub(super) fn insert_after(&mut self, older: u32, new: u32) {
        let Tag { newer, freed, .. } = self.tag(older);
        self.tag_mut(new).freed = freed;
        self.join(Which::Dirty, older, new);
        self.join(Which::Dirty, new, newer);
    }

    /// Puts the dirty span `new` where `old` was.
    pub(super) fn replace_in_age(&mut self, old: u32, new: u32) {
        if old == new {
            return;
        }
        let Tag {
            older,
            newer,
            freed,
            ..
        } = self.tag(old);
        self.tag_mut(new).freed = freed;
        self.join(Which::Dirty, older, new);
        self.join(Which::Dirty, new, newer);
    }
}
