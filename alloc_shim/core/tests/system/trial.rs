//! Trials in processes of their own, and what they see of themselves.

use libtest_mimic::{Arguments, Failed, Trial};
use std::os::unix::process::CommandExt;
use std::process::{Command, Output};

const VARIABLE: &str = "BOWLINE_TRIAL";

/// A limit of the process: the system's number for it, and bytes.
pub(crate) type Limit = (libc::__rlimit_resource_t, u64);

/// One trial.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) body: fn(),
    pub(crate) limit: Option<Limit>,
    /// What standard error must hold at the end.
    pub(crate) says: &'static str,
}

/// A trial that must succeed.
pub(crate) const fn case(name: &'static str, body: fn()) -> Case {
    Case {
        name,
        body,
        limit: None,
        says: "",
    }
}

/// A trial that must succeed under a limit.
pub(crate) const fn under(limit: Limit, name: &'static str, body: fn()) -> Case {
    Case {
        limit: Some(limit),
        ..case(name, body)
    }
}

/// Runs the trials that the command line wants, or the one that the environment names.
pub(crate) fn run_all(cases: &[Case]) {
    if let Ok(name) = std::env::var(VARIABLE) {
        let case = cases.iter().find(|case| case.name == name);
        return (case.expect("no such trial").body)();
    }
    let trial = |case: &Case| {
        let case = *case;
        Trial::test(case.name, move || judge(case))
    };
    let trials = cases.iter().map(trial).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn judge(case: Case) -> Result<(), Failed> {
    let output = start(case).map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() && said == case.says {
        return Ok(());
    }
    Err(format!("{}\n{said}", output.status).into())
}

fn start(case: Case) -> std::io::Result<Output> {
    let mut command = Command::new(std::env::current_exe()?);
    command.env(VARIABLE, case.name).env("RUST_BACKTRACE", "0");
    if let Some((resource, bytes)) = case.limit {
        let set = move || {
            let limit = libc::rlimit {
                rlim_cur: bytes,
                rlim_max: bytes,
            };
            // SAFETY: the kernel reads the borrowed structure.
            match unsafe { libc::setrlimit(resource, &limit) } {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        };
        // SAFETY: the closure makes one system call and allocates nothing.
        unsafe { command.pre_exec(set) };
    }
    command.output()
}

/// A line of `/proc/self/status`, in bytes.
fn status(name: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("a Linux");
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number
        .and_then(|kib| kib.parse::<usize>().ok())
        .expect("a number")
        << 10
}

/// Occupied memory that is not of files, in bytes.
pub(crate) fn resident() -> usize {
    status("RssAnon")
}
