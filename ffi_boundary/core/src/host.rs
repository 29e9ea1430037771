//! What the boundary must know of the language above it.
//!
//! `inv:host.rooted` A value that stands on the mutator's root stack stays valid while it stands
//! there; a value in a Rust variable is valid until the next allocation, crossing or call of the host.

use crate::active;
use crate::aggregate::Types;
use crate::call::CallError;
use crate::data::Exported;
use crate::gate::{Gate, Pull};
use crate::held::Held;
use crate::language;
use bowline_gc::{Heap, Mutator, OutOfMemory, OwnerLabel, Puller, RootStack};
use bowline_layout::Value;
use core::ops::Range;

/// The gate of a host.
pub type HostGate = Gate<Runner>;

/// A thread that uses a host.
pub struct Runner {
    puller: Puller,
    thread: libc::pthread_t,
}

impl Runner {
    /// The calling thread, which has this root stack.
    pub(crate) fn here(stack: &RootStack) -> Runner {
        Runner {
            puller: stack.puller(),
            // SAFETY: takes nothing.
            thread: unsafe { libc::pthread_self() },
        }
    }
}

impl Pull for Runner {
    fn pull(&self) {
        self.puller.pull();
    }

    fn is_here(&self) -> bool {
        // SAFETY: takes nothing.
        self.thread == unsafe { libc::pthread_self() }
    }
}

/// By which gate the calling thread uses its host, and as whom.
#[derive(Clone, Copy)]
pub struct Pass {
    /// The gate.
    pub gate: &'static HostGate,
    /// Which guest it is, by a number of the host's; 0 is the owner.
    pub guest: u64,
}

impl Pass {
    /// A gate for a host whose owner is the calling thread, which has this mutator. It lives for ever.
    pub fn gate_of(mutator: &Mutator) -> &'static HostGate {
        let heap: &'static Heap = mutator.heap();
        let gate = Gate::new(heap.fence_of_all(), Runner::here(mutator.stack()));
        let gate: &'static HostGate = Box::leak(Box::new(gate));
        language::watch(gate);
        gate
    }
}

/// At a poll of the host's: lets other threads use it, if any want to, and goes on when it is this thread's turn again.
/// The thread is Managed, and nothing of the host is in use but what [`Host::exchange`] keeps.
#[inline]
pub fn give_way(host: &mut dyn Host) {
    if let Some(pass) = host.pass()
        && pass.gate.is_wanted()
    {
        give_way_by(pass, host);
    }
}

