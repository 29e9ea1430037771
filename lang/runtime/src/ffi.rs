//! The language's side of the C boundary: foreign libraries and procedures as heap objects, types
//! from data, and what the boundary must know of the language.
//!
//! Rust keeps what C cannot lose: an opened library and a foreign function stay for the life of the
//! process, and heap objects hold their indices.
//!
//! Absent on purpose: the call itself. It may call back, so the engine makes it; see
//! [`Foreign::function`].

use std::collections::HashMap;
use std::sync::Arc;

use bowline_ffi::data::Exported;
use bowline_ffi::{
    CType, CallError, CallbackPlan, DeclareError, FfiError, ForeignFunction, Language, Library,
    TypeExpr, Types,
};
use bowline_gc::Global;
use bowline_layout::{Value, procedure};
use bowline_syntax::Number;

use crate::fault::Fault;
use crate::kinds;
use crate::object;
use crate::printer::{self, Mode};
use crate::rt::{Rt, root};
use crate::symbols;
use crate::walk::short_length;

/// Word of a foreign procedure's index in [`Foreign`].
pub const FUNCTION_INDEX: usize = procedure::CAPTURED;
/// Word of its name, a symbol.
pub const FUNCTION_NAME: usize = procedure::CAPTURED + 1;
/// Word of its errno predicate, or `#f`.
pub const FUNCTION_PREDICATE: usize = procedure::CAPTURED + 2;
/// Word of what is called with a pointer that it gave when that has died, or `#f`.
pub const FUNCTION_FINALIZER: usize = procedure::CAPTURED + 3;

/// Foreign libraries and procedures; heap objects hold indices into these.
#[derive(Default)]
pub struct Foreign {
    libraries: Vec<Arc<Library>>,
    functions: Vec<&'static ForeignFunction>,
    /// The procedures for those that were called without a declaration.
    untyped: HashMap<Untyped, Global>,
    named: Named,
    defined: Defined,
    /// The structs and arrays that the program knows.
    pub(crate) types: Types,
    /// What the datum means that stands in `root::CALLBACK_TYPE`, and how many types there were. Where there is a new one a
    /// name may stand for that.
    callback: Option<(CallbackPlan, usize)>,
}

/// A table's index, a function's number in it, and what the arguments of its calls are.
pub(crate) type Untyped = (Value, i64, Vec<CType>);

fn at<T>(items: &[T], index: Value) -> Option<&T> {
    items.get(usize::try_from(index.as_fixnum()?).ok()?)
}

impl Foreign {
    /// The function of the foreign procedure `v`.
    pub fn function(&self, v: Value) -> Option<&'static ForeignFunction> {
        at(&self.functions, object::field(v, FUNCTION_INDEX)).copied()
    }

    /// How many arguments the foreign procedure of this index takes.
    pub(crate) fn parameters(&self, index: Value) -> Option<usize> {
        Some(at(&self.functions, index)?.signature.arguments())
    }

    pub(crate) fn library(&self, index: Value) -> Option<&Arc<Library>> {
        at(&self.libraries, index)
    }

    /// Keeps a library and gives its index.
    pub(crate) fn add_library(&mut self, library: Arc<Library>) -> Value {
        let known = self.libraries.iter().position(|l| Arc::ptr_eq(l, &library));
        let index = known.unwrap_or_else(|| {
            self.libraries.push(library);
            self.libraries.len() - 1
        });
        Value::fixnum(index as i64)
    }

    /// The procedure for what was called so before.
    pub(crate) fn untyped(&self, key: &Untyped) -> Option<&Global> {
        self.untyped.get(key)
    }

    /// Keeps the procedure for what is called so.
    pub(crate) fn add_untyped(&mut self, key: Untyped, procedure: Global) {
        self.untyped.insert(key, procedure);
    }

    /// Keeps a function and gives its index.
    pub(crate) fn add_function(&mut self, function: ForeignFunction) -> Value {
        self.functions.push(Box::leak(Box::new(function)));
        Value::fixnum(self.functions.len() as i64 - 1)
    }
}

