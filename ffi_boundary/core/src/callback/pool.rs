//! C functions that call procedures: one libffi closure each, used again and again.
//!
//! ```text
//!   (new) ──► lent ──► tombstone ──► lent ──► …        never freed
//!             call = id   call = 0
//! ```
//!
//! `inv:closure.stays` A closure that was lent is never freed, so C code that kept its address finds a function
//! there for ever: one that says what is wrong and returns the default.
//!
//! `inv:closure.rest` A closure whose call has returned is not lent again before [`REST`] others of
//! its type were, so that a late call is told from a call of the next borrower.
//!
//! Those of a lifetime beyond a call *hold* a procedure instead: see `made`, which also says when they are given back.
//! Those of an env type have no closure but a record, which is never freed: see `env`. What is said of closures here
//! holds of records too.

use super::env::{self, Env};
use crate::active::ActiveCall;
use crate::callback_error::Ended;
use crate::cif::Cif;
use crate::convert;
use crate::handle::Handle;
use crate::host::HostGate;
use crate::types::{CType, CallbackType, Lifetime, Repr};
use bowline_gc::{Callee, Heap, OwnerLabel};
use libffi::low::{self, ffi_cif, ffi_closure};
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::ffi::c_void;
use std::sync::atomic::{AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

/// How many tombstones of a type there are before the oldest is used again.
const REST: usize = 256;

/// How many trampolines of a type, at most, keep their closures while nobody has them. A loop that makes callbacks drops so many
/// between two collections.
const ARMED: usize = 1 << 17;

/// Trampolines that nobody has.
#[derive(Default)]
struct Spare {
    /// Those that kept their closures, at most [`ARMED`].
    armed: Vec<&'static Trampoline>,
    bare: Vec<&'static Trampoline>,
}

/// Who lends: what an error message says about a closure, for as long as the process lives.
pub(crate) struct Lender {
    /// The foreign function's name.
    pub(crate) name: Box<str>,
    /// Where it lends, if there is one lender for each place.
    place: Option<Box<str>>,
    /// Where its callbacks are counted, if they are.
    pub(crate) callee: Option<&'static Callee>,
}

/// All that callbacks of one type have in common.
pub(crate) struct Plan {
    cif: Cif,
    pub(crate) params: Vec<CType>,
    /// How many arguments the procedures get.
    pub(crate) arguments: usize,
    pub(crate) result: CType,
    /// What C gets when the procedure was left otherwise than by return.
    pub(crate) on_exit: u64,
    pub(crate) lifetime: Lifetime,
    /// What it has if C passes an env.
    pub(crate) env: Option<Env>,
    resting: Mutex<VecDeque<&'static Trampoline>>,
    spare: Mutex<Spare>,
}

/// One closure: what its C function finds when it is called.
pub(crate) struct Trampoline {
    pub(crate) plan: &'static Plan,
    closure: AtomicPtr<ffi_closure>,
    code: AtomicUsize,
    lender: AtomicPtr<Lender>,
    /// The id of the call that it is lent to; 0 for a tombstone.
    call: AtomicU64,
    /// Which argument of that call its procedure is, from 0.
    position: AtomicUsize,
    /// That call.
    home: AtomicPtr<ActiveCall>,
    /// The gate of the host that made the call, if it has one.
    gate: AtomicPtr<HostGate>,
    /// The handle of the callback object that holds its procedure; 0 if it has none.
    held: AtomicU64,
    /// What has ended it last, when it holds one no more.
    ended: AtomicU8,
    /// How many objects stand for it besides the one that it holds, and are not freed.
    copies: AtomicU64,
    /// How many threads of C's are in it, for one that holds a procedure.
    running: AtomicU32,
}

#[derive(Default)]
struct Registry {
    plans: HashMap<CallbackType, &'static Plan>,
    lenders: HashMap<(String, Option<String>), &'static Lender>,
    makers: HashMap<OwnerLabel, &'static Lender>,
}

/// Plans and lenders live for ever, because closures do (`inv:closure.stays`), so there is one of each
/// kind.
static REGISTRY: LazyLock<Mutex<Registry>> = LazyLock::new(Mutex::default);

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is guarded is whole between any two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The lender of this name.
pub(crate) fn lender(name: &str) -> &'static Lender {
    lender_at(name, None)
}

