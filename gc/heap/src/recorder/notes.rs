//! What happens where nothing may be locked: in C's `malloc`, in a signal handler, halfway into a
//! collection.
//!
//! `inv:notes.word` A note is one word, a time and what happened, put into a ring by two atomic steps. So it
//! can be made anywhere; only the recorder's thread takes notes out.
//!
//! Absent on purpose: certainty. If more than [`ROOM`] notes are made between two readings the oldest are
//! lost, and counted.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const ROOM: usize = 256;
const KIND_BITS: u32 = 8;

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Note {
    /// A signal asks the process to end.
    Interrupt = 1,
    /// An allocation of the heap's was refused.
    OutOfMemory = 2,
    /// Zeal wants a collection.
    Zeal = 3,
    /// C's `malloc` asked for a collection.
    Asked = 4,
    /// C's `malloc` waits for a collection.
    Waits = 5,
    /// C's `malloc` was refused memory.
    Refused = 6,
}

impl Note {
    const ALL: [Note; 6] = [
        Note::Interrupt,
        Note::OutOfMemory,
        Note::Zeal,
        Note::Asked,
        Note::Waits,
        Note::Refused,
    ];

    /// What a trace calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Note::Interrupt => "interrupted",
            Note::OutOfMemory => "out of memory",
            Note::Zeal => "zeal",
            Note::Asked => "malloc asked for a collection",
            Note::Waits => "malloc waits for a collection",
            Note::Refused => "malloc refused",
        }
    }
}

/// The ring.
pub(crate) struct Notes {
    words: [AtomicU64; ROOM],
    made: AtomicU64,
    read: AtomicU64,
}

impl Notes {
    pub(crate) const fn new() -> Self {
        Notes {
            words: [const { AtomicU64::new(0) }; ROOM],
            made: AtomicU64::new(0),
            read: AtomicU64::new(0),
        }
    }

    /// Notes that this happened, `ns` nanoseconds after the start (`inv:notes.word`).
    pub(crate) fn add(&self, note: Note, ns: u64) {
        let at = self.made.fetch_add(1, Relaxed) as usize % ROOM;
        self.words[at].store(ns << KIND_BITS | note as u64, Relaxed);
    }

    /// Calls `f` with each note since the last reading, and returns how many were lost.
    pub(crate) fn read(&self, mut f: impl FnMut(Note, u64)) -> u64 {
        let made = self.made.load(Relaxed);
        let first = self.read.swap(made, Relaxed);
        let lost = (made - first).saturating_sub(ROOM as u64);
        for at in first + lost..made {
            let word = self.words[at as usize % ROOM].swap(0, Relaxed);
            let kind = word as u8;
            // A note that is being made is read as none.
            if let Some(note) = Note::ALL.into_iter().find(|note| *note as u8 == kind) {
                f(note, word >> KIND_BITS);
            }
        }
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(notes: &Notes) -> (Vec<(Note, u64)>, u64) {
        let mut seen = Vec::new();
        let lost = notes.read(|note, ns| seen.push((note, ns)));
        (seen, lost)
    }

    #[test]
    fn notes_are_read_once() {
        let notes = Notes::new();
        notes.add(Note::Zeal, 7);
        notes.add(Note::Refused, 1 << 50);
        assert_eq!(
            all(&notes),
            (vec![(Note::Zeal, 7), (Note::Refused, 1 << 50)], 0)
        );
        assert_eq!(all(&notes), (vec![], 0));
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let notes = Notes::new();
        (0..ROOM as u64 + 3).for_each(|n| notes.add(Note::Asked, n));
        let (seen, lost) = all(&notes);
        assert_eq!((seen.len(), lost), (ROOM, 3));
        assert_eq!(seen[0], (Note::Asked, 3));
    }

    #[test]
    fn every_note_has_a_name_of_its_own() {
        let mut names: Vec<_> = Note::ALL.iter().map(|note| note.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Note::ALL.len());
    }
}
