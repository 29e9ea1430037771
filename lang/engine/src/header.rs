//! `bowline header`: what a program exports to C, as a C header of inline functions.
//!
//! The program is expanded and not run. A function asks the runtime for its constructor by name when it is first called, since
//! type ids are given when a program runs; the number `layout` in it makes sure that both mean the same fields.
//!
//! | form | function | variant within a no-GC scope |
//! |---|---|---|
//! | construction | `bl_handle NAME(FIELD …)` | none: it allocates |
//! | deconstruction | `bool NAME(bl_handle, FIELD * …)` | `NAME_raw` |
//! | test | `bool NAME(bl_handle)` | `NAME_raw` |
//! | enumeration | constants; of a datatype also `int PREFIXof(bl_handle)` | none |
//!
//! inv:header.names — a name of the program's ends up as a parameter without an underscore at its end, and what the
//! functions need beside has one.

use std::collections::HashSet;
use std::fmt::Write;
use std::path::Path;

use bowline_ffi::data::{Exported, field_type, layout};
use bowline_ffi::{CType, Repr, TypeExpr, Types};
use bowline_middle::{C_WORDS, Export, ExportKind, ExportOf};
use bowline_syntax::{Datum, DatumKind, Diagnostic, Number, Symbol};

use crate::session::{Session, Stop};

type Result<T> = std::result::Result<T, Box<Diagnostic>>;

/// A field as C sees it.
struct Field {
    /// Its parameter (inv:header.names).
    c_name: String,
    name: String,
    ctype: Option<CType>,
}

impl Field {
    /// What C passes; `raw` says that it is within a no-GC scope.
    fn c_type(&self, raw: bool) -> &'static str {
        match &self.ctype {
            Some(ctype) => c_type(ctype),
            None if raw => "bl_value ",
            None => "bl_handle ",
        }
    }
}

/// How a type of a field is written in C, with the blank before a name.
fn c_type(ctype: &CType) -> &'static str {
    const TYPES: [(CType, &str); 16] = [
        (CType::Char, "char "),
        (CType::SChar, "signed char "),
        (CType::UChar, "unsigned char "),
        (CType::Short, "short "),
        (CType::UShort, "unsigned short "),
        (CType::Int, "int "),
        (CType::UInt, "unsigned int "),
        (CType::Long, "long "),
        (CType::ULong, "unsigned long "),
        (CType::LongLong, "long long "),
        (CType::ULongLong, "unsigned long long "),
        (CType::IntPtrT, "intptr_t "),
        (CType::UIntPtrT, "uintptr_t "),
        (CType::SizeT, "size_t "),
        (CType::SSizeT, "ptrdiff_t "),
        (CType::Pointer, "void *"),
    ];
    if let Some((_, text)) = TYPES.iter().find(|(known, _)| known == ctype) {
        return text;
    }
    match ctype.repr() {
        Repr::Bool => "bool ",
        Repr::Float => "float ",
        Repr::Double => "double ",
        Repr::Signed(1) => "int8_t ",
        Repr::Signed(2) => "int16_t ",
        Repr::Signed(4) => "int32_t ",
        Repr::Signed(_) => "int64_t ",
        Repr::Unsigned(1) => "uint8_t ",
        Repr::Unsigned(2) => "uint16_t ",
        Repr::Unsigned(4) => "uint32_t ",
        Repr::Unsigned(_) => "uint64_t ",
        _ => "void *",
    }
}

