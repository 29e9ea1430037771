//! What `bowline header` writes, compiled as C11 and as C++17 with every warning an error, against the program that it
//! was written for: `tests/header/NAME.scm` opens a library made of `NAME.c` and of the header.
//!
//! | trials | show |
//! |---|---|
//! | `data::…` | values of the program's datatypes, made and looked at |
//! | `calls::…` | its procedures, called: by types, nested, left, and on threads of C's own |
//!
//! Absent on purpose: what the forms refuse, which cases in `tests/lang` show.

#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use bowline_tests::compiler::{Compiler, Kind};
use bowline_tests::process::{self, Outcome};
use bowline_tests::scratch::Scratch;
use bowline_tests::trials::{HEAP_MODES, LIBRARY_LANGUAGES, trial};
use libtest_mimic::{Failed, Trial};

/// How long one process may take, on a busy machine.
const LIMIT: Duration = Duration::from_secs(300);

/// What the programs print, by name.
const PROGRAMS: [(&str, &str, &str); 2] = [("data", DATA, ""), ("calls", CALLS, CALLS_TELLS)];

const DATA: &str = "#<yes #<yes \"of Scheme\">>
(-2.5 -8 (#<at home>) #f 12345678901234567890 0.5 1)
#f
(114 103 98 111 -1 -1)
(500500 500500 5000050000)
(200 200 1)
0
2
0
";

const CALLS: &str = "\
#((-128 255 -32768 18446744073709551615 99 #t) ((\"an object\" . \"an object\") \"an object\" . \"an object\"))
(\"text of C\" #f)
(raised zero)
(\"fails:\" 3)
5
(\"car: argument 1 must be a pair, not\" no-pair)
(\"the result of the exported `head` has type int: expected an exact integer, got #t\")
(\"argument 1 of the exported `twice` is 0, which is no handle\")
handled
(\"text of C\" #f \"in\" \"out\")
(left 3)
(99 100)
(\"`c-leaf` is a leaf call, which may not call back, and called the exported `add`: that ran nothing and returned its \
default\")
0
0
42
4
0
1
500500
";

/// What is raised on a thread of C's own is told.
const CALLS_TELLS: &str = "\
calls.scm:35:45: error: in a callback on a thread of C's: fails: 9
   |
35 | (define (fails n) (if (= n 0) (raise 'zero) (error \"fails:\" n)))
   |                                             ^^^^^^^^^^^^^^^^^^ in fails
   |
   = note: C gets the callback's default, and the program goes on
error: in a callback on a thread of C's: argument 1 of the exported `head` is 0, which is no handle
 = note: C gets the callback's default, and the program goes on
";

/// One for the whole run.
struct Context {
    bowline: PathBuf,
    sources: PathBuf,
    compiler: Compiler,
    /// Where the headers lie.
    headers: Scratch,
}

impl Context {
    fn new() -> Result<Context, String> {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("header");
        let failed = |error: std::io::Error| error.to_string();
        Ok(Context {
            bowline: process::product("bowline")?,
            compiler: Compiler::new(&sources).map_err(failed)?,
            headers: Scratch::new("header").map_err(failed)?,
            sources,
        })
    }

    /// What the command says of a program, with these arguments before and behind it.
    fn run(
        &self,
        folder: &Path,
        name: &str,
        arguments: &[&str],
        more: &[&Path],
    ) -> Result<Outcome, Failed> {
        let mut command = Command::new(&self.bowline);
        let program = self.sources.join(format!("{name}.scm"));
        command.args(arguments).arg(program).args(more);
        Ok(process::run(&mut command, folder, "", LIMIT)?)
    }

    /// Writes the header of a program.
    fn header(&self, name: &str) -> Result<(), Failed> {
        let header = self.run(self.headers.path(), name, &["header"], &[])?;
        if header.exit != Some(0) || !header.stderr.is_empty() {
            return Err(format!("no header of {name}: {}", header.stderr).into());
        }
        let path = self.headers.path().join(format!("{name}.h"));
        Ok(std::fs::write(path, &header.stdout)?)
    }

    /// The library of a program in this language, made with the header.
    fn library(&self, name: &str, kind: Kind) -> Result<PathBuf, Failed> {
        let include = |path: &Path| {
            let mut flag = OsString::from("-I");
            flag.push(path);
            flag
        };
        let capi = self.sources.join("../../ffi_boundary/capi/include");
        let flags = [include(self.headers.path()), include(&capi)];
        let output = format!("{name}-{kind:?}.so");
        let source = format!("{name}.c");
        Ok(self.compiler.make(&output, kind, &source, &flags)?)
    }
}

fn main() -> ExitCode {
    bowline_tests::trials::run(trials)
}

fn trials() -> Result<Vec<Trial>, String> {
    let context = Arc::new(Context::new()?);
    let mut trials = Vec::new();
    for (name, prints, tells) in PROGRAMS {
        let header = context.header(name);
        header.map_err(|failed| failed.message().unwrap_or_default().to_owned())?;
        for (language, kind) in LIBRARY_LANGUAGES {
            for (mode, flags) in HEAP_MODES {
                let run = move |context: &Context, folder: &Path| {
                    let library = context.library(name, kind)?;
                    let run = [&["run"][..], flags].concat();
                    let outcome = context.run(folder, name, &run, &[&library])?;
                    judge(context, &outcome, prints, tells)
                };
                trials.push(trial(&context, format!("{name}::{language}::{mode}"), run));
            }
        }
        let twice = move |context: &Context, folder: &Path| {
            let header = || Ok::<_, Failed>(context.run(folder, name, &["header"], &[])?.stdout);
            match header()? == header()? {
                true => Ok(()),
                false => Err("two headers of one program differ".into()),
            }
        };
        trials.push(trial(&context, format!("{name}::same_twice"), twice));
    }
    trials.push(trial(&context, "calls::anew_at_the_prompt".into(), anew));
    trials.push(trial(&context, "library::alone".into(), library));
    trials.push(trial(&context, "refused::types".into(), refused));
    trials.push(trial(&context, "refused::twice".into(), twice));
    Ok(trials)
}

/// The header of a file that is a library has what that exports.
fn library(context: &Context, folder: &Path) -> Result<(), Failed> {
    let mut command = Command::new(&context.bowline);
    command
        .arg("header")
        .arg(context.sources.join("shapes.sld"));
    let outcome = process::run(&mut command, folder, "", LIMIT)?;
    let head = "static inline bool shape_circle(bl_handle data_, double *";
    match outcome.exit == Some(0) && outcome.stdout.contains(head) {
        true => Ok(()),
        false => Err(format!("{}\n{}{}", outcome.ending(), outcome.stdout, outcome.stderr).into()),
    }
}

/// At the prompt a name in C may stand for another procedure. C that has found it calls that, unless the types are others:
/// then it goes on with the one that it has.
fn anew(context: &Context, folder: &Path) -> Result<(), Failed> {
    let library = context.library("calls", Kind::CLibrary)?;
    let input = format!(
        "(import (scheme base) (bowline datatype) (bowline ffi))\n\
         (define-foreign-library lib \"{}\")\n\
         (define-foreign c-late (lib \"calls_late\") () int)\n\
         (define (late) 1)\n\
         (foreign-export \"C\" late () int \"late\")\n\
         (list 'first (c-late))\n\
         (define (late) (apply + (list 1 1)))\n\
         (list 'defined (c-late))\n\
         (foreign-export \"C\" late () int \"late\")\n\
         (foreign-export \"C\" late () int \"late\")\n\
         (list 'anew (c-late))\n\
         (foreign-export \"C\" (lambda () 3.5) () double \"late\")\n\
         (list 'other-types (c-late))\n\
         (foreign-export \"C\" car () int \"late\")\n\
         (define-datatype shape (dot) (line))\n\
         (foreign-export-du-test \"C\" (shape dot 0) \"late\")\n\
         (define-datatype shape (dot) (line length))\n\
         (foreign-export-du-test \"C\" (shape dot 0) \"late\")\n",
        library.display()
    );
    let mut command = Command::new(&context.bowline);
    command.arg("repl").env("BOWLINE_HISTORY", "");
    let outcome = process::run(&mut command, folder, &input, LIMIT)?;
    let prints = "(first 1)\n(defined 1)\n(anew 2)\n(other-types 2)\n";
    let told = "foreign-export: C calls `late` with 0 arguments, which this does not accept: #<procedure car>";
    let once = outcome.stderr.matches("error").count() == 1 && outcome.stderr.contains(told);
    match outcome.stdout == prints && once {
        true => Ok(()),
        false => Err(format!("{}\n{}{}", outcome.ending(), outcome.stdout, outcome.stderr).into()),
    }
}

/// A field's type that is none is told at its place, and no header is written.
fn refused(context: &Context, folder: &Path) -> Result<(), Failed> {
    let program = "(import (scheme base) (bowline datatype))\n\
                   (define-datatype t (c (f strnig)) (d (f string)))\n\
                   (foreign-export \"C\" car (int bytevector) int \"car\")\n\
                   (foreign-export \"C\" car (in) int \"cdr\")\n\
                   (foreign-export-du-test \"C\" (t c 1) \"t_c\")\n\
                   (foreign-export-du-test \"C\" (t d 1) \"t_d\")\n";
    std::fs::write(folder.join("wrong.scm"), program)?;
    let mut command = Command::new(&context.bowline);
    command.args(["header", "wrong.scm"]);
    let outcome = process::run(&mut command, folder, "", LIMIT)?;
    let told = [
        "wrong.scm:2:26: error: unknown type `strnig`",
        "wrong.scm:2:41: error: `string` cannot be the type of a constructor's field; \
         use a field without a type, or `pointer`",
        "wrong.scm:3:25: error: `bytevector` cannot be a parameter of an exported procedure; use `handle`",
        "wrong.scm:4:25: error: unknown type `in`",
    ];
    let all = told.iter().all(|text| outcome.stderr.contains(text));
    match all && outcome.exit == Some(1) && outcome.stdout.is_empty() {
        true => Ok(()),
        false => Err(format!("{}\n{}", outcome.ending(), outcome.stderr).into()),
    }
}

/// A name that two units give to C is told, also where only its variants are, and no header is written.
fn twice(context: &Context, folder: &Path) -> Result<(), Failed> {
    let program = "(define-library (one)\n\
                   (import (scheme base) (bowline datatype))\n\
                   (begin (define (half n) (/ n 2))\n\
                   (foreign-export \"C\" half (int) int \"half_raw\")\n\
                   (foreign-export \"C\" half (int) int \"HALF_up\")))\n\
                   (import (scheme base) (bowline datatype) (one))\n\
                   (define-datatype half (up) (down))\n\
                   (foreign-export-du-test \"C\" (half up 0) \"half\")\n\
                   (foreign-export-enum \"C\" half \"HALF_\")\n";
    std::fs::write(folder.join("twice.scm"), program)?;
    let mut command = Command::new(&context.bowline);
    command.args(["header", "twice.scm"]);
    let outcome = process::run(&mut command, folder, "", LIMIT)?;
    let told = [
        "twice.scm:8:1: error: `half_raw` is exported already",
        "it is exported here first",
        "twice.scm:9:1: error: `HALF_up` is exported already",
    ];
    let all = told.iter().all(|text| outcome.stderr.contains(text));
    match all && outcome.exit == Some(1) && outcome.stdout.is_empty() {
        true => Ok(()),
        false => Err(format!("{}\n{}", outcome.ending(), outcome.stderr).into()),
    }
}

/// That a program has printed and told just this; places are told without the folder.
fn judge(context: &Context, outcome: &Outcome, prints: &str, tells: &str) -> Result<(), Failed> {
    let folder = format!("{}/", context.sources.display());
    let told = outcome.stderr.replace(&folder, "");
    match outcome.exit == Some(0) && outcome.stdout == prints && told == tells {
        true => Ok(()),
        false => Err(format!("{}\n{}{told}", outcome.ending(), outcome.stdout).into()),
    }
}
