//! Threads that stop, come, go, are late and end: by `membarrier(2)`, by fences, and where a filter refuses one.

use crate::forked::fork;
use crate::kernel;
use crate::support::*;
use bowline_gc::{CallFrame, Collect, Heap, HeapConfig, Leaf, Mutator, RootSource};
use bowline_layout::Value;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

pub(crate) const CASES: &[Case] = &[
    case("storms of threads", || storms(false)),
    case("storms of threads that fence", || storms(true)),
    case("a filter refuses membarrier from the start", || {
        kernel::refuse_membarrier();
        storms(false);
    }),
    dies(
        "a filter refuses membarrier later",
        || {
            let (_heap, mut m) = heap();
            kernel::refuse_membarrier();
            m.collect(Collect::Minor);
        },
        "membarrier(2) was granted when the heap started and is refused now (errno 1): install the filter before, \
         or start the heap with fences",
    ),
    case("the watchdog names a thread that does not poll", || {
        late(None, "(lazy), which does not poll\n")
    }),
    case("the watchdog names a leaf call", || {
        let leaf = Leaf::named("c-sleep");
        late(Some(leaf), "(lazy), which is in the leaf call c-sleep\n")
    }),
    case("the watchdog names whom a fork waits for", late_for_a_fork),
    case(
        "the watchdog names whom a fork and a collection wait for",
        late_for_both,
    ),
    case("the watchdog names nobody in native", native_is_not_late),
    case(
        "a blocking call returns in a collection",
        returns_in_a_collection,
    ),
    case("a thread detaches with all that it has", detaches_with_all),
    case("a mutator is dropped in native", dropped_in_native),
    case("a thread ends without detaching", ends_attached),
];

fn config(fences: bool) -> HeapConfig {
    HeapConfig {
        nursery: 1 << 20,
        min_heap: 8 << 20,
        root_stack: 64 << 10,
        verify: true,
        fences,
        ..HeapConfig::default()
    }
}

/// Two hundred threads attach, allocate, cross and detach while another collects.
fn storms(fences: bool) {
    const THREADS: usize = 200;
    const STOPS: usize = 30;
    let (heap, mut m) = heap_with(config(fences));
    let calm = AtomicBool::new(false);
    let begin = Barrier::new(THREADS + 1);
    std::thread::scope(|s| {
        for _ in 0..THREADS {
            s.spawn(|| {
                begin.wait();
                for round in 1.. {
                    storm(&mut heap.attach(), 50 * (round % 4));
                    if calm.load(Relaxed) {
                        break;
                    }
                }
            });
        }
        m.enter_native();
        begin.wait();
        m.leave_native();
        for _ in 0..STOPS {
            m.collect(Collect::Minor);
        }
        calm.store(true, Relaxed);
        m.enter_native();
    });
    m.leave_native();
    m.collect(Collect::Full);
}

/// What a thread of a storm does while it is attached.
fn storm(m: &mut Mutator, length: i64) {
    let made = list(m, length);
    m.push(made);
    for _ in 0..20 {
        m.enter_native();
        m.leave_native();
        m.poll();
    }
    check_list(m.pop(), length);
}

/// A heap whose watchdog barks at once.
fn watched() -> (&'static Heap, Box<Mutator>) {
    heap_with(HeapConfig {
        watchdog: Some(Duration::from_millis(20)),
        ..HeapConfig::default()
    })
}

/// What comes to standard error while this lives.
struct Ear {
    file: File,
    before: OwnedFd,
}

impl Ear {
    fn new() -> Self {
        let before = std::io::stderr().as_fd().try_clone_to_owned();
        // SAFETY: the name ends with a NUL.
        let file = unsafe { libc::memfd_create(c"heard".as_ptr(), 0) };
        assert!(file >= 0);
        // SAFETY: both are open.
        unsafe { libc::dup2(file, 2) };
        // SAFETY: the descriptor is ours alone.
        let file = unsafe { File::from_raw_fd(file) };
        Ear {
            file,
            before: before.expect("a descriptor"),
        }
    }

