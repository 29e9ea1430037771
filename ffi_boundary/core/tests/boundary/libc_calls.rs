//! The C library as every program has it.

use crate::toy::{Leave, Toy, bytes, calm, double, integer, libc_function, text};
use bowline_ffi::{CType, memory, pointer_address};
use bowline_gc::Collect;
use bowline_layout::Value;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) const TRIALS: &[crate::Body] = &[
    ("libc_integers", integers),
    ("libc_strings", strings),
    ("libc_doubles", doubles),
    ("libc_memory", memory_functions),
    ("libc_variadic", variadic),
    ("libc_files", files),
    ("libc_getenv", getenv),
    ("qsort", qsort),
    ("interrupted_read", interrupted_read),
];

fn fix(n: i64) -> Value {
    Value::fixnum(n)
}

fn integers() {
    let mut toy = Toy::start();
    let abs = libc_function("abs", "(int)", "int");
    assert_eq!(toy.value(&abs, &[fix(-7)]), fix(7));
    let labs = libc_function("labs", "(long)", "long");
    let large = toy.value(&labs, &[fix(-1 << 62)]);
    assert_eq!(integer(large), 1 << 62);
    let toupper = libc_function("toupper", "(int)", "int");
    assert_eq!(toy.value(&toupper, &[fix(97)]), fix(65));
    let getpid = libc_function("getpid", "()", "int");
    let pid = i64::from(std::process::id());
    assert_eq!(toy.value(&getpid, &[]), fix(pid));
}

fn strings() {
    let mut toy = Toy::start();
    let strlen = libc_function("strlen", "(string)", "size_t");
    for sample in ["", "a", "hello, world", "grüße", &"x".repeat(100_000)] {
        let s = toy.string(sample);
        assert_eq!(toy.value(&strlen, &[s]), fix(sample.len() as i64));
    }
    let strdup = libc_function("strdup", "(string)", "pointer");
    let free = libc_function("free", "(pointer)", "void");
    let s = toy.string("copied");
    let copy = toy.value(&strdup, &[s]);
    toy.mutator.push(copy);
    let address = pointer_address(copy).expect("a pointer");
    let read = memory::read(&mut toy.mutator, &CType::UInt8, address, 1).expect("readable");
    assert_eq!(read, fix(i64::from(b'o')));
    let pointer_strlen = libc_function("strlen", "(pointer)", "size_t");
    let copy = toy.mutator.get(0);
    assert_eq!(toy.value(&pointer_strlen, &[copy]), fix(6));
    let copy = toy.mutator.pop();
    assert_eq!(toy.value(&free, &[copy]), Value::UNSPECIFIED);
    // The result is a pointer into what was lent.
    let strchr = libc_function("strchr", "(string int)", "string");
    let s = toy.string("key=value");
    let tail = toy.value(&strchr, &[s, fix(i64::from(b'='))]);
    assert_eq!(text(tail), "=value");
    let s = toy.string("none");
    let none = toy.value(&strchr, &[s, fix(i64::from(b'='))]);
    assert_eq!(none, Value::FALSE);
}

fn doubles() {
    let mut toy = Toy::start();
    let pow = libc_function("pow", "(double double)", "double");
    let half = toy.flonum(0.5);
    let root = toy.value(&pow, &[fix(2), half]);
    assert_eq!(double(root), 2f64.powf(0.5));
    let sqrtf = libc_function("sqrtf", "(float)", "float");
    let root = toy.value(&sqrtf, &[fix(2)]);
    assert_eq!(double(root), f64::from(2f32.sqrt()));
    let frexp = libc_function("frexp", "(double bytevector)", "double");
    let exponent = toy.bytes(&[0; 4]);
    toy.mutator.push(exponent);
    let x = toy.flonum(48.0);
    let exponent = toy.mutator.get(0);
    let mantissa = toy.value(&frexp, &[x, exponent]);
    assert_eq!(double(mantissa), 0.75);
    assert_eq!(bytes(toy.mutator.pop()), 6i32.to_le_bytes());
}

