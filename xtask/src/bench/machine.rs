//! Where and when a race was run.

use super::output_of;
use std::path::Path;
use std::process::Command;

/// The facts that a figure is worth nothing without.
pub(super) struct Machine {
    pub(super) date: String,
    pub(super) cpu: String,
    pub(super) cores: usize,
    pub(super) kernel: String,
    pub(super) memory: String,
    pub(super) commit: String,
    pub(super) rustc: String,
    /// How many threads wanted a processor during the minute before.
    pub(super) load: String,
}

impl Machine {
    /// This machine, now, with the sources at `root`.
    pub(super) fn here(root: &Path) -> Machine {
        let ask = |program: &str, arguments: &[&str]| {
            output_of(Command::new(program).args(arguments).current_dir(root))
                .unwrap_or_else(|_| "unknown".to_string())
        };
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        Machine {
            date: ask("date", &["-u", "+%F"]),
            cpu: field(&read("/proc/cpuinfo"), "model name"),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: ask("uname", &["-sr"]),
            memory: field(&read("/proc/meminfo"), "MemTotal"),
            commit: ask("git", &["describe", "--always", "--dirty"]),
            rustc: ask("rustc", &["--version"]),
            load: load(&read("/proc/loadavg")),
        }
    }
}

#[cfg(test)]
impl Machine {
    /// One that there is not.
    pub(super) fn sample() -> Machine {
        Machine {
            date: "2000-01-02".to_string(),
            cpu: "CPU".to_string(),
            cores: 2,
            kernel: "Linux".to_string(),
            memory: "1 kB".to_string(),
            commit: "abc".to_string(),
            rustc: "rustc".to_string(),
            load: "0.5".to_string(),
        }
    }
}

/// The first number of `/proc/loadavg`.
fn load(text: &str) -> String {
    let first = text.split_whitespace().next();
    first.unwrap_or("unknown").to_string()
}

/// The value of the first `name : value` line.
fn field(text: &str, name: &str) -> String {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map_or("unknown".to_string(), |(_, value)| value.trim().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_load_is_read() {
        assert_eq!(load("15.18 18.25 17.24 2/300 4711\n"), "15.18");
        assert_eq!(load(""), "unknown");
    }

    #[test]
    fn fields_are_read() {
        let text = "processor\t: 0\nmodel name\t: Some CPU @ 2:5\nmodel name\t: Other\n";
        assert_eq!(field(text, "model name"), "Some CPU @ 2:5");
        assert_eq!(field(text, "stepping"), "unknown");
    }
}
