//! The table of figures that `BOWLINE_MALLOC_STATS=1` asks for.
//!
//! It is written when the process exits, after everything else that runs at exit: this function is registered
//! before any other, and libc runs them backwards. Many programs close standard error on their way out to
//! learn whether it was written; so a copy of the descriptor is made at the start, and used only while it is
//! still the same file.
//!
//! Every line begins with `bowline_malloc:`, so that they can be told from the program's own.
//!
//! Absent on purpose: figures of a process that ends by `_exit`, by `execve` or by a signal. What is freed
//! after the table is freed as always.

use crate::text::Text;
use crate::{heap, hooks};
use bowline_alloc::figures::Figures;
use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicI32, AtomicU64, Ordering};

/// Said instead of figures by a process that exits in a signal handler: what it interrupted would never go on.
const NO_FIGURES: &str =
    "bowline_malloc: no figures: exit was called in a signal handler that interrupted malloc\n";

const STDERR: c_int = 2;
/// Programs count on getting the lowest free descriptors; the copy stays clear of them.
const HIGH: c_int = 200;

/// The copy of standard error, and which file it was.
static COPY: AtomicI32 = AtomicI32::new(-1);
static DEVICE: AtomicU64 = AtomicU64::new(0);
static INODE: AtomicU64 = AtomicU64::new(0);

/// Has the figures written when the process exits.
pub(crate) fn at_exit() {
    let Some((device, inode)) = file(STDERR) else {
        return;
    };
    DEVICE.store(device, Ordering::Relaxed);
    INODE.store(inode, Ordering::Relaxed);
    // SAFETY: no pointer is involved.
    let copy = unsafe { libc::fcntl(STDERR, libc::F_DUPFD_CLOEXEC, HIGH) };
    COPY.store(copy, Ordering::Relaxed);
    hooks::at_exit(finish);
}

extern "C" fn finish(_: *mut c_void) {
    let wanted = (
        DEVICE.load(Ordering::Relaxed),
        INODE.load(Ordering::Relaxed),
    );
    let open = [COPY.load(Ordering::Relaxed), STDERR];
    let same = open.into_iter().find(|place| file(*place) == Some(wanted));
    let Some(descriptor) = same else {
        return;
    };
    match heap::figures() {
        Some(figures) => write(descriptor, table(&figures).as_bytes()),
        None => write(descriptor, NO_FIGURES.as_bytes()),
    }
}

/// Which file a descriptor is open on.
fn file(descriptor: c_int) -> Option<(u64, u64)> {
    let mut status = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the answer has room.
    let failed = unsafe { libc::fstat(descriptor, status.as_mut_ptr()) };
    if failed != 0 {
        return None;
    }
    // SAFETY: `fstat` said that it wrote the answer.
    let status = unsafe { status.assume_init() };
    Some((status.st_dev, status.st_ino))
}

/// Writes all of it, as far as the file takes it.
pub(crate) fn write(descriptor: c_int, mut text: &[u8]) {
    while !text.is_empty() {
        // SAFETY: the bytes are there.
        let written = unsafe { libc::write(descriptor, text.as_ptr().cast(), text.len()) };
        match usize::try_from(written) {
            Ok(written) if written > 0 => text = text.get(written..).unwrap_or_default(),
            _ => return,
        }
    }
}

/// Figures as text, one a line.
fn table(figures: &Figures) -> Text {
    let [client, runtime] = figures.live;
    let [client_peak, runtime_peak] = figures.peak;
    let rows = [
        ("reserved bytes", figures.reserved),
        ("committed bytes", figures.committed),
        ("client bytes", client),
        ("client bytes, peak", client_peak),
        ("runtime bytes", runtime),
        ("runtime bytes, peak", runtime_peak),
        ("free bytes, with memory", figures.dirty),
        ("free bytes, without memory", figures.clean),
        ("free spans", figures.free_spans),
        ("spans taken", figures.takes),
        ("spans given back", figures.gives),
        ("bytes given to the system", figures.purged),
        ("commits", figures.commits),
        ("purges", figures.purges),
        ("requests refused", figures.refusals),
        ("heaps made", figures.heaps_created),
        ("heaps left by threads", figures.heaps_orphaned),
        ("heaps taken over", figures.heaps_adopted),
        ("frees by other threads", figures.remote_frees),
        ("nested allocations", figures.nested),
        ("foreign frees", figures.foreign_frees),
    ];
    let mut text = Text::new();
    // SAFETY: the call has no precondition.
    let process = unsafe { libc::getpid() };
    text.text("bowline_malloc: process ")
        .number(process as usize)
        .text(" exits\n");
    for (name, figure) in rows {
        text.text("bowline_malloc: ")
            .right(figure, 15)
            .text("  ")
            .text(name)
            .text("\n");
    }
    text
}
