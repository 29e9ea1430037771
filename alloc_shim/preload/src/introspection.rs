//! What glibc lets a program ask and set: `mallinfo`, `malloc_info`, `malloc_stats`, `malloc_trim`, `mallopt`.
//!
//! glibc's words, and what they mean here:
//!
//! | glibc | here |
//! |---|---|
//! | arena, system bytes | what the blocks in use and the free spans with memory occupy |
//! | in use (`uordblks`) | what the blocks in use occupy, both accounts, by whole spans |
//! | free (`fordblks`), trimmable (`keepcost`) | the free spans with memory |
//! | heaps | one: the region |
//!
//! In a signal handler that interrupted the heap at the wrong moment all figures are 0; nothing waits for ever.
//!
//! Absent on purpose: fast bins and mapped blocks, which there are none of: their figures are 0.

use crate::output::write;
use crate::text::Text;
use crate::{forward, heap};
use core::ffi::c_int;
use libc::{FILE, mallinfo as Mallinfo, mallinfo2 as Mallinfo2};

/// The parameters of `mallopt` that advise on trading memory for time. They are taken as that: advice.
const ADVICE: [c_int; 7] = [
    libc::M_MXFAST,
    libc::M_TRIM_THRESHOLD,
    libc::M_TOP_PAD,
    libc::M_MMAP_THRESHOLD,
    libc::M_MMAP_MAX,
    libc::M_ARENA_TEST,
    libc::M_ARENA_MAX,
];

/// Sets a parameter of glibc's allocator. 1: it was taken, though nothing here needs such advice; 0: it is unknown, or
/// asks for something visible that this allocator does not do (`M_PERTURB`, `M_CHECK_ACTION`).
#[unsafe(no_mangle)]
pub extern "C" fn mallopt(parameter: c_int, value: c_int) -> c_int {
    if let Some(mallopt) = forward::winner().and_then(|winner| winner.mallopt) {
        // SAFETY: any two numbers may be given.
        return unsafe { mallopt(parameter, value) };
    }
    c_int::from(ADVICE.contains(&parameter))
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
    let Usage {
        used,
        free,
        peak,
        spans,
        ..
    } = Usage::now();
    Mallinfo2 {
        arena: used + free,
        ordblks: spans,
        smblks: 0,
        hblks: 0,
        hblkhd: 0,
        usmblks: peak,
        fsmblks: 0,
        uordblks: used,
        fordblks: free,
        keepcost: free,
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
    let text = xml(&Usage::now());
    let bytes = text.as_bytes();
    // SAFETY: the caller's word about the stream; the bytes are there.
    let written = unsafe { libc::fwrite(bytes.as_ptr().cast(), 1, bytes.len(), stream) };
    if written == bytes.len() { 0 } else { -1 }
}

/// What glibc's figures are made of, in bytes.
struct Usage {
    used: usize,
    free: usize,
    peak: usize,
    committed: usize,
    /// Free spans, a number.
    spans: usize,
}

impl Usage {
    fn now() -> Usage {
        let figures = heap::figures().unwrap_or_default();
        Usage {
            used: figures.live.iter().sum(),
            free: figures.dirty,
            peak: figures.peak.iter().sum(),
            committed: figures.committed,
            spans: figures.free_spans,
        }
    }
}

fn xml(usage: &Usage) -> Text {
    let mut text = Text::new();
    text.text("<malloc version=\"1\">\n<heap nr=\"0\">\n<sizes>\n</sizes>\n");
    totals(&mut text, usage, false);
    text.text("</heap>\n");
    totals(&mut text, usage, true);
    text.text("</malloc>\n");
    text
}

/// The lines that glibc has in each heap and at the end, there with one more for mapped blocks.
fn totals(text: &mut Text, usage: &Usage, mapped: bool) {
    text.text("<total type=\"fast\" count=\"0\" size=\"0\"/>\n");
    text.text("<total type=\"rest\" count=\"")
        .number(usage.spans);
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
