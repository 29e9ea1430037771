//! `bowline.h` as a library that a program opens sees it: C functions that check what they are given and what they
//! give, compiled as C11 and as C++17 with every warning an error, called by `tests/capi/trials.scm`.
//!
//! | trials | show |
//! |---|---|
//! | `NAME::LANGUAGE::MODE` | what a C function may do, with objects that move at every crossing and with every plan |
//! | `loops::…` | a million local handles in a loop with scopes |
//! | `refused::…` | each constructor, refused memory in turn |
//! | `full::…` | a full heap is told of and given back |
//! | `watchdog::…` | a no-GC scope that keeps a collection waiting is named |
//! | `exports::…` | the command exports what the header declares |
//!
//! Absent on purpose: the header's prototypes and numbers; `bowline-capi` compares them with its own.

#![forbid(unsafe_code)]

mod context;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use bowline_tests::compiler::Kind;
use bowline_tests::process;
use bowline_tests::trials::{HEAP_MODES, LIBRARY_LANGUAGES, trial};
use context::{Context, LIMIT, complaint};
use libtest_mimic::{Failed, Trial};

/// What a trial prints that finds nothing wrong, by library and name.
const TRIALS: [(&str, &str, &str); 15] = [
    ("values.c", "numbers", "0\n"),
    ("values.c", "texts", "0\n0\n"),
    (
        "values.c",
        "bytes",
        "0\n#u8(1 2 3 40)\n0\n#u8(1 2 3 40)\n0\n",
    ),
    ("values.c", "pointers", "0\n"),
    ("values.c", "tuples", "#(\"of C\" #(1 \"two\" #(3)) 0.5)\n"),
    ("handles.c", "kinds", "0\n"),
    ("handles.c", "wrong", "0\n"),
    ("handles.c", "scopes", "0\n0\n0\n"),
    ("handles.c", "typed", TYPED),
    ("edges.c", "threads", "0\n"),
    ("edges.c", "leaf", "0\n"),
    ("edges.c", "raises", RAISES),
    ("edges.c", "words", WORDS),
    ("edges.c", "guests", GUESTS),
    ("tables.c", "tables", TABLES),
];

