//! What an operator learns of a process and can ask of it: figures at exit and in a file, a map on a signal, a limit.

mod support;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{Run, compile, library, texts};

fn program() -> PathBuf {
    compile("insight.c", "insight", &["-Wno-unused-result"])
}

/// A fresh file's name for a test.
fn fresh(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_file(&path);
    path
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The figure of this name.
fn figure(text: &str, name: &str) -> u64 {
    let line = text
        .lines()
        .find(|line| line.ends_with(&format!("  {name}")));
    let line = line.unwrap_or_else(|| panic!("no line about {name}: {text}"));
    let figure = line.split_whitespace().nth(1).expect("a figure");
    figure.parse().expect("a number")
}

/// The line of a size class: pages, blocks in use, bytes in use, blocks that there is room for.
fn class(text: &str, size: &str) -> [u64; 4] {
    let row = text.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let row = words.get(1) == Some(&size) && words.last()?.ends_with('%');
        row.then_some(words)
    });
    let row = row.unwrap_or_else(|| panic!("no class of {size}: {text}"));
    [2, 3, 4, 5].map(|place| row[place].parse().expect("a number"))
}

#[test]
fn a_limit_is_kept_to_and_is_no_end() {
    for (setting, bytes) in [
        ("40m", 40 << 20),
        ("65536k", 64 << 20),
        ("0020000000", 20_000_000),
    ] {
        let run = Run::new(&program()).preload(library());
        let run = run.arg("limit").arg(bytes.to_string());
        run.env("BOWLINE_MALLOC_LIMIT", setting).succeeds();
    }
}

#[test]
fn a_limit_holds_in_the_hardened_mode_too() {
    let run = Run::new(&program()).preload(library());
    let run = run.arg("limit").arg((40 << 20).to_string());
    let run = run.env("BOWLINE_MALLOC", "hardened");
    let done = run.env("BOWLINE_MALLOC_LIMIT", "40M").output();
    let (_, err) = texts(&done);
    assert!(done.status.success(), "{}: {err}", done.status);
}

#[test]
fn sizes_that_are_none_are_named() {
    for value in [
        "0",
        "k",
        "12x",
        "-1",
        "1.5g",
        "99999999999999999999",
        "99999999999g",
    ] {
        let run = Run::new(Path::new("/bin/true")).preload(library());
        let (_, err) = texts(&run.env("BOWLINE_MALLOC_LIMIT", value).output());
        let line = format!("bowline_malloc: not a size: BOWLINE_MALLOC_LIMIT={value}\n");
        assert_eq!(err, line);
    }
}

#[test]
fn figures_tell_of_what_is_in_use_by_size() {
    let run = Run::new(&program()).preload(library()).arg("hold");
    let (_, err) = texts(&run.env("BOWLINE_MALLOC_STATS", "1").output());
    assert!(class(&err, "48")[1] >= 1000, "{err}");
    let [pages, blocks, bytes, room] = class(&err, "5120");
    assert!(pages >= 8 && room >= blocks, "{err}");
    assert_eq!((blocks, bytes), (100, 512_000), "{err}");
    assert_eq!(figure(&err, "large blocks"), 10);
    assert_eq!(figure(&err, "bytes in large blocks"), 10 * 5 * 65536);
    let used = figure(&err, "bytes in blocks");
    assert!((3_800_000..4_000_000).contains(&used), "{err}");
    assert!(figure(&err, "client bytes") + figure(&err, "runtime bytes") >= used);
    assert_eq!(figure(&err, "heaps of threads"), 1, "{err}");
    assert_eq!(figure(&err, "heaps made"), 2, "{err}");
    assert!(figure(&err, "system calls for memory") >= figure(&err, "commits"));
    assert!(!err.contains("client bytes, limit"), "{err}");
}

#[test]
fn figures_are_added_to_a_file() {
    let file = fresh("figures.txt");
    std::fs::write(&file, "before\n").expect("a file");
    let run = Run::new(&program()).preload(library()).arg("fork");
    let run = run.env("BOWLINE_MALLOC_STATS", file.to_str().expect("a path"));
    let done = run.env("BOWLINE_MALLOC_LIMIT", "1g").output();
    assert_eq!(texts(&done), (String::new(), String::new()));
    let text = text(&file);
    assert!(
        text.starts_with("before\nbowline_malloc: process "),
        "{text}"
    );
    assert_eq!(
        text.matches(" exits\n").count(),
        2,
        "parent and child: {text}"
    );
    assert_eq!(figure(&text, "client bytes, limit"), 1 << 30);
}

