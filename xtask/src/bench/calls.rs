//! Calls of C by programs of the language, against other languages' ways to call C.
//!
//! Every entrant calls the same library, `calls.c`, and tells how many nanoseconds a turn of a loop takes that
//! calls it; an empty loop's turn is taken off here. What an entrant has no such thing for it leaves out.

use super::figures::{self, Case, Told};
use super::report::{self, Facts};
use super::scheme::{argument, compiled_by_chez, read};
use super::{Entrant, Task, build, missed, output_of, peers, target_directory};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

const PROGRAMS: &str = "xtask/programs/calls";
const LOOP: &str = "loop";
const ABOUT: &str = "What a program of the language pays to call C, and C to call it back. Goals of Bowline's virtual machine: \
     40 ns for a call, 100 ns for a callback, and as much for a string or a buffer of 1 MiB as for one of 16 bytes.";
const LEGEND: &str = "Nanoseconds: the median over the rounds, then the least and the greatest. In each round each program takes the \
     least of seven runs of a loop of at least 20 ms. The turn of an empty loop is taken off; it stands in the first column. A \
     dash: the entrant has no such thing, or copies by hand. `leaf` calls of Bowline's delay collections, as all of LuaJIT's and \
     Chez's do but those with `__collect_safe`.";

/// A figure: its key in what programs print, what the page calls it, and how many there are in a turn.
type Figure = (&'static str, &'static str, f64);

const CALL: &[Figure] = &[
    (LOOP, "empty turn", 1.0),
    ("add", "`int add(int, int)`", 1.0),
    ("errno", "a call that sets `errno`, and a look at it", 1.0),
];
const STRINGS: &[Figure] = &[
    ("string_16", "16 bytes", 1.0),
    ("string_4k", "4 KiB", 1.0),
    ("string_1m", "1 MiB", 1.0),
    ("strlen_16", "`strlen`, 16 bytes", 1.0),
    ("strlen_4k", "4 KiB", 1.0),
    ("strlen_1m", "1 MiB", 1.0),
];
const BUFFERS: &[Figure] = &[
    ("buffer_16", "16 bytes", 1.0),
    ("buffer_4k", "4 KiB", 1.0),
    ("buffer_1m", "1 MiB", 1.0),
];
const CALLBACKS: &[Figure] = &[
    (
        "callbacks",
        "of 1000 in a call that is lent the procedure",
        1000.0,
    ),
    ("kept", "of 1000 in a call, kept by C", 1000.0),
    (
        "lend",
        "a call that is lent a procedure and calls it once",
        1.0,
    ),
    ("made", "one for C to keep made and freed", 1.0),
];
const HOLDING: &[Figure] = &[
    ("pin", "pin and unpin", 1.0),
    ("handle", "a handle made and dropped", 1.0),
];
const TABLES: [(&str, &[Figure]); 5] = [
    ("A call", CALL),
    (
        "A call with a text, of which C reads the first byte",
        STRINGS,
    ),
    (
        "A call with a buffer, of which C reads the first byte",
        BUFFERS,
    ),
    ("A callback", CALLBACKS),
    ("Holding an object for C", HOLDING),
];

/// Measures, and returns the page and whether all went well.
pub(super) fn measure(task: Task<'_>) -> Result<(String, bool), String> {
    let Task {
        root,
        scratch,
        rounds,
        only,
        command,
        machine,
    } = task;
    let mut missing = Vec::new();
    let mut entrants = entrants(root, scratch, &mut missing)?;
    entrants.retain(|e| e.name.contains(only));
    let cases: Vec<Case> = entrants.iter().flat_map(cases).collect();
    let all = figures::measure_by(&cases, rounds, |command| {
        figures::once(command, scratch).map(net)
    });
    let facts = Facts {
        about: ABOUT,
        command,
        entrants: &entrants,
        missing: &missing,
    };
    let mut page = report::head("calls", &facts, machine);
    page += &format!("\n{LEGEND}\n");
    for (title, figures) in TABLES {
        page += &format!("\n## {title}\n{}", table(figures, &cases, &all));
    }
    page += &figures::failures(&cases, &all);
    Ok((page, all.iter().all(|told| told.failure().is_none())))
}

fn cases(entrant: &Entrant) -> impl Iterator<Item = Case> {
    let name = entrant.name;
    entrant.commands.iter().map(move |command| Case {
        name: name.to_string(),
        command: command.clone(),
    })
}

/// What a turn takes beyond an empty one, for each of what there is in it.
fn net(told: BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    let empty = told.get(LOOP).copied().unwrap_or(0.0);
    let figures = TABLES.iter().flat_map(|(_, figures)| figures.iter());
    figures
        .filter_map(|&(key, _, count)| {
            let turn = *told.get(key)?;
            let alone = if key == LOOP { turn } else { turn - empty };
            Some((key.to_string(), alone / count))
        })
        .collect()
}

