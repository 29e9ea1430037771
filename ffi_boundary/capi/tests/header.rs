//! `include/bowline.h` against what this crate has: every prototype, every number, and that each function says what
//! it may do; and against compilers of C and C++.

use bowline_layout::{Flags, Header, Shape, Tag, TypeId, Value};
use bowline_layout::{bytevector_view, flonum, foreign_pointer, string, type_id};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

const HEADER: &str = include_str!("../include/bowline.h");
const EXPORTS: &str = include_str!("../exports.txt");
const SOURCES: [&str; 10] = [
    include_str!("../src/call.rs"),
    include_str!("../src/data.rs"),
    include_str!("../src/edge.rs"),
    include_str!("../src/from.rs"),
    include_str!("../src/handles.rs"),
    include_str!("../src/raise.rs"),
    include_str!("../src/raw.rs"),
    include_str!("../src/status.rs"),
    include_str!("../src/tables.rs"),
    include_str!("../src/to.rs"),
];

/// What a type of Rust is in C. The status comes from C as a number, for C may pass any.
const TYPES: [(&str, &[&str]); 19] = [
    ("bool", &["bool"]),
    ("f64", &["double"]),
    ("i64", &["int64_t"]),
    ("u32", &["uint32_t", "bl_status"]),
    ("u64", &["bl_value"]),
    ("usize", &["size_t"]),
    ("BlHandle", &["bl_handle"]),
    ("BlScope", &["bl_scope"]),
    ("Status", &["bl_status"]),
    ("*const c_char", &["const char *"]),
    ("*const c_void", &["const void *"]),
    ("*const BlHandle", &["const bl_handle *"]),
    ("*const BlNogc", &["const bl_nogc *"]),
    ("*mut BlHandle", &["bl_handle *"]),
    ("*mut BlNogc", &["bl_nogc *"]),
    ("*mut bool", &["bool *"]),
    ("*mut f64", &["double *"]),
    ("*mut i64", &["int64_t *"]),
    ("*mut usize", &["size_t *"]),
];
const MORE_TYPES: [(&str, &[&str]); 8] = [
    ("*const u64", &["const uint64_t *"]),
    ("*mut u32", &["uint32_t *"]),
    ("*mut u64", &["uint64_t *"]),
    ("*mut BlProcedure", &["bl_procedure *"]),
    ("*mut BlConstructor", &["bl_constructor *"]),
    ("*const TableEntry", &["const bl_function *"]),
    ("*mut c_void", &["void *"]),
    ("*mut *mut c_void", &["void **"]),
];

/// A function: its result and its parameters, as types of the language it is written in.
type Prototype = (String, Vec<String>);

/// A text on one line, with one blank between words.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The header without its comments and what is the preprocessor's.
fn code() -> String {
    let mut rest = HEADER;
    let mut code = String::new();
    while let Some((before, comment)) = rest.split_once("/*") {
        code += before;
        rest = comment.split_once("*/").expect("comments end").1;
    }
    code += rest;
    let lines = code.lines().filter(|line| !line.starts_with('#'));
    lines.collect::<Vec<_>>().join("\n")
}

/// A parameter without its name, or a result before the function's: "const char *text" is "const char *".
fn without_name(parameter: &str) -> String {
    let end = parameter
        .rfind(|c: char| !c.is_alphanumeric() && c != '_')
        .expect("a type and a name");
    parameter[..=end].trim().to_owned()
}

fn prototypes() -> BTreeMap<String, Prototype> {
    let code = code();
    let declared = code.split_inclusive([';', '}', '{']).filter(|s| {
        let s = s.trim_end();
        s.ends_with(");") && s.contains("bl_") && !s.contains("return") && !s.contains("memcpy")
    });
    let declared = declared.map(|declaration| {
        let declaration = words(declaration.trim_end().trim_end_matches(");"));
        let (head, parameters) = declaration.split_once('(').expect("parameters");
        let result = without_name(head);
        let name = head.rsplit([' ', '*']).next().expect("a name").to_owned();
        let parameters = parameters.split(", ").filter(|p| *p != "void");
        (name, (result, parameters.map(without_name).collect()))
    });
    declared.collect()
}

