//! Finalizers: where they run, what they see, and whom their errors are told. And collections that
//! nobody expects, as other threads ask for them.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

use bowline_layout::Value;
use bowline_runtime::Rt;
use bowline_syntax::Span;
use bowline_vm::{Exit, Reporter, TraceFrame};

use crate::support::{Case, LARGE, LONG, SMALL, World};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "a finalizer runs once, oldest first",
        body: order,
        zeal: SMALL,
    },
    Case {
        name: "finalizers run between two steps",
        body: between,
        zeal: LARGE,
    },
    Case {
        name: "the errors of finalizers are told",
        body: told,
        zeal: SMALL,
    },
    Case {
        name: "a finalizer that ends the program",
        body: exit,
        zeal: LONG,
    },
    Case {
        name: "a callback in a finalizer leaves for outside",
        body: callback,
        zeal: SMALL,
    },
    Case {
        name: "rest lists where the stack is full",
        body: full_stack,
        zeal: &[0, 1],
    },
    Case {
        name: "collections that other threads ask for",
        body: asked,
        zeal: LONG,
    },
];

const LOG: &str = "
(define log '())
(define (note x) (set! log (cons x log)))
(define (attach n f) (attach-finalizer! (integer->pointer n) f 0) n)
(define (settle) (collect) (%run-finalizers) (reverse log))
";

fn world() -> World {
    let mut w = World::new();
    w.run(LOG).expect("definitions");
    w
}

fn order() {
    let mut w = world();
    w.run(
        "(attach 1 (lambda (p) (note (pointer->integer p))))
         (attach 2 (lambda (p) (note (pointer->integer p))))
         (attach 3 (lambda (p) (note (pointer->integer p))))",
    )
    .expect("attaches");
    w.check("(settle)", "(1 2 3)");
    w.check("(settle)", "(1 2 3)");
}

/// What is on its way, in a frame, a register or the dynamic state, is there afterwards.
fn between() {
    let mut w = world();
    w.run(
        "(define runs 0)
         (define (again n) (attach n (lambda (p) (set! runs (+ runs 1)) (list 1 2 3))))
         (define (pass . rest) (if (null? (cdr rest)) (car rest) (apply pass (cdr rest))))
         (define (sum n) (if (< n 1) 0 (+ (again n) (pass (list n) (vector n) 0) (sum (- n 1)))))",
    )
    .expect("definitions");
    w.check("(collect 'minor) (sum 200)", "20100");
    w.check("(settle) runs", "200");
    w.check(
        "(define (loop n keep)
           (if (< n 1) keep
             (begin (again n) (if (< n 100) (collect 'minor)) (loop (- n 1) (list keep)))))
         (define (depth l) (if (null? l) 0 (+ 1 (depth (car l)))))
         (- (depth (loop 150 '())) 50)",
        "100",
    );
    w.check("(settle) runs", "350");
}

#[derive(Default)]
struct Recorder {
    told: RefCell<Vec<(String, usize)>>,
}

impl Reporter for Recorder {
    fn place(&self, _: Span) -> Option<String> {
        Some("here".into())
    }

    fn finalizer_failed(&self, rt: &mut Rt, object: Value, trace: Vec<TraceFrame>) {
        let text = rt.describe(object);
        self.told.borrow_mut().push((text, trace.len()));
    }

    fn guest_failed(&self, _: &mut Rt, _: Value, _: Vec<TraceFrame>) {
        panic!("there is no other thread");
    }

    fn guest_quits(&self, _: &mut Rt, _: i32) -> i32 {
        panic!("there is no other thread");
    }
}

fn told() {
    let mut w = world();
    let recorder = Rc::new(Recorder::default());
    w.vm.set_reporter(recorder.clone());
    w.run(
        "(define outside #f)
         (define (fail p) (car p))
         (define (failing p) (+ 1 (fail p)))
         (define (jumping p) (+ 1 (outside 5)))
         (call/cc (lambda (k) (set! outside k)))
         (attach 4096 failing)
         (attach 4097 jumping)
         (attach 4098 (lambda (p) (raise-continuable 'object)))
         (attach 4099 (lambda (p) (note 'done)))",
    )
    .expect("attaches");
    // No handler of the program's is asked, and what it does goes on.
    w.check(
        "(+ 1 (catch (lambda () (with-exception-handler note (lambda () (settle) 2)))))",
        "3",
    );
    w.check("log", "(done)");
    let told = recorder.told.borrow();
    let texts: Vec<&str> = told.iter().map(|(text, _)| text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "car: argument 1 must be a pair, not #<pointer 0x1000>",
            "a finalizer cannot leave for a continuation of what it interrupts: #<continuation>",
            "object",
        ]
    );
    // The chain ends where the finalizer begins.
    assert!(told.iter().all(|(_, calls)| *calls <= 2), "{told:?}");
}

fn exit() {
    let mut w = world();
    w.run("(attach 4096 (lambda (p) (%exit-after-winding 3)))")
        .expect("attaches");
    let ended = w.run("(dynamic-wind void (lambda () (settle) 'never) (lambda () (note 'after)))");
    assert!(matches!(ended, Err(Exit::Quit(3))), "{ended:?}");
    w.check("log", "(after)");
}

/// A jump out of a callback inside a finalizer goes as far as the finalizer and is refused there.
fn callback() {
    let mut w = world();
    let recorder = Rc::new(Recorder::default());
    w.vm.set_reporter(recorder.clone());
    w.run(
        "(define outside #f)
         (define c (%foreign-library #f))
         (define qsort (%make-foreign-procedure 'qsort c \"qsort\"
           '(bytevector size_t size_t (callback (pointer pointer) int)) 'void '()))
         (define (jump p)
           (qsort (bytevector 2 1) 2 1 (lambda (a b) (outside 5)))
           (note 'never))
         (call/cc (lambda (k) (set! outside k)))
         (attach 4096 jump)",
    )
    .expect("attaches");
    w.check("(settle)", "()");
    assert_eq!(recorder.told.borrow().len(), 1);
}

/// At every entry, loop turn and slow path; nothing that a register held by chance may be scanned.
fn asked() {
    let mut w = world();
    w.run(
        "(define (rest . all) (if (null? all) 0 (+ 1 (apply rest (cdr all)))))
         (define (jump n) (call/cc (lambda (k) (if (< n 0) 0 (k (list n n))))))
         (define (work n)
           (if (< n 1) 0
             (begin
               (jump n)
               (catch (lambda () (car n)))
               (rest (list 1) (vector 2) 'c)
               (call-with-values (lambda () (values (list n) (list n))) (lambda (a b) (cons a b)))
               (work (- n 1)))))",
    )
    .expect("definitions");
    let stop = AtomicBool::new(false);
    let heap = w.vm.rt.heap();
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                heap.request_collection();
                std::thread::sleep(std::time::Duration::from_micros(200));
            }
        });
        for _ in 0..20 {
            w.check("(work 2000)", "0");
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(
        heap.collections() > 20,
        "{} collections",
        heap.collections()
    );
}

/// A collection while a rest list is made, and another because the frames go to the heap: what the
/// accumulator still holds from before is nobody's.
fn full_stack() {
    let mut w = World::with(|config| config.root_stack = 16 << 10).library();
    w.check(
        "(define (deep n . rest) (if (< n 1) 0 (+ (length rest) (deep (- n 1) (list n) (vector n)))))
         (deep 500)",
        "998",
    );
}
