//! The objects that the boundary reads and makes, by `bowline_layout`'s offsets.
//!
//! `inv:object.live` Each value that a function here is given is live and current: it stands on a root
//! stack, or no allocation, crossing or call of the host has happened since it was read from one. The
//! calling thread is Managed.
//!
//! `inv:object.typed` Every headed object of the heap has a header whose type id tells its layout, so
//! a field may be read once the type id was looked at.

use bowline_gc::{Mutator, OutOfMemory, access};
use bowline_layout::{
    FIXNUM_MAX, FIXNUM_MIN, Flags, Header, Shape, Tag, TypeId, Value, WORD, bignum, bytevector,
    bytevector_view, callback, flonum, foreign_pointer, object_bytes, string, type_id,
};
use std::ffi::CStr;

/// The type of a headed object that is no procedure.
#[inline]
pub(crate) fn type_of(v: Value) -> Option<TypeId> {
    header_of(v).map(Header::type_id)
}

#[inline]
fn header_of(v: Value) -> Option<Header> {
    if !v.is_object() {
        return None;
    }
    // SAFETY: inv:object.live; `v` has the tag of headed objects.
    Some(unsafe { access::header(v) })
}

fn word(v: Value, i: usize) -> u64 {
    // SAFETY: inv:object.live; callers looked at the type id first (inv:object.typed).
    unsafe { access::word(v, i) }
}

fn set_word(v: Value, i: usize, bits: u64) {
    // SAFETY: inv:object.live; callers have just made an object with raw words there.
    unsafe { access::set_word(v, i, bits) }
}

/// An exact integer, as far as C could care.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Integer {
    /// At most 64 bits of magnitude.
    Small(i128),
    /// More.
    Huge,
}

/// The exact integer that a fixnum or bignum is.
pub(crate) fn integer(v: Value) -> Option<Integer> {
    if let Some(n) = v.as_fixnum() {
        return Some(Integer::Small(i128::from(n)));
    }
    let header = header_of(v).filter(|h| h.type_id() == type_id::BIGNUM)?;
    let magnitude = match bignum::limbs(header) {
        0 => 0,
        1 => i128::from(word(v, bignum::LIMBS)),
        _ => return Some(Integer::Huge),
    };
    Some(Integer::Small(if word(v, bignum::SIGN) == 0 {
        magnitude
    } else {
        -magnitude
    }))
}

/// A bignum's sign and its magnitude as `top * 2^exponent`, where bits that `top` has no room for are
/// folded into its lowest bit. `top` has its highest bit set, so rounding it to a float of fewer bits
/// rounds the whole number correctly.
pub(crate) fn bignum_parts(v: Value) -> Option<(bool, u64, u32)> {
    let header = header_of(v).filter(|h| h.type_id() == type_id::BIGNUM)?;
    let limbs = bignum::limbs(header);
    let limb = |i: usize| word(v, bignum::LIMBS + i);
    let last = limbs.checked_sub(1)?;
    let shift = limb(last).leading_zeros();
    if shift == 64 {
        return None;
    }
    let below = if last > 0 { limb(last - 1) } else { 0 };
    let joined = (u128::from(limb(last)) << 64 | u128::from(below)) << shift;
    let top = (joined >> 64) as u64;
    let rest = joined as u64 != 0 || (0..last.saturating_sub(1)).any(|i| limb(i) != 0);
    let exponent = u32::try_from(last).ok()?.checked_mul(64)? as i64 - i64::from(shift);
    let negative = word(v, bignum::SIGN) != 0;
    if exponent < 0 {
        // One limb: the shift only normalised it.
        return Some((negative, limb(0), 0));
    }
    Some((negative, top | u64::from(rest), exponent as u32))
}

/// The double in a flonum.
pub(crate) fn flonum(v: Value) -> Option<f64> {
    (type_of(v)? == type_id::FLONUM).then(|| f64::from_bits(word(v, flonum::BITS)))
}

/// The address in a foreign pointer.
pub fn pointer_address(v: Value) -> Option<usize> {
    (type_of(v)? == type_id::FOREIGN_POINTER).then(|| word(v, foreign_pointer::POINTER) as usize)
}

