//! The options that tell what the collector does: `--gc-log`, `--stats`, `--trace`.

use std::path::PathBuf;

use bowline_engine::trace;
use bowline_gc::{Recording, Tracing};
use clap::{Args, ValueEnum};

use crate::options::size;

/// Crossings of fewer nanoseconds are only counted, unless the command line says otherwise.
const LEAST: u64 = 10_000;
/// The most bytes of a trace, unless the command line says otherwise.
const LIMIT: usize = 256 << 20;
/// The fewest that hold the sums and some events.
const LEAST_LIMIT: usize = 128 << 10;

/// What the help puts these options under.
const TOLD: &str = "What is told of the run";

/// How figures look.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Figures {
    /// For people.
    Table,
    /// For programs, one line.
    Json,
}

/// What is told of a program's run.
#[derive(Args, Debug, Default)]
pub(crate) struct RecordingOptions {
    /// Tell of each collection on standard error, a line each.
    #[arg(long, help_heading = TOLD)]
    gc_log: bool,
    /// Tell figures on standard error when the program ends: table (if nothing is said) or json.
    #[arg(long, value_name = "FORM", num_args = 0..=1, require_equals = true,
          default_missing_value = "table", help_heading = TOLD)]
    stats: Option<Figures>,
    /// Write a trace for https://ui.perfetto.dev or bowline trace-view.
    #[arg(long, value_name = "FILE", help_heading = TOLD)]
    trace: Option<PathBuf>,
    /// Crossings that take less are counted in the trace but are no events of it, as 500ns, 10us, 1ms.
    #[arg(long, value_name = "TIME", value_parser = nanoseconds, requires = "trace",
          help_heading = TOLD)]
    trace_min: Option<u64>,
    /// The most that the trace may take, 128k at least; then it is cut off, and says so.
    #[arg(long, value_name = "SIZE", value_parser = limit, requires = "trace",
          help_heading = TOLD)]
    trace_limit: Option<usize>,
}

impl RecordingOptions {
    pub(crate) fn config(&self) -> Recording {
        Recording {
            gc_log: self.gc_log,
            trace: self.trace.as_ref().map(|path| Tracing {
                path: path.clone(),
                name: "bowline".into(),
                least: self.trace_min.unwrap_or(LEAST),
                limit: self.trace_limit.unwrap_or(LIMIT) as u64,
            }),
            at_end: self.stats.map(|figures| match figures {
                Figures::Table => trace::tell_table,
                Figures::Json => trace::tell_json,
            }),
            signals: true,
        }
    }
}

/// A time: digits, then ns, us or ms; 0 needs no unit.
fn nanoseconds(text: &str) -> Result<u64, String> {
    let units = [("ns", 1), ("us", 1000), ("µs", 1000), ("ms", 1_000_000)];
    let with_unit = units.iter().find_map(|(unit, ns)| {
        let digits = text.strip_suffix(unit)?;
        digits.parse::<u64>().ok()?.checked_mul(*ns)
    });
    match text {
        "0" => Ok(0),
        _ => with_unit
            .ok_or_else(|| format!("\"{text}\" is no time: give a number with ns, us or ms")),
    }
}

/// A size that a trace may be limited to.
fn limit(text: &str) -> Result<usize, String> {
    match size(text)? {
        bytes if bytes < LEAST_LIMIT => Err(format!(
            "\"{text}\" is too little: a trace takes 128k at least"
        )),
        bytes => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_leaves_room_for_the_sums() {
        assert_eq!(limit("128k"), Ok(LEAST_LIMIT));
        for little in ["0", "1", "1k", "127k"] {
            let message = format!("\"{little}\" is too little: a trace takes 128k at least");
            assert_eq!(limit(little), Err(message));
        }
        let message = limit("x").unwrap_err();
        assert!(message.starts_with("\"x\" is no size"), "{message}");
    }

    #[test]
    fn times_need_a_unit() {
        for (text, ns) in [
            ("0", 0),
            ("500ns", 500),
            ("10us", 10_000),
            ("3µs", 3000),
            ("1ms", 1_000_000),
        ] {
            assert_eq!(nanoseconds(text), Ok(ns));
        }
        for bad in ["", "10", "us", "-1us", "1s", "1.5ms", "99999999999999999ms"] {
            let message = nanoseconds(bad).unwrap_err();
            assert_eq!(
                message,
                format!("\"{bad}\" is no time: give a number with ns, us or ms")
            );
        }
    }
}
