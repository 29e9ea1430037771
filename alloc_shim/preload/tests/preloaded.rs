//! The library as programs meet it: what it exports, what the family and the operators do, whose malloc a process
//! has, what it says.

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{Run, compile, library, texts};

/// The names that `nm` prints for the library, without their versions.
fn names(flags: &[&str]) -> BTreeSet<String> {
    let done = Command::new("nm")
        .args(flags)
        .arg(library())
        .output()
        .expect("nm runs");
    let (out, err) = texts(&done);
    assert!(done.status.success(), "{err}");
    let last = |line: &str| line.split_whitespace().last().map(str::to_owned);
    out.lines().filter_map(last).collect()
}

#[test]
fn exactly_the_family_is_exported() {
    let expected: BTreeSet<String> = include_str!("../exports.txt")
        .lines()
        .map(String::from)
        .collect();
    assert_eq!(names(&["-D", "--defined-only"]), expected);
}

#[test]
fn nothing_but_libc_is_needed_and_nothing_that_allocates_by_itself() {
    let family: BTreeSet<&str> = include_str!("../exports.txt").lines().collect();
    for name in names(&["-D", "--undefined-only"]) {
        let (name, version) = name.split_once('@').unwrap_or((&name, ""));
        assert!(!family.contains(name), "{name} is asked of another");
        // The linker's own references to what profilers define.
        let weak = [
            "_ITM_deregisterTMCloneTable",
            "_ITM_registerTMCloneTable",
            "__gmon_start__",
        ];
        let libc = version.starts_with("GLIBC_") || weak.contains(&name);
        assert!(
            libc || name.starts_with("__cxa_finalize"),
            "{name}@{version} is no function of libc"
        );
    }
}

#[test]
fn the_family_does_what_its_manuals_say() {
    let program = compile("family.c", "family", &[&linked()]);
    let done = Run::new(&program).preload(library()).output();
    let (out, err) = texts(&done);
    assert!(done.status.success(), "{}: {out}{err}", done.status);
    // What malloc_stats wrote.
    assert!(err.starts_with("Arena 0:\nsystem bytes     = "), "{err}");
}

/// docs/design/shim.md lists them.
#[test]
fn the_fast_paths_take_no_more_instructions_than_they_did() {
    let program = compile("steps.c", "steps", &[]);
    // Of each path and class of sizes: small, none, one that has no class of its own, medium, several slices to a page.
    let most = [
        (40, [19, 28, 34, 41]),
        (0, [19, 28, 34, 88]),
        (600, [19, 28, 34, 41]),
        (6000, [29, 28, 70, 41]),
        (100_000, [29, 114, 70, 181]),
    ];
    let sizes = most.map(|(size, _)| size.to_string());
    let run = sizes.iter().fold(Run::new(&program), Run::arg);
    let said = run.preload(library()).succeeds();
    let told: Vec<Vec<&str>> = said.lines().map(|line| line.split(' ').collect()).collect();
    assert_eq!(told.len(), most.len(), "{said}");
    for (told, (size, most)) in told.iter().zip(most) {
        assert_eq!(told[0], size.to_string(), "{said}");
        let calls = ["malloc", "free", "aligned", "realloc"].iter().zip(most);
        assert_eq!(told.len(), 1 + 2 * calls.len(), "{said}");
        for (told, (call, most)) in told[1..].chunks(2).zip(calls) {
            assert_eq!(told[0], *call, "{said}");
            let within = told[1].parse().is_ok_and(|count: u32| count <= most);
            assert!(within, "{size} {call}: {said}");
        }
    }
}

#[test]
fn a_process_that_needs_little_has_little() {
    let program = compile("most.c", "most", &[]);
    let said = Run::new(&program).preload(library()).succeeds();
    let kib = said.split_whitespace().nth(1).and_then(|n| n.parse().ok());
    // Most of it is libc and the loader; without the library it is about 1,100, and where the loader puts libc makes a difference of 100.
    assert!(kib.is_some_and(|kib: u32| kib <= 1560), "{said}");
}

/// docs/design/shim.md tells of what. Of the pages that few programs run none is mapped.
#[test]
fn of_the_library_a_process_has_a_hundred_kib() {
    let program = compile("resident.c", "resident", &[]);
    let said = Run::new(&program).preload(library()).succeeds();
    let kib = said.trim().parse();
    assert!(kib.is_ok_and(|kib: u32| 0 < kib && kib <= 108), "{said}");
}

/// So that names that libc lacks can be linked against.
fn linked() -> String {
    library().display().to_string()
}

#[test]
fn the_operators_do_what_the_standard_says() {
    let program = compile("operators.cc", "operators", &[]);
    Run::new(&program).preload(library()).succeeds();
}

