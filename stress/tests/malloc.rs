//! The command, against mallocs whose faults are known: `faulty.c` compiled with one fault each.
//! What is planted must be found, what is right must pass, and each end has its exit code.

mod run;

use run::{Run, scratch, stress};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

fn compile(source: &Path, name: &str, options: &[&str]) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock();
    let library = scratch().join(format!("{name}.so"));
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror"]);
    let done = cc.args(options).arg("-o").arg(&library).arg(source);
    assert!(done.status().unwrap().success());
    library
}

/// `--against` the malloc with this fault; `NONE` is right.
fn faulty(fault: &str) -> String {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faulty.c");
    let option = format!("-DFAULT_{fault}");
    let library = compile(&source, fault, &[&option, "-pthread"]);
    format!("--against={}", library.display())
}

/// A hang that is looked for is found soon; one that is not may be a busy machine.
fn patience(fault: &str) -> &'static str {
    match fault {
        "HANG" => "--patience=4",
        _ => "--patience=60",
    }
}

/// Tortures the malloc with this fault until it is found.
#[track_caller]
fn found(fault: &str, code: i32, seen: &str) {
    let against = faulty(fault);
    let mut arguments = vec!["malloc", &against, patience(fault), "--shrink=2"];
    arguments.extend(["--only=torture", "--seed=7", "--seconds=120"]);
    stress(&arguments).ended(code, &[seen, "again:    bowline-stress malloc --replay="]);
}

/// Does checks against the malloc with this fault.
fn checked(fault: &str, names: &[&str]) -> Run {
    let against = faulty(fault);
    let only: Vec<String> = names.iter().map(|name| format!("--only={name}")).collect();
    let mut arguments = vec!["malloc", &against, patience(fault)];
    arguments.extend(only.iter().map(String::as_str));
    stress(&arguments)
}

#[test]
fn a_right_malloc_passes_the_torture() {
    let against = faulty("NONE");
    let arguments = [
        "malloc",
        &against,
        "--only=torture",
        "--seconds=8",
        "--seed=3",
    ];
    stress(&arguments).ended(0, &["ok        torture: "]);
}

#[test]
fn a_right_malloc_passes_the_checks() {
    let names = [
        "malloc-apart",
        "malloc-over-errno",
        "malloc-align-16",
        "calloc-zero-again",
        "realloc-grows",
        "usable-holds",
        "free-errno",
        "fork-threads",
        "thread-apart",
        "thread-destructor",
        "exit-handlers",
        "limit-refused",
        "limit-recovers",
        "limit-realloc",
        "vast-malloc",
        "vast-realloc",
        "zero-many-distinct",
        "realloc-borders",
        "usable-stable",
        "calloc-zero-mixed",
        "thread-ring",
        "thread-crossed",
        "fork-apart",
        "fork-handlers",
        "libc-asprintf",
        // Of the C++ library, above any malloc.
        "new-throws",
        "new-handler",
        "new-handler-room",
        "delete-told",
    ];
    let run = checked("NONE", &names).ended(0, &["29 checks: 29 ok, 0 failed"]);
    assert!(!run.out.contains("BROKEN"), "{}", run.out);
}

#[test]
fn overlapping_blocks_are_found() {
    // Another thread may find its contents gone before the map is asked.
    found("OVERLAP", 1, "BROKEN    torture");
    checked("OVERLAP", &["malloc-apart"]).ended(1, &["BROKEN    malloc-apart", "reach into"]);
}

#[test]
fn a_forgotten_errno_is_found() {
    found(
        "NO_ERRNO",
        1,
        "errno 0, not 12; --without=errno looks past it",
    );
    let names = [
        "malloc-over-errno",
        "calloc-overflow-errno",
        "vast-malloc",
        "vast-calloc",
    ];
    checked("NO_ERRNO", &names).ended(1, &["set errno to 0, not 12", "4 failed"]);
}

