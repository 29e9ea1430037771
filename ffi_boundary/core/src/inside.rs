//! From C into the runtime without a procedure: what a function of the C interface does.
//!
//! ```text
//!   call       Managed ── enter_native ──► Native: C runs                    (the gate is left: inv:gate.one)
//!                                            │ C calls a function of the interface
//!   inside     Managed ◄── leave_native ─────┘   (inside = true)
//!                 │ handles are read and made, objects too
//!                 └─── enter_native ─────────► Native: C goes on   (inside = false)
//!
//!   no-GC scope  the way back to Native is left out: C goes on Managed, until the scope ends
//! ```
//!
//! `inv:inside.managed` Who has an [`Inside`] is Managed and has the host of the innermost foreign call to
//! himself: C waits for him, and a callback that is called meanwhile is refused.
//!
//! `inv:inside.raw` While a no-GC scope is open C runs Managed and nothing polls, allocates in the heap or crosses, so no
//! object moves and words of the heap stay good. The gate is kept, too. The watchdog names the call as it does a leaf call.
//!
//! Absent on purpose: C's types and names, which `bowline-capi` has.

use crate::active::{self, ActiveCall, Jumped};
use crate::call::CallError;
use crate::callback_error::Barred;
use crate::convert::{self, Spot};
use crate::errno::Errno;
use crate::error::FfiError;
use crate::guard;
pub use crate::handle::glance::{Glance, glance};
use crate::host::Host;
use crate::inside_error::InsideError;
use crate::object;
use crate::types::CType;
use bowline_gc::{Leaf, Mutator};
use bowline_layout::Value;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// Why nothing can be done for who asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outside {
    /// The thread is in no foreign call.
    NoCall,
    /// The thread is in a leaf call, which may not come back.
    InLeaf,
    /// The thread runs the language, or the runtime: only a signal handler, or a `malloc` of somebody's, can ask.
    InLanguage,
}

impl fmt::Display for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Outside::NoCall => "the thread is in no foreign call",
            Outside::InLeaf => {
                "the thread is in a leaf call, which may not come back to the runtime"
            }
            Outside::InLanguage => "the thread is not in C: it runs a procedure",
        })
    }
}

impl std::error::Error for Outside {}

/// An open no-GC scope.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RawScope {
    /// The foreign call that it belongs to.
    pub call: u64,
    /// How many are open in the call, it included.
    pub depth: u32,
}

/// The innermost foreign call of this thread, from within (`inv:inside.managed`).
pub struct Inside<'a> {
    call: &'a ActiveCall,
    host: &'a mut dyn Host,
}

