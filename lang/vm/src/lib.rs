//! The portable engine: bytecode, linker and stack machine.
//!
//! One value stack holds return addresses and arguments; calls push and jump, and a second pass
//! links what they refer to. Continuations move frames to the heap and back one at a time. Another
//! engine is tested against this one.
//!
//! Reading order: `opcode` (the instruction set), `assembler` and `linker` (two passes), `compile` (from the
//! intermediate language), `space` and `load` (where code is), `raw` (the only `unsafe`), `reporter` (whom it
//! tells), `vm` (the engine), `machine` (registers, loop, calls, continuations, faults), `host` (calls from C),
//! `disasm` (the printer).

#![deny(unsafe_code)]

mod assembler;
mod compile;
mod disasm;
mod host;
mod linker;
mod load;
mod machine;
mod opcode;
#[allow(
    unsafe_code,
    reason = "the one module that reads and writes the stack and code by address"
)]
mod raw;
mod reporter;
mod space;
mod vm;

pub use compile::CompileError;
pub use machine::Heavy;
pub use opcode::{Insn, Op, Operands};
pub use reporter::Reporter;
pub use space::{Reached, TraceFrame};
pub use vm::{Entry, Exit, Hook, Vm};
