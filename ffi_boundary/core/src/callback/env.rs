//! Functions that are told by an `env` whose procedure they call, so that no code is made for them.
//!
//! ```text
//!   C:  f(…, env, …) ── an entry for where env stands ──► the record that env is the address of ──► its trampoline
//! ```
//!
//! The word that C keeps as its `void *` is the address of an *env record*, in which a trampoline stands; the function
//! that it calls is one for all callbacks of a type. On x86-64 it is part of this program (module `entry`), if env is
//! one of the first words that are passed; elsewhere libffi makes one for each type.
//!
//! `inv:env.fixed` The records stand in one row of addresses that is reserved once and never given back, in which they
//! become writable in order. So whatever word C passes, there is an answer to whether it is the address of a
//! record: by range, place in the row and a number that each record begins with. What is none is told, and not followed.
//!
//! Absent on purpose: telling a record of one type from one of another where C calls the function of a type with env
//! in the same place. A function of this program does not know which type C takes it for.

use super::entry::{self, Reading};
use super::pool::{Plan, Trampoline, lock};
use crate::active;
use crate::signal;
use crate::types::CallbackType;
use libffi::low::{self, ffi_cif};
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};

/// The most records.
const MOST: usize = 1 << 18;

/// The bytes that become writable at once.
const STEP: usize = 64 << 10;

/// What each record begins with.
const MAGIC: u64 = 0x656e_7620_7265_6331;

/// What an env is the address of.
#[repr(C)]
struct Record {
    /// Written last.
    magic: AtomicU64,
    trampoline: Trampoline,
}

/// The records (`inv:env.fixed`).
struct Row {
    first: usize,
    /// How many there are, and how many bytes are writable.
    used: Mutex<(usize, usize)>,
}

static ROW: OnceLock<Row> = OnceLock::new();

fn reserve() -> Option<Row> {
    let bytes = (MOST * size_of::<Record>()).next_multiple_of(STEP);
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: without MAP_FIXED the call touches no mapping that exists.
    let at = unsafe { libc::mmap(std::ptr::null_mut(), bytes, libc::PROT_READ, flags, -1, 0) };
    (at != libc::MAP_FAILED).then(|| Row {
        first: at.expose_provenance(),
        used: Mutex::new((0, 0)),
    })
}

/// The row. `None` as long as the system has no addresses for it.
fn row() -> Option<&'static Row> {
    static ALONE: Mutex<()> = Mutex::new(());
    if ROW.get().is_none() {
        let _alone = lock(&ALONE);
        if ROW.get().is_none() {
            // Nobody else can have set it.
            let _ = ROW.set(reserve()?);
        }
    }
    ROW.get()
}

/// A record with this trampoline, for ever. `None` when there is no memory, or no room.
pub(super) fn place(trampoline: Trampoline) -> Option<&'static Trampoline> {
    let row = row()?;
    let mut used = lock(&row.used);
    let (count, writable) = *used;
    let end = (count + 1) * size_of::<Record>();
    if count == MOST {
        return None;
    }
    if end > writable {
        let from = std::ptr::with_exposed_provenance_mut(row.first + writable);
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: the step is part of the mapping, which is a whole number of them, and nothing stands there yet.
        let refused = unsafe { libc::mprotect(from, STEP, access) };
        if refused != 0 {
            return None;
        }
        used.1 = writable + STEP;
    }
    used.0 = count + 1;
    let at = row.first + count * size_of::<Record>();
    let at = std::ptr::with_exposed_provenance_mut::<MaybeUninit<Record>>(at);
    // SAFETY: inv:env.fixed: the place is writable, aligned, and nobody else's.
    let record = unsafe { &mut *at };
    let record = record.write(Record {
        magic: AtomicU64::new(0),
        trampoline,
    });
    record.magic.store(MAGIC, Ordering::Release);
    Some(&record.trampoline)
}

/// The env by which C calls this trampoline.
pub(super) fn word_of(trampoline: &'static Trampoline) -> usize {
    std::ptr::from_ref(trampoline).addr() - std::mem::offset_of!(Record, trampoline)
}

/// The trampoline of an env; `None` for a word that is none.
pub(super) fn trampoline_of(env: usize) -> Option<&'static Trampoline> {
    let row = ROW.get()?;
    let distance = env.checked_sub(row.first)?;
    if distance >= MOST * size_of::<Record>() || !distance.is_multiple_of(size_of::<Record>()) {
        return None;
    }
    let record = std::ptr::with_exposed_provenance::<Record>(env);
    let magic: *const AtomicU64 = record.cast();
    // SAFETY: inv:env.fixed: the row can be read; where nothing was written there are zeros.
    let magic = unsafe { &*magic };
    if magic.load(Ordering::Acquire) != MAGIC {
        return None;
    }
    // SAFETY: inv:env.fixed: a record stands there for ever.
    let record = unsafe { &*record };
    Some(&record.trampoline)
}

