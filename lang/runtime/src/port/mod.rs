//! Ports: what a port object in the heap stands for.
//!
//! A port's state is Rust data in a slab; the object holds the index. A weak cell per entry tells
//! when an object has died: opening a port sweeps such entries, so files that a program forgot are
//! flushed and closed.
//!
//! inv:port.index — an entry's weak cell holds the one port object that names it, or is dead; an
//! index is used again only after that.
//!
//! Absent on purpose: the current ports, which are parameters of the library, and transcoding: text
//! is UTF-8, and what is not becomes U+FFFD.

mod exit;
mod input;
mod output;

use std::fmt;
use std::sync::Arc;

use bowline_gc::Heap;
use bowline_layout::Value;

use crate::fault::{Fault, Result};
use crate::kinds;
use crate::object::{self, CellRoots, Cells};
use crate::rt::{Rt, root};

pub(crate) use input::Found;
pub use input::{Input, Source};
pub use output::{Output, Sink};

const INDEX: usize = 1;
const FLAGS: usize = 2;

/// What a port object says of itself without its state.
pub mod flags {
    /// Data can be taken from it.
    pub const INPUT: i64 = 1;
    /// Data can be given to it.
    pub const OUTPUT: i64 = 2;
    /// It deals in characters.
    pub const TEXTUAL: i64 = 4;
    /// It deals in bytes.
    pub const BINARY: i64 = 8;
    /// Its output can be got as a string or a bytevector.
    pub const MEMORY: i64 = 16;
}

/// What an input port reads from memory counts as memory that the port object owns, from so many bytes on: less is not
/// worth an owner.
pub(crate) const COUNTED: usize = 4096;

/// Whether `buffer` has room for so many bytes more, or there is memory to make it.
fn has_room(buffer: &mut Vec<u8>, more: usize) -> bool {
    match Heap::get() {
        Some(heap) => heap.has_room_in(buffer, more),
        None => buffer.try_reserve(more).is_ok(),
    }
}

/// The state of a port.
pub enum Port {
    /// An input port.
    Input(Input),
    /// An output port.
    Output(Output),
    /// A memory port that was closed; what it got can still be had.
    Kept(Output),
    /// A port of either direction that was closed.
    Closed,
}

/// Every port's state.
pub struct PortTable {
    entries: Vec<Port>,
    free: Vec<usize>,
    owners: Arc<Cells>,
}

impl PortTable {
    pub(crate) fn new(heap: &Heap) -> PortTable {
        let owners = Cells::new(true, Value::FALSE);
        heap.register_roots(Box::new(CellRoots(Arc::clone(&owners))));
        PortTable {
            entries: Vec::new(),
            free: Vec::new(),
            owners,
        }
    }

    /// Closes what no program can reach any more (inv:port.index).
    fn sweep(&mut self) {
        for i in 0..self.entries.len() {
            if self.owners.get(i) == Value::BROKEN {
                if let Port::Output(out) = &mut self.entries[i] {
                    // Nobody is left to be told.
                    let _ = out.flush();
                }
                self.entries[i] = Port::Closed;
                self.owners.set(i, Value::FALSE);
                self.free.push(i);
            }
        }
    }

    fn add(&mut self, port: Port) -> Option<usize> {
        self.sweep();
        if let Some(i) = self.free.pop() {
            self.entries[i] = port;
            return Some(i);
        }
        let i = self.entries.len();
        if !self.owners.ensure(i) {
            return None;
        }
        self.entries.push(port);
        Some(i)
    }

    /// What was written to a memory port so far.
    fn kept(&self, v: Value) -> &[u8] {
        match &self.entries[index(v)] {
            Port::Output(out) | Port::Kept(out) => out.memory(),
            _ => &[],
        }
    }

    /// Flushes every output port, each whether or not another fails; gives the first failure.
    fn flush_all(&mut self) -> std::result::Result<(), LostOutput> {
        let mut result = Ok(());
        for port in &mut self.entries {
            if let Port::Output(out) = port {
                let to = out.destination();
                let flushed = out.flush().map_err(|error| LostOutput {
                    to,
                    errno: errno_of(&error),
                });
                result = result.and(flushed);
            }
        }
        result
    }
}

