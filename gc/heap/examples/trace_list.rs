//! How long a full collection takes for each pair of a long list: `trace_list [--pairs=N] [HEAP FLAGS]`, a million
//! pairs unless told. The list is old; a collection of the heap without it is timed the same way and taken off.

mod support;

use bowline_gc::{Collect, Mutator, start};
use bowline_layout::Value;
use std::error::Error;
use std::io::Write;
use support::{Flags, quantile};

const ROUNDS: usize = 9;

/// The pause of a full collection, in nanoseconds: the median.
fn full_pause(m: &mut Mutator) -> u64 {
    let mut pauses = Vec::new();
    for _ in 0..ROUNDS {
        // A full collection follows a minor one, which has nothing to do the second time.
        m.collect(Collect::Minor);
        let before = m.stats().total_pause_ns;
        m.collect(Collect::Full);
        pauses.push(m.stats().total_pause_ns - before);
    }
    pauses.sort_unstable();
    quantile(&pauses, 0.5)
}

fn main() -> Result<(), Box<dyn Error>> {
    let flags = Flags::read(&["pairs"])?;
    let pairs: usize = flags.get("pairs", 1_000_000)?;
    let mut m = start(flags.config()?)?.attach();
    let empty = full_pause(&mut m);
    m.push(Value::NIL);
    for i in 0..pairs {
        m.poll();
        let rest = m.get(0);
        let pair = m.alloc_pair(Value::fixnum(i as i64), rest)?;
        m.set(0, pair);
    }
    let full = full_pause(&mut m);
    let each = full.saturating_sub(empty) as f64 / pairs as f64;
    let out = &mut std::io::stdout();
    writeln!(
        out,
        "pairs={pairs} empty_us={} full_us={} ns_per_pair={each:.1}",
        empty / 1000,
        full / 1000
    )?;
    Ok(())
}
