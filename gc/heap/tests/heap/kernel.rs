//! A kernel that refuses calls, to this process and from now on.

use crate::seccomp::{ALLOW, EQUAL, HAS, LOAD, install, refuse_with, step};

/// How far into what a filter sees the call's fourth argument stands: of mmap(2) the flags.
const FLAGS: u32 = 40;

/// membarrier(2), with EPERM.
pub(crate) fn refuse_membarrier() {
    install(&mut [
        step(LOAD, 0, 0, 0),
        step(EQUAL, 0, 1, libc::SYS_membarrier as u32),
        refuse_with(libc::EPERM),
        ALLOW,
    ]);
}

/// Each mapping at an address that the caller insists on, with ENOMEM.
pub(crate) fn refuse_fixed_mappings() {
    let fixed = libc::MAP_FIXED | libc::MAP_FIXED_NOREPLACE;
    install(&mut [
        step(LOAD, 0, 0, 0),
        step(EQUAL, 0, 3, libc::SYS_mmap as u32),
        step(LOAD, 0, 0, FLAGS),
        step(HAS, 0, 1, fixed as u32),
        refuse_with(libc::ENOMEM),
        ALLOW,
    ]);
}
