//! Signal handlers that allocate, wherever they interrupt a thread.
//!
//! Few mallocs promise to bear it: the C standards allow no allocation in a handler. So these steps
//! can be left out, and are unless asked for when the malloc under test is not Bowline's own.

use std::ffi::c_int;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};

use crate::fault::Fault;
use crate::plan::Kind;
use crate::random::{Rng, derive};
use crate::raw::{Block, Call, errno, on_signal, set_errno, signal_thread};
use crate::recorder::MAIN;

use super::World;
use super::checked::Checked;

const SIGNAL: c_int = libc::SIGUSR1;

static WORLD: OnceLock<&'static World> = OnceLock::new();

/// Blocks that one handler leaves and another frees.
static PARKED: [Mutex<Option<Block>>; 16] = [const { Mutex::new(None) }; 16];

static COUNT: AtomicU64 = AtomicU64::new(0);

/// Gets ready for signals.
pub(super) fn listen(world: &'static World) {
    let first = WORLD.set(world).is_ok();
    if !first || on_signal(SIGNAL, handler).is_err() {
        world.stop.store(true, Ordering::Relaxed);
    }
}

/// Sends one to each thread that works.
pub(super) fn send(world: &World) {
    for thread in world.recorder.threads() {
        signal_thread(thread, SIGNAL);
    }
}

/// The places where handlers leave blocks.
pub(super) fn parked() -> impl Iterator<Item = &'static Mutex<Option<Block>>> {
    PARKED.iter()
}

extern "C" fn handler(_: c_int) {
    let before = errno();
    if let Some(world) = WORLD.get()
        && let Err(fault) = visit(world)
    {
        world.fail_while("in a signal handler, ", Some(Kind::Signals), &fault);
    }
    set_errno(before);
}

/// Takes a block and frees it, or leaves it for a later handler on whichever thread.
fn visit(world: &World) -> Result<(), Fault> {
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let mut rng = Rng::new(derive(world.plan.seed, count));
    // The main thread's seat: it makes no calls while there are signals.
    let checked = Checked::new(world, world.recorder.quiet_seat(MAIN));
    let bits = rng.within(3, 14);
    let size = (1 << bits) + rng.below(1 << bits);
    let block = match checked.take(Call::Malloc { size }, count, 0) {
        Ok(block) => block,
        // A malloc that may not wait here may have run out of what it set aside for handlers. That
        // it does serve most of them is a check of its own.
        Err(Fault::Refused { errno, .. }) if errno == libc::ENOMEM => return Ok(()),
        Err(fault) => return Err(fault),
    };
    let place = &PARKED[rng.below(PARKED.len())];
    // Not `lock`: the owner may be the very thread that this handler interrupted.
    let parked = place.try_lock().map(|mut place| place.replace(block));
    match parked {
        Ok(Some(other)) => checked.drop(other),
        Ok(None) | Err(_) => Ok(()),
    }
}