#[test]
fn another_preload_may_stand_between() {
    let wrapper = compile("wrapper.c", "wrapper.so", &["-shared", "-fPIC"]);
    let program = compile("order.c", "order_wrapped", &[]);
    let both = format!("{}:{}", wrapper.display(), library().display());
    let done = Run::new(&program).preload(Path::new(&both)).output();
    let (_, err) = texts(&done);
    assert!(done.status.success(), "{}: {err}", done.status);
    assert_eq!(err, "");
}

#[test]
fn a_block_of_somebody_elses_strdup_is_left_alone() {
    let program = compile("own_strdup.c", "own_strdup", &["-rdynamic"]);
    let done = Run::new(&program).preload(library()).output();
    let (_, err) = texts(&done);
    assert!(
        done.status.success() && err.is_empty(),
        "{}: {err}",
        done.status
    );
}

#[test]
fn a_c_program_may_open_a_library_of_c_plus_plus() {
    let flags = ["-shared", "-fPIC"];
    let extension = compile("extension.cc", "extension.so", &flags);
    let program = compile("opens_extension.c", "opens_extension", &[]);
    Run::new(&program)
        .preload(library())
        .arg(&extension)
        .succeeds();
}

#[test]
fn an_operator_without_a_library_to_throw_from_says_so() {
    let program = compile("no_cpp.c", "no_cpp", &[&linked()]);
    let (_, err) = texts(&Run::new(&program).preload(library()).output());
    let line = "bowline_malloc: operator new has no memory for 1152921504606846976 bytes, \
                and there is no C++ library to throw from\n";
    assert!(err.starts_with(line), "{err}");
}

#[test]
fn the_allocator_is_there_before_main_at_forks_and_thread_ends_and_after_main() {
    let program = compile("order.c", "order", &[]);
    Run::new(&program).preload(library()).succeeds();
}

#[test]
fn heaps_of_threads_that_first_allocate_when_they_end_go_on() {
    let program = compile("late.c", "late", &[]);
    for round in ["1", "2", "3", "4"] {
        let run = Run::new(&program).arg(round).preload(library());
        let done = run.env("BOWLINE_MALLOC_STATS", "1").output();
        let (_, err) = texts(&done);
        assert!(done.status.success(), "{}: {err}", done.status);
        let made = err.lines().find(|line| line.ends_with("heaps made"));
        let made = made.and_then(|line| line.split_whitespace().nth(1)?.parse::<u32>().ok());
        assert!(made.is_some_and(|heaps| heaps <= 4), "round {round}: {err}");
    }
}

/// Another copy of the library, and a plugin that is linked with it.
fn copies() -> (PathBuf, PathBuf) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let copy = folder.join("copy.so");
    let fresh = folder.join(format!("copy.so.{:?}", std::thread::current().id()));
    std::fs::copy(library(), &fresh).expect("a copy of the library");
    std::fs::rename(&fresh, &copy).expect("the copy is in its place");
    let linked = copy.display().to_string();
    let flags = [
        "-shared",
        "-fPIC",
        "-DWITH_COPY",
        "-Wl,--no-as-needed",
        &linked,
    ];
    let plugin = compile("plugin.c", "plugin_with_copy.so", &flags);
    (copy, plugin)
}

/// Runs the exchange of blocks in every way that the library can be opened.
fn exchange(program: &Path, preload: Option<&Path>, plugin: &Path, modes: &[&str], whose: &str) {
    for mode in modes {
        let run = match preload {
            Some(library) => Run::new(program).preload(library),
            None => Run::new(program),
        };
        run.arg(plugin).arg(mode).arg(whose).succeeds();
    }
}

#[test]
fn a_preloaded_copy_serves_libraries_that_are_opened_later() {
    let program = compile("exchange.c", "exchange", &[]);
    let plugin = compile("plugin.c", "plugin.so", &["-shared", "-fPIC"]);
    exchange(
        &program,
        Some(library()),
        &plugin,
        &["local", "apart"],
        "own",
    );
}

#[test]
fn a_copy_that_is_opened_later_leads_to_libc() {
    let program = compile("exchange.c", "exchange", &[]);
    let (_, plugin) = copies();
    exchange(
        &program,
        None,
        &plugin,
        &["local", "deep", "apart"],
        "other",
    );
}

#[test]
fn a_copy_that_is_opened_later_leads_to_the_one_that_was_preloaded() {
    let program = compile("exchange.c", "exchange", &[]);
    let (_, plugin) = copies();
    exchange(
        &program,
        Some(library()),
        &plugin,
        &["local", "deep", "apart"],
        "own",
    );
}

