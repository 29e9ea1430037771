//! Load programs for choosing when to collect: `loads NAME [--size=N] [--live=MB] [HEAP FLAGS]`.
//!
//! * `trees`: binary trees of depth `size`, most of which die young (the program of `binary_trees`);
//! * `cache`: a table of `live` MB in which `size` thousand records are looked up or replaced at random, so
//!   that objects die old and old objects refer to young ones;
//! * `lists`: a table of words as lists of characters and strings is built, filtered, appended and sorted into
//!   buckets, `size` times over: lists that live for a while.
//!
//! At its end the process tells on one line what it took: `wall`, `cpu` and the collector threads' part of it,
//! `gc`, in milliseconds; `rss`, the most memory that was resident, in MiB; how many collections of each kind there
//! were, and their pauses in microseconds.

mod support;

use bowline_gc::{Mutator, OutOfMemory, Summary, start};
use bowline_layout::{Header, Shape, Tag, TypeId, Value};
use std::error::Error;
use std::io::Write;
use support::{Flags, MIB, RECORD_BYTES, Random, Table, count, record, store, tree, vector, word};

/// The shallowest of the trees.
const LEAST: u32 = 4;

fn trees(m: &mut Mutator, depth: u32) -> Result<u64, OutOfMemory> {
    let stretch = tree(m, depth + 1)?;
    let mut sum = count(stretch);
    let long = tree(m, depth)?;
    m.push(long);
    for d in (LEAST..=depth).step_by(2) {
        for _ in 0..1u64 << (depth - d + LEAST) {
            let fresh = tree(m, d)?;
            sum += count(fresh);
        }
    }
    Ok(sum + count(m.pop()))
}

fn cache(m: &mut Mutator, live: usize, thousands: usize) -> Result<u64, OutOfMemory> {
    let table = Table::new(m, live * MIB / RECORD_BYTES)?;
    let mut random = Random::new(0x2545_f491_4f6c_dd1d);
    let mut sum = 0;
    for i in 0..thousands * 1000 {
        let at = random.below(table.len());
        // Three of four find what they want; the fourth makes it.
        if i % 4 != 0 {
            sum += count(table.at(m, at));
        } else {
            let fresh = record(m)?;
            table.put(m, at, fresh);
        }
        // What a request takes besides.
        let scratch = record(m)?;
        sum += count(scratch);
    }
    Ok(sum)
}

/// Words in one round of `lists`.
const WORDS: usize = 40_000;
const BUCKETS: usize = 1024;

/// A string of this many bytes.
fn string(m: &mut Mutator, bytes: usize) -> Result<Value, OutOfMemory> {
    let header = Header::new(Shape::Bytes, TypeId::FIRST_FREE, bytes);
    m.alloc(header, Tag::Object)
}

/// A list of `n` pairs of a random character and the rest, in front of the root on the top of the stack, which it
/// replaces.
fn cons_all(m: &mut Mutator, random: &mut Random, n: usize) -> Result<(), OutOfMemory> {
    for _ in 0..n {
        m.poll();
        let c = Value::fixnum(random.below(26) as i64);
        let rest = m.get(m.len() - 1);
        let pair = m.alloc_pair(c, rest)?;
        m.set(m.len() - 1, pair);
    }
    Ok(())
}

/// A copy of the list at the top of the stack without what is not below `limit`, there.
fn filter(m: &mut Mutator, limit: i64) -> Result<(), OutOfMemory> {
    let from = m.len() - 1;
    m.push(Value::NIL);
    while m.get(from).is_pair() {
        let c = word(m.get(from), 0);
        let rest = word(m.get(from), 1);
        m.set(from, rest);
        if c.as_fixnum().is_some_and(|n| n < limit) {
            let kept = m.get(from + 1);
            let pair = m.alloc_pair(c, kept)?;
            m.set(from + 1, pair);
        }
        m.poll();
    }
    let kept = m.pop();
    m.set(from, kept);
    Ok(())
}

fn length(mut list: Value) -> u64 {
    let mut n = 0;
    while list.is_pair() {
        n += 1;
        list = word(list, 1);
    }
    n
}

