//! Every text of a session, and how the expander gets at more of them.
//!
//! Absent on purpose: caching. A library is asked for once; the expander remembers what it expanded.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use bowline_middle::SourceLoader;
use bowline_syntax::{SourceId, SourceMap};

use crate::libraries::{self, Found};

/// The texts, and the directories in which further ones are looked for.
pub(crate) struct Loader {
    /// Shared with whoever names places while the program runs.
    pub(crate) sources: Rc<RefCell<SourceMap>>,
    pub(crate) directories: Vec<PathBuf>,
}

impl Loader {
    pub(crate) fn new() -> Self {
        Loader {
            sources: Rc::default(),
            directories: Vec::new(),
        }
    }

    /// The path of a library below a directory: its name's parts, one folder each. A part that
    /// would lead out of the directory names no library.
    fn path(name: &[String]) -> Option<String> {
        let plain =
            |part: &String| !part.is_empty() && part != "." && part != ".." && !part.contains('/');
        name.iter().all(plain).then(|| name.join("/"))
    }

    fn find(&self, name: &[String]) -> Option<Found> {
        let path = Self::path(name)?;
        libraries::embedded(&path).or_else(|| libraries::on_disk(&path, &self.directories))
    }

    /// Reads a text file and adds it under the name it was asked for by.
    pub(crate) fn read(&mut self, file: &Path) -> Result<(SourceId, String), String> {
        let name = file.display().to_string();
        let bytes = std::fs::read(file).map_err(|error| format!("cannot read {name}: {error}"))?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            format!("cannot read {name}: it is not UTF-8 text (at byte {at})")
        })?;
        let id = self.sources.borrow_mut().add(&name, text.as_str());
        Ok((id, text))
    }
}

impl SourceLoader for Loader {
    fn library(&mut self, name: &[String]) -> Option<(SourceId, String)> {
        let found = self.find(name)?;
        let mut sources = self.sources.borrow_mut();
        let id = if found.embedded {
            sources.add_library(&found.name, found.text.as_str())
        } else {
            sources.add(&found.name, found.text.as_str())
        };
        Some((id, found.text))
    }

    fn has_library(&mut self, name: &[String]) -> bool {
        self.find(name).is_some()
    }

    fn include(&mut self, path: &str, from: SourceId) -> Result<(SourceId, String), String> {
        let includer = PathBuf::from(self.sources.borrow().name(from));
        let beside = includer.parent().unwrap_or(Path::new("")).join(path);
        self.read(&beside)
    }

    fn known_libraries(&self) -> Vec<String> {
        libraries::EMBEDDED
            .iter()
            .map(|(path, _)| format!("({})", path.replace('/', " ")))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(parts: &[&str]) -> Vec<String> {
        parts.iter().map(|part| part.to_string()).collect()
    }

    #[test]
    fn a_name_cannot_lead_out_of_the_library_folders() {
        assert_eq!(
            Loader::path(&name(&["scheme", "base"])).as_deref(),
            Some("scheme/base")
        );
        for parts in [&["..", "etc"][..], &["a/b"], &[""], &["a", "."]] {
            assert_eq!(Loader::path(&name(parts)), None);
        }
    }

    #[test]
    fn a_file_that_is_no_text_is_refused_by_name_and_place() {
        let file = std::env::temp_dir().join(format!("bowline-utf8-{}", std::process::id()));
        std::fs::write(&file, b"ab\xff").expect("a temporary file can be written");
        let error = Loader::new().read(&file).expect_err("it is not UTF-8");
        assert!(
            error.ends_with("it is not UTF-8 text (at byte 2)"),
            "{error}"
        );
        std::fs::remove_file(&file).expect("and removed");
        let error = Loader::new().read(&file).expect_err("it is gone");
        assert!(
            error.starts_with("cannot read ") && error.contains("No such file"),
            "{error}"
        );
    }
}
