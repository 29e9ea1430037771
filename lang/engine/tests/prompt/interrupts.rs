//! Interrupts at the prompt. A program says when it has begun by a byte through a pipe.

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};

use bowline_engine::Reply;

use crate::support::{Prompt, cases};

cases! {
    loops
    guards
    winders
    reading
    growing_expansions
    nothing_is_left_over
    foreign_calls_that_do_not_stop
}

/// A prompt where `(begun)` makes an interrupt, as often as `times`.
fn prompt(times: usize) -> Prompt {
    let mut p = Prompt::new();
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let interrupter = p.at.interrupter();
    let fd = writer.as_raw_fd();
    p.says(&format!(
        "(define pipe (open-output-file \"/proc/self/fd/{fd}\"))\n\
         (define (begun) (write-char #\\. pipe) (flush-output-port pipe))"
    ));
    drop(writer);
    std::thread::spawn(move || {
        for _ in 0..times {
            reader.read_exact(&mut [0]).expect("a byte");
            interrupter.interrupt();
        }
    });
    p
}

fn loops() {
    let mut p = prompt(4);
    p.says("(define (spin n)\n  (if (< n 0) n (spin (+ n 1))))");
    p.tells(
        "(list (begun) (spin 0))",
        &[
            "repl:4:",
            "note: interrupted",
            "in spin",
            "called from repl:5:15",
        ],
    );
    p.check(&[("(+ 1 2)", "3\n")]);
    let whole = p.says(",bt");
    assert!(
        whole.contains("interrupted") && whole.contains("in spin"),
        "{whole}"
    );
    // No call, no allocation, no place in it but the form itself.
    p.tells(
        "(begin (begun) (let loop () (loop)))",
        &["repl:7:29: note: interrupted"],
    );
    p.tells(
        "(begin (begun) (do ((i 0 (if (= i 1000) 0 (+ i 1)))) (#f)))",
        &["repl:8:", "interrupted"],
    );
    p.tells(
        "(begin (begun) (let ((k (call/cc (lambda (k) k)))) (k k)))",
        &["repl:9:", "interrupted"],
    );
    p.check(&[("(+ 1 2)", "3\n")]);
}

fn guards() {
    let mut p = prompt(1);
    p.says("(define caught 0)");
    p.tells(
        "(begin (begun)
           (let again ()
             (guard (e (else (set! caught (+ caught 1)))) (let loop () (loop)))
             (again)))",
        &["interrupted"],
    );
    p.check(&[("caught", "0\n")]);
}

