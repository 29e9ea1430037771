//! What a report says of a raised object beyond what the object says itself: the operator of a call
//! as it was written, where a procedure is defined, what to do.
//!
//! The program's text is looked at again only here, when something is reported: running code knows
//! nothing but places.
//!
//! Absent on purpose: anything that a handler could see. A condition's own message is the runtime's.

use std::rc::Rc;

use bowline_ffi::CType;
use bowline_layout::Value;
use bowline_middle::nearest;
use bowline_runtime::{
    EXTRA, IRRITANTS, KIND, Rt, WHO, is_condition, object, printer, strings, symbols,
};
use bowline_syntax::{Datum, DatumKind, SourceMap, Span, Symbol, read_all};

use crate::reference;

/// Characters of a value or an expression that a message shows.
const WIDTH: usize = 60;

/// What to say.
pub(crate) struct Said {
    pub(crate) message: String,
    pub(crate) places: Vec<(Span, String)>,
    pub(crate) notes: Vec<String>,
}

/// What to say of an uncaught object; `call` is the failing operation if it is the program's own.
pub(crate) fn explain(rt: &Rt, sources: &SourceMap, object: Value, call: Option<Span>) -> Said {
    let mut said = Said {
        message: rt.describe(object),
        places: Vec::new(),
        notes: Vec::new(),
    };
    if !is_condition(object) {
        said.message.insert_str(0, "uncaught object: ");
        return said;
    }
    match kind(rt, object) {
        "not-procedure" => not_procedure(rt, sources, object, call, &mut said),
        "arity" => {
            arity(rt, sources, object, &mut said);
            said.notes.extend(by_tail_call(rt, sources, object, call));
        }
        "foreign" => {
            said.notes.extend(unknown_type(&said.message));
            declared(rt, object, &mut said);
        }
        "immutable" => {
            let note = "literals are constant; make a copy to change, for instance by `string-copy`, \
                        `list-copy` or `vector-copy`";
            said.notes.push(note.into());
        }
        _ => {}
    }
    said
}

/// The name of a condition's kind.
fn kind(rt: &Rt, condition: Value) -> &str {
    let kind = object::field(condition, KIND);
    match symbols::is_symbol(kind) {
        true => rt.symbol_name(kind),
        false => "",
    }
}

/// The name of the variable whose lack of a value a condition tells of.
pub(crate) fn unbound_name(rt: &Rt, object: Value) -> Option<String> {
    if !is_condition(object) || object::field(object, KIND) != rt.known.unbound {
        return None;
    }
    let name = object::field(object, EXTRA);
    strings::is_string(name).then(|| rt.text(name).to_string())
}

/// Whether a condition blames the arguments of the procedure with this name.
pub(crate) fn blames(rt: &Rt, object: Value, name: Option<&str>) -> bool {
    if !is_condition(object) {
        return false;
    }
    let who = object::field(object, WHO);
    symbols::is_symbol(who) && name == Some(rt.symbol_name(who))
}

/// Words that begin a type which is a form.
const TYPE_FORMS: [&str; 9] = [
    "pointer",
    "callback",
    "callback/env",
    "struct",
    "array",
    "enum",
    "out",
    "inout",
    "bytevector-at",
];

/// Which type may have been meant by a word that names none.
fn unknown_type(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("unknown type `")?;
    let word = rest.trim_start_matches('(').split([' ', '`', ')']).next()?;
    let named = CType::NAMED.iter().map(|(name, _)| *name);
    let near = nearest(word, named.chain(TYPE_FORMS))?;
    Some(format!("did you mean `{near}`?"))
}

/// How a foreign procedure is declared that got a wrong number of arguments.
fn declared(rt: &Rt, object: Value, said: &mut Said) {
    let declaration = object::field(object, EXTRA);
    if !strings::is_string(declaration) {
        return;
    }
    let declaration = rt.text(declaration).to_string();
    said.notes.push(format!("it is declared {declaration}"));
    if declaration.contains(" ...") {
        let note = "the types behind `...` are those of the further arguments that its calls pass";
        said.notes.push(note.into());
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text.to_string(),
    }
}

/// The form that stands at a span, if it was written there.
pub(crate) fn written(sources: &SourceMap, span: Span) -> Option<Datum> {
    if !span.via.is_written() {
        return None;
    }
    let text = sources.text(span.source);
    let text = text.get(span.start as usize..span.end as usize)?;
    let (data, faults) = read_all(span.source, text);
    if !faults.is_empty() {
        return None;
    }
    data.into_iter().next()
}

/// Whether the procedure defined at a place has no text of its own: a definition of a type made it.
pub(crate) fn is_made(sources: &SourceMap, place: Span) -> bool {
    // Its place is that of a name.
    written(sources, place).is_some_and(|form| form.as_symbol().is_some())
}

