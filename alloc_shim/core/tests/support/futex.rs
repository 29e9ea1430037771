//! A platform for models: a futex that wakes nobody by chance.

use bowline_alloc::pal::Pal;
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::sync::{Condvar, Mutex};
use std::cell::Cell;

/// The addresses of the words, and how many threads have a number.
struct Known {
    words: Vec<usize>,
    threads: u32,
}

/// A platform that can sleep and wake, and nothing else.
pub(crate) struct Futex {
    kernel: Mutex<()>,
    /// Of the words in the order in which they were used first.
    sleepers: [Condvar; 2],
    /// Nothing of the checker's, for nothing depends on it.
    known: std::sync::Mutex<Known>,
}

loom::thread_local! {
    static NUMBER: Cell<u32> = Cell::new(0);
}

impl Futex {
    pub(crate) fn new() -> Self {
        Futex {
            kernel: Mutex::new(()),
            sleepers: [Condvar::new(), Condvar::new()],
            known: std::sync::Mutex::new(Known {
                words: Vec::new(),
                threads: 0,
            }),
        }
    }

    fn sleepers(&self, word: &AtomicU32) -> &Condvar {
        let words = &mut self.known.lock().expect("no panic").words;
        let word = std::ptr::from_ref(word).addr();
        let place = words.iter().position(|known| *known == word);
        let place = place.unwrap_or_else(|| {
            words.push(word);
            words.len() - 1
        });
        &self.sleepers[place]
    }
}

impl Pal for Futex {
    const LARGEST: usize = 0;
    const SMALLEST: usize = 0;

    fn me(&self) -> u32 {
        NUMBER.with(|number| {
            if number.get() == 0 {
                let threads = &mut self.known.lock().expect("no panic").threads;
                *threads += 1;
                number.set(*threads);
            }
            number.get()
        })
    }

    fn wait(&self, word: &AtomicU32, seen: u32) {
        let kernel = self.kernel.lock().expect("no panic");
        if word.load(Ordering::Relaxed) == seen {
            drop(self.sleepers(word).wait(kernel).expect("no panic"));
        }
    }

    fn wake(&self, word: &AtomicU32) {
        let _kernel = self.kernel.lock().expect("no panic");
        self.sleepers(word).notify_one();
    }

    fn reserve(&self, _: usize, _: usize) -> *mut u8 {
        unreachable!("what is modelled needs no memory")
    }
    unsafe fn release(&self, _: *mut u8, _: usize) {
        unreachable!("what is modelled needs no memory")
    }
    unsafe fn release_part(&self, _: *mut u8, _: usize) {
        unreachable!("what is modelled needs no memory")
    }
    unsafe fn readable(&self, _: *mut u8, _: usize) -> bool {
        unreachable!("what is modelled needs no memory")
    }
    unsafe fn commit(&self, _: *mut u8, _: usize) -> bool {
        unreachable!("what is modelled needs no memory")
    }
    unsafe fn purge(&self, _: *mut u8, _: usize) -> bool {
        unreachable!("what is modelled needs no memory")
    }
    fn now_ms(&self) -> u64 {
        unreachable!("what is modelled needs no clock")
    }
    fn address_limit(&self) -> Option<usize> {
        unreachable!("what is modelled needs no memory")
    }
    fn data_limit(&self) -> Option<usize> {
        unreachable!("what is modelled needs no memory")
    }
    fn random(&self) -> u64 {
        unreachable!("what is modelled needs no chance")
    }
    fn write(&self, _: &[u8]) {
        unreachable!("what is modelled says nothing")
    }
    fn abort(&self) -> ! {
        unreachable!("what is modelled ends nothing")
    }
}