fn functions() -> BTreeMap<String, Prototype> {
    let mut found = BTreeMap::new();
    for source in SOURCES {
        for text in source.split("extern \"C\" fn ").skip(1) {
            let (head, _) = text.split_once(" {").expect("a body");
            let head = words(head);
            let (name, rest) = head.split_once('(').expect("parameters");
            let (parameters, result) = rest.rsplit_once(") -> ").expect("a result");
            let parameters = parameters.split(", ").filter_map(|p| p.split_once(": "));
            let parameters = parameters.map(|(_, t)| t.trim_end_matches(',').to_owned());
            found.insert(name.to_owned(), (result.to_owned(), parameters.collect()));
        }
    }
    found
}

fn agree(rust: &str, c: &str) -> bool {
    let mut types = TYPES.iter().chain(&MORE_TYPES);
    types.any(|(known, names)| *known == rust && names.contains(&c))
}

#[test]
fn every_prototype_is_the_functions() {
    let (header, rust) = (prototypes(), functions());
    let listed: Vec<&str> = EXPORTS.lines().collect();
    assert!(header.len() > 30, "the header was not understood");
    assert_eq!(header.keys().collect::<Vec<_>>(), listed);
    assert_eq!(rust.keys().collect::<Vec<_>>(), listed);
    for (name, (result, parameters)) in &header {
        let (rust_result, rust_parameters) = &rust[name];
        assert!(
            agree(rust_result, result),
            "{name}: {rust_result} is not {result}"
        );
        assert_eq!(parameters.len(), rust_parameters.len(), "{name}");
        for (c, rust) in parameters.iter().zip(rust_parameters) {
            assert!(agree(rust, c), "{name}: {rust} is not {c}");
        }
    }
}

/// Where a function is declared.
fn declaration(name: &str) -> usize {
    let start = format!("{name}(");
    let beginning = HEADER.find("#ifndef").expect("a guard");
    let places = HEADER.match_indices(&start).map(|(at, _)| at);
    let mut places = places.filter(|at| *at > beginning && !HEADER[..*at].ends_with("return "));
    places
        .find(|at| {
            HEADER[*at..]
                .split_once(';')
                .is_some_and(|(p, _)| p.ends_with(')'))
        })
        .expect("it is declared")
}

#[test]
fn every_function_says_what_it_may_do() {
    for name in EXPORTS.lines() {
        let at = declaration(name);
        let line = HEADER[at..].split_once('\n').expect("a line").0;
        // Behind it, or in the comment before it.
        let (before, _) = HEADER[..at].rsplit_once("*/").expect("a comment");
        let (_, comment) = before.rsplit_once("/*").expect("a comment");
        let comment = if line.contains("/*") { line } else { comment };
        for tags in [
            &["[call]", "[any]"][..],
            &["[allocates]", "[waits]", "[plain]"],
        ] {
            let says = tags.iter().filter(|tag| comment.contains(*tag)).count();
            assert_eq!(says, 1, "{name} must say one of {tags:?}: {comment}");
        }
    }
}

fn constants() -> BTreeMap<&'static str, u64> {
    let defined = HEADER.lines().filter_map(|line| {
        let mut words = line.strip_prefix("#define BL_")?.split_whitespace();
        Some((words.next()?, words.next()?.parse().ok()?))
    });
    defined.collect()
}

