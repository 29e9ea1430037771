//! How a call crosses, in words, from the same ways that a call goes: nothing is opened and nothing called.
//!
//! The registers are those of x86-64 ("System V Application Binary Interface", 3.2.3); elsewhere none are told.

use crate::callback::pool::Plan;
use crate::clauses::{check_errno_result, check_errno_when, check_freed, check_frees, check_leaf};
use crate::direct::Direct;
use crate::error::FfiError;
use crate::function::{self, Way};
use crate::types::{CType, Lifetime, Parameter, Repr, Signature};

/// One thing that crosses.
pub struct Crossing {
    /// What it is: the type as it was declared.
    pub what: String,
    /// The register, or the place on the stack.
    pub place: String,
    /// How it crosses, and why.
    pub how: String,
}

const INTEGERS: [&str; 6] = ["rdi", "rsi", "rdx", "rcx", "r8", "r9"];
const FLOATS: usize = 8;

/// Which registers and how many words of the stack are taken.
#[derive(Default)]
struct Taken {
    integers: usize,
    floats: usize,
    stack: usize,
}

/// The words of a struct of at most two, by whether each has nothing but floating-point numbers in it.
pub(crate) fn words_of(ctype: &CType, at: usize, words: &mut [Option<bool>; 2]) {
    match ctype {
        CType::Struct(structure) => {
            let fields = structure.layout().map_or(&[][..], |layout| &layout.fields);
            for field in fields {
                words_of(&field.ctype, at + field.offset, words);
            }
        }
        CType::Array(array) => {
            let step = array.element.size().unwrap_or(0);
            (0..array.count).for_each(|i| words_of(&array.element, at + i * step, words));
        }
        _ => {
            let float = matches!(ctype.repr(), Repr::Float | Repr::Double);
            if let Some(word) = words.get_mut(at / 8) {
                *word = Some(word.unwrap_or(true) && float);
            }
        }
    }
}

impl Taken {
    fn word(&mut self, float: bool) -> String {
        if float && self.floats < FLOATS {
            self.floats += 1;
            return format!("xmm{}", self.floats - 1);
        }
        if !float && self.integers < INTEGERS.len() {
            self.integers += 1;
            return INTEGERS[self.integers - 1].into();
        }
        self.on_stack(8)
    }

    fn on_stack(&mut self, bytes: usize) -> String {
        let at = self.stack * 8;
        self.stack += bytes.div_ceil(8);
        format!("stack+{at}")
    }

    fn parameter(&mut self, param: &Parameter) -> String {
        if param.repr() != Repr::Aggregate {
            return self.word(matches!(param.repr(), Repr::Float | Repr::Double));
        }
        let size = param.ctype.size().unwrap_or(0);
        if size > 16 {
            return self.on_stack(size);
        }
        let mut words = [None; 2];
        words_of(&param.ctype, 0, &mut words);
        let floats = words.iter().filter(|word| **word == Some(true)).count();
        let integers = words.iter().filter(|word| **word == Some(false)).count();
        if self.floats + floats > FLOATS || self.integers + integers > INTEGERS.len() {
            return self.on_stack(size);
        }
        let words: Vec<String> = words
            .iter()
            .flatten()
            .map(|float| self.word(*float))
            .collect();
        words.join(":")
    }
}

fn range(ctype: &CType) -> String {
    match ctype.repr().range() {
        Some((low, high)) => format!("{low} … {high}"),
        None => String::new(),
    }
}

/// How a scalar crosses.
fn scalar(ctype: &CType) -> String {
    match (ctype, ctype.repr()) {
        (CType::Enum(_), _) => "word: the number of the symbol, or an integer".into(),
        (_, Repr::Bool) => "word: 0 for #f, 1 for anything else".into(),
        (_, Repr::Float | Repr::Double) => "word: the nearest number of that width".into(),
        (_, Repr::Pointer) => "word: the address in the pointer, 0 for #f".into(),
        _ => format!("word: an exact integer, {}", range(ctype)),
    }
}

fn callback(plan: &Plan) -> String {
    let made = match &plan.env {
        None => "a C function that calls the procedure",
        Some(env) if env.is_static() => {
            "a C function of the runtime's, led to the procedure by its env"
        }
        Some(_) => "a C function of all callbacks of the type, led to the procedure by its env",
    };
    let until = match plan.lifetime {
        Lifetime::Call => "until the call returns",
        Lifetime::Gc => "as long as that lives; the same one each time",
        Lifetime::Once => "the first time that C calls it; another one each time",
        Lifetime::Forever => "always; the same one each time",
    };
    format!("{made}, {until}")
}

fn how(way: &Way, param: &Parameter, variadic: bool) -> String {
    let lent = "pinned and lent where it stands until the call returns";
    let copied = "copied, for a blocking call pins nothing";
    match way {
        Way::Word if variadic && param.ctype.repr().size() < 4 => {
            format!("{}; an int behind `...`", scalar(&param.ctype))
        }
        Way::Word => scalar(&param.ctype),
        Way::Widened => "word: a double behind `...`".into(),
        Way::String => format!("{lent}; its NUL is there"),
        Way::Bytevector => lent.into(),
        Way::BytevectorAt => format!("{lent}, from the offset that is the next argument on"),
        Way::StringCopy => copied.into(),
        Way::BytevectorCopy => format!("{copied}; what C writes is copied back"),
        Way::BytevectorAtCopy => {
            format!("{copied}, handed over from an offset on; what C writes is copied back")
        }
        Way::ByValue => "by value, from where the pointer points".into(),
        Way::Handle => "a handle, which ends with the call unless it is the program's own".into(),
        Way::Callback(plan) | Way::Kept(plan) => callback(plan),
        Way::Env => "the address of what the callback is found by".into(),
        Way::Cell { argument: false } => {
            "the address of a zeroed word; what C writes is a further value".into()
        }
        Way::Cell { argument: true } => {
            "the address of a word with the argument; what C leaves is a further value".into()
        }
        Way::Memory { argument: false } => {
            "the address of fresh zeroed memory, a pointer to which is a further value".into()
        }
        Way::Memory { argument: true } => {
            "the address of a fresh copy, a pointer to which is a further value".into()
        }
    }
}

