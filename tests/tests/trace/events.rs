//! The events of a trace.

use std::path::Path;
use std::sync::Arc;

use bowline_tests::trials::trial;
use libtest_mimic::{Failed, Trial};

use crate::run::{Context, Slice, complaint, ensure, ns};

pub(crate) fn trials(context: &Arc<Context>) -> Vec<Trial> {
    let new = |name: &str, run| trial(context, format!("events::{name}"), run);
    vec![
        new("agree with gc-stats", agree as fn(&Context, &Path) -> _),
        new("agree with gc-stats under zeal", under_zeal),
        new("nest callbacks in calls", nested),
        new("count what is short", counted),
        new("share a thread's time out without a rest", shared_out),
        new("tell why a collection was made", reasons),
        new("tell that the heap has grown", heap_grows),
        new("tell that C's memory has grown", c_grows),
        new("tell which of both has grown", both_grow),
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
(define figures (gc-stats))
(for-each (lambda (name) (write (cdr (assq name figures))) (newline))
  '(collections minor major moved-objects moved-bytes total-pause-ns max-pause-ns in-foreign-calls))
"#;

/// The sums of a trace are what the program has printed last, after which nothing was collected.
fn agree(context: &Context, folder: &Path) -> Result<(), Failed> {
    let trace = context.trace(folder, &["--nursery=4m"], WORK)?;
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
    for (name, printed) in names.iter().zip(&printed) {
        let told = &summary[name];
        ensure(
            *told == *printed && *printed > 0,
            &format!("{name}: {told} is {printed}"),
        )?;
    }
    Ok(())
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

/// From its first crossing to its last all of a thread's time is in one of its shares, and in the right one.
fn shared_out(context: &Context, folder: &Path) -> Result<(), Failed> {
    let body = format!("(strlen \"first\")\n{WORK}\n(usleep 1000)");
    let trace = context.trace(folder, &["--nursery=4m", "--trace-min=0"], &body)?;
    trace.check()?;
    let mut slices = trace.slices();
    let main = slices.iter().find(|slice| slice.name == "strlen");
    let main = main.ok_or("a slice of strlen")?.track;
    slices.retain(|slice| slice.track == main);
    let begin = slices.iter().map(|slice| slice.begin).min().unwrap_or(0);
    let end = slices.iter().map(|slice| slice.end).max().unwrap_or(0);
    let sum = |category: &str| -> u64 {
        let all = trace.of("X").filter(|event| event["cat"] == category);
        all.map(|event| ns(event, "dur")).sum()
    };
    let threads = trace.metadata("bowline_thread");
    let [thread] = threads[..] else {
        return Err("there is one thread".into());
    };
    let [scheme, c, waited] =
        ["scheme_ns", "c_ns", "waited_ns"].map(|share| thread[share].as_u64().unwrap_or(0));
    // A callback is no time in C, but what it calls is a call again.
    let called = sum("call") - sum("callback");
    ensure(
        c == called && c > 1_000_000,
        &format!("{c} ns in C of {called}"),
    )?;
    ensure(
        waited == sum("wait") && waited > 0,
        &format!("{waited} ns of {}", sum("wait")),
    )?;
    let wall = trace.metadata("bowline_summary")[0]["wall_ns"].as_u64();
    let shares = scheme + c + waited;
    ensure(
        end - begin <= shares && wall.is_some_and(|wall| shares <= wall),
        &format!(
            "{shares} ns are shared out of {wall:?}, {} between crossings",
            end - begin
        ),
    )
}

/// Runs `body`, and returns why each collection was made and what it has printed at its end: how many were for
/// C's memory.
fn told(context: &Context, folder: &Path, body: &str) -> Result<(Vec<String>, usize), Failed> {
    let body = format!("(define keep '())\n{body}\n(write (figure 'pressure-collections))");
    let trace = context.trace(folder, &["--heap=1g", "--nursery=4m"], &body)?;
    trace.check()?;
    let reason = |c: Slice| c.args["reason"].as_str().unwrap_or_default().to_owned();
    let reasons = trace.collections().into_iter().map(reason).collect();
    let counted = trace.outcome.stdout.parse();
    let counted = counted.map_err(|_| complaint("expected a number", &trace.outcome))?;
    Ok((reasons, counted))
}

/// Nothing but `wanted` is told, the first of them at least once.
fn only(reasons: &[String], wanted: &[&str]) -> Result<(), Failed> {
    let none_else = reasons.iter().all(|reason| wanted.contains(&&**reason));
    let first = reasons.iter().any(|reason| reason == wanted[0]);
    ensure(none_else && first, &format!("{reasons:?} is of {wanted:?}"))
}

const LARGE: &str =
    "(do ((i 0 (+ i 1))) ((= i 2000)) (set! keep (cons (make-vector 10000 i) keep)))";
const SMALL: &str = "(do ((i 0 (+ i 1))) ((= i 2000000)) (set! keep (cons (vector i i) keep)))";
const OWNED: &str =
    "(do ((i 0 (+ i 1))) ((= i 100)) (set! keep (cons (make-foreign-memory 1000000) keep)))";
const MALLOC: &str = "(define-foreign malloc (libc \"malloc\") (size_t) pointer)
(do ((i 0 (+ i 1))) ((= i 1000)) (malloc 100000))";

fn heap_grows(context: &Context, folder: &Path) -> Result<(), Failed> {
    for body in [LARGE, SMALL] {
        let (reasons, counted) = told(context, folder, body)?;
        only(&reasons, &["heap full", "nursery full"])?;
        ensure(counted == 0, &format!("{counted} for C's memory"))?;
    }
    Ok(())
}

fn c_grows(context: &Context, folder: &Path) -> Result<(), Failed> {
    for (body, wanted) in [
        (OWNED, &["C memory", "young owners"]),
        (MALLOC, &["C's malloc", "C memory"]),
    ] {
        let (reasons, counted) = told(context, folder, body)?;
        only(&reasons, wanted)?;
        let all = reasons.len();
        ensure(
            counted == all,
            &format!("{counted} of {all} for C's memory"),
        )?;
    }
    Ok(())
}

/// C's memory grows until the first collection that the program asks for, then the heap, then C's memory again.
fn both_grow(context: &Context, folder: &Path) -> Result<(), Failed> {
    let more = OWNED.replace("(= i 100)", "(= i 400)");
    let body = format!("{OWNED}\n(collect)\n{LARGE}\n{SMALL}\n(collect)\n{more}");
    let (reasons, counted) = told(context, folder, &body)?;
    // `(collect)` is a minor one and a full one.
    let phases = reasons.split(|reason| reason == "asked");
    let phases: Vec<_> = phases.filter(|phase| !phase.is_empty()).collect();
    let [c, heap, c_again] = phases[..] else {
        return Err(format!("{reasons:?} is three phases").into());
    };
    only(c, &["C memory", "young owners"])?;
    only(heap, &["heap full", "nursery full"])?;
    only(c_again, &["young owners", "C memory"])?;
    let for_c = c.len() + c_again.len();
    ensure(
        counted == for_c,
        &format!("{counted} of {for_c} for C's memory"),
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
    let flags = ["--trace-min=0", "--trace-limit=128k"];
    let trace = context.trace(folder, &flags, body)?;
    let marker = trace
        .instants()
        .iter()
        .any(|name| name.starts_with("truncated at "));
    ensure(marker, "it is told")?;
    let bytes = std::fs::metadata(folder.join("t.json"))?.len();
    ensure(bytes <= 128 << 10, &format!("{bytes} bytes"))?;
    let slices = trace.slices().len();
    ensure(slices > 100, &format!("{slices} slices are there"))?;
    let functions = trace.metadata("bowline_function");
    ensure(functions[0]["calls"] == 50_000, "the sums are whole")
}
