//! Looking through the memory that C keeps things in: the writable data of loaded libraries, and blocks of `malloc` that
//! are in use.
//!
//! `inv:memory.asked` The system copies what is looked at (`process_vm_readv`, of this process) and refuses what is not
//! there. So nothing here faults, whatever other threads unload or free meanwhile.
//!
//! Absent on purpose: the data of the object that this is part of, which has addresses of its own business; what the
//! dynamic linker has made readable only; C's stacks, registers and thread-locals, where a call that has not
//! returned may have anything; other allocators' memory; the heap, where the collector looks.

use crate::check_error::Holder;
use bowline_gc::Heap;
use std::ffi::{CStr, c_int, c_void};
use std::mem::MaybeUninit;

const WORD: usize = size_of::<usize>();
/// How many bytes are copied at once.
const CHUNK: usize = 256 << 10;
/// How many pieces of memory are copied at once: fewer than the system's bound, `IOV_MAX`.
const PIECES: usize = 256;

/// Memory to look through.
#[derive(Clone, Copy)]
struct Piece {
    start: usize,
    bytes: usize,
    /// For blocks in a row, where the first begins and how many bytes each has; 0 for static memory.
    first: usize,
    block: usize,
}

/// Where a word stands.
#[derive(Clone, Copy)]
pub(super) struct Found {
    at: usize,
    first: usize,
    block: usize,
}

/// Calls `look` with each word, and where it stands.
pub(super) fn each_word(heap: &Heap, look: impl FnMut(usize, Found)) {
    let mut reader = Reader {
        pieces: Vec::new(),
        bytes: 0,
        copy: Vec::new(),
        look,
    };
    let mut segments: Vec<Piece> = Vec::new();
    // SAFETY: the visitor gets this vector, and is called here alone.
    unsafe { libc::dl_iterate_phdr(Some(visit), (&raw mut segments).cast()) };
    segments.into_iter().for_each(|piece| reader.add(piece));
    heap.each_c_block(&mut |blocks| {
        reader.add(Piece {
            start: blocks.start,
            bytes: blocks.bytes,
            first: blocks.start,
            block: blocks.block,
        });
    });
    reader.read();
}

/// Notes an object's writable data.
///
/// # Safety
/// `info` is what the dynamic linker tells, `data` the vector of [`each_word`].
unsafe extern "C" fn visit(info: *mut libc::dl_phdr_info, _: usize, data: *mut c_void) -> c_int {
    let segments: *mut Vec<Piece> = data.cast();
    // SAFETY: the caller's.
    let segments = unsafe { &mut *segments };
    // SAFETY: the caller's.
    let info = unsafe { &*info };
    let count = usize::from(info.dlpi_phnum);
    // SAFETY: the dynamic linker's table of so many.
    let table = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, count) };
    let base = info.dlpi_addr as usize;
    let range = |entry: &libc::Elf64_Phdr| {
        let start = base.wrapping_add(entry.p_vaddr as usize);
        (start, start.wrapping_add(entry.p_memsz as usize))
    };
    let of = |kind: u32| table.iter().filter(move |entry| entry.p_type == kind);
    let own = (&raw const super::ON).addr();
    let is_own = |(start, end): (usize, usize)| (start..end).contains(&own);
    if of(libc::PT_LOAD).map(range).any(is_own) {
        return 0;
    }
    let (from, to) = of(libc::PT_GNU_RELRO).map(range).next().unwrap_or((0, 0));
    for entry in of(libc::PT_LOAD).filter(|entry| entry.p_flags & libc::PF_W != 0) {
        let (start, end) = range(entry);
        let parts = match (from..to).is_empty() || to <= start || end <= from {
            true => [(start, end), (0, 0)],
            false => [(start, from), (to, end)],
        };
        for (start, end) in parts {
            let start = start.next_multiple_of(WORD);
            if start < end {
                segments.push(Piece {
                    start,
                    bytes: (end - start) & !(WORD - 1),
                    first: 0,
                    block: 0,
                });
            }
        }
    }
    0
}

