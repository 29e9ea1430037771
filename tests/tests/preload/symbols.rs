//! What the library exports and what it needs, as `nm` tells it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};

use crate::context::Context;
use bowline_tests::trials::trial;

/// Everything that is exported, and nothing else is.
const EXPORTS: &str = "
    malloc free calloc realloc posix_memalign aligned_alloc memalign valloc pvalloc malloc_usable_size
    reallocarray cfree reallocf malloc_size malloc_good_size free_sized free_aligned_sized
    mallopt mallinfo mallinfo2 malloc_trim malloc_stats malloc_info
    __libc_malloc __libc_free __libc_calloc __libc_realloc __libc_memalign __libc_valloc __libc_pvalloc
    __posix_memalign
    _Znwm _Znam _ZnwmRKSt9nothrow_t _ZnamRKSt9nothrow_t
    _ZnwmSt11align_val_t _ZnamSt11align_val_t
    _ZnwmSt11align_val_tRKSt9nothrow_t _ZnamSt11align_val_tRKSt9nothrow_t
    _ZdlPv _ZdaPv _ZdlPvm _ZdaPvm _ZdlPvRKSt9nothrow_t _ZdaPvRKSt9nothrow_t
    _ZdlPvSt11align_val_t _ZdaPvSt11align_val_t _ZdlPvmSt11align_val_t _ZdaPvmSt11align_val_t
    _ZdlPvSt11align_val_tRKSt9nothrow_t _ZdaPvSt11align_val_tRKSt9nothrow_t
    bowline_region_v1
";

/// Names of the C library that allocate, or whose callers would: none of them may be needed.
const ALLOCATING: &str = "
    malloc free calloc realloc posix_memalign aligned_alloc memalign valloc pvalloc reallocarray
    __libc_malloc __libc_free __libc_calloc __libc_realloc __libc_memalign
    asprintf vasprintf getline fopen fdopen printf fprintf opendir realpath getcwd setenv
    pthread_create pthread_getattr_np __cxa_thread_atexit_impl
    __tls_get_addr
";

/// Names of the C library at which a thread may be cancelled, and would unwind out of an allocator. Not here: `fwrite`, for a
/// stream that the program gives, and `fcntl`, of which one command alone waits.
const CANCELLING: &str = "
    accept close connect creat fdatasync fsync getrandom lseek msync nanosleep open open64 openat openat64 pause poll ppoll
    pread pread64 pselect pwrite pwrite64 read readv recv recvmsg select send sendmsg sigsuspend sigtimedwait sigwait sigwaitinfo
    sleep usleep wait waitpid write writev
";

/// `strdup` is the probe that finds out whose malloc the C library uses.
const PROBE: &str = "strdup";

/// The only libraries that may be needed.
const LIBRARIES: [&str; 2] = ["libc.so.6", "ld-linux-x86-64.so.2"];

pub(crate) fn trials(context: &Arc<Context>) -> Vec<Trial> {
    vec![
        trial(context, "symbols::exports".to_owned(), exports),
        trial(context, "symbols::imports".to_owned(), imports),
        trial(context, "symbols::libraries".to_owned(), libraries),
    ]
}

/// What a tool prints about the library.
fn ask(context: &Context, tool: &str, flags: &[&str]) -> Result<String, Failed> {
    let mut command = Command::new(tool);
    let output = command.args(flags).arg(&context.malloc()?.path).output()?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into()),
    }
}

/// The names that `nm` lists, without their versions.
fn names(listing: &str) -> BTreeSet<&str> {
    let name = |line: &'_ str| line.rfind(' ').map_or(0, |at| at + 1);
    listing
        .lines()
        .map(|line| &line[name(line)..])
        .map(|name| name.split('@').next().unwrap_or(name))
        .collect()
}

fn exports(context: &Context, _: &Path) -> Result<(), Failed> {
    let listing = ask(context, "nm", &["-D", "--defined-only"])?;
    let (found, wanted) = (names(&listing), EXPORTS.split_whitespace().collect());
    let missing: Vec<_> = BTreeSet::difference(&wanted, &found).collect();
    let more: Vec<_> = found.difference(&wanted).collect();
    match missing.is_empty() && more.is_empty() {
        true => Ok(()),
        false => Err(format!("not exported: {missing:?}\nexported beyond that: {more:?}").into()),
    }
}

fn imports(context: &Context, _: &Path) -> Result<(), Failed> {
    let listing = ask(context, "nm", &["-D", "--undefined-only"])?;
    let found = names(&listing);
    let bad: Vec<_> = [ALLOCATING, CANCELLING]
        .into_iter()
        .flat_map(str::split_whitespace)
        .filter(|name| found.contains(name))
        .collect();
    if !bad.is_empty() {
        return Err(format!("needs {bad:?}").into());
    }
    match found.contains(PROBE) {
        true => Ok(()),
        false => Err(format!("this list of names is no list of what it needs: {found:?}").into()),
    }
}

fn libraries(context: &Context, _: &Path) -> Result<(), Failed> {
    let listing = ask(context, "readelf", &["-dW"])?;
    let needed: Vec<&str> = listing
        .lines()
        .filter(|line| line.contains("(NEEDED)"))
        .filter_map(|line| line.split_once('[')?.1.split_once(']'))
        .map(|(name, _)| name)
        .collect();
    match needed.contains(&LIBRARIES[0]) && needed.iter().all(|name| LIBRARIES.contains(name)) {
        true => Ok(()),
        false => Err(format!("needs the libraries {needed:?}").into()),
    }
}
