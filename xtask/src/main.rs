//! `cargo xtask`: tidy, bench, docs, install and uninstall.
//!
//! Only arguments are read here; the work is in the library, where tests reach it.

#![forbid(unsafe_code)]

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use xtask::bench::{self, BenchOptions, What};
use xtask::{docs, install, tidy};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Project tasks of Bowline")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Check the sources against the rules of the house.
    Tidy {
        /// Lower the ledger of unsafe blocks to what the sources have now.
        #[arg(long)]
        bless: bool,
        /// List every invariant's tag, where it is defined and where it is relied on.
        #[arg(long)]
        tags: bool,
    },
    /// Measure against peers, interleaved in one run, and write the result under docs/bench.
    Bench {
        /// What to measure.
        what: What,
        /// Few rounds, and no file written unless --out names one.
        #[arg(long)]
        quick: bool,
        /// Runs of each program on each peer.
        #[arg(long)]
        rounds: Option<usize>,
        /// How long a soak is, in minutes; default 60.
        #[arg(long)]
        minutes: Option<u64>,
        /// Only the programs whose name contains this, and no file written unless --out names one.
        #[arg(long)]
        only: Option<String>,
        /// Let the hardened mode take part in `bench malloc`.
        #[arg(long)]
        hardened: bool,
        /// Where to write the result instead of docs/bench/DATE-WHAT.md.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Write docs/reference.md from the reference.
    Docs,
    /// Install libbowline_malloc.so, and the command that runs programs under it.
    Install {
        /// Where to: lib, bin and share are made there.
        #[arg(long, default_value = "/usr/local")]
        prefix: PathBuf,
        /// A library that is built already.
        #[arg(long)]
        library: Option<PathBuf>,
    },
    /// Remove what install has put there.
    Uninstall {
        /// From where.
        #[arg(long, default_value = "/usr/local")]
        prefix: PathBuf,
    },
}

fn main() -> ExitCode {
    let root = xtask::root();
    let result = match Cli::parse().task {
        Task::Tidy { bless, tags } => tidy::command(&root, bless, tags),
        Task::Bench {
            what,
            quick,
            rounds,
            minutes,
            only,
            hardened,
            out,
        } => bench::command(
            &root,
            what,
            &BenchOptions {
                quick,
                rounds,
                minutes,
                only,
                hardened,
                out,
            },
        ),
        Task::Docs => docs::command(&root),
        Task::Install { prefix, library } => install::install(&root, &prefix, library.as_deref()),
        Task::Uninstall { prefix } => install::uninstall(&prefix),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::from(2)
        }
    }
}
