//! What goes on without the user while the prompt waits for typing.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use libtest_mimic::Trial;

use crate::Context;
use crate::terminal::{Result, Terminal, key};

pub(crate) fn trials(context: &Arc<Context>) -> Vec<Trial> {
    type Body = fn(&Context, &Path) -> Result;
    let rows: &[(&str, Body)] = &[
        ("a thread of C's calls back and collects", called),
        ("a thread of C's ends the session", ended),
    ];
    rows.iter()
        .map(|&(name, body)| {
            bowline_tests::trials::trial(context, format!("resting::{name}"), body)
        })
        .collect()
}

/// Starts a thread of C's that calls back at once, and does the body once the prompt is there and rests.
fn begin(t: &mut Terminal, folder: &Path, body: &str) -> Result {
    t.enter("(define-foreign-library libc \"libc.so.6\")")?;
    t.enter("(define-foreign usleep (libc \"usleep\") (uint) int)")?;
    t.enter("(define-foreign start (libc \"pthread_create\") ((out ulong) pointer pointer pointer) int)")?;
    t.enter("(define (wait) (if (not (file-exists? \"go\")) (begin (usleep 1000) (wait))))")?;
    let run = format!("(define (run p) (wait) {body} p)");
    t.enter(&run)?;
    t.enter("(define callback (make-callback run (pointer) pointer))")?;
    t.enter("(start #f callback #f)")?;
    fs::write(folder.join("go"), "")?;
    Ok(())
}

fn called(context: &Context, folder: &Path) -> Result {
    let mut t = Terminal::new(context, folder, &[], &[])?;
    let body = "(collect) (display \"called\") (flush-output-port)";
    begin(&mut t, folder, body)?;
    t.see("> called")?;
    t.send(key::ENTER)?;
    t.prompt()?;
    t.enter("(+ 40 2)")?;
    t.value("42")?;
    t.leave(0)
}

fn ended(context: &Context, folder: &Path) -> Result {
    let mut t = Terminal::new(context, folder, &[], &[])?;
    begin(&mut t, folder, "(exit 3)")?;
    match t.end()?.code() {
        Some(3) if t.is_cooked()? => Ok(()),
        other => Err(format!("expected status 3, got {other:?}").into()),
    }
}
