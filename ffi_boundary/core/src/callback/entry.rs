//! Functions of this program that C calls with an env: one for each place that an env can stand in, for callbacks of
//! every type.
//!
//! `inv:entry.registers` In the calling convention of x86-64 ("System V Application Binary Interface", 3.2.3) integers
//! and pointers are passed in six registers, floating-point numbers in the low halves of eight others, each kind in
//! order, and the rest on the stack in words. A struct of at most two words is passed in registers, each word in one
//! of the kind of what is in it, if there are enough for all of it; any other struct is passed on the stack. A result
//! is given back in the same manner in two registers of each kind, and a larger struct is written to where the
//! first integer says. So an entry that stores the registers has all that C has passed, whatever the types are.
//!
//! Elsewhere there are no entries, and libffi does it.

use super::pool::Trampoline;
use crate::describe::words_of;
use crate::types::{CType, CallbackType, Repr};
use std::ffi::c_void;
use std::mem::MaybeUninit;

const INTEGERS: usize = 6;
const FLOATS: usize = 8;

/// The places that an env can have: a register, or one of the first words on the stack.
const PLACES: usize = INTEGERS + 10;

/// The most parameters.
const MOST: usize = 32;

/// More structs of two words do not go in registers.
const PAIRS: usize = (INTEGERS + FLOATS) / 2;

/// What C has passed in registers, and what it gets back in them.
#[repr(C)]
pub(super) struct Passed {
    integers: [u64; INTEGERS],
    floats: [u64; FLOATS],
    result_integers: [u64; 2],
    result_floats: [u64; 2],
}

/// Where a word is passed.
#[derive(Clone, Copy)]
enum Word {
    Integer(usize),
    Float(usize),
    Stack(usize),
}

/// Where a parameter is passed.
#[derive(Clone, Copy)]
enum Place {
    /// In the word there; or all of it on the stack from there on.
    At(Word),
    /// In two words.
    Pair(Word, Word),
}

/// How a result is given back.
enum Given {
    /// As a word, in a register of either kind.
    Word,
    /// A struct of so many words, whose kinds these are: whether floating-point.
    Struct([Option<bool>; 2]),
    /// In memory, which C gives the address of.
    Memory,
}

/// How what C passes to a callback of a type is read.
pub(crate) struct Reading {
    places: Vec<Place>,
    env: usize,
    given: Given,
}

/// Which registers and words of the stack are taken.
#[derive(Default)]
struct Taken {
    integers: usize,
    floats: usize,
    stack: usize,
}

impl Taken {
    fn word(&mut self, float: bool) -> Word {
        let (taken, most) = match float {
            true => (&mut self.floats, FLOATS),
            false => (&mut self.integers, INTEGERS),
        };
        if *taken == most {
            return self.on_stack(1);
        }
        *taken += 1;
        match float {
            true => Word::Float(*taken - 1),
            false => Word::Integer(*taken - 1),
        }
    }

    fn on_stack(&mut self, words: usize) -> Word {
        self.stack += words;
        Word::Stack(self.stack - words)
    }

    fn parameter(&mut self, ctype: &CType) -> Option<Place> {
        if ctype.repr() != Repr::Aggregate {
            let float = matches!(ctype.repr(), Repr::Float | Repr::Double);
            return Some(Place::At(self.word(float)));
        }
        let size = ctype.size().filter(|size| *size > 0)?;
        let kinds = kinds(ctype, size);
        let count = |float| kinds.iter().filter(|kind| **kind == Some(float)).count();
        let fits = self.floats + count(true) <= FLOATS && self.integers + count(false) <= INTEGERS;
        Some(match (kinds, fits) {
            ([Some(one), None], true) => Place::At(self.word(one)),
            ([Some(one), Some(two)], true) => {
                let one = self.word(one);
                Place::Pair(one, self.word(two))
            }
            _ => Place::At(self.on_stack(size.div_ceil(8))),
        })
    }
}

/// The kinds of the words of a struct that is passed in registers, whether floating-point; none of one that is not.
fn kinds(ctype: &CType, size: usize) -> [Option<bool>; 2] {
    let mut kinds = [None; 2];
    if size <= 16 {
        words_of(ctype, 0, &mut kinds);
    }
    kinds
}

impl Reading {
    /// For callbacks of this type, whose env is at `position` among the parameters, if an entry can read them.
    pub(super) fn of(callback: &CallbackType, position: usize) -> Option<Reading> {
        if !cfg!(all(target_arch = "x86_64", unix)) || callback.params.len() > MOST {
            return None;
        }
        let given = match callback.result.repr() {
            Repr::Aggregate => match kinds(&callback.result, callback.result.size()?) {
                [None, _] => Given::Memory,
                kinds => Given::Struct(kinds),
            },
            _ => Given::Word,
        };
        let mut taken = Taken::default();
        if let Given::Memory = given {
            taken.integers = 1;
        }
        let places = callback.params.iter().map(|ctype| taken.parameter(ctype));
        let places = places.collect::<Option<Vec<Place>>>()?;
        let env = match places[position] {
            Place::At(Word::Integer(i)) => i,
            Place::At(Word::Stack(i)) => INTEGERS + i,
            _ => return None,
        };
        (env < PLACES).then_some(Reading { places, env, given })
    }

    /// Where env stands, as entries are counted.
    pub(super) fn place(&self) -> usize {
        self.env
    }

    /// The address of the entry.
    pub(super) fn entry(&self) -> usize {
        system::entry(self.env)
    }

