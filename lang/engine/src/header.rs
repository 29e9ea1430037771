//! `bowline header`: what a program, or a library, exports to C, as a C header of inline functions.
//!
//! The program is expanded and not run. A function asks the runtime for its constructor by name when it is first called, since
//! type ids are given when a program runs; the number `layout` in it makes sure that both mean the same fields. A procedure is found
//! in the same way, and its types are compared.
//!
//! | form | function | variant within a no-GC scope |
//! |---|---|---|
//! | procedure | `RESULT NAME(TYPE …)` | none: no procedure runs there |
//! | construction | `bl_handle NAME(FIELD …)` | none: it allocates |
//! | deconstruction | `bool NAME(bl_handle, FIELD * …)` | `NAME_raw` |
//! | the same for handles that are there | `bool NAME_assign(bl_handle, FIELD * or bl_handle …)` | |
//! | test | `bool NAME(bl_handle)` | `NAME_raw` |
//! | enumeration | constants; of a datatype also `int PREFIXof(bl_handle)` | none |
//!
//! Absent on purpose: how types are written, which `header_types` says.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;

use bowline_ffi::data::{Exported, layout};
use bowline_ffi::{CType, Types, exported};
use bowline_middle::{Export, ExportKind, ExportOf};
use bowline_syntax::Symbol;

