//! C's layout (`inv:aggregate.layout`) against a C compiler: sizes, alignments, offsets of many structs.
//!
//! The shapes are made up by a generator with a fixed seed: fields of every type, arrays of one to three
//! dimensions, structs inside of structs. The compiler says what it makes of the same shapes in a program
//! that prints them.

use bowline_ffi::{CType, StructType, TypeExpr, Types};
use std::fmt::Write;
use std::process::Command;
use std::sync::Arc;

/// Every type that can stand in memory, with its name in C.
const SCALARS: &[(&str, &str)] = &[
    ("bool", "_Bool"),
    ("char", "char"),
    ("schar", "signed char"),
    ("uchar", "unsigned char"),
    ("int8", "int8_t"),
    ("uint8", "uint8_t"),
    ("int16", "int16_t"),
    ("uint16", "uint16_t"),
    ("int32", "int32_t"),
    ("uint32", "uint32_t"),
    ("int64", "int64_t"),
    ("uint64", "uint64_t"),
    ("short", "short"),
    ("ushort", "unsigned short"),
    ("int", "int"),
    ("uint", "unsigned int"),
    ("long", "long"),
    ("ulong", "unsigned long"),
    ("longlong", "long long"),
    ("ulonglong", "unsigned long long"),
    ("intptr_t", "intptr_t"),
    ("uintptr_t", "uintptr_t"),
    ("size_t", "size_t"),
    ("ssize_t", "ssize_t"),
    ("float", "float"),
    ("double", "double"),
    ("pointer", "void *"),
    ("string", "char *"),
];

const STRUCTS: usize = 300;

/// Numbers that look random and are always the same.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % limit
    }
}

/// A type as a program of ours writes it, and a declaration of `name` as C does.
fn any_type(numbers: &mut Numbers, structs: usize, name: &str) -> (TypeExpr, String) {
    let list = |head: &str, rest: Vec<TypeExpr>| {
        let head = std::iter::once(TypeExpr::name(head));
        TypeExpr::List(head.chain(rest).collect())
    };
    match numbers.below(10) {
        0 | 1 => {
            let count = numbers.below(5) + 1;
            let (element, declaration) = any_type(numbers, structs, &format!("{name}[{count}]"));
            let count = TypeExpr::Int(count as i64);
            (list("array", vec![element, count]), declaration)
        }
        2 | 3 if structs > 0 => {
            let other = format!("s{}", numbers.below(structs));
            let expr = list("struct", vec![TypeExpr::name(&other)]);
            (expr, format!("struct {other} {name}"))
        }
        4 => {
            let target = list("struct", vec![TypeExpr::name("unknown")]);
            let expr = list("pointer", vec![target]);
            (expr, format!("struct unknown *{name}"))
        }
        _ => {
            let (ours, theirs) = SCALARS[numbers.below(SCALARS.len())];
            (TypeExpr::name(ours), format!("{theirs} {name}"))
        }
    }
}

fn structs(types: &mut Types, c: &mut String) -> Vec<Arc<StructType>> {
    let mut numbers = Numbers(20_260_000);
    let mut made = Vec::new();
    for i in 0..STRUCTS {
        let mut fields = Vec::new();
        writeln!(c, "struct s{i} {{").expect("a string takes it");
        for j in 0..=numbers.below(9) {
            let (expr, declaration) = any_type(&mut numbers, i, &format!("f{j}"));
            writeln!(c, "    {declaration};").expect("a string takes it");
            fields.push((format!("f{j}"), expr));
        }
        c.push_str("};\n");
        made.push(
            types
                .define(&format!("s{i}"), &fields, false)
                .expect("a definition"),
        );
    }
    made
}

/// What the compiler says, a line for each struct.
fn compiled(source: &str) -> String {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join(format!("layout-{}", std::process::id()));
    let file = path.with_extension("c");
    std::fs::write(&file, source).expect("can be written");
    let status = Command::new("cc")
        .args([
            "-std=c11",
            "-D_GNU_SOURCE",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-o",
        ])
        .args([&path, &file])
        .status()
        .expect("a C compiler is installed");
    assert!(status.success(), "{}", file.display());
    let output = Command::new(&path).output().expect("it runs");
    let _ = std::fs::remove_file(&path);
    let _ = std::fs::remove_file(&file);
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn layouts_are_those_of_the_compiler() {
    let mut c = String::from(
        "#include <stddef.h>\n#include <stdint.h>\n#include <stdio.h>\n#include <sys/types.h>\n",
    );
    let mut types = Types::default();
    let made = structs(&mut types, &mut c);
    c.push_str("int main(void)\n{\n");
    let mut expected = String::new();
    for (ours, theirs) in SCALARS {
        let ctype = TypeExpr::name(ours).parse(&mut types).expect("a type");
        let size = ctype.size().expect("it has one");
        writeln!(expected, "{ours} {size} {}", ctype.align()).expect("a string takes it");
        writeln!(
            c,
            "    printf(\"{ours} %zu %zu\\n\", sizeof({theirs}), _Alignof({theirs}));"
        )
        .expect("a string takes it");
    }
    for structure in &made {
        let name = structure.name();
        let layout = structure.layout().expect("it is defined");
        write!(expected, "{name} {} {}", layout.size, layout.align).expect("a string takes it");
        writeln!(
            c,
            "    printf(\"{name} %zu %zu\", sizeof(struct {name}), _Alignof(struct {name}));"
        )
        .expect("a string takes it");
        for field in &layout.fields {
            write!(expected, " {}", field.offset).expect("a string takes it");
            writeln!(
                c,
                "    printf(\" %zu\", offsetof(struct {name}, {}));",
                field.name
            )
            .expect("a string takes it");
        }
        expected.push('\n');
        c.push_str("    puts(\"\");\n");
    }
    c.push_str("    return 0;\n}\n");
    assert_eq!(compiled(&c), expected);
}

#[test]
fn every_scalar_was_compared() {
    let compared: Vec<_> = SCALARS.iter().map(|(name, _)| *name).collect();
    for (name, ctype) in CType::NAMED {
        let in_memory = !matches!(
            ctype,
            CType::Void | CType::Bytevector | CType::Handle | CType::Env
        );
        assert_eq!(compared.contains(name), in_memory, "{name}");
    }
}
