//! Handles on the root stack, and what can be handed to an allocation or a store.
//!
//! `inv:safe.slot` A [`Local`] is the address of a word on its thread's root stack, and reading it always
//! reads that word: so it follows its object when that moves. The word lies below the stack's top as long as
//! the lifetime of the `Local` lasts (`inv:safe.nested`), and what it holds is of the `Local`'s kind: a word
//! changes only through `&mut` [`Root`], which no `Local` made of that root outlives.
//!
//! Absent on purpose: reading without a scope. A thread in native code has no scope at hand, and its stack
//! is then the collector's.

use super::error::AllocError;
use super::kind::{Any, Kind, Of};
use super::scope::Scope;
use super::view::View;
use bowline_layout::Value;
use std::fmt;
use std::marker::PhantomData;
use std::ptr::NonNull;

/// A value that lives, and is found wherever it moves, until the scope `'s` ends.
///
/// It costs a word on the thread's root stack and is copied like a pointer. To look at what it holds, ask a
/// scope for a [`View`]: [`Scope::view`].
pub struct Local<'s, K = Any> {
    slot: NonNull<Value>,
    scope: PhantomData<&'s Value>,
    kind: Of<K>,
}

impl<'s, K> Local<'s, K> {
    /// The handle at `slot`, which is as `inv:safe.slot` wants it for `'s`.
    #[inline(always)]
    pub(super) fn at(slot: NonNull<Value>) -> Self {
        Local {
            slot,
            scope: PhantomData,
            kind: PhantomData,
        }
    }

    #[inline(always)]
    pub(super) fn slot(self) -> NonNull<Value> {
        self.slot
    }

    /// The same handle, for a value of any kind.
    #[inline(always)]
    pub fn erase(self) -> Local<'s> {
        Local::at(self.slot)
    }
}

impl<K> Clone for Local<'_, K> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Local<'_, K> {}

impl<K: Kind> fmt::Debug for Local<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Local<{}>", K::NAME)
    }
}

/// A variable on the root stack: a [`Local`] that can be given other values, for loops.
///
/// ```
/// use bowline_gc::safe::{AllocError, Heap, HeapConfig, Immediate};
///
/// let heap = Heap::start(HeapConfig::default())?;
/// let sum = heap.attach()?.scope(|s| {
///     let mut list = s.root(Immediate::NIL);
///     for i in 0..1_000_000 {
///         list.cons(s, i)?;
///     }
///     let (mut sum, mut rest) = (0, s.view(list.get()));
///     while let Some(pair) = rest.as_pair() {
///         sum += pair.car().as_fixnum().unwrap_or(0);
///         rest = pair.cdr();
///     }
///     Ok::<_, AllocError>(sum)
/// })?;
/// assert_eq!(sum, 499_999_500_000);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub struct Root<'s, K = Any>(Local<'s, K>);

impl<'s, K: Kind> Root<'s, K> {
    /// A variable at `local`'s slot, which nobody else knows.
    #[inline(always)]
    pub(super) fn new(local: Local<'s, K>) -> Self {
        Root(local)
    }

    /// Its value, until it is given another.
    #[inline(always)]
    pub fn get(&self) -> Local<'_, K> {
        self.0
    }

    /// Gives it another value of its kind. `scope` is any scope of this thread.
    #[inline(always)]
    pub fn assign(&mut self, scope: &Scope<'_>, value: impl Names<Kind = K>) {
        scope.set_slot(self.0.slot, value.operand().value());
    }
}

impl Root<'_> {
    /// Gives it another value. `scope` is any scope of this thread.
    #[inline(always)]
    pub fn set<'a>(&mut self, scope: &Scope<'_>, value: impl Into<Operand<'a>>) {
        scope.set_slot(self.0.slot, value.into().value());
    }

    /// Gives it a fresh pair of `car` and of what it holds. Where this fails it holds what it held. `scope` is
    /// any scope of this thread; no other handle is made.
    #[inline(always)]
    pub fn cons<'a>(
        &mut self,
        scope: &mut Scope<'_>,
        car: impl Into<Operand<'a>>,
    ) -> Result<(), AllocError> {
        let pair = scope.fresh_pair(car.into(), Operand::slot(self.0.slot))?;
        scope.set_slot(self.0.slot, pair);
        Ok(())
    }
}

impl<K: Kind> fmt::Debug for Root<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Root<{}>", K::NAME)
    }
}

/// A value that is no object: it needs no root.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Immediate(Value);

