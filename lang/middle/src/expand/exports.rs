//! `foreign-export`, `foreign-export-du-construction`, `-deconstruction`, `-test` and `foreign-export-enum`: what C may
//! call of a program, and do with its constructors.
//!
//! Each form names a function that `bowline header` writes, and registers it, when it is evaluated, by the primitive
//! `(%export-constructor NAME NUMBER)`; in the place of the number stands `pair` or `null` for the constructors of
//! lists. A procedure is registered by `(%export-procedure NAME PROCEDURE '(TYPE …) 'RESULT)`. At the prompt both have one
//! argument more, `#t`: what has the name already is replaced. What C gets to see is noted in the unit.
//!
//! Absent on purpose: what a type of C looks like in C.

use std::rc::Rc;

use bowline_syntax::{Datum, DatumKind, Diagnostic, Number, Span, Symbol};

use super::c_names::{C_WORDS, is_name};
use super::datatype::{Constructor, Datatype};
use super::foreign_struct::derived;
use super::form::Form;
use super::suggest::nearest;
use super::syntax_forms::symbol_datum;
use super::{Cx, Result, TopKind, error};
use crate::core::Expr;
use crate::env::{Binding, Resolution};
use crate::special::Special;
use crate::stx::{Ident, Stx};

/// What a function for C does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExportKind {
    /// It calls a procedure.
    Procedure,
    /// It makes a value of its fields.
    Construction,
    /// It says whether a constructor made a value, and gives the fields.
    Deconstruction,
    /// It says whether a constructor made a value.
    Test,
    /// Constants for the constructors, and what gives the constant of a value.
    Enumeration,
}

/// What it does that with.
#[derive(Clone, Debug)]
pub enum ExportOf {
    /// A procedure with these types.
    Procedure {
        /// What it is called here, if it has a name.
        name: Option<Symbol>,
        /// The list of its parameters' types.
        params: Datum,
        /// Its result's type.
        result: Datum,
    },
    /// A constructor of a datatype: both names, and of each field name and type.
    Constructor {
        /// The datatype.
        datatype: Symbol,
        /// The constructor.
        name: Symbol,
        /// Its fields.
        fields: Vec<(Symbol, Option<Datum>)>,
    },
    /// A datatype whose constructors have no fields.
    Enumeration {
        /// The datatype.
        datatype: Symbol,
        /// Its first constructor.
        first: Symbol,
        /// What stands behind the prefix in the constants of its constructors, in order.
        constants: Vec<Symbol>,
    },
    /// A C enumeration of `define-foreign-enum`.
    Constants {
        /// The enumeration.
        name: Symbol,
        /// What stands behind the prefix in the constants of its members, with their numbers.
        members: Vec<(Symbol, i64)>,
    },
    /// The empty list.
    Null,
    /// A pair.
    Pair,
}

/// Something that C may use, from a form at top level.
#[derive(Clone, Debug)]
pub struct Export {
    /// What it does.
    pub kind: ExportKind,
    /// Its name in C; of an enumeration what the names of its constants begin with.
    pub name: Rc<str>,
    /// What it does that with.
    pub of: ExportOf,
    /// The form.
    pub span: Span,
}

/// The primitive's argument for what is exported, and the note. What is nothing but constants needs no primitive.
type Target = (Option<Expr>, ExportOf);

