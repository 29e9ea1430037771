//! Hash tables: open addressing over a vector of keys and values in the heap.
//!
//! | word | holds |
//! |---|---|
//! | 1 | what keys are compared with (a fixnum, [`Equivalence`]) |
//! | 2 | how many entries there are |
//! | 3 | how many slots are not empty: entries and tombstones |
//! | 4 | the slots: a vector of key, value, key, value … |
//! | 5 | the heap's epoch when it was last hashed |
//! | 6 | whether a key was hashed by its address |
//! | 7 | whether keys are weak |
//!
//! A table with weak keys has an ephemeron of key and value in the place of the key. One that is broken is
//! as good as deleted, and goes when the table is hashed again or grows; how many entries there are is
//! counted then.
//!
//! inv:table.epoch — an address is a hash only as long as nothing moves, so a table that hashed by
//! address is hashed again, in place and without allocating, when the epoch is another. That is done at once: were it to
//! poll it might have to begin anew.
//!
//! Absent on purpose: hash and equality procedures of the user's, which would be called from Rust.

use std::ops::Range;

use bowline_layout::{Value, ephemeron};

use crate::datatypes;
use crate::equal;
use crate::fault::Result;
use crate::kinds;
use crate::num;
use crate::object;
use crate::rt::Rt;
use crate::symbols;

const EQUIVALENCE: usize = 1;
const COUNT: usize = 2;
const USED: usize = 3;
const SLOTS: usize = 4;
const EPOCH: usize = 5;
const BY_ADDRESS: usize = 6;
const WEAK: usize = 7;

const EMPTY: Value = Value::UNBOUND;
/// An immediate that no program can get hold of: the key of a deleted entry.
const TOMBSTONE: Value = Value::from_bits(0x57);

/// What keys are compared with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Equivalence {
    /// `eq?`
    Eq,
    /// `eqv?`
    Eqv,
    /// `equal?`
    Equal,
    /// `string=?`
    String,
}

impl Equivalence {
    const ALL: [Equivalence; 4] = [
        Equivalence::Eq,
        Equivalence::Eqv,
        Equivalence::Equal,
        Equivalence::String,
    ];
}

fn number(table: Value, word: usize) -> usize {
    let n = object::field(table, word).as_fixnum().unwrap_or(0);
    usize::try_from(n).unwrap_or(0)
}

fn set_number(rt: &mut Rt, table: Value, word: usize, n: usize) {
    object::store(&mut rt.heap, table, word, Value::fixnum(n as i64));
}

/// Whether a table's keys are weak.
pub fn is_weak(table: Value) -> bool {
    object::field(table, WEAK) == Value::TRUE
}

/// How many entries a table has.
pub fn count(table: Value) -> usize {
    match is_weak(table) {
        true => count_in(table, 0..capacity(table)),
        false => number(table, COUNT),
    }
}

/// The same of the table at a root stack position, with polls.
pub(crate) fn count_at(rt: &mut Rt, table_at: usize) -> usize {
    if !is_weak(rt.at(table_at)) {
        return number(rt.at(table_at), COUNT);
    }
    let mut count = 0;
    rt.in_pieces(0..capacity(rt.at(table_at)), |rt, piece| {
        count += count_in(rt.at(table_at), piece);
    });
    count
}

/// How many entries these slots of a table with weak keys have.
fn count_in(table: Value, piece: Range<usize>) -> usize {
    let slots = object::field(table, SLOTS);
    let words = piece.map(|i| object::field(slots, 1 + 2 * i));
    words.filter(|word| !is_gone(*word)).count()
}

/// Whether a key's word in a table with weak keys stands for no entry.
fn is_gone(word: Value) -> bool {
    // A comparison with the broken object needs no door.
    matches!(word, EMPTY | TOMBSTONE) || object::field(word, ephemeron::KEY) == Value::BROKEN
}

/// What a table compares its keys with.
pub fn equivalence(table: Value) -> Equivalence {
    Equivalence::ALL[number(table, EQUIVALENCE).min(3)]
}

/// How many pairs of slots there are: a power of two.
pub(crate) fn capacity(table: Value) -> usize {
    object::length(object::field(table, SLOTS)) / 2
}

