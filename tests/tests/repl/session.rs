//! What lasts longer than an entry.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::Arc;

use libtest_mimic::Trial;

use crate::Context;
use crate::terminal::{Result, Terminal, key};

const HISTORY: &str = ".local/state/bowline/history";

pub(crate) fn trials(context: &Arc<Context>) -> Vec<Trial> {
    type Body = fn(&Context, &Path) -> Result;
    let rows: &[(&str, Body)] = &[
        ("values and errors follow what was typed", values),
        ("history goes on in the next session", history),
        ("history can be moved and switched off", history_elsewhere),
        ("a home that cannot be written to is no error", no_home),
        ("a file is loaded first", load),
        ("exit ends with its status", exit),
        ("a signal leaves the terminal as it was", terminated),
        ("what is suspended goes on where it was", suspended),
        ("a program reads the next line", reading),
        ("what has no end of line is not written over", no_newline),
        ("what C printed comes before the prompt", c_output),
        ("a terminal that a program changed is mended", changed),
        ("a dumb terminal gets text and nothing else", dumb),
    ];
    rows.iter()
        .map(|&(name, body)| {
            bowline_tests::trials::trial(context, format!("session::{name}"), body)
        })
        .collect()
}

/// That a condition holds.
fn check(holds: bool, wanted: &str) -> Result {
    match holds {
        true => Ok(()),
        false => Err(format!("expected {wanted}").into()),
    }
}

fn values(context: &Context, folder: &Path) -> Result {
    let mut t = Terminal::new(context, folder, &[], &[])?;
    t.see("Bowline")?;
    t.see(",help")?;
    t.send("(define (f x)\r(* 2 x))\r")?;
    t.block(&["> (define (f x)", "    (* 2 x))"])?;
    t.prompt()?;
    t.enter("(f 21)")?;
    t.block(&["> (f 21)", "$1 = 42", ">"])?;
    t.enter("(f 'a)")?;
    t.see("error")?;
    t.see("called from")?;
    t.enter("(values 1 2)")?;
    t.block(&["> (values 1 2)", "$2 = 1", "$3 = 2", ">"])?;
    t.enter(",nonsense")?;
    t.see("nonsense")?;
    t.leave(0)?;
    check(t.is_cooked()?, "the terminal as it was")
}

fn history(context: &Context, folder: &Path) -> Result {
    let mut t = Terminal::new(context, folder, &[], &[])?;
    t.send("(list 'some\r'thing)\r")?;
    t.value("(some thing)")?;
    t.prompt()?;
    t.enter("(+ 1 2)")?;
    t.leave(0)?;
    let mode = folder.join(HISTORY).metadata()?.permissions().mode();
    check(mode & 0o777 == 0o600, "a file that nobody else can read")?;
    let mut t = Terminal::new(context, folder, &[], &[])?;
    t.send(key::UP)?;
    t.see("> (+ 1 2)")?;
    t.send(key::UP)?;
    t.block(&["> (list 'some", "        'thing)"])?;
    t.send(key::ENTER)?;
    t.value("(some thing)")?;
    t.prompt()?;
    t.send(key::CTRL_R)?;
    t.send("+ 1")?;
    t.see("(+ 1 2)")?;
    t.send(key::ENTER)?;
    t.value("3")?;
    t.leave(0)
}

fn history_elsewhere(context: &Context, folder: &Path) -> Result {
    let file = folder.join("mine");
    let name = file.display().to_string();
    let mut t = Terminal::new(context, folder, &[], &[("BOWLINE_HISTORY", &name)])?;
    t.enter("(+ 1 2)")?;
    t.leave(0)?;
    check(
        std::fs::read_to_string(&file)?.contains("(+ 1 2)"),
        "the entry in the file",
    )?;
    let mut t = Terminal::new(context, folder, &[], &[("BOWLINE_HISTORY", "")])?;
    t.enter("(+ 1 3)")?;
    t.leave(0)?;
    check(!folder.join(HISTORY).exists(), "no history")
}

fn no_home(context: &Context, folder: &Path) -> Result {
    let environment = [("XDG_STATE_HOME", "/proc/nowhere")];
    let mut t = Terminal::new(context, folder, &[], &environment)?;
    t.enter("(+ 1 2)")?;
    t.block(&["> (+ 1 2)", "$1 = 3", ">"])?;
    t.enter("(+ 1 3)")?;
    t.block(&["> (+ 1 3)", "$2 = 4", ">"])?;
    t.leave(0)
}

fn load(context: &Context, folder: &Path) -> Result {
    std::fs::write(
        folder.join("a b.scm"),
        "(define (f x) (* x x))\n(display 'ready)",
    )?;
    let mut t = Terminal::new(context, folder, &["--heap=64m", "a b.scm"], &[])?;
    t.row("ready")?;
    t.enter("(f 12)")?;
    t.value("144")?;
    t.leave(0)?;
    let mut t = Terminal::new(context, folder, &["missing.scm"], &[])?;
    t.see("missing.scm")?;
    t.enter("(+ 1 2)")?;
    t.value("3")?;
    t.leave(0)
}