/// Output that a port had taken and the system refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LostOutput {
    /// What it was for.
    pub to: &'static str,
    /// The system's error number.
    pub errno: i32,
}

impl fmt::Display for LostOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = crate::errno::text(self.errno);
        write!(f, "cannot write to {}: {reason}", self.to)
    }
}

impl std::error::Error for LostOutput {}

/// Whether `v` is a port.
#[inline]
pub fn is_port(v: Value) -> bool {
    object::is(v, kinds::PORT)
}

/// The flags of a port.
pub fn port_flags(v: Value) -> i64 {
    object::field(v, FLAGS).as_fixnum().unwrap_or(0)
}

fn index(v: Value) -> usize {
    let n = object::field(v, INDEX).as_fixnum().unwrap_or(0);
    usize::try_from(n).unwrap_or(0)
}

/// The error number of an I/O error.
pub(crate) fn errno_of(error: &std::io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}

/// What an open port is called that goes in this direction and is of this kind.
fn name_of(direction: i64, kind: i64) -> &'static str {
    let names = match direction {
        flags::INPUT => [
            "an input port",
            "a binary input port",
            "a textual input port",
        ],
        _ => [
            "an output port",
            "a binary output port",
            "a textual output port",
        ],
    };
    names[match kind {
        kind if kind & flags::BINARY != 0 => 1,
        kind if kind & flags::TEXTUAL != 0 => 2,
        _ => 0,
    }]
}

impl Rt {
    /// A port object for this state.
    pub fn make_port(&mut self, mut port: Port) -> Result {
        let interrupter = Some(self.heap.stack().interrupter());
        match &mut port {
            Port::Input(p) => {
                p.interrupter = interrupter;
                p.limit = self.heap().limit();
            }
            Port::Output(p) => {
                p.interrupter = interrupter;
                p.limit = self.heap().limit();
            }
            Port::Kept(_) | Port::Closed => {}
        }
        let flags = match &port {
            Port::Input(p) => flags::INPUT | p.flags(),
            Port::Output(p) => flags::OUTPUT | p.flags(),
            Port::Kept(_) | Port::Closed => 0,
        };
        // The object comes first: an entry without an owner would never be swept.
        let zero = Value::fixnum(0);
        let object = self.make_object(kinds::PORT, &[zero, Value::fixnum(flags)])?;
        let Some(i) = self.ports.add(port) else {
            return Err(Box::new(Fault::OutOfMemory));
        };
        object::init(object, INDEX, Value::fixnum(i as i64));
        self.ports.owners.set(i, object);
        Ok(object)
    }

    pub(crate) fn open_standard_ports(&mut self) -> Result<()> {
        let stdin = self.make_port(Port::Input(Input::stdin()))?;
        self.roots.set(root::STDIN, stdin);
        let stdout = self.make_port(Port::Output(Output::stdout()))?;
        self.roots.set(root::STDOUT, stdout);
        let stderr = self.make_port(Port::Output(Output::stderr()))?;
        self.roots.set(root::STDERR, stderr);
        Ok(())
    }

    /// The port of standard input.
    pub fn stdin_port(&self) -> Value {
        self.roots.get(root::STDIN)
    }

    /// The port of standard output.
    pub fn stdout_port(&self) -> Value {
        self.roots.get(root::STDOUT)
    }

    /// The port of standard error.
    pub fn stderr_port(&self) -> Value {
        self.roots.get(root::STDERR)
    }

    /// The next line of standard input, from the buffer that programs read from too. None at the end,
    /// and where the port is closed or cannot be read.
    pub fn read_input_line(&mut self) -> Option<String> {
        let port = self.stdin_port();
        let input = self.input("read-line", 0, port, flags::TEXTUAL).ok()?;
        input.line().ok().flatten()
    }

    /// Flushes every output port: for the end of the program, and before anything that may end it.
    pub fn flush_ports(&mut self) -> std::result::Result<(), LostOutput> {
        self.ports.flush_all()
    }

    /// Whether a port is open.
    pub fn port_is_open(&self, v: Value) -> bool {
        !matches!(self.ports.entries[index(v)], Port::Closed | Port::Kept(_))
    }

