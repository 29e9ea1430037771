//! The words that the machine reads and writes by address: the value stack, code, and cells. The only
//! module of this crate with `unsafe`.
//!
//! Its functions are safe to call on the strength of three invariants that the rest of the crate
//! keeps:
//!
//! inv:vm.code — only code that the compiler made and the linker linked is run, and code is never
//! moved or freed. So a [`Pc`] taken from a procedure, a return address or a jump of such code points
//! to an instruction, and the operands of that instruction name slots, cells and distances that exist.
//!
//! inv:vm.stack — an [`Sp`] points into the thread's value stack, at or above its base. Every
//! function checks at entry for the room its frame needs (inv:vm.depth), and what stubs and slow
//! paths push fits the slack above the limit.
//!
//! inv:vm.cell — an address in an operand word is that of a cell of a table of cells, which never
//! move (`inv:cells.fixed` of the runtime).
//!
//! Absent on purpose: heap objects, but for their first word. `bowline_runtime::object` reads and
//! writes those.

use std::sync::atomic::{AtomicUsize, Ordering};

use bowline_gc::RootStack;
use bowline_layout::Value;

use crate::opcode::Insn;

/// A place in code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pc(*const Insn);

impl Pc {
    /// The place with this address.
    #[inline(always)]
    pub(crate) fn from_bits(bits: u64) -> Pc {
        Pc(std::ptr::with_exposed_provenance(bits as usize))
    }

    /// Its address: 8-aligned, so that it is no pointer to the collector (`inv:word.even`).
    #[inline(always)]
    pub(crate) fn bits(self) -> u64 {
        self.0.expose_provenance() as u64
    }

    /// Its address as a word of the stack.
    #[inline(always)]
    pub(crate) fn value(self) -> Value {
        Value::from_bits(self.bits())
    }

    /// The place `n` instructions further on.
    #[inline(always)]
    pub(crate) fn offset(self, n: isize) -> Pc {
        Pc(self.0.wrapping_offset(n))
    }

    /// The instruction, or operand word, there.
    #[inline(always)]
    pub(crate) fn fetch(self) -> Insn {
        // SAFETY: inv:vm.code
        unsafe { self.0.read() }
    }

    /// How many instructions this place is behind `start`.
    pub(crate) fn since(self, start: Pc) -> usize {
        (self.0.addr() - start.0.addr()) / size_of::<Insn>()
    }
}

/// Memory for code, written once and never given back (inv:vm.code).
pub(crate) struct CodeChunk {
    start: *mut Insn,
    used: usize,
    size: usize,
}

impl CodeChunk {
    /// Room for `size` instructions.
    pub(crate) fn new(size: usize) -> CodeChunk {
        let memory = vec![Insn::word(0); size].into_boxed_slice();
        CodeChunk {
            start: Box::leak(memory).as_mut_ptr(),
            used: 0,
            size,
        }
    }

    /// How many instructions more fit.
    pub(crate) fn room(&self) -> usize {
        self.size - self.used
    }

    /// Where the next unit will begin.
    pub(crate) fn next(&self) -> Pc {
        Pc(self.start.wrapping_add(self.used))
    }

    /// Puts a unit at [`CodeChunk::next`].
    pub(crate) fn put(&mut self, code: &[Insn]) {
        assert!(code.len() <= self.room(), "code larger than its chunk");
        let to = self.start.wrapping_add(self.used);
        // SAFETY: the room was checked; nothing points into the unused part yet.
        unsafe { std::ptr::copy_nonoverlapping(code.as_ptr(), to, code.len()) };
        self.used += code.len();
    }
}

/// A place on the value stack.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Sp(*mut Value);

impl Sp {
    /// The word `i` words further on.
    #[inline(always)]
    pub(crate) fn get(self, i: isize) -> Value {
        // SAFETY: inv:vm.stack
        unsafe { self.0.wrapping_offset(i).read() }
    }

    /// Overwrites the word `i` words further on.
    #[inline(always)]
    pub(crate) fn put(self, i: isize, v: Value) {
        // SAFETY: inv:vm.stack
        unsafe { self.0.wrapping_offset(i).write(v) }
    }

    /// The place `n` words further on.
    #[inline(always)]
    pub(crate) fn at(self, n: isize) -> Sp {
        Sp(self.0.wrapping_offset(n))
    }

    /// How many words this place is above `other`.
    #[inline(always)]
    pub(crate) fn above(self, other: Sp) -> isize {
        (self.0.addr() as isize - other.0.addr() as isize) >> 3
    }

    /// Its address.
    #[inline(always)]
    pub(crate) fn addr(self) -> usize {
        self.0.addr()
    }

