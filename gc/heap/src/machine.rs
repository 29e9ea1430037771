//! How much memory the process may have: the least of what the machine has and what its administrator allows.
//!
//! | source | read from |
//! |---|---|
//! | the machine | `sysconf` |
//! | control groups, version 2 | `memory.max` of the process's group and of each one above it |
//! | control groups, version 1 | `memory.limit_in_bytes` of the same in the `memory` hierarchy |
//! | data segment (`ulimit -d`) | `RLIMIT_DATA`, less what `/proc/self/status` says is used |
//! | strict overcommit (`vm.overcommit_memory=2`) | what `/proc/meminfo` has left to promise |
//!
//! All private memory that can be written counts as data, thread stacks among it.
//!
//! Where a group's files are is said by `/proc/self/cgroup` (the process's path in each hierarchy) and
//! `/proc/self/mountinfo` (where a hierarchy, or the part of it that a container sees, is mounted): see
//! cgroups(7) and proc(5). What cannot be read limits nothing.
//!
//! Absent on purpose: `memory.high`, which slows a group down and takes nothing from it, and any look later
//! on: a limit that is lowered while the program runs is the kernel's to enforce.

use crate::sys;
use std::path::{Path, PathBuf};

/// Reads a file of the system's.
type Read<'a> = &'a dyn Fn(&Path) -> Option<String>;

/// What the runtime itself maps besides the heap, in bytes: the first chunks of the side tables, threads, and what a
/// collection needs while it runs.
pub(crate) const OVERHEAD: usize = 128 << 20;

/// The memory that is there for the heap and for C, in bytes.
pub(crate) fn memory() -> usize {
    let group = grouped(&read).map(bytes);
    let mappable = mappable().map(|bytes| bytes.saturating_sub(OVERHEAD));
    [group, mappable]
        .into_iter()
        .flatten()
        .fold(sys::physical_memory(), usize::min)
}

/// How many bytes the process may still map that can be written, where the system counts them: `ulimit -d` and strict
/// overcommit do, whether they are touched or not.
pub fn mappable() -> Option<usize> {
    let data = sys::data_limit().map(|limit| limit.saturating_sub(mapped(&read).unwrap_or(0)));
    [data, promised(&read)]
        .into_iter()
        .flatten()
        .min()
        .map(bytes)
}

fn read(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

fn bytes(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// What counts against `ulimit -d` already, in bytes.
fn mapped(read: Read<'_>) -> Option<u64> {
    let status = read(Path::new("/proc/self/status"))?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmData:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

/// What the kernel may still promise, if it keeps count.
fn promised(read: Read<'_>) -> Option<u64> {
    if read(Path::new("/proc/sys/vm/overcommit_memory"))?.trim() != "2" {
        return None;
    }
    let info = read(Path::new("/proc/meminfo"))?;
    let kib = |name: &str| -> Option<u64> {
        let line = info.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix("kB")?.trim().parse().ok()
    };
    Some(kib("CommitLimit:")?.saturating_sub(kib("Committed_AS:")?) << 10)
}

/// A hierarchy of control groups that limits memory.
struct Hierarchy {
    /// Where it is mounted.
    mount: PathBuf,
    /// Which of its groups is there.
    root: String,
    unified: bool,
}

/// The least limit of the process's control groups.
fn grouped(read: Read<'_>) -> Option<u64> {
    let mounts = read(Path::new("/proc/self/mountinfo"))?;
    let groups = read(Path::new("/proc/self/cgroup"))?;
    let hierarchies = mounts.lines().filter_map(hierarchy);
    let limits = hierarchies.filter_map(|hierarchy| {
        let group = groups.lines().find_map(|line| group(line, &hierarchy))?;
        hierarchy.limit(group, read)
    });
    limits.min()
}

/// The hierarchy that a line of `mountinfo` mounts.
fn hierarchy(line: &str) -> Option<Hierarchy> {
    let (place, kind) = line.split_once(" - ")?;
    let mut place = place.split(' ').skip(3);
    let (root, mount) = (place.next()?, place.next()?);
    let mut kind = kind.split(' ');
    let unified = match kind.next()? {
        "cgroup2" => true,
        "cgroup" if kind.nth(1)?.split(',').any(|option| option == "memory") => false,
        _ => return None,
    };
    Some(Hierarchy {
        mount: unescaped(mount).into(),
        root: unescaped(root),
        unified,
    })
}

/// Spaces and the like are written in octal.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..3).and_then(|o| u8::from_str_radix(o, 8).ok());
        match code {
            Some(code) => {
                whole.push(code.into());
                whole.push_str(&part[3..]);
            }
            None => {
                whole.push('\\');
                whole.push_str(part);
            }
        }
    }
    whole
}

/// The process's group, if this line of `/proc/self/cgroup` is about the hierarchy.
fn group<'a>(line: &'a str, hierarchy: &Hierarchy) -> Option<&'a str> {
    let mut fields = line.splitn(3, ':');
    let (number, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
    let about = match hierarchy.unified {
        true => number == "0" && controllers.is_empty(),
        false => controllers.split(',').any(|name| name == "memory"),
    };
    about.then_some(path)
}

