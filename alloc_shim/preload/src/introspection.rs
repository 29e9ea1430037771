//! What glibc lets a program ask and set: `mallinfo`, `malloc_info`, `malloc_stats`, `malloc_trim`, `mallopt`.
//!
//! glibc's words, and what they mean here:
//!
//! | glibc | here |
//! |---|---|
//! | arena, system bytes | what the blocks in use and the free spans with memory occupy |
//! | in use (`uordblks`) | the blocks in use, by their usable sizes, both accounts |
//! | free (`fordblks`) | the rest: free blocks in pages in use, and free spans with memory |
//! | trimmable (`keepcost`) | the free spans with memory |
//! | heaps | one: the region |
//!
//! In a signal handler that interrupted the heap at the wrong moment all figures are 0; nothing waits for ever.
//!
//! Absent on purpose: fast bins and mapped blocks, which there are none of: their figures are 0.

use crate::text::Text;
use crate::{forward, heap};
use bowline_alloc::census::{Census, Row};
use bowline_alloc::classes::CLASSES;
use bowline_alloc::pal::write;
use core::ffi::c_int;
use libc::{FILE, mallinfo as Mallinfo, mallinfo2 as Mallinfo2};

/// The parameters of `mallopt` that advise on trading memory for time, or on what to do at a wrong pointer (which is always
/// told, and ends the process). They are taken as that: advice.
const ADVICE: [c_int; 6] = [
    libc::M_TRIM_THRESHOLD,
    libc::M_TOP_PAD,
    libc::M_MMAP_MAX,
    libc::M_ARENA_TEST,
    libc::M_ARENA_MAX,
    libc::M_CHECK_ACTION,
];

/// The largest values that `M_MXFAST` and `M_MMAP_THRESHOLD` may have, by their manual page.
const MOST_MXFAST: c_int = 80 * size_of::<usize>() as c_int / 4;
const MOST_THRESHOLD: c_int = 4 << 20 << 3;

/// Sets a parameter of glibc's allocator. 1: it was taken, 0: it is unknown or its value is out of range. `M_PERTURB` fills
/// fresh and freed memory; everything else is advice that nothing here needs.
#[unsafe(no_mangle)]
pub extern "C" fn mallopt(parameter: c_int, value: c_int) -> c_int {
    if let Some(mallopt) = forward::winner().and_then(|winner| winner.mallopt) {
        // SAFETY: any two numbers may be given.
        return unsafe { mallopt(parameter, value) };
    }
    let taken = match parameter {
        libc::M_PERTURB => {
            heap::set_perturb((value != 0).then_some(value as u8));
            true
        }
        libc::M_MXFAST => (0..=MOST_MXFAST).contains(&value),
        libc::M_MMAP_THRESHOLD => (0..=MOST_THRESHOLD).contains(&value),
        _ => ADVICE.contains(&parameter),
    };
    c_int::from(taken)
}

/// Figures in the old form, whose numbers end at `INT_MAX`.
#[unsafe(no_mangle)]
pub extern "C" fn mallinfo() -> Mallinfo {
    if let Some(mallinfo) = forward::winner().and_then(|winner| winner.mallinfo) {
        // SAFETY: the call has no precondition.
        return unsafe { mallinfo() };
    }
    let wide = own();
    let narrow = |figure: usize| c_int::try_from(figure).unwrap_or(c_int::MAX);
    Mallinfo {
        arena: narrow(wide.arena),
        ordblks: narrow(wide.ordblks),
        smblks: 0,
        hblks: 0,
        hblkhd: 0,
        usmblks: narrow(wide.usmblks),
        fsmblks: 0,
        uordblks: narrow(wide.uordblks),
        fordblks: narrow(wide.fordblks),
        keepcost: narrow(wide.keepcost),
    }
}

/// Figures.
#[unsafe(no_mangle)]
pub extern "C" fn mallinfo2() -> Mallinfo2 {
    if let Some(mallinfo2) = forward::winner().and_then(|winner| winner.mallinfo2) {
        // SAFETY: the call has no precondition.
        return unsafe { mallinfo2() };
    }
    own()
}

fn own() -> Mallinfo2 {
    let usage = Usage::now();
    Mallinfo2 {
        arena: usage.used + usage.free,
        ordblks: usage.pieces(),
        smblks: 0,
        hblks: 0,
        hblkhd: 0,
        usmblks: 0,
        fsmblks: 0,
        uordblks: usage.used,
        fordblks: usage.free,
        keepcost: usage.releasable,
    }
}

/// Gives free memory back to the system. 1 if there was any, else 0. There is no top of the heap, so nothing
/// is left there.
#[unsafe(no_mangle)]
pub extern "C" fn malloc_trim(pad: usize) -> c_int {
    if let Some(malloc_trim) = forward::winner().and_then(|winner| winner.malloc_trim) {
        // SAFETY: any number may be given.
        return unsafe { malloc_trim(pad) };
    }
    let purged = || heap::figures().map(|figures| figures.purged);
    let before = purged();
    heap::purge();
    c_int::from(purged() != before)
}

/// Writes figures to standard error, as glibc does.
#[unsafe(no_mangle)]
pub extern "C" fn malloc_stats() {
    if let Some(malloc_stats) = forward::winner().and_then(|winner| winner.malloc_stats) {
        // SAFETY: the call has no precondition.
        return unsafe { malloc_stats() };
    }
    let Usage { used, free, .. } = Usage::now();
    let mut text = Text::new();
    for title in ["Arena 0:", "Total (incl. mmap):"] {
        text.text(title);
        text.text("\nsystem bytes     = ").right(used + free, 10);
        text.text("\nin use bytes     = ")
            .right(used, 10)
            .text("\n");
    }
    text.text("max mmap regions = ").right(0, 10);
    text.text("\nmax mmap bytes   = ").right(0, 10).text("\n");
    write(2, text.as_bytes());
}

