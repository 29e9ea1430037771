//! What crossing the boundary costs, in nanoseconds.
//!
//! `cargo run --release -p bowline-ffi --example crossing [figures|trace|events|fences]`
//!
//! With one of the first three arguments crossings are recorded: for the figures at the end, for a trace of what is
//! long, or for one of every crossing. With the last the threads fence, as where the kernel has no `membarrier(2)`.
//!
//! The thread's own processor time is counted, the least of a few rounds. The host is as small as a host can be, so
//! what is measured is this crate with libffi and the heap's state changes under it.

#![expect(clippy::print_stdout, reason = "an example prints")]

use bowline_ffi::{
    CallError, ForeignFunction, HandleKind, Handles, Host, Language, Library, PendingExit,
    Signature, TypeExpr, Types, call, errno_around, make_bytevector, make_string,
};
use bowline_gc::{HeapConfig, Mutator, OutOfMemory, Recording, Summary, Tracing};
use bowline_layout::{Header, Shape, Tag, TypeId, Value, procedure};
use core::ops::Range;
use std::hint::black_box;

struct Smallest(Box<Mutator>, Types);

impl Language for Smallest {
    fn to_double(&self, _: Value) -> Option<f64> {
        None
    }

    fn types(&self) -> &Types {
        &self.1
    }

    fn describe(&self, v: Value) -> String {
        format!("{v:?}")
    }
}

impl Host for Smallest {
    fn mutator(&mut self) -> &mut Mutator {
        &mut self.0
    }

    fn invoke(&mut self, _: Value, _: Range<usize>) -> Result<Value, PendingExit> {
        Ok(Value::fixnum(1))
    }

    fn raise_pending(&mut self, _: CallError) {}

    fn raise_value(&mut self, _: Value) {}

    fn raise_errno(&mut self, _: i32) {}

    fn make_vector(&mut self, n: usize) -> Result<Value, OutOfMemory> {
        let header = Header::new(Shape::Values, TypeId(21), n);
        self.0.alloc(header, Tag::Object)
    }

    fn set_vector_element(&mut self, _: Value, _: usize, _: Value) {}

    fn kept_callback(&mut self, _: Value, _: i64) -> Option<Value> {
        None
    }

    fn keep_callback(&mut self, _: usize, _: i64, _: usize) -> Result<(), OutOfMemory> {
        Ok(())
    }

    fn accepts(&self, _: Value, _: usize) -> bool {
        true
    }

    fn procedure_name(&self, _: Value) -> String {
        "one".into()
    }
}

fn function(name: &str, params: &[&str], result: &str) -> ForeignFunction {
    let library = Library::open(None).expect("the process");
    let params: Vec<_> = params.iter().map(|p| TypeExpr::name(p)).collect();
    let signature = Signature::parse(&params, &TypeExpr::name(result), &mut Types::default())
        .expect("well formed");
    ForeignFunction::new(name, &library, name, signature).expect("in libc")
}

/// The thread's processor time in nanoseconds.
fn now() -> f64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the time is written.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// The least nanoseconds of one operation over a few rounds of `n`.
fn measure(what: &str, n: u64, mut round: impl FnMut(u64)) {
    let best = (0..7)
        .map(|_| {
            let start = now();
            round(n);
            (now() - start) / n as f64
        })
        .fold(f64::INFINITY, f64::min);
    println!("{what:<40} {best:7.1} ns");
}

fn recording(what: Option<&str>) -> Recording {
    let tracing = |least| Tracing {
        path: "/dev/null".into(),
        name: "crossing".into(),
        least,
        limit: u64::MAX,
    };
    Recording {
        at_end: what.map(|_| -> fn(&Summary) { |_| () }),
        trace: match what {
            Some("trace") => Some(tracing(10_000)),
            Some("events") => Some(tracing(0)),
            _ => None,
        },
        ..Recording::default()
    }
}

fn main() {
    let argument = std::env::args().nth(1);
    let config = HeapConfig {
        fences: argument.as_deref() == Some("fences"),
        recording: recording(argument.as_deref().filter(|a| *a != "fences")),
        ..HeapConfig::default()
    };
    let heap = bowline_gc::start(config).expect("starts");
    let mut host = Smallest(heap.attach(), Types::default());
    const N: u64 = 1_000_000;

    measure("from Managed to Native and back", 10 * N, |n| {
        for _ in 0..n {
            black_box(&mut host.0).enter_native();
            black_box(&mut host.0).leave_native();
        }
    });

    // Every call does so, for there is no telling beforehand who will ask.
    measure("errno cleared and captured", N, |n| {
        for _ in 0..n {
            black_box(errno_around(|| black_box(())));
        }
    });

    let abs = function("abs", &["int"], "int");
    host.0.push(Value::fixnum(-5));
    measure("int abs(int)", N, |n| {
        for _ in 0..n {
            black_box(call(&abs, &mut host, 0..1).is_ok());
        }
    });

    let strlen = function("strlen", &["string"], "size_t");
    let text = make_string(&mut host.0, "forty-two characters, give or take a few").expect("room");
    host.0.set(0, text);
    measure("size_t strlen(string of 40), pinned", N, |n| {
        for _ in 0..n {
            black_box(call(&strlen, &mut host, 0..1).is_ok());
        }
    });

    callbacks(&mut host);
    handles(&host);
}

fn callbacks(host: &mut Smallest) {
    const ELEMENTS: i64 = 1_000_000;
    let library = Library::open(None).expect("the process");
    let pointer = || TypeExpr::name("pointer");
    let compare = TypeExpr::List(vec![
        TypeExpr::name("callback"),
        TypeExpr::List(vec![pointer(), pointer()]),
        TypeExpr::name("int"),
    ]);
    let params = [
        TypeExpr::name("bytevector"),
        TypeExpr::name("bytevector"),
        TypeExpr::name("bytevector"),
        TypeExpr::name("size_t"),
        compare,
    ];
    let signature =
        Signature::parse(&params, &pointer(), &mut Types::default()).expect("well formed");
    let lfind = ForeignFunction::new("lfind", &library, "lfind", signature).expect("in libc");
    host.0.truncate(0);
    let array = make_bytevector(&mut host.0, &[0; 16]).expect("room");
    let header = procedure::header(TypeId(20), 0);
    for v in [array, array] {
        host.0.push(v);
    }
    for count in [ELEMENTS, 1] {
        host.0.truncate(2);
        let cell = make_bytevector(&mut host.0, &count.to_le_bytes()).expect("room");
        host.0.push(cell);
        host.0.push(Value::fixnum(0));
        let one = host.0.alloc(header, Tag::Procedure).expect("room");
        host.0.push(one);
        let calls = 1_000_000 / count as u64;
        let what = if count == 1 {
            "lfind that calls back once, closure lent"
        } else {
            "callback int (*)(void *, void *)"
        };
        measure(what, 1_000_000, |_| {
            for _ in 0..calls {
                black_box(call(&lfind, host, 0..5).is_ok());
            }
        });
    }
}

fn handles(host: &Smallest) {
    const N: u64 = 10_000_000;
    let handles = Handles::of(&host.0);
    measure("handle create + free", N, |n| {
        for _ in 0..n {
            let handle = handles.create(Value::NIL, HandleKind::Global);
            let freed = handle.and_then(|handle| handles.free(black_box(handle)));
            black_box(freed.is_ok());
        }
    });
    let handle = handles.create(Value::NIL, HandleKind::Global);
    let handle = handle.expect("room");
    measure("handle get", N, |n| {
        for _ in 0..n {
            black_box(handles.get(black_box(handle)).is_ok());
        }
    });
}
