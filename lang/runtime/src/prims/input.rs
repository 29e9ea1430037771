//! Opening ports, and input.
//!
//! Every primitive takes its port explicitly; the library supplies the current one.

use std::fs::File;

use bowline_layout::Value;

use crate::fault::{Fault, Result};
use crate::port::{self, COUNTED, Input, Output, Port, Sink, Source, errno_of, flags, io, is_port};
use crate::primitive::{Primitive, owner, row};
use crate::rt::{Args, Rt};

use super::{bytevectors, owners};

/// Bytes that are read at once.
const PIECE: usize = 64 * 1024;

pub(super) const TABLE: &[Primitive] = &[
    row("open-input-file", 1, 1, |rt, a| {
        open_input(rt, a, "open-input-file", true)
    }),
    row("open-binary-input-file", 1, 1, |rt, a| {
        open_input(rt, a, "open-binary-input-file", false)
    }),
    row("open-output-file", 1, 1, |rt, a| {
        open_output(rt, a, "open-output-file", true)
    }),
    row("open-binary-output-file", 1, 1, |rt, a| {
        open_output(rt, a, "open-binary-output-file", false)
    }),
    owner("open-input-string", 1, 1, |rt, a| {
        rt.string_arg(a, 0, "open-input-string")?;
        open_memory(rt, a, "open-input-string", true, |rt, s| {
            rt.text(s).as_bytes()
        })
    }),
    owner("open-input-bytevector", 1, 1, |rt, a| {
        rt.bytevector_arg(a, 0, "open-input-bytevector")?;
        open_memory(rt, a, "open-input-bytevector", false, Rt::bytevector)
    }),
    row("open-output-string", 0, 0, |rt, _| {
        rt.make_port(Port::Output(Output::new(Sink::Memory, true)))
    }),
    row("open-output-bytevector", 0, 0, |rt, _| {
        rt.make_port(Port::Output(Output::new(Sink::Memory, false)))
    }),
    row("%stdin-port", 0, 0, |rt, _| Ok(rt.stdin_port())),
    row("%stdout-port", 0, 0, |rt, _| Ok(rt.stdout_port())),
    row("%stderr-port", 0, 0, |rt, _| Ok(rt.stderr_port())),
    row("port?", 1, 1, |rt, a| {
        Ok(Value::bool(is_port(rt.arg(a, 0))))
    }),
    row("input-port?", 1, 1, |rt, a| has(rt, a, flags::INPUT)),
    row("output-port?", 1, 1, |rt, a| has(rt, a, flags::OUTPUT)),
    row("textual-port?", 1, 1, |rt, a| has(rt, a, flags::TEXTUAL)),
    row("binary-port?", 1, 1, |rt, a| has(rt, a, flags::BINARY)),
    row("input-port-open?", 1, 1, |rt, a| {
        is_open(rt, a, "input-port-open?", flags::INPUT, "an input port")
    }),
    row("output-port-open?", 1, 1, |rt, a| {
        is_open(rt, a, "output-port-open?", flags::OUTPUT, "an output port")
    }),
    row("close-port", 1, 1, |rt, a| {
        close(rt, a, "close-port", 0, "a port")
    }),
    row("close-input-port", 1, 1, |rt, a| {
        close(rt, a, "close-input-port", flags::INPUT, "an input port")
    }),
    row("close-output-port", 1, 1, |rt, a| {
        close(rt, a, "close-output-port", flags::OUTPUT, "an output port")
    }),
    row("%read-char", 1, 1, |rt, a| {
        let c = io("read-char", text_port(rt, a, 0, "read-char")?.char())?;
        Ok(c.map_or(Value::EOF, Value::char))
    }),
    row("%peek-char", 1, 1, |rt, a| {
        let c = io("peek-char", text_port(rt, a, 0, "peek-char")?.peek_char())?;
        Ok(c.map_or(Value::EOF, Value::char))
    }),
    row("%char-ready?", 1, 1, |rt, a| {
        ready(rt, a, "char-ready?", flags::TEXTUAL)
    }),
    row("%read-line", 1, 1, |rt, a| {
        let line = io("read-line", text_port(rt, a, 0, "read-line")?.line())?;
        string_or_eof(rt, line)
    }),
    row("%read-string", 2, 2, |rt, a| {
        let n = rt.size_arg(a, 0, "read-string")?;
        let text = io("read-string", text_port(rt, a, 1, "read-string")?.string(n))?;
        string_or_eof(rt, text)
    }),
    row("%read", 1, 1, read),
    row("%read-u8", 1, 1, |rt, a| {
        let b = io("read-u8", byte_port(rt, a, 0, "read-u8")?.byte())?;
        Ok(b.map_or(Value::EOF, |b| Value::fixnum(b.into())))
    }),
    row("%peek-u8", 1, 1, |rt, a| {
        let b = io("peek-u8", byte_port(rt, a, 0, "peek-u8")?.peek_byte())?;
        Ok(b.map_or(Value::EOF, |b| Value::fixnum(b.into())))
    }),
    row("%u8-ready?", 1, 1, |rt, a| {
        ready(rt, a, "u8-ready?", flags::BINARY)
    }),
    row("%read-bytevector", 2, 2, |rt, a| {
        let who = "read-bytevector";
        let n = rt.size_arg(a, 0, who)?;
        let Some(n) = io(who, byte_port(rt, a, 1, who)?.ahead(n))? else {
            return Ok(Value::EOF);
        };
        let v = rt.alloc_bytevector(n)?;
        rt.read_ahead(rt.arg(a, 1), v, 0, n);
        Ok(v)
    }),
    row("%read-bytevector!", 2, 4, read_bytevector_into),
    row("eof-object", 0, 0, |_, _| Ok(Value::EOF)),
    row("eof-object?", 1, 1, |rt, a| {
        Ok(Value::bool(rt.arg(a, 0) == Value::EOF))
    }),
];

