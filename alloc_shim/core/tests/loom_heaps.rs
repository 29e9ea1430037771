//! Frees by other threads and heaps without a thread, under the model checker: every interleaving of a few threads.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p bowline-alloc --test loom_heaps --release`. Without `--cfg loom` this is an
//! empty test.
//!
//! The lists, the notes and the states are the product's own. Pages and heaps are reduced to what these touch: a page
//! counts its blocks, and a cell that the checker watches stands for its memory, so that a touch after its release, or a
//! second holder of a heap, is found.

#![cfg(loom)]

#[path = "support/futex.rs"]
mod futex;

use bowline_alloc::orphans::{Call, Tenure};
use bowline_alloc::remote::{Linked, Note, Remote, Stack};
use futex::Futex;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering, fence};
use loom::thread;
use std::ptr::null_mut;

/// A page with some blocks in use, and what its blocks remember.
struct Page {
    remote: Remote,
    used: AtomicU32,
    /// How many blocks a push must find or make to tell the heap of a page that is wanted.
    enough: AtomicU32,
    links: [AtomicU32; 2],
    mail: AtomicPtr<Page>,
    memory: UnsafeCell<bool>,
    released: AtomicBool,
}

impl Linked for Page {
    fn link(&self) -> &AtomicPtr<Self> {
        &self.mail
    }
}

struct Heap {
    mail: Stack<Page>,
    tenure: Tenure,
    lists: UnsafeCell<u32>,
    chores: AtomicBool,
}

struct World {
    heap: Heap,
    pages: [Page; 2],
    pal: Futex,
}

fn page(used: u32) -> Page {
    Page {
        remote: Remote::new(),
        used: AtomicU32::new(used),
        enough: AtomicU32::new(1),
        links: [AtomicU32::new(0), AtomicU32::new(0)],
        mail: AtomicPtr::new(null_mut()),
        memory: UnsafeCell::new(true),
        released: AtomicBool::new(false),
    }
}

/// A heap that its maker holds, and two pages with so many blocks in use.
fn world(used: [u32; 2]) -> Arc<World> {
    Arc::new(World {
        heap: Heap {
            mail: Stack::new(),
            tenure: Tenure::tended(),
            lists: UnsafeCell::new(0),
            chores: AtomicBool::new(false),
        },
        pages: used.map(page),
        pal: Futex::new(),
    })
}

impl World {
    /// The owner's thread ends.
    fn leave(&self) {
        self.heap.tenure.begin_leave(&self.pal);
        self.heap.hold();
        self.heap.read_mail();
        if !self.pages[0].is_released() {
            self.pages[0].look_at();
        }
        self.heap.finish();
    }

    /// Frees a block from a thread that does not hold the heap.
    fn free(&self, page: usize, block: u32) {
        if self.pages[page].free(block) {
            self.heap.post(&self.pages[page]);
        }
    }
}

/// A thread that frees a block of somebody's.
fn freeing(world: &Arc<World>, page: usize, block: u32) -> thread::JoinHandle<()> {
    let world = world.clone();
    thread::spawn(move || world.free(page, block))
}

impl Page {
    /// Frees a block from a thread that does not hold the heap; true when it must tell the heap.
    fn free(&self, block: u32) -> bool {
        // The block is live, so its page is.
        self.touch();
        let enough = |note| match note {
            Note::Wanted => self.enough.load(Ordering::Relaxed),
            Note::Quiet | Note::Posted => self.used.load(Ordering::Relaxed),
        };
        self.remote.push(block, enough, |next| {
            self.links[block as usize].store(next, Ordering::Relaxed);
        })
    }

    /// Somebody uses the memory of the page.
    fn touch(&self) {
        // SAFETY: a read, which the checker holds against `release`.
        self.memory.with(|live| assert!(unsafe { *live }));
    }

    /// The holder of the heap takes what was freed; gives the blocks.
    fn collect(&self) -> Vec<u32> {
        let taken = self.remote.take();
        let mut blocks = Vec::new();
        let mut next = taken.first;
        while let Some(block) = next {
            blocks.push(block);
            next =
                bowline_alloc::remote::follow(self.links[block as usize].load(Ordering::Relaxed));
        }
        assert_eq!(blocks.len() as u32, taken.count);
        let used = self.used.load(Ordering::Relaxed) - taken.count;
        self.used.store(used, Ordering::Relaxed);
        blocks
    }

    fn release(&self) {
        // SAFETY: nobody else uses the page; the checker sees to it.
        self.memory.with_mut(|live| unsafe {
            assert!(*live);
            *live = false;
        });
        self.released.store(true, Ordering::Relaxed);
    }

    /// What the holder does with a page that it looks at.
    fn look_at(&self) {
        loop {
            self.collect();
            if self.used.load(Ordering::Relaxed) == 0 && self.remote.note() != Note::Posted {
                if !self.released.load(Ordering::Relaxed) {
                    self.release();
                }
                return;
            }
            if self.remote.settle() {
                return;
            }
        }
    }

    fn is_released(&self) -> bool {
        self.released.load(Ordering::Relaxed)
    }
}

