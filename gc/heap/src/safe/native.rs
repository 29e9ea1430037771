//! Native sections: code that does not touch the heap and that no collection waits for, what is lent to it,
//! and how it comes back.
//!
//! ```text
//!            native, lend
//!   Managed ──────────────▶ Native        no scope at hand: it is borrowed
//!      ▲  ◀──────────────     │
//!      │     return, panic    │ reenter   a new scope, above all that is on the stack
//!      └──────────────────────┘
//! ```
//!
//! A thread notes in a word of its own which mutator it left Managed with, so that a callback finds it again.
//! The word is empty while the thread is Managed: who has a scope at hand cannot get a second one.
//!
//! Absent on purpose: `longjmp` over these frames. What C throws is C's to catch.

use super::error::ReenterError;
use super::kind::{Buffer, ByteForm, FixedBytes, Object, Of};
use super::local::Local;
use super::scope::Scope;
use crate::mutator::Mutator;
use crate::thread::CallFrame;
use bowline_layout::Value;
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicU8;
use std::sync::{LockResult, Mutex, MutexGuard, TryLockError};

thread_local! {
    /// The mutator with which this thread is in a native section.
    static LEFT: Cell<*mut Mutator> = const { Cell::new(ptr::null_mut()) };
}

/// A native section. It ends when this is dropped.
struct Away {
    mutator: *mut Mutator,
    outer: *mut Mutator,
}

impl Away {
    fn go(mutator: *mut Mutator) -> Self {
        // SAFETY: the caller has the mutator borrowed for as long as the section lasts.
        unsafe { (*mutator).enter_native() };
        let outer = LEFT.replace(mutator);
        Away { mutator, outer }
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        LEFT.set(self.outer);
        // SAFETY: as in `go`.
        unsafe { (*self.mutator).leave_native() };
    }
}

/// A visit from a native section. It ends when this is dropped.
struct Visit(*mut Mutator);

impl Drop for Visit {
    fn drop(&mut self) {
        // SAFETY: whoever is in the native section has the mutator borrowed and does not use it.
        unsafe { (*self.0).enter_native() };
        LEFT.set(self.0);
    }
}

/// Comes back from a native section, on the thread that is in it, and runs `f` with a scope: what a callback
/// does that C calls. The section goes on afterwards, also after a panic.
pub fn reenter<R>(f: impl for<'i> FnOnce(&mut Scope<'i>) -> R) -> Result<R, ReenterError> {
    let Some(mut mutator) = NonNull::new(LEFT.replace(ptr::null_mut())) else {
        return Err(ReenterError::NotNative);
    };
    let visit = Visit(mutator.as_ptr());
    // SAFETY: the section has the mutator borrowed and does not use it meanwhile; the word was emptied, so
    // nobody else gets it.
    let mutator = unsafe { mutator.as_mut() };
    mutator.leave_native();
    let result = Scope::over(mutator).scope(f);
    drop(visit);
    Ok(result)
}

/// An object's bytes, lent to a native section: they stay where they are until it ends.
pub struct Lent<'l, K> {
    start: NonNull<u8>,
    length: usize,
    section: PhantomData<&'l u8>,
    kind: Of<K>,
}

impl<K> Clone for Lent<'_, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Lent<'_, K> {}

impl<K> fmt::Debug for Lent<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes at {:p}", self.length, self.start)
    }
}

impl<K> Lent<'_, K> {
    /// Where they are: what is handed to C. C does not change bytes that never change.
    pub fn as_ptr(self) -> NonNull<u8> {
        self.start
    }

    /// How many they are.
    pub fn len(self) -> usize {
        self.length
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.length == 0
    }
}

impl<'l, K> Lent<'l, K>
where
    K: Object,
    K::Form: FixedBytes,
{
    /// The bytes.
    pub fn bytes(self) -> &'l [u8] {
        // SAFETY: the object is pinned during `'l`, and its bytes never change.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }
}

impl<'l, K: Object<Form = Buffer>> Lent<'l, K> {
    /// The bytes, which other threads may change.
    pub fn cells(self) -> &'l [AtomicU8] {
        // SAFETY: the object is pinned during `'l`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().cast(), self.length) }
    }
}

