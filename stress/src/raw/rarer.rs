//! The functions that not every malloc has, found by name when they are wanted.
//!
//! Each enum has the names of one C type, so that a name cannot be called with another's arguments
//! (inv:family.signature).

use std::ffi::CStr;
use std::ptr::null_mut;

use super::family::{Answer, Family, Give, Measure, Posix, Resize, Take, TakeTwo, load};
use super::os::{errno, set_errno};

/// glibc's own names for `void *f(size_t)`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Takes {
    Malloc,
    Valloc,
    Pvalloc,
}

/// glibc's own names for `void *f(size_t, size_t)`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TakesTwo {
    Calloc,
    Memalign,
}

/// Names for `void *f(void *, size_t)`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Resizes {
    Reallocf,
    LibcRealloc,
}

/// Names for `void f(void *)`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Gives {
    Cfree,
    LibcFree,
}

/// Names for `int f(void **, size_t, size_t)`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Posixes {
    PosixMemalign,
    Underscored,
}

impl Takes {
    const fn name(self) -> &'static CStr {
        match self {
            Self::Malloc => c"__libc_malloc",
            Self::Valloc => c"__libc_valloc",
            Self::Pvalloc => c"__libc_pvalloc",
        }
    }
}

impl TakesTwo {
    const fn name(self) -> &'static CStr {
        match self {
            Self::Calloc => c"__libc_calloc",
            Self::Memalign => c"__libc_memalign",
        }
    }
}

impl Resizes {
    const fn name(self) -> &'static CStr {
        match self {
            Self::Reallocf => c"reallocf",
            Self::LibcRealloc => c"__libc_realloc",
        }
    }
}

impl Gives {
    const fn name(self) -> &'static CStr {
        match self {
            Self::Cfree => c"cfree",
            Self::LibcFree => c"__libc_free",
        }
    }
}

impl Posixes {
    const fn name(self) -> &'static CStr {
        match self {
            Self::PosixMemalign => c"posix_memalign",
            Self::Underscored => c"__posix_memalign",
        }
    }
}

/// The answer of a call that returned this place.
fn answered(place: *mut std::ffi::c_void) -> Answer {
    let errno = errno();
    Answer {
        address: place.expose_provenance(),
        code: 0,
        errno,
    }
}

impl Family {
    /// Asks for memory by a rarer name; `None` if this malloc lacks it.
    pub(crate) fn take_by(&self, name: Takes, size: usize) -> Option<Answer> {
        // SAFETY: inv:family.signature
        let take: Take = unsafe { load(name.name(), self.base()) }?;
        set_errno(0);
        // SAFETY: inv:family.signature: any size may be asked for.
        Some(answered(unsafe { take(size) }))
    }

    /// Asks for memory by a rarer name; `None` if this malloc lacks it.
    pub(crate) fn take_two_by(&self, name: TakesTwo, one: usize, two: usize) -> Option<Answer> {
        // SAFETY: inv:family.signature
        let take: TakeTwo = unsafe { load(name.name(), self.base()) }?;
        set_errno(0);
        // SAFETY: inv:family.signature: any two numbers may be given.
        Some(answered(unsafe { take(one, two) }))
    }

    /// Resizes by a rarer name; `None` if this malloc lacks it.
    pub(crate) fn resize_by(&self, name: Resizes, address: usize, size: usize) -> Option<Answer> {
        // SAFETY: inv:family.signature
        let resize: Resize = unsafe { load(name.name(), self.base()) }?;
        let place = std::ptr::with_exposed_provenance_mut(address);
        set_errno(0);
        // SAFETY: inv:raw.victim: the address is a live block's or null.
        Some(answered(unsafe { resize(place, size) }))
    }

    /// Frees by a rarer name; false if this malloc lacks it.
    pub(crate) fn give_by(&self, name: Gives, address: usize) -> bool {
        // SAFETY: inv:family.signature
        let give: Option<Give> = unsafe { load(name.name(), self.base()) };
        let place = std::ptr::with_exposed_provenance_mut(address);
        if let Some(give) = give {
            // SAFETY: inv:raw.victim: the address is a live block's or null.
            unsafe { give(place) };
        }
        give.is_some()
    }

