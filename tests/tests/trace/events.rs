//! The events of a trace.

use std::path::Path;
use std::sync::Arc;

use bowline_tests::trials::trial;
use libtest_mimic::{Failed, Trial};

use crate::run::{Context, Trace, complaint, ensure};

pub(crate) fn trials(context: &Arc<Context>) -> Vec<Trial> {
    let new = |name: &str, run| trial(context, format!("events::{name}"), run);
    vec![
        new("agree with gc-stats", agree as fn(&Context, &Path) -> _),
        new("agree with gc-stats under zeal", under_zeal),
        new("nest callbacks in calls", nested),
        new("count what is short", counted),
        new("tell why a collection was made", reasons),
        new("tell of C's malloc", malloc),
        new("sample counters", counters),
        new("are cut off at a limit", truncated),
    ]
}

const WORK: &str = r#"
(define keep '())
(do ((i 0 (+ i 1))) ((= i 30))
  (set! keep (build 10000))
  (strlen "hello")
  (qsort (make-bytevector 80 i) 10 8 (lambda (a b) (build 50) 0)))
(qsort (make-bytevector 16 1) 2 8 (lambda (a b) (collect 'minor) 0))
(collect)
(for-each (lambda (name) (write (figure name)) (newline))
  '(collections minor major moved-objects moved-bytes total-pause-ns max-pause-ns in-foreign-calls))
"#;

/// Checks a trace of [`WORK`] against what the program has printed.
fn compare(trace: &Trace) -> Result<(), Failed> {
    let outcome = &trace.outcome;
    let printed: Vec<u64> = outcome
        .stdout
        .lines()
        .filter_map(|n| n.parse().ok())
        .collect();
    if outcome.exit != Some(0) || printed.len() != 8 || !outcome.stderr.is_empty() {
        return Err(complaint("expected eight figures", outcome));
    }
    trace.check()?;
    let summary = trace.metadata("bowline_summary")[0];
    let names = [
        "collections",
        "minor",
        "major",
        "moved_objects",
        "moved_bytes",
        "total_pause_ns",
        "max_pause_ns",
        "in_foreign_calls",
    ];
    // Between the figures that the program prints there may be collections more.
    for (name, printed) in names.iter().zip(&printed) {
        let told = summary[name].as_u64().unwrap_or(0);
        ensure(
            told >= *printed && *printed > 0,
            &format!("{name}: {told} is at least {printed}"),
        )?;
    }
    Ok(())
}

fn agree(context: &Context, folder: &Path) -> Result<(), Failed> {
    let trace = context.trace(folder, &["--nursery=4m"], WORK)?;
    compare(&trace)?;
    let told = trace.metadata("bowline_summary")[0]["collections"].as_u64();
    let printed = trace
        .outcome
        .stdout
        .lines()
        .next()
        .and_then(|n| n.parse().ok());
    ensure(
        told == printed,
        "nothing is collected after the last figure",
    )
}

fn under_zeal(context: &Context, folder: &Path) -> Result<(), Failed> {
    let work = WORK.replace("10000", "100").replace("(= i 30)", "(= i 5)");
    let trace = context.trace(folder, &["--zeal=crossing:4", "--trace-min=0"], &work)?;
    // Under zeal no collection is a minor one.
    let figures = trace.outcome.stdout.replacen("\n0\n", "\n1\n", 1);
    ensure(
        figures != trace.outcome.stdout,
        "no minor collection under zeal",
    )?;
    trace.check()?;
    let zeal = trace
        .collections()
        .iter()
        .filter(|c| c.args["reason"] == "zeal")
        .count();
    let noted = trace
        .instants()
        .iter()
        .filter(|name| **name == "zeal")
        .count();
    ensure(
        zeal > 5 && noted == zeal,
        &format!("{zeal} collections of zeal, {noted} noted"),
    )
}

fn nested(context: &Context, folder: &Path) -> Result<(), Failed> {
    let body = r#"(usleep 2000) (|odd "name\\ of λ| 2000)
(qsort (make-bytevector 16 1) 2 8 (lambda (a b) (usleep 2000) 0))"#;
    let trace = context.trace(folder, &[], body)?;
    trace.check()?;
    let mut slices = trace.slices();
    slices.retain(|slice| slice.name != "waiting for the collector");
    slices.sort_by_key(|slice| (slice.begin, std::cmp::Reverse(slice.end)));
    let names: Vec<_> = slices.iter().map(|slice| slice.name.as_str()).collect();
    let wanted = [
        "usleep",
        "odd \"name\\ of λ",
        "qsort",
        "qsort callback",
        "usleep",
    ];
    ensure(names == wanted, &format!("{names:?} is {wanted:?}"))?;
    let kinds: Vec<_> = trace
        .of("X")
        .map(|event| event["cat"].as_str().unwrap_or(""))
        .collect();
    // A slice is written when it ends.
    ensure(
        kinds == ["call", "call", "call", "callback", "call"],
        &format!("{kinds:?}"),
    )?;
    let long = slices
        .iter()
        .all(|slice| slice.end - slice.begin >= 2_000_000);
    ensure(long, "what sleeps two milliseconds takes as long")?;
    let threads = trace.metadata("bowline_thread");
    ensure(
        threads.len() == 1 && threads[0]["name"] == "main",
        "one thread, main",
    )?;
    let c = threads[0]["c_ns"].as_u64().unwrap_or(0);
    let slept = slices[0].end - slices[0].begin + slices[1].end - slices[1].begin;
    ensure(
        c >= slept + 2_000_000,
        &format!("{c} ns in C, of which {slept} and one more asleep"),
    )
}

fn counted(context: &Context, folder: &Path) -> Result<(), Failed> {
    let body = "(do ((i 0 (+ i 1))) ((= i 5000)) (strlen \"hello\"))
(qsort (make-bytevector 800 1) 100 8 (lambda (a b) 0))";
    let trace = context.trace(folder, &["--trace-min=1000ms"], body)?;
    trace.check()?;
    ensure(
        trace.of("X").all(|e| e["cat"] == "gc"),
        "no crossing is long enough",
    )?;
    let functions = trace.metadata("bowline_function");
    let calls = |name: &str, callback: bool| {
        let mut all = functions.iter();
        let found = all.find(|f| f["name"] == name && f["callback"] == callback);
        found.and_then(|f| f["calls"].as_u64()).unwrap_or(0)
    };
    ensure(calls("strlen", false) == 5000, "every call is counted")?;
    let callbacks = calls("qsort", true);
    ensure(
        calls("qsort", false) == 1 && callbacks >= 99,
        "every callback too",
    )?;
    let sum = |field: &str| -> u64 {
        let crossings = trace.of("C").filter(|c| c["name"] == "crossings of main");
        crossings.filter_map(|c| c["args"][field].as_u64()).sum()
    };
    ensure(
        sum("calls") == 5001,
        &format!("{} calls in the counters", sum("calls")),
    )?;
    ensure(sum("callbacks") == callbacks, "and the callbacks")?;
    let everything = context.trace(folder, &["--trace-min=0"], body)?;
    everything.check()?;
    let calls = everything.of("X").filter(|e| e["cat"] == "call").count();
    ensure(
        calls == 5001,
        &format!("{calls} slices of calls without a least time"),
    )
}

fn reasons(context: &Context, folder: &Path) -> Result<(), Failed> {
    let body = "(define keep '())
(do ((i 0 (+ i 1))) ((= i 5)) (set! keep (build 20000)))
(collect 'minor)
(do ((i 0 (+ i 1))) ((= i 300)) (make-foreign-memory 1000000))
(guard (e (#t (display \"full\"))) (let loop ((l '())) (loop (cons (make-vector 1000 1) l))))";
    let trace = context.trace(folder, &["--heap=64m", "--nursery=4m"], body)?;
    if trace.outcome.stdout != "full" {
        return Err(complaint("expected a full heap", &trace.outcome));
    }
    trace.check()?;
    let collections = trace.collections();
    for reason in ["nursery full", "asked", "young owners", "limit"] {
        let found = collections.iter().any(|c| c.args["reason"] == reason);
        ensure(found, &format!("a collection because of: {reason}"))?;
    }
    let unknown = collections.iter().filter(|c| c.args["reason"] == "unknown");
    ensure(unknown.count() == 0, "no collection without a reason")?;
    ensure(
        trace.instants().contains(&"out of memory"),
        "out of memory is an event",
    )
}

fn malloc(context: &Context, folder: &Path) -> Result<(), Failed> {
    let body = "(define-foreign malloc (libc \"malloc\") (size_t) pointer)
(define-foreign memset (libc \"memset\") (pointer int size_t) pointer)
(let loop ((i 0)) (let ((p (malloc 1000000))) (if (pointer-null? p) (write i) (loop (+ i 1)))))";
    let trace = context.trace(folder, &["--heap=64m"], body)?;
    trace.check()?;
    let blocks: Option<u64> = trace.outcome.stdout.parse().ok();
    ensure(
        blocks.is_some_and(|n| n > 30),
        "C gets some memory, and then none",
    )?;
    let instants = trace.instants();
    for name in [
        "malloc asked for a collection",
        "malloc waits for a collection",
        "malloc refused",
    ] {
        ensure(
            instants.contains(&name),
            &format!("{name} is in {instants:?}"),
        )?;
    }
    let collections = trace.collections();
    let for_malloc = collections
        .iter()
        .filter(|c| c.args["reason"] == "C's malloc");
    ensure(for_malloc.count() > 0, "a collection because of C's malloc")
}

fn counters(context: &Context, folder: &Path) -> Result<(), Failed> {
    let body = "(define p (make-foreign-memory 5000000))
(pin! (make-bytevector 10))
(usleep 30000)
(write (list (figure 'client-bytes) (figure 'heap-bytes)))
(pointer-ref p int8 0)";
    let trace = context.trace(folder, &[], body)?;
    if trace.outcome.exit != Some(0) {
        return Err(complaint("expected success", &trace.outcome));
    }
    trace.check()?;
    let last = |name: &str| trace.of("C").filter(|c| c["name"] == name).last();
    let value = |name: &str, series: &str| {
        let last = last(name).and_then(|c| c["args"][series].as_u64());
        last.ok_or_else(|| Failed::from(format!("no counter {name}")))
    };
    let printed = trace.outcome.stdout.trim_matches(['(', ')']).split(' ');
    let printed: Vec<u64> = printed.filter_map(|n| n.parse().ok()).collect();
    ensure(printed.len() == 2, "two figures")?;
    let (client, heap) = (value("C memory", "client")?, value("heap", "bytes")?);
    ensure(
        client.abs_diff(printed[0]) < 1 << 20,
        &format!("C: {client} is {}", printed[0]),
    )?;
    ensure(client > 5_000_000, "the memory that was made is counted")?;
    ensure(
        heap.abs_diff(printed[1]) < 1 << 20,
        &format!("heap: {heap} is {}", printed[1]),
    )?;
    ensure(
        value("pins", "objects")? == 1 && value("owners", "objects")? == 1,
        "one of each",
    )?;
    ensure(
        value("C memory", "runtime")? > 1 << 20,
        "the runtime's own memory is counted apart",
    )
}

fn truncated(context: &Context, folder: &Path) -> Result<(), Failed> {
    let body = "(do ((i 0 (+ i 1))) ((= i 50000)) (strlen \"hello\"))";
    let flags = ["--trace-min=0", "--trace-limit=200k"];
    let trace = context.trace(folder, &flags, body)?;
    let marker = trace
        .instants()
        .iter()
        .any(|name| name.starts_with("truncated at "));
    ensure(marker, "it is told")?;
    let bytes = std::fs::metadata(folder.join("t.json"))?.len();
    ensure(bytes <= 200 << 10, &format!("{bytes} bytes"))?;
    let functions = trace.metadata("bowline_function");
    ensure(functions[0]["calls"] == 50_000, "the sums are whole")
}
