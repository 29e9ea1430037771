//! Tables of the language's own, in Rust's memory, whose values the collector finds.
//!
//! A [`Table`] holds ordinary Rust collections of [`View`]s: a map from names to symbols, a stack of handlers.
//! It is opened for the length of a closure, in which nothing can collect; its views have a lifetime of the
//! closure's own, so none is carried out and none that is stale is carried in.
//!
//! `inv:safe.table` A table's type says where its values are: it is made of the types that [`Trace`] is
//! implemented for here, and of [`Plain`], in which no view can hide because none lives for ever. The
//! collector visits all of them while the world is stopped, when no thread has the table open, for who has
//! it open is Managed.
//!
//! Absent on purpose: implementing [`Trace`] elsewhere. One that forgot a field would leave it stale.

use super::kind::Kind;
use super::scope::Scope;
use super::view::View;
use crate::roots::RootSource;
use crate::sync::lock;
use bowline_layout::Value;
use std::cell::UnsafeCell;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

mod sealed {
    use super::Value;

    /// What visits the words of a table.
    ///
    /// # Safety
    /// Calls `f` with each word that it holds; holds nothing else that is bound to a thread.
    pub unsafe trait Words {
        fn words(&mut self, f: &mut dyn FnMut(&mut Value));
    }
}
use sealed::Words;

/// What a table can be made of.
pub trait Trace: Words {}

impl<T: Words> Trace for T {}

/// The type of a table.
///
/// ```
/// use bowline_gc::safe::{Heap, HeapConfig, Pair, Rootable, View};
/// use std::collections::HashMap;
///
/// struct Globals;
///
/// impl Rootable for Globals {
///     type Of<'r> = HashMap<String, View<'r, Pair>>;
/// }
///
/// let heap = Heap::start(HeapConfig::default())?;
/// heap.attach()?.scope(|s| {
///     let globals = s.table::<Globals>(HashMap::new());
///     let pair = s.pair(1, 2)?;
///     globals.with(s, |table, s| {
///         table.insert("x".into(), s.view(pair));
///     });
///     s.collect(bowline_gc::Collect::Full);
///     let x = globals.with(s, |table, s| table.get("x").map(|x| s.local(*x)));
///     assert!(x.is_some_and(|x| s.view(x).same(s.view(pair))));
///     Ok::<_, Box<dyn std::error::Error>>(())
/// })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub trait Rootable: 'static {
    /// The table while it is open, with the lifetime of its views.
    type Of<'r>: Trace;
}

/// Something of Rust's in a table that holds no values of the heap's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Plain<T>(pub T);

/// Implements `Words` for collections: each of the words of each element.
macro_rules! words {
    ($([$($bounds:tt)*] $t:ty, |$this:ident, $f:ident| $visit:expr;)*) => { $(
        // SAFETY: all elements are visited, and keys are plain.
        unsafe impl<$($bounds)*> Words for $t {
            fn words(&mut self, $f: &mut dyn FnMut(&mut Value)) {
                let $this = self;
                $visit
            }
        }
    )* };
}

