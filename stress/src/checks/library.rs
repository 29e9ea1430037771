//! Checks that the C library and the loader live well on the malloc under test.

use std::process::Command;

use super::By::{Glibc, Posix};
use super::{Check, Outcome, Seen, broken, ensure, get, malloc, row};
use crate::raw::{Family, LibcUser, look_up_nothing};

#[rustfmt::skip] // a table
pub(super) const CHECKS: &[Check] = &[
    row("libc-strdup", Posix, "free takes what strdup and realpath give", libc_strdup),
    row("libc-getline", Posix, "getline grows its buffer, and free takes it", libc_getline),
    row("libc-memstream", Posix, "open_memstream grows its buffer, and free takes it", libc_memstream),
    row("loader", Glibc, "looking up a symbol that is not there allocates and goes on", loader),
    row("programs", Glibc, "sh and its pipeline run with this malloc", programs),
    row("malloc_trim", Glibc, "malloc_trim may be called at any time", malloc_trim),
    row("mallopt", Glibc, "mallopt refuses or takes a parameter and goes on", mallopt),
    row("mallinfo2", Glibc, "mallinfo2 may be called at any time", mallinfo2),
];

fn uses(family: &Family, user: LibcUser, holds: impl Fn(&[u8]) -> bool) -> Outcome {
    let Some((address, bytes)) = user.call() else {
        return Err(broken(format!("{user:?} failed")));
    };
    ensure(holds(&bytes), || {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        format!("{user:?} gave {} bytes: {text:.60}", bytes.len())
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

fn malloc_trim(family: &Family) -> Outcome {
    for bits in 4..24 {
        let block = get(family, malloc(1 << bits))?;
        family.trim().ok_or(Seen::Missing("malloc_trim"))?;
        family.free(block);
        family.trim();
    }
    Ok(())
}

fn mallopt(family: &Family) -> Outcome {
    // M_ARENA_MAX, M_MMAP_THRESHOLD, and one that nobody knows.
    for (parameter, value) in [(-8, 4), (-3, 1 << 20), (-12345, 0)] {
        family
            .mallopt(parameter, value)
            .ok_or(Seen::Missing("mallopt"))?;
    }
    let block = get(family, malloc(3 << 19))?;
    family.free(block);
    Ok(())
}

fn mallinfo2(family: &Family) -> Outcome {
    let block = get(family, malloc(1 << 20))?;
    family.mallinfo2().ok_or(Seen::Missing("mallinfo2"))?;
    family.free(block);
    family.mallinfo2();
    Ok(())
}
