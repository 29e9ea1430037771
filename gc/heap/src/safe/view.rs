//! Views: objects as they stand, while nothing can move them.
//!
//! A [`View`] is the plain word, with the lifetime of a shared borrow of a scope. While that borrow lasts the
//! thread can reach no safepoint (`inv:safe.token`), so no object moves or dies and the word stays right: a
//! view needs no root, no check, and costs what a pointer costs.
//!
//! `inv:safe.race` Objects may be changed by other threads while they are looked at. So words are loaded and
//! stored as atomics: a load is an Acquire and a store a Release, so whoever sees a reference sees what the
//! object was filled with before. Bytes are lent as `&[u8]` only if they never change after they were
//! filled; others as atomics.
//!
//! Absent on purpose: locks. What two threads store into one object at a time is theirs to agree upon; the
//! heap stays whole whatever they do.

use super::kind::{
    self, Any, Buffer, ByteForm, Ephemeron, Field, FixedBytes, Flonum, Foreign, Found, Kind,
    Object, Of, Pair, RawField, RawWord, Record, Text, Values, WeakPair, WeakValues, WrongKind,
};
use super::scope::Scope;
use crate::access;
use crate::heap::heap;
use bowline_layout::{Header, Value, ephemeron, flonum, foreign_pointer, weak_pair};
use std::ffi::c_void;
use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// An object, or another value, as it stands; good while the scope is only looked at.
///
/// Whatever may collect wants the scope mutably, so a view that is still needed then is an error of the
/// compiler's. [`Scope::local`](super::Scope::local) makes a handle of it before.
pub struct View<'v, K = Any> {
    word: Value,
    /// The borrow of the scope.
    at: PhantomData<&'v Value>,
    kind: Of<K>,
    on_thread: PhantomData<*const ()>,
}

impl<K> Clone for View<'_, K> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for View<'_, K> {}

impl<K> fmt::Debug for View<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.word.fmt(f)
    }
}

impl<'v, K> View<'v, K> {
    /// A view of `word`, which is of kind `K` (`inv:safe.kind`) and no stale pointer during `'v`.
    #[inline(always)]
    pub(super) fn new(word: Value) -> Self {
        View {
            word,
            at: PhantomData,
            kind: PhantomData,
            on_thread: PhantomData,
        }
    }

    #[inline(always)]
    pub(super) fn word(self) -> Value {
        self.word
    }

    /// The word, where the collector updates it.
    pub(super) fn word_mut(&mut self) -> &mut Value {
        &mut self.word
    }

    /// The same view, of a value of any kind.
    #[inline(always)]
    pub fn erase(self) -> View<'v> {
        View::new(self.word)
    }

    /// Word `i` as an atomic.
    #[inline(always)]
    fn cell(self, i: usize) -> &'v AtomicU64 {
        let at = access::pointer(self.word.addr().word(i));
        // SAFETY: inv:safe.kind: the object has that word; it stays where it is during `'v`
        // (inv:safe.token), and is changed as an atomic alone (inv:safe.race).
        unsafe { AtomicU64::from_ptr(at) }
    }

    /// Word `i`, a value.
    #[inline(always)]
    fn load(self, i: usize) -> View<'v> {
        View::new(Value::from_bits(self.cell(i).load(Ordering::Acquire)))
    }

    /// Word `i`, a weak value: nothing if it is broken.
    #[inline(always)]
    fn load_weak(self, i: usize, scope: &Scope<'_>) -> Option<View<'v>> {
        let view = self.load(i);
        // inv:weak.door
        (view.word != Value::BROKEN).then(|| View::new(scope.shared().strengthen(view.word)))
    }

    /// The object's header.
    #[inline(always)]
    fn header(self) -> Header {
        // SAFETY: inv:safe.kind: this is called for kinds with a header, which never changes.
        unsafe { access::header(self.word) }
    }

    /// The address of its first raw byte.
    #[inline(always)]
    pub(super) fn start(self) -> *mut u8 {
        access::pointer(self.word.addr().word(1)).cast()
    }

    /// Whether this is the same object, or the same [`Immediate`](super::Immediate), as `other`.
    #[inline(always)]
    pub fn same<L>(self, other: View<'_, L>) -> bool {
        self.word == other.word
    }

    /// Where the object is now, as a number: to show that objects move.
    pub fn address(self) -> usize {
        self.word.addr().raw()
    }
}

