//! The foreign calls that are active on this thread, innermost first.
//!
//! ```text
//!   call            Managed ── enter_native ──► Native: C runs
//!                                                 │ C calls a callback
//!   callback entry  Managed ◄── leave_native ─────┘   (inside = true)
//!                      │ the procedure runs, perhaps calls C again: a new, inner call
//!                      └── enter_native ─────────► Native: C goes on   (inside = false)
//!   call            Managed ◄── leave_native ── C returns
//! ```
//!
//! `inv:active.linked` A call is linked from just before C runs until just after, on the stack frame
//! of the function that makes it, so every linked call is alive and its arguments stand on the root
//! stack.
//!
//! `inv:active.jump` C may jump (`longjmp`) from an inner call's function back into an outer one's, past a callback. What
//! was in between is gone without having been ended, and the memory that it was in is C's. It is noticed when the outer
//! function calls back or returns: by calls that lie below the stack pointer, or that were not unlinked. Nothing is read of
//! them; what must be ended for them is found without them: closures by the ids of calls, local handles and pins by what was
//! open before, frames by the outer call's, and what the host has by its place on the root stack.
//!
//! `inv:active.pending` A pending exit belongs to the innermost call: its C code is what runs now and
//! must return first. While it is pending, no procedure runs for that call.

use crate::callback::{guest, pool};
use crate::callback_error::Barred;
use crate::guard;
use crate::handle::scope::Open;
use crate::host::{Host, Pass, Runner};
use crate::inside;
use bowline_gc::{CallFrame, Passage};
use bowline_layout::Value;
use std::cell::Cell;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU64, Ordering};

/// One active foreign call.
pub(crate) struct ActiveCall {
    prev: Cell<*const ActiveCall>,
    /// The call that was made inside this one and has not returned.
    next: Cell<*const ActiveCall>,
    /// What is pinned for it.
    pub(crate) frame: Cell<*const CallFrame<'static>>,
    /// Whether C has jumped back into it past inner calls, of which the host has not been told or the program not yet.
    pub(crate) jumped: Cell<Jumped>,
    /// Different for every call of the process.
    pub(crate) id: u64,
    /// Who made the call. Used only while C runs and its maker waits for it.
    pub(crate) host: *mut dyn Host,
    /// By which gate the thread uses the host.
    pub(crate) pass: Option<Pass>,
    /// The thread's way into the heap.
    passage: Passage,
    /// The name of the foreign function, borrowed from it for the call.
    pub(crate) name: *const str,
    /// Where the arguments begin on the root stack.
    pub(crate) args: usize,
    /// What local handles and scopes were open before it.
    pub(crate) open: Open,
    /// Whether an exit is pending (`inv:active.pending`).
    pub(crate) pending: Cell<bool>,
    /// Whether one of its callbacks is running.
    pub(crate) inside: Cell<bool>,
    /// Whether it is a leaf call, which may not call back.
    pub(crate) leaf: bool,
    /// What C called during a leaf call, or in a no-GC scope.
    pub(crate) called_back: Cell<Option<Barred>>,
    /// How many no-GC scopes are open in it (`inv:inside.raw`).
    pub(crate) raw: Cell<u32>,
}

/// What is known of a jump past inner calls (`inv:active.jump`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Jumped {
    No,
    /// They are unlinked. What the host has of them is still there.
    Unlinked,
    /// Nothing of them is left.
    Forgotten,
}

struct Thread {
    innermost: Cell<*const ActiveCall>,
    outermost: Cell<*const ActiveCall>,
    /// Where other threads find the host while this one, its owner, is in C.
    host: Cell<MaybeUninit<*mut dyn Host>>,
    /// Where the C stack is, from its lowest address on; both 0 before it was asked for, or when nobody tells.
    stack: Cell<(usize, usize)>,
    /// The last call id; 0 before the first call.
    last_id: Cell<u64>,
    /// The lowest address to which the C stack may grow; 0 before it was asked for.
    floor: Cell<usize>,
}

