//! The process, time, files, and what this implementation is.

use std::time::{SystemTime, UNIX_EPOCH};

use bowline_layout::Value;

use crate::fault::{Fault, Result};
use crate::num::is_exact_integer;
use crate::object;
use crate::port::errno_of;
use crate::primitive::{Primitive, row};
use crate::rt::{Args, Rt};

use super::input::path;

pub(super) const TABLE: &[Primitive] = &[
    row("%exit", 0, 1, |rt, a| {
        Err(Box::new(Fault::Exit(status(rt, a)?)))
    }),
    row("%interrupted", 0, 0, |_, _| {
        Err(Box::new(Fault::Interrupt { unwound: true }))
    }),
    row("current-jiffy", 0, 0, |rt, _| {
        let ns = rt.started.elapsed().as_nanos();
        rt.make_unsigned(u64::try_from(ns).unwrap_or(u64::MAX))
    }),
    row("jiffies-per-second", 0, 0, |_, _| {
        Ok(Value::fixnum(1_000_000_000))
    }),
    row("current-second", 0, 0, |rt, _| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        rt.make_flonum(match now {
            Ok(since) => since.as_secs_f64(),
            Err(before) => -before.duration().as_secs_f64(),
        })
    }),
    row("command-line", 0, 0, |rt, _| {
        let args = rt.args.clone();
        list_of(rt, args.len(), |rt, i| rt.make_string(&args[i]))
    }),
    row("get-environment-variable", 1, 1, |rt, a| {
        let s = rt.string_arg(a, 0, "get-environment-variable")?;
        let name = rt.text(s);
        if name.is_empty() || name.contains(['=', '\0']) {
            return Ok(Value::FALSE);
        }
        match std::env::var_os(name) {
            Some(value) => {
                let text = value.to_string_lossy().into_owned();
                rt.make_string(&text)
            }
            None => Ok(Value::FALSE),
        }
    }),
    row("get-environment-variables", 0, 0, environment),
    row("file-exists?", 1, 1, |rt, a| {
        let path = path(rt, a, "file-exists?")?;
        Ok(Value::bool(std::fs::exists(path).unwrap_or(false)))
    }),
    row("delete-file", 1, 1, delete_file),
    row("features", 0, 0, |rt, _| {
        list_of(rt, FEATURES.len(), |rt, i| rt.intern(FEATURES[i]))
    }),
];

/// What `features` lists and `cond-expand` knows.
pub const FEATURES: &[&str] = &[
    "r7rs",
    "exact-closed",
    "exact-rational",
    "ieee-float",
    "full-unicode",
    "ratios",
    "posix",
    "unix",
    "linux",
    "gnu-linux",
    if cfg!(target_arch = "x86_64") {
        "x86-64"
    } else if cfg!(target_arch = "aarch64") {
        "aarch64"
    } else {
        "other-architecture"
    },
    if cfg!(target_endian = "little") {
        "little-endian"
    } else {
        "big-endian"
    },
    "bowline",
    "bowline-0.1",
];

/// A list of `n` new objects, made from the last to the first.
pub(super) fn list_of(
    rt: &mut Rt,
    n: usize,
    mut make: impl FnMut(&mut Rt, usize) -> Result,
) -> Result {
    let height = rt.height();
    rt.push(Value::NIL);
    for i in (0..n).rev() {
        let item = make(rt, i)?;
        let list = rt.cons(item, rt.at(height))?;
        rt.set_at(height, list);
    }
    Ok(rt.pop())
}

/// R7RS: nothing or `#t` is success, `#f` is failure, an integer is the status. The system keeps eight
/// bits of it; a number that does not fit is refused, lest a failure look like a success.
fn status(rt: &Rt, a: Args) -> Result<i32> {
    match rt.opt(a, 0) {
        None | Some(Value::TRUE) => Ok(0),
        Some(Value::FALSE) => Ok(1),
        Some(v) => match v.as_fixnum().map(u8::try_from) {
            Some(Ok(n)) => Ok(n.into()),
            None if !is_exact_integer(v) => Fault::wrong_type("exit", 1, "an exit status", v),
            _ => Fault::range("exit", "exit status", v, 0, 255),
        },
    }
}

fn environment(rt: &mut Rt, _: Args) -> Result {
    let all: Vec<(String, String)> = std::env::vars_os()
        .map(|(k, v)| {
            (
                k.to_string_lossy().into_owned(),
                v.to_string_lossy().into_owned(),
            )
        })
        .collect();
    list_of(rt, all.len(), |rt, i| {
        let (name, value) = &all[i];
        let name = rt.make_string(name)?;
        rt.push(name);
        let value = rt.make_string(value)?;
        let name = rt.pop();
        rt.cons(name, value)
    })
}

fn delete_file(rt: &mut Rt, a: Args) -> Result {
    let who = "delete-file";
    let path = path(rt, a, who)?;
    match std::fs::remove_file(&path) {
        Ok(()) => Ok(Value::UNSPECIFIED),
        Err(e) => {
            let errno = match e.kind() {
                std::io::ErrorKind::InvalidInput => libc::EINVAL,
                _ => errno_of(&e),
            };
            Err(Box::new(Fault::File { who, errno, path }))
        }
    }
}

/// The list that is at a root stack position, as strings; for tests and the engine.
impl Rt {
    /// The elements of a proper list, as they are now.
    pub fn list_elements(&self, mut list: Value) -> Vec<Value> {
        let mut out = Vec::new();
        while list.is_pair() {
            out.push(object::car(list));
            list = object::cdr(list);
        }
        out
    }
}