/// The number of what a foreign pointer says that it points to; 0 when it does not say, or is none.
pub fn pointer_target(v: Value) -> u32 {
    match type_of(v) {
        Some(type_id::FOREIGN_POINTER) => word(v, foreign_pointer::TARGET) as u32,
        _ => 0,
    }
}

/// Makes a fresh foreign pointer say what it points to.
pub fn set_pointer_target(v: Value, number: u32) {
    debug_assert!(pointer_address(v).is_some());
    set_word(v, foreign_pointer::TARGET, number.into());
}

/// Makes a fresh foreign pointer say how many bytes it owns.
pub(crate) fn set_pointer_bytes(v: Value, bytes: usize) {
    debug_assert!(pointer_address(v).is_some());
    set_word(v, foreign_pointer::BYTES, bytes as u64);
}

/// Makes a fresh object the callback object of `procedure`, with no C function yet.
pub(crate) fn init_callback(v: Value, procedure: Value) {
    set_callback(v, 0, 0);
    // SAFETY: `v` is fresh: there was no safepoint since it was allocated.
    unsafe { access::init(v, callback::PROCEDURE, procedure) };
}

/// Gives a callback object its C function, and what the boundary knows of that.
pub(crate) fn set_callback(v: Value, code: usize, trampoline: usize) {
    set_word(v, callback::CODE, code as u64);
    set_word(v, callback::TRAMPOLINE, trampoline as u64);
}

/// Makes a callback object hold no procedure.
pub(crate) fn forget_procedure(mutator: &mut Mutator, v: Value) {
    debug_assert_eq!(type_of(v), Some(type_id::CALLBACK));
    // SAFETY: inv:object.live, inv:object.typed: the word is a value; no pair is written to.
    unsafe { mutator.store(v, callback::PROCEDURE, Value::FALSE) };
}

/// What the boundary knows of a callback object's C function; 0 if it has none.
pub(crate) fn callback_trampoline(v: Value) -> Option<usize> {
    (type_of(v)? == type_id::CALLBACK).then(|| word(v, callback::TRAMPOLINE) as usize)
}

/// The procedure of a callback object.
pub(crate) fn callback_procedure(v: Value) -> Option<Value> {
    if type_of(v)? != type_id::CALLBACK {
        return None;
    }
    // SAFETY: inv:object.live, inv:object.typed
    Some(unsafe { access::value(v, callback::PROCEDURE) })
}

/// The object that holds a string's bytes, and how many there are without the NUL.
pub(crate) fn string_body(v: Value) -> Option<(Value, usize)> {
    if type_of(v)? != type_id::STRING {
        return None;
    }
    let (bytes, _) = string::unpack(word(v, string::LENGTHS));
    Some((Value::from_bits(word(v, string::BODY)), bytes))
}

/// The bytevector that `v` is, with bytes of its own or as a view.
pub(crate) fn bytevector(v: Value) -> Option<Value> {
    match type_of(v)? {
        type_id::BYTEVECTOR | type_id::BYTEVECTOR_VIEW => Some(v),
        _ => None,
    }
}

/// Whether `v` is a view, whose bytes are C memory: they never move, and need no pin.
#[inline]
pub(crate) fn is_view(v: Value) -> bool {
    type_of(v) == Some(type_id::BYTEVECTOR_VIEW)
}

/// The address of a view's bytes.
#[inline]
pub(crate) fn view_start(v: Value) -> Option<u64> {
    is_view(v).then(|| word(v, bytevector_view::START))
}

/// The address of word 1 of an object, which stays good while the object is pinned; of a view that of its bytes.
#[inline]
pub(crate) fn bytes_address(v: Value) -> *const u8 {
    if let Some(start) = view_start(v) {
        return std::ptr::with_exposed_provenance(start as usize);
    }
    // SAFETY: inv:object.live; every headed object has a word 1.
    unsafe { access::bytes_ptr(v, 1) }
}

