//! The prompt: one entry after another is read, expanded and run in one environment, and what is to
//! be shown comes back as text.
//!
//! Reading order: `entry` and `token` (text before it is submitted), `complete` and `describe` (what
//! is known of names), `evaluate` with `failure` (forms), `command` and `measure` (what begins with a
//! comma).
//!
//! inv:interact.listening — requests to interrupt count from the beginning of an entry's evaluation
//! to its end and at no other time, so none is left over for the next one.
//!
//! Absent on purpose: the terminal. Editing lines, history and keys are the command's.

mod command;
mod complete;
mod describe;
mod entry;
mod evaluate;
mod failure;
mod measure;
mod token;

use std::collections::VecDeque;
use std::io::IsTerminal;
use std::path::Path;

use bowline_ffi::Rest;
use bowline_gc::Interrupter;
use bowline_middle::{GlobalId, ReplEnv};
use bowline_runtime::errno;
use bowline_runtime::port::LostOutput;
use bowline_syntax::{Datum, Diagnostic, SourceId};

use crate::libraries;
use crate::session::{FAILED, Session, Stop};

pub use complete::Candidate;
pub use entry::{Entry, entry};
pub use token::{Token, TokenClass};

/// What an entry came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// What there is to show. Each text ends with a line's end unless it is empty.
    Said {
        /// For standard output: values, one on each line, or what a command tells.
        text: String,
        /// For standard error, after the text: why the entry failed, or where it was interrupted.
        failure: Option<String>,
    },
    /// The program asked to end with this status.
    Quit(i32),
}

/// A session at a prompt.
pub struct Interaction {
    session: Session,
    env: ReplEnv,
    /// Lines submitted so far: the next entry's are counted on.
    lines: u32,
    /// Whether `#!fold-case` holds.
    fold: bool,
    /// Whether values are shown with the names that they get.
    named: bool,
    /// How many values have got a name.
    results: usize,
    /// The variables of the last ones.
    kept: VecDeque<GlobalId>,
    /// What the last entry that failed was told, whole.
    failed: Option<Diagnostic>,
    /// What moves the terminal to the beginning of a line, from wherever it is.
    line_motion: Option<String>,
    /// How wide the terminal is.
    columns: Option<usize>,
    /// Output of the entry at hand that could not be written.
    lost: Option<LostOutput>,
    /// What the entry at hand has to show so far.
    text: String,
}

/// The user wants no more of the line that he is typing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interrupted;

/// How the evaluation of an entry ended early.
enum End {
    /// With what is told of it.
    Failed(String),
    /// The program asked to end with this status.
    Quit(i32),
}

type Outcome<T = ()> = Result<T, End>;

/// The name of what is typed at the prompt, as a source.
const SOURCE: &str = "repl";

impl Session {
    /// Opens a prompt, at which what the public libraries of the standard library export is bound.
    /// The error is a status to exit with; what failed was told on standard error.
    pub fn interact(mut self) -> Result<Interaction, i32> {
        let env = self.expander.new_repl_env();
        self.loader.directories = libraries::search_path(Path::new(""));
        let units = self
            .expander
            .import(env, &standard_libraries(), &mut self.loader);
        let run = match units {
            Ok(units) => units.into_iter().try_for_each(|unit| self.run_unit(unit)),
            Err(diagnostics) => Err(self.refuse(&diagnostics)),
        };
        run.map_err(|Stop(status)| status)?;
        let interrupter = self.vm.rt.heap.stack().interrupter();
        self.expander
            .stop_when(Box::new(move || interrupter.is_requested()));
        self.freeze();
        Ok(Interaction {
            session: self,
            env,
            lines: 0,
            fold: false,
            named: std::io::stdin().is_terminal() && std::io::stdout().is_terminal(),
            results: 0,
            kept: VecDeque::new(),
            failed: None,
            line_motion: None,
            columns: None,
            lost: None,
            text: String::new(),
        })
    }
}

