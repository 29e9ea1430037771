//! What the library `(inc io)` calls: a file opened, and a line written to it, over the words of the heap as they are.
//!
//! ```sh
//! rustc --edition 2024 -O --crate-type cdylib port.rs -o libport.so
//! LD_LIBRARY_PATH=. bowline run port.scm
//! ```
//!
//! A port is a number to the system, a vector to Scheme, and a `File` to Rust. The library is linked with nothing: the
//! functions and the numbers are those of `bowline.h`.

use std::ffi::c_int;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::mem::ManuallyDrop;
use std::os::fd::{FromRawFd, IntoRawFd};

/// Stands for an object, which moves.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Handle {
    bits: u64,
}

/// An open no-GC scope, in which nothing moves.
#[repr(C)]
struct NoGc {
    call: u64,
    depth: u32,
}

/// A word of the heap. Only [`Heap`] gives any.
#[derive(Clone, Copy)]
struct Word(u64);

unsafe extern "C" {
    safe fn bl_from_int(n: i64) -> Handle;
    safe fn bl_unspecified() -> Handle;
    safe fn bl_raise_errno() -> Handle;
    fn bl_raise_error(text: *const u8) -> Handle;
    fn bl_nogc_begin(scope: *mut NoGc) -> c_int;
    fn bl_nogc_end(scope: *mut NoGc) -> c_int;
    fn bl_raw(scope: *const NoGc, handle: Handle) -> u64;
    safe fn __errno_location() -> *mut c_int;
}

const TAG_MASK: u64 = 7;
const TAG_OBJECT: u64 = 3;
const HEADER_TYPE_SHIFT: u32 = 16;
const HEADER_LENGTH_SHIFT: u32 = 32;
const TYPE_STRING: u16 = 1;
const TYPE_VECTOR: u16 = 17;
const VECTOR_FIRST: usize = 1;
const STRING_LENGTHS: usize = 1;
const STRING_BODY: usize = 3;
const BYTES_FIRST: usize = 1;

/// The heap, while nothing in it moves.
struct Heap(NoGc);

impl Heap {
    /// Shows it to `read`, whose result has no words in it.
    fn look<T>(read: impl FnOnce(&Heap) -> T) -> Option<T> {
        let mut heap = Heap(NoGc { call: 0, depth: 0 });
        // SAFETY: it can be written.
        if unsafe { bl_nogc_begin(&mut heap.0) } != 0 {
            return None;
        }
        let seen = read(&heap);
        // SAFETY: what was begun above.
        unsafe { bl_nogc_end(&mut heap.0) };
        Some(seen)
    }

    fn word(&self, handle: Handle) -> Word {
        // SAFETY: the scope is open.
        Word(unsafe { bl_raw(&self.0, handle) })
    }

    /// Word `i` of what an object's word points to.
    fn at(&self, object: Word, i: usize) -> u64 {
        let words = (object.0 & !TAG_MASK) as *const u64;
        // SAFETY: who asks has looked at the object's type and length, and nothing moves.
        unsafe { words.add(i).read() }
    }

    /// The length of an object of this type.
    fn length(&self, v: Word, type_id: u16) -> Option<usize> {
        if v.0 & TAG_MASK != TAG_OBJECT {
            return None;
        }
        let header = self.at(v, 0);
        let is = (header >> HEADER_TYPE_SHIFT) as u16 == type_id;
        is.then_some((header >> HEADER_LENGTH_SHIFT) as usize)
    }

    /// Element `n` of a vector.
    fn vec_nth(&self, v: Word, n: usize) -> Option<Word> {
        let length = self.length(v, TYPE_VECTOR)?;
        (n < length).then(|| Word(self.at(v, VECTOR_FIRST + n)))
    }

    /// A string's text.
    fn str_str(&self, v: Word) -> Option<String> {
        self.length(v, TYPE_STRING)?;
        let length = self.at(v, STRING_LENGTHS) as u32 as usize;
        let body = (self.at(v, STRING_BODY) & !TAG_MASK) as *const u8;
        // SAFETY: a string's body has that many bytes behind its header.
        let bytes = unsafe { std::slice::from_raw_parts(body.add(8 * BYTES_FIRST), length) };
        Some(String::from_utf8_lossy(bytes).into_owned())
    }

    /// A small integer.
    fn integer(&self, v: Word) -> Option<i64> {
        (v.0 & 1 == 0).then_some(v.0 as i64 >> 1)
    }
}

/// Raises what the system has said.
fn refuse(error: io::Error) -> Handle {
    // SAFETY: this thread's own errno.
    unsafe { __errno_location().write(error.raw_os_error().unwrap_or(0)) };
    bl_raise_errno()
}

/// Raises an error with a text, which ends with a NUL.
fn complain(text: &'static std::ffi::CStr) -> Handle {
    // SAFETY: a text that ends with a NUL.
    unsafe { bl_raise_error(text.as_ptr().cast()) }
}

/// Opens a file to write to, and gives its number.
#[unsafe(no_mangle)]
pub extern "C" fn rt_open_write(name: Handle) -> Handle {
    let Some(Some(name)) = Heap::look(|heap| heap.str_str(heap.word(name))) else {
        return complain(c"the name of a file is a string");
    };
    match OpenOptions::new().write(true).create(true).truncate(true).open(name) {
        Ok(file) => bl_from_int(file.into_raw_fd().into()),
        Err(error) => refuse(error),
    }
}

/// The number in a port `#(port name number)`.
fn number(heap: &Heap, port: Handle) -> Option<i64> {
    heap.integer(heap.vec_nth(heap.word(port), 2)?)
}

/// Writes a line to a port. The words are read first, and written when objects may move again: the disk may be slow.
#[unsafe(no_mangle)]
pub extern "C" fn writeln(text: Handle, port: Handle) -> Handle {
    let seen = Heap::look(|heap| Some((heap.str_str(heap.word(text))?, number(heap, port)?)));
    let Some(Some((text, number))) = seen else {
        return complain(c"a line is a string, and goes to a port");
    };
    // SAFETY: the port's own file, which stays open.
    let mut file = ManuallyDrop::new(unsafe { File::from_raw_fd(number as c_int) });
    match file.write_all(format!("{text}\n").as_bytes()) {
        Ok(()) => bl_unspecified(),
        Err(error) => refuse(error),
    }
}

/// Closes a port.
#[unsafe(no_mangle)]
pub extern "C" fn rt_close(port: Handle) -> Handle {
    let Some(Some(number)) = Heap::look(|heap| number(heap, port)) else {
        return complain(c"what is closed is a port");
    };
    // SAFETY: the port's own file.
    drop(unsafe { File::from_raw_fd(number as c_int) });
    bl_unspecified()
}
