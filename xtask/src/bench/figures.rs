//! Programs that tell figures of their own: they are run in turns, and each figure gets its median and spread.
//!
//! A program prints words of the form `name=number`; other words are passed over. What it cost as a whole is
//! added as `process_wall` and `process_cpu`, in milliseconds. Programs run ahead of all other processes where the
//! system lets them, so that other work on the machine disturbs them little.

use super::race::Spread;
use super::{output_of, run};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

/// A program with its arguments.
pub(super) struct Case {
    /// What the page calls it.
    pub(super) name: String,
    pub(super) command: Vec<String>,
}

impl Case {
    pub(super) fn new(name: impl Into<String>, command: &[&str]) -> Case {
        Case {
            name: name.into(),
            command: command.iter().map(|word| word.to_string()).collect(),
        }
    }
}

/// What the runs of one case told.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    numbers: BTreeMap<String, Vec<f64>>,
    /// Why a run failed; then there are no figures.
    failure: Option<String>,
}

impl Told {
    fn add(&mut self, run: Result<BTreeMap<String, f64>, String>) {
        match run {
            Err(failure) => self.failure = Some(failure),
            Ok(figures) => {
                for (name, number) in figures {
                    self.numbers.entry(name).or_default().push(number);
                }
            }
        }
    }

    /// Why there are no figures.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// The names of the figures.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.numbers.keys().map(String::as_str)
    }

    /// The figure of this name, if every run went well and told it.
    pub(super) fn spread(&self, name: &str) -> Option<Spread> {
        if self.failure.is_some() {
            return None;
        }
        Spread::of(self.numbers.get(name)?.iter().copied())
    }

    /// Its median.
    pub(super) fn median(&self, name: &str) -> Option<f64> {
        self.spread(name).map(|s| s.median)
    }

    /// The median of its quotients by another's figure, round by round: what slows the machine down for a while slows
    /// both, and does not count.
    pub(super) fn over(&self, other: &Told, name: &str) -> Option<f64> {
        if self.failure.is_some() || other.failure.is_some() {
            return None;
        }
        let (own, others) = (self.numbers.get(name)?, other.numbers.get(name)?);
        let quotients = own.iter().zip(others).map(|(own, other)| own / other);
        Spread::of(quotients).map(|quotients| quotients.median)
    }

    /// Its median with this many digits after the point, for a cell.
    pub(super) fn cell(&self, name: &str, digits: usize) -> String {
        told(self.median(name), digits)
    }

    /// Its median, least and greatest, for a cell.
    pub(super) fn wide_cell(&self, name: &str, digits: usize) -> String {
        self.spread(name).map_or("–".to_string(), |s| {
            format!(
                "{:.digits$} ({:.digits$}–{:.digits$})",
                s.median, s.least, s.most
            )
        })
    }
}

/// A number with this many digits after the point, or a dash.
pub(super) fn told(number: Option<f64>, digits: usize) -> String {
    number.map_or("–".to_string(), |n| format!("{n:.digits$}"))
}

/// Runs every case once a round. Progress goes to the error output.
pub(super) fn measure(cases: &[Case], rounds: usize, scratch: &Path) -> Vec<Told> {
    measure_by(cases, rounds, |command| once(command, scratch))
}

/// The same, with another way to run a program and to read what it says.
pub(super) fn measure_by(
    cases: &[Case],
    rounds: usize,
    once: impl Fn(&[String]) -> Result<BTreeMap<String, f64>, String>,
) -> Vec<Told> {
    measure_in_turns(cases, 1, rounds, once)
}

/// The same of cases that are compared `together`, so many that follow each other. Another one of them begins each time, for the
/// first finds files and caches cold.
pub(super) fn measure_in_turns(
    cases: &[Case],
    together: usize,
    rounds: usize,
    once: impl Fn(&[String]) -> Result<BTreeMap<String, f64>, String>,
) -> Vec<Told> {
    let mut all = vec![Told::default(); cases.len()];
    for round in 1..=rounds {
        let groups = cases.chunks(together).zip(all.chunks_mut(together));
        for (number, (cases, told)) in groups.enumerate() {
            for place in 0..cases.len() {
                let turn = (place + number + round) % cases.len();
                // Nobody needs to read the progress for the figures to be right.
                let _ = writeln!(
                    std::io::stderr(),
                    "bench: round {round} of {rounds}, {}",
                    cases[turn].name
                );
                told[turn].add(once(&cases[turn].command));
            }
        }
    }
    all
}

