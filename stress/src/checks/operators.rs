//! Checks of the C++ operators: eight `new`, twelve `delete`, and the new-handler.
//!
//! They run in a process that has the C++ library from its start, for there are mallocs that look for it
//! only then. What may throw is called in a forked child ([`crate::raw::Operators`]).

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use super::By::{self, Cxx};
use super::amounts::{MIB, bounded};
use super::{Check, Outcome, Seen, broken, ensure, row, witness};
use crate::raw::{
    BAD_ALLOC, BAD_CAST, Block, Call, End, Family, Form, Limited, Operators, Told, fork, limit,
};

#[rustfmt::skip] // a table
pub(super) const CHECKS: &[Check] = &[
    row("new-forms", Cxx, "each of the eight new gives aligned blocks that hold what is written there, for its delete", new_forms),
    row("new-aligned", Cxx, "new with an alignment honours 32 to 1 MiB", new_aligned),
    row("new-zero", Cxx, "new of 0 bytes gives addresses of their own", new_zero),
    row("new-nothrow", Cxx, "new with nothrow gives null for what cannot be had", new_nothrow),
    row("new-throws", Cxx, "new throws bad_alloc for what cannot be had", new_throws),
    row("new-handler", Cxx, "new calls the new-handler again until there is none, then throws bad_alloc", new_handler),
    row("new-handler-nothrow", Cxx, "new with nothrow calls the new-handler until there is none, then gives null", new_handler_nothrow),
    row("new-handler-room", Cxx, "new succeeds when its new-handler has freed enough", new_handler_room),
    row("new-handler-throws", Cxx, "what a new-handler throws comes out of new", new_handler_throws),
    row("new-handler-nothrow-throws", Cxx, "new with nothrow gives null when its new-handler throws", new_handler_nothrow_throws),
    row("delete-null", Cxx, "each of the twelve delete takes null", delete_null),
    row("delete-told", Cxx, "delete frees whether it is told the size, nothrow, or nothing", delete_told),
    row("delete-errno", By::Some, "delete leaves errno alone", delete_errno),
];

const LIBRARY: &str = "libstdc++.so.6";
const PATIENCE: Duration = Duration::from_secs(20);

/// No address space holds this.
const VAST: usize = 1 << 60;

/// Begins the check again with the C++ library, and gives its operators.
fn with(work: impl FnOnce(&Operators) -> Outcome) -> Outcome {
    if !witness::begun_again() {
        let preload = std::env::var("LD_PRELOAD").unwrap_or_default();
        let both = format!("{preload}:{LIBRARY}");
        let both = both.trim_start_matches(':');
        return Err(broken(witness::begin_again_with("LD_PRELOAD", both)));
    }
    match Operators::find() {
        Some(operators) => work(&operators),
        None => Err(Seen::Missing("C++ library beside it")),
    }
}

/// How a child ends that does this: by its return, or by what it threw.
fn ends(work: impl FnOnce() -> i32) -> Result<End, Seen> {
    witness::step();
    let child = fork(work).map_err(|error| broken(format!("fork: {error}")))?;
    Ok(child.wait(PATIENCE))
}

fn named(status: i32) -> String {
    match status {
        BAD_ALLOC => "threw std::bad_alloc".into(),
        BAD_CAST => "threw std::bad_cast".into(),
        GAVE_NULL => "gave null".into(),
        GAVE_BLOCK => "gave a block".into(),
        WRONG_COUNT => "called its handler another number of times".into(),
        UNLIMITED => "had 4 GiB under a limit of 1 GiB".into(),
        status => format!("ended with status {status}"),
    }
}

const GAVE_NULL: i32 = 51;
const GAVE_BLOCK: i32 = 52;
const WRONG_COUNT: i32 = 53;
const UNLIMITED: i32 = 54;

/// That each of these forms ends like this when it is asked for what cannot be had.
fn all_end(forms: impl Iterator<Item = Form>, wanted: i32, work: impl Fn(Form) -> i32) -> Outcome {
    for form in forms {
        let end = ends(|| work(form))?;
        ensure(end == End::Exited(wanted), || {
            let seen = match end {
                End::Exited(status) => named(status),
                End::Signalled(signal) => format!("died of signal {signal}"),
                End::Late => "hung".into(),
            };
            format!("{form} {seen}")
        })?;
    }
    Ok(())
}