fn exit(context: &Context, folder: &Path) -> Result {
    let mut t = Terminal::new(context, folder, &[], &[])?;
    t.send("(dynamic-wind (lambda () #f) (lambda () (exit 3)) (lambda () (display 'out)))\r")?;
    check(t.end()?.code() == Some(3), "status 3")?;
    t.see("out")?;
    check(t.is_cooked()?, "the terminal as it was")?;
    let mut t = Terminal::new(context, folder, &[], &[])?;
    t.send(",quit\r")?;
    check(t.end()?.code() == Some(0), "status 0")?;
    check(t.is_cooked()?, "the terminal as it was")
}

fn terminated(context: &Context, folder: &Path) -> Result {
    let mut t = Terminal::new(context, folder, &[], &[])?;
    t.send("(half an entry")?;
    t.see("(half an entry")?;
    check(!t.is_cooked()?, "a terminal that the editor has")?;
    t.signal("TERM")?;
    check(t.end()?.signal() == Some(15), "the signal as the end")?;
    check(t.is_cooked()?, "the terminal as it was")?;
    t.wait("plain pastes", |t| !t.screen().bracketed_paste())
}

fn suspended(context: &Context, folder: &Path) -> Result {
    let mut t = Terminal::shell(context, folder)?;
    t.send("./bowline repl\r")?;
    t.prompt()?;
    t.send("'(1\r2")?;
    t.row("    2")?;
    for round in 1..=3 {
        t.send(key::CTRL_Z)?;
        t.wait("the shell", |t| t.cursor_row() == "shell$")?;
        t.send(&format!("echo round $((40 + {round}))\r"))?;
        t.row(&format!("round {}", 40 + round))?;
        t.send("fg\r")?;
        t.wait("the entry as it was", |t| t.cursor_row() == "    2")?;
    }
    t.send(" 3)\r")?;
    t.value("(1 2 3)")?;
    t.prompt()?;
    t.send(key::CTRL_D)?;
    t.wait("the shell", |t| t.cursor_row() == "shell$")?;
    t.send("exit 7\r")?;
    match t.end()?.code() {
        Some(7) => Ok(()),
        other => Err(format!("expected the shell's status 7, got {other:?}").into()),
    }
}

fn reading(context: &Context, folder: &Path) -> Result {
    let mut t = Terminal::new(context, folder, &[], &[])?;
    t.send("(begin (display \"name? \") (string-append \"hello \" (read-line)))\r")?;
    t.row("name?")?;
    check(t.is_cooked()?, "a terminal that shows what is typed")?;
    t.send("you\r")?;
    t.block(&["name? you", "$1 = \"hello you\""])?;
    t.prompt()?;
    t.enter("(+ 1 2)")?;
    t.value("3")?;
    t.leave(0)
}

fn no_newline(context: &Context, folder: &Path) -> Result {
    let mut t = Terminal::new(context, folder, &[], &[])?;
    t.enter("(display \"no end\")")?;
    t.block(&["> (display \"no end\")", "no end", ">"])?;
    let full = "x".repeat(80);
    t.enter("(display (make-string 80 #\\x))")?;
    t.block(&[&full, ">"])?;
    t.enter("(display (make-string 79 #\\y))")?;
    t.block(&[&"y".repeat(79), ">"])?;
    t.leave(0)
}

fn c_output(context: &Context, folder: &Path) -> Result {
    let mut t = Terminal::new(context, folder, &[], &[])?;
    t.enter("(define-foreign-library libc \"libc.so.6\")")?;
    t.enter("(define-foreign printf (libc \"printf\") (string) int)")?;
    t.enter("(printf \"from C\")")?;
    t.block(&["from C", "$1 = 6", ">"])?;
    t.enter("(begin (printf \"again\") (if #f #f))")?;
    t.block(&["again", ">"])?;
    t.leave(0)
}

fn changed(context: &Context, folder: &Path) -> Result {
    let mut t = Terminal::new(context, folder, &[], &[])?;
    t.enter("(define-foreign-library libc \"libc.so.6\")")?;
    t.enter("(define-foreign system (libc \"system\") (string) int)")?;
    t.enter("(system \"stty -echo -icanon -isig\")")?;
    t.enter("(+ 40 2)")?;
    t.value("42")?;
    t.leave(0)?;
    check(t.is_cooked()?, "the terminal as it was")
}

fn dumb(context: &Context, folder: &Path) -> Result {
    let mut t = Terminal::new(context, folder, &[], &[("TERM", "dumb")])?;
    t.send("(define (f x)\r")?;
    t.more()?;
    t.send("(* 2 x))\r")?;
    t.prompt()?;
    t.enter("(f 4)")?;
    t.value("8")?;
    t.enter("(car 1)")?;
    t.see("error")?;
    t.send("(car\r")?;
    t.more()?;
    t.send(key::CTRL_C)?;
    t.prompt()?;
    t.enter("(+ 40 2)")?;
    t.value("42")?;
    let bytes = t.screen().contents_formatted();
    let painted = t.rows().len() > 24 || bytes.contains("\x1b[3");
    check(!painted, "no colour")?;
    t.leave(0)
}
