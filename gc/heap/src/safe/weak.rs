//! Weak things: pairs, vectors, ephemerons, guardians and finalizers, as `crate::weak` has them.

use super::error::{AllocError, OutOfRange};
use super::kind::{Ephemeron, Foreign, GUARDIAN, Guardian, Object, WeakPair, WeakValues};
use super::local::{Local, Names, Operand};
use super::make::sized;
use super::scope::Scope;
use super::view::View;
use crate::access;
use crate::owners::OwnerLabel;
use bowline_layout::{Shape, Value, weak_pair};

impl<'s> Scope<'s> {
    /// A fresh pair that does not keep its car alive.
    pub fn weak_pair<'a, 'b>(
        &mut self,
        car: impl Into<Operand<'a>>,
        cdr: impl Into<Operand<'b>>,
    ) -> Result<Local<'s, WeakPair>, AllocError> {
        let (car, cdr) = (car.into().value(), cdr.into().value());
        let pair = self.mutator().weak_pair(car, cdr)?;
        self.keep(pair)
    }

    /// Makes `value` the weak value of `pair`.
    pub fn set_weak_car<'a>(
        &self,
        pair: impl Names<Kind = WeakPair>,
        value: impl Into<Operand<'a>>,
    ) {
        self.store(self.view(pair).word(), weak_pair::CAR, value.into().value());
    }

    /// A fresh object of `length` weak values, all `false`.
    pub fn weak_values<K: Object<Form = WeakValues>>(
        &mut self,
        length: usize,
    ) -> Result<Local<'s, K>, AllocError> {
        let v = self.fresh(sized::<K>(Shape::WeakValues, length)?)?;
        for i in 0..length {
            // SAFETY: the object is fresh and that long.
            unsafe { access::init(v, 1 + i, Value::FALSE) };
        }
        self.keep(v)
    }

    /// Makes `value` the weak value at `index` of `object`.
    pub fn set_weak_at<'a, K: Object<Form = WeakValues>>(
        &self,
        object: impl Names<Kind = K>,
        index: usize,
        value: impl Into<Operand<'a>>,
    ) -> Result<(), OutOfRange> {
        let object: View<'_, K> = self.view(object);
        let length = object.slots();
        if index >= length {
            return Err(OutOfRange { index, length });
        }
        self.store(object.word(), 1 + index, value.into().value());
        Ok(())
    }

    /// A fresh ephemeron: `value` lives only while `key` does.
    pub fn ephemeron<'a, 'b>(
        &mut self,
        key: impl Into<Operand<'a>>,
        value: impl Into<Operand<'b>>,
    ) -> Result<Local<'s, Ephemeron>, AllocError> {
        let (key, value) = (key.into().value(), value.into().value());
        let v = self.mutator().ephemeron(key, value)?;
        self.keep(v)
    }

    /// A fresh guardian.
    pub fn guardian(&mut self) -> Result<Local<'s, Guardian>, AllocError> {
        let v = self.fresh(GUARDIAN)?;
        self.keep(v)
    }

    /// Puts `object` under the care of `guardian`: once it is found dead, [`Scope::guardian_next`] gives
    /// `representative`, which may be the object itself.
    pub fn guard<'a, 'b>(
        &mut self,
        guardian: Local<'_, Guardian>,
        object: impl Into<Operand<'a>>,
        representative: impl Into<Operand<'b>>,
    ) {
        let guardian = self.view(guardian).word();
        let (object, representative) = (object.into().value(), representative.into().value());
        self.mutator().guard(guardian, object, representative);
    }

    /// The next representative of a dead object under `guardian`'s care.
    pub fn guardian_next(&mut self, guardian: Local<'_, Guardian>) -> Option<Local<'s>> {
        let guardian = self.view(guardian).word();
        let next = self.mutator().guardian_next(guardian)?;
        Some(self.push(next))
    }

    /// Attaches `finalizer` to `pointer`: once that is found dead, [`Scope::next_finalizable`] gives both.
    /// `bytes` is how much memory will be free when the finalizer has run.
    pub fn attach_finalizer<'a>(
        &mut self,
        pointer: Local<'_, Foreign>,
        finalizer: impl Into<Operand<'a>>,
        bytes: usize,
        label: OwnerLabel,
    ) {
        let pointer = self.view(pointer).word();
        let finalizer = finalizer.into().value();
        self.mutator()
            .attach_finalizer(pointer, finalizer, bytes, label);
    }

    /// The oldest pointer that was found dead and its finalizer. The language asks between two steps of its
    /// program and runs it as it likes.
    pub fn next_finalizable(&mut self) -> Option<(Local<'s, Foreign>, Local<'s>)> {
        if !self.shared().heap().finalizable() {
            return None;
        }
        let (pointer, finalizer) = self.mutator().next_finalizable()?;
        Some((self.push(pointer), self.push(finalizer)))
    }
}
