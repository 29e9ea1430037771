//! How each foreign call of a program crosses, and C's calls of what it exports, from its declarations. Nothing is opened or run, so a declaration whose
//! types are no constants is left out, as one that a program computes.

use std::fmt::Write;

use bowline_ffi::{Signature, TypeExpr, Types, describe};
use bowline_layout::Value;
use bowline_middle::core::{Expr, Unit};
use bowline_middle::{GlobalId, Globals, Primitives};
use bowline_syntax::{Datum, DatumKind, Number, SourceMap, Span};

/// What the declarations that were seen have defined, and the text so far.
pub(crate) struct Declarations<'a> {
    pub(crate) prims: &'a Primitives,
    pub(crate) globals: &'a Globals,
    pub(crate) sources: &'a SourceMap,
    pub(crate) types: &'a mut Types,
    pub(crate) out: String,
    pub(crate) exports: Vec<ExportedTo>,
}

/// A procedure that is exported to C: what is said of it, and the variable that it is the value of.
pub(crate) struct ExportedTo {
    pub(crate) text: String,
    pub(crate) global: Option<GlobalId>,
}

/// A type as data.
pub(crate) fn type_expr(datum: &Datum) -> Option<TypeExpr> {
    match &datum.kind {
        DatumKind::Symbol(name) => Some(TypeExpr::name(name.as_str())),
        DatumKind::Number(Number::Fixnum(n)) => Some(TypeExpr::Int(*n)),
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

impl Declarations<'_> {
    /// Looks at all of a unit.
    pub(crate) fn unit(&mut self, unit: &mut Unit) {
        unit.body.iter_mut().for_each(|expr| self.expr(expr));
    }

    fn expr(&mut self, expr: &mut Expr) {
        expr.children_mut(|inner| self.expr(inner));
        if let Expr::Call { f, args, span } = expr
            && let Expr::Primitive(id, _) = **f
        {
            let _ = match self.prims.name(id) {
                "%define-foreign-struct" => self.structure(args),
                "%define-foreign-enum" => self.enumeration(args),
                "%make-foreign-procedure" => self.function(args, *span),
                "%export-procedure" => self.exported(args, *span),
                _ => None,
            };
        }
    }

    fn structure(&mut self, args: &[Expr]) -> Option<()> {
        let [name, fields, ..] = args else {
            return None;
        };
        let fields = constant(fields)?.as_list()?.iter().map(|field| {
            let [name, ctype] = field.as_list()? else {
                return None;
            };
            Some((name.as_symbol()?.as_str().to_owned(), type_expr(ctype)?))
        });
        let fields = fields.collect::<Option<Vec<_>>>()?;
        let name = constant(name)?.as_symbol()?;
        // What is wrong with it is told when the program runs.
        self.types
            .define(name.as_str(), &fields, true)
            .ok()
            .map(drop)
    }

    fn enumeration(&mut self, args: &[Expr]) -> Option<()> {
        let [name, members, ..] = args else {
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
        let name = constant(name)?.as_symbol()?;
        self.types
            .define_enum(name.as_str(), &members, true)
            .ok()
            .map(drop)
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
        let text = format!("{place}{c_name} for C = {named}, {params} {result}\n");
        self.exports.push(ExportedTo { text, global });
        Some(())
    }

    fn function(&mut self, args: &[Expr], span: Span) -> Option<()> {
        let [name, library, symbol, params, result, keywords, ..] = args else {
            return None;
        };
        let (name, symbol) = (constant(name)?, constant(symbol)?);
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
        let place = self.place(span);
        let clauses: String = keywords
            .iter()
            .map(|keyword| format!(" ({keyword})"))
            .collect();
        let _ = writeln!(
            self.out,
            "{place}{name} = {symbol} of {from}, {params} {result}{clauses}"
        );
        let signature = Signature::parse(&type_exprs(params)?, &type_expr(result)?, self.types);
        let crossings = signature.and_then(|signature| describe(&signature, &keywords));
        let crossings = match crossings {
            Ok(crossings) => crossings,
            Err(error) => {
                let _ = writeln!(self.out, "  it is refused: {error}");
                return Some(());
            }
        };
        let width = |texts: &mut dyn Iterator<Item = &String>| {
            texts.map(|text| text.chars().count()).max().unwrap_or(0)
        };
        let what = width(&mut crossings.iter().map(|crossing| &crossing.what));
        let place = width(&mut crossings.iter().map(|crossing| &crossing.place));
        for crossing in &crossings {
            let _ = writeln!(
                self.out,
                "  {:what$}  {:place$}  {}",
                crossing.what, crossing.place, crossing.how
            );
        }
        Some(())
    }
}
