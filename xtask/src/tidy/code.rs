//! Rules for code: functions fit a screen, nothing is `static mut`, a test that is switched off says
//! why, and nothing outside tests unwraps.

use super::{Finding, Source, Tree, tokens};

/// The most lines that a function may have, from its `fn` to its closing brace.
const SCREEN: usize = 70;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.rust().flat_map(file).collect()
}

fn file(source: &Source) -> Vec<Finding> {
    let stream = match tokens::parse(&source.text) {
        Ok(stream) => stream,
        Err((line, message)) => {
            return vec![Finding::new(
                &source.path,
                line,
                format!("is no Rust: {message}"),
            )];
        }
    };
    let mut found = Vec::new();
    let mut say = |line: usize, message: String| {
        found.push(Finding::new(&source.path, line, message));
    };
    for function in tokens::functions(stream.clone()) {
        let lines = function.last - function.first + 1;
        if lines > SCREEN {
            let message = format!(
                "`{}` has {lines} lines: {SCREEN} fit a screen",
                function.name
            );
            say(function.first, message);
        }
    }
    for line in tokens::static_muts(stream.clone()) {
        say(
            line,
            "`static mut`: pass the state, or use an atomic".to_string(),
        );
    }
    for line in tokens::attributes(stream.clone(), |text| text == "ignore") {
        say(
            line,
            "`#[ignore]` without a reason: write `#[ignore = \"why\"]`".to_string(),
        );
    }
    if !is_test_code(&source.path) {
        for line in tokens::unwraps(stream) {
            say(
                line,
                "`unwrap()`: return an error, or `expect` what is always true".to_string(),
            );
        }
    }
    found
}

/// Whether everything in this file serves tests, measurements or examples.
fn is_test_code(path: &str) -> bool {
    let folders = ["tests", "benches", "examples", "stress"];
    path.split('/').any(|part| folders.contains(&part)) || path.ends_with("/tests.rs")
}

#[cfg(test)]
mod tests {
    use super::super::samples::{bad, good};
    use super::check;

    #[test]
    fn functions_fit_a_screen() {
        let function = |lines: usize| format!("fn f() {{\n{}}}\n", "g();\n".repeat(lines - 2));
        good(check, &[("a.rs", &function(70))]);
        bad(
            check,
            &[("a.rs", &function(71))],
            "a.rs:1: `f` has 71 lines",
        );
    }

    #[test]
    fn static_mut_is_refused() {
        good(
            check,
            &[("a.rs", "// static mut X\nstatic X: &str = \"static mut\";")],
        );
        bad(
            check,
            &[("a.rs", "\nstatic mut X: u8 = 0;")],
            "a.rs:2: `static mut`",
        );
    }

    #[test]
    fn switched_off_tests_say_why() {
        good(
            check,
            &[("a.rs", "#[test]\n#[ignore = \"an hour\"]\nfn t() {}")],
        );
        bad(
            check,
            &[("a.rs", "#[test]\n#[ignore]\nfn t() {}")],
            "a.rs:2: `#[ignore]`",
        );
    }

    #[test]
    fn unwrap_is_for_tests() {
        let text = "fn f() { x.unwrap(); }";
        for path in ["gc/heap/tests/a.rs", "tests/src/lib.rs", "gc/a/tests.rs"] {
            good(check, &[(path, text)]);
        }
        bad(check, &[("gc/heap/src/a.rs", text)], "`unwrap()`");
    }

    #[test]
    fn a_file_that_does_not_read_is_told() {
        bad(check, &[("a.rs", "fn f() {")], "is no Rust");
    }
}
