//! Output ports: a buffer in front of a file, a standard stream, or nothing (memory).

use std::fs::File;
use std::io::{self, IsTerminal, Write};

use bowline_gc::Interrupter;

use super::{exit, flags, has_room};

/// Where output goes.
pub enum Sink {
    /// Nowhere: it is kept.
    Memory,
    /// A file.
    File(File),
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

const BUFFER: usize = 16 * 1024;
/// Bytes that are buffered at once, of those that are written at once.
const PART: usize = 1 << 20;

/// An output port.
pub struct Output {
    sink: Sink,
    /// What the sink has not got yet; for standard output that is elsewhere (inv:port.exit).
    buffer: Vec<u8>,
    textual: bool,
    /// Flush at each line end (a terminal), or at each write (standard error).
    by_line: bool,
    at_once: bool,
    /// Whether the last byte ended a line, or there was none.
    line_start: bool,
    /// Who may end a write that takes long.
    pub(super) interrupter: Option<Interrupter>,
    /// How much may be kept in memory.
    pub(super) limit: usize,
}

impl Output {
    /// A port that writes to `sink`.
    pub fn new(sink: Sink, textual: bool) -> Output {
        let at_once = matches!(sink, Sink::Stderr);
        if matches!(sink, Sink::Stdout) {
            exit::write_at_exit();
        }
        Output {
            sink,
            buffer: Vec::new(),
            textual,
            by_line: false,
            at_once,
            line_start: true,
            interrupter: None,
            limit: usize::MAX,
        }
    }

    pub(super) fn stdout() -> Output {
        Output {
            by_line: io::stdout().is_terminal(),
            ..Output::new(Sink::Stdout, true)
        }
    }

    pub(super) fn stderr() -> Output {
        Output::new(Sink::Stderr, true)
    }

    pub(super) fn flags(&self) -> i64 {
        let kind = match (&self.sink, self.textual) {
            // The standard streams take both, as C's do.
            (Sink::Stdout | Sink::Stderr, _) => flags::TEXTUAL | flags::BINARY,
            (_, true) => flags::TEXTUAL,
            (_, false) => flags::BINARY,
        };
        match self.sink {
            Sink::Memory => kind | flags::MEMORY,
            _ => kind,
        }
    }

    /// Where it goes, for messages.
    pub(super) fn destination(&self) -> &'static str {
        match self.sink {
            Sink::Memory => "memory",
            Sink::File(_) => "a file that the program left open",
            Sink::Stdout => "standard output",
            Sink::Stderr => "standard error",
        }
    }

    /// What a memory port has got so far.
    pub(super) fn memory(&self) -> &[u8] {
        &self.buffer
    }

    /// Writes bytes; text is UTF-8. Memory takes all of them or, where it would get too many, none.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(last) = bytes.last() {
            self.line_start = *last == b'\n';
        }
        if matches!(self.sink, Sink::Memory) {
            let fits = bytes.len() <= self.limit.saturating_sub(self.buffer.len());
            if !fits || !has_room(&mut self.buffer, bytes.len()) {
                return Err(io::ErrorKind::OutOfMemory.into());
            }
            self.buffer.extend_from_slice(bytes);
            return Ok(());
        }
        // They may be more than memory has room for.
        for part in bytes.chunks(PART) {
            let pending = self.pend(part);
            if pending >= BUFFER || self.at_once || self.by_line && part.contains(&b'\n') {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Notes bytes for the system. Returns how many it has not got yet.
    fn pend(&mut self, bytes: &[u8]) -> usize {
        if matches!(self.sink, Sink::Stdout) {
            let mut pending = exit::pending();
            pending.extend_from_slice(bytes);
            return pending.len();
        }
        self.buffer.extend_from_slice(bytes);
        self.buffer.len()
    }

    /// Hands what is buffered to the system. What could not be written is dropped with the error:
    /// a full disk must not make every later write fail for the same bytes.
    pub fn flush(&mut self) -> io::Result<()> {
        let result = match &mut self.sink {
            Sink::Memory => return Ok(()),
            Sink::File(file) => write_all(file, &self.buffer, &self.interrupter),
            Sink::Stdout => {
                let mut pending = exit::pending();
                let mut out = io::stdout().lock();
                let written = write_all(&mut out, &pending, &self.interrupter);
                pending.clear();
                written.and_then(|()| out.flush())
            }
            Sink::Stderr => write_all(&mut io::stderr().lock(), &self.buffer, &self.interrupter),
        };
        self.buffer.clear();
        result
    }

    /// Whether what comes next begins a line.
    pub fn is_at_line_start(&self) -> bool {
        self.line_start
    }

    /// Says that somebody else has ended the line.
    pub fn line_was_ended(&mut self) {
        self.line_start = true;
    }
}

/// Bytes handed to the system at once, so that a slow terminal can be interrupted in between.
const PIECE: usize = 4 * 1024;

/// Writes everything, unless somebody interrupts that.
fn write_all(out: &mut dyn Write, bytes: &[u8], who: &Option<Interrupter>) -> io::Result<()> {
    let Some(interrupter) = who else {
        return out.write_all(bytes);
    };
    for piece in bytes.chunks(PIECE) {
        let mut rest = piece;
        while !rest.is_empty() {
            if interrupter.is_requested() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            match out.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => rest = &rest[n..],
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_device_reports_once_and_the_port_stays_usable() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut out = Output::new(Sink::File(full), true);
        out.write(b"x").unwrap();
        assert_eq!(out.flush().unwrap_err().raw_os_error(), Some(libc::ENOSPC));
        assert!(out.flush().is_ok());
    }
}
