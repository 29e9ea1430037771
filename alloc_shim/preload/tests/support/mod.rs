//! Building the library and small C programs, and running them with a limit of time.

#![allow(dead_code, reason = "each test uses its part of this")]

pub(crate) mod pprof;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// The library: `BOWLINE_TEST_PRELOAD` if set, else built here, once.
pub(crate) fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| match std::env::var_os("BOWLINE_TEST_PRELOAD") {
        Some(path) => path.into(),
        None => build(),
    })
}

fn build() -> PathBuf {
    let arguments = [
        "build",
        "--quiet",
        "--release",
        "--package",
        "bowline-malloc",
    ];
    let done = Command::new(env!("CARGO"))
        .args(arguments)
        .output()
        .expect("cargo runs");
    let errors = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(
        done.status.success(),
        "cargo build of the library: {errors}"
    );
    // TARGET/tmp is where cargo lets integration tests write.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("a target directory");
    target.join("release/libbowline_malloc.so")
}

/// Compiles a source beside this file, with everything warned about refused, and gives the product's path.
pub(crate) fn compile(source: &str, product: &str, flags: &[&str]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join(product);
    // Two tests may want the same product at the same time.
    let fresh = folder.join(format!("{product}.{:?}", std::thread::current().id()));
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/c")
        .join(source);
    let cpp = source.extension() == Some(OsStr::new("cc"));
    let (compiler, standard) = if cpp {
        ("c++", "-std=c++17")
    } else {
        ("cc", "-std=c11")
    };
    let done = Command::new(compiler)
        .args([
            standard,
            "-D_GNU_SOURCE",
            "-O1",
            "-fno-builtin",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-pthread",
            "-o",
        ])
        .arg(&fresh)
        .arg(&source)
        .args(flags)
        .output()
        .unwrap_or_else(|e| panic!("{compiler}: {e}"));
    let errors = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{}: {errors}", source.display());
    std::fs::rename(&fresh, &path).expect("the product is in its place");
    path
}

/// A program to run under a limit of time.
pub(crate) struct Run(Command);

impl Run {
    pub(crate) fn new(program: &Path) -> Run {
        let mut command = Command::new("timeout");
        command
            .arg("--kill-after=5")
            .arg("60")
            .arg(program)
            .stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("BOWLINE_MALLOC") {
                command.env_remove(name);
            }
        }
        Run(command)
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Run {
        self.0.arg(arg);
        self
    }

    /// With this library preloaded into the program alone, not into what limits its time.
    pub(crate) fn preload(self, library: &Path) -> Run {
        let program = self.0.get_args().nth(2).expect("the program").to_owned();
        let arguments: Vec<_> = self.0.get_args().skip(3).map(OsStr::to_owned).collect();
        let mut command = Command::new("timeout");
        let mut setting = std::ffi::OsString::from("LD_PRELOAD=");
        setting.push(library);
        command
            .args(["--kill-after=5", "60", "env"])
            .arg(setting)
            .arg(program)
            .args(arguments);
        for (name, value) in self.0.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.stdin(Stdio::null());
        Run(command)
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Run {
        self.0.env(name, value);
        self
    }

    pub(crate) fn output(mut self) -> Output {
        self.0.output().expect("timeout runs")
    }

    /// Runs it; it must succeed. What it printed on standard output.
    pub(crate) fn succeeds(self) -> String {
        let done = self.output();
        let (out, err) = texts(&done);
        assert!(done.status.success(), "{}\n{out}\n{err}", done.status);
        out
    }
}

/// Both outputs as text.
pub(crate) fn texts(done: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&done.stdout), text(&done.stderr))
}
