//! The prompt: `bowline repl`.
//!
//! What an entry means is the engine's; here it is read and its reply is shown. Three ways:
//!
//! | standard input and output | entries come from |
//! |---|---|
//! | both a terminal | `edit`: a line editor with `helper` (colour, completion, hints) and `keys` |
//! | both a terminal that is dumb | `plain`, with a prompt |
//! | anything else | `plain`, silent but for values; a failure makes the status 1 |
//!
//! Absent on purpose: line editing of our own, and evaluation.

mod edit;
mod helper;
mod history;
mod keys;
mod paint;
mod plain;
mod terminal;

use std::cell::RefCell;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use bowline_engine::{Format, Interaction, Options, Reply, Session};
use clap::Args;

use crate::color::{Color, is_dumb};
use crate::options::HeapOptions;

/// The interaction, which the line editor looks at while the loop that evaluates owns it.
type Shared = Rc<RefCell<Interaction>>;

/// What is shown where an entry is expected.
const PROMPT: &str = "> ";

/// The status when something failed, of a session that nobody watches.
const FAILED: i32 = 1;

/// Options of `repl`.
#[derive(Args, Debug)]
pub(crate) struct ReplOptions {
    #[command(flatten)]
    pub(crate) heap: HeapOptions,
    /// A file to load first.
    file: Option<PathBuf>,
}

/// What is left to do after a reply was shown.
enum Next {
    /// Go on; whether the entry failed.
    On { failed: bool },
    /// End with this status.
    End(i32),
}

/// Runs a prompt until its end: the status to exit with.
pub(crate) fn run(options: &ReplOptions, format: Format, color: Color) -> Result<i32, String> {
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let name = options.file.as_deref().unwrap_or(Path::new("bowline"));
    let mut heap = options.heap.config();
    // The prompt itself answers SIGINT.
    heap.recording.signals = false;
    let session = Session::new(Options {
        heap,
        arguments: vec![name.display().to_string()],
        format,
    });
    let session = session.map_err(|error| error.to_string())?;
    let mut interaction = match session.interact() {
        Ok(interaction) => interaction,
        Err(status) => return Ok(status),
    };
    if terminal {
        banner();
    }
    let mut failed = false;
    if let Some(file) = &options.file {
        match reply(&mut interaction, &load(file)) {
            Next::On { failed: this } => failed = this,
            Next::End(status) => return Ok(status),
        }
    }
    if !terminal || is_dumb() {
        return Ok(plain::run(&mut interaction, terminal, failed));
    }
    edit::run(Rc::new(RefCell::new(interaction)), color.on(true))
}

fn banner() {
    let version = env!("CARGO_PKG_VERSION");
    show(&format!(
        "Bowline {version}, an R7RS Scheme. ,help for help, Ctrl-D to leave.\n"
    ));
}

/// The entry that loads a file.
fn load(file: &Path) -> String {
    let mut entry = String::from("(load \"");
    for c in file.display().to_string().chars() {
        if matches!(c, '"' | '\\') {
            entry.push('\\');
        }
        entry.push(c);
    }
    entry + "\")"
}

/// Evaluates an entry and shows what it came to.
fn reply(interaction: &mut Interaction, entry: &str) -> Next {
    let reply = interaction.submit(entry);
    // What C printed belongs before what is said about it, and before the next prompt.
    bowline_ffi::flush_c_stdout();
    match reply {
        Reply::Quit(status) => Next::End(status),
        Reply::Said { text, failure } => {
            let read = text.is_empty() || show(&text);
            if let Some(failure) = &failure {
                let _ = std::io::stderr().write_all(failure.as_bytes());
            }
            match read {
                true => Next::On {
                    failed: failure.is_some(),
                },
                false => Next::End(FAILED),
            }
        }
    }
}

/// Writes to standard output; whether anybody reads it.
fn show(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::load;
    use std::path::Path;

    #[test]
    fn any_name_can_be_loaded() {
        assert_eq!(load(Path::new("a b.scm")), r#"(load "a b.scm")"#);
        assert_eq!(load(Path::new(r#"a"\b"#)), r#"(load "a\"\\b")"#);
    }
}
