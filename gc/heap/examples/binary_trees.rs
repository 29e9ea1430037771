//! Binary trees through the Rust API: `binary_trees [DEPTH]`, default 18. Prints the checksum and the
//! time.

use bowline_gc::{HeapConfig, Mutator, OutOfMemory, access, start};
use bowline_layout::Value;
use std::io::Write;
use std::time::Instant;

const LEAST: u32 = 4;

/// A tree of pairs; a leaf is a pair of two numbers.
fn bottom_up(m: &mut Mutator, depth: u32) -> Result<Value, OutOfMemory> {
    m.poll();
    if depth == 0 {
        return m.alloc_pair(Value::fixnum(0), Value::fixnum(0));
    }
    let left = bottom_up(m, depth - 1)?;
    m.push(left);
    let right = bottom_up(m, depth - 1)?;
    let left = m.pop();
    m.alloc_pair(left, right)
}

/// How many pairs a tree has.
fn count(v: Value) -> u64 {
    // SAFETY: every tree that is counted is live, and counting never reaches a safepoint.
    let left = unsafe { access::value(v, 0) };
    if !left.is_pair() {
        return 1;
    }
    // SAFETY: as above.
    let right = unsafe { access::value(v, 1) };
    1 + count(left) + count(right)
}

fn run(m: &mut Mutator, depth: u32) -> Result<u64, OutOfMemory> {
    let stretch = bottom_up(m, depth + 1)?;
    let mut sum = count(stretch);
    let long = bottom_up(m, depth)?;
    m.push(long);
    for d in (LEAST..=depth).step_by(2) {
        for _ in 0..1u64 << (depth - d + LEAST) {
            let tree = bottom_up(m, d)?;
            sum += count(tree);
        }
    }
    Ok(sum + count(m.pop()))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let depth = std::env::args().nth(1).map_or(Ok(18), |s| s.parse())?;
    let heap = start(HeapConfig::default())?;
    let mut m = heap.attach();
    let begun = Instant::now();
    let sum = run(&mut m, depth)?;
    let took = begun.elapsed();
    let s = m.stats();
    writeln!(
        std::io::stdout(),
        "depth {depth}: checksum {sum}, {took:.3?}, {} minor and {} full collections, longest pause {} µs, all {} ms",
        s.minor,
        s.major,
        s.max_pause_ns / 1000,
        s.total_pause_ns / 1_000_000
    )?;
    Ok(())
}
