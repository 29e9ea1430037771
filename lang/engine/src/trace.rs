//! The figures of a process, told at its end: as a table for people, as one object of JSON for programs.
//!
//! The heap hands them over when the process exits, however it does; see `Recording` in `bowline_gc`.

use std::fmt::Write;

use bowline_gc::{CalleeFigures, Owner, PauseFigures, Summary, ThreadFigures};
use serde_json::{Value, json};

use crate::session::tell;

/// How many foreign functions the table lists, and who holds C memory.
const TOP: usize = 12;

/// Prints the figures as a table on standard error.
pub fn tell_table(summary: &Summary) {
    tell(&table(summary));
}

/// Prints them as one line of JSON on standard error.
pub fn tell_json(summary: &Summary) {
    tell(&format!("{}\n", object(summary)));
}

fn seconds(ns: u64) -> String {
    format!("{:.3} s", ns as f64 / 1e9)
}

fn milliseconds(ns: u64) -> String {
    format!("{:.3} ms", ns as f64 / 1e6)
}

fn microseconds(ns: u64) -> String {
    format!("{:.2} µs", ns as f64 / 1e3)
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.2} MiB", bytes as f64 / f64::from(1 << 20))
}

fn percent(part: u64, whole: u64) -> String {
    format!("{:.1} %", part as f64 * 100.0 / whole.max(1) as f64)
}

/// A table under way.
struct Table(String);

impl Table {
    /// A row: what, how much, and a remark.
    fn row(&mut self, label: &str, value: impl ToString, remark: impl AsRef<str>) {
        let (value, remark) = (value.to_string(), remark.as_ref());
        let gap = if remark.is_empty() { "" } else { "   " };
        // Writing to a string does not fail, here and below.
        let _ = writeln!(self.0, "  {label:<22}{value:>14}{gap}{remark}");
    }

    fn title(&mut self, title: &str) {
        let _ = writeln!(self.0, "{title}");
    }

    /// That a list of so many goes on.
    fn more(&mut self, all: usize) {
        if all > TOP {
            self.title(&format!("    and {} more", all - TOP));
        }
    }

    /// A row of several columns.
    fn columns(&mut self, label: &str, cells: &[String]) {
        let _ = write!(self.0, "  {label:<22}");
        for cell in cells {
            let _ = write!(self.0, "{cell:>14}");
        }
        self.0.push('\n');
    }
}

fn heads<const N: usize>(names: [&str; N]) -> Vec<String> {
    names.map(str::to_owned).to_vec()
}

fn table(s: &Summary) -> String {
    let mut t = Table(String::new());
    t.title("time");
    t.row("wall", seconds(s.wall), "");
    let (user, system) = (seconds(s.usage.user), seconds(s.usage.system));
    let cpu = seconds(s.usage.user + s.usage.system);
    t.row("processor", cpu, format!("user {user}, system {system}"));
    t.row("resident at most", mebibytes(s.usage.resident), "");
    collections(&mut t, s);
    memory(&mut t, s);
    boundary(&mut t, s);
    t.0
}

fn collections(t: &mut Table, s: &Summary) {
    let gc = &s.gc;
    t.title("collections");
    let remark = format!(
        "{} for C's memory, {} during foreign calls",
        gc.pressure_collections, gc.in_foreign_calls
    );
    t.row("collections", gc.collections, remark);
    let paused = percent(s.pauses.total, s.wall) + " of wall";
    t.row("paused", milliseconds(s.pauses.total), paused);
    t.row(
        "stopping the threads",
        milliseconds(s.pauses.stop),
        "part of the pauses",
    );
    t.columns(
        "pauses",
        &heads(["count", "total", "median", "99 %", "longest"]),
    );
    let beside = [
        ("initial mark", &s.initial_mark),
        ("final mark", &s.final_mark),
    ];
    let beside = if gc.concurrent > 0 { &beside[..] } else { &[] };
    let usual = [("minor", &s.minor), ("full", &s.full), ("all", &s.pauses)];
    for (kind, p) in usual[..2].iter().chain(beside).chain(&usual[2..]) {
        let times = [p.total, p.median, p.p99, p.max].map(milliseconds);
        let count = [p.count.to_string()];
        t.columns(&format!("  {kind}"), &[&count[..], &times].concat());
    }
    if gc.concurrent + gc.fallbacks > 0 {
        let remark = format!("{} collections beside the program", gc.concurrent);
        t.row("marking", milliseconds(gc.marking_ns), remark);
        let remark = "full collections with one pause, for want of memory";
        t.row("fall-backs", gc.fallbacks, remark);
        let remark = format!("{} waits for the end of the marking", gc.stalls);
        t.row("stalled", milliseconds(gc.stalled_ns), remark);
    }
}

