//! The mallocs of the malloc set: this tree's, glibc's, those that the system has as libraries, and newer ones, which
//! are built here from the sources that their crates carry.
//!
//! The crates are fetched into the scratch folder by a package that nothing of this tree depends on. What is built of them
//! is what their own makefiles build as a library to preload.

use super::super::scheme::argument;
use super::super::{build, cargo, missed, output_of, target_directory, with_contents};
use super::Peer;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The package that fetches.
const MANIFEST: &str = r#"[package]
name = "peers"
version = "0.0.0"
edition = "2024"

[workspace]

[dependencies]
libmimalloc-sys = { version = "0.1", features = ["v3"] }
snmalloc-sys = { version = "0.7", default-features = false, features = ["build_cc"] }
"#;

const LIBRARY: [&str; 4] = ["-O3", "-DNDEBUG", "-fPIC", "-shared"];

/// Who takes part, this tree first and glibc second, and who cannot. This tree's hardened mode comes last, if it is wanted.
pub(super) fn all(
    root: &Path,
    scratch: &Path,
    hardened: bool,
) -> Result<(Vec<Peer>, Vec<String>), String> {
    build(root, &["-p", "bowline-malloc"])?;
    let ours = target_directory(root)?.join("release/libbowline_malloc.so");
    let mut peers = vec![
        Peer {
            name: "bowline",
            library: argument(&ours),
            mode: None,
            how: "this tree, default settings".to_string(),
        },
        // Preloaded as well, so that a program that is linked with another malloc runs on it.
        installed("glibc", "libc.so.6")?,
    ];
    let crates = fetched(scratch);
    let crates = crates.as_ref().map_err(String::as_str);
    let found = [
        ("jemalloc", installed("jemalloc", "libjemalloc.so.2")),
        (
            "tcmalloc",
            installed("tcmalloc", "libtcmalloc_minimal.so.4"),
        ),
        (
            "mimalloc 2.0",
            installed("mimalloc 2.0", "libmimalloc.so.2"),
        ),
        ("mimalloc 2", mimalloc("mimalloc 2", "v2", crates, scratch)),
        ("mimalloc 3", mimalloc("mimalloc 3", "v3", crates, scratch)),
        ("snmalloc", snmalloc(crates, scratch)),
    ];
    let mut missing = Vec::new();
    for (name, peer) in found {
        match peer {
            Ok(peer) => peers.push(peer),
            Err(why) => missing.push(missed(name, &why)),
        }
    }
    if hardened {
        peers.push(Peer {
            name: "bowline hardened",
            library: argument(&ours),
            mode: Some("hardened"),
            how: "this tree, `BOWLINE_MALLOC=hardened`; no peer of the last column".to_string(),
        });
    }
    Ok((peers, missing))
}

/// A library that the dynamic linker finds.
fn installed(name: &'static str, library: &str) -> Result<Peer, String> {
    let known = output_of(Command::new("/sbin/ldconfig").arg("-p"))?;
    let line = known
        .lines()
        .find(|line| line.split_whitespace().next() == Some(library) && line.contains("x86-64"));
    let path = line.and_then(|line| line.split("=> ").nth(1));
    let path = path.ok_or_else(|| format!("no {library} is installed"))?;
    let real = std::fs::canonicalize(path).map_err(|e| format!("{path}: {e}"))?;
    let package = output_of(Command::new("dpkg").arg("-S").arg(&real)).unwrap_or_default();
    let package = package.split(": ").next().unwrap_or_default();
    let version = output_of(Command::new("dpkg-query").args(["-W", package]));
    let version = version.unwrap_or_else(|_| argument(&real));
    Ok(Peer {
        name,
        library: path.to_string(),
        mode: None,
        how: version.replace('\t', " "),
    })
}

/// Fetches the crates; gives their folders.
fn fetched(scratch: &Path) -> Result<Vec<PathBuf>, String> {
    let folder = scratch.join("peers");
    std::fs::create_dir_all(folder.join("src"))
        .map_err(|e| format!("{}: {e}", folder.display()))?;
    with_contents(&folder.join("Cargo.toml"), MANIFEST)?;
    with_contents(&folder.join("src/lib.rs"), "")?;
    let mut metadata = Command::new(cargo());
    metadata.args(["metadata", "--format-version=1"]);
    let json = output_of(metadata.current_dir(&folder))?;
    let json: serde_json::Value = serde_json::from_str(&json).map_err(|e| e.to_string())?;
    let packages = json["packages"].as_array().into_iter().flatten();
    let manifests = packages.filter_map(|package| package["manifest_path"].as_str());
    let folders = manifests.filter_map(|path| Path::new(path).parent());
    Ok(folders.map(Path::to_path_buf).collect())
}

/// The folder of a crate, and its name with its version.
fn found<'a>(
    crates: Result<&'a Vec<PathBuf>, &str>,
    name: &str,
) -> Result<(&'a Path, String), String> {
    let crates = crates.map_err(str::to_string)?;
    let stem = |path: &PathBuf| {
        path.file_name()
            .map(|name| name.to_string_lossy().into_owned())
    };
    let hit = crates.iter().find_map(|path| {
        let stem = stem(path)?;
        stem.starts_with(name).then_some((path.as_path(), stem))
    });
    hit.ok_or_else(|| format!("no crate {name}"))
}

fn mimalloc(
    name: &'static str,
    version: &str,
    crates: Result<&Vec<PathBuf>, &str>,
    scratch: &Path,
) -> Result<Peer, String> {
    let (folder, from) = found(crates, "libmimalloc-sys")?;
    let sources = folder.join("c_src/mimalloc").join(version);
    let library = scratch.join(format!("libmimalloc-{version}.so"));
    let mut cc = Command::new("cc");
    cc.args(LIBRARY)
        .args(["-fvisibility=hidden", "-ftls-model=initial-exec"])
        .args(["-fno-builtin-malloc", "-DMI_MALLOC_OVERRIDE"])
        .args(["-DMI_SHARED_LIB", "-DMI_SHARED_LIB_EXPORT", "-o"])
        .arg(&library)
        .arg("-I")
        .arg(sources.join("include"))
        .arg(sources.join("src/static.c"))
        .arg("-lpthread");
    output_of(&mut cc)?;
    let header = std::fs::read_to_string(sources.join("include/mimalloc.h")).unwrap_or_default();
    let number = header
        .lines()
        .find_map(|line| line.strip_prefix("#define MI_MALLOC_VERSION"))
        .and_then(|rest| rest.split_whitespace().next())
        .unwrap_or("unknown");
    Ok(Peer {
        name,
        library: argument(&library),
        mode: None,
        how: format!("{from}, sources {version}, version {number}"),
    })
}

fn snmalloc(crates: Result<&Vec<PathBuf>, &str>, scratch: &Path) -> Result<Peer, String> {
    let (folder, from) = found(crates, "snmalloc-sys")?;
    let sources = folder.join("upstream/src");
    let library = scratch.join("libsnmalloc.so");
    let mut cc = Command::new("c++");
    cc.args(LIBRARY)
        .args(["-std=c++20", "-mcx16", "-w", "-ftls-model=initial-exec"])
        .args(["-DSNMALLOC_USE_WAIT_ON_ADDRESS=1", "-o"])
        .arg(&library)
        .arg("-I")
        .arg(&sources);
    for source in ["malloc.cc", "new.cc"] {
        cc.arg(sources.join("snmalloc/override").join(source));
    }
    output_of(&mut cc)?;
    Ok(Peer {
        name: "snmalloc",
        library: argument(&library),
        mode: None,
        how: from,
    })
}
