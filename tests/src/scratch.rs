//! Folders that live as long as what uses them.
//!
//! Absent on purpose: a folder below the target directory. Sockets want short paths.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// How many this process has tried to make.
static MADE: AtomicU32 = AtomicU32::new(0);

/// A folder of its owner's own in the system's temporary folder; gone when this is dropped.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new, empty folder, whose name ends in `name`.
    pub fn new(name: &str) -> io::Result<Scratch> {
        loop {
            let number = MADE.fetch_add(1, Ordering::Relaxed);
            let unique = format!("bowline-{}-{number}-{name}", std::process::id());
            let folder = std::env::temp_dir().join(unique);
            match std::fs::create_dir(&folder) {
                Ok(()) => return Ok(Scratch(folder)),
                // A process of the same number was killed before it could remove it.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left in the system's temporary folder harms nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_of_one_name_are_two() {
        let first = Scratch::new("twice").expect("a folder");
        let second = Scratch::new("twice").expect("a folder");
        assert_ne!(first.path(), second.path());
        drop(first);
        assert!(second.path().is_dir());
    }
}