/// Key and value in slot `i`, if there are.
pub(crate) fn entry(rt: &Rt, table: Value, i: usize) -> Option<(Value, Value)> {
    let slots = object::field(table, SLOTS);
    let word = object::field(slots, 1 + 2 * i);
    if !is_weak(table) {
        return match word {
            EMPTY | TOMBSTONE => None,
            key => Some((key, object::field(slots, 2 + 2 * i))),
        };
    }
    if is_gone(word) {
        return None;
    }
    let key = object::weak_field(&rt.heap, word, ephemeron::KEY);
    Some((key, object::weak_field(&rt.heap, word, ephemeron::VALUE)))
}

/// An entry as it stands in the slots: its key, and its two words.
type Raw = (Value, Value, Value);

/// The entries in these slots.
fn entries(rt: &Rt, table: Value, piece: Range<usize>) -> impl Iterator<Item = Raw> {
    let slots = object::field(table, SLOTS);
    piece.filter_map(move |i| {
        let (key, _) = entry(rt, table, i)?;
        let word = |k| object::field(slots, k + 2 * i);
        Some((key, word(1), word(2)))
    })
}

/// A table without entries.
pub fn make(rt: &mut Rt, equivalence: Equivalence, weak: bool) -> Result {
    let slots = rt.make_vector(16, EMPTY)?;
    let zero = Value::fixnum(0);
    let kind = Value::fixnum(equivalence as i64);
    let weak = Value::bool(weak);
    let words = [kind, zero, zero, slots, zero, Value::FALSE, weak];
    rt.make_object(kinds::HASH_TABLE, &words)
}

