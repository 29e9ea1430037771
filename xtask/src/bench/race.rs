//! The turns: every round runs every program on every entrant once.

use super::run::{self, Cost};
use super::{Course, Entrant};
use std::io::Write;
use std::path::Path;

/// The median of some numbers with the least and the greatest.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) most: f64,
}

impl Spread {
    /// The spread of these numbers, if there are any.
    pub(super) fn of(numbers: impl Iterator<Item = f64>) -> Option<Spread> {
        let mut sorted: Vec<f64> = numbers.collect();
        sorted.sort_by(f64::total_cmp);
        let (least, most) = (*sorted.first()?, *sorted.last()?);
        let upper = sorted[sorted.len() / 2];
        let lower = sorted[(sorted.len() - 1) / 2];
        Some(Spread {
            median: (lower + upper) / 2.0,
            least,
            most,
        })
    }

    /// This spread less a constant.
    fn less(self, n: f64) -> Spread {
        Spread {
            median: self.median - n,
            least: self.least - n,
            most: self.most - n,
        }
    }
}

/// How one entrant did with one program.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// It ran every time and printed what the first entrant printed.
    Ran { cpu: Spread, wall: Spread },
    /// It did not.
    Failed(String),
}

/// A program's outcomes, one for each entrant.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) program: String,
    pub(super) outcomes: Vec<Outcome>,
}

/// What a race showed.
#[derive(Clone, Debug)]
pub(super) struct Results {
    /// Start-up: the program that does nothing.
    pub(super) startup: Row,
    /// The other programs, less start-up.
    pub(super) rows: Vec<Row>,
}

impl Results {
    /// Whether every program ran everywhere.
    pub(super) fn sound(&self) -> bool {
        let rows = std::iter::once(&self.startup).chain(&self.rows);
        let mut outcomes = rows.flat_map(|row| &row.outcomes);
        outcomes.all(|outcome| matches!(outcome, Outcome::Ran { .. }))
    }

    /// The row of the program of this name.
    pub(super) fn row(&self, program: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.program == program)
    }
}

/// All runs of one program on one entrant.
#[derive(Default)]
struct Runs {
    costs: Vec<Cost>,
    output: Option<String>,
    failure: Option<String>,
}

impl Runs {
    fn add(&mut self, result: Result<(Cost, String), String>) {
        match result {
            Err(failure) => self.failure = Some(failure),
            Ok((cost, output)) => {
                self.costs.push(cost);
                if self.output.get_or_insert_with(|| output.clone()) != &output {
                    self.failure = Some("prints something else each time".to_string());
                }
            }
        }
    }

    fn outcome(&self, expected: Option<&String>) -> Outcome {
        if let Some(failure) = &self.failure {
            return Outcome::Failed(failure.clone());
        }
        if self.output.as_ref() != expected {
            return Outcome::Failed("prints something else than the first entrant".to_string());
        }
        let cpu = Spread::of(self.costs.iter().map(|c| c.cpu));
        let wall = Spread::of(self.costs.iter().map(|c| c.wall));
        match (cpu, wall) {
            (Some(cpu), Some(wall)) => Outcome::Ran { cpu, wall },
            _ => Outcome::Failed("never ran".to_string()),
        }
    }
}

/// Runs the race. Progress goes to the error output, so that the page can be piped.
pub(super) fn run(course: &Course, rounds: usize, scratch: &Path) -> Result<Results, String> {
    let entrants = &course.entrants;
    let mut runs: Vec<Vec<Runs>> = Vec::new();
    runs.resize_with(course.programs.len(), || {
        entrants.iter().map(|_| Runs::default()).collect()
    });
    for round in 1..=rounds {
        for (program, name) in course.programs.iter().enumerate() {
            let mut err = std::io::stderr();
            // Nobody needs to read the progress for the figures to be right.
            let _ = writeln!(err, "bench: round {round} of {rounds}, {name}");
            for (entrant, runs) in entrants.iter().zip(&mut runs[program]) {
                turn(entrant, program, course.compared, runs, scratch);
            }
        }
    }
    let rows = course.programs.iter().zip(&runs);
    let mut rows = rows.map(|(program, runs)| row(program, runs));
    let startup = rows.next().ok_or("a race needs a program for start-up")?;
    let rows = rows.map(|row| less_startup(row, &startup)).collect();
    Ok(Results { startup, rows })
}