impl Heap {
    /// The caller holds the heap: nobody else may.
    fn hold(&self) {
        // SAFETY: inv:heap.holder, which the checker watches.
        self.lists.with_mut(|lists| unsafe { *lists += 1 });
    }

    fn read_mail(&self) {
        let mut letter = self.mail.take_all();
        // SAFETY: pages outlive the run.
        while let Some(page) = unsafe { letter.as_ref() } {
            page.touch();
            letter = page.link().load(Ordering::Relaxed);
            page.remote.receive();
            page.look_at();
        }
    }

    /// What another than the owner does while the heap is its own: gives back the pages of which nobody uses a block.
    fn visit(&self, pal: &Futex) {
        if !self.tenure.visit() {
            return;
        }
        self.hold();
        let mut letter = self.mail.take_all();
        // SAFETY: pages outlive the run.
        while let Some(page) = unsafe { letter.as_ref() } {
            letter = page.link().load(Ordering::Relaxed);
            let used = page.used.load(Ordering::Relaxed);
            fence(Ordering::Acquire);
            if page.remote.peek().count == used {
                page.used.store(0, Ordering::Relaxed);
                page.remote.reset();
                page.release();
            } else {
                self.mail.push(page);
            }
        }
        self.tenure.end_visit(pal);
    }

    /// A slow path of the owner's.
    fn tend(&self, pal: &Futex) {
        assert!(self.tenure.enter(pal));
        self.hold();
        self.read_mail();
        self.tenure.go_on();
    }

    fn finish(&self) {
        loop {
            self.hold();
            self.read_mail();
            if self.tenure.finish() {
                return;
            }
        }
    }

    /// After a free that must tell the heap.
    fn post(&self, page: &Page) {
        page.touch();
        self.mail.push(page);
        if self.tenure.call() == Call::Held {
            self.finish();
        }
    }

    /// The same where the caller must not wait for anything.
    fn post_softly(&self, page: &Page) {
        self.mail.push(page);
        if self.tenure.call_softly() {
            self.leave_chore();
        }
    }

    fn leave_chore(&self) {
        self.chores.swap(true, Ordering::AcqRel);
    }

    fn do_chores(&self) {
        if self.chores.swap(false, Ordering::AcqRel) {
            fence(Ordering::SeqCst);
            if !self.mail.is_empty() && self.tenure.borrow() {
                self.finish();
            }
        }
    }
}

/// Two threads free onto a page from which a third takes: nothing is lost, nothing comes twice.
#[test]
fn pushing_beside_taking() {
    loom::model(|| {
        let world = world([2, 0]);
        let threads = [0, 1].map(|block| {
            let world = world.clone();
            thread::spawn(move || world.pages[0].free(block))
        });
        let mut blocks = world.pages[0].collect();
        let posts = threads.map(|thread| thread.join().expect("no panic"));
        blocks.extend(world.pages[0].collect());
        blocks.sort_unstable();
        assert_eq!(blocks, [0, 1]);
        assert!(
            !(posts[0] && posts[1]),
            "one of them at most tells the heap"
        );
    });
}

/// Of two frees onto a parked page exactly one tells the heap, be it woken by the first or by the second.
#[test]
fn telling_of_a_parked_page() {
    for enough in [1, 2] {
        loom::model(move || {
            let world = world([3, 0]);
            world.pages[0].enough.store(enough, Ordering::Relaxed);
            assert!(world.pages[0].remote.want());
            let other = world.clone();
            let thread = thread::spawn(move || other.pages[0].free(0));
            let mine = world.pages[0].free(1);
            let theirs = thread.join().expect("no panic");
            assert!(mine != theirs);
            assert!(world.pages[0].remote.note() == Note::Posted);
        });
    }
}

/// The owner unparks a page and leaves, beside a free that empties the page and was not enough to wake it: the page is given
/// back.
#[test]
fn unparking_beside_the_last_free() {
    loom::model(|| {
        let world = world([2, 0]);
        world.pages[0].enough.store(2, Ordering::Relaxed);
        world.heap.tenure.keep();
        assert!(world.pages[0].remote.want());
        let thread = freeing(&world, 0, 0);
        world.pages[0].used.store(1, Ordering::Relaxed);
        world.pages[0].remote.quiet();
        world.leave();
        thread.join().expect("no panic");
        assert!(world.pages[0].is_released());
    });
}

/// The owner parks a page beside a free: it takes the block, or it is told of it.
#[test]
fn parking_beside_a_free() {
    loom::model(|| {
        let world = world([2, 0]);
        let other = world.clone();
        let thread = thread::spawn(move || other.pages[0].free(0));
        let mut taken = world.pages[0].collect().len();
        while !world.pages[0].remote.want() {
            taken += world.pages[0].collect().len();
        }
        let told = thread.join().expect("no panic");
        assert!(taken == 1 || told);
    });
}

