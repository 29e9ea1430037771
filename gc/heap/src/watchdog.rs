//! Who keeps a collection waiting: named once for each stop, on standard error.
//!
//! The collector itself looks, while it waits for threads to stop: no thread of its own is needed, and nothing is
//! paid while nobody is late. A thread is late because it does not poll, or because it is in a *leaf call*, a foreign
//! call during which it stays Managed. A thread in any other foreign call keeps nobody waiting, however long that
//! blocks, and is never named.
//!
//! `inv:watchdog.leaf` A leaf call's name lives for ever, so the collector may read it while the thread goes on.
//!
//! Nothing is allocated and no lock is held where the lines are made: the thread that is late may have them.

use crate::member::Watch;
use crate::sys;
use crate::thread::ThreadBlock;
use std::time::Duration;

/// The name of a foreign function whose calls stay Managed.
#[derive(Debug)]
pub struct Leaf {
    name: String,
}

impl Leaf {
    /// A name that is kept for ever (`inv:watchdog.leaf`): one for each declaration.
    pub fn named(name: &str) -> &'static Leaf {
        Box::leak(Box::new(Leaf {
            name: name.to_owned(),
        }))
    }
}

/// Names threads that take longer than this to stop.
pub(crate) struct Watchdog(pub(crate) Option<Duration>);

impl Watch<ThreadBlock> for Watchdog {
    fn patience(&self) -> Option<Duration> {
        self.0
    }

    fn stalled(&mut self, late: &ThreadBlock, waited: Duration) {
        let (ms, thread) = (waited.as_millis(), late.name());
        match late.leaf() {
            None => sys::line(format_args!(
                "bowline: a collection has waited {ms} ms for {thread}, which does not poll"
            )),
            Some(Leaf { name }) => sys::line(format_args!(
                "bowline: a collection has waited {ms} ms for {thread}, which is in the leaf call {name}"
            )),
        }
    }

    fn over(&mut self, waited: Duration) {
        let ms = waited.as_millis();
        sys::line(format_args!(
            "bowline: the collection begins after {ms} ms: all threads have stopped"
        ));
    }
}
