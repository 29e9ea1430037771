//! The heap profile of a process: that it is what tools read, that it names the functions that took memory, and that its sums are
//! right.

mod support;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use support::pprof::{self, Profile};
use support::{Run, compile, library, texts};

/// Made once: of a program that is made anew while it runs the file is gone, and its profile says so.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let flags = ["-g", "-fno-optimize-sibling-calls"];
    PROGRAM.get_or_init(|| compile("profile.c", "profile", &flags))
}

/// A file's name for a test, of which there is no file yet.
fn fresh(name: &str) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_file(&path);
    path.to_str().expect("a path").to_owned()
}

/// The profile of a run with these settings, which must succeed and say nothing.
fn profile(name: &str, mode: &str, settings: &[(&str, &str)]) -> Profile {
    let file = fresh(name);
    let mut run = Run::new(program()).preload(library()).arg(mode);
    run = run.env("BOWLINE_MALLOC_PROFILE", &file);
    for (name, value) in settings {
        run = run.env(name, value);
    }
    let done = run.output();
    assert!(done.status.success(), "{}", done.status);
    assert_eq!(texts(&done), (String::new(), String::new()));
    pprof::read(Path::new(&file))
}

const EXACTLY: (&str, &str) = ("BOWLINE_MALLOC_PROFILE_SAMPLE", "1");

/// What the program holds and has passed when everything is a sample.
fn is_exact(profile: &Profile) {
    assert_eq!(profile.of("keep"), [104, 101_577, 104, 101_577]);
    let passed = 100 * 303_000 + 3 * 600;
    assert_eq!(profile.of("pass"), [203, passed, 0, 0]);
    assert_eq!(profile.of("keep_zeroed"), [1, 1000, 1, 1000]);
    assert_eq!(profile.of("keep_aligned"), [1, 8192, 1, 8192]);
    assert_eq!(profile.of("grow"), [6, 1_111_110, 1, 1_000_000]);
    assert_eq!(profile.of("in_thread"), [6, 3300, 3, 1500]);
    let mut exact = 0;
    for sample in &profile.samples {
        let stack = sample.names();
        assert!(!stack.contains(&"malloc"), "{stack:?}");
        if stack.contains(&"exact") {
            assert!(stack.contains(&"main"), "{stack:?}");
            exact += 1;
        }
        if stack[0] == "keep" && stack[1] == "deep" {
            assert_eq!(stack.len(), 64, "the innermost frames");
            assert!(stack[1..].iter().all(|name| *name == "deep"), "{stack:?}");
        }
    }
    assert!(exact >= 6, "{exact}");
}

#[test]
fn with_a_sample_of_every_byte_all_functions_are_named_with_what_they_took() {
    let profile = profile("exact.pb", "exact", &[EXACTLY]);
    is_exact(&profile);
    let kind = |kind: &str, unit: &str| (kind.to_owned(), unit.to_owned());
    let kinds = [
        kind("alloc_objects", "count"),
        kind("alloc_space", "bytes"),
        kind("inuse_objects", "count"),
        kind("inuse_space", "bytes"),
    ];
    assert_eq!(profile.kinds, kinds);
    let period = (1, "space".to_owned(), "bytes".to_owned());
    assert_eq!(profile.period, period);
    assert_eq!(profile.default, "inuse_space");
    assert!(profile.drop_frames.starts_with("malloc|calloc|"));
    assert!(profile.comments.is_empty());
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = since.expect("after 1970").as_nanos() as u64;
    assert!(profile.nanoseconds <= now && profile.nanoseconds + 600_000_000_000 > now);
}

#[test]
fn in_the_hardened_mode_it_is_the_same() {
    let hardened = ("BOWLINE_MALLOC", "hardened");
    // There `realloc` moves every block; sums of what was asked for stay the same.
    is_exact(&profile("exact_hardened.pb", "exact", &[EXACTLY, hardened]));
}

#[test]
fn by_samples_the_sums_are_near() {
    for (sample, spread) in [(None, 0.5), (Some("64k"), 0.25), (Some("8k"), 0.1)] {
        let name = format!("estimated_{}.pb", sample.unwrap_or("default"));
        let settings: Vec<_> = sample
            .map(|bytes| ("BOWLINE_MALLOC_PROFILE_SAMPLE", bytes))
            .into_iter()
            .collect();
        let profile = profile(&name, "estimated", &settings);
        let kept = profile.of("keep").map(|n| n as f64);
        let passed = profile.of("pass").map(|n| n as f64);
        let near = |found: f64, truth: f64| {
            assert!(
                (found / truth - 1.0).abs() < spread,
                "{found} for {truth}, {sample:?}"
            );
        };
        near(kept[0], 64e3);
        near(kept[1], 64e6);
        near(passed[0], 64e3);
        near(passed[1], 96e6);
        assert_eq!(kept[0..2], kept[2..4]);
        assert_eq!(passed[2..], [0.0, 0.0]);
        let period = sample.map_or(512, |text| {
            text.trim_end_matches('k').parse().expect("a number")
        });
        assert_eq!(profile.period.0, period << 10);
    }
}