/// The types that are one word, by where the word's symbol is. Interned symbols stay where they are for ever
/// (`inv:symbol.boot`), so nothing else is ever found there.
struct Named([Option<(Value, CType)>; Named::SLOTS]);

impl Named {
    const SLOTS: usize = 64;

    fn slot(symbol: Value) -> usize {
        symbol.addr().raw() / 16 % Named::SLOTS
    }

    fn get(&self, symbol: Value) -> Option<&CType> {
        let (known, ctype) = self.0[Named::slot(symbol)].as_ref()?;
        (*known == symbol).then_some(ctype)
    }
}

impl Default for Named {
    fn default() -> Named {
        Named([const { None }; Named::SLOTS])
    }
}

/// The type that is this one word, if it is one.
fn named(rt: &mut Rt, symbol: Value) -> Option<CType> {
    if let Some(known) = rt.foreign.named.get(symbol) {
        return Some(known.clone());
    }
    let ctype = CType::named(rt.symbol_name(symbol))?;
    if symbols::is_interned(symbol) {
        rt.foreign.named.0[Named::slot(symbol)] = Some((symbol, ctype.clone()));
    }
    Some(ctype)
}

/// The symbols of a type such as `(struct S)` or `(pointer (struct S))`; nothing in the second place of the former.
type Symbols = [Value; 3];

/// The types of such forms, by where the symbols are, which is as for [`Named`]. Where there is a new type a name may stand
/// for that from then on.
struct Defined {
    known: [Option<(Symbols, CType)>; Named::SLOTS],
    /// How many types there were.
    types: usize,
}

impl Defined {
    fn get(&self, symbols: Symbols, types: usize) -> Option<&CType> {
        let (known, ctype) = self.known[Named::slot(symbols[2])].as_ref()?;
        (types == self.types && *known == symbols).then_some(ctype)
    }

    fn put(&mut self, symbols: Symbols, ctype: CType, types: usize) {
        if types != self.types {
            *self = Defined::default();
            self.types = types;
        }
        self.known[Named::slot(symbols[2])] = Some((symbols, ctype));
    }
}

impl Default for Defined {
    fn default() -> Defined {
        Defined {
            known: [const { None }; Named::SLOTS],
            types: 0,
        }
    }
}

/// The two elements of a list, the first of which is an interned symbol.
fn word_and(v: Value) -> Option<(Value, Value)> {
    let parts = |v: Value| v.is_pair().then(|| (object::car(v), object::cdr(v)));
    let (word, rest) = parts(v)?;
    let (second, end) = parts(rest)?;
    (end == Value::NIL && stays(word)).then_some((word, second))
}

fn stays(v: Value) -> bool {
    symbols::is_symbol(v) && symbols::is_interned(v)
}

/// The symbols that a type is made of, if it has such a form.
fn symbols_of(v: Value) -> Option<Symbols> {
    let (word, second) = word_and(v)?;
    if stays(second) {
        return Some([word, Value::NIL, second]);
    }
    let (inner, name) = word_and(second)?;
    stays(name).then_some([word, inner, name])
}

/// Data nested deeper than any type.
const DEPTH: usize = 64;

/// A type as the program wrote it; `None` for what cannot be one.
pub(crate) fn type_expr(rt: &Rt, v: Value, depth: usize) -> Option<TypeExpr> {
    if let Some(n) = v.as_fixnum() {
        return Some(TypeExpr::Int(n));
    }
    if let Some(Number::Big(n)) = rt.number(v) {
        return Some(TypeExpr::Huge(n.to_string()));
    }
    if symbols::is_symbol(v) {
        return Some(TypeExpr::name(rt.symbol_name(v)));
    }
    short_length(v)??;
    if depth == DEPTH {
        return None;
    }
    let items = rt.list_elements(v);
    let items: Option<Vec<_>> = items.iter().map(|&v| type_expr(rt, v, depth + 1)).collect();
    Some(TypeExpr::List(items?))
}

