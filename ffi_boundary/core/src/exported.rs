//! Procedures that C calls by a name: no closure is made and libffi has no part in it.
//!
//! ```text
//!   C ── the inline function of a header ── words ──► call ── on a thread in a foreign call ──► inside
//!                                                       │
//!                                                       └──── on a thread of C's own ─────────► the gate
//! ```
//!
//! The header has turned C's arguments into words, by the types that the program exports the procedure with; a number
//! for these types goes with each call site, so that a header for others is refused (`data::layout` does the same for
//! constructors). How the procedure is left means what it means for a callback's (module `callback`).
//!
//! Absent on purpose: C's names and statuses, which `bowline-capi` has.

use crate::call::CallError;
use crate::callback::{Exit, admit, give_handle};
use crate::callback_error::Barred;
use crate::convert::{self, Spot};
use crate::data;
use crate::errno::Errno;
use crate::error::{FfiError, Place};
use crate::handle::{Handle, HandleError, HandleKind, Handles};
use crate::host::{Host, PendingExit};
use crate::inside::{self, Outside, inside};
use crate::language;
use crate::types::{CType, Repr};
use bowline_gc::{Callee, Heap, Mutator};
use bowline_layout::Value;
use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};

/// A procedure that the program has given to C. It lives for ever.
pub struct ExportedProcedure {
    name: Box<str>,
    params: Vec<CType>,
    result: CType,
    layout: u64,
    procedure: Handle,
    /// Whether the host calls it the light way, one of the constants below.
    light: AtomicU8,
    callee: Option<&'static Callee>,
}

/// It is asked when the procedure is called first.
const UNASKED: u8 = 0;
const HEAVY: u8 = 1;
const LIGHT: u8 = 2;

impl fmt::Debug for ExportedProcedure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExportedProcedure")
            .field("name", &self.name)
            .field("params", &self.params)
            .field("result", &self.result)
            .finish_non_exhaustive()
    }
}

impl PartialEq for ExportedProcedure {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for ExportedProcedure {}

/// Why C gets no result of an exported procedure. `E` says why it was not found.
#[derive(Debug)]
pub enum NotCalled<E> {
    /// The thread may not come back to the runtime.
    Outside(Outside),
    /// A thread of C's own was not let in: why, in words.
    NotLetIn(String),
    /// An exit is pending in the foreign call that the thread is in.
    Pending,
    /// A no-GC scope is open.
    Raw,
    /// It was not found.
    NotFound(E),
    /// It was left otherwise than by return, or its arguments or its result had an error, which is pending now.
    Left,
}

/// A number for a procedure with these types, which one with others hardly has.
pub fn layout(params: &[CType], result: &CType) -> u64 {
    let params = params.iter().map(|ctype| ("", Some(ctype)));
    data::layout("procedure", "", params.chain([("result", Some(result))]))
}

impl ExportedProcedure {
    /// Gives `procedure`, which accepts as many arguments, to C.
    pub fn new(
        mutator: &Mutator,
        name: &str,
        params: Vec<CType>,
        result: CType,
        procedure: Value,
    ) -> Result<&'static ExportedProcedure, FfiError> {
        let made = Handles::of(mutator).create(procedure, HandleKind::Global);
        let procedure = made.map_err(refused)?;
        Ok(Box::leak(Box::new(ExportedProcedure {
            name: name.into(),
            layout: layout(&params, &result),
            params,
            result,
            procedure,
            light: AtomicU8::new(UNASKED),
            callee: Heap::get().and_then(|heap| heap.callee(name, true)),
        })))
    }

    /// C calls this procedure from now on, which accepts as many arguments.
    pub fn replace(&self, mutator: &Mutator, procedure: Value) -> Result<(), FfiError> {
        let set = Handles::of(mutator).set(self.procedure, procedure);
        self.light.store(UNASKED, Ordering::Relaxed);
        set.map_err(refused)
    }

    /// Its number by [`layout`].
    pub fn layout(&self) -> u64 {
        self.layout
    }

    /// How many words C passes.
    pub fn words(&self) -> usize {
        self.params.len()
    }

    /// Whether it is this procedure with these types.
    pub fn is(&self, mutator: &Mutator, procedure: Value, layout: u64) -> bool {
        self.layout == layout && Handles::of(mutator).get(self.procedure) == Ok(procedure)
    }

    /// Calls it. The thread is Managed.
    fn run(&self, host: &mut dyn Host, words: &[u64]) -> Result<u64, Exit> {
        let Some(callee) = self.callee else {
            return self.call(host, words);
        };
        let began = host.mutator().callback_begins();
        let done = self.call(host, words);
        host.mutator().callback_ends(began, callee);
        done
    }

