//! The picture of the crates against what cargo says of the workspace.
//!
//! Dependencies of tests count like any other: a test that reaches up makes the picture untrue too. What
//! the table allows to every test is excepted.

use super::crates::{CRATES, TESTS_MAY_USE, named};
use super::{Finding, Tree};
use serde::Deserialize;
use std::path::Path;
use std::process::Command;

/// A package of the workspace.
#[derive(Deserialize, Clone, Debug)]
pub(super) struct Package {
    name: String,
    manifest_path: String,
    dependencies: Vec<Dependency>,
    default_run: Option<String>,
    features: std::collections::BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize, Clone, Debug)]
struct Dependency {
    name: String,
    kind: Option<String>,
    path: Option<String>,
}

impl Dependency {
    /// Whether it is of a kind that needs no arrow.
    fn is_for_tests(&self) -> bool {
        self.kind.as_deref() == Some("dev") && TESTS_MAY_USE.contains(&self.name.as_str())
    }
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

/// The most features that a crate may have; `default` and those that a dependency makes do not count.
const FEATURES: usize = 5;

/// The packages of the workspace at `root`, with their manifests relative to it.
pub(super) fn packages(root: &Path) -> Result<Vec<Package>, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .current_dir(root)
        .output()
        .map_err(|e| format!("cargo metadata: {e}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("cargo metadata: {said}"));
    }
    read(&output.stdout, root)
}

fn read(json: &[u8], root: &Path) -> Result<Vec<Package>, String> {
    let metadata: Metadata =
        serde_json::from_slice(json).map_err(|e| format!("cargo metadata: {e}"))?;
    let mut packages = metadata.packages;
    for package in &mut packages {
        let path = Path::new(&package.manifest_path);
        let path = path.strip_prefix(root).unwrap_or(path);
        package.manifest_path = path.to_string_lossy().into_owned();
    }
    Ok(packages)
}

pub(super) fn check(tree: &Tree, packages: &[Package]) -> Vec<Finding> {
    let mut found: Vec<Finding> = packages.iter().flat_map(edges).collect();
    found.extend(packages.iter().filter_map(runs));
    if let Some(page) = tree.file("ARCHITECTURE.md") {
        for krate in CRATES {
            if !page.text.contains(&format!("`{}`", krate.folder)) {
                let message = format!("does not say what lives in `{}`", krate.folder);
                found.push(Finding::new(&page.path, 0, message));
            }
        }
    }
    found
}

/// The package whose program `cargo run` means. A second one that names its program makes that ambiguous.
const COMMAND: &str = "bowline";

fn runs(package: &Package) -> Option<Finding> {
    let names = package.default_run.is_some();
    let message = match package.name == COMMAND {
        true if !names => "has no `default-run`: `cargo run` means nothing",
        false if names => "has a `default-run`: `cargo run` is ambiguous",
        _ => return None,
    };
    Some(Finding::new(&package.manifest_path, 0, message.to_owned()))
}

fn edges(package: &Package) -> Vec<Finding> {
    let path = &package.manifest_path;
    let Some(row) = named(&package.name) else {
        let message = format!("`{}` is not in the table of crates", package.name);
        return vec![Finding::new(path, 0, message)];
    };
    let mut found = Vec::new();
    let place = format!("{}/Cargo.toml", row.folder);
    if *path != place {
        let message = format!("`{}` belongs in {}", package.name, row.folder);
        found.push(Finding::new(path, 0, message));
    }
    for dependency in &package.dependencies {
        let own = dependency.path.is_some() || named(&dependency.name).is_some();
        let allowed = row.may_use.contains(&dependency.name.as_str());
        if own && !allowed && !dependency.is_for_tests() {
            let message = format!(
                "`{}` may not depend on `{}`: no arrow leads there",
                package.name, dependency.name
            );
            found.push(Finding::new(path, 0, message));
        }
    }
    let features = package.features.iter().filter(|(name, enables)| {
        let implied = format!("dep:{name}");
        *name != "default" && enables.as_slice() != [implied]
    });
    let features = features.count();
    if features > FEATURES {
        let message =
            format!("{features} features: {FEATURES} is the most, modes are chosen at run time");
        found.push(Finding::new(path, 0, message));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::samples::{bad, good};
    use super::*;

    fn workspace(name: &str, folder: &str, uses: &[&str], features: &[&str]) -> Vec<Package> {
        let dependencies: Vec<String> = uses
            .iter()
            .map(|d| format!(r#"{{"name":"{d}","kind":"dev","path":"/w/x"}}"#))
            .collect();
        let features: Vec<String> = features.iter().map(|f| format!(r#""{f}":[]"#)).collect();
        let json = format!(
            r#"{{"packages":[{{"name":"{name}","manifest_path":"/w/{folder}/Cargo.toml",
               "dependencies":[{{"name":"libc","kind":null}}{}{}],"features":{{{}}}}}]}}"#,
            if uses.is_empty() { "" } else { "," },
            dependencies.join(","),
            features.join(",")
        );
        read(json.as_bytes(), Path::new("/w")).expect("sample metadata")
    }

    #[test]
    fn arrows_may_not_turn_back() {
        let down = workspace("bowline-gc", "gc/heap", &["bowline-layout"], &[]);
        good(|tree| check(tree, &down), &[]);
        let up = workspace("bowline-gc", "gc/heap", &["bowline-ffi"], &[]);
        bad(
            |tree| check(tree, &up),
            &[],
            "gc/heap/Cargo.toml: `bowline-gc` may not depend on `bowline-ffi`",
        );
        let malloc = workspace("bowline-gc", "gc/heap", &["bowline-interpose"], &[]);
        good(|tree| check(tree, &malloc), &[]);
        let side = workspace("bowline-middle", "lang/middle", &["bowline-runtime"], &[]);
        bad(
            |tree| check(tree, &side),
            &[],
            "may not depend on `bowline-runtime`",
        );
    }

    #[test]
    fn every_crate_has_its_row_and_folder() {
        let stranger = workspace("bowline-extra", "extra", &[], &[]);
        bad(|tree| check(tree, &stranger), &[], "not in the table");
        let moved = workspace("bowline-gc", "heap", &[], &[]);
        bad(|tree| check(tree, &moved), &[], "belongs in gc/heap");
    }

    #[test]
    fn one_package_names_what_is_run() {
        let mut stress = workspace("bowline-stress", "stress", &[], &[]);
        good(|tree| check(tree, &stress), &[]);
        stress[0].default_run = Some("bowline-stress".to_owned());
        bad(|tree| check(tree, &stress), &[], "`cargo run` is ambiguous");
        let mut command = workspace("bowline", "lang/cli", &[], &[]);
        bad(
            |tree| check(tree, &command),
            &[],
            "`cargo run` means nothing",
        );
        command[0].default_run = Some("bowline".to_owned());
        good(|tree| check(tree, &command), &[]);
    }

    #[test]
    fn features_are_few() {
        let five = workspace(
            "bowline-gc",
            "gc/heap",
            &[],
            &["a", "b", "c", "d", "e", "default"],
        );
        good(|tree| check(tree, &five), &[]);
        let six = workspace(
            "bowline-gc",
            "gc/heap",
            &[],
            &["a", "b", "c", "d", "e", "f"],
        );
        bad(|tree| check(tree, &six), &[], "6 features");
    }

    #[test]
    fn the_page_names_every_crate() {
        let all: String = CRATES.iter().map(|c| format!("`{}` ", c.folder)).collect();
        good(|tree| check(tree, &[]), &[("ARCHITECTURE.md", &all)]);
        let less = all.replace("`gc/heap`", "the heap");
        bad(
            |tree| check(tree, &[]),
            &[("ARCHITECTURE.md", &less)],
            "`gc/heap`",
        );
    }
}
