//! The workspace itself is tidy: `cargo test` says what `cargo xtask tidy` says.

#[test]
fn the_workspace_is_tidy() {
    let findings = xtask::tidy::check(&xtask::root()).expect("the workspace can be read");
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "\n{}\n", lines.join("\n"));
}
