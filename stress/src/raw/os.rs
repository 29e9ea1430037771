//! The system's calls that the suite needs and std does not offer, as safe functions.
//!
//! * `inv:os.mapped`: what is mapped as words stays mapped for the life of the process, is a whole
//!   number of pages, begins at a page and is only ever looked at through atomics.
//! * `inv:os.plain`: the call takes numbers or pointers to values of this frame, keeps none of
//!   them, and may be made at any time.

use std::ffi::c_int;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::{AsRawFd, FromRawFd};
use std::ptr::null_mut;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use std::time::Duration;

use super::arena;
use super::standing::Watch;

/// The size of a page here. The suite runs on x86-64 only, as the malloc it was made for.
pub(crate) const fn page() -> usize {
    4096
}

/// Fresh zeroed pages, or null.
pub(super) fn map(bytes: usize) -> *mut u8 {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: inv:os.plain: the system chooses the place, so nothing that is mapped is replaced.
    let start = unsafe { libc::mmap(null_mut(), bytes, access, flags, -1, 0) };
    if start == libc::MAP_FAILED {
        null_mut()
    } else {
        start.cast()
    }
}

/// Gives pages of `map` back.
pub(super) fn unmap(start: *mut u8, bytes: usize) {
    // SAFETY: inv:arena.lock: the arena hands in a whole mapping that its user has done with.
    unsafe { libc::munmap(start.cast(), bytes) };
}

/// Zeroed words that no malloc knows.
pub(crate) fn map_words(words: usize) -> Option<&'static [AtomicU64]> {
    let start = map(words.checked_mul(8)?);
    if start.is_null() {
        return None;
    }
    // SAFETY: inv:os.mapped: fresh zeroed pages for this many words, never unmapped.
    Some(unsafe { std::slice::from_raw_parts(start.cast::<AtomicU64>(), words) })
}

/// The words of a file, shared with every process that maps it.
pub(crate) fn map_file(file: &File, words: usize) -> io::Result<&'static [AtomicU64]> {
    if file.metadata()?.len() < words as u64 * 8 {
        return Err(io::Error::other("the file is shorter than its words"));
    }
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let fd = file.as_raw_fd();
    // SAFETY: inv:os.plain: the system chooses the place, so nothing that is mapped is replaced.
    let start = unsafe { libc::mmap(null_mut(), words * 8, access, libc::MAP_SHARED, fd, 0) };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: inv:os.mapped: the file has this many words and is never unmapped.
    Ok(unsafe { std::slice::from_raw_parts(start.cast::<AtomicU64>(), words) })
}

/// This thread's errno.
pub(crate) fn errno() -> i32 {
    // SAFETY: inv:os.plain: gives the address of a variable of this thread.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: inv:os.plain: the variable lives as long as the thread.
    unsafe { *place }
}

/// Sets this thread's errno.
pub(crate) fn set_errno(value: i32) {
    // SAFETY: inv:os.plain: gives the address of a variable of this thread.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: inv:os.plain: the variable lives as long as the thread.
    unsafe { *place = value };
}

/// Ends the process without running anything more.
pub(crate) fn exit_now(status: i32) -> ! {
    // SAFETY: inv:os.plain: does not return.
    unsafe { libc::_exit(status) }
}

/// A child made by [`fork`].
pub(crate) struct Forked(libc::pid_t);

/// How a forked child ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// With this status.
    Exited(i32),
    /// By this signal.
    Signalled(i32),
    /// Not in time; it was killed.
    Late,
}

/// Whether a handler holds the arena's lock over forks.
static WATCHED: AtomicBool = AtomicBool::new(false);

/// Lets the handlers of others, registered after this, allocate while a fork is prepared.
pub(crate) fn keep_arena_over_forks() -> bool {
    let watched = arena::watch_forks();
    WATCHED.store(watched, Ordering::Release);
    watched
}

fn plain_fork() -> libc::pid_t {
    // SAFETY: inv:arena.lock: no arena is being changed, so the child's Rust memory is sound; what
    // else the child may call is what is tested.
    unsafe { libc::fork() }
}

/// Runs `child` in a copy of this process, which ends with what it returns, and at the latest with this thread: a hang that was
/// looked for is not to outlive who looked.
pub(crate) fn fork(child: impl FnOnce() -> i32) -> io::Result<Forked> {
    let parent = std::process::id();
    let pid = match WATCHED.load(Ordering::Acquire) {
        true => plain_fork(),
        false => arena::still(plain_fork),
    };
    match pid {
        0 => {
            end_with_parent();
            // It may have ended before that.
            match std::os::unix::process::parent_id() == parent {
                true => exit_now(child()),
                false => exit_now(0),
            }
        }
        -1 => Err(io::Error::last_os_error()),
        pid => Ok(Forked(pid)),
    }
}

