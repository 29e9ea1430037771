//! An engine with a small library, and programs to run on it.

use bowline_gc::{HeapConfig, Zeal};
use bowline_middle::ir::{Module, parse, verify};
use bowline_runtime::Rt;
use bowline_runtime::printer::{Mode, print};
use bowline_syntax::{SourceId, SourceMap};
use bowline_vm::{Entry, Exit, Vm};

use crate::mini::{Mini, table};
use crate::polls::PRIMITIVES;

/// One trial.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) body: fn(),
    /// Allocations between needless collections: the trial runs once for each, 0 meaning none.
    pub(crate) zeal: &'static [u64],
}

/// Small enough for a collection at each allocation.
pub(crate) const SMALL: &[u64] = &[0, 1];
/// A collection now and then.
pub(crate) const LARGE: &[u64] = &[0, 97];
/// None: it would take too long.
pub(crate) const LONG: &[u64] = &[0];

/// What the library of a real session would install, in short.
const LIBRARY: &str = "
(define (dynamic-wind before thunk after)
  (before)
  (%set-winders! (cons (vector before after (%dyn)) (%winders)))
  (let ((result (thunk)))
    (%set-winders! (cdr (%winders)))
    (after)
    result))
(define (run-winder winder index) (%with-dyn (vector-ref winder 2) (vector-ref winder index)))
(define (common-tail a b)
  (let ((m (length a)) (n (length b)))
    (let loop ((a (if (> m n) (list-tail a (- m n)) a)) (b (if (> n m) (list-tail b (- n m)) b)))
      (if (eq? a b) a (loop (cdr a) (cdr b))))))
(define (wind-to target)
  (let ((common (common-tail (%winders) target)))
    (let unwind ((winders (%winders)))
      (if (not (eq? winders common))
          (begin (%set-winders! (cdr winders))
                 (run-winder (car winders) 1)
                 (unwind (cdr winders)))))
    (let rewind ((winders target))
      (if (not (eq? winders common))
          (begin (rewind (cdr winders))
                 (run-winder (car winders) 0)
                 (%set-winders! winders))))))
(%install-hook! 'rewind (lambda (k results) (wind-to (%kont-winders k)) (%throw k results)))
(define (%exit-after-winding code) (wind-to (%activation-winders)) (%exit code))
(%install-hook! 'exit %exit-after-winding)
(%install-hook! 'interrupt (lambda () (wind-to (%activation-winders)) (%interrupted)))
(define (with-handlers handlers thunk)
  (%with-dyn (%make-dyn handlers (%dyn-params (%dyn))) thunk))
(define (with-exception-handler handler thunk)
  (with-handlers (cons handler (%dyn-handlers (%dyn))) thunk))
(define (handle object continuable?)
  (let ((handlers (%dyn-handlers (%dyn))))
    (if (null? handlers)
        (%uncaught object)
        (with-handlers (cdr handlers)
          (lambda ()
            (let ((result ((car handlers) object)))
              (if continuable? result (error \"handler returned\"))))))))
(%install-hook! 'raise handle)
(define (raise-continuable object) (handle object #t))
(define (call/cc f) (%call/cc f))
(define (catch thunk)
  (call/cc (lambda (k) (with-exception-handler (lambda (e) (k e)) thunk))))
(define (message thunk)
  (let ((e (catch thunk))) (if (error-object? e) (error-object-message e) e)))
";

pub(crate) struct World {
    pub(crate) vm: Vm,
    pub(crate) mini: Mini,
    pub(crate) sources: SourceMap,
}

impl World {
    /// An engine without the library.
    pub(crate) fn bare() -> World {
        World::with(|_| {})
    }

    /// An engine with a heap configured by `adjust`, without the library.
    pub(crate) fn with(adjust: impl FnOnce(&mut HeapConfig)) -> World {
        let zeal = match std::env::var("BOWLINE_ZEAL")
            .ok()
            .and_then(|z| z.parse().ok())
        {
            None | Some(0) => Zeal::Off,
            Some(n) => Zeal::Allocation(n),
        };
        let mut config = HeapConfig {
            zeal,
            ..HeapConfig::default()
        };
        adjust(&mut config);
        let heap = bowline_gc::start(config).expect("a heap");
        let mut rt = Rt::new(heap.attach(), Vec::new()).expect("a runtime");
        rt.primitives.extend(PRIMITIVES);
        let mini = Mini::new(table(&rt.primitives));
        World {
            vm: Vm::new(rt).expect("an engine"),
            mini,
            sources: SourceMap::new(),
        }
    }

    /// An engine with the library.
    pub(crate) fn new() -> World {
        World::bare().library()
    }

    /// Loads the library.
    pub(crate) fn library(mut self) -> World {
        self.run(LIBRARY).expect("the library");
        self
    }

    pub(crate) fn source(&mut self, text: &str) -> SourceId {
        self.sources.add("test.scm", text)
    }

    pub(crate) fn module(&mut self, text: &str) -> Module {
        let source = self.source(text);
        let module = self.mini.module(source, text);
        assert_eq!(verify(&module, self.mini.prims()), []);
        module
    }

    pub(crate) fn load(&mut self, text: &str) -> Entry {
        let module = self.module(text);
        self.vm.load(&module).expect("loads")
    }

    /// Runs a program; what its last form gave, as written.
    pub(crate) fn run(&mut self, text: &str) -> Result<String, Exit> {
        let entry = self.load(text);
        self.run_entry(entry)
    }

    pub(crate) fn run_entry(&mut self, entry: Entry) -> Result<String, Exit> {
        let v = self.vm.run(entry)?;
        Ok(print(&self.vm.rt, v, Mode::Write))
    }

    /// Loads IR that is written out.
    pub(crate) fn load_ir(&mut self, text: &str) -> Entry {
        let module = parse(text, self.mini.prims()).expect("IR");
        assert_eq!(verify(&module, self.mini.prims()), []);
        self.vm.load(&module).expect("loads")
    }

    pub(crate) fn run_ir(&mut self, text: &str) -> String {
        let entry = self.load_ir(text);
        self.run_entry(entry).expect("a value")
    }

    #[track_caller]
    pub(crate) fn check(&mut self, program: &str, wanted: &str) {
        match self.run(program) {
            Ok(got) => assert_eq!(got, wanted, "{program}"),
            Err(exit) => panic!("{program}: {}", self.describe(&exit)),
        }
    }

    pub(crate) fn describe(&self, exit: &Exit) -> String {
        match exit {
            Exit::Quit(status) => format!("quit {status}"),
            Exit::Interrupted { .. } => "interrupted".to_string(),
            Exit::Uncaught { condition, .. } => self.vm.rt.describe(*condition),
        }
    }
}