/// Import sets of the public libraries, those whose name should stand for a name that several export
/// last.
fn standard_libraries() -> Vec<Datum> {
    let rank = |path: &&str| match *path {
        "scheme/r5rs" => 0,
        "scheme/base" => 3,
        path if path.starts_with("scheme/") => 2,
        _ => 1,
    };
    let mut paths: Vec<_> = libraries::public().collect();
    paths.sort_by_key(rank);
    let text: Vec<_> = paths
        .iter()
        .map(|path| format!("({})", path.replace('/', " ")))
        .collect();
    let (sets, _) = bowline_syntax::read_all(SourceId::NONE, &text.join(" "));
    sets
}

impl Interaction {
    /// Whether what was typed so far is an entry, as [`entry()`] says.
    pub fn entry(&self, text: &str) -> Entry {
        entry(text)
    }

    /// The next line of standard input without its end; none at the end. Programs at the prompt read
    /// from the same buffer, so the prompt and they take turns where input is piped.
    /// `ask` is called when an interrupt counts.
    pub fn read_line(&mut self, ask: impl FnOnce()) -> Result<Option<String>, Interrupted> {
        let rt = &mut self.session.vm.rt;
        rt.heap.stack().listen(true);
        ask();
        let line = rt.read_input_line();
        let interrupted = rt.heap.stack().take_interrupt();
        rt.heap.stack().listen(false);
        if interrupted {
            Err(Interrupted)
        } else {
            Ok(line)
        }
    }

    /// What is shown begins with `motion`, which brings the terminal to the beginning of a line from
    /// wherever it is, and prose is so wide. Without it only what programs print through their ports
    /// is known of, and prose is as it was written.
    pub fn show_on_terminal(&mut self, columns: usize, motion: String) {
        self.columns = Some(columns);
        self.line_motion = Some(motion);
    }

    /// Whether values are shown with the names that they get, as `$1 = 3`. So they are where both
    /// standard input and output are a terminal.
    pub fn name_values(&mut self, named: bool) {
        self.named = named;
    }

    /// Evaluates an entry: any number of forms, or one command that begins with a comma.
    pub fn submit(&mut self, text: &str) -> Reply {
        self.under_way(|this| match text.trim_start().starts_with(',') {
            true => this.command(text),
            false => this.entry_text(text),
        })
    }

    /// Evaluates what a file holds, as if it were typed here. Values are not shown.
    pub fn load(&mut self, file: &Path) -> Reply {
        self.under_way(|this| this.load_file(file))
    }

    /// Runs `work` so that it can be interrupted, and makes a reply of what comes of it.
    fn under_way(&mut self, work: impl FnOnce(&mut Self) -> Outcome) -> Reply {
        // inv:interact.listening
        self.session.vm.rt.heap.stack().listen(true);
        let outcome = work(self);
        self.session.vm.rt.heap.stack().listen(false);
        self.session.vm.settle();
        self.flush();
        let lost = self.lost.take();
        let mut text = std::mem::take(&mut self.text);
        let failure = match outcome {
            Err(End::Quit(status)) => return Reply::Quit(status),
            // Nobody reads any more, so nobody wants more to be evaluated.
            _ if lost.is_some_and(|lost| lost.errno == errno::EPIPE) => return Reply::Quit(FAILED),
            Err(End::Failed(failure)) => Some(failure),
            Ok(()) => lost.map(|lost| self.session.format.remark(&lost.to_string())),
        };
        if self.named && text.is_empty() {
            text = self.line_start();
        }
        self.line_was_ended();
        Reply::Said { text, failure }
    }

    /// The user types: until the rest is handed to [`Interaction::resume`] collections do not wait for this thread, and
    /// threads of C's may call back. Meanwhile the interaction stays where it is, and nothing is asked of it.
    pub fn rest(&mut self) -> Rest {
        bowline_ffi::rest(&mut self.session.vm)
    }

    /// Something is to be asked or evaluated again.
    pub fn resume(&mut self, rest: Rest) {
        rest.end(&mut self.session.vm);
    }

    /// A handle that ends the evaluation of an entry.
    pub fn interrupter(&self) -> Interrupter {
        self.session.vm.rt.heap.stack().interrupter()
    }
}
