//! The boundary with a real heap, a small language and real C.
//!
//! There is one heap for a process, so each trial runs in a process of its own: this binary, started
//! again with the trial's name in the environment. Most trials run three times: as a program would,
//! with everything unpinned moved at every crossing, and the same at every third allocation.

mod byvalue;
mod callbacks;
mod denied;
mod env;
mod errors;
mod handles;
mod holding;
mod jumps;
mod kept;
mod lending;
mod libc_calls;
mod lifetimes;
mod memory;
mod numbers;
mod outs;
#[path = "../../../../gc/heap/tests/heap/seccomp.rs"]
mod seccomp;
mod structs;
mod threads;
mod toy;

use libtest_mimic::{Arguments, Failed, Trial};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Says which trial this process is.
const TRIAL: &str = "BOWLINE_FFI_TRIAL";
/// Says under which zeal.
const ZEAL: &str = "BOWLINE_FFI_ZEAL";
/// Says where the C functions are.
const LIBRARY: &str = "BOWLINE_FFI_LIBRARY";

type Body = (&'static str, fn());

fn bodies() -> Vec<Body> {
    [
        libc_calls::TRIALS,
        numbers::TRIALS,
        lending::TRIALS,
        callbacks::TRIALS,
        lifetimes::TRIALS,
        kept::TRIALS,
        env::TRIALS,
        errors::TRIALS,
        denied::TRIALS,
        handles::TRIALS,
        holding::TRIALS,
        memory::TRIALS,
        outs::TRIALS,
        structs::TRIALS,
        threads::TRIALS,
        byvalue::TRIALS,
        jumps::TRIALS,
    ]
    .concat()
}

/// Compiles C functions to a library.
fn compile(sources: &[PathBuf], library: &Path) {
    let status = Command::new("cc")
        .args(["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror"])
        .args(["-O1", "-shared", "-fPIC", "-pthread", "-o"])
        .arg(library)
        .args(sources)
        .status()
        .expect("a C compiler is installed");
    assert!(status.success(), "the C functions do not compile");
}

fn compile_support(directory: &Path) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/boundary");
    let sources = ["support.c", "threads.c", "jumps.c", "env.c"].map(|name| folder.join(name));
    let library = directory.join(format!("libsupport-{}.so", std::process::id()));
    compile(&sources, &library);
    library
}

fn start_again(name: &str, zeal: &str, library: &Path) -> Result<(), Failed> {
    let exe = std::env::current_exe()?;
    let output = Command::new(exe)
        .env(TRIAL, name)
        .env(ZEAL, zeal)
        .env(LIBRARY, library)
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(format!("{}\n{text}", output.status).into())
}

fn main() {
    if let Ok(name) = std::env::var(TRIAL) {
        let bodies = bodies();
        let (_, body) = bodies
            .iter()
            .find(|(known, _)| *known == name)
            .expect("the trial exists");
        return body();
    }
    let args = Arguments::from_args();
    let library = compile_support(Path::new(env!("CARGO_TARGET_TMPDIR")));
    let mut trials = Vec::new();
    for (name, _) in bodies() {
        for zeal in ["off", "crossing:1", "alloc:3"] {
            let library = library.clone();
            trials.push(Trial::test(format!("{name}/{zeal}"), move || {
                start_again(name, zeal, &library)
            }));
        }
    }
    let conclusion = libtest_mimic::run(&args, trials);
    let _ = std::fs::remove_file(&library);
    conclusion.exit();
}
