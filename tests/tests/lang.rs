//! The cases of `lang/`, each run by the `bowline` beside this executable in every mode: as it is,
//! with the collector that moves everything, marking beside the program, collecting at boundary crossings,
//! and, where C is called, collecting inside C's malloc, with full collections only, and with what C does being checked.
//!
//! `BLESS=1` writes what the plain mode printed into the cases; read the diff before you keep it.
//! The format is that of [`bowline_tests::case`].
//!
//! Absent on purpose: building the binary. A test that runs cargo would fight over its lock.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use bowline_tests::case::Case;
use bowline_tests::process;
use bowline_tests::scratch::Scratch;
use libtest_mimic::{Failed, Trial};

/// A mode's name and its flags.
const MODES: [(&str, &[&str]); 7] = [
    ("plain", &[]),
    ("compact", &["--plan=compact-test"]),
    ("latency", &["--plan=latency", "--verify"]),
    (IMMIX, &["--plan=immix", "--verify"]),
    ("zeal", &["--zeal=crossing:97"]),
    (MALLOC, &["--zeal=malloc:2"]),
    (CHECK, &["--check-boundary"]),
];

/// The mode in which what C does is checked.
const CHECK: &str = "check";

/// The mode that only differs from the plain one where C's malloc is called.
const MALLOC: &str = "malloc";

/// The mode without a nursery: for cases that collect or call C.
const IMMIX: &str = "immix";

const LIMIT: Duration = Duration::from_secs(300);

fn main() -> ExitCode {
    bowline_tests::trials::run(trials)
}

fn trials() -> Result<Vec<Trial>, String> {
    let binary = process::product("bowline")?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("lang");
    let entries = std::fs::read_dir(&folder).map_err(|error| error.to_string())?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "txt"))
        .collect();
    files.sort();
    let bless = std::env::var_os("BLESS").is_some();
    let modes = if bless { &MODES[..1] } else { &MODES[..] };
    let mut trials = Vec::new();
    for file in files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let calls_c = name.starts_with("ffi-");
        let collects = calls_c || name.starts_with("gc-");
        for &(mode, flags) in modes.iter().filter(|(mode, _)| match *mode {
            CHECK => calls_c,
            MALLOC | IMMIX => collects,
            _ => true,
        }) {
            let (file, binary) = (file.clone(), binary.clone());
            let run = move || check(&binary, &file, mode, flags, bless);
            trials.push(Trial::test(format!("{name}::{mode}"), run));
        }
    }
    Ok(trials)
}

fn check(
    binary: &Path,
    file: &Path,
    mode: &str,
    flags: &[&str],
    bless: bool,
) -> Result<(), Failed> {
    let text = std::fs::read_to_string(file)?;
    let case = Case::parse(&text)?;
    if !case.modes.is_empty() && !case.modes.iter().any(|wanted| wanted == mode) {
        return Ok(());
    }
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    let scratch = Scratch::new(&format!("{name}-{mode}"))?;
    let folder = scratch.path();
    case.lay_out(folder)?;
    let mut command = Command::new(binary);
    match (&case.dump, &case.check) {
        (Some(stage), _) => command.arg("dump").arg(format!("--stage={stage}")),
        (None, Some(flags)) => command.arg("check").args(flags),
        (None, None) => command.arg("run").args(flags).args(&case.flags),
    };
    command.arg("main.scm").args(&case.args);
    let outcome = process::run(&mut command, folder, &case.stdin, LIMIT)?;
    if outcome.timed_out {
        return Err(format!("not done after {} s", LIMIT.as_secs()).into());
    }
    if let (true, Some(exit)) = (bless, outcome.exit) {
        let blessed = case.with_results(&text, exit, &outcome.stdout, &outcome.stderr);
        return Ok(std::fs::write(file, blessed)?);
    }
    let complaints = case.complaints(&outcome);
    match complaints.is_empty() {
        true => Ok(()),
        false => Err(complaints.join("\n").into()),
    }
}
