//! Kinds of objects: what a language declares of its objects, and how a word is known to be one.
//!
//! `inv:safe.kind` A word that a handle or view of kind `K` leads to was admitted by `K`: its tag and,
//! if it is headed, the shape, type id and counts of its header, all of which an object keeps for life.
//! So two kinds that are declared with the same number, by mistake, cannot be told apart only if
//! their layouts agree, and then nothing can be read as what it is not.
//!
//! Absent on purpose: kinds that are made while the program runs. A language knows its objects.

use crate::access;
use bowline_layout::{
    Flags, Header, Shape, Tag, TypeId, Value, ephemeron, flonum, foreign_pointer, weak_pair,
};
use std::fmt;
use std::marker::PhantomData;

/// Set in objects whose bytes are UTF-8.
const TEXT: Flags = Flags(4);

pub(crate) mod sealed {
    use super::{Header, Value};

    /// What the heap must know of a kind.
    pub trait Admit {
        const CALLED: &'static str;

        /// Whether `v` is of this kind.
        fn admits(v: Value, header: impl Fn() -> Header) -> bool;
    }

    /// What the heap must know of a form.
    pub trait Layout {
        /// Whether an object with this header, whose type id fits, has this form.
        fn fits(header: Header) -> bool;
    }
}
use sealed::{Admit, Layout};

/// A kind of value: [`Any`], one of the kinds that every heap has, or an [`Object`] of the language's.
pub trait Kind: Admit + 'static {
    /// What it is called in errors.
    const NAME: &'static str;
}

impl<K: Admit + 'static> Kind for K {
    const NAME: &'static str = K::CALLED;
}

/// Says of which kind something is that holds no `K`.
pub(super) type Of<K> = PhantomData<fn() -> K>;

/// A kind of object that a language declares, with [`kinds!`](crate::kinds).
pub trait Object: 'static {
    /// What it is called in errors.
    const NAME: &'static str;
    /// Its number, at least 16 and its own.
    const ID: u16;
    /// How it is laid out.
    type Form: Form;
}

/// How an object is laid out.
pub trait Form: Layout + 'static {}

impl<F: Layout + 'static> Form for F {}

/// The type id of a language's kind.
pub(crate) const fn id<K: Object>() -> TypeId {
    assert!(
        K::ID >= TypeId::FIRST_FREE.0,
        "the numbers of kinds begin at 16"
    );
    TypeId(K::ID)
}

impl<K: Object> Admit for K {
    const CALLED: &'static str = K::NAME;

    #[inline(always)]
    fn admits(v: Value, header: impl Fn() -> Header) -> bool {
        v.is_object() && {
            let header = header();
            header.type_id() == const { id::<K>() } && K::Form::fits(header)
        }
    }
}

/// The form of an object of `RAW` words that the collector does not look at and then `VALUES` values.
#[derive(Debug)]
pub enum Record<const RAW: usize, const VALUES: usize> {}

/// The form of an object of any number of values.
#[derive(Debug)]
pub enum Values {}

/// The form of an object of any number of values that do not keep their objects alive.
#[derive(Debug)]
pub enum WeakValues {}

/// The form of an object of bytes that never change.
#[derive(Debug)]
pub enum Bytes {}

/// The form of an object of UTF-8 that never changes.
#[derive(Debug)]
pub enum Text {}

/// The form of an object of bytes that change.
#[derive(Debug)]
pub enum Buffer {}

impl<const RAW: usize, const VALUES: usize> Record<RAW, VALUES> {
    /// The header of a record of this form.
    pub(crate) const fn header(id: TypeId) -> Header {
        assert!(RAW <= Header::MAX_RAW, "a record has at most 255 raw words");
        assert!(
            VALUES <= Header::MAX_MIXED_VALUES,
            "a record has at most 2²⁴ − 1 values"
        );
        Header::mixed(id, RAW, VALUES)
    }
}

impl<const RAW: usize, const VALUES: usize> Layout for Record<RAW, VALUES> {
    #[inline(always)]
    fn fits(h: Header) -> bool {
        h.shape() == Shape::Mixed && h.mixed_raw() == RAW && h.mixed_values() == VALUES
    }
}

impl Layout for Values {
    #[inline(always)]
    fn fits(h: Header) -> bool {
        h.shape() == Shape::Values
    }
}

impl Layout for WeakValues {
    #[inline(always)]
    fn fits(h: Header) -> bool {
        h.shape() == Shape::WeakValues
    }
}

/// A form that is bytes.
pub trait ByteForm: Form {
    /// What tells objects of this form from others of bytes.
    #[doc(hidden)]
    const FLAGS: Flags;
}