#[test]
fn of_the_libraries_that_a_program_is_linked_with_the_first_wins() {
    let (copy, plugin) = copies();
    let copy = copy.display().to_string();
    let first = compile(
        "exchange.c",
        "exchange_first",
        &["-Wl,--no-as-needed", &copy, "-lc"],
    );
    exchange(&first, None, &plugin, &["local", "deep"], "own");
    let second = compile(
        "exchange.c",
        "exchange_second",
        &["-Wl,--no-as-needed", "-lc", &copy],
    );
    exchange(&second, None, &plugin, &["local", "deep"], "other");
}

#[test]
fn figures_reach_the_standard_error_that_the_process_began_with() {
    let program = compile("closes.c", "closes", &[]);
    let other = Path::new(env!("CARGO_TARGET_TMPDIR")).join("closes.txt");
    let run = Run::new(&program).preload(library()).arg(&other);
    let (out, err) = texts(&run.env("BOWLINE_MALLOC_STATS", "1").output());
    assert_eq!(out, "");
    assert!(err.starts_with("bowline_malloc: process "), "{err}");
    assert!(
        err.lines().all(|line| line.starts_with("bowline_malloc: ")),
        "{err}"
    );
    let figure = |name: &str| {
        let line = err.lines().find(|line| line.ends_with(name));
        let line = line.unwrap_or_else(|| panic!("no line about {name}: {err}"));
        line.split_whitespace()
            .nth(1)
            .expect("a figure")
            .parse::<u64>()
            .expect("a number")
    };
    assert!(figure("  client bytes, peak") > 0 && figure("  spans taken") > 0);
    let text = std::fs::read_to_string(other).expect("the file that took its number");
    assert_eq!(
        text, "",
        "nothing is written to what took the number of standard error"
    );
}

#[test]
fn figures_are_not_waited_for_where_a_handler_that_exits_interrupted_malloc() {
    let program = compile("exits_in_handler.c", "exits_in_handler", &[]);
    for delay in 300..350 {
        let run = Run::new(&program).preload(library()).arg(delay.to_string());
        let done = run.env("BOWLINE_MALLOC_STATS", "1").output();
        let (_, err) = texts(&done);
        assert!(done.status.success(), "{}: {err}", done.status);
        let none = "bowline_malloc: no figures: exit was called in a signal handler that interrupted malloc\n";
        assert!(
            err == none || err.starts_with("bowline_malloc: process "),
            "{err}"
        );
    }
}

#[test]
fn no_figures_unless_they_are_asked_for() {
    for setting in [None, Some("0")] {
        let mut run = Run::new(Path::new("/bin/true")).preload(library());
        if let Some(value) = setting {
            run = run.env("BOWLINE_MALLOC_STATS", value);
        }
        assert_eq!(texts(&run.output()), (String::new(), String::new()));
    }
}

#[test]
fn a_variable_without_a_value_is_as_good_as_none() {
    let mut run = Run::new(Path::new("/bin/true")).preload(library());
    run = run.env("BOWLINE_MALLOC", "").env("MALLOC_CHECK_", "");
    for name in [
        "LIMIT",
        "STATS",
        "MAP",
        "MAP_SIGNAL",
        "PROFILE",
        "PROFILE_SAMPLE",
        "PROFILE_SIGNAL",
    ] {
        run = run.env(&format!("BOWLINE_MALLOC_{name}"), "");
    }
    let done = run.output();
    assert!(done.status.success(), "{}", done.status);
    assert_eq!(texts(&done), (String::new(), String::new()));
    let run = Run::new(Path::new("/bin/true")).preload(library());
    let (_, err) = texts(&run.env("BOWLINE_MALLOC_LIMITS", "").output());
    assert_eq!(
        err,
        "bowline_malloc: no such setting: BOWLINE_MALLOC_LIMITS=\n"
    );
}

#[test]
fn settings_that_are_none_are_named_and_do_no_harm() {
    let run = Run::new(Path::new("/bin/echo"))
        .preload(library())
        .arg("hello");
    let run = run
        .env("BOWLINE_MALLOC_STAT", "1")
        .env("BOWLINE_MALLOC_STATS", "yes");
    let (out, err) = texts(&run.output());
    assert_eq!(out, "hello\n");
    let lines: BTreeSet<&str> = err.lines().collect();
    let expected = BTreeSet::from([
        "bowline_malloc: no such setting: BOWLINE_MALLOC_STAT=1",
        "bowline_malloc: neither 0 nor 1 nor a path with a /: BOWLINE_MALLOC_STATS=yes",
    ]);
    assert_eq!(lines, expected);
}
