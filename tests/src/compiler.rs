//! The C and C++ programs of the tests, compiled once per run.
//!
//! `-fno-builtin` keeps the compiler from removing the very calls that a program is there to make.
//!
//! Absent on purpose: outputs that outlive the run. Compiling all of them takes seconds, and what is
//! fresh cannot be stale.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::scratch::Scratch;

/// What a source becomes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A program in C11.
    C,
    /// A program in C++17; a source in C is compiled as C++.
    Cxx,
    /// A shared library in C11.
    CLibrary,
    /// A shared library in C++17.
    CxxLibrary,
}

impl Kind {
    fn program(self) -> &'static str {
        match self {
            Kind::C | Kind::CLibrary => "cc",
            Kind::Cxx | Kind::CxxLibrary => "c++",
        }
    }

    fn flags(self) -> &'static [&'static str] {
        match self {
            Kind::C => &["-std=c11"],
            Kind::Cxx => &["-x", "c++", "-std=c++17"],
            Kind::CLibrary => &["-std=c11", "-shared", "-fPIC"],
            Kind::CxxLibrary => &["-x", "c++", "-std=c++17", "-shared", "-fPIC"],
        }
    }
}

const FLAGS: [&str; 8] = [
    "-O2",
    "-g",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-D_GNU_SOURCE",
    "-fno-builtin",
    "-pthread",
];

type Slot = Arc<OnceLock<Result<PathBuf, String>>>;

/// Compiles sources of one folder into a folder that is gone when this is dropped.
#[derive(Debug)]
pub struct Compiler {
    sources: PathBuf,
    out: Scratch,
    done: Mutex<HashMap<String, Slot>>,
}

impl Compiler {
    /// A compiler for the sources of this folder.
    pub fn new(sources: &Path) -> std::io::Result<Compiler> {
        Ok(Compiler {
            sources: sources.to_owned(),
            out: Scratch::new("compiled")?,
            done: Mutex::default(),
        })
    }

    /// The program or library `output` made of `source`, with more arguments after it. Asked again
    /// for the same `output` it gives what it made the first time.
    pub fn make(
        &self,
        output: &str,
        kind: Kind,
        source: &str,
        more: &[OsString],
    ) -> Result<PathBuf, String> {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = Arc::clone(done.entry(output.to_owned()).or_default());
        drop(done);
        slot.get_or_init(|| self.compile(output, kind, source, more))
            .clone()
    }

    fn compile(
        &self,
        output: &str,
        kind: Kind,
        source: &str,
        more: &[OsString],
    ) -> Result<PathBuf, String> {
        let path = self.out.path().join(output);
        let mut command = Command::new(kind.program());
        command.args(FLAGS).args(kind.flags());
        command.arg(self.sources.join(source));
        // What `-x` says of the source is not meant for libraries that follow.
        command.args(["-x", "none"]).args(more);
        command.arg("-ldl").arg("-o").arg(&path);
        let result = command
            .output()
            .map_err(|error| format!("{} does not run: {error}", kind.program()))?;
        if result.status.success() {
            return Ok(path);
        }
        let text = String::from_utf8_lossy(&result.stderr);
        Err(format!("{source} does not compile:\n{text}"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Compiler, Kind};
    use crate::scratch::Scratch;

    #[test]
    fn programs_are_made_once_and_errors_told() {
        let folder = Scratch::new("compiler").expect("a folder");
        let source = folder.path().join("a.c");
        std::fs::write(&source, "int main(void) { return 0; }").expect("written");
        let compiler = Compiler::new(folder.path()).expect("a folder");
        let made = compiler.make("a", Kind::C, "a.c", &[]).expect("compiles");
        std::fs::remove_file(&source).expect("removed");
        assert_eq!(compiler.make("a", Kind::C, "a.c", &[]), Ok(made));
        let error = compiler.make("b", Kind::Cxx, "a.c", &[]);
        assert!(error.is_err_and(|text| text.contains("a.c does not compile")));
    }
}