    /// Calls the trampoline's procedure with what C has passed.
    ///
    /// # Safety
    /// C has called a function of the trampoline's type: these are its registers, and `stack` is where the rest begins.
    pub(super) unsafe fn enter(
        &self,
        trampoline: &'static Trampoline,
        passed: &mut Passed,
        stack: *const u64,
    ) {
        let mut pairs = [[0u64; 2]; PAIRS];
        let mut args = [const { MaybeUninit::<*const c_void>::uninit() }; MOST];
        let mut next_pair = pairs.iter_mut();
        let at = |passed: &Passed, word: Word| -> *const u64 {
            match word {
                Word::Integer(i) => &raw const passed.integers[i],
                Word::Float(i) => &raw const passed.floats[i],
                Word::Stack(i) => stack.wrapping_add(i),
            }
        };
        for (arg, place) in args.iter_mut().zip(&self.places) {
            let from = match *place {
                Place::At(word) => at(passed, word),
                Place::Pair(one, two) => match next_pair.next() {
                    Some(pair) => {
                        // SAFETY: inv:entry.registers: a register's word.
                        pair[0] = unsafe { at(passed, one).read() };
                        // SAFETY: as above.
                        pair[1] = unsafe { at(passed, two).read() };
                        pair.as_ptr()
                    }
                    None => at(passed, one),
                },
            };
            arg.write(from.cast());
        }
        let args: *const *const c_void = args.as_ptr().cast();
        let mut room = [0u64; 2];
        let result: *mut c_void = match self.given {
            Given::Memory => std::ptr::with_exposed_provenance_mut(passed.integers[0] as usize),
            _ => room.as_mut_ptr().cast(),
        };
        // SAFETY: there is a pointer to each of C's arguments, and room for a result of the type.
        unsafe { trampoline.entered(result, args) };
        match self.given {
            Given::Word => {
                passed.result_integers[0] = room[0];
                passed.result_floats[0] = room[0];
            }
            Given::Memory => passed.result_integers[0] = passed.integers[0],
            Given::Struct(kinds) => {
                let mut integers = passed.result_integers.iter_mut();
                let mut floats = passed.result_floats.iter_mut();
                for (kind, word) in kinds.iter().flatten().zip(room) {
                    let register = match kind {
                        true => floats.next(),
                        false => integers.next(),
                    };
                    if let Some(register) = register {
                        *register = word;
                    }
                }
            }
        }
    }
}

#[cfg(all(target_arch = "x86_64", unix))]
mod system {
    use super::{INTEGERS, PLACES, Passed};
    use core::arch::naked_asm;

    /// The address of the entry for an env in this place.
    pub(super) fn entry(place: usize) -> usize {
        (ENTRIES[place] as *const ()).expose_provenance()
    }

    /// Where the word in a place is from the frame pointer on: among what [`Passed`] begins with, or what C has pushed.
    const fn offset(place: usize) -> isize {
        match place < INTEGERS {
            true => place as isize * 8 - size_of::<Passed>() as isize,
            false => 16 + (place - INTEGERS) as isize * 8,
        }
    }

    const _: () = assert!(size_of::<Passed>() == 144 && size_of::<Passed>().is_multiple_of(16));

    /// What C calls with an env in this place (`inv:entry.registers`).
    #[unsafe(naked)]
    unsafe extern "C" fn entry_at<const PLACE: usize>() {
        naked_asm!(
            ".cfi_startproc",
            "endbr64",
            "push rbp",
            ".cfi_def_cfa_offset 16",
            ".cfi_offset rbp, -16",
            "mov rbp, rsp",
            ".cfi_def_cfa_register rbp",
            "sub rsp, 144",
            "mov [rsp], rdi",
            "mov [rsp + 8], rsi",
            "mov [rsp + 16], rdx",
            "mov [rsp + 24], rcx",
            "mov [rsp + 32], r8",
            "mov [rsp + 40], r9",
            "movq [rsp + 48], xmm0",
            "movq [rsp + 56], xmm1",
            "movq [rsp + 64], xmm2",
            "movq [rsp + 72], xmm3",
            "movq [rsp + 80], xmm4",
            "movq [rsp + 88], xmm5",
            "movq [rsp + 96], xmm6",
            "movq [rsp + 104], xmm7",
            "xor eax, eax",
            "mov [rsp + 112], rax",
            "mov [rsp + 120], rax",
            "mov [rsp + 128], rax",
            "mov [rsp + 136], rax",
            "mov rdi, [rbp + {env}]",
            "mov esi, {place}",
            "mov rdx, rsp",
            "lea rcx, [rbp + 16]",
            "call {enter}",
            "mov rax, [rsp + 112]",
            "mov rdx, [rsp + 120]",
            "movq xmm0, [rsp + 128]",
            "movq xmm1, [rsp + 136]",
            "leave",
            ".cfi_def_cfa rsp, 8",
            "ret",
            ".cfi_endproc",
            env = const offset(PLACE),
            place = const PLACE,
            enter = sym enter,
        )
    }

    /// # Safety
    /// An entry calls it, in the place with this number, with what C has passed.
    unsafe extern "C" fn enter(word: usize, place: usize, passed: &mut Passed, stack: *const u64) {
        // SAFETY: the caller's.
        unsafe { super::super::env::enter(word, place, passed, stack) };
    }

    static ENTRIES: [unsafe extern "C" fn(); PLACES] = [
        entry_at::<0>,
        entry_at::<1>,
        entry_at::<2>,
        entry_at::<3>,
        entry_at::<4>,
        entry_at::<5>,
        entry_at::<6>,
        entry_at::<7>,
        entry_at::<8>,
        entry_at::<9>,
        entry_at::<10>,
        entry_at::<11>,
        entry_at::<12>,
        entry_at::<13>,
        entry_at::<14>,
        entry_at::<15>,
    ];
}

#[cfg(not(all(target_arch = "x86_64", unix)))]
mod system {
    /// There are none.
    pub(super) fn entry(_place: usize) -> usize {
        0
    }
}
