//! The figures that `BOWLINE_MALLOC_STATS` asks for.
//!
//! They are written when the process exits, after everything else that runs at exit: this function is registered
//! before any other, and libc runs them backwards; so they go to standard error as it was ([`crate::standard_error`]). A file that was
//! named is opened then, and what stands in it stays.
//!
//! Every line begins with `bowline_malloc:`, so that they can be told from the program's own.
//!
//! Absent on purpose: figures of a process that ends by `_exit`, by `execve` or by a signal. What is freed
//! after the table is freed as always.

use crate::output::Output;
use crate::place::{self, Place};
use crate::{heap, hooks, standard_error};
use bowline_alloc::census::{Census, Row};
use bowline_alloc::classes::CLASSES;
use bowline_alloc::figures::Figures;
use bowline_alloc::report::Line;
use core::ffi::{c_int, c_void};

/// Said instead of figures by a process that exits in a signal handler: what it interrupted would never go on.
const NO_FIGURES: &str = "no figures: exit was called in a signal handler that interrupted malloc";

/// The file, if one was named.
static FILE: Place = Place::none();

/// Has the figures written to standard error when the process exits.
pub(crate) fn at_exit() {
    hooks::at_exit(finish);
}

/// Has the figures added to a file when the process exits; false where its name is too long.
pub(crate) fn at_exit_to(name: &[u8]) -> bool {
    let named = FILE.set(name);
    if named {
        hooks::at_exit(finish_file);
    }
    named
}

extern "C" fn finish(_: *mut c_void) {
    if let Some(descriptor) = standard_error::descriptor() {
        tell(descriptor);
    }
}

extern "C" fn finish_file(_: *mut c_void) {
    if let Some(descriptor) = FILE.open() {
        if !tell(descriptor) {
            standard_error::say(Line::new(
                "the figures are not whole: the file took no more",
            ));
        }
        place::close(descriptor);
    }
}

/// Writes the figures; whether the file took all of them.
fn tell(descriptor: c_int) -> bool {
    let mut output = Output::to(descriptor);
    match heap::figures() {
        Some(figures) => {
            output.line(|line| {
                line.text("process ").number(place::process());
                line.text(" exits");
            });
            figures_to(&mut output, &figures);
            census_to(&mut output, &heap::census());
        }
        None => output.line(|line| {
            line.text(NO_FIGURES);
        }),
    }
    output.end()
}

/// Figures, one a line.
pub(crate) fn figures_to(output: &mut Output, figures: &Figures) {
    let [client, runtime] = figures.live;
    let [client_peak, runtime_peak] = figures.peak;
    let rows = [
        ("reserved bytes", figures.reserved),
        ("committed bytes", figures.committed),
        ("client bytes", client),
        ("client bytes, peak", client_peak),
        ("client bytes, limit", figures.limit),
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
        ("system calls for memory", figures.commits + figures.purges),
        ("requests refused", figures.refusals),
        (
            "heaps of threads",
            heap::holders().filter(|holder| !holder.vacant).count(),
        ),
        ("heaps made", figures.heaps_created),
        ("heaps left by threads", figures.heaps_orphaned),
        ("heaps taken over", figures.heaps_adopted),
        ("frees by other threads", figures.remote_frees),
        ("nested allocations", figures.nested),
        ("foreign frees", figures.foreign_frees),
    ];
    for (name, figure) in rows {
        if name == "client bytes, limit" && figure == usize::MAX {
            continue;
        }
        output.line(|line| {
            line.right(figure, 15).text("  ").text(name);
        });
    }
}

/// The pages of each size class that has some, and the large blocks.
pub(crate) fn census_to(output: &mut Output, census: &Census) {
    let titles = ["block of", "pages", "in use", "bytes in use", "room for"];
    output.line(|line| {
        for (title, width) in titles.into_iter().zip(WIDTHS) {
            line.blanks(width.saturating_sub(title.len())).text(title);
        }
        line.text("  full");
    });
    let mut all = Row::default();
    let mut bytes = 0;
    for (class, row) in CLASSES.iter().zip(&census.rows) {
        if row.pages == 0 {
            continue;
        }
        let used = row.used as usize * class.size as usize;
        row_to(output, class.size as usize, row, used);
        all.pages += row.pages;
        all.used += row.used;
        bytes += used;
    }
    let blocks: usize = census.large_blocks.iter().sum();
    let large: usize = census.large_bytes.iter().sum();
    let sums = [
        ("blocks in use", all.used as usize + blocks),
        ("bytes in blocks", bytes + large),
        ("pages", all.pages as usize),
        ("large blocks", blocks),
        ("bytes in large blocks", large),
        ("bytes of the allocator's own", census.own_bytes),
    ];
    for (name, figure) in sums {
        output.line(|line| {
            line.right(figure, 15).text("  ").text(name);
        });
    }
}

/// How wide the columns are.
const WIDTHS: [usize; 5] = [15, 9, 12, 15, 12];

fn row_to(output: &mut Output, size: usize, row: &Row, bytes: usize) {
    let (used, room) = (row.used as usize, row.room as usize);
    let figures = [size, row.pages as usize, used, bytes, room];
    output.line(|line| {
        for (figure, width) in figures.into_iter().zip(WIDTHS) {
            line.right(figure, width);
        }
        line.right(used * 100 / room.max(1), 5).text("%");
    });
}
