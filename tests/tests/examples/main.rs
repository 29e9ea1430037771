//! The worked examples of `examples/` and the C of `docs/c-interface.md` and `docs/datatype.md`: built as their headers
//! say, by plain `cc` and `rustc`, and run.
//!
//! | trials | show |
//! |---|---|
//! | `ml::…` | files and a directory by C functions over handles |
//! | `zlib::…` | streams of zlib's over views and pinned bytevectors |
//! | `sqlite::…` | rows, functions of SQL and blobs, with callbacks of three lifetimes |
//! | `threads::…` | procedures on the threads of libuv's pool |
//! | `port::…` | a file written to by Rust over the words of the heap |
//! | `closures::…` | closures of Scheme's in C and of C's in Scheme, in the three ways that C takes them |
//! | `lists::…` | a list and a tree by the functions of a header that is written for the program; with a million elements, too |
//! | `page::…` | the functions that the page on the C interface shows |
//! | `data::…` | those that the page on datatypes shows, with the header of its program |

#![forbid(unsafe_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use bowline_tests::process::{self, Outcome};
use bowline_tests::trials::trial;
use libtest_mimic::{Failed, Trial};

/// How long one process may take, on a busy machine.
const LIMIT: Duration = Duration::from_secs(1800);

/// How the heap is asked to behave.
const MODES: [(&str, &[&str]); 3] = [
    ("plain", &[]),
    ("zeal", &["--zeal=crossing:1"]),
    ("latency", &["--plan=latency", "--verify"]),
];

const ML: &str = "\
read as by a port: #t
a directory: #t, closed: 0
ENOENT 2: ml-open: No such file or directory
ml-open: bl_to_string: expected a string, got 5
EBADF 9: ml-close: Bad file descriptor
EBADF 9: ml-read: Bad file descriptor
ml-read: bl_to_bytes: expected a bytevector, got \"no buffer\"
ml-read: bl_to_tuple: the tuple has 1 values, 2 were asked for
ENOENT 2: ml-opendir: No such file or directory
";

