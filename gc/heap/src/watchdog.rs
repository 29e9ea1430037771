//! Who keeps a collection or a fork waiting: named once for each stop, on standard error.
//!
//! Whoever waits for threads to stop looks for himself, the collector or the thread that forks: no thread of its own
//! is needed, and nothing is paid while nobody is late. A thread is late because it does not poll, or because it is in
//! a *leaf call*, a foreign call during which it stays Managed. A thread in any other foreign call keeps nobody
//! waiting, however long that blocks, and is never named.
//!
//! `inv:watchdog.leaf` A leaf call's name lives for ever, so the collector may read it while the thread goes on.
//!
//! Nothing is allocated and no lock is held where a line is written: the thread that it names may have them, and the line
//! may have to wait for its reader.

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

/// Names threads that take long to stop.
pub(crate) struct Watchdog {
    /// What waits for them, for people.
    pub(crate) of: &'static str,
    /// How long they may take.
    pub(crate) patience: Option<Duration>,
}

impl Watchdog {
    /// One that names nobody: a freeze does not wait for others, but for one that has just attached and whom it then
    /// tells of by its error.
    pub(crate) fn silent() -> Self {
        Watchdog {
            of: "freeze",
            patience: None,
        }
    }
}

impl Watch<ThreadBlock> for Watchdog {
    fn patience(&self) -> Option<Duration> {
        self.patience
    }

    fn stalled(&mut self, late: &ThreadBlock, waited: Duration) {
        let (of, ms, thread) = (self.of, waited.as_millis(), late.name());
        match late.leaf() {
            None => sys::line(format_args!(
                "bowline: a {of} has waited {ms} ms for {thread}, which does not poll"
            )),
            Some(Leaf { name }) => sys::line(format_args!(
                "bowline: a {of} has waited {ms} ms for {thread}, which is in the leaf call {name}"
            )),
        }
    }

    fn over(&mut self, waited: Duration) {
        let (of, ms) = (self.of, waited.as_millis());
        sys::line(format_args!(
            "bowline: the {of} begins after {ms} ms: all threads have stopped"
        ));
    }
}