words! {
    [K: Kind] View<'_, K>, |this, f| f(this.word_mut());
    [T: Send + 'static] Plain<T>, |this, f| { let _ = (this, f); };
    [T: Words] Option<T>, |this, f| this.iter_mut().for_each(|x| x.words(f));
    [T: Words] Vec<T>, |this, f| this.iter_mut().for_each(|x| x.words(f));
    [T: Words] VecDeque<T>, |this, f| this.iter_mut().for_each(|x| x.words(f));
    [T: Words] Box<T>, |this, f| this.as_mut().words(f);
    [T: Words, const N: usize] [T; N], |this, f| this.iter_mut().for_each(|x| x.words(f));
    [Q: Ord + Send + 'static, T: Words] BTreeMap<Q, T>, |this, f| this.values_mut().for_each(|x| x.words(f));
    [Q: Eq + Hash + Send + 'static, T: Words, S: BuildHasher + Send + 'static] HashMap<Q, T, S>,
        |this, f| this.values_mut().for_each(|x| x.words(f));
    [A: Words, B: Words] (A, B), |this, f| { this.0.words(f); this.1.words(f); };
    [A: Words, B: Words, C: Words] (A, B, C), |this, f| { this.0.words(f); this.1.words(f); this.2.words(f); };
    [A: Words, B: Words, C: Words, D: Words] (A, B, C, D),
        |this, f| { this.0.words(f); this.1.words(f); this.2.words(f); this.3.words(f); };
}

/// The table itself, which the collector and the handle share.
struct Inner<T: Rootable> {
    /// Held while the table is open.
    open: Mutex<()>,
    /// The thread that has it open, or 0.
    opener: AtomicUsize,
    table: UnsafeCell<T::Of<'static>>,
}

// SAFETY: inv:safe.table: one thread at a time has the table open, and the collector sees it while none
// has; what it is made of is bound to no thread.
unsafe impl<T: Rootable> Sync for Inner<T> {}
// SAFETY: as above.
unsafe impl<T: Rootable> Send for Inner<T> {}

/// A table of the language's own whose values the collector finds. Several threads may have it; one at a time
/// opens it.
pub struct Table<T: Rootable>(Arc<Inner<T>>);

impl<T: Rootable> fmt::Debug for Table<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Table")
    }
}

impl<T: Rootable> Clone for Table<T> {
    fn clone(&self) -> Self {
        Table(Arc::clone(&self.0))
    }
}

/// What the collector has of a table.
struct Source<T: Rootable>(Arc<Inner<T>>);

impl<T: Rootable> RootSource for Source<T> {
    fn visit(&self, f: &mut dyn FnMut(&mut Value)) {
        if !self.is_dead() {
            // SAFETY: inv:safe.table: the world is stopped, so nobody has the table open.
            unsafe { &mut *self.0.table.get() }.words(f);
        }
    }

    fn is_dead(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }
}

thread_local! {
    /// Its address names the thread.
    static ME: u8 = const { 0 };
}

/// Says that the table is closed again when it is dropped, after a panic too.
struct Opened<'a>(&'a AtomicUsize);

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

impl<T: Rootable> Table<T> {
    /// Opens the table for the length of `f`. The scope that `f` gets makes views that can be put into the table,
    /// and handles of what is in it.
    ///
    /// # Panics
    /// When this thread has it open already.
    pub fn with<'s, R>(
        &self,
        scope: &Scope<'s>,
        f: impl for<'r> FnOnce(&mut T::Of<'r>, &'r Scope<'s>) -> R,
    ) -> R {
        let me = ME.with(|me| std::ptr::from_ref(me).addr());
        let opener = &self.0.opener;
        assert!(
            opener.load(Ordering::Relaxed) != me,
            "a table is opened inside itself"
        );
        let _open = lock(&self.0.open);
        opener.store(me, Ordering::Relaxed);
        let _opened = Opened(opener);
        let table: *mut T::Of<'_> = self.0.table.get().cast();
        // SAFETY: inv:safe.table: it is this thread's while the lock is held, and the collector's only after
        // the borrow of the scope has ended. The types differ in a lifetime, which has no form.
        f(unsafe { &mut *table }, scope)
    }
}

impl Scope<'_> {
    /// Has the collector visit a table from now on, until the last of its handles is dropped.
    pub fn table<T: Rootable>(&self, table: T::Of<'static>) -> Table<T> {
        let inner = Arc::new(Inner::<T> {
            open: Mutex::new(()),
            opener: AtomicUsize::new(0),
            table: UnsafeCell::new(table),
        });
        let source = Source(Arc::clone(&inner));
        self.shared().heap().register_roots(Box::new(source));
        Table(inner)
    }
}