#[test]
fn a_name_may_have_the_process_in_it_and_is_relative_to_where_the_program_began() {
    let folder = fresh("figures_of");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir(&folder).expect("a folder");
    let mut command = Command::new(program());
    command
        .arg("fork")
        .current_dir(&folder)
        .env("LD_PRELOAD", library());
    command.env("BOWLINE_MALLOC_STATS", "./100%%-%p-%q%.txt");
    let done = command.output().expect("the program runs");
    assert_eq!(texts(&done), (String::new(), String::new()));
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .expect("a name");
        let process = name
            .strip_prefix("100%-")
            .and_then(|name| name.strip_suffix("-%q%.txt"));
        let process = process.unwrap_or_else(|| panic!("{name}"));
        let first = format!("bowline_malloc: process {process} exits\n");
        assert!(text(&path).starts_with(&first), "{name}");
        count += 1;
    }
    assert_eq!(count, 2, "parent and child");
}

#[test]
fn a_file_that_cannot_be_written_is_told() {
    let run = Run::new(Path::new("/bin/true")).preload(library());
    let done = run
        .env("BOWLINE_MALLOC_STATS", "/no/such/folder/file")
        .output();
    let (_, err) = texts(&done);
    assert_eq!(
        err,
        "bowline_malloc: cannot open /no/such/folder/file: error 2\n"
    );
    let long = format!("/{}", "x".repeat(1000));
    let run = Run::new(Path::new("/bin/true")).preload(library());
    let (_, err) = texts(&run.env("BOWLINE_MALLOC_STATS", &long).output());
    let line = "bowline_malloc: a file's path is longer than 1000 bytes with the current folder, and is left out\n";
    assert_eq!(err, line);
}

/// What `ls`, which closes standard error on its way out, leaves there with this variable.
fn told_by_ls(name: &str, value: &str) -> String {
    let run = Run::new(Path::new("/bin/ls")).preload(library()).arg("/");
    let done = run.env(name, value).output();
    assert!(done.status.success(), "{}", done.status);
    texts(&done).1
}

#[test]
fn what_cannot_be_written_is_told_though_the_program_closes_standard_error() {
    for name in ["BOWLINE_MALLOC_STATS", "BOWLINE_MALLOC_PROFILE"] {
        let line = "bowline_malloc: cannot open /no/such/folder/file: error 2\n";
        assert_eq!(told_by_ls(name, "/no/such/folder/file"), line);
    }
    assert_eq!(
        told_by_ls("BOWLINE_MALLOC_STATS", "/dev/full"),
        "bowline_malloc: the figures are not whole: the file took no more\n"
    );
    assert_eq!(
        told_by_ls("BOWLINE_MALLOC_PROFILE", "/dev/full"),
        "bowline_malloc: the heap profile is not whole: the file took no more\n"
    );
}

/// What `insight` leaves on standard error in a mode with a signal and these variables, if it ends well.
fn told_by(mode: &str, signal: &str, variables: &[(&str, &str)]) -> String {
    let run = Run::new(&program()).preload(library()).arg(mode);
    let run = variables
        .iter()
        .fold(run.arg(signal), |run, (name, value)| run.env(name, value));
    let done = run.output();
    let (_, err) = texts(&done);
    assert!(done.status.success(), "{mode}: {}: {err}", done.status);
    err
}

#[test]
fn a_limit_on_the_size_of_files_ends_no_program() {
    let file = fresh("full.txt");
    let name = file.to_str().expect("a path");
    for (variable, what) in [
        ("BOWLINE_MALLOC_STATS", "the figures are"),
        ("BOWLINE_MALLOC_PROFILE", "the heap profile is"),
    ] {
        let line = format!("bowline_malloc: {what} not whole: the file took no more\n");
        assert_eq!(told_by("full", "0", &[(variable, name)]), line);
    }
    let line = "bowline_malloc: the map is not whole: the file took no more\n";
    let map = [
        ("BOWLINE_MALLOC_MAP", name),
        ("BOWLINE_MALLOC_MAP_SIGNAL", "USR1"),
    ];
    assert_eq!(told_by("full", "10", &map), line.repeat(3));
    assert_eq!(text(&file), "");
}