/// Copies pieces of memory, many at once.
struct Reader<F> {
    pieces: Vec<Piece>,
    bytes: usize,
    copy: Vec<usize>,
    look: F,
}

impl<F: FnMut(usize, Found)> Reader<F> {
    fn add(&mut self, mut piece: Piece) {
        while piece.bytes > 0 {
            let bytes = piece.bytes.min(CHUNK - self.bytes);
            self.pieces.push(Piece { bytes, ..piece });
            self.bytes += bytes;
            piece.start += bytes;
            piece.bytes -= bytes;
            if self.bytes == CHUNK || self.pieces.len() == PIECES {
                self.read();
            }
        }
    }

    /// Looks through the pieces that were added.
    fn read(&mut self) {
        let pieces = std::mem::take(&mut self.pieces);
        self.bytes = 0;
        let mut rest = pieces.as_slice();
        while !rest.is_empty() {
            let Some(copied) = self.copy(rest) else {
                return;
            };
            let mut words = self.copy[..copied / WORD].iter();
            let mut whole = 0;
            for piece in rest {
                if words.len() * WORD < piece.bytes {
                    break;
                }
                let here = words.by_ref().take(piece.bytes / WORD);
                for (i, word) in here.enumerate() {
                    let (at, first, block) = (piece.start + i * WORD, piece.first, piece.block);
                    (self.look)(*word, Found { at, first, block });
                }
                whole += 1;
            }
            // What comes next is not there.
            rest = rest.get(whole + 1..).unwrap_or(&[]);
        }
    }

    /// How many bytes of these pieces could be copied, up to the first that is not there. `None`: the system copies nothing.
    fn copy(&mut self, pieces: &[Piece]) -> Option<usize> {
        self.copy.resize(CHUNK / WORD, 0);
        let to = libc::iovec {
            iov_base: self.copy.as_mut_ptr().cast(),
            iov_len: CHUNK,
        };
        let from = |piece: &Piece| libc::iovec {
            iov_base: std::ptr::with_exposed_provenance_mut(piece.start),
            iov_len: piece.bytes,
        };
        let from: Vec<libc::iovec> = pieces.iter().map(from).collect();
        let count = from.len() as libc::c_ulong;
        // SAFETY: takes nothing.
        let this = unsafe { libc::getpid() };
        // SAFETY: inv:memory.asked: it writes to the copy, which is so large, and reads what is there.
        let copied =
            unsafe { libc::process_vm_readv(this, &raw const to, 1, from.as_ptr(), count, 0) };
        match usize::try_from(copied) {
            Ok(copied) => Some(copied),
            Err(_) => {
                (std::io::Error::last_os_error().raw_os_error() == Some(libc::EFAULT)).then_some(0)
            }
        }
    }
}

/// What holds the word there.
pub(super) fn holder(found: Found) -> Holder {
    let Found { at, first, block } = found;
    if block > 0 {
        let offset = (at - first) % block;
        return Holder::Block {
            bytes: block,
            at: at - offset,
            offset,
        };
    }
    let mut info = MaybeUninit::<libc::Dl_info>::zeroed();
    let address = std::ptr::without_provenance(at);
    // SAFETY: the dynamic linker compares the address alone, and writes the borrowed structure.
    let known = unsafe { libc::dladdr(address, info.as_mut_ptr()) } != 0;
    // SAFETY: zeros, or what was written, are pointers.
    let info = unsafe { info.assume_init() };
    let text = |name: *const libc::c_char| {
        // SAFETY: null is looked for; otherwise a name of the dynamic linker's, of an object that is loaded.
        let name = (known && !name.is_null()).then(|| unsafe { CStr::from_ptr(name) });
        name.map(|name| name.to_string_lossy().into_owned())
    };
    let symbol = text(info.dli_sname);
    let start = match symbol {
        Some(_) => info.dli_saddr.addr(),
        None => info.dli_fbase.addr(),
    };
    Holder::Static {
        library: text(info.dli_fname),
        symbol,
        offset: at - start,
    }
}
