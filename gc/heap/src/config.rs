//! What a heap is asked to be, and why a request can be refused.
//!
//! Sizes are checked here, before MMTk sees them: it would take an absurd one and fail much later.
//!
//! Absent on purpose: environment variables and command lines. Whoever has one parses it and fills in
//! a [`HeapConfig`].

use crate::ambiguous;
use crate::machine::OVERHEAD;
use crate::recorder::Recording;
use crate::refusals::Refusal;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

const MIB: usize = 1 << 20;
/// The smallest hard limit that leaves room to collect in.
pub(crate) const SMALLEST_LIMIT: usize = 8 * MIB;
/// The largest hard limit: what one MMTk space can address.
pub(crate) const LARGEST_LIMIT: usize = 1 << 40;
/// The most collector threads. Each costs a stack and a start, and even large machines gain nothing
/// from more.
const MOST_WORKERS: usize = 64;
/// The smallest root stack.
const SMALLEST_STACK: usize = 16 << 10;
/// A wait that no healthy program has: whoever sees the line has been looking at one that seems to hang.
const WATCHDOG: Duration = Duration::from_secs(10);
/// More than the largest heap reserves: 9 TiB of side tables, 8 of spaces, and the malloc's region.
const ADDRESS_SPACE_NEEDED: u64 = 24 << 40;

/// What is needed where the system counts: the smallest heap and what the collector takes besides.
const LEAST_MEMORY: usize = OVERHEAD + 4 * SMALLEST_LIMIT;

/// Which of MMTk's plans runs the heap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Plan {
    /// Generational: a copying nursery over a mark-region heap.
    Throughput,
    /// The mark-region heap, marked while the program runs: two short stops for each collection.
    Latency,
    /// The mark-region heap alone; every collection is a full one.
    Immix,
    /// `Throughput` that moves everything unpinned at every full collection.
    CompactTest,
}

impl Plan {
    /// The names that [`Plan::from_str`] takes.
    pub const NAMES: [&'static str; 4] = ["throughput", "latency", "immix", "compact-test"];

    /// This plan's name.
    pub fn name(self) -> &'static str {
        Plan::NAMES[self as usize]
    }
}

/// MMTk's other plans, and why none of them can serve.
const OTHERS: [(&str, &str); 8] = [
    ("nogc", "it never gives memory back"),
    ("semispace", MOVES),
    ("gencopy", MOVES),
    ("genimmix", MOVES),
    ("markcompact", MOVES),
    ("compressor", MOVES),
    ("marksweep", FIXED),
    ("pageprotect", FIXED),
];
const MOVES: &str = "it moves every object, and C holds some by their addresses";
const FIXED: &str = "it moves nothing, and cannot be told what C holds by its address";

impl FromStr for Plan {
    type Err = HeapError;

    fn from_str(name: &str) -> Result<Self, HeapError> {
        let plans = Plan::NAMES.join(", ");
        match name {
            "throughput" => Ok(Plan::Throughput),
            "latency" => Ok(Plan::Latency),
            "immix" => Ok(Plan::Immix),
            "compact-test" => Ok(Plan::CompactTest),
            _ => Err(HeapError::BadConfig(
                match OTHERS.iter().find(|(other, _)| *other == name) {
                    Some((_, why)) => {
                        format!("the plan \"{name}\" cannot be used: {why}; the plans are {plans}")
                    }
                    None => format!("there is no plan \"{name}\": the plans are {plans}"),
                },
            )),
        }
    }
}

/// When to collect although there is no need, moving everything that is not pinned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Zeal {
    /// Never.
    Off,
    /// At every Nth allocation.
    Allocation(u64),
    /// At every Nth crossing of the boundary to C.
    Crossing(u64),
    /// At every Nth time that C's `malloc`, in foreign code, needs new memory from the region: a page
    /// for blocks of one size, or a large block. Inside that `malloc`, which waits for the collection.
    /// Blocks that were freed before and are handed out again do not count.
    Malloc(u64),
}

impl FromStr for Zeal {
    type Err = HeapError;