fn ask(operators: &Operators, form: Form) -> i32 {
    match operators.take(form, VAST, 64) {
        0 => GAVE_NULL,
        _ => GAVE_BLOCK,
    }
}

fn throwing() -> impl Iterator<Item = Form> {
    Form::all().filter(|form| !form.nothrow)
}

fn nothrow() -> impl Iterator<Item = Form> {
    Form::all().filter(|form| form.nothrow)
}

/// A block of this form, written; its alignment is as promised.
fn made(
    family: &Family,
    operators: &Operators,
    form: Form,
    (size, align): (usize, usize),
) -> Result<Block, Seen> {
    witness::step();
    let start = operators.take(form, size, align);
    ensure(start != 0, || format!("{form} of {size} bytes gave null"))?;
    let wanted = if form.aligned { align } else { 16 };
    ensure(size < 16 || start.is_multiple_of(wanted), || {
        format!("{form} of {size} bytes gave {start:#x}, no multiple of {wanted}")
    })?;
    let mut block = family.own(start, Call::New { size });
    block.fill(start as u64);
    Ok(block)
}

fn new_forms(family: &Family) -> Outcome {
    with(|operators| {
        for form in Form::all() {
            let sizes = [0, 1, 15, 16, 24, 100, 1000, 5000, 70_000, 3 << 20];
            let blocks: Result<Vec<Block>, Seen> = sizes
                .into_iter()
                .map(|size| made(family, operators, form, (size, 64)))
                .collect();
            for block in blocks? {
                super::intact(&block, "after others were written")?;
                operators.give(form, Told::Nothing, block.start(), block.asked(), 64);
            }
        }
        Ok(())
    })
}

fn new_aligned(family: &Family) -> Outcome {
    with(|operators| {
        for form in Form::all().filter(|form| form.aligned) {
            for align in (5..=20).map(|bits| 1 << bits) {
                for size in [16, 100, 5000, 100_000] {
                    let block = made(family, operators, form, (size, align))?;
                    super::intact(&block, "after it was written")?;
                    operators.give(form, Told::Size, block.start(), size, align);
                }
            }
        }
        Ok(())
    })
}

fn new_zero(_: &Family) -> Outcome {
    with(|operators| {
        for form in Form::all() {
            let mut starts: Vec<usize> = (0..200).map(|_| operators.take(form, 0, 32)).collect();
            starts.sort_unstable();
            starts.dedup();
            let count = starts.len();
            ensure(count == 200 && starts[0] != 0, || {
                format!("{form}: 200 blocks of no bytes at {count} addresses")
            })?;
            for start in starts {
                operators.give(form, Told::Nothing, start, 0, 32);
            }
        }
        Ok(())
    })
}

fn new_nothrow(_: &Family) -> Outcome {
    with(|operators| all_end(nothrow(), GAVE_NULL, |form| ask(operators, form)))
}

fn new_throws(_: &Family) -> Outcome {
    with(|operators| all_end(throwing(), BAD_ALLOC, |form| ask(operators, form)))
}

static OPERATORS: OnceLock<Operators> = OnceLock::new();
static CALLS: AtomicU32 = AtomicU32::new(0);

/// A new-handler that frees nothing and takes itself away the third time.
extern "C" fn gives_up() {
    if CALLS.fetch_add(1, Ordering::Relaxed) == 2
        && let Some(operators) = OPERATORS.get()
    {
        operators.handle(None);
    }
}

/// What a form does with that handler. One that throws does not come back, so its count is told by
/// [`gives_way`].
fn persuaded(operators: &Operators, form: Form) -> i32 {
    if let Some(operators) = Operators::find() {
        let _ = OPERATORS.set(operators);
    }
    operators.handle(Some(gives_up));
    let ended = ask(operators, form);
    match CALLS.load(Ordering::Relaxed) {
        3 => ended,
        _ => WRONG_COUNT,
    }
}

/// A new-handler that after two calls leaves its place to one that throws, so that the exception tells that
/// there was a third.
extern "C" fn gives_way() {
    if CALLS.fetch_add(1, Ordering::Relaxed) == 1
        && let Some(operators) = OPERATORS.get()
    {
        operators.handle(Some(operators.throwing()));
    }
}