    /// Moves `n` words from `from` to here. The places may overlap if this one is the lower.
    #[inline(always)]
    pub(crate) fn take(self, from: Sp, n: usize) {
        if n < 4 {
            if n > 0 {
                self.put(0, from.get(0));
            }
            if n > 1 {
                self.put(1, from.get(1));
            }
            if n > 2 {
                self.put(2, from.get(2));
            }
        } else {
            // SAFETY: inv:vm.stack for both ends of both ranges; `copy` allows overlap.
            unsafe { std::ptr::copy(from.0, self.0, n) };
        }
    }
}

/// The thread's value stack, as the machine reaches it.
#[derive(Clone, Copy)]
pub(crate) struct Stack(*const RootStack);

impl Stack {
    /// The machine's view of this stack, good as long as the mutator that it belongs to.
    pub(crate) fn new(stack: &RootStack) -> Stack {
        Stack(std::ptr::from_ref(stack))
    }

    #[inline(always)]
    fn stack(&self) -> &RootStack {
        // SAFETY: the mutator lives as long as the `Vm` that owns both, at a fixed address.
        unsafe { &*self.0 }
    }

    /// The first word.
    pub(crate) fn base(self) -> Sp {
        Sp(self.stack().base())
    }

    /// The published top.
    pub(crate) fn top(self) -> Sp {
        Sp(self.stack().sp())
    }

    /// Publishes the top: words below it are scanned.
    #[inline(always)]
    pub(crate) fn publish(self, sp: Sp) {
        // SAFETY: inv:vm.stack; every word below `sp` was written as a tagged word (inv:vm.depth).
        unsafe { self.stack().set_sp(sp.0) };
    }

    /// The index of a place.
    #[inline(always)]
    pub(crate) fn index(self, sp: Sp) -> usize {
        sp.above(Sp(self.stack().base())) as usize
    }

    /// Has the limit be at `sp` until further notice.
    pub(crate) fn move_limit(self, sp: Sp) {
        self.stack().move_limit(sp.addr());
    }

    /// Promises the collector not to write below `sp` until it is called with a lower place
    /// (`inv:stack.clean`).
    pub(crate) fn rely_below(self, sp: Sp) {
        self.stack().rely_below(sp.0);
    }

    /// Has the first `words` words looked at in every collection.
    pub(crate) fn keep(self, words: usize) {
        self.stack().keep(words);
    }

    /// The address above which a function's entry takes its slow path (`inv:stack.limit`).
    pub(crate) fn limit(self) -> Limit {
        Limit(self.stack().limit_ptr())
    }

    /// How many words half of the stack has.
    pub(crate) fn half(self) -> usize {
        (self.real_limit() - self.stack().base().addr()) / 2 / size_of::<Value>()
    }

    /// The limit that holds when nobody wants the thread.
    pub(crate) fn real_limit(self) -> usize {
        self.stack().real_limit()
    }
}

/// The limit word of the value stack.
#[derive(Clone, Copy)]
pub(crate) struct Limit(*const AtomicUsize);

impl Limit {
    /// What it is now.
    #[inline(always)]
    pub(crate) fn get(self) -> usize {
        // SAFETY: part of the stack that the `Vm` owns.
        unsafe { &*self.0 }.load(Ordering::Relaxed)
    }

    /// Whether somebody wants the thread.
    #[inline(always)]
    pub(crate) fn is_pulled(self) -> bool {
        self.get() == 0
    }
}

/// Reads the cell at an address (inv:vm.cell).
#[inline(always)]
pub(crate) fn cell(address: u64) -> Value {
    let cell: *const Value = std::ptr::with_exposed_provenance(address as usize);
    // SAFETY: inv:vm.cell
    unsafe { cell.read() }
}

/// Writes the cell at an address (inv:vm.cell). Cells are roots, so there is no barrier.
#[inline(always)]
pub(crate) fn set_cell(address: u64, v: Value) {
    let cell: *mut Value = std::ptr::with_exposed_provenance_mut(address as usize);
    // SAFETY: inv:vm.cell
    unsafe { cell.write(v) }
}

/// The first word of a headed object.
///
/// A value that the machine looks at was read from a scanned place (`inv:rooted` of the runtime).
#[inline(always)]
pub(crate) fn header_bits(v: Value) -> u64 {
    // SAFETY: inv:rooted: `v` points to a live object; its first word is its header.
    unsafe { bowline_gc::access::word(v, 0) }
}

/// Tells the optimiser that control never comes here.
///
/// inv:vm.code — every instruction's operation is one of the table.
#[inline(always)]
pub(crate) fn no_such_op() {
    // SAFETY: inv:vm.code
    unsafe { std::hint::unreachable_unchecked() }
}
