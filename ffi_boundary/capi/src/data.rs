//! Values of constructors that the program has exported.

use crate::edge::{self, BlHandle, allocating, at_a_glance, within};
use crate::failure::{Failure, Result};
use crate::status::Status;
use bowline_ffi::Handles;
use bowline_ffi::data::{self, Exported};
use bowline_ffi::inside::{Glance, Inside};
use bowline_layout::{Header, Value};
use std::ffi::{CStr, c_char};
use std::sync::atomic::{AtomicU64, Ordering};

/// C's `bl_constructor`.
#[derive(Debug)]
#[repr(C)]
pub struct BlConstructor {
    name: *const c_char,
    layout: u64,
    /// What objects of it begin with; for the empty list and pairs what their words are. 0 until it was found.
    header: AtomicU64,
}

/// Handles that are made in one go without memory for them.
const FEW: usize = 8;

/// What stands in the place of a header for a pair.
const PAIR: u64 = bowline_layout::Tag::Pair as u64;

/// A constructor that was found.
#[derive(Clone, Copy)]
enum Found {
    Made(Header),
    Null,
    Pair,
}

impl Found {
    fn of(bits: u64) -> Option<Found> {
        match Header::from_bits(bits) {
            Some(header) => Some(Found::Made(header)),
            None if bits == Value::NIL.bits() => Some(Found::Null),
            None if bits == PAIR => Some(Found::Pair),
            None => None,
        }
    }

    /// How many words its fields take, and how many handles.
    fn counts(self) -> (usize, usize) {
        match self {
            Found::Made(header) => data::counts(header),
            Found::Null => (0, 0),
            Found::Pair => (0, 2),
        }
    }

    fn has_made(self, v: Value) -> bool {
        match self {
            Found::Made(header) => data::is_made(v, header),
            Found::Null => v == Value::NIL,
            Found::Pair => v.is_pair(),
        }
    }

    /// Field `i` of those that have no type.
    fn value(self, v: Value, i: usize) -> Value {
        match (self, data::pair(v)) {
            (Found::Made(header), _) => data::value(v, header, i),
            (_, Some((first, rest))) => [first, rest][i.min(1)],
            _ => Value::NIL,
        }
    }
}

/// The constructor that C points to, if it was found before.
#[inline(always)]
fn found(at: *const BlConstructor) -> Option<Found> {
    // SAFETY: inv:capi.pointers: it is one or null, and what changes in it is atomic.
    let constructor = unsafe { at.as_ref() }?;
    Found::of(constructor.header.load(Ordering::Relaxed))
}

/// The constructor that C points to.
fn find(inside: &mut Inside<'_>, at: *mut BlConstructor) -> Result<Found> {
    if at.is_null() {
        return Err(Failure::Null("constructor"));
    }
    if let Some(found) = found(at) {
        return Ok(found);
    }
    // SAFETY: inv:capi.pointers: it is one, and what changes in it is atomic.
    let constructor = unsafe { &*at };
    if constructor.name.is_null() {
        return Err(Failure::Null("name"));
    }
    // SAFETY: inv:capi.pointers: a text that ends with a NUL.
    let name = unsafe { CStr::from_ptr(constructor.name) };
    let name = name.to_string_lossy().into_owned();
    let Some(exported) = inside.host().exported(&name) else {
        return Err(Failure::NotExported { name });
    };
    if exported.layout() != constructor.layout {
        return Err(Failure::Layout { name });
    }
    let (found, bits) = match exported {
        Exported::Made { header, .. } => (Found::Made(header), header.bits()),
        Exported::Null => (Found::Null, Value::NIL.bits()),
        Exported::Pair => (Found::Pair, PAIR),
        Exported::Procedure(_) => return Err(Failure::Layout { name }),
    };
    constructor.header.store(bits, Ordering::Relaxed);
    Ok(found)
}

