//! `%make-foreign-procedure`: what `define-foreign` becomes. Its messages speak of that form.

use bowline_ffi::{ForeignFunction, Signature};
use bowline_layout::Value;

use crate::fault::{Fault, Result};
use crate::ffi;
use crate::kinds;
use crate::object;
use crate::primitive::{Primitive, rest};
use crate::rt::{Args, Rt};
use crate::strings;
use crate::symbols;

const WHO: &str = "define-foreign";

pub(super) const TABLE: &[Primitive] = &[rest("%make-foreign-procedure", 6, make)];

/// The clauses that a program wrote.
struct Clauses {
    leaf: bool,
    blocking: bool,
    /// What `errno-when` asks, or `#f`.
    predicate: Value,
    errno_result: bool,
    /// What `free-with` names, or `#f`.
    free: Value,
}

/// `(name library symbol types result keywords operand …)`
fn make(rt: &mut Rt, a: Args) -> Result {
    let wrong = |rt: &Rt, message, i| Fault::bad(WHO, message, vec![rt.arg(a, i)]);
    let name = rt.symbol_arg(a, 0, WHO)?;
    if !object::is(rt.arg(a, 1), kinds::LIBRARY) {
        return wrong(
            rt,
            "the library must be one of define-foreign-library, not",
            1,
        );
    }
    let library = super::ffi::library(rt, a, 1, WHO)?;
    if !strings::is_string(rt.arg(a, 2)) {
        return wrong(rt, "the name in C must be a string, not", 2);
    }
    let params = ffi::type_exprs(rt, rt.arg(a, 3))?;
    let Some(result) = ffi::type_expr(rt, rt.arg(a, 4), 0) else {
        return wrong(rt, "the result must be a type, not", 4);
    };
    let signature = Signature::parse(&params, &result, &mut rt.foreign.types)?;
    let clauses = clauses(rt, a)?;
    let symbol = rt.text(rt.arg(a, 2));
    let mut function = ForeignFunction::new(rt.symbol_name(name), &library, symbol, signature)?;
    if clauses.leaf {
        function = function.into_leaf()?;
    }
    if clauses.blocking {
        function = function.into_blocking();
    }
    if clauses.errno_result {
        function = function.with_errno_result()?;
    }
    if clauses.free != Value::FALSE
        && let Some(free) = rt.foreign.function(clauses.free)
    {
        function = function.freed_by(free)?;
    }
    let index = rt.foreign.add_function(function);
    let code = rt.stubs.foreign;
    let words = [index, rt.arg(a, 0), clauses.predicate, clauses.free];
    rt.make_procedure(kinds::FOREIGN_PROCEDURE, code, &words)
}

/// The clauses by their keywords in argument 5, each with the next operand if it has one.
fn clauses(rt: &Rt, a: Args) -> Result<Clauses> {
    let mut clauses = Clauses {
        leaf: false,
        blocking: false,
        predicate: Value::FALSE,
        errno_result: false,
        free: Value::FALSE,
    };
    let mut operands = 6..a.len;
    for keyword in rt.list_elements(rt.arg(a, 5)) {
        let name = symbols::is_symbol(keyword).then(|| rt.symbol_name(keyword));
        match name {
            Some("leaf") => clauses.leaf = true,
            Some("blocking") => clauses.blocking = true,
            Some("errno-result") => clauses.errno_result = true,
            Some("errno-when") => {
                let wanted = "errno-when wants a procedure";
                clauses.predicate = operand(rt, a, operands.next(), Value::is_procedure, wanted)?;
            }
            Some("free-with") => {
                let wanted = "free-with wants a procedure of define-foreign";
                let is_foreign = |v| object::is(v, kinds::FOREIGN_PROCEDURE);
                clauses.free = operand(rt, a, operands.next(), is_foreign, wanted)?;
            }
            _ => return Fault::bad(WHO, "there is no clause", vec![keyword]),
        }
    }
    Ok(clauses)
}

/// The operand at `i`, if it is what is wanted.
fn operand(
    rt: &Rt,
    a: Args,
    i: Option<usize>,
    is_wanted: impl Fn(Value) -> bool,
    wanted: &str,
) -> Result<Value> {
    match i.map(|i| rt.arg(a, i)) {
        Some(operand) if is_wanted(operand) => Ok(operand),
        Some(operand) => Fault::bad(WHO, format!("{wanted}, not"), vec![operand]),
        None => Fault::bad(WHO, wanted, vec![]),
    }
}
