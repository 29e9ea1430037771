//! Folders that live as long as what uses them.
//!
//! Absent on purpose: a folder below the target directory. Sockets want short paths.

use std::io;
use std::path::{Path, PathBuf};

/// A folder of its owner's own in the system's temporary folder; gone when this is dropped.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new, empty folder. `name` must be unique within this process.
    pub fn new(name: &str) -> io::Result<Scratch> {
        let unique = format!("bowline-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(unique);
        std::fs::create_dir_all(&folder)?;
        Ok(Scratch(folder))
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
