//! The malloc under test: its functions, found by name at run time.
//!
//! By name, because a compiler knows what `malloc` and `free` promise and leaves out calls whose
//! results it can foresee; through a pointer every call happens. A function is taken only if it
//! comes from the module that `malloc` comes from: `pvalloc` of the C library beside somebody
//! else's `free` is no promise of either. `reallocarray` is the exception, for the C library's
//! calls whatever `realloc` is.
//!
//! * `inv:family.signature`: each pointer was found under its C name and has that name's C type.

use std::ffi::{CStr, c_int, c_void};
use std::path::PathBuf;

use super::block::{Block, Call};
use super::os::{errno, set_errno};

pub(super) type Take = unsafe extern "C" fn(usize) -> *mut c_void;
pub(super) type TakeTwo = unsafe extern "C" fn(usize, usize) -> *mut c_void;
pub(super) type Posix = unsafe extern "C" fn(*mut *mut c_void, usize, usize) -> c_int;
pub(super) type Resize = unsafe extern "C" fn(*mut c_void, usize) -> *mut c_void;
type ResizeArray = unsafe extern "C" fn(*mut c_void, usize, usize) -> *mut c_void;
pub(super) type Give = unsafe extern "C" fn(*mut c_void);
type GiveSized = unsafe extern "C" fn(*mut c_void, usize);
type GiveAligned = unsafe extern "C" fn(*mut c_void, usize, usize);
pub(super) type Measure = unsafe extern "C" fn(*mut c_void) -> usize;

/// The functions of the malloc under test.
pub(crate) struct Family {
    /// Where the module lies that they come from.
    base: usize,
    malloc: Take,
    calloc: TakeTwo,
    realloc: Resize,
    free: Give,
    posix_memalign: Option<Posix>,
    aligned_alloc: Option<TakeTwo>,
    memalign: Option<TakeTwo>,
    valloc: Option<Take>,
    pvalloc: Option<Take>,
    new: Option<Take>,
    delete: Option<Give>,
    reallocarray: Option<ResizeArray>,
    usable_size: Option<Measure>,
    free_sized: Option<GiveSized>,
    free_aligned_sized: Option<GiveAligned>,
}

/// What a call that asks for memory answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    /// Where the memory is; 0 for none.
    pub(crate) address: usize,
    /// What the call returned besides (`posix_memalign`), else 0.
    pub(crate) code: i32,
    /// What `errno` was afterwards; it was 0 before.
    pub(crate) errno: i32,
}

/// The function of this name, and the base and file of the module it comes from.
fn find(name: &CStr) -> Option<(*mut c_void, usize, PathBuf)> {
    // SAFETY: inv:os.plain: the name is read before the call returns.
    let place = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    if place.is_null() {
        return None;
    }
    // SAFETY: inv:os.plain: all zeros is a valid `Dl_info`.
    let mut info: libc::Dl_info = unsafe { std::mem::zeroed() };
    // SAFETY: inv:os.plain: `info` is written before the call returns.
    let found = unsafe { libc::dladdr(place, &mut info) };
    if found == 0 || info.dli_fname.is_null() {
        return None;
    }
    // SAFETY: inv:os.plain: `dladdr` gives a string that lives while the module is loaded.
    let file = unsafe { CStr::from_ptr(info.dli_fname) };
    let file = PathBuf::from(file.to_string_lossy().into_owned());
    Some((place, info.dli_fbase.addr(), file))
}

/// The file that the function of this name comes from.
pub(crate) fn module_of(name: &CStr) -> Option<PathBuf> {
    find(name).map(|found| found.2)
}

/// The function of this name as an `F`, if it comes from the module at `base` (0: any).
///
/// # Safety
///
/// `F` must be a pointer to functions of that name's C type.
pub(super) unsafe fn load<F: Copy>(name: &CStr, base: usize) -> Option<F> {
    const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
    let (place, found, _) = find(name)?;
    if base != 0 && base != found {
        return None;
    }
    // SAFETY: inv:family.signature: said by the caller; the sizes are equal.
    Some(unsafe { std::mem::transmute_copy::<*mut c_void, F>(&place) })
}