    /// What has come until now.
    fn heard(&self) -> String {
        let mut said = vec![0; 1 << 12];
        let read = self.file.read_at(&mut said, 0).expect("readable");
        said.truncate(read);
        String::from_utf8(said).expect("a text")
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        // SAFETY: both are open.
        unsafe { libc::dup2(self.before.as_raw_fd(), 2) };
    }
}

/// A thread called "lazy" does not poll, in a leaf call or in none, until it is `named` for that.
fn late(leaf: Option<&'static Leaf>, named: &str) {
    let wait = |m: &mut Mutator| m.collect(Collect::Minor);
    late_for("collection", wait, leaf, named);
}

/// A fork that waits for a thread that does not poll goes on when that does.
fn late_for_a_fork() {
    late_for(
        "fork",
        |m| fork(|| m.collect(Collect::Minor)),
        None,
        "(lazy), which does not poll\n",
    );
}

/// The fork names whom it waits for also where a collection, which it lets go first, waits for the same thread.
fn late_for_both() {
    // Which of the two finds the time to say so first is the system's business.
    let enough = |said: &str| said.matches("(lazy), which does not poll\n").count() == 2;
    let said = beside_lazy(None, enough, |m| {
        m.heap().request_collection();
        while !m.stack().poll_wanted() {
            std::hint::spin_loop();
        }
        fork(|| m.collect(Collect::Minor));
    });
    for line in [
        "a collection has waited ",
        "the collection begins after ",
        "a fork has waited ",
        "the fork begins after ",
    ] {
        let begins = |said: &&str| said.starts_with(&format!("bowline: {line}"));
        assert_eq!(said.lines().filter(begins).count(), 1, "{said}");
    }
    assert_eq!(said.lines().count(), 4, "{said}");
    assert_eq!(said.matches("(lazy), which does not poll\n").count(), 2);
}

/// [`late`], where `wait` waits for the thread, and is called `what`.
fn late_for(what: &str, wait: impl Fn(&mut Mutator), leaf: Option<&'static Leaf>, named: &str) {
    let said = beside_lazy(leaf, |said| said.ends_with(named), wait);
    let lines: Vec<&str> = said.lines().collect();
    let [first, last] = lines[..] else {
        panic!("not two lines: {said}");
    };
    assert!(
        first.starts_with(&format!("bowline: a {what} has waited ")),
        "{said}"
    );
    assert!(
        last.starts_with(&format!("bowline: the {what} begins after ")),
        "{said}"
    );
    assert!(last.ends_with(" ms: all threads have stopped"), "{said}");
}

/// What is said while `wait` waits for a thread called "lazy", which does not poll until that is `enough`, nor stops in
/// its leaf call, if it is in one. On a busy machine the thread that waits may be late, too, before it does; that is
/// left out.
fn beside_lazy(
    leaf: Option<&'static Leaf>,
    enough: impl Fn(&str) -> bool + Sync,
    wait: impl Fn(&mut Mutator),
) -> String {
    let (heap, mut m) = watched();
    let ear = Ear::new();
    let (ready, over) = (Barrier::new(2), AtomicBool::new(false));
    let waited = std::thread::scope(|s| {
        let lazy = || {
            let mut m = heap.attach();
            if let Some(leaf) = leaf {
                m.leaf_begins(leaf);
            }
            ready.wait();
            while !enough(&ear.heard()) && !over.load(Relaxed) {
                std::thread::yield_now();
            }
            m.leaf_ends();
        };
        let thread = std::thread::Builder::new().name("lazy".into());
        thread.spawn_scoped(s, lazy).expect("a thread");
        m.enter_native();
        ready.wait();
        m.leave_native();
        let waited = catch_unwind(AssertUnwindSafe(|| wait(&mut m)));
        over.store(true, Relaxed);
        m.enter_native();
        waited
    });
    m.leave_native();
    let said = ear.heard();
    drop(ear);
    assert!(waited.is_ok(), "{said}");
    let of_lazy = |line: &&str| !line.contains(" has waited ") || line.contains("(lazy)");
    let lines = said.lines().filter(of_lazy);
    lines.map(|line| format!("{line}\n")).collect()
}