impl<'v, K: Kind> View<'v, K> {
    /// Whether this is of kind `L`.
    #[inline(always)]
    pub fn is<L: Kind>(self) -> bool {
        // SAFETY: the object is live during `'v`.
        unsafe { kind::admits::<L>(self.word) }
    }

    /// This as one of kind `L`, if it is.
    #[inline(always)]
    pub fn downcast<L: Kind>(self) -> Option<View<'v, L>> {
        self.is::<L>().then_some(View::new(self.word))
    }

    /// This as one of kind `L`, or what it is instead.
    #[inline(always)]
    pub fn cast<L: Kind>(self) -> Result<View<'v, L>, WrongKind> {
        self.downcast().ok_or_else(|| self.wrong(L::NAME))
    }

    #[cold]
    fn wrong(self, wanted: &'static str) -> WrongKind {
        let found = self.what();
        WrongKind { wanted, found }
    }

    /// What this is, for messages.
    pub fn what(self) -> Found {
        let kinds = heap().kinds.get().copied().unwrap_or_default();
        // SAFETY: the object is live during `'v`.
        unsafe { kind::found(self.word, kinds) }
    }
}

impl<'v> View<'v> {
    /// This as a pair, if it is one.
    #[inline(always)]
    pub fn as_pair(self) -> Option<View<'v, Pair>> {
        self.downcast()
    }

    /// The integer, if it is one.
    #[inline(always)]
    pub fn as_fixnum(self) -> Option<i64> {
        self.word.as_fixnum()
    }

    /// The integer, or what this is instead.
    #[inline(always)]
    pub fn fixnum(self) -> Result<i64, WrongKind> {
        self.as_fixnum().ok_or_else(|| self.wrong("fixnum"))
    }

    /// The character, if it is one.
    #[inline(always)]
    pub fn as_char(self) -> Option<char> {
        self.word.as_char()
    }

    /// The truth value, if it is one.
    #[inline(always)]
    pub fn as_bool(self) -> Option<bool> {
        match self.word {
            Value::TRUE => Some(true),
            Value::FALSE => Some(false),
            _ => None,
        }
    }

    /// The immediate, if it is one: an integer, a character, a truth value, the empty list and its like.
    #[inline(always)]
    pub fn as_immediate(self) -> Option<super::Immediate> {
        (!self.word.is_pointer()).then(|| super::Immediate::known(self.word))
    }

    /// Whether it is the empty list.
    #[inline(always)]
    pub fn is_nil(self) -> bool {
        self.word == Value::NIL
    }

    /// Whether it counts as true: all but false does.
    #[inline(always)]
    pub fn is_true(self) -> bool {
        self.word.is_true()
    }
}

impl<'v> View<'v, Pair> {
    /// Its first value.
    #[inline(always)]
    pub fn car(self) -> View<'v> {
        self.load(0)
    }

    /// Its second value.
    #[inline(always)]
    pub fn cdr(self) -> View<'v> {
        self.load(1)
    }
}

impl<'v, K, const RAW: usize, const VALUES: usize> View<'v, K>
where
    K: Object<Form = Record<RAW, VALUES>>,
{
    /// What `field` holds.
    #[inline(always)]
    pub fn get(self, field: Field<K>) -> View<'v> {
        self.load(field.word())
    }

    /// What the raw `field` holds.
    #[inline(always)]
    pub fn raw<T: RawWord>(self, field: RawField<K, T>) -> T {
        T::from_word(self.cell(field.word()).load(Ordering::Relaxed))
    }
}

impl<'v, K: Object<Form = Values>> View<'v, K> {
    /// How many values it has.
    #[inline(always)]
    pub fn count(self) -> usize {
        self.header().length()
    }