/// The lender of this name that lends at this place of the program.
pub(crate) fn lender_at(name: &str, place: Option<&str>) -> &'static Lender {
    let key = (name.to_owned(), place.map(str::to_owned));
    let mut registry = lock(&REGISTRY);
    if let Some(known) = registry.lenders.get(&key) {
        return known;
    }
    let lender: &'static Lender = Box::leak(Box::new(Lender {
        name: name.into(),
        place: place.map(Into::into),
        callee: Heap::get().and_then(|heap| heap.callee(name, true)),
    }));
    registry.lenders.insert(key, lender);
    lender
}

/// The lender that is called like owners of this label.
pub(super) fn lender_of(heap: &Heap, label: OwnerLabel) -> &'static Lender {
    if let Some(known) = lock(&REGISTRY).makers.get(&label) {
        return known;
    }
    let name = heap.owner_name(label);
    let lender = lender(name.as_deref().unwrap_or("make-callback"));
    lock(&REGISTRY).makers.insert(label, lender);
    lender
}

/// The plan of this type; `None` when libffi refuses it.
pub(crate) fn plan(callback: &CallbackType) -> Option<&'static Plan> {
    let mut registry = lock(&REGISTRY);
    if let Some(known) = registry.plans.get(callback) {
        return Some(known);
    }
    let on_exit = callback.on_exit.unwrap_or(0);
    let plan: &'static Plan = Box::leak(Box::new(Plan {
        cif: Cif::of_callback(&callback.params, &callback.result)?,
        params: callback.params.clone(),
        arguments: callback.arguments(),
        result: callback.result.clone(),
        on_exit: match callback.result.repr() {
            Repr::Float => u64::from((on_exit as f32).to_bits()),
            Repr::Double => (on_exit as f64).to_bits(),
            _ => on_exit as u64,
        },
        lifetime: callback.lifetime,
        env: Env::of(callback),
        resting: Mutex::default(),
        spare: Mutex::default(),
    }));
    registry.plans.insert(callback.clone(), plan);
    Some(plan)
}

impl Plan {
    /// Its description, for libffi, which only reads it.
    pub(super) fn cif_ptr(&self) -> *mut ffi_cif {
        self.cif.as_ptr()
    }

    /// A number that no other plan has.
    pub(crate) fn number(&'static self) -> i64 {
        std::ptr::from_ref(self).addr() as i64
    }

