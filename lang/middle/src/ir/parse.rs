//! IR from the text that `print` makes. For tests and for people who want to try a back end.
//!
//! Spans are lost. Nothing is checked beyond the grammar: the verifier does that.

use std::fmt;
use std::rc::Rc;

use bowline_syntax::{Datum, DatumKind, Number, SourceId, Span, read_all};

use super::{FuncId, Function, GlobalId, Ir, LabelId, Module, PrimitiveId, Slot};
use crate::prims::Primitives;

/// Why a text is no module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// The reader did not like it; its first message.
    Unreadable(String),
    /// There is not exactly one datum.
    NotOneModule,
    /// This datum stands where something else is wanted.
    Unexpected {
        /// What is wanted.
        wanted: &'static str,
        /// What stands there.
        found: String,
        /// Where.
        span: Span,
    },
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(message) => f.write_str(message),
            Self::NotOneModule => f.write_str("the text is not one module"),
            Self::Unexpected { wanted, found, .. } => {
                write!(f, "{wanted} is wanted, not `{found}`")
            }
        }
    }
}

impl std::error::Error for ParseError {}

type Result<T> = std::result::Result<T, ParseError>;

/// Reads one module.
pub fn parse(text: &str, prims: &Primitives) -> Result<Module> {
    let (data, diagnostics) = read_all(SourceId::NONE, text);
    if let Some(first) = diagnostics.into_iter().next() {
        return Err(ParseError::Unreadable(first.message));
    }
    match &data[..] {
        [datum] => Parser { prims }.module(datum),
        _ => Err(ParseError::NotOneModule),
    }
}

fn unexpected<T>(wanted: &'static str, datum: &Datum) -> Result<T> {
    Err(ParseError::Unexpected {
        wanted,
        found: datum.to_string(),
        span: datum.span,
    })
}

/// The parts of a form with this keyword.
fn form<'d>(datum: &'d Datum, head: &'static str) -> Result<&'d [Datum]> {
    match datum.as_list() {
        Some([first, rest @ ..]) if first.is_symbol(head) => Ok(rest),
        _ => unexpected(head, datum),
    }
}

/// The number behind a one-letter prefix.
fn prefixed<N: std::str::FromStr>(datum: &Datum, letter: char, wanted: &'static str) -> Result<N> {
    let digits = datum
        .as_symbol()
        .and_then(|s| s.as_str().strip_prefix(letter));
    match digits.and_then(|digits| digits.parse().ok()) {
        Some(number) => Ok(number),
        None => unexpected(wanted, datum),
    }
}

fn count(datum: &Datum) -> Result<u16> {
    match &datum.kind {
        DatumKind::Number(Number::Fixnum(n)) if u16::try_from(*n).is_ok() => Ok(*n as u16),
        _ => unexpected("a count", datum),
    }
}

fn slot(datum: &Datum) -> Result<Slot> {
    prefixed(datum, 's', "a slot").map(Slot)
}

fn func(datum: &Datum) -> Result<FuncId> {
    prefixed(datum, 'f', "a function").map(FuncId)
}

fn label(datum: &Datum) -> Result<LabelId> {
    prefixed(datum, 'L', "a label").map(LabelId)
}

fn global(datum: &Datum) -> Result<(GlobalId, Rc<str>)> {
    let parts = datum.as_symbol().and_then(|s| s.as_str().rsplit_once('.'));
    match parts.and_then(|(name, id)| Some((name, id.parse().ok()?))) {
        Some((name, id)) => Ok((GlobalId(id), Rc::from(name))),
        None => unexpected("a top-level variable", datum),
    }
}

fn list(datum: &Datum) -> Result<&[Datum]> {
    datum
        .as_list()
        .map_or_else(|| unexpected("a list", datum), Ok)
}

struct Parser<'a> {
    prims: &'a Primitives,
}