#[test]
fn a_misaligned_block_is_found() {
    found("MISALIGNED", 1, "no multiple of 16");
    checked("MISALIGNED", &["malloc-align"]).ended(1, &["malloc(100) gave", "no multiple of 16"]);
}

#[test]
fn dirty_zeros_are_found() {
    found(
        "DIRTY_CALLOC",
        1,
        "and not zero; --without=calloc looks past it",
    );
    let names = ["calloc-zero-again", "calloc-zero-mixed"];
    checked("DIRTY_CALLOC", &names).ended(1, &["BROKEN    calloc-zero-mixed", "2 failed"]);
}

#[test]
fn a_realloc_that_loses_is_found() {
    found("REALLOC_LOSES", 1, "after realloc: byte");
    let names = ["realloc-grows", "realloc-borders", "realloc-apart"];
    checked("REALLOC_LOSES", &names).ended(1, &["BROKEN    realloc-borders", "3 failed"]);
}

#[test]
fn a_block_served_twice_is_found() {
    found("DOUBLE_SERVING", 1, "BROKEN    torture");
    checked("DOUBLE_SERVING", &["thread-apart"]).ended(1, &["among eight threads: byte"]);
    checked("DOUBLE_SERVING", &["thread-crossed"]).ended(1, &["left by another thread: byte"]);
}

#[test]
fn a_usable_size_that_lies_is_found() {
    found("USABLE_LIES", 1, "BROKEN    torture");
    let names = ["usable-holds", "realloc-usable-enough"];
    checked("USABLE_LIES", &names).ended(1, &["BROKEN    usable-holds", "2 failed"]);
}

#[test]
fn a_free_that_sets_errno_is_found() {
    found("FREE_ERRNO", 1, "free changed errno to 22");
    let told = "of another thread set errno to 22";
    checked("FREE_ERRNO", &["thread-errno"]).ended(1, &[told]);
}

#[test]
fn a_deadlock_after_fork_is_found() {
    let names = ["fork-threads", "fork-resize"];
    checked("FORK_DEADLOCK", &names).ended(1, &["seen: the child hung", "2 failed"]);
    found(
        "FORK_DEADLOCK",
        4,
        "a forked child did not end; --without=fork looks past it",
    );
}

#[test]
fn a_crash_is_found_and_its_place_told() {
    found("CRASH", 3, "seen: died of SIGSEGV");
    checked("CRASH", &["malloc-apart"]).ended(3, &["CRASHED   malloc-apart"]);
}

#[test]
fn a_hang_is_found_and_its_place_told() {
    found(
        "HANG",
        4,
        "seen: did not go on for 4 s\n          in: thread ",
    );
    checked("HANG", &["malloc-apart"]).ended(4, &["HUNG      malloc-apart"]);
}

#[test]
fn a_replay_fails_as_recorded_and_holds_where_it_is_mended() {
    let folder = scratch().join("replays");
    std::fs::create_dir_all(&folder).unwrap();
    let (against, out) = (faulty("MISALIGNED"), format!("--out={}", folder.display()));
    let options = ["--only=torture", "--seed=11", "--seconds=60", "--shrink=5"];
    let mut arguments = vec!["malloc", &against, &out];
    arguments.extend(options);
    let run = stress(&arguments).ended(1, &["1 of 4 threads", "failed 3 of 3 times"]);
    let replay = run
        .out
        .lines()
        .find_map(|line| line.split("malloc --replay=").nth(1));
    let replay = format!("--replay={}", replay.unwrap());
    let again = stress(&["malloc", &replay]).ended(1, &["BROKEN    replay"]);
    let seen = |run: &Run| {
        let line = run.out.lines().find(|line| line.contains("seen:"));
        // Addresses differ from run to run.
        line.map(|line| line.contains("no multiple of 16"))
    };
    assert_eq!(seen(&again), Some(true), "{}", again.out);
    let mended = stress(&["malloc", &replay, &faulty("NONE")]);
    mended.ended(0, &["ok        replay", "3 runs held; recorded was: "]);
}

