//! The start of a process: how long until it has said hello and is gone, and what that takes.
//!
//! A program of a few milliseconds is too short for the shell's `time`, so a program in C runs the
//! entrants and reads what the system knows of each: microseconds, memory, page faults.
//!
//! Two entrants are no languages: the heap alone, and MMTk as it comes. What Bowline takes beyond the
//! latter is its own doing.

use super::machine::Machine;
use super::race::Spread;
use super::report::{self, Facts};
use super::run;
use super::scheme::{argument, compiled_by_chez, read};
use super::{Entrant, Task, build, missed, output_of, peers, target_directory};
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

const PROGRAMS: &str = "xtask/programs/start";
const SAYS: &str = "hello\n";
const MMTK: &str = "mmtk";

const ABOUT: &str = "A process that prints \"hello\" and a newline, from its start to its end.";
const LEGEND: &str = "Entrants take turns: each round runs each of them once. Milliseconds of the whole process: the \
     median over rounds, then the least and the greatest. CPU time is user and system time of all threads. \
     Memory and page faults are medians. Entrants run ahead of all other processes (SCHED_FIFO) \
     where the system lets them.";

/// What one run took.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Taken {
    wall_us: u64,
    cpu_us: u64,
    rss_kib: u64,
    faults: u64,
}

/// An entrant's runs, or why there is none to count.
type Runs = Result<Vec<Taken>, String>;

/// Measures, and returns the page and whether every entrant said hello.
pub(super) fn measure(task: Task<'_>) -> Result<(String, bool), String> {
    let Task {
        root,
        scratch,
        rounds,
        command,
        machine,
        ..
    } = task;
    let (entrants, missing) = entrants(root, scratch)?;
    let measurer = scratch.join("measure");
    compile_c(&root.join(PROGRAMS).join("measure.c"), &measurer)?;
    let mut runs: Vec<Runs> = entrants.iter().map(|e| greets(e, scratch)).collect();
    for _ in 0..rounds {
        for (entrant, runs) in entrants.iter().zip(&mut runs) {
            let so_far = std::mem::replace(runs, Ok(Vec::new()));
            *runs = so_far.and_then(|mut taken| {
                taken.push(once(&measurer, &entrant.commands[0])?);
                Ok(taken)
            });
        }
    }
    let facts = Facts {
        about: ABOUT,
        command,
        entrants: &entrants,
        missing: &missing,
    };
    let page = page(&facts, &runs, machine);
    Ok((page, runs.iter().all(Result::is_ok)))
}

/// Runs an entrant once, unmeasured: it must say hello.
fn greets(entrant: &Entrant, scratch: &Path) -> Runs {
    let (_, said) = run::run(&entrant.commands[0], scratch)?;
    match said == SAYS {
        true => Ok(Vec::new()),
        false => Err(format!("it says {said:?}")),
    }
}

fn once(measurer: &Path, command: &[String]) -> Result<Taken, String> {
    let said = output_of(Command::new(measurer).arg("1").args(command))?;
    taken(&said).ok_or_else(|| format!("the measurer says {said:?}"))
}

/// Reads a line of the measurer's.
fn taken(line: &str) -> Option<Taken> {
    let numbers: Option<Vec<u64>> = line.split_whitespace().map(|w| w.parse().ok()).collect();
    match numbers?[..] {
        [wall_us, cpu_us, rss_kib, faults] => Some(Taken {
            wall_us,
            cpu_us,
            rss_kib,
            faults,
        }),
        _ => None,
    }
}

// The entrants.

fn compile_c(source: &Path, binary: &Path) -> Result<(), String> {
    let mut cc = Command::new("cc");
    cc.args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-O2", "-o"]);
    output_of(cc.arg(binary).arg(source)).map(drop)
}

/// Who takes part, and who cannot.
fn entrants(root: &Path, scratch: &Path) -> Result<(Vec<Entrant>, Vec<String>), String> {
    let program = |name: &str| argument(&root.join(PROGRAMS).join(name));
    let mut entrants = vec![bowline(root)?];
    entrants.push(example(root, "heap", "start_heap", "the collector alone")?);
    entrants.push(example(root, MMTK, "start_mmtk", "MMTk as it comes")?);
    let mut missing = Vec::new();
    let peers = [
        ("c", c(root, scratch)),
        ("ocaml", ocaml(root, scratch)),
        ("lua", script("lua", "lua5.4", "-v", &program("hello.lua"))),
        (
            "luajit",
            script("luajit", "luajit", "-v", &program("hello.lua")),
        ),
        ("python", python(&program("hello.py"))),
        ("gambit", gambit(&program("plain.scm"))),
        (
            "guile",
            script("guile", "guile", "--version", &program("hello.scm")),
        ),
        ("chez", chez(root, scratch)),
        ("racket", racket(root, scratch)),
    ];
    for (name, peer) in peers {
        match peer {
            Ok(peer) => entrants.push(peer),
            Err(why) => missing.push(missed(name, &why)),
        }
    }
    Ok((entrants, missing))
}

