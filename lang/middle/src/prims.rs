//! What the expander and the passes know about primitives: names, arities, and which of them an
//! engine can do in place.
//!
//! inv:middle.prim-id — a [`PrimitiveId`] is an index into the list given to the expander. Whoever
//! runs the IR keeps its own list in the same order.
//!
//! Absent on purpose: what primitives do. Folding a call needs only [`InlineOp`].

use std::fmt;

use bowline_syntax::Symbol;

use crate::fx::FxHashMap;

/// The number of a primitive (inv:middle.prim-id).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct PrimitiveId(pub u16);

/// One primitive as the compiler sees it.
#[derive(Clone, Debug)]
pub struct PrimitiveInfo {
    /// The name it has in `(bowline primitives)`.
    pub name: &'static str,
    /// How many arguments it needs.
    pub min_args: u8,
    /// How many it takes at most; `None` when there is no limit.
    pub max_args: Option<u8>,
    /// The operation that engines may do in place.
    pub inline: Option<InlineOp>,
    /// Whether it may call a procedure, or capture or replace the continuation. Such a primitive is
    /// called like any unknown procedure, so that its place in the continuation is kept.
    pub control: bool,
}

impl PrimitiveInfo {
    /// Whether it takes `count` arguments.
    pub fn accepts(&self, count: usize) -> bool {
        count >= usize::from(self.min_args)
            && self.max_args.is_none_or(|max| count <= usize::from(max))
    }
}

macro_rules! inline_ops {
    ($($(#[$doc:meta])* $op:ident $name:literal $pure:literal,)*) => {
        /// Operations that engines do in place, without a call.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum InlineOp { $($(#[$doc])* $op,)* }

        impl InlineOp {
            /// Every operation.
            pub const ALL: &'static [Self] = &[$(Self::$op,)*];

            /// The operation of the primitive with this name, if there is one.
            pub fn by_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$op),)* _ => None }
            }

            /// The name of the primitive that it is.
            pub fn name(self) -> &'static str {
                match self { $(Self::$op => $name,)* }
            }

            /// Whether it can neither fail nor be noticed, so that an unused one may be dropped.
            pub fn is_pure(self) -> bool {
                match self { $(Self::$op => $pure,)* }
            }
        }
    };
}

inline_ops! {
    /// `not`
    Not "not" true,
    /// `eq?`
    Eq "eq?" true,
    /// `eqv?`
    Eqv "eqv?" true,
    /// `cons`
    Cons "cons" true,
    /// `car`
    Car "car" false,
    /// `cdr`
    Cdr "cdr" false,
    /// `cadr`
    Cadr "cadr" false,
    /// `cddr`
    Cddr "cddr" false,
    /// `set-car!`
    SetCar "set-car!" false,
    /// `set-cdr!`
    SetCdr "set-cdr!" false,
    /// `pair?`
    IsPair "pair?" true,
    /// `null?`
    IsNull "null?" true,
    /// `symbol?`
    IsSymbol "symbol?" true,
    /// `string?`
    IsString "string?" true,
    /// `char?`
    IsChar "char?" true,
    /// `vector?`
    IsVector "vector?" true,
    /// `bytevector?`
    IsBytevector "bytevector?" true,
    /// `procedure?`
    IsProcedure "procedure?" true,
    /// `boolean?`
    IsBoolean "boolean?" true,
    /// `eof-object?`
    IsEof "eof-object?" true,
    /// `+`
    Add "+" false,
    /// `-`
    Sub "-" false,
    /// `*`
    Mul "*" false,
    /// `quotient`
    Quotient "quotient" false,
    /// `remainder`
    Remainder "remainder" false,
    /// `modulo`
    Modulo "modulo" false,
    /// `=`
    NumEq "=" false,
    /// `<`
    Lt "<" false,
    /// `>`
    Gt ">" false,
    /// `<=`
    Le "<=" false,
    /// `>=`
    Ge ">=" false,
    /// `zero?`
    IsZero "zero?" false,
    /// `vector-ref`
    VectorRef "vector-ref" false,
    /// `vector-set!`
    VectorSet "vector-set!" false,
    /// `vector-length`
    VectorLength "vector-length" false,
    /// `bytevector-u8-ref`
    BytevectorRef "bytevector-u8-ref" false,
    /// `bytevector-u8-set!`
    BytevectorSet "bytevector-u8-set!" false,
    /// `bytevector-length`
    BytevectorLength "bytevector-length" false,
    /// `string-ref`
    StringRef "string-ref" false,
    /// `string-length`
    StringLength "string-length" false,
    /// `char=?`
    CharEq "char=?" false,
    /// `char<?`
    CharLt "char<?" false,
    /// `char->integer`
    CharToInteger "char->integer" false,
    /// `integer->char`
    IntegerToChar "integer->char" false,
    /// `unbox`
    Unbox "unbox" false,
    /// `set-box!`
    SetBox "set-box!" false,
    /// `%record?`
    IsRecord "%record?" false,
    /// `%record-ref`
    RecordRef "%record-ref" false,
    /// `%record-set!`
    RecordSet "%record-set!" false,
}

/// The primitives of a session, by number and by name.
#[derive(Clone, Debug, Default)]
pub struct Primitives {
    list: Vec<PrimitiveInfo>,
    by_name: FxHashMap<&'static str, PrimitiveId>,
}

impl Primitives {
    /// The table of this list. Where a name stands twice the first counts.
    pub fn new(list: Vec<PrimitiveInfo>) -> Self {
        let mut by_name = FxHashMap::default();
        for (index, info) in list.iter().enumerate().take(usize::from(u16::MAX)) {
            by_name
                .entry(info.name)
                .or_insert(PrimitiveId(index as u16));
        }
        Self { list, by_name }
    }

    /// What is known of a primitive, if the number is one.
    pub fn get(&self, id: PrimitiveId) -> Option<&PrimitiveInfo> {
        self.list.get(usize::from(id.0))
    }

    /// The primitive with this name.
    pub fn find(&self, name: &str) -> Option<PrimitiveId> {
        self.by_name.get(name).copied()
    }

    /// The name of a primitive; `?` when the number is none.
    pub fn name(&self, id: PrimitiveId) -> &'static str {
        self.get(id).map_or("?", |info| info.name)
    }

    /// The operation an engine does in place for it.
    pub fn inline(&self, id: PrimitiveId) -> Option<InlineOp> {
        self.get(id).and_then(|info| info.inline)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = (PrimitiveId, &PrimitiveInfo)> {
        let number = |(index, info)| (PrimitiveId(index as u16), info);
        self.list.iter().enumerate().map(number)
    }
}

/// A top-level variable: a dense number given by the expander, the same for the whole session.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct GlobalId(pub u32);

impl fmt::Display for GlobalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "g{}", self.0)
    }
}

/// Names of all top-level variables so far, for printers.
#[derive(Clone, Debug, Default)]
pub struct Globals {
    names: Vec<Symbol>,
}

impl Globals {
    /// A new variable.
    pub fn add(&mut self, name: Symbol) -> GlobalId {
        let id = GlobalId(self.names.len() as u32);
        self.names.push(name);
        id
    }

    /// Its name, if the number is one.
    pub fn name(&self, id: GlobalId) -> Option<&Symbol> {
        self.names.get(id.0 as usize)
    }

    /// How many there are; the next one gets this number.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}