impl Forked {
    /// Waits until the child has ended, for so long at most; what it stands in line for a processor does not count.
    pub(crate) fn wait(self, patience: Duration) -> End {
        let mut watch = Watch::new(self.0);
        let mut nap = Duration::from_micros(100);
        loop {
            if let Some(end) = self.poll(libc::WNOHANG) {
                return end;
            }
            if watch.waited() > patience {
                // SAFETY: inv:os.plain: the child is ours and not yet waited for, so the number is its.
                unsafe { libc::kill(self.0, libc::SIGKILL) };
                while self.poll(0).is_none() {}
                return End::Late;
            }
            std::thread::sleep(nap);
            nap = (nap * 2).min(Duration::from_millis(10));
        }
    }

    fn poll(&self, flags: c_int) -> Option<End> {
        let mut status = 0;
        // SAFETY: inv:os.plain: `status` is written before the call returns.
        let pid = unsafe { libc::waitpid(self.0, &mut status, flags) };
        if pid != self.0 {
            return None;
        }
        if libc::WIFSIGNALED(status) {
            return Some(End::Signalled(libc::WTERMSIG(status)));
        }
        Some(End::Exited(libc::WEXITSTATUS(status)))
    }
}

/// The system's number of this thread.
pub(crate) fn thread_id() -> i32 {
    // SAFETY: inv:os.plain
    unsafe { libc::gettid() }
}

/// Sends a signal to a thread of this process; nothing happens if it is gone.
pub(crate) fn signal_thread(thread: i32, signal: i32) {
    let process = std::process::id();
    // SAFETY: inv:os.plain: a number that names no thread of this process is refused.
    unsafe { libc::syscall(libc::SYS_tgkill, process, thread, signal) };
}

/// Lets `handler` run whenever this signal comes. It must call nothing that a handler may not,
/// apart from what is tested.
pub(crate) fn on_signal(signal: i32, handler: extern "C" fn(c_int)) -> io::Result<()> {
    // SAFETY: inv:os.plain: all zeros is a valid `sigaction`.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as *const () as usize;
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: inv:os.plain: `action` is read before the call returns.
    let done = unsafe { libc::sigaction(signal, &action, null_mut()) };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Ends every process of a group that this program started.
pub(crate) fn end_group(leader: u32) {
    let Ok(group) = libc::pid_t::try_from(leader) else {
        return;
    };
    // SAFETY: inv:os.plain: the group was made for a child of this program.
    unsafe { libc::kill(-group, libc::SIGKILL) };
}

/// Lets this process be killed when the thread that started it ends.
pub(crate) fn end_with_parent() {
    // SAFETY: inv:os.plain
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
}

/// What a limit is on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Limited {
    /// The address space.
    Space,
    /// Data: what is private and may be written.
    Data,
}

