//! Who takes part: how the examples of this tree and the programs of the peers are compiled, and what a page says of
//! them.

use super::scheme::argument;
use super::{Entrant, build, missed, output_of, target_directory};
use std::path::Path;
use std::process::Command;

/// Builds an example of this tree and returns its binary.
pub(super) fn example(root: &Path, package: &str, name: &str) -> Result<String, String> {
    build(root, &["-p", package, "--example", name])?;
    let folder = target_directory(root)?.join("release/examples");
    Ok(argument(&folder.join(name)))
}

/// This tree, as it takes part.
pub(super) fn ours(how: String, commands: Vec<Vec<String>>) -> Entrant {
    Entrant {
        name: "bowline",
        version: "this tree".to_string(),
        how,
        commands,
    }
}

/// An example of the heap's, built, as it takes part with its default settings.
pub(super) fn heap_example(
    root: &Path,
    name: &str,
    commands: impl FnOnce(&str) -> Vec<Vec<String>>,
) -> Result<Entrant, String> {
    let binary = example(root, "bowline-gc", name)?;
    let how = format!("`gc/heap/examples/{name}.rs`, release, default settings");
    Ok(ours(how, commands(&binary)))
}

/// Those of the peers that are on this machine; the others are named in `missing`.
pub(super) fn present(
    found: impl IntoIterator<Item = (&'static str, Result<Entrant, String>)>,
    missing: &mut Vec<String>,
) -> Vec<Entrant> {
    let mut peers = Vec::new();
    for (name, peer) in found {
        match peer {
            Ok(peer) => peers.push(peer),
            Err(why) => missing.push(missed(name, &why)),
        }
    }
    peers
}

/// A C program on the Boehm collector; `commands` makes the commands of its binary.
pub(super) fn bdwgc(
    root: &Path,
    scratch: &Path,
    source: &str,
    commands: impl FnOnce(&str) -> Vec<Vec<String>>,
) -> Result<Entrant, String> {
    let binary = scratch.join(format!("{}_bdwgc", stem(source)));
    let mut cc = Command::new("cc");
    cc.args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O2", "-o"])
        .arg(&binary)
        .arg(root.join(source))
        .arg("-lgc");
    output_of(&mut cc)?;
    let version = output_of(Command::new("pkg-config").args(["--modversion", "bdw-gc"]));
    Ok(Entrant {
        name: "bdwgc",
        version: version.unwrap_or_else(|_| "version unknown".to_string()),
        how: format!("`{source}`, cc -O2"),
        commands: commands(&argument(&binary)),
    })
}

/// An OCaml program, compiled with `flags`; `sources` are it and what it is linked with, its own last.
pub(super) fn ocaml(
    root: &Path,
    scratch: &Path,
    sources: &[&str],
    flags: &[&str],
    commands: impl FnOnce(&str) -> Vec<Vec<String>>,
) -> Result<Entrant, String> {
    let main = sources.last().copied().unwrap_or_default();
    let binary = scratch.join(format!("{}_ocaml", stem(main)));
    let mut compiler = Command::new("ocamlopt");
    compiler
        .current_dir(scratch)
        .args(flags)
        .arg("-o")
        .arg(&binary);
    for source in sources {
        // The compiler leaves its files beside the source.
        let copy = scratch.join(Path::new(source).file_name().unwrap_or_default());
        std::fs::copy(root.join(source), &copy).map_err(|e| format!("{source}: {e}"))?;
        compiler.arg(copy);
    }
    output_of(&mut compiler)?;
    Ok(Entrant {
        name: "ocaml",
        version: output_of(Command::new("ocamlopt").arg("-version"))?,
        how: format!("`{main}`, `{}`", [&["ocamlopt"], flags].concat().join(" ")),
        commands: commands(&argument(&binary)),
    })
}

/// The name of a source without its folder and extension.
fn stem(source: &str) -> String {
    let stem = Path::new(source).file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_is_not_there_is_named() {
        let mut missing = Vec::new();
        let here = ours("how".to_string(), Vec::new());
        let found = [("a", Ok(here)), ("b", Err("b: no\nmore".to_string()))];
        let peers = present(found, &mut missing);
        assert_eq!(peers.len(), 1);
        assert_eq!(missing, ["b: b: no"]);
    }

    #[test]
    fn the_stem_of_a_source_is_its_name() {
        assert_eq!(stem("a/b/pauses.c"), "pauses");
    }
}
