//! What the operators need of the C++ library: its new-handler, its `bad_alloc`, its personality routine.
//!
//! The library may be part of the program, may come by `dlopen` much later and privately (an extension of an
//! interpreter written in C), or may not exist. Therefore it is looked for when it is needed, and only then:
//! when an `operator new` has failed. First in the global scope, where the caller's own references would be
//! bound first, then in the scope of the module that called. Looking up a name that exists allocates nothing.
//!
//! `inv:cxx.slots` A slot is null or the address of the function it is named after, and the personality slot
//! is filled last, so that a landing pad is reached only when both others are there.
//!
//! Absent on purpose: weak references. They are bound when this library is loaded, before a C++ library that
//! comes later, and in an executable without one the linker makes them null for good.

use bowline_alloc::pal::Unix;
use bowline_alloc::report::Line;
use core::ffi::{CStr, c_void};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, Ordering};

/// `__gxx_personality_v0`, for the tables of the nothrow forms.
pub(crate) static PERSONALITY: AtomicPtr<c_void> = AtomicPtr::new(null_mut());
/// `__cxa_begin_catch`.
pub(crate) static BEGIN_CATCH: AtomicPtr<c_void> = AtomicPtr::new(null_mut());
/// `__cxa_end_catch`.
pub(crate) static END_CATCH: AtomicPtr<c_void> = AtomicPtr::new(null_mut());

/// The program's new-handler, or null. Fills the slots, since whoever has a handler may throw from it.
pub(crate) extern "C" fn new_handler(caller: *const c_void) -> *const c_void {
    let found = find(caller, c"_ZSt15get_new_handlerv");
    if found.is_null() {
        return found;
    }
    // SAFETY: inv:cxx.slots: this name is `std::new_handler std::get_new_handler() noexcept`, no argument,
    // a pointer as its result, in every C++ library of this platform.
    let get =
        unsafe { core::mem::transmute::<*const c_void, extern "C" fn() -> *const c_void>(found) };
    let handler = get();
    if !handler.is_null() {
        fill(caller);
    }
    handler
}

/// The function that throws `std::bad_alloc`. Without a C++ library nobody could catch it: the process ends
/// with one line.
pub(crate) extern "C" fn thrower(caller: *const c_void, bytes: usize) -> *const c_void {
    let found = find(caller, c"_ZSt17__throw_bad_allocv");
    if found.is_null() {
        let line = Line::new("operator new has no memory for ").decimal(bytes);
        let line = line.text(" bytes, and there is no C++ library to throw from");
        line.die(&Unix::new());
    }
    found
}

/// Fills the slots once; a second C++ library's exceptions pass through the first one's routine as foreign
/// ones, which a catch-all catches too.
fn fill(caller: *const c_void) {
    if !PERSONALITY.load(Ordering::Acquire).is_null() {
        return;
    }
    let begin = find(caller, c"__cxa_begin_catch");
    let end = find(caller, c"__cxa_end_catch");
    if begin.is_null() || end.is_null() {
        return;
    }
    BEGIN_CATCH.store(begin.cast_mut(), Ordering::Release);
    END_CATCH.store(end.cast_mut(), Ordering::Release);
    let personality = find(caller, c"__gxx_personality_v0");
    PERSONALITY.store(personality.cast_mut(), Ordering::Release);
}

/// The function of this name as the module around `caller` would find it, or null.
fn find(caller: *const c_void, name: &CStr) -> *const c_void {
    // SAFETY: the name is a C string; the answer is an address or null.
    let global = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    if !global.is_null() {
        return global;
    }
    let Some(module) = crate::module::of(caller) else {
        return global;
    };
    // SAFETY: the name stays valid while its module is loaded, and it is: it called us. Nothing is loaded.
    let handle = unsafe { libc::dlopen(module.name, libc::RTLD_LAZY | libc::RTLD_NOLOAD) };
    if handle.is_null() {
        return handle;
    }
    // SAFETY: the handle is open, the name a C string.
    let own = unsafe { libc::dlsym(handle, name.as_ptr()) };
    // SAFETY: the handle is open and closed once. The module stays: its code is on the stack.
    unsafe { libc::dlclose(handle) };
    own
}