    /// How a port prints.
    pub(crate) fn port_label(&self, v: Value) -> String {
        let f = port_flags(v);
        let direction = if f & flags::INPUT != 0 {
            "input"
        } else {
            "output"
        };
        let kind = if f & flags::TEXTUAL == 0 {
            "binary "
        } else {
            ""
        };
        let closed = if self.port_is_open(v) { "" } else { "closed " };
        format!("#<{closed}{kind}{direction}-port>")
    }

    /// Checks that `v` is a port with all of these flags, which `expected` describes.
    pub(crate) fn check_port(
        &self,
        who: &'static str,
        position: usize,
        v: Value,
        wanted: i64,
        expected: &'static str,
    ) -> Result<usize> {
        if !is_port(v) || port_flags(v) & wanted != wanted {
            return Fault::wrong_type(who, position, expected, v);
        }
        if !self.port_is_open(v) {
            return Err(Box::new(Fault::Port {
                who,
                message: "the port is closed",
                port: v,
            }));
        }
        Ok(index(v))
    }

    /// The state of an open input port with these flags, to be read from. For a keyboard or a pipe
    /// that has nothing yet this waits, as a thread that delays no collection.
    pub(crate) fn input(
        &mut self,
        who: &'static str,
        position: usize,
        v: Value,
        kind: i64,
    ) -> Result<&mut Input> {
        self.input_state(who, position, v, kind)?;
        let i = index(v);
        if matches!(&self.ports.entries[i], Port::Input(p) if p.would_wait()) {
            self.flush_stdout();
            // A wait ends for a signal, too; unless that wants us to stop it begins again.
            loop {
                self.heap.enter_native();
                let ready = object::wait_for_input(libc::STDIN_FILENO);
                self.heap.leave_native();
                self.check_interrupt()?;
                if ready {
                    break;
                }
            }
        }
        match &mut self.ports.entries[i] {
            Port::Input(p) => Ok(p),
            _ => Err(Box::new(Fault::Io {
                who,
                errno: libc::EBADF,
            })),
        }
    }

    /// The next datum of a textual input port. What the reader works on is Rust's, so it delays no collection
    /// (inv:walk.piece).
    pub(crate) fn read_datum(
        &mut self,
        who: &'static str,
        position: usize,
        v: Value,
    ) -> Result<Found> {
        let kind = flags::INPUT | flags::TEXTUAL;
        let i = self.check_port(
            who,
            position,
            v,
            kind,
            name_of(flags::INPUT, flags::TEXTUAL),
        )?;
        self.input(who, position, v, flags::TEXTUAL)?;
        let Rt { heap, ports, .. } = self;
        match &mut ports.entries[i] {
            Port::Input(input) => io(who, heap.beside(|| input.datum())),
            _ => Err(Box::new(Fault::Io {
                who,
                errno: libc::EBADF,
            })),
        }
    }

    /// The state of an open input port with these flags, to be looked at.
    pub(crate) fn input_state(
        &mut self,
        who: &'static str,
        position: usize,
        v: Value,
        kind: i64,
    ) -> Result<&mut Input> {
        let expected = name_of(flags::INPUT, kind);
        let i = self.check_port(who, position, v, flags::INPUT | kind, expected)?;
        match &mut self.ports.entries[i] {
            Port::Input(p) => Ok(p),
            _ => Fault::wrong_type(who, position, expected, v),
        }
    }

    /// The standard output and error ports, for whoever shares the terminal with the program.
    pub fn standard_outputs(&mut self) -> impl Iterator<Item = &mut Output> {
        let wanted = [index(self.stdout_port()), index(self.stderr_port())];
        let entries = self.ports.entries.iter_mut().enumerate();
        entries.filter_map(move |(i, port)| match port {
            Port::Output(out) if wanted.contains(&i) => Some(out),
            _ => None,
        })
    }

    /// A prompt must be seen before the answer is waited for.
    fn flush_stdout(&mut self) {
        let i = index(self.stdout_port());
        if let Port::Output(out) = &mut self.ports.entries[i] {
            // The next write reports the error.
            let _ = out.flush();
        }
    }