    /// Lends a C function for argument `position` of the call `id`. `None` when the system gives no
    /// executable memory, or no memory for a record.
    pub(crate) fn lend(
        &'static self,
        lender: &'static Lender,
        id: u64,
        position: usize,
    ) -> Option<&'static Trampoline> {
        let mut resting = lock(&self.resting);
        // inv:closure.rest
        let rested = if resting.len() > REST {
            resting.pop_front()
        } else {
            None
        };
        drop(resting);
        let trampoline = match rested {
            Some(rested) => rested,
            None => self.take()?,
        };
        let name = std::ptr::from_ref(lender).cast_mut();
        trampoline.lender.store(name, Ordering::Relaxed);
        trampoline.position.store(position, Ordering::Relaxed);
        trampoline.call.store(id, Ordering::Release);
        Some(trampoline)
    }

    /// A trampoline with a closure of its own, which nobody has. `None` as for [`Plan::lend`].
    pub(super) fn take(&'static self) -> Option<&'static Trampoline> {
        if Heap::get().is_some_and(Heap::refuses) {
            return None;
        }
        let mut spare = lock(&self.spare);
        let (armed, bare) = match spare.armed.pop() {
            None => (None, spare.bare.pop()),
            armed => (armed, None),
        };
        drop(spare);
        if armed.is_some() {
            return armed;
        }
        let trampoline = match bare {
            Some(bare) => bare,
            None => Trampoline::without_closure(self)?,
        };
        let armed = trampoline.arm();
        if !armed {
            lock(&self.spare).bare.push(trampoline);
        }
        armed.then_some(trampoline)
    }

    /// Keeps a trampoline for the next who takes one, or gives its closure back to libffi. Nobody calls it.
    pub(super) fn give_back(&'static self, trampoline: &'static Trampoline) {
        let mut spare = lock(&self.spare);
        if spare.armed.len() < ARMED {
            return spare.armed.push(trampoline);
        }
        drop(spare);
        let closure = trampoline
            .closure
            .swap(std::ptr::null_mut(), Ordering::Relaxed);
        if !closure.is_null() {
            // SAFETY: `arm` got it from libffi, and it is given back once.
            unsafe { low::closure_free(closure) };
        }
        lock(&self.spare).bare.push(trampoline);
    }

    /// Writes a callback's result where libffi wants it.
    ///
    /// # Safety
    /// `result` is libffi's room for a result of this type, which is a word at least unless the type
    /// is `void` or a struct.
    pub(crate) unsafe fn give(&self, result: *mut c_void, word: u64) {
        match self.result.repr() {
            Repr::Void => {}
            Repr::Aggregate => {
                // inv:callback.struct
                if word == 0 {
                    let bytes = self.result.size().unwrap_or(0);
                    // SAFETY: the caller's.
                    unsafe { result.cast::<u8>().write_bytes(0, bytes) };
                }
            }
            _ => {
                // SAFETY: the caller's.
                unsafe { result.cast::<u64>().write_unaligned(word) };
            }
        }
    }

    /// The word of argument `i` of a callback; for a struct its address.
    ///
    /// # Safety
    /// `args` is libffi's list of pointers to arguments of this type.
    pub(crate) unsafe fn argument(&self, args: *const *const c_void, i: usize) -> u64 {
        // SAFETY: the list has an entry for each parameter.
        let entry = unsafe { args.add(i) };
        // SAFETY: as above.
        let at = unsafe { entry.read() };
        if self.params[i].repr() == Repr::Aggregate {
            return at.expose_provenance() as u64;
        }
        // SAFETY: each entry points to a C value of its parameter's type.
        unsafe { convert::load(at.cast(), self.params[i].repr()) }
    }
}

