//! Scopes: the permission to use the heap, and how long handles last.
//!
//! `inv:safe.token` A [`Scope`] is a thread's mutator by another name. Every safepoint is in a method that takes
//! `&mut Scope`; with `&Scope` objects are looked at and changed in place, and none moves or dies. A fork is no
//! safepoint for the thread (`inv:fork.firm`). The thread is Managed whenever code has a scope at hand: a native
//! section has the scope borrowed, and whoever comes back from C gets one from [`reenter`](super::reenter), which
//! first makes the thread Managed.
//!
//! `inv:safe.nested` Scopes of a thread nest, like the calls that make them, and each takes off the root stack
//! what was put there since it began, also when it is left by a panic. Its lifetime `'s` is new for each
//! call and invariant, so nothing that mentions it, a [`Local`] above all, leaves the call.
//!
//! Absent on purpose: a scope that is a guard with a destructor. `mem::forget` would keep its words, dropping
//! two of them in the wrong order would take the wrong ones.

use super::error::AllocError;
use super::kind::{Kind, WrongKind};
use super::local::{Local, Names, Operand, Root};
use super::view::View;
use crate::mutator::{self, Collect};
use crate::stack::RootStack;
use crate::stats::GcStats;
use bowline_layout::Value;
use std::cell::UnsafeCell;
use std::fmt;
use std::marker::PhantomData;
use std::ptr::NonNull;

/// A part of a program during which handles last, and its permission to use the heap.
///
/// `&mut Scope` is the permission to allocate, to collect and to wait; `&Scope` is the permission to look. So
/// what must not be held over a collection, a [`View`] or a slice of an object's bytes, borrows the scope, and
/// the compiler refuses the program that holds it.
#[repr(transparent)]
pub struct Scope<'s> {
    mutator: UnsafeCell<mutator::Mutator>,
    name: PhantomData<fn(&'s ()) -> &'s ()>,
}

/// What a scope puts on the root stack goes away with this.
pub(super) struct Frame {
    stack: &'static RootStack,
    base: *mut Value,
}

impl Drop for Frame {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: the stack was so high when the scope began, and is no lower now (inv:safe.nested).
        unsafe { self.stack.set_sp(self.base) };
    }
}

impl<'s> Scope<'s> {
    /// The scope that `mutator` is, under a new name.
    #[inline(always)]
    pub(super) fn over<'i>(mutator: &mut mutator::Mutator) -> &mut Scope<'i> {
        let scope: *mut Scope<'i> = std::ptr::from_mut(mutator).cast();
        // SAFETY: a scope is a mutator (transparent), borrowed for as long.
        unsafe { &mut *scope }
    }

    /// The thread's mutator: the layer below, whose contracts are words.
    ///
    /// # Safety
    /// The caller keeps what `mutator` and `stack` demand, leaves the root stack as it was found, and does not
    /// leave Managed.
    #[inline(always)]
    pub unsafe fn low_level(&mut self) -> &mut mutator::Mutator {
        self.mutator.get_mut()
    }

    #[inline(always)]
    pub(super) fn mutator(&mut self) -> &mut mutator::Mutator {
        self.mutator.get_mut()
    }

    #[inline(always)]
    pub(super) fn shared(&self) -> &mutator::Mutator {
        // SAFETY: the mutator is borrowed mutably during methods that have `&mut self`, and for the length of
        // one store in others, never around code of the caller's.
        unsafe { &*self.mutator.get() }
    }

    /// Stores `v` into word `i` of `object`, with the barrier. The word holds a value (inv:safe.kind).
    #[inline(always)]
    pub(super) fn store(&self, object: Value, i: usize, v: Value) {
        // SAFETY: as for `shared`; nothing else refers to the mutator during this store.
        let mutator = unsafe { &mut *self.mutator.get() };
        // SAFETY: the object is live and the word one that is scanned, as the caller's kind says.
        unsafe { mutator.store(object, i, v) };
    }

    #[inline(always)]
    pub(super) fn frame(&self) -> Frame {
        let stack = &self.shared().block().stack;
        Frame {
            stack,
            base: stack.sp(),
        }
    }

    // Scopes.