    /// `posix_memalign` on a pointer that was `before`: what it returned, and the pointer then.
    /// `None` if this malloc lacks the function.
    pub(crate) fn posix_into(
        &self,
        name: Posixes,
        before: usize,
        align: usize,
        size: usize,
    ) -> Option<(i32, usize)> {
        // SAFETY: inv:family.signature
        let take: Posix = unsafe { load(name.name(), self.base()) }?;
        let mut place = std::ptr::without_provenance_mut(before);
        // SAFETY: inv:family.signature: `place` is written before the call returns.
        let code = unsafe { take(&mut place, align, size) };
        Some((code, place.expose_provenance()))
    }

    /// `malloc_size` of a live block or null; `None` if this malloc lacks it.
    pub(crate) fn size_at(&self, address: usize) -> Option<usize> {
        // SAFETY: inv:family.signature
        let measure: Measure = unsafe { load(c"malloc_size", self.base()) }?;
        let place = std::ptr::with_exposed_provenance_mut(address);
        // SAFETY: inv:raw.victim: the address is a live block's or null.
        Some(unsafe { measure(place) })
    }

    /// `malloc_good_size`; `None` if this malloc lacks it.
    pub(crate) fn good_size(&self, size: usize) -> Option<usize> {
        type Good = unsafe extern "C" fn(usize) -> usize;
        // SAFETY: inv:family.signature
        let good: Good = unsafe { load(c"malloc_good_size", self.base()) }?;
        // SAFETY: inv:family.signature: any size may be asked about.
        Some(unsafe { good(size) })
    }

    /// `malloc_trim`, if there is one.
    pub(crate) fn trim(&self, pad: usize) -> Option<i32> {
        type Trim = unsafe extern "C" fn(usize) -> i32;
        // SAFETY: inv:family.signature
        let trim: Trim = unsafe { load(c"malloc_trim", self.base()) }?;
        // SAFETY: inv:family.signature: may be called at any time.
        Some(unsafe { trim(pad) })
    }

    /// `mallopt` with a parameter that it need not know, if there is one.
    pub(crate) fn mallopt(&self, parameter: i32, value: i32) -> Option<i32> {
        type Opt = unsafe extern "C" fn(i32, i32) -> i32;
        // SAFETY: inv:family.signature
        let set: Opt = unsafe { load(c"mallopt", self.base()) }?;
        // SAFETY: inv:family.signature: what it does not know it refuses.
        Some(unsafe { set(parameter, value) })
    }

    /// `mallinfo2`, if there is one.
    pub(crate) fn mallinfo2(&self) -> Option<libc::mallinfo2> {
        type Info = unsafe extern "C" fn() -> libc::mallinfo2;
        // SAFETY: inv:family.signature
        let info: Info = unsafe { load(c"mallinfo2", self.base()) }?;
        // SAFETY: inv:family.signature: may be called at any time.
        Some(unsafe { info() })
    }

    /// `mallinfo`, if there is one.
    pub(crate) fn mallinfo(&self) -> Option<libc::mallinfo> {
        type Info = unsafe extern "C" fn() -> libc::mallinfo;
        // SAFETY: inv:family.signature
        let info: Info = unsafe { load(c"mallinfo", self.base()) }?;
        // SAFETY: inv:family.signature: may be called at any time.
        Some(unsafe { info() })
    }

    /// `malloc_info`: what it returned, and wrote. `None` if this malloc lacks it.
    pub(crate) fn info(&self, options: i32) -> Option<(i32, String)> {
        type Info = unsafe extern "C" fn(i32, *mut libc::FILE) -> i32;
        // SAFETY: inv:family.signature
        let info: Info = unsafe { load(c"malloc_info", self.base()) }?;
        let (mut place, mut length) = (null_mut(), 0);
        // SAFETY: inv:os.plain: both are written until the stream is closed, below.
        let file = unsafe { libc::open_memstream(&mut place, &mut length) };
        // SAFETY: inv:family.signature: the stream is open.
        let code = unsafe { info(options, file) };
        // SAFETY: inv:os.plain: opened above.
        unsafe { libc::fclose(file) };
        // SAFETY: inv:raw.victim: the C library has ended the string.
        let text = unsafe { CStr::from_ptr(place) };
        let text = text.to_string_lossy().into_owned();
        self.free_at(place.expose_provenance());
        Some((code, text))
    }

    /// `malloc_stats`; false if this malloc lacks it.
    pub(crate) fn stats(&self) -> bool {
        type Stats = unsafe extern "C" fn();
        // SAFETY: inv:family.signature
        let stats: Option<Stats> = unsafe { load(c"malloc_stats", self.base()) };
        if let Some(stats) = stats {
            // SAFETY: inv:family.signature: may be called at any time.
            unsafe { stats() };
        }
        stats.is_some()
    }
}
