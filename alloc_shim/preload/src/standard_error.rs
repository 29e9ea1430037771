//! Standard error as it was when the process began, for what is told on the way out.
//!
//! Many programs close standard error as they exit, to learn whether it was written; and what is opened later may get its number. So a
//! copy of the descriptor is made at the start, and either is used only while it is still the same file.
//!
//! Absent on purpose: a copy in processes of which no variable asks for anything.

use bowline_alloc::report::Line;
use core::ffi::c_int;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicI32, AtomicU64, Ordering};

const STDERR: c_int = 2;
/// Programs count on getting the lowest free descriptors; the copy stays clear of them, or of the very lowest where few are allowed.
const HIGH: [c_int; 2] = [200, 10];

/// The copy, and which file it was.
static COPY: AtomicI32 = AtomicI32::new(-1);
static DEVICE: AtomicU64 = AtomicU64::new(0);
static INODE: AtomicU64 = AtomicU64::new(0);

/// Makes the copy, at the start.
pub(crate) fn keep() {
    let Some((device, inode)) = file(STDERR) else {
        return;
    };
    DEVICE.store(device, Ordering::Relaxed);
    INODE.store(inode, Ordering::Relaxed);
    let copy = |from: c_int| {
        // SAFETY: no pointer is involved.
        let copy = unsafe { libc::fcntl(STDERR, libc::F_DUPFD_CLOEXEC, from) };
        (copy >= 0).then_some(copy)
    };
    let copy = HIGH.into_iter().find_map(copy);
    COPY.store(copy.unwrap_or(-1), Ordering::Relaxed);
}

/// A descriptor of it that is still open; none where it was closed, or never was open.
pub(crate) fn descriptor() -> Option<c_int> {
    let wanted = (
        DEVICE.load(Ordering::Relaxed),
        INODE.load(Ordering::Relaxed),
    );
    let open = [COPY.load(Ordering::Relaxed), STDERR];
    open.into_iter().find(|place| file(*place) == Some(wanted))
}

/// Writes a line there.
pub(crate) fn say(mut line: Line) {
    if let Some(descriptor) = descriptor() {
        bowline_alloc::pal::write(descriptor, line.finish());
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
