//! What the trials share, and how they run. A process has one heap, so each trial runs in a process of
//! its own: the test binary starts itself again with the trial's name in `BOWLINE_TRIAL`. A trial that is to hold
//! under several plans runs once for each; `BOWLINE_TRIAL_PLAN` is then the plan of its heap, whatever it names.

use bowline_gc::{Collect, Heap, HeapConfig, Mutator, Plan, access, start};
use bowline_layout::{Header, Shape, Tag, TypeId, Value, foreign_pointer};
use libtest_mimic::{Arguments, Failed, Trial};
use std::process::Command;

const VARIABLE: &str = "BOWLINE_TRIAL";
const PLAN: &str = "BOWLINE_TRIAL_PLAN";

/// One trial.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) body: fn(),
    /// The trial must fail with this on standard error.
    pub(crate) dies_with: Option<&'static str>,
    /// The trial takes minutes without optimisation, where it is ignored.
    pub(crate) slow: bool,
    /// It runs once under each of these that this build has, or as it says.
    pub(crate) plans: &'static [Plan],
    /// Whether this build has what it needs.
    pub(crate) wants: fn() -> bool,
}

/// The plans with a nursery.
pub(crate) const GENERATIONAL: &[Plan] = &[Plan::Throughput, Plan::CompactTest];
const EVERY: &[Plan] = &[
    Plan::Throughput,
    Plan::Latency,
    Plan::Immix,
    Plan::CompactTest,
];

/// Whether this build has such a heap.
fn is_built(config: HeapConfig) -> bool {
    config.check().is_ok()
}

fn has_plan(plan: Plan) -> bool {
    is_built(HeapConfig {
        plan,
        ..HeapConfig::default()
    })
}

/// Whether this build has the plan `latency`.
pub(crate) fn has_latency() -> bool {
    has_plan(Plan::Latency)
}

/// Whether this build looks at what C's stacks seem to hold.
pub(crate) fn has_ambiguous() -> bool {
    is_built(HeapConfig {
        ambiguous: true,
        ..HeapConfig::default()
    })
}

impl Case {
    /// The same under each of these plans.
    pub(crate) const fn under(self, plans: &'static [Plan]) -> Case {
        Case { plans, ..self }
    }

    /// The same for builds of which `wants` is true.
    pub(crate) const fn wanting(self, wants: fn() -> bool) -> Case {
        Case { wants, ..self }
    }
}

/// A trial that must succeed under every plan.
pub(crate) const fn everywhere(name: &'static str, body: fn()) -> Case {
    case(name, body).under(EVERY)
}

/// A trial that must succeed.
pub(crate) const fn case(name: &'static str, body: fn()) -> Case {
    Case {
        name,
        body,
        dies_with: None,
        slow: false,
        plans: &[],
        wants: || true,
    }
}

/// A trial that must succeed and takes minutes without optimisation.
pub(crate) const fn slow(name: &'static str, body: fn()) -> Case {
    Case {
        name,
        body,
        dies_with: None,
        slow: true,
        plans: &[],
        wants: || true,
    }
}

/// A trial that must end the process with this message.
pub(crate) const fn dies(name: &'static str, body: fn(), message: &'static str) -> Case {
    Case {
        name,
        body,
        dies_with: Some(message),
        slow: false,
        plans: &[],
        wants: || true,
    }
}

