//! What the dynamic linker knows of an address: which symbol begins there, and whether a library has it at all.
//!
//! It is asked before something is read that only the program says is there. What it does not know is no reason to refuse.
//!
//! Absent on purpose: finding a symbol by its name, which `library` does.

use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr::NonNull;

/// `dladdr1` is to give the symbol as it stands in the library (`<dlfcn.h>`).
const RTLD_DL_SYMENT: c_int = 1;
/// The kinds of a symbol that are of interest here ("System V Application Binary Interface", chapter 4).
const STT_OBJECT: u8 = 1;
const STT_FUNC: u8 = 2;
const STT_GNU_IFUNC: u8 = 10;

/// What a symbol stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Symbol {
    Function,
    /// Data of so many bytes.
    Data(usize),
}

/// The symbol that begins at `address`, if one is known that says what it stands for.
pub(crate) fn symbol_at(address: *const c_void) -> Option<Symbol> {
    let mut info = MaybeUninit::<libc::Dl_info>::zeroed();
    let mut entry: *mut c_void = std::ptr::null_mut();
    let to_info = info.as_mut_ptr().cast();
    // SAFETY: any address may be asked for, and both answers are ours to fill.
    let known = unsafe { libc::dladdr1(address, to_info, &raw mut entry, RTLD_DL_SYMENT) } != 0;
    // SAFETY: all zero bytes are a Dl_info too.
    let info = unsafe { info.assume_init() };
    if !known || !std::ptr::eq(info.dli_saddr, address) {
        return None;
    }
    let entry: *const libc::Elf64_Sym = entry.cast_const().cast();
    // SAFETY: the dynamic linker has given a symbol of a library that stays (inv:library.open), or nothing.
    let entry = unsafe { entry.as_ref() }?;
    match entry.st_info & 0xf {
        STT_FUNC | STT_GNU_IFUNC => Some(Symbol::Function),
        STT_OBJECT if entry.st_size > 0 => Some(Symbol::Data(entry.st_size as usize)),
        _ => None,
    }
}

/// Where the executable or the library begins that has `address`.
pub(crate) fn module_of(address: *const c_void) -> Option<NonNull<c_void>> {
    let mut info = MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: any address may be asked for, and the answer is ours to fill.
    let known = unsafe { libc::dladdr(address, info.as_mut_ptr()) } != 0;
    // SAFETY: all zero bytes are a Dl_info too.
    let info = unsafe { info.assume_init() };
    NonNull::new(info.dli_fbase).filter(|_| known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::Library;

    #[test]
    fn functions_and_data_of_a_library_are_told_apart() {
        let libc = Library::open(Some("libc.so.6")).expect("always there");
        let at = |name| symbol_at(libc.symbol(name).expect("in libc").cast());
        assert_eq!(at("qsort"), Some(Symbol::Function));
        assert_eq!(at("stdout"), Some(Symbol::Data(8)));
        let inside = libc.symbol("qsort").expect("in libc").wrapping_byte_add(1);
        assert_eq!(symbol_at(inside.cast()), None);
    }

    #[test]
    fn what_no_library_has_is_unknown() {
        let here = Box::new(0u64);
        let there: *const u64 = &raw const *here;
        for address in [
            std::ptr::null(),
            there.cast(),
            std::ptr::without_provenance(usize::MAX),
        ] {
            assert_eq!(symbol_at(address), None);
            assert_eq!(module_of(address), None);
        }
    }
}
