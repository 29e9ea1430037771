//! Starts the heap, greets, and ends: what the collector alone adds to the start of a process.

use bowline_gc::{HeapConfig, start};
use std::io::Write;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let heap = start(HeapConfig::default())?;
    drop(heap.attach());
    writeln!(std::io::stdout(), "hello")?;
    Ok(())
}
