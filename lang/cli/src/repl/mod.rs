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
mod shared;
mod terminal;

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use bowline_engine::{Format, Reply};
use clap::Args;

use crate::color::{Color, is_dumb};
use crate::options::HeapOptions;
use shared::Shared;

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
    let terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    let name = options.file.as_deref().unwrap_or(Path::new("bowline"));
    let mut heap = options.heap.config();
    // At a terminal the prompt itself answers SIGINT.
    heap.recording.signals &= !terminal;
    let session = crate::start(heap, format, name, &[])?;
    let mut interaction = match session.interact() {
        Ok(interaction) => interaction,
        Err(status) => return Ok(status),
    };
    if terminal {
        bowline_ffi::handle_interrupts(interaction.interrupter())
            .map_err(|error| error.to_string())?;
        banner();
    }
    let mut failed = false;
    if let Some(file) = &options.file {
        match tell(interaction.load(file), "") {
            Next::On { failed: this } => failed = this,
            Next::End(status) => return Ok(status),
        }
    }
    if !terminal || is_dumb() {
        return Ok(plain::run(&mut interaction, terminal, failed));
    }
    edit::run(Rc::new(Shared::new(interaction)), color.on(true))
}

fn banner() {
    let version = env!("CARGO_PKG_VERSION");
    show(&format!(
        "Bowline {version}, an R7RS Scheme. ,help for help, Ctrl-D to leave.\n"
    ));
}

/// Shows what an entry came to; what was wrong after `motion`, which brings the terminal to the
/// beginning of a line.
fn tell(reply: Reply, motion: &str) -> Next {
    let (text, mut failure) = match reply {
        Reply::Quit(status) => return Next::End(status),
        Reply::Said { text, failure } => (text, failure),
    };
    match write(&text) {
        Ok(()) => {}
        // Nobody reads any more, so nobody wants more to be evaluated.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => return Next::End(FAILED),
        Err(error) => {
            let lost = format!("bowline: cannot write to standard output: {error}\n");
            failure = Some(lost + failure.as_deref().unwrap_or_default());
        }
    }
    if let Some(failure) = &failure {
        show(motion);
        // There is nobody else to be told.
        let _ = io::stderr().write_all(failure.as_bytes());
    }
    Next::On {
        failed: failure.is_some(),
    }
}

/// Writes to standard output at once.
fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Shows on the terminal what is no reply. If nobody sees it, nothing is lost.
fn show(text: &str) {
    let _ = write(text);
}