    fn from_str(text: &str) -> Result<Self, HeapError> {
        let bad = || {
            HeapError::BadConfig(format!(
                "zeal is \"off\", \"alloc:N\", \"crossing:N\" or \"malloc:N\" with N at least 1, not \
                 \"{text}\""
            ))
        };
        if text == "off" {
            return Ok(Zeal::Off);
        }
        let (kind, n) = text.split_once(':').ok_or_else(bad)?;
        let n = n.parse().ok().filter(|n| *n >= 1).ok_or_else(bad)?;
        match kind {
            "alloc" => Ok(Zeal::Allocation(n)),
            "crossing" => Ok(Zeal::Crossing(n)),
            "malloc" => Ok(Zeal::Malloc(n)),
            _ => Err(bad()),
        }
    }
}

/// What a heap is asked to be.
#[derive(Clone, Debug)]
pub struct HeapConfig {
    /// The plan.
    pub plan: Plan,
    /// The most bytes that may live in the heap and in C's memory together; `None` stands for three
    /// quarters of the memory that the process may have.
    pub limit: Option<usize>,
    /// The size below which the heap is never collected as a whole.
    pub min_heap: usize,
    /// The bytes that may be allocated between two minor collections.
    pub nursery: usize,
    /// The size of the heap after a full collection, as a percentage of what lives.
    pub growth_percent: usize,
    /// Collector threads; `None` stands for half of the processors, at least one.
    pub workers: Option<usize>,
    /// Needless collections.
    pub zeal: Zeal,
    /// Whether what C does with what it is lent is checked; then how many of the copies that it was lent stay out of use
    /// afterwards. The boundary lends them; here objects are looked for to which C's memory still refers when they have
    /// moved. That wants zeal.
    pub checking: Option<usize>,
    /// What is refused although there is room.
    pub refusal: Option<Refusal>,
    /// Whether to walk the whole heap after every collection and check each reference.
    pub verify: bool,
    /// Whether whatever looks like an address of an object on the stack of a thread in foreign code keeps that
    /// object alive and in place, besides what is pinned. Wants a build with the cargo feature `ambiguous`.
    pub ambiguous: bool,
    /// The bytes of a thread's root stack.
    pub root_stack: usize,
    /// Whether threads fence each time that they go to C and come back, although the kernel offers
    /// `membarrier(2)`. Where it does not they do anyway.
    pub fences: bool,
    /// How long a collection waits for threads to stop before it names those that have not, on standard error.
    /// `None`: it names nobody.
    pub watchdog: Option<Duration>,
    /// What is told of it.
    pub recording: Recording,
}

impl Default for HeapConfig {
    fn default() -> Self {
        HeapConfig {
            plan: Plan::Throughput,
            limit: None,
            min_heap: 48 * MIB,
            nursery: 16 * MIB,
            growth_percent: 200,
            workers: None,
            zeal: Zeal::Off,
            checking: None,
            refusal: None,
            verify: false,
            ambiguous: false,
            root_stack: MIB,
            fences: false,
            watchdog: Some(WATCHDOG),
            recording: Recording::default(),
        }
    }
}

impl HeapConfig {
    /// Whether each full collection must move everything that is not pinned.
    pub(crate) fn moves_everything(&self) -> bool {
        self.plan == Plan::CompactTest || self.zeal != Zeal::Off
    }

    /// Whether collector threads mark while the program runs. Under zeal every collection moves everything,
    /// which takes a stopped world.
    pub(crate) fn marks_beside(&self) -> bool {
        self.plan == Plan::Latency && self.zeal == Zeal::Off
    }

    /// Whether the heap is walked before and after each collection.
    pub(crate) fn verifies(&self) -> bool {
        self.verify || self.zeal != Zeal::Off
    }

    /// The hard limit in bytes.
    pub(crate) fn hard_limit(&self) -> usize {
        let allowed = || (crate::machine::memory() / 4 * 3).clamp(SMALLEST_LIMIT, LARGEST_LIMIT);
        self.limit.unwrap_or_else(allowed)
    }

    /// The nursery that suits the limit.
    pub(crate) fn effective_nursery(&self) -> usize {
        self.nursery.min(self.hard_limit() / 4).max(1 << 20)
    }

    /// How many collector threads to run.
    pub(crate) fn effective_workers(&self) -> usize {
        if self.zeal != Zeal::Off {
            return 1;
        }
        self.workers.unwrap_or_else(|| {
            let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
            (cores / 2).clamp(1, MOST_WORKERS)
        })
    }

