//! C enumerations: names for the numbers of an `int`.
//!
//! A value of one is the symbol that names it; an integer that none names, as flags that are or-ed make one, stands
//! for itself. C gives an enumeration the type `int`, or `unsigned int` if a number needs that.
//!
//! The symbols are the language's: words that stay the same for ever, which it hands over with the definition.

use crate::aggregate::Types;
use crate::convert::{self, Spot};
use crate::declare_error::DeclareError;
use crate::error::{FfiError, Place};
use crate::host::Language;
use crate::types::{CType, Repr};
use bowline_layout::Value;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// How many members a message names.
const NAMED: usize = 8;

/// A member of an enumeration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// Its name.
    pub name: Box<str>,
    /// Its number in C.
    pub number: i64,
    /// The language's symbol of that name.
    pub symbol: Value,
}

/// An enumeration.
pub struct EnumType {
    name: Box<str>,
    number: u32,
    members: Box<[Member]>,
    repr: Repr,
}

impl EnumType {
    /// The name that the program gave it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its number among the enumerations.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Its members, in order.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// What a value is to the machine.
    pub fn repr(&self) -> Repr {
        self.repr
    }

    /// The number that a symbol names.
    pub fn number_of(&self, symbol: Value) -> Option<i64> {
        let named = self.members.iter().find(|member| member.symbol == symbol);
        named.map(|member| member.number)
    }

    /// The symbol that names a number: of several the first.
    pub fn symbol_of(&self, number: i64) -> Option<Value> {
        let named = self.members.iter().find(|member| member.number == number);
        named.map(|member| member.symbol)
    }

    /// The number of the member with this name.
    pub(crate) fn named(&self, name: &str) -> Option<i64> {
        let named = self.members.iter().find(|member| &*member.name == name);
        named.map(|member| member.number)
    }

    /// The error that `v` is neither a member nor a number.
    #[cold]
    pub(crate) fn no_member<L: Language + ?Sized>(
        &self,
        language: &L,
        v: Value,
        place: Place,
    ) -> FfiError {
        let mut names: Vec<&str> = self.members.iter().map(|member| &*member.name).collect();
        if names.len() > NAMED {
            names.truncate(NAMED);
            names.push("…");
        }
        FfiError::NoMember {
            place,
            name: self.name.to_string(),
            members: names.join(", "),
            got: language.describe(v),
        }
    }
}

/// A type is itself and no other of the same name.
impl PartialEq for EnumType {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for EnumType {}

impl Hash for EnumType {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.number.hash(state);
    }
}

impl fmt::Debug for EnumType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EnumType({} {})", self.name, self.number)
    }
}

impl Types {
    /// The enumeration of this name.
    pub(crate) fn enumeration(&self, name: &str) -> Result<Arc<EnumType>, FfiError> {
        self.enums.get(name).cloned().ok_or_else(|| {
            let name = name.to_owned();
            DeclareError::UndefinedEnum { name }.into()
        })
    }

    /// The enumeration with this number.
    pub fn numbered_enum(&self, number: u32) -> Option<&Arc<EnumType>> {
        self.numbered_enums.get(number as usize)
    }

    /// Defines the enumeration `name` of these names, with their numbers or the one that follows, and their symbols.
    /// The same definition once more gives the same type; another one is an error, or with `anew` a new type that the
    /// name stands for from now on.
    pub fn define_enum(
        &mut self,
        name: &str,
        members: &[(String, Option<i64>, Value)],
        anew: bool,
    ) -> Result<Arc<EnumType>, FfiError> {
        let mut next = 0i64;
        let members = members.iter().map(|(member, number, symbol)| {
            let number = number.unwrap_or(next);
            next = number.saturating_add(1);
            let name = member.as_str().into();
            let symbol = *symbol;
            Member {
                name,
                number,
                symbol,
            }
        });
        let members: Box<[Member]> = members.collect();
        let repr = repr_of(name, &members)?;
        match self.enums.get(name) {
            Some(known) if known.members == members => return Ok(known.clone()),
            Some(_) if !anew => {
                let name = name.to_owned();
                return Err(DeclareError::RedefinedEnum { name }.into());
            }
            _ => {}
        }
        let made = Arc::new(EnumType {
            name: name.into(),
            number: self.numbered_enums.len() as u32,
            members,
            repr,
        });
        self.numbered_enums.push(made.clone());
        self.enums.insert(name.into(), made.clone());
        Ok(made)
    }
}

/// The type that C gives an enumeration with these members.
fn repr_of(name: &str, members: &[Member]) -> Result<Repr, FfiError> {
    let least = members
        .iter()
        .map(|member| member.number)
        .min()
        .unwrap_or(0);
    let fits = |repr: Repr, number: i64| {
        let wide = i128::from(number);
        repr.range()
            .is_some_and(|(low, high)| low <= wide && wide <= high)
    };
    let repr = match least < 0 || members.iter().all(|m| fits(Repr::Signed(4), m.number)) {
        true => Repr::Signed(4),
        false => Repr::Unsigned(4),
    };
    match members.iter().find(|member| !fits(repr, member.number)) {
        None => Ok(repr),
        Some(member) => Err(DeclareError::EnumRange {
            name: name.to_owned(),
            member: member.name.to_string(),
            number: member.number,
        }
        .into()),
    }
}

/// The number that `v` is or names, for a type that is an enumeration.
pub fn enum_number<L: Language + ?Sized>(
    language: &L,
    ctype: &CType,
    v: Value,
    place: Place,
) -> Result<i64, FfiError> {
    let word = convert::to_word(language, ctype, v, &Spot::At(&place))?;
    Ok(match ctype.repr() {
        Repr::Unsigned(_) => i64::from(word as u32),
        _ => i64::from(word as i32),
    })
}

impl CType {
    /// The enumeration that it is.
    pub fn as_enum(&self) -> Option<&EnumType> {
        match self {
            CType::Enum(enumeration) => Some(enumeration),
            _ => None,
        }
    }
}
