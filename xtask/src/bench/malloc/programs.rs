//! The programs of the malloc set.

use super::super::scheme::argument;
use super::super::{output_of, with_contents};
use super::{FOLDER, Program, Set};
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

/// The small programs, each one use of memory: C, but for the last.
const SMALL: [&str; 14] = [
    "pairs.c",
    "churn.c",
    "cross.c",
    "server.c",
    "growing.c",
    "strings.c",
    "large.c",
    "calloc.c",
    "aligned.c",
    "threads.c",
    "fragments.c",
    "idle.c",
    "buffers.c",
    "containers.cc",
];

const WARNINGS: [&str; 5] = ["-Wall", "-Wextra", "-Werror", "-O2", "-pthread"];

/// All programs, made where they must be.
pub(super) fn all(root: &Path, scratch: &Path) -> Result<Vec<Program>, String> {
    let mut programs = Vec::new();
    for source in SMALL {
        let name = source.split('.').next().unwrap_or_default();
        let binary = compiled(root, scratch, source, &WARNINGS)?;
        programs.push(Program {
            name,
            set: Set::Small,
            command: vec![binary],
            beside: None,
            compared: true,
        });
    }
    programs.extend(real(root, scratch)?);
    Ok(programs)
}

/// Compiles a program of this folder, C or C++ as its name says.
pub(super) fn compiled(
    root: &Path,
    scratch: &Path,
    source: &str,
    flags: &[&str],
) -> Result<String, String> {
    let (stem, extension) = source.split_once('.').unwrap_or((source, ""));
    let binary = argument(&scratch.join(stem));
    let (compiler, standard) = match extension {
        "cc" => ("c++", "-std=c++17"),
        _ => ("cc", "-std=gnu11"),
    };
    let mut compile = Command::new(compiler);
    compile.args([standard, "-o", &binary]).args(flags);
    output_of(compile.arg(root.join(FOLDER).join(source)))?;
    Ok(binary)
}

/// Whether a program's interpreter is on this machine.
pub(super) fn is_here(program: &Program) -> bool {
    let mut words = program.command.iter();
    let command = words.find(|word| *word != "env" && !word.contains('='));
    let command = command.map_or("", String::as_str);
    output_of(Command::new("sh").args(["-c", "command -v \"$0\"", command])).is_ok()
}

/// Programs that people use.
fn real(root: &Path, scratch: &Path) -> Result<Vec<Program>, String> {
    let source = |name: &str| argument(&root.join(FOLDER).join(name));
    let made = |name: &str, text: &str| with_contents(&scratch.join(name), text);
    let sql = format!(".read {}", source("work.sql"));
    let c = made("many.c", &many_functions(700))?;
    let lines = made("lines", &many_lines(400_000))?;
    let containers = source("containers.cc");
    let root = argument(root);
    // Somebody may commit meanwhile.
    let commit = output_of(Command::new("git").args(["-C", &root, "rev-parse", "HEAD"]));
    let commit = commit.unwrap_or_else(|_| "HEAD".to_string());
    let log = ["log", "--stat", "-n", "250", "--format=%H", &commit];
    let compile = ["g++", "-std=c++17", "-O1", "-S", "-o", "-", &containers];
    let mut all = interpreters(source);
    all.extend([
        used("sqlite3", &["sqlite3", ":memory:", &sql]),
        used("g++", &compile),
        used("gcc", &["gcc", "-O2", "-S", "-o", "-", &c]),
        used("sort", &["sort", &lines]),
        used("git", &[&["git", "-C", &root], &log[..]].concat()),
        redis(&argument(&scratch.join("redis"))),
    ]);
    Ok(all)
}

fn used(name: &'static str, command: &[&str]) -> Program {
    Program {
        name,
        set: Set::Real,
        command: command.iter().map(|word| word.to_string()).collect(),
        beside: None,
        compared: true,
    }
}

/// Hashes that are random would make one run longer than the next.
fn interpreters(source: impl Fn(&str) -> String) -> Vec<Program> {
    let (python, script) = (python(), source("work.py"));
    let steady = ["env", "PYTHONHASHSEED=0"];
    let plain = [&python[..], &script];
    let malloc = ["PYTHONMALLOC=malloc", &python, &script];
    let perl = ["env", "PERL_HASH_SEED=0", "perl", &source("work.pl")];
    vec![
        used("python", &[&steady[..], &plain].concat()),
        used("python, malloc", &[&steady[..], &malloc].concat()),
        used("perl", &perl),
        used("lua", &["lua5.4", &source("work.lua")]),
    ]
}

/// A server with a client that is not counted.
fn redis(socket: &str) -> Program {
    let script = format!(
        "c='redis-cli -s {socket}'; until $c ping; do sleep 0.05; done; \
         redis-benchmark -s {socket} -n 40000 -r 20000 -P 16 -d 100 -t set,get,lpush,sadd,hset,zadd -q && \
         $c dbsize && {{ $c shutdown nosave || true; }}"
    );
    let serve = ["--port", "0", "--save", "", "--unixsocket", socket];
    Program {
        beside: Some(script),
        compared: false,
        ..used("redis", &[&["redis-server"], &serve[..]].concat())
    }
}

/// The interpreter itself: what the shell finds may be a script that looks for it.
fn python() -> String {
    let ask = ["-c", "import sys; print(sys.executable)"];
    output_of(Command::new("python3").args(ask)).unwrap_or_else(|_| "python3".to_string())
}

/// C for a compiler to chew on.
fn many_functions(count: usize) -> String {
    let mut text = "struct point { int x, y; struct point *next; };\n".to_string();
    for i in 0..count {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "int f{i}(struct point *p, int n) {{\n  int s = {i};\n  for (int k = 0; k < n; k++) {{\n    \
             switch ((p->x + k) % 5) {{\n    case 0: s += p->y * {i}; break;\n    case 1: s ^= k << 3; break;\n    \
             case 2: if (p->next) {{ p = p->next; s -= p->x; }} break;\n    default: s = s / (k + 1) + n;\n    }}\n  }}\n  \
             return s;\n}}\n"
        );
    }
    text
}

/// Lines in no order.
fn many_lines(count: u64) -> String {
    let line = |i: u64| format!("{} line {i}\n", i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20);
    (0..count).map(line).collect()
}