fn winders() {
    let mut p = prompt(3);
    p.says("(define log '()) (define (note x) (set! log (cons x log)))");
    p.tells(
        "(dynamic-wind (lambda () (note 'in)) (lambda () (begun) (let l () (l))) (lambda () (note 'out)))",
        &["interrupted"],
    );
    p.check(&[("log", "(out in)\n")]);
    p.says("(set! log '())");
    // The first interrupt is met in the thunk, the second while its `after` runs.
    let wind = "(dynamic-wind (lambda () #f)
      (lambda ()
        (dynamic-wind (lambda () #f) (lambda () (begun) (let l () (l))) (lambda () (begun) (let l () (l)))))
      (lambda () (note 'outer)))";
    p.tells(wind, &["interrupted"]);
    p.check(&[("log", "(outer)\n")]);
}

/// A read that waits ends by the signal.
fn reading() {
    let mut p = prompt(0);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    bowline_ffi::handle_interrupts(p.at.interrupter()).expect("a handler");
    let fd = reader.as_raw_fd();
    p.says(&format!(
        "(define in (open-input-file \"/proc/self/fd/{fd}\"))"
    ));
    let me = std::fs::read_link("/proc/thread-self").expect("a thread");
    std::thread::spawn(move || {
        wait_for_call(&me.display().to_string(), READ);
        interrupt_process(std::process::id());
    });
    p.tells("(read-line in)", &["interrupted"]);
    drop(writer);
    p.check(&[("(eof-object? (read-line in))", "#t\n")]);
}

/// A macro that makes ever more code can be interrupted, and ends by itself at a limit.
fn growing_expansions() {
    let mut p = prompt(0);
    let ones = "1 ".repeat(35);
    p.says(
        "(define-syntax twice (syntax-rules () ((_ () x) x)
           ((_ (a . r) x) (begin (twice r x) (twice r x)))))
         (define-syntax pair (syntax-rules () ((_ () x) 'x) ((_ (a . r) x) (pair r (x . x)))))
         (define-syntax sum (syntax-rules () ((_ () x) x) ((_ (a . r) x) (sum r (+ x x)))))
         (define-syntax vec (syntax-rules () ((_ () x) x) ((_ (a . r) x) (vec r #(x x)))))
         (define-syntax grow (syntax-rules () ((_ x ...) (grow x ... x ...))))",
    );
    let interrupter = p.at.interrupter();
    let asked = std::thread::spawn(move || {
        // Nobody listens before the entry is evaluated.
        while interrupter.interrupt() == 0 {
            std::thread::yield_now();
        }
    });
    p.tells(
        &format!("(twice ({ones}) 1)"),
        &["note: interrupted in the expansion of the macro `twice`"],
    );
    asked.join().expect("it asked");
    p.tells(
        &format!("(define z (pair ({ones}) 1))"),
        &["error: this datum grows beyond 5000000 parts"],
    );
    p.tells(
        &format!("(sum ({ones}) 1)"),
        &["error: the expansion of the macro `sum` grows beyond 5000000 parts"],
    );
    p.tells(
        &format!("(vec ({ones}) 1)"),
        &["error: this datum grows beyond 5000000 parts"],
    );
    p.tells(
        "(grow a)",
        &["error: the expansion of the macro `grow` grows beyond 5000000 parts"],
    );
    p.check(&[("(+ 1 2)", "3\n")]);
}

fn nothing_is_left_over() {
    let mut p = prompt(0);
    let interrupter = p.at.interrupter();
    assert_eq!(interrupter.interrupt(), 0);
    p.check(&[(
        "(let loop ((n 0)) (if (< n 1000) (loop (+ n 1)) n))",
        "1000\n",
    )]);
    assert_eq!(interrupter.interrupt(), 0);
    p.check(&[("(+ 1 2)", "3\n")]);
}

/// Numbers of system calls.
const READ: &str = if cfg!(target_arch = "x86_64") {
    "0 "
} else {
    "63 "
};
const FUTEX: &str = if cfg!(target_arch = "x86_64") {
    "202 "
} else {
    "98 "
};

/// Waits until a thread, as `PID/task/TID`, is inside a system call.
fn wait_for_call(thread: &str, number: &str) {
    let file = format!("/proc/{thread}/syscall");
    loop {
        let now = std::fs::read_to_string(&file).expect("the thread runs");
        if now.starts_with(number) {
            return;
        }
        std::thread::yield_now();
    }
}

fn interrupt_process(id: u32) {
    let kill = Command::new("kill")
        .args(["-INT", &id.to_string()])
        .status();
    kill.expect("kill runs");
}

/// C waits for ever and heeds no signal: the second one says so, the third ends the process.
fn foreign_calls_that_do_not_stop() {
    const VICTIM: &str = "BOWLINE_VICTIM";
    if std::env::var_os(VICTIM).is_some() {
        return wait_in_c();
    }
    let me = std::env::current_exe().expect("a path");
    let mut victim = Command::new(me)
        .env(VICTIM, "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut out = std::io::BufReader::new(victim.stdout.take().expect("piped"));
    let mut thread = String::new();
    std::io::BufRead::read_line(&mut out, &mut thread).expect("a line");
    wait_for_call(thread.trim(), FUTEX);
    // Signals that are not taken yet are one, so it may take more than three.
    while victim.try_wait().expect("a child").is_none() {
        interrupt_process(victim.id());
    }
    let output = victim.wait_with_output().expect("it ended");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{said}");
    let wanted = "bowline: the foreign procedure pthread_mutex_lock is still running; \
                  Ctrl-C once more ends the process";
    assert!(said.contains(wanted), "{said}");
}

fn wait_in_c() {
    let mut p = Prompt::new();
    bowline_ffi::handle_interrupts(p.at.interrupter()).expect("a handler");
    p.says(
        "(import (bowline ffi))
         (define-foreign-library c #f)
         (define-foreign pthread_mutex_lock (c \"pthread_mutex_lock\") (pointer) int)
         (define mutex (make-foreign-memory 64))
         (pthread_mutex_lock mutex)",
    );
    let me = std::fs::read_link("/proc/thread-self").expect("a thread");
    let mut out = std::io::stdout();
    writeln!(out, "{}", me.display()).expect("somebody reads");
    let reply = p.at.submit("(pthread_mutex_lock mutex)");
    assert!(matches!(reply, Reply::Quit(_)), "it does not come back");
}
