//! Checks that the C library and the loader live well on the malloc under test.

use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use super::By::{Glibc, Posix};
use super::{Check, Outcome, Seen, broken, ensure, get, malloc, row};
use crate::raw::{Family, LibcUser, listed, look_up_nothing, matched, planted, set_variable};

#[rustfmt::skip] // a table
pub(super) const CHECKS: &[Check] = &[
    row("libc-strdup", Posix, "free takes what strdup and realpath give", libc_strdup),
    row("libc-getline", Posix, "getline grows its buffer, and free takes it", libc_getline),
    row("libc-memstream", Posix, "open_memstream grows its buffer, and free takes it", libc_memstream),
    row("loader", Glibc, "looking up a symbol that is not there allocates and goes on", loader),
    row("programs", Glibc, "sh and its pipeline run with this malloc", programs),
    row("libc-asprintf", Glibc, "free takes what asprintf gives", libc_asprintf),
    row("libc-strndup", Posix, "free takes what strndup gives", libc_strndup),
    row("libc-getcwd", Glibc, "free takes what getcwd(NULL, 0) gives", libc_getcwd),
    row("libc-scanf", Posix, "free takes what sscanf reads by %ms", libc_scanf),
    row("libc-tree", Glibc, "tdestroy frees a tree and keys of the malloc under test", libc_tree),
    row("libc-regex", Posix, "regcomp, regexec and regfree live on it", libc_regex),
    row("libc-glob", Posix, "glob and globfree live on it", libc_glob),
    row("libc-environment", Posix, "setenv with ever longer values keeps the last", libc_environment),
    row("spawn", Posix, "programs can be started while other threads allocate", spawn),
];

fn uses(family: &Family, user: LibcUser, holds: impl Fn(&[u8]) -> bool) -> Outcome {
    let Some((address, bytes)) = user.call() else {
        return Err(broken(format!("{user:?} failed")));
    };
    ensure(holds(&bytes), || {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        format!("{user:?} gave {} bytes: {text:.60}", bytes.len())
    })?;
    // The string and the zero behind it.
    let usable = family.usable_at(address).unwrap_or(usize::MAX);
    ensure(usable > bytes.len(), || {
        let length = bytes.len();
        format!("{user:?} gave {length} bytes in a block of {usable}")
    })?;
    family.free_at(address);
    Ok(())
}

fn libc_strdup(family: &Family) -> Outcome {
    (0..1000).try_for_each(|_| {
        uses(family, LibcUser::Strdup, |bytes| {
            bytes == b"a string to copy"
        })?;
        uses(family, LibcUser::Realpath, |bytes| bytes == b"/")
    })
}

fn libc_getline(family: &Family) -> Outcome {
    for length in [1, 119, 120, 121, 5000, 100_000, 3 << 20] {
        let whole = |bytes: &[u8]| bytes.len() == length && bytes.iter().all(|b| *b == b'x');
        uses(family, LibcUser::Getline(length), whole)?;
    }
    Ok(())
}

fn libc_memstream(family: &Family) -> Outcome {
    for length in [1, 100, 8192, 100_000, 3 << 20] {
        let whole = |bytes: &[u8]| bytes.len() == length && bytes.iter().all(|b| *b == b'y');
        uses(family, LibcUser::Memstream(length), whole)?;
    }
    Ok(())
}

fn loader(_: &Family) -> Outcome {
    for _ in 0..1000 {
        let message = look_up_nothing();
        ensure(message.contains("bowline_no_such_symbol"), || {
            format!("dlerror says: {message}")
        })?;
    }
    Ok(())
}

fn programs(_: &Family) -> Outcome {
    // The environment, and with it the malloc under test, is inherited.
    let script = "for i in 1 2 3 4 5; do echo line $i; done | sort -r | wc -l";
    let run = Command::new("/bin/sh").args(["-c", script]).output();
    let output = run.map_err(|error| broken(format!("/bin/sh: {error}")))?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure(output.status.success() && text.trim() == "5", || {
        format!("{}: {text:.80}", output.status)
    })
}

fn libc_asprintf(family: &Family) -> Outcome {
    for length in [1, 100, 5000, 100_000, 3 << 20] {
        let whole = |bytes: &[u8]| bytes.len() == length && bytes.ends_with(b"7");
        uses(family, LibcUser::Asprintf(length), whole)?;
    }
    Ok(())
}

/// That this gives that, often.
fn gives(family: &Family, user: LibcUser, wanted: &[u8]) -> Outcome {
    (0..1000).try_for_each(|_| uses(family, user, |bytes| bytes == wanted))
}

fn libc_strndup(family: &Family) -> Outcome {
    gives(family, LibcUser::Strndup, b"a string")
}

fn libc_getcwd(family: &Family) -> Outcome {
    let folder = std::env::current_dir().map_err(|error| broken(error.to_string()))?;
    gives(family, LibcUser::Getcwd, folder.as_os_str().as_bytes())
}

fn libc_scanf(family: &Family) -> Outcome {
    gives(family, LibcUser::Scanf, b"word")
}

fn libc_tree(family: &Family) -> Outcome {
    for round in 0..20 {
        let keys: Result<Vec<usize>, Seen> = (0..500)
            .map(|i| Ok(get(family, malloc(16 + i + round))?.start()))
            .collect();
        let count = planted(&keys?);
        ensure(count == 500, || {
            format!("the tree took {count} of 500 keys")
        })?;
    }
    Ok(())
}

fn libc_regex(_: &Family) -> Outcome {
    (0..50).try_for_each(|_| {
        ensure(matched(), || {
            "a pattern did not match what it should".to_string()
        })
    })
}

fn libc_glob(_: &Family) -> Outcome {
    let first = listed();
    (0..100).try_for_each(|_| {
        let count = listed();
        ensure(count == first && count > 2, || {
            format!("/[a-z]* has {count} names, and first had {first}")
        })
    })
}

fn libc_environment(_: &Family) -> Outcome {
    let length = set_variable(3000).unwrap_or(0);
    ensure(length == 3000, || {
        format!("the value has {length} bytes of 3000")
    })
}

fn spawn(family: &Family) -> Outcome {
    super::process::amid_threads(family, 50, || {
        let status = Command::new("/bin/true").status();
        let status = status.map_err(|error| broken(format!("/bin/true: {error}")))?;
        ensure(status.success(), || format!("/bin/true: {status}"))
    })
}