#[cold]
fn give_way_by(pass: Pass, host: &mut dyn Host) {
    let runner = Runner::here(host.mutator().stack());
    // inv:gate.native
    host.mutator().enter_native();
    if pass.guest == 0 {
        let place: *mut (dyn Host + '_) = &mut *host;
        let at = (&raw const place).cast_mut().cast();
        pass.gate.leave(at);
        pass.gate.take(at);
    } else {
        pass.gate.give_way_as_guest(runner);
    }
    host.exchange(pass);
    host.mutator().leave_native();
}

/// What a thread has to come back by from a [`rest`].
#[must_use = "the thread stays away from its host until the rest ends"]
pub struct Rest(Option<Pass>);

/// The thread, which is Managed and in no foreign call, will not use its host for a while, as where a person types:
/// until [`Rest::end`] it keeps neither a collection waiting nor threads of C's that call back. The host stays where it
/// is meanwhile, and nobody else uses it.
pub fn rest(host: &mut (dyn Host + 'static)) -> Rest {
    // A guest keeps the gate.
    let pass = host.pass().filter(|pass| pass.guest == 0);
    // inv:gate.native
    host.mutator().enter_native();
    if let Some(pass) = pass {
        pass.gate.leave(active::place_of(host));
    }
    Rest(pass)
}

impl Rest {
    /// The thread uses its host, which is the one that it left, from now on.
    pub fn end(self, host: &mut (dyn Host + 'static)) {
        if let Some(pass) = self.0
            && pass.gate.take(active::place_of(host))
        {
            host.exchange(pass);
        }
        host.mutator().leave_native();
    }
}

/// A callback's procedure was left otherwise than by return. What happens instead is the host's to
/// remember, and to resume when the foreign call reports [`CallError::PendingExit`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PendingExit;

/// What converting a value takes: a look at numbers that only the language knows, and words for
/// error messages. Nothing here may allocate in the heap.
pub trait Language {
    /// The double nearest to a real number that is neither a fixnum, a flonum nor a bignum; `None`
    /// when the value is no such number.
    fn to_double(&self, v: Value) -> Option<f64>;

    /// The structs and arrays that the program knows.
    fn types(&self) -> &Types;

    /// The bits of the handle that a value of the language is; `None` for any other value.
    fn handle_bits(&self, _v: Value) -> Option<u64> {
        None
    }

    /// How many elements a vector has; `None` for what is no vector.
    fn vector_length(&self, _v: Value) -> Option<usize> {
        None
    }

    /// Element `i` of a vector.
    fn vector_element(&self, _v: Value, _i: usize) -> Value {
        Value::FALSE
    }

    /// What the program has exported to C under this name.
    fn exported(&self, _name: &str) -> Option<Exported> {
        None
    }

    /// The value as the language writes it, shortened where it is long.
    fn describe(&self, v: Value) -> String;
}

/// An engine that runs the language's procedures.
pub trait Host: Language {
    /// The calling thread's mutator.
    fn mutator(&mut self) -> &mut Mutator;

    /// Calls a procedure from C. The thread is `Managed`.
    ///
    /// The arguments stand on the root stack at `args`, which is its top, and `procedure` stands just
    /// below them; the boundary takes all of them off again. `Err` means that the procedure was left
    /// otherwise than by return: the host has remembered how to go on, and the foreign call that is
    /// innermost now will return [`CallError::PendingExit`].
    fn invoke(&mut self, procedure: Value, args: Range<usize>) -> Result<Value, PendingExit>;

    /// Whether [`Host::invoke_light`] can call a procedure.
    fn is_light(&self, _procedure: Value) -> bool {
        false
    }

    /// As [`Host::invoke`], for a procedure that is light: one that needs less of the host than any procedure may.
    fn invoke_light(&mut self, procedure: Value, args: Range<usize>) -> Result<Value, PendingExit> {
        self.invoke(procedure, args)
    }

    /// Something went wrong on the way into or out of a callback: the host raises it when the foreign
    /// call that is innermost now returns [`CallError::PendingExit`]. Never called with
    /// `CallError::PendingExit` itself.
    fn raise_pending(&mut self, error: CallError);

    /// C raises a value: the host roots it, and raises it when the foreign call that is innermost now returns
    /// [`CallError::PendingExit`].
    fn raise_value(&mut self, v: Value);

    /// C raises the error of the system with this number: as [`Host::raise_value`].
    fn raise_errno(&mut self, errno: i32);

    /// A fresh vector of `n` elements.
    fn make_vector(&mut self, n: usize) -> Result<Value, OutOfMemory>;

    /// Gives a vector that [`Host::make_vector`] made an element. Allocates nothing.
    fn set_vector_element(&mut self, v: Value, i: usize, element: Value);

    /// The label of what is made for the foreign call that is about to begin, or for a callback: for the heap's table of
    /// who holds C memory.
    fn owner_label(&mut self, held: Held<'_>) -> OwnerLabel {
        self.mutator().heap().owner_label(&held.to_string())
    }

    // Procedures that C keeps beyond a call.

    /// A number for what a procedure does, if it captures nothing: two of one number are the same.
    fn constant(&self, _procedure: Value) -> Option<u64> {
        None
    }

    /// The callback object of this kind that [`Host::keep_callback`] has kept with a procedure.
    fn kept_callback(&mut self, procedure: Value, kind: i64) -> Option<Value>;

    /// Keeps a callback object as long as a procedure lives; both stand at these positions of the root stack. The object
    /// refers to the procedure. May collect.
    fn keep_callback(
        &mut self,
        procedure: usize,
        kind: i64,
        callback: usize,
    ) -> Result<(), OutOfMemory>;

    /// Where in the program the call is made that is being made now, as in "main.scm:7". Asked in checking mode alone.
    fn place(&mut self) -> Option<String> {
        None
    }

    /// C has jumped back into the function of the call whose arguments stand at `args`, past callbacks of that call and all
    /// that they did: what the host keeps for those is forgotten, and a pending exit with it. The thread is Managed.
    fn abandon(&mut self, _args: usize) {}

    // Threads that nobody attached (module `gate`). A host without a gate refuses them.

    /// By which gate the thread that uses the host now does so.
    fn pass(&self) -> Option<Pass> {
        None
    }

    /// The thread with this pass has the gate again after others may have had it: what belongs to a thread is to be
    /// its own. Called before anything else of the host is used; the thread is Native.
    fn exchange(&mut self, _pass: Pass) {}

    /// A thread that nobody attached has the gate. It is Managed, by this mutator, whose root stack is empty, and from
    /// now on [`Host::mutator`] is that.
    fn guest_begins(&mut self, mutator: Box<Mutator>) {
        drop(mutator);
    }

    /// That thread's callback is over, and the thread Native: what belongs to a thread is to be the owner's again.
    /// Returns the mutator.
    fn guest_ends(&mut self) -> Option<Box<Mutator>> {
        None
    }

    /// The outermost callback of a guest was left otherwise than by return, or had an error, and there is no foreign
    /// call that could report it: the host tells the user, or ends the process.
    fn guest_failed(&mut self) {}

    /// Whether a value is a procedure.
    fn is_procedure(&self, v: Value) -> bool {
        v.is_procedure()
    }

    /// Whether a procedure accepts `n` arguments.
    fn accepts(&self, procedure: Value, n: usize) -> bool;

    /// The name of a procedure, for error messages.
    fn procedure_name(&self, procedure: Value) -> String;
}
