//! The files that the checks look at.
//!
//! Absent on purpose: git. A copy of the sources without its history must pass its own tests, so
//! the folders are walked, and what `.gitignore` names is left out.

use std::fs;
use std::path::Path;

/// One text file of the workspace.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its path relative to the workspace, with `/` between its parts.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl Source {
    /// Whether this is Rust.
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
}

/// The files of a workspace, sorted by path.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    files: Vec<Source>,
}

impl Tree {
    /// A tree of these paths and texts.
    pub fn of(files: &[(&str, &str)]) -> Tree {
        let mut files: Vec<Source> = files
            .iter()
            .map(|(path, text)| Source {
                path: path.to_string(),
                text: text.to_string(),
            })
            .collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Tree { files }
    }

    /// The tree of the folder `root`.
    pub fn load(root: &Path) -> Result<Tree, String> {
        let ignored = Ignored::load(root);
        let mut files = Vec::new();
        walk(root, "", &ignored, &mut files)?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Tree { files })
    }

    /// Every file.
    pub fn files(&self) -> impl Iterator<Item = &Source> {
        self.files.iter()
    }

    /// Every file of Rust.
    pub fn rust(&self) -> impl Iterator<Item = &Source> {
        self.files.iter().filter(|f| f.is_rust())
    }

    /// Every file below the folder `dir`.
    pub fn below<'a>(&'a self, dir: &str) -> impl Iterator<Item = &'a Source> + use<'a> {
        let prefix = format!("{dir}/");
        self.files
            .iter()
            .filter(move |f| f.path.starts_with(&prefix))
    }

    /// The file at this path.
    pub fn file(&self, path: &str) -> Option<&Source> {
        self.files.iter().find(|f| f.path == path)
    }
}

/// Names that `.gitignore` leaves out: a name, `name/`, `*end` or `start*`, and nothing cleverer.
struct Ignored(Vec<String>);

impl Ignored {
    fn load(root: &Path) -> Ignored {
        let text = fs::read_to_string(root.join(".gitignore")).unwrap_or_default();
        Ignored::parse(&text)
    }

    fn parse(text: &str) -> Ignored {
        let lines = text.lines().map(|l| l.trim().trim_matches('/'));
        Ignored(
            lines
                .filter(|l| !l.is_empty() && !l.starts_with('#'))
                .map(str::to_string)
                .collect(),
        )
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| {
            if let Some(end) = pattern.strip_prefix('*') {
                name.ends_with(end)
            } else if let Some(start) = pattern.strip_suffix('*') {
                name.starts_with(start)
            } else {
                name == pattern
            }
        })
    }
}

fn walk(root: &Path, dir: &str, ignored: &Ignored, files: &mut Vec<Source>) -> Result<(), String> {
    let folder = root.join(dir);
    let said = |e: std::io::Error| format!("{}: {e}", folder.display());
    for entry in fs::read_dir(&folder).map_err(said)? {
        let entry = entry.map_err(said)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == ".git" || ignored.has(&name) {
            continue;
        }
        let path = match dir {
            "" => name,
            _ => format!("{dir}/{name}"),
        };
        let kind = entry.file_type().map_err(said)?;
        if kind.is_dir() {
            walk(root, &path, ignored, files)?;
        } else if kind.is_file() {
            // A file that is no text has no lines to check, but it is still an entry of its folder.
            let text = fs::read(entry.path()).map_err(said)?;
            let text = String::from_utf8(text).unwrap_or_default();
            files.push(Source { path, text });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gitignore_names_are_left_out() {
        let ignored = Ignored::parse("# made\ntarget/\n*.profraw\ncallgrind.out.*\n");
        for name in ["target", "x.profraw", "callgrind.out.12"] {
            assert!(ignored.has(name), "{name}");
        }
        for name in ["targets", "profraw", "callgrind.rs", "#"] {
            assert!(!ignored.has(name), "{name}");
        }
    }

    #[test]
    fn a_folder_is_read_whole_and_sorted() {
        let root = std::env::temp_dir().join(format!("xtask-tree-{}", std::process::id()));
        for (path, text) in [
            ("b/deep/x.rs", "//! x"),
            ("a.md", "a"),
            ("target/no.rs", ""),
            (".git/config", ""),
            (".gitignore", "target/"),
        ] {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let tree = Tree::load(&root).unwrap();
        fs::remove_dir_all(&root).unwrap();
        let paths: Vec<&str> = tree.files().map(|f| f.path.as_str()).collect();
        assert_eq!(paths, [".gitignore", "a.md", "b/deep/x.rs"]);
        assert_eq!(tree.file("b/deep/x.rs").unwrap().text, "//! x");
        assert_eq!(tree.below("b").count(), 1);
        assert_eq!(tree.rust().count(), 1);
    }
}
