//! Minor collections under a deep root stack: `deep_stack [FRAMES] [COLLECTIONS]`, by default a million frames
//! of three words, of which one refers to a pair, and 201 collections with ten thousand pairs of garbage before
//! each. Prints the median pause and the words of stack that the last collection looked at.

use bowline_gc::{Collect, HeapConfig, Mutator, OutOfMemory, start};
use bowline_layout::Value;
use std::io::Write;

fn push_frames(m: &mut Mutator, frames: usize) -> Result<(), OutOfMemory> {
    for n in 0..frames {
        m.poll();
        let local = m.alloc_pair(Value::fixnum(n as i64), Value::NIL)?;
        m.push(local);
        m.push(Value::fixnum(1));
        m.push(Value::NIL);
    }
    Ok(())
}

/// The pause of a minor collection, in nanoseconds.
fn pause(m: &mut Mutator) -> Result<u64, OutOfMemory> {
    for _ in 0..10_000 {
        m.poll();
        m.alloc_pair(Value::NIL, Value::NIL)?;
    }
    let before = m.stats().total_pause_ns;
    m.collect(Collect::Minor);
    Ok(m.stats().total_pause_ns - before)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arg = |i: usize, default: usize| std::env::args().nth(i).map_or(Ok(default), |s| s.parse());
    let (frames, collections) = (arg(1, 1_000_000)?, arg(2, 201)?);
    let heap = start(HeapConfig {
        root_stack: frames * 24 + (1 << 20),
        ..HeapConfig::default()
    })?;
    let mut m = heap.attach();
    push_frames(&mut m, frames)?;
    m.collect(Collect::Full);
    let mut pauses = Vec::new();
    for _ in 0..collections {
        pauses.push(pause(&mut m)?);
    }
    pauses.sort_unstable();
    writeln!(
        std::io::stdout(),
        "{frames} frames: median pause {} µs, {} words of stack looked at",
        pauses.get(pauses.len() / 2).copied().unwrap_or(0) / 1000,
        m.stats().stack_words
    )?;
    Ok(())
}
