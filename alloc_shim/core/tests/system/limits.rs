//! The region under the limits that a shell can set.

use crate::trial::{Case, case, under};
use bowline_alloc::account::Class::Client;
use bowline_alloc::pal::Unix;
use bowline_alloc::region::{Region, SLICE};

const MIB: usize = 1 << 20;
const ADDRESSES: libc::__rlimit_resource_t = libc::RLIMIT_AS;
const DATA: libc::__rlimit_resource_t = libc::RLIMIT_DATA;

pub(crate) const CASES: &[Case] = &[
    under((ADDRESSES, 4 << 30), "a_quarter_of_four_gigabytes", || {
        quarter(1 << 30)
    }),
    under(
        (ADDRESSES, 512 << 20),
        "a_quarter_of_half_a_gigabyte",
        || quarter(128 * MIB),
    ),
    under((ADDRESSES, 160 << 20), "the_smallest_region", || {
        quarter(64 * MIB)
    }),
    Case {
        says: "bowline_malloc: cannot reserve 64 MiB of address space under a limit of 64 MiB (ulimit -v): \
               there is no static region\n",
        ..under((ADDRESSES, 64 << 20), "no_region_and_one_line", no_region)
    },
    under((DATA, 64 << 20), "a_limit_on_data_is_met_late", data),
    case("without_a_limit_a_terabyte", || sized(1 << 40)),
    case("what_is_mapped_where_a_limit_gave_back_stays", falls),
];

static REGION: Region<Unix> = Region::new(Unix::new());

/// The region has so many bytes, and all of them that its tables do not need can be had.
fn quarter(bytes: usize) {
    sized(bytes);
    let slices = bytes / SLICE;
    let tables = (slices * 160).div_ceil(SLICE);
    assert!(REGION.take(slices - tables, 1, Client).is_some());
    assert!(REGION.take(1, 1, Client).is_none());
}

fn sized(bytes: usize) {
    assert!(REGION.boot());
    assert_eq!(REGION.size(), bytes);
}

fn no_region() {
    for _ in 0..3 {
        assert!(!REGION.boot());
        assert!(REGION.take(1, 1, Client).is_none());
    }
    assert!(REGION.base().is_null());
}

/// The whole reservation is there; what becomes usable counts, and what is refused can be asked for again by less.
fn data() {
    sized(1 << 40);
    for mib in [100_000, 1000, 128] {
        assert!(REGION.take(mib * MIB / SLICE, 1, Client).is_none());
    }
    let mut held = 0;
    while REGION.take(1, 1, Client).is_some() {
        held += SLICE;
    }
    assert!((60 * MIB..64 * MIB).contains(&held), "{held}");
    REGION.check().expect("sound");
}

/// Lets the limit on address space fall, and the region look at it.
fn fall(bytes: u64) {
    let limit = libc::rlimit {
        rlim_cur: bytes,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: the kernel reads the borrowed structure.
    assert_eq!(unsafe { libc::setrlimit(ADDRESSES, &limit) }, 0);
    REGION.purge_all();
}

/// The limit falls, the program maps memory where the region gave some back, and the limit falls again.
fn falls() {
    sized(1 << 40);
    let span = REGION.take(1, 1, Client).expect("memory");
    fall(64 << 30);
    let end = REGION.base().wrapping_add(REGION.size());
    assert_eq!(REGION.size(), span.first * SLICE + (16 << 30));
    let rights = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
    // SAFETY: nothing is replaced.
    let mine = unsafe { libc::mmap(end.cast(), MIB, rights, flags, -1, 0) };
    assert_eq!(mine, end.cast());
    let word = mine.cast::<u64>();
    // SAFETY: mapped above.
    unsafe { word.write(1) };
    fall(32 << 30);
    assert_eq!(REGION.size(), span.first * SLICE + (8 << 30));
    // SAFETY: as above.
    assert_eq!(unsafe { word.read() }, 1);
    REGION.check().expect("sound");
}