fn memory_functions() {
    let mut toy = Toy::start();
    let memcpy = libc_function("memcpy", "(bytevector bytevector size_t)", "pointer");
    let from: Vec<u8> = (0..200).collect();
    let to = toy.bytes(&[0; 200]);
    toy.mutator.push(to);
    let from_object = toy.bytes(&from);
    let to = toy.mutator.get(0);
    toy.value(&memcpy, &[to, from_object, fix(200)]);
    assert_eq!(bytes(toy.mutator.pop()), from);
}

fn variadic() {
    let mut toy = Toy::start();
    let snprintf = libc_function(
        "snprintf",
        "(bytevector size_t string ... int double string int8 float)",
        "int",
    );
    let buffer = toy.bytes(&[1; 64]);
    toy.mutator.push(buffer);
    let format = toy.string("%d %.2f %s %d %.1f");
    toy.mutator.push(format);
    let word = toy.string("word");
    toy.mutator.push(word);
    let x = toy.flonum(2.5);
    let args = [
        toy.mutator.get(0),
        fix(64),
        toy.mutator.get(1),
        fix(-42),
        x,
        toy.mutator.get(2),
        fix(-3),
        x,
    ];
    let written = toy.value(&snprintf, &args);
    let expected = b"-42 2.50 word -3 2.5\0";
    assert_eq!(integer(written), expected.len() as i128 - 1);
    let buffer = bytes(toy.mutator.get(0));
    assert_eq!(&buffer[..expected.len()], expected);
    toy.mutator.truncate(0);
}

fn files() {
    let mut toy = Toy::start();
    let open = libc_function("open", "(string int ... int)", "int");
    let read = libc_function("read", "(int bytevector size_t)", "ssize_t");
    let write = libc_function("write", "(int bytevector size_t)", "ssize_t");
    let close = libc_function("close", "(int)", "int");
    let path = std::env::temp_dir().join(format!("bowline-ffi-{}", std::process::id()));
    let path = path.to_str().expect("UTF-8").to_owned();
    let missing = toy.string(&path);
    let flags = |f: i32| fix(i64::from(f));
    let failed = toy
        .call(&open, &[missing, flags(libc::O_RDONLY), fix(0)])
        .expect("the call itself succeeds");
    assert_eq!((failed.value, failed.errno), (fix(-1), libc::ENOENT));
    let name = toy.string(&path);
    let create = flags(libc::O_RDWR | libc::O_CREAT);
    let fd = toy.value(&open, &[name, create, fix(0o600)]);
    let content = toy.bytes(b"0123456789");
    let written = toy.call(&write, &[fd, content, fix(10)]).expect("written");
    assert_eq!((written.value, written.errno), (fix(10), 0));
    assert_eq!(toy.value(&close, &[fd]), fix(0));
    let name = toy.string(&path);
    let fd = toy.value(&open, &[name, flags(libc::O_RDONLY), fix(0)]);
    let buffer = toy.bytes(&[0; 32]);
    toy.mutator.push(buffer);
    assert_eq!(toy.value(&read, &[fd, buffer, fix(32)]), fix(10));
    assert_eq!(&bytes(toy.mutator.get(0))[..10], b"0123456789");
    // The end of the file is told from an error.
    let buffer = toy.mutator.get(0);
    let end = toy.call(&read, &[fd, buffer, fix(32)]).expect("read");
    assert_eq!((end.value, end.errno), (fix(0), 0));
    assert_eq!(toy.value(&close, &[fd]), fix(0));
    let buffer = toy.mutator.pop();
    let bad = toy.call(&read, &[fd, buffer, fix(32)]).expect("read");
    assert_eq!((bad.value, bad.errno), (fix(-1), libc::EBADF));
    std::fs::remove_file(path).expect("was made");
}

fn getenv() {
    let mut toy = Toy::start();
    let getenv = libc_function("getenv", "(string)", "string");
    let name = toy.string("BOWLINE_FFI_TRIAL");
    let value = toy.value(&getenv, &[name]);
    assert_eq!(text(value), "libc_getenv");
    let name = toy.string("BOWLINE_FFI_NO_SUCH_VARIABLE");
    assert_eq!(toy.value(&getenv, &[name]), Value::FALSE);
}