/// The address that C gets of these bytes; `pin` becomes what must be pinned for it.
#[inline]
pub(crate) fn lend(v: Value, pin: &mut Value) -> u64 {
    let start = view_start(v);
    *pin = if start.is_some() { Value::FALSE } else { v };
    start.unwrap_or_else(|| bytes_address(v).expose_provenance() as u64)
}

/// Copies the first bytes of a string's body or of a bytevector to C memory.
///
/// # Safety
/// `to` is writable for as many bytes.
pub(crate) unsafe fn copy_bytes_out(v: Value, length: usize, to: *mut u8) {
    // SAFETY: inv:object.live; the caller's for the C memory at `to`, which a view may overlap.
    unsafe { std::ptr::copy(bytes_address(v), to, length) };
}

/// The first bytes of a string's body or of a bytevector with bytes of its own, to be looked at and changed at once
/// (`inv:object.live`).
pub(crate) fn bytes_mut<'a>(v: Value, length: usize) -> &'a mut [u8] {
    // SAFETY: inv:object.live; callers have asked for the length, and let go of the bytes before anything else.
    unsafe { access::bytes_mut(v, 1, length) }
}

/// Copies bytes of C memory over the first ones of a bytevector with bytes of its own.
///
/// # Safety
/// `from` is readable for as many bytes, and the bytevector has them.
pub(crate) unsafe fn copy_bytes_in(v: Value, length: usize, from: *const u8) {
    // SAFETY: inv:object.live; the caller's for the length.
    let to = unsafe { access::bytes_mut(v, 1, length) };
    // SAFETY: the caller's for the source; the heap is none of the C memory.
    unsafe { std::ptr::copy_nonoverlapping(from, to.as_mut_ptr(), length) };
}

/// How many bytes an object takes in the heap.
pub(crate) fn bytes_taken(v: Value) -> usize {
    if v.tag() == Some(Tag::Pair) {
        return 2 * WORD;
    }
    // SAFETY: inv:object.live; what is no pair has a header (inv:object.typed).
    object_bytes(unsafe { access::header(v) })
}

/// The number of bytes in a bytevector.
pub(crate) fn bytevector_length(v: Value) -> Option<usize> {
    let header = header_of(bytevector(v)?)?;
    Some(match header.type_id() {
        type_id::BYTEVECTOR_VIEW => word(v, bytevector_view::LENGTH) as usize,
        _ => header.length(),
    })
}

/// The body of a string that is known to have no NUL (`inv:string.known`).
#[inline(always)]
pub(crate) fn known_text(v: Value) -> Option<Value> {
    let (body, _) = string_body(v)?;
    header_of(body)?.flags().has(string::NO_NUL).then_some(body)
}

/// Where the first NUL among a string's bytes is, not counting the one that ends it. That there is none the body
/// remembers (`inv:string.known`).
#[inline]
pub(crate) fn find_nul(body: Value, length: usize) -> Option<usize> {
    let flags = header_of(body).map_or(Flags::default(), Header::flags);
    if flags.has(string::NO_NUL) {
        return None;
    }
    look_for_nul(body, length, flags)
}

#[cold]
fn look_for_nul(body: Value, length: usize, flags: Flags) -> Option<usize> {
    // SAFETY: inv:object.live, inv:string.nul: the body has that many bytes and one more.
    let bytes = unsafe { access::bytes(body, 1, length + 1) };
    // The standard library looks at words, not at bytes.
    let end = CStr::from_bytes_until_nul(bytes).map_or(length, CStr::count_bytes);
    if end < length {
        return Some(end);
    }
    if !flags.has(string::SHARED) {
        // SAFETY: inv:object.live; a body is headed.
        unsafe { access::set_flags(body, flags.with(string::NO_NUL)) };
    }
    None
}

/// Makes an exact integer of at most 64 bits of magnitude.
pub fn make_integer(mutator: &mut Mutator, n: i128) -> Result<Value, OutOfMemory> {
    if (i128::from(FIXNUM_MIN)..=i128::from(FIXNUM_MAX)).contains(&n) {
        return Ok(Value::fixnum(n as i64));
    }
    let v = mutator.alloc(bignum::header(1), Tag::Object)?;
    set_word(v, bignum::SIGN, u64::from(n < 0));
    set_word(v, bignum::LIMBS, n.unsigned_abs() as u64);
    Ok(v)
}

