//! Making objects, and changing them.
//!
//! An allocation reads its operands before it can collect and hands them to the allocator, which keeps them,
//! or after: a handle is right at any time. A fresh object is filled before the next safepoint.
//!
//! Absent on purpose: stores that a collector need not know of. Every store into an object that was handed
//! out passes the barrier.

use super::error::{AllocError, OutOfRange};
use super::kind::{
    self, Buffer, ByteForm, Bytes, Field, Flonum, Foreign, Object, Pair, RawField, RawWord, Record,
    Text, Values,
};
use super::local::{Local, Names, Operand};
use super::scope::Scope;
use super::view::View;
use crate::access;
use crate::owners::OwnerLabel;
use bowline_layout::{Header, Shape, Tag, Value, flonum, foreign_pointer};
use std::ffi::c_void;
use std::sync::atomic::{AtomicU64, Ordering};

/// The header of `K` with this length, if any object can be so long.
pub(super) fn sized<K: Object>(shape: Shape, length: usize) -> Result<Header, AllocError> {
    match length {
        0..=Header::MAX_LENGTH => Ok(Header::new(shape, const { kind::id::<K>() }, length)),
        _ => Err(AllocError::too_long(length)),
    }
}

impl<'s> Scope<'s> {
    /// A fresh object with this header; its words are zero.
    #[inline(always)]
    pub(super) fn fresh(&mut self, header: Header) -> Result<Value, AllocError> {
        Ok(self.mutator().alloc(header, Tag::Object)?)
    }

    /// A fresh pair that no handle knows yet.
    #[inline(always)]
    pub(super) fn fresh_pair(
        &mut self,
        car: Operand<'_>,
        cdr: Operand<'_>,
    ) -> Result<Value, AllocError> {
        Ok(self.mutator().alloc_pair(car.value(), cdr.value())?)
    }