/// A line for each entrant that has any of these figures.
fn table(figures: &[Figure], cases: &[Case], all: &[Told]) -> String {
    let titles = figures.iter().map(|(_, title, _)| title.to_string());
    let columns: Vec<String> = std::iter::once("ns".to_string()).chain(titles).collect();
    let rows = cases.iter().zip(all).filter_map(|(case, told)| {
        let known = |(key, _, _): &Figure| told.median(key).is_some();
        figures.iter().any(known).then(|| {
            let cells = figures.iter().map(|(key, _, _)| cell(told, key));
            std::iter::once(case.name.clone()).chain(cells).collect()
        })
    });
    figures::table(&columns, &rows.collect::<Vec<_>>())
}

/// A figure with one digit after the point where that says anything.
fn cell(told: &Told, key: &str) -> String {
    let digits = usize::from(told.median(key).is_some_and(|n| n < 100.0));
    told.wide_cell(key, digits)
}

// The entrants.

/// Who takes part, us first.
fn entrants(
    root: &Path,
    scratch: &Path,
    missing: &mut Vec<String>,
) -> Result<Vec<Entrant>, String> {
    let library = library(root, scratch)?;
    let mut entrants = bowline(root, &library)?;
    let found = [
        ("luajit", luajit(root, &library)),
        ("chez", chez(root, scratch, &library)),
        ("guile", guile(root, scratch, &library)),
        ("ocaml", ocaml(root, scratch)),
    ];
    entrants.extend(peers::present(found, missing).into_iter().flat_map(split));
    match Python::find(root, library) {
        Ok(python) => entrants.extend(peers::present(python.entrants(scratch), missing)),
        Err(why) => missing.push(missed("python", &why)),
    }
    Ok(entrants)
}

/// Chez has two ways to call; they are told as two entrants.
fn split(mut entrant: Entrant) -> Vec<Entrant> {
    let Some(safe) = entrant.commands.get(1).cloned() else {
        return vec![entrant];
    };
    entrant.commands.truncate(1);
    let second = Entrant {
        name: "chez collect-safe",
        version: entrant.version.clone(),
        how: "the same, declared with `__collect_safe`".to_string(),
        commands: vec![safe],
    };
    vec![entrant, second]
}

fn program(root: &Path, name: &str) -> String {
    argument(&root.join(PROGRAMS).join(name))
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| word.to_string()).collect()
}

fn entrant(name: &'static str, version: &str, how: &str, command: Vec<String>) -> Entrant {
    Entrant {
        name,
        version: version.lines().next().unwrap_or_default().to_string(),
        how: how.to_string(),
        commands: vec![command],
    }
}

/// Compiles the library that all call.
fn library(root: &Path, scratch: &Path) -> Result<String, String> {
    let library = argument(&scratch.join("libcalls.so"));
    let mut cc = Command::new("cc");
    cc.args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O2"]);
    cc.args(["-shared", "-fPIC", "-o", &library]);
    output_of(cc.arg(program(root, "calls.c")))?;
    Ok(library)
}

fn bowline(root: &Path, library: &str) -> Result<Vec<Entrant>, String> {
    build(root, &["--bin", "bowline"])?;
    let binary = argument(&target_directory(root)?.join("release/bowline"));
    let version = output_of(Command::new(&binary).arg("--version"))?;
    let source = program(root, "bowline.scm");
    let ways = [
        ("bowline", "plain", "virtual machine, `bowline.scm`"),
        ("bowline leaf", "leaf", "the same, declared with `(leaf)`"),
    ];
    let command = |way| words(&[&binary, "run", &source, way, library]);
    let made = ways.map(|(name, way, how)| entrant(name, &version, how, command(way)));
    Ok(made.into())
}

fn luajit(root: &Path, library: &str) -> Result<Entrant, String> {
    let version = output_of(Command::new("luajit").arg("-v"))?;
    let command = words(&["luajit", &program(root, "luajit.lua"), library]);
    Ok(entrant("luajit", &version, "`luajit.lua`", command))
}

fn chez(root: &Path, scratch: &Path, library: &str) -> Result<Entrant, String> {
    let text = read(&root.join(PROGRAMS).join("chez.ss"))?;
    let how = "`chez.ss`, `compile-program` at optimize-level 2";
    let mut chez = compiled_by_chez(scratch, how, &[("calls".to_string(), text)])?;
    let run = chez.commands.concat();
    let way = |way: &str| [run.clone(), words(&[way, library])].concat();
    chez.commands = vec![way("plain"), way("safe")];
    Ok(chez)
}