use crate::dump_ffi::Declarations;
use crate::exported::{comment, pair, purpose};
use crate::header_types::{self, Field, Result, c_type, fields, signature};
use crate::session::{Session, Stop};

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

    /// What a function keeps of its constructor or procedure.
    fn site_of(&mut self, what: &str) {
        let (name, layout) = (&self.export.name, self.layout);
        let line = format!(
            "    static bl_{what} {what}_ = {{ \"{name}\", UINT64_C({layout:#018x}), 0 }};"
        );
        self.line(&line);
    }

    fn site(&mut self) {
        self.site_of("constructor");
    }

    /// The parameters of a function that takes the fields.
    fn parameters(&self) -> String {
        let parameters = self.fields.iter();
        let parameters = parameters.map(|f| format!("{}{}", f.c_type(false), f.c_name));
        match &parameters.collect::<Vec<_>>()[..] {
            [] => "void".to_owned(),
            some => some.join(", "),
        }
    }

    fn procedure(&mut self, result: &CType) {
        let (name, parameters) = (self.export.name.clone(), self.parameters());
        let of = c_type(result);
        self.line(&format!("static inline {of}{name}({parameters})\n{{"));
        self.site_of("procedure");
        let words = match self.fields.len() {
            0 => "NULL",
            count => {
                self.line(&format!("    uint64_t words_[{count}];"));
                "words_"
            }
        };
        for (i, field) in self.fields.iter().enumerate() {
            let ctype = field.ctype.as_ref().unwrap_or(&CType::Handle);
            let line = header_types::to_word(ctype, &field.c_name, &format!("words_[{i}]"));
            self.out.push_str(&format!("    {line}\n"));
        }
        if *result == CType::Void {
            self.line(&format!(
                "    (void)bl_procedure_call(&procedure_, {words}, NULL);\n}}"
            ));
            return;
        }
        self.line("    uint64_t word_ = 0;");
        self.line(&format!(
            "    (void)bl_procedure_call(&procedure_, {words}, &word_);"
        ));
        if let Some(value) = header_types::word_value(result, "word_") {
            self.line(&format!("    return {value};\n}}"));
            return;
        }
        self.line(&format!("    {of}result_;"));
        let line = header_types::from_word(result, "result_", "word_");
        self.line(&format!("    {line}\n    return result_;\n}}"));
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
        let parameters = self.parameters();
        let head = format!("static inline bl_handle {}({parameters})", self.export.name);
        self.line(&head);
        self.line("{");
        self.site();
        let passed = self.variables();
        for (i, place) in self.places().into_iter().enumerate() {
            let field = &self.fields[i];
            let name = &field.c_name;
            let line = match &field.ctype {
                None => format!("handles_[{place}] = {name};"),
                Some(ctype) => header_types::to_word(ctype, name, &format!("words_[{place}]")),
            };
            let line = format!("    {line}");
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
            None => format!("*{name} = {from};"),
            Some(ctype) => header_types::from_word(ctype, &format!("*{name}"), from),
        };
        let line = format!("    {line}");
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
        if self.fields.len() > self.raw_words() {
            self.assignment();
        }
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

    /// The variant of a deconstruction whose handles are there already.
    fn assignment(&mut self) {
        let name = self.export.name.clone();
        let result = |f: &Field| {
            let to = if f.ctype.is_some() { "*" } else { "" };
            format!(", {}{to}{}", f.c_type(false), f.c_name)
        };
        let results: String = self.fields.iter().map(result).collect();
        self.line(&format!(
            "static inline bool {name}_assign(bl_handle data_{results})\n{{"
        ));
        self.site();
        let passed = self.variables();
        let places = self.places();
        for (field, place) in self.fields.iter().zip(&places) {
            if field.ctype.is_none() {
                let line = format!("    handles_[{place}] = {};\n", field.c_name);
                self.out.push_str(&line);
            }
        }
        self.line(&format!(
            "    if (!bl_data_assign(&constructor_, data_, {passed})) return false;"
        ));
        for (i, place) in places.into_iter().enumerate() {
            if self.fields[i].ctype.is_some() {
                self.store(i, &format!("words_[{place}]"));
            }
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
        let prefix = self.export.name.clone();
        // An enumerator of C's is an `int`.
        let (words, lines): (Vec<_>, Vec<_>) = constants.partition(|(_, n)| *n > i32::MAX.into());
        let lines = lines
            .iter()
            .map(|(name, n)| format!("    {prefix}{name} = {n}"));
        let lines = lines.collect::<Vec<_>>().join(",\n");
        if !lines.is_empty() {
            self.line(&format!("enum {{\n{lines}\n}};"));
        }
        for (name, n) in words {
            self.line(&format!("#define {prefix}{name} UINT32_C({n})"));
        }
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

/// Writes the functions of an export, which is one of `all`.
fn write(export: &Export, all: &[Export], types: &mut Types, out: &mut String) -> Result<()> {
    let mut result_type = CType::Void;
    let (fields, layout) = match &export.of {
        ExportOf::Procedure { params, result, .. } => {
            let (fields, result) = signature(params, result, types)?;
            let params: Vec<CType> = fields.iter().filter_map(|f| f.ctype.clone()).collect();
            let layout = exported::layout(&params, &result);
            result_type = result;
            (fields, layout)
        }
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
            datatype, first, ..
        } => (Vec::new(), layout(datatype.as_str(), first.as_str(), [])),
        ExportOf::Null | ExportOf::Constants { .. } => (Vec::new(), Exported::OF_LISTS),
        ExportOf::Pair => (fields(&pair(), types)?, Exported::OF_LISTS),
    };
    let mut writer = Writer {
        out,
        export,
        fields,
        layout,
    };
    writer.line("");
    writer.line(&comment(&purpose(export, all)));
    match (export.kind, &export.of) {
        (ExportKind::Procedure, _) => writer.procedure(&result_type),
        (ExportKind::Construction, _) => writer.construction(),
        (ExportKind::Deconstruction, _) => writer.deconstruction(),
        (ExportKind::Test, _) => writer.test(),
        (ExportKind::Enumeration, ExportOf::Enumeration { constants, .. }) => {
            writer.enumeration(constants);
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
        let mut before: Vec<Export> = Vec::new();
        // A library's, too: C is compiled for it, whoever imports it.
        for mut unit in self.expand_whole(file)? {
            Declarations {
                prims: self.expander.primitives(),
                globals: self.expander.globals(),
                sources: &self.loader.sources.borrow(),
                types: &mut types,
                out: String::new(),
                exports: Vec::new(),
                functions: HashMap::new(),
            }
            .unit(&mut unit);
            for export in &unit.exports {
                // Within a unit its expansion has looked.
                let twice = export.collision(&before, export.span);
                let written = write(export, &unit.exports, &mut types, &mut out);
                wrong.extend(twice.or(written.err()).map(|error| *error));
            }
            before.append(&mut unit.exports);
        }
        if !wrong.is_empty() {
            return Err(self.refuse(&wrong));
        }
        let _ = write!(out, "\n#ifdef __cplusplus\n}}\n#endif\n\n#endif\n");
        Ok(out)
    }
}
