//! The reference against the library: the names that are exported, and what they are.
//!
//! Absent on purpose: arities and examples, which need a heap; `tests/tests/docs` has them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bowline_engine::reference::{self, Entry, Kind};
use bowline_middle::{Expander, InlineOp, PrimitiveInfo, ReplEnv, SourceLoader};
use bowline_syntax::{Datum, SourceId, SourceMap, read_all};

/// Libraries that only others of ours are made of.
const INTERNAL: [&str; 2] = ["(bowline core)", "(bowline support)"];

/// Reads the libraries from where their sources are.
#[derive(Default)]
struct Sources(SourceMap);

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scheme")
}

impl SourceLoader for Sources {
    fn library(&mut self, name: &[String]) -> Option<(SourceId, String)> {
        let file = folder().join(name.join("/")).with_extension("sld");
        let text = std::fs::read_to_string(file).ok()?;
        Some((self.0.add(&name.join(" "), text.as_str()), text))
    }

    fn include(&mut self, path: &str, _: SourceId) -> Result<(SourceId, String), String> {
        Err(format!("no library includes a file such as {path}"))
    }
}

fn expander() -> Expander {
    let info = |primitive: bowline_runtime::Primitive| PrimitiveInfo {
        name: primitive.name,
        min_args: primitive.min,
        max_args: primitive.max,
        inline: InlineOp::by_name(primitive.name),
        control: false,
    };
    let primitives = bowline_runtime::primitives();
    Expander::new(primitives.into_iter().map(info).collect())
}

/// The public libraries.
fn libraries() -> Vec<String> {
    let mut names = Vec::new();
    for group in ["scheme", "bowline"] {
        for entry in std::fs::read_dir(folder().join(group)).expect("the sources can be listed") {
            let path = entry.expect("an entry can be read").path();
            let name = path.file_stem().expect("a file has a name");
            names.push(format!("({group} {})", name.display()));
        }
    }
    names.retain(|name| !INTERNAL.contains(&name.as_str()));
    names.sort();
    names
}

fn datum(text: &str) -> Datum {
    let (mut data, _) = read_all(SourceId(0), text);
    data.pop().expect("the text holds a datum")
}

/// An environment that has all public libraries, and what each exports.
fn everything(expander: &mut Expander) -> (ReplEnv, BTreeMap<String, Vec<String>>) {
    let env = expander.new_repl_env();
    let mut exports = BTreeMap::new();
    for library in libraries() {
        let imported = expander.import(env, &[datum(&library)], &mut Sources::default());
        imported.unwrap_or_else(|errors| panic!("{library}: {errors:?}"));
        let names = expander.exported_names(&library).expect("it is expanded");
        exports.insert(library, names.iter().map(ToString::to_string).collect());
    }
    (env, exports)
}

#[test]
fn every_exported_name_has_an_entry_and_every_entry_is_exported() {
    let (_, exports) = everything(&mut expander());
    let missing: Vec<_> = exports
        .iter()
        .flat_map(|(library, names)| names.iter().map(move |name| (library, name)))
        .filter(|(_, name)| reference::lookup(name).is_none())
        .collect();
    assert!(missing.is_empty(), "no entry for {missing:?}");
    for entry in reference::all() {
        let home = exports.get(entry.library).unwrap_or_else(|| {
            panic!(
                "{} stands under {}, which is no public library",
                entry.name, entry.library
            )
        });
        let exported = home.iter().any(|name| name == entry.name);
        assert!(exported, "{} does not export {}", entry.library, entry.name);
    }
}

#[test]
fn every_library_has_a_section() {
    for library in libraries() {
        let described = reference::sections()
            .iter()
            .any(|section| section.library == library);
        assert!(described, "nothing is said of {library}");
    }
}

#[test]
fn no_name_has_two_entries() {
    for pair in reference::all().windows(2) {
        assert_ne!(pair[0].name, pair[1].name);
    }
}

#[test]
fn every_entry_is_what_its_kind_says() {
    let mut expander = expander();
    let (env, _) = everything(&mut expander);
    for Entry { name, kind, .. } in reference::all() {
        let used = expander.expand_repl(&datum(name), env, &mut Sources::default());
        let is_variable = matches!(kind, Kind::Procedure | Kind::Value);
        assert_eq!(used.is_ok(), is_variable, "{name} is said to be {kind:?}");
    }
}

#[test]
fn every_entry_is_well_formed() {
    for entry in reference::all() {
        let name = entry.name;
        assert!(!entry.text.is_empty(), "nothing is said of {name}");
        assert!(
            entry.text.ends_with(['.', ':']),
            "the text of {name} does not end"
        );
        let lines = entry.examples.lines().count();
        assert_eq!(
            lines,
            entry.examples().count(),
            "an example of {name} lacks its outcome"
        );
        for line in entry.signature.lines() {
            let (call, result) = line.split_once(" → ").unwrap_or((line, "something"));
            let list = matches!(entry.kind, Kind::Procedure | Kind::Syntax);
            let whole = !list || call.starts_with(&format!("({name}")) && call.ends_with(')');
            assert!(whole && !result.is_empty(), "a bad signature: {line}");
        }
    }
}
