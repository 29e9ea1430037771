//! What the load programs share: flags, a table of records, random numbers, quantiles.
//!
//! `inv:load.fresh` A value that these programs hold outside the root stack is used before the next safepoint.

#![allow(dead_code, reason = "each program uses a part")]

use bowline_gc::{HeapConfig, Mutator, OutOfMemory, access};
use bowline_layout::{Header, Shape, Tag, TypeId, Value};
use std::error::Error;
use std::str::FromStr;

/// One mebibyte.
pub(crate) const MIB: usize = 1 << 20;

/// Words in one vector of a table: none is large.
const CHUNK: usize = 1024;
/// Pairs in a record: a tree of depth 3.
const RECORD_DEPTH: u32 = 3;
/// Bytes of a record, its slot in the table included.
pub(crate) const RECORD_BYTES: usize = 15 * 16 + 8;

/// Flags of the form `--name=value`, and words without a name.
pub(crate) struct Flags {
    flags: Vec<(String, String)>,
    words: Vec<String>,
}

impl Flags {
    /// The program's arguments. Flags that are not in `known` nor of the heap's are refused.
    pub(crate) fn read(known: &[&str]) -> Result<Flags, Box<dyn Error>> {
        let mut found = Flags {
            flags: Vec::new(),
            words: Vec::new(),
        };
        for argument in std::env::args().skip(1) {
            let Some(flag) = argument.strip_prefix("--") else {
                found.words.push(argument);
                continue;
            };
            let (name, value) = flag.split_once('=').unwrap_or((flag, ""));
            if !known.contains(&name) && !HEAP.contains(&name) {
                let all: Vec<&str> = known.iter().chain(&HEAP).copied().collect();
                return Err(format!("there is no --{name}: flags are {}", all.join(", ")).into());
            }
            found.flags.push((name.to_string(), value.to_string()));
        }
        Ok(found)
    }

    /// The word at this place.
    pub(crate) fn word(&self, at: usize) -> Option<&str> {
        self.words.get(at).map(String::as_str)
    }

    /// Whether the flag is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.flags.iter().any(|(n, _)| n == name)
    }

    /// The value of a flag, or `otherwise`.
    pub(crate) fn get<T: FromStr>(&self, name: &str, otherwise: T) -> Result<T, Box<dyn Error>> {
        match self.flags.iter().rfind(|(n, _)| n == name) {
            None => Ok(otherwise),
            Some((_, value)) => value
                .parse()
                .map_err(|_| format!("--{name}={value}: not understood").into()),
        }
    }

    /// The heap that the flags describe: `--plan`, `--nursery` and `--heap` and `--min-heap` in MiB, `--growth`
    /// in per cent, `--workers`.
    pub(crate) fn config(&self) -> Result<HeapConfig, Box<dyn Error>> {
        let mut config = HeapConfig::default();
        if self.has("plan") {
            config.plan = self.get("plan", String::new())?.parse()?;
        }
        config.nursery = self.get("nursery", config.nursery / MIB)? * MIB;
        config.min_heap = self.get("min-heap", config.min_heap / MIB)? * MIB;
        config.growth_percent = self.get("growth", config.growth_percent)?;
        if self.has("heap") {
            config.limit = Some(self.get("heap", 0)? * MIB);
        }
        if self.has("workers") {
            config.workers = Some(self.get("workers", 1)?);
        }
        Ok(config)
    }
}

const HEAP: [&str; 6] = ["plan", "nursery", "growth", "min-heap", "heap", "workers"];

/// Marsaglia's xorshift ("Xorshift RNGs", 2003).
pub(crate) struct Random(u64);

impl Random {
    /// The same numbers for the same seed, which is not 0.
    pub(crate) fn new(seed: u64) -> Self {
        Random(seed)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }
}

/// A vector of `words` values, all 0.
pub(crate) fn vector(m: &mut Mutator, words: usize) -> Result<Value, OutOfMemory> {
    m.alloc(
        Header::new(Shape::Values, TypeId::FIRST_FREE, words),
        Tag::Object,
    )
}

/// Word `i` of `v`, counted as MMTk's objects are: the header of a vector is word 0.
pub(crate) fn word(v: Value, i: usize) -> Value {
    // SAFETY: inv:load.fresh, so `v` is live where it stands, and programs count its words.
    unsafe { access::value(v, i) }
}

/// Stores into a vector or a pair.
pub(crate) fn store(m: &mut Mutator, object: Value, i: usize, v: Value) {
    // SAFETY: inv:load.fresh, programs count the words, and none is in the boot heap.
    unsafe { m.store(object, i, v) }
}

/// A tree of pairs whose leaves are numbers.
pub(crate) fn tree(m: &mut Mutator, depth: u32) -> Result<Value, OutOfMemory> {
    m.poll();
    if depth == 0 {
        return m.alloc_pair(Value::fixnum(1), Value::fixnum(2));
    }
    let left = tree(m, depth - 1)?;
    m.push(left);
    let right = tree(m, depth - 1)?;
    let left = m.pop();
    m.alloc_pair(left, right)
}

/// A record of [`RECORD_BYTES`].
pub(crate) fn record(m: &mut Mutator) -> Result<Value, OutOfMemory> {
    tree(m, RECORD_DEPTH)
}

/// How many pairs a tree has.
pub(crate) fn count(v: Value) -> u64 {
    match word(v, 0) {
        left if left.is_pair() => 1 + count(left) + count(word(v, 1)),
        _ => 1,
    }
}

/// A table of records in vectors of 8 KiB. It is a root until the program ends.
pub(crate) struct Table {
    root: usize,
    records: usize,
}

impl Table {
    /// A table of `records`, all new.
    pub(crate) fn new(m: &mut Mutator, records: usize) -> Result<Table, OutOfMemory> {
        let root = m.len();
        let chunks = records.div_ceil(CHUNK);
        let directory = vector(m, chunks)?;
        m.push(directory);
        for chunk in 0..chunks {
            let fresh = vector(m, CHUNK)?;
            store(m, m.get(root), 1 + chunk, fresh);
        }
        let table = Table { root, records };
        for i in 0..records {
            let fresh = record(m)?;
            table.put(m, i, fresh);
        }
        Ok(table)
    }

    /// How many records there are.
    pub(crate) fn len(&self) -> usize {
        self.records
    }

    fn chunk(&self, m: &Mutator, i: usize) -> Value {
        word(m.get(self.root), 1 + i / CHUNK)
    }

    /// The record at index `i`.
    pub(crate) fn at(&self, m: &Mutator, i: usize) -> Value {
        word(self.chunk(m, i), 1 + i % CHUNK)
    }

    /// Replaces the record at index `i`.
    pub(crate) fn put(&self, m: &mut Mutator, i: usize, v: Value) {
        let chunk = self.chunk(m, i);
        store(m, chunk, 1 + i % CHUNK, v);
    }
}

/// The number that `share` of the sorted numbers, from 0 to 1, do not pass; 0 if there is none.
pub(crate) fn quantile(sorted: &[u64], share: f64) -> u64 {
    let at = (sorted.len() as f64 * share).ceil() as usize;
    sorted
        .get(at.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}