impl Trampoline {
    /// One that stands in a record if C passes an env. `None` if there is no room for that.
    fn without_closure(plan: &'static Plan) -> Option<&'static Trampoline> {
        let trampoline = Trampoline {
            plan,
            closure: AtomicPtr::new(std::ptr::null_mut()),
            code: AtomicUsize::new(0),
            lender: AtomicPtr::new(std::ptr::null_mut()),
            call: AtomicU64::new(0),
            position: AtomicUsize::new(0),
            home: AtomicPtr::new(std::ptr::null_mut()),
            gate: AtomicPtr::new(std::ptr::null_mut()),
            held: AtomicU64::new(0),
            ended: AtomicU8::new(0),
            copies: AtomicU64::new(0),
            running: AtomicU32::new(0),
        };
        match plan.env {
            Some(_) => env::place(trampoline),
            None => Some(Box::leak(Box::new(trampoline))),
        }
    }

    /// Gives it a closure, or the function of all that have an env of its type, unless libffi has none.
    fn arm(&'static self) -> bool {
        if let Some(env) = &self.plan.env {
            let code = env.code(self.plan);
            self.code.store(code.unwrap_or(0), Ordering::Relaxed);
            return code.is_some();
        }
        let Some((closure, code)) = low::try_closure_alloc() else {
            return false;
        };
        let data = std::ptr::from_ref(self).cast_mut().cast();
        // SAFETY: closure and code were allocated together; plan and trampoline live for ever.
        let status = unsafe {
            libffi::raw::ffi_prep_closure_loc(
                closure,
                self.plan.cif.as_ptr(),
                Some(entry),
                data,
                code.as_mut_ptr(),
            )
        };
        if status != libffi::raw::ffi_status_FFI_OK {
            // SAFETY: it was allocated above, and nobody has it.
            unsafe { low::closure_free(closure) };
            return false;
        }
        self.closure.store(closure, Ordering::Relaxed);
        let code = code.as_ptr().expose_provenance();
        self.code.store(code, Ordering::Relaxed);
        true
    }

    /// It is to call the procedure of the callback object with this handle.
    pub(super) fn hold(&self, by: &'static Lender, gate: Option<&HostGate>, handle: Handle) {
        let by = std::ptr::from_ref(by).cast_mut();
        self.lender.store(by, Ordering::Relaxed);
        let gate = gate.map_or(std::ptr::null(), std::ptr::from_ref).cast_mut();
        self.gate.store(gate, Ordering::Release);
        self.copies.store(0, Ordering::Relaxed);
        self.held.store(handle.bits(), Ordering::Release);
    }

    /// One more object stands for it.
    pub(super) fn copied_by(&self, by: &'static Lender) {
        let by = std::ptr::from_ref(by).cast_mut();
        self.lender.store(by, Ordering::Relaxed);
        self.copies.fetch_add(1, Ordering::AcqRel);
    }

    /// One of them was freed; whether it was the last.
    pub(super) fn copy_freed(&self) -> bool {
        self.copies.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// The handle of the callback object that holds its procedure.
    pub(super) fn held(&self) -> Option<Handle> {
        Handle::from_bits(self.held.load(Ordering::Acquire))
    }

    /// It holds no procedure from now on. The handle, unless it had ended before.
    pub(super) fn end(&self, ended: Ended) -> Option<Handle> {
        let handle = Handle::from_bits(self.held.swap(0, Ordering::AcqRel))?;
        self.ended.store(ended as u8, Ordering::Release);
        Some(handle)
    }

    /// Why it calls nothing, if so.
    pub(crate) fn ended(&self) -> Option<Ended> {
        if self.plan.lifetime == Lifetime::Call {
            return self.lent_to().is_none().then_some(Ended::Returned);
        }
        if self.held().is_some() {
            return None;
        }
        let all = [Ended::Dead, Ended::Freed, Ended::Called];
        let ended = self.ended.load(Ordering::Acquire);
        Some(
            *all.iter()
                .find(|e| **e as u8 == ended)
                .unwrap_or(&Ended::Dead),
        )
    }

    /// Whether C is in it.
    pub(super) fn runs(&self) -> bool {
        self.running.load(Ordering::Acquire) > 0
    }

    /// The address of the C function.
    pub(crate) fn code(&self) -> usize {
        self.code.load(Ordering::Relaxed)
    }

    /// What C passes back to it as its env, if that is how it is found.
    pub(crate) fn env(&'static self) -> Option<usize> {
        self.plan.env.as_ref().map(|_| env::word_of(self))
    }

    /// C has called it.
    ///
    /// # Safety
    /// `result` and `args` are as libffi passes them to a closure of its type.
    pub(super) unsafe fn entered(&'static self, result: *mut c_void, args: *const *const c_void) {
        let counted = self.plan.lifetime != Lifetime::Call;
        if counted {
            self.running.fetch_add(1, Ordering::AcqRel);
        }
        // SAFETY: the caller's.
        unsafe { super::enter(self, result, args) };
        if counted {
            self.running.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// The call that it is lent to, if it is lent, and which argument it is.
    pub(crate) fn lent_to(&self) -> Option<(u64, usize)> {
        match self.call.load(Ordering::Acquire) {
            0 => None,
            id => Some((id, self.position.load(Ordering::Relaxed))),
        }
    }

    /// The call that it is lent to, if it is lent. For who has the gate of that call's host, if it has one, or is on
    /// the call's thread.
    pub(crate) fn home(&self) -> Option<&ActiveCall> {
        self.lent_to()?;
        // SAFETY: the call lasts until its thread has retired its closures, for which that has the gate
        // (inv:gate.one).
        unsafe { self.home.load(Ordering::Relaxed).as_ref() }
    }

    /// The gate of the host whose procedures it calls.
    pub(crate) fn gate(&self) -> Option<&'static HostGate> {
        // SAFETY: null, or a gate, which lives for ever.
        unsafe { self.gate.load(Ordering::Acquire).as_ref() }
    }

    /// The function that it is or was lent to.
    pub(crate) fn lender_name(&self) -> &'static str {
        self.lender().map_or("nobody", |lender| &lender.name)
    }

    /// The place where it is or was lent, if each has a lender of its own.
    pub(crate) fn lent_at(&self) -> Option<&'static str> {
        self.lender()?.place.as_deref()
    }

    /// Whose it is and where it was lent, as in "argument 4 of qsort, lent at main.scm:7".
    pub(crate) fn describe(&self) -> String {
        let mut text = match self.lent_to() {
            Some((_, position)) => format!("argument {} of {}", position + 1, self.lender_name()),
            None => self.lender_name().to_owned(),
        };
        if let Some(place) = self.lent_at() {
            text += &format!(", lent at {place}");
        }
        text
    }

    /// Where its runs are counted, if they are.
    pub(crate) fn callee(&self) -> Option<&'static Callee> {
        self.lender()?.callee
    }