impl Immediate {
    /// The empty list.
    pub const NIL: Immediate = Immediate(Value::NIL);
    /// True.
    pub const TRUE: Immediate = Immediate(Value::TRUE);
    /// False.
    pub const FALSE: Immediate = Immediate(Value::FALSE);
    /// The end of a file.
    pub const EOF: Immediate = Immediate(Value::EOF);
    /// What something without a useful value returns.
    pub const UNSPECIFIED: Immediate = Immediate(Value::UNSPECIFIED);
    /// What a variable without a value holds.
    pub const UNBOUND: Immediate = Immediate(Value::UNBOUND);
    /// An argument that was left out.
    pub const DEFAULT: Immediate = Immediate(Value::DEFAULT);

    /// The integer `n`, if it has at most 63 bits.
    #[inline(always)]
    pub const fn fixnum(n: i64) -> Option<Self> {
        match Value::try_fixnum(n) {
            Some(v) => Some(Immediate(v)),
            None => None,
        }
    }

    /// A value that is known to be no pointer.
    pub(super) fn known(v: Value) -> Self {
        debug_assert!(!v.is_pointer());
        Immediate(v)
    }
}

impl fmt::Debug for Immediate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! immediates {
    ($($t:ty, $make:expr;)*) => { $(
        impl From<$t> for Immediate {
            #[inline(always)]
            fn from(x: $t) -> Self {
                Immediate($make(x))
            }
        }
        impl From<$t> for Operand<'_> {
            #[inline(always)]
            fn from(x: $t) -> Self {
                Operand::now($make(x))
            }
        }
    )* };
}

immediates! {
    i32, |n| Value::fixnum(i64::from(n));
    u32, |n| Value::fixnum(i64::from(n));
    u8, |n| Value::fixnum(i64::from(n));
    bool, Value::bool;
    char, Value::char;
}

/// What is handed to an allocation or a store: a handle, a view or an [`Immediate`].
#[derive(Clone, Copy)]
pub struct Operand<'a> {
    what: What,
    lives: PhantomData<&'a Value>,
}

#[derive(Clone, Copy)]
enum What {
    /// The word that holds it.
    Slot(NonNull<Value>),
    /// Itself: no pointer, or one that no safepoint can make stale while the operand lives.
    Now(Value),
}

impl Operand<'_> {
    #[inline(always)]
    pub(super) fn slot(slot: NonNull<Value>) -> Self {
        Operand {
            what: What::Slot(slot),
            lives: PhantomData,
        }
    }

    #[inline(always)]
    pub(super) fn now(v: Value) -> Self {
        Operand {
            what: What::Now(v),
            lives: PhantomData,
        }
    }

    /// What it is now.
    #[inline(always)]
    pub(super) fn value(self) -> Value {
        match self.what {
            // SAFETY: inv:safe.slot: the word is there while the operand lives, and this is called with a
            // scope at hand, so the thread is Managed.
            What::Slot(slot) => unsafe { slot.read() },
            What::Now(v) => v,
        }
    }
}

impl fmt::Debug for Operand<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Operand")
    }
}

impl<'a, K> From<Local<'a, K>> for Operand<'a> {
    #[inline(always)]
    fn from(local: Local<'a, K>) -> Self {
        Operand::slot(local.slot)
    }
}

impl<'a, K> From<View<'a, K>> for Operand<'a> {
    #[inline(always)]
    fn from(view: View<'a, K>) -> Self {
        Operand::now(view.word())
    }
}

impl From<Immediate> for Operand<'_> {
    #[inline(always)]
    fn from(x: Immediate) -> Self {
        Operand::now(x.0)
    }
}

pub(super) mod sealed {
    use super::Operand;

    /// What the heap must know of a name.
    pub trait Word {
        /// The word, to be read with a scope at hand.
        fn operand(&self) -> Operand<'_>;
    }
}
use sealed::Word;

/// Whatever names a value of a kind: a [`Local`], a [`View`], a [`Handle`](super::Handle), or an
/// [`Immediate`].
pub trait Names: Word {
    /// The kind.
    type Kind: Kind;
}

impl<K> Word for Local<'_, K> {
    #[inline(always)]
    fn operand(&self) -> Operand<'_> {
        Operand::slot(self.slot)
    }
}

impl<K: Kind> Names for Local<'_, K> {
    type Kind = K;
}

impl<K> Word for View<'_, K> {
    #[inline(always)]
    fn operand(&self) -> Operand<'_> {
        Operand::now(View::word(*self))
    }
}

impl<K: Kind> Names for View<'_, K> {
    type Kind = K;
}

impl Word for Immediate {
    #[inline(always)]
    fn operand(&self) -> Operand<'_> {
        Operand::now(self.0)
    }
}

impl Names for Immediate {
    type Kind = Any;
}
