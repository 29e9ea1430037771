//! The reference against the library that runs: arities, and examples.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use bowline_engine::reference::{self, Entry, Kind, Outcome};
use bowline_tests::process;
use libtest_mimic::Failed;

use crate::{Context, LIMIT};

/// What stands before each answer, and between its parts.
const ANSWER: char = '\u{1e}';
const PART: char = '\u{1f}';

/// Procedures take as many arguments as their signatures say.
pub(crate) fn arities(context: &Context, folder: &Path) -> Result<(), Failed> {
    let procedures: Vec<&Entry> = reference::all()
        .iter()
        .filter(|entry| entry.kind == Kind::Procedure)
        .collect();
    let mut program = imports();
    program += "(import (only (bowline primitives) procedure-arity))\n";
    for entry in &procedures {
        let _ = writeln!(program, "(write (procedure-arity {}))", entry.name);
        program += "(newline)\n";
    }
    let printed = run(context, &program, folder)?;
    let mut wrong = Vec::new();
    for (entry, actual) in procedures.iter().zip(printed.lines()) {
        let (least, most) = arity(entry.signature);
        let most = most.map_or("#f".to_owned(), |most| most.to_string());
        let said = format!("({least} . {most})");
        if said != actual {
            let signature = entry.signature;
            wrong.push(format!("{signature} says {said}, but it is {actual}"));
        }
    }
    if printed.lines().count() != procedures.len() {
        wrong.push(format!(
            "{} answers for {}",
            printed.lines().count(),
            procedures.len()
        ));
    }
    all_well(&wrong)
}

/// The fewest and the most arguments that signatures allow.
fn arity(signature: &str) -> (usize, Option<usize>) {
    let mut arities = signature.lines().map(|line| {
        let call = line.split(" → ").next().unwrap_or(line);
        let (mut least, mut most, mut depth) = (0, Some(0), 0);
        let spaced = call
            .replace('[', " [ ")
            .replace(']', " ] ")
            .replace(['(', ')'], " ");
        for word in spaced.split_whitespace().skip(1) {
            match word {
                "[" => depth += 1,
                "]" => depth -= 1,
                "..." => {
                    least -= usize::from(depth == 0);
                    most = None;
                }
                _ => {
                    least += usize::from(depth == 0);
                    most = most.map(|most: usize| most + 1);
                }
            }
        }
        (least, most)
    });
    let first = arities.next().unwrap_or((0, None));
    arities.fold(first, |(least, most), (other_least, other_most)| {
        let most = most.zip(other_most).map(|(a, b)| a.max(b));
        (least.min(other_least), most)
    })
}

/// Examples come to what they say.
pub(crate) fn examples(context: &Context, folder: &Path) -> Result<(), Failed> {
    let mut examples: Vec<(&str, Outcome)> =
        reference::all().iter().flat_map(Entry::examples).collect();
    // Names that share a text share its examples.
    examples.sort_by_key(|(expression, _)| *expression);
    examples.dedup();
    let mut program = imports() + TRY;
    for (expression, _) in &examples {
        let _ = writeln!(program, "(try (lambda () {expression}))");
    }
    let printed = run(context, &program, folder)?;
    let answers: Vec<&str> = printed.split(ANSWER).skip(1).collect();
    let mut wrong = Vec::new();
    for ((expression, outcome), answer) in examples.iter().zip(&answers) {
        let parts: Vec<&str> = answer.split(PART).map(str::trim).collect();
        let holds = match (outcome, &parts[..]) {
            (Outcome::Values(values), ["values", got, ""]) => values == got,
            (Outcome::Prints(text), ["values", _, got]) => text == got,
            (Outcome::Raises(part), ["raised", got, _]) => got.contains(part),
            _ => false,
        };
        if !holds {
            wrong.push(format!("{expression}: not {outcome:?} but {parts:?}"));
        }
    }
    if answers.len() != examples.len() {
        wrong.push(format!("{} answers for {}", answers.len(), examples.len()));
    }
    all_well(&wrong)
}

/// Calls a procedure and tells how that ended, the values or the object raised, and what was printed.
const TRY: &str = r#"
(define (tell kind what . values)
  (write-char #\x1e)
  (display kind)
  (write-char #\x1f)
  (display what)
  (for-each (lambda (value) (write value) (write-char #\space)) values))

(define (try thunk)
  (let ((printed (open-output-string)))
    (guard (e ((error-object? e)
               (apply tell 'raised (error-object-message e) (error-object-irritants e)))
              (else (tell 'raised "" e)))
      (call-with-values
        (lambda () (parameterize ((current-output-port printed)) (thunk)))
        (lambda values (apply tell 'values "" values))))
    (write-char #\x1f)
    (display (get-output-string printed))))
"#;

/// Imports of all libraries that the reference knows.
fn imports() -> String {
    let mut text = String::new();
    for section in reference::sections() {
        let _ = writeln!(text, "(import {})", section.library);
    }
    text
}

fn run(context: &Context, program: &str, folder: &Path) -> Result<String, Failed> {
    std::fs::write(folder.join("main.scm"), program)?;
    let mut command = Command::new(&context.bowline);
    let outcome = process::run(command.args(["run", "main.scm"]), folder, "", LIMIT)?;
    match outcome.exit {
        Some(0) => Ok(outcome.stdout),
        _ => Err(format!("{}\n{}", outcome.ending(), outcome.stderr).into()),
    }
}

fn all_well(wrong: &[String]) -> Result<(), Failed> {
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(wrong.join("\n").into()),
    }
}
