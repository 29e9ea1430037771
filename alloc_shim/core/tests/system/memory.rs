//! What the region does to the process that has it.

use crate::trial::{Case, case, resident};
use bowline_alloc::account::Class::{Client, Runtime};
use bowline_alloc::pal::{Pal, Unix};
use bowline_alloc::purge::FLOOR;
use bowline_alloc::region::{Region, SLICE, Span};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

const MIB: usize = 1 << 20;

pub(crate) const CASES: &[Case] = &[
    case(
        "a_terabyte_costs_next_to_nothing",
        a_terabyte_costs_next_to_nothing,
    ),
    case(
        "memory_comes_back_after_a_purge",
        memory_comes_back_after_a_purge,
    ),
    case(
        "free_spans_hold_no_more_than_the_bound",
        free_spans_hold_no_more_than_the_bound,
    ),
    case("old_spans_go_by_themselves", old_spans_go_by_themselves),
    case(
        "a_large_block_in_turn_needs_no_system_call",
        a_large_block_in_turn_needs_no_system_call,
    ),
    case(
        "the_region_is_a_handful_of_mappings",
        the_region_is_a_handful_of_mappings,
    ),
    case("errno_is_kept", errno_is_kept),
    case("a_wild_size_is_refused", a_wild_size_is_refused),
    case(
        "locked_memory_stays_and_is_not_called_zero",
        locked_memory_stays_and_is_not_called_zero,
    ),
    case("threads_share_the_region", threads_share_the_region),
    case(
        "children_of_busy_threads_go_on",
        children_of_busy_threads_go_on,
    ),
    case(
        "the_platform_sleeps_and_wakes",
        the_platform_sleeps_and_wakes,
    ),
    case("chance_is_not_the_same_twice", chance_is_not_the_same_twice),
];

static REGION: Region<Unix> = Region::new(Unix::new());

fn take(bytes: usize) -> Span {
    REGION
        .take(bytes.div_ceil(SLICE), 1, Client)
        .expect("room enough")
}

fn give(span: Span) {
    REGION.give(span.first, span.slices, Client);
}

fn fill(span: Span, byte: u8) {
    let start = REGION.slice_start(span.first);
    // SAFETY: inv:region.span.
    unsafe { start.write_bytes(byte, span.slices * SLICE) };
}

fn bytes(span: Span) -> &'static [u8] {
    let start = REGION.slice_start(span.first).cast_const();
    // SAFETY: inv:region.span: it stays taken while the trial reads it.
    unsafe { std::slice::from_raw_parts(start, span.slices * SLICE) }
}

fn a_terabyte_costs_next_to_nothing() {
    let before = resident();
    assert!(REGION.boot());
    let span = take(SLICE);
    // SAFETY: inv:region.table: the slice is taken.
    unsafe { REGION.entry(span.first).cast::<u8>().write(0) };
    let cost = resident() - before;
    assert_eq!(REGION.size(), 1 << 40);
    assert_eq!(REGION.base().addr(), 0x6000_0000_0000);
    assert!(cost <= 64 << 10, "{cost} bytes for nothing");
}

fn memory_comes_back_after_a_purge() {
    let span = take(64 * MIB);
    fill(span, 7);
    let full = resident();
    give(span);
    REGION.purge_all();
    let empty = resident();
    assert!(full - empty >= 63 * MIB, "{full} bytes, then {empty}");
    let again = take(64 * MIB);
    assert!(again.zeroed && bytes(again).iter().all(|byte| *byte == 0));
}

/// A phase ends: what it held comes back at once but for the bound, whatever the sizes were.
fn free_spans_hold_no_more_than_the_bound() {
    let spans: Vec<Span> = (0..3000).map(|n| take((1 + n % 4) * SLICE)).collect();
    spans.iter().for_each(|span| fill(*span, 1));
    let full = resident();
    spans.iter().for_each(|span| give(*span));
    let dirty = REGION.figures().dirty;
    assert!(dirty <= FLOOR, "{dirty}");
    let held = full - resident();
    assert!(
        held >= 3000 / 4 * 10 * SLICE - FLOOR - MIB,
        "{held} came back"
    );
    REGION.check().expect("sound");
}

