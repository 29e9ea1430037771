//! A file that the environment names, to be opened later.
//!
//! `inv:place.copy` The name is copied at the start, for programs write over their environment, and made absolute, for they change
//! their folder. It is written before any handler that reads it is registered, and never again.
//!
//! In the name `%p` stands for the number of the process that writes, so that a program and what it starts write to files of their
//! own; `%n` for how many files this process has written under the name, this one counted; and `%%` for a percent sign.

use crate::standard_error;
use crate::text::Text;
use bowline_alloc::report::Line;
use core::ffi::{CStr, c_int};
use core::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

/// The longest name, the current folder counted.
pub(crate) const LONGEST: usize = 1000;

/// See the module.
pub(crate) struct Place {
    bytes: [AtomicU8; LONGEST],
    used: AtomicUsize,
    /// How often it was opened.
    turn: AtomicUsize,
}

impl Place {
    /// No file.
    pub(crate) const fn none() -> Place {
        Place {
            bytes: [const { AtomicU8::new(0) }; LONGEST],
            used: AtomicUsize::new(0),
            turn: AtomicUsize::new(0),
        }
    }

    /// Whether a file was named.
    pub(crate) fn is_some(&self) -> bool {
        self.used.load(Ordering::Acquire) != 0
    }

    /// Names the file; false where the name is too long, or the current folder is not known.
    pub(crate) fn set(&self, name: &[u8]) -> bool {
        let mut folder = [0u8; LONGEST];
        let mut used = 0;
        if !name.starts_with(b"/") {
            // The system's own: libc's allocates where the name is long.
            // SAFETY: the folder has so much room.
            let length = unsafe { libc::syscall(libc::SYS_getcwd, folder.as_mut_ptr(), LONGEST) };
            // The end of the string is counted, and becomes the slash.
            used = usize::try_from(length).unwrap_or(0);
            if used == 0 || folder[0] != b'/' {
                return false;
            }
            folder[used - 1] = b'/';
        }
        if used + name.len() > LONGEST {
            return false;
        }
        for (cell, byte) in self.bytes.iter().zip(folder[..used].iter().chain(name)) {
            cell.store(*byte, Ordering::Relaxed);
        }
        // inv:place.copy: whoever sees the length sees the name.
        self.used.store(used + name.len(), Ordering::Release);
        true
    }

    /// Opens the file to add to it. Where it cannot be opened, a line says so.
    pub(crate) fn open(&self) -> Option<c_int> {
        self.open_as(libc::O_APPEND)
    }

    /// The same, and what was in it is gone.
    pub(crate) fn open_anew(&self) -> Option<c_int> {
        self.open_as(libc::O_TRUNC)
    }

    fn open_as(&self, before: c_int) -> Option<c_int> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) + 1;
        let mut name = Text::new();
        self.spell(&mut name, turn);
        name.text("\0");
        let name = CStr::from_bytes_until_nul(name.as_bytes()).ok()?;
        let kind = libc::O_WRONLY | libc::O_CREAT | before;
        // A named pipe that nobody reads is refused, and holds nobody up.
        let flags = kind | libc::O_CLOEXEC | libc::O_NOCTTY | libc::O_NONBLOCK;
        let (from, path) = (libc::AT_FDCWD, name.as_ptr());
        // SAFETY: a C string. By number: nobody may be cancelled in here.
        let opened = unsafe { libc::syscall(libc::SYS_openat, from, path, flags, 0o644) };
        let descriptor = opened as c_int;
        if descriptor < 0 {
            let number = crate::errno::get();
            let line = Line::new("cannot open ").bytes(name.to_bytes());
            standard_error::say(line.text(": error ").decimal(number as usize));
            return None;
        }
        // But its reader may take its time.
        // SAFETY: no pointer is involved.
        unsafe { libc::syscall(libc::SYS_fcntl, descriptor, libc::F_SETFL, before) };
        Some(descriptor)
    }

    /// The name, with the numbers that it asks for.
    fn spell(&self, name: &mut Text, turn: usize) {
        let used = self.used.load(Ordering::Acquire);
        let mut bytes = self.bytes[..used]
            .iter()
            .map(|byte| byte.load(Ordering::Relaxed));
        while let Some(byte) = bytes.next() {
            if byte != b'%' {
                name.byte(byte);
                continue;
            }
            match bytes.next() {
                Some(b'p') => {
                    name.number(process());
                }
                Some(b'n') => {
                    name.number(turn);
                }
                Some(b'%') | None => name.byte(b'%'),
                Some(other) => {
                    name.byte(b'%');
                    name.byte(other);
                }
            }
        }
    }
}

/// The number of this process.
pub(crate) fn process() -> usize {
    // SAFETY: the call has no precondition.
    let process = unsafe { libc::getpid() };
    process as usize
}

/// Closes what `open` has opened.
pub(crate) fn close(descriptor: c_int) {
    // SAFETY: whoever calls has opened it, and uses it no more.
    unsafe { libc::syscall(libc::SYS_close, descriptor) };
}