impl Parser<'_> {
    fn module(&self, datum: &Datum) -> Result<Module> {
        let [entry, globals, functions @ ..] = form(datum, "module")? else {
            return unexpected("(module (entry F) (globals G ...) FUNCTION ...)", datum);
        };
        let [entry] = form(entry, "entry")? else {
            return unexpected("(entry F)", entry);
        };
        let globals = form(globals, "globals")?.iter().map(global);
        Ok(Module {
            entry: func(entry)?,
            globals: globals.collect::<Result<_>>()?,
            functions: functions
                .iter()
                .map(|f| self.function(f))
                .collect::<Result<_>>()?,
        })
    }

    fn function(&self, datum: &Datum) -> Result<Function> {
        let [id, name, params, captures, locals, body] = form(datum, "function")? else {
            return unexpected("(function F NAME PARAMS CAPTURES LOCALS BODY)", datum);
        };
        let (required, rest) = match form(params, "params")? {
            [required] => (required, false),
            [required, word] if word.is_symbol("rest") => (required, true),
            _ => return unexpected("(params N [rest])", params),
        };
        let [captures] = form(captures, "captures")? else {
            return unexpected("(captures N)", captures);
        };
        let [locals] = form(locals, "locals")? else {
            return unexpected("(locals N)", locals);
        };
        Ok(Function {
            id: func(id)?,
            name: name.as_symbol().map(|name| Rc::from(name.as_str())),
            params: count(required)?,
            rest,
            captures: count(captures)?,
            locals: count(locals)?,
            body: self.ir(body)?,
            span: Span::NONE,
        })
    }

    fn all(&self, data: &[Datum]) -> Result<Vec<Ir>> {
        data.iter().map(|datum| self.ir(datum)).collect()
    }

    fn boxed(&self, datum: &Datum) -> Result<Box<Ir>> {
        self.ir(datum).map(Box::new)
    }

    fn primitive(&self, datum: &Datum) -> Result<PrimitiveId> {
        let id = datum
            .as_symbol()
            .and_then(|name| self.prims.find(name.as_str()));
        id.map_or_else(|| unexpected("a primitive", datum), Ok)
    }

    /// The bindings `((s0 IR) …)`.
    fn bindings(&self, datum: &Datum) -> Result<Vec<(Slot, Ir)>> {
        let pair = |datum: &Datum| match list(datum)? {
            [target, init] => Ok((slot(target)?, self.ir(init)?)),
            _ => unexpected("(SLOT IR)", datum),
        };
        list(datum)?.iter().map(pair).collect()
    }

    fn ir(&self, datum: &Datum) -> Result<Ir> {
        match &datum.kind {
            DatumKind::Symbol(name) if name.as_str().starts_with('c') => {
                prefixed(datum, 'c', "a captured value").map(Ir::Captured)
            }
            DatumKind::Symbol(_) => slot(datum).map(Ir::Local),
            DatumKind::List(items) => match &items[..] {
                [head, parts @ ..] if head.as_symbol().is_some() => {
                    let head = head.as_symbol().map_or("", |s| s.as_str());
                    self.simple(head, parts, datum)
                }
                _ => unexpected("an expression", datum),
            },
            _ => Ok(Ir::Const(datum.clone())),
        }
    }

    fn simple(&self, head: &str, parts: &[Datum], whole: &Datum) -> Result<Ir> {
        let span = Span::NONE;
        Ok(match (head, parts) {
            ("quote", [datum]) => Ir::Const(datum.clone()),
            ("global", [id]) => Ir::Global(global(id)?.0, span),
            ("primitive", [name]) => Ir::Primitive(self.primitive(name)?),
            ("unassigned", []) => Ir::Unassigned,
            ("set-global", [id, value]) => Ir::SetGlobal(global(id)?.0, self.boxed(value)?, span),
            ("define-global", [id, value]) => Ir::DefineGlobal(global(id)?.0, self.boxed(value)?),
            ("if", [a, b, c]) => Ir::If(self.boxed(a)?, self.boxed(b)?, self.boxed(c)?),
            ("seq", items) => Ir::Seq(self.all(items)?),
            ("prim", [prim, args @ ..]) => Ir::PrimCall {
                prim: self.primitive(prim)?,
                args: self.all(args)?,
                span,
            },
            ("box-new", [value]) => Ir::BoxNew(self.boxed(value)?),
            ("box-get", [value]) => Ir::BoxGet(self.boxed(value)?),
            ("box-set", [target, value]) => Ir::BoxSet(self.boxed(target)?, self.boxed(value)?),
            ("check-bound", [value, name]) => Ir::CheckBound {
                value: self.boxed(value)?,
                name: name
                    .as_symbol()
                    .map_or("".into(), |name| Rc::from(name.as_str())),
                span,
            },
            ("jump", [target, args @ ..]) => Ir::Jump {
                label: label(target)?,
                args: self.all(args)?,
                span,
            },
            _ => return self.compound(head, parts, whole),
        })
    }

    fn compound(&self, head: &str, parts: &[Datum], whole: &Datum) -> Result<Ir> {
        let tail = head.starts_with("tail-");
        Ok(match (head.trim_start_matches("tail-"), parts) {
            ("call", [f, args @ ..]) => Ir::Call {
                f: self.boxed(f)?,
                args: self.all(args)?,
                tail,
                span: Span::NONE,
            },
            ("call-known", [id, args @ ..]) => Ir::CallKnown {
                func: func(id)?,
                closure: None,
                args: self.all(args)?,
                tail,
                span: Span::NONE,
            },
            ("call-closure", [id, closure, args @ ..]) => Ir::CallKnown {
                func: func(id)?,
                closure: Some(self.boxed(closure)?),
                args: self.all(args)?,
                tail,
                span: Span::NONE,
            },
            ("let*", [bindings, body]) => {
                let nest = |body: Ir, (slot, init): (Slot, Ir)| Ir::Let {
                    slot,
                    init: Box::new(init),
                    body: Box::new(body),
                };
                let bindings = self.bindings(bindings)?;
                bindings.into_iter().rev().fold(self.ir(body)?, nest)
            }
            ("loop", [target, bindings, body]) => {
                let (slots, inits) = self.bindings(bindings)?.into_iter().unzip();
                Ir::Loop {
                    label: label(target)?,
                    slots,
                    inits,
                    body: self.boxed(body)?,
                }
            }
            _ => return self.closures(head, parts, whole),
        })
    }

    fn closures(&self, head: &str, parts: &[Datum], whole: &Datum) -> Result<Ir> {
        match (head, parts) {
            ("closure", [id, captured @ ..]) => Ok(Ir::Closure {
                func: func(id)?,
                captured: self.all(captured)?,
            }),
            ("fix", [closures, body]) => {
                let one = |datum: &Datum| match list(datum)? {
                    [target, id, captured @ ..] => {
                        Ok((slot(target)?, func(id)?, self.all(captured)?))
                    }
                    _ => unexpected("(SLOT F IR ...)", datum),
                };
                Ok(Ir::Fix {
                    closures: list(closures)?.iter().map(one).collect::<Result<_>>()?,
                    body: self.boxed(body)?,
                })
            }
            ("case-lambda", clauses) => {
                let one = |datum: &Datum| match list(datum)? {
                    [id, captured @ ..] => Ok((func(id)?, self.all(captured)?)),
                    _ => unexpected("(F IR ...)", datum),
                };
                Ok(Ir::CaseLambda {
                    clauses: clauses.iter().map(one).collect::<Result<_>>()?,
                })
            }
            _ => unexpected("an expression", whole),
        }
    }
}