/// Limits this process and those it becomes.
pub(crate) fn limit(what: Limited, bytes: u64) -> io::Result<()> {
    let limit = libc::rlimit {
        rlim_cur: bytes,
        rlim_max: bytes,
    };
    let which = match what {
        Limited::Space => libc::RLIMIT_AS,
        Limited::Data => libc::RLIMIT_DATA,
    };
    // SAFETY: inv:os.plain: `limit` is read before the call returns.
    let done = unsafe { libc::setrlimit(which, &limit) };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

type Last = Box<dyn FnOnce() + Send>;

extern "C" fn run_last(what: *mut libc::c_void) {
    // SAFETY: inv:os.last: made by `Box::into_raw` in `at_thread_end`; the system has cleared the
    // key, so nobody else takes it.
    let what = unsafe { Box::from_raw(what.cast::<Last>()) };
    what();
}

/// `inv:os.last` a pthread key's values come from [`at_thread_end`] only, one at a time for each
/// thread.
///
/// Does this when the thread ends, after the destructors of Rust and C++: from the destructor of
/// a pthread key. Done from there again it runs in the next round; the system makes four.
pub(crate) fn at_thread_end(what: impl FnOnce() + Send + 'static) {
    static KEY: OnceLock<libc::pthread_key_t> = OnceLock::new();
    let key = *KEY.get_or_init(|| {
        let mut key = 0;
        // SAFETY: inv:os.plain: `key` is written before the call returns; the destructor is a
        // function that lives as long as the process.
        let made = unsafe { libc::pthread_key_create(&mut key, Some(run_last)) };
        assert_eq!(made, 0, "no pthread key is left");
        key
    });
    let what: Box<Last> = Box::new(Box::new(what));
    // SAFETY: inv:os.last: the box is given away here.
    let kept = unsafe { libc::pthread_setspecific(key, Box::into_raw(what).cast()) };
    assert_eq!(kept, 0, "a pthread key takes no value");
}

/// What this writes to the process's standard error.
pub(crate) fn said(work: impl FnOnce()) -> io::Result<String> {
    // SAFETY: inv:os.plain: the name is read before the call returns.
    let made = unsafe { libc::memfd_create(c"said".as_ptr(), libc::MFD_CLOEXEC) };
    if made < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: inv:os.plain: the number was just made, and is nobody else's.
    let mut file = unsafe { File::from_raw_fd(made) };
    // SAFETY: inv:os.plain: 2 is open, the parent opened it.
    let before = unsafe { libc::dup(2) };
    // SAFETY: inv:os.plain: both are open.
    unsafe { libc::dup2(file.as_raw_fd(), 2) };
    work();
    // SAFETY: inv:os.plain: both are open.
    unsafe { libc::dup2(before, 2) };
    // SAFETY: inv:os.plain: made above, and not used afterwards.
    unsafe { libc::close(before) };
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    Ok(text)
}

/// Has every fork of this process call these: before it, in the parent, in the child.
pub(crate) fn at_fork(handlers: [extern "C" fn(); 3]) -> bool {
    let [before, parent, child] = handlers.map(|handler| Some(handler as unsafe extern "C" fn()));
    // SAFETY: inv:os.plain: the handlers take nothing and live as long as the process.
    unsafe { libc::pthread_atfork(before, parent, child) == 0 }
}

static AT_EXIT: AtomicPtr<()> = AtomicPtr::new(null_mut());

extern "C" fn run_at_exit() {
    let what = AT_EXIT.load(Ordering::Acquire);
    // SAFETY: inv:os.exit: only a `fn()` is ever stored, and before this was registered.
    let what = unsafe { std::mem::transmute::<*mut (), fn()>(what) };
    what();
}

/// `inv:os.exit` the function kept for the exit is stored before it is registered.
///
/// Does this when the process exits, by `atexit`. One function for a process.
pub(crate) fn at_exit(what: fn()) {
    AT_EXIT.store(what as *mut (), Ordering::Release);
    // SAFETY: inv:os.exit: stored above.
    let registered = unsafe { libc::atexit(run_at_exit) };
    assert_eq!(registered, 0, "no room for an atexit function");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::time::Instant;

    #[test]
    fn a_forked_child_tells_its_end() {
        let patience = Duration::from_secs(20);
        assert_eq!(fork(|| 7).unwrap().wait(patience), End::Exited(7));
        let dies = fork(|| std::process::abort()).unwrap();
        assert_eq!(dies.wait(patience), End::Signalled(libc::SIGABRT));
        let sleeps = fork(|| {
            std::thread::sleep(Duration::from_secs(60));
            0
        });
        let late = sleeps.unwrap().wait(Duration::from_millis(50));
        assert_eq!(late, End::Late);
    }

    #[test]
    fn a_child_ends_with_its_parent() {
        let (mut told, tells) = io::pipe().expect("a pipe");
        let parent = fork(|| {
            let child = fork(|| {
                loop {
                    std::thread::sleep(Duration::from_secs(60));
                }
            });
            let number = child.expect("a child").0;
            (&tells).write_all(&number.to_ne_bytes()).expect("written");
            0
        });
        let mut number = [0; 4];
        told.read_exact(&mut number).expect("a number");
        assert_eq!(
            parent.unwrap().wait(Duration::from_secs(20)),
            End::Exited(0)
        );
        let state = || {
            let file = format!("/proc/{}/stat", i32::from_ne_bytes(number));
            let line = std::fs::read_to_string(file).unwrap_or_default();
            line.rsplit_once(") ").map(|(_, rest)| rest.as_bytes()[0])
        };
        let begin = Instant::now();
        while !matches!(state(), None | Some(b'Z')) {
            assert!(begin.elapsed() < Duration::from_secs(60), "it lives");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn a_child_that_runs_without_end_is_late_too() {
        let spins = fork(|| {
            loop {
                std::hint::spin_loop();
            }
        });
        let late = spins.unwrap().wait(Duration::from_millis(50));
        assert_eq!(late, End::Late);
    }

    #[test]
    fn errno_is_this_threads() {
        set_errno(5);
        std::thread::spawn(|| set_errno(6)).join().unwrap();
        assert_eq!(errno(), 5);
    }

    #[test]
    fn a_thread_does_its_last_work() {
        let (send, receive) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            at_thread_end(move || {
                send.send(1).unwrap();
                at_thread_end(move || send.send(2).unwrap());
            });
        });
        thread.join().unwrap();
        assert_eq!(receive.iter().collect::<Vec<i32>>(), [1, 2]);
    }
}
