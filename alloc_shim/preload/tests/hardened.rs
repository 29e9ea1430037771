//! The hardened mode as programs meet it: each misuse ends in its line, and programs without a mistake notice nothing.

mod support;

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use support::{Run, compile, library, texts};

/// Runs a program in the hardened mode.
fn hardened(program: &Path) -> Run {
    let run = Run::new(program).preload(library());
    run.env("BOWLINE_MALLOC", "hardened")
}

#[test]
fn the_variable_by_which_libc_is_asked_for_checks_asks_for_it() {
    let program = compile("misuse.c", "misuse", &[]);
    let checked = |value| {
        let run = Run::new(&program).preload(library());
        run.env("MALLOC_CHECK_", value).arg("small").output()
    };
    for value in ["1", "3", "10"] {
        assert_eq!(checked(value).status.signal(), Some(libc::SIGABRT));
    }
    for value in ["0", "00"] {
        assert_eq!(checked(value).status.signal(), None);
        assert_eq!(texts(&checked(value)).1, "");
    }
    for value in ["x", "3x", "-1"] {
        let done = checked(value);
        assert_eq!(done.status.signal(), None);
        let line = format!("bowline_malloc: not a number: MALLOC_CHECK_={value}\n");
        assert_eq!(texts(&done).1, line);
    }
}

/// What the process says of a misuse, where `0x…` stands for the block, before it aborts.
fn last_words(misuse: &str) -> String {
    let program = compile("misuse.c", "misuse", &[]);
    let done = hardened(&program).arg(misuse).output();
    let (out, err) = texts(&done);
    assert_eq!(
        done.status.signal(),
        Some(libc::SIGABRT),
        "{misuse}: {out}{err}"
    );
    let (block, rest) = out.split_once('\n').expect("the block's address");
    assert_eq!(rest, "", "{misuse}");
    err.replace(block, "0x…")
}

fn written(bytes: usize, at: usize) -> String {
    format!(
        "bowline_malloc: use after free: block of {bytes} bytes at 0x… \
         was written at offset {at} after it was freed\n"
    )
}

const LARGE: usize = 320 << 10;

#[test]
fn a_write_after_free_is_found_when_others_have_been_freed() {
    assert_eq!(last_words("small"), written(48, 17));
    assert_eq!(last_words("large"), written(LARGE, 1000));
}

#[test]
fn a_write_after_free_is_found_at_exit() {
    assert_eq!(last_words("exit"), written(48, 47));
    assert_eq!(last_words("large, exit"), written(LARGE, LARGE - 1));
    assert_eq!(last_words("after exit"), written(48, 3));
}

#[test]
fn a_write_after_free_is_found_when_memory_is_given_back() {
    assert_eq!(last_words("trim"), written(48, 5));
}

#[test]
fn a_write_to_where_realloc_moved_a_block_from_is_found() {
    assert_eq!(last_words("realloc"), written(48, 8));
    assert_eq!(last_words("realloc large"), written(LARGE, 8));
}

#[test]
fn a_write_after_free_is_found_across_threads() {
    assert_eq!(last_words("thread"), written(48, 5));
    assert_eq!(last_words("freed by a thread"), written(48, 5));
}

#[test]
fn a_write_after_free_in_a_forked_child_is_found_there() {
    let program = compile("misuse.c", "misuse", &[]);
    let done = hardened(&program).arg("child").output();
    let (out, err) = texts(&done);
    assert!(done.status.success(), "{}: {err}", done.status);
    assert_eq!(err.replace(out.trim_end(), "0x…"), written(48, 5));
}

#[test]
fn a_write_past_the_end_is_found_when_the_block_is_freed_or_resized() {
    let line = |what: &str, bytes: usize, at: usize| {
        format!(
            "bowline_malloc: {what} of 0x…: overflow: the block of {bytes} bytes was written at offset {at}\n"
        )
    };
    assert_eq!(last_words("overflow"), line("free", 40, 40));
    assert_eq!(
        last_words("overflow, large"),
        line("free", 300_000, 300_000)
    );
    assert_eq!(last_words("overflow, resized"), line("realloc", 40, 40));
    assert_eq!(
        last_words("overflow, measured"),
        line("malloc_usable_size", 40, 40)
    );
    let lost = "bowline_malloc: free of 0x…: overflow: what stands behind the block was overwritten, its size too\n";
    assert_eq!(last_words("overflow, far"), lost);
}

