//! The environment variables `BOWLINE_MALLOC` and `BOWLINE_MALLOC_…`.
//!
//! | variable | value | meaning |
//! |---|---|---|
//! | `BOWLINE_MALLOC` | `hardened` | writes to freed blocks are found (`bowline_alloc::hardened`) |
//! | `BOWLINE_MALLOC_STATS` | `0` or `1` | `1`: figures on standard error when the process exits |
//!
//! What is unknown is named in one line, and the process goes on: a misspelt setting must not look like one
//! that works, and must not break a program either.
//!
//! Absent on purpose: `getenv`. The shared library is initialised before libc has set `environ`; the variables
//! come from the third argument that the dynamic linker gives to every initialiser.

use bowline_alloc::pal::Unix;
use bowline_alloc::report::Line;
use core::ffi::{CStr, c_char};

/// What the variables say.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Settings {
    /// Whether to find writes to freed blocks.
    pub(crate) hardened: bool,
    /// Whether to write figures at exit.
    pub(crate) stats: bool,
}

const MODE: &[u8] = b"BOWLINE_MALLOC=";
const PREFIX: &[u8] = b"BOWLINE_MALLOC_";

/// Reads the variables and says what is wrong with them.
///
/// # Safety
/// `environment` is null or an array of C strings that ends with null.
pub(crate) unsafe fn read(environment: *const *const c_char) -> Settings {
    let mut settings = Settings::default();
    let mut place = environment;
    while !place.is_null() {
        // SAFETY: the array ends with null, which ends the loop.
        let entry = unsafe { place.read() };
        if entry.is_null() {
            break;
        }
        // SAFETY: an entry is a C string.
        let entry = unsafe { CStr::from_ptr(entry) };
        settings.take(entry.to_bytes());
        // SAFETY: the entry is not the last, so the next one is there.
        place = unsafe { place.add(1) };
    }
    settings
}

impl Settings {
    /// Takes one `NAME=VALUE` of the environment, whosever it is.
    fn take(&mut self, entry: &[u8]) {
        match entry.strip_prefix(MODE) {
            Some(b"hardened") => self.hardened = true,
            Some(_) => complain("no such mode: ", entry),
            None => {}
        }
        let Some(setting) = entry.strip_prefix(PREFIX) else {
            return;
        };
        let end = setting
            .iter()
            .position(|c| *c == b'=')
            .unwrap_or(setting.len());
        let (name, value) = setting.split_at(end);
        match (name, value) {
            (b"STATS", b"=0") => self.stats = false,
            (b"STATS", b"=1") => self.stats = true,
            (b"STATS", _) => complain("neither 0 nor 1: ", entry),
            _ => complain("no such setting: ", entry),
        }
    }
}

fn complain(what: &str, entry: &[u8]) {
    Line::new(what).bytes(entry).send(&Unix::new());
}