fn new_handler(_: &Family) -> Outcome {
    with(|operators| {
        all_end(throwing(), BAD_ALLOC, |form| persuaded(operators, form))?;
        all_end(throwing(), BAD_CAST, |form| {
            if let Some(operators) = Operators::find() {
                let _ = OPERATORS.set(operators);
            }
            operators.handle(Some(gives_way));
            ask(operators, form)
        })
    })
}

fn new_handler_nothrow(_: &Family) -> Outcome {
    with(|operators| all_end(nothrow(), GAVE_NULL, |form| persuaded(operators, form)))
}

fn new_handler_throws(_: &Family) -> Outcome {
    with(|operators| {
        all_end(throwing(), BAD_CAST, |form| {
            operators.handle(Some(operators.throwing()));
            ask(operators, form)
        })
    })
}

fn new_handler_nothrow_throws(_: &Family) -> Outcome {
    with(|operators| {
        all_end(nothrow(), GAVE_NULL, |form| {
            operators.handle(Some(operators.throwing()));
            ask(operators, form)
        })
    })
}

/// What the new-handler that makes room has to free: the addresses, and how many there are.
static HELD: [AtomicUsize; 256] = [const { AtomicUsize::new(0) }; 256];

/// A new-handler that frees all that is held, and takes itself away when there is nothing more.
extern "C" fn makes_room() {
    let Some(family) = Family::find() else {
        return;
    };
    let mut freed = false;
    for place in &HELD {
        let address = place.swap(0, Ordering::Relaxed);
        freed |= address != 0;
        family.free_at(address);
    }
    if !freed && let Some(operators) = OPERATORS.get() {
        operators.handle(None);
    }
}

fn new_handler_room(family: &Family) -> Outcome {
    const PIECE: usize = 16 << 20;
    with(|operators| {
        if let Some(operators) = Operators::find() {
            let _ = OPERATORS.set(operators);
        }
        all_end(Form::all(), GAVE_BLOCK, |form| {
            if limit(Limited::Space, 1 << 30).is_err() {
                return UNLIMITED;
            }
            // A malloc that has more address space already is given all that fits here.
            for place in &HELD {
                let Some(Ok(block)) = family.take(super::malloc(PIECE)) else {
                    break;
                };
                place.store(block.start(), Ordering::Relaxed);
            }
            let held = HELD.iter().filter(|p| p.load(Ordering::Relaxed) != 0);
            if held.count() == HELD.len() {
                return UNLIMITED;
            }
            operators.handle(Some(makes_room));
            match operators.take(form, PIECE, 64) {
                0 => GAVE_NULL,
                _ => GAVE_BLOCK,
            }
        })
    })
}

fn delete_null(family: &Family) -> Outcome {
    with(|operators| {
        for form in Form::all().filter(|form| !form.nothrow) {
            for told in [Told::Nothing, Told::Size, Told::Nothrow] {
                for _ in 0..100 {
                    operators.give(form, told, 0, 100, 64);
                }
            }
        }
        let block = super::filled(family, super::malloc(100), 1)?;
        super::put_back(family, block, "after null was deleted")
    })
}

fn delete_told(family: &Family) -> Outcome {
    with(|operators| {
        for form in Form::all() {
            for told in [Told::Nothing, Told::Size, Told::Nothrow] {
                bounded(32 * MIB, || {
                    for i in 0..10_000_usize {
                        let size = 1 + i % 5000;
                        let block = made(family, operators, form, (size, 64))?;
                        super::intact(&block, "after it was written")?;
                        operators.give(form, told, block.start(), size, 64);
                    }
                    Ok(())
                })?;
            }
        }
        Ok(())
    })
}

fn delete_errno(family: &Family) -> Outcome {
    with(|operators| {
        for form in Form::all() {
            for size in [10, 1000, 100_000, 8 << 20] {
                let block = made(family, operators, form, (size, 64))?;
                crate::raw::set_errno(4321);
                operators.give(form, Told::Nothing, block.start(), size, 64);
                let found = crate::raw::errno();
                ensure(found == 4321, || {
                    format!("deleting {size} bytes set errno to {found}")
                })?;
            }
        }
        Ok(())
    })
}