const TABLES: &str = "\
(42 10 42 42)
(42 10 4 200 121 3)
(#t 5 7)
#t
(\"the table `trial_functions` has no symbol `none`\")
(\"the table `trial_functions` has no function 99: the last one is 6\")
(\"the address of `missing` in the table `trial_functions` is NULL\")
(\"the process is no table: its functions have names, not numbers\")
(\"the table `trial_functions` has no function -1: the last one is 6\")
(\"define-foreign: a function of a table has a name, a string, or a number, not\" 1180591620717411303424)
(\"the process has no symbol `no table`\")
(\"the table `checked` is none: it is a function, which `define-foreign` declares\")
(\"the table `failures` is none: it is 4 bytes of data, and a table has 16 for each of its entries\")
(\"the table `trial_text` is none: what would be the name of its entry 0 is no text of a library's\")
(\"the table `trial_numbers` is none: what would be the name of its entry 0 is no text of a library's\")
(\"the table `trial_endless` has no end among its first 2 entries: it must end with one whose name is NULL\")
(\"the table `add` cannot be found in the table `trial_functions`: tables are found in libraries\")
(\"the table `trial_functions` has no function 99: the last one is 6\")
(\"the address of `missing` in the table `trial_functions` is NULL\")
(\"the table `trial_functions` has no function -1: the last one is 6\")
(\"%foreign-call: the function must be the number of one in the table; `define-foreign` finds those with names, not\" \"add\")
(\"256 parameters are too many: the limit is 255\")
(\"argument 2 of `add`, which has no types, is two: C can be given an exact integer, a flonum, a boolean, a string, a \
bytevector or a pointer\")
(\"argument 1 of `add` has type int64: 1180591620717411303424 is not between -9223372036854775808 and 9223372036854775807\")
(\"%foreign-call: argument 1 must be a foreign library, not\" 5)
0
";

const GUESTS: &str = "0
(\"`left-open` has returned within a no-GC scope: `bl_nogc_end` must end it before\")
(raised 42)
0
";

const TYPED: &str = "\
(5 1.5 \"text\" symbol #\\c #t () #<procedure car>)
#t
(#t #f)
#t
(\"the result of `before` is 0, which is no handle\")
#t
\"the result of `before`: handle . is stale: it was freed and its slot is now .\"
\"the result of `same`: handle . was freed\"
(\"the result of `nothing` is 0, which is no handle\")
(x . \"new\")
(raised raised)
(\"argument 1 of the callback that is argument 1 of `through-nothing` is 0, which is no handle\")
(\"fill-scope: bl_local: too many local handles: 65536 in one scope is the limit; open a scope in the loop\")
420
";

const RAISES: &str = "(raised 42)
#t
(raised from-inside)
(ENOENT \"raises-errno: No such file or directory\")
(\"`raises-errno` has raised an error by `bl_raise_errno`, but errno was 0\")
(\"raises-error: bl_to_int: expected an exact integer, got #t\")
0
";

const WORDS: &str = "0
(\"`left-open` has returned within a no-GC scope: `bl_nogc_end` must end it before\")
(\"raises-within: from within\")
(\"`calls-back` has called the callback lent to `calls-back` within a no-GC scope, where no procedure can run: \
that ran nothing and returned its default\")
(\"`calls-back` has called the callback lent to `calls-back` within a no-GC scope, where no procedure can run: \
that ran nothing and returned its default\")
0
0
";

/// More allocations than the program has whose every one is refused in turn.
const MOST: u64 = 500;

fn main() -> ExitCode {
    bowline_tests::trials::run(trials)
}

fn trials() -> Result<Vec<Trial>, String> {
    let context = Arc::new(Context::new()?);
    let mut trials = Vec::new();
    for (language, kind) in LIBRARY_LANGUAGES {
        for (source, name, expected) in TRIALS {
            for (mode, flags) in HEAP_MODES {
                let run = move |context: &Context, folder: &Path| {
                    let mut command = context.program(flags, kind, source, name)?;
                    let outcome = process::run(&mut command, folder, "", LIMIT)?;
                    context::judge(&outcome, expected)
                };
                trials.push(trial(&context, format!("{name}::{language}::{mode}"), run));
            }
        }
    }
    trials.push(trial(&context, "loops::plain".into(), |context, folder| {
        let mut command = context.program(&[], Kind::CLibrary, "handles.c", "loops")?;
        command.arg("1000000");
        context::judge(&process::run(&mut command, folder, "", LIMIT)?, "0\n")
    }));
    trials.push(trial(&context, "loops::limit".into(), |context, folder| {
        let mut command = context.program(&[], Kind::CLibrary, "handles.c", "limit")?;
        context::judge(&process::run(&mut command, folder, "", LIMIT)?, "0\n")
    }));
    trials.push(trial(&context, "refused::each".into(), refused));
    trials.push(trial(&context, "full::told".into(), |context, folder| {
        let flags = ["--heap=64m"];
        let mut command = context.program(&flags, Kind::CLibrary, "memory.c", "fills")?;
        context::judge(&process::run(&mut command, folder, "", LIMIT)?, "#t\n")
    }));
    trials.push(trial(&context, "watchdog::named".into(), watchdog));
    trials.push(trial(&context, "exports::all".into(), exports));
    Ok(trials)
}

/// Whichever allocation is refused, C is told by whoever wanted it, and all else is made.
fn refused(context: &Context, folder: &Path) -> Result<(), Failed> {
    let mut seen = 0;
    for n in 1..MOST {
        let flag = format!("--refuse={n}");
        let mut command = context.makes(&flag)?;
        let outcome = process::run(&mut command, folder, "", LIMIT)?;
        let bits = outcome.stdout.trim().parse::<i64>();
        match (outcome.exit, bits) {
            (Some(0), Ok(0)) if seen == 0xff => return Ok(()),
            (Some(0), Ok(bits)) if bits >= 0 && outcome.stderr.is_empty() => seen |= bits,
            // What the program wants before it calls C.
            (Some(1), _) if outcome.stderr.contains("out of memory: the heap is full") => {}
            (Some(1), _) if outcome.stderr.contains("no room for the constants") => {}
            _ => return Err(complaint(&format!("{flag} is told of wrongly"), &outcome)),
        }
    }
    Err(format!("of eight constructors only {seen:#010b} were refused").into())
}

fn watchdog(context: &Context, folder: &Path) -> Result<(), Failed> {
    let flags = ["--heap=256m", "--watchdog=50"];
    let mut command = context.program(&flags, Kind::CLibrary, "edges.c", "lingers")?;
    let outcome = process::run(&mut command, folder, "", LIMIT)?;
    let told = outcome
        .stderr
        .contains("which is in the leaf call lingers, in a no-GC scope");
    match told && outcome.exit == Some(0) && outcome.stdout == "0\n#t\n" {
        true => Ok(()),
        false => Err(complaint("expected a line that names the call", &outcome)),
    }
}

/// What `exports.txt` lists is what the dynamic linker finds in the command.
fn exports(context: &Context, folder: &Path) -> Result<(), Failed> {
    let mut nm = std::process::Command::new("nm");
    nm.args(["--dynamic", "--defined-only", "--format=posix"]);
    let outcome = process::run(nm.arg(&context.bowline), folder, "", LIMIT)?;
    let mut found: Vec<&str> = outcome
        .stdout
        .lines()
        .filter_map(|line| line.split(' ').next())
        .filter(|name| name.starts_with("bl_"))
        .collect();
    found.sort_unstable();
    let listed = include_str!("../../../ffi_boundary/capi/exports.txt");
    match found == listed.lines().collect::<Vec<_>>() {
        true => Ok(()),
        false => Err(format!("exported: {found:?}\nlisted: {listed}").into()),
    }
}