fn mix(h: u64) -> u64 {
    let h = (h ^ (h >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    h ^ (h >> 29)
}

/// A key's hash, and whether it depends on an address.
fn hash(rt: &Rt, how: Equivalence, key: Value) -> (u64, bool) {
    match how {
        Equivalence::Eq => hash_eq(key),
        Equivalence::Eqv => hash_eqv(rt, key),
        Equivalence::Equal | Equivalence::String => hash_equal(rt, key),
    }
}

fn hash_eq(key: Value) -> (u64, bool) {
    if symbols::is_symbol(key) {
        return (mix(object::field(key, symbols::HASH).bits()), false);
    }
    (mix(key.bits()), key.is_pointer())
}

fn hash_eqv(rt: &Rt, key: Value) -> (u64, bool) {
    if let Some(x) = num::flonum(key) {
        // All NaNs are one key.
        let bits = if x.is_nan() { 0 } else { x.to_bits() };
        return (mix(bits), false);
    }
    match object::type_id(key) {
        Some(kinds::BIGNUM | kinds::RATNUM) => match rt.number(key) {
            Some(n) => (mix(symbols::hash(n.to_string(16).as_bytes()) as u64), false),
            None => hash_eq(key),
        },
        _ => hash_eq(key),
    }
}

/// Looks at some dozens of parts at most, so cycles and size do not matter.
fn hash_equal(rt: &Rt, key: Value) -> (u64, bool) {
    let mut stack = vec![key];
    let (mut h, mut by_address) = (0u64, false);
    let mut budget = 48;
    while let Some(v) = stack.pop() {
        if budget == 0 {
            break;
        }
        budget -= 1;
        let part = if v.is_pair() {
            stack.push(object::cdr(v));
            stack.push(object::car(v));
            1
        } else {
            match object::type_id(v) {
                Some(kinds::STRING) => symbols::hash(rt.text(v).as_bytes()) as u64,
                Some(kinds::BYTEVECTOR | kinds::BYTEVECTOR_VIEW) => {
                    symbols::hash(rt.bytevector(v)) as u64
                }
                Some(kinds::VECTOR) => {
                    let n = object::length(v);
                    stack.extend((1..=n.min(16)).rev().map(|i| object::field(v, i)));
                    n as u64
                }
                Some(id) if datatypes::is_data(v) => {
                    let (first, end) = datatypes::words(v);
                    let values = (first..end).take(16).map(|i| object::field(v, i));
                    stack.extend(values.rev());
                    let bits = (1..first).map(|i| object::raw(v, i));
                    bits.fold(id.0.into(), |h, bits| mix(h ^ bits))
                }
                _ => {
                    let (h, address) = hash_eqv(rt, v);
                    by_address |= address;
                    h
                }
            }
        };
        h = mix(h.rotate_left(5) ^ part);
    }
    (h, by_address)
}

fn same(rt: &Rt, how: Equivalence, a: Value, b: Value) -> bool {
    a == b
        || match how {
            Equivalence::Eq => false,
            Equivalence::Eqv => equal::eqv(rt, a, b),
            Equivalence::Equal | Equivalence::String => equal::equal(rt, a, b),
        }
}

/// Where a key is, or where it would go.
enum Place {
    At(usize),
    Free(usize),
}

/// Looks for `key`; the second result says whether its hash depends on an address.
fn find(rt: &mut Rt, table: Value, key: Value) -> (Place, bool) {
    if object::field(table, BY_ADDRESS) == Value::TRUE && number(table, EPOCH) as u64 != rt.epoch()
    {
        rehash(rt, table);
    }
    let how = equivalence(table);
    let (h, by_address) = hash(rt, how, key);
    let slots = object::field(table, SLOTS);
    let mask = capacity(table) - 1;
    let mut i = h as usize & mask;
    let mut free = None;
    // inv: the table is never full, so an empty slot ends the search.
    loop {
        if object::field(slots, 1 + 2 * i) == EMPTY {
            return (Place::Free(free.unwrap_or(i)), by_address);
        }
        match entry(rt, table, i) {
            None => free = free.or(Some(i)),
            Some((k, _)) if same(rt, how, k, key) => return (Place::At(i), by_address),
            Some(_) => {}
        }
        i = (i + 1) & mask;
    }
}

/// Hashes every entry again, in place (inv:table.epoch).
fn rehash(rt: &mut Rt, table: Value) {
    let entries: Vec<Raw> = entries(rt, table, 0..capacity(table)).collect();
    let slots = object::field(table, SLOTS);
    for i in 1..=object::length(slots) {
        object::store(&mut rt.heap, slots, i, EMPTY);
    }
    let any_address = fill(rt, equivalence(table), slots, &entries);
    let epoch = rt.epoch();
    filled(rt, table, entries.len(), any_address, epoch);
}

/// Puts entries into slots that have room for them. Whether one was hashed by its address.
fn fill(rt: &mut Rt, how: Equivalence, slots: Value, entries: &[Raw]) -> bool {
    let mask = object::length(slots) / 2 - 1;
    let mut any_address = false;
    for &(key, first, second) in entries {
        let (h, by_address) = hash(rt, how, key);
        any_address |= by_address;
        let mut i = h as usize & mask;
        while object::field(slots, 1 + 2 * i) != EMPTY {
            i = (i + 1) & mask;
        }
        object::store(&mut rt.heap, slots, 1 + 2 * i, first);
        object::store(&mut rt.heap, slots, 2 + 2 * i, second);
    }
    any_address
}

/// Notes what a table's slots were filled with, in this epoch and later ones.
fn filled(rt: &mut Rt, table: Value, count: usize, any_address: bool, epoch: u64) {
    set_number(rt, table, USED, count);
    set_number(rt, table, COUNT, count);
    set_number(rt, table, EPOCH, epoch as usize);
    object::store(&mut rt.heap, table, BY_ADDRESS, Value::bool(any_address));
}

fn note_epoch(rt: &mut Rt, table: Value) {
    let epoch = rt.epoch() as usize;
    set_number(rt, table, EPOCH, epoch);
}

/// The value of a key.
pub fn get(rt: &mut Rt, table: Value, key: Value) -> Option<Value> {
    match find(rt, table, key).0 {
        Place::At(i) => entry(rt, table, i).map(|(_, value)| value),
        Place::Free(_) => None,
    }
}

/// Gives a key a value. Table, key and value are at these root stack positions.
pub fn set(rt: &mut Rt, table_at: usize, key_at: usize, value_at: usize) -> Result<()> {
    let table = rt.at(table_at);
    let (place, _) = find(rt, table, rt.at(key_at));
    if let Place::At(i) = place {
        let slots = object::field(table, SLOTS);
        let value = rt.at(value_at);
        if is_weak(table) {
            let both = object::field(slots, 1 + 2 * i);
            object::store(&mut rt.heap, both, ephemeron::VALUE, value);
        } else {
            object::store(&mut rt.heap, slots, 2 + 2 * i, value);
        }
        return Ok(());
    }
    let height = rt.height();
    rt.push(rt.at(key_at));
    rt.push(rt.at(value_at));
    if is_weak(table) {
        let both = rt.heap.ephemeron(rt.at(key_at), rt.at(value_at))?;
        rt.set_at(height, both);
        rt.set_at(height + 1, Value::UNSPECIFIED);
    }
    if (number(rt.at(table_at), USED) + 1) * 4 > capacity(rt.at(table_at)) * 3 {
        grow(rt, table_at)?;
    }
    let table = rt.at(table_at);
    let (Place::Free(i) | Place::At(i), by_address) = find(rt, table, rt.at(key_at));
    let second = rt.pop();
    let first = rt.pop();
    let slots = object::field(table, SLOTS);
    if object::field(slots, 1 + 2 * i) == EMPTY {
        set_number(rt, table, USED, number(table, USED) + 1);
    }
    object::store(&mut rt.heap, slots, 1 + 2 * i, first);
    object::store(&mut rt.heap, slots, 2 + 2 * i, second);
    set_number(rt, table, COUNT, number(table, COUNT) + 1);
    if by_address && object::field(table, BY_ADDRESS) != Value::TRUE {
        object::store(&mut rt.heap, table, BY_ADDRESS, Value::TRUE);
        note_epoch(rt, table);
    }
    Ok(())
}

fn grow(rt: &mut Rt, table_at: usize) -> Result<()> {
    let wanted = (count_at(rt, table_at) + 1) * 2;
    let slots = rt.make_vector(2 * wanted.next_power_of_two().max(8), EMPTY)?;
    let slots_at = rt.height();
    rt.push(slots);
    // inv:table.epoch. If addresses change meanwhile the table is hashed once more when it is next looked at.
    let epoch = rt.epoch();
    let (mut used, mut any_address) = (0, false);
    rt.in_pieces(0..capacity(rt.at(table_at)), |rt, piece| {
        let (table, slots) = (rt.at(table_at), rt.at(slots_at));
        let entries: Vec<Raw> = entries(rt, table, piece).collect();
        any_address |= fill(rt, equivalence(table), slots, &entries);
        used += entries.len();
    });
    let (slots, table) = (rt.pop(), rt.at(table_at));
    object::store(&mut rt.heap, table, SLOTS, slots);
    filled(rt, table, used, any_address, epoch);
    Ok(())
}

/// Forgets a key. Whether it was there.
pub fn delete(rt: &mut Rt, table: Value, key: Value) -> bool {
    let (Place::At(i), _) = find(rt, table, key) else {
        return false;
    };
    let slots = object::field(table, SLOTS);
    object::store(&mut rt.heap, slots, 1 + 2 * i, TOMBSTONE);
    object::store(&mut rt.heap, slots, 2 + 2 * i, Value::FALSE);
    set_number(rt, table, COUNT, number(table, COUNT).saturating_sub(1));
    true
}

/// Forgets every key of the table at a root stack position.
pub(crate) fn clear(rt: &mut Rt, table_at: usize) {
    rt.in_pieces(0..capacity(rt.at(table_at)), |rt, piece| {
        let slots = object::field(rt.at(table_at), SLOTS);
        for i in 1 + 2 * piece.start..1 + 2 * piece.end {
            object::store(&mut rt.heap, slots, i, EMPTY);
        }
    });
    let (table, epoch) = (rt.at(table_at), rt.epoch());
    filled(rt, table, 0, false, epoch);
}

/// The hash of a value by content, for the language's own use.
pub fn equal_hash(rt: &Rt, v: Value) -> i64 {
    (hash_equal(rt, v).0 >> 3) as i64
}
