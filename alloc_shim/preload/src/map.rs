//! The map of pages that a signal asks for: what stands where in the region, right now.
//!
//! First the figures and the size classes, as at exit; then a line for each heap; then the region itself, a character for each
//! 64 KiB, 4 MiB a line:
//!
//! ```text
//!   0…9   a page of blocks, by how much of it is in use, in tenths      L l   a large block, and the rest of it
//!   +     the rest of a page that is longer                             A     the allocator's own
//!   .     free
//! ```
//!
//! Of lines that are all free, or all the rest of one large block, the first is told and those that follow are counted.
//!
//! It runs in a signal handler: what it needs stands on the stack, and the side table is read without a lock. Only the figures
//! want the region's lock, and are left out where the interrupted thread may hold it.

use crate::output::Output;
use crate::place::{self, Place};
use crate::statistics::{census_to, figures_to};
use crate::{heap, standard_error};
use bowline_alloc::census::Found;
use bowline_alloc::classes::CLASSES;
use bowline_alloc::region::SLICE;
use bowline_alloc::report::Line;
use core::ffi::c_int;
use core::sync::atomic::{AtomicBool, Ordering};

/// Characters in a line.
const WIDTH: usize = 64;

/// Heaps with a line of their own.
const HEAPS: usize = 32;

static FILE: Place = Place::none();

/// Whether a map is being written.
static BUSY: AtomicBool = AtomicBool::new(false);

/// Has maps added to a file; false where its name is too long.
pub(crate) fn to(name: &[u8]) -> bool {
    FILE.set(name)
}

/// In a forked child: whoever wrote one is gone.
pub(crate) fn fork_child() {
    BUSY.store(false, Ordering::Relaxed);
}

/// Writes a map, unless one is being written.
pub(crate) fn write() {
    if BUSY.swap(true, Ordering::Acquire) {
        return;
    }
    if !FILE.is_some() {
        if let Some(descriptor) = standard_error::descriptor() {
            tell(descriptor);
        }
    } else if let Some(descriptor) = FILE.open() {
        if !tell(descriptor) {
            standard_error::say(Line::new("the map is not whole: the file took no more"));
        }
        place::close(descriptor);
    }
    BUSY.store(false, Ordering::Release);
}

/// Writes the map; whether the file took all of it.
fn tell(descriptor: c_int) -> bool {
    let mut output = Output::to(descriptor);
    output.line(|line| {
        line.text("map of process ").number(place::process());
    });
    match heap::figures() {
        Some(figures) => figures_to(&mut output, &figures),
        None => output.line(|line| {
            line.text("no figures: the signal interrupted malloc");
        }),
    }
    census_to(&mut output, &heap::census());
    heaps_to(&mut output);
    region_to(&mut output);
    output.line(|line| {
        line.text("end of map");
    });
    output.end()
}

/// What the pages of one heap hold.
#[derive(Clone, Copy)]
struct Share {
    heap: usize,
    vacant: bool,
    pages: usize,
    parked: usize,
    bytes: usize,
    used: usize,
}

fn heaps_to(output: &mut Output) {
    let none = Share {
        heap: 0,
        vacant: false,
        pages: 0,
        parked: 0,
        bytes: 0,
        used: 0,
    };
    // The last one stands for all that have no line.
    let mut shares = [none; HEAPS + 1];
    let count = heap::holders().count();
    for (share, holder) in shares.iter_mut().zip(heap::holders().take(HEAPS)) {
        share.heap = holder.heap;
        share.vacant = holder.vacant;
    }
    heap::look(|_, slices, found| {
        let Found::Page(page) = found else { return };
        let place = shares.iter().position(|share| share.heap == page.heap);
        let share = &mut shares[place.unwrap_or(HEAPS).min(HEAPS)];
        share.pages += 1;
        share.parked += usize::from(page.parked);
        share.bytes += slices * SLICE;
        share.used += page.used * CLASSES[page.bin].size as usize;
    });
    for (number, share) in shares.iter().enumerate() {
        if share.heap == 0 && share.pages == 0 {
            continue;
        }
        output.line(|line| {
            if number < HEAPS {
                line.text("heap ").number(number + 1);
                let whose = [" of a thread", " of no thread"];
                line.text(whose[usize::from(share.vacant)]);
            } else {
                line.number(count.saturating_sub(HEAPS)).text(" more heaps");
            }
            line.text(": ").number(share.pages).text(" pages, ");
            line.number(share.parked).text(" of them full, ");
            line.number(share.used).text(" bytes in use of ");
            line.number(share.bytes);
        });
    }
}

/// A line of the map as it grows.
struct Row {
    start: usize,
    cells: [u8; WIDTH],
    used: usize,
    /// What the line before consisted of, where that may be left out when it comes again.
    last: Option<u8>,
    /// How many lines were left out.
    alike: usize,
}

fn region_to(output: &mut Output) {
    let (base, start) = heap::beginning();
    let mut row = Row {
        start: base + start * SLICE,
        cells: [0; WIDTH],
        used: 0,
        last: None,
        alike: 0,
    };
    heap::look(|_, slices, found| {
        let (first, rest) = match found {
            Found::Free => (b'.', b'.'),
            Found::Own => (b'A', b'A'),
            Found::Large(_) => (b'L', b'l'),
            Found::Page(page) => {
                let tenths = page.used * 10 / page.room.max(1);
                (b'0' + tenths.min(9) as u8, b'+')
            }
        };
        row.put(output, first);
        (1..slices).for_each(|_| row.put(output, rest));
    });
    row.end(output);
}

impl Row {
    fn put(&mut self, output: &mut Output, cell: u8) {
        self.cells[self.used] = cell;
        self.used += 1;
        if self.used < WIDTH {
            return;
        }
        let [first, rest @ ..] = &self.cells;
        let plain = matches!(first, b'.' | b'l') && rest.iter().all(|cell| cell == first);
        let kind = plain.then_some(*first);
        if kind.is_some() && kind == self.last {
            self.alike += 1;
            self.begin();
            return;
        }
        self.last = kind;
        self.tell(output);
    }

    fn tell(&mut self, output: &mut Output) {
        self.tell_alike(output);
        let (start, cells) = (self.start, &self.cells[..self.used]);
        output.line(|line| {
            line.address(start).text(" ");
            cells.iter().for_each(|cell| line.byte(*cell));
        });
        self.begin();
    }

    fn tell_alike(&mut self, output: &mut Output) {
        if self.alike > 0 {
            output.line(|line| {
                line.text("and ").number(self.alike);
                line.text(" lines like the last");
            });
        }
        self.alike = 0;
    }

    fn begin(&mut self) {
        self.start += self.used * SLICE;
        self.used = 0;
    }

    fn end(&mut self, output: &mut Output) {
        self.tell_alike(output);
        if self.used > 0 {
            self.tell(output);
        }
    }
}
