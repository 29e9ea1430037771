//! However a program ends, its trace can be read.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bowline_tests::process;
use bowline_tests::trials::trial;
use libtest_mimic::{Failed, Trial};

use crate::run::{Context, complaint, ensure, read};

pub(crate) fn trials(context: &Arc<Context>) -> Vec<Trial> {
    let new = |name: &str, run| trial(context, format!("ends::{name}"), run);
    vec![
        new("by itself", by_itself as fn(&Context, &Path) -> _),
        new("within a callback", in_callback),
        new("by C", by_c),
        new("with the heap full", full_heap),
        new("by a signal", by_signal),
        new("by a signal that nobody can handle", killed),
        new("in a child too", forked),
        new("on a full disk", full_disk),
        new("before it began", unwritable),
    ]
}

/// Runs `body`, and checks its status and that the trace is whole.
fn whole(context: &Context, folder: &Path, body: &str, status: i32) -> Result<(), Failed> {
    let trace = context.trace(folder, &["--nursery=4m"], body)?;
    if trace.outcome.exit != Some(status) {
        return Err(complaint(
            &format!("expected status {status}"),
            &trace.outcome,
        ));
    }
    trace.check()
}

fn by_itself(context: &Context, folder: &Path) -> Result<(), Failed> {
    for (body, status) in [
        ("", 0),
        ("(build 100000) (exit 7)", 7),
        ("(collect) (collect) (car 5)", 1),
        ("(if", 1),
        ("(build 100000) (collect) (emergency-exit 3)", 3),
    ] {
        whole(context, folder, body, status)?;
    }
    Ok(())
}

fn in_callback(context: &Context, folder: &Path) -> Result<(), Failed> {
    let body = "(qsort (make-bytevector 16 1) 2 8 (lambda (a b) (collect) (exit 5)))";
    whole(context, folder, body, 5)
}

fn by_c(context: &Context, folder: &Path) -> Result<(), Failed> {
    let body = "(define-foreign c-exit (libc \"exit\") (int) void) (collect) (c-exit 9)";
    whole(context, folder, body, 9)
}

fn full_heap(context: &Context, folder: &Path) -> Result<(), Failed> {
    let body = "(let loop ((l '())) (loop (cons (make-vector 1000 1) l)))";
    let trace = context.trace(folder, &["--heap=32m"], body)?;
    let told = trace.outcome.stderr.contains("out of memory");
    ensure(told && trace.outcome.exit == Some(1), "out of memory")?;
    trace.check()?;
    ensure(
        trace.instants().contains(&"out of memory"),
        "it is an event too",
    )
}

