//! Text made without the formatting machinery, for figures.

/// The longest text.
const LONGEST: usize = 2048;

/// Text on the stack. What does not fit is cut.
pub(crate) struct Text {
    bytes: [u8; LONGEST],
    used: usize,
}

impl Text {
    pub(crate) fn new() -> Text {
        Text {
            bytes: [0; LONGEST],
            used: 0,
        }
    }

    /// Adds text as it stands.
    pub(crate) fn text(&mut self, piece: &str) -> &mut Text {
        let room = &mut self.bytes[self.used..];
        let fits = piece.len().min(room.len());
        room[..fits].copy_from_slice(&piece.as_bytes()[..fits]);
        self.used += fits;
        self
    }

    /// Adds a byte.
    pub(crate) fn byte(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.used) {
            *place = byte;
            self.used += 1;
        }
    }

    /// How many bytes there is room for.
    pub(crate) fn room(&self) -> usize {
        LONGEST - self.used
    }

    /// Adds so many blanks.
    pub(crate) fn blanks(&mut self, count: usize) -> &mut Text {
        (0..count).for_each(|_| self.byte(b' '));
        self
    }

    /// Adds an address as C's `%p` shows it.
    pub(crate) fn address(&mut self, address: usize) -> &mut Text {
        self.text("0x");
        let digits = (usize::BITS - address.leading_zeros()).div_ceil(4).max(1);
        for place in (0..digits).rev() {
            self.byte(b"0123456789abcdef"[address >> (4 * place) & 15]);
        }
        self
    }

    /// Adds a number, with blanks before it up to a width.
    pub(crate) fn right(&mut self, number: usize, width: usize) -> &mut Text {
        let mut digits = [b' '; 20];
        let mut place = digits.len();
        let mut rest = number;
        loop {
            place -= 1;
            digits[place] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        let start = place.min(digits.len() - width.min(digits.len()));
        // Digits and blanks are text.
        self.text(core::str::from_utf8(&digits[start..]).unwrap_or_default())
    }

    /// Adds a number.
    pub(crate) fn number(&mut self, number: usize) -> &mut Text {
        self.right(number, 0)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.used]
    }
}
