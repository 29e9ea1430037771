//! Mallocs under `LD_PRELOAD`: small programs that each stand for a use of memory, and real ones.
//!
//! Every program runs on every malloc once a round, each time in a process of its own. Of each process the system tells
//! the processor time and the most memory that it had; a program in C asks for them (`run.c`), whose own size is too
//! small to show. A program prints a sum of its work, which must be the same on every malloc.
//!
//! Ratios are medians of the ratios within a round, and a set's figure is the geometric mean of its programs' ratios.

mod page;
mod peers;
mod programs;

use super::figures::{self, Case, Told};
use super::{Task, output_of};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Where the sources of the programs are.
const FOLDER: &str = "xtask/programs/malloc";

/// A malloc that takes part.
struct Peer {
    name: &'static str,
    /// What is preloaded.
    library: String,
    /// What `BOWLINE_MALLOC` is set to: this tree's malloc in a mode, which is told beside the peers and is none.
    mode: Option<&'static str>,
    /// What the page says of it.
    how: String,
}

/// The two sets of programs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Set {
    Small,
    Real,
}

/// A program that runs on every malloc.
struct Program {
    name: &'static str,
    set: Set,
    command: Vec<String>,
    /// A script that runs beside it and is not counted.
    beside: Option<String>,
    /// Whether what it prints is the same on every malloc.
    compared: bool,
}

/// All runs of one program: by peer, in their order.
struct Row<'a> {
    program: &'a Program,
    told: Vec<Told>,
}

/// Measures, and returns the page and whether all went well. `hardened` puts this tree's hardened mode beside the others.
pub(super) fn measure(task: Task<'_>, hardened: bool) -> Result<(String, bool), String> {
    let (peers, missing) = peers::all(task.root, task.scratch, hardened)?;
    let programs = programs::all(task.root, task.scratch)?;
    let (programs, absent): (Vec<Program>, Vec<_>) = programs
        .into_iter()
        .filter(|program| program.name.contains(task.only))
        .partition(programs::is_here);
    let missing = missing
        .into_iter()
        .chain(
            absent
                .iter()
                .map(|program| format!("{}: not here", program.name)),
        )
        .collect::<Vec<_>>();
    let runner = programs::compiled(task.root, task.scratch, "run.c", &[])?;
    let out = task.scratch.join("output");
    let cases = cases(&runner, &out, &programs, &peers);
    // The marker at the end of a case's command says with which other runs it is compared.
    let expected = std::cell::RefCell::new(BTreeMap::new());
    let all = figures::measure_in_turns(&cases, peers.len(), task.rounds, |command| {
        let (marker, command) = command.split_first().ok_or("no command")?;
        let figures = once(command, &out)?;
        compare(&mut expected.borrow_mut(), marker, &out)?;
        Ok(figures)
    });
    let rows: Vec<Row<'_>> = programs
        .iter()
        .zip(all.chunks(peers.len()))
        .map(|(program, told)| Row {
            program,
            told: told.to_vec(),
        })
        .collect();
    let sound = all.iter().all(|told| told.failure().is_none());
    Ok((page::page(&peers, &missing, &rows, task), sound))
}

/// Each program on each peer, the peers of one program next to each other. A command begins with the name under which its
/// output is compared, empty for none.
fn cases(runner: &str, out: &Path, programs: &[Program], peers: &[Peer]) -> Vec<Case> {
    let mut cases = Vec::new();
    for program in programs {
        for peer in peers {
            let marker = if program.compared { program.name } else { "" };
            let out = out.to_string_lossy();
            let mode = peer.mode.map(|mode| format!("BOWLINE_MALLOC={mode}"));
            // The variable is set for the runner, so that what is measured is the program alone.
            let set = mode.iter().flat_map(|mode| ["env", mode]);
            let mut command: Vec<&str> = [marker].into_iter().chain(set).collect();
            command.extend([runner, &out, &peer.library]);
            if let Some(script) = &program.beside {
                command.extend(["--beside", script]);
            }
            command.extend(program.command.iter().map(String::as_str));
            cases.push(Case::new(
                format!("{}, {}", program.name, peer.name),
                &command,
            ));
        }
    }
    cases
}

