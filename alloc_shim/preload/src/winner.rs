//! Whose `malloc` this process has.
//!
//! The dynamic linker decides it: the executable's, then a preload's, then that of the first library that has
//! one, never that of a library opened later. What it decided is found out by asking the one who matters: libc
//! itself is made to allocate (`strdup`), and either the block lies in this copy's region or it does not.
//! Comparing `dlsym(RTLD_DEFAULT, "malloc")` with one's own `malloc` would answer another question: in a shared
//! library both are whatever the linker chose, and under `RTLD_DEEPBIND` that is this copy for its own library
//! and another for everybody else.
//!
//! `inv:winner.search` The winner's functions are looked up as the executable would bind them (or, in a namespace of
//! `dlmopen`, as this namespace would), passing over this copy's own: so they are what callers would have found
//! if this copy were not there.
//!
//! `inv:winner.table` A region table is trusted only if it lies in the module that the winner's `malloc` lies in, and
//! says that it has the version and the size that are known here.
//!
//! Where the system refuses to reserve a region there is no block for libc, and the answer is "elsewhere" as well: the process
//! goes on with the `malloc` that it would have had without this copy, after the heap's line about the refusal. So it does where
//! the region is there, and the system gives no memory for a first block: that is said here.
//!
//! Absent on purpose: a guess. Where the winner cannot be found this copy serves what it is asked for, and says
//! `Split`.

use crate::forward::Family;
use crate::heap;
use crate::module::{self, Module};
use bowline_alloc::pal::Unix;
use bowline_alloc::report::Line;
use bowline_alloc::table::RegionTable;
use core::ffi::{CStr, c_char, c_void};
use core::mem::transmute_copy;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, Ordering};

/// What the probe found.
pub(crate) enum Outcome {
    /// This copy's `malloc` is the process's.
    Own,
    /// Another one's is.
    Lost {
        family: Family,
        /// Its region's table, if it is a copy of this allocator.
        table: Option<&'static RegionTable>,
        /// Whether a line has said so, for this copy got no memory.
        told: bool,
    },
    /// Another one's is, and its functions cannot be found.
    Unreachable,
}

/// Asks libc where it allocates, and finds the winner's functions if that is elsewhere.
pub(crate) fn decide() -> Outcome {
    // SAFETY: a C string; the copy is freed below.
    let probe = unsafe { libc::strdup(c"".as_ptr()) };
    if heap::contains(probe.cast_const().cast()) {
        free_as_libc(probe.cast());
        return Outcome::Own;
    }
    if probe.is_null() && heap::beginning().0 != 0 {
        tell_no_memory();
    }
    let Some(search) = Search::new() else {
        return Outcome::Unreachable;
    };
    let Some(family) = family(&search) else {
        return Outcome::Unreachable;
    };
    if strdup_is_libcs() {
        // SAFETY: libc took the block from the winner's `malloc`; null is allowed.
        unsafe { (family.free)(probe.cast()) };
    } else {
        // Who looks for leaks finds it here.
        KEPT.store(probe, Ordering::Relaxed);
    }
    let table = table(&search, family.malloc as *const c_void);
    Outcome::Lost {
        family,
        table,
        told: probe.is_null(),
    }
}

/// The probe, where nobody takes it back.
static KEPT: AtomicPtr<c_char> = AtomicPtr::new(null_mut());

/// Whether the probe was libc's. Sanitizers put a `strdup` of their own before it, and before they are initialised its blocks
/// are none that their `free` takes.
fn strdup_is_libcs() -> bool {
    let places = [
        libc::strdup as *const c_void,
        libc::gnu_get_libc_version as *const c_void,
    ];
    let [probed, libcs] = places.map(module::of);
    probed == libcs
}

