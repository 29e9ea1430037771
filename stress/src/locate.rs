//! Which malloc is under test: a library's file, the C library's own, or Bowline's beside this
//! program.

use std::fmt;
use std::path::{Path, PathBuf};

/// The file of Bowline's malloc.
const OWN: &str = "libbowline_malloc.so";

/// The malloc under test.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Subject {
    /// The C library's.
    Glibc,
    /// Bowline's, found here.
    Own(PathBuf),
    /// Somebody's.
    Library(PathBuf),
}

/// Why there is no malloc to test.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum NoSubject {
    /// Bowline's is at none of these places.
    NotBuilt(Vec<PathBuf>),
    /// The file cannot be opened.
    NoFile(PathBuf, String),
    /// The loader takes a path apart at these characters.
    Unloadable(PathBuf),
}

impl fmt::Display for NoSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotBuilt(places) => {
                let places: Vec<String> = places.iter().map(|p| p.display().to_string()).collect();
                write!(
                    f,
                    "there is no {OWN}: looked for {}. Build it with `cargo build --release -p \
                     bowline-malloc`, or name another malloc with --against=FILE or \
                     --against=glibc",
                    places.join(" and ")
                )
            }
            Self::NoFile(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Unloadable(path) => write!(
                f,
                "{}: LD_PRELOAD takes no path with a space or a colon in it",
                path.display()
            ),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Glibc => f.write_str("the C library's own malloc"),
            Self::Own(path) | Self::Library(path) => path.display().fmt(f),
        }
    }
}

impl Subject {
    /// What to preload.
    pub(crate) fn library(&self) -> Option<&Path> {
        match self {
            Self::Glibc => None,
            Self::Own(path) | Self::Library(path) => Some(path),
        }
    }

    /// The value of `--against` that names it; nothing for Bowline's own.
    pub(crate) fn option(&self) -> Option<String> {
        match self {
            Self::Own(_) => None,
            Self::Glibc => Some("glibc".into()),
            Self::Library(path) => Some(path.display().to_string()),
        }
    }

    /// Whether this file, which `malloc` was seen to come from, is the one meant.
    pub(crate) fn is(&self, module: &Path) -> bool {
        match self.library() {
            Some(library) => module.canonicalize().is_ok_and(|path| path == library),
            None => {
                let name = module.file_name().unwrap_or_default();
                name.to_string_lossy().starts_with("libc.so")
            }
        }
    }
}

/// The malloc that `--against` names; without it Bowline's, beside this program.
pub(crate) fn subject(against: Option<&str>, program: &Path) -> Result<Subject, NoSubject> {
    match against {
        Some("glibc") => Ok(Subject::Glibc),
        Some(path) => file(Path::new(path)).map(Subject::Library),
        None => own(program),
    }
}

fn file(path: &Path) -> Result<PathBuf, NoSubject> {
    let no_file = |error: std::io::Error| NoSubject::NoFile(path.into(), error.to_string());
    let path = path.canonicalize().map_err(no_file)?;
    if path.to_string_lossy().contains([' ', ':']) {
        return Err(NoSubject::Unloadable(path));
    }
    Ok(path)
}

fn own(program: &Path) -> Result<Subject, NoSubject> {
    let folder = program.parent().unwrap_or(Path::new("."));
    let mut places = vec![folder.join(OWN)];
    // It is built in release only; a program built for debugging finds it next door.
    if let Some(target) = folder.parent() {
        places.push(target.join("release").join(OWN));
        places.dedup();
    }
    match places.iter().find(|place| place.is_file()) {
        Some(place) => file(place).map(Subject::Own),
        None => Err(NoSubject::NotBuilt(places)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let name = format!("bowline-locate-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        folder.canonicalize().unwrap()
    }

    #[test]
    fn ours_is_found_beside_the_program_and_next_door() {
        let target = folder("own");
        for place in ["release", "debug"] {
            std::fs::create_dir_all(target.join(place)).unwrap();
        }
        let error = subject(None, &target.join("debug/bowline-stress")).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("debug/libbowline_malloc.so and "), "{text}");
        assert!(text.contains("cargo build --release -p bowline-malloc"));
        let library = target.join("release").join(OWN);
        std::fs::write(&library, "").unwrap();
        for place in ["release", "debug"] {
            let found = subject(None, &target.join(place).join("bowline-stress"));
            assert_eq!(found, Ok(Subject::Own(library.clone())));
        }
        std::fs::remove_dir_all(target).unwrap();
    }

    #[test]
    fn files_that_cannot_be_preloaded_are_told() {
        let folder = folder("bad");
        let error = subject(Some("/no/such.so"), &folder).unwrap_err();
        assert!(error.to_string().starts_with("/no/such.so: No such file"));
        let spaced = folder.join("my malloc.so");
        std::fs::write(&spaced, "").unwrap();
        let error = subject(Some(spaced.to_str().unwrap()), &folder).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("no path with a space or a colon in it")
        );
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_c_library_is_known_by_its_name() {
        let glibc = subject(Some("glibc"), Path::new("x")).unwrap();
        assert!(glibc.is(Path::new("/lib/x86_64-linux-gnu/libc.so.6")));
        assert!(!glibc.is(Path::new("/usr/lib/libmimalloc.so.2")));
        assert_eq!(glibc.option().as_deref(), Some("glibc"));
    }
}
