//! The storms.

use super::blocks::{HEAD, Random, end, fill, make, resize};
use bowline_alloc::Class;
use bowline_alloc::census::Found;
use bowline_alloc::global::{self, ALLOCATOR};
use bowline_alloc::profile::DEPTH;
use libtest_mimic::{Arguments, Failed, Trial};
use std::collections::HashMap;
use std::mem::MaybeUninit;
use std::process::Command;
use std::ptr::{null, null_mut, without_provenance_mut};
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// Says which storm this process is.
const VARIABLE: &str = "BOWLINE_RACES";

/// Threads at a time.
const THREADS: usize = 4;
/// Threads in all.
const LIVES: usize = 48;
/// What each of them does.
const STEPS: usize = 500;

/// Where blocks are handed over.
static SLOTS: [AtomicPtr<u8>; 200] = [const { AtomicPtr::new(null_mut()) }; 200];

/// A way to run the allocator, and what switches it on.
type Storm = (&'static str, fn() -> bool);

const STORMS: [Storm; 4] = [
    ("plain", || true),
    ("hardened", global::harden),
    ("profiled", || ALLOCATOR.profile(2000, backtrace)),
    ("filled", || {
        global::set_perturb(Some(0x5a));
        true
    }),
];

/// Some stacks in turn.
fn backtrace(frames: &mut [usize; DEPTH]) -> usize {
    static TURN: AtomicUsize = AtomicUsize::new(0);
    let turn = TURN.fetch_add(1, Ordering::Relaxed) % 40;
    let depth = 1 + turn % 7;
    for (at, frame) in frames[..depth].iter_mut().enumerate() {
        *frame = 4096 + turn * 16 + at;
    }
    depth
}

pub(crate) fn main() {
    if let Ok(name) = std::env::var(VARIABLE) {
        let storm = STORMS.iter().find(|(known, _)| *known == name);
        return run(storm.expect("a storm of this name").1);
    }
    let trial = |(name, _): Storm| Trial::test(name, move || judge(name));
    let arguments = Arguments {
        // Several at a time would have to be told to each other by the standard library.
        test_threads: Some(1),
        ..Arguments::from_args()
    };
    libtest_mimic::run(&arguments, STORMS.map(trial).into()).exit();
}

fn judge(name: &str) -> Result<(), Failed> {
    let mut command = Command::new(std::env::current_exe()?);
    match command.env(VARIABLE, name).status()? {
        status if status.success() => Ok(()),
        status => Err(status.to_string().into()),
    }
}

fn run(begin: fn() -> bool) {
    assert!(begin());
    let mut threads: [libc::pthread_t; THREADS] = std::array::from_fn(spawn);
    for life in THREADS..LIVES {
        look();
        let place = &mut threads[life % THREADS];
        // First the new one, so that it takes over a heap of one that was not joined: joining would be an order between them.
        join(std::mem::replace(place, spawn(life)));
    }
    look();
    threads.into_iter().for_each(join);
    for slot in &SLOTS {
        end(slot.swap(null_mut(), Ordering::AcqRel));
    }
    global::inspect();
    global::purge();
    assert_eq!(ALLOCATOR.check(), Ok(()));
    assert_eq!(ALLOCATOR.region().live(Class::Client), 0);
    let (mut objects, mut bytes) = (0, 0);
    ALLOCATOR.sites(|site| {
        objects += site.live_objects;
        bytes += site.live_bytes;
    });
    assert_eq!((objects, bytes), (0, 0), "what the profile says that lives");
    let made = ALLOCATOR.region().figures().heaps_created;
    assert!(made <= 2 * THREADS + 4, "{made} heaps were made");
}

fn spawn(life: usize) -> libc::pthread_t {
    let mut thread = MaybeUninit::uninit();
    // SAFETY: the place is there, the function is one for threads and takes a number.
    let failed = unsafe {
        libc::pthread_create(
            thread.as_mut_ptr(),
            null(),
            work,
            without_provenance_mut(life),
        )
    };
    assert_eq!(failed, 0);
    // SAFETY: it was begun, so its name was written.
    unsafe { thread.assume_init() }
}

fn join(thread: libc::pthread_t) {
    // SAFETY: `spawn` gave it, and it is joined once.
    let failed = unsafe { libc::pthread_join(thread, null_mut()) };
    assert_eq!(failed, 0);
}

/// What can be looked at while others go on.
fn look() {
    let reached = ALLOCATOR.region().reached();
    let mut next = reached.start;
    ALLOCATOR.look(|slice, slices, found| {
        assert!(slice == next && slices > 0, "slice {slice} after {next}");
        next += slices;
        if let Found::Page(page) = found {
            assert!(page.used <= page.room && page.room > 0);
        }
    });
    assert!(next >= reached.end);
    let census = ALLOCATOR.census();
    assert!(census.rows.iter().all(|row| row.used <= row.room));
    assert!(ALLOCATOR.holders().all(|holder| holder.heap != 0));
    assert!(ALLOCATOR.figures().is_some());
    let mut places = Vec::new();
    ALLOCATOR.sites(|site| places.push(site.places().collect::<Vec<_>>()));
    // Every place that a stack has is there by now.
    let mut known = HashMap::new();
    ALLOCATOR.places(|number, address| assert_eq!(known.insert(number, address), None));
    for stack in places {
        let frames: Vec<usize> = stack.iter().map(|place| known[place]).collect();
        assert!(frames.windows(2).all(|two| two[1] == two[0] + 1));
    }
}

extern "C" fn work(life: *mut libc::c_void) -> *mut libc::c_void {
    let mut random = Random::new(life.addr() as u64);
    for step in 0..STEPS {
        let mut block = make(&mut random);
        if random.next().is_multiple_of(4) {
            block = resize(block, &mut random);
        }
        hand_over(block, &mut random);
        match step % 100 {
            // Pages fill, are put aside, and become empty again.
            50 => crowd(&mut random),
            99 => global::purge(),
            _ => {}
        }
    }
    global::thread_exit();
    // What runs on a thread after its end goes on.
    hand_over(make(&mut random), &mut random);
    null_mut()
}

/// Puts a block where others find it, and frees the one that was there.
fn hand_over(block: *mut u8, random: &mut Random) {
    let slot = &SLOTS[random.next() % SLOTS.len()];
    end(slot.swap(block, Ordering::AcqRel));
}

/// Many blocks of one size; every third is left to others.
fn crowd(random: &mut Random) {
    let bytes = random.next() % 300;
    let mut blocks = [null_mut(); 400];
    for block in &mut blocks {
        *block = global::malloc(bytes + HEAD);
        fill(*block, bytes, random.next());
    }
    for (at, block) in blocks.into_iter().enumerate() {
        if at % 3 == 0 {
            hand_over(block, random);
        } else {
            end(block);
        }
    }
}