fn turn(
    entrant: &Entrant,
    program: usize,
    compared: fn(&str) -> String,
    runs: &mut Runs,
    scratch: &Path,
) {
    // What failed once is not tried again: a hang costs its patience once.
    if runs.failure.is_none() {
        let result = run::run(&entrant.commands[program], scratch);
        runs.add(result.map(|(cost, output)| (cost, compared(&output))));
    }
}

fn row(program: &str, runs: &[Runs]) -> Row {
    let expected = runs.iter().find_map(|r| r.output.as_ref());
    Row {
        program: program.to_string(),
        outcomes: runs.iter().map(|r| r.outcome(expected)).collect(),
    }
}

fn less_startup(mut row: Row, startup: &Row) -> Row {
    for (outcome, start) in row.outcomes.iter_mut().zip(&startup.outcomes) {
        if let (Outcome::Ran { cpu, wall }, Outcome::Ran { cpu: c, wall: w }) = (outcome, start) {
            *cpu = cpu.less(c.median);
            *wall = wall.less(w.median);
        }
    }
    row
}

#[cfg(test)]
mod tests {
    use super::super::with_scratch;
    use super::*;

    fn entrant(name: &'static str, scripts: &[&str]) -> Entrant {
        let command = |script: &&str| ["sh", "-c", script].map(str::to_string).to_vec();
        Entrant {
            name,
            version: String::new(),
            how: String::new(),
            commands: scripts.iter().map(command).collect(),
        }
    }

    fn race(entrants: Vec<Entrant>) -> Results {
        let course = Course {
            about: "",
            programs: vec!["nothing".into(), "sleep".into()],
            entrants,
            missing: Vec::new(),
            pairs: Vec::new(),
            compared: str::to_string,
        };
        with_scratch(|scratch| run(&course, 2, scratch)).unwrap()
    }

    #[test]
    fn spreads_have_their_median() {
        let spread = |numbers: &[f64]| Spread::of(numbers.iter().copied());
        let expected = Spread {
            median: 2.0,
            least: 1.0,
            most: 9.0,
        };
        assert_eq!(spread(&[9.0, 1.0, 2.0]), Some(expected));
        assert_eq!(spread(&[4.0, 1.0, 3.0, 2.0]).unwrap().median, 2.5);
        assert_eq!(spread(&[]), None);
    }

    #[test]
    fn startup_is_taken_off() {
        let row = |milliseconds: [f64; 3]| {
            let spread = Spread::of(milliseconds.into_iter()).unwrap();
            Row {
                program: "a".to_string(),
                outcomes: vec![Outcome::Ran {
                    cpu: spread,
                    wall: spread,
                }],
            }
        };
        let net = less_startup(row([100.0, 120.0, 150.0]), &row([9.0, 10.0, 30.0]));
        let Outcome::Ran { cpu, wall } = net.outcomes[0] else {
            panic!("{net:?}");
        };
        assert_eq!((cpu.median, wall.median), (110.0, 110.0));
    }

    #[test]
    fn other_output_and_failure_are_no_figures() {
        let results = race(vec![
            entrant("a", &["echo 1", "echo 2"]),
            entrant("b", &["echo 1", "echo 3"]),
            entrant("c", &["echo 1", "exit 7"]),
            entrant("d", &["echo 1", "echo $$"]),
        ]);
        assert!(!results.sound());
        let text: Vec<String> = results.rows[0]
            .outcomes
            .iter()
            .map(|o| format!("{o:?}"))
            .collect();
        assert!(text[0].starts_with("Ran"), "{text:?}");
        assert!(text[1].contains("than the first entrant"), "{text:?}");
        assert!(text[2].contains('7'), "{text:?}");
        assert!(text[3].contains("each time"), "{text:?}");
    }
}