/// A call in Native blocks until collections have come and gone, and nobody is named.
fn native_is_not_late() {
    let (heap, mut m) = watched();
    let ear = Ear::new();
    let ready = Barrier::new(2);
    let over = Barrier::new(2);
    std::thread::scope(|s| {
        s.spawn(|| {
            let mut m = heap.attach();
            m.enter_native();
            ready.wait();
            over.wait();
            m.leave_native();
        });
        m.enter_native();
        ready.wait();
        m.leave_native();
        for _ in 0..20 {
            m.collect(Collect::Minor);
        }
        m.enter_native();
        over.wait();
    });
    m.leave_native();
    let said = ear.heard();
    drop(ear);
    assert_eq!(said, "");
}

/// Runs in the middle of each collection.
struct Middle(&'static Barrier, &'static AtomicBool);

impl RootSource for Middle {
    fn visit(&self, _: &mut dyn FnMut(&mut Value)) {
        if self.1.swap(false, Relaxed) {
            // The thread in Native sets out, and does not arrive while this collection runs.
            self.0.wait();
            std::thread::sleep(Duration::from_millis(50));
            assert!(
                !ARRIVED.load(Relaxed),
                "a thread came back while the world was stopped"
            );
        }
    }
}

static ARRIVED: AtomicBool = AtomicBool::new(false);

fn returns_in_a_collection() {
    let (heap, mut m) = heap();
    let set_out: &'static Barrier = Box::leak(Box::new(Barrier::new(2)));
    let armed: &'static AtomicBool = Box::leak(Box::new(AtomicBool::new(false)));
    heap.register_roots(Box::new(Middle(set_out, armed)));
    let native = Barrier::new(2);
    std::thread::scope(|s| {
        s.spawn(|| {
            let mut m = heap.attach();
            m.enter_native();
            native.wait();
            set_out.wait();
            m.leave_native();
            ARRIVED.store(true, Relaxed);
        });
        m.enter_native();
        native.wait();
        m.leave_native();
        armed.store(true, Relaxed);
        // Were this collection to wait for the thread, neither would ever go on.
        m.collect(Collect::Minor);
        m.enter_native();
    });
    m.leave_native();
    assert!(ARRIVED.load(Relaxed));
}

/// Roots and call frames go with their thread; counted pins stay until somebody takes them back.
fn detaches_with_all() {
    let (heap, mut m) = heap_with(config(false));
    m.push(Value::NIL);
    m.enter_native();
    std::thread::scope(|s| {
        s.spawn(|| {
            let mut m = heap.attach();
            let v = vector(&mut m, 10);
            m.push(v);
            assert_eq!(m.pin(v), Ok(1));
            let held = [v];
            let mut frame = CallFrame::new(&held);
            // SAFETY: the frame outlives the mutator.
            unsafe { m.push_call(&mut frame) };
            drop(m);
        });
    });
    m.leave_native();
    m.collect(Collect::Full);
    assert_eq!(m.stats().pinned_objects, 1);
    assert_eq!(m.stats().in_foreign_calls, 0);
}

fn dropped_in_native() {
    let (heap, mut m) = heap_with(config(false));
    let done = AtomicBool::new(false);
    std::thread::scope(|s| {
        s.spawn(|| {
            for _ in 0..500 {
                let mut m = heap.attach();
                m.enter_native();
                drop(m);
            }
            done.store(true, Relaxed);
        });
        while !done.load(Relaxed) {
            m.collect(Collect::Minor);
        }
        m.enter_native();
    });
    m.leave_native();
}

/// The thread's end detaches it: otherwise nobody could collect any more.
fn ends_attached() {
    let (heap, mut m) = heap_with(config(false));
    for native in [false, true] {
        m.enter_native();
        let thread = std::thread::spawn(move || {
            let mut m = heap.attach();
            let v = list(&mut m, 10);
            m.push(v);
            if native {
                m.enter_native();
            }
            std::mem::forget(m);
        });
        thread.join().expect("no panic");
        m.leave_native();
        assert_eq!(heap.threads(), 1);
        m.collect(Collect::Full);
    }
}
