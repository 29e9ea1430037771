//! Which executable or shared library an address belongs to.

use core::ffi::{c_char, c_int, c_void};
use core::mem::MaybeUninit;
use core::ptr::null_mut;

/// Has `dladdr1` give the module's entry in the list of the dynamic linker (`dlfcn.h`).
const RTLD_DL_LINKMAP: c_int = 2;

/// A loaded module.
#[derive(Clone, Copy)]
pub(crate) struct Module {
    /// Its entry in the list of the dynamic linker, which serves as a handle too.
    entry: *mut c_void,
    /// Its file's name, as the dynamic linker has it.
    pub(crate) name: *const c_char,
    /// Where its first page lies: its ELF header.
    header: *const c_void,
}

impl PartialEq for Module {
    fn eq(&self, other: &Module) -> bool {
        self.entry == other.entry
    }
}

impl Module {
    /// Whether it lies in the namespace of the executable, and not in one made by `dlmopen`.
    pub(crate) fn is_in_first_namespace(self) -> bool {
        let mut namespace = libc::LM_ID_BASE;
        // SAFETY: an entry of the list serves as a handle; the answer is a `Lmid_t` and has room.
        let failed =
            unsafe { libc::dlinfo(self.entry, libc::RTLD_DI_LMID, (&raw mut namespace).cast()) };
        failed == 0 && namespace == libc::LM_ID_BASE
    }
}

/// The module that this address lies in.
pub(crate) fn of(address: *const c_void) -> Option<Module> {
    let mut info = MaybeUninit::<libc::Dl_info>::uninit();
    let mut entry = null_mut();
    // SAFETY: any address may be asked for; both answers have room.
    let found = unsafe { libc::dladdr1(address, info.as_mut_ptr(), &mut entry, RTLD_DL_LINKMAP) };
    if found == 0 || entry.is_null() {
        return None;
    }
    // SAFETY: `dladdr1` said that it wrote the answer.
    let info = unsafe { info.assume_init() };
    Some(Module {
        entry,
        name: info.dli_fname,
        header: info.dli_fbase,
    })
}

/// From where to where a module's segments lie, if its header says so.
pub(crate) fn extent(module: Module) -> Option<(usize, usize)> {
    let header = module.header.cast::<libc::Elf64_Ehdr>();
    // SAFETY: a loaded module begins with its header, which stays mapped as long as the module.
    let header = unsafe { header.as_ref() }?;
    let table = module
        .header
        .wrapping_byte_add(usize::try_from(header.e_phoff).ok()?);
    let count = usize::from(header.e_phnum);
    // SAFETY: the header says that so many segments are described there, in the first page.
    let segments = unsafe { core::slice::from_raw_parts(table.cast::<libc::Elf64_Phdr>(), count) };
    let loaded = segments.iter().filter(|part| part.p_type == libc::PT_LOAD);
    let end = loaded.map(|part| part.p_vaddr + part.p_memsz).max()?;
    let start = module.header.addr();
    Some((start, start + usize::try_from(end).ok()?))
}

/// The module that this very code lies in.
///
/// Asked of a private static: the address of an exported function, `malloc` for one, is in a shared
/// library whatever the dynamic linker bound the name to, that is, the winner's.
pub(crate) fn mine() -> Option<Module> {
    static HERE: u8 = 0;
    of((&raw const HERE).cast())
}
