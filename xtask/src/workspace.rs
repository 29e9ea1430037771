//! Where the workspace is.

use std::path::PathBuf;

/// The workspace's folder.
///
/// Cargo says at run time where this package lies. What it said at compile time may be another copy
/// of the sources that shares the target directory, so that is only for a binary started by hand.
pub fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR");
    let mut path = here.map_or(env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    path.pop();
    path
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_workspace_holds_this_package() {
        assert!(super::root().join("xtask/src/workspace.rs").is_file());
    }
}