    fn call(&self, host: &mut dyn Host, words: &[u64]) -> Result<u64, Exit> {
        let height = host.mutator().len();
        let called = self.push_and_call(host, height, words);
        host.mutator().truncate(height);
        let value = called?;
        let spot = &Spot::ExportResult { export: &self.name };
        match &self.result {
            CType::Handle => give_handle(host, value, spot),
            ctype if ctype.repr() == Repr::Void => Ok(0),
            ctype => convert::to_word(&*host, ctype, value, spot)
                .map_err(|error| raise(host, error.into())),
        }
    }

    fn push_and_call(
        &self,
        host: &mut dyn Host,
        height: usize,
        words: &[u64],
    ) -> Result<Value, Exit> {
        let mutator = host.mutator();
        mutator.crossing();
        match Handles::of(mutator).get(self.procedure) {
            Ok(procedure) => mutator.push(procedure),
            Err(error) => {
                let place = Place::ExportResult {
                    export: self.name.clone(),
                };
                let error = Some(error);
                return Err(raise(host, FfiError::Handle { place, error }.into()));
            }
        }
        for (i, (ctype, &word)) in self.params.iter().zip(words).enumerate() {
            let spot = &Spot::ExportArgument {
                export: &self.name,
                argument: i + 1,
            };
            match convert::to_value(mutator, ctype, word, spot) {
                Ok(value) => mutator.push(value),
                Err(error) => return Err(raise(host, error)),
            }
        }
        let procedure = mutator.get(height);
        let first = height + 1;
        let args = first..first + self.params.len();
        // Who asks has the host, and so has who replaces the procedure.
        let mut light = self.light.load(Ordering::Relaxed);
        if light == UNASKED {
            light = if host.is_light(procedure) {
                LIGHT
            } else {
                HEAVY
            };
            self.light.store(light, Ordering::Relaxed);
        }
        let called = match light {
            LIGHT => host.invoke_light(procedure, args),
            _ => host.invoke(procedure, args),
        };
        called.map_err(|PendingExit| Exit)
    }
}

fn refused(error: HandleError) -> FfiError {
    FfiError::Handle {
        place: Place::Argument {
            function: "foreign-export".to_owned(),
            position: 2,
        },
        error: Some(error),
    }
}

#[cold]
fn raise(host: &mut dyn Host, error: CallError) -> Exit {
    host.raise_pending(error);
    Exit
}

/// From C: calls the procedure that `find` finds, with the words that it gives, one for each parameter. The result is
/// a word. C keeps its `errno`.
pub fn call<'w, E>(
    find: impl Fn(&dyn Host) -> Result<(&'static ExportedProcedure, &'w [u64]), E>,
) -> Result<u64, NotCalled<E>> {
    let done = inside(|inside| {
        if inside.is_pending() {
            return Err(NotCalled::Pending);
        }
        if inside.is_raw() {
            return Err(NotCalled::Raw);
        }
        let (procedure, words) = find(inside.host()).map_err(NotCalled::NotFound)?;
        procedure.run(inside.host(), words).map_err(|Exit| {
            inside.exit_is_pending();
            NotCalled::Left
        })
    });
    match done {
        Err(Outside::NoCall) => call_as_guest(find),
        Err(Outside::InLeaf) => {
            let found = inside::bar(|host| Ok(Barred::Exported(&find(host)?.0.name)));
            found.map_err(NotCalled::NotFound)?;
            Err(NotCalled::Outside(Outside::InLeaf))
        }
        Err(outside) => Err(NotCalled::Outside(outside)),
        Ok(done) => done,
    }
}

/// The same on a thread of C's own, which is let in for this call.
#[cold]
fn call_as_guest<'w, E>(
    find: impl Fn(&dyn Host) -> Result<(&'static ExportedProcedure, &'w [u64]), E>,
) -> Result<u64, NotCalled<E>> {
    let gate = language::gate().ok_or(NotCalled::Outside(Outside::NoCall))?;
    let errno = Errno::of_this_thread();
    let saved = errno.get();
    let done = admit(gate, |host| {
        host.mutator().leave_native();
        let found = find(&*host).map_err(NotCalled::NotFound);
        let done = found.and_then(|(procedure, words)| {
            procedure.run(host, words).map_err(|Exit| {
                host.guest_failed();
                NotCalled::Left
            })
        });
        host.mutator().enter_native();
        done
    });
    errno.set(saved);
    done.map_err(NotCalled::NotLetIn)?
}
