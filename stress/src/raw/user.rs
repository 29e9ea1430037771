//! The C library as a user of the malloc under test: what it allocates for its callers, they free.

use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr::null_mut;

/// Functions of the C library that give their callers memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LibcUser {
    /// A copy of a string.
    Strdup,
    /// The real path of `/`, in memory of its own.
    Realpath,
    /// A line of this many bytes read with `getline`, whose buffer grows by `realloc`.
    Getline(usize),
    /// A stream into memory with this many bytes written, which grows by `realloc`.
    Memstream(usize),
}

fn text(place: *const c_char) -> Vec<u8> {
    // SAFETY: inv:raw.victim: the C library ended the string it gave.
    unsafe { CStr::from_ptr(place) }.to_bytes().to_vec()
}

impl LibcUser {
    /// Calls the function: the address for the caller to free, and the bytes found there.
    pub(crate) fn call(self) -> Option<(usize, Vec<u8>)> {
        let place = match self {
            // SAFETY: inv:os.plain: the string is read before the call returns.
            Self::Strdup => unsafe { libc::strdup(c"a string to copy".as_ptr()) },
            // SAFETY: inv:os.plain: the path is read before the call returns.
            Self::Realpath => unsafe { libc::realpath(c"/".as_ptr(), null_mut()) },
            Self::Getline(length) => line(length)?,
            Self::Memstream(length) => stream(length)?,
        };
        (!place.is_null()).then(|| (place.expose_provenance(), text(place)))
    }
}

fn line(length: usize) -> Option<*mut c_char> {
    let bytes = CString::new(vec![b'x'; length]).ok()?;
    let start = bytes.as_ptr().cast_mut().cast();
    // SAFETY: inv:os.plain: the buffer outlives the stream, which is opened for reading only.
    let file = unsafe { libc::fmemopen(start, length, c"r".as_ptr()) };
    let mut place = null_mut();
    let mut room = 0;
    // SAFETY: inv:os.plain: `place` and `room` are written before the call returns.
    let read = unsafe { libc::getline(&mut place, &mut room, file) };
    // SAFETY: inv:os.plain: opened above.
    let closed: c_int = unsafe { libc::fclose(file) };
    (closed == 0 && read == length as isize).then_some(place)
}

fn stream(length: usize) -> Option<*mut c_char> {
    let mut place = null_mut();
    let mut size = 0;
    // SAFETY: inv:os.plain: both are written until the stream is closed, below.
    let file = unsafe { libc::open_memstream(&mut place, &mut size) };
    for _ in 0..length {
        // SAFETY: inv:os.plain: opened above.
        unsafe { libc::fputc(c_int::from(b'y'), file) };
    }
    // SAFETY: inv:os.plain: opened above.
    let closed = unsafe { libc::fclose(file) };
    (closed == 0 && size == length).then_some(place)
}

/// Looks up a symbol that is not there: what the loader says.
pub(crate) fn look_up_nothing() -> String {
    let name = c"bowline_no_such_symbol".as_ptr();
    // SAFETY: inv:os.plain: the name is read before the call returns.
    unsafe { libc::dlsym(libc::RTLD_DEFAULT, name) };
    // SAFETY: inv:os.plain: takes nothing.
    let message = unsafe { libc::dlerror() };
    if message.is_null() {
        return String::new();
    }
    String::from_utf8_lossy(&text(message)).into_owned()
}
