//! What threads say to a page that is not theirs: lock-free, and safe in signal handlers.
//!
//! Each page has one word, [`Remote`]: the first block of a list of freed blocks, their number, and a *note* that says
//! whether somebody should tell the page's heap. Telling it is to push the page onto the heap's mail, a [`Stack`].
//!
//! ```text
//!             the owner parks the full page            with a push enough are there (from Wanted),
//!            ┌──────────────────────────► WANTED ────┐ or all blocks are free (from Quiet)
//!          QUIET ◄────────────────────────           ├──────────────► POSTED
//!            ▲      the owner unparks it             │                   │
//!            │  └────────────────────────────────────┘                   │
//!            └───────────────────────────────────────────────────────────┘
//!                         whoever has taken the page out of the mail
//! ```
//!
//! `inv:remote.post` Of the pushes onto a page exactly the one that made its note Posted pushes the page onto the mail,
//! so a page is in the mail at most once. Until it has been taken out of there the page keeps its heap and is not
//! released, for the pusher still writes to it.
//!
//! `inv:remote.last` A push whose note was not its own to post touches nothing of the page after its exchange: by then
//! the heap may have released the page.
//!
//! `inv:remote.count` The count is the length of the list, and blocks of the list are counted as used until the heap
//! takes them.
//!
//! Absent: an order between blocks freed by different threads, and counters that would be written by every free.

use crate::sync::{AtomicPtr, AtomicU64, Ordering, const_fn};
use core::ptr;

const FIELD: u32 = 20;
const MASK: u64 = (1 << FIELD) - 1;
/// The bit that says Posted, whatever the other bit of the note.
const POSTED: u32 = 2 * FIELD + 1;
const TURNS: u32 = 1 << (64 - 2 * FIELD - 2);

/// Whether the page's heap is to be told of frees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// Only when all its blocks are free; the heap will come by itself for the others.
    Quiet,
    /// When some blocks are there: the page is parked, and the heap does not look at it.
    Wanted,
    /// Somebody tells it or has told it.
    Posted,
}

/// A page's list of blocks freed by others. All zero is the empty list with a quiet note.
#[derive(Debug)]
pub struct Remote(AtomicU64);

/// The word of a [`Remote`] taken apart. `first` is 0 for no block and one more than the block's number otherwise.
#[derive(Clone, Copy)]
struct Word {
    first: u32,
    count: u32,
    note: Note,
    /// How often it was settled.
    turn: u32,
}

impl Word {
    fn of(bits: u64) -> Self {
        Self {
            first: (bits & MASK) as u32,
            count: (bits >> FIELD & MASK) as u32,
            turn: (bits >> (2 * FIELD + 2)) as u32,
            note: match bits >> (2 * FIELD) & 3 {
                0 => Note::Quiet,
                1 => Note::Wanted,
                _ => Note::Posted,
            },
        }
    }

    fn bits(self) -> u64 {
        let note = match self.note {
            Note::Quiet => 0,
            Note::Wanted => 1,
            Note::Posted => 1 << (POSTED - 2 * FIELD),
        };
        let lower = u64::from(self.first) | u64::from(self.count) << FIELD;
        lower | note << (2 * FIELD) | u64::from(self.turn) << (2 * FIELD + 2)
    }
}

/// A list taken off a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Number of the first block; `None` when there is no block.
    pub first: Option<u32>,
    /// How many there are.
    pub count: u32,
}

/// The next block of a list, as the block itself remembers it: 0 for none, otherwise one more than its number.
pub type Link = u32;

/// What [`Link`] says.
pub fn follow(link: Link) -> Option<u32> {
    link.checked_sub(1)
}

impl Remote {
    const_fn! {
        /// The empty list.
        pub fn new() -> Self {
            Self(AtomicU64::new(0))
        }
    }

    /// Forgets everything: the page begins.
    pub fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// Pushes the block with this number. `link` writes into the block what comes after it, perhaps several times; `enough`
    /// reads how long the list must be for the heap to be told: on a quiet page as many as are in use, those of the list
    /// counted. True when the caller must now tell it.
    #[inline(always)]
    pub fn push(&self, block: u32, enough: impl Fn(Note) -> u32, link: impl Fn(Link)) -> bool {
        // The acquire makes the number in use at least as new as the last `settle`.
        let mut bits = self.0.load(Ordering::Acquire);
        loop {
            let Word {
                first, count, note, ..
            } = Word::of(bits);
            let enough = match note {
                Note::Posted => u32::MAX,
                Note::Quiet | Note::Wanted => enough(note),
            };
            link(first);
            let post = count + 1 >= enough;
            // One more, and this one first. Not taken apart and put together, for every free by another thread comes here.
            let pushed = (bits & !MASK | u64::from(block + 1)) + (1 << FIELD);
            let new = pushed | u64::from(post) << POSTED;
            let order = (Ordering::AcqRel, Ordering::Acquire);
            match self.0.compare_exchange_weak(bits, new, order.0, order.1) {
                Ok(_) => return post,
                Err(now) => bits = now,
            }
        }
    }