fn memory(t: &mut Table, s: &Summary) {
    let gc = &s.gc;
    t.title("heap");
    t.row("allocated", mebibytes(s.allocated), "by pages");
    t.row(
        "survived the nursery",
        percent(s.survived, s.young),
        format!("{} of {}", mebibytes(s.survived), mebibytes(s.young)),
    );
    let objects = format!("{} objects", gc.moved_objects);
    t.row("moved", mebibytes(gc.moved_bytes), objects);
    t.row("at most", mebibytes(s.peak_heap), "");
    t.row("at the end", mebibytes(gc.heap_bytes), "");
    t.title("C memory");
    if gc.degraded {
        t.row("counted", "no", "the process's malloc is not Bowline's");
    }
    let end = |bytes| format!("{} at the end", mebibytes(bytes));
    t.row("C, at most", mebibytes(s.peak_client), end(gc.client_bytes));
    t.row(
        "the runtime, at most",
        mebibytes(s.peak_runtime),
        end(gc.runtime_bytes),
    );
    t.row("declared", mebibytes(gc.declared_bytes), "at the end");
    t.row("owners", s.owners, "at the end");
    t.row("finalizers run", s.finalizers, "");
    let refused = format!("{} refused", gc.pressure_refusals);
    t.row("malloc waited", gc.pressure_waits, refused);
    held(t, &s.held);
}

/// Who holds C memory.
fn held(t: &mut Table, owners: &[Owner]) {
    if owners.is_empty() {
        return;
    }
    t.row("held at the end by", "bytes", "what, and where it was made");
    for owner in owners.iter().take(TOP) {
        t.row(&format!("  {}", owner.count), owner.bytes, &owner.label);
    }
    t.more(owners.len());
}

fn boundary(t: &mut Table, s: &Summary) {
    t.title("boundary");
    let calls: u64 = s.threads.iter().map(|thread| thread.shares.calls).sum();
    let callbacks: u64 = s.threads.iter().map(|thread| thread.shares.callbacks).sum();
    t.row("foreign calls", calls, "");
    t.row("callbacks", callbacks, "");
    t.row("pins", s.pins_made, format!("{} at the end", s.pins));
    for (name, count) in &s.gauges {
        t.row(name, count, "at the end");
    }
    t.columns("threads", &heads(["Scheme", "C", "collector", "calls"]));
    for ThreadFigures { name, shares } in &s.threads {
        let times = [shares.own, shares.c, shares.waited].map(milliseconds);
        let calls = [shares.calls.to_string()];
        t.columns(&format!("  {name}"), &[&times[..], &calls].concat());
    }
    if s.callees.is_empty() {
        return;
    }
    t.columns("functions", &heads(["calls", "total", "mean", "longest"]));
    for callee in s.callees.iter().take(TOP) {
        let mean = callee.total / callee.calls.max(1);
        let cells = [
            callee.calls.to_string(),
            milliseconds(callee.total),
            microseconds(mean),
            microseconds(callee.max),
        ];
        t.columns(&format!("  {}", name_of(callee)), &cells);
    }
    t.more(s.callees.len());
}

fn name_of(callee: &CalleeFigures) -> String {
    match callee.callback {
        true => format!("{} → callback", callee.name),
        false => callee.name.clone(),
    }
}

fn pauses(p: &PauseFigures) -> Value {
    json!({
        "count": p.count, "total_ns": p.total, "median_ns": p.median, "p99_ns": p.p99,
        "max_ns": p.max, "stop_ns": p.stop,
    })
}

