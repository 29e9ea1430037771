//! How each foreign call of a program crosses, and C's calls of what it exports, from its declarations. Nothing is opened
//! or run, so a declaration whose types are no constants is left out, as one that a program computes. What is refused when
//! the program runs is refused here, in the same words, but for what only a library or a value says.

use std::collections::HashMap;
use std::fmt::Write;

use bowline_ffi::{Declaration, DeclareError, FfiError, Signature, TypeExpr, Types, describe};
use bowline_layout::Value;
use bowline_middle::core::{Expr, Unit};
use bowline_middle::{Export, ExportKind, GlobalId, Globals, Primitives};
use bowline_syntax::{Datum, DatumKind, Number, SourceMap, Span};

use crate::exported::{crossings, purpose};

/// What the declarations that were seen have defined, and the text so far.
pub(crate) struct Declarations<'a> {
    pub(crate) prims: &'a Primitives,
    pub(crate) globals: &'a Globals,
    pub(crate) sources: &'a SourceMap,
    pub(crate) types: &'a mut Types,
    pub(crate) out: String,
    pub(crate) exports: Vec<ExportedTo>,
    /// The foreign functions that variables stand for: their names and types.
    pub(crate) functions: HashMap<GlobalId, (String, Signature)>,
}

/// Something that is exported to C.
pub(crate) struct ExportedTo {
    /// What is said of it.
    pub(crate) text: String,
    pub(crate) what: Exported,
    span: Span,
}

/// What of it is to be told besides.
pub(crate) enum Exported {
    /// How a procedure is called, which is the value of this variable if it has one.
    Procedure(Option<GlobalId>),
    /// Nothing: it is no procedure, or refused.
    Told,
}

/// A type as data.
pub(crate) fn type_expr(datum: &Datum) -> Option<TypeExpr> {
    match &datum.kind {
        DatumKind::Symbol(name) => Some(TypeExpr::name(name.as_str())),
        DatumKind::Number(Number::Fixnum(n)) => Some(TypeExpr::Int(*n)),
        DatumKind::Number(Number::Big(n)) => Some(TypeExpr::Huge(n.to_string())),
        _ => type_exprs(datum).map(TypeExpr::List),
    }
}

/// A list of types.
pub(crate) fn type_exprs(datum: &Datum) -> Option<Vec<TypeExpr>> {
    datum.as_list()?.iter().map(type_expr).collect()
}

fn constant(expr: &Expr) -> Option<&Datum> {
    match expr {
        Expr::Const(datum) => Some(datum),
        _ => None,
    }
}

/// The types of a function's parameters and of its result, or what is said of what cannot be one.
fn signature_types(params: &Datum, result: &Datum) -> Result<(Vec<TypeExpr>, TypeExpr), String> {
    let unknown = |datum: &Datum| {
        let text = datum.to_string();
        FfiError::from(DeclareError::UnknownType { text }).to_string()
    };
    let items = params.as_list().ok_or_else(|| unknown(params))?;
    let types = items
        .iter()
        .map(|item| type_expr(item).ok_or_else(|| unknown(item)));
    let types = types.collect::<Result<Vec<_>, String>>()?;
    let result =
        type_expr(result).ok_or_else(|| format!("the result must be a type, not {result}"));
    Ok((types, result?))
}

fn is_true(expr: &Expr) -> bool {
    constant(expr).is_some_and(|datum| matches!(datum.kind, DatumKind::Boolean(true)))
}

/// What is wrong with the library or the name of a function, which the runtime refuses in these words.
fn wrong_source(library: &Expr, symbol: &Expr) -> Option<String> {
    if let Some(library) = constant(library) {
        return Some(format!(
            "the library must be one of define-foreign-library, not {library}"
        ));
    }
    let symbol = constant(symbol)?;
    match &symbol.kind {
        DatumKind::String(name) if name.contains('\0') => {
            let name = name.to_string();
            Some(FfiError::NulInName { name }.to_string())
        }
        DatumKind::String(_) => None,
        DatumKind::Number(Number::Fixnum(0..)) => None,
        _ => Some(format!("the name in C must be a string, not {symbol}")),
    }
}

/// The operand of the clause with this keyword; they stand in the order of the keywords.
fn operand<'e>(keyword: &str, keywords: &[&str], operands: &'e [Expr]) -> Option<&'e Expr> {
    let with = keywords
        .iter()
        .filter(|known| WANTED.iter().any(|(name, _)| name == *known));
    with.zip(operands)
        .find(|(known, _)| **known == keyword)
        .map(|(_, operand)| operand)
}

