//! A kernel that refuses calls, to this process and from now on: seccomp(2), with classic BPF.

/// How far into what a filter sees the call's fourth argument stands: of mmap(2) the flags.
const FLAGS: u32 = 40;
const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const HAS: u16 = (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

/// One step: what to do, how many steps to leave out if a test holds and if not, and an operand.
const fn step(code: u16, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter { code, jt, jf, k }
}

const fn refuse_with(error: i32) -> libc::sock_filter {
    step(RETURN, 0, 0, libc::SECCOMP_RET_ERRNO | error as u32)
}

const ALLOW: libc::sock_filter = step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW);

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

/// For all threads there are.
fn install(filter: &mut [libc::sock_filter]) {
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: takes numbers.
    let status = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    assert_eq!(status, 0);
    // SAFETY: the program is alive for the call, and the kernel copies it.
    let status = unsafe { libc::syscall(libc::SYS_seccomp, 1, 1, &raw const program) };
    assert_eq!(status, 0, "no seccomp here");
}
