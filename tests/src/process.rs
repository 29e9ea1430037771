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
use std::time::{Duration, Instant, SystemTime};

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

/// The product `name` beside the running test executable: `target/PROFILE/NAME`. One that is older than what it was made of is
/// refused: cargo builds what a test is made of, and of a product of another package nobody else knows that it is stale. What it was
/// made of is known of what `cargo build` has made; `cargo test` of everything makes products anew, and no list.
pub fn product(name: &str) -> Result<PathBuf, String> {
    let test = std::env::current_exe().map_err(|error| error.to_string())?;
    let profile = test.parent().and_then(Path::parent);
    let path = profile.map(|folder| folder.join(name)).unwrap_or_default();
    let list = std::fs::read_to_string(path.with_extension("d")).unwrap_or_default();
    let made = modified(&path);
    let newer = sources(&list).find(|source| modified(source) > made);
    let wrong = match (made, newer) {
        (Some(_), None) => return Ok(path),
        (Some(_), Some(source)) => format!("is older than {}", source.display()),
        (None, _) => "does not exist".to_owned(),
    };
    let flag = if path.components().any(|part| part.as_os_str() == "release") {
        " --release"
    } else {
        ""
    };
    Err(format!(
        "{} {wrong}; build it first: cargo build{flag} -p {name}",
        path.display()
    ))
}

/// When a file was written last; none where there is none.
fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path)
        .and_then(|about| about.modified())
        .ok()
}

/// What a product was made of, by the list that cargo writes beside it: `PRODUCT: SOURCE …`, with a backslash before blanks in names.
fn sources(list: &str) -> impl Iterator<Item = PathBuf> {
    let (_, all) = list.split_once(": ").unwrap_or_default();
    let names = all.trim_end().replace("\\ ", "\0");
    let names: Vec<_> = names
        .split(' ')
        .map(|name| name.replace('\0', " "))
        .collect();
    names
        .into_iter()
        .filter(|name| !name.is_empty())
        .map(PathBuf::from)
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
    use super::{find, modified, product, run, sources};
    use crate::scratch::Scratch;
    use std::path::Path;
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
    fn a_product_that_is_not_there_is_refused() {
        let error = product("nonesuch").expect_err("there is no such product");
        let flag = ["", " --release"][usize::from(error.contains("/release/"))];
        let end =
            format!("/nonesuch does not exist; build it first: cargo build{flag} -p nonesuch");
        assert!(error.ends_with(&end), "{error}");
    }

    #[test]
    fn a_product_older_than_what_it_was_made_of_is_refused() {
        let test = std::env::current_exe().expect("a test");
        let folder = test.ancestors().nth(2).expect("a profile's folder");
        let path = folder.join("stale product");
        let source = folder.join("stale source");
        let list = format!("{}: /etc/passwd {}\n", path.display(), source.display());
        let list = list.replace("stale source", "stale\\ source");
        let flag = ["", " --release"][usize::from(folder.ends_with("release"))];
        let told = |what: &str| {
            let build = format!("build it first: cargo build{flag} -p stale product");
            format!("{} {what}; {build}", path.display())
        };
        std::fs::write(&path, "").expect("a file");
        assert_eq!(product("stale product"), Ok(path.clone()), "without a list");
        std::fs::write(path.with_extension("d"), list).expect("a file");
        assert_eq!(product("stale product"), Ok(path.clone()));
        std::fs::write(&source, "").expect("a file");
        let late = modified(&path).expect("it is there") + Duration::from_secs(1);
        let file = std::fs::File::options().append(true).open(&source);
        file.and_then(|file| file.set_modified(late))
            .expect("a time");
        let stale = product("stale product").expect_err("it is stale");
        assert_eq!(stale, told(&format!("is older than {}", source.display())));
        for file in [&path, &source, &path.with_extension("d")] {
            std::fs::remove_file(file).expect("it was there");
        }
    }

    #[test]
    fn the_list_of_sources_may_have_blanks_in_names() {
        let list: Vec<_> = sources("/a/b: /c/d.rs /e\\ f/g.rs\n").collect();
        assert_eq!(list, [Path::new("/c/d.rs"), Path::new("/e f/g.rs")]);
        assert_eq!(sources("/a/b:\n").count(), 0);
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
