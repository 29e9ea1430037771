//! Output.
//!
//! Every primitive takes its port explicitly; the library supplies the current one.

use bowline_layout::{Value, string};

use crate::fault::{Fault, Result};
use crate::object;
use crate::port::{flags, io, is_port, port_flags};
use crate::primitive::{Primitive, row};
use crate::printer::{Mode, print_or_interrupt};
use crate::rt::{Args, Rt};
use crate::strings;

use super::bytevectors;

pub(super) const TABLE: &[Primitive] = &[
    row("%write-char", 2, 2, |rt, a| {
        let c = rt.char_arg(a, 0, "write-char")?;
        text(rt, a, 1, "write-char", c.encode_utf8(&mut [0; 4]))
    }),
    row("%write-string", 2, 4, write_string),
    row("%newline", 1, 1, |rt, a| text(rt, a, 0, "newline", "\n")),
    row("%display", 2, 2, |rt, a| {
        datum(rt, a, "display", Mode::Display)
    }),
    row("%write", 2, 2, |rt, a| datum(rt, a, "write", Mode::Write)),
    row("%write-shared", 2, 2, |rt, a| {
        datum(rt, a, "write-shared", Mode::Shared)
    }),
    row("%write-simple", 2, 2, |rt, a| {
        datum(rt, a, "write-simple", Mode::Simple)
    }),
    row("%write-u8", 2, 2, |rt, a| {
        let b = bytevectors::byte(rt, a, 0, "write-u8")?;
        rt.write_bytes("write-u8", 2, rt.arg(a, 1), flags::BINARY, &[b])?;
        Ok(Value::UNSPECIFIED)
    }),
    row("%write-bytevector", 2, 4, |rt, a| {
        let who = "write-bytevector";
        let (start, end) = bytevectors::range(rt, a, 0, 2, who)?;
        let port = rt.arg(a, 1);
        rt.output(who, 2, port, flags::BINARY)?;
        rt.write_heap_bytes(who, port, rt.arg(a, 0), start, end)?;
        Ok(Value::UNSPECIFIED)
    }),
    row("%flush-output-port", 1, 1, |rt, a| {
        let port = rt.arg(a, 0);
        let out = rt.output("flush-output-port", 1, port, 0)?;
        io("flush-output-port", out.flush())?;
        Ok(Value::UNSPECIFIED)
    }),
    row("get-output-string", 1, 1, |rt, a| {
        let port = memory_port(
            rt,
            a,
            "get-output-string",
            flags::TEXTUAL,
            "a string output port",
        )?;
        let n = rt.output_so_far(port).len();
        let body = rt.string_body(n)?;
        rt.copy_output(rt.arg(a, 0), body);
        match rt.string_on(body, n)? {
            Ok(s) => Ok(s),
            Err(_) => {
                let text = String::from_utf8_lossy(rt.output_so_far(rt.arg(a, 0))).into_owned();
                rt.make_string(&text)
            }
        }
    }),
    row("get-output-bytevector", 1, 1, |rt, a| {
        let who = "get-output-bytevector";
        let port = memory_port(rt, a, who, flags::BINARY, "a bytevector output port")?;
        let copy = rt.alloc_bytevector(rt.output_so_far(port).len())?;
        rt.copy_output(rt.arg(a, 0), copy);
        Ok(copy)
    }),
];

fn text(rt: &mut Rt, a: Args, i: usize, who: &'static str, content: &str) -> Result {
    let port = rt.arg(a, i);
    rt.write_text(who, i + 1, port, content)?;
    Ok(Value::UNSPECIFIED)
}

fn write_string(rt: &mut Rt, a: Args) -> Result {
    let who = "write-string";
    let s = rt.string_arg(a, 0, who)?;
    let (start, end) = rt.range_args(a, 2, who, strings::counts(s).1)?;
    let port = rt.arg(a, 1);
    rt.output(who, 2, port, flags::TEXTUAL)?;
    let (from, to) = (strings::offset(rt, s, start), strings::offset(rt, s, end));
    rt.write_heap_bytes(who, port, object::field(s, string::BODY), from, to)?;
    Ok(Value::UNSPECIFIED)
}

fn datum(rt: &mut Rt, a: Args, who: &'static str, mode: Mode) -> Result {
    let v = rt.arg(a, 0);
    if mode == Mode::Display && strings::is_string(v) {
        let port = rt.arg(a, 1);
        rt.output(who, 2, port, flags::TEXTUAL)?;
        let (bytes, _) = strings::counts(v);
        rt.write_heap_bytes(who, port, object::field(v, string::BODY), 0, bytes)?;
        return Ok(Value::UNSPECIFIED);
    }
    let content = print_or_interrupt(rt, v, mode)?;
    text(rt, a, 1, who, &content)
}

/// Argument 0, a port whose output is kept. It may be closed already.
fn memory_port(rt: &Rt, a: Args, who: &'static str, kind: i64, expected: &'static str) -> Result {
    let v = rt.arg(a, 0);
    let wanted = flags::OUTPUT | flags::MEMORY | kind;
    if !is_port(v) || port_flags(v) & wanted != wanted {
        return Fault::wrong_type(who, 1, expected, v);
    }
    Ok(v)
}
