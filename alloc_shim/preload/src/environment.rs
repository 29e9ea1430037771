//! The environment variables `BOWLINE_MALLOC` and `BOWLINE_MALLOC_…`.
//!
//! | variable | value | meaning |
//! |---|---|---|
//! | `BOWLINE_MALLOC` | `hardened` | writes to freed blocks and past the end of blocks are found (`bowline_alloc::hardened`) |
//! | `MALLOC_CHECK_` | a number, not 0 | the same |
//! | `BOWLINE_MALLOC_LIMIT` | a size | the most that blocks may occupy |
//! | `BOWLINE_MALLOC_STATS` | `0`, `1` or a file | figures when the process exits |
//! | `BOWLINE_MALLOC_MAP_SIGNAL` | a signal | on it a map of pages is written |
//! | `BOWLINE_MALLOC_MAP` | a file | where to, instead of standard error |
//! | `BOWLINE_MALLOC_PROFILE` | a file | a heap profile when the process exits |
//! | `BOWLINE_MALLOC_PROFILE_SAMPLE` | a size | how many bytes to a sample, on average |
//! | `BOWLINE_MALLOC_PROFILE_SIGNAL` | a signal | on it the profile is written as well |
//!
//! A size is a number of bytes, or of KiB, MiB, GiB, TiB with `k`, `m`, `g`, `t` behind it. A file is a path with a `/`
//! ([`crate::place`]). A signal is a number, or one of a few names ([`crate::signals`]).
//!
//! What is unknown is named in one line, and the process goes on: a misspelt setting must not look like one
//! that works, and must not break a program either. A variable without a value is as good as none: scripts that cannot
//! take a variable away empty it.
//!
//! `inv:environment.secure` In a process that has gained rights at its start (set-user-ID, capabilities) no variable counts: whoever
//! started it must not have it write to files.
//!
//! Absent on purpose: `getenv`. The shared library is initialised before libc has set `environ`; the variables
//! come from the third argument that the dynamic linker gives to every initialiser.

use crate::signals;
use bowline_alloc::pal::Unix;
use bowline_alloc::report::Line;
use core::ffi::{CStr, c_char, c_int};

/// What the variables say. Names of files are still in the environment.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Settings<'a> {
    /// Whether to find writes to freed blocks.
    pub(crate) hardened: bool,
    /// The most bytes that blocks may occupy.
    pub(crate) limit: Option<usize>,
    /// Whether to write figures at exit.
    pub(crate) stats: bool,
    /// Where to, if not to standard error.
    pub(crate) stats_file: Option<&'a [u8]>,
    /// On which signal to write the map of pages.
    pub(crate) map_signal: Option<c_int>,
    /// Where to, if not to standard error.
    pub(crate) map_file: Option<&'a [u8]>,
    /// Where to write a heap profile at exit.
    pub(crate) profile: Option<&'a [u8]>,
    /// Bytes to a sample.
    pub(crate) sample: Option<usize>,
    /// On which signal to write the profile, too.
    pub(crate) profile_signal: Option<c_int>,
}

const MODE: &[u8] = b"BOWLINE_MALLOC=";
/// What asks glibc's malloc for checks.
const CHECK: &[u8] = b"MALLOC_CHECK_=";
const PREFIX: &[u8] = b"BOWLINE_MALLOC_";

const NO_SETTING: &str = "no such setting: ";
const NO_SIZE: &str = "not a size: ";
const NO_SIGNAL: &str = "not a signal for this: ";
const NO_FILE: &str = "not a path with a /: ";
const DECLINED: &str = "another malloc serves this process: BOWLINE_MALLOC variables mean nothing";

/// Reads the variables and says what is wrong with them.
///
/// # Safety
/// `environment` is null or an array of C strings that ends with null; they stay as they are as long as the settings are used.
pub(crate) unsafe fn read<'a>(environment: *const *const c_char) -> Settings<'a> {
    let mut settings = Settings::default();
    // SAFETY: as the caller says.
    unsafe { each(environment, |entry| settings.take(entry)) };
    settings
}

/// Says that the variables mean nothing where there are some: another malloc serves the process, and does not read them.
///
/// # Safety
/// As for [`read`].
#[cold]
#[inline(never)]
pub(crate) unsafe fn decline(environment: *const *const c_char) {
    let mut some = false;
    let look = |entry: &[u8]| {
        let ours = entry.starts_with(MODE) || entry.starts_with(PREFIX);
        let value = entry.iter().skip_while(|c| **c != b'=').nth(1);
        some |= ours && value.is_some();
    };
    // SAFETY: as the caller says.
    unsafe { each(environment, look) };
    if some {
        Line::new(DECLINED).send(&Unix::new());
    }
}