/// The clauses that have an operand, and what the runtime says of one that cannot be it.
const WANTED: [(&str, &str); 2] = [
    ("errno-when", "errno-when wants a procedure"),
    ("free-with", "free-with wants a procedure of define-foreign"),
];

fn wrong_operand(keywords: &[&str], operands: &[Expr]) -> Option<String> {
    WANTED.iter().find_map(|(keyword, wanted)| {
        let datum = constant(operand(keyword, keywords, operands)?)?;
        Some(format!("{wanted}, not {datum}"))
    })
}

/// Adds rows whose columns begin under each other.
fn rows<const N: usize>(out: &mut String, rows: &[[&str; N]]) {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..N).map(|column| width(column).unwrap_or(0)).collect();
    for row in rows {
        let mut line = String::new();
        for (text, width) in row.iter().zip(&widths) {
            let _ = write!(line, "  {text:width$}");
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

fn refused(out: &mut String, why: &str) {
    let _ = writeln!(out, "  it is refused: {why}");
}

impl Declarations<'_> {
    /// Looks at all of a unit.
    pub(crate) fn unit(&mut self, unit: &mut Unit) {
        let first = self.exports.len();
        unit.body.iter_mut().for_each(|expr| self.expr(expr));
        for export in &unit.exports {
            if export.kind != ExportKind::Procedure {
                self.data(export, &unit.exports);
            }
        }
        self.exports[first..].sort_by_key(|export| export.span.start);
    }

    fn expr(&mut self, expr: &mut Expr) {
        expr.children_mut(|inner| self.expr(inner));
        match expr {
            Expr::DefineGlobal(id, value, _) => {
                if let Some((_, args, _)) = self.form(value, "%make-foreign-procedure")
                    && let Some(declared) = self.signature_of(args)
                {
                    self.functions.insert(*id, declared);
                }
            }
            Expr::Call { .. } => {
                let Some((name, args, span)) = self.form(expr, "") else {
                    return;
                };
                let _ = match name {
                    "%define-foreign-struct" => self.structure(args, span),
                    "%define-foreign-enum" => self.enumeration(args, span),
                    "%make-foreign-procedure" => self.function(args, span),
                    "%export-procedure" => self.exported(args, span),
                    _ => None,
                };
            }
            _ => {}
        }
    }

    /// The call of a primitive: its name, which is `wanted` if that is any, its arguments and its place.
    fn form<'e>(&self, expr: &'e Expr, wanted: &str) -> Option<(&str, &'e [Expr], Span)> {
        let Expr::Call { f, args, span } = expr else {
            return None;
        };
        let Expr::Primitive(id, _) = **f else {
            return None;
        };
        let name = self.prims.name(id);
        (wanted.is_empty() || wanted == name).then_some((name, args.as_slice(), *span))
    }

    fn structure(&mut self, args: &[Expr], span: Span) -> Option<()> {
        let [name, fields, anew] = args else {
            return None;
        };
        let fields = constant(fields)?.as_list()?.iter().map(|field| {
            let [name, ctype] = field.as_list()? else {
                return None;
            };
            Some((name.as_symbol()?.as_str().to_owned(), type_expr(ctype)?))
        });
        let fields = fields.collect::<Option<Vec<_>>>()?;
        let name = constant(name)?.as_symbol()?.as_str();
        let defined = self.types.define(name, &fields, is_true(anew));
        self.told("struct", name, defined.err(), span)
    }

    /// Tells of a definition that is refused; of others what uses them does.
    fn told(&mut self, form: &str, name: &str, error: Option<FfiError>, span: Span) -> Option<()> {
        let (error, place) = (error?, self.place(span));
        let _ = writeln!(self.out, "{place}({form} {name})");
        refused(&mut self.out, &error.to_string());
        Some(())
    }

    fn enumeration(&mut self, args: &[Expr], span: Span) -> Option<()> {
        let [name, members, anew] = args else {
            return None;
        };
        let members = constant(members)?.as_list()?.iter().map(|member| {
            let (name, number) = match (member.as_symbol(), member.as_list()) {
                (Some(name), _) => (name, None),
                (None, Some([name, number])) => match number.kind {
                    DatumKind::Number(Number::Fixnum(n)) => (name.as_symbol()?, Some(n)),
                    _ => return None,
                },
                _ => return None,
            };
            Some((name.as_str().to_owned(), number, Value::FALSE))
        });
        let members = members.collect::<Option<Vec<_>>>()?;
        let name = constant(name)?.as_symbol()?.as_str();
        let defined = self.types.define_enum(name, &members, is_true(anew));
        self.told("enum", name, defined.err(), span)
    }

    /// The place of a form, as it begins a line.
    fn place(&self, span: Span) -> String {
        match self.sources.location(span) {
            Some(place) => format!("{}:{}: ", place.file, place.line),
            None => String::new(),
        }
    }

    fn exported(&mut self, args: &[Expr], span: Span) -> Option<()> {
        let [c_name, procedure, params, result] = args else {
            return None;
        };
        let global = match procedure {
            Expr::Global(id, _) => Some(*id),
            _ => None,
        };
        let named = global.and_then(|id| self.globals.name(id));
        let named = named.map_or("a procedure", |name| name.as_str());
        let DatumKind::String(c_name) = &constant(c_name)?.kind else {
            return None;
        };
        let (params, result) = (constant(params)?, constant(result)?);
        let place = self.place(span);
        let mut text = format!("{place}{c_name} for C = {named}, {params} {result}\n");
        let types = signature_types(params, result).and_then(|(params, result)| {
            let parsed = TypeExpr::parse_exported(&params, &result, self.types);
            parsed.map_err(|error| error.to_string())
        });
        let what = match types {
            Ok(_) => Exported::Procedure(global),
            Err(error) => {
                refused(&mut text, &error);
                Exported::Told
            }
        };
        self.exports.push(ExportedTo { text, what, span });
        Some(())
    }

    /// What C may do with a constructor, or constants.
    fn data(&mut self, export: &Export, all: &[Export]) {
        let place = self.place(export.span);
        let mut text = format!("{place}{} for C: {}\n", export.name, purpose(export, all));
        match crossings(export, self.types) {
            Ok(fields) => {
                let fields: Vec<_> = fields
                    .iter()
                    .map(|(what, how)| [what.as_str(), how])
                    .collect();
                rows(&mut text, &fields);
            }
            Err(error) => refused(&mut text, &error.message),
        }
        let (what, span) = (Exported::Told, export.span);
        self.exports.push(ExportedTo { text, what, span });
    }

    /// The name and type of a declaration that says both by constants.
    fn signature_of(&mut self, args: &[Expr]) -> Option<(String, Signature)> {
        let [name, _, _, params, result, ..] = args else {
            return None;
        };
        let (params, result) = signature_types(constant(params)?, constant(result)?).ok()?;
        let signature = Signature::parse(&params, &result, self.types).ok()?;
        Some((constant(name)?.to_string(), signature))
    }

    fn function(&mut self, args: &[Expr], span: Span) -> Option<()> {
        let [
            name,
            library,
            symbol,
            params,
            result,
            keywords,
            operands @ ..,
        ] = args
        else {
            return None;
        };
        let name = constant(name)?.to_string();
        let (params, result) = (constant(params)?, constant(result)?);
        let keywords = constant(keywords)?.as_list()?;
        let keywords: Vec<&str> = keywords
            .iter()
            .filter_map(|keyword| Some(keyword.as_symbol()?.as_str()))
            .collect();
        let from = match library {
            Expr::Global(id, _) => self
                .globals
                .name(*id)
                .map_or("a library", |name| name.as_str()),
            _ => "a library",
        };
        let symbol_text = constant(symbol).map_or("a computed name".to_owned(), Datum::to_string);
        let place = self.place(span);
        let clauses: String = keywords
            .iter()
            .map(|keyword| format!(" ({keyword})"))
            .collect();
        let _ = writeln!(
            self.out,
            "{place}{name} = {symbol_text} of {from}, {params} {result}{clauses}"
        );
        let wrong = wrong_source(library, symbol).or_else(|| wrong_operand(&keywords, operands));
        if let Some(why) = wrong {
            refused(&mut self.out, &why);
            return Some(());
        }
        let free = match operand("free-with", &keywords, operands) {
            Some(Expr::Global(id, _)) => self.functions.get(id),
            _ => None,
        };
        let crossings = signature_types(params, result).and_then(|(params, result)| {
            let signature = Signature::parse(&params, &result, self.types);
            let described = signature.and_then(|signature| {
                describe(&Declaration {
                    name: &name,
                    signature: &signature,
                    clauses: &keywords,
                    free: free.map(|(name, declared)| (name.as_str(), declared)),
                })
            });
            described.map_err(|error| error.to_string())
        });
        match crossings {
            Ok(crossings) => {
                let lines = crossings.iter().map(|c| [&*c.what, &*c.place, &*c.how]);
                rows(&mut self.out, &lines.collect::<Vec<_>>());
            }
            Err(error) => refused(&mut self.out, &error),
        }
        Some(())
    }
}