/// Finds a constructor.
///
/// # Safety
/// `constructor` is NULL or one whose name is a text that ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bl_constructor_find(constructor: *mut BlConstructor) -> Status {
    edge::status(within("bl_constructor_find", |inside| {
        find(inside, constructor).map(|_| ())
    }))
}

/// A value of a constructor.
///
/// # Safety
/// As for [`bl_constructor_find`]; `words` and `handles` have as many as it has fields of either kind.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bl_data_make(
    constructor: *mut BlConstructor,
    words: *const u64,
    handles: *const BlHandle,
) -> BlHandle {
    edge::handle(allocating("bl_data_make", |inside| {
        let found = find(inside, constructor)?;
        let (raw, values) = found.counts();
        if (raw > 0 && words.is_null()) || (values > 0 && handles.is_null()) {
            return Err(Failure::Null("fields"));
        }
        // SAFETY: inv:capi.pointers: each is one of as many.
        let handle = |i: usize| unsafe { handles.wrapping_add(i).read() };
        let made = match found {
            Found::Null => Value::NIL,
            Found::Pair => {
                let first = edge::object(inside, handle(0))?;
                let rest = edge::object(inside, handle(1))?;
                inside.mutator().alloc_pair(first, rest)?
            }
            Found::Made(header) => {
                let words: &[u64] = match raw {
                    0 => &[],
                    // SAFETY: inv:capi.pointers: so many words, which C does not change meanwhile.
                    _ => unsafe { std::slice::from_raw_parts(words, raw) },
                };
                data::make(inside.mutator(), header, words, |mutator, i| {
                    edge::object_of(mutator, handle(i))
                })?
            }
        };
        edge::local(inside, made)
    }))
}

/// Whether the constructor made the value; then its words are stored, and `give` has got it to give its other fields, of
/// which there are so many.
fn get(
    inside: &mut Inside<'_>,
    constructor: *mut BlConstructor,
    value: BlHandle,
    words: *mut u64,
    missing: bool,
    give: impl FnOnce(&mut Inside<'_>, Found, Value, usize) -> Result<()>,
) -> Result<bool> {
    let found = find(inside, constructor)?;
    let v = edge::object(inside, value)?;
    if !found.has_made(v) {
        return Ok(false);
    }
    let (raw, values) = found.counts();
    if (raw > 0 && words.is_null()) || (values > 0 && missing) {
        return Err(Failure::Null("fields"));
    }
    give(inside, found, v, values)?;
    if let Found::Made(header) = found {
        for i in 0..raw {
            edge::store(words.wrapping_add(i), "fields", data::word(v, header, i))?;
        }
    }
    Ok(true)
}

/// Whether a constructor made a value, and its fields.
///
/// # Safety
/// As for [`bl_data_make`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bl_data_get(
    constructor: *mut BlConstructor,
    value: BlHandle,
    words: *mut u64,
    handles: *mut BlHandle,
) -> bool {
    let give = |inside: &mut Inside<'_>, found: Found, v, values| {
        // Mostly they are few, and then nothing is allocated for them.
        let (mut few, mut many) = ([BlHandle::NONE; FEW], Vec::new());
        let made = match few.get_mut(..values) {
            Some(few) => few,
            None => {
                many.resize(values, BlHandle::NONE);
                &mut many[..]
            }
        };
        // All handles first, for they may be too many. None of this collects.
        for (i, handle) in made.iter_mut().enumerate() {
            *handle = edge::local(inside, found.value(v, i))?;
        }
        for (i, &mut handle) in made.iter_mut().enumerate() {
            edge::store(handles.wrapping_add(i), "fields", handle)?;
        }
        Ok(())
    };
    let got = within("bl_data_get", |inside| {
        get(inside, constructor, value, words, handles.is_null(), give)
    });
    got.unwrap_or(false)
}