fn result(ctype: &CType, clause: &impl Fn(&str) -> bool) -> String {
    if clause("errno-result") {
        return "an error number: no value if it is 0, otherwise a condition".into();
    }
    let freed = clause("free-with");
    match (ctype, ctype.repr()) {
        (CType::String, _) if freed => "copied, then given back".into(),
        (CType::String, _) => "copied: C's own text may change or go".into(),
        (_, Repr::Pointer) if freed => "a pointer, with a finalizer that gives it back".into(),
        (CType::Handle, _) => "what the handle stands for".into(),
        (CType::Enum(_), _) => "the symbol of the number, or the number".into(),
        (_, Repr::Void) => "no value".into(),
        (_, Repr::Bool) => "#t or #f".into(),
        (_, Repr::Float | Repr::Double) => "a flonum".into(),
        (_, Repr::Pointer) => "a pointer".into(),
        (_, Repr::Aggregate) => "written to fresh memory that the pointer owns".into(),
        _ => "an exact integer".into(),
    }
}

fn result_place(ctype: &CType) -> String {
    match ctype.repr() {
        Repr::Void => String::new(),
        Repr::Float | Repr::Double => "xmm0".into(),
        Repr::Aggregate if ctype.size().is_none_or(|size| size > 16) => "memory".into(),
        Repr::Aggregate => {
            let mut words = [None; 2];
            words_of(ctype, 0, &mut words);
            let (mut integers, mut floats) = (["rax", "rdx"].iter(), ["xmm0", "xmm1"].iter());
            let places = words.iter().flatten().filter_map(|float| match float {
                true => floats.next(),
                false => integers.next(),
            });
            places.copied().collect::<Vec<_>>().join(":")
        }
        _ => "rax".into(),
    }
}

/// A function as a program declares it.
pub struct Declaration<'a> {
    /// What errors call it.
    pub name: &'a str,
    /// Its type.
    pub signature: &'a Signature,
    /// The keywords of its clauses.
    pub clauses: &'a [&'a str],
    /// What `free-with` names, if that is known: its name and type.
    pub free: Option<(&'a str, &'a Signature)>,
}

impl Declaration<'_> {
    fn clause(&self, keyword: &str) -> bool {
        self.clauses.contains(&keyword)
    }

    /// How its arguments go to C, if the clauses allow that they go at all.
    fn ways(&self) -> Result<Vec<Way>, FfiError> {
        let ways = function::ways(self.signature)?;
        if self.clause("leaf") {
            check_leaf(self.name, &ways)?;
        }
        if self.clause("errno-when") {
            check_errno_when(&self.signature.result)?;
        }
        if self.clause("errno-result") {
            check_errno_result(&self.signature.result)?;
        }
        if let Some((name, declared)) = self.free {
            check_frees(name, declared)?;
        }
        if self.clause("free-with") {
            check_freed(&self.signature.result)?;
        }
        Ok(ways)
    }
}

/// How calls of a function cross that is declared so: a line for each parameter, one for the result and one for the
/// rest. What makes the declaration an error when it is evaluated makes it one here, but for what only the library says.
pub fn describe(declaration: &Declaration<'_>) -> Result<Vec<Crossing>, FfiError> {
    let signature = declaration.signature;
    let clause = |keyword: &str| declaration.clause(keyword);
    let registers = cfg!(all(target_arch = "x86_64", unix));
    let fixed = signature.fixed.unwrap_or(signature.params.len());
    let mut taken = Taken::default();
    if result_place(&signature.result) == "memory" {
        taken.integers = 1;
    }
    let mut crossings = Vec::new();
    for (i, (param, mut way)) in signature.params.iter().zip(declaration.ways()?).enumerate() {
        if clause("blocking") {
            way.copy();
        }
        crossings.push(Crossing {
            what: param.to_string(),
            place: taken.parameter(param),
            how: how(&way, param, i >= fixed),
        });
    }
    crossings.push(Crossing {
        what: format!("result {}", signature.result),
        place: result_place(&signature.result),
        how: result(&signature.result, &clause),
    });
    let by = match Direct::of(signature) {
        Some(_) => "called at its address",
        None => "called by libffi",
    };
    let thread = match clause("leaf") {
        true => "the thread stays Managed, so no collection begins meanwhile",
        false => "the thread is Native, so collections go on meanwhile",
    };
    crossings.push(Crossing {
        what: "call".into(),
        place: format!("stack {}", (taken.stack * 8).next_multiple_of(16)),
        how: format!("{by}; {thread}; errno is kept before anything else runs"),
    });
    if !registers {
        crossings
            .iter_mut()
            .for_each(|crossing| crossing.place.clear());
    }
    Ok(crossings)
}
