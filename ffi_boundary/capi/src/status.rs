//! Table of the statuses, and the last one of each thread.
//!
//! `inv:status.kept` A thread's last status and text lie in its own storage, which is as old as the thread, so
//! telling an error takes no memory and never fails.

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_char};
use std::fmt::{self, Write};

macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident = $number:literal $c:literal)*) => {
        /// How a call ended.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(C)]
        pub enum Status {
            $($(#[$doc])* $name = $number,)*
        }

        /// Each status's number and its name in C.
        const NAMES: &[(u32, &CStr)] = &[$(($number, $c)),*];
    };
}

statuses! {
    /// It did what was asked.
    Ok = 0 c"BL_OK"
    /// The value is of another type.
    Type = 1 c"BL_E_TYPE"
    /// An integer does not fit, an index is out of range, a size is wrong.
    Range = 2 c"BL_E_RANGE"
    /// A string has a NUL inside.
    Nul = 3 c"BL_E_NUL"
    /// A null pointer where something must be read or written.
    Null = 4 c"BL_E_NULL"
    /// The handle was freed, or is none.
    Stale = 5 c"BL_E_STALE"
    /// The object of the weak handle has died.
    Dead = 6 c"BL_E_DEAD"
    /// Too many handles.
    Limit = 7 c"BL_E_LIMIT"
    /// Memory has run out.
    Memory = 8 c"BL_E_MEMORY"
    /// The thread is in no foreign call.
    Thread = 9 c"BL_E_THREAD"
    /// The thread is in a leaf call.
    Leaf = 10 c"BL_E_LEAF"
    /// An exit is pending.
    Pending = 11 c"BL_E_PENDING"
    /// Not within a no-GC scope.
    NoGc = 12 c"BL_E_NOGC"
    /// The scope is not the innermost one.
    ScopeOrder = 13 c"BL_E_SCOPE_ORDER"
    /// The program has exported nothing under the name.
    Export = 14 c"BL_E_EXPORT"
    /// A constructor has other fields than C was told.
    Layout = 15 c"BL_E_LAYOUT"
}

/// The bytes kept of a text, the NUL that ends it included.
const ROOM: usize = 512;

/// A text that is cut off where the room ends.
struct Text {
    bytes: [u8; ROOM],
    length: usize,
}

impl Write for Text {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        let mut end = s.len().min(ROOM - 1 - self.length);
        while !s.is_char_boundary(end) {
            end -= 1;
        }
        self.bytes[self.length..][..end].copy_from_slice(&s.as_bytes()[..end]);
        self.length += end;
        self.bytes[self.length] = 0;
        // A text that is full takes no more.
        if end == s.len() {
            Ok(())
        } else {
            Err(fmt::Error)
        }
    }
}

thread_local! {
    static LAST: Cell<Status> = const { Cell::new(Status::Ok) };
    static TEXT: RefCell<Text> = const { RefCell::new(Text { bytes: [0; ROOM], length: 0 }) };
}

/// What this thread did last has succeeded.
pub(crate) fn succeed() {
    LAST.set(Status::Ok);
}

/// What this thread did last has failed, and why.
pub(crate) fn fail(status: Status, why: fmt::Arguments<'_>) {
    LAST.set(status);
    TEXT.with_borrow_mut(|text| {
        text.length = 0;
        text.bytes[0] = 0;
        // A text that is cut off is still one.
        let _ = text.write_fmt(why);
    });
}

/// The status of the last call on this thread.
#[unsafe(no_mangle)]
pub extern "C" fn bl_last_status() -> Status {
    LAST.get()
}

/// The same in words.
#[unsafe(no_mangle)]
pub extern "C" fn bl_last_error() -> *const c_char {
    match LAST.get() {
        Status::Ok => c"".as_ptr(),
        // The text begins with its bytes, and this thread's is where it is (inv:status.kept).
        _ => TEXT.with(|text| text.as_ptr().cast::<c_char>().cast_const()),
    }
}

/// The name of a status.
#[unsafe(no_mangle)]
pub extern "C" fn bl_status_name(status: u32) -> *const c_char {
    let known = NAMES.iter().find(|(number, _)| *number == status);
    known.map_or(c"BL_E_?", |(_, name)| *name).as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last() -> (Status, String) {
        // SAFETY: a text that ends with a NUL (inv:status.kept).
        let text = unsafe { CStr::from_ptr(bl_last_error()) };
        let text = text.to_str().expect("whole characters").to_owned();
        (bl_last_status(), text)
    }

    #[test]
    fn a_thread_has_its_own() {
        fail(Status::Range, format_args!("{} is too much", 5));
        assert_eq!(last(), (Status::Range, "5 is too much".into()));
        let other = std::thread::spawn(last).join().expect("ends");
        assert_eq!(other, (Status::Ok, String::new()));
        fail(Status::Null, format_args!("less"));
        assert_eq!(last(), (Status::Null, "less".into()));
        succeed();
        assert_eq!(last(), (Status::Ok, String::new()));
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let long = "é".repeat(ROOM);
        fail(Status::Type, format_args!("x{long} and more"));
        assert_eq!(last().1, format!("x{}", "é".repeat((ROOM - 2) / 2)));
    }

    #[test]
    fn names() {
        let name = |status: u32| {
            // SAFETY: a constant text.
            unsafe { CStr::from_ptr(bl_status_name(status)) }
        };
        assert_eq!(name(Status::Ok as u32), c"BL_OK");
        assert_eq!(name(Status::ScopeOrder as u32), c"BL_E_SCOPE_ORDER");
        assert_eq!(name(Status::Layout as u32 + 1), c"BL_E_?");
    }
}