/// The primitive that registers an export, with its arguments, if one is needed, and the note.
type Registering = (Option<(&'static str, Vec<Expr>)>, ExportOf);

/// What variants of a function have behind its name.
const VARIANTS: [&str; 2] = ["_raw", "_assign"];

/// What names of the runtime's begin with.
const OWN: [&str; 2] = ["bl_", "BL_"];

impl Export {
    /// The names in C that it takes.
    fn names(&self) -> Vec<String> {
        let name = &self.name;
        let constants = |names: &[&Symbol]| -> Vec<String> {
            names.iter().map(|of| format!("{name}{of}")).collect()
        };
        // What it is registered by stands first.
        let mut names = vec![name.to_string()];
        match &self.of {
            ExportOf::Constants { members, .. } => {
                return constants(&members.iter().map(|(name, _)| name).collect::<Vec<_>>());
            }
            ExportOf::Enumeration { constants: own, .. } => {
                names.extend(constants(&own.iter().collect::<Vec<_>>()));
                names.push(format!("{name}of"));
            }
            _ => names.extend(VARIANTS.iter().map(|of| format!("{name}{of}"))),
        }
        names
    }

    /// The error that C would have one name for this and for one of `others`, if it would.
    pub fn collision<'e>(
        &self,
        others: impl IntoIterator<Item = &'e Export>,
        at: Span,
    ) -> Option<Box<Diagnostic>> {
        let own = self.names();
        others.into_iter().find_map(|other| {
            let names = other.names();
            let name = own.iter().find(|name| names.contains(name))?;
            let error = Diagnostic::error(format!("`{name}` is exported already"), at);
            Some(Box::new(
                error.with_secondary(other.span, "it is exported here first"),
            ))
        })
    }
}

/// A name for C that the program has given.
fn check_name(text: &str, at: Span) -> Result<()> {
    if OWN.iter().any(|own| text.starts_with(own)) {
        let message = format!("`{text}` begins as the names of bowline.h do");
        return Err(error(message, at));
    }
    match is_name(text) && !C_WORDS.contains(&text) {
        true => Ok(()),
        false => Err(error(format!("`{text}` is no name in C"), at)),
    }
}

/// How what C may do with constructors is registered.
fn registering(c_name: Expr, (target, of): Target) -> Registering {
    let call = target.map(|target| ("%export-constructor", vec![c_name, target]));
    (call, of)
}

/// Whether this may stand behind the prefix of a name in C.
fn is_part(text: &str) -> bool {
    is_name(&format!("_{text}"))
}

/// The names of constants, which must be parts of names in C.
fn check_constants(of: &Symbol, names: &[Symbol], at: Span) -> Result<()> {
    let Some(name) = names.iter().find(|name| !is_part(name.as_str())) else {
        return Ok(());
    };
    let message = format!("`{name}` of `{of}` is no part of a name in C");
    let part: String = name.as_str().chars().map(in_c).collect();
    let note = format!("the form may end with what to use in its place, as in ({name} \"{part}\")");
    Err(Box::new(Diagnostic::error(message, at).with_note(note)))
}

fn in_c(c: char) -> char {
    if c.is_ascii_alphanumeric() { c } else { '_' }
}

impl Cx<'_> {
    /// The error that such a form stands in a body or where an expression is wanted.
    pub(super) fn misplaced_export(&self, form: &Form<'_>) -> Box<Diagnostic> {
        let message = format!(
            "`{}` may stand at the top level of a program or library only",
            form.special.name()
        );
        error(message, form.span())
    }

    /// Such a form at top level.
    pub(super) fn foreign_export(&mut self, stx: &Stx) -> Result<Expr> {
        let Some(Binding::Special(special)) = self.head_binding(stx)? else {
            return self.expand(stx);
        };
        let Some(mut parts) = self.items(stx) else {
            return Err(super::bad_form(special, "it is a dotted list", stx.span()));
        };
        parts.remove(0);
        let form = Form {
            special,
            whole: stx,
            parts,
            hint: None,
        };
        let (language, name) = match (&form.parts[..], special) {
            ([language, _, _, _, name], Special::ForeignExport) => (language, name),
            (_, Special::ForeignExport) => return form.bad("it has five parts"),
            ([language, _, name], _) => (language, name),
            ([language, _, name, ..], Special::ExportEnum) => (language, name),
            _ => return form.bad("it has three parts"),
        };
        match language.as_string() {
            Some(text) if **text == *"C" => {}
            _ => return form.bad_at("the language must be \"C\"", language),
        }
        let Some(text) = name.as_string().cloned() else {
            return form.bad_at("the name in C must be a string", name);
        };
        let kind = match special {
            Special::ForeignExport => ExportKind::Procedure,
            Special::ExportConstruction => ExportKind::Construction,
            Special::ExportDeconstruction => ExportKind::Deconstruction,
            Special::ExportTest => ExportKind::Test,
            _ => ExportKind::Enumeration,
        };
        check_name(&text, name.span())?;
        let span = form.span();
        let c_name = Expr::Const(Datum::new(DatumKind::String(Rc::clone(&text)), span));
        let what = &form.parts[1];
        let (registered, of) = match kind {
            ExportKind::Procedure => self.exported_procedure(c_name, &form)?,
            ExportKind::Enumeration => registering(c_name, self.exported_enumeration(what, &form)?),
            _ => registering(c_name, self.exported_constructor(what, &form)?),
        };
        let export = Export {
            kind,
            name: text,
            of,
            span,
        };
        if let Some(error) = export.collision(&self.unit.exports, name.span()) {
            return Err(error);
        }
        if kind == ExportKind::Enumeration {
            // With its prefix a constant may be a word of C's.
            for constant in export.names() {
                check_name(&constant, name.span())?;
            }
        }
        self.unit.exports.push(export);
        match registered {
            Some((primitive, mut args)) => {
                if self.unit.kind == TopKind::Prompt {
                    args.push(Expr::boolean(true, span));
                }
                self.call_primitive(primitive, args, span)
            }
            None => Ok(Expr::unspecified(span)),
        }
    }

    /// A procedure: any expression, and its types, which are data.
    fn exported_procedure(&mut self, c_name: Expr, form: &Form<'_>) -> Result<Registering> {
        let [_, procedure, types, result, _] = &form.parts[..] else {
            return form.bad("it has five parts");
        };
        if self.items(types).is_none() {
            let why = "the types of the parameters stand in parentheses, (TYPE ...)";
            return form.bad_at(why, types);
        }
        let (params, result) = (types.to_acyclic()?, result.to_acyclic()?);
        let args = vec![
            c_name,
            self.expand(procedure)?,
            Expr::Const(params.clone()),
            Expr::Const(result.clone()),
        ];
        let name = procedure.as_identifier().map(|ident| ident.name);
        let of = ExportOf::Procedure {
            name,
            params,
            result,
        };
        Ok((Some(("%export-procedure", args)), of))
    }

    /// What `(TYPE CONSTRUCTOR FIELDS)` names.
    fn exported_constructor(&mut self, stx: &Stx, form: &Form<'_>) -> Result<Target> {
        let parts = self.items(stx);
        let Some([datatype, constructor, count]) = parts.as_deref() else {
            return form.bad_at("what is exported is (TYPE CONSTRUCTOR FIELDS)", stx);
        };
        let names = (datatype.as_identifier(), constructor.as_identifier());
        let (Some(datatype), Some(name)) = names else {
            return form.bad_at("what is exported is (TYPE CONSTRUCTOR FIELDS)", stx);
        };
        let place = count.span();
        let count = match count.as_raw().map(|datum| &datum.kind) {
            Some(DatumKind::Number(Number::Fixnum(n))) => *n,
            _ => return form.bad_at("the number of fields must be an integer", count),
        };
        let binding = self.resolve(&datatype)?;
        if self.is_primitive(binding, "list") {
            return self.exported_list(&name, count, place, form.span());
        }
        let datatype = self.visible_datatype(binding, &datatype)?;
        let constructor = self.constructor_of(&datatype, &name)?;
        check_fields(&name, constructor.shape().fields.len(), count, place)?;
        let shape = constructor.shape();
        let fields = shape.fields.iter().map(|field| {
            let ctype = field.datum.as_list().and_then(|parts| parts.get(1));
            (field.name.clone(), ctype.cloned())
        });
        let of = ExportOf::Constructor {
            datatype: datatype.name.clone(),
            name: shape.name.clone(),
            fields: fields.collect(),
        };
        Ok((Some(constructor.number(form.span())), of))
    }

    /// A constructor of lists: `null` or `cons`.
    fn exported_list(
        &mut self,
        name: &Ident,
        count: i64,
        place: Span,
        span: Span,
    ) -> Result<Target> {
        let binding = self.resolve(name)?;
        let (word, fields, of) = if self.is_primitive(binding, "cons") {
            ("pair", 2, ExportOf::Pair)
        } else if name.name.as_str() == "null" {
            ("null", 0, ExportOf::Null)
        } else {
            let message = format!("`{}` is no constructor of `list`", name.name);
            let error = Diagnostic::error(message, name.span);
            return Err(Box::new(
                error.with_note("those are (list null 0) and (list cons 2)"),
            ));
        };
        check_fields(name, fields, count, place)?;
        let word = symbol_datum(&Symbol::new(word), span);
        Ok((Some(Expr::Const(word)), of))
    }

    fn exported_enumeration(&mut self, stx: &Stx, form: &Form<'_>) -> Result<Target> {
        let Some(ident) = stx.as_identifier() else {
            return form.bad_at("the type must be an identifier", stx);
        };
        if let Some(members) = self.foreign_enum(&ident)?.cloned() {
            let (names, numbers): (Vec<_>, Vec<_>) = members.into_iter().unzip();
            let names = self.constants(&ident.name, names, form)?;
            let members = names.into_iter().zip(numbers).collect();
            let name = ident.name;
            return Ok((None, ExportOf::Constants { name, members }));
        }
        let binding = self.resolve(&ident)?;
        let datatype = self.visible_datatype(binding, &ident)?;
        if let Some(shape) = datatype.constructors.iter().find(|c| !c.fields.is_empty()) {
            let message = format!(
                "`{}` is no enumeration: its constructor `{}` has fields",
                datatype.name, shape.name
            );
            return Err(error(message, stx.span()));
        }
        let names = datatype.constructors.iter().map(|shape| shape.name.clone());
        let names: Vec<Symbol> = names.collect();
        let index = Datatype::first(&datatype);
        let first = names[0].clone();
        let constants = self.constants(&datatype.name, names, form)?;
        if constants.iter().any(|name| name.as_str() == "of") {
            let message = format!(
                "`of` of `{}` would have the name of a function",
                datatype.name
            );
            return Err(error(message, stx.span()));
        }
        let of = ExportOf::Enumeration {
            datatype: datatype.name.clone(),
            first,
            constants,
        };
        Ok((Some(index.number(form.span())), of))
    }

    /// What stands behind the prefix in the constants of an enumeration with these members: their names, or what the
    /// form's last parts give in their place.
    fn constants(
        &mut self,
        of: &Symbol,
        mut names: Vec<Symbol>,
        form: &Form<'_>,
    ) -> Result<Vec<Symbol>> {
        let members = names.clone();
        for given in &form.parts[3..] {
            let parts = self.items(given).unwrap_or_default();
            let named = match &parts[..] {
                [member, part] => member.as_identifier().zip(part.as_string()),
                _ => None,
            };
            let Some((ident, part)) = named else {
                return form.bad_at("a name in C is given by (MEMBER \"PART\")", given);
            };
            let Some(i) = members.iter().position(|name| *name == ident.name) else {
                let message = format!("`{}` is no member of `{of}`", ident.name);
                let error = Diagnostic::error(message, ident.span);
                let near = nearest(
                    ident.name.as_str(),
                    members.iter().map(|name| name.as_str()),
                );
                return Err(Box::new(match near {
                    Some(near) => error.with_note(format!("did you mean `{near}`?")),
                    None => error,
                }));
            };
            if !is_part(part) {
                let message = format!("`{part}` is no part of a name in C");
                return Err(error(message, parts[1].span()));
            }
            names[i] = Symbol::new(part);
        }
        let at = form.parts[1].span();
        check_constants(of, &names, at)?;
        let is_second = |(i, name): &(usize, &Symbol)| names[..*i].contains(name);
        if let Some((_, name)) = names.iter().enumerate().find(is_second) {
            let message = format!("two members of `{of}` would be called `{name}` in C");
            return Err(error(message, at));
        }
        Ok(names)
    }

    /// Remembers the members of a C enumeration by its predicate, since its own name is no variable.
    pub(super) fn note_foreign_enum(&mut self, ident: &Ident, members: &[Datum]) {
        let mut next = 0i64;
        let mut numbers = Vec::with_capacity(members.len());
        for member in members {
            let name = match member.as_list() {
                Some([name, number]) => {
                    next = match number.kind {
                        DatumKind::Number(Number::Fixnum(n)) => n,
                        // Its definition will be refused.
                        _ => return,
                    };
                    name.as_symbol()
                }
                _ => member.as_symbol(),
            };
            numbers.extend(name.map(|name| (name.clone(), next)));
            next = next.saturating_add(1);
        }
        let predicate = derived(ident, format!("{}?", ident.name));
        let (name, scopes) = (&predicate.name, predicate.scopes);
        let bound = self.ex.env.peek(name, scopes, &self.ex.scopes);
        if let Resolution::Bound(Binding::Global(id)) = bound {
            self.ex.foreign_enums.insert(id, numbers);
        }
    }

    /// The members of the C enumeration of this name, if one is visible here.
    fn foreign_enum(&mut self, ident: &Ident) -> Result<Option<&Vec<(Symbol, i64)>>> {
        let predicate = derived(ident, format!("{}?", ident.name));
        Ok(match self.resolve(&predicate)? {
            Some(Binding::Global(id)) => self.ex.foreign_enums.get(&id),
            _ => None,
        })
    }

    fn is_primitive(&self, binding: Option<Binding>, name: &str) -> bool {
        matches!(binding, Some(Binding::Primitive(id)) if self.ex.prims.name(id) == name)
    }

    fn visible_datatype(&self, binding: Option<Binding>, ident: &Ident) -> Result<Rc<Datatype>> {
        let known = match binding {
            Some(Binding::Global(id)) => self.ex.datatypes.get(&id),
            _ => None,
        };
        if let Some(datatype) = known {
            return Ok(Rc::clone(datatype));
        }
        let message = format!("`{}` is no datatype that is visible here", ident.name);
        let error = Diagnostic::error(message, ident.span);
        let names = self.ex.datatypes.values().map(|known| known.name.as_str());
        Err(Box::new(match nearest(ident.name.as_str(), names) {
            Some(near) => error.with_note(format!("did you mean `{near}`?")),
            None => error.with_note("a datatype is visible where it is defined or imported"),
        }))
    }

    /// The constructor of this name, which must be visible as one of the datatype's.
    fn constructor_of(&mut self, datatype: &Rc<Datatype>, name: &Ident) -> Result<Rc<Constructor>> {
        let binding = self.resolve(name)?;
        if let Some(constructor) = self.constructor(binding)
            && Rc::ptr_eq(&constructor.datatype, datatype)
        {
            return Ok(constructor);
        }
        let names = || {
            datatype
                .constructors
                .iter()
                .map(|shape| shape.name.as_str())
        };
        let hidden = names().any(|own| own == name.name.as_str());
        let message = match hidden {
            true => format!(
                "the constructor `{}` of `{}` is not visible here",
                name.name, datatype.name
            ),
            false => format!("`{}` is no constructor of `{}`", name.name, datatype.name),
        };
        let error = Diagnostic::error(message, name.span);
        Err(Box::new(match hidden {
            true => error.with_note("its library must export it, and this one import it"),
            false => error.with_note(format!(
                "those are {}",
                names().collect::<Vec<_>>().join(", ")
            )),
        }))
    }
}

fn check_fields(name: &Ident, fields: usize, count: i64, place: Span) -> Result<()> {
    if usize::try_from(count) == Ok(fields) {
        return Ok(());
    }
    let has = match fields {
        0 => "no fields".to_owned(),
        1 => "1 field".to_owned(),
        _ => format!("{fields} fields"),
    };
    Err(error(
        format!("`{}` has {has}, not {count}", name.name),
        place,
    ))
}
