//! The C++ operators: eight `new`, twelve `delete`.
//!
//! `operator new` asks the heap; when the heap has nothing it runs the program's new-handler and asks
//! again, until a block comes, the handler throws, or there is no handler: then it throws the real
//! `std::bad_alloc` of the C++ library that the caller is linked with ([`crate::cxx_library`]).
//!
//! `inv:cxx.frames` No exception crosses a frame of Rust. A frame of Rust in the way of a C++ exception is
//! undefined behaviour or an abort, depending on the panic strategy, `extern "C-unwind"` or not when panics
//! abort. So everything that throws is called from the two naked functions here, which bring their own
//! unwind tables:
//!
//! ```text
//!   operator new ── heap::malloc ──► block
//!        │ null
//!        ▼ (tail jump: the operator's own frame is gone)
//!   retry: [rbx size] [r12 alignment, 0: none] [r13 caller] ◄─┐
//!        ├─ handler? ── none ──► throws / returns null (nothrow)│
//!        └─ call handler ──► heap again ── null ───────────────┘
//! ```
//!
//! `retry_nothrow` catches whatever the handler throws, as the standard demands of the nothrow forms: its
//! table of call sites has one entry, with a catch-all. The personality routine that reads this table
//! belongs to the C++ library, which may have come by `dlopen` long after this code was linked; it stands
//! in a slot that is filled before the handler runs.
//!
//! Absent on purpose: `operator new` that may be inlined or elided; placement forms, which allocate nothing.

use crate::cxx_library::{BEGIN_CATCH, END_CATCH, PERSONALITY, new_handler, thrower};
use crate::serve;
use core::arch::naked_asm;
use core::ffi::c_void;

/// One `operator new` with one argument: the size.
macro_rules! plain {
    ($name:ident, $symbol:literal, $retry:ident) => {
        #[doc = concat!("`", $symbol, "`: a block of `bytes` bytes.")]
        ///
        /// # Safety
        /// As the C++ standard says: a throwing form may unwind into the caller.
        #[unsafe(naked)]
        #[unsafe(export_name = $symbol)]
        pub unsafe extern "C-unwind" fn $name(bytes: usize) -> *mut c_void {
            naked_asm!(
                ".cfi_startproc",
                "push rdi",
                ".cfi_adjust_cfa_offset 8",
                "call {serve}",
                "pop rdi",
                ".cfi_adjust_cfa_offset -8",
                "test rax, rax",
                "jz 2f",
                "ret",
                "2:",
                "xor esi, esi",
                "mov rdx, [rsp]",
                "jmp {retry}",
                ".cfi_endproc",
                serve = sym serve::malloc,
                retry = sym $retry,
            )
        }
    };
}

/// One `operator new` with two arguments: the size and the alignment.
macro_rules! aligned {
    ($name:ident, $symbol:literal, $retry:ident) => {
        #[doc = concat!("`", $symbol, "`: a block of `bytes` bytes at a multiple of `align`.")]
        ///
        /// # Safety
        /// As the C++ standard says: a throwing form may unwind into the caller.
        #[unsafe(naked)]
        #[unsafe(export_name = $symbol)]
        pub unsafe extern "C-unwind" fn $name(bytes: usize, align: usize) -> *mut c_void {
            naked_asm!(
                ".cfi_startproc",
                "push rdi",
                ".cfi_adjust_cfa_offset 8",
                "push rsi",
                ".cfi_adjust_cfa_offset 8",
                "sub rsp, 8",
                ".cfi_adjust_cfa_offset 8",
                "call {serve}",
                "add rsp, 8",
                ".cfi_adjust_cfa_offset -8",
                "pop rsi",
                ".cfi_adjust_cfa_offset -8",
                "pop rdi",
                ".cfi_adjust_cfa_offset -8",
                "test rax, rax",
                "jz 2f",
                "ret",
                "2:",
                "mov rdx, [rsp]",
                "jmp {retry}",
                ".cfi_endproc",
                serve = sym serve::aligned,
                retry = sym $retry,
            )
        }
    };
}

// The third argument of the nothrow forms, an empty object, is not looked at.
plain!(new, "_Znwm", retry);
plain!(new_array, "_Znam", retry);
plain!(new_nothrow, "_ZnwmRKSt9nothrow_t", retry_nothrow);
plain!(new_array_nothrow, "_ZnamRKSt9nothrow_t", retry_nothrow);
aligned!(new_aligned, "_ZnwmSt11align_val_t", retry);
aligned!(new_array_aligned, "_ZnamSt11align_val_t", retry);
aligned!(
    new_aligned_nothrow,
    "_ZnwmSt11align_val_tRKSt9nothrow_t",
    retry_nothrow
);
aligned!(
    new_array_aligned_nothrow,
    "_ZnamSt11align_val_tRKSt9nothrow_t",
    retry_nothrow
);

/// Saves what the loops keep in registers: size, alignment, caller. The stack is aligned then.
macro_rules! enter {
    () => {
        concat!(
            "push rbx\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset rbx, 0\n",
            "push r12\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset r12, 0\n",
            "push r13\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset r13, 0\n",
            "mov rbx, rdi\nmov r12, rsi\nmov r13, rdx",
        )
    };
}

/// Undoes it and returns. The unwinder's view goes back to what it was for the code that follows.
macro_rules! leave {
    () => {
        concat!(
            ".cfi_remember_state\n",
            "pop r13\n.cfi_adjust_cfa_offset -8\n.cfi_restore r13\n",
            "pop r12\n.cfi_adjust_cfa_offset -8\n.cfi_restore r12\n",
            "pop rbx\n.cfi_adjust_cfa_offset -8\n.cfi_restore rbx\n",
            "ret\n",
            ".cfi_restore_state",
        )
    };
}

