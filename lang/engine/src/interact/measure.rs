//! What an evaluation costs, and what the heap has been doing.

use std::time::{Duration, Instant};

use bowline_gc::{Collect, GcStats};
use bowline_runtime::object::cpu_time;

use super::command::{Command, table};
use super::{Interaction, Outcome};

/// What is counted, at one moment.
struct Moment {
    wall: Instant,
    cpu: Duration,
    allocated: u64,
    foreign_calls: u64,
    heap: GcStats,
}

impl Interaction {
    fn moment(&self) -> Moment {
        let heap = &self.session.vm.rt.heap;
        Moment {
            heap: heap.stats(),
            allocated: heap.allocated(),
            foreign_calls: bowline_ffi::calls_made(),
            cpu: cpu_time(),
            wall: Instant::now(),
        }
    }

    /// Evaluates the forms of an entry from byte `at` on, and tells what that cost.
    pub(super) fn time(&mut self, entry: &str, at: usize) -> Outcome {
        let forms = self.operands(entry, at)?;
        let before = self.moment();
        let done = self.forms(&forms);
        let after = self.moment();
        let told = cost(&before, &after);
        if done.is_ok() {
            self.say(&told);
        }
        done
    }

    /// Collects as `what` says, and tells of the heap.
    pub(super) fn collect(&mut self, what: &str, command: &Command) -> Outcome {
        match what {
            "" => self.session.vm.mutator().collect(Collect::Full),
            "minor" => self.session.vm.mutator().collect(Collect::Minor),
            "stats" => {}
            _ => return Err(self.misused(command)),
        }
        let stats = self.session.vm.mutator().stats();
        self.say(&heap(&stats));
        Ok(())
    }
}

fn cost(before: &Moment, after: &Moment) -> String {
    let (a, b) = (&before.heap, &after.heap);
    let paused = b.total_pause_ns - a.total_pause_ns;
    let rows = [
        ("wall", nanos((after.wall - before.wall).as_nanos())),
        ("cpu", nanos((after.cpu - before.cpu).as_nanos())),
        ("allocated", bytes(after.allocated - before.allocated)),
        (
            "collections",
            format!(
                "{} minor, {} full, {} paused",
                b.minor - a.minor,
                b.major - a.major,
                nanos(u128::from(paused))
            ),
        ),
        (
            "foreign calls",
            (after.foreign_calls - before.foreign_calls).to_string(),
        ),
    ];
    table(rows.map(|(name, text)| (name.to_string(), text)))
}

fn heap(s: &GcStats) -> String {
    let moved = format!("{} objects, {}", s.moved_objects, bytes(s.moved_bytes));
    let pauses = format!(
        "{} in all, {} the longest",
        nanos(u128::from(s.total_pause_ns)),
        nanos(u128::from(s.max_pause_ns))
    );
    let mut rows = vec![
        (
            "collections",
            format!(
                "{} minor, {} full, {} during foreign calls",
                s.minor, s.major, s.in_foreign_calls
            ),
        ),
        ("pauses", pauses),
        ("moved", moved),
        ("pinned", format!("{} objects", s.pinned_objects)),
        ("heap", bytes(s.heap_bytes)),
    ];
    if s.degraded {
        rows.push(("C memory", "not counted: malloc is another's".to_string()));
    } else {
        rows.push(("C memory", bytes(s.client_bytes)));
        rows.push(("the runtime's own", bytes(s.runtime_bytes)));
    }
    rows.push(("declared", bytes(s.declared_bytes)));
    rows.push((
        "C memory's pressure",
        format!(
            "{} collections, {} waits, {} refusals",
            s.pressure_collections, s.pressure_waits, s.pressure_refusals
        ),
    ));
    table(
        rows.into_iter()
            .map(|(name, text)| (name.to_string(), text)),
    )
}

/// A duration with a unit that suits it.
fn nanos(ns: u128) -> String {
    let ns = ns as f64;
    match ns {
        _ if ns < 1e3 => format!("{ns} ns"),
        _ if ns < 1e6 => format!("{:.1} µs", ns / 1e3),
        _ if ns < 1e9 => format!("{:.1} ms", ns / 1e6),
        _ => format!("{:.2} s", ns / 1e9),
    }
}

/// A number of bytes with a unit that suits it.
fn bytes(n: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if n < 1024 {
        return format!("{n} bytes");
    }
    let mut value = n as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::{bytes, nanos};

    #[test]
    fn figures_have_units() {
        assert_eq!(
            [bytes(12), bytes(1536), bytes(5 << 30)],
            ["12 bytes", "1.5 KiB", "5.0 GiB"]
        );
        let shown = [
            nanos(12),
            nanos(1500),
            nanos(2_500_000),
            nanos(3_000_000_000),
        ];
        assert_eq!(shown, ["12 ns", "1.5 µs", "2.5 ms", "3.00 s"]);
    }
}
