//! Memory groups, as containers have them: a limit that the system answers by killing.
//!
//! A group is made below the one that the system has mounted, of either version. Where whoever runs the trials may not,
//! they are shown as skipped.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bowline_tests::trials::trial;
use libtest_mimic::{Failed, Trial};

use crate::context::{Context, complaint, expect_served};
use crate::limits::shell;

/// How much the processes of a group may have.
const BYTES: usize = 96 << 20;

/// Where groups are made, and the file that has the limit: version 1, version 2.
const HIERARCHIES: [(&str, &str); 2] = [
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
    ("/sys/fs/cgroup", "memory.max"),
];

/// A group, which goes when this does.
struct Group(PathBuf);

impl Group {
    fn new() -> Option<Group> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("bowline-{}-{number}", std::process::id());
        HIERARCHIES.iter().find_map(|(place, limit)| {
            let path = Path::new(place).join(&name);
            std::fs::create_dir(&path).ok()?;
            let group = Group(path);
            // Without the controller the file is not there.
            let file = group.0.join(limit);
            file.exists().then_some(())?;
            std::fs::write(&file, BYTES.to_string()).ok()?;
            Some(group)
        })
    }

    /// What a shell does to be in it.
    fn enter(&self) -> String {
        format!("echo $$ > {}/cgroup.procs", self.0.display())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // What has ended may still be counted for a moment.
        for _ in 0..100 {
            if std::fs::remove_dir(&self.0).is_ok() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

/// What a trial's process is: its name, its setting, and what `group.c` is to find.
const CASES: [(&str, &str, &str); 2] = [
    // A limit below the group's has the program told, and nobody killed.
    ("group_with_a_limit", "BOWLINE_MALLOC_LIMIT=48m", "200 some"),
    // What a phase has given back is there for the next one, whatever its sizes.
    ("group_in_phases", "BOWLINE_MALLOC_STATS=1", "64 all"),
];

pub(crate) fn trials(context: &Arc<Context>) -> Vec<Trial> {
    let may = Group::new().is_some();
    let trials = CASES.iter().map(|(name, setting, arguments)| {
        let name = format!("limits::{name}");
        match may {
            true => trial(context, name, move |context, folder| {
                lives(context, folder, setting, arguments)
            }),
            false => Trial::test(name, || Ok(()))
                .with_kind("skipped: no memory group can be made here")
                .with_ignored_flag(true),
        }
    });
    trials.collect()
}

/// A process in a group ends as it should, and is not killed.
fn lives(context: &Context, folder: &Path, setting: &str, arguments: &str) -> Result<(), Failed> {
    let group = Group::new().ok_or("no memory group")?;
    let program = context.program("group.c")?;
    let line = format!("{setting} {} {arguments}", program.display());
    let outcome = shell(context, folder, &group.enter(), &line)?;
    if outcome.exit != Some(0) || !outcome.stdout.ends_with("done\n") {
        return Err(complaint("expected to live in the group", &outcome));
    }
    expect_served(context.malloc()?, &outcome, 1)
}