fn object(s: &Summary) -> Value {
    let gc = &s.gc;
    let threads = s.threads.iter().map(|ThreadFigures { name, shares }| {
        json!({
            "name": name, "scheme_ns": shares.own, "c_ns": shares.c, "waited_ns": shares.waited,
            "calls": shares.calls, "callbacks": shares.callbacks,
        })
    });
    let functions = s.callees.iter().map(|c| {
        json!({
            "name": c.name, "callback": c.callback, "calls": c.calls, "total_ns": c.total,
            "max_ns": c.max,
        })
    });
    let held = s
        .held
        .iter()
        .map(|o| json!({ "what": o.label, "count": o.count, "bytes": o.bytes }));
    let gauges = s
        .gauges
        .iter()
        .map(|(name, n)| ((*name).to_owned(), json!(n)));
    json!({
        "wall_ns": s.wall,
        "user_ns": s.usage.user,
        "system_ns": s.usage.system,
        "peak_resident_bytes": s.usage.resident,
        "collections": gc.collections,
        "minor": gc.minor,
        "major": gc.major,
        "concurrent": gc.concurrent,
        "fallbacks": gc.fallbacks,
        "stalls": gc.stalls,
        "stalled_ns": gc.stalled_ns,
        "marking_ns": gc.marking_ns,
        "in_foreign_calls": gc.in_foreign_calls,
        "pressure_collections": gc.pressure_collections,
        "pressure_waits": gc.pressure_waits,
        "pressure_refusals": gc.pressure_refusals,
        "pauses": { "minor": pauses(&s.minor), "full": pauses(&s.full), "all": pauses(&s.pauses),
            "initial_mark": pauses(&s.initial_mark), "final_mark": pauses(&s.final_mark) },
        "allocated_bytes": s.allocated,
        "young_bytes": s.young,
        "survived_bytes": s.survived,
        "moved_objects": gc.moved_objects,
        "moved_bytes": gc.moved_bytes,
        "heap_bytes": gc.heap_bytes,
        "peak_heap_bytes": s.peak_heap,
        "client_bytes": gc.client_bytes,
        "peak_client_bytes": s.peak_client,
        "runtime_bytes": gc.runtime_bytes,
        "peak_runtime_bytes": s.peak_runtime,
        "declared_bytes": gc.declared_bytes,
        "degraded": gc.degraded,
        "finalizers": s.finalizers,
        "owners": s.owners,
        "held": Value::from_iter(held),
        "pins_made": s.pins_made,
        "pins": s.pins,
        "gauges": serde_json::Map::from_iter(gauges),
        "threads": Value::from_iter(threads),
        "functions": Value::from_iter(functions),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_gc::Shares;

    fn summary() -> Summary {
        let mut s = Summary {
            wall: 2_000_000_000,
            ..Summary::default()
        };
        s.pauses.total = 10_000_000;
        s.gauges.push(("handles", 3));
        s.threads.push(ThreadFigures {
            name: "main".into(),
            shares: Shares {
                calls: 7,
                ..Shares::default()
            },
        });
        s.held = vec![
            Owner {
                label: "(struct stat) of stat at main.scm:9".into(),
                bytes: 1440,
                count: 10,
            };
            TOP + 1
        ];
        s.callees = vec![
            CalleeFigures {
                name: "strlen".into(),
                calls: 4,
                total: 10_000,
                ..CalleeFigures::default()
            };
            TOP + 2
        ];
        s
    }

    #[test]
    fn the_table_is_aligned_and_gives_units() {
        let text = table(&summary());
        assert!(
            text.contains("\n  paused                     10.000 ms   0.5 % of wall\n"),
            "{text}"
        );
        assert!(
            text.contains("\n    strlen                           4      0.010 ms       2.50 µs")
        );
        assert!(text.contains("\n    and 2 more"), "{text}");
        assert!(
            text.contains(
                "\n  held at the end by             bytes   what, and where it was made\
                 \n    10                            1440   (struct stat) of stat at main.scm:9\n"
            ),
            "{text}"
        );
        assert!(text.contains("\n    and 1 more\nboundary"), "{text}");
        assert!(text.lines().all(|line| line.trim_end() == line), "{text}");
    }

    #[test]
    fn the_object_is_one_line_that_reads_back() {
        let text = object(&summary()).to_string();
        assert!(!text.contains('\n'));
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["pauses"]["all"]["total_ns"], 10_000_000);
        assert_eq!(read["gauges"]["handles"], 3);
        assert_eq!(read["threads"][0]["calls"], 7);
        assert_eq!(read["held"][TOP]["count"], 10);
        assert_eq!(read["held"][0]["bytes"], 1440);
    }
}