/// Pins the objects of a frame. The pins end when this is dropped.
struct Lending<'a, 'f> {
    mutator: *mut Mutator,
    frame: &'a mut CallFrame<'f>,
}

impl Drop for Lending<'_, '_> {
    fn drop(&mut self) {
        // SAFETY: the mutator is borrowed by whoever lends, and is not used meanwhile.
        let mutator = unsafe { &mut *self.mutator };
        // SAFETY: native sections end innermost first (inv:safe.nested).
        unsafe { mutator.pop_call(self.frame) };
    }
}

impl Scope<'_> {
    /// Runs `f`, which does not touch the heap and which no collection waits for: a call that blocks, or long work
    /// on plain data. To wait for a lock is to block, too: see [`Scope::lock`]. Code in it that needs the heap
    /// after all, such as a callback, uses [`reenter`].
    #[inline(always)]
    pub fn native<R>(&mut self, f: impl FnOnce() -> R) -> R {
        self.mutator().crossing();
        let away = Away::go(self.mutator());
        let result = f();
        drop(away);
        result
    }

    /// Locks `mutex`, in a native section if somebody has it.
    ///
    /// Whoever allocates with a lock in his hands may have to wait for a collection, and the collection waits for
    /// all threads: for one, too, that waits for the lock by [`Mutex::lock`] with a scope at hand, and then all wait
    /// for ever. So a lock that is held over a safepoint is taken by this, or within [`Scope::native`].
    ///
    /// ```
    /// # use bowline_gc::safe::{AllocError, Handle, Heap, HeapConfig, Immediate};
    /// # use std::sync::Mutex;
    /// let log: Mutex<Vec<Handle>> = Mutex::default();
    /// # let heap = Heap::start(HeapConfig::default())?;
    /// # heap.attach()?.scope(|s| {
    /// let mut entries = s.lock(&log).unwrap();
    /// let entry = s.pair(1, Immediate::NIL)?; // may collect, with the lock held
    /// entries.push(s.handle(entry.erase()));
    /// # Ok::<_, AllocError>(())
    /// # })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn lock<'m, T: ?Sized>(&mut self, mutex: &'m Mutex<T>) -> LockResult<MutexGuard<'m, T>> {
        match mutex.try_lock() {
            Ok(guard) => Ok(guard),
            Err(TryLockError::Poisoned(poisoned)) => Err(poisoned),
            Err(TryLockError::WouldBlock) => self.native(|| mutex.lock()),
        }
    }

    /// A native section during which the bytes of `objects` stay where they are and can be read, written and
    /// handed to C without a copy. Unless a collection happens this costs a few stores.
    ///
    /// ```
    /// # use bowline_gc::safe::{Heap, HeapConfig};
    /// # bowline_gc::kinds! { text Name = 16; }
    /// # let heap = Heap::start(HeapConfig::default())?;
    /// # heap.attach()?.scope(|s| {
    /// let path = s.text::<Name>("/no/such/file")?;
    /// let missing = s.lend([path], |[path]| {
    ///     let path = std::str::from_utf8(path.bytes());
    ///     path.map(|path| std::fs::exists(path).is_ok_and(|there| !there))
    /// });
    /// assert_eq!(missing, Ok(true));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn lend<K, const N: usize, R>(
        &mut self,
        objects: [Local<'_, K>; N],
        f: impl for<'l> FnOnce([Lent<'l, K>; N]) -> R,
    ) -> R
    where
        K: Object,
        K::Form: ByteForm,
    {
        self.mutator().crossing();
        let pinned: [Value; N] = objects.map(|local| self.view(local).word());
        let lent = objects.map(|local| {
            let view = self.view(local);
            Lent {
                // SAFETY: an object is at no null.
                start: unsafe { NonNull::new_unchecked(view.start()) },
                length: view.len(),
                section: PhantomData,
                kind: PhantomData,
            }
        });
        let mut frame = CallFrame::new(&pinned);
        // SAFETY: the frame stands here until `lending` is dropped, in this function.
        unsafe { self.mutator().push_call(&mut frame) };
        let mutator: *mut Mutator = self.mutator();
        let lending = Lending {
            mutator,
            frame: &mut frame,
        };
        let away = Away::go(mutator);
        let result = f(lent);
        drop(away);
        drop(lending);
        result
    }
}