/// The owner releases a page as soon as it may, while the free that empties it and the letter about it are under way.
#[test]
fn releasing_beside_a_late_free() {
    // Three threads that look again and again: without a bound this runs for hours.
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.check(|| {
        let world = world([2, 0]);
        world.heap.tenure.keep();
        let threads = [0, 1].map(|block| freeing(&world, 0, block));
        world.heap.read_mail();
        if !world.pages[0].is_released() {
            world.pages[0].look_at();
        }
        for thread in threads {
            thread.join().expect("no panic");
        }
        world.heap.read_mail();
        assert!(world.pages[0].is_released());
    });
}

/// A thread ends while another frees its last block: one of the two gives the page back.
#[test]
fn leaving_beside_the_last_free() {
    loom::model(|| {
        let world = world([1, 0]);
        world.heap.tenure.keep();
        let thread = freeing(&world, 0, 0);
        world.leave();
        thread.join().expect("no panic");
        assert!(world.pages[0].is_released());
        assert!(world.heap.mail.is_empty() && world.heap.tenure.is_vacant());
    });
}

/// Two threads free the last blocks of two pages of a vacant heap: both pages are given back, by one holder at a time.
#[test]
fn tending_a_vacant_heap_at_once() {
    loom::model(|| {
        let world = world([1, 1]);
        world.heap.finish();
        let thread = freeing(&world, 1, 0);
        world.free(0, 0);
        thread.join().expect("no panic");
        assert!(world.pages.iter().all(Page::is_released));
        assert!(world.heap.mail.is_empty() && world.heap.tenure.is_vacant());
    });
}

/// A new thread adopts a heap beside a free that would tend it: one of them holds it, and the free is seen.
#[test]
fn adopting_beside_a_free() {
    loom::model(|| {
        let world = world([1, 0]);
        world.heap.finish();
        let thread = freeing(&world, 0, 0);
        let adopted = world.heap.tenure.adopt();
        if adopted {
            world.heap.hold();
            world.heap.read_mail();
        }
        thread.join().expect("no panic");
        if adopted {
            world.heap.read_mail();
        }
        assert!(world.pages[0].is_released());
    });
}

/// Two threads want a vacant heap: one gets it.
#[test]
fn adopting_at_once() {
    loom::model(|| {
        let world = world([0, 0]);
        world.heap.finish();
        let other = world.clone();
        let thread = thread::spawn(move || other.heap.tenure.adopt());
        let mine = world.heap.tenure.adopt();
        assert!(mine != thread.join().expect("no panic"));
    });
}

/// A handler that must not wait frees beside one that has borrowed the heap and does not read its mail either: a chore is
/// left, and whoever does it gives the page back.
#[test]
fn leaving_a_chore() {
    loom::model(|| {
        let world = world([1, 0]);
        world.heap.finish();
        let other = world.clone();
        let thread = thread::spawn(move || {
            if other.pages[0].free(0) {
                other.heap.post_softly(&other.pages[0]);
            }
        });
        if world.heap.tenure.borrow() {
            world.heap.hold();
            let called = world.heap.tenure.abandon();
            fence(Ordering::SeqCst);
            if called || !world.heap.mail.is_empty() {
                world.heap.leave_chore();
            }
        }
        world.heap.do_chores();
        thread.join().expect("no panic");
        world.heap.do_chores();
        assert!(world.pages[0].is_released());
    });
}

/// A visitor comes beside the owner's slow path and the last free: the page is given back once, and by one at a time; nobody sleeps for
/// ever.
#[test]
fn visiting_beside_the_owner() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.check(|| {
        let world = world([2, 0]);
        world.heap.tenure.keep();
        assert!(!world.pages[0].free(0), "one is in use");
        let visitor = world.clone();
        let visits = thread::spawn(move || visitor.heap.visit(&visitor.pal));
        let frees = freeing(&world, 0, 1);
        world.heap.tend(&world.pal);
        for thread in [visits, frees] {
            thread.join().expect("no panic");
        }
        world.heap.tend(&world.pal);
        assert!(world.pages[0].is_released());
    });
}

/// A visitor comes while the owner ends beside the last free: the page is given back, and nobody holds the heap.
#[test]
fn visiting_a_heap_that_is_left() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.check(|| {
        let world = world([1, 0]);
        world.heap.tenure.keep();
        let visitor = world.clone();
        let visits = thread::spawn(move || visitor.heap.visit(&visitor.pal));
        let frees = freeing(&world, 0, 0);
        world.heap.tenure.begin_leave(&world.pal);
        world.heap.hold();
        world.heap.finish();
        for thread in [visits, frees] {
            thread.join().expect("no panic");
        }
        assert!(world.pages[0].is_released());
        assert!(world.heap.mail.is_empty() && world.heap.tenure.is_vacant());
    });
}

/// Two visitors at once: one looks, and the owner finds its heap afterwards as it should be.
#[test]
fn visiting_at_once() {
    loom::model(|| {
        let world = world([1, 0]);
        world.heap.tenure.keep();
        assert!(world.pages[0].free(0));
        world.heap.post(&world.pages[0]);
        let visitor = world.clone();
        let visits = thread::spawn(move || visitor.heap.visit(&visitor.pal));
        world.heap.visit(&world.pal);
        visits.join().expect("no panic");
        world.heap.tend(&world.pal);
        assert!(world.pages[0].is_released());
    });
}