fn number_at(toy: &mut Toy, pointer: Value) -> Result<i128, Leave> {
    let address = pointer_address(pointer).expect("a pointer");
    memory::read(&mut toy.mutator, &CType::Int32, address, 0)
        .map(integer)
        .map_err(|error| Leave::Call(error.to_string()))
}

/// The bytevector is sorted in place by a comparator that allocates and collects, while everything
/// that is not lent moves.
fn qsort() {
    let mut toy = Toy::start();
    let qsort = libc_function(
        "qsort",
        "(bytevector size_t size_t (callback (pointer pointer) int))",
        "void",
    );
    let count = if calm() { 2000 } else { 60 };
    let mut numbers: Vec<i32> = (0..count).map(|i| (i * 7919) % 10_007 - 5000).collect();
    let raw: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
    let calls = Rc::new(Cell::new(0));
    let counter = calls.clone();
    let compare = toy.procedure("compare", 2, move |toy, args| {
        counter.set(counter.get() + 1);
        let (a, b) = (toy.mutator.get(args.start), toy.mutator.get(args.start + 1));
        let (a, b) = (number_at(toy, a)?, number_at(toy, b)?);
        if counter.get() % 64 == 0 {
            toy.churn();
        }
        toy.string("garbage");
        Ok(fix(a.cmp(&b) as i64))
    });
    toy.mutator.push(compare);
    let array = toy.bytes(&raw);
    toy.mutator.push(array);
    let compare = toy.mutator.get(0);
    let args = [array, fix(i64::from(count)), fix(4), compare];
    toy.value(&qsort, &args);
    numbers.sort_unstable();
    let sorted: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
    assert_eq!(bytes(toy.mutator.get(1)), sorted);
    assert!(calls.get() > count);
    assert!(toy.mutator.stats().in_foreign_calls > 0);
}

extern "C" fn ignore_signal(_: i32) {}

/// A read that a signal interrupts while it holds a lent buffer, then the same read again.
fn interrupted_read() {
    let mut toy = Toy::start();
    let mut ends = [0; 2];
    // SAFETY: two file descriptors are written.
    assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
    // SAFETY: all zero is an empty action, without SA_RESTART.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = ignore_signal as *const () as usize;
    // SAFETY: the handler does nothing.
    let set = unsafe { libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()) };
    assert_eq!(set, 0);
    // SAFETY: takes nothing.
    let reader = unsafe { libc::pthread_self() };
    let seen = Arc::new(AtomicBool::new(false));
    let reader_saw = seen.clone();
    // A signal that comes before the read has begun is lost, so there are as many as it takes.
    let poker = std::thread::spawn(move || {
        while !reader_saw.load(Ordering::SeqCst) {
            std::thread::sleep(std::time::Duration::from_millis(20));
            // SAFETY: the reader joins this thread, so it is alive.
            unsafe { libc::pthread_kill(reader, libc::SIGUSR1) };
        }
        // SAFETY: three bytes are there to be written.
        unsafe { libc::write(ends[1], b"abc".as_ptr().cast(), 3) };
    });
    let read = libc_function("read", "(int bytevector size_t)", "ssize_t");
    let buffer = toy.bytes(&[9; 8]);
    toy.mutator.push(buffer);
    let fd = fix(i64::from(ends[0]));
    let done = loop {
        let buffer = toy.mutator.get(0);
        let returned = toy.call(&read, &[fd, buffer, fix(8)]).expect("called");
        if returned.value != fix(-1) {
            break returned;
        }
        assert_eq!(returned.errno, libc::EINTR);
        seen.store(true, Ordering::SeqCst);
        assert_eq!(bytes(toy.mutator.get(0)), [9; 8]);
        toy.mutator.collect(Collect::Full);
    };
    assert_eq!((done.value, done.errno), (fix(3), 0));
    assert!(seen.load(Ordering::SeqCst));
    assert_eq!(&bytes(toy.mutator.pop())[..4], b"abc\x09");
    poker.join().expect("no panic");
}
