//! `%make-foreign-procedure`: what `define-foreign` becomes. Its messages speak of that form. And tables of functions, with
//! procedures for those of them that are called without a declaration.

use bowline_ffi::{
    CType, DeclareError, FfiError, ForeignFunction, Library, MAX_PARAMETERS, Parameter, Passing,
    Signature, TableError, is_callback, pointer_address,
};
use bowline_layout::Value;
use bowline_syntax::Number;

use crate::fault::{Fault, Result};
use crate::ffi;
use crate::kinds;
use crate::object;
use crate::primitive::{Primitive, rest, row};
use crate::rt::{Args, Rt};
use crate::strings;
use crate::symbols;

const WHO: &str = "define-foreign";

pub(super) const TABLE: &[Primitive] = &[
    rest("%make-foreign-procedure", 6, make),
    row("%foreign-table", 2, 2, table),
    rest("%foreign-caller", 2, caller),
];

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
    let number = number(rt.arg(a, 2)).filter(|n| *n >= 0 || library.is_table());
    if number.is_none() && !strings::is_string(rt.arg(a, 2)) {
        let message = match library.is_table() {
            true => "a function of a table has a name, a string, or a number, not",
            false => "the name in C must be a string, not",
        };
        return wrong(rt, message, 2);
    }
    let params = ffi::type_exprs(rt, rt.arg(a, 3))?;
    let Some(result) = ffi::type_expr(rt, rt.arg(a, 4), 0) else {
        return wrong(rt, "the result must be a type, not", 4);
    };
    let signature = Signature::parse(&params, &result, &mut rt.foreign.types)?;
    let clauses = clauses(rt, a)?;
    let name = rt.symbol_name(name);
    let mut function = match number {
        Some(number) => ForeignFunction::numbered(name, &library, number, signature)?,
        None => ForeignFunction::new(name, &library, rt.text(rt.arg(a, 2)), signature)?,
    };
    if clauses.leaf {
        function = function.into_leaf()?;
    }
    if clauses.blocking {
        function = function.into_blocking();
    }
    if clauses.predicate != Value::FALSE {
        function = function.with_errno_when()?;
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

/// The number of a function in a table.
fn number(v: Value) -> Option<i64> {
    v.as_fixnum()
}

/// `(name library)`: the table of this name; without a library (`#f`) one that C has registered, or of the process.
fn table(rt: &mut Rt, a: Args) -> Result {
    let who = "define-foreign-table";
    let name = rt.string_arg(a, 0, who)?;
    let library = match rt.arg(a, 1) {
        Value::FALSE => None,
        _ => Some(super::ffi::library(rt, a, 1, who)?),
    };
    let table = Library::table(rt.text(name), library.as_deref())?;
    let index = rt.foreign.add_library(table);
    rt.make_object(kinds::LIBRARY, &[index, rt.arg(a, 0)])
}

/// `(table number arg …)`: a procedure that calls this function of the table with arguments like these, each as what C
/// takes such a value for, and whose result is an `int64`.
fn caller(rt: &mut Rt, a: Args) -> Result {
    let who = "%foreign-call";
    let table = super::ffi::library(rt, a, 0, who)?;
    let Some(number) = number(rt.arg(a, 1)) else {
        let message = "the function must be the number of one in the table; `define-foreign` finds those with names, not";
        return Fault::bad(who, message, vec![rt.arg(a, 1)]);
    };
    let (name, _) = table.numbered(number)?;
    let count = a.len - 2;
    if count > MAX_PARAMETERS {
        let limit = MAX_PARAMETERS;
        return Err(FfiError::from(DeclareError::TooManyParameters { count, limit }).into());
    }
    let params: Result<Vec<CType>> = (2..a.len).map(|i| untyped(rt, a, i, name)).collect();
    let key = (object::field(rt.arg(a, 0), 1), number, params?);
    if let Some(known) = rt.foreign.untyped(&key) {
        return Ok(rt.heap_ref.global(known));
    }
    let params = key.2.iter().map(|ctype| Parameter {
        ctype: ctype.clone(),
        passing: Passing::In,
    });
    let signature = Signature {
        params: params.collect(),
        fixed: None,
        result: CType::Int64,
    };
    let function = ForeignFunction::numbered(name, &table, number, signature)?;
    let index = rt.foreign.add_function(function);
    let name = rt.intern(name)?;
    let code = rt.stubs.foreign;
    let words = [index, name, Value::FALSE, Value::FALSE];
    let procedure = rt.make_procedure(kinds::FOREIGN_PROCEDURE, code, &words)?;
    rt.foreign
        .add_untyped(key, rt.heap_ref.new_global(procedure));
    Ok(procedure)
}

/// What C takes argument `i` for, an argument of a call that has no types.
fn untyped(rt: &Rt, a: Args, i: usize, function: &str) -> Result<CType> {
    let v = rt.arg(a, i);
    let kind = object::type_id(v);
    if v == Value::TRUE || v == Value::FALSE {
        return Ok(CType::Bool);
    }
    match (kind, rt.number(v)) {
        (_, Some(Number::Fixnum(_) | Number::Big(_))) => return Ok(CType::Int64),
        (Some(kinds::FLONUM), _) => return Ok(CType::Double),
        (Some(kinds::STRING), _) => return Ok(CType::String),
        (Some(kinds::BYTEVECTOR | kinds::BYTEVECTOR_VIEW), _) => return Ok(CType::Bytevector),
        _ => {}
    }
    if pointer_address(v).is_some() || is_callback(v) {
        return Ok(CType::Pointer);
    }
    let error = TableError::Untyped {
        function: function.to_owned(),
        position: i - 1,
        got: rt.describe(v),
    };
    Err(FfiError::from(error).into())
}
