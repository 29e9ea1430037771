//! What a refused access is told by: a handler of SIGSEGV and SIGBUS.
//!
//! `inv:guard.handler` The handler reads lists that only grow (`inv:guard.slot`), this thread's active calls, as that of
//! `inv:signal.safe` does, writes one line by `write` and gives the signal its first meaning back; the access is then
//! tried again and ends the process. What is not ours goes to whoever handled the signal before.

use super::slot;
use crate::active;
use crate::check_error::{Access, Crime};
use crate::signal;
use std::ffi::{c_int, c_void};
use std::fmt::{self, Write};
use std::ptr;
use std::sync::{Once, OnceLock};

/// Who handled SIGSEGV and SIGBUS before.
static BEFORE: [OnceLock<libc::sigaction>; 2] = [OnceLock::new(), OnceLock::new()];
static BEGUN: Once = Once::new();

/// The size of the stack that a thread gets for its handlers if it has none.
const STACK: usize = 64 << 10;

/// A line of bounded length; what is longer is cut off.
pub(super) struct Line {
    text: [u8; 1024],
    length: usize,
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.text.len() - 1 - self.length;
        let bytes = &text.as_bytes()[..text.len().min(room)];
        self.text[self.length..self.length + bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
        Ok(())
    }
}

/// Tells a person, in one line.
pub(super) fn tell(what: &impl fmt::Display) {
    let mut line = Line {
        text: [0; 1024],
        length: 0,
    };
    // Writing to it does not fail.
    let _ = write!(line, "bowline: {what}");
    line.text[line.length] = b'\n';
    signal::say_bytes(&line.text[..=line.length]);
}

/// Handles refused accesses from now on.
pub(super) fn begin() {
    BEGUN.call_once(|| {
        give_stack();
        for (fault, before) in [libc::SIGSEGV, libc::SIGBUS].into_iter().zip(&BEFORE) {
            let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = on_fault;
            // SAFETY: a struct of integers and null pointers.
            let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
            let mut old = action;
            action.sa_sigaction = handler as libc::sighandler_t;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            // SAFETY: asks alone.
            if unsafe { libc::sigaction(fault, ptr::null(), &raw mut old) } == 0 {
                let _ = before.set(old);
            }
            // SAFETY: the handler does what handlers may (inv:guard.handler); the mask is empty.
            unsafe { libc::sigaction(fault, &raw const action, ptr::null_mut()) };
        }
    });
}

/// Gives the calling thread a stack for its handlers, unless it has one.
fn give_stack() {
    // SAFETY: a struct of integers and null pointers.
    let mut stack: libc::stack_t = unsafe { std::mem::zeroed() };
    // SAFETY: asks alone.
    let asked = unsafe { libc::sigaltstack(ptr::null(), &raw mut stack) };
    if asked != 0 || stack.ss_flags & libc::SS_DISABLE == 0 {
        return;
    }
    let memory = vec![0u8; STACK].leak();
    stack.ss_sp = memory.as_mut_ptr().cast();
    stack.ss_size = STACK;
    stack.ss_flags = 0;
    // SAFETY: the memory is never freed, and nobody else's.
    unsafe { libc::sigaltstack(&raw const stack, ptr::null_mut()) };
}

extern "C" fn on_fault(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the system's, for the handler to read.
    let told = unsafe { &*info };
    let code = told.si_code;
    // SAFETY: every fault has one; of another signal it is not used.
    let address = unsafe { told.si_addr() }.addr();
    // Of a signal that somebody sent there is no address.
    let judged = (code > 0).then(|| slot::judge(address, access(context)));
    let Some((wrong, loan)) = judged.flatten() else {
        return give_on(signal, info, context, code);
    };
    let by_c = active::runs_c();
    tell(&Crime { by_c, wrong, loan });
    // SAFETY: gives the signal its first meaning back.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
}

/// What is not ours.
fn give_on(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void, code: c_int) {
    let before = BEFORE[usize::from(signal == libc::SIGBUS)].get();
    let action = before.map_or(libc::SIG_DFL, |before| before.sa_sigaction);
    if action == libc::SIG_IGN || action == libc::SIG_DFL {
        // SAFETY: gives the signal its first meaning back.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
        if code <= 0 {
            // SAFETY: sends this thread a signal, which it gets when the handler is done.
            unsafe { libc::raise(signal) };
        }
        return;
    }
    let flags = before.map_or(0, |before| before.sa_flags);
    if flags & libc::SA_SIGINFO == 0 {
        // SAFETY: a handler of this kind, as its flags say.
        let handler = unsafe { std::mem::transmute::<usize, extern "C" fn(c_int)>(action) };
        return handler(signal);
    }
    type Handler = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);
    // SAFETY: a handler of this kind, as its flags say.
    let handler = unsafe { std::mem::transmute::<usize, Handler>(action) };
    handler(signal, info, context);
}

/// What the access was: bit 1 of the error that the processor has pushed (Intel's manual, volume 3, 4.7).
#[cfg(target_arch = "x86_64")]
fn access(context: *mut c_void) -> Access {
    let context: *const libc::ucontext_t = context.cast_const().cast();
    // SAFETY: the system's, for the handler to read.
    let error = unsafe { (*context).uc_mcontext.gregs[libc::REG_ERR as usize] };
    match error & 2 {
        0 => Access::Read,
        _ => Access::Written,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn access(_: *mut c_void) -> Access {
    Access::Unknown
}