/// Runs a case once.
fn once(command: &[String], out: &Path) -> Result<BTreeMap<String, f64>, String> {
    let (runner, arguments) = command.split_first().ok_or("no command")?;
    let said = output_of(Command::new(runner).args(arguments))?;
    let mut figures = figures::numbers(&said);
    let printed = std::fs::read(out).unwrap_or_default();
    let printed = String::from_utf8_lossy(&printed);
    if let Some(left) = figures::numbers(&printed).get("left") {
        figures.insert("left".to_string(), *left);
    }
    match figures.contains_key("rss") {
        true => Ok(figures),
        false => Err(format!("the runner says {said:?}")),
    }
}

/// What a program printed must be what it printed first, but for what it tells of its own memory.
fn compare(
    expected: &mut BTreeMap<String, String>,
    marker: &str,
    out: &Path,
) -> Result<(), String> {
    if marker.is_empty() {
        return Ok(());
    }
    let printed = std::fs::read(out).map_err(|e| format!("{}: {e}", out.display()))?;
    let printed = String::from_utf8_lossy(&printed);
    let lines = printed.lines().filter(|line| !line.starts_with("left="));
    let printed = lines.collect::<Vec<_>>().join("\n");
    let first = expected
        .entry(marker.to_string())
        .or_insert_with(|| printed.clone());
    match *first == printed {
        true => Ok(()),
        false => Err("prints something else than the first run".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::with_scratch;
    use super::*;

    #[test]
    fn every_small_program_compiles_without_a_warning() {
        let root = crate::root();
        let all = with_scratch(|scratch| programs::all(&root, scratch)).expect("programs");
        let small = all.iter().filter(|program| program.set == Set::Small);
        assert!(small.count() >= 13);
    }

    #[test]
    fn the_runner_tells_what_a_process_took() {
        let root = crate::root();
        with_scratch(|scratch| {
            let runner = programs::compiled(&root, scratch, "run.c", &[]).expect("a runner");
            let out = scratch.join("output");
            let run = |words: &[&str]| {
                let path = out.to_string_lossy();
                let words = [&[runner.as_str(), &*path, ""], words].concat();
                let words: Vec<String> = words.iter().map(|word| word.to_string()).collect();
                once(&words, &out)
            };
            let figures = run(&["echo", "left=5"]).expect("figures");
            assert!(
                figures["rss"] > 0.0 && figures["left"] == 5.0,
                "{figures:?}"
            );
            let failed = run(&["false"]).expect_err("a failure");
            assert!(failed.contains("false: status 256"), "{failed}");
            run(&["--beside", "true", "true"]).expect("figures");
            let failed = run(&["--beside", "exit 3", "true"]).expect_err("a failure");
            assert!(failed.contains("beside it 768"), "{failed}");
        });
    }

    #[test]
    fn a_mode_is_the_programs_alone() {
        let program = Program {
            name: "echo",
            set: Set::Real,
            command: vec!["echo".to_string()],
            beside: None,
            compared: true,
        };
        let peer = |mode| Peer {
            name: "x",
            library: "lib.so".to_string(),
            mode,
            how: String::new(),
        };
        let peers = [peer(None), peer(Some("hardened"))];
        let cases = cases("run", Path::new("out"), &[program], &peers);
        let commands: Vec<_> = cases.iter().map(|case| case.command.join(" ")).collect();
        let plain = "echo run out lib.so echo";
        let hardened = "echo env BOWLINE_MALLOC=hardened run out lib.so echo";
        assert_eq!(commands, [plain, hardened]);
    }

    #[test]
    fn what_differs_is_an_error() {
        with_scratch(|scratch| {
            let out = scratch.join("output");
            let mut expected = BTreeMap::new();
            let mut say = |marker: &str, text: &str| {
                std::fs::write(&out, text).expect("a file");
                compare(&mut expected, marker, &out)
            };
            assert!(say("a", "left=1\nchecksum=2\n").is_ok());
            assert!(say("a", "left=9\nchecksum=2\n").is_ok());
            assert!(say("", "checksum=3\n").is_ok());
            assert!(say("b", "checksum=3\n").is_ok());
            let wrong = say("a", "checksum=3\n").expect_err("another sum");
            assert!(wrong.contains("something else"), "{wrong}");
        });
    }
}