fn old_spans_go_by_themselves() {
    give(take(8 * MIB));
    let begin = Instant::now();
    while REGION.figures().dirty > SLICE {
        give(take(SLICE));
        assert!(begin.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn a_large_block_in_turn_needs_no_system_call() {
    give(take(MIB));
    let calls = || {
        let figures = REGION.figures();
        (figures.commits, figures.purges)
    };
    let before = calls();
    let begin = Instant::now();
    let mut times = 0;
    while begin.elapsed() < Duration::from_millis(100) {
        give(take(MIB));
        times += 1;
    }
    assert_eq!(calls(), before, "after {times}");
}

fn the_region_is_a_handful_of_mappings() {
    let mut held = Vec::new();
    for round in 0..2000 {
        held.push(take((1 + round * 7 % 40) * SLICE));
        if round % 3 == 0 {
            give(held.swap_remove(round * 31 % held.len()));
        }
        if round % 100 == 0 {
            REGION.purge_all();
        }
    }
    let maps = std::fs::read_to_string("/proc/self/maps").expect("a Linux");
    let ours = |line: &&str| {
        let start = line.split('-').next().unwrap_or_default();
        let start = usize::from_str_radix(start, 16).expect("an address");
        REGION.contains(std::ptr::without_provenance(start))
    };
    let mappings = maps.lines().filter(ours).count();
    assert!(mappings <= 8, "{mappings}");
}

fn errno_is_kept() {
    // SAFETY: takes nothing.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: libc's own place for this thread's errno.
    let errno = unsafe { &mut *place };
    *errno = 4711;
    assert!(REGION.take(usize::MAX / SLICE, 1, Client).is_none());
    assert!(
        REGION.take(1 << 22, 1, Client).is_none(),
        "256 GiB are promised to nobody"
    );
    give(take(MIB));
    REGION.purge_all();
    let pal = REGION.pal();
    pal.random();
    pal.now_ms();
    pal.address_limit();
    pal.wait(&AtomicU32::new(1), 0);
    pal.write(b"");
    assert_eq!(*errno, 4711);
}

/// Whatever the overcommit policy is short of "always", it is asked.
fn a_wild_size_is_refused() {
    let policy = std::fs::read_to_string("/proc/sys/vm/overcommit_memory").expect("a Linux");
    let wild = REGION.take((900 << 30) / SLICE, 1, Client);
    assert_eq!(wild.is_some(), policy.trim() == "1");
    assert!(bytes(take(MIB)).iter().all(|byte| *byte == 0));
}

fn locked_memory_stays_and_is_not_called_zero() {
    let span = take(MIB);
    fill(span, 9);
    // SAFETY: the span is mapped.
    let locked = unsafe { libc::mlock(bytes(span).as_ptr().cast(), span.slices * SLICE) };
    assert_eq!(locked, 0, "{}", std::io::Error::last_os_error());
    give(span);
    REGION.purge_all();
    let figures = REGION.figures();
    assert_eq!((figures.dirty, figures.purged), (MIB, 0));
    let again = take(MIB);
    assert_eq!((again.first, again.zeroed), (span.first, false));
}

fn work(seed: usize, rounds: usize) {
    let mut held: Vec<(Span, u8)> = Vec::new();
    for round in 0..rounds {
        let n = seed.wrapping_add(round).wrapping_mul(0x9e37_79b9) >> 3;
        if held.len() > 20 || (n.is_multiple_of(3) && !held.is_empty()) {
            let (span, byte) = held.swap_remove(n % held.len());
            assert!(bytes(span).iter().step_by(1024).all(|b| *b == byte));
            give(span);
        } else {
            let span = take((1 + n % 24) * SLICE);
            let zero = bytes(span).iter().step_by(1024).all(|byte| *byte == 0);
            assert!(zero || !span.zeroed);
            fill(span, n as u8);
            held.push((span, n as u8));
        }
    }
    held.iter().for_each(|(span, _)| give(*span));
}

fn threads_share_the_region() {
    std::thread::scope(|scope| {
        for thread in 0..6 {
            scope.spawn(move || work(thread * 1000, 600));
        }
    });
    let totals = REGION.check().expect("sound");
    assert_eq!((totals.taken, totals.leaving), (0, 0));
    assert_eq!((REGION.live(Client), REGION.live(Runtime)), (0, 0));
}

static STOP: AtomicBool = AtomicBool::new(false);

/// Forks while other threads take, give and purge: the child finds the region whole and goes on.
fn children_of_busy_threads_go_on() {
    std::thread::scope(|scope| {
        for thread in 0..3 {
            scope.spawn(move || {
                while !STOP.load(Ordering::Relaxed) {
                    work(thread, 50);
                    REGION.purge_all();
                }
            });
        }
        for _ in 0..100 {
            REGION.fork_prepare();
            // SAFETY: the child calls nothing but the region and `_exit`.
            match unsafe { libc::fork() } {
                0 => {
                    REGION.fork_child(false);
                    let span = REGION.take(3, 1, Client);
                    REGION.purge_all();
                    let whole = REGION.check().is_ok_and(|totals| totals.leaving == 0);
                    // SAFETY: ends the child without running what belongs to the parent.
                    unsafe { libc::_exit(i32::from(span.is_none() || !whole)) };
                }
                child => {
                    REGION.fork_parent(false);
                    let mut status = -1;
                    // SAFETY: the kernel writes the borrowed status.
                    unsafe { libc::waitpid(child, &mut status, 0) };
                    assert_eq!(status, 0);
                }
            }
        }
        STOP.store(true, Ordering::Relaxed);
    });
}

fn the_platform_sleeps_and_wakes() {
    let (pal, word) = (Unix::new(), AtomicU32::new(0));
    std::thread::scope(|scope| {
        let sleeper = scope.spawn(|| {
            while word.load(Ordering::Acquire) == 0 {
                pal.wait(&word, 0);
            }
        });
        std::thread::sleep(Duration::from_millis(20));
        word.store(1, Ordering::Release);
        pal.wake(&word);
        sleeper.join().expect("no panic");
    });
}

fn chance_is_not_the_same_twice() {
    let pal = Unix::new();
    let bits = [pal.random(), pal.random(), pal.random()];
    assert!(bits[0] != bits[1] && bits[1] != bits[2], "{bits:x?}");
}
