//! C's memory, as the heap sees it.
//!
//! Where the process's `malloc` is Bowline's, the region's table tells how many bytes C uses and takes a
//! hook that runs inside C's `malloc`. Where it is somebody else's the heap is *degraded*: it sees only
//! what is declared to it, and memory that dies with an owner comes from that other `malloc`.
//!
//! Absent on purpose: any link to the allocator's own functions. Which copy of it serves the process is
//! decided when the process starts; the table leads to that one.

use bowline_alloc::account::PressureHook;
use bowline_alloc::table::{self, RegionTable};
use std::ffi::c_void;
use std::ptr::NonNull;

/// The account of C's own memory.
const CLIENT: u32 = 0;
/// The account of the runtime's.
const RUNTIME: u32 = 1;
/// What `malloc` aligns to.
const ALIGN: usize = 16;

/// Blocks of C's in a row, all in use and of one size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CBlocks {
    /// Where the first begins.
    pub start: usize,
    /// How many bytes they have together.
    pub bytes: usize,
    /// How many bytes each has.
    pub block: usize,
}

/// # Safety
/// `context` is that of [`CMemory::each_in_use`].
unsafe extern "C" fn visit_one(
    context: *mut c_void,
    start: *const c_void,
    bytes: usize,
    block: usize,
) {
    let visit: *mut &mut dyn FnMut(CBlocks) = context.cast();
    // SAFETY: the caller's: the visitor waits for its end.
    let visit = unsafe { &mut *visit };
    visit(CBlocks {
        start: start.expose_provenance(),
        bytes,
        block,
    });
}

/// The door to C's memory.
pub(crate) struct CMemory {
    table: Option<&'static RegionTable>,
}

impl CMemory {
    /// The door of this process.
    pub(crate) fn find() -> Self {
        CMemory {
            table: table::current(),
        }
    }

    /// Whether nobody counts C's bytes.
    pub(crate) fn is_degraded(&self) -> bool {
        self.table.is_none()
    }

    /// The bytes that C uses.
    #[inline]
    pub(crate) fn client_bytes(&self) -> usize {
        self.table.map_or(0, |t| (t.live_bytes)(CLIENT))
    }

    /// The bytes that the runtime uses for itself.
    pub(crate) fn runtime_bytes(&self) -> usize {
        self.table.map_or(0, |t| (t.live_bytes)(RUNTIME))
    }

    /// The most that C ever used.
    pub(crate) fn client_peak(&self) -> usize {
        self.table.map_or(0, |t| (t.peak_bytes)(CLIENT))
    }

    /// The most that the runtime ever used.
    pub(crate) fn runtime_peak(&self) -> usize {
        self.table.map_or(0, |t| (t.peak_bytes)(RUNTIME))
    }

    /// Whether the bytes at `p` are counted by the region.
    pub(crate) fn counts(&self, p: usize) -> bool {
        let p = std::ptr::without_provenance(p);
        self.table.is_some_and(|t| (t.contains)(p))
    }

    /// Calls `visit` with C's blocks that are in use, which other threads may free meanwhile.
    pub(crate) fn each_in_use(&self, mut visit: &mut dyn FnMut(CBlocks)) {
        if let Some(table) = self.table {
            let context = (&raw mut visit).cast();
            // SAFETY: `visit_one` takes such a context.
            unsafe { (table.each_in_use)(CLIENT, visit_one, context) };
        }
    }

    /// Runs `hook` inside C's `malloc` whenever C's bytes would pass the mark.
    pub(crate) fn watch(&self, hook: PressureHook) {
        if let Some(table) = self.table {
            (table.set_pressure)(Some(hook));
        }
    }

    /// Sets the mark.
    pub(crate) fn set_mark(&self, bytes: usize) {
        if let Some(table) = self.table {
            (table.set_mark)(bytes);
        }
    }

    /// `bytes` of C memory, if there are. They are zero if `zeroed`.
    pub(crate) fn alloc(&self, bytes: usize, zeroed: bool) -> Option<NonNull<c_void>> {
        let p = match self.table {
            Some(table) => {
                let alloc = if zeroed {
                    table.alloc_zeroed
                } else {
                    table.alloc
                };
                alloc(bytes, ALIGN, CLIENT)
            }
            // SAFETY: calloc takes any sizes.
            None if zeroed => unsafe { libc::calloc(1, bytes) },
            // SAFETY: malloc takes any size.
            None => unsafe { libc::malloc(bytes) },
        };
        NonNull::new(p)
    }

    /// Gives back what [`CMemory::alloc`] gave.
    ///
    /// # Safety
    /// `p` came from there, was not given back, and nobody uses it.
    pub(crate) unsafe fn free(&self, p: NonNull<c_void>) {
        match self.table {
            // SAFETY: the caller's.
            Some(table) => unsafe { (table.free)(p.as_ptr()) },
            // SAFETY: the caller's.
            None => unsafe { libc::free(p.as_ptr()) },
        }
    }
}
