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
//! `inv:active.pending` A pending exit belongs to the innermost call: its C code is what runs now and
//! must return first. While it is pending, no procedure runs for that call.

use crate::handle::scope::Open;
use crate::host::Host;
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

/// One active foreign call.
pub(crate) struct ActiveCall {
    prev: Cell<*const ActiveCall>,
    /// Different for every call of the process.
    pub(crate) id: u64,
    /// Who made the call. Used only while C runs and its maker waits for it.
    pub(crate) host: *mut dyn Host,
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
    /// Who lent the callback that C called during a leaf call, or in a no-GC scope.
    pub(crate) called_back: Cell<Option<&'static str>>,
    /// How many no-GC scopes are open in it (`inv:inside.raw`).
    pub(crate) raw: Cell<u32>,
}

struct Thread {
    innermost: Cell<*const ActiveCall>,
    /// The last call id; 0 before the first call.
    last_id: Cell<u64>,
    /// The lowest address to which the C stack may grow; 0 before it was asked for.
    floor: Cell<usize>,
}

thread_local! {
    static THREAD: Thread = const {
        Thread {
            innermost: Cell::new(std::ptr::null()),
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
const STACK_RESERVE: usize = 256 * 1024;

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
    let mut attributes = std::mem::MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: takes nothing.
    let this = unsafe { libc::pthread_self() };
    // SAFETY: fills in the attributes of a thread that is running.
    if unsafe { libc::pthread_getattr_np(this, attributes.as_mut_ptr()) } != 0 {
        return 1;
    }
    let (mut low, mut size) = (std::ptr::null_mut(), 0);
    // SAFETY: the attributes were filled in.
    let told =
        unsafe { libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut low, &raw mut size) };
    // SAFETY: the attributes were filled in and are not used again.
    unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
    if told != 0 || size < 2 * STACK_RESERVE {
        return 1;
    }
    low.addr() + STACK_RESERVE
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
        let host: *mut (dyn Host + '_) = host;
        // SAFETY: only the lifetime of the trait object changes; `host` is used while the call is
        // linked, which is within the borrow that it was made from (inv:active.linked).
        let host = unsafe { std::mem::transmute::<*mut (dyn Host + '_), *mut dyn Host>(host) };
        ActiveCall {
            prev: Cell::new(std::ptr::null()),
            id,
            host,
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
        THREAD.with(|thread| self.prev.set(thread.innermost.replace(self)));
    }

    /// Undoes [`ActiveCall::link`].
    #[inline]
    pub(crate) fn unlink(&self) {
        THREAD.with(|thread| thread.innermost.set(self.prev.get()));
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

/// Runs `f` with the innermost call of this thread.
#[inline]
pub(crate) fn with_innermost<R>(f: impl FnOnce(Option<&ActiveCall>) -> R) -> R {
    let innermost = THREAD.with(|thread| thread.innermost.get());
    // SAFETY: inv:active.linked: a linked call is alive, and it cannot be unlinked while `f` runs
    // inside the C code that it waits for.
    f(unsafe { innermost.as_ref() })
}