impl Family {
    /// Finds the functions of whichever malloc this process has. `None` if one of the four that
    /// every malloc has is missing or comes from elsewhere.
    #[rustfmt::skip] // a table
    pub(crate) fn find() -> Option<Self> {
        let (_, base, _) = find(c"malloc")?;
        Some(Self {
            base,
            // SAFETY: inv:family.signature
            malloc: unsafe { load(c"malloc", base) }?,
            // SAFETY: inv:family.signature
            calloc: unsafe { load(c"calloc", base) }?,
            // SAFETY: inv:family.signature
            realloc: unsafe { load(c"realloc", base) }?,
            // SAFETY: inv:family.signature
            free: unsafe { load(c"free", base) }?,
            // SAFETY: inv:family.signature
            posix_memalign: unsafe { load(c"posix_memalign", base) },
            // SAFETY: inv:family.signature
            aligned_alloc: unsafe { load(c"aligned_alloc", base) },
            // SAFETY: inv:family.signature
            memalign: unsafe { load(c"memalign", base) },
            // SAFETY: inv:family.signature
            valloc: unsafe { load(c"valloc", base) },
            // SAFETY: inv:family.signature
            pvalloc: unsafe { load(c"pvalloc", base) },
            // SAFETY: inv:family.signature: `operator new(size_t)`.
            new: unsafe { load(c"_Znwm", base) },
            // SAFETY: inv:family.signature: `operator delete(void*)`.
            delete: unsafe { load(c"_ZdlPv", base) },
            // SAFETY: inv:family.signature
            reallocarray: unsafe { load(c"reallocarray", 0) },
            // SAFETY: inv:family.signature
            usable_size: unsafe { load(c"malloc_usable_size", base) },
            // SAFETY: inv:family.signature
            free_sized: unsafe { load(c"free_sized", base) },
            // SAFETY: inv:family.signature
            free_aligned_sized: unsafe { load(c"free_aligned_sized", base) },
        })
    }

    /// Whether this malloc has the function that the call calls.
    pub(crate) fn has(&self, call: Call) -> bool {
        match call {
            Call::Malloc { .. } | Call::Calloc { .. } => true,
            Call::PosixMemalign { .. } => self.posix_memalign.is_some(),
            Call::AlignedAlloc { .. } => self.aligned_alloc.is_some(),
            Call::Memalign { .. } => self.memalign.is_some(),
            Call::Valloc { .. } => self.valloc.is_some(),
            Call::Pvalloc { .. } => self.pvalloc.is_some(),
            Call::New { .. } => self.new.is_some() && self.delete.is_some(),
        }
    }

    /// Where the module lies that the functions come from.
    pub(super) const fn base(&self) -> usize {
        self.base
    }

    /// Whether this malloc has `malloc_usable_size`.
    pub(crate) fn measures(&self) -> bool {
        self.usable_size.is_some()
    }

    /// Makes the call; `None` if this malloc lacks the function.
    pub(crate) fn ask(&self, call: Call) -> Option<Answer> {
        let mut code = 0;
        set_errno(0);
        let place = match call {
            // SAFETY: inv:family.signature: any size may be asked for.
            Call::Malloc { size } => unsafe { (self.malloc)(size) },
            // SAFETY: inv:family.signature: any count and size may be asked for.
            Call::Calloc { count, size } => unsafe { (self.calloc)(count, size) },
            Call::PosixMemalign { align, size } => {
                let mut place = std::ptr::null_mut();
                let take = self.posix_memalign?;
                // SAFETY: inv:family.signature: `place` is written before the call returns.
                code = unsafe { take(&mut place, align, size) };
                place
            }
            // SAFETY: inv:family.signature: bad arguments are refused.
            Call::AlignedAlloc { align, size } => unsafe { self.aligned_alloc?(align, size) },
            // SAFETY: inv:family.signature: bad arguments are refused.
            Call::Memalign { align, size } => unsafe { self.memalign?(align, size) },
            // SAFETY: inv:family.signature: any size may be asked for.
            Call::Valloc { size } => unsafe { self.valloc?(size) },
            // SAFETY: inv:family.signature: any size may be asked for.
            Call::Pvalloc { size } => unsafe { self.pvalloc?(size) },
            // SAFETY: inv:family.signature: the suite asks for what there is, so nothing is thrown.
            Call::New { size } => unsafe { self.new?(size) },
        };
        let errno = errno();
        Some(Answer {
            address: place.expose_provenance(),
            code,
            errno,
        })
    }

    /// `malloc_usable_size` of any address; `None` if this malloc lacks it.
    pub(crate) fn usable_at(&self, address: usize) -> Option<usize> {
        let measure = self.usable_size?;
        let place = std::ptr::with_exposed_provenance_mut(address);
        // SAFETY: inv:raw.victim: the address is a live block's or null, or what is tested.
        Some(unsafe { measure(place) })
    }

    /// Asks for memory and owns it. Otherwise the answer without any.
    pub(crate) fn take(&self, call: Call) -> Option<Result<Block, Answer>> {
        let answer = self.ask(call)?;
        if answer.address == 0 {
            return Some(Err(answer));
        }
        Some(Ok(self.own(answer.address, call)))
    }

