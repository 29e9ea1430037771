//! The twenty operators of C++ in the malloc under test, and what the C++ library has to say of them.
//!
//! A throw cannot be caught in Rust. So a call that may throw is made in a forked child, from a frame
//! without unwind tables: there the search for a handler ends, and the library calls the terminate
//! handler, which tells by the child's status what was thrown (Itanium C++ ABI, "Exception Handling").
//!
//! The operators are looked for in every module: those of the C++ library call `malloc` whoever it is.
//!
//! * `inv:operators.name`: each pointer was found under its mangled name, which says its C++ type.

use std::arch::naked_asm;
use std::ffi::{CStr, c_char, c_void};
use std::fmt;

use super::family::load;
use super::os::exit_now;

/// The mangled names of `operator new`: plain, array, each with an alignment, and all four again
/// with `nothrow`.
const NEWS: [&CStr; 8] = [
    c"_Znwm",
    c"_Znam",
    c"_ZnwmSt11align_val_t",
    c"_ZnamSt11align_val_t",
    c"_ZnwmRKSt9nothrow_t",
    c"_ZnamRKSt9nothrow_t",
    c"_ZnwmSt11align_val_tRKSt9nothrow_t",
    c"_ZnamSt11align_val_tRKSt9nothrow_t",
];

/// Those of `operator delete`, in fours: plain, sized, aligned, sized and aligned; then of arrays; then
/// those with `nothrow`.
const DELETES: [&CStr; 12] = [
    c"_ZdlPv",
    c"_ZdlPvm",
    c"_ZdlPvSt11align_val_t",
    c"_ZdlPvmSt11align_val_t",
    c"_ZdaPv",
    c"_ZdaPvm",
    c"_ZdaPvSt11align_val_t",
    c"_ZdaPvmSt11align_val_t",
    c"_ZdlPvRKSt9nothrow_t",
    c"_ZdaPvRKSt9nothrow_t",
    c"_ZdlPvSt11align_val_tRKSt9nothrow_t",
    c"_ZdaPvSt11align_val_tRKSt9nothrow_t",
];

/// Two or three words in, so that one type serves all forms: what a form does not take it ignores.
type New = unsafe extern "C" fn(usize, usize, usize) -> *mut c_void;
type Delete = unsafe extern "C" fn(*mut c_void, usize, usize);
/// A new-handler or a terminate handler.
pub(crate) type Handler = extern "C" fn();
type Set = unsafe extern "C" fn(Option<Handler>) -> Option<Handler>;

/// An `operator new`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Form {
    pub(crate) array: bool,
    pub(crate) aligned: bool,
    pub(crate) nothrow: bool,
}

impl Form {
    /// All eight, in the order of their names.
    pub(crate) fn all() -> impl Iterator<Item = Form> {
        (0..8).map(|i| Form {
            array: i & 1 != 0,
            aligned: i & 2 != 0,
            nothrow: i & 4 != 0,
        })
    }

    const fn index(self) -> usize {
        self.array as usize | (self.aligned as usize) << 1 | (self.nothrow as usize) << 2
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.array { "new[]" } else { "new" })?;
        f.write_str(if self.aligned { ", aligned" } else { "" })?;
        f.write_str(if self.nothrow { ", nothrow," } else { "" })
    }
}

/// Whether and how `operator delete` is told more than the address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Told {
    Nothing,
    Size,
    Nothrow,
}

/// What a child's status says was thrown.
pub(crate) const BAD_ALLOC: i32 = 41;
/// The exception that [`Operators::throwing`] throws.
pub(crate) const BAD_CAST: i32 = 42;
/// Something else.
pub(crate) const OTHER: i32 = 43;

/// The operators, and the functions around them.
pub(crate) struct Operators {
    news: [New; 8],
    deletes: [Delete; 12],
    set_new_handler: Set,
    set_terminate: Set,
    bad_cast: Handler,
}

/// Calls a function with these three words. Without unwind tables, on purpose.
#[unsafe(naked)]
unsafe extern "C" fn bare(function: New, one: usize, two: usize, three: usize) -> *mut c_void {
    naked_asm!(
        "sub rsp, 8",
        "mov rax, rdi",
        "mov rdi, rsi",
        "mov rsi, rdx",
        "mov rdx, rcx",
        "call rax",
        "add rsp, 8",
        "ret",
    )
}

