//! Ctrl-C while something is evaluated.

use std::path::Path;
use std::sync::Arc;

use libtest_mimic::Trial;

use crate::Context;
use crate::terminal::{Result, Terminal, key};

pub(crate) fn trials(context: &Arc<Context>) -> Vec<Trial> {
    type Body = fn(&Context, &Path) -> Result;
    let rows: &[(&str, Body)] = &[
        ("a loop ends and the session lives", endless),
        ("a call that sleeps ends and the session lives", asleep),
        ("waiting for input ends and the session lives", waiting),
        ("afters run", afters),
        ("a call that cannot be interrupted can be left", stubborn),
    ];
    rows.iter()
        .map(|&(name, body)| {
            bowline_tests::trials::trial(context, format!("interrupts::{name}"), body)
        })
        .collect()
}

/// Starts an entry that says when it has begun.
fn begin(t: &mut Terminal, entry: &str) -> Result {
    t.send(&format!("(begin (display \"begun\\n\") {entry})\r"))?;
    t.row("begun")
}

/// Interrupts, and sees that the session goes on.
fn interrupt(t: &mut Terminal) -> Result {
    t.interrupt("interrupted")?;
    t.prompt()?;
    t.enter("(+ 40 2)")?;
    t.value("42")
}

fn endless(context: &Context, folder: &Path) -> Result {
    for entry in ["(let loop () (loop))", "(do () (#f))"] {
        let mut t = Terminal::new(context, folder, &[], &[])?;
        begin(&mut t, entry)?;
        interrupt(&mut t)?;
        t.leave(0)?;
    }
    Ok(())
}

fn asleep(context: &Context, folder: &Path) -> Result {
    let mut t = Terminal::new(context, folder, &[], &[])?;
    t.enter("(define-foreign-library libc \"libc.so.6\")")?;
    t.enter("(define-foreign sleep (libc \"sleep\") (uint) uint)")?;
    begin(&mut t, "(sleep 1000)")?;
    interrupt(&mut t)?;
    t.leave(0)
}

fn waiting(context: &Context, folder: &Path) -> Result {
    let mut t = Terminal::new(context, folder, &[], &[])?;
    begin(&mut t, "(read-line)")?;
    interrupt(&mut t)?;
    t.leave(0)
}

fn afters(context: &Context, folder: &Path) -> Result {
    let mut t = Terminal::new(context, folder, &[], &[])?;
    // Said inside, for what is interrupted before it is entered is not left.
    let entry = "(dynamic-wind (lambda () #f) (lambda () (display \"begun\\n\") (let loop () (loop))) \
                 (lambda () (display \"cleaned\\n\")))\r";
    t.send(entry)?;
    t.row("begun")?;
    t.send(key::CTRL_C)?;
    t.row("^Ccleaned")?;
    t.leave(0)
}

fn stubborn(context: &Context, folder: &Path) -> Result {
    let mut t = Terminal::new(context, folder, &[], &[])?;
    t.enter("(define-foreign-library libc \"libc.so.6\")")?;
    // Locking what one has locked oneself waits for ever, and goes on waiting after a signal.
    t.enter("(define-foreign lock (libc \"pthread_mutex_lock\") (pointer) int)")?;
    t.enter("(define-foreign calloc (libc \"calloc\") (size_t size_t) pointer)")?;
    t.enter("(define mutex (calloc 1 64))")?;
    begin(&mut t, "(lock mutex) (lock mutex)")?;
    // An interrupt that came before the call would leave a prompt, and keys there end nothing.
    t.rest()?;
    let status = t.press_until_end(key::CTRL_C)?;
    t.see("the foreign procedure lock is still running")?;
    match status.code() {
        Some(130) if t.is_cooked()? => Ok(()),
        other => Err(format!("expected status 130, got {other:?}").into()),
    }
}