/// The file name in argument 0.
pub(super) fn path(rt: &Rt, a: Args, who: &'static str) -> Result<String> {
    let s = rt.string_arg(a, 0, who)?;
    Ok(rt.text(s).to_owned())
}

fn file_fault<T>(who: &'static str, error: &std::io::Error, path: String) -> Result<T> {
    let errno = match error.kind() {
        // A NUL in the name never reaches the system.
        std::io::ErrorKind::InvalidInput => libc::EINVAL,
        _ => errno_of(error),
    };
    Err(Box::new(Fault::File { who, errno, path }))
}

/// A port on a copy of what `content` finds in argument 0, which counts as the port's.
fn open_memory(
    rt: &mut Rt,
    a: Args,
    who: &'static str,
    textual: bool,
    content: fn(&Rt, Value) -> &[u8],
) -> Result {
    let bytes = content(rt, rt.arg(a, 0)).len();
    let mut copy = Vec::new();
    if !rt.has_room_for(&mut copy, bytes)? {
        return Err(Box::new(Fault::OutOfMemory));
    }
    copy.extend_from_slice(content(rt, rt.arg(a, 0)));
    let port = rt.make_port(Port::Input(Input::new(Source::Memory, copy, textual)))?;
    if bytes >= COUNTED {
        let label = owners::label(rt, who);
        rt.heap.own_by(port, |_| (), 0, bytes, label)?;
    }
    Ok(port)
}

fn open_input(rt: &mut Rt, a: Args, who: &'static str, textual: bool) -> Result {
    let path = path(rt, a, who)?;
    let opened = File::open(&path).and_then(|file| {
        // Opening a directory succeeds; reading it is what fails, later and less clearly.
        if file.metadata()?.is_dir() {
            return Err(std::io::Error::from_raw_os_error(libc::EISDIR));
        }
        Ok(file)
    });
    match opened {
        Ok(file) => rt.make_port(Port::Input(Input::new(Source::File(file), vec![], textual))),
        Err(e) => file_fault(who, &e, path),
    }
}

fn open_output(rt: &mut Rt, a: Args, who: &'static str, textual: bool) -> Result {
    let path = path(rt, a, who)?;
    match File::create(&path) {
        Ok(file) => rt.make_port(Port::Output(Output::new(Sink::File(file), textual))),
        Err(e) => file_fault(who, &e, path),
    }
}

fn has(rt: &mut Rt, a: Args, wanted: i64) -> Result {
    let v = rt.arg(a, 0);
    Ok(Value::bool(is_port(v) && port::port_flags(v) & wanted != 0))
}

fn any_port(rt: &Rt, a: Args, who: &'static str, wanted: i64, expected: &'static str) -> Result {
    let v = rt.arg(a, 0);
    if is_port(v) && port::port_flags(v) & wanted == wanted {
        Ok(v)
    } else {
        Fault::wrong_type(who, 1, expected, v)
    }
}

fn is_open(rt: &mut Rt, a: Args, who: &'static str, wanted: i64, expected: &'static str) -> Result {
    let port = any_port(rt, a, who, wanted, expected)?;
    Ok(Value::bool(rt.port_is_open(port)))
}

fn close(rt: &mut Rt, a: Args, who: &'static str, wanted: i64, expected: &'static str) -> Result {
    let port = any_port(rt, a, who, wanted, expected)?;
    rt.close_port(who, port)?;
    Ok(Value::UNSPECIFIED)
}

fn text_port<'a>(rt: &'a mut Rt, a: Args, i: usize, who: &'static str) -> Result<&'a mut Input> {
    let port = rt.arg(a, i);
    rt.input(who, i + 1, port, flags::TEXTUAL)
}

fn byte_port<'a>(rt: &'a mut Rt, a: Args, i: usize, who: &'static str) -> Result<&'a mut Input> {
    let port = rt.arg(a, i);
    rt.input(who, i + 1, port, flags::BINARY)
}

fn ready(rt: &mut Rt, a: Args, who: &'static str, kind: i64) -> Result {
    let port = rt.arg(a, 0);
    Ok(Value::bool(rt.input_state(who, 1, port, kind)?.is_ready()))
}

fn string_or_eof(rt: &mut Rt, text: Option<String>) -> Result {
    match text {
        Some(text) => rt.make_string(&text),
        None => Ok(Value::EOF),
    }
}

fn read(rt: &mut Rt, a: Args) -> Result {
    let port = rt.arg(a, 0);
    match rt.read_datum("read", 1, port)? {
        port::Found::Datum(datum) => rt.datum_to_value(&datum, false),
        port::Found::End => Ok(Value::EOF),
        port::Found::Error(message) => Err(Box::new(Fault::Read {
            message: format!("read: {message}"),
        })),
    }
}

/// `(bytevector port start end)`
fn read_bytevector_into(rt: &mut Rt, a: Args) -> Result {
    let who = "read-bytevector!";
    let (start, end) = bytevectors::range(rt, a, 0, 2, who)?;
    let mut at = start;
    // A piece at a time: there may be more to read than memory has room for.
    loop {
        let wanted = PIECE.min(end - at);
        let Some(n) = io(who, byte_port(rt, a, 1, who)?.ahead(wanted))? else {
            break;
        };
        rt.read_ahead(rt.arg(a, 1), rt.arg(a, 0), at, n);
        at += n;
        if at == end || n < wanted {
            break;
        }
    }
    match at - start {
        0 if end > start => Ok(Value::EOF),
        n => Ok(Value::fixnum(n as i64)),
    }
}
