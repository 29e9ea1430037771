//! What may be removed, and what is refused.

use super::{is_ours, refuse_preloaded, uninstall};
use std::path::Path;

#[test]
fn only_files_of_the_malloc_are_removed() {
    let ours = [
        "lib/libbowline_malloc.so",
        "bin/bowline-malloc",
        "share/doc/bowline-malloc/malloc.md",
        "share/bowline-malloc/installed",
    ];
    assert!(ours.into_iter().all(is_ours));
    let others = [
        "",
        "/etc/passwd",
        "bin/sh",
        "share/doc/bowline-malloc/../../../bin/sh",
        "share/doc/bowline-malloc/..",
        "lib/libbowline_malloc.so/..",
    ];
    assert!(!others.into_iter().any(is_ours));
}

#[test]
fn a_library_that_every_program_loads_stays() {
    let list = std::env::temp_dir().join(format!("preloaded-{}", std::process::id()));
    std::fs::write(&list, "/lib/other.so\n/opt/lib/libbowline_malloc.so\n").expect("a file");
    let library = Path::new("/opt/lib/libbowline_malloc.so");
    let refused = refuse_preloaded(&list, library).expect_err("it is named");
    let wanted = format!(
        "{} stands in {}: take it out there first",
        library.display(),
        list.display()
    );
    assert_eq!(refused, wanted);
    assert_eq!(
        refuse_preloaded(&list, Path::new("/usr/lib/libbowline_malloc.so")),
        Ok(())
    );
    std::fs::remove_file(&list).expect("the file");
    assert_eq!(refuse_preloaded(&list, library), Ok(()));
}

#[test]
fn what_was_not_installed_is_not_removed() {
    let refused = uninstall(Path::new("/no/such/prefix")).expect_err("nothing is there");
    let wanted = "/no/such/prefix: this malloc is not installed there";
    assert_eq!(refused, wanted);
}
