//! The two halves of a session's start, side by side.
//!
//! The collector needs longer to start than `(scheme base)` to be read, expanded and compiled, and
//! neither needs the other: so the heap starts on a thread of its own meanwhile.
//!
//! Absent on purpose: the program's own text. It is read when the heap is there, so that a heap that
//! is refused is told before a program that is.

use std::thread::{Builder, JoinHandle};

use bowline_gc::{Heap, HeapConfig, HeapError};
use bowline_middle::ir::Module;
use bowline_middle::{Expander, passes};

use crate::loader::Loader;

/// What nearly every program imports.
const LIBRARY: &str = "(scheme base)";

type Started = Result<&'static Heap, HeapError>;

/// The process's heap, while it starts.
pub(crate) enum Starting {
    Aside(JoinHandle<Started>),
    /// There was no thread to be had.
    Done(Started),
}

/// Begins to start the process's heap.
pub(crate) fn heap(config: HeapConfig) -> Starting {
    let aside = config.clone();
    let thread = Builder::new()
        .name("bowline-start".into())
        .spawn(move || bowline_gc::start(aside));
    match thread {
        Ok(thread) => Starting::Aside(thread),
        Err(_) => Starting::Done(bowline_gc::start(config)),
    }
}

impl Starting {
    /// Waits for the heap.
    pub(crate) fn wait(self) -> Started {
        match self {
            Starting::Aside(thread) => thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Starting::Done(started) => started,
        }
    }
}

/// The library that nearly every program imports, and all that it needs, compiled: to be run first.
pub(crate) fn library(expander: &mut Expander, loader: &mut Loader) -> Vec<Module> {
    let units = expander
        .expand_library(LIBRARY, loader)
        .expect("the embedded library expands");
    units
        .into_iter()
        .map(|unit| {
            passes::compile(unit, expander.primitives(), expander.globals())
                .expect("the embedded library compiles")
        })
        .collect()
}