/// The heap had nothing: the loop of the new-handler, throwing at its end (inv:cxx.frames).
///
/// In: `rdi` size, `rsi` alignment or 0, `rdx` the caller's address.
#[unsafe(naked)]
unsafe extern "C-unwind" fn retry() {
    naked_asm!(
        ".cfi_startproc",
        enter!(),
        "2:",
        "mov rdi, r13",
        "call {new_handler}",
        "test rax, rax",
        "jz 3f",
        "call rax",
        "mov rdi, rbx",
        "mov rsi, r12",
        "call {again}",
        "test rax, rax",
        "jz 2b",
        leave!(),
        "3:",
        "mov rdi, r13",
        "mov rsi, rbx",
        "call {thrower}",
        "call rax",
        "ud2",
        ".cfi_endproc",
        new_handler = sym new_handler,
        again = sym serve::again,
        thrower = sym thrower,
    )
}

/// The language-specific data of [`retry_nothrow`] (Itanium C++ ABI, "Exception Handling Tables"). Landing pads count
/// from the function; a type takes four bytes; call sites are ULEB128. One site, the call of the handler; its action is
/// to catch the first type, which is null: anything; no action follows.
macro_rules! sites {
    () => {
        concat!(
            ".pushsection .gcc_except_table, \"a\", @progbits\n",
            ".p2align 2\n",
            ".Lbowline_nothrow_sites:\n",
            ".byte 0xff, 0x1b\n",
            ".uleb128 .Lbowline_nothrow_types - .Lbowline_nothrow_format\n",
            ".Lbowline_nothrow_format:\n",
            ".byte 0x01\n",
            ".uleb128 .Lbowline_nothrow_actions - .Lbowline_nothrow_first\n",
            ".Lbowline_nothrow_first:\n",
            ".uleb128 .Lbowline_nothrow_call - .Lbowline_nothrow\n",
            ".uleb128 .Lbowline_nothrow_called - .Lbowline_nothrow_call\n",
            ".uleb128 .Lbowline_nothrow_caught - .Lbowline_nothrow\n",
            ".uleb128 1\n",
            ".Lbowline_nothrow_actions:\n",
            ".sleb128 1\n",
            ".sleb128 0\n",
            ".p2align 2\n",
            ".long 0\n",
            ".Lbowline_nothrow_types:\n",
            ".popsection",
        )
    };
}

/// As [`retry`], but null at its end, and null too when the handler throws (inv:cxx.frames).
#[unsafe(naked)]
unsafe extern "C-unwind" fn retry_nothrow() {
    naked_asm!(
        ".Lbowline_nothrow:",
        ".cfi_startproc",
        // Indirect, relative, four bytes: the routine's address stands in the slot.
        ".cfi_personality 0x9b, {personality}",
        ".cfi_lsda 0x1b, .Lbowline_nothrow_sites",
        enter!(),
        "2:",
        "mov rdi, r13",
        "call {new_handler}",
        "test rax, rax",
        "jz 4f",
        ".Lbowline_nothrow_call:",
        "call rax",
        ".Lbowline_nothrow_called:",
        "mov rdi, rbx",
        "mov rsi, r12",
        "call {again}",
        "test rax, rax",
        "jz 2b",
        "3:",
        leave!(),
        ".Lbowline_nothrow_caught:",
        "mov rdi, rax",
        "call [rip + {begin_catch}]",
        "call [rip + {end_catch}]",
        "4:",
        "xor eax, eax",
        "jmp 3b",
        ".cfi_endproc",
        sites!(),
        personality = sym PERSONALITY,
        begin_catch = sym BEGIN_CATCH,
        end_catch = sym END_CATCH,
        new_handler = sym new_handler,
        again = sym serve::again,
    )
}

/// The forms of `operator delete`: what the caller says about size and alignment is not needed.
macro_rules! deletes {
    ($($name:ident $symbol:literal ($($more:ty),*);)*) => {$(
        #[doc = concat!("`", $symbol, "`: gives a block back.")]
        ///
        /// # Safety
        /// `block` came from one of the operators above, or is null, and is not used afterwards.
        #[unsafe(export_name = $symbol)]
        pub unsafe extern "C" fn $name(block: *mut c_void $(, _: $more)*) {
            // SAFETY: inv:serve.caller: the same promise.
            unsafe { serve::free(block) }
        }
    )*};
}

deletes! {
    delete "_ZdlPv" ();
    delete_array "_ZdaPv" ();
    delete_sized "_ZdlPvm" (usize);
    delete_array_sized "_ZdaPvm" (usize);
    delete_aligned "_ZdlPvSt11align_val_t" (usize);
    delete_array_aligned "_ZdaPvSt11align_val_t" (usize);
    delete_sized_aligned "_ZdlPvmSt11align_val_t" (usize, usize);
    delete_array_sized_aligned "_ZdaPvmSt11align_val_t" (usize, usize);
    delete_nothrow "_ZdlPvRKSt9nothrow_t" (*const c_void);
    delete_array_nothrow "_ZdaPvRKSt9nothrow_t" (*const c_void);
    delete_aligned_nothrow "_ZdlPvSt11align_val_tRKSt9nothrow_t" (usize, *const c_void);
    delete_array_aligned_nothrow "_ZdaPvSt11align_val_tRKSt9nothrow_t" (usize, *const c_void);
}