/// Names the operator of the call as it was written.
fn not_procedure(rt: &Rt, sources: &SourceMap, object: Value, call: Option<Span>, said: &mut Said) {
    let form = call.and_then(|span| written(sources, span));
    let Some([operator, ..]) = form.as_ref().and_then(|form| form.as_list()) else {
        return;
    };
    let irritants = object::field(object, IRRITANTS);
    if !irritants.is_pair() {
        return;
    }
    let got = cut(&printer::print_short(
        rt,
        object::car(irritants),
        printer::Mode::Write,
        4 * WIDTH,
    ));
    said.message = match &operator.kind {
        DatumKind::Symbol(name) => format!("`{name}` is {got}, which is not a procedure"),
        DatumKind::List(items) => {
            let text = cut(&operator.to_string());
            if !matches!(items.first(), Some(word) if word.is_symbol("quote")) {
                let note = "parentheses around an expression call what it gives; \
                            is there a pair too many?";
                said.notes.push(note.into());
            }
            format!("`{text}` gave {got}, which is not a procedure")
        }
        _ => {
            let form = form
                .as_ref()
                .map_or(String::new(), |form| cut(&form.to_string()));
            let note = format!("to write down a list put a quote in front: '{form}");
            said.notes.push(note);
            format!("{got} is not a procedure")
        }
    };
}

/// The name and place of the procedure whose arguments were too many or too few.
pub(crate) fn refused(rt: &Rt, object: Value) -> Option<(Rc<str>, Span)> {
    if !is_condition(object) || kind(rt, object) != "arity" {
        return None;
    }
    let procedure = object::field(object, EXTRA);
    let place = match rt.procedure_info(procedure) {
        Some(info) => info.place,
        None => rt.clauses(procedure)?.first()?.place,
    };
    Some((rt.procedure_name(procedure)?.into(), place))
}

/// Shows where the procedure is defined, or how one that nobody wrote is used.
fn arity(rt: &Rt, sources: &SourceMap, object: Value, said: &mut Said) {
    let procedure = object::field(object, EXTRA);
    let clauses = match rt.procedure_info(procedure) {
        Some(info) => vec![info],
        None => rt.clauses(procedure).unwrap_or_default(),
    };
    let own = |span: Span| !sources.is_library(span.source) && sources.location(span).is_some();
    if clauses.iter().any(|info| own(info.place)) {
        let label = match rt.procedure_name(procedure) {
            Some(name) => format!("`{name}` is defined here"),
            None => "it is defined here".to_string(),
        };
        for info in clauses {
            let place = header(sources, info.place).unwrap_or(info.place);
            said.places.push((place, label.clone()));
        }
        return;
    }
    let name = rt.procedure_name(procedure);
    if let Some(entry) = name.and_then(|name| reference::lookup(&name)) {
        for way in entry.signature.lines() {
            said.notes.push(format!("it looks like {way}"));
        }
    }
}

/// What is to be said of a call of something that only the run knew, which may have gone on by tail
/// calls to what refused its arguments.
fn by_tail_call(rt: &Rt, sources: &SourceMap, object: Value, call: Option<Span>) -> Option<String> {
    let form = written(sources, call?)?;
    let operator = form.as_list()?.first()?;
    let head = operator.as_list().and_then(|parts| parts.first());
    let name = match (operator.as_symbol(), head) {
        (Some(name), _) => name.as_str(),
        (None, Some(head)) if head.is_symbol("lambda") || head.is_symbol("case-lambda") => {
            return None;
        }
        (None, _) => "",
    };
    let called = rt.procedure_name(object::field(object, EXTRA));
    if called.as_deref() == Some(name) || reference::lookup(name).is_some() {
        return None;
    }
    let called = called.map_or("it".to_string(), |called| format!("`{called}`"));
    Some(format!(
        "{called} was called here, or by a tail call that this call led to"
    ))
}

/// The part of a procedure's text that shows its parameters: the header of a definition, the formals
/// of a lambda or of a clause, the name and variables of a named `let`.
fn header(sources: &SourceMap, span: Span) -> Option<Span> {
    let form = written(sources, span)?;
    let parts = form.as_list()?;
    let header = match parts.first()?.as_symbol().map(Symbol::as_str) {
        Some("let") => parts.get(1)?.span.to(parts.get(2)?.span),
        Some("define" | "named-lambda" | "lambda") => parts.get(1)?.span,
        Some(_) => return None,
        None => parts.first()?.span,
    };
    // The text was read by itself.
    Some(Span::new(
        span.source,
        span.start + header.start,
        span.start + header.end,
    ))
}