    /// The owner of a block that this call gave.
    pub(crate) fn own(&self, address: usize, call: Call) -> Block {
        let usable = self.usable_at(address).unwrap_or(call.size());
        Block::new(address, call, usable)
    }

    /// Frees a block with the function that belongs to what made it.
    pub(crate) fn free(&self, block: Block) {
        match (block.call(), self.delete) {
            (Call::New { .. }, Some(delete)) => {
                let place = std::ptr::with_exposed_provenance_mut(block.start());
                // SAFETY: inv:block.owned: made by `operator new` and given away here.
                unsafe { delete(place) };
            }
            _ => self.free_at(block.start()),
        }
    }

    /// `free` of any address: of a live block, of null, or of what is tested to be refused.
    pub(crate) fn free_at(&self, address: usize) {
        let place = std::ptr::with_exposed_provenance_mut(address);
        // SAFETY: inv:raw.victim: a wrong address is the test.
        unsafe { (self.free)(place) };
    }

    /// `free_sized`; false if this malloc lacks it (then the block is leaked).
    pub(crate) fn free_sized(&self, block: Block) -> bool {
        self.free_sized_at(block.start(), block.asked())
    }

    /// `free_sized` of any address: a live block's, with the size it was asked for, or null.
    pub(crate) fn free_sized_at(&self, address: usize, size: usize) -> bool {
        let Some(free) = self.free_sized else {
            return false;
        };
        let place = std::ptr::with_exposed_provenance_mut(address);
        // SAFETY: inv:raw.victim: the address is a live block's, given away here, or null.
        unsafe { free(place, size) };
        true
    }

    /// `free_aligned_sized`; false if this malloc lacks it (then the block is leaked).
    pub(crate) fn free_aligned_sized(&self, block: Block) -> bool {
        self.free_aligned_sized_at(block.start(), block.call().align(), block.asked())
    }

    /// `free_aligned_sized` of any address: a live block's, with what it was asked for, or null.
    pub(crate) fn free_aligned_sized_at(&self, address: usize, align: usize, size: usize) -> bool {
        let Some(free) = self.free_aligned_sized else {
            return false;
        };
        let place = std::ptr::with_exposed_provenance_mut(address);
        // SAFETY: inv:raw.victim: the address is a live block's, given away here, or null.
        unsafe { free(place, align, size) };
        true
    }

    /// `realloc` of any address, with `errno` 0 before.
    pub(crate) fn realloc_at(&self, address: usize, size: usize) -> Answer {
        let place = std::ptr::with_exposed_provenance_mut(address);
        set_errno(0);
        // SAFETY: inv:raw.victim: the address is a live block's or null.
        let place = unsafe { (self.realloc)(place, size) };
        let errno = errno();
        Answer {
            address: place.expose_provenance(),
            code: 0,
            errno,
        }
    }

    /// `reallocarray` of any address, with `errno` 0 before; `None` if there is none.
    pub(crate) fn reallocarray_at(
        &self,
        address: usize,
        count: usize,
        size: usize,
    ) -> Option<Answer> {
        let resize = self.reallocarray?;
        let place = std::ptr::with_exposed_provenance_mut(address);
        set_errno(0);
        // SAFETY: inv:raw.victim: the address is a live block's or null.
        let place = unsafe { resize(place, count, size) };
        let errno = errno();
        Some(Answer {
            address: place.expose_provenance(),
            code: 0,
            errno,
        })
    }

    /// `realloc` to a size above zero. A refusal leaves the block as it was.
    pub(crate) fn resize(&self, block: Block, size: usize) -> Result<Block, (Block, Answer)> {
        let answer = self.realloc_at(block.start(), size);
        if answer.address == 0 {
            return Err((block, answer));
        }
        let usable = self.usable_at(answer.address).unwrap_or(size);
        Ok(block.moved(answer.address, size, usable))
    }

    /// `reallocarray` to a size above zero; `realloc` where there is none.
    pub(crate) fn resize_array(
        &self,
        block: Block,
        count: usize,
        size: usize,
    ) -> Result<Block, (Block, Answer)> {
        let all = count.saturating_mul(size);
        match self.reallocarray_at(block.start(), count, size) {
            None => self.resize(block, all),
            Some(answer) if answer.address == 0 => Err((block, answer)),
            Some(answer) => {
                let usable = self.usable_at(answer.address).unwrap_or(all);
                Ok(block.moved(answer.address, all, usable))
            }
        }
    }
}