fn guile(root: &Path, scratch: &Path, library: &str) -> Result<Entrant, String> {
    let version = output_of(Command::new("guile").arg("--version"))?;
    let compiled = argument(&scratch.join("calls.go"));
    let compile = format!(
        "(use-modules (system base compile)) (compile-file {:?} #:output-file {compiled:?})",
        program(root, "guile.scm")
    );
    output_of(Command::new("guile").args(["--no-auto-compile", "-c", &compile]))?;
    let load = format!("(load-compiled {compiled:?})");
    let command = words(&["guile", "--no-auto-compile", "-c", &load, library]);
    let how = "`guile.scm`, compiled ahead";
    Ok(entrant("guile", &version, how, command))
}

fn ocaml(root: &Path, scratch: &Path) -> Result<Entrant, String> {
    let sources = ["calls.c", "ocaml_stubs.c", "ocaml.ml"].map(|s| format!("{PROGRAMS}/{s}"));
    let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
    let command = |binary: &str| vec![vec![binary.to_string()]];
    peers::ocaml(root, scratch, &sources, &["-O3"], command)
}

/// Python, with its ways to call C.
struct Python {
    interpreter: String,
    version: String,
    program: String,
    source: String,
    library: String,
}

impl Python {
    fn find(root: &Path, library: String) -> Result<Python, String> {
        // What the shell finds may be a script that looks for the interpreter.
        let ask = ["-c", "import sys; print(sys.executable)"];
        let interpreter = output_of(Command::new("python3").args(ask))?;
        let version = output_of(Command::new(&interpreter).arg("--version"))?;
        Ok(Python {
            interpreter,
            version,
            program: program(root, "python.py"),
            source: program(root, "calls.c"),
            library,
        })
    }

    fn entrants(&self, scratch: &Path) -> [(&'static str, Result<Entrant, String>); 3] {
        let folder = argument(scratch);
        let ask = ["-c", "import cffi; print('cffi', cffi.__version__)"];
        let cffi = || output_of(Command::new(&self.interpreter).args(ask));
        let way = |name, version: &str, way: &str, how| {
            let (library, version) = (&*self.library, format!("{}{version}", self.version));
            let run = [&*self.interpreter, &self.program, way, library, &folder];
            entrant(name, &version, how, words(&run))
        };
        let abi = || {
            Ok(way(
                "cffi abi",
                &format!(", {}", cffi()?),
                "abi",
                "library opened by `dlopen`",
            ))
        };
        let api = || {
            let version = format!(", {}", cffi()?);
            let build = [&*self.program, "build", &self.source, &folder];
            output_of(Command::new(&self.interpreter).args(build))?;
            Ok(way("cffi api", &version, "api", "module compiled ahead"))
        };
        [
            ("ctypes", Ok(way("ctypes", "", "ctypes", "`python.py`"))),
            ("cffi abi", abi()),
            ("cffi api", api()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::super::with_scratch;
    use super::*;

    #[test]
    fn an_empty_turn_is_taken_off_and_callbacks_are_counted() {
        let told = [
            ("loop", 2.0),
            ("add", 12.0),
            ("kept", 50_002.0),
            ("process_wall", 9.0),
        ];
        let net = net(BTreeMap::from(told.map(|(name, n)| (name.to_string(), n))));
        let expected = [("loop", 2.0), ("add", 10.0), ("kept", 50.0)];
        assert_eq!(
            net,
            BTreeMap::from(expected.map(|(name, n)| (name.to_string(), n)))
        );
    }

    #[test]
    fn a_table_has_only_who_has_something_to_tell() {
        let cases = [Case::new("a", &[]), Case::new("b", &[])];
        let all = figures::measure_by(&cases[..1], 1, |_| {
            Ok(BTreeMap::from([
                ("pin".to_string(), 7.25),
                ("handle".to_string(), 812.4),
            ]))
        });
        let all = [all, vec![Told::default()]].concat();
        let text = table(HOLDING, &cases, &all);
        let rows: Vec<&str> = text.lines().skip(3).collect();
        assert_eq!(rows, ["| a | 7.2 (7.2–7.2) | 812 (812–812) |"]);
    }

    #[test]
    fn every_program_is_there_and_the_library_compiles() {
        let root = crate::root();
        for name in [
            "bowline.scm",
            "luajit.lua",
            "chez.ss",
            "guile.scm",
            "ocaml.ml",
            "python.py",
        ] {
            let text = read(&root.join(PROGRAMS).join(name)).expect("a program");
            for (key, _, _) in &CALL[..2] {
                assert!(text.contains(&format!("\"{key}\"")), "{name}: {key}");
            }
        }
        with_scratch(|scratch| library(&root, scratch).map(drop)).expect("a library");
    }

    #[test]
    fn two_ways_to_call_are_two_entrants() {
        let one = |n: usize| Entrant {
            commands: vec![vec!["run".to_string()]; n],
            ..entrant("chez", "1", "how", Vec::new())
        };
        let names = |n| split(one(n)).iter().map(|e| e.name).collect::<Vec<_>>();
        assert_eq!(names(1), ["chez"]);
        assert_eq!(names(2), ["chez", "chez collect-safe"]);
    }
}
