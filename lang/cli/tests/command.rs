//! What the command does around a program: its output, its status, its options.
//!
//! These tests also make `cargo test` build the command that the whole-system tests run.

use std::fs::{File, OpenOptions};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// A program in a file of its own, gone afterwards.
struct Program(PathBuf);

impl Program {
    fn new(name: &str, body: &str) -> Program {
        let file = format!("bowline-command-{}-{name}.scm", std::process::id());
        let path = std::env::temp_dir().join(file);
        let imports =
            "(import (scheme base) (scheme write) (scheme file) (scheme process-context))";
        std::fs::write(&path, format!("{imports}\n{body}\n")).expect("a temporary file");
        Program(path)
    }

    fn run(&self, flags: &[&str], stdout: Stdio) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bowline"));
        command.arg("run").args(flags).arg(&self.0).stdout(stdout);
        command.output().expect("the command starts")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // What is left in the system's temporary folder harms nobody.
        let _ = std::fs::remove_file(&self.0);
    }
}

fn full_device() -> File {
    let device = OpenOptions::new().write(true).open("/dev/full");
    device.expect("Linux has /dev/full")
}

const LOST: &str = "bowline: cannot write to standard output: No space left on device\n";

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn output_that_is_lost_at_the_end_is_a_failure() {
    for (name, body, status) in [
        ("end", "(display 1)", 1),
        ("exit", "(display 1) (exit 0)", 1),
        ("failed", "(display 1) (exit 7)", 7),
    ] {
        let output = Program::new(name, body).run(&[], full_device().into());
        assert_eq!(output.status.code(), Some(status), "{body}");
        assert_eq!(told(&output), LOST, "{body}");
    }
}

#[test]
fn output_that_is_lost_before_an_error_is_told_too() {
    let output = Program::new("error", "(display 1)\n(car 5)").run(&[], full_device().into());
    assert_eq!(output.status.code(), Some(1));
    let told = told(&output);
    assert!(told.starts_with(LOST), "{told}");
    assert!(told.contains(".scm:3:1: error: car: argument 1"), "{told}");
}

#[test]
fn a_file_left_open_is_written_or_its_loss_told() {
    let body = "(write 1 (open-output-file \"/dev/full\"))";
    let output = Program::new("file", body).run(&[], Stdio::null());
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        told(&output),
        "bowline: cannot write to a file that the program left open: No space left on device\n"
    );
}