thread_local! {
    static THREAD: Thread = const {
        Thread {
            innermost: Cell::new(std::ptr::null()),
            outermost: Cell::new(std::ptr::null()),
            host: Cell::new(MaybeUninit::uninit()),
            stack: Cell::new((0, 0)),
            last_id: Cell::new(0),
            floor: Cell::new(0),
        }
    };
}

/// Call ids are a thread's number, then a count.
const COUNT_BITS: u32 = 40;
static THREADS: AtomicU64 = AtomicU64::new(0);

/// C stack that must be left for a foreign call to begin: for the C function, the collector, and the
/// error that is raised when there is less.
pub(crate) const STACK_RESERVE: usize = 256 * 1024;

/// An id for a call, never 0.
#[inline]
pub(crate) fn next_id() -> u64 {
    THREAD.with(|thread| {
        let last = match thread.last_id.get() {
            0 => THREADS.fetch_add(1, Ordering::Relaxed) << COUNT_BITS,
            last => last,
        };
        thread.last_id.set(last + 1);
        last + 1
    })
}

/// The id of the call that this thread has made last; 0 before the first.
pub(crate) fn last_id() -> u64 {
    THREAD.with(|thread| thread.last_id.get())
}

/// Whether what runs on this thread now is C, as far as is known. For signal handlers (`inv:signal.safe`).
pub(crate) fn runs_c() -> bool {
    with_innermost(|call| call.is_some_and(|call| !call.inside.get()))
        || !bowline_gc::is_managed_here()
}

/// How many foreign calls this thread has made.
pub fn calls_made() -> u64 {
    THREAD.with(|thread| thread.last_id.get()) & ((1 << COUNT_BITS) - 1)
}

/// Whether the C stack is nearly full. A stack whose bounds the system does not tell never is.
#[inline]
pub(crate) fn stack_nearly_full() -> bool {
    let here = 0u8;
    let address = (&raw const here).addr();
    let floor = THREAD.with(|thread| match thread.floor.get() {
        0 => {
            thread.floor.set(stack_floor());
            thread.floor.get()
        }
        floor => floor,
    });
    address < floor
}

#[cold]
fn stack_floor() -> usize {
    match stack_bounds() {
        Some((low, size)) if size >= 2 * STACK_RESERVE => low + STACK_RESERVE,
        _ => 1,
    }
}

/// Whether the thread, which C has made, has enough C stack left for a callback to begin. A small stack is refused,
/// and no callback on a larger one uses the last of it.
pub(crate) fn has_stack_for_a_guest() -> bool {
    let Some((low, _)) = stack_bounds() else {
        return true;
    };
    THREAD.with(|thread| thread.floor.set(low + STACK_RESERVE));
    !stack_nearly_full()
}

/// Where the calling thread's C stack begins, and how large it is, if the system tells.
fn stack_bounds() -> Option<(usize, usize)> {
    let mut attributes = std::mem::MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: takes nothing.
    let this = unsafe { libc::pthread_self() };
    // SAFETY: fills in the attributes of a thread that is running.
    if unsafe { libc::pthread_getattr_np(this, attributes.as_mut_ptr()) } != 0 {
        return None;
    }
    let (mut low, mut size) = (std::ptr::null_mut(), 0);
    // SAFETY: the attributes were filled in.
    let told =
        unsafe { libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut low, &raw mut size) };
    // SAFETY: the attributes were filled in and are not used again.
    unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
    let bounds = (told == 0).then_some((low.addr(), size));
    if let Some((low, size)) = bounds {
        THREAD.with(|thread| thread.stack.set((low, low + size)));
    }
    bounds
}