fn run(case: Case, plan: Option<Plan>) -> Result<(), Failed> {
    let me = std::env::current_exe().map_err(|e| e.to_string())?;
    let mut command = Command::new(me);
    command.env(VARIABLE, case.name).env("RUST_BACKTRACE", "0");
    if let Some(plan) = plan {
        command.env(PLAN, plan.name());
    }
    let output = command.output().map_err(|e| e.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let as_wanted = match case.dies_with {
        None => output.status.success(),
        Some(message) => !output.status.success() && said.contains(message),
    };
    if as_wanted {
        Ok(())
    } else {
        Err(format!("{}\n{said}", output.status).into())
    }
}

/// Runs the trials that the command line wants, or the one that the environment names.
pub(crate) fn trials(cases: &[Case]) {
    if let Ok(name) = std::env::var(VARIABLE) {
        let case = cases.iter().find(|c| c.name == name);
        return (case.expect("no such trial").body)();
    }
    let trial = |case: Case, plan: Option<Plan>| {
        let name = match plan {
            Some(plan) => format!("{}, {}", case.name, plan.name()),
            None => case.name.to_owned(),
        };
        Trial::test(name, move || run(case, plan))
            .with_ignored_flag(case.slow && cfg!(debug_assertions))
    };
    let trials = |case: &Case| match case.plans {
        [] => vec![trial(*case, None)],
        plans => {
            let built = plans.iter().filter(|p| has_plan(**p));
            built.map(|p| trial(*case, Some(*p))).collect()
        }
    };
    let built = cases.iter().filter(|case| (case.wants)());
    let trials = built.flat_map(trials).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// `config` with the plan that the trial runs under.
pub(crate) fn planned(config: HeapConfig) -> HeapConfig {
    match std::env::var(PLAN) {
        Ok(plan) => HeapConfig {
            plan: plan.parse().expect("a plan"),
            ..config
        },
        Err(_) => config,
    }
}

/// A heap and this thread's mutator.
pub(crate) fn heap_with(config: HeapConfig) -> (&'static Heap, Box<Mutator>) {
    let heap = start(planned(config)).expect("the heap starts");
    (heap, heap.attach())
}

/// Whether a full collection moves all that is not pinned.
pub(crate) fn all_moves(heap: &Heap) -> bool {
    heap.config().plan == Plan::CompactTest
}

/// Checks that a full collection has moved what was at `before` and is at `now`, where all moves.
pub(crate) fn assert_moved(heap: &Heap, before: Value, now: Value, what: &str) {
    assert!(now != before || !all_moves(heap), "{what}: {now:?}");
}

/// Whether there are minor collections, and a full one that is asked for begins with one.
pub(crate) fn is_generational(heap: &Heap) -> bool {
    GENERATIONAL.contains(&heap.config().plan)
}

/// A heap that checks itself after every collection.
pub(crate) fn heap() -> (&'static Heap, Box<Mutator>) {
    heap_with(HeapConfig {
        verify: true,
        ..HeapConfig::default()
    })
}

/// A vector of `n` values, all fixnum 0.
pub(crate) fn vector(m: &mut Mutator, n: usize) -> Value {
    m.alloc(Header::new(Shape::Values, TypeId(40), n), Tag::Object)
        .expect("room for a vector")
}

pub(crate) fn pair(m: &mut Mutator, car: Value, cdr: Value) -> Value {
    m.alloc_pair(car, cdr).expect("room for a pair")
}

pub(crate) fn fix(n: i64) -> Value {
    Value::fixnum(n)
}

pub(crate) fn at(v: Value, i: usize) -> Value {
    // SAFETY: the trials pass live objects and indices inside them.
    unsafe { access::value(v, i) }
}

pub(crate) fn put(m: &mut Mutator, v: Value, i: usize, x: Value) {
    // SAFETY: the trials pass live objects and indices inside them.
    unsafe { m.store(v, i, x) }
}

/// A list of the fixnums below `n`, the largest first.
pub(crate) fn list(m: &mut Mutator, n: i64) -> Value {
    m.with_roots(&[Value::NIL], |m, root| {
        for i in 0..n {
            m.poll();
            let tail = m.get(root);
            let p = pair(m, fix(i), tail);
            m.set(root, p);
        }
        m.get(root)
    })
}

/// Checks what [`list`] made.
pub(crate) fn check_list(mut v: Value, n: i64) {
    for i in (0..n).rev() {
        assert_eq!(at(v, 0), fix(i));
        v = at(v, 1);
    }
    assert_eq!(v, Value::NIL);
}

/// Allocates `n` pairs of garbage.
pub(crate) fn garbage(m: &mut Mutator, n: usize) {
    for _ in 0..n {
        m.poll();
        pair(m, fix(1), fix(2));
    }
}

/// Runs `f` on one heap with a minor and with full collections.
pub(crate) fn for_each_kind(f: impl Fn(&mut Mutator, Collect)) {
    let (_, mut m) = heap();
    for kind in [Collect::Minor, Collect::Full, Collect::Minor] {
        f(&mut m, kind);
        m.truncate(0);
    }
}

pub(crate) const MIB: usize = 1 << 20;

/// A heap with a hard limit.
pub(crate) fn limited(limit: usize) -> (&'static Heap, Box<Mutator>) {
    heap_with(HeapConfig {
        limit: Some(limit),
        ..HeapConfig::default()
    })
}

/// An owner of fresh C memory.
pub(crate) fn owner(m: &mut Mutator, bytes: usize) -> Value {
    let label = m.heap().owner_label("a test");
    m.foreign_memory(bytes, true, label).expect("room")
}

/// A foreign pointer to somewhere.
pub(crate) fn pointer(m: &mut Mutator, address: usize) -> Value {
    let v = m.alloc(foreign_pointer::HEADER, Tag::Object);
    let v = v.expect("room for a pointer");
    // SAFETY: the object is fresh.
    unsafe { access::set_word(v, foreign_pointer::POINTER, address as u64) };
    v
}

/// What an owner owns.
pub(crate) fn memory<'a>(v: Value, bytes: usize) -> &'a mut [u8] {
    // SAFETY: the trials pass live owners.
    let p = unsafe { access::word(v, foreign_pointer::POINTER) };
    let p: *mut u8 = std::ptr::with_exposed_provenance_mut(p as usize);
    assert!(!p.is_null() && p.addr().is_multiple_of(16));
    // SAFETY: the trials pass what they asked for.
    unsafe { std::slice::from_raw_parts_mut(p, bytes) }
}

/// How many owners there are, and their bytes.
pub(crate) fn held(heap: &Heap) -> (usize, usize) {
    let owners = heap.owners(10);
    (
        owners.iter().map(|o| o.count).sum(),
        owners.iter().map(|o| o.bytes).sum(),
    )
}
