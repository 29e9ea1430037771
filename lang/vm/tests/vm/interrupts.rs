//! Interrupts: what they stop, what still runs, and where it is said to have been.
//!
//! A trial's program says when it has begun by a byte through a pipe, and somebody who waits for it
//! interrupts: nothing depends on how long anything takes.

use std::io::{PipeReader, Read};
use std::os::fd::AsRawFd;

use bowline_vm::Exit;

use crate::support::{Case, LARGE, LONG, SMALL, World};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "an interrupt of calls that never end",
        body: calls,
        zeal: SMALL,
    },
    Case {
        name: "an interrupt of a loop without calls",
        body: turns,
        zeal: LONG,
    },
    Case {
        name: "an interrupt of a continuation that calls itself",
        body: continuation,
        zeal: SMALL,
    },
    Case {
        name: "no handler sees an interrupt",
        body: handlers,
        zeal: LARGE,
    },
    Case {
        name: "an interrupt leaves through the winders",
        body: winders,
        zeal: LARGE,
    },
    Case {
        name: "an interrupt of a winder",
        body: winder,
        zeal: LARGE,
    },
    Case {
        name: "an interrupt of a finalizer",
        body: finalizer,
        zeal: LONG,
    },
    Case {
        name: "an interrupt inside a callback",
        body: callback,
        zeal: LARGE,
    },
    Case {
        name: "a signal that wakes C up",
        body: signal,
        zeal: LONG,
    },
    Case {
        name: "an interrupt when nobody listens",
        body: deaf,
        zeal: LONG,
    },
    Case {
        name: "an interrupt without the library",
        body: bare,
        zeal: LONG,
    },
    Case {
        name: "where an interrupt met the program",
        body: place,
        zeal: LONG,
    },
];

/// How the system shows the call that sleeps: its number on this machine.
const SLEEP: &str = if cfg!(target_arch = "x86_64") {
    "230 "
} else {
    "115 "
};

/// An engine that listens; `(begun)` in its program makes one interrupt for each of `times`, those
/// after the first at further calls of it.
fn listening(times: usize) -> World {
    let mut w = World::new();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let interrupter = w.vm.rt.heap.stack().interrupter();
    w.vm.rt.heap.stack().listen(true);
    std::thread::spawn(move || {
        let mut reader: PipeReader = reader;
        for _ in 0..times {
            reader.read_exact(&mut [0]).expect("a byte");
            interrupter.interrupt();
        }
    });
    let fd = writer.as_raw_fd();
    w.run(&format!(
        "(define pipe (open-output-file \"/proc/self/fd/{fd}\"))
         (define (begun) (%write-char #\\. pipe) (%flush-output-port pipe))
         (define log '())
         (define (note x) (set! log (cons x log)))
         (define (forever) (forever))"
    ))
    .expect("definitions");
    // The program has the pipe's other name.
    drop(writer);
    w
}

/// Runs a program that ends only by an interrupt; gives the names of the chain.
#[track_caller]
fn interrupted(w: &mut World, program: &str) -> Vec<String> {
    match w.run(program) {
        Err(Exit::Interrupted { trace }) => trace
            .iter()
            .map(|frame| frame.name.as_deref().unwrap_or("-").to_string())
            .collect(),
        Err(other) => panic!("{program}: {}", w.describe(&other)),
        Ok(value) => panic!("{program}: {value}"),
    }
}

fn calls() {
    let mut w = listening(1);
    let names = interrupted(&mut w, "(begin (begun) (forever))");
    assert_eq!(names[0], "forever");
    w.check("(+ 1 2)", "3");
}

fn turns() {
    let mut w = listening(0);
    let text = "(module (entry f0) (globals)
      (function f0 - (params 0) (captures 0) (locals 1)
        (loop L0 ((s0 0)) (jump L0 (prim - 1 s0)))))";
    let entry = w.load_ir(text);
    let interrupter = w.vm.rt.heap.stack().interrupter();
    interrupter.interrupt();
    let end = w.run_entry(entry);
    assert!(matches!(end, Err(Exit::Interrupted { .. })), "{end:?}");
    let text = "(module (entry f0) (globals)
      (function f0 - (params 0) (captures 0) (locals 2)
        (loop L0 ((s0 0) (s1 1)) (jump L0 s1 s0))))";
    let entry = w.load_ir(text);
    interrupter.interrupt();
    let end = w.run_entry(entry);
    assert!(matches!(end, Err(Exit::Interrupted { .. })), "{end:?}");
}

fn continuation() {
    let mut w = listening(1);
    interrupted(
        &mut w,
        "(let ((k (%call/cc (lambda (k) k)))) (if (null? log) (begin (note 1) (begun))) (k k))",
    );
    w.check("log", "(1)");
}

fn handlers() {
    let mut w = listening(1);
    interrupted(
        &mut w,
        "(let again () (catch (lambda () (begun) (forever))) (note 'caught) (again))",
    );
    w.check("log", "()");
}

fn winders() {
    let mut w = listening(1);
    interrupted(
        &mut w,
        "(dynamic-wind (lambda () (note 1))
           (lambda ()
             (dynamic-wind (lambda () (note 2)) (lambda () (begun) (forever)) (lambda () (note 3))))
           (lambda () (note 4)))",
    );
    w.check("log", "(4 3 2 1)");
    w.check("(%winders)", "()");
}

