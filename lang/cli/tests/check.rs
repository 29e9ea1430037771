//! `bowline check` and `--json` around a program: files, statuses, where what is told goes.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A folder of programs, gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, files: &[(&str, &str)]) -> Folder {
        let unique = format!("bowline-check-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(unique);
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        for (name, text) in files {
            std::fs::write(folder.join(name), text).expect("a temporary file");
        }
        Folder(folder)
    }

    fn bowline(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bowline"));
        command.args(arguments).current_dir(&self.0);
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the command starts");
        let mut pipe = child.stdin.take().expect("its input is a pipe");
        // A command that reads nothing may have closed it.
        let _ = pipe.write_all(input.as_bytes());
        drop(pipe);
        child.wait_with_output().expect("the command ends")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left in the system's temporary folder harms nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const GOOD: (&str, &str) = (
    "good.scm",
    "(import (scheme base) (scheme write))\n(write 1)\n",
);
const ODD: (&str, &str) = (
    "odd.scm",
    "(import (scheme base) (scheme write))\n(write (car 5))\n",
);
const BAD: (&str, &str) = (
    "bad.scm",
    "(import (scheme base) (scheme write))\n(write x)\n(if)\n",
);

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn objects(bytes: &[u8]) -> Vec<Value> {
    let parse = |line: &str| serde_json::from_str(line).expect("each line is JSON");
    text(bytes).lines().map(parse).collect()
}

#[test]
fn statuses_say_what_was_found() {
    let folder = Folder::new("statuses", &[GOOD, ODD, BAD]);
    for (arguments, status, summary) in [
        (&["check", "good.scm"][..], 0, None),
        (&["check", "odd.scm"], 0, Some("1 warning")),
        (
            &["check", "--deny-warnings", "odd.scm"],
            1,
            Some("1 warning"),
        ),
        (
            &["check", "--allow=wrong-type", "--deny-warnings", "odd.scm"],
            0,
            None,
        ),
        (&["check", "bad.scm"], 1, Some("2 errors")),
        (
            &["check", "good.scm", "odd.scm", "bad.scm"],
            1,
            Some("2 errors, 1 warning"),
        ),
    ] {
        let output = folder.bowline(arguments, "");
        assert_eq!(output.status.code(), Some(status), "{arguments:?}");
        assert_eq!(
            text(&output.stdout).lines().last(),
            summary,
            "{arguments:?}"
        );
        assert_eq!(text(&output.stderr), "", "{arguments:?}");
    }
}

#[test]
fn command_lines_that_are_wrong_are_refused() {
    let folder = Folder::new("usage", &[GOOD]);
    for (arguments, told) in [
        (&["check"][..], "<FILE>"),
        (&["check", "--allow=wrong-typ", "good.scm"], "'wrong-type'"),
        (&["check", "--bogus", "good.scm"], "--bogus"),
    ] {
        let output = folder.bowline(arguments, "");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let said = text(&output.stderr);
        assert!(said.contains(told), "{arguments:?}: {said}");
    }
}

#[test]
fn files_that_cannot_be_read_are_errors_and_the_others_are_checked() {
    let folder = Folder::new("missing", &[ODD]);
    let output = folder.bowline(&["check", "no.scm", ".", "odd.scm"], "");
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(
        lines[0],
        "bowline: cannot read no.scm: No such file or directory (os error 2)"
    );
    assert_eq!(
        lines[1],
        "bowline: cannot read .: Is a directory (os error 21)"
    );
    assert!(lines[2].starts_with("odd.scm:2:13: warning: "), "{said}");
    assert_eq!(lines.last(), Some(&"2 errors, 1 warning"));
}

#[test]
fn the_standard_input_is_a_file_too() {
    let folder = Folder::new("input", &[]);
    let output = folder.bowline(&["check", "-"], ODD.1);
    let said = text(&output.stdout);
    assert!(said.starts_with("<stdin>:2:13: warning: "), "{said}");
}

#[test]
fn findings_as_json_have_their_places() {
    let folder = Folder::new("json", &[ODD, BAD]);
    let output = folder.bowline(&["check", "--json", "odd.scm", "bad.scm", "no.scm"], "");
    assert_eq!(output.status.code(), Some(1));
    let found = objects(&output.stdout);
    let codes: Vec<_> = found.iter().map(|object| object["code"].as_str()).collect();
    assert_eq!(
        codes,
        [Some("wrong-type"), Some("unbound-variable"), None, None]
    );
    let odd = &found[0];
    let (start, end) = (odd["start"].as_u64(), odd["end"].as_u64());
    let (start, end) = (
        start.expect("a number") as usize,
        end.expect("a number") as usize,
    );
    assert_eq!(&ODD.1[start..end], "5");
    assert_eq!(
        (&odd["line"], &odd["column"]),
        (&Value::from(2), &Value::from(13))
    );
    assert_eq!(odd["file"], "odd.scm");
    assert!(found[3]["file"].is_null() && found[3]["severity"] == "error");
}

#[test]
fn a_run_tells_json_on_standard_error_with_the_calls() {
    let program = "(import (scheme base) (scheme write))\n\
                   (define (f x) (+ 1 (g x)))\n\
                   (define (g x) (+ 1 (car x)))\n\
                   (display \"out\")\n\
                   (+ 1 (f 5))\n";
    let folder = Folder::new("run", &[("run.scm", program), BAD]);
    let output = folder.bowline(&["run", "--json", "run.scm"], "");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "out");
    let told = objects(&output.stderr);
    assert_eq!(told.len(), 1);
    assert_eq!(
        (&told[0]["line"], &told[0]["column"]),
        (&Value::from(3), &Value::from(20))
    );
    let calls = told[0]["calls"].as_array().expect("a list");
    let calls: Vec<_> = calls
        .iter()
        .map(|call| (call["name"].as_str(), call["line"].as_u64()))
        .collect();
    assert_eq!(calls, [(Some("f"), Some(2)), (None, Some(5))]);
    for arguments in [
        &["run", "--json", "bad.scm"][..],
        &["dump", "--stage=core", "--json", "bad.scm"],
    ] {
        let output = folder.bowline(arguments, "");
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(objects(&output.stderr).len(), 2, "{arguments:?}");
    }
    let output = folder.bowline(&["run", "--json", "no.scm"], "");
    let told = objects(&output.stderr);
    assert!(
        told[0]["message"]
            .as_str()
            .is_some_and(|m| m.starts_with("cannot read no.scm"))
    );
}

#[test]
fn a_run_warns_only_when_it_is_asked_to() {
    let program = "(import (scheme base) (scheme write))\n(define unused 1)\n(display \"out\")\n";
    let folder = Folder::new("warn", &[("warn.scm", program), BAD]);
    let output = folder.bowline(&["run", "warn.scm"], "");
    assert_eq!(
        (text(&output.stdout), text(&output.stderr)),
        ("out".into(), String::new())
    );
    let output = folder.bowline(&["run", "--warn", "warn.scm"], "");
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(0), "out".into())
    );
    let said = text(&output.stderr);
    assert!(said.starts_with("warn.scm:2:9: warning: "), "{said}");
    // What is wrong is told once, by the run.
    let output = folder.bowline(&["run", "--warn", "bad.scm"], "");
    assert_eq!(text(&output.stderr).matches("error: unbound").count(), 1);
}
