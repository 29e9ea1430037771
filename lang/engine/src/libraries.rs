//! The sources of the standard library, embedded, and how an import finds a library's text.
//!
//! A library's name is its path: `(scheme base)` is `scheme/base.sld`. Embedded libraries win over
//! files, so a program cannot change what `(scheme base)` means; any other name is looked for
//! beside the program and then in the directories of `BOWLINE_LIBRARY_PATH` (colon-separated).
//!
//! Absent on purpose: parsing. The expander reads the text it is given.

use std::path::{Path, PathBuf};

macro_rules! embedded {
    ($($name:literal),* $(,)?) => {
        /// Library paths with their texts.
        pub(crate) const EMBEDDED: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../scheme/", $name, ".sld")))),*];
    };
}

embedded! {
    "bowline/bits",
    "bowline/bytevectors",
    "bowline/core",
    "bowline/datatype",
    "bowline/ffi",
    "bowline/gc",
    "bowline/hash-tables",
    "bowline/list",
    "bowline/ports",
    "bowline/support",
    "scheme/base",
    "scheme/case-lambda",
    "scheme/char",
    "scheme/cxr",
    "scheme/file",
    "scheme/inexact",
    "scheme/lazy",
    "scheme/process-context",
    "scheme/r5rs",
    "scheme/read",
    "scheme/time",
    "scheme/write",
}

/// The libraries that the others stand on, and that no program imports.
const INTERNAL: &[&str] = &["bowline/core", "bowline/ports", "bowline/support"];

/// The paths of the libraries that programs may import.
pub(crate) fn public() -> impl Iterator<Item = &'static str> {
    let paths = EMBEDDED.iter().map(|(path, _)| *path);
    paths.filter(|path| !INTERNAL.contains(path))
}

/// A library's text and where it came from.
pub(crate) struct Found {
    /// The name that diagnostics show.
    pub(crate) name: String,
    /// The source.
    pub(crate) text: String,
    /// Whether it is part of the standard library.
    pub(crate) embedded: bool,
}

/// The text of an embedded library, by its path.
pub(crate) fn embedded(path: &str) -> Option<Found> {
    EMBEDDED
        .iter()
        .find(|(name, _)| *name == path)
        .map(|(name, text)| Found {
            name: format!("{name}.sld"),
            text: (*text).to_string(),
            embedded: true,
        })
}

/// The directories in which a program's own libraries are looked for.
pub(crate) fn search_path(program: &Path) -> Vec<PathBuf> {
    let beside = program.parent().unwrap_or(Path::new("")).to_path_buf();
    let configured = std::env::var_os("BOWLINE_LIBRARY_PATH");
    let further = configured
        .iter()
        .flat_map(|paths| std::env::split_paths(paths).collect::<Vec<_>>());
    std::iter::once(beside).chain(further).collect()
}

/// Reads `PATH.sld` out of the first directory that has it.
pub(crate) fn on_disk(path: &str, directories: &[PathBuf]) -> Option<Found> {
    directories.iter().find_map(|directory| {
        let file = directory.join(format!("{path}.sld"));
        let text = std::fs::read_to_string(&file).ok()?;
        Some(Found {
            name: file.display().to_string(),
            text,
            embedded: false,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(directory: &Path, root: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(directory).expect("the library's folder can be read") {
            let path = entry.expect("its entries can be read").path();
            if path.is_dir() {
                sources(&path, root, found);
            } else {
                let name = path.strip_prefix(root).expect("it lies below the root");
                found.push(name.with_extension("").display().to_string());
            }
        }
    }

    #[test]
    fn every_source_file_is_embedded() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scheme");
        let mut found = Vec::new();
        sources(&root, &root, &mut found);
        found.sort();
        let embedded: Vec<_> = EMBEDDED.iter().map(|(name, _)| name.to_string()).collect();
        assert_eq!(found, embedded);
    }

    #[test]
    fn a_library_is_found_beside_the_program_and_unknown_ones_are_not() {
        let directory = std::env::temp_dir().join(format!("bowline-lib-{}", std::process::id()));
        std::fs::create_dir_all(directory.join("my")).expect("a temporary folder can be made");
        std::fs::write(directory.join("my/lib.sld"), "text").expect("and written to");
        let path = search_path(&directory.join("program.scm"));
        let found = on_disk("my/lib", &path).expect("the file is there");
        assert_eq!((found.text.as_str(), found.embedded), ("text", false));
        assert!(on_disk("my/other", &path).is_none());
        assert!(embedded("scheme/base").is_some_and(|found| found.embedded));
        assert!(embedded("my/lib").is_none());
        std::fs::remove_dir_all(&directory).expect("it can be removed again");
    }
}