/// Makes a flonum.
pub fn make_flonum(mutator: &mut Mutator, x: f64) -> Result<Value, OutOfMemory> {
    let v = mutator.alloc(flonum::HEADER, Tag::Object)?;
    set_word(v, flonum::BITS, x.to_bits());
    Ok(v)
}

/// Makes a foreign pointer that owns nothing.
pub fn make_pointer(mutator: &mut Mutator, address: usize) -> Result<Value, OutOfMemory> {
    let v = mutator.alloc(foreign_pointer::HEADER, Tag::Object)?;
    set_word(v, foreign_pointer::POINTER, address as u64);
    // SAFETY: `v` is fresh and the value is no pointer.
    unsafe { access::init(v, foreign_pointer::BASE, Value::FALSE) };
    Ok(v)
}

/// Makes a pointer into what `base`, a foreign pointer, points to: while it lives so does the one
/// that `base` was derived from, and with it the C memory.
pub fn make_pointer_into(
    mutator: &mut Mutator,
    base: Value,
    address: usize,
) -> Result<Value, OutOfMemory> {
    debug_assert!(pointer_address(base).is_some());
    // SAFETY: inv:object.live, inv:object.typed
    let further = unsafe { access::value(base, foreign_pointer::BASE) };
    let root = if further.is_pointer() { further } else { base };
    make_pointer_keeping(mutator, root, address)
}

/// A pointer that keeps `root` alive.
fn make_pointer_keeping(
    mutator: &mut Mutator,
    root: Value,
    address: usize,
) -> Result<Value, OutOfMemory> {
    mutator.push(root);
    let made = make_pointer(mutator, address);
    let root = mutator.pop();
    let v = made?;
    // SAFETY: `v` is fresh: there was no safepoint since it was allocated.
    unsafe { access::init(v, foreign_pointer::BASE, root) };
    Ok(v)
}

/// Makes a pointer to the bytes of `holder`, a view, or a bytevector or a string's body that was promoted: while the
/// pointer lives, or one that is derived from it, so does `holder`, and its bytes are where they are.
pub fn make_pointer_to_bytes(mutator: &mut Mutator, holder: Value) -> Result<Value, OutOfMemory> {
    debug_assert!(is_view(holder) || mutator.is_pinned(holder));
    make_pointer_keeping(mutator, holder, bytes_address(holder).addr())
}

/// Makes a bytevector with these bytes.
pub fn make_bytevector(mutator: &mut Mutator, bytes: &[u8]) -> Result<Value, OutOfMemory> {
    if bytes.len() > Header::MAX_LENGTH {
        return Err(OutOfMemory {
            requested: bytes.len(),
        });
    }
    let v = mutator.alloc(bytevector::header(bytes.len()), Tag::Object)?;
    // SAFETY: the object is fresh and has that many bytes.
    unsafe { access::bytes_mut(v, 1, bytes.len()) }.copy_from_slice(bytes);
    Ok(v)
}

/// Makes a string.
pub fn make_string(mutator: &mut Mutator, text: &str) -> Result<Value, OutOfMemory> {
    if text.len() > string::MAX_BYTES {
        return Err(OutOfMemory {
            requested: text.len(),
        });
    }
    // Fresh words are 0, so the NUL is there already (inv:string.nul).
    let header = Header::new(Shape::Bytes, type_id::STRING_BODY, text.len() + 1);
    let body = mutator.alloc(header, Tag::Object)?;
    // SAFETY: the object is fresh and has that many bytes.
    unsafe { access::bytes_mut(body, 1, text.len()) }.copy_from_slice(text.as_bytes());
    mutator.stack().push(body);
    let allocated = mutator.alloc(string::HEADER, Tag::Object);
    let body = mutator.stack().pop();
    let v = allocated?;
    let lengths = string::pack(text.len() as u32, text.chars().count() as u32);
    set_word(v, string::LENGTHS, lengths);
    // SAFETY: `v` is fresh: there was no safepoint since it was allocated.
    unsafe { access::init(v, string::BODY, body) };
    Ok(v)
}
