//! Symbols: interned names in the boot heap.
//!
//! inv:symbol.boot — an interned symbol and its name are boot objects: they never move and never
//! die, so two symbols are the same exactly when their words are, and Rust may keep the words.
//!
//! An uninterned symbol is an ordinary object of the same layout.

use std::collections::HashMap;

use bowline_gc::{Mutator, OutOfMemory};
use bowline_layout::{Flags, Header, Shape, Tag, Value, string, type_id};

use crate::fault::Result;
use crate::kinds;
use crate::object;
use crate::rt::Rt;

/// Word of a symbol's name.
pub(crate) const NAME: usize = 1;
/// Word of a symbol's hash.
pub(crate) const HASH: usize = 2;
/// Word that says whether a symbol is interned.
pub(crate) const INTERNED: usize = 3;

/// The interned symbols.
pub struct SymbolTable {
    map: HashMap<Box<str>, Value>,
    counter: u64,
}

impl SymbolTable {
    pub(crate) fn new() -> SymbolTable {
        SymbolTable {
            map: HashMap::with_capacity(1024),
            counter: 0,
        }
    }

    /// The symbol of this name, if there is one.
    pub fn find(&self, name: &str) -> Option<Value> {
        self.map.get(name).copied()
    }

    /// The symbol of this name.
    pub fn intern(&mut self, heap: &mut Mutator, name: &str) -> Result {
        if let Some(&symbol) = self.map.get(name) {
            return Ok(symbol);
        }
        let key = self.room(heap, name)?;
        let text = boot_string(heap, name)?;
        let symbol = heap.alloc_boot(Header::new(Shape::Values, kinds::SYMBOL, 3), Tag::Object)?;
        object::init(symbol, NAME, text);
        object::init(symbol, HASH, Value::fixnum(hash(name.as_bytes())));
        object::init(symbol, INTERNED, Value::TRUE);
        self.map.insert(key.into_boxed_str(), symbol);
        Ok(symbol)
    }

    /// Room in the table for another name, and the name, if there is memory.
    fn room(&mut self, heap: &Mutator, name: &str) -> Result<String> {
        let full = || OutOfMemory {
            requested: name.len(),
        };
        let (names, heap) = (&mut self.map, heap.heap());
        // One more doubles a full table, whose capacity is seven eighths of its places.
        let grown = match names.len() == names.capacity() {
            true => names.capacity().saturating_mul(3) * size_of::<(Box<str>, Value)>(),
            false => 0,
        };
        if !heap.has_memory_for(grown + name.len()) {
            return Err(full().into());
        }
        names.try_reserve(1).map_err(|_| full())?;
        let mut key = String::new();
        key.try_reserve_exact(name.len()).map_err(|_| full())?;
        key.push_str(name);
        Ok(key)
    }
}

/// The hash of some bytes, as a number that is a fixnum (FNV-1a).
pub(crate) fn hash(bytes: &[u8]) -> i64 {
    let mut h: u64 = 0xcbf2_9ce4_8422_2325;
    for &b in bytes {
        h = (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    (h >> 3) as i64
}

/// An immutable string in the boot heap.
fn boot_string(heap: &mut Mutator, text: &str) -> Result {
    let len = text.len();
    let body = heap.alloc_boot(
        Header::new(Shape::Bytes, type_id::STRING_BODY, len + 1),
        Tag::Object,
    )?;
    object::bytes_mut(heap, body, 0, len).copy_from_slice(text.as_bytes());
    let header = string::HEADER.with_flags(Flags::IMMUTABLE);
    let object = heap.alloc_boot(header, Tag::Object)?;
    let chars = text.chars().count();
    object::set_raw(
        object,
        string::LENGTHS,
        string::pack(len as u32, chars as u32),
    );
    object::init(object, string::BODY, body);
    Ok(object)
}

impl Rt {
    /// The interned symbol of this name.
    pub fn intern(&mut self, name: &str) -> Result {
        self.symbols.intern(&mut self.heap, name)
    }

    /// A symbol that is the same as no other, of this name.
    pub fn uninterned(&mut self, name: &str) -> Result {
        let text = self.make_string(name)?;
        self.uninterned_of(text, hash(name.as_bytes()))
    }

    fn uninterned_of(&mut self, text: Value, hash: i64) -> Result {
        self.make_object(kinds::SYMBOL, &[text, Value::fixnum(hash), Value::FALSE])
    }

    /// An uninterned symbol with a fresh name.
    pub fn generate_symbol(&mut self, prefix: &str) -> Result {
        self.symbols.counter += 1;
        let name = format!("{prefix}{}", self.symbols.counter);
        self.uninterned(&name)
    }

    /// The name of a symbol.
    pub fn symbol_name(&self, symbol: Value) -> &str {
        self.text(object::field(symbol, NAME))
    }
}

/// Whether `v` is a symbol.
#[inline]
pub fn is_symbol(v: Value) -> bool {
    object::is(v, kinds::SYMBOL)
}

/// Whether a symbol is interned (inv:symbol.boot).
pub(crate) fn is_interned(symbol: Value) -> bool {
    object::field(symbol, INTERNED) == Value::TRUE
}

macro_rules! well_known {
    ($($field:ident = $name:literal),* $(,)?) => {
        /// The symbols that the runtime itself makes conditions and lists of.
        #[derive(Clone, Copy)]
        pub struct WellKnown {
            $(#[doc = concat!("`", $name, "`")] pub $field: Value,)*
        }

        impl WellKnown {
            pub(crate) fn new(
                table: &mut SymbolTable,
                heap: &mut Mutator,
            ) -> Result<WellKnown> {
                Ok(WellKnown { $($field: table.intern(heap, $name)?,)* })
            }
        }
    };
}

well_known! {
    error = "error",
    type_error = "type",
    range = "range",
    argument = "argument",
    immutable = "immutable",
    divide = "divide",
    arity = "arity",
    not_procedure = "not-procedure",
    unbound = "unbound",
    control = "control",
    port = "port",
    file = "file",
    io = "io",
    system = "system",
    read = "read",
    foreign = "foreign",
    out_of_memory = "out-of-memory",
    quote = "quote",
    quasiquote = "quasiquote",
    unquote = "unquote",
    unquote_splicing = "unquote-splicing",
    minor = "minor",
}
