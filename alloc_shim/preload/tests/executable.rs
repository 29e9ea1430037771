//! A program that is the allocator: for libc, for Rust, for libraries that it opens, and for a copy of the
//! library that is preloaded into it.

mod support;

use bowline_alloc::table::{Winner, current, winner};
use std::ffi::{CString, c_void};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use support::{Run, library, pprof, texts};

bowline_interpose::executable!();

/// Whether a block lies in this program's region.
fn in_region<T>(block: *const T) -> bool {
    let table = current().expect("this program's table");
    (table.contains)(block.cast())
}

#[test]
fn libc_allocates_in_the_region() {
    assert_eq!(winner(), Winner::Own);
    // SAFETY: a C string.
    let copy = unsafe { libc::strdup(c"hello".as_ptr()) };
    assert!(in_region(copy));
    // SAFETY: `strdup` gave it.
    unsafe { libc::free(copy.cast()) };
}

#[test]
fn rust_allocates_in_an_account_of_its_own() {
    let table = current().expect("this program's table");
    let block = vec![1u8; 50 << 20];
    let (client, runtime) = ((table.live_bytes)(0), (table.live_bytes)(1));
    assert!(in_region(block.as_ptr()));
    // Other tests run beside this one, so no difference can be told: see `forbidden`.
    assert!(runtime >= 50 << 20, "{runtime}");
    assert!(client < 50 << 20, "{client}");
}

/// Where the module is loaded that this address lies in.
fn module(address: *const c_void) -> Option<*mut c_void> {
    // SAFETY: a structure of numbers and pointers, which may be zero.
    let mut info = unsafe { std::mem::zeroed::<libc::Dl_info>() };
    // SAFETY: any address may be asked for; the answer has room.
    let found = unsafe { libc::dladdr(address, &mut info) };
    (found != 0).then_some(info.dli_fbase)
}

#[test]
fn every_name_is_exported() {
    static HERE: u8 = 0;
    let this = module((&raw const HERE).cast());
    for name in bowline_interpose::EXPORTS.lines() {
        let c_name = CString::new(name).expect("no NUL in a name");
        // SAFETY: a C string.
        let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c_name.as_ptr()) };
        assert!(!found.is_null(), "{name} is not exported");
        assert_eq!(module(found), this, "{name} is another's");
    }
}

#[test]
fn it_stays_the_allocator_when_a_copy_is_preloaded() {
    let this = std::env::current_exe().expect("this program's path");
    let mut run = Run::new(&this).preload(library());
    for test in [
        "libc_allocates_in_the_region",
        "rust_allocates_in_an_account_of_its_own",
        "every_name_is_exported",
    ] {
        run = run.arg(test);
    }
    let (out, err) = texts(&run.env("BOWLINE_MALLOC_STATS", "1").output());
    assert!(out.contains("3 passed"), "{out}{err}");
    // One copy speaks: the one that won.
    let tables = err
        .lines()
        .filter(|line| line.starts_with("bowline_malloc: process "));
    assert_eq!(tables.count(), 1, "{err}");
}

#[test]
fn its_heap_profile_has_the_memory_of_rust_too() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("executable.pb");
    let this = std::env::current_exe().expect("this program");
    let run = Run::new(&this)
        .arg("--exact")
        .arg("rust_allocates_in_an_account_of_its_own");
    let run = run.env("BOWLINE_MALLOC_PROFILE", file.to_str().expect("a path"));
    run.succeeds();
    let profile = pprof::read(&file);
    let large = profile
        .samples
        .iter()
        .find(|sample| sample.values[1] >= 50 << 20);
    let stack = large.expect("the sample of 50 MiB").names();
    let name = "rust_allocates_in_an_account_of_its_own";
    assert!(
        stack.iter().any(|function| function.contains(name)),
        "{stack:?}"
    );
}

/// What this program, copied with a mode and perhaps another owner, says when figures are asked for.
fn told_by_copy(name: &str, owner: Option<u32>, mode: u32) -> Option<String> {
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_file(&copy);
    std::fs::copy(std::env::current_exe().expect("this program"), &copy).expect("a copy");
    if std::os::unix::fs::chown(&copy, owner, None).is_err() {
        return None;
    }
    let mode = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(&copy, mode).expect("its rights");
    let run = Run::new(&copy)
        .arg("--exact")
        .arg("libc_allocates_in_the_region");
    let done = run.env("BOWLINE_MALLOC_STATS", "1").output();
    assert!(done.status.success(), "{}", done.status);
    Some(texts(&done).1)
}

#[test]
fn where_a_program_changes_user_as_it_starts_no_variable_counts() {
    let plain = told_by_copy("plain", None, 0o755).expect("nothing is changed");
    assert!(plain.contains("  spans taken"), "{plain}");
    // Only root may give a file to another; everybody else tries the first half alone.
    const NOBODY: u32 = 65534;
    if let Some(told) = told_by_copy("changes_user", Some(NOBODY), 0o4755) {
        assert_eq!(told, "");
    }
}

#[test]
fn a_program_that_changes_user_as_it_starts_is_not_touched_by_a_preload() {
    const NOBODY: u32 = 65534;
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("true_of_nobody");
    let _ = std::fs::remove_file(&copy);
    std::fs::copy("/bin/true", &copy).expect("a copy");
    let told = || {
        let run = Run::new(&copy).preload(library());
        let done = run.env("BOWLINE_MALLOC_STATS", "1").output();
        assert!(done.status.success(), "{}", done.status);
        texts(&done).1
    };
    let plain = told();
    assert!(plain.contains("  spans taken"), "{plain}");
    // Only root may give a file to another.
    if std::os::unix::fs::chown(&copy, Some(NOBODY), None).is_ok() {
        let mode = std::fs::Permissions::from_mode(0o4755);
        std::fs::set_permissions(&copy, mode).expect("its rights");
        assert_eq!(told(), "");
    }
}