const FOREVER: &str = "(display \"on\") (flush-output-port)
(let loop ((l '())) (usleep 1000) (loop (build 100)))";

/// Starts [`FOREVER`], sends it `signal`, and returns its status when it has ended.
fn signalled(context: &Context, folder: &Path, signal: &str) -> Result<Option<i32>, Failed> {
    use std::os::unix::process::ExitStatusExt;
    // Written by a run that ends at once.
    let outcome = context.run(folder, &[], "(exit 0)")?;
    ensure(outcome.exit == Some(0), "the prelude runs")?;
    let program = std::fs::read_to_string(folder.join("p.scm"))?.replace("(exit 0)", FOREVER);
    std::fs::write(folder.join("p.scm"), program)?;
    // Whoever runs the tests may have signals ignored, as nohup and a shell in the background do.
    let mut child = Command::new("env")
        .arg("--default-signal=INT,TERM,HUP")
        .arg(&context.bowline)
        .args(["run", "--trace=t.json", "--stats", "p.scm"])
        .current_dir(folder)
        .stdout(std::fs::File::create(folder.join("out"))?)
        .stderr(std::fs::File::create(folder.join("err"))?)
        .stdin(Stdio::null())
        .spawn()?;
    let patience = Instant::now();
    while std::fs::metadata(folder.join("out"))?.len() == 0
        || std::fs::metadata(folder.join("t.json"))?.len() < 2000
    {
        ensure(
            patience.elapsed() < Duration::from_secs(60),
            "the program begins",
        )?;
        std::thread::sleep(Duration::from_millis(5));
    }
    let kill = format!("kill -{signal} {}", child.id());
    Command::new("sh").args(["-c", &kill]).status()?;
    let patience = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.signal());
        }
        if patience.elapsed() > Duration::from_secs(60) {
            child.kill()?;
            child.wait()?;
            return Err(format!("SIG{signal} does not end it").into());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn by_signal(context: &Context, folder: &Path) -> Result<(), Failed> {
    for (name, number) in [("INT", 2), ("TERM", 15), ("HUP", 1)] {
        let ended = signalled(context, folder, name)?;
        ensure(
            ended == Some(number),
            &format!("SIG{name} ends it: {ended:?}"),
        )?;
        let events = read(&folder.join("t.json"))?;
        let noted = events
            .iter()
            .any(|e| e["ph"] == "i" && e["name"] == "interrupted");
        ensure(noted, "the signal is an event")?;
        let summary = events.iter().any(|e| e["name"] == "bowline_summary");
        ensure(summary, "the sums are there")?;
        let figures = std::fs::read_to_string(folder.join("err"))?;
        ensure(
            figures.contains("\ncollections\n"),
            "and so are the figures",
        )?;
    }
    Ok(())
}

fn killed(context: &Context, folder: &Path) -> Result<(), Failed> {
    let ended = signalled(context, folder, "KILL")?;
    ensure(ended == Some(9), &format!("SIGKILL ends it: {ended:?}"))?;
    let text = std::fs::read_to_string(folder.join("t.json"))?;
    // What readers do with an array that is not closed.
    let whole = text
        .rfind("},\n")
        .map_or(text.as_str(), |at| match text.ends_with('}') {
            true => text.as_str(),
            false => &text[..=at],
        });
    let events: Vec<serde_json::Value> = serde_json::from_str(&format!("{whole}]"))?;
    ensure(events.len() > 5, "there are events")
}

fn forked(context: &Context, folder: &Path) -> Result<(), Failed> {
    let body = "(define-foreign fork (libc \"fork\") () int)
(define-foreign waitpid (libc \"waitpid\") (int pointer int) int)
(define child (fork))
(do ((i 0 (+ i 1))) ((= i 3000)) (strlen \"hello\"))
(cond ((= child 0) (usleep 30000) (exit 3)))
(waitpid child #f 0)
(usleep 20000)
(write 'parent)";
    let trace = context.trace(folder, &["--trace-min=0", "--gc-log", "--stats"], body)?;
    if trace.outcome.stdout != "parent" || trace.outcome.exit != Some(0) {
        return Err(complaint("expected the parent's word", &trace.outcome));
    }
    trace.check()?;
    let pid = &trace.events[0]["pid"];
    ensure(
        trace.events.iter().all(|event| event["pid"] == *pid),
        "one process writes",
    )?;
    let calls = trace
        .slices()
        .iter()
        .filter(|slice| slice.name == "strlen")
        .count();
    ensure(calls == 3000, &format!("the parent's calls alone: {calls}"))?;
    let tables = trace.outcome.stderr.matches("\ncollections\n").count();
    ensure(tables == 1, "the child tells no figures")
}

fn full_disk(context: &Context, folder: &Path) -> Result<(), Failed> {
    let outcome = context.run(folder, &["--trace=/dev/full"], "(display 1)")?;
    let told = outcome.stderr
        == "bowline: the trace is not whole: No space left on device (os error 28)\n";
    match told && outcome.stdout == "1" {
        true => Ok(()),
        false => Err(complaint("expected to be told", &outcome)),
    }
}

fn unwritable(context: &Context, folder: &Path) -> Result<(), Failed> {
    let outcome = context.run(folder, &["--trace=no/t.json"], "(display 1)")?;
    let wanted =
        "bowline: cannot write the trace to no/t.json: No such file or directory (os error 2)\n";
    if outcome.stderr != wanted || outcome.exit != Some(2) || !outcome.stdout.is_empty() {
        return Err(complaint(
            "expected a refusal before the program runs",
            &outcome,
        ));
    }
    let outcome = context.run(folder, &["--trace=./p.scm"], "(display 1)")?;
    let wanted = "bowline: the trace would overwrite the program p.scm\n";
    if outcome.stderr != wanted || outcome.exit != Some(2) {
        return Err(complaint(wanted, &outcome));
    }
    let mut command = Command::new(&context.bowline);
    command.args(["run", "--trace-min=3us", "p.scm"]);
    let outcome = process::run(&mut command, folder, "", Duration::from_secs(60))?;
    ensure(
        outcome.exit == Some(2) && outcome.stderr.contains("--trace"),
        "it needs a trace",
    )
}