#[test]
fn a_forked_child_goes_on_with_the_profile_and_writes_its_own() {
    let folder = fresh("profiles_of_forks");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir(&folder).expect("a folder");
    let run = Run::new(program()).preload(library()).arg("fork");
    let run = run.env("BOWLINE_MALLOC_PROFILE", &format!("{folder}/%p"));
    run.env(EXACTLY.0, EXACTLY.1).succeeds();
    let files = std::fs::read_dir(&folder).expect("the folder");
    let mut kept: Vec<_> = files
        .map(|file| pprof::read(&file.expect("an entry").path()))
        .map(|profile| (profile.of("keep"), profile.of("pass")))
        .collect();
    kept.sort();
    let child = ([1, 1000, 0, 0], [1, 2000, 0, 0]);
    let parent = ([1, 1000, 1, 1000], [0, 0, 0, 0]);
    assert_eq!(kept, [child, parent]);
}

#[test]
fn on_a_signal_it_is_written_as_well() {
    let files = fresh("signal-%n.pb");
    let run = Run::new(program()).preload(library()).arg("signal");
    let run = run
        .env("BOWLINE_MALLOC_PROFILE", &files)
        .env(EXACTLY.0, EXACTLY.1);
    let done = run.env("BOWLINE_MALLOC_PROFILE_SIGNAL", "USR1").output();
    assert_eq!(texts(&done), (String::new(), String::new()));
    let kept = |number: &str| {
        let file = files.replace("%n", number);
        pprof::read(Path::new(&file)).of("keep")
    };
    assert_eq!(kept("1"), [1, 1000, 1, 1000]);
    assert_eq!(kept("2"), [2, 3000, 2, 3000]);
    assert_eq!(kept("3"), [2, 3000, 2, 3000]);
}

#[test]
fn it_is_written_while_threads_allocate() {
    let file = fresh("storm.pb");
    let storm = compile("insight.c", "insight_storm", &["-Wno-unused-result"]);
    let run = Run::new(&storm).preload(library()).arg("storm").arg("10");
    let run = run.env("BOWLINE_MALLOC_PROFILE", &file);
    let run = run.env("BOWLINE_MALLOC_PROFILE_SAMPLE", "1000");
    let done = run.env("BOWLINE_MALLOC_PROFILE_SIGNAL", "10").output();
    let (_, err) = texts(&done);
    assert!(
        done.status.success() && err.is_empty(),
        "{}: {err}",
        done.status
    );
    let profile = pprof::read(Path::new(&file));
    assert!(profile.of("churn")[0] > 10_000);
}

#[test]
fn stacks_go_through_libraries_and_interpreters() {
    let file = fresh("python.pb");
    let script = "x = [bytearray(100000) for n in range(1000)]; print(len(x))";
    let run = Run::new(Path::new("/usr/bin/python3")).preload(library());
    let run = run
        .arg("-c")
        .arg(script)
        .env("BOWLINE_MALLOC_PROFILE", &file);
    assert_eq!(run.succeeds(), "1000\n");
    let profile = pprof::read(Path::new(&file));
    let all: u64 = profile.samples.iter().map(|sample| sample.values[1]).sum();
    assert!((50_000_000..200_000_000).contains(&all), "{all}");
    let longest = profile
        .samples
        .iter()
        .map(|sample| sample.stack.len())
        .max();
    assert!(longest.is_some_and(|depth| depth >= 8), "{longest:?}");
    let known = |sample: &&pprof::Sample| sample.stack.iter().all(|frame| frame.file.is_some());
    let rows = profile.samples.iter().filter(known).count();
    assert_eq!(rows, profile.samples.len(), "all code is of files");
    assert!(
        profile
            .samples
            .iter()
            .flat_map(|s| &s.stack)
            .all(|frame| frame.address > 4096)
    );
}

#[test]
fn what_cannot_be_is_told_in_a_line() {
    let told = |name: &str, value: &str| {
        let run = Run::new(Path::new("/bin/true")).preload(library());
        let done = run.env(name, value).output();
        assert!(done.status.success());
        texts(&done).1
    };
    let full = "bowline_malloc: the heap profile is not whole: the file took no more\n";
    assert_eq!(told("BOWLINE_MALLOC_PROFILE", "/dev/full"), full);
    let name = "BOWLINE_MALLOC_PROFILE";
    let line = "bowline_malloc: cannot open /no/folder/x: error 2\n";
    assert_eq!(told(name, "/no/folder/x"), line);
    let line = "bowline_malloc: not a path with a /: BOWLINE_MALLOC_PROFILE=1\n";
    assert_eq!(told(name, "1"), line);
    let name = "BOWLINE_MALLOC_PROFILE_SAMPLE";
    let line = "bowline_malloc: not a size: BOWLINE_MALLOC_PROFILE_SAMPLE=often\n";
    assert_eq!(told(name, "often"), line);
    let line = "bowline_malloc: not a signal for this: BOWLINE_MALLOC_PROFILE_SIGNAL=11\n";
    assert_eq!(told("BOWLINE_MALLOC_PROFILE_SIGNAL", "11"), line);
    let line = "bowline_malloc: there is no profile without BOWLINE_MALLOC_PROFILE\n";
    assert_eq!(told(name, "1m"), line);
    assert_eq!(told("BOWLINE_MALLOC_PROFILE_SIGNAL", "USR1"), line);
}
