//! What was entered, kept in a file from one session to the next.
//!
//! A home that cannot be written to is no error: then there is no history.

use std::ffi::OsString;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustyline::history::FileHistory;
use rustyline::{Editor, Helper};

/// The entries that are kept.
pub(super) const LENGTH: usize = 10_000;

/// Where entries are kept, if they are.
pub(super) struct History(Option<PathBuf>);

impl History {
    /// As the environment says: `BOWLINE_HISTORY` names the file, or none when it is empty.
    pub(super) fn new() -> History {
        History(place(|name| std::env::var_os(name)))
    }

    /// Takes up what earlier sessions kept.
    pub(super) fn load<H: Helper>(&self, editor: &mut Editor<H, FileHistory>) {
        if let Some(file) = &self.0 {
            // There is none yet, or it cannot be read.
            let _ = editor.load_history(file);
        }
    }

    /// Keeps an entry at once: a session may end in any way.
    pub(super) fn keep<H: Helper>(&mut self, editor: &mut Editor<H, FileHistory>, entry: &str) {
        let new = editor.add_history_entry(entry).unwrap_or(false);
        let Some(file) = &self.0 else { return };
        if new && write(editor, file).is_err() {
            self.0 = None;
        }
    }
}

/// The library makes the file, for nobody else to read, and locks it; the folder is ours to make.
fn write<H: Helper>(editor: &mut Editor<H, FileHistory>, file: &Path) -> rustyline::Result<()> {
    if let Some(folder) = file.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    editor.append_history(file)
}

fn place(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    if let Some(file) = variable("BOWLINE_HISTORY") {
        return (!file.is_empty()).then(|| PathBuf::from(file));
    }
    let given = |name| variable(name).filter(|value| !value.is_empty());
    let state = match given("XDG_STATE_HOME").map(PathBuf::from) {
        // The specification wants what is not absolute ignored.
        Some(folder) if folder.is_absolute() => folder,
        _ => PathBuf::from(given("HOME")?).join(".local/state"),
    };
    Some(state.join("bowline/history"))
}

#[cfg(test)]
mod tests {
    use super::place;
    use std::path::PathBuf;

    fn at(environment: &[(&str, &str)]) -> Option<PathBuf> {
        place(|name| {
            let found = environment.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| value.into())
        })
    }

    #[test]
    fn the_environment_says_where() {
        let home = ("HOME", "/h");
        let path = |p: &str| Some(PathBuf::from(p));
        assert_eq!(at(&[home]), path("/h/.local/state/bowline/history"));
        assert_eq!(
            at(&[home, ("XDG_STATE_HOME", "/s")]),
            path("/s/bowline/history")
        );
        for no_folder in ["", "relative"] {
            let found = at(&[home, ("XDG_STATE_HOME", no_folder)]);
            assert_eq!(found, path("/h/.local/state/bowline/history"));
        }
        assert_eq!(at(&[home, ("BOWLINE_HISTORY", "/x")]), path("/x"));
        assert_eq!(at(&[home, ("BOWLINE_HISTORY", "")]), None);
        assert_eq!(at(&[]), None);
    }
}
