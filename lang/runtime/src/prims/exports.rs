//! What C may call of the program, and do with its constructors.

use bowline_ffi::TypeExpr;
use bowline_ffi::data::Exported;
use bowline_ffi::exported::{ExportedProcedure, layout};
use bowline_layout::Value;

use crate::fault::{Fault, Result};
use crate::ffi;
use crate::primitive::{Primitive, row};
use crate::rt::{Args, Rt};
use crate::symbols;

const WHO: &str = "foreign-export";

pub(super) const TABLE: &[Primitive] = &[
    row("%export-constructor", 2, 3, constructor),
    row("%export-procedure", 4, 5, procedure),
];

/// Argument 0, the name in C.
fn c_name(rt: &Rt, a: Args) -> Result<String> {
    let name = rt.string_arg(a, 0, WHO)?;
    Ok(rt.text(name).to_owned())
}

/// Registers what C gets by the name that is argument 0; `anew` if it may have stood for something else.
fn export(rt: &mut Rt, a: Args, name: &str, what: Exported, anew: bool) -> Result {
    if anew {
        rt.datatypes.export_anew(name, what);
        return Ok(Value::UNSPECIFIED);
    }
    match rt.datatypes.export(name, what) {
        true => Ok(Value::UNSPECIFIED),
        false => taken(rt, a),
    }
}

/// Whether argument `i` is there and says that the name may have stood for something else.
fn is_anew(rt: &Rt, a: Args, i: usize) -> bool {
    rt.opt(a, i).is_some_and(Value::is_true)
}

fn taken(rt: &Rt, a: Args) -> Result {
    let message = "this name stands for something else already:";
    Fault::bad(WHO, message, vec![rt.arg(a, 0)])
}

/// `(name constructor [anew])`: a number, `pair` or `null`.
fn constructor(rt: &mut Rt, a: Args) -> Result {
    let name = c_name(rt, a)?;
    let of = rt.arg(a, 1);
    let exported = match rt.datatypes.numbered(of) {
        Some(constructor) => constructor.exported(),
        None if symbols::is_symbol(of) && rt.symbol_name(of) == "pair" => Exported::Pair,
        None if symbols::is_symbol(of) && rt.symbol_name(of) == "null" => Exported::Null,
        None => return Fault::bad(WHO, "no such constructor:", vec![of]),
    };
    export(rt, a, &name, exported, is_anew(rt, a, 2))
}

/// `(name procedure types result [anew])`
fn procedure(rt: &mut Rt, a: Args) -> Result {
    let name = c_name(rt, a)?;
    let params = ffi::type_exprs(rt, rt.arg(a, 2))?;
    let Some(result) = ffi::type_expr(rt, rt.arg(a, 3), 0) else {
        return Fault::wrong_type(WHO, 4, "a type", rt.arg(a, 3));
    };
    let (params, result) = TypeExpr::parse_exported(&params, &result, &mut rt.foreign.types)?;
    let procedure = rt.arg(a, 1);
    if !procedure.is_procedure() {
        return Fault::wrong_type(WHO, 2, "a procedure", procedure);
    }
    let count = params.len();
    if !rt.procedure_accepts(procedure, count) {
        let plural = if count == 1 { "" } else { "s" };
        let message =
            format!("C calls `{name}` with {count} argument{plural}, which this does not accept:");
        return Fault::bad(WHO, message, vec![procedure]);
    }
    let number = layout(&params, &result);
    let anew = is_anew(rt, a, 4);
    let exported = match rt.datatypes.exported(&name) {
        // The form was evaluated again.
        Some(Exported::Procedure(known)) if known.is(&rt.heap, procedure, number) => known,
        Some(Exported::Procedure(known)) if anew && known.layout() == number => {
            known.replace(&rt.heap, procedure)?;
            known
        }
        Some(_) if !anew => return taken(rt, a),
        _ => ExportedProcedure::new(&rt.heap, &name, params, result, procedure)?,
    };
    export(rt, a, &name, Exported::Procedure(exported), anew)
}