#[test]
fn a_standard_error_that_nobody_reads_ends_no_program() {
    let variables = [
        ("BOWLINE_MALLOC_STATS", "1"),
        ("BOWLINE_MALLOC_MAP_SIGNAL", "USR1"),
        ("BOWLINE_MALLOC_LIMIT", "much"),
    ];
    told_by("unread", "10", &variables);
}

#[test]
fn a_thread_that_is_to_be_cancelled_tells_all_first() {
    let [map, profile] = ["cancelled.map", "cancelled.pb"].map(fresh);
    let variables = [
        ("BOWLINE_MALLOC_MAP", map.to_str().expect("a path")),
        ("BOWLINE_MALLOC_MAP_SIGNAL", "USR1"),
        ("BOWLINE_MALLOC_PROFILE", profile.to_str().expect("a path")),
        ("BOWLINE_MALLOC_PROFILE_SIGNAL", "USR1"),
    ];
    assert_eq!(told_by("cancelled", "10", &variables), "");
    assert!(text(&map).ends_with("bowline_malloc: end of map\n"));
    assert!(std::fs::metadata(&profile).is_ok_and(|file| file.len() > 0));
}

#[test]
fn a_named_pipe_takes_figures_while_somebody_reads_and_holds_up_nobody() {
    let pipe = fresh("figures.pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo runs").success());
    let name = pipe.to_str().expect("a path");
    let ran = || {
        let run = Run::new(Path::new("/bin/true")).preload(library());
        let done = run.env("BOWLINE_MALLOC_STATS", name).output();
        assert!(done.status.success(), "{}", done.status);
        texts(&done).1
    };
    assert_eq!(
        ran(),
        format!("bowline_malloc: cannot open {name}: error 6\n")
    );
    // Open both ways it does not wait for the other side.
    let mut reader = std::fs::File::options()
        .read(true)
        .write(true)
        .open(&pipe)
        .expect("a pipe");
    assert_eq!(ran(), "");
    let mut text = vec![0; 65536];
    let length = reader.read(&mut text).expect("the figures");
    let text = String::from_utf8_lossy(&text[..length]);
    assert!(text.contains("  bytes in large blocks\n"), "{text}");
}

#[test]
fn figures_are_told_where_few_files_may_be_open() {
    let run = Run::new(Path::new("/bin/sh")).preload(library());
    let run = run.arg("-c").arg("ulimit -n 64; exec /bin/ls /");
    let done = run.env("BOWLINE_MALLOC_STATS", "1").output();
    let (_, err) = texts(&done);
    assert!(err.starts_with("bowline_malloc: process "), "{err}");
}

#[test]
fn variables_are_declined_where_another_malloc_serves() {
    let order = format!("libc.so.6:{}", library().display());
    let ran = |variables: &[(&str, &str)]| {
        let run = Run::new(Path::new("/bin/true")).preload(Path::new(&order));
        let run = variables
            .iter()
            .fold(run, |run, (name, value)| run.env(name, value));
        let done = run.output();
        assert!(done.status.success(), "{}", done.status);
        texts(&done).1
    };
    let line = "bowline_malloc: another malloc serves this process: BOWLINE_MALLOC variables mean nothing\n";
    assert_eq!(ran(&[("BOWLINE_MALLOC", "hardened")]), line);
    assert_eq!(
        ran(&[
            ("BOWLINE_MALLOC_STATS", "1"),
            ("BOWLINE_MALLOC_LIMIT", "1g")
        ]),
        line
    );
    let none = [
        ("BOWLINE_MALLOC", ""),
        ("BOWLINE_MALLOC_STATS", ""),
        ("MALLOC_CHECK_", "3"),
    ];
    assert_eq!(ran(&none), "");
}

#[test]
fn a_map_that_cannot_be_written_is_told() {
    for (file, line) in [
        (
            "/no/such/folder/map",
            "bowline_malloc: cannot open /no/such/folder/map: error 2\n",
        ),
        (
            "/dev/full",
            "bowline_malloc: the map is not whole: the file took no more\n",
        ),
    ] {
        let run = Run::new(&program())
            .preload(library())
            .arg("hold")
            .arg("10");
        let run = run.env("BOWLINE_MALLOC_MAP_SIGNAL", "10");
        let done = run.env("BOWLINE_MALLOC_MAP", file).output();
        assert!(done.status.success(), "{}", done.status);
        assert_eq!(texts(&done), (String::new(), line.to_owned()));
    }
}