    pub(super) fn lender(&self) -> Option<&'static Lender> {
        // SAFETY: null before the first loan, a lender afterwards; lenders live for ever.
        unsafe { self.lender.load(Ordering::Relaxed).as_ref() }
    }

    /// Makes it a tombstone: its call has returned.
    fn retire(&'static self) {
        self.call.store(0, Ordering::Release);
        lock(&self.plan.resting).push_back(self);
    }
}

/// What libffi calls.
unsafe extern "C" fn entry(
    _cif: *mut ffi_cif,
    result: *mut c_void,
    args: *mut *mut c_void,
    data: *mut c_void,
) {
    // SAFETY: `make` gave libffi a trampoline, which lives for ever.
    let trampoline: &'static Trampoline = unsafe { &*data.cast::<Trampoline>() };
    // SAFETY: libffi passes the arguments and the room for a result of the closure's type.
    unsafe { trampoline.entered(result, args.cast_const().cast()) };
}

/// The closures lent to one call; they become tombstones when this is dropped.
#[derive(Default)]
pub(crate) struct Lent {
    /// Most calls lend one closure at most.
    first: Option<&'static Trampoline>,
    others: Vec<&'static Trampoline>,
}

impl Lent {
    pub(crate) fn add(&mut self, trampoline: &'static Trampoline) {
        match self.first {
            None => self.first = Some(trampoline),
            Some(_) => self.others.push(trampoline),
        }
    }
}

impl Lent {
    /// The closures belong to this call, which lasts until they are dropped.
    #[inline(always)]
    pub(crate) fn belong_to(&self, call: &ActiveCall) {
        // The first one last: it is the first to be retired.
        for &trampoline in self.others.iter().rev().chain(&self.first) {
            let gate = call
                .pass
                .map_or(std::ptr::null(), |pass| std::ptr::from_ref(pass.gate));
            let home = std::ptr::from_ref(call).cast_mut();
            trampoline.home.store(home, Ordering::Relaxed);
            trampoline.gate.store(gate.cast_mut(), Ordering::Release);
            LENT_HERE.with_borrow_mut(|lent| lent.push((call.id, trampoline)));
        }
    }
}

thread_local! {
    /// The closures that are lent to calls of this thread, with the ids of the calls, which count up.
    static LENT_HERE: RefCell<Vec<(u64, &'static Trampoline)>> = const { RefCell::new(Vec::new()) };
}

/// Retires what is lent to calls of this thread that were made after the one with this id: C has jumped over them.
pub(crate) fn retire_after(id: u64) {
    LENT_HERE.with_borrow_mut(|lent| {
        while let Some((_, trampoline)) = lent.pop_if(|(call, _)| *call > id) {
            trampoline.retire();
        }
    });
}

impl Drop for Lent {
    fn drop(&mut self) {
        for &trampoline in self.first.iter().chain(&self.others) {
            LENT_HERE.with_borrow_mut(|lent| {
                lent.pop_if(|(_, last)| std::ptr::eq(*last, trampoline));
            });
            trampoline.retire();
        }
    }
}