/// Writes figures as XML, in glibc's form. `EINVAL` unless `options` is 0; -1 if the stream does not take it.
///
/// # Safety
/// `stream` is open for writing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn malloc_info(options: c_int, stream: *mut FILE) -> c_int {
    if let Some(malloc_info) = forward::winner().and_then(|winner| winner.malloc_info) {
        // SAFETY: the caller's word about the stream.
        return unsafe { malloc_info(options, stream) };
    }
    if options != 0 {
        return libc::EINVAL;
    }
    let mut failed = false;
    let mut take = |bytes: &[u8]| {
        // SAFETY: the caller's word about the stream; the bytes are there.
        let written = unsafe { libc::fwrite(bytes.as_ptr().cast(), 1, bytes.len(), stream) };
        failed |= written != bytes.len();
    };
    let usage = Usage::now();
    uncancelled(|| xml(&mut take, &usage));
    if failed { -1 } else { 0 }
}

unsafe extern "C" {
    /// `pthread.h`
    fn pthread_setcancelstate(state: c_int, old: *mut c_int) -> c_int;
}

/// `PTHREAD_CANCEL_DISABLE` of `pthread.h`.
const CANCEL_DISABLE: c_int = 1;

/// Runs a call of libc in which the thread could be cancelled otherwise, and would unwind from here.
fn uncancelled<T>(call: impl FnOnce() -> T) -> T {
    let (mut before, mut ignored) = (0, 0);
    // SAFETY: the state is one of the two, and the old one has room.
    unsafe { pthread_setcancelstate(CANCEL_DISABLE, &mut before) };
    let result = call();
    // SAFETY: the state is the old one, and the one before has room.
    unsafe { pthread_setcancelstate(before, &mut ignored) };
    result
}

/// What glibc's figures are made of, in bytes.
struct Usage {
    /// What programs can use of the blocks in use.
    used: usize,
    /// The rest: free blocks in pages that are in use, and free spans with memory.
    free: usize,
    /// Of that, what `malloc_trim` gives back at least.
    releasable: usize,
    peak: usize,
    committed: usize,
    /// Free spans, a number.
    spans: usize,
    census: Census,
}

impl Usage {
    fn now() -> Usage {
        let figures = heap::figures().unwrap_or_default();
        let census = heap::census();
        let held = figures.live.iter().sum::<usize>() + figures.dirty;
        let blocks = |(bin, row): (usize, &Row)| row.used as usize * CLASSES[bin].size as usize;
        let small: usize = census.rows.iter().enumerate().map(blocks).sum();
        let large: usize = census.large_bytes.iter().sum();
        // Other threads go on while all of it is read.
        let used = (small + large).min(held);
        Usage {
            used,
            free: held - used,
            releasable: figures.dirty,
            peak: figures.peak.iter().sum(),
            committed: figures.committed,
            spans: figures.free_spans,
            census,
        }
    }

    /// The free blocks of each size in pages: size and number, where there are any.
    fn free_blocks(&self) -> impl Iterator<Item = (usize, usize)> {
        let rows = self.census.rows.iter().enumerate();
        let free = |(bin, row): (usize, &Row)| {
            let free = row.room.saturating_sub(row.used);
            (CLASSES[bin].size as usize, free as usize)
        };
        rows.map(free).filter(|(_, free)| *free > 0)
    }

    /// Free blocks and free spans, a number.
    fn pieces(&self) -> usize {
        self.spans + self.free_blocks().map(|(_, free)| free).sum::<usize>()
    }
}

/// Makes figures as XML in glibc's form, a piece after the other.
fn xml(take: &mut impl FnMut(&[u8]), usage: &Usage) {
    let mut text = Text::new();
    text.text("<malloc version=\"1\">\n<heap nr=\"0\">\n<sizes>\n");
    for (size, count) in usage.free_blocks() {
        text.text("  <size from=\"").number(size);
        text.text("\" to=\"").number(size);
        text.text("\" total=\"").number(size * count);
        text.text("\" count=\"").number(count).text("\"/>\n");
        take(text.as_bytes());
        text = Text::new();
    }
    text.text("</sizes>\n");
    totals(&mut text, usage, false);
    text.text("</heap>\n");
    totals(&mut text, usage, true);
    text.text("</malloc>\n");
    take(text.as_bytes());
}

/// The lines that glibc has in each heap and at the end, there with one more for mapped blocks.
fn totals(text: &mut Text, usage: &Usage, mapped: bool) {
    text.text("<total type=\"fast\" count=\"0\" size=\"0\"/>\n");
    text.text("<total type=\"rest\" count=\"")
        .number(usage.pieces());
    text.text("\" size=\"").number(usage.free).text("\"/>\n");
    if mapped {
        text.text("<total type=\"mmap\" count=\"0\" size=\"0\"/>\n");
    }
    let held = usage.used + usage.free;
    let lines = [
        ("system type=\"current", held),
        ("system type=\"max", held.max(usage.peak)),
        ("aspace type=\"total", usage.committed),
        ("aspace type=\"mprotect", usage.committed),
    ];
    for (name, figure) in lines {
        text.text("<")
            .text(name)
            .text("\" size=\"")
            .number(figure)
            .text("\"/>\n");
    }
}