/// A form whose bytes never change, so that they can be looked at as a slice.
pub trait FixedBytes: ByteForm {}

impl ByteForm for Bytes {
    const FLAGS: Flags = Flags::IMMUTABLE;
}

impl ByteForm for Text {
    const FLAGS: Flags = Flags::IMMUTABLE.with(TEXT);
}

impl ByteForm for Buffer {
    const FLAGS: Flags = Flags(0);
}

impl FixedBytes for Bytes {}
impl FixedBytes for Text {}

/// Whether `h` is the header of bytes that are marked as `F`'s.
#[inline(always)]
fn marked<F: ByteForm>(h: Header) -> bool {
    let marks = Flags::IMMUTABLE.with(TEXT).0;
    h.shape() == Shape::Bytes && h.flags().0 & marks == F::FLAGS.0
}

impl Layout for Bytes {
    #[inline(always)]
    fn fits(h: Header) -> bool {
        marked::<Bytes>(h)
    }
}

impl Layout for Text {
    #[inline(always)]
    fn fits(h: Header) -> bool {
        marked::<Text>(h)
    }
}

impl Layout for Buffer {
    #[inline(always)]
    fn fits(h: Header) -> bool {
        marked::<Buffer>(h)
    }
}

/// Any value: an object of any kind, a pair, or an [`Immediate`](super::Immediate).
#[derive(Debug)]
pub enum Any {}

/// A pair.
#[derive(Debug)]
pub enum Pair {}

/// A double.
#[derive(Debug)]
pub enum Flonum {}

/// A pointer to C memory, which may be its own.
#[derive(Debug)]
pub enum Foreign {}

/// A pair whose car does not keep its object alive.
#[derive(Debug)]
pub enum WeakPair {}

/// A key and a value that lives only while the key does.
#[derive(Debug)]
pub enum Ephemeron {}

/// What tells of objects that have died.
#[derive(Debug)]
pub enum Guardian {}

pub(crate) const GUARDIAN: Header = Header::new(Shape::Values, TypeId(0), 0);

impl Admit for Any {
    const CALLED: &'static str = "value";

    #[inline(always)]
    fn admits(_: Value, _: impl Fn() -> Header) -> bool {
        true
    }
}

impl Admit for Pair {
    const CALLED: &'static str = "pair";

    #[inline(always)]
    fn admits(v: Value, _: impl Fn() -> Header) -> bool {
        v.is_pair()
    }
}

/// A kind with one header, flags apart.
macro_rules! one_header {
    ($($kind:ident, $name:literal, $header:expr;)*) => { $(
        impl Admit for $kind {
            const CALLED: &'static str = $name;

            #[inline(always)]
            fn admits(v: Value, header: impl Fn() -> Header) -> bool {
                v.is_object() && {
                    let h = header();
                    h.type_id() == $header.type_id()
                        && h.shape() == $header.shape()
                        && h.length() == $header.length()
                }
            }
        }
    )* };
}

one_header! {
    Flonum, "flonum", flonum::HEADER;
    Foreign, "foreign pointer", foreign_pointer::HEADER;
    WeakPair, "weak pair", weak_pair::HEADER;
    Ephemeron, "ephemeron", ephemeron::HEADER;
    Guardian, "guardian", GUARDIAN;
}

/// Whether `v` is of kind `K`.
///
/// # Safety
/// `inv:access.live`, if `v` is a pointer.
#[inline(always)]
pub(crate) unsafe fn admits<K: Kind>(v: Value) -> bool {
    // SAFETY: the caller's; headers are asked for headed objects alone.
    K::admits(v, || unsafe { access::header(v) })
}

/// A field of the records of kind `K` that holds a value.
pub struct Field<K> {
    word: usize,
    kind: PhantomData<fn() -> K>,
}

impl<K, const RAW: usize, const VALUES: usize> Field<K>
where
    K: Object<Form = Record<RAW, VALUES>>,
{
    /// Field `i` among those that hold values.
    ///
    /// # Panics
    /// When there is none.
    pub const fn nth(i: usize) -> Self {
        assert!(i < VALUES, "the record has no such field");
        Field {
            word: 1 + RAW + i,
            kind: PhantomData,
        }
    }
}

impl<K> Field<K> {
    #[inline(always)]
    pub(crate) fn word(self) -> usize {
        self.word
    }
}

/// A field of the records of kind `K` that holds a `T` and is no business of the collector's.
pub struct RawField<K, T> {
    word: usize,
    kind: PhantomData<fn() -> (K, T)>,
}

