//! Weak things: pairs, vectors, ephemerons, guardians and finalizers, as `crate::weak` has them.

use super::error::{AllocError, OutOfRange};
use super::heap::Heap;
use super::kind::{Ephemeron, Foreign, GUARDIAN, Guardian, Object, WeakPair, WeakValues};
use super::local::{Local, Names, Operand};
use super::make::sized;
use super::scope::Scope;
use super::view::View;
use crate::access;
use crate::finalize;
use crate::mutator;
use crate::owners::OwnerLabel;
use bowline_layout::{Shape, Value, object_bytes, weak_pair};
use std::fmt;
use std::io;

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
        let header = sized::<K>(Shape::WeakValues, length)?;
        self.mutator().weak_made(object_bytes(header))?;
        let v = self.fresh(header)?;
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
    ) -> Result<(), AllocError> {
        let guardian = self.view(guardian).word();
        let (object, representative) = (object.into().value(), representative.into().value());
        Ok(self.mutator().guard(guardian, object, representative)?)
    }

    /// The next representative of a dead object under `guardian`'s care. While there is no room for a handle it is
    /// not taken.
    pub fn guardian_next(
        &mut self,
        guardian: Local<'_, Guardian>,
    ) -> Result<Option<Local<'s>>, AllocError> {
        self.room(1)?;
        let guardian = self.view(guardian).word();
        let next = self.mutator().guardian_next(guardian);
        Ok(next.map(|next| self.push(next)))
    }

    /// Attaches `finalizer` to `pointer`: once that is found dead, [`Scope::next_finalizable`] gives both.
    /// `bytes` is how much memory will be free when the finalizer has run.
    pub fn attach_finalizer<'a>(
        &mut self,
        pointer: Local<'_, Foreign>,
        finalizer: impl Into<Operand<'a>>,
        bytes: usize,
        label: OwnerLabel,
    ) -> Result<(), AllocError> {
        let pointer = self.view(pointer).word();
        let finalizer = finalizer.into().value();
        let mutator = self.mutator();
        Ok(mutator.attach_finalizer(pointer, finalizer, bytes, label)?)
    }

    /// The oldest pointer that was found dead and its finalizer. The language asks between two steps of its
    /// program and runs it as it likes. While there is no room for two handles nothing is taken.
    pub fn next_finalizable(
        &mut self,
    ) -> Result<Option<(Local<'s, Foreign>, Local<'s>)>, AllocError> {
        if !self.shared().heap().finalizable() {
            return Ok(None);
        }
        self.room(2)?;
        let next = self.mutator().next_finalizable();
        Ok(next.map(|(pointer, finalizer)| (self.push(pointer), self.push(finalizer))))
    }

    /// Calls `run` with each pointer and finalizer that wait now, those of the first that died first, and each time
    /// with a scope of its own. What becomes ready meanwhile waits for the next time. Returns how many were run:
    /// none inside [`Scope::lend`], for C may hold a lock there that the finalizer wants.
    pub fn run_finalizers(
        &mut self,
        run: impl for<'i> FnMut(&mut Scope<'i>, Local<'i, Foreign>, Local<'i>),
    ) -> Result<usize, AllocError> {
        self.room(2)?;
        Ok(self.mutator().run_finalizers(in_a_scope(run)))
    }

    /// Makes the finalizers of all that lives ready, too, the last attached first: at the end of a program that
    /// wants them run. Returns how many wait now.
    pub fn hurry_finalizers(&mut self) -> usize {
        self.mutator().hurry_finalizers()
    }
}

/// `run`, for the layer below.
fn in_a_scope(
    mut run: impl for<'i> FnMut(&mut Scope<'i>, Local<'i, Foreign>, Local<'i>),
) -> impl FnMut(&mut mutator::Mutator, Value, Value) {
    move |mutator, pointer, finalizer| {
        // inv:fork.firm
        mutator.block().make_safe();
        Scope::over(mutator).scope(|s| {
            let (pointer, finalizer) = (s.push(pointer), s.push(finalizer));
            run(s, pointer, finalizer);
        });
    }
}

/// A thread that runs finalizers.
#[must_use = "the thread runs until it is stopped"]
pub struct FinalizerThread(finalize::FinalizerThread);

impl FinalizerThread {
    /// Lets the thread run what waits, and ends it. Returns how many finalizers it has run; an error holds the
    /// panic that ended it before. In a forked child, which does not have the thread, nothing happens.
    pub fn stop(self, scope: &mut Scope<'_>) -> std::thread::Result<u64> {
        self.0.stop(scope.mutator())
    }
}

impl fmt::Debug for FinalizerThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FinalizerThread")
    }
}

impl Heap {
    /// Starts a thread that calls `run` with each pointer and finalizer as they become ready, beside all other
    /// threads and what they do in native sections.
    pub fn finalizer_thread(
        self,
        run: impl for<'i> FnMut(&mut Scope<'i>, Local<'i, Foreign>, Local<'i>) + Send + 'static,
    ) -> io::Result<FinalizerThread> {
        let thread = self.below().finalizer_thread(in_a_scope(run))?;
        Ok(FinalizerThread(thread))
    }
}
