//! Lines for the user, made without the formatting machinery.
//!
//! A line is put together on the stack and written by one system call, so that it can be told from a signal handler, from
//! within `malloc` and by several threads at once. What does not fit is cut; the newline always fits.
//!
//! Its functions are never made a part of others: a line is told once, if at all, and what tells it lies in the library's file many times.

#[cfg(test)]
mod tests;

use crate::pal::Pal;

/// The longest line, newline included.
const LONGEST: usize = 256;

/// A line that begins with `bowline_malloc: `.
#[derive(Clone, Debug)]
pub struct Line {
    text: [u8; LONGEST],
    used: usize,
}

impl Line {
    /// A line that so far says `what`.
    #[cold]
    #[inline(never)]
    pub fn new(what: &str) -> Self {
        Line {
            text: [0; LONGEST],
            used: 0,
        }
        .text("bowline_malloc: ")
        .text(what)
    }

    /// Adds a piece of text.
    #[must_use]
    pub fn text(self, piece: &str) -> Self {
        self.bytes(piece.as_bytes())
    }

    /// Adds bytes that came from outside, such as the value of a variable.
    #[cold]
    #[inline(never)]
    #[must_use]
    pub fn bytes(mut self, piece: &[u8]) -> Self {
        for &byte in piece {
            self.push(byte);
        }
        self
    }

    /// Adds a number in decimal digits.
    #[must_use]
    pub fn decimal(self, n: usize) -> Self {
        self.digits(n, 10)
    }

    /// Adds a pointer as C's `%p` shows it.
    #[must_use]
    pub fn pointer<T>(self, p: *const T) -> Self {
        self.text("0x").digits(p.addr(), 16)
    }

    #[cold]
    #[inline(never)]
    fn digits(mut self, mut n: usize, base: usize) -> Self {
        let mut digits = [0; 20];
        let mut used = 0;
        loop {
            digits[used] = b"0123456789abcdef"[n % base];
            used += 1;
            n /= base;
            if n == 0 {
                break;
            }
        }
        for &digit in digits[..used].iter().rev() {
            self.push(digit);
        }
        self
    }

    /// Adds a byte where there is room for it and for the newline.
    fn push(&mut self, byte: u8) {
        if self.used < LONGEST - 1 {
            self.text[self.used] = byte;
            self.used += 1;
        }
    }

    /// The line as it is written.
    pub fn finish(&mut self) -> &[u8] {
        self.text[self.used] = b'\n';
        &self.text[..=self.used]
    }

    /// Writes the line.
    #[inline(never)]
    pub fn send<P: Pal>(mut self, pal: &P) {
        pal.write(self.finish());
    }

    /// Writes the line and ends the process.
    #[cold]
    pub fn die<P: Pal>(self, pal: &P) -> ! {
        self.send(pal);
        pal.abort()
    }
}