#[test]
fn every_number_is_the_layouts() {
    let of = |v: Value| v.bits();
    let id = |id: TypeId| u64::from(id.0);
    let fixnum_shift = u64::from(Value::fixnum(1).bits().trailing_zeros());
    let header = Header::new(Shape::Bytes, TypeId(1), 0);
    let base = Header::new(Shape::Bytes, TypeId(0), 0);
    let type_shift = u64::from((header.bits() ^ base.bits()).trailing_zeros());
    let long = Header::new(Shape::Bytes, TypeId(0), 1);
    let length_shift = u64::from((long.bits() ^ base.bits()).trailing_zeros());
    let expected: BTreeMap<&str, u64> = [
        ("VERSION_MAJOR", u64::from(bowline_capi::bl_version() >> 16)),
        (
            "VERSION_MINOR",
            u64::from(bowline_capi::bl_version() & 0xffff),
        ),
        (
            "TAG_MASK",
            !(Value::from_bits(u64::MAX).addr().raw() as u64),
        ),
        ("TAG_PAIR", Tag::Pair as u64),
        ("TAG_OBJECT", Tag::Object as u64),
        ("TAG_PROCEDURE", Tag::Procedure as u64),
        ("FIXNUM_SHIFT", fixnum_shift),
        ("FALSE", of(Value::FALSE)),
        ("TRUE", of(Value::TRUE)),
        ("NIL", of(Value::NIL)),
        ("EOF", of(Value::EOF)),
        ("UNSPECIFIED", of(Value::UNSPECIFIED)),
        ("BROKEN", of(Value::BROKEN)),
        ("CHAR_BYTE", of(Value::char('\0'))),
        (
            "CHAR_SHIFT",
            u64::from((of(Value::char('\u{1}')) ^ of(Value::char('\0'))).trailing_zeros()),
        ),
        (
            "HEADER_FLAGS",
            header.with_flags(Flags(0xf)).bits() ^ header.bits(),
        ),
        ("HEADER_TYPE_SHIFT", type_shift),
        ("HEADER_TYPE_MASK", u64::from(u16::MAX)),
        ("HEADER_LENGTH_SHIFT", length_shift),
        ("TYPE_STRING", id(type_id::STRING)),
        ("TYPE_BYTEVECTOR", id(type_id::BYTEVECTOR)),
        ("TYPE_FLONUM", id(type_id::FLONUM)),
        ("TYPE_FOREIGN_POINTER", id(type_id::FOREIGN_POINTER)),
        ("TYPE_BYTEVECTOR_VIEW", id(type_id::BYTEVECTOR_VIEW)),
        // The language's own; a trial of the whole command reads a vector by it.
        ("TYPE_VECTOR", 17),
        ("PAIR_CAR", 0),
        ("PAIR_CDR", 1),
        ("VECTOR_FIRST", 1),
        ("STRING_LENGTHS", string::LENGTHS as u64),
        ("STRING_BODY", string::BODY as u64),
        ("BYTES_FIRST", 1),
        ("VIEW_START", bytevector_view::START as u64),
        ("VIEW_LENGTH", bytevector_view::LENGTH as u64),
        ("FLONUM_BITS", flonum::BITS as u64),
        ("FOREIGN_POINTER_ADDRESS", foreign_pointer::POINTER as u64),
    ]
    .into();
    assert_eq!(constants(), expected);
}

#[test]
fn every_status_has_its_number() {
    let (_, list) = HEADER
        .split_once("typedef enum bl_status {")
        .expect("the statuses");
    let (list, _) = list.split_once("} bl_status;").expect("their end");
    let mut count = 0;
    for line in list.lines().filter(|line| line.contains('=')) {
        let (name, rest) = line.split_once('=').expect("a number");
        let digits: String = rest
            .trim()
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        let number: u32 = digits.parse().expect("a number");
        assert_eq!(number, count, "statuses count on");
        // SAFETY: a constant text.
        let known = unsafe { std::ffi::CStr::from_ptr(bowline_capi::bl_status_name(number)) };
        assert_eq!(known.to_str(), Ok(name.trim()));
        count += 1;
    }
    // SAFETY: a constant text.
    let beyond = unsafe { std::ffi::CStr::from_ptr(bowline_capi::bl_status_name(count)) };
    assert_eq!(beyond, c"BL_E_?", "the header lacks a status");
}

#[test]
fn it_is_c11_and_cpp17() {
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("include");
    for (compiler, language, standard) in [("cc", "c", "-std=c11"), ("c++", "c++", "-std=c++17")] {
        let output = Command::new(compiler)
            .args([
                "-x",
                language,
                standard,
                "-Wall",
                "-Wextra",
                "-Wconversion",
                "-pedantic",
            ])
            .args(["-Werror", "-fsyntax-only", "-I"])
            .arg(&include)
            .args(["-include", "bowline.h", "/dev/null"])
            .output()
            .expect("a compiler is installed");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{compiler} {standard}:\n{text}");
    }
}