/// The types that a list of data says.
pub(crate) fn type_exprs(rt: &Rt, list: Value) -> Result<Vec<TypeExpr>, FfiError> {
    let unknown = |v| unknown_type(rt, v);
    if short_length(list).flatten().is_none() {
        return Err(unknown(list));
    }
    let items = rt.list_elements(list);
    items
        .iter()
        .map(|&v| type_expr(rt, v, 0).ok_or_else(|| unknown(v)))
        .collect()
}

/// The type that a datum says.
pub(crate) fn ctype(rt: &mut Rt, v: Value) -> Result<CType, FfiError> {
    // Mostly it is one word, in a loop.
    if symbols::is_symbol(v)
        && let Some(ctype) = named(rt, v)
    {
        return Ok(ctype);
    }
    let symbols = symbols_of(v);
    if let Some(symbols) = symbols
        && let Some(known) = rt.foreign.defined.get(symbols, rt.foreign.types.count())
    {
        return Ok(known.clone());
    }
    let Some(expr) = type_expr(rt, v, 0) else {
        return Err(unknown_type(rt, v));
    };
    let ctype = expr.parse(&mut rt.foreign.types)?;
    if let Some(symbols) = symbols {
        let types = rt.foreign.types.count();
        rt.foreign.defined.put(symbols, ctype.clone(), types);
    }
    Ok(ctype)
}

/// What callbacks of the type have in common that a datum says, `(callback (TYPE …) RESULT …)`; `None` if it says none. In a loop
/// the datum is the same each time.
pub(crate) fn callback_plan(rt: &mut Rt, datum: Value) -> Option<Result<CallbackPlan, FfiError>> {
    if let Some((plan, types)) = rt.foreign.callback
        && rt.roots.get(root::CALLBACK_TYPE) == datum
        && rt.foreign.types.count() == types
    {
        return Some(Ok(plan));
    }
    let expr = type_expr(rt, datum, 0)?;
    let callback = expr.parse_lasting_callback(&mut rt.foreign.types);
    let plan = callback.and_then(|callback| CallbackPlan::of(&callback));
    rt.roots.set(root::CALLBACK_TYPE, datum);
    let types = rt.foreign.types.count();
    rt.foreign.callback = plan.as_ref().ok().map(|plan| (*plan, types));
    Some(plan)
}

fn unknown_type(rt: &Rt, v: Value) -> FfiError {
    let text = printer::print(rt, v, Mode::Write);
    DeclareError::UnknownType { text }.into()
}

impl From<FfiError> for Box<Fault> {
    fn from(error: FfiError) -> Self {
        Box::new(Fault::Ffi(error))
    }
}

impl From<CallError> for Box<Fault> {
    fn from(error: CallError) -> Self {
        Box::new(match error {
            CallError::Ffi(error) => Fault::Ffi(error),
            CallError::OutOfMemory(_) => Fault::OutOfMemory,
            CallError::PendingExit => Fault::Control {
                message: error.to_string(),
                irritants: Vec::new(),
            },
        })
    }
}

/// Longer texts of values are cut in messages about foreign calls.
const DESCRIPTION: usize = 80;

impl Language for Rt {
    fn to_double(&self, v: Value) -> Option<f64> {
        Rt::to_double(self, v)
    }

    fn types(&self) -> &Types {
        &self.foreign.types
    }

    fn handle_bits(&self, v: Value) -> Option<u64> {
        object::is(v, kinds::HANDLE).then(|| object::raw(v, 1))
    }

    fn vector_length(&self, v: Value) -> Option<usize> {
        object::is(v, kinds::VECTOR).then(|| object::length(v))
    }

    fn vector_element(&self, v: Value, i: usize) -> Value {
        object::field(v, i + 1)
    }

    fn exported(&self, name: &str) -> Option<Exported> {
        self.datatypes.exported(name)
    }

    fn describe(&self, v: Value) -> String {
        // A character has four bytes at most.
        let text = printer::print_short(self, v, Mode::Write, 4 * DESCRIPTION);
        match text.char_indices().nth(DESCRIPTION) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    }
}