    /// Refuses what no heap can be.
    pub fn check(&self) -> Result<(), HeapError> {
        let refuse = |message: String| Err(HeapError::BadConfig(message));
        if let Some(limit) = self.limit {
            if limit < SMALLEST_LIMIT {
                return refuse(format!("a heap of {limit} bytes is below the least, 8 MiB"));
            }
            if limit > LARGEST_LIMIT {
                return refuse(format!("a heap of {limit} bytes is above the most, 1 TiB"));
            }
        }
        if self.ambiguous && !ambiguous::BUILT {
            return refuse(ambiguous::REFUSED.into());
        }
        if self.plan == Plan::Latency && ambiguous::BUILT {
            return refuse(ambiguous::NO_LATENCY.into());
        }
        if self.workers == Some(0) {
            return refuse("the collector needs at least one thread".into());
        }
        if let Some(workers) = self.workers.filter(|n| *n > MOST_WORKERS) {
            return refuse(format!(
                "{workers} collector threads are more than the most, {MOST_WORKERS}"
            ));
        }
        if self.nursery > LARGEST_LIMIT {
            return refuse(format!(
                "a nursery of {} bytes is above the most, 1 TiB",
                self.nursery
            ));
        }
        if self.growth_percent < 110 {
            return refuse(format!(
                "a growth of {} % leaves no room to allocate: at least 110",
                self.growth_percent
            ));
        }
        if self.root_stack < SMALLEST_STACK {
            return refuse(format!(
                "a root stack of {} bytes is below the least, 16 KiB",
                self.root_stack
            ));
        }
        if self.root_stack > LARGEST_LIMIT {
            return refuse(format!(
                "a root stack of {} bytes is above the most, 1 TiB",
                self.root_stack
            ));
        }
        match crate::sys::address_space_limit() {
            Some(limit) if limit < ADDRESS_SPACE_NEEDED => Err(HeapError::AddressSpace { limit }),
            _ => Ok(()),
        }?;
        match crate::machine::mappable() {
            Some(left) if left < LEAST_MEMORY => Err(HeapError::TooLittle { left }),
            _ => Ok(()),
        }
    }
}

/// Why a heap could not be started.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HeapError {
    /// The process has a heap already.
    AlreadyStarted,
    /// The configuration asks for something impossible; the message says what.
    BadConfig(String),
    /// The process may not reserve enough address space (`ulimit -v`).
    AddressSpace {
        /// The limit in force, in bytes.
        limit: u64,
    },
    /// The calling thread is attached to the heap and in no foreign call, so it cannot attach again.
    AlreadyManaged,
    /// The process may not map enough memory that can be written (`ulimit -d`, strict overcommit).
    TooLittle {
        /// How much it may still map, in bytes.
        left: usize,
    },
    /// The system refused memory; the message says for what.
    NoMemory(&'static str),
    /// The system refused a thread; the message is its own.
    NoThread(String),
    /// The file of the trace cannot be written.
    Trace {
        /// The file.
        path: String,
        /// What the system said.
        why: String,
    },
}

impl fmt::Display for HeapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HeapError::AlreadyStarted => f.write_str("this process has a heap already"),
            HeapError::AlreadyManaged => f.write_str(
                "this thread uses the heap already: it can attach again inside a foreign call only",
            ),
            HeapError::BadConfig(message) => f.write_str(message),
            HeapError::AddressSpace { limit } => write!(
                f,
                "the collector reserves address space (it does not use it) and the limit of {limit} \
                 bytes is too small: raise it with \"ulimit -v unlimited\""
            ),
            HeapError::TooLittle { left } => write!(
                f,
                "the system lets this process map {} KiB more, and the collector needs {} KiB: see \
                 \"ulimit -d\" and vm.overcommit_memory",
                left >> 10,
                LEAST_MEMORY >> 10
            ),
            HeapError::NoMemory(what) => write!(f, "the system refused memory for {what}"),
            HeapError::NoThread(why) => write!(f, "cannot start a collector thread: {why}"),
            HeapError::Trace { path, why } => write!(f, "cannot write the trace to {path}: {why}"),
        }
    }
}

