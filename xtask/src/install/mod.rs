//! `cargo xtask install` and `uninstall`: the malloc in a place where programs find it.
//!
//! ```text
//!   PREFIX/lib/libbowline_malloc.so              the library
//!   PREFIX/bin/bowline-malloc                    runs a program under it
//!   PREFIX/share/doc/bowline-malloc/…            the page on it, and the licences
//!   PREFIX/share/bowline-malloc/installed        what is to be removed again, one path a line
//! ```
//!
//! Each file is written beside its place and renamed, so that processes which run on the library keep the one that they have.
//! Before anything is installed the library is tried on a program.
//!
//! Absent on purpose: anything outside the prefix. `/etc/ld.so.preload` is never written; and where the library stands in
//! it, it is not removed, for afterwards every program would complain.

#[cfg(test)]
mod tests;

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const LIBRARY: &str = "lib/libbowline_malloc.so";
const WRAPPER: &str = "bin/bowline-malloc";
const PAGES: &str = "share/doc/bowline-malloc";
const LIST: &str = "share/bowline-malloc/installed";

/// Whose first line names libraries that every program loads.
const PRELOADED: &str = "/etc/ld.so.preload";

/// A file to install.
struct Item {
    /// From the prefix.
    place: String,
    bytes: Vec<u8>,
    mode: u32,
}

/// Builds the library and installs it; `library` names one that is built already.
pub fn install(root: &Path, prefix: &Path, library: Option<&Path>) -> Result<bool, String> {
    refuse_blanks(prefix)?;
    let built;
    let library = match library {
        Some(library) => library,
        None => {
            built = build(root)?;
            &built
        }
    };
    try_out(library)?;
    let items = items(root, library)?;
    let list: String = items
        .iter()
        .map(|item| item.place.as_str())
        .chain([LIST])
        .map(|place| format!("{place}\n"))
        .collect();
    for item in &items {
        put(prefix, item)?;
    }
    let list = Item {
        place: LIST.to_owned(),
        bytes: list.into_bytes(),
        mode: 0o644,
    };
    put(prefix, &list)?;
    say(&format!("installed {}", prefix.join(LIBRARY).display()));
    say(&format!(
        "run programs by {} PROGRAM",
        prefix.join(WRAPPER).display()
    ));
    Ok(true)
}

/// Removes what was installed, and the folders that are empty then.
pub fn uninstall(prefix: &Path) -> Result<bool, String> {
    let list = prefix.join(LIST);
    let text = fs::read_to_string(&list).map_err(|error| match error.kind() {
        ErrorKind::NotFound => format!("{}: this malloc is not installed there", prefix.display()),
        _ => at(&list, &error),
    })?;
    refuse_preloaded(Path::new(PRELOADED), &prefix.join(LIBRARY))?;
    for place in text.lines() {
        if !is_ours(place) {
            return Err(format!(
                "{}: not a file of this malloc: {place}",
                list.display()
            ));
        }
    }
    // The list is the last of its lines, so that what fails can be done again.
    for place in text.lines() {
        let path = prefix.join(place);
        match fs::remove_file(&path) {
            Ok(()) => say(&format!("removed {}", path.display())),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(at(&path, &error)),
        }
    }
    for folder in [PAGES, "share/bowline-malloc"] {
        // One that holds something else stays.
        let _ = fs::remove_dir(prefix.join(folder));
    }
    Ok(true)
}

/// Whether a line of the list is one that `install` writes.
fn is_ours(place: &str) -> bool {
    let page = place
        .strip_prefix(PAGES)
        .and_then(|name| name.strip_prefix('/'));
    let page = page.is_some_and(|name| !name.contains('/') && name != "..");
    page || [LIBRARY, WRAPPER, LIST].contains(&place)
}

/// Where nobody listens, nothing is lost.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn at(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

fn items(root: &Path, library: &Path) -> Result<Vec<Item>, String> {
    let item = |place: String, from: &Path, mode| {
        let bytes = fs::read(from).map_err(|error| at(from, &error))?;
        Ok::<Item, String>(Item { place, bytes, mode })
    };
    let mut items = vec![
        item(LIBRARY.to_owned(), library, 0o644)?,
        Item {
            place: WRAPPER.to_owned(),
            bytes: include_bytes!("bowline-malloc").to_vec(),
            mode: 0o755,
        },
    ];
    for (name, from) in [
        ("malloc.md", "docs/malloc.md"),
        ("LICENSE-MIT", "LICENSE-MIT"),
        ("LICENSE-APACHE", "LICENSE-APACHE"),
    ] {
        items.push(item(format!("{PAGES}/{name}"), &root.join(from), 0o644)?);
    }
    Ok(items)
}

/// Writes a file beside its place and renames it.
fn put(prefix: &Path, item: &Item) -> Result<(), String> {
    let path = prefix.join(&item.place);
    let folder = path.parent().unwrap_or(prefix);
    fs::create_dir_all(folder).map_err(|error| at(folder, &error))?;
    let fresh = path.with_extension(format!("{}.new", std::process::id()));
    let written = fs::write(&fresh, &item.bytes)
        .and_then(|()| fs::set_permissions(&fresh, fs::Permissions::from_mode(item.mode)))
        .and_then(|()| fs::rename(&fresh, &path));
    written.map_err(|error| {
        let _ = fs::remove_file(&fresh);
        at(&path, &error)
    })
}

fn build(root: &Path) -> Result<PathBuf, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--release", "--package", "bowline-malloc"]);
    let status = command.current_dir(root).status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => return Err(format!("cargo build of the library: {status}")),
        Err(error) => return Err(format!("cargo does not run: {error}")),
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    Ok(target.join("release/libbowline_malloc.so"))
}

/// Runs a program under the library, which must serve it.
fn try_out(library: &Path) -> Result<(), String> {
    let library = fs::canonicalize(library).map_err(|error| at(library, &error))?;
    let mut command = Command::new("/bin/ls");
    command.arg("/").env("LD_PRELOAD", &library);
    command.env("BOWLINE_MALLOC_STATS", "1");
    let done = command
        .output()
        .map_err(|error| format!("/bin/ls does not run: {error}"))?;
    let said = String::from_utf8_lossy(&done.stderr);
    let served = said.lines().any(|line| line.ends_with("  spans taken"));
    if done.status.success() && served {
        return Ok(());
    }
    let library = library.display();
    Err(format!(
        "{library}: it does not serve /bin/ls ({}): {said}",
        done.status
    ))
}

/// Refuses a path that cannot stand in `LD_PRELOAD`, where blanks and colons stand between libraries.
fn refuse_blanks(prefix: &Path) -> Result<(), String> {
    let prefix = prefix.display().to_string();
    match prefix.find([' ', ':']) {
        Some(_) => Err(format!(
            "{prefix}: no library can be preloaded from a path with a blank or a colon"
        )),
        None => Ok(()),
    }
}

/// Refuses to go on where every program of the system loads the library.
fn refuse_preloaded(list: &Path, library: &Path) -> Result<(), String> {
    let text = fs::read_to_string(list).unwrap_or_default();
    let library = library.display().to_string();
    let names = text.split([' ', '\n', '\t', ':']);
    if names.into_iter().any(|name| name == library) {
        let list = list.display();
        return Err(format!(
            "{library} stands in {list}: take it out there first"
        ));
    }
    Ok(())
}
