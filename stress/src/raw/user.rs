//! The C library as a user of the malloc under test: what it allocates for its callers, they free.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
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
    /// So many bytes printed into memory of their own.
    Asprintf(usize),
    /// The first bytes of a string.
    Strndup,
    /// The folder that the process is in.
    Getcwd,
    /// A word read into memory of its own.
    Scanf,
}

unsafe extern "C" {
    fn asprintf(place: *mut *mut c_char, format: *const c_char, ...) -> c_int;
    fn tsearch(key: *const c_void, root: *mut *mut c_void, compare: Compare) -> *mut c_void;
    fn tdestroy(root: *mut c_void, free: unsafe extern "C" fn(*mut c_void));
}

/// Compares two keys.
type Compare = unsafe extern "C" fn(*const c_void, *const c_void) -> c_int;

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
            Self::Asprintf(length) => printed(length)?,
            // SAFETY: inv:os.plain: the string is read before the call returns.
            Self::Strndup => unsafe { libc::strndup(c"a string to copy".as_ptr(), 8) },
            // SAFETY: inv:os.plain: null asks for memory of the library's own.
            Self::Getcwd => unsafe { libc::getcwd(null_mut(), 0) },
            Self::Scanf => word()?,
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

fn printed(length: usize) -> Option<*mut c_char> {
    let mut place = null_mut();
    let width = c_int::try_from(length).ok()?;
    // SAFETY: inv:os.plain: the arguments are what the format says, and `place` is written.
    let count = unsafe { asprintf(&mut place, c"%*d".as_ptr(), width, 7) };
    (count == width).then_some(place)
}

fn word() -> Option<*mut c_char> {
    let mut place: *mut c_char = null_mut();
    let line = c"  word more";
    // SAFETY: inv:os.plain: the argument is what the format says, and `place` is written.
    let read = unsafe { libc::sscanf(line.as_ptr(), c"%ms".as_ptr(), &mut place) };
    (read == 1).then_some(place)
}

unsafe extern "C" fn by_address(one: *const c_void, two: *const c_void) -> c_int {
    one.addr().cmp(&two.addr()) as c_int
}

/// Puts these addresses of live blocks into a tree of the C library's (`tsearch`), whose nodes it takes
/// by `malloc`, and has it free them all (`tdestroy`): how many it took.
pub(crate) fn planted(addresses: &[usize]) -> usize {
    let mut root = null_mut();
    let put = |address: &&usize| {
        let key = std::ptr::with_exposed_provenance(**address);
        // SAFETY: inv:os.plain: the root is this frame's, and keys are compared by their addresses.
        !unsafe { tsearch(key, &mut root, by_address) }.is_null()
    };
    let count = addresses.iter().filter(put).count();
    // SAFETY: inv:raw.victim: each key is a live block, given away here.
    unsafe { tdestroy(root, libc::free) };
    count
}

/// Whether a pattern that needs a large automaton matches, by `regcomp`, `regexec` and `regfree`.
pub(crate) fn matched() -> bool {
    // SAFETY: inv:os.plain: all zeros is room for an expression.
    let mut expression: libc::regex_t = unsafe { std::mem::zeroed() };
    let pattern = c"^(a|b|[c-z]{1,40})*(knot|bend|hitch)+$".as_ptr();
    // SAFETY: inv:os.plain: the pattern is read before the call returns.
    let made = unsafe { libc::regcomp(&mut expression, pattern, libc::REG_EXTENDED) };
    if made != 0 {
        return false;
    }
    let line = c"abcdefghhitchbend".as_ptr();
    // SAFETY: inv:os.plain: compiled above.
    let matched = unsafe { libc::regexec(&expression, line, 0, null_mut(), 0) };
    // SAFETY: inv:os.plain: compiled above, and not used afterwards.
    unsafe { libc::regfree(&mut expression) };
    matched == 0
}

/// How many names in `/` begin with any letter, by `glob` and `globfree`.
pub(crate) fn listed() -> usize {
    // SAFETY: inv:os.plain: all zeros is room for a result.
    let mut names: libc::glob_t = unsafe { std::mem::zeroed() };
    // SAFETY: inv:os.plain: the pattern is read before the call returns.
    let found = unsafe { libc::glob(c"/[a-z]*".as_ptr(), 0, None, &mut names) };
    let count = if found == 0 { names.gl_pathc } else { 0 };
    // SAFETY: inv:os.plain: filled above, and not used afterwards.
    unsafe { libc::globfree(&mut names) };
    count as usize
}

/// What a variable of the environment is after it was set so often to ever longer values.
pub(crate) fn set_variable(times: usize) -> Option<usize> {
    let name = c"BOWLINE_STRESS_VARIABLE".as_ptr();
    for length in 1..=times {
        let value = CString::new(vec![b'v'; length]).ok()?;
        // SAFETY: inv:raw.victim: the process is the check's own, and no other thread reads variables.
        let set = unsafe { libc::setenv(name, value.as_ptr(), 1) };
        if set != 0 {
            return None;
        }
    }
    // SAFETY: inv:os.plain: the name is read before the call returns.
    let value = unsafe { libc::getenv(name) };
    (!value.is_null()).then(|| text(value).len())
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