impl<K, T, const RAW: usize, const VALUES: usize> RawField<K, T>
where
    K: Object<Form = Record<RAW, VALUES>>,
{
    /// Raw field `i`.
    ///
    /// # Panics
    /// When there is none.
    pub const fn nth(i: usize) -> Self {
        assert!(i < RAW, "the record has no such raw field");
        RawField {
            word: 1 + i,
            kind: PhantomData,
        }
    }
}

impl<K, T> RawField<K, T> {
    #[inline(always)]
    pub(crate) fn word(self) -> usize {
        self.word
    }
}

/// A field is a place and as copyable as a number.
macro_rules! copyable {
    ($($field:ident<$($t:ident),*>;)*) => { $(
        impl<$($t),*> Clone for $field<$($t),*> {
            fn clone(&self) -> Self {
                *self
            }
        }
        impl<$($t),*> Copy for $field<$($t),*> {}
        impl<$($t),*> fmt::Debug for $field<$($t),*> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "word {}", self.word)
            }
        }
    )* };
}

copyable! {
    Field<K>;
    RawField<K, T>;
}

/// What fits into a raw word.
pub trait RawWord: Copy {
    /// The word that holds it.
    fn to_word(self) -> u64;
    /// What such a word holds.
    fn from_word(word: u64) -> Self;
}

macro_rules! raw_words {
    ($($t:ty, $to:expr, $from:expr;)*) => { $(
        impl RawWord for $t {
            #[inline(always)]
            fn to_word(self) -> u64 {
                $to(self)
            }

            #[inline(always)]
            fn from_word(word: u64) -> Self {
                $from(word)
            }
        }
    )* };
}

raw_words! {
    u64, |n| n, |w| w;
    i64, |n: i64| n as u64, |w| w as i64;
    usize, |n| n as u64, |w| w as usize;
    u32, u64::from, |w| w as u32;
    f64, f64::to_bits, f64::from_bits;
    bool, u64::from, |w| w != 0;
}

/// A kind's number and name, for errors: [`KindInfo::of`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KindInfo {
    /// Its number.
    pub id: u16,
    /// Its name.
    pub name: &'static str,
}

impl KindInfo {
    /// What is to be said of `K`.
    pub const fn of<K: Object>() -> Self {
        KindInfo {
            id: id::<K>().0,
            name: K::NAME,
        }
    }
}

/// What a value turned out to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// An integer.
    Fixnum(i64),
    /// A character.
    Char(char),
    /// Another [`Immediate`](super::Immediate).
    Immediate(super::Immediate),
    /// A pair.
    Pair,
    /// An object with the name that its kind has, if it is known.
    Object(&'static str),
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Found::Fixnum(n) => write!(f, "the integer {n}"),
            Found::Char(c) => write!(f, "the character {c:?}"),
            Found::Immediate(v) => write!(f, "{v:?}"),
            Found::Pair => f.write_str("a pair"),
            Found::Object(name) => write!(f, "a {name}"),
        }
    }
}

/// A value is not of the kind that was wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WrongKind {
    /// The kind that was wanted.
    pub wanted: &'static str,
    /// What there is.
    pub found: Found,
}

impl fmt::Display for WrongKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wanted a {}, found {}", self.wanted, self.found)
    }
}

impl std::error::Error for WrongKind {}

/// What `v` is.
///
/// # Safety
/// `inv:access.live`, if `v` is a pointer.
pub(crate) unsafe fn found(v: Value, kinds: &[KindInfo]) -> Found {
    if let Some(n) = v.as_fixnum() {
        return Found::Fixnum(n);
    }
    if let Some(c) = v.as_char() {
        return Found::Char(c);
    }
    match v.tag() {
        None => Found::Immediate(super::Immediate::known(v)),
        Some(Tag::Pair) => Found::Pair,
        Some(_) => {
            // SAFETY: the caller's.
            let h = unsafe { access::header(v) };
            Found::Object(name(h, kinds))
        }
    }
}

/// What an object with this header is called.
fn name(h: Header, kinds: &[KindInfo]) -> &'static str {
    let built_in = [
        (flonum::HEADER, Flonum::CALLED),
        (foreign_pointer::HEADER, Foreign::CALLED),
        (weak_pair::HEADER, WeakPair::CALLED),
        (ephemeron::HEADER, Ephemeron::CALLED),
        (GUARDIAN, Guardian::CALLED),
    ];
    let same = |(own, _): &&(Header, _)| own.type_id() == h.type_id() && own.shape() == h.shape();
    if let Some((_, name)) = built_in.iter().find(same) {
        return name;
    }
    let known = kinds.iter().find(|k| k.id == h.type_id().0);
    known.map_or("object of a kind without a name", |k| k.name)
}