#[test]
fn heaps_that_cannot_be_are_refused() {
    let program = Program::new("heap", "(display 1)");
    for (flag, message) in [
        (
            "--workers=100000",
            "bowline: 100000 collector threads are more than the most, 64\n",
        ),
        (
            "--nursery=99999g",
            "bowline: a nursery of 107373108658176 bytes is above the most, 1 TiB\n",
        ),
        #[cfg(not(feature = "ambiguous"))]
        (
            "--ambiguous",
            "bowline: ambiguous foreign stacks want a build with the cargo feature \"ambiguous\": there each \
             allocation notes where its object starts, which costs time that this build saves\n",
        ),
    ] {
        let output = program.run(&[flag], Stdio::piped());
        assert_eq!(output.status.code(), Some(2), "{flag}");
        assert_eq!(told(&output), message);
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_forked_child_ends_with_its_own_status() {
    let body = "(import (bowline ffi))
(define-foreign-library libc \"libc.so.6\")
(define-foreign fork (libc \"fork\") () int)
(define-foreign waitpid (libc \"waitpid\") (int pointer int) int)
(define status (make-foreign-memory 4))
(define child (fork))
(if (= child 0) (exit 3))
(waitpid child status 0)
(write (quotient (pointer-ref status int) 256))";
    let output = Program::new("forked", body).run(&[], Stdio::piped());
    assert_eq!(told(&output), "");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "3");
}

/// What `bowline run` says of a program under this limit of the shell's.
fn limited(limit: &str, program: &Program) -> (Option<i32>, String, String) {
    let line = format!("ulimit {limit} && exec \"$0\" run \"$1\"");
    let mut command = Command::new("sh");
    command.args(["-c", &line, env!("CARGO_BIN_EXE_bowline")]);
    let output = command.arg(&program.0).output().expect("a shell");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), text, told(&output))
}

#[test]
fn limits_of_the_system_are_told_in_one_line() {
    let program = Program::new("limits", "(display (length (make-list 1000 1)))");
    let addresses = |kib: u64| {
        format!(
            "bowline: the collector reserves address space (it does not use it) and the limit of {} \
             bytes is too small: raise it with \"ulimit -v unlimited\"\n",
            kib << 10
        )
    };
    // The least of them do not even give the thread its stack.
    for kib in [100_000, 200_000, 1_000_000, 20_000_000_000] {
        let limit = format!("-v {kib}");
        let expected = (Some(2), String::new(), addresses(kib));
        assert_eq!(limited(&limit, &program), expected, "{limit}");
    }
    for limit in ["-v 40000000000", "-d 4000000"] {
        let expected = (Some(0), "1000".to_owned(), String::new());
        assert_eq!(limited(limit, &program), expected, "{limit}");
    }
}

#[test]
fn a_small_data_segment_is_told_of() {
    let program = Program::new("segment", "1");
    // The first does not even give the thread its stack.
    for limit in ["-d 100000", "-d 200000"] {
        let (status, text, told) = limited(limit, &program);
        assert_eq!((status, text.as_str()), (Some(2), ""), "{limit}");
        let (before, after) = told.split_once(" KiB more").expect("what is left");
        let left = before.strip_prefix("bowline: the system lets this process map ");
        assert!(left.is_some_and(|n| n.parse::<u32>().is_ok()), "{told}");
        let needs =
            ", and the collector needs 163840 KiB: see \"ulimit -d\" and vm.overcommit_memory\n";
        assert_eq!(after, needs, "{limit}");
    }
}

#[test]
fn programs_that_fill_a_limited_process_are_told_by_a_condition() {
    let body = "(define (fill l) (fill (cons (make-vector 1000 l) l)))
(define (try) (guard (e (#t (write 'caught))) (fill '())))
(try) (try)";
    let program = Program::new("fill", body);
    // By the default, and by a limit that is higher than what the system gives.
    for heap in [&[][..], &["--heap=8g", "--workers=2"]] {
        for plan in ["throughput", "latency", "immix", "compact-test"] {
            let mut command = Command::new("sh");
            let line = "ulimit -d 400000 && exec \"$0\" run \"$@\"";
            command.args(["-c", line, env!("CARGO_BIN_EXE_bowline")]);
            command.arg(format!("--plan={plan}")).args(heap);
            let output = command.arg(&program.0).output().expect("a shell");
            assert_eq!(told(&output), "", "{plan} {heap:?}");
            assert_eq!(String::from_utf8_lossy(&output.stdout), "caughtcaught");
            assert_eq!(output.status.code(), Some(0), "{plan} {heap:?}");
        }
    }
}

/// What fills a process: a step of a loop with `l`, from which it goes on by `(loop …)`.
const FILLS: &[(&str, &str)] = &[
    ("handles", "(loop (cons (make-handle 1) l))"),
    ("memory", "(loop (cons (make-foreign-memory 10) l))"),
    ("guarded", "(begin (guardian (list 1)) (loop (cons 1 l)))"),
    (
        "finalizers",
        "(loop (cons (attach-finalizer! (integer->pointer 64) list 0) l))",
    ),
    ("ephemerons", "(loop (cons (make-ephemeron l n) l))"),
    ("weak pairs", "(loop (weak-cons 1 (cons l l)))"),
    (
        "symbols",
        "(begin (set! n (+ n 1)) (string->symbol (number->string n)) (loop l))",
    ),
    ("pins", "(loop (cons (pin! (make-bytevector 100 0)) l))"),
    (
        "text",
        "(begin (write-string \"abcdefghijklmnop\" port) (loop l))",
    ),
    ("numbers", "(begin (set! n (* (+ n 3) (+ n 3))) (loop l))"),
];

/// What `bowline run` says under this plan of a program in which `step` fills a limited process.
fn filled(plan: &str, name: &str, step: &str) {
    let body = format!(
        "(import (bowline ffi) (bowline gc))
(define n 0)
(define guardian (make-guardian))
(define port (open-output-string))
(define (fill) (let loop ((l (list 1))) {step}))
(display (guard (e ((error-object? e) (error-object-message e))) (fill)))
(display (length (make-list 100 0)))"
    );
    let program = Program::new(&format!("filled-{}", name.replace(' ', "-")), &body);
    let mut command = Command::new("sh");
    let line = "ulimit -d 330000 && exec \"$0\" run \"$@\"";
    command.args(["-c", line, env!("CARGO_BIN_EXE_bowline")]);
    let output = command
        .arg(format!("--plan={plan}"))
        .arg(&program.0)
        .output();
    let output = output.expect("a shell");
    assert_eq!(told(&output), "", "{name}");
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(text, "out of memory: the heap is full100", "{name}");
    assert_eq!(output.status.code(), Some(0), "{name}");
}

/// What takes memory beside the heap is refused before it takes what the handler needs, and so is what collections need.
#[test]
fn whatever_fills_a_limited_process_is_told_by_a_condition() {
    for (name, step) in FILLS {
        filled("throughput", name, step);
    }
    filled("compact-test", "pairs", "(loop (cons 1 l))");
}

#[test]
fn what_is_refused_on_demand_must_be_a_number() {
    let output = Program::new("refuse", "1").run(&["--refuse=0"], Stdio::piped());
    assert_eq!(output.status.code(), Some(2));
    let wanted = "what is refused is \"N\", \"N+\", \"start:N\" or \"start:N+\" with N at least 1, not \"0\"";
    assert!(told(&output).contains(wanted), "{}", told(&output));
}

#[test]
fn a_program_whose_constants_are_refused_is_named() {
    let program = Program::new("constants", "(write \"a text\")");
    // The first that are refused are those of libraries.
    let outputs = (1..50).map(|n| program.run(&[&format!("--refuse={n}")], Stdio::piped()));
    let wanted = "constants.scm:2:1: error: no room for the constants of the program";
    let ends: Vec<_> = outputs
        .map(|output| (output.status.code(), told(&output)))
        .take_while(|(code, _)| *code != Some(0))
        .collect();
    let told = |(code, told): &(_, String)| *code == Some(1) && told.contains(wanted);
    assert!(ends.iter().any(told), "{ends:?}");
}