fn winder() {
    let mut w = listening(2);
    let names = interrupted(
        &mut w,
        "(define (stuck) (note 'stuck) (begun) (forever))
         (dynamic-wind (lambda () #f)
           (lambda ()
             (dynamic-wind (lambda () #f) (lambda () (begun) (forever)) stuck))
           (lambda () (note 'outer)))",
    );
    w.check("log", "(outer stuck)");
    assert_eq!(names[0], "forever");
    w.check("(+ 1 2)", "3");
}

fn finalizer() {
    let mut w = listening(1);
    interrupted(
        &mut w,
        "(attach-finalizer! (integer->pointer 8) (lambda (p) (begun) (forever)) 0)
         (dynamic-wind (lambda () #f)
           (lambda () (collect) (%run-finalizers) (note 'not-here))
           (lambda () (note 'left)))",
    );
    w.check("log", "(left)");
    w.check("(begin (%run-finalizers) (+ 1 2))", "3");
}

/// The callback's winders run inside it, those of outside when C has returned; C is not called back
/// any more.
fn callback() {
    let mut w = listening(1);
    w.run(
        "(define c (%foreign-library #f))
         (define qsort (%make-foreign-procedure 'qsort c \"qsort\"
           '(bytevector size_t size_t (callback (pointer pointer) int)) 'void '()))",
    )
    .expect("C is there");
    interrupted(
        &mut w,
        "(dynamic-wind (lambda () #f)
           (lambda ()
             (qsort (bytevector 3 1 2) 3 1
               (lambda (a b)
                 (note 'called)
                 (dynamic-wind (lambda () #f)
                   (lambda () (begun) (forever))
                   (lambda () (note 'inside)))))
             (note 'not-here))
           (lambda () (note 'outside)))",
    );
    w.check("log", "(outside inside called)");
    w.check("(+ 1 2)", "3");
}

/// The signal goes to the process, whichever thread takes it; it is sent once C sleeps, the only
/// place where the program's thread does.
fn signal() {
    let mut w = World::new();
    let interrupter = w.vm.rt.heap.stack().interrupter();
    w.vm.rt.heap.stack().listen(true);
    bowline_ffi::handle_interrupts(interrupter).expect("a handler");
    w.run(
        "(define c (%foreign-library #f))
         (define sleep (%make-foreign-procedure 'sleep c \"sleep\" '(uint) 'uint '()))
         (define log '())",
    )
    .expect("C is there");
    let me = std::fs::read_link("/proc/thread-self").expect("a thread");
    std::thread::spawn(move || {
        let call = std::path::Path::new("/proc").join(me).join("syscall");
        let asleep = |now: String| now.starts_with(SLEEP);
        while !std::fs::read_to_string(&call).is_ok_and(asleep) {
            std::thread::yield_now();
        }
        let kill = std::process::Command::new("kill")
            .args(["-INT", &std::process::id().to_string()])
            .status();
        assert!(kill.expect("kill runs").success());
    });
    interrupted(
        &mut w,
        "(dynamic-wind (lambda () #f)
           (lambda () (sleep 100000) (set! log (cons 'slept log)))
           (lambda () (set! log (cons 'left log))))",
    );
    w.check("log", "(left)");
}

fn deaf() {
    let mut w = listening(0);
    let interrupter = w.vm.rt.heap.stack().interrupter();
    w.vm.rt.heap.stack().listen(false);
    assert_eq!(interrupter.interrupt(), 0);
    w.check("(+ 1 2)", "3");
    w.vm.rt.heap.stack().listen(true);
    w.check("(+ 1 2)", "3");
    assert_eq!(interrupter.interrupt(), 1);
    interrupted(&mut w, "(forever)");
}

/// Before the library has said how, nothing is unwound.
fn bare() {
    let mut w = World::bare();
    w.run("(define (forever) (forever))").expect("a definition");
    w.vm.rt.heap.stack().listen(true);
    let interrupter = w.vm.rt.heap.stack().interrupter();
    interrupter.interrupt();
    let names = interrupted(&mut w, "(forever)");
    assert!(!names.is_empty());
}

/// The running procedure comes first, with a place inside it, and its callers follow.
fn place() {
    let mut w = listening(1);
    w.run("(define (spin) (begun) (forever) 1)")
        .expect("a definition");
    let Err(Exit::Interrupted { trace }) = w.run("(+ 1 (spin))") else {
        panic!("it was interrupted");
    };
    let names: Vec<_> = trace.iter().map(|f| f.name.as_deref()).collect();
    assert_eq!(names, [Some("forever"), Some("spin"), None]);
    let text = w.sources.text(trace[0].span.source);
    let range = trace[0].span.start as usize..trace[0].span.end as usize;
    assert_eq!(&text[range], "(forever)");
}