/// Calls `visit` with each variable that counts.
///
/// # Safety
/// As for [`read`].
unsafe fn each<'a>(environment: *const *const c_char, mut visit: impl FnMut(&'a [u8])) {
    // SAFETY: any entry of the auxiliary vector may be asked for.
    let secure = unsafe { libc::getauxval(libc::AT_SECURE) } != 0;
    let mut place = environment;
    // inv:environment.secure
    while !place.is_null() && !secure {
        // SAFETY: the array ends with null, which ends the loop.
        let entry = unsafe { place.read() };
        if entry.is_null() {
            break;
        }
        // SAFETY: an entry is a C string.
        let entry = unsafe { CStr::from_ptr(entry) };
        visit(entry.to_bytes());
        // SAFETY: the entry is not the last, so the next one is there.
        place = unsafe { place.add(1) };
    }
}

impl<'a> Settings<'a> {
    /// Takes one `NAME=VALUE` of the environment, whosever it is.
    fn take(&mut self, entry: &'a [u8]) {
        match entry.strip_prefix(MODE) {
            Some(b"hardened") => self.hardened = true,
            Some(b"") | None => {}
            Some(_) => complain("no such mode: ", entry),
        }
        match entry
            .strip_prefix(CHECK)
            .map(|value| (value, decimal(value)))
        {
            Some((_, Some(number))) => self.hardened |= number != 0,
            Some((b"", None)) | None => {}
            Some(_) => complain("not a number: ", entry),
        }
        let Some(setting) = entry.strip_prefix(PREFIX) else {
            return;
        };
        let Some(end) = setting.iter().position(|c| *c == b'=') else {
            return complain(NO_SETTING, entry);
        };
        let (name, value) = (&setting[..end], &setting[end + 1..]);
        match self.set(name, value) {
            Some(wrong) if !value.is_empty() || wrong == NO_SETTING => complain(wrong, entry),
            _ => {}
        }
    }

    /// Whether something is to be told when the process exits or on a signal.
    pub(crate) fn tell(&self) -> bool {
        let files = [self.stats_file, self.map_file, self.profile];
        self.stats || self.map_signal.is_some() || files.iter().any(Option::is_some)
    }

    /// Takes one setting; what is wrong with it.
    #[cold]
    #[inline(never)]
    fn set(&mut self, name: &[u8], value: &'a [u8]) -> Option<&'static str> {
        match name {
            b"LIMIT" => {
                self.limit = size(value);
                self.limit.is_none().then_some(NO_SIZE)
            }
            b"STATS" => {
                self.stats_file = file(value);
                self.stats = value == b"1" || self.stats_file.is_some();
                let known = self.stats || value == b"0";
                (!known).then_some("neither 0 nor 1 nor a path with a /: ")
            }
            b"MAP_SIGNAL" => {
                self.map_signal = signals::named(value);
                self.map_signal.is_none().then_some(NO_SIGNAL)
            }
            b"MAP" => {
                self.map_file = file(value);
                self.map_file.is_none().then_some(NO_FILE)
            }
            b"PROFILE" => {
                self.profile = file(value);
                self.profile.is_none().then_some(NO_FILE)
            }
            b"PROFILE_SAMPLE" => {
                self.sample = size(value);
                self.sample.is_none().then_some(NO_SIZE)
            }
            b"PROFILE_SIGNAL" => {
                self.profile_signal = signals::named(value);
                self.profile_signal.is_none().then_some(NO_SIGNAL)
            }
            _ => Some(NO_SETTING),
        }
    }
}

/// A file's path: it has a `/`, so that a misspelt word is not taken for one.
fn file(value: &[u8]) -> Option<&[u8]> {
    value.contains(&b'/').then_some(value)
}

/// A number in decimal digits.
pub(crate) fn decimal(text: &[u8]) -> Option<usize> {
    let digit = |byte: u8| byte.is_ascii_digit().then_some((byte - b'0') as usize);
    let step = |sum: usize, byte: &u8| sum.checked_mul(10)?.checked_add(digit(*byte)?);
    let number = text.iter().try_fold(0, step)?;
    (!text.is_empty()).then_some(number)
}

/// A number of bytes, with a unit or without; none is not one.
fn size(text: &[u8]) -> Option<usize> {
    let (unit, digits) = text.split_last()?;
    let shift = match unit.to_ascii_lowercase() {
        b'k' => 10,
        b'm' => 20,
        b'g' => 30,
        b't' => 40,
        _ => 0,
    };
    let digits = if shift == 0 { text } else { digits };
    let bytes = decimal(digits)?.checked_mul(1 << shift)?;
    (bytes != 0).then_some(bytes)
}

#[cold]
#[inline(never)]
fn complain(what: &str, entry: &[u8]) {
    Line::new(what).bytes(entry).send(&Unix::new());
}
