//! Installing the library into a prefix, running programs by the command that is installed, and removing all of it.

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use support::{library, texts};

fn xtask(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO"));
    command.args(["xtask"]).args(arguments);
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    command.output().expect("cargo runs")
}

/// All files under a folder, from there.
fn files(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let path = path.strip_prefix(folder).expect("a path below");
                files.push(path.to_str().expect("a name").to_owned());
            }
        }
    }
    files.sort();
    files
}

#[test]
fn what_is_installed_runs_programs_and_goes_away_without_a_trace() {
    let prefix = Path::new(env!("CARGO_TARGET_TMPDIR")).join("prefix");
    let _ = std::fs::remove_dir_all(&prefix);
    std::fs::create_dir_all(prefix.join("bin")).expect("a folder");
    std::fs::write(prefix.join("bin/other"), "").expect("a file");
    let place = prefix.to_str().expect("a path");
    let from = library().to_str().expect("a path");
    for _ in 0..2 {
        let done = xtask(&["install", "--prefix", place, "--library", from]);
        assert!(done.status.success(), "{}", texts(&done).1);
        let installed = [
            "bin/bowline-malloc",
            "bin/other",
            "lib/libbowline_malloc.so",
            "share/bowline-malloc/installed",
            "share/doc/bowline-malloc/LICENSE-APACHE",
            "share/doc/bowline-malloc/LICENSE-MIT",
            "share/doc/bowline-malloc/malloc.md",
        ];
        assert_eq!(files(&prefix), installed);
    }
    runs_programs(&prefix);
    let done = xtask(&["uninstall", "--prefix", place]);
    assert!(done.status.success(), "{}", texts(&done).1);
    assert_eq!(files(&prefix), ["bin/other"]);
    let done = xtask(&["uninstall", "--prefix", place]);
    assert!(!done.status.success(), "there is nothing more");
}

#[test]
fn nothing_is_installed_where_it_cannot_be_preloaded_from() {
    let prefix = Path::new(env!("CARGO_TARGET_TMPDIR")).join("a prefix");
    let _ = std::fs::remove_dir_all(&prefix);
    let place = prefix.to_str().expect("a path");
    let done = xtask(&["install", "--prefix", place]);
    let line = format!(
        "xtask: {place}: no library can be preloaded from a path with a blank or a colon\n"
    );
    assert_eq!(texts(&done).1, line);
    assert!(!prefix.exists());
}

/// What the installed command does and says.
fn runs_programs(prefix: &Path) {
    // By another name and from another folder, too.
    let link = prefix.join("bin/link");
    std::os::unix::fs::symlink("bowline-malloc", &link).expect("a link");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(&link);
        command.args(arguments).current_dir("/");
        let done = command.output().expect("the command runs");
        let (out, err) = texts(&done);
        (done.status.code(), out, err)
    };
    let served = run(&["--stats", "--limit=1g", "echo", "--stats", "a  b"]);
    assert_eq!((served.0, served.1.as_str()), (Some(0), "--stats a  b\n"));
    assert!(
        served.2.contains("1073741824  client bytes, limit"),
        "{}",
        served.2
    );
    let profile = prefix.join("x.pb");
    let option = format!("--profile={}", profile.display());
    let listed = run(&[&option, "--sample=1", "--", "ls", "/"]);
    assert_eq!((listed.0, listed.2.as_str()), (Some(0), ""));
    assert!(!support::pprof::read(&profile).samples.is_empty());
    std::fs::remove_file(&profile).expect("the profile");
    let library = prefix.join("lib/libbowline_malloc.so");
    let told = format!("{}\n", library.display());
    assert_eq!(run(&["--library"]), (Some(0), told, String::new()));
    assert!(run(&["--help"]).1.starts_with("Usage: bowline-malloc"));
    assert_eq!(run(&[]).0, Some(2));
    let wrong = run(&["--fast", "true"]);
    assert_eq!(wrong.0, Some(2));
    assert!(
        wrong
            .2
            .starts_with("bowline-malloc: no such option: --fast\n"),
        "{}",
        wrong.2
    );
    let failing = run(&["--hardened", "sh", "-c", "exit 7"]);
    assert_eq!(failing, (Some(7), String::new(), String::new()));
    std::fs::remove_file(&link).expect("the link");
}

#[test]
fn a_library_that_serves_no_program_is_not_installed() {
    let prefix = Path::new(env!("CARGO_TARGET_TMPDIR")).join("prefix_refused");
    let _ = std::fs::remove_dir_all(&prefix);
    let place = prefix.to_str().expect("a path");
    let libc = "/usr/lib/x86_64-linux-gnu/libm.so.6";
    let other = if Path::new(libc).exists() {
        libc
    } else {
        "/lib64/libm.so.6"
    };
    let done = xtask(&["install", "--prefix", place, "--library", other]);
    let (_, err) = texts(&done);
    assert!(
        !done.status.success() && err.contains("it does not serve /bin/ls"),
        "{err}"
    );
    assert!(!prefix.exists());
}