impl ActiveCall {
    /// A call of `name` by `host` with arguments at `args`.
    pub(crate) fn new(
        id: u64,
        host: &mut (dyn Host + '_),
        name: &str,
        args: usize,
        open: Open,
        leaf: bool,
    ) -> Self {
        let pass = host.pass();
        let passage = host.mutator().passage();
        let host: *mut (dyn Host + '_) = host;
        // SAFETY: only the lifetime of the trait object changes; `host` is used while the call is
        // linked, which is within the borrow that it was made from (inv:active.linked).
        let host = unsafe { std::mem::transmute::<*mut (dyn Host + '_), *mut dyn Host>(host) };
        ActiveCall {
            prev: Cell::new(std::ptr::null()),
            next: Cell::new(std::ptr::null()),
            frame: Cell::new(std::ptr::null()),
            jumped: Cell::new(Jumped::No),
            id,
            host,
            pass,
            passage,
            name,
            args,
            open,
            pending: Cell::new(false),
            inside: Cell::new(false),
            leaf,
            called_back: Cell::new(None),
            raw: Cell::new(0),
        }
    }

    /// Makes this the innermost call.
    ///
    /// # Safety
    /// The call stays where it is until [`ActiveCall::unlink`], which comes before the caller returns.
    #[inline]
    pub(crate) unsafe fn link(&self) {
        THREAD.with(|thread| {
            let prev = thread.innermost.replace(self);
            self.prev.set(prev);
            // SAFETY: inv:active.linked
            match unsafe { prev.as_ref() } {
                None => thread.outermost.set(self),
                Some(prev) => prev.next.set(self),
            }
        });
    }

    /// Undoes [`ActiveCall::link`].
    #[inline]
    pub(crate) fn unlink(&self) {
        let prev = self.prev.get();
        THREAD.with(|thread| thread.innermost.set(prev));
        // SAFETY: inv:active.linked
        if let Some(prev) = unsafe { prev.as_ref() } {
            prev.next.set(std::ptr::null());
        }
    }

    /// C has returned from this call: notes whether inner calls were jumped over (`inv:active.jump`).
    #[inline(always)]
    pub(crate) fn has_returned(&self) {
        if THREAD.with(|thread| !std::ptr::eq(thread.innermost.get(), self)) {
            self.jumped_into();
        }
    }

    /// C has jumped back into this call's function, past inner calls, which lie in memory that is C's again.
    #[cold]
    fn jumped_into(&self) {
        THREAD.with(|thread| thread.innermost.set(self));
        self.next.set(std::ptr::null());
        self.inside.set(false);
        self.jumped.set(Jumped::Unlinked);
        pool::retire_after(self.id);
        guard::end_after(self.id);
        if bowline_gc::is_managed_here() {
            // The jump was out of a leaf call or a no-GC scope, which keep the gate.
            // SAFETY: inv:active.linked: the call's maker waits for C, and nobody else uses the host.
            let host = unsafe { &mut *self.host };
            inside::end_left_open(host.mutator(), self);
            self.goes_to_c();
        }
    }

    /// After a jump into this call: has the host and the heap forget what was jumped over. The thread is Managed and has the
    /// gate.
    #[cold]
    pub(crate) fn forget_jumped(&self, host: &mut dyn Host) {
        if self.jumped.replace(Jumped::Forgotten) == Jumped::Unlinked {
            // SAFETY: inv:active.linked: the frame is the one that was pushed for this call.
            unsafe { host.mutator().abandon_calls(self.frame.get()) };
            host.abandon(self.args);
        }
    }

    /// The thread, Native, goes on in C: others may use the host (`inv:gate.one`).
    #[inline(always)]
    pub(crate) fn goes_to_c(&self) {
        match self.pass {
            None => {}
            Some(pass) if pass.guest == 0 => pass.gate.leave(self.host_place()),
            Some(pass) => pass.gate.leave_as_guest(),
        }
    }

    /// The thread, Native, has come from C and wants to use the host, of which it has used nothing since
    /// [`ActiveCall::goes_to_c`].
    #[inline(always)]
    pub(crate) fn is_back(&self, host: &mut dyn Host) {
        if let Some(pass) = self.pass
            && (pass.guest != 0 || pass.gate.take(self.host_place()))
        {
            self.is_back_among_others(host, pass);
        }
    }

    #[cold]
    fn is_back_among_others(&self, host: &mut dyn Host, pass: Pass) {
        if pass.guest != 0 {
            // SAFETY: inv:active.linked: the call's thread has its mutator, and that its stack.
            pass.gate
                .take_as_guest(Runner::here(unsafe { self.passage.stack() }));
        }
        host.exchange(pass);
    }

    #[inline(always)]
    fn host_place(&self) -> *mut () {
        place_of(self.host)
    }

    /// Argument `position`, as it stands on the root stack of the call's own thread. For who has the gate, if the host
    /// has one, and is Managed: the call's thread is this one, or waits (`inv:active.linked`), and nobody collects.
    pub(crate) fn argument(&self, position: usize) -> Value {
        // SAFETY: as above.
        unsafe { self.passage.stack() }.get(self.args + position)
    }

    /// Whether the call with this id is this one or one further out; then that one.
    pub(crate) fn find(&self, id: u64) -> Option<&ActiveCall> {
        let mut at = self;
        while at.id != id {
            // SAFETY: inv:active.linked: calls further out are linked for longer than inner ones.
            at = unsafe { at.prev.get().as_ref() }?;
        }
        Some(at)
    }
}

/// Where guests find the host of this thread, its owner, while that is away: not in a call, which C may jump over.
#[inline(always)]
pub(crate) fn place_of(host: *mut dyn Host) -> *mut () {
    THREAD.with(|thread| {
        thread.host.set(MaybeUninit::new(host));
        thread.host.as_ptr().cast()
    })
}

/// Runs `f` with the innermost call of this thread.
#[inline]
pub(crate) fn with_innermost<R>(f: impl FnOnce(Option<&ActiveCall>) -> R) -> R {
    let innermost = THREAD.with(|thread| thread.innermost.get());
    // SAFETY: inv:active.linked: a linked call is alive, and it cannot be unlinked while `f` runs
    // inside the C code that it waits for.
    f(unsafe { innermost.as_ref() })
}

/// The way into the heap of a thread that runs C in a foreign call, Native, if nothing about that is out of the ordinary.
#[inline(always)]
pub(crate) fn passage_of_c() -> Option<Passage> {
    let here = 0u8;
    let innermost = THREAD.with(|thread| thread.innermost.get());
    // One that lies below is dead (inv:active.jump); so does null.
    if innermost.addr() < (&raw const here).addr() {
        return None;
    }
    // SAFETY: inv:active.linked
    let call = unsafe { &*innermost };
    let stays_managed = call.leaf || call.inside.get() || call.raw.get() > 0;
    (!stays_managed && call.jumped.get() == Jumped::No).then_some(call.passage)
}

/// As [`with_innermost`], for who comes from C: calls that C has jumped over are unlinked first (`inv:active.jump`).
#[inline]
pub(crate) fn from_c<R>(f: impl FnOnce(Option<&ActiveCall>) -> R) -> R {
    let here = 0u8;
    let here = (&raw const here).addr();
    THREAD.with(|thread| {
        let innermost = thread.innermost.get();
        if innermost.addr() < here && !innermost.is_null() {
            unlink_dead(thread, here);
        }
    });
    with_innermost(f)
}

/// Unlinks the calls below `here`, if that is on the thread's own stack. Elsewhere nothing is known of their order.
#[cold]
fn unlink_dead(thread: &Thread, here: usize) {
    let (low, high) = thread.stack.get();
    let is_dead = |call: *const ActiveCall| (low..here).contains(&call.addr());
    if !(low..high).contains(&here) || !is_dead(thread.innermost.get()) {
        return;
    }
    if is_dead(thread.outermost.get()) {
        // There was a callback below it, on a thread of C's.
        thread.innermost.set(std::ptr::null());
        return guest::jumped_out();
    }
    let mut at = thread.outermost.get();
    loop {
        // SAFETY: the outermost call is alive, and so is each that it leads to and that is not below `here`.
        let Some(call) = (unsafe { at.as_ref() }) else {
            return;
        };
        let next = call.next.get();
        if next.is_null() {
            return;
        }
        if is_dead(next) {
            return call.jumped_into();
        }
        at = next;
    }
}
