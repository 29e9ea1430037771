//! Signals on which the process tells of its memory while it runs.
//!
//! What is told is told in the handler itself, on whatever thread the system chose: it reads what can be read without a lock, and
//! writes by system calls. `errno` is kept, and calls that the signal interrupts are taken up again.
//!
//! A program that handles the same signal itself has its own way: this handler is registered before, and is gone then.
//!
//! Absent on purpose: signals that tell of a fault, those that cannot be handled, and the two that libc keeps for itself.

use crate::environment::{Settings, decimal};
use crate::{errno, map, profile};
use core::ffi::c_int;
use core::mem::MaybeUninit;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicI32, Ordering};

static MAP: AtomicI32 = AtomicI32::new(0);
static PROFILE: AtomicI32 = AtomicI32::new(0);

/// Names beside numbers.
const NAMES: [(&[u8], c_int); 4] = [
    (b"USR1", libc::SIGUSR1),
    (b"USR2", libc::SIGUSR2),
    (b"HUP", libc::SIGHUP),
    (b"WINCH", libc::SIGWINCH),
];

/// Signals that stay what they are.
const REFUSED: [c_int; 12] = [
    libc::SIGKILL,
    libc::SIGSTOP,
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGILL,
    libc::SIGTRAP,
    libc::SIGABRT,
    libc::SIGSYS,
    libc::SIGCHLD,
    32,
    33,
];

/// The signal of this name or number.
pub(crate) fn named(text: &[u8]) -> Option<c_int> {
    let name = text.strip_prefix(b"SIG").unwrap_or(text);
    if let Some((_, number)) = NAMES.iter().find(|(known, _)| *known == name) {
        return Some(*number);
    }
    let number = c_int::try_from(decimal(text)?).ok()?;
    ((1..=64).contains(&number) && !REFUSED.contains(&number)).then_some(number)
}

/// Registers what the settings ask for.
pub(crate) fn handle(settings: &Settings<'_>) {
    if let Some(signal) = settings.map_signal {
        MAP.store(signal, Ordering::Relaxed);
        register(signal);
    }
    if let Some(signal) = settings.profile_signal
        && settings.profile.is_some()
    {
        PROFILE.store(signal, Ordering::Relaxed);
        register(signal);
    }
}

fn register(signal: c_int) {
    let action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: zeroes are an action: the default one, with no signal blocked.
    let mut action = unsafe { action.assume_init() };
    action.sa_sigaction = told as *const () as usize;
    // On the thread's own stack: those for handlers are often too small for a table.
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: the handler takes the number, returns, and stays loaded; what it does may be done in a handler.
    unsafe { libc::sigaction(signal, &action, null_mut()) };
}

extern "C" fn told(signal: c_int) {
    let before = errno::get();
    if MAP.load(Ordering::Relaxed) == signal {
        map::write();
    }
    if PROFILE.load(Ordering::Relaxed) == signal {
        profile::write();
    }
    errno::set(before);
}
