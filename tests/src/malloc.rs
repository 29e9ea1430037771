//! The malloc under test: the library that a process preloads.
//!
//! It is `libbowline_malloc.so`, built by cargo when it is first asked for; or whatever
//! `BOWLINE_TEST_PRELOAD` names, so that a failing test can be tried on somebody else's malloc.
//!
//! Absent on purpose: installing it anywhere. A process finds it by its path.

use std::path::{Path, PathBuf};
use std::process::Command;

/// How the library's own lines on the standard error begin.
pub const PREFIX: &str = "bowline_malloc:";

/// A library to preload.
#[derive(Clone, Debug)]
pub struct Malloc {
    /// Where it is.
    pub path: PathBuf,
    /// Whether it is Bowline's, which can be asked for its figures.
    pub ours: bool,
}

impl Malloc {
    /// Finds the library, and builds it if it is Bowline's.
    pub fn locate() -> Result<Malloc, String> {
        if let Some(path) = std::env::var_os("BOWLINE_TEST_PRELOAD") {
            let path = PathBuf::from(path);
            let bytes = std::fs::read(&path)
                .map_err(|error| format!("BOWLINE_TEST_PRELOAD: {}: {error}", path.display()))?;
            let name = b"bowline_region_v1";
            let ours = bytes.windows(name.len()).any(|window| window == name);
            return Ok(Malloc { path, ours });
        }
        let target = target_folder()?;
        build(&target)?;
        let path = target.join("release/libbowline_malloc.so");
        if path.is_file() {
            return Ok(Malloc { path, ours: true });
        }
        Err(format!("cargo built no {}", path.display()))
    }

    /// Makes `command` preload it, after `others`, and print its figures when the process exits.
    pub fn preload(&self, command: &mut Command, others: &[&Path]) {
        let mut list = self.path.clone().into_os_string();
        for other in others {
            list.push(":");
            list.push(other);
        }
        command.env("LD_PRELOAD", list);
        if self.ours {
            command.env("BOWLINE_MALLOC_STATS", "1");
        }
    }
}

/// Where cargo puts what it builds: the test executable is `target/PROFILE/deps/NAME`.
fn target_folder() -> Result<PathBuf, String> {
    let test = std::env::current_exe().map_err(|error| error.to_string())?;
    let folder = test.ancestors().nth(3);
    folder
        .map(Path::to_owned)
        .ok_or_else(|| format!("{} lies in no target folder", test.display()))
}

/// Builds the library. Cargo has let go of its lock by the time that it runs tests.
fn build(target: &Path) -> Result<(), String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args([
            "build",
            "--release",
            "--offline",
            "--package",
            "bowline-malloc",
        ])
        .arg("--target-dir")
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    let result = command
        .output()
        .map_err(|error| format!("cargo does not run: {error}"))?;
    if result.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&result.stderr);
    Err(format!("{command:?} failed:\n{text}"))
}

/// The lines of a standard error that a malloc wrote, and the others.
pub fn split_stderr(text: &str) -> (String, String) {
    text.split_inclusive('\n')
        .partition(|line| line.starts_with(PREFIX))
}

/// How many processes told figures, all of them in use: each took memory from its region.
pub fn processes_served(lines: &str) -> Result<usize, String> {
    let exits = lines
        .lines()
        .filter(|line| line.ends_with(" exits"))
        .count();
    let taken: Vec<&str> = lines
        .lines()
        .filter_map(|line| line.strip_suffix("spans taken"))
        .filter_map(|line| line.strip_prefix(PREFIX))
        .map(str::trim)
        .collect();
    if taken.len() != exits || taken.contains(&"0") {
        return Err(format!(
            "{exits} processes, spans taken: {taken:?}\n{lines}"
        ));
    }
    Ok(exits)
}

#[cfg(test)]
mod tests {
    use super::{processes_served, split_stderr};

    const TEXT: &str = "\
warning
bowline_malloc: process 12 exits
bowline_malloc:              65536  committed bytes
bowline_malloc:                  3  spans taken
more
bowline_malloc: process 13 exits
bowline_malloc:                 10  spans taken
";

    #[test]
    fn figures_are_told_from_the_program() {
        let (ours, theirs) = split_stderr(TEXT);
        assert_eq!(theirs, "warning\nmore\n");
        assert_eq!(processes_served(&ours), Ok(2));
        assert_eq!(processes_served(""), Ok(0));
        assert!(processes_served(&ours.replace(" 3 ", " 0 ")).is_err());
        assert!(processes_served("bowline_malloc: process 1 exits\n").is_err());
    }
}
