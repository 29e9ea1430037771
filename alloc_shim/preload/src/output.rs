//! Text that goes to a descriptor as it is made: of any length, from a buffer on the stack.
//!
//! Nothing here allocates, locks or formats by std, so that it may run in a signal handler.

use crate::text::Text;
use bowline_alloc::pal::write;
use core::ffi::c_int;

/// How every line of the allocator's begins.
const PREFIX: &str = "bowline_malloc: ";

/// The longest line.
const LINE: usize = 256;

/// Lines on their way to a descriptor.
pub(crate) struct Output {
    descriptor: c_int,
    text: Text,
    /// Whether the file took all so far.
    whole: bool,
}

impl Output {
    /// Text for an open descriptor.
    pub(crate) fn to(descriptor: c_int) -> Output {
        Output {
            descriptor,
            text: Text::new(),
            whole: true,
        }
    }

    /// A line: `fill` adds what stands behind the prefix. It must be shorter than [`LINE`].
    pub(crate) fn line(&mut self, fill: impl FnOnce(&mut Text)) {
        if self.text.room() < LINE {
            self.flush();
        }
        self.text.text(PREFIX);
        fill(&mut self.text);
        self.text.text("\n");
    }

    /// Hands over what is left; whether the file took all of it.
    pub(crate) fn end(mut self) -> bool {
        self.flush();
        self.whole
    }

    /// Hands over what is there, unless something was refused before: what stands in a file stands there without a gap.
    fn flush(&mut self) {
        self.whole = self.whole && write(self.descriptor, self.text.as_bytes());
        self.text = Text::new();
    }
}
