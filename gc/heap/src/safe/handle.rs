//! Handles that last: global ones, weak ones, and pins.
//!
//! A [`Handle`] is a cell that the collector knows. It may be sent to other threads and dropped anywhere, by
//! threads that are attached, in native code or neither: what is dropped is noted, and the cell is used again
//! after a collection has seen the note.
//!
//! `inv:safe.cell` A handle's cell stays where it is as long as there is a heap, is the handle's alone, and
//! holds a value of the handle's kind. It is read and set by threads that are Managed.
//!
//! Absent on purpose: counting. Who shares a handle puts it into an `Arc`.

use super::error::AllocError;
use super::kind::{Any, Kind, Of, WeakPair};
use super::local::{Local, Names, Operand, sealed};
use super::scope::Scope;
use super::view::View;
use crate::access;
use crate::heap::heap;
use crate::pins::PinError;
use crate::roots::Global;
use crate::thread::{Whereabouts, whereabouts};
use bowline_layout::Value;
use std::fmt;
use std::marker::PhantomData;
use std::ptr::NonNull;

/// A value that lives as long as this does, on any thread.
pub struct Handle<K = Any> {
    cell: NonNull<Value>,
    global: Option<Global>,
    kind: Of<K>,
}

// SAFETY: inv:safe.cell: whoever reads or sets the cell has a scope or waits for none, on any thread.
unsafe impl<K> Send for Handle<K> {}
// SAFETY: a shared handle is only read; setting wants it mutably.
unsafe impl<K> Sync for Handle<K> {}

impl<K: Kind> Handle<K> {
    /// What it holds. Good until the scope is next used mutably.
    #[inline(always)]
    pub fn view<'v>(&self, scope: &'v Scope<'_>) -> View<'v, K> {
        scope.view(self)
    }

    /// Makes it hold `value`.
    #[inline(always)]
    pub fn set(&mut self, scope: &Scope<'_>, value: impl Names<Kind = K>) {
        let v = scope.view(value).word();
        // SAFETY: inv:safe.cell: the thread has a scope, so it is Managed, and the handle for itself.
        unsafe { self.cell.write(v) };
    }
}

impl<K> Drop for Handle<K> {
    fn drop(&mut self) {
        if let Some(global) = self.global.take() {
            heap().globals.retire(global);
        }
    }
}

impl<K: Kind> fmt::Debug for Handle<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle<{}>", K::NAME)
    }
}

impl<K> sealed::Word for &Handle<K> {
    #[inline(always)]
    fn operand(&self) -> Operand<'_> {
        Operand::slot(self.cell)
    }
}

impl<K: Kind> Names for &Handle<K> {
    type Kind = K;
}

impl<'h, K> From<&'h Handle<K>> for Operand<'h> {
    #[inline(always)]
    fn from(handle: &'h Handle<K>) -> Self {
        Operand::slot(handle.cell)
    }
}

/// A handle that does not keep its object alive.
#[derive(Debug)]
pub struct WeakHandle<K = Any> {
    pair: Handle<WeakPair>,
    kind: Of<K>,
}

impl<K: Kind> WeakHandle<K> {
    /// The object, unless it is dead. Good until the scope is next used mutably.
    #[inline(always)]
    pub fn view<'v>(&self, scope: &'v Scope<'_>) -> Option<View<'v, K>> {
        let held = self.pair.view(scope).car(scope)?;
        Some(View::new(held.word()))
    }
}

/// An object that stays where it is, and alive, as long as this lives.
///
/// Pins are counted, so an object may be pinned several times. To have C look at an object for the length of a
/// call, [`Scope::lend`] costs less.
pub struct Pinned<'s, K = Any> {
    word: Value,
    scope: PhantomData<&'s Value>,
    kind: Of<K>,
    on_thread: PhantomData<*const ()>,
}

impl<K: Kind> Pinned<'_, K> {
    /// Where the object is: its first word, a header unless it is a pair.
    pub fn as_ptr(&self) -> NonNull<u8> {
        let at = access::pointer(self.word.addr()).cast();
        // SAFETY: an object is at no null.
        unsafe { NonNull::new_unchecked(at) }
    }

    /// The object. Good until the scope is next used mutably.
    pub fn view<'v>(&self, _scope: &'v Scope<'_>) -> View<'v, K> {
        View::new(self.word)
    }
}

impl<K> Drop for Pinned<'_, K> {
    fn drop(&mut self) {
        // The table of pins is the collector's while the world is stopped.
        let native = match whereabouts() {
            Whereabouts::Native(block) => Some(block),
            _ => None,
        };
        if let Some(block) = native
            && heap().world.leave_native(block)
        {
            heap().world.wait_to_leave(block);
        }
        // It was pinned, and this is called once.
        let _ = heap().pins.unpin(self.word);
        if let Some(block) = native {
            heap().world.enter_native(block);
        }
    }
}

impl<K: Kind> fmt::Debug for Pinned<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pinned<{}>", K::NAME)
    }
}

impl<'s> Scope<'s> {
    /// A handle of `value` that lasts beyond all scopes, on any thread.
    pub fn handle<N: Names>(&self, value: N) -> Handle<N::Kind> {
        let v = self.view(value).word();
        let (global, cell) = self.shared().heap().globals.add_cell(v);
        Handle {
            cell,
            global: Some(global),
            kind: PhantomData,
        }
    }

    /// A handle of `value` that does not keep its object alive.
    pub fn weak_handle<'a, K: Kind>(
        &mut self,
        value: Local<'a, K>,
    ) -> Result<WeakHandle<K>, AllocError> {
        self.scope(|s| {
            let pair = s.weak_pair(value, false)?;
            Ok(WeakHandle {
                pair: s.handle(pair),
                kind: PhantomData,
            })
        })
    }

    /// Makes `object` stay where it is as long as it lives, which it does not by this: for what C is handed
    /// again and again. Returns whether it could have moved before. There is no way back.
    pub fn promote<N: Names>(&self, object: N) -> Result<bool, PinError> {
        self.shared().promote(self.view(object).word())
    }

    /// Pins `object` once more.
    pub fn pin<N: Names>(&self, object: N) -> Result<Pinned<'s, N::Kind>, PinError> {
        let word = self.view(object).word();
        self.shared().pin(word)?;
        Ok(Pinned {
            word,
            scope: PhantomData,
            kind: PhantomData,
            on_thread: PhantomData,
        })
    }
}