/// Runs `f` within the innermost foreign call of this thread. C keeps its `errno`.
pub fn inside<R>(f: impl FnOnce(&mut Inside<'_>) -> R) -> Result<R, Outside> {
    let errno = Errno::of_this_thread();
    let saved = errno.get();
    let done = active::from_c(|call| {
        let call = call.ok_or(Outside::NoCall)?;
        if call.leaf {
            return Err(Outside::InLeaf);
        }
        if call.inside.get() {
            return Err(Outside::InLanguage);
        }
        // SAFETY: inv:active.linked: the call's maker waits for C to return and lent its host for that long;
        // nobody else has it, for `inside` was false (inv:inside.managed).
        let host = unsafe { &mut *call.host };
        call.inside.set(true);
        if call.raw.get() == 0 {
            call.is_back(host);
            host.mutator().leave_native();
            if call.jumped.get() == Jumped::Unlinked {
                call.forget_jumped(host);
            }
        }
        guard::to_language(host.mutator());
        let done = f(&mut Inside { call, host });
        guard::to_c(host.mutator());
        if call.raw.get() == 0 {
            host.mutator().enter_native();
            call.goes_to_c();
        }
        call.inside.set(false);
        Ok(done)
    });
    errno.set(saved);
    done
}

/// In a leaf call: C has called what `called` finds by the host, and nothing may run (`inv:call.leaf`). The call's maker
/// raises an error when C has returned.
#[cold]
pub(crate) fn bar<E>(called: impl FnOnce(&dyn Host) -> Result<Barred, E>) -> Result<(), E> {
    active::with_innermost(|call| {
        let Some(call) = call.filter(|call| call.leaf) else {
            return Ok(());
        };
        // SAFETY: inv:active.linked: the call's maker waits for C to return and lent its host for that long; nobody
        // comes back from a leaf call, so nobody else has it.
        let host = unsafe { &*call.host };
        call.called_back.set(Some(called(host)?));
        Ok(())
    })
}

/// Whether an exit is pending in the innermost foreign call of this thread, if it is in one.
pub fn is_pending() -> bool {
    active::with_innermost(|call| call.is_some_and(|call| call.pending.get()))
}

/// This thread's `errno`.
pub fn errno() -> i32 {
    Errno::of_this_thread().get()
}

/// C has returned with no-GC scopes open, and so Managed, or jumped out of a call that was: ends them, and makes the
/// thread Native as it would be.
#[cold]
pub(crate) fn end_left_open(mutator: &mut Mutator, call: &ActiveCall) {
    call.raw.set(0);
    mutator.leaf_ends();
    mutator.enter_native();
}

impl Inside<'_> {
    /// Who made the call.
    pub fn host(&mut self) -> &mut dyn Host {
        self.host
    }

    /// The thread's mutator.
    pub fn mutator(&mut self) -> &mut Mutator {
        self.host.mutator()
    }

    /// The name of the foreign procedure.
    pub fn function(&self) -> &str {
        // SAFETY: borrowed from the function for the call (inv:active.linked).
        unsafe { &*self.call.name }
    }

    /// Whether an exit is pending (`inv:active.pending`).
    pub fn is_pending(&self) -> bool {
        self.call.pending.get()
    }

    /// Whether a no-GC scope is open, in which nothing may be allocated (`inv:inside.raw`).
    pub fn is_raw(&self) -> bool {
        self.call.raw.get() > 0
    }

    /// A procedure that C has called in here was left, and the host knows how to go on once C has returned.
    pub(crate) fn exit_is_pending(&self) {
        self.call.pending.set(true);
    }

    /// Raises `v` once C has returned.
    pub fn raise(&mut self, v: Value) {
        self.host.raise_value(v);
        self.call.pending.set(true);
    }

    /// Raises the error of the system with this number once C has returned.
    pub fn raise_errno(&mut self, errno: i32) {
        if errno == 0 {
            let function = self.function().to_owned();
            return self.raise_inside(InsideError::NoErrno { function });
        }
        self.host.raise_errno(errno);
        self.call.pending.set(true);
    }

    /// Raises an error with this text once C has returned.
    pub fn raise_error(&mut self, text: &str) {
        let function = self.function().to_owned();
        let text = text.to_owned();
        self.raise_inside(InsideError::Raised { function, text });
    }

    fn raise_inside(&mut self, error: InsideError) {
        self.host.raise_pending(CallError::Ffi(error.into()));
        self.call.pending.set(true);
    }

    /// Opens a no-GC scope (`inv:inside.raw`).
    pub fn begin_raw(&mut self) -> RawScope {
        let depth = self.call.raw.get() + 1;
        if depth == 1 {
            let leaf = raw_name(self.function());
            self.mutator().leaf_begins(leaf);
        }
        self.call.raw.set(depth);
        RawScope {
            call: self.call.id,
            depth,
        }
    }

    /// C gets the word of `v` by this function of the interface, good for as long as a no-GC scope is open.
    pub fn lends_word(&mut self, by: &str, v: Value) {
        // SAFETY: borrowed from the function for the call (inv:active.linked).
        let function = unsafe { &*self.call.name };
        guard::lend_word(self.host.mutator(), v, by, function);
    }

    /// Whether this no-GC scope is open.
    pub fn is_open(&self, scope: RawScope) -> bool {
        scope.call == self.call.id && (1..=self.call.raw.get()).contains(&scope.depth)
    }

    /// Ends the innermost no-GC scope, which must be this one. Returns whether it is.
    #[must_use = "a scope that is not the innermost is not ended"]
    pub fn end_raw(&mut self, scope: RawScope) -> bool {
        if !self.is_open(scope) || scope.depth != self.call.raw.get() {
            return false;
        }
        self.call.raw.set(scope.depth - 1);
        if scope.depth == 1 {
            self.mutator().leaf_ends();
        }
        true
    }

    /// The word of a value as a C type that needs no pin. An error calls it the value to store.
    pub fn word(&self, ctype: &CType, v: Value) -> Result<u64, FfiError> {
        convert::to_word(&*self.host, ctype, v, &Spot::Store)
    }
}

/// The object with a string's bytes, and how many there are without the NUL behind them.
pub fn string_body(v: Value) -> Option<(Value, usize)> {
    object::string_body(v)
}

/// How many bytes a bytevector has.
pub fn bytevector_length(v: Value) -> Option<usize> {
    object::bytevector_length(v)
}

/// Where the bytes of a string's body or of a bytevector are, as long as it is pinned or nothing moves.
pub fn bytes_address(v: Value) -> *const u8 {
    object::bytes_address(v)
}

/// Where the first NUL among a string's bytes is, not counting the one that ends it.
pub fn find_nul(body: Value, length: usize) -> Option<usize> {
    object::find_nul(body, length)
}

/// What the watchdog calls a no-GC scope of this function.
fn raw_name(function: &str) -> &'static Leaf {
    static NAMES: Mutex<Option<HashMap<String, &'static Leaf>>> = Mutex::new(None);
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    let names = names.get_or_insert_default();
    match names.get(function) {
        Some(leaf) => leaf,
        None => {
            let leaf = Leaf::named(&format!("{function}, in a no-GC scope"));
            names.insert(function.to_owned(), leaf);
            leaf
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let texts = [
            (Outside::NoCall, "the thread is in no foreign call"),
            (
                Outside::InLeaf,
                "the thread is in a leaf call, which may not come back to the runtime",
            ),
            (
                Outside::InLanguage,
                "the thread is not in C: it runs a procedure",
            ),
        ];
        for (outside, text) in texts {
            assert_eq!(outside.to_string(), text);
        }
    }

    #[test]
    fn a_thread_in_no_call_is_outside() {
        assert_eq!(inside(|_| ()), Err(Outside::NoCall));
    }

    #[test]
    fn a_function_has_one_name_for_ever() {
        assert!(std::ptr::eq(raw_name("f"), raw_name("f")));
        assert!(!std::ptr::eq(raw_name("f"), raw_name("g")));
    }
}
