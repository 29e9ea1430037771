//! The recorder's thread: it takes away what the others have left, and ends the process as they would have
//! it when a signal does.
//!
//! A signal's handler can do next to nothing, so it rings a bell, a socket that the thread waits at. The
//! thread closes the trace and tells the figures, and then the signal ends the process as if nobody had
//! handled it.
//!
//! `inv:sampler.handler` The handler reads atomics, writes one byte to a socket that never blocks, and leaves
//! `errno` as it was.

use super::{Note, Recorder};
use crate::heap::Heap;
use crate::sys;
use crate::thread::hush;
use std::io::{self, Read};
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// How often events are taken away and counters sampled.
const TICK: Duration = Duration::from_millis(10);

/// Starts the thread.
pub(super) fn start(heap: &'static Heap) -> io::Result<()> {
    let (hears, rings) = UnixStream::pair()?;
    rings.set_nonblocking(true)?;
    if heap.recorder.options.trace.is_some() {
        hears.set_read_timeout(Some(TICK))?;
    }
    let thread = std::thread::Builder::new().name("bowline-trace".into());
    let starting = heap.pressure.thread_starts();
    thread.spawn(move || {
        // The heap's hook in C's malloc has no question for this thread.
        hush();
        drop(starting);
        run(heap, hears)
    })?;
    if heap.recorder.options.signals {
        // As long as the process lives somebody may ring.
        heap.recorder.bell.store(rings.into_raw_fd(), Relaxed);
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
            sys::handle_if_default(signal, on_signal);
        }
    } else {
        std::mem::forget(rings);
    }
    Ok(())
}

fn run(heap: &'static Heap, mut hears: UnixStream) {
    let recorder: &Recorder = &heap.recorder;
    let mut signal = [0];
    while recorder.is_live() {
        match hears.read(&mut signal) {
            Ok(1) => {
                recorder.finish(heap);
                sys::end_by(i32::from(signal[0]));
            }
            Err(error) if timed_out(&error) => recorder.tick(heap),
            _ => return,
        }
    }
}

fn timed_out(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}

/// inv:sampler.handler
extern "C" fn on_signal(signal: i32) {
    let live = Heap::get().filter(|heap| heap.recorder.is_live());
    let Some(heap) = live else {
        // A forked child has nobody to tell (inv:recorder.fork).
        return sys::end_by(signal);
    };
    heap.recorder.note(Note::Interrupt);
    sys::ring(heap.recorder.bell.load(Relaxed), signal as u8);
}
