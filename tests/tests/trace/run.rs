//! Running a program with a trace, and reading the trace.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use bowline_tests::process::{self, Outcome};
use libtest_mimic::Failed;
use serde_json::Value;

/// How long one process may take, on a busy machine.
const LIMIT: Duration = Duration::from_secs(100);

/// One for the whole run.
pub(crate) struct Context {
    pub(crate) bowline: PathBuf,
}

impl Context {
    pub(crate) fn new() -> Result<Context, String> {
        let bowline = process::product("bowline")?;
        Ok(Context { bowline })
    }

    /// Runs `body`, with the usual imports, in `folder`.
    pub(crate) fn run(&self, folder: &Path, flags: &[&str], body: &str) -> Result<Outcome, Failed> {
        std::fs::write(folder.join("p.scm"), format!("{PRELUDE}\n{body}\n"))?;
        let mut command = Command::new(&self.bowline);
        command.arg("run").args(flags).arg("p.scm");
        Ok(process::run(&mut command, folder, "", LIMIT)?)
    }

    /// Runs `body` with a trace, and reads that.
    pub(crate) fn trace(&self, folder: &Path, flags: &[&str], body: &str) -> Result<Trace, Failed> {
        let flags = [&["--trace=t.json"], flags].concat();
        let outcome = self.run(folder, &flags, body)?;
        Ok(Trace {
            events: read(&folder.join("t.json"))?,
            outcome,
        })
    }
}

const PRELUDE: &str = r#"
(import (scheme base) (scheme write) (scheme process-context) (bowline ffi) (bowline gc))
(define-foreign-library libc "libc.so.6")
(define-foreign strlen (libc "strlen") (string) size_t)
(define-foreign usleep (libc "usleep") (uint) int)
(define-foreign |odd "name\\ of λ| (libc "usleep") (uint) int)
(define-foreign qsort (libc "qsort") (bytevector size_t size_t (callback (pointer pointer) int)) void)
(define (build n) (if (= n 0) '() (cons (make-vector 10 n) (build (- n 1)))))
(define (figure name) (cdr (assq name (gc-stats))))
"#;

/// A trace and the run that made it.
pub(crate) struct Trace {
    pub(crate) events: Vec<Value>,
    pub(crate) outcome: Outcome,
}

/// The events of a whole trace.
pub(crate) fn read(path: &Path) -> Result<Vec<Value>, Failed> {
    Ok(serde_json::from_str(&std::fs::read_to_string(path)?)?)
}

/// A time of an event, in nanoseconds.
pub(crate) fn ns(event: &Value, field: &str) -> u64 {
    (event[field].as_f64().unwrap_or(-1e9) * 1000.0).round() as u64
}

/// A slice.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Slice {
    pub(crate) name: String,
    pub(crate) track: u64,
    pub(crate) begin: u64,
    pub(crate) end: u64,
    pub(crate) args: Value,
}

impl Trace {
    /// The events of a kind.
    pub(crate) fn of(&self, phase: &str) -> impl Iterator<Item = &Value> {
        self.events.iter().filter(move |event| event["ph"] == phase)
    }

    /// The arguments of the metadata events of a name.
    pub(crate) fn metadata(&self, name: &str) -> Vec<&Value> {
        let all = self.of("M").filter(|event| event["name"] == name);
        all.map(|event| &event["args"]).collect()
    }

    /// The names of the instants.
    pub(crate) fn instants(&self) -> Vec<&str> {
        self.of("i")
            .filter_map(|event| event["name"].as_str())
            .collect()
    }

    /// All slices, in the order of the file.
    pub(crate) fn slices(&self) -> Vec<Slice> {
        let slice = |event: &Value| Slice {
            name: event["name"].as_str().unwrap_or_default().to_owned(),
            track: event["tid"].as_u64().unwrap_or_default(),
            begin: ns(event, "ts"),
            end: ns(event, "ts") + ns(event, "dur"),
            args: event["args"].clone(),
        };
        self.of("X").map(slice).collect()
    }

    /// The slices of collections.
    pub(crate) fn collections(&self) -> Vec<Slice> {
        let all = self.slices().into_iter();
        all.filter(|slice| slice.name.ends_with(" collection"))
            .collect()
    }

    /// Checks what holds of every trace: slices nest on each track, times are in order, and the sums at the end
    /// are those of the parts.
    pub(crate) fn check(&self) -> Result<(), Failed> {
        let mut tracks: BTreeMap<u64, Vec<Slice>> = BTreeMap::new();
        for slice in self.slices() {
            tracks.entry(slice.track).or_default().push(slice);
        }
        for slices in tracks.values_mut() {
            slices.sort_by_key(|slice| (slice.begin, std::cmp::Reverse(slice.end)));
            nest(slices)?;
        }
        let named = self.metadata("thread_name");
        ensure(named.len() >= tracks.len(), "every track has a name")?;
        for counter in self.of("C") {
            let values = counter["args"].as_object();
            let numbers = values.is_some_and(|v| !v.is_empty() && v.values().all(Value::is_u64));
            ensure(numbers, &format!("a counter of numbers: {counter}"))?;
        }
        self.check_collections()
    }

    /// Every collection is there once, in order, and they add up to the summary.
    fn check_collections(&self) -> Result<(), Failed> {
        let collections = self.collections();
        let summary = self.metadata("bowline_summary");
        let [summary] = summary[..] else {
            return Err("there is one summary".into());
        };
        let numbers: Vec<_> = collections
            .iter()
            .map(|c| c.args["number"].as_u64())
            .collect();
        let wanted: Vec<_> = (1..=collections.len() as u64).map(Some).collect();
        ensure(
            numbers == wanted,
            &format!("every collection once: {numbers:?}"),
        )?;
        let sum = |field: &str| -> u64 {
            let values = collections.iter().filter_map(|c| c.args[field].as_u64());
            values.sum()
        };
        let kind = |kind: &str| {
            collections
                .iter()
                .filter(|c| c.args["kind"] == kind)
                .count()
        };
        for (field, sum) in [
            ("collections", collections.len() as u64),
            ("minor", kind("minor") as u64),
            ("major", kind("full") as u64),
            ("total_pause_ns", sum("pause_ns")),
            ("stop_ns", sum("stop_ns")),
            ("moved_objects", sum("moved_objects")),
            ("moved_bytes", sum("moved_bytes")),
        ] {
            ensure(
                summary[field] == sum,
                &format!("{field}: {} is {sum}", summary[field]),
            )?;
        }
        Ok(())
    }
}

/// Checks that of two slices one holds the other, or they are apart. They are sorted.
fn nest(slices: &[Slice]) -> Result<(), Failed> {
    let mut open: Vec<&Slice> = Vec::new();
    for slice in slices {
        open.retain(|outer| outer.end > slice.begin);
        if let Some(outer) = open.iter().find(|outer| outer.end < slice.end) {
            return Err(format!("{slice:?} begins in {outer:?} and ends after it").into());
        }
        open.push(slice);
    }
    Ok(())
}

/// That something is so.
pub(crate) fn ensure(so: bool, what: &str) -> Result<(), Failed> {
    match so {
        true => Ok(()),
        false => Err(format!("not so: {what}").into()),
    }
}

/// Everything that is known of a process that did something else than it should.
pub(crate) fn complaint(wanted: &str, outcome: &Outcome) -> Failed {
    let (ending, stdout, stderr) = (outcome.ending(), &outcome.stdout, &outcome.stderr);
    format!("{wanted}\ngot {ending} and the output\n{stdout}\nwith the diagnostics\n{stderr}")
        .into()
}
