//! Running a product as a process: with a limit of time, its output caught.
//!
//! Output goes to files, so that a process which writes more than a pipe holds never blocks.
//! A process is the leader of a group, and when its time is over the whole group is killed: what it
//! started does not outlive it.
//!
//! Absent on purpose: retries. A case that fails now and then is a bug.

use std::fs::File;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What a process did.
#[derive(Debug)]
pub struct Outcome {
    /// Its status; `None` when a signal ended it.
    pub exit: Option<i32>,
    /// The signal that ended it, if one did.
    pub signal: Option<i32>,
    /// Its output, bytes that are no UTF-8 replaced.
    pub stdout: String,
    /// Its diagnostics, likewise.
    pub stderr: String,
    /// Whether it was killed because the time was over.
    pub timed_out: bool,
}

impl Outcome {
    /// How it ended, in words.
    pub fn ending(&self) -> String {
        match (self.timed_out, self.exit, self.signal) {
            (true, ..) => "not done in time".to_owned(),
            (false, Some(status), _) => format!("status {status}"),
            (false, None, Some(signal)) => format!("signal {signal}"),
            (false, None, None) => "an unknown status".to_owned(),
        }
    }
}

/// The product `name` beside the running test executable: `target/PROFILE/NAME`.
pub fn product(name: &str) -> Result<PathBuf, String> {
    let test = std::env::current_exe().map_err(|error| error.to_string())?;
    let profile = test.parent().and_then(Path::parent);
    let path = profile.map(|folder| folder.join(name)).unwrap_or_default();
    if path.is_file() {
        return Ok(path);
    }
    let flag = if path.components().any(|part| part.as_os_str() == "release") {
        " --release"
    } else {
        ""
    };
    Err(format!(
        "{} does not exist; build it first: cargo build{flag} -p {name}",
        path.display()
    ))
}

/// The program `name` on the search path.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
}

/// Runs `command` in `folder` with this input, for at most `limit`.
pub fn run(
    command: &mut Command,
    folder: &Path,
    input: &str,
    limit: Duration,
) -> io::Result<Outcome> {
    let place = |name: &str| folder.join(name);
    std::fs::write(place(".stdin"), input)?;
    let mut child = command
        .current_dir(folder)
        .stdin(File::open(place(".stdin"))?)
        .stdout(Stdio::from(File::create(place(".stdout"))?))
        .stderr(Stdio::from(File::create(place(".stderr"))?))
        .process_group(0)
        .spawn()?;
    let start = Instant::now();
    let mut timed_out = false;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if start.elapsed() > limit {
            timed_out = true;
            kill_group(&mut child)?;
            break child.wait()?;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let text = |name: &str| -> io::Result<String> {
        Ok(String::from_utf8_lossy(&std::fs::read(place(name))?).into_owned())
    };
    Ok(Outcome {
        exit: status.code(),
        signal: status.signal(),
        stdout: text(".stdout")?,
        stderr: text(".stderr")?,
        timed_out,
    })
}

/// The standard library kills single processes only; every shell kills groups.
fn kill_group(child: &mut Child) -> io::Result<()> {
    let group = format!("kill -KILL -{}", child.id());
    Command::new("sh").args(["-c", &group]).status()?;
    child.kill()
}

#[cfg(test)]
mod tests {
    use super::{find, run};
    use crate::scratch::Scratch;
    use std::process::Command;
    use std::time::{Duration, Instant};

    #[test]
    fn endings_are_told_apart() {
        let folder = Scratch::new("endings").expect("a folder");
        let shell = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            let patience = if script.starts_with("sleep") { 1 } else { 60 };
            let patience = Duration::from_secs(patience);
            run(&mut command, folder.path(), "in", patience).expect("sh runs")
        };
        let outcome = shell("cat; echo err >&2; exit 3");
        assert_eq!(
            (outcome.stdout.as_str(), outcome.stderr.as_str()),
            ("in", "err\n")
        );
        assert_eq!(outcome.ending(), "status 3");
        assert_eq!(shell("kill -9 $$").ending(), "signal 9");
        assert_eq!(shell("sleep 90").ending(), "not done in time");
    }

    #[test]
    fn a_limit_ends_the_whole_group() {
        let folder = Scratch::new("group").expect("a folder");
        let mut command = Command::new("sh");
        let mark = format!("BOWLINE_TESTS_GROUP={}", folder.path().display());
        let (name, value) = mark.split_once('=').expect("a variable");
        command.args(["-c", "sleep 1000 & wait"]).env(name, value);
        let outcome = run(&mut command, folder.path(), "", Duration::from_millis(200)).expect("sh");
        assert!(outcome.timed_out);
        let begin = Instant::now();
        while is_in_an_environment(&mark) {
            assert!(
                begin.elapsed() < Duration::from_secs(60),
                "a part of the group lives"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Whether there is a process with this variable, which its children have, too.
    fn is_in_an_environment(mark: &str) -> bool {
        let processes = std::fs::read_dir("/proc").expect("processes").flatten();
        let mut environments = processes.flat_map(|it| std::fs::read(it.path().join("environ")));
        environments.any(|it| it.split(|&byte| byte == 0).any(|it| it == mark.as_bytes()))
    }

    #[test]
    fn programs_are_found() {
        assert!(find("sh").is_some_and(|path| path.is_absolute()));
        assert_eq!(find("no-such-program-anywhere"), None);
    }
}