impl Hierarchy {
    /// The least limit of `group` and of those above it that can be seen.
    fn limit(&self, group: &str, read: Read<'_>) -> Option<u64> {
        // Another root than ours, or one above it (`/..`), shows nothing but what is mounted.
        let root = self.root.trim_end_matches('/');
        let below = group
            .strip_prefix(root)
            .filter(|rest| rest.is_empty() || rest.starts_with('/'))
            .filter(|rest| !rest.split('/').any(|part| part == ".."))
            .unwrap_or_default();
        let folder = self.mount.join(below.trim_start_matches('/'));
        let above = folder.ancestors();
        let name = match self.unified {
            true => "memory.max",
            false => "memory.limit_in_bytes",
        };
        above
            .take_while(|folder| folder.starts_with(&self.mount))
            // No number, as `max`, is no limit.
            .filter_map(|folder| read(&folder.join(name))?.trim().parse().ok())
            .min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// What the files say whose paths and contents these are.
    fn says(files: &[(&str, &str)]) -> Option<u64> {
        let read = |path: &Path| {
            let file = files.iter().find(|(name, _)| Path::new(name) == path);
            file.map(|(_, text)| (*text).to_owned())
        };
        [grouped(&read), promised(&read)]
            .into_iter()
            .flatten()
            .min()
    }

    const V2: &str = "22 28 0:21 / /proc rw shared:12 - proc proc rw\n\
        33 24 0:28 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
    const V1: &str = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
        32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
        35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";

    #[test]
    fn the_unified_hierarchy_limits_by_the_least_of_all_ancestors() {
        let files = |outer, inner| {
            says(&[
                ("/proc/self/mountinfo", V2),
                ("/proc/self/cgroup", "0::/user.slice/a.service\n"),
                ("/sys/fs/cgroup/user.slice/memory.max", outer),
                ("/sys/fs/cgroup/user.slice/a.service/memory.max", inner),
            ])
        };
        assert_eq!(files("max\n", "max\n"), None);
        assert_eq!(files("max\n", "104857600\n"), Some(100 * MIB));
        assert_eq!(files("52428800\n", "104857600\n"), Some(50 * MIB));
        assert_eq!(files("52428800\n", "max\n"), Some(50 * MIB));
    }

    #[test]
    fn the_memory_hierarchy_of_version_1_does() {
        let none = "9223372036854771712\n";
        let files = |outer, inner| {
            says(&[
                ("/proc/self/mountinfo", V1),
                (
                    "/proc/self/cgroup",
                    "9:name=systemd:/\n4:cpu,memory:/x/y\n0::/z\n",
                ),
                ("/sys/fs/cgroup/memory/memory.limit_in_bytes", none),
                ("/sys/fs/cgroup/memory/x/memory.limit_in_bytes", outer),
                ("/sys/fs/cgroup/memory/x/y/memory.limit_in_bytes", inner),
                ("/sys/fs/cgroup/memory/z/memory.limit_in_bytes", "1"),
            ])
        };
        assert_eq!(files(none, "104857600\n"), Some(100 * MIB));
        assert_eq!(files("52428800\n", none), Some(50 * MIB));
        assert!(
            files(none, none) > Some(1 << 60),
            "more than any machine has"
        );
    }

    #[test]
    fn a_container_sees_a_part_of_the_hierarchy() {
        let mounts = "33 24 0:28 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
        let files = |group| {
            says(&[
                ("/proc/self/mountinfo", mounts),
                ("/proc/self/cgroup", group),
                ("/sys/fs/cgroup/memory.max", "104857600\n"),
                ("/sys/fs/cgroup/inner/memory.max", "52428800\n"),
                ("/sys/fs/cgroup/docker/abc/memory.max", "1\n"),
            ])
        };
        assert_eq!(files("0::/docker/abc\n"), Some(100 * MIB));
        assert_eq!(files("0::/docker/abc/inner\n"), Some(50 * MIB));
        assert_eq!(files("0::/docker/abcd\n"), Some(100 * MIB), "elsewhere");
        assert_eq!(files("0::/../other\n"), Some(100 * MIB), "above it");
    }

    #[test]
    fn odd_names_and_files_do_no_harm() {
        let mounts = "33 24 0:28 / /mnt/a\\040b\\134c rw - cgroup2 none rw\n\nnonsense - \n1 2\n";
        let files = |limit| {
            says(&[
                ("/proc/self/mountinfo", mounts),
                ("/proc/self/cgroup", "\n0\n0::/g:h\n"),
                ("/mnt/a b\\c/g:h/memory.max", limit),
            ])
        };
        assert_eq!(files("4096"), Some(4096));
        for odd in ["", "-1", "x", "99999999999999999999999"] {
            assert_eq!(files(odd), None, "{odd}");
        }
        assert_eq!(unescaped("a\\9b\\"), "a\\9b\\");
        assert_eq!(says(&[]), None);
        assert_eq!(says(&[("/proc/self/mountinfo", V2)]), None);
    }

    #[test]
    fn strict_overcommit_limits_to_what_is_left() {
        let info = "MemTotal: 8000 kB\nCommitLimit:    4096000 kB\nCommitted_AS:  1024000 kB\n";
        let files = |mode| {
            says(&[
                ("/proc/sys/vm/overcommit_memory", mode),
                ("/proc/meminfo", info),
            ])
        };
        assert_eq!(files("2\n"), Some(3000 * MIB));
        assert_eq!(files("0\n"), None);
        let left = says(&[
            ("/proc/sys/vm/overcommit_memory", "2\n"),
            ("/proc/meminfo", "CommitLimit: 1 kB\nCommitted_AS: 2 kB\n"),
        ]);
        assert_eq!(left, Some(0));
    }

    #[test]
    fn what_is_mapped_counts_against_the_limit() {
        let says = |text: &str| mapped(&|_| Some(text.to_owned()));
        assert_eq!(
            says("VmPeak:\t 9 kB\nVmData:\t    1024 kB\n"),
            Some(1 << 20)
        );
        assert_eq!(says("VmPeak:\t 9 kB\n"), None);
        assert_eq!(says("VmData: much\n"), None);
        assert!(mapped(&read) > Some(0));
    }

    #[test]
    fn this_machine_has_memory() {
        let memory = memory();
        assert!(memory > 0 && memory <= sys::physical_memory());
    }
}
