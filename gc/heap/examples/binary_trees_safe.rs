//! Binary trees through the safe Rust API: `binary_trees_safe [DEPTH]`, default 18. Prints the checksum and
//! the time. `binary_trees` is the same program through the layer below.

#![forbid(unsafe_code)]

use bowline_gc::safe::{AllocError, Heap, HeapConfig, Local, Pair, Scope, View};
use std::io::Write;
use std::time::Instant;

const LEAST: u32 = 4;

/// A tree of pairs; a leaf is a pair of two numbers.
fn bottom_up<'s>(s: &mut Scope<'s>, depth: u32) -> Result<Local<'s, Pair>, AllocError> {
    s.poll();
    if depth == 0 {
        return s.pair(0, 0);
    }
    s.escape(|s| {
        let left = bottom_up(s, depth - 1)?;
        let right = bottom_up(s, depth - 1)?;
        s.pair(left, right)
    })
}

/// How many pairs a tree has.
fn count(tree: View<'_, Pair>) -> u64 {
    match (tree.car().as_pair(), tree.cdr().as_pair()) {
        (Some(left), Some(right)) => 1 + count(left) + count(right),
        _ => 1,
    }
}

/// How many pairs a tree of this depth has, counted.
fn check(s: &mut Scope<'_>, depth: u32) -> Result<u64, AllocError> {
    s.scope(|s| {
        let tree = bottom_up(s, depth)?;
        Ok(count(s.view(tree)))
    })
}

fn run(s: &mut Scope<'_>, depth: u32) -> Result<u64, AllocError> {
    let mut sum = check(s, depth + 1)?;
    let long = bottom_up(s, depth)?;
    for d in (LEAST..=depth).step_by(2) {
        for _ in 0..1u64 << (depth - d + LEAST) {
            sum += check(s, d)?;
        }
    }
    Ok(sum + count(s.view(long)))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let depth = std::env::args().nth(1).map_or(Ok(18), |s| s.parse())?;
    let heap = Heap::start(HeapConfig::default())?;
    let mut mutator = heap.attach()?;
    let begun = Instant::now();
    let sum = mutator.scope(|s| run(s, depth))?;
    let took = begun.elapsed();
    let stats = mutator.scope(|s| s.stats());
    writeln!(
        std::io::stdout(),
        "depth {depth}: checksum {sum}, {took:.3?}, {} minor and {} full collections, longest pause {} µs, all {} ms",
        stats.minor,
        stats.major,
        stats.max_pause_ns / 1000,
        stats.total_pause_ns / 1_000_000
    )?;
    Ok(())
}
