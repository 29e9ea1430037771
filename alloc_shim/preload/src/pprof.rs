//! The heap profile as a file that pprof and its relatives read: the messages of `profile.proto`, without compression.
//!
//! The format is that of <https://github.com/google/pprof/blob/main/proto/profile.proto>: protocol buffers (base 128 varints, and
//! fields with a length), of which a dozen fields are needed here. They are written as they are found, for there is no memory to put
//! them together in:
//!
//! ```text
//!   string_table[0…]   sample_type ×4   sample …   ( mapping, its name, its locations ) …   period
//! ```
//!
//! Locations come after all samples: each that a sample names has been there before it. Addresses are looked up among the mappings
//! of `/proc/self/maps` in one pass, in order: what lies between two of them has a location without a mapping. Symbols are left to
//! the tools, which look into the files that the mappings name.

use crate::heap;
use crate::maps::{self, Mapping};
use bowline_alloc::pal::write;
use bowline_alloc::profile::{DEPTH, Site};
use core::ffi::c_int;

/// Numbers of fields of the message `Profile`.
mod field {
    pub(super) const SAMPLE_TYPE: u64 = 1;
    pub(super) const SAMPLE: u64 = 2;
    pub(super) const MAPPING: u64 = 3;
    pub(super) const LOCATION: u64 = 4;
    pub(super) const STRING: u64 = 6;
    pub(super) const DROP_FRAMES: u64 = 7;
    pub(super) const TIME: u64 = 9;
    pub(super) const PERIOD_TYPE: u64 = 11;
    pub(super) const PERIOD: u64 = 12;
    pub(super) const COMMENT: u64 = 13;
    pub(super) const DEFAULT_TYPE: u64 = 14;
}

/// The first strings, by which others name them. String 0 must be empty.
const STRINGS: [&str; 10] = [
    "",
    "alloc_objects",
    "count",
    "alloc_space",
    "bytes",
    "inuse_objects",
    "inuse_space",
    "space",
    // With what they call: in an executable that is this allocator they are in the stacks.
    "malloc|calloc|realloc|reallocarray|reallocf|memalign|aligned_alloc|posix_memalign|valloc|pvalloc|operator new.*",
    "bowline_malloc: some samples had no room and are missing",
];
const COUNT: u64 = 2;
const BYTES: u64 = 4;
const INUSE_SPACE: u64 = 6;
const SPACE: u64 = 7;
const DROPPED: u64 = 8;
const LOST: u64 = 9;

/// What a sample's values are: kind and unit.
const VALUES: [[u64; 2]; 4] = [[1, COUNT], [3, BYTES], [5, COUNT], [INUSE_SPACE, BYTES]];

/// Room for the longest message but a string: a sample of the deepest stack.
const LONGEST: usize = 16 + 5 * DEPTH + 4 * 10;

/// Bytes put together: a message, or what is on its way to the file.
struct Bytes<const SIZE: usize> {
    bytes: [u8; SIZE],
    used: usize,
}

impl<const SIZE: usize> Bytes<SIZE> {
    fn new() -> Self {
        Bytes {
            bytes: [0; SIZE],
            used: 0,
        }
    }

    /// Adds a byte where there is room.
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.used) {
            *place = byte;
            self.used += 1;
        }
    }

    /// Seven bits a byte, the lowest first; all but the last have the top bit.
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.push(number as u8);
    }

    /// A field that is a number. 0 is what a missing one means.
    fn number(&mut self, field: u64, number: u64) {
        if number != 0 {
            self.varint(field << 3);
            self.varint(number);
        }
    }

    /// A field of several numbers.
    fn numbers(&mut self, field: u64, numbers: impl Iterator<Item = u64> + Clone) {
        let length = |number: u64| u64::from((64 - (number | 1).leading_zeros()).div_ceil(7));
        self.varint(field << 3 | 2);
        self.varint(numbers.clone().map(length).sum());
        numbers.for_each(|number| self.varint(number));
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.used]
    }
}