    /// Runs `f` with a scope inside this one: the handles that are made there end with it.
    #[inline(always)]
    pub fn scope<R>(&mut self, f: impl for<'i> FnOnce(&mut Scope<'i>) -> R) -> R {
        let _frame = self.frame();
        f(Scope::over(self.mutator()))
    }

    /// Runs `f` with a scope inside this one, and keeps of all handles that are made there the one that is
    /// returned.
    #[inline(always)]
    pub fn escape<K: Kind, E>(
        &mut self,
        f: impl for<'i> FnOnce(&mut Scope<'i>) -> Result<Local<'i, K>, E>,
    ) -> Result<Local<'s, K>, E> {
        let frame = self.frame();
        let local = f(Scope::over(self.mutator()))?;
        let value = Operand::from(local).value();
        let base = frame.base;
        debug_assert!(local.slot().as_ptr() >= base, "inv:safe.nested");
        std::mem::forget(frame);
        // SAFETY: the handle's own word is this one or lies above it, so both are the stack's.
        unsafe { self.shared().stack().cut_to(base, value) };
        // SAFETY: a word of the stack's is at no null.
        Ok(Local::at(unsafe { NonNull::new_unchecked(base) }))
    }

    // Handles and views.

    /// Roots `v`, which is of kind `K`.
    ///
    /// # Panics
    /// When the stack is full.
    #[inline(always)]
    pub(super) fn push<K>(&self, v: Value) -> Local<'s, K> {
        let stack = self.shared().stack();
        let slot = stack.sp();
        stack.push(v);
        // SAFETY: a word of the stack's is no null.
        Local::at(unsafe { NonNull::new_unchecked(slot) })
    }

    /// Roots `v`, which is of kind `K` and fresh.
    #[inline(always)]
    pub(super) fn keep<K>(&self, v: Value) -> Result<Local<'s, K>, AllocError> {
        let stack = self.shared().stack();
        let slot = stack.sp();
        if slot.addr() >= stack.real_limit() {
            return Err(self.too_many());
        }
        // SAFETY: below the limit is below the end.
        unsafe { stack.push_unchecked(v) };
        // SAFETY: a word of the stack's is at no null.
        Ok(Local::at(unsafe { NonNull::new_unchecked(slot) }))
    }

    /// Whether `n` more handles have room on the stack.
    pub(super) fn room(&self, n: usize) -> Result<(), AllocError> {
        let stack = self.shared().stack();
        if stack.sp().addr() + n * size_of::<Value>() > stack.real_limit() {
            return Err(self.too_many());
        }
        Ok(())
    }

    #[cold]
    fn too_many(&self) -> AllocError {
        let most = self.shared().heap().config().root_stack / size_of::<Value>();
        AllocError::too_many_locals(most)
    }

    /// Replaces the word at `slot` of this thread's stack.
    #[inline(always)]
    pub(super) fn set_slot(&self, slot: NonNull<Value>, v: Value) {
        // SAFETY: inv:safe.slot: the word lies below the top.
        unsafe { self.shared().stack().set_unchecked(slot.as_ptr(), v) };
    }

    /// A handle of `value`, which is a view or something else that can be stored.
    ///
    /// # Panics
    /// When so many handles are alive that the root stack is full ([`HeapConfig::root_stack`]). The allocating
    /// methods return [`AllocFailure::TooManyLocals`](super::AllocFailure) before it comes to that.
    ///
    /// [`HeapConfig::root_stack`]: crate::HeapConfig::root_stack
    #[inline(always)]
    pub fn local<N: Names>(&self, value: N) -> Local<'s, N::Kind> {
        self.push(value.operand().value())
    }

    /// A variable that holds `value`: for loops.
    ///
    /// # Panics
    /// As for [`Scope::local`].
    #[inline(always)]
    pub fn root<N: Names>(&self, value: N) -> Root<'s, N::Kind> {
        Root::new(self.local(value))
    }

    /// What `value` is now: good until the scope is next used mutably.
    #[inline(always)]
    pub fn view<'v, N: Names>(&'v self, value: N) -> View<'v, N::Kind> {
        View::new(value.operand().value())
    }

    /// `local` as one of kind `K`, or what it is instead. The handle stays the same.
    #[inline(always)]
    pub fn cast<'a, K: Kind, L: Kind>(
        &self,
        local: Local<'a, L>,
    ) -> Result<Local<'a, K>, WrongKind> {
        self.view(local).cast::<K>()?;
        Ok(Local::at(local.slot()))
    }

    /// `local` as one of kind `K`, if it is. The handle stays the same.
    #[inline(always)]
    pub fn downcast<'a, K: Kind, L: Kind>(&self, local: Local<'a, L>) -> Option<Local<'a, K>> {
        let admitted = self.view(local).is::<K>();
        admitted.then_some(Local::at(local.slot()))
    }

    // Safepoints.

    /// Stops here while somebody collects. Loops that do not allocate call this, or they keep the other threads
    /// of the process waiting.
    #[inline(always)]
    pub fn poll(&mut self) {
        self.mutator().poll();
    }

    /// Collects now.
    pub fn collect(&mut self, kind: Collect) {
        self.mutator().collect(kind);
    }

    /// The heap's figures.
    pub fn stats(&self) -> GcStats {
        self.shared().stats()
    }

    /// The heap.
    pub fn heap(&self) -> super::Heap {
        super::Heap::over(self.shared().heap())
    }

    /// How many handles are alive on this thread, in this scope and around it.
    pub fn locals(&self) -> usize {
        self.shared().len()
    }
}

impl fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scope({} locals)", self.locals())
    }
}