impl std::error::Error for HeapError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_by_name() {
        for name in Plan::NAMES {
            assert_eq!(name.parse::<Plan>().unwrap().name(), name);
        }
        let message = |name: &str| name.parse::<Plan>().unwrap_err().to_string();
        assert_eq!(
            message("fast"),
            "there is no plan \"fast\": the plans are throughput, latency, immix, compact-test"
        );
        assert_eq!(
            message("semispace"),
            "the plan \"semispace\" cannot be used: it moves every object, and C holds some by their \
             addresses; the plans are throughput, latency, immix, compact-test"
        );
        assert!(message("nogc").contains("it never gives memory back"));
        assert!(message("marksweep").contains("cannot be told what C holds"));
        for (name, _) in OTHERS {
            assert!(message(name).contains("cannot be used"), "{name}");
        }
    }

    #[test]
    fn zeal_by_name() {
        assert_eq!("off".parse::<Zeal>(), Ok(Zeal::Off));
        assert_eq!("alloc:7".parse::<Zeal>(), Ok(Zeal::Allocation(7)));
        assert_eq!("crossing:1".parse::<Zeal>(), Ok(Zeal::Crossing(1)));
        assert_eq!("malloc:3".parse::<Zeal>(), Ok(Zeal::Malloc(3)));
        for bad in ["", "alloc", "alloc:0", "alloc:x", "free:1"] {
            let message = bad.parse::<Zeal>().unwrap_err().to_string();
            assert!(
                message.starts_with("zeal is \"off\", \"alloc:N\""),
                "{message}"
            );
        }
    }

    #[test]
    fn absurd_requests_are_refused() {
        let refused = |change: fn(&mut HeapConfig)| {
            let mut config = HeapConfig::default();
            change(&mut config);
            config.check().unwrap_err().to_string()
        };
        assert!(refused(|c| c.limit = Some(1 << 20)).contains("below the least, 8 MiB"));
        assert!(refused(|c| c.limit = Some(usize::MAX)).contains("above the most, 1 TiB"));
        assert!(refused(|c| c.workers = Some(0)).contains("at least one thread"));
        assert_eq!(
            refused(|c| c.workers = Some(65)),
            "65 collector threads are more than the most, 64"
        );
        assert_eq!(
            refused(|c| c.nursery = (1 << 40) + 1),
            "a nursery of 1099511627777 bytes is above the most, 1 TiB"
        );
        if !ambiguous::BUILT {
            let why = refused(|c| c.ambiguous = true);
            assert!(why.contains("the cargo feature \"ambiguous\""), "{why}");
        } else {
            let why = refused(|c| c.plan = Plan::Latency);
            assert!(why.contains("has no plan \"latency\""), "{why}");
        }
        assert!(refused(|c| c.growth_percent = 100).contains("at least 110"));
        assert!(refused(|c| c.root_stack = 8).contains("below the least, 16 KiB"));
        assert_eq!(
            refused(|c| c.root_stack = usize::MAX),
            "a root stack of 18446744073709551615 bytes is above the most, 1 TiB"
        );
        assert_eq!(HeapConfig::default().check(), Ok(()));
    }

    #[test]
    fn every_error_says_what_it_is() {
        assert!(HeapError::AlreadyStarted.to_string().contains("already"));
        assert!(
            HeapError::AddressSpace { limit: 5 }
                .to_string()
                .contains("ulimit -v")
        );
        assert_eq!(
            HeapError::TooLittle { left: 5 << 10 }.to_string(),
            "the system lets this process map 5 KiB more, and the collector needs 163840 KiB: see \
             \"ulimit -d\" and vm.overcommit_memory"
        );
        assert!(HeapError::NoMemory("x").to_string().ends_with("for x"));
        let message = HeapError::AlreadyManaged.to_string();
        assert!(message.starts_with("this thread uses the heap already"));
        let message = HeapError::NoThread("no".into()).to_string();
        assert_eq!(message, "cannot start a collector thread: no");
        let (path, why) = ("a/b".into(), "no".into());
        let message = HeapError::Trace { path, why }.to_string();
        assert_eq!(message, "cannot write the trace to a/b: no");
    }
}