/// A profile on its way to a file.
struct Writer {
    descriptor: c_int,
    buffer: Bytes<2048>,
    /// Whether the file has taken all.
    good: bool,
}

impl Writer {
    fn flush(&mut self) {
        self.good &= write(self.descriptor, self.buffer.as_bytes());
        self.buffer.used = 0;
    }

    fn put(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.buffer.used == self.buffer.bytes.len() {
                self.flush();
            }
            self.buffer.push(*byte);
        }
    }

    /// A field that has a length: a message or a string.
    fn field(&mut self, field: u64, bytes: &[u8]) {
        let mut head = Bytes::<16>::new();
        head.varint(field << 3 | 2);
        head.varint(bytes.len() as u64);
        self.put(head.as_bytes());
        self.put(bytes);
    }

    fn message(&mut self, field: u64, fill: impl FnOnce(&mut Bytes<LONGEST>)) {
        let mut message = Bytes::new();
        fill(&mut message);
        self.field(field, message.as_bytes());
    }

    fn number(&mut self, field: u64, number: u64) {
        let mut bytes = Bytes::<16>::new();
        bytes.number(field, number);
        self.put(bytes.as_bytes());
    }

    fn sample(&mut self, site: &Site<'_>) {
        let values = [site.objects, site.bytes, site.live_objects, site.live_bytes];
        let mut places = [0; DEPTH];
        let mut depth = 0;
        for (cell, place) in places.iter_mut().zip(site.places()) {
            *cell = place as u64;
            depth += 1;
        }
        self.message(field::SAMPLE, |sample| {
            sample.numbers(1, places[..depth].iter().copied());
            sample.numbers(2, values.into_iter());
        });
    }

    /// The locations from one address to another.
    fn locations(&mut self, start: usize, end: usize, mapping: u64) {
        heap::places(|number, address| {
            if (start..end).contains(&address) {
                self.message(field::LOCATION, |location| {
                    location.number(1, number as u64);
                    location.number(2, mapping);
                    location.number(3, address as u64);
                });
            }
        });
    }

    fn mapping(&mut self, number: u64, string: u64, mapping: &Mapping<'_>) {
        self.field(field::STRING, mapping.name);
        self.message(field::MAPPING, |message| {
            message.number(1, number);
            message.number(2, mapping.start as u64);
            message.number(3, mapping.end as u64);
            message.number(4, mapping.offset as u64);
            message.number(5, string);
        });
        self.locations(mapping.start, mapping.end, number);
    }
}

/// Writes the profile to an open file; whether the file took all of it.
pub(crate) fn write_to(descriptor: c_int) -> bool {
    let mut writer = Writer {
        descriptor,
        buffer: Bytes::new(),
        good: true,
    };
    STRINGS
        .iter()
        .for_each(|string| writer.field(field::STRING, string.as_bytes()));
    for [kind, unit] in VALUES {
        writer.message(field::SAMPLE_TYPE, |value| {
            value.number(1, kind);
            value.number(2, unit);
        });
    }
    heap::sites(|site| writer.sample(site));
    let (mut numbers, mut end) = (0, 0);
    maps::each(|mapping| {
        if mapping.is_executable {
            writer.locations(end, mapping.start, 0);
            numbers += 1;
            writer.mapping(numbers, STRINGS.len() as u64 - 1 + numbers, mapping);
            end = mapping.end;
        }
    });
    writer.locations(end, usize::MAX, 0);
    let summary = heap::summary();
    writer.number(field::DROP_FRAMES, DROPPED);
    writer.number(field::TIME, now());
    writer.message(field::PERIOD_TYPE, |value| {
        value.number(1, SPACE);
        value.number(2, BYTES);
    });
    writer.number(field::PERIOD, summary.interval as u64);
    if summary.lost > 0 {
        writer.number(field::COMMENT, LOST);
    }
    writer.number(field::DEFAULT_TYPE, INUSE_SPACE);
    writer.flush();
    writer.good
}

/// Nanoseconds since 1970.
fn now() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the kernel writes the borrowed structure.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
