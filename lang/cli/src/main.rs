//! The command `bowline`.
//!
//! Options before the file are ours, what follows it belongs to the program. Status 2 means that
//! the command line was wrong or the heap it asks for cannot be had; a program that fails ends
//! with 1.

#![forbid(unsafe_code)]

mod check;
mod color;
mod options;
mod recording;
mod repl;
mod trace_view;

// C's malloc and Rust's are the static region, whose every byte the collector knows of.
bowline_interpose::executable!();
// What `bowline.h` declares: libraries that a program opens find it in the executable.
use bowline_capi as _;

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use bowline_engine::{Format, Options, Session};
use bowline_gc::{HeapConfig, HeapError};

use color::Color;
use options::{Cli, Command, DumpOptions, HeaderOptions, RunOptions};

/// The stack of the thread that runs everything: deep programs are expanded, and callbacks nest,
/// on it. Only what is used is ever committed, but `ulimit -d` and strict overcommit count all of it.
const STACK: usize = 1 << 30;
/// What the deepest program that the expander takes needs of it.
const LEAST_STACK: usize = 128 << 20;
/// The part of what the process may map that it is at most.
const STACK_PART: usize = 8;

/// How what goes wrong is told on standard error.
fn format(json: bool, color: Color) -> Format {
    match json {
        true => Format::Json,
        false if color.on(std::io::stderr().is_terminal()) => Format::Color,
        false => Format::Plain,
    }
}

/// A session for a program with its arguments.
fn start(
    mut heap: HeapConfig,
    format: Format,
    file: &Path,
    arguments: &[String],
) -> Result<Session, String> {
    let mut command_line = vec![file.display().to_string()];
    command_line.extend_from_slice(arguments);
    if let Some(trace) = &mut heap.recording.trace {
        if trace_view::is_same(&trace.path, file) {
            let program = file.display();
            return Err(format!("the trace would overwrite the program {program}"));
        }
        trace.name = file.display().to_string();
    }
    let options = Options {
        heap,
        arguments: command_line,
        format,
    };
    Session::new(options).map_err(|error| error.to_string())
}

fn run(options: &RunOptions, format: Format) -> Result<i32, String> {
    let (file, arguments) = options.program();
    if options.warn {
        check::warn(&file, format);
    }
    let mut session = start(options.heap.config(), format, &file, arguments)?;
    Ok(session.run_file(&file))
}

fn dump(options: &DumpOptions, format: Format) -> Result<i32, String> {
    let mut session = start(HeapConfig::default(), format, &options.file, &[])?;
    print(session.dump_file(&options.file, options.stage))
}

fn header(options: &HeaderOptions, format: Format) -> Result<i32, String> {
    let mut session = start(HeapConfig::default(), format, &options.file, &[])?;
    print(session.header_file(&options.file))
}

/// Prints what a program became, unless it was refused.
fn print(text: Result<String, i32>) -> Result<i32, String> {
    let text = match text {
        Ok(text) => text,
        Err(status) => return Ok(status),
    };
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| format!("cannot write to standard output: {error}"))?;
    Ok(0)
}

fn work() -> i32 {
    let Cli { command, color } = Cli::of_process();
    let format = format(command.json(), color);
    let done = match &command {
        Command::Run(options) => run(options, format),
        Command::Dump(options) => dump(options, format),
        Command::Header(options) => header(options, format),
        Command::Repl(options) => repl::run(options, format, color),
        Command::Check(options) => check::check(options, color),
        Command::TraceView(options) => trace_view::run(options),
    };
    done.unwrap_or_else(|message| {
        let text = format.remark(&message);
        let _ = std::io::stderr().write_all(text.as_bytes());
        2
    })
}

fn main() -> ExitCode {
    let stack = bowline_gc::mappable().map_or(STACK, |bytes| {
        (bytes / STACK_PART).clamp(LEAST_STACK, STACK)
    });
    // The thread ends the process itself: in a forked child there is no other that could.
    let thread = std::thread::Builder::new()
        .name("bowline".into())
        .stack_size(stack)
        // A status is what the system keeps of it: the low eight bits.
        .spawn(|| std::process::exit(i32::from(work() as u8)));
    match thread.map(std::thread::JoinHandle::join) {
        Ok(Ok(never)) => never,
        Ok(Err(_)) => ExitCode::from(101),
        Err(error) => {
            let why = no_thread(stack, &error, HeapConfig::default().check());
            let _ = writeln!(std::io::stderr(), "bowline: {why}");
            ExitCode::from(2)
        }
    }
}

/// Why there is no thread: what a heap would not have either, if `heap` says that, or else how many threads there may be.
fn no_thread(stack: usize, error: &std::io::Error, heap: Result<(), HeapError>) -> String {
    match heap {
        Err(limit) => limit.to_string(),
        Ok(()) => format!(
            "cannot start a thread with a stack of {} MiB: {error}; see ulimit -u",
            stack >> 20
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_thread_lacks_is_told() {
        let error = || std::io::Error::from_raw_os_error(11);
        assert_eq!(
            no_thread(1 << 30, &error(), Ok(())),
            "cannot start a thread with a stack of 1024 MiB: Resource temporarily unavailable (os error 11); see ulimit -u"
        );
        let limit = HeapError::AddressSpace { limit: 1 << 30 };
        let text = limit.to_string();
        assert_eq!(no_thread(1 << 30, &error(), Err(limit)), text);
    }
}