/// The command, ahead of all other processes (SCHED_FIFO) where the system lets it.
pub(super) fn first(command: &[String]) -> Vec<String> {
    static MAY: OnceLock<bool> = OnceLock::new();
    let chrt = ["chrt", "-f", "1"];
    let may = || output_of(Command::new(chrt[0]).args(&chrt[1..]).arg("true")).is_ok();
    let before: &[&str] = if *MAY.get_or_init(may) { &chrt } else { &[] };
    let before = before.iter().map(|word| word.to_string());
    before.chain(command.iter().cloned()).collect()
}

/// Runs a program once.
pub(super) fn once(command: &[String], scratch: &Path) -> Result<BTreeMap<String, f64>, String> {
    let (cost, output) = run::run(&first(command), scratch)?;
    let mut figures = numbers(&output);
    figures.insert("process_wall".to_string(), cost.wall);
    figures.insert("process_cpu".to_string(), cost.cpu);
    Ok(figures)
}

/// The words of the form `name=number`.
pub(super) fn numbers(output: &str) -> BTreeMap<String, f64> {
    let words = output.split_whitespace();
    let pair = |word: &str| {
        let (name, number) = word.split_once('=')?;
        Some((name.to_string(), number.parse().ok()?))
    };
    words.filter_map(pair).collect()
}

/// A table in Markdown: its columns, the first of which is text, and its rows.
pub(super) fn table(columns: &[String], rows: &[Vec<String>]) -> String {
    let mut text = format!("\n| {} |\n|---", columns.join(" | "));
    text += &"|---:".repeat(columns.len() - 1);
    text += "|\n";
    for row in rows {
        text += &format!("| {} |\n", row.join(" | "));
    }
    text
}

/// What failed, for the end of a page.
pub(super) fn failures(cases: &[Case], all: &[Told]) -> String {
    let failed = cases.iter().zip(all);
    failed
        .filter_map(|(case, told)| Some((case, told.failure()?)))
        .map(|(case, why)| format!("\n**Failed**: {}: {why}\n", case.name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::with_scratch;
    use super::*;

    #[test]
    fn figures_are_found_among_other_words() {
        let found = numbers("all well: wall=1.5 rss=20\nname=x checksum=7");
        assert_eq!(found.len(), 3);
        assert_eq!(found["wall"], 1.5);
        assert_eq!(found["checksum"], 7.0);
    }

    #[test]
    fn each_figure_gets_its_median_and_a_failure_has_none() {
        let mut told = Told::default();
        for n in [3.0, 1.0, 2.0] {
            told.add(Ok(BTreeMap::from([("a".to_string(), n)])));
        }
        assert_eq!(told.cell("a", 1), "2.0");
        assert_eq!(told.wide_cell("a", 0), "2 (1–3)");
        assert_eq!(told.cell("b", 1), "–");
        told.add(Err("broke".to_string()));
        assert_eq!((told.median("a"), told.failure()), (None, Some("broke")));
    }

    #[test]
    fn each_of_those_that_are_compared_comes_first_once() {
        let cases = ["a", "b", "c", "d", "e", "f"].map(|name| Case::new(name, &[name]));
        let order = std::cell::RefCell::new(String::new());
        let all = measure_in_turns(&cases, 3, 3, |command| {
            order.borrow_mut().push_str(&command[0]);
            Ok(BTreeMap::from([(command[0].clone(), 1.0)]))
        });
        assert_eq!(order.into_inner(), "bcafdecabdefabcefd");
        let own = |(told, case): (&Told, &Case)| told.median(&case.name) == Some(1.0);
        assert!(all.iter().zip(&cases).all(own));
    }

    #[test]
    fn programs_are_run_in_turns() {
        let cases = [
            Case::new("good", &["echo", "n=4"]),
            Case::new("bad", &["false"]),
        ];
        let all = with_scratch(|scratch| measure(&cases, 2, scratch));
        assert_eq!(all[0].median("n"), Some(4.0));
        assert!(all[0].median("process_wall").is_some());
        assert!(failures(&cases, &all).contains("**Failed**: bad: "));
    }

    #[test]
    fn a_table_has_a_line_for_each_row() {
        let columns = ["a", "b"].map(str::to_string);
        let text = table(&columns, &[vec!["x".into(), "1".into()]]);
        assert_eq!(text, "\n| a | b |\n|---|---:|\n| x | 1 |\n");
    }
}