    /// Changes the word to what `change` makes of it, unless it makes nothing; gives the word as it was.
    fn change(&self, change: impl Fn(Word) -> Option<Word>) -> Result<Word, Word> {
        let mut bits = self.0.load(Ordering::Acquire);
        loop {
            let old = Word::of(bits);
            let Some(new) = change(old) else {
                return Err(old);
            };
            let swapped =
                self.0
                    .compare_exchange_weak(bits, new.bits(), Ordering::AcqRel, Ordering::Acquire);
            match swapped {
                Ok(_) => return Ok(old),
                Err(now) => bits = now,
            }
        }
    }

    /// Takes the list, the note left as it is. The heap's holder only.
    pub fn take(&self) -> Taken {
        let emptied = |word: Word| {
            (word.count > 0).then_some(Word {
                first: 0,
                count: 0,
                ..word
            })
        };
        let (Ok(word) | Err(word)) = self.change(emptied);
        Taken {
            first: follow(word.first),
            count: word.count,
        }
    }

    /// The list as it stands, for looking at it.
    pub fn peek(&self) -> Taken {
        let word = Word::of(self.0.load(Ordering::Acquire));
        Taken {
            first: follow(word.first),
            count: word.count,
        }
    }

    /// The note as it stands.
    pub fn note(&self) -> Note {
        Word::of(self.0.load(Ordering::Acquire)).note
    }

    /// Asks to be told when there are enough blocks. False when there are blocks to take instead. The heap's holder only.
    pub fn want(&self) -> bool {
        let wanted = |word: Word| {
            let note = match word.note {
                Note::Quiet => Note::Wanted,
                note => note,
            };
            (word.count == 0).then_some(Word { note, ..word })
        };
        self.change(wanted).is_ok()
    }

    /// Asks to be told no more. A page already posted stays so. The heap's holder only.
    pub fn quiet(&self) {
        let quiet = |word: Word| {
            (word.note == Note::Wanted).then_some(Word {
                note: Note::Quiet,
                ..word
            })
        };
        let (Ok(_) | Err(_)) = self.change(quiet);
    }

    /// The page has been taken out of the mail. Whoever took it only.
    pub fn receive(&self) {
        let (Ok(_) | Err(_)) = self.change(|word| {
            Some(Word {
                note: Note::Quiet,
                ..word
            })
        });
    }

    /// Publishes how many blocks are in use to whoever pushes next. False when there are blocks to take first.
    ///
    /// Without it the last push onto a page whose heap rests might read an old number and tell nobody. The turn makes
    /// the exchange of a push fail that has read the word and the number before.
    pub fn settle(&self) -> bool {
        let settled = |word: Word| {
            let turn = (word.turn + 1) % TURNS;
            (word.count == 0).then_some(Word { turn, ..word })
        };
        self.change(settled).is_ok()
    }
}

/// What can be on a [`Stack`].
pub trait Linked: Sized {
    /// Where the stack keeps what comes after this one.
    fn link(&self) -> &AtomicPtr<Self>;
}

/// A stack that anybody pushes to and that is taken as a whole, so that no pop can mistake an old top for a new one.
#[derive(Debug)]
pub struct Stack<T>(AtomicPtr<T>);

impl<T: Linked> Stack<T> {
    const_fn! {
        /// The empty stack.
        pub fn new() -> Self {
            Self(AtomicPtr::new(ptr::null_mut()))
        }
    }

    /// Pushes `item`, which must be on no stack.
    pub fn push(&self, item: &T) {
        let item: *const T = item;
        let item = item.cast_mut();
        let mut top = self.0.load(Ordering::Relaxed);
        loop {
            // SAFETY: inv:remote.post: `item` came from a reference, and its link is the pusher's to write.
            unsafe { &*item }.link().store(top, Ordering::Relaxed);
            match self
                .0
                .compare_exchange_weak(top, item, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) => return,
                Err(now) => top = now,
            }
        }
    }

    /// Takes everything: the top, from which [`Linked::link`] leads on to null.
    pub fn take_all(&self) -> *mut T {
        self.0.swap(ptr::null_mut(), Ordering::AcqRel)
    }

    /// Whether nothing is there.
    pub fn is_empty(&self) -> bool {
        self.0.load(Ordering::Acquire).is_null()
    }
}

impl Default for Remote {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Linked> Default for Stack<T> {
    fn default() -> Self {
        Self::new()
    }
}
