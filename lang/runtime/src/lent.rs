//! What C was lent for longer than a call: bodies of pinned strings, and buffers that were promoted.
//!
//! inv:lent.body — a string that is pinned keeps the bodies that were pinned with it in this table, the last
//! one last: it may have got another since, and C holds on to the one that it was lent. A pinned object
//! does not move, so its address finds them.
//!
//! Buffers whose like keep being promoted are born where nothing moves: for each kind and each power of two
//! of bytes there is an allocation site, from the first promotion on.

use std::collections::HashMap;

use bowline_gc::{AllocSite, PinError};
use bowline_layout::{Header, Tag, Value};

use crate::fault::Result;
use crate::kinds;
use crate::object;
use crate::rt::Rt;

/// Larger objects never move.
const CLASSES: usize = 15;

/// What C was lent.
#[derive(Default)]
pub(crate) struct Lent {
    /// inv:lent.body
    bodies: HashMap<u64, Vec<Value>>,
    bytevectors: [Option<AllocSite>; CLASSES],
    strings: [Option<AllocSite>; CLASSES],
}

/// The class of a buffer of `length` bytes, if it could move.
fn class(length: usize) -> Option<usize> {
    let class = (usize::BITS - length.leading_zeros()) as usize;
    (class < CLASSES).then_some(class)
}

impl Lent {
    /// The body of the string at these bits was pinned with it.
    pub(crate) fn pinned(&mut self, string: Value, body: Value) {
        self.bodies.entry(string.bits()).or_default().push(body);
    }

    /// The body that was pinned last with the string at these bits.
    pub(crate) fn unpinned(&mut self, string: Value) -> Option<Value> {
        let bodies = self.bodies.get_mut(&string.bits())?;
        let body = bodies.pop();
        if bodies.is_empty() {
            self.bodies.remove(&string.bits());
        }
        body
    }

    #[inline]
    fn site(&self, header: Header) -> Option<AllocSite> {
        let class = class(header.length())?;
        match header.type_id() {
            kinds::BYTEVECTOR => self.bytevectors[class],
            _ => self.strings[class],
        }
    }
}

impl Rt {
    /// A fresh bytevector or body of a string, all zero.
    #[inline]
    pub(crate) fn alloc_buffer(&mut self, header: Header) -> Result {
        Ok(match self.lent.site(header) {
            None => self.heap.alloc(header, Tag::Object)?,
            Some(site) => self.heap.alloc_at(site, header, Tag::Object)?,
        })
    }

    /// Promotes a bytevector or the body of a string.
    pub(crate) fn promote(&mut self, holder: Value) -> std::result::Result<bool, PinError> {
        let header = object::header(holder);
        let site = class(header.length()).map(|class| {
            let (sites, what) = match header.type_id() {
                kinds::BYTEVECTOR => (&mut self.lent.bytevectors, "bytevectors"),
                _ => (&mut self.lent.strings, "strings"),
            };
            let heap = self.heap_ref;
            *sites[class].get_or_insert_with(|| {
                let most = (1usize << class) - 1;
                heap.alloc_site(&format!("{what} of up to {most} bytes"))
            })
        });
        match site {
            Some(site) => self.heap.promote_at(site, holder),
            None => self.heap.promote(holder),
        }
    }
}