    /// The state of an open output port with these flags.
    pub(crate) fn output(
        &mut self,
        who: &'static str,
        position: usize,
        v: Value,
        kind: i64,
    ) -> Result<&mut Output> {
        let expected = name_of(flags::OUTPUT, kind);
        let i = self.check_port(who, position, v, flags::OUTPUT | kind, expected)?;
        match &mut self.ports.entries[i] {
            Port::Output(p) => Ok(p),
            _ => Fault::wrong_type(who, position, expected, v),
        }
    }

    /// Writes text to a textual output port.
    pub fn write_text(
        &mut self,
        who: &'static str,
        position: usize,
        v: Value,
        text: &str,
    ) -> Result<()> {
        self.write_bytes(who, position, v, flags::TEXTUAL, text.as_bytes())
    }

    /// Writes bytes that are not in the heap to an output port of this kind.
    pub(crate) fn write_bytes(
        &mut self,
        who: &'static str,
        position: usize,
        v: Value,
        kind: i64,
        bytes: &[u8],
    ) -> Result<()> {
        let out = self.output(who, position, v, kind)?;
        io(who, out.write(bytes))
    }

    /// Makes `buffer` have room for so many bytes that a port is to keep, if there is memory; `Err` if they would
    /// pass the heap's limit. May collect.
    pub(crate) fn has_room_for(&mut self, buffer: &mut Vec<u8>, bytes: usize) -> Result<bool> {
        if bytes >= COUNTED {
            self.heap.poll_pressure(bytes)?;
            // What is dead counts no more, and so is to be gone.
            self.ports.sweep();
            if !self.heap().has_memory_for(bytes) {
                return Ok(false);
            }
        }
        Ok(buffer.try_reserve_exact(bytes).is_ok())
    }

    /// Takes `n` bytes that the port has ahead to a bytevector, from `at` on.
    pub(crate) fn read_ahead(&mut self, port: Value, to: Value, at: usize, n: usize) {
        let Rt { heap, ports, .. } = self;
        if let Port::Input(input) = &mut ports.entries[index(port)] {
            object::content_mut(heap, to)[at..at + n].copy_from_slice(input.take(n));
        }
    }

    /// Writes bytes of a `Bytes` object or of a view to an output port that was checked.
    pub(crate) fn write_heap_bytes(
        &mut self,
        who: &'static str,
        port: Value,
        bytes: Value,
        start: usize,
        end: usize,
    ) -> Result<()> {
        let Rt { heap, ports, .. } = self;
        let content = &object::content(heap, bytes)[start..end];
        match &mut ports.entries[index(port)] {
            Port::Output(out) => io(who, out.write(content)),
            _ => Ok(()),
        }
    }

    /// Closes a port; flushes it if it is an output port. Closing twice does nothing.
    pub(crate) fn close_port(&mut self, who: &'static str, v: Value) -> Result<()> {
        let i = index(v);
        let state = std::mem::replace(&mut self.ports.entries[i], Port::Closed);
        match state {
            Port::Kept(out) => self.ports.entries[i] = Port::Kept(out),
            Port::Output(out) if port_flags(v) & flags::MEMORY != 0 => {
                self.ports.entries[i] = Port::Kept(out);
            }
            Port::Output(mut out) => return io(who, out.flush()),
            _ => {}
        }
        Ok(())
    }

    /// What was written to a memory port so far.
    pub(crate) fn output_so_far(&self, v: Value) -> &[u8] {
        self.ports.kept(v)
    }

    /// The same, to the beginning of a `Bytes` object.
    pub(crate) fn copy_output(&mut self, v: Value, to: Value) {
        let Rt { heap, ports, .. } = self;
        let kept = ports.kept(v);
        object::bytes_mut(heap, to, 0, kept.len()).copy_from_slice(kept);
    }
}

/// An I/O result as a primitive's.
pub(crate) fn io<T>(who: &'static str, result: std::io::Result<T>) -> Result<T> {
    result.map_err(|error| {
        Box::new(match error.kind() {
            // Ports go on after signals but this one.
            std::io::ErrorKind::Interrupted => Fault::Interrupt { unwound: false },
            std::io::ErrorKind::OutOfMemory => Fault::OutOfMemory,
            _ => Fault::Io {
                who,
                errno: errno_of(&error),
            },
        })
    })
}
