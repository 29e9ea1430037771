//! The primitives from outside. A process has one heap, so each trial runs in a process of its own:
//! the test binary starts itself again with the trial's name in `BOWLINE_TRIAL`.
//!
//! Most trials are text (`cases/*.txt`): a line is an expression over primitives and what `write`
//! prints of its value, or, after `!`, what a person is told of its error. Each file runs twice:
//! plainly, and with a collection that moves everything at each allocation, where a value that was
//! not rooted shows. Trials run beside each other, so each has a folder of its own to write files into.

mod evaluate;
mod faults;
mod large;
mod polls;

use bowline_gc::{HeapConfig, Plan, Zeal};
use bowline_runtime::Rt;
use evaluate::Session;
use libtest_mimic::{Arguments, Failed, Trial};
use std::process::{Command, Stdio};

const VARIABLE: &str = "BOWLINE_TRIAL";

const FILES: &[(&str, &str)] = &[
    ("lists", include_str!("cases/lists.txt")),
    ("data", include_str!("cases/data.txt")),
    ("numbers", include_str!("cases/numbers.txt")),
    ("chars", include_str!("cases/chars.txt")),
    ("strings", include_str!("cases/strings.txt")),
    ("vectors", include_str!("cases/vectors.txt")),
    ("bytevectors", include_str!("cases/bytevectors.txt")),
    ("conditions", include_str!("cases/conditions.txt")),
    ("printer", include_str!("cases/printer.txt")),
    ("ports", include_str!("cases/ports.txt")),
    ("system", include_str!("cases/system.txt")),
    ("tables", include_str!("cases/tables.txt")),
    ("gc", include_str!("cases/gc.txt")),
    ("ffi", include_str!("cases/ffi.txt")),
];

fn runtime(config: HeapConfig) -> Rt {
    let heap = bowline_gc::start(config).expect("a heap");
    let args = vec!["prog".to_string(), "one".to_string()];
    Rt::new(heap.attach(), args).unwrap_or_else(|fault| panic!("no runtime: {fault:?}"))
}

fn run_file(text: &str, config: HeapConfig) {
    let zealous = config.zeal != Zeal::Off;
    let mut session = Session::new(runtime(config));
    let mut failures = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(';') {
            continue;
        }
        let (source, expected) = match line.rsplit_once(" => ") {
            Some((source, expected)) => (source, Some(expected.trim())),
            None => (line, None),
        };
        let got = session.run(source);
        if expected.is_some_and(|e| e != got) || expected.is_none() && got.starts_with("! ") {
            let expected = expected.unwrap_or("no error");
            failures.push(format!(
                "{}: {source}\n  want {expected}\n  got  {got}",
                number + 1
            ));
        }
    }
    assert_eq!(session.rt.flush_ports(), Ok(()));
    let stats = session.rt.heap().stats();
    assert!(!zealous || stats.collections > 10 && stats.moved_objects > 10);
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

fn zeal() -> HeapConfig {
    HeapConfig {
        zeal: Zeal::Allocation(1),
        verify: true,
        limit: Some(64 << 20),
        ..HeapConfig::default()
    }
}

fn body(name: &str) {
    let (kind, rest) = name.split_once("::").expect("a kind and a name");
    let file = || {
        let found = FILES.iter().find(|f| f.0 == rest);
        found.expect("no such file").1
    };
    match kind {
        "cases" => run_file(file(), HeapConfig::default()),
        "zeal" => run_file(file(), zeal()),
        "compact" => run_file(
            file(),
            HeapConfig {
                plan: Plan::CompactTest,
                ..HeapConfig::default()
            },
        ),
        "faults" => faults::run(),
        "polls" => polls::run(),
        _ => large::run(rest),
    }
}

fn run(name: &str) -> Result<(), Failed> {
    let me = std::env::current_exe()?;
    let unique = format!(
        "bowline-runtime-{}-{}",
        std::process::id(),
        name.replace("::", "-")
    );
    let folder = std::env::temp_dir().join(unique);
    std::fs::create_dir_all(&folder)?;
    let output = Command::new(me)
        .env(VARIABLE, name)
        .env("RUST_BACKTRACE", "0")
        .current_dir(&folder)
        .stdin(Stdio::null())
        .output();
    std::fs::remove_dir_all(&folder)?;
    let output = output?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{}\n{said}", output.status).into())
}

fn main() {
    if let Ok(name) = std::env::var(VARIABLE) {
        return body(&name);
    }
    let mut names = Vec::new();
    for (file, _) in FILES {
        names.push(format!("cases::{file}"));
        names.push(format!("zeal::{file}"));
    }
    names.push("compact::gc".to_string());
    names.push("faults::all".to_string());
    names.push("polls::all".to_string());
    names.extend(large::NAMES.iter().map(|name| format!("large::{name}")));
    let trials = names
        .into_iter()
        .map(|name| Trial::test(name.clone(), move || run(&name)))
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}
