//! The malloc that won, for a copy that lost: every function of the family leads there.
//!
//! A copy that lost behaves as if it were not there. Its functions are still called: those that the winner does
//! not have (`free_sized`, the C++ operators before those of libstdc++), and all of them from a library that
//! was opened with `RTLD_DEEPBIND`. Each leads to the function that the caller would have found without this
//! copy, so the process has one heap and not two that free each other's blocks.
//!
//! `inv:forward.once` The family is written by the start of this copy, before the heap's hook and the flag that make it
//! visible; nothing writes it afterwards.
//!
//! `inv:forward.early` A block that this copy served before it was decided lies in this copy's region, and goes
//! back there.
//!
//! Absent on purpose: `valloc`, `pvalloc`, `reallocarray` and what else can be said with `memalign` and
//! `realloc`.

use crate::{errno, heap};
use bowline_alloc::foreign::Foreign;
use core::cell::UnsafeCell;
use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicBool, Ordering};
use libc::{FILE, mallinfo as Mallinfo, mallinfo2 as Mallinfo2};

type Memalign = unsafe extern "C" fn(usize, usize) -> *mut c_void;

/// The winner's functions (inv:winner.search). Those that may be missing in a malloc that is not libc's are options.
pub(crate) struct Family {
    /// `malloc`
    pub(crate) malloc: unsafe extern "C" fn(usize) -> *mut c_void,
    /// `free`
    pub(crate) free: unsafe extern "C" fn(*mut c_void),
    /// `calloc`
    pub(crate) calloc: unsafe extern "C" fn(usize, usize) -> *mut c_void,
    /// `realloc`
    pub(crate) realloc: unsafe extern "C" fn(*mut c_void, usize) -> *mut c_void,
    /// `memalign`, or `aligned_alloc`
    pub(crate) memalign: Option<Memalign>,
    /// `malloc_usable_size`
    pub(crate) usable_size: Option<unsafe extern "C" fn(*mut c_void) -> usize>,
    /// `mallopt`
    pub(crate) mallopt: Option<unsafe extern "C" fn(c_int, c_int) -> c_int>,
    /// `mallinfo`
    pub(crate) mallinfo: Option<unsafe extern "C" fn() -> Mallinfo>,
    /// `mallinfo2`
    pub(crate) mallinfo2: Option<unsafe extern "C" fn() -> Mallinfo2>,
    /// `malloc_trim`
    pub(crate) malloc_trim: Option<unsafe extern "C" fn(usize) -> c_int>,
    /// `malloc_stats`
    pub(crate) malloc_stats: Option<unsafe extern "C" fn()>,
    /// `malloc_info`
    pub(crate) malloc_info: Option<unsafe extern "C" fn(c_int, *mut FILE) -> c_int>,
}

struct Slot(UnsafeCell<MaybeUninit<Family>>);

// SAFETY: inv:forward.once
unsafe impl Sync for Slot {}

static FAMILY: Slot = Slot(UnsafeCell::new(MaybeUninit::uninit()));
static LOST: AtomicBool = AtomicBool::new(false);

/// From now on everything leads to this family. Called once, by the start.
pub(crate) fn to(family: Family) {
    // SAFETY: inv:forward.once: nobody reads before it is made visible below, and nobody else writes.
    unsafe { FAMILY.0.get().write(MaybeUninit::new(family)) };
    heap::on_foreign(&FOREIGN);
    heap::retire();
    LOST.store(true, Ordering::Release);
}

/// The malloc that won, if this copy lost.
#[inline(always)]
pub(crate) fn winner() -> Option<&'static Family> {
    LOST.load(Ordering::Acquire).then(family)
}

/// The family. Only for who has seen that this copy lost.
#[cold]
fn family() -> &'static Family {
    // SAFETY: inv:forward.once: it is visible, so nobody writes any more.
    let family = unsafe { &*FAMILY.0.get() };
    // SAFETY: inv:forward.once: it is visible, so it was written.
    unsafe { family.assume_init_ref() }
}

/// What the heap does with a block that is not its own: it is the winner's.
static FOREIGN: Foreign = Foreign {
    free,
    realloc,
    usable_size,
};

unsafe fn free(block: *mut u8) {
    // SAFETY: inv:serve.caller
    unsafe { (family().free)(block.cast()) }
}

unsafe fn realloc(block: *mut u8, bytes: usize) -> *mut u8 {
    // SAFETY: inv:serve.caller
    unsafe { family().realloc(block.cast(), bytes) }.cast()
}

unsafe fn usable_size(block: *const u8) -> usize {
    // SAFETY: inv:serve.caller
    unsafe { family().usable_size(block.cast_mut().cast()) }
}

impl Family {
    pub(crate) fn malloc(&self, bytes: usize) -> *mut c_void {
        // SAFETY: any size may be asked for.
        unsafe { (self.malloc)(bytes) }
    }

    pub(crate) fn calloc(&self, count: usize, bytes: usize) -> *mut c_void {
        // SAFETY: any size may be asked for.
        unsafe { (self.calloc)(count, bytes) }
    }

    /// A block at a multiple of `align`, a power of two. A winner that cannot align has no such block.
    pub(crate) fn aligned(&self, align: usize, bytes: usize) -> *mut c_void {
        match self.memalign {
            // SAFETY: the alignment is a power of two, any size may be asked for.
            Some(memalign) => unsafe { memalign(align, bytes) },
            None if align <= align_of::<libc::max_align_t>() => self.malloc(bytes),
            None => {
                errno::set(libc::ENOMEM);
                null_mut()
            }
        }
    }

    /// # Safety
    /// As `realloc` demands.
    pub(crate) unsafe fn realloc(&self, block: *mut c_void, bytes: usize) -> *mut c_void {
        if !heap::contains(block) {
            // SAFETY: inv:serve.caller: everything else is the winner's.
            return unsafe { (self.realloc)(block, bytes) };
        }
        if bytes == 0 {
            // SAFETY: inv:forward.early
            unsafe { heap::free(block) };
            return null_mut();
        }
        let moved = self.malloc(bytes);
        if moved.is_null() {
            return moved;
        }
        // SAFETY: inv:forward.early
        let usable = unsafe { heap::usable_size(block) };
        let kept = usable.min(bytes);
        // SAFETY: both blocks have so many bytes, in different heaps.
        unsafe {
            block
                .cast::<u8>()
                .copy_to_nonoverlapping(moved.cast(), kept)
        };
        // SAFETY: inv:forward.early
        unsafe { heap::free(block) };
        moved
    }

    /// # Safety
    /// As `malloc_usable_size` demands, but not null.
    pub(crate) unsafe fn usable_size(&self, block: *mut c_void) -> usize {
        if heap::contains(block) {
            // SAFETY: inv:forward.early
            return unsafe { heap::usable_size(block) };
        }
        match self.usable_size {
            // SAFETY: inv:serve.caller: everything else is the winner's.
            Some(usable_size) => unsafe { usable_size(block) },
            None => 0,
        }
    }
}
