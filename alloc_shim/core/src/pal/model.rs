//! A platform for tests: a small region from Rust's allocator, faults on demand, a clock that stands still.
//!
//! Pages that were not made usable hold [`JUNK`]; when the model is dropped it looks whether they still do, so a write to
//! memory that was never committed is found without a processor that traps it.

use super::Pal;
use crate::lock::MOST;
use crate::sync::AtomicU32;
use crate::tls::model::may_be_interrupted;
use std::alloc::{Layout, alloc, dealloc};
use std::ptr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

/// The unit in which memory is made usable.
const PAGE: usize = 4096;
/// Contents of memory that nobody may use.
const JUNK: u8 = 0xa5;
/// The base of a region is a multiple of this; a reservation deliberately is not.
const ALIGN: usize = 64 << 10;

/// Lets a number of calls succeed and refuses some of those after it.
#[derive(Debug, Default)]
pub struct Fault {
    passes: AtomicUsize,
    refusals: AtomicUsize,
}

impl Fault {
    fn set(&self, passes: usize, refusals: usize) {
        self.passes.store(passes, Ordering::Relaxed);
        self.refusals.store(refusals, Ordering::Relaxed);
    }

    /// Refuses every call after some more.
    pub fn after(&self, calls: usize) {
        self.set(calls, usize::MAX);
    }

    /// Refuses the next call.
    pub fn once(&self) {
        self.set(0, 1);
    }

    /// Refuses nothing any more.
    pub fn never(&self) {
        self.set(0, 0);
    }

    fn strikes(&self) -> bool {
        let count_down = |n: usize| n.checked_sub(1);
        let update = |word: &AtomicUsize| {
            word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count_down)
                .is_ok()
        };
        !update(&self.passes) && update(&self.refusals)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Page {
    Reserved,
    Readable,
    Committed,
    Released,
}

#[derive(Debug)]
struct Reservation {
    start: *mut u8,
    bytes: usize,
    pages: Vec<Page>,
}

impl Reservation {
    fn layout(bytes: usize) -> Layout {
        Layout::from_size_align(bytes + ALIGN, ALIGN).expect("a valid layout")
    }

    /// What the reservation was made from.
    fn block(&self) -> *mut u8 {
        self.start.wrapping_sub(PAGE)
    }

    /// Numbers of the pages in a range of memory; whole pages only.
    fn pages(&self, start: *mut u8, bytes: usize) -> std::ops::Range<usize> {
        let offset = start.addr() - self.start.addr();
        assert!(offset.is_multiple_of(PAGE) && bytes.is_multiple_of(PAGE));
        assert!(offset + bytes <= self.bytes, "outside the reservation");
        offset / PAGE..(offset + bytes) / PAGE
    }

    fn fill(&self, page: usize, byte: u8) {
        // SAFETY: the page lies in the block, and `Model` is told of it by whoever owns it.
        unsafe { ptr::write_bytes(self.start.wrapping_add(page * PAGE), byte, PAGE) };
    }

    fn holds(&self, page: usize, byte: u8) -> bool {
        let start = self.start.wrapping_add(page * PAGE);
        // SAFETY: the page lies in the block and was filled when the block was made.
        let bytes = unsafe { std::slice::from_raw_parts(start, PAGE) };
        bytes.iter().all(|b| *b == byte)
    }
}

/// See the module.
#[derive(Debug)]
pub struct Model {
    /// No other model of the process has it, before or after: addresses come back.
    pub number: usize,
    reservations: Mutex<Vec<Reservation>>,
    clock: AtomicU64,
    limit: Mutex<Option<usize>>,
    data_limit: Mutex<Option<usize>>,
    sleepers: Mutex<()>,
    alarm: Condvar,
    /// What was written for the user.
    pub written: Mutex<Vec<u8>>,
    /// Refuses reservations.
    pub reserve: Fault,
    /// Refuses memory.
    pub commit: Fault,
    /// Refuses to take memory back.
    pub purge: Fault,
}

// SAFETY: the pointers are addresses of memory that the model owns; whoever gets them from it answers for their use.
unsafe impl Send for Model {}
// SAFETY: as above; everything that changes is behind a lock or atomic.
unsafe impl Sync for Model {}

impl Default for Model {
    fn default() -> Self {
        Self::new()
    }
}

impl Model {
    /// A machine that refuses nothing.
    pub fn new() -> Self {
        static MODELS: AtomicUsize = AtomicUsize::new(0);
        Model {
            number: MODELS.fetch_add(1, Ordering::Relaxed),
            reservations: Mutex::new(Vec::new()),
            clock: AtomicU64::new(0),
            limit: Mutex::new(None),
            data_limit: Mutex::new(None),
            sleepers: Mutex::new(()),
            alarm: Condvar::new(),
            written: Mutex::new(Vec::new()),
            reserve: Fault::default(),
            commit: Fault::default(),
            purge: Fault::default(),
        }
    }

    /// Moves the clock.
    pub fn pass(&self, ms: u64) {
        self.clock.fetch_add(ms, Ordering::Relaxed);
    }

    /// Limits the address space.
    pub fn limit(&self, bytes: usize) {
        *self.limit.lock().expect("no test panics here") = Some(bytes);
    }

    /// Says that there is a limit on memory; nothing is refused for it.
    pub fn limit_data(&self, bytes: usize) {
        *self.data_limit.lock().expect("no test panics here") = Some(bytes);
    }

