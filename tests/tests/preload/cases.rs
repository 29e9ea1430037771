//! `contract.c`, `alignment.c` and `misuse.c`: a trial for each line that begins with `CHECK(` or `CRIME(`.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use bowline_tests::malloc::PREFIX;
use libtest_mimic::{Failed, Trial};

use crate::context::{Context, complaint, expect, expect_served, run, run_under};
use bowline_tests::trials::trial;

const SIGABRT: i32 = 6;

/// Where the promises stand.
const CONTRACT: [&str; 2] = ["contract.c", "alignment.c"];

pub(crate) fn trials(context: &Arc<Context>) -> Result<Vec<Trial>, String> {
    let mut trials = Vec::new();
    for source in CONTRACT {
        for line in context.text(source)?.lines() {
            let name = line
                .strip_prefix("CHECK(")
                .and_then(|rest| rest.split_once(')'));
            if let Some((name, _)) = name {
                let name = name.to_owned();
                trials.push(trial(
                    context,
                    format!("contract::{name}"),
                    move |context, folder| keeps(context, folder, source, &name),
                ));
            }
        }
    }
    for line in context.text("misuse.c")?.lines() {
        let arguments = line
            .strip_prefix("CRIME(")
            .and_then(|rest| rest.split_once(", \""));
        if let Some((name, rest)) = arguments {
            let (name, text) = (name.to_owned(), rest.split('"').next().unwrap_or_default());
            let text = format!("{PREFIX} {text}");
            trials.push(trial(
                context,
                format!("misuse::{name}"),
                move |context, folder| is_told(context, folder, &name, &text),
            ));
        }
    }
    Ok(trials)
}

/// A promise is kept.
fn keeps(context: &Context, folder: &Path, source: &str, name: &str) -> Result<(), Failed> {
    let malloc = context.malloc()?;
    let mut command = Command::new(context.program(source)?);
    let outcome = run_under(malloc, command.arg(name), folder)?;
    expect(&outcome, 0, "done\n")?;
    // Without a standard error there is nowhere to tell figures.
    expect_served(
        malloc,
        &outcome,
        usize::from(name != "closed_standard_streams"),
    )
}

/// A mistake is told in exactly one line, and ends the process.
fn is_told(context: &Context, folder: &Path, name: &str, text: &str) -> Result<(), Failed> {
    let malloc = context.malloc()?;
    let mut command = Command::new(context.program("misuse.c")?);
    command.env(
        "OWN_MALLOC",
        context.library("own_malloc.so", "own_malloc.c", &[])?,
    );
    command.env("LD_PRELOAD", &malloc.path).arg(name);
    let outcome = run(&mut command, folder)?;
    let said: Vec<&str> = outcome.stdout.split_whitespace().collect();
    let named = |name: &str| said.iter().skip_while(|word| **word != name).nth(1);
    let expected = text
        .replace("%p", named("culprit").unwrap_or(&"(no culprit)"))
        .replace("%b", named("block").unwrap_or(&"(no block)"));
    let told = outcome.stderr == format!("{expected}\n");
    if told && outcome.signal == Some(SIGABRT) {
        return Ok(());
    }
    Err(complaint(
        &format!("expected SIGABRT after the line\n{expected}"),
        &outcome,
    ))
}
