//! The page that a race leaves behind.

use super::machine::Machine;
use super::race::{Outcome, Results, Row, Spread};
use super::{Course, Entrant, Task, peers};
use std::fmt::Write;

/// A net time below this many milliseconds is no figure: start-up's own noise is as large.
const FLOOR: f64 = 5.0;

/// The whole page in Markdown.
pub(super) fn page(
    what: &str,
    command: &str,
    course: &Course,
    results: &Results,
    machine: &Machine,
) -> String {
    let facts = Facts {
        about: course.about,
        command,
        entrants: &course.entrants,
        missing: &course.missing,
    };
    let mut page = head(what, &facts, machine);
    // Writing to a string cannot fail.
    let _ = write_legend(&mut page, course);
    let _ = write_times(&mut page, course, results, "CPU time", |cpu, _| cpu);
    let _ = write_times(&mut page, course, results, "Wall time", |_, wall| wall);
    let _ = write_pairs(&mut page, course, results);
    page
}

/// What a page says before its figures.
pub(super) struct Facts<'a> {
    /// What was done.
    pub(super) about: &'a str,
    /// The command that did it.
    pub(super) command: &'a str,
    pub(super) entrants: &'a [Entrant],
    pub(super) missing: &'a [String],
}

/// The beginning of a page: what was measured, where, and who took part.
pub(super) fn head(what: &str, facts: &Facts<'_>, machine: &Machine) -> String {
    let mut page = format!("# {what}, {}\n\n{}\n", machine.date, facts.about);
    let _ = write_facts(&mut page, facts, machine);
    page
}

/// The beginning of a page for which an example of the heap's runs alone, up to how its figures are read.
pub(super) fn head_of_example(
    what: &str,
    example: &str,
    [about, legend]: [&str; 2],
    task: Task<'_>,
) -> String {
    let how = format!("`gc/heap/examples/{example}.rs`, release");
    let facts = Facts {
        about,
        command: task.command,
        entrants: &[peers::ours(how, Vec::new())],
        missing: &[],
    };
    format!("{}\n{legend}\n", head(what, &facts, task.machine))
}

fn write_facts(page: &mut String, facts: &Facts<'_>, machine: &Machine) -> std::fmt::Result {
    writeln!(page, "\n* Command: `{}`", facts.command)?;
    writeln!(
        page,
        "* Machine: {}, {} cores, {}, {}; threads that wanted a processor before: {}",
        machine.cpu, machine.cores, machine.memory, machine.kernel, machine.load
    )?;
    writeln!(page, "* Sources: {}, {}", machine.commit, machine.rustc)?;
    for entrant in facts.entrants {
        writeln!(
            page,
            "* {}: {}; {}",
            entrant.name, entrant.version, entrant.how
        )?;
    }
    for missing in facts.missing {
        writeln!(page, "* **Missing**: {missing}")?;
    }
    Ok(())
}

fn write_legend(page: &mut String, course: &Course) -> std::fmt::Result {
    writeln!(
        page,
        "\nEntrants take turns: each round runs every program on each of them once. Times are milliseconds of \
         the whole process less its start-up (the first row, a program that does nothing): the median over \
         rounds, then the least and the greatest. CPU time is user and system time of all threads. \
         A ratio above 1 means that {} took longer. A dash: too short to tell.",
        course.entrants.first().map_or("the first", |e| e.name)
    )
}

/// A table of one kind of time, with the ratios of the first entrant to the others.
fn write_times(
    page: &mut String,
    course: &Course,
    results: &Results,
    title: &str,
    pick: impl Fn(Spread, Spread) -> Spread,
) -> std::fmt::Result {
    let entrants = &course.entrants;
    write!(page, "\n## {title}\n\n| program |")?;
    entrants
        .iter()
        .try_for_each(|e| write!(page, " {} |", e.name))?;
    let others = entrants.iter().skip(1);
    others
        .clone()
        .try_for_each(|e| write!(page, " × {} |", e.name))?;
    writeln!(page, "\n|---|{}", "---:|".repeat(2 * entrants.len() - 1))?;
    write!(page, "| start-up |")?;
    write_cells(page, &results.startup, &pick)?;
    writeln!(page, "{}", " |".repeat(entrants.len() - 1))?;
    for row in &results.rows {
        write!(page, "| {} |", row.program)?;
        write_cells(page, row, &pick)?;
        for other in 1..entrants.len() {
            write!(page, " {} |", told(ratio(row, 0, row, other, &pick)))?;
        }
        writeln!(page)?;
    }
    write!(page, "| **median ratio** |{}", " |".repeat(entrants.len()))?;
    for other in 1..entrants.len() {
        let ratios = results.rows.iter();
        let ratios = ratios.filter_map(|row| ratio(row, 0, row, other, &pick));
        let median = Spread::of(ratios).map(|s| s.median);
        write!(page, " **{}** |", told(median))?;
    }
    writeln!(page)?;
    write_failures(page, course, results)
}