    /// What was written for the user, as text.
    pub fn text(&self) -> String {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&written).into_owned()
    }

    /// Does `act` for each page of a range.
    fn each(&self, start: *mut u8, bytes: usize, act: impl Fn(&mut Reservation, usize)) {
        let mut all = self.reservations.lock().expect("no test panics here");
        let holds = |r: &&mut Reservation| {
            start >= r.start && start.addr() + bytes <= r.start.addr() + r.bytes
        };
        let reservation = all.iter_mut().find(holds).expect("reserved memory");
        for page in reservation.pages(start, bytes) {
            act(reservation, page);
        }
    }
}

impl Pal for Model {
    const LARGEST: usize = 16 << 20;
    const SMALLEST: usize = 1 << 20;

    fn reserve(&self, _: usize, bytes: usize) -> *mut u8 {
        if self.reserve.strikes() {
            return ptr::null_mut();
        }
        let layout = Reservation::layout(bytes);
        // SAFETY: the layout has a size.
        let block = unsafe { alloc(layout) };
        assert!(!block.is_null(), "the test itself has no memory");
        // SAFETY: the block is as large as its layout.
        unsafe { ptr::write_bytes(block, JUNK, layout.size()) };
        let start = block.wrapping_add(PAGE);
        let reservation = Reservation {
            start,
            bytes,
            pages: vec![Page::Reserved; bytes / PAGE],
        };
        let mut all = self.reservations.lock().expect("no test panics here");
        all.push(reservation);
        start
    }

    unsafe fn release(&self, start: *mut u8, bytes: usize) {
        let mut all = self.reservations.lock().expect("no test panics here");
        let place = all
            .iter()
            .position(|r| r.start == start && r.bytes == bytes)
            .expect("a reservation, whole");
        let gone = all.swap_remove(place);
        // SAFETY: `reserve` allocated it with this layout, and the caller uses it no more.
        unsafe { dealloc(gone.block(), Reservation::layout(bytes)) };
    }

    unsafe fn release_part(&self, start: *mut u8, bytes: usize) {
        self.each(start, bytes, |reservation, page| {
            let state = reservation.pages[page];
            assert!(matches!(state, Page::Reserved | Page::Readable));
            reservation.pages[page] = Page::Released;
            reservation.fill(page, JUNK);
        });
    }

    unsafe fn readable(&self, start: *mut u8, bytes: usize) -> bool {
        if self.commit.strikes() {
            return false;
        }
        self.each(start, bytes, |reservation, page| {
            assert_eq!(reservation.pages[page], Page::Reserved);
            reservation.pages[page] = Page::Readable;
            reservation.fill(page, 0);
        });
        true
    }

    unsafe fn commit(&self, start: *mut u8, bytes: usize) -> bool {
        may_be_interrupted();
        if self.commit.strikes() {
            return false;
        }
        self.each(start, bytes, |reservation, page| {
            assert_ne!(reservation.pages[page], Page::Released);
            if reservation.pages[page] == Page::Reserved {
                reservation.fill(page, 0);
            }
            reservation.pages[page] = Page::Committed;
        });
        true
    }

    unsafe fn purge(&self, start: *mut u8, bytes: usize) -> bool {
        may_be_interrupted();
        if self.purge.strikes() {
            return false;
        }
        self.each(start, bytes, |reservation, page| {
            assert_eq!(reservation.pages[page], Page::Committed);
            reservation.fill(page, 0);
        });
        true
    }

    fn now_ms(&self) -> u64 {
        may_be_interrupted();
        self.clock.load(Ordering::Relaxed)
    }

    fn me(&self) -> u32 {
        crate::tls::initial_exec::number()
    }

    fn wait(&self, word: &AtomicU32, seen: u32) {
        // A lock that is wanted: [`crate::lock`].
        let own = seen & MOST == self.me() && seen > MOST;
        assert!(!own, "a thread waits for itself");
        may_be_interrupted();
        let asleep = self.sleepers.lock().expect("no test panics here");
        if word.load(crate::sync::Ordering::Relaxed) == seen {
            drop(self.alarm.wait(asleep).expect("no test panics here"));
        }
    }

    fn wake(&self, _: &AtomicU32) {
        let _asleep = self.sleepers.lock().expect("no test panics here");
        self.alarm.notify_all();
    }

    fn address_limit(&self) -> Option<usize> {
        *self.limit.lock().expect("no test panics here")
    }

    fn data_limit(&self) -> Option<usize> {
        *self.data_limit.lock().expect("no test panics here")
    }

    fn random(&self) -> u64 {
        0x9e37_79b9_7f4a_7c15
    }

    fn write(&self, text: &[u8]) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.extend_from_slice(text);
    }

    fn abort(&self) -> ! {
        panic!("aborted: {}", self.text())
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        let all = std::mem::take(
            &mut *self
                .reservations
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        for reservation in all {
            for (page, state) in reservation.pages.iter().enumerate() {
                let left = match state {
                    Page::Reserved | Page::Released => reservation.holds(page, JUNK),
                    Page::Readable => reservation.holds(page, 0),
                    Page::Committed => true,
                };
                assert!(
                    left || std::thread::panicking(),
                    "a write to memory that is not usable"
                );
            }
            // SAFETY: `reserve` allocated it with this layout; the allocator above is gone.
            unsafe { dealloc(reservation.block(), Reservation::layout(reservation.bytes)) };
        }
    }
}