/// A type as the program wrote it.
fn type_expr(datum: &Datum) -> Option<TypeExpr> {
    Some(match &datum.kind {
        DatumKind::Symbol(name) => TypeExpr::name(name.as_str()),
        DatumKind::Number(Number::Fixnum(n)) => TypeExpr::Int(*n),
        DatumKind::List(items) => {
            TypeExpr::List(items.iter().map(type_expr).collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

/// The type of a field, or what is wrong with it.
fn parsed(datum: &Datum, types: &mut Types) -> Result<CType> {
    let Some(expr) = type_expr(datum) else {
        let message = format!("unknown type `{datum}`");
        return Err(Box::new(Diagnostic::error(message, datum.span)));
    };
    let ctype = expr.parse(types).and_then(field_type);
    ctype.map_err(|error| Box::new(Diagnostic::error(error.to_string(), datum.span)))
}

/// The name of a parameter for a field (inv:header.names).
fn parameter(name: &str, index: usize, taken: &mut HashSet<String>) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let mut text: String = name.chars().map(letter).collect();
    let digit = text.starts_with(|c: char| c.is_ascii_digit());
    let of_c =
        ["_", "_t"].iter().any(|end| text.ends_with(end)) || text == "memcpy" || text == "NULL";
    if digit
        || of_c
        || C_WORDS.contains(&text.as_str())
        || text.starts_with("bl_")
        || text.starts_with("BL_")
    {
        text = format!("f_{text}{index}");
    }
    while !taken.insert(text.clone()) {
        text = format!("{text}_{index}");
    }
    text
}

fn fields(given: &[(Symbol, Option<Datum>)], types: &mut Types) -> Result<Vec<Field>> {
    let mut taken = HashSet::new();
    let field = |(index, (name, ctype)): (usize, &(Symbol, Option<Datum>))| {
        let ctype = ctype
            .as_ref()
            .map(|datum| parsed(datum, types))
            .transpose()?;
        let name = name.to_string();
        let c_name = parameter(&name, index + 1, &mut taken);
        Ok(Field {
            c_name,
            name,
            ctype,
        })
    };
    given.iter().enumerate().map(field).collect()
}

/// What the functions of an export are written from.
struct Writer<'a> {
    out: &'a mut String,
    export: &'a Export,
    fields: Vec<Field>,
    layout: u64,
}

impl Writer<'_> {
    fn line(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn raw_words(&self) -> usize {
        self.fields
            .iter()
            .filter(|field| field.ctype.is_some())
            .count()
    }

    /// The place of each field among those of its kind.
    fn places(&self) -> Vec<usize> {
        let (mut words, mut handles) = (0, 0);
        let place = |field: &Field| {
            let next = if field.ctype.is_some() {
                &mut words
            } else {
                &mut handles
            };
            *next += 1;
            *next - 1
        };
        self.fields.iter().map(place).collect()
    }

    fn site(&mut self) {
        let (name, layout) = (&self.export.name, self.layout);
        let line = format!(
            "    static bl_constructor constructor_ = {{ \"{name}\", UINT64_C({layout:#018x}), 0 }};"
        );
        self.line(&line);
    }

    /// The variables for the fields, and what is passed for them.
    fn variables(&mut self) -> String {
        let (words, all) = (self.raw_words(), self.fields.len());
        let mut passed = Vec::new();
        for (kind, name, count) in [
            ("uint64_t", "words_", words),
            ("bl_handle", "handles_", all - words),
        ] {
            if count > 0 {
                self.line(&format!("    {kind} {name}[{count}];"));
            }
            passed.push(if count > 0 { name } else { "NULL" });
        }
        passed.join(", ")
    }

    fn construction(&mut self) {
        let parameters = self
            .fields
            .iter()
            .map(|f| format!("{}{}", f.c_type(false), f.c_name));
        let mut parameters = parameters.collect::<Vec<_>>().join(", ");
        if parameters.is_empty() {
            parameters = "void".to_owned();
        }
        let head = format!("static inline bl_handle {}({parameters})", self.export.name);
        self.line(&head);
        self.line("{");
        self.site();
        let passed = self.variables();
        for (i, place) in self.places().into_iter().enumerate() {
            let field = &self.fields[i];
            let name = &field.c_name;
            let line = match &field.ctype {
                None => format!("    handles_[{place}] = {name};"),
                Some(ctype) => match ctype.repr() {
                    Repr::Float | Repr::Double => format!(
                        "    words_[{place}] = 0;\n    memcpy(&words_[{place}], &{name}, sizeof {name});"
                    ),
                    Repr::Signed(_) => format!("    words_[{place}] = (uint64_t)(int64_t){name};"),
                    Repr::Pointer => format!("    words_[{place}] = (uint64_t)(uintptr_t){name};"),
                    _ => format!("    words_[{place}] = (uint64_t){name};"),
                },
            };
            self.line(&line);
        }
        self.line(&format!(
            "    return bl_data_make(&constructor_, {passed});"
        ));
        self.line("}");
    }

    /// Stores a field whose word, or value, is `from`.
    fn store(&mut self, index: usize, from: &str) {
        let field = &self.fields[index];
        let name = &field.c_name;
        let line = match &field.ctype {
            None => format!("    *{name} = {from};"),
            Some(ctype) => match ctype.repr() {
                Repr::Float | Repr::Double => {
                    format!("    memcpy({name}, &{from}, sizeof *{name});")
                }
                Repr::Bool => format!("    *{name} = ({from} & 255) != 0;"),
                Repr::Pointer => format!("    *{name} = (void *)(uintptr_t){from};"),
                _ => format!("    *{name} = ({}){from};", c_type(ctype).trim_end()),
            },
        };
        self.line(&line);
    }

    fn results(&self, raw: bool) -> String {
        let result = |f: &Field| format!(", {}*{}", f.c_type(raw), f.c_name);
        self.fields.iter().map(result).collect()
    }

    fn deconstruction(&mut self) {
        let (name, results) = (self.export.name.clone(), self.results(false));
        self.line(&format!(
            "static inline bool {name}(bl_handle data_{results})"
        ));
        self.line("{");
        self.site();
        let passed = self.variables();
        self.line(&format!(
            "    if (!bl_data_get(&constructor_, data_, {passed})) return false;"
        ));
        for (i, place) in self.places().into_iter().enumerate() {
            let typed = self.fields[i].ctype.is_some();
            let from = if typed { "words_" } else { "handles_" };
            self.store(i, &format!("{from}[{place}]"));
        }
        self.line("    return true;\n}");
        let results = self.results(true);
        self.raw_head(&results);
        let words = self.raw_words();
        for (i, place) in self.places().into_iter().enumerate() {
            let from = match (&self.export.of, self.fields[i].ctype.is_some()) {
                (ExportOf::Pair, _) if place == 0 => "bl_car(data_)".to_owned(),
                (ExportOf::Pair, _) => "bl_cdr(data_)".to_owned(),
                (_, true) => format!("bl_word_address(data_, {})[0]", 1 + place),
                (_, false) => format!("bl_word_address(data_, {})[0]", 1 + words + place),
            };
            self.store(i, &from);
        }
        self.line("    return true;\n}");
    }

    /// The head of a variant for a no-GC scope, up to where the constructor has made the value.
    fn raw_head(&mut self, results: &str) {
        let name = self.export.name.clone();
        let head = "static inline bool";
        self.line(&format!(
            "{head} {name}_raw(const bl_nogc *scope_, bl_value data_{results})"
        ));
        self.line("{");
        let of = match self.export.of {
            ExportOf::Null => "data_ == BL_NIL",
            ExportOf::Pair => "bl_is_pair(data_)",
            _ => {
                self.site();
                self.line("    if (constructor_.header == 0 && bl_constructor_find(&constructor_) != BL_OK) return false;");
                "bl_is_made(&constructor_, data_)"
            }
        };
        self.line("    (void)scope_;");
        self.line(&format!("    if (!({of})) return false;"));
    }

    fn test(&mut self) {
        let name = self.export.name.clone();
        self.line(&format!("static inline bool {name}(bl_handle data_)"));
        self.line("{");
        self.site();
        self.line("    return bl_data_is(&constructor_, data_);\n}");
        self.raw_head("");
        self.line("    return true;\n}");
    }

    fn constants<'n>(&mut self, constants: impl Iterator<Item = (&'n Symbol, i64)>) {
        let prefix = &self.export.name;
        let lines = constants.map(|(name, n)| format!("    {prefix}{name} = {n}"));
        let lines = lines.collect::<Vec<_>>().join(",\n");
        self.line(&format!("enum {{\n{lines}\n}};"));
    }

    fn enumeration(&mut self, names: &[Symbol]) {
        let prefix = self.export.name.clone();
        self.constants(names.iter().zip(0..));
        let count = names.len();
        self.line(
            "/* Which of them a value is; -1, with another status than BL_OK, if it is none. */",
        );
        self.line(&format!("static inline int {prefix}of(bl_handle data_)"));
        self.line("{");
        self.site();
        self.line("    uint32_t index_;");
        self.line(&format!(
            "    return bl_data_index(&constructor_, {count}, data_, &index_) == BL_OK ? (int)index_ : -1;"
        ));
        self.line("}");
    }
}

/// What an export is, in the words of the program.
fn comment(export: &Export) -> String {
    let what = match &export.of {
        ExportOf::Constructor {
            datatype,
            name,
            fields,
        } => {
            let fields = fields.iter().map(|(name, ctype)| match ctype {
                Some(ctype) => format!(" ({name} {ctype})"),
                None => format!(" {name}"),
            });
            format!("({name}{}) of {datatype}", fields.collect::<String>())
        }
        ExportOf::Enumeration { datatype, .. } => format!("the constructors of {datatype}"),
        ExportOf::Constants { name, .. } => format!("the members of {name}"),
        ExportOf::Null => "the empty list".to_owned(),
        ExportOf::Pair => "a pair of a list".to_owned(),
    };
    let text = match export.kind {
        ExportKind::Construction => {
            format!("Makes {what}. Like all that allocates it is refused within a no-GC scope.")
        }
        ExportKind::Deconstruction => {
            format!("Whether it is {what}; its fields if so, otherwise they are left alone.")
        }
        ExportKind::Test => format!("Whether it is {what}."),
        ExportKind::Enumeration => format!("Constants for {what}."),
    };
    // A name of the program's may have anything in it.
    format!("/* {} */", text.replace("*/", "* /"))
}

/// Writes the functions of an export.
fn write(export: &Export, types: &mut Types, out: &mut String) -> Result<()> {
    let pair = ["first", "rest"].map(|name| (Symbol::new(name), None));
    let (fields, layout) = match &export.of {
        ExportOf::Constructor {
            datatype,
            name,
            fields: given,
        } => {
            let fields = fields(given, types)?;
            let known = fields.iter().map(|f| (f.name.as_str(), f.ctype.as_ref()));
            let layout = layout(datatype.as_str(), name.as_str(), known);
            (fields, layout)
        }
        ExportOf::Enumeration {
            datatype,
            constructors,
        } => {
            let first = constructors.first().map_or("", |name| name.as_str());
            (Vec::new(), layout(datatype.as_str(), first, []))
        }
        ExportOf::Null | ExportOf::Constants { .. } => (Vec::new(), Exported::OF_LISTS),
        ExportOf::Pair => (fields(&pair, types)?, Exported::OF_LISTS),
    };
    let mut writer = Writer {
        out,
        export,
        fields,
        layout,
    };
    writer.line("");
    writer.line(&comment(export));
    match (export.kind, &export.of) {
        (ExportKind::Construction, _) => writer.construction(),
        (ExportKind::Deconstruction, _) => writer.deconstruction(),
        (ExportKind::Test, _) => writer.test(),
        (ExportKind::Enumeration, ExportOf::Enumeration { constructors, .. }) => {
            writer.enumeration(constructors);
        }
        (ExportKind::Enumeration, ExportOf::Constants { members, .. }) => {
            writer.constants(members.iter().map(|(name, n)| (name, *n)));
        }
        (ExportKind::Enumeration, _) => {}
    }
    Ok(())
}

/// The name of a header's guard, by the program's file.
fn guard(file: &Path) -> String {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let letter = |c: char| match c.is_ascii_alphanumeric() {
        true => c.to_ascii_uppercase(),
        false => '_',
    };
    format!("BOWLINE_{}_H", stem.chars().map(letter).collect::<String>())
}

impl Session {
    /// The C header of what the program in a file exports; or the status to exit with, when the program is refused.
    pub fn header_file(&mut self, file: &Path) -> std::result::Result<String, i32> {
        self.try_header(file).map_err(|Stop(status)| status)
    }

    fn try_header(&mut self, file: &Path) -> std::result::Result<String, Stop> {
        let guard = guard(file);
        let mut out = format!(
            "/* What a program gives to C, written by `bowline header`; it is not meant to be changed. */\n\
             #ifndef {guard}\n#define {guard}\n\n#include \"bowline.h\"\n\n\
             #ifdef __cplusplus\nextern \"C\" {{\n#endif\n"
        );
        let (mut types, mut wrong) = (Types::default(), Vec::new());
        for unit in self.expand_file(file)? {
            for export in &unit.exports {
                wrong.extend(
                    write(export, &mut types, &mut out)
                        .err()
                        .map(|error| *error),
                );
            }
        }
        if !wrong.is_empty() {
            return Err(self.refuse(&wrong));
        }
        let _ = write!(out, "\n#ifdef __cplusplus\n}}\n#endif\n\n#endif\n");
        Ok(out)
    }
}
