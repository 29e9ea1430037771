//! Random stores into old vectors: `random_stores [fixnums|pairs|old] [BYTES] [STORES] [MIB] [GARBAGE]`, by
//! default of fresh pairs, into vectors of 1 MiB, ten million; the vectors take 1 MiB together, have survived
//! a full collection, and no pair is garbage when it is made. Prints a checksum of what the vectors hold at the
//! end, and the time per store.

use bowline_gc::{Collect, HeapConfig, Mutator, OutOfMemory, access, start};
use bowline_layout::{Header, Shape, Tag, TypeId, Value};
use std::io::Write;
use std::time::Instant;

const MIB: usize = 1 << 20;
/// The stores between two polls.
const TURN: u64 = 64;

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Fixnums,
    Pairs,
    Old,
}

fn vector(m: &mut Mutator, length: usize) -> Result<Value, OutOfMemory> {
    m.alloc(Header::new(Shape::Values, TypeId(40), length), Tag::Object)
}

fn store(m: &mut Mutator, v: Value, i: usize, x: Value) {
    // SAFETY: the vectors live and have that many words.
    unsafe { m.store(v, i, x) }
}

fn load(v: Value, i: usize) -> Value {
    // SAFETY: as above.
    unsafe { access::value(v, i) }
}

/// Marsaglia's xorshift with 64 bits.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// The vectors, in a vector at index 0 of the root stack, and a pair at index 1.
fn prepare(m: &mut Mutator, count: usize, length: usize) -> Result<(), OutOfMemory> {
    let all = vector(m, count)?;
    m.push(all);
    for i in 0..count {
        let v = vector(m, length)?;
        let all = m.get(0);
        store(m, all, 1 + i, v);
    }
    let old = m.alloc_pair(Value::fixnum(1), Value::fixnum(2))?;
    m.push(old);
    m.collect(Collect::Full);
    Ok(())
}

/// What is stored, how often, and how many pairs of garbage are made before each store.
struct Work {
    kind: Kind,
    stores: u64,
    garbage: u64,
}

fn run(m: &mut Mutator, work: &Work, count: u32, length: u32) -> Result<(), OutOfMemory> {
    let mut state = 88172645463325252;
    for i in 0..work.stores {
        if i % TURN == 0 {
            m.poll();
        }
        for n in 0..work.garbage {
            m.alloc_pair(Value::fixnum(n as i64), Value::NIL)?;
        }
        let r = next(&mut state);
        let which = (r >> 32) as u32 & (count - 1);
        let slot = ((u64::from(r as u32) * u64::from(length)) >> 32) as usize;
        let x = match work.kind {
            Kind::Fixnums => Value::fixnum(i as i64),
            Kind::Pairs => m.alloc_pair(Value::fixnum(i as i64), Value::NIL)?,
            Kind::Old => m.get(1),
        };
        let v = load(m.get(0), 1 + which as usize);
        store(m, v, 1 + slot, x);
    }
    Ok(())
}

fn checksum(m: &Mutator, count: usize, length: usize) -> i64 {
    let mut sum = 0i64;
    for i in 0..count {
        let v = load(m.get(0), 1 + i);
        for j in 0..length {
            let x = load(v, 1 + j);
            let x = if x.is_pair() { load(x, 0) } else { x };
            sum = sum
                .wrapping_mul(31)
                .wrapping_add(x.as_fixnum().unwrap_or(0));
        }
    }
    sum
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arg = |i: usize, default: &str| std::env::args().nth(i).unwrap_or(default.into());
    let kind = match arg(1, "pairs").as_str() {
        "fixnums" => Kind::Fixnums,
        "pairs" => Kind::Pairs,
        "old" => Kind::Old,
        other => return Err(format!("no kind of stores: {other}").into()),
    };
    let bytes: usize = arg(2, "1048576").parse()?;
    let stores: u64 = arg(3, "10000000").parse()?;
    let all: usize = arg(4, "1").parse::<usize>()? * MIB;
    let garbage: u64 = arg(5, "0").parse()?;
    let (count, length) = ((all / bytes).next_power_of_two(), bytes / 8 - 1);
    let heap = start(HeapConfig::default())?;
    let mut m = heap.attach();
    prepare(&mut m, count, length)?;
    let before = m.stats();
    let begun = Instant::now();
    let work = Work {
        kind,
        stores,
        garbage,
    };
    run(&mut m, &work, count as u32, length as u32)?;
    let took = begun.elapsed();
    let after = m.stats();
    let sum = checksum(&m, count, length);
    writeln!(
        std::io::stdout(),
        "checksum {sum}, {:.2} ns a store, {} minor and {} full collections, pauses {} ms",
        took.as_nanos() as f64 / stores.max(1) as f64,
        after.minor - before.minor,
        after.major - before.major,
        (after.total_pause_ns - before.total_pause_ns) / 1_000_000
    )?;
    Ok(())
}