#[test]
fn on_a_signal_a_map_is_written_to_standard_error() {
    for (setting, number) in [("USR2", "12"), ("SIGUSR1", "10"), ("44", "44")] {
        let run = Run::new(&program())
            .preload(library())
            .arg("hold")
            .arg(number);
        let done = run.env("BOWLINE_MALLOC_MAP_SIGNAL", setting).output();
        let (out, err) = texts(&done);
        assert!(
            done.status.success() && out.is_empty(),
            "{}: {err}",
            done.status
        );
        is_map(&err);
    }
}

/// That this is the map of a program that holds what `insight hold` does.
fn is_map(text: &str) {
    assert!(
        text.starts_with("bowline_malloc: map of process "),
        "{text}"
    );
    assert!(text.ends_with("bowline_malloc: end of map\n"), "{text}");
    assert!(
        text.lines()
            .all(|line| line.starts_with("bowline_malloc: ")),
        "{text}"
    );
    assert_eq!(class(text, "5120")[1], 100);
    assert_eq!(figure(text, "heaps of threads"), 2);
    let heaps = text.lines().filter(|line| line.contains(" of a thread: "));
    assert_eq!(heaps.count(), 2, "{text}");
    let rows = text
        .lines()
        .filter_map(|line| line.strip_prefix("bowline_malloc: 0x"));
    let cells: String = rows
        .filter_map(|row| row.split_once(' '))
        .map(|(_, row)| row)
        .collect();
    assert_eq!(cells.matches("Lllll").count(), 10, "{text}");
    assert!(cells.contains('A') && cells.contains('9'), "{text}");
}

#[test]
fn maps_are_added_to_a_file() {
    let file = fresh("map.txt");
    let name = file.to_str().expect("a path");
    let run = Run::new(&program())
        .preload(library())
        .arg("hold")
        .arg("10");
    let run = run.env("BOWLINE_MALLOC_MAP_SIGNAL", "10");
    let done = run.env("BOWLINE_MALLOC_MAP", name).output();
    assert_eq!(texts(&done), (String::new(), String::new()));
    is_map(&text(&file));
    let run = Run::new(Path::new("/bin/true")).preload(library());
    let (_, err) = texts(&run.env("BOWLINE_MALLOC_MAP", name).output());
    let line = "bowline_malloc: there is no map without BOWLINE_MALLOC_MAP_SIGNAL\n";
    assert_eq!(err, line);
}

#[test]
fn maps_are_written_while_threads_allocate() {
    let file = fresh("storm.txt");
    let run = Run::new(&program())
        .preload(library())
        .arg("storm")
        .arg("10");
    let run = run.env("BOWLINE_MALLOC_MAP_SIGNAL", "USR1");
    let done = run
        .env("BOWLINE_MALLOC_MAP", file.to_str().expect("a path"))
        .output();
    let (_, err) = texts(&done);
    assert!(
        done.status.success() && err.is_empty(),
        "{}: {err}",
        done.status
    );
    let text = text(&file);
    let maps = text.matches("bowline_malloc: end of map\n").count();
    assert!(maps >= 10, "{maps} maps");
    assert_eq!(
        text.matches("bowline_malloc: map of process ").count(),
        maps
    );
}

#[test]
fn signals_and_files_that_are_none_are_named() {
    for value in ["0", "65", "KILL", "9", "11", "SEGV", "32", "usr1", "-10"] {
        let run = Run::new(Path::new("/bin/true")).preload(library());
        let (_, err) = texts(&run.env("BOWLINE_MALLOC_MAP_SIGNAL", value).output());
        let line =
            format!("bowline_malloc: not a signal for this: BOWLINE_MALLOC_MAP_SIGNAL={value}\n");
        assert_eq!(err, line);
    }
    let run = Run::new(Path::new("/bin/true")).preload(library());
    let (_, err) = texts(&run.env("BOWLINE_MALLOC_MAP", "map").output());
    assert_eq!(
        err,
        "bowline_malloc: not a path with a /: BOWLINE_MALLOC_MAP=map\n"
    );
}