/// Says that not even a first block is to be had, and the limit that may be why.
fn tell_no_memory() {
    let mut limit = libc::rlimit {
        rlim_cur: libc::RLIM_INFINITY,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: the limit has room.
    unsafe { libc::getrlimit(libc::RLIMIT_DATA, &mut limit) };
    let line = Line::new("no memory for a first block");
    let line = match limit.rlim_cur {
        libc::RLIM_INFINITY => line,
        bytes => line
            .text(" under a limit of ")
            .decimal(bytes as usize >> 10)
            .text(" KiB of data (ulimit -d)"),
    };
    line.text(": there is no static region").send(&Unix::new());
}

/// Frees a block that libc allocated by the `free` that libc finds. Where another library stands between with a header
/// of its own before each block, what it gives is no block of this copy.
fn free_as_libc(block: *mut c_void) {
    // SAFETY: a constant of libc and a C string.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"free".as_ptr()) };
    type Free = unsafe extern "C" fn(*mut c_void);
    // SAFETY: null or the address of a function of this type.
    let free = unsafe { transmute_copy::<*mut c_void, Option<Free>>(&found) };
    if let Some(free) = free {
        // SAFETY: whoever libc finds for `malloc` is who it finds for `free`.
        unsafe { free(block) };
    }
}

/// Where names are looked up.
struct Search {
    /// What passes for "not found": this copy.
    mine: Module,
    handles: [*mut c_void; 3],
}

impl Search {
    fn new() -> Option<Search> {
        let mine = module::mine()?;
        // SAFETY: no name: the executable, which is loaded. The handle is never closed, nor need it be.
        let executable = unsafe { libc::dlopen(core::ptr::null(), libc::RTLD_LAZY) };
        // In another namespace the executable's functions belong to another libc, with another heap.
        let (default, next) = (libc::RTLD_DEFAULT, libc::RTLD_NEXT);
        let handles = if mine.is_in_first_namespace() && !executable.is_null() {
            [executable, default, next]
        } else {
            [default, next, next]
        };
        Some(Search { mine, handles })
    }

    /// The first function of this name that is not this copy's.
    fn find(&self, name: &CStr) -> Option<*const c_void> {
        self.handles.iter().find_map(|handle| {
            // SAFETY: the handle is open or one of libc's constants, the name a C string.
            let found = unsafe { libc::dlsym(*handle, name.as_ptr()) }.cast_const();
            let stranger = !found.is_null() && module::of(found)? != self.mine;
            stranger.then_some(found)
        })
    }

    /// The first function of this name that is not this copy's, as a function of type `F`.
    ///
    /// # Safety
    /// `F` is the type of the functions of this name.
    unsafe fn function<F: Copy>(&self, name: &CStr) -> Option<F> {
        const { assert!(size_of::<F>() == size_of::<*const c_void>()) };
        let found = self.find(name)?;
        // SAFETY: an address that is not null and a function of that type, as the caller says.
        Some(unsafe { transmute_copy::<*const c_void, F>(&found) })
    }
}

/// The winner's family. Each name has the one type that its manual page gives it.
fn family(search: &Search) -> Option<Family> {
    macro_rules! function {
        ($name:literal) => {
            // SAFETY: the field has the type that the manual page of this name gives.
            unsafe { search.function($name) }
        };
    }
    Some(Family {
        malloc: function!(c"malloc")?,
        free: function!(c"free")?,
        calloc: function!(c"calloc")?,
        realloc: function!(c"realloc")?,
        memalign: function!(c"memalign").or(function!(c"aligned_alloc")),
        usable_size: function!(c"malloc_usable_size"),
        mallopt: function!(c"mallopt"),
        mallinfo: function!(c"mallinfo"),
        mallinfo2: function!(c"mallinfo2"),
        malloc_trim: function!(c"malloc_trim"),
        malloc_stats: function!(c"malloc_stats"),
        malloc_info: function!(c"malloc_info"),
    })
}

/// The table of the winner's region, if it has one.
fn table(search: &Search, malloc: *const c_void) -> Option<&'static RegionTable> {
    let found = search.find(c"bowline_region_v1")?;
    if module::of(found)? != module::of(malloc)? {
        return None;
    }
    // SAFETY: inv:winner.table: version and size stand first in every version, and a module that has `malloc`
    // for the whole process is not unloaded.
    let table = unsafe { &*found.cast::<RegionTable>() };
    table.is_usable().then_some(table)
}