/// The mangled name of the type of the exception that is being handled.
fn thrown() -> Option<String> {
    type Current = unsafe extern "C" fn() -> *const *const c_char;
    // SAFETY: inv:operators.name: `std::type_info *__cxa_current_exception_type()`.
    let current: Current = unsafe { load(c"__cxa_current_exception_type", 0) }?;
    // SAFETY: inv:operators.name: may be called at any time.
    let info = unsafe { current() };
    if info.is_null() {
        return None;
    }
    let name = info.wrapping_add(1);
    // SAFETY: inv:operators.name: the second word of a `type_info` is its name (Itanium C++ ABI).
    let name = unsafe { name.read() };
    // SAFETY: inv:operators.name: which is a string that lives as long as its module.
    let name = unsafe { CStr::from_ptr(name) };
    Some(name.to_string_lossy().into_owned())
}

extern "C" fn tell() {
    let status = match thrown().as_deref() {
        Some("St9bad_alloc") => BAD_ALLOC,
        Some("St8bad_cast") => BAD_CAST,
        _ => OTHER,
    };
    exit_now(status)
}

impl Operators {
    /// Finds them. `None` without a C++ library, or where one is missing.
    pub(crate) fn find() -> Option<Self> {
        // SAFETY: inv:operators.name
        let new = |name: &&CStr| unsafe { load::<New>(name, 0) };
        // SAFETY: inv:operators.name
        let delete = |name: &&CStr| unsafe { load::<Delete>(name, 0) };
        let news: Vec<New> = NEWS.iter().filter_map(new).collect();
        let deletes: Vec<Delete> = DELETES.iter().filter_map(delete).collect();
        Some(Self {
            news: news.try_into().ok()?,
            deletes: deletes.try_into().ok()?,
            // SAFETY: inv:operators.name: `std::set_new_handler(void (*)())`.
            set_new_handler: unsafe { load(c"_ZSt15set_new_handlerPFvvE", 0) }?,
            // SAFETY: inv:operators.name: `std::set_terminate(void (*)())`.
            set_terminate: unsafe { load(c"_ZSt13set_terminatePFvvE", 0) }?,
            // SAFETY: inv:operators.name: `std::__throw_bad_cast()`.
            bad_cast: unsafe { load(c"_ZSt16__throw_bad_castv", 0) }?,
        })
    }

    /// Calls an `operator new`: an address, or 0. If it throws, the process ends with the status that
    /// says what.
    pub(crate) fn take(&self, form: Form, size: usize, align: usize) -> usize {
        // SAFETY: inv:operators.name: may be called at any time.
        unsafe { (self.set_terminate)(Some(tell)) };
        // What stands for `std::nothrow` is not looked at, but a reference is never null.
        let nothrow = std::ptr::from_ref(self).addr();
        let second = if form.aligned { align } else { nothrow };
        // SAFETY: inv:operators.name: any size may be asked for; `bare` is where a throw ends.
        let place = unsafe { bare(self.news[form.index()], size, second, nothrow) };
        place.expose_provenance()
    }

    /// Calls the `operator delete` that belongs to a form.
    pub(crate) fn give(&self, form: Form, told: Told, address: usize, size: usize, align: usize) {
        let (array, aligned) = (usize::from(form.array), usize::from(form.aligned));
        let nothrow = std::ptr::from_ref(self).addr();
        let (index, one, two) = match (told, form.aligned) {
            (Told::Nothing, _) => (4 * array + 2 * aligned, align, 0),
            (Told::Size, _) => (4 * array + 2 * aligned + 1, size, align),
            (Told::Nothrow, true) => (8 + 2 * aligned + array, align, nothrow),
            (Told::Nothrow, false) => (8 + 2 * aligned + array, nothrow, 0),
        };
        let place = std::ptr::with_exposed_provenance_mut(address);
        // SAFETY: inv:raw.victim: the address is a live block's of that form, or null.
        unsafe { (self.deletes[index])(place, one, two) }
    }

    /// Sets the program's new-handler.
    pub(crate) fn handle(&self, handler: Option<Handler>) {
        // SAFETY: inv:operators.name: any function without arguments may be one.
        unsafe { (self.set_new_handler)(handler) };
    }

    /// A new-handler that throws `std::bad_cast`.
    pub(crate) const fn throwing(&self) -> Handler {
        self.bad_cast
    }
}
