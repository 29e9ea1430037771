//! What C pays to look at a program's data, by the functions of a header written for the program, against what it pays
//! to call the program's procedures.

use super::figures::{self, Case, Told};
use super::report::{self, Facts};
use super::scheme::argument;
use super::{Entrant, Task, build, output_of, target_directory};
use std::path::Path;
use std::process::Command;

const PROGRAMS: &str = "xtask/programs/data";
const ABOUT: &str = "What a loop of C's pays for each element of a list of Scheme's, by functions that `bowline header` has written, and for each \
     call of a procedure. Goal: looking at an element at least 5 times as fast as a call of an exported procedure.";
const LEGEND: &str = "Nanoseconds of processor time: the median over the rounds, then the least and the greatest. In each round each loop takes the \
     least of seven runs of 200,000 elements or calls. The last column says how many times as much an exported procedure's call takes, one \
     that is no light one.";

/// The figures: keys in what the program prints, and what the page calls them.
const FIGURES: [(&str, &str); 7] = [
    ("words", "an element, by words in a no-GC scope (`_raw`)"),
    (
        "assign",
        "an element, by handles that are there (`_assign`)",
    ),
    (
        "handles",
        "an element, by two new handles, in a scope for 1000",
    ),
    (
        "procedures",
        "an element, by two exported procedures, `car` and `cdr`",
    ),
    (
        "light",
        "a call of an exported procedure that only computes",
    ),
    ("full", "a call of one with a loop of one turn"),
    (
        "callback",
        "a call of a procedure that was lent as a callback",
    ),
];

/// Measures, and returns the page and whether all went well.
pub(super) fn measure(task: Task<'_>) -> Result<(String, bool), String> {
    build(task.root, &["--bin", "bowline"])?;
    let binary = argument(&target_directory(task.root)?.join("release/bowline"));
    let entrant = entrant(task.root, task.scratch, &binary)?;
    let case = Case {
        name: entrant.name.to_string(),
        command: entrant.commands.concat(),
    };
    let cases = [case];
    let all = figures::measure(&cases, task.rounds, task.scratch);
    let facts = Facts {
        about: ABOUT,
        command: task.command,
        entrants: &[entrant],
        missing: &[],
    };
    let mut page = report::head("data", &facts, task.machine);
    page += &format!("\n{LEGEND}\n{}", table(&all[0]));
    page += &figures::failures(&cases, &all);
    Ok((page, all[0].failure().is_none()))
}

/// A line for each figure.
fn table(told: &Told) -> String {
    let columns = ["", "ns", "of a full call"].map(str::to_string);
    let full = told.median("full");
    let rows = FIGURES.iter().map(|(key, title)| {
        let ratio = full.zip(told.median(key)).map(|(full, each)| full / each);
        let ratio = ratio.map_or("–".to_string(), |ratio| format!("{ratio:.1}"));
        vec![title.to_string(), told.wide_cell(key, 1), ratio]
    });
    figures::table(&columns, &rows.collect::<Vec<_>>())
}

/// Writes the header, compiles the library with it, and says how the program is run.
fn entrant(root: &Path, scratch: &Path, binary: &str) -> Result<Entrant, String> {
    let program = argument(&root.join(PROGRAMS).join("data.scm"));
    let header = output_of(Command::new(binary).args(["header", &program]))?;
    let at = scratch.join("data.h");
    std::fs::write(&at, header + "\n").map_err(|e| format!("{}: {e}", at.display()))?;
    let library = argument(&scratch.join("libdata.so"));
    let mut cc = Command::new("cc");
    cc.args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O2"]);
    cc.args(["-shared", "-fPIC", "-o", &library, "-I"])
        .arg(scratch);
    cc.arg("-I").arg(root.join("ffi_boundary/capi/include"));
    output_of(cc.arg(root.join(PROGRAMS).join("data.c")))?;
    let version = output_of(Command::new(binary).arg("--version"))?;
    let command = [binary, "run", &program, &library].map(str::to_string);
    Ok(Entrant {
        name: "bowline",
        version,
        how: "virtual machine, `data.scm` and `data.c`".to_string(),
        commands: vec![command.into()],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn ratios_are_those_of_a_full_call() {
        let told = [("full", 60.0), ("words", 1.5)];
        let all = figures::measure_by(&[Case::new("a", &[])], 1, |_| {
            Ok(BTreeMap::from(told.map(|(name, n)| (name.to_string(), n))))
        });
        let text = table(&all[0]);
        assert!(text.contains("| 1.5 (1.5–1.5) | 40.0 |"), "{text}");
        assert!(text.contains("| 60.0 (60.0–60.0) | 1.0 |"), "{text}");
        assert!(text.contains("| – | – |"), "{text}");
    }

    #[test]
    fn the_program_tells_every_figure() {
        let text = include_str!("../../programs/data/data.scm");
        for (key, _) in FIGURES {
            assert!(text.contains(&format!("(tell \"{key}\" ")), "{key}");
        }
    }
}