#[test]
fn functions_that_are_not_there_are_no_fault() {
    checked("NONE", &["valloc", "free_sized"]).ended(
        0,
        &[
            "not there valloc",
            "this malloc has no valloc",
            "2 not there",
        ],
    );
}

#[test]
fn what_only_some_promise_counts_when_asked() {
    let arguments = ["malloc", "--against=glibc", "--only=realloc-freed"];
    let text = "promised by some mallocs only: realloc-freed (BROKEN)";
    stress(&arguments).ended(0, &[text]);
    let mut strict = arguments.to_vec();
    strict.push("--strict");
    stress(&strict).ended(
        1,
        &["not kept, promised by some mallocs: realloc-freed (BROKEN)"],
    );
}

#[test]
fn an_abort_that_was_promised_is_no_crash() {
    let arguments = [
        "malloc",
        "--against=glibc",
        "--only=free-inside",
        "--strict",
    ];
    stress(&arguments).ended(0, &["ok        free-inside"]);
}

#[test]
#[rustfmt::skip] // a table
fn wrong_command_lines_are_told() {
    let cases: &[(&[&str], &str)] = &[
        (&["malloc", "--only=nonsense"], "no check has this name; --list shows all"),
        (&["malloc", "--against=/no/such.so"], "/no/such.so: No such file"),
        (&["malloc", "--max-memory=lots"], "`lots` is no size: write 4096, 64k, 512m or 2g"),
        (&["malloc", "--max-memory=4k"], "less than 1m leaves nothing to torture with"),
        (&["malloc", "--threads=0"], "0 is not in 1..=64"),
        (&["malloc", "--threads=65"], "65 is not in 1..=64"),
        (&["malloc", "--without=knots"], "no kind of step is called `knots`: aligned, calloc"),
        (&["malloc", "--replay=/no/such.json"], "/no/such.json: No such file"),
        (&["malloc", "--against=glibc", "--out=/no/such"], "/no/such is no folder"),
        (&["knot"], "unrecognized subcommand 'knot'"),
        (&[], "Usage: bowline-stress <COMMAND>"),
    ];
    for (arguments, told) in cases {
        stress(arguments).ended(2, &[told]);
    }
}

#[test]
fn help_and_lists_are_no_errors() {
    stress(&["--help"]).ended(0, &["Exit codes: 0 all held", "malloc"]);
    stress(&["malloc", "--list"]).ended(0, &["free-null", "kinds of steps of the torture: "]);
}

#[test]
fn a_missing_library_of_ours_is_told_with_the_way_to_it() {
    let folder = scratch().join("alone/here");
    std::fs::create_dir_all(&folder).unwrap();
    let program = folder.join("bowline-stress");
    std::fs::copy(env!("CARGO_BIN_EXE_bowline-stress"), &program).unwrap();
    let output = Command::new(&program).arg("malloc").output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    for said in [
        "alone/here/libbowline_malloc.so and ",
        "alone/release/libbowline_malloc.so",
        "cargo build --release -p bowline-malloc",
    ] {
        assert!(text.contains(said), "no `{said}` in {text}");
    }
}

#[test]
fn a_library_without_a_malloc_is_told() {
    let source = scratch().join("empty.c");
    std::fs::write(&source, "int nothing_here;\n").unwrap();
    let library = compile(&source, "empty", &[]);
    let against = format!("--against={}", library.display());
    let told = "was loaded for nothing: malloc comes from";
    for suite in ["malloc", "gc"] {
        stress(&[suite, &against]).ended(2, &[told]);
    }
    let text = scratch().join("text.so");
    std::fs::write(&text, "no library").unwrap();
    let against = format!("--against={}", text.display());
    stress(&["malloc", &against]).ended(2, &[told, "text.so"]);
}
