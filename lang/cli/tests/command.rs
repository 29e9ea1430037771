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
    let stack = "bowline: cannot start a thread with a stack of 1 GiB: Resource temporarily unavailable (os \
                 error 11); see ulimit -v, -d and -u\n";
    let addresses = "bowline: the collector reserves address space (it does not use it) and the limit of \
                     20480000000000 bytes is too small: raise it with \"ulimit -v unlimited\"\n";
    for (limit, says) in [
        ("-v 100000", stack),
        ("-v 1000000", stack),
        ("-v 20000000000", addresses),
        ("-d 100000", stack),
    ] {
        let expected = (Some(2), String::new(), says.to_owned());
        assert_eq!(limited(limit, &program), expected, "{limit}");
    }
    for limit in ["-v 40000000000", "-d 4000000"] {
        let expected = (Some(0), "1000".to_owned(), String::new());
        assert_eq!(limited(limit, &program), expected, "{limit}");
    }
}

#[test]
fn what_is_refused_on_demand_must_be_a_number() {
    let output = Program::new("refuse", "1").run(&["--refuse=0"], Stdio::piped());
    assert_eq!(output.status.code(), Some(2));
    let wanted = "what is refused is \"N\", \"N+\", \"start:N\" or \"start:N+\" with N at least 1, not \"0\"";
    assert!(told(&output).contains(wanted), "{}", told(&output));
}