/// What callbacks of an env type have besides the rest of their plan.
pub(crate) struct Env {
    /// Which of C's parameters it is.
    position: usize,
    /// How an entry of this program reads what C passes, if there is one.
    pub(super) reading: Option<Reading>,
    /// The address of the function, once there is one.
    code: OnceLock<usize>,
}

impl Env {
    /// For callbacks of this type, if they are told by an env.
    pub(super) fn of(callback: &CallbackType) -> Option<Env> {
        let position = callback.env()?;
        let reading = Reading::of(callback, position);
        let code = OnceLock::new();
        if let Some(reading) = &reading {
            let _ = code.set(reading.entry());
        }
        Some(Env {
            position,
            reading,
            code,
        })
    }

    /// Whether no code is made for it.
    pub(crate) fn is_static(&self) -> bool {
        self.reading.is_some()
    }

    /// The address of the function of all callbacks of the plan that this is of. `None` when libffi must make it and
    /// the system gives no executable memory.
    pub(super) fn code(&self, plan: &'static Plan) -> Option<usize> {
        if let Some(&code) = self.code.get() {
            return Some(code);
        }
        let (closure, code) = low::try_closure_alloc()?;
        let data = std::ptr::from_ref(plan).cast_mut().cast();
        // SAFETY: closure and code were allocated together; the plan and its description live for ever.
        let status = unsafe {
            libffi::raw::ffi_prep_closure_loc(
                closure,
                plan.cif_ptr(),
                Some(enter_plan),
                data,
                code.as_mut_ptr(),
            )
        };
        let made = code.as_ptr().expose_provenance();
        if status != libffi::raw::ffi_status_FFI_OK || self.code.set(made).is_err() {
            // SAFETY: it was allocated above, and nobody has it.
            unsafe { low::closure_free(closure) };
        }
        self.code.get().copied()
    }
}

/// What libffi calls: the function of a plan.
unsafe extern "C" fn enter_plan(
    _cif: *mut ffi_cif,
    result: *mut c_void,
    args: *mut *mut c_void,
    data: *mut c_void,
) {
    // SAFETY: `Env::code` gave libffi a plan, which lives for ever.
    let plan: &'static Plan = unsafe { &*data.cast::<Plan>() };
    let args: *const *const c_void = args.cast_const().cast();
    let position = plan.env.as_ref().map_or(0, |env| env.position);
    // SAFETY: libffi passes an argument of each of the plan's types, of which this one is a pointer.
    let word = unsafe { plan.argument(args, position) } as usize;
    match trampoline_of(word) {
        Some(trampoline) if std::ptr::eq(trampoline.plan, plan) => {
            // SAFETY: libffi passes the arguments and the room for a result of the plan's type.
            unsafe { trampoline.entered(result, args) };
        }
        _ => {
            report(word);
            // SAFETY: libffi passes the room for a result of the plan's type.
            unsafe { plan.give(result, plan.on_exit) };
        }
    }
}

/// Tells a person that C has passed a word that is no env of the function that it called.
#[cold]
pub(super) fn report(word: usize) {
    let what = match trampoline_of(word) {
        Some(trampoline) => format!(
            "the env of another type of callback, which ({}) was given",
            trampoline.lender_name()
        ),
        None => format!("{word:#x} for its env, which is none that C was given"),
    };
    active::from_c(|innermost| {
        let within = match innermost {
            // SAFETY: inv:active.linked: the name is borrowed from the function for the call.
            Some(call) => format!(" in ({})", unsafe { &*call.name }),
            None => String::new(),
        };
        signal::say(&format!(
            "bowline: a callback was called{within} with {what}\n"
        ));
    });
}

/// What an entry of this program does with what C has passed.
///
/// # Safety
/// The entry for this place calls it, with what C has passed in registers and behind its return address.
pub(super) unsafe fn enter(
    word: usize,
    place: usize,
    passed: &mut entry::Passed,
    stack: *const u64,
) {
    let trampoline = trampoline_of(word);
    let reading = trampoline.and_then(|t| t.plan.env.as_ref()?.reading.as_ref());
    match (trampoline, reading) {
        (Some(trampoline), Some(reading)) if reading.place() == place => {
            // SAFETY: the caller's; C calls a function of the record's type, with env in its place.
            unsafe { reading.enter(trampoline, passed, stack) };
        }
        _ => report(word),
    }
}