fn write_cells(
    page: &mut String,
    row: &Row,
    pick: &impl Fn(Spread, Spread) -> Spread,
) -> std::fmt::Result {
    row.outcomes.iter().try_for_each(|outcome| match outcome {
        Outcome::Ran { cpu, wall } => {
            let s = pick(*cpu, *wall);
            write!(page, " {:.0} ({:.0}–{:.0}) |", s.median, s.least, s.most)
        }
        Outcome::Failed(_) => write!(page, " failed |"),
    })
}

fn write_failures(page: &mut String, course: &Course, results: &Results) -> std::fmt::Result {
    for row in std::iter::once(&results.startup).chain(&results.rows) {
        for (entrant, outcome) in course.entrants.iter().zip(&row.outcomes) {
            if let Outcome::Failed(why) = outcome {
                writeln!(
                    page,
                    "\n**Failed**: {} on {}: {why}",
                    row.program, entrant.name
                )?;
            }
        }
    }
    Ok(())
}

/// Ratios between two programs on the same entrant.
fn write_pairs(page: &mut String, course: &Course, results: &Results) -> std::fmt::Result {
    for (upper, lower, says) in &course.pairs {
        let (Some(above), Some(below)) = (results.row(upper), results.row(lower)) else {
            continue;
        };
        writeln!(
            page,
            "\n## {upper} ÷ {lower}\n\n{says}\n\n| entrant | ratio of CPU times |\n|---|---:|"
        )?;
        for (i, entrant) in course.entrants.iter().enumerate() {
            let ratio = ratio(above, i, below, i, &|cpu, _| cpu);
            writeln!(page, "| {} | {} |", entrant.name, told(ratio))?;
        }
    }
    Ok(())
}

/// The ratio of two medians, if both ran long enough to tell.
fn ratio(
    above: &Row,
    i: usize,
    below: &Row,
    j: usize,
    pick: &impl Fn(Spread, Spread) -> Spread,
) -> Option<f64> {
    let median = |outcome: &Outcome| match outcome {
        Outcome::Ran { cpu, wall } => Some(pick(*cpu, *wall).median),
        Outcome::Failed(_) => None,
    };
    let above = median(above.outcomes.get(i)?)?;
    let below = median(below.outcomes.get(j)?)?;
    (above >= FLOOR && below >= FLOOR).then(|| above / below)
}

fn told(ratio: Option<f64>) -> String {
    ratio.map_or("–".to_string(), |r| format!("{r:.2}"))
}

#[cfg(test)]
mod tests {
    use super::super::Entrant;
    use super::*;

    fn ran(ms: f64) -> Outcome {
        let spread = Spread {
            median: ms,
            least: ms - 1.0,
            most: ms + 1.0,
        };
        Outcome::Ran {
            cpu: spread,
            wall: spread,
        }
    }

    fn row(program: &str, outcomes: Vec<Outcome>) -> Row {
        Row {
            program: program.to_string(),
            outcomes,
        }
    }

    fn sample() -> String {
        let entrant = |name| Entrant {
            name,
            version: "1".to_string(),
            how: "compiled".to_string(),
            commands: Vec::new(),
        };
        let course = Course {
            about: "About.",
            programs: Vec::new(),
            entrants: vec![entrant("ours"), entrant("theirs")],
            missing: vec!["third: not on this machine".to_string()],
            pairs: vec![("b", "a", "What b costs beyond a.")],
            compared: str::to_string,
        };
        let results = Results {
            startup: row("empty", vec![ran(10.0), ran(50.0)]),
            rows: vec![
                row("a", vec![ran(100.0), ran(50.0)]),
                row("b", vec![ran(300.0), ran(2.0)]),
                row("c", vec![ran(60.0), Outcome::Failed("broke".to_string())]),
            ],
        };
        page(
            "scheme",
            "cargo xtask bench scheme",
            &course,
            &results,
            &Machine::sample(),
        )
    }

    #[test]
    fn a_page_tells_times_ratios_and_who_was_missing() {
        let page = sample();
        for line in [
            "# scheme, 2000-01-02",
            "* Command: `cargo xtask bench scheme`",
            "* **Missing**: third: not on this machine",
            "| program | ours | theirs | × theirs |",
            "|---|---:|---:|---:|",
            "| start-up | 10 (9–11) | 50 (49–51) | |",
            "| a | 100 (99–101) | 50 (49–51) | 2.00 |",
            "| b | 300 (299–301) | 2 (1–3) | – |",
            "| c | 60 (59–61) | failed | – |",
            "| **median ratio** | | | **2.00** |",
            "**Failed**: c on theirs: broke",
            "| ours | 3.00 |",
            "| theirs | – |",
        ] {
            assert!(
                page.lines().any(|l| l == line),
                "no line {line:?} in\n{page}"
            );
        }
    }
}