const SQLITE: &str = "\
((\"name\" . \"bowline\") (\"turns\" . \"1\"))
((\"name\" . \"clove hitch\") (\"turns\" . \"2\"))
((\"name\" . \"sheet bend\") (\"turns\" . \"1\"))
found: clove hitch
((\"enilwob\" 4.5 #u8(1 1)) (\"hctih evolc\" 5.5 #u8(1 2)) (\"dneb teehs\" 4.5 #u8(1 1)))
((\"bowline\"))
query: near \"selekt\": syntax error (1)
step: +: argument 2 must be a number, not (1)
step: bytevector-u8-ref: argument 1 must be a bytevector, not (1)
of the program's own (((one . 1)))
/no/such/folder/file.db: unable to open database file (14)
#u8(0 0 0 0 7 7 7 7)
held: 3
held: 3
held: 0
pinned: 0
";

const THREADS: &str = "\
((100 25) (200 46) (300 62) (400 78) (500 95) (600 109) (800 139) (900 154) (1000 168) (1100 184) (1200 196))
(\"no luck with\" (700))
(after-work-here 12 work-here no jobs-left 0)
25 16 9 4 1 \n";

const PORT: &str = "\
(port \"io.txt\")
hello world
naïve λ
rt-open-write: No such file or directory
rt-open-write: the name of a file is a string
writeln: a line is a string, and goes to a port
writeln: a line is a string, and goes to a port
";

const CLOSURES: &str = "\
code for each : up 100, down 140; identity: up 10, down 14; nothing: 0
an env        : up 100, down 140; identity: up 10, down 14; nothing: 0
a struct      : up 100, down 140; identity: up 10, down 14; nothing: 0
C among itself: up 100, down 140; identity: up 10, down 14; nothing: 0
of C's own: 42
there and back: 30
there and back: 30
there and back: 30
nested: 127
nested: 127
nested: 127
left: three
left: three
left: three
";

const ZLIB: &str = "\
crc32
  ok      of nine digits it is the one that everybody's is
  ok      of a view it is that of a copy
  ok      part by part, from offsets, it is that of the whole

deflate, of views
  ok      1 MiB became less than 600 KiB
  ok      nothing was pinned for it
  ok      and the heap has grown by less than 64 KiB

inflate, of views
  ok      all of it is there again
  ok      with the same checksum
  ok      nothing was pinned for it

the same of bytevectors in the heap
  ok      one object was pinned meanwhile
  ok      all of it is there again
  ok      and none is pinned now

errors
  inflate: incorrect header check
  inflate: the data ends too early
  inflate: incorrect data check

all well
";

const LISTS: &str = "\
the sum by handles: as expected
the sum by words: as expected
the last squares: SQUARES
the sum of the tree: as expected
its depth is that of a balanced one: #t
keys of it that were not found: 0
";

/// Zeal moves all there is, so with a million elements not at each turn: six times, while C makes lists and trees of what it
/// walks.
const MILLION_FLAGS: &[&str] = &["--zeal=crossing:1500000"];

const SQUARES: &str = "(9604 9409 99)";
const MILLION_SQUARES: &str = "(999998000001 999996000004 1000000)";

const PAGE: &str = "\
(import (scheme base) (scheme write) (scheme process-context) (bowline ffi) (bowline gc))
(define-foreign-library page (cadr (command-line)))
(define-foreign largest (page \"largest\") (handle) handle)
(define-foreign sum (page \"sum\") (handle) int64)
(define (show x) (write x) (newline))
(show (largest (vector 1 5/2 3.5 -7)))
(let ((many (make-vector 100000 1)))
  (vector-set! many 99999 2)
  (show (largest many))
  (show (sum many)))
(show (guard (e (#t (error-object-message e))) (largest (vector 1 'two))))
(show (guard (e (#t (error-object-message e))) (largest 5)))
(define-foreign-table functions \"knots_functions\" page)
(define-foreign first (functions 0) (handle) handle)
(define-foreign second (functions \"sum\") (handle) int64)
(show (list (first (vector 1 2)) (second (vector 1 2))))
";

const PAGE_PRINTS: &str = "\
3.5
2
100001
\"largest: bl_to_double: expected a real number, got two\"
\"largest: bl_tuple_size: expected a vector, got 5\"
(2 3)
";

/// Behind the page's program.
const DATA: &str = "\
(define-foreign-library page (cadr (command-line)))
(define-foreign successor (page \"successor\") (handle) handle)
(define-foreign depth (page \"depth\") (handle) int64)
(define (show x) (write x) (newline))
(show (successor (yes 5)))
(show (let ((none (no))) (eq? none (successor none))))
(show (successor (yes \"text\")))
(show (depth (yes (yes (no)))))
";

const DATA_PRINTS: &str = "\
#<yes 6>
#t
#<yes \"text\">
2
";

/// Examples that are a script alone: name, the library that they call and its package, what they print.
const SCRIPTS: [(&str, &str, &str, &str); 3] = [
    ("zlib", "libz.so.1", "zlib1g", ZLIB),
    ("sqlite", "libsqlite3.so.0", "libsqlite3-0", SQLITE),
    ("threads", "libuv.so.1", "libuv1", THREADS),
];

struct Context {
    bowline: PathBuf,
    root: PathBuf,
}

fn main() -> ExitCode {
    bowline_tests::trials::run(trials)
}

fn trials() -> Result<Vec<Trial>, String> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let context = Arc::new(Context {
        bowline: process::product("bowline")?,
        root: tests.parent().unwrap_or(tests).to_owned(),
    });
    let mut trials = Vec::new();
    for (mode, flags) in MODES {
        trials.push(trial(&context, format!("ml::{mode}"), move |c, folder| {
            c.ml(folder, flags)
        }));
        trials.push(trial(
            &context,
            format!("port::{mode}"),
            move |c, folder| c.port(folder, flags),
        ));
    }
    for (mode, flags) in MODES {
        for (name, library, package, expected) in SCRIPTS {
            let run = move |c: &Context, folder: &Path| {
                let script = c.root.join(format!("examples/{name}.scm"));
                let mut command = c.program(folder, flags, &script);
                let outcome = process::run(&mut command, folder, "", LIMIT)?;
                installed(&outcome, library, package)?;
                printed(&outcome, expected)
            };
            trials.push(trial(&context, format!("{name}::{mode}"), run));
        }
        trials.push(trial(
            &context,
            format!("lists::{mode}"),
            move |c, folder| c.lists(folder, flags, Some("99"), SQUARES),
        ));
    }
    trials.push(trial(&context, "lists::a_million".into(), |c, folder| {
        c.lists(folder, MILLION_FLAGS, None, MILLION_SQUARES)
    }));
    for (mode, flags) in MODES {
        let name = format!("closures::{mode}");
        trials.push(trial(&context, name, move |c, folder| {
            c.closures(folder, flags)
        }));
    }
    for (compiler, more) in [
        ("cc", &["-std=c11"][..]),
        ("c++", &["-x", "c++", "-std=c++17"]),
    ] {
        trials.push(trial(
            &context,
            format!("page::{compiler}"),
            move |c, folder| c.page(folder, compiler, more),
        ));
        let name = format!("data::{compiler}");
        trials.push(trial(&context, name, move |c, folder| {
            c.data(folder, compiler, more)
        }));
    }
    Ok(trials)
}

impl Context {
    /// Runs a command of the build, which must say nothing.
    fn build(&self, command: &mut Command, folder: &Path) -> Result<(), Failed> {
        let outcome = process::run(command, folder, "", LIMIT)?;
        match outcome.exit == Some(0) && outcome.stderr.is_empty() {
            true => Ok(()),
            false => Err(complaint("it does not build without a word", &outcome)),
        }
    }

    /// A C compiler that makes a shared library, told where `bowline.h` is.
    fn compiler(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command.args([
            "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-I",
        ]);
        command.arg(self.root.join("ffi_boundary/capi/include"));
        command
    }

    /// `bowline run FLAGS PROGRAM` where the dynamic linker finds the libraries of `folder`.
    fn program(&self, folder: &Path, flags: &[&str], program: &Path) -> Command {
        let mut command = Command::new(&self.bowline);
        command.env("LD_LIBRARY_PATH", folder);
        command.arg("run").args(flags).arg(program);
        command
    }

    fn ml(&self, folder: &Path, flags: &[&str]) -> Result<(), Failed> {
        let example = self.root.join("examples/ml");
        let mut compiler = self.compiler("cc");
        compiler.args(["-std=c11", "-D_GNU_SOURCE", "-o", "libml_files.so"]);
        self.build(compiler.arg(example.join("ml_files.c")), folder)?;
        let mut command = self.program(folder, flags, &example.join("ml.scm"));
        prints(&mut command, folder, ML)
    }

    fn port(&self, folder: &Path, flags: &[&str]) -> Result<(), Failed> {
        let example = self.root.join("examples/port");
        let mut compiler = Command::new("rustc");
        compiler.args(["--edition", "2024", "-O", "--crate-type", "cdylib"]);
        compiler.args(["-D", "warnings", "-o", "libport.so"]);
        self.build(compiler.arg(example.join("port.rs")), folder)?;
        let mut command = self.program(folder, flags, &example.join("port.scm"));
        prints(command.arg("io.txt"), folder, PORT)
    }

    fn closures(&self, folder: &Path, flags: &[&str]) -> Result<(), Failed> {
        let example = self.root.join("examples/closures");
        let mut compiler = self.compiler("cc");
        compiler.args(["-std=c11", "-o", "libclosures.so"]);
        self.build(compiler.arg(example.join("closures.c")), folder)?;
        let mut command = self.program(folder, flags, &example.join("closures.scm"));
        prints(&mut command, folder, CLOSURES)
    }

    /// With so many elements, or the million that a user sees.
    fn lists(
        &self,
        folder: &Path,
        flags: &[&str],
        count: Option<&str>,
        squares: &str,
    ) -> Result<(), Failed> {
        let example = self.root.join("examples/lists");
        let mut header = Command::new(&self.bowline);
        header.arg("header").arg(example.join("lists.scm"));
        let header = process::run(&mut header, folder, "", LIMIT)?;
        fs::write(folder.join("lists.h"), &header.stdout)?;
        let mut compiler = self.compiler("cc");
        compiler.args(["-std=c11", "-I.", "-o", "liblists.so"]);
        self.build(compiler.arg(example.join("lists.c")), folder)?;
        let mut command = self.program(folder, flags, &example.join("lists.scm"));
        let expected = LISTS.replace("SQUARES", squares);
        prints(command.args(count), folder, &expected)
    }

    /// The page's blocks in C, and a program that calls what they define.
    fn page(&self, folder: &Path, compiler: &str, more: &[&str]) -> Result<(), Failed> {
        let page = fs::read_to_string(self.root.join("docs/c-interface.md"))?;
        self.called(folder, &page, PAGE, compiler, more)?;
        let mut command = self.program(folder, &["--zeal=crossing:97"], Path::new("page.scm"));
        prints(command.arg("libpage.so"), folder, PAGE_PRINTS)
    }

    /// The same of the page on datatypes, whose program goes on.
    fn data(&self, folder: &Path, compiler: &str, more: &[&str]) -> Result<(), Failed> {
        let page = fs::read_to_string(self.root.join("docs/datatype.md"))?;
        let program = blocks(&page, "scheme,file=maybe.scm").next();
        let program = program.ok_or("the page has no maybe.scm")?;
        fs::write(folder.join("maybe.scm"), program)?;
        let mut header = Command::new(&self.bowline);
        let header = process::run(header.args(["header", "maybe.scm"]), folder, "", LIMIT)?;
        fs::write(folder.join("maybe.h"), &header.stdout)?;
        let more = [more, &["-I."]].concat();
        let imports = "(import (scheme write) (scheme process-context) (bowline ffi))";
        let whole = format!("{imports}\n{program}{DATA}");
        self.called(folder, &page, &whole, compiler, &more)?;
        let mut command = self.program(folder, &["--zeal=crossing:1"], Path::new("page.scm"));
        prints(command.arg("libpage.so"), folder, DATA_PRINTS)
    }

    /// Makes `libpage.so` of a page's blocks in C, and writes the program that calls it to `page.scm`.
    fn called(
        &self,
        folder: &Path,
        page: &str,
        program: &str,
        compiler: &str,
        more: &[&str],
    ) -> Result<(), Failed> {
        let blocks: Vec<&str> = blocks(page, "c").collect();
        let external = "#ifdef __cplusplus\nextern \"C\" {\n#endif\n";
        let end = "#ifdef __cplusplus\n}\n#endif\n";
        let source = format!("#include <bowline.h>\n{external}{}{end}", blocks.join("\n"));
        fs::write(folder.join("page.c"), source)?;
        let mut command = self.compiler(compiler);
        command.args(["-o", "libpage.so"]);
        self.build(command.args(more).arg("page.c"), folder)?;
        Ok(fs::write(folder.join("page.scm"), program)?)
    }
}

/// The blocks of a page that begin with this.
fn blocks<'p>(page: &'p str, begin: &str) -> impl Iterator<Item = &'p str> {
    let begin = format!("```{begin}\n");
    let mut rest = page;
    std::iter::from_fn(move || {
        let (_, behind) = rest.split_once(&begin)?;
        let (block, behind) = behind.split_once("```")?;
        rest = behind;
        Some(block)
    })
}

/// That a command succeeds, prints this, and tells nothing else.
fn prints(command: &mut Command, folder: &Path, expected: &str) -> Result<(), Failed> {
    printed(&process::run(command, folder, "", LIMIT)?, expected)
}

/// That a program has found a library of the system, which a package of Debian's has.
fn installed(outcome: &Outcome, library: &str, package: &str) -> Result<(), Failed> {
    match outcome.exit != Some(0) && outcome.stderr.contains(library) {
        true => {
            let what = format!("{library} is missing, install it: apt-get install {package}");
            Err(complaint(&what, outcome))
        }
        false => Ok(()),
    }
}

fn printed(outcome: &Outcome, expected: &str) -> Result<(), Failed> {
    let quiet = outcome.exit == Some(0) && outcome.stderr.is_empty();
    match quiet && outcome.stdout == expected {
        true => Ok(()),
        false => Err(complaint(&format!("expected:\n{expected}"), outcome)),
    }
}

fn complaint(what: &str, outcome: &Outcome) -> Failed {
    let (ending, said) = (outcome.ending(), &outcome.stderr);
    format!("{what}; {ending}\n{}{said}", outcome.stdout).into()
}