    /// Value `i`, if there is one.
    #[inline(always)]
    pub fn at(self, i: usize) -> Option<View<'v>> {
        (i < self.count()).then(|| self.load(1 + i))
    }

    /// Its values, from the first to the last.
    #[inline(always)]
    pub fn iter(self) -> impl ExactSizeIterator<Item = View<'v>> + DoubleEndedIterator {
        (0..self.count()).map(move |i| self.load(1 + i))
    }
}

impl<'v, K: Object<Form = WeakValues>> View<'v, K> {
    /// How many values it has, dead ones included.
    #[inline(always)]
    pub fn slots(self) -> usize {
        self.header().length()
    }

    /// Value `i`, if there is one and it is not dead.
    #[inline(always)]
    pub fn live(self, i: usize, scope: &Scope<'_>) -> Option<View<'v>> {
        (i < self.slots())
            .then(|| self.load_weak(1 + i, scope))
            .flatten()
    }
}

impl<'v, K> View<'v, K>
where
    K: Object,
    K::Form: ByteForm,
{
    /// How many bytes it has.
    #[inline(always)]
    pub fn len(self) -> usize {
        self.header().length()
    }

    /// Whether it has none.
    #[inline(always)]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

impl<'v, K: Object<Form = Buffer>> View<'v, K> {
    /// Its bytes, which other threads may change.
    #[inline(always)]
    pub fn cells(self) -> &'v [AtomicU8] {
        // SAFETY: inv:safe.kind: the object has so many bytes there, and they are not moved during `'v`.
        unsafe { std::slice::from_raw_parts(self.start().cast(), self.len()) }
    }
}

impl<'v, K> View<'v, K>
where
    K: Object,
    K::Form: FixedBytes,
{
    /// Its bytes.
    #[inline(always)]
    pub fn bytes(self) -> &'v [u8] {
        // SAFETY: inv:safe.kind and inv:safe.race: so many bytes, which never change.
        unsafe { std::slice::from_raw_parts(self.start(), self.len()) }
    }
}

impl<'v, K: Object<Form = Text>> View<'v, K> {
    /// Its text.
    #[inline(always)]
    pub fn as_str(self) -> &'v str {
        // SAFETY: objects of this form are filled with a `str` and never change (inv:safe.kind).
        unsafe { std::str::from_utf8_unchecked(self.bytes()) }
    }
}

impl View<'_, Flonum> {
    /// Its number.
    #[inline(always)]
    pub fn number(self) -> f64 {
        f64::from_bits(self.cell(flonum::BITS).load(Ordering::Relaxed))
    }
}

impl<'v> View<'v, Foreign> {
    /// The C address.
    #[inline(always)]
    pub fn pointer(self) -> *mut c_void {
        let address = self.cell(foreign_pointer::POINTER).load(Ordering::Relaxed);
        std::ptr::with_exposed_provenance_mut(address as usize)
    }

    /// How many bytes of C memory are its own.
    #[inline(always)]
    pub fn owned(self) -> usize {
        self.cell(foreign_pointer::BYTES).load(Ordering::Relaxed) as usize
    }

    /// The C memory that is its own.
    pub fn memory(self) -> &'v [AtomicU8] {
        match self.owned() {
            0 => &[],
            // SAFETY: an owner's memory is as long as it says and lives while the owner does, that is, until
            // the next safepoint at least.
            n => unsafe { std::slice::from_raw_parts(self.pointer().cast(), n) },
        }
    }
}

impl<'v> View<'v, WeakPair> {
    /// Its weak value, unless that is dead.
    #[inline(always)]
    pub fn car(self, scope: &Scope<'_>) -> Option<View<'v>> {
        self.load_weak(weak_pair::CAR, scope)
    }

    /// Its other value.
    #[inline(always)]
    pub fn cdr(self) -> View<'v> {
        self.load(weak_pair::CDR)
    }
}

impl<'v> View<'v, Ephemeron> {
    /// The key, unless it is dead.
    #[inline(always)]
    pub fn key(self, scope: &Scope<'_>) -> Option<View<'v>> {
        self.load_weak(ephemeron::KEY, scope)
    }

    /// The value, unless the key is dead.
    #[inline(always)]
    pub fn value(self, scope: &Scope<'_>) -> Option<View<'v>> {
        self.load_weak(ephemeron::VALUE, scope)
    }
}
