//! What the runtime allocates for itself is an account of its own: it grows with the work, C's does not,
//! and `--heap` says nothing about it.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};

use crate::context::{Context, LIMIT, output};
use bowline_tests::trials::trial;

const MIB: i64 = 1 << 20;
/// The limit on the heap and C's memory, in bytes.
const HEAP: i64 = 32 * MIB;

pub(crate) fn trials(context: &Arc<Context>) -> Vec<Trial> {
    vec![
        trial(context, "runtime::symbols".to_owned(), symbols),
        trial(context, "runtime::compiler".to_owned(), compiler),
    ]
}

/// What a program says of the accounts.
#[derive(Debug)]
struct Accounts {
    runtime: i64,
    client: i64,
}

/// The accounts whenever the program `text` told them.
fn tell(context: &Context, folder: &Path, text: &str) -> Result<Vec<Accounts>, Failed> {
    let program = folder.join("main.scm");
    std::fs::write(
        &program,
        format!(
            "(import (scheme base) (scheme write) (bowline ffi) (bowline gc))
             (define (stat name) (cdr (assq name (gc-stats))))
             (define (tell name) (write (stat name)) (newline))
             (define (tell-all) (for-each tell '(runtime-bytes client-bytes)))
             {text}"
        ),
    )?;
    let mut command = context.program(&[&format!("--heap={HEAP}")], program);
    let printed = output(&mut command, folder, LIMIT)?;
    let numbers = printed
        .lines()
        .map(str::parse)
        .collect::<Result<Vec<i64>, _>>()?;
    let accounts = numbers.chunks_exact(2).map(|pair| Accounts {
        runtime: pair[0],
        client: pair[1],
    });
    Ok(accounts.collect())
}

/// The table of symbols is the runtime's.
fn symbols(context: &Context, folder: &Path) -> Result<(), Failed> {
    let text = "(tell-all)
        (define (name i) (string-append \"a-symbol-\" (number->string i)))
        (do ((i 0 (+ i 1))) ((= i 100000)) (string->symbol (name i)))
        (tell-all)";
    let told = tell(context, folder, text)?;
    match told.as_slice() {
        [before, after]
            if after.runtime - before.runtime > 4 * MIB
                && (after.client - before.client).abs() < MIB / 4 =>
        {
            Ok(())
        }
        _ => Err(format!("expected the runtime's bytes alone to grow: {told:?}").into()),
    }
}

/// A program of a mebibyte takes more to compile than the heap may have; then C gets what it ever would.
fn compiler(context: &Context, folder: &Path) -> Result<(), Failed> {
    let end = format!("(tell-all) (make-foreign-memory {})", HEAP / 2);
    let small = tell(context, folder, &end)?;
    let mut text = String::new();
    for i in 0..10_000 {
        let _ = writeln!(
            text,
            "(define (f{i} x) (if (< x {i}) (let loop ((y x)) (if (> y 0) (loop (- y 1)) y)) '({i} . x)))"
        );
    }
    let large = tell(context, folder, &(text + &end))?;
    match (small.as_slice(), large.as_slice()) {
        ([small], [large])
            if large.runtime > small.runtime + HEAP
                && (large.client - small.client).abs() < MIB =>
        {
            Ok(())
        }
        _ => {
            Err(format!("expected the runtime's bytes alone to grow: {small:?}, {large:?}").into())
        }
    }
}