#[test]
fn the_size_that_a_block_would_have_is_told_as_it_will_be() {
    let linked = library().display().to_string();
    let program = compile("good.c", "good", &[&linked]);
    hardened(&program).succeeds();
    Run::new(&program).preload(library()).succeeds();
}

#[test]
fn a_write_to_a_block_that_has_left_the_quarantine_is_found_too() {
    assert_eq!(last_words("listed"), written(48, 30));
    let line = "bowline_malloc: use after free: block of 48 bytes at 0x… was written in its first 8 bytes after it was freed\n";
    assert_eq!(last_words("listed, link"), line);
}

#[test]
fn what_was_freed_twice_or_is_resized_is_named_as_without_the_mode() {
    let twice = "bowline_malloc: free of 0x…: double free of a block of";
    assert_eq!(last_words("twice"), format!("{twice} 48 bytes\n"));
    assert_eq!(
        last_words("twice, large"),
        format!("{twice} {LARGE} bytes\n")
    );
    let resized = "bowline_malloc: realloc of 0x…: a block of 48 bytes that was freed\n";
    assert_eq!(last_words("resized"), resized);
}

/// Runs a program that makes no mistake; what it printed.
fn nothing_said(run: Run) -> String {
    let done = run.output();
    let (out, err) = texts(&done);
    assert!(done.status.success(), "{}: {out}{err}", done.status);
    assert_eq!(err, "");
    out
}

#[test]
fn programs_without_a_mistake_notice_nothing() {
    nothing_said(hardened(&compile("clean.c", "clean", &[])));
    nothing_said(hardened(&compile("order.c", "order", &[])));
    nothing_said(hardened(&compile("operators.cc", "operators", &[])));
}

#[test]
fn python_and_perl_run_under_it() {
    let script = "import json, threading\n\
        work = lambda: [json.loads(json.dumps({str(i): list(range(i % 50))})) for i in range(4000)]\n\
        threads = [threading.Thread(target=work) for _ in range(4)]\n\
        [t.start() for t in threads]; [t.join() for t in threads]\n\
        print(sum(len(str(i)) for i in range(100000)))";
    let run = hardened(Path::new("python3")).arg("-c").arg(script);
    assert_eq!(nothing_said(run.env("PYTHONMALLOC", "malloc")), "488890\n");
    let script = "my %h; $h{$_ % 5000} .= \"$_,\" for 1 .. 100000; \
        print scalar(map { split /,/ } values %h), \"\\n\"";
    let run = hardened(Path::new("perl")).arg("-e").arg(script);
    assert_eq!(nothing_said(run), "100000\n");
}

#[test]
fn the_figures_are_told_in_it_too() {
    let run = hardened(Path::new("/bin/true")).env("BOWLINE_MALLOC_STATS", "1");
    let (_, err) = texts(&run.output());
    assert!(err.starts_with("bowline_malloc: process "), "{err}");
}

#[test]
fn modes_that_are_none_are_named_and_do_no_harm() {
    for mode in ["1", "Hardened", "fast"] {
        let run = Run::new(Path::new("/bin/echo")).preload(library());
        let done = run.arg("hello").env("BOWLINE_MALLOC", mode).output();
        let said = format!("bowline_malloc: no such mode: BOWLINE_MALLOC={mode}\n");
        assert_eq!(texts(&done), ("hello\n".to_owned(), said));
    }
}

#[test]
fn without_the_mode_nothing_is_looked_for() {
    let program = compile("misuse.c", "misuse", &[]);
    let run = Run::new(&program).preload(library()).arg("exit");
    nothing_said(run);
}
