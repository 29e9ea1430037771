//! What a page shows, carried out.
//!
//! | block | what is done |
//! |---|---|
//! | `scheme` | a whole program: run; it must succeed and print the next block, if that is `text` |
//! | `scheme error` | run; it must fail and say what the next block, a `text`, shows |
//! | `scheme fragment` | only read: it must be a sequence of data |
//! | any, with `file=NAME` | put into the page's folder under this name, for blocks that follow |
//! | `console` | if all its commands are ones of [`COMMANDS`], they are run, and must print what it shows |
//!
//! A line of a `console` block that begins with `$ ` is a command. Of it both outputs count.

use std::path::Path;
use std::process::Command;

use bowline_syntax::{SourceId, read_all};
use bowline_tests::process::{self, Outcome};
use libtest_mimic::Failed;

use crate::block::{Block, blocks, matches};
use crate::{Context, LIMIT};

/// First words of commands that are run.
const COMMANDS: [&str; 5] = ["bowline", "cat", "cc", "echo", "mkdir"];

/// The name of a program that the page does not name.
const MAIN: &str = "main.scm";

/// Carries out the blocks of a page in an empty folder.
pub(crate) fn check(context: &Context, page: &str, folder: &Path) -> Result<(), Failed> {
    let text = std::fs::read_to_string(context.root.join(page))?;
    let blocks = blocks(&text);
    let mut complaints = Vec::new();
    for (i, block) in blocks.iter().enumerate() {
        let next = blocks.get(i + 1).filter(|next| next.language == "text");
        if let Err(complaint) = carry_out(context, block, next, folder) {
            complaints.push(format!("{page}:{}: {complaint}", block.line));
        }
    }
    match complaints.is_empty() {
        true => Ok(()),
        false => Err(complaints.join("\n\n").into()),
    }
}

fn carry_out(
    context: &Context,
    block: &Block,
    next: Option<&Block>,
    folder: &Path,
) -> Result<(), String> {
    if let Some(file) = block.file() {
        let path = folder.join(file);
        let parent = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent).map_err(|error| error.to_string())?;
        return std::fs::write(&path, &block.text).map_err(|error| error.to_string());
    }
    match block.language.as_str() {
        "scheme" if block.is("fragment") => read(block),
        "scheme" => run(context, block, next, folder),
        "console" => session(context, block, folder),
        _ => Ok(()),
    }
}

fn read(block: &Block) -> Result<(), String> {
    let (_, diagnostics) = read_all(SourceId(0), &block.text);
    match diagnostics.first() {
        None => Ok(()),
        Some(first) => Err(format!("it cannot be read: {}", first.message)),
    }
}

fn run(
    context: &Context,
    block: &Block,
    next: Option<&Block>,
    folder: &Path,
) -> Result<(), String> {
    std::fs::write(folder.join(MAIN), &block.text).map_err(|error| error.to_string())?;
    let mut command = Command::new(&context.bowline);
    let outcome = process::run(command.args(["run", MAIN]), folder, "", LIMIT)
        .map_err(|error| error.to_string())?;
    let fails = block.is("error");
    if (outcome.exit == Some(0)) == fails || !fails && !outcome.stderr.is_empty() {
        let ending = outcome.ending();
        return Err(format!(
            "it ended with {ending} and said\n{}",
            outcome.stderr
        ));
    }
    match next {
        Some(shown) => compare(
            &shown.text,
            if fails {
                &outcome.stderr
            } else {
                &outcome.stdout
            },
        ),
        None if fails => Err("the block after it must show what is said".to_owned()),
        None => Ok(()),
    }
}

fn compare(shown: &str, actual: &str) -> Result<(), String> {
    match matches(shown, actual) {
        true => Ok(()),
        false => Err(format!("it shows\n{shown}but what comes is\n{actual}")),
    }
}

/// Runs the commands of a `console` block, each with what it is said to print.
fn session(context: &Context, block: &Block, folder: &Path) -> Result<(), String> {
    let mut steps: Vec<(&str, String)> = Vec::new();
    for line in block.text.lines() {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push((command, String::new())),
            (None, Some((_, shown))) => *shown += &format!("{line}\n"),
            (None, None) => return Err("it does not begin with a command".to_owned()),
        }
    }
    let first = |command: &str| command.split_whitespace().next().map(str::to_owned);
    let ours = |command: &str| first(command).is_some_and(|word| COMMANDS.contains(&word.as_str()));
    if !steps.iter().all(|(command, _)| ours(command)) {
        return Ok(());
    }
    for (command, shown) in steps {
        let outcome = shell(context, command, folder)?;
        compare(&shown, &outcome.stdout).map_err(|complaint| format!("{command}: {complaint}"))?;
    }
    Ok(())
}

/// Runs a command line with the product in the search path; its outputs come as one.
fn shell(context: &Context, line: &str, folder: &Path) -> Result<Outcome, String> {
    let products = context.bowline.parent().unwrap_or(Path::new("."));
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("exec 2>&1; {line}")])
        .env("PATH", format!("{}:{path}", products.display()));
    process::run(&mut command, folder, "", LIMIT).map_err(|error| error.to_string())
}