/// An entrant with one program.
fn entrant(name: &'static str, version: &str, how: &str, command: Vec<String>) -> Entrant {
    Entrant {
        name,
        version: version.lines().next().unwrap_or_default().to_string(),
        how: how.to_string(),
        commands: vec![command],
    }
}

fn bowline(root: &Path) -> Result<Entrant, String> {
    build(root, &["--bin", "bowline"])?;
    let binary = target_directory(root)?.join("release/bowline");
    let version = output_of(Command::new(&binary).arg("--version"))?;
    let source = root.join(PROGRAMS).join("hello.scm");
    let command = vec![argument(&binary), "run".to_string(), argument(&source)];
    let how = "`bowline run hello.scm`, compiles it and the library from source";
    Ok(entrant("bowline", &version, how, command))
}

fn example(root: &Path, name: &'static str, example: &str, what: &str) -> Result<Entrant, String> {
    let binary = peers::example(root, "bowline-gc", example)?;
    let how = format!("{what}: `gc/heap/examples/{example}.rs`, release");
    Ok(entrant(name, "this tree", &how, vec![binary]))
}

fn c(root: &Path, scratch: &Path) -> Result<Entrant, String> {
    let binary = scratch.join("hello_c");
    compile_c(&root.join(PROGRAMS).join("hello.c"), &binary)?;
    let version = output_of(Command::new("cc").arg("--version"))?;
    let command = vec![argument(&binary)];
    Ok(entrant("c", &version, "`hello.c`, cc -O2", command))
}

fn ocaml(root: &Path, scratch: &Path) -> Result<Entrant, String> {
    let source = format!("{PROGRAMS}/hello.ml");
    let command = |binary: &str| vec![vec![binary.to_string()]];
    peers::ocaml(root, scratch, &[&source], &[], command)
}

/// An implementation that is given a script.
fn script(name: &'static str, program: &str, version: &str, file: &str) -> Result<Entrant, String> {
    let version = output_of(Command::new(program).arg(version))?;
    let how = format!("`{program}` and the script");
    let command = vec![program.to_string(), file.to_string()];
    Ok(entrant(name, &version, &how, command))
}

fn python(file: &str) -> Result<Entrant, String> {
    // What the shell finds may be a script that looks for the interpreter.
    let ask = ["-c", "import sys; print(sys.executable)"];
    let interpreter = output_of(Command::new("python3").args(ask))?;
    script("python", &interpreter, "--version", file)
}

fn gambit(file: &str) -> Result<Entrant, String> {
    let gambit = script("gambit", "gsi", "-v", file)?;
    let version = gambit.version.split(' ').next().unwrap_or_default();
    Ok(Entrant {
        version: version.to_string(),
        ..gambit
    })
}

fn chez(root: &Path, scratch: &Path) -> Result<Entrant, String> {
    let text = read(&root.join(PROGRAMS).join("hello.scm"))?;
    let how = "`hello.scm` compiled ahead by `compile-program`";
    compiled_by_chez(scratch, how, &[("hello".to_string(), text)])
}

fn racket(root: &Path, scratch: &Path) -> Result<Entrant, String> {
    let source = scratch.join("hello.rkt");
    copy(&root.join(PROGRAMS).join("hello.rkt"), &source)?;
    output_of(Command::new("raco").arg("make").arg(&source))?;
    let racket = script("racket", "racket", "--version", &argument(&source))?;
    let how = "`hello.rkt` in `racket/base`, compiled ahead by `raco make`";
    Ok(Entrant {
        how: how.to_string(),
        ..racket
    })
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let copied = std::fs::copy(from, to);
    copied
        .map(drop)
        .map_err(|e| format!("{}: {e}", to.display()))
}

// The page.

