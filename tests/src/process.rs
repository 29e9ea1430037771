//! Running a product as a process: with a limit of time, its output caught.
//!
//! Output goes to files, so that a process which writes more than a pipe holds never blocks.
//!
//! Absent on purpose: retries. A case that fails now and then is a bug.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What a process did.
#[derive(Debug)]
pub struct Outcome {
    /// Its status; `None` when a signal ended it.
    pub exit: Option<i32>,
    /// Its output, bytes that are no UTF-8 replaced.
    pub stdout: String,
    /// Its diagnostics, likewise.
    pub stderr: String,
    /// Whether it was killed because the time was over.
    pub timed_out: bool,
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
        .spawn()?;
    let start = Instant::now();
    let mut timed_out = false;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if start.elapsed() > limit {
            timed_out = true;
            child.kill()?;
            break child.wait()?;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let text = |name: &str| -> io::Result<String> {
        Ok(String::from_utf8_lossy(&std::fs::read(place(name))?).into_owned())
    };
    Ok(Outcome {
        exit: status.code(),
        stdout: text(".stdout")?,
        stderr: text(".stderr")?,
        timed_out,
    })
}