/// Whether a constructor made a value, and its fields, for which handles stand from now on that C has already.
///
/// # Safety
/// As for [`bl_data_make`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bl_data_assign(
    constructor: *mut BlConstructor,
    value: BlHandle,
    words: *mut u64,
    handles: *const BlHandle,
) -> bool {
    let assigned =
        at_a_glance(|glance| assign_at_a_glance(glance, constructor, value, words, handles));
    assigned.unwrap_or_else(|| assign_within(constructor, value, words, handles))
}

/// As [`bl_data_assign`], where nothing is out of the ordinary and the handles are this thread's own.
#[inline(always)]
fn assign_at_a_glance(
    glance: &Glance<'_>,
    constructor: *const BlConstructor,
    value: BlHandle,
    words: *mut u64,
    handles: *const BlHandle,
) -> Option<bool> {
    let found = found(constructor)?;
    let v = glance.get(value.maybe()?)?;
    if !found.has_made(v) {
        return Some(false);
    }
    let (raw, values) = found.counts();
    if (raw > 0 && words.is_null()) || (values > 0 && handles.is_null()) {
        return None;
    }
    // SAFETY: inv:capi.pointers: each is one of as many.
    let handle = |i: usize| unsafe { handles.wrapping_add(i).read() }.maybe();
    // Each must be one before any changes.
    for i in 0..values {
        if !glance.may_set(handle(i)?) {
            return None;
        }
    }
    for i in 0..values {
        glance.set(handle(i)?, found.value(v, i));
    }
    if let Found::Made(header) = found {
        for i in 0..raw {
            edge::store(words.wrapping_add(i), "fields", data::word(v, header, i)).ok()?;
        }
    }
    Some(true)
}

/// As [`bl_data_assign`].
#[cold]
#[inline(never)]
fn assign_within(
    constructor: *mut BlConstructor,
    value: BlHandle,
    words: *mut u64,
    handles: *const BlHandle,
) -> bool {
    let give = |inside: &mut Inside<'_>, found: Found, v, values| {
        // SAFETY: inv:capi.pointers: each is one of as many.
        let handle = |i: usize| unsafe { handles.wrapping_add(i).read() }.named();
        let table = Handles::of(inside.mutator());
        // Each must be one before any changes.
        for i in 0..values {
            table.get(handle(i)?)?;
        }
        for i in 0..values {
            table.set(handle(i)?, found.value(v, i))?;
        }
        Ok(())
    };
    let got = within("bl_data_assign", |inside| {
        get(inside, constructor, value, words, handles.is_null(), give)
    });
    got.unwrap_or(false)
}

/// Whether a constructor made a value.
///
/// # Safety
/// As for [`bl_constructor_find`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bl_data_is(constructor: *mut BlConstructor, value: BlHandle) -> bool {
    let seen = at_a_glance(|glance| {
        let v = glance.get(value.maybe()?)?;
        Some(found(constructor)?.has_made(v))
    });
    seen.unwrap_or_else(|| is_within(constructor, value))
}

/// As [`bl_data_is`].
#[cold]
#[inline(never)]
fn is_within(constructor: *mut BlConstructor, value: BlHandle) -> bool {
    let is = within("bl_data_is", |inside| {
        let found = find(inside, constructor)?;
        let v = edge::object(inside, value)?;
        Ok(found.has_made(v))
    });
    is.unwrap_or(false)
}

/// Which constructor of an enumeration made a value, from 0.
///
/// # Safety
/// As for [`bl_constructor_find`]; `index` is NULL or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bl_data_index(
    first: *mut BlConstructor,
    count: u32,
    value: BlHandle,
    index: *mut u32,
) -> Status {
    edge::status(within("bl_data_index", |inside| {
        let found = find(inside, first)?;
        let v = edge::object(inside, value)?;
        let at = match found {
            Found::Made(header) => data::index(v, header).filter(|at| *at < count),
            _ => None,
        };
        match at {
            Some(at) => edge::store(index, "index", at),
            None => Err(Failure::Wrong {
                expected: "a value of the enumeration",
                got: inside.host().describe(v),
            }),
        }
    }))
}
