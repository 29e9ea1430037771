//! What the root of a crate says: `lib.rs` is a header, a list of modules and re-exports; the
//! promise about `unsafe` in the table of crates is made to the compiler and kept.

use super::crates::{CRATES, Crate, Policy};
use super::{Finding, Source, Tree, tokens};
use proc_macro2::{Delimiter, TokenTree};
use std::collections::BTreeMap;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for krate in CRATES {
        if let Some(root) = tree.file(&format!("{}/src/lib.rs", krate.folder)) {
            found.extend(contents(root));
        }
        for root in ["lib.rs", "main.rs"] {
            if let Some(root) = tree.file(&format!("{}/src/{root}", krate.folder)) {
                found.extend(promise(krate, root));
            }
        }
        if krate.policy == Policy::OneModule {
            found.extend(one_module(krate, tree));
        }
    }
    found
}

/// Anything in a `lib.rs` that is no module without a body and no re-export.
fn contents(root: &Source) -> Vec<Finding> {
    let Ok(stream) = tokens::parse(&root.text) else {
        return Vec::new();
    };
    let level: Vec<TokenTree> = stream.into_iter().collect();
    let mut found = Vec::new();
    let mut i = 0;
    while i < level.len() {
        if let Some((_, after)) = tokens::attribute(&level, i) {
            i = after;
            continue;
        }
        let first = i;
        if tokens::is_ident(&level, i, "pub") {
            i += 1;
            if tokens::group(&level, i, Delimiter::Parenthesis).is_some() {
                i += 1;
            }
        }
        let module = tokens::is_ident(&level, i, "mod") && tokens::is_punct(&level, i + 2, ';');
        let reexport = tokens::is_ident(&level, i, "use") || tokens::is_ident(&level, i, "extern");
        if module || reexport {
            i = after_semicolon(&level, i);
            continue;
        }
        let line = tokens::line(&level[first]);
        let message =
            "lib.rs holds the header, the modules and the re-exports: move this into a module";
        found.push(Finding::new(&root.path, line, message));
        break;
    }
    found
}

fn after_semicolon(level: &[TokenTree], mut i: usize) -> usize {
    while i < level.len() && !tokens::is_punct(level, i, ';') {
        i += 1;
    }
    i + 1
}

/// A crate root that does not promise what the table says of the crate.
fn promise(krate: &Crate, root: &Source) -> Option<Finding> {
    let wanted = match krate.policy {
        Policy::Forbidden => "forbid(unsafe_code)",
        Policy::OneModule => "deny(unsafe_code)",
        Policy::Allowed => return None,
    };
    let stream = tokens::parse(&root.text).ok()?;
    let level: Vec<TokenTree> = stream.into_iter().collect();
    let said = (0..level.len()).any(|i| {
        let inner = tokens::is_punct(&level, i + 1, '!');
        inner && tokens::attribute(&level, i).is_some_and(|(text, _)| text == wanted)
    });
    let message = format!("say `#![{wanted}]`: so the table of crates has it");
    (!said).then(|| Finding::new(&root.path, 1, message))
}

/// A second module that uses `unsafe` where one may.
fn one_module(krate: &Crate, tree: &Tree) -> Vec<Finding> {
    let src = format!("{}/src", krate.folder);
    let mut modules: BTreeMap<String, (String, usize)> = BTreeMap::new();
    for source in tree.below(&src).filter(|f| f.is_rust()) {
        let Ok(stream) = tokens::parse(&source.text) else {
            continue;
        };
        let uses = tokens::unsafe_uses(stream);
        let Some(line) = uses.blocks.iter().chain(&uses.items).min() else {
            continue;
        };
        let module = module_of(&source.path[src.len() + 1..]);
        modules
            .entry(module)
            .or_insert((source.path.clone(), *line));
    }
    let names: Vec<String> = modules.keys().cloned().collect();
    let others = modules.into_values().skip(1);
    others
        .map(|(path, line)| {
            let message = format!("`unsafe` in more than one module: {}", names.join(", "));
            Finding::new(&path, line, message)
        })
        .collect()
}

/// The module of a crate that a path below `src` belongs to: `raw.rs` and `raw/x.rs` are one.
fn module_of(path: &str) -> String {
    let first = path.split('/').next().unwrap_or_default();
    first.trim_end_matches(".rs").to_string()
}

#[cfg(test)]
mod tests {
    use super::super::samples::{bad, good};
    use super::check;

    const ROOT: &str = "lang/syntax/src/lib.rs";

    #[test]
    fn a_root_lists_modules_and_reexports() {
        let text = "//! H.\n#![forbid(unsafe_code)]\n#[macro_use]\nmod table;\npub mod a;\npub(crate) mod b;\n\
                    #[cfg(test)]\nmod t;\npub use a::{X, Y};\nuse b as _;\n";
        good(check, &[(ROOT, text)]);
        for item in [
            "fn f() {}",
            "mod m { }",
            "pub struct S;",
            "macro_rules! m { () => {} }",
        ] {
            let text = format!("//! H.\n#![forbid(unsafe_code)]\nmod a;\n{item}\nmod b;\n");
            bad(
                check,
                &[(ROOT, &text)],
                "lang/syntax/src/lib.rs:4: lib.rs holds",
            );
        }
    }

    #[test]
    fn safe_crates_forbid_unsafe() {
        good(
            check,
            &[(ROOT, "//! H.\n#![forbid(unsafe_code)]\nmod a;\n")],
        );
        bad(check, &[(ROOT, "//! H.\nmod a;\n")], "forbid(unsafe_code)");
        bad(
            check,
            &[(ROOT, "//! #![forbid(unsafe_code)]\nmod a;\n")],
            "forbid(unsafe_code)",
        );
        bad(
            check,
            &[("lang/cli/src/main.rs", "//! H.\nfn main() {}\n")],
            "forbid(unsafe_code)",
        );
        good(check, &[("gc/heap/src/lib.rs", "//! H.\nmod a;\n")]);
    }

    #[test]
    fn one_module_means_one() {
        let root = (
            "lang/vm/src/lib.rs",
            "//! H.\n#![deny(unsafe_code)]\nmod raw;\n",
        );
        let code = "fn f() { unsafe { g() } }";
        good(
            check,
            &[
                root,
                ("lang/vm/src/raw.rs", code),
                ("lang/vm/src/raw/x.rs", code),
            ],
        );
        bad(
            check,
            &[
                root,
                ("lang/vm/src/raw.rs", code),
                ("lang/vm/src/run.rs", code),
            ],
            "lang/vm/src/run.rs:1: `unsafe` in more than one module: raw, run",
        );
        bad(
            check,
            &[("lang/vm/src/lib.rs", "//! H.\nmod raw;\n")],
            "deny(unsafe_code)",
        );
    }
}