/// One round: words, filtered, each with a string of its length, in buckets that live until the round after the
/// next.
fn round(m: &mut Mutator, random: &mut Random, generations: usize) -> Result<u64, OutOfMemory> {
    let buckets = vector(m, BUCKETS)?;
    m.push(buckets);
    let at = m.len() - 1;
    for _ in 0..WORDS {
        m.push(Value::NIL);
        let letters = 3 + random.below(12);
        cons_all(m, random, letters)?;
        filter(m, 20)?;
        let text = string(m, 8 + random.below(40))?;
        m.push(text);
        let (text, letters) = (m.pop(), m.pop());
        let entry = m.alloc_pair(text, letters)?;
        let bucket = random.below(BUCKETS);
        let others = match word(m.get(at), 1 + bucket) {
            v if v.is_pair() => v,
            _ => Value::NIL,
        };
        let chain = m.alloc_pair(entry, others)?;
        store(m, m.get(at), 1 + bucket, chain);
    }
    let buckets = m.pop();
    let sum = (0..BUCKETS).map(|i| length(word(buckets, 1 + i))).sum();
    // The oldest generation goes.
    for i in 1..generations {
        let younger = m.get(i);
        m.set(i - 1, younger);
    }
    m.set(generations - 1, buckets);
    Ok(sum)
}

fn lists(m: &mut Mutator, rounds: usize) -> Result<u64, OutOfMemory> {
    const GENERATIONS: usize = 3;
    (0..GENERATIONS).for_each(|_| m.push(Value::NIL));
    let mut random = Random::new(0x9e37_79b9_7f4a_7c15);
    let mut sum = 0;
    for _ in 0..rounds {
        sum += round(m, &mut random, GENERATIONS)?;
    }
    m.truncate(0);
    Ok(sum)
}

/// What the collector's threads have taken of the processor, in nanoseconds.
fn collector_time() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten();
    let time = |task: std::path::PathBuf| {
        let name = std::fs::read_to_string(task.join("comm")).ok()?;
        let times = std::fs::read_to_string(task.join("schedstat")).ok()?;
        let time: u64 = times.split_whitespace().next()?.parse().ok()?;
        Some(if name.trim() == "bowline-gc" { time } else { 0 })
    };
    tasks.flatten().filter_map(|task| time(task.path())).sum()
}

fn tell(s: &Summary) {
    let ms = |ns: u64| ns as f64 / 1e6;
    let us = |ns: u64| ns / 1000;
    // If nobody reads it, nobody wants to know.
    let _ = writeln!(
        std::io::stdout(),
        "wall={:.1} cpu={:.1} gc={:.1} rss={:.1} heap={:.1} allocated={:.0} minor={} full={} minor_p50={} minor_p99={} minor_max={} \
         full_p50={} full_max={}",
        ms(s.wall),
        ms(s.usage.user + s.usage.system),
        ms(collector_time()),
        s.usage.resident as f64 / MIB as f64,
        s.peak_heap as f64 / MIB as f64,
        s.allocated as f64 / MIB as f64,
        s.minor.count,
        s.full.count,
        us(s.minor.median),
        us(s.minor.p99),
        us(s.minor.max),
        us(s.full.median),
        us(s.full.max)
    );
}

fn main() -> Result<(), Box<dyn Error>> {
    let flags = Flags::read(&["size", "live"])?;
    let mut config = flags.config()?;
    config.recording.at_end = Some(tell);
    let mut m = start(config)?.attach();
    let sum = match flags.word(0) {
        Some("trees") => trees(&mut m, flags.get("size", 18)?),
        Some("cache") => cache(&mut m, flags.get("live", 100)?, flags.get("size", 2000)?),
        Some("lists") => lists(&mut m, flags.get("size", 20)?),
        other => return Err(format!("trees, cache or lists, not {other:?}").into()),
    };
    // A heap that is too small for the program is an answer, too.
    match sum {
        Ok(sum) => writeln!(std::io::stdout(), "checksum={sum}")?,
        Err(e) => {
            drop(m);
            return Err(e.into());
        }
    }
    Ok(())
}