    /// A fresh pair.
    #[inline(always)]
    pub fn pair<'a, 'b>(
        &mut self,
        car: impl Into<Operand<'a>>,
        cdr: impl Into<Operand<'b>>,
    ) -> Result<Local<'s, Pair>, AllocError> {
        let (car, cdr) = (car.into().value(), cdr.into().value());
        // Two ways that meet nowhere, so that the short one asks once whether there was room.
        match self.mutator().pair_at_hand(car, cdr) {
            Some(pair) => self.keep(pair),
            None => self.pair_slowly(car, cdr),
        }
    }

    #[cold]
    #[inline(never)]
    fn pair_slowly(&mut self, car: Value, cdr: Value) -> Result<Local<'s, Pair>, AllocError> {
        let pair = self.mutator().alloc_pair(car, cdr)?;
        self.keep(pair)
    }

    /// A fresh record: what the `make` of its kind calls.
    #[inline(always)]
    pub fn record<K, const RAW: usize, const VALUES: usize>(
        &mut self,
        raw: [u64; RAW],
        values: [Operand<'_>; VALUES],
    ) -> Result<Local<'s, K>, AllocError>
    where
        K: Object<Form = Record<RAW, VALUES>>,
    {
        let v = self.fresh(const { Record::<RAW, VALUES>::header(kind::id::<K>()) })?;
        for (i, word) in raw.into_iter().enumerate() {
            // SAFETY: the object is fresh and has that many raw words.
            unsafe { access::set_word(v, 1 + i, word) };
        }
        for (i, operand) in values.into_iter().enumerate() {
            // SAFETY: the object is fresh and has that many values after them.
            unsafe { access::init(v, 1 + RAW + i, operand.value()) };
        }
        self.keep(v)
    }

    /// A fresh object of `length` values, each `fill`.
    pub fn values<'a, K: Object<Form = Values>>(
        &mut self,
        length: usize,
        fill: impl Into<Operand<'a>>,
    ) -> Result<Local<'s, K>, AllocError> {
        let fill = fill.into();
        let v = self.fresh(sized::<K>(Shape::Values, length)?)?;
        let fill = fill.value();
        for i in 0..length {
            // SAFETY: the object is fresh and that long.
            unsafe { access::init(v, 1 + i, fill) };
        }
        self.keep(v)
    }

    /// A fresh object of these values.
    pub fn values_from<K: Object<Form = Values>>(
        &mut self,
        values: &[Operand<'_>],
    ) -> Result<Local<'s, K>, AllocError> {
        let v = self.fresh(sized::<K>(Shape::Values, values.len())?)?;
        for (i, operand) in values.iter().enumerate() {
            // SAFETY: the object is fresh and that long.
            unsafe { access::init(v, 1 + i, operand.value()) };
        }
        self.keep(v)
    }

    /// A fresh object of `F`'s form, filled by `fill`. It never moves if `stays`.
    fn of_bytes<K, F>(
        &mut self,
        length: usize,
        stays: bool,
        fill: impl FnOnce(&mut [u8]),
    ) -> Result<Local<'s, K>, AllocError>
    where
        F: ByteForm,
        K: Object<Form = F>,
    {
        let header = sized::<K>(Shape::Bytes, length)?.with_flags(F::FLAGS);
        let v = if stays {
            self.mutator().alloc_immovable(header, Tag::Object)?
        } else {
            self.fresh(header)?
        };
        // Rooted first: `fill` may panic, but it has no scope to collect with.
        let local = self.keep(v)?;
        // SAFETY: the object is fresh, known to nobody else and that long; there is no safepoint in `fill`.
        fill(unsafe { access::bytes_mut(v, 1, length) });
        Ok(local)
    }

    /// A fresh object of `length` bytes, which `fill` sets (they are zero) and nothing changes afterwards.
    pub fn bytes<K: Object<Form = Bytes>>(
        &mut self,
        length: usize,
        fill: impl FnOnce(&mut [u8]),
    ) -> Result<Local<'s, K>, AllocError> {
        self.of_bytes(length, false, fill)
    }

    /// A fresh object of the text `text`.
    pub fn text<K: Object<Form = Text>>(&mut self, text: &str) -> Result<Local<'s, K>, AllocError> {
        self.of_bytes(text.len(), false, |bytes| {
            bytes.copy_from_slice(text.as_bytes())
        })
    }

    /// A fresh object of `length` bytes that are zero and may be changed.
    pub fn buffer<K: Object<Form = Buffer>>(
        &mut self,
        length: usize,
    ) -> Result<Local<'s, K>, AllocError> {
        self.of_bytes(length, false, |_| ())
    }

    /// As [`Scope::buffer`], but the object never moves.
    pub fn immovable_buffer<K: Object<Form = Buffer>>(
        &mut self,
        length: usize,
    ) -> Result<Local<'s, K>, AllocError> {
        self.of_bytes(length, true, |_| ())
    }

    /// A fresh double.
    #[inline(always)]
    pub fn flonum(&mut self, number: f64) -> Result<Local<'s, Flonum>, AllocError> {
        let v = self.fresh(flonum::HEADER)?;
        // SAFETY: the object is fresh and has that raw word.
        unsafe { access::set_word(v, flonum::BITS, number.to_bits()) };
        self.keep(v)
    }

    /// A fresh foreign pointer to `address`, which it does not own.
    pub fn foreign_pointer(
        &mut self,
        address: *mut c_void,
    ) -> Result<Local<'s, Foreign>, AllocError> {
        let v = self.fresh(foreign_pointer::HEADER)?;
        let address = address.expose_provenance() as u64;
        // SAFETY: the object is fresh and has that raw word.
        unsafe { access::set_word(v, foreign_pointer::POINTER, address) };
        // SAFETY: the object is fresh and has that value.
        unsafe { access::init(v, foreign_pointer::BASE, Value::FALSE) };
        self.keep(v)
    }

    /// A fresh foreign pointer that owns `bytes` of fresh C memory, all zero, which are given back when the
    /// collector finds it dead.
    pub fn foreign_memory(
        &mut self,
        bytes: usize,
        label: OwnerLabel,
    ) -> Result<Local<'s, Foreign>, AllocError> {
        let v = self.mutator().foreign_memory(bytes, true, label)?;
        self.keep(v)
    }

    // Stores.

    /// Makes `value` the first value of `pair`.
    #[inline(always)]
    pub fn set_car<'a>(&self, pair: impl Names<Kind = Pair>, value: impl Into<Operand<'a>>) {
        self.set_pair(pair, 0, value.into());
    }

    /// Makes `value` the second value of `pair`.
    #[inline(always)]
    pub fn set_cdr<'a>(&self, pair: impl Names<Kind = Pair>, value: impl Into<Operand<'a>>) {
        self.set_pair(pair, 1, value.into());
    }

    #[inline(always)]
    fn set_pair(&self, pair: impl Names<Kind = Pair>, i: usize, value: Operand<'_>) {
        let pair = self.view(pair).word();
        assert!(
            !self.shared().heap().in_boot_heap(pair),
            "a frozen pair cannot be changed"
        );
        self.store(pair, i, value.value());
    }

    /// Makes `value` what `field` of `record` holds.
    #[inline(always)]
    pub fn set<'a, K: Object>(
        &self,
        record: impl Names<Kind = K>,
        field: Field<K>,
        value: impl Into<Operand<'a>>,
    ) {
        self.store(self.view(record).word(), field.word(), value.into().value());
    }

    /// Makes `value` what the raw `field` of `record` holds.
    #[inline(always)]
    pub fn set_raw<K: Object, T: RawWord>(
        &self,
        record: impl Names<Kind = K>,
        field: RawField<K, T>,
        value: T,
    ) {
        let at = access::pointer(self.view(record).word().addr().word(field.word()));
        // SAFETY: inv:safe.kind: the record has that raw word, changed as an atomic alone (inv:safe.race).
        let cell = unsafe { AtomicU64::from_ptr(at) };
        cell.store(value.to_word(), Ordering::Relaxed);
    }

    /// Makes `value` the value at `index` of `object`.
    #[inline(always)]
    pub fn set_at<'a, K: Object<Form = Values>>(
        &self,
        object: impl Names<Kind = K>,
        index: usize,
        value: impl Into<Operand<'a>>,
    ) -> Result<(), OutOfRange> {
        let object: View<'_, K> = self.view(object);
        let length = object.count();
        if index >= length {
            return Err(OutOfRange { index, length });
        }
        self.store(object.word(), 1 + index, value.into().value());
        Ok(())
    }
}
