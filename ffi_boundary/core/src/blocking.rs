//! Blocking calls: C gets copies of strings and bytevectors, so nothing of the heap is pinned for as long as it
//! takes, and what it has written into the copy of a bytevector is copied back.
//!
//! `inv:blocking.copies` The copies are made before anything is lent, for making room may fail, and stay until the
//! call's result has become a value. Back they go to where the argument's object is then, which the root stack
//! knows; a bytevector is as long as it was.

use crate::callback::pool::Lender;
use crate::function::{ForeignFunction, Way};
use crate::guard::Guards;
use crate::host::Host;
use crate::object;
use bowline_gc::{Mutator, OutOfMemory};
use bowline_layout::Value;
use std::cell::Cell;

/// A copy of an argument.
struct Copy {
    /// Where the argument stands on the root stack.
    argument: usize,
    /// The words of the room before it.
    at: usize,
    /// How many bytes go back.
    back: usize,
}

/// The copies of a call's strings and bytevectors, in the order of the parameters.
pub(crate) struct Copies {
    room: Vec<Cell<u64>>,
    made: Vec<Copy>,
    next: Cell<usize>,
    /// Those of checking mode, instead.
    guards: Option<Guards>,
}

/// The bytes of an argument that gets a copy: where they are, how many C may see, and how many go back. `None` for
/// NULL, for a view, whose bytes are C's already, and for what is no such argument, which is told when it is converted.
pub(crate) fn bytes_of(way: &Way, v: Value) -> Option<(Value, usize, usize)> {
    match way {
        Way::StringCopy => {
            let (body, length) = object::string_body(v)?;
            // With the NUL behind them.
            Some((body, length + 1, 0))
        }
        Way::BytevectorCopy | Way::BytevectorAtCopy if !object::is_view(v) => {
            let length = object::bytevector_length(v)?;
            Some((v, length, length))
        }
        _ => None,
    }
}

impl Copies {
    /// No copies, for a call that lends.
    pub(crate) const fn none() -> Copies {
        Copies {
            room: Vec::new(),
            made: Vec::new(),
            next: Cell::new(0),
            guards: None,
        }
    }

    /// Copies the strings and bytevectors among the arguments that begin at `start` on the root stack. The cells are those
    /// of the call, prepared.
    pub(crate) fn make(
        function: &ForeignFunction,
        host: &mut dyn Host,
        start: usize,
        cells: &[Cell<u64>],
    ) -> Result<Copies, OutOfMemory> {
        let mut copies = Copies::none();
        if function.guarded {
            copies.guards = Some(Guards::make(function, host, start, cells)?);
            return Ok(copies);
        }
        let mutator = host.mutator();
        let mut sources = Vec::new();
        let (mut argument, mut words) = (start, 0);
        for way in &function.ways {
            if way.arguments() > 0
                && let Some((body, length, back)) = bytes_of(way, mutator.get(argument))
            {
                let at = words;
                // An empty one has an address of its own.
                words += length.div_ceil(8).max(1);
                copies.made.push(Copy { argument, at, back });
                sources.push((body, length));
            }
            argument += way.arguments();
        }
        if copies.room.try_reserve_exact(words).is_err() {
            return Err(OutOfMemory {
                requested: words * 8,
            });
        }
        copies.room.resize_with(words, Cell::default);
        for (copy, (body, length)) in copies.made.iter().zip(sources) {
            let to = copies.address(copy).cast_mut();
            // SAFETY: the room has words for that many bytes from there on.
            unsafe { object::copy_bytes_out(body, length, to) };
        }
        Ok(copies)
    }

    /// Those of checking mode.
    pub(crate) fn guards(&self) -> Option<&Guards> {
        self.guards.as_ref()
    }

    /// Who lends the call's callbacks in checking mode.
    #[inline(always)]
    pub(crate) fn lender(&self) -> Option<&'static Lender> {
        self.guards.as_ref()?.lender
    }

    fn address(&self, copy: &Copy) -> *const u8 {
        self.room.as_ptr().wrapping_add(copy.at).cast()
    }

    /// The address of the next copy; 0 for an object that is lent all the same.
    pub(crate) fn next(&self) -> u64 {
        if let Some(guards) = &self.guards {
            return guards.next();
        }
        let next = self.next.replace(self.next.get() + 1);
        match self.made.get(next) {
            Some(copy) => self.address(copy).expose_provenance() as u64,
            None => 0,
        }
    }

    /// Copies what C may have written back to the bytevectors.
    pub(crate) fn give_back(&self, mutator: &Mutator) {
        if let Some(guards) = &self.guards {
            return guards.give_back(mutator);
        }
        for copy in self.made.iter().filter(|copy| copy.back > 0) {
            let v = mutator.get(copy.argument);
            // SAFETY: the room has that many bytes there, and so has the bytevector (inv:blocking.copies).
            unsafe { object::copy_bytes_in(v, copy.back, self.address(copy)) };
        }
    }
}
