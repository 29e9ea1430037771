//! The mappings of this process, as `/proc/self/maps` lists them, by the order of their addresses.
//!
//! It is read by system calls into a buffer on the stack, a line at a time. Of a line that is longer than the buffer the end, which
//! is the end of a file's name, is left out. The calls are by number, for libc's are points where a thread may be cancelled.

use core::ffi::c_int;

/// The longest line.
const LINE: usize = 1024;

/// One line.
#[derive(Debug)]
pub(crate) struct Mapping<'a> {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) is_executable: bool,
    /// Where in the file it begins.
    pub(crate) offset: usize,
    /// The file's name, or what the kernel says instead, or nothing.
    pub(crate) name: &'a [u8],
}

/// Calls `visit` with each mapping; with none where they cannot be read.
pub(crate) fn each(mut visit: impl FnMut(&Mapping<'_>)) {
    let flags = libc::O_RDONLY | libc::O_CLOEXEC;
    let (from, path) = (libc::AT_FDCWD, c"/proc/self/maps".as_ptr());
    // SAFETY: a C string.
    let opened = unsafe { libc::syscall(libc::SYS_openat, from, path, flags) };
    let descriptor = opened as c_int;
    if descriptor < 0 {
        return;
    }
    let (mut line, mut used) = ([0; LINE], 0);
    let mut part = [0u8; 512];
    while let Some(read) = read(descriptor, &mut part) {
        for byte in &part[..read] {
            if *byte != b'\n' {
                if let Some(place) = line.get_mut(used) {
                    *place = *byte;
                    used += 1;
                }
            } else {
                if let Some(mapping) = parse(&line[..used]) {
                    visit(&mapping);
                }
                used = 0;
            }
        }
    }
    crate::place::close(descriptor);
}

/// The next bytes; none at the end.
fn read(descriptor: c_int, part: &mut [u8]) -> Option<usize> {
    loop {
        let (start, room) = (part.as_mut_ptr(), part.len());
        // SAFETY: the part has so much room.
        let read = unsafe { libc::syscall(libc::SYS_read, descriptor, start, room) };
        match usize::try_from(read) {
            Ok(0) => return None,
            Ok(read) => return Some(read),
            Err(_) if crate::errno::get() == libc::EINTR => {}
            Err(_) => return None,
        }
    }
}

/// `start-end rights offset device inode   name`
fn parse(line: &[u8]) -> Option<Mapping<'_>> {
    let mut rest = line;
    let mut word = || {
        let end = rest.iter().position(|byte| *byte == b' ')?;
        let (word, after) = rest.split_at(end);
        let blanks = after.iter().take_while(|byte| **byte == b' ').count();
        rest = &after[blanks..];
        Some(word)
    };
    let range = word()?;
    let rights = word()?;
    let offset = word()?;
    let (_device, _inode) = (word()?, word());
    let dash = range.iter().position(|byte| *byte == b'-')?;
    Some(Mapping {
        start: hexadecimal(&range[..dash])?,
        end: hexadecimal(&range[dash + 1..])?,
        is_executable: rights.get(2) == Some(&b'x'),
        offset: hexadecimal(offset)?,
        name: rest,
    })
}

fn hexadecimal(text: &[u8]) -> Option<usize> {
    let step = |sum: usize, byte: &u8| {
        let digit = (*byte as char).to_digit(16)? as usize;
        sum.checked_mul(16)?.checked_add(digit)
    };
    text.iter().try_fold(0, step)
}