fn page(facts: &Facts<'_>, runs: &[Runs], machine: &Machine) -> String {
    let mut page = report::head("start", facts, machine);
    // Writing to a string cannot fail.
    let _ = write!(
        page,
        "\n{LEGEND}\n\n| entrant | wall | CPU | memory, MiB | page faults |\n|---|---:|---:|---:|---:|\n"
    );
    for (entrant, runs) in facts.entrants.iter().zip(runs) {
        let _ = match runs {
            Ok(taken) => writeln!(page, "| {} | {} |", entrant.name, cells(taken)),
            Err(_) => writeln!(page, "| {} | failed | | | |", entrant.name),
        };
    }
    let cpu = |name: &str| {
        let at = facts.entrants.iter().position(|e| e.name == name)?;
        Some(spread(runs[at].as_ref().ok()?, |t| t.cpu_us as f64 / 1e3)?.median)
    };
    if let (Some(ours), Some(mmtk)) = (cpu("bowline"), cpu(MMTK)) {
        let _ = writeln!(
            page,
            "\nBeyond MMTk as it comes bowline takes {:.1} ms of CPU time.",
            ours - mmtk
        );
    }
    for (entrant, runs) in facts.entrants.iter().zip(runs) {
        if let Err(why) = runs {
            let _ = writeln!(page, "\n**Failed**: {}: {why}", entrant.name);
        }
    }
    page
}

fn spread(taken: &[Taken], pick: impl Fn(&Taken) -> f64) -> Option<Spread> {
    Spread::of(taken.iter().map(pick))
}

fn cells(taken: &[Taken]) -> String {
    let time = |pick: fn(&Taken) -> u64| {
        spread(taken, |t| pick(t) as f64 / 1e3).map_or(String::new(), |s| {
            format!("{:.1} ({:.1}–{:.1})", s.median, s.least, s.most)
        })
    };
    let median = |pick: fn(&Taken) -> f64| spread(taken, pick).map_or(0.0, |s| s.median);
    format!(
        "{} | {} | {:.1} | {:.0}",
        time(|t| t.wall_us),
        time(|t| t.cpu_us),
        median(|t| t.rss_kib as f64 / 1024.0),
        median(|t| t.faults as f64)
    )
}

#[cfg(test)]
mod tests {
    use super::super::with_scratch;
    use super::*;

    fn one(wall_us: u64, cpu_us: u64) -> Taken {
        Taken {
            wall_us,
            cpu_us,
            rss_kib: 2048,
            faults: 7,
        }
    }

    #[test]
    fn a_line_of_the_measurer_is_read() {
        assert_eq!(taken("100 90 2048 7"), Some(one(100, 90)));
        assert_eq!(taken("100 90 2048"), None);
        assert_eq!(taken("a b c d"), None);
    }

    #[test]
    fn a_command_is_measured_and_a_failure_told() {
        with_scratch(|scratch| {
            let measurer = scratch.join("measure");
            let source = crate::root().join(PROGRAMS).join("measure.c");
            compile_c(&source, &measurer).unwrap();
            let shell = |script: &str| {
                let command = ["sh", "-c", script].map(str::to_string);
                once(&measurer, &command)
            };
            let slept = shell("sleep 0.05").unwrap();
            assert!(slept.wall_us >= 50_000 && slept.faults > 0, "{slept:?}");
            assert!(slept.rss_kib > 0, "{slept:?}");
            assert!(shell("exit 3").unwrap_err().contains("status"));
        });
    }

    #[test]
    fn who_says_something_else_is_no_figure() {
        let says = |text: &str| {
            let command = ["echo", text].map(str::to_string).to_vec();
            with_scratch(|scratch| greets(&entrant("a", "1", "", command), scratch))
        };
        assert_eq!(says("hello"), Ok(Vec::new()));
        assert_eq!(says("bye"), Err("it says \"bye\\n\"".to_string()));
    }

    #[test]
    fn the_page_tells_what_is_our_own_doing() {
        let names = ["bowline", MMTK, "chez"];
        let entrants = names.map(|name| entrant(name, "1", "somehow", Vec::new()));
        let facts = Facts {
            about: ABOUT,
            command: "cargo xtask bench start",
            entrants: &entrants,
            missing: &["lua: not here".to_string()],
        };
        let runs = [
            Ok(vec![one(9000, 8000), one(7000, 6000), one(8000, 7500)]),
            Ok(vec![one(5000, 4500)]),
            Err("broke".to_string()),
        ];
        let page = page(&facts, &runs, &Machine::sample());
        for line in [
            "# start, 2000-01-02",
            "* **Missing**: lua: not here",
            "| bowline | 8.0 (7.0–9.0) | 7.5 (6.0–8.0) | 2.0 | 7 |",
            "| chez | failed | | | |",
            "Beyond MMTk as it comes bowline takes 3.0 ms of CPU time.",
            "**Failed**: chez: broke",
        ] {
            assert!(
                page.lines().any(|l| l == line),
                "no line {line:?} in\n{page}"
            );
        }
    }
}
