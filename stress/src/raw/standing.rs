//! How long a process has had a processor, or has waited for something else than a processor.
//!
//! On a machine that is busy with other things a process that has nothing to wait for may take minutes. So patience with it is not
//! measured by the clock: what it stands in line for a processor does not count, and of a time in which it had one a few times what
//! it had.
//!
//! Absent on purpose: exactness. The system counts processor time in ticks of a hundredth of a second.

use std::time::{Duration, Instant};

/// A tick of the system's count.
const TICK: Duration = Duration::from_millis(10);

/// How often a tick counts, so that one that runs in circles is found out in less than the time that it would have to run: who has
/// something to do needs a small part of anybody's patience.
const WEIGHT: u32 = 4;

/// Between two looks. In a shorter time there is a tick or none, and its weight is lost.
const LOOK: Duration = Duration::from_millis(100);

/// Whether some thread of a process, or of its children, could run, and for how many ticks they have run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Standing {
    runnable: bool,
    ticks: u64,
}

impl Standing {
    fn of(pid: i32) -> Option<Standing> {
        let line = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let mut all = Standing::parse(&line)?;
        let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
            return Some(all);
        };
        for task in tasks.flatten() {
            let read = |name| std::fs::read_to_string(task.path().join(name)).unwrap_or_default();
            all.runnable |= Standing::parse(&read("stat")).is_some_and(|task| task.runnable);
            for child in read("children").split_whitespace() {
                let child = child.parse().ok().and_then(Standing::of);
                all.runnable |= child.is_some_and(|child| child.runnable);
                all.ticks += child.map_or(0, |child| child.ticks);
            }
        }
        Some(all)
    }

    /// From a line of `/proc/PID/stat` (proc(5)): after the name, in parentheses, come the state and, as the twelfth and the
    /// thirteenth word, the times in user and in system mode.
    fn parse(line: &str) -> Option<Standing> {
        let (_, rest) = line.rsplit_once(')')?;
        let mut words = rest.split_whitespace();
        let runnable = words.next()? == "R";
        let mut times = words.skip(10).map(str::parse::<u64>);
        let [user, system] = [times.next()?.ok()?, times.next()?.ok()?];
        Some(Standing {
            runnable,
            ticks: user + system,
        })
    }

    /// How much of the time between two looks counts. All of it where nothing is known.
    fn counted(before: Option<Standing>, after: Option<Standing>, time: Duration) -> Duration {
        let (Some(before), Some(after)) = (before, after) else {
            return time;
        };
        // A child that has ended takes its ticks with it.
        let ran = before.ticks.abs_diff(after.ticks);
        if ran > 0 {
            return time.min(
                TICK * u32::try_from(ran)
                    .unwrap_or(u32::MAX)
                    .saturating_mul(WEIGHT),
            );
        }
        match before.runnable || after.runnable {
            true => Duration::ZERO,
            false => time,
        }
    }
}

/// Looks at a process now and then.
pub(crate) struct Watch {
    pid: i32,
    last: (Instant, Option<Standing>),
    waited: Duration,
}

impl Watch {
    /// Begins with a process.
    pub(crate) fn new(pid: i32) -> Watch {
        Watch {
            pid,
            last: (Instant::now(), Standing::of(pid)),
            waited: Duration::ZERO,
        }
    }

    /// How much has counted so far.
    pub(crate) fn waited(&mut self) -> Duration {
        let time = self.last.0.elapsed();
        if time < LOOK {
            return self.waited;
        }
        let now = (self.last.0 + time, Standing::of(self.pid));
        self.waited += Standing::counted(self.last.1, now.1, time);
        self.last = now;
        self.waited
    }

    /// Begins anew.
    pub(crate) fn reset(&mut self) {
        self.waited = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    fn line(state: char, user: u64, system: u64) -> Option<Standing> {
        let text = format!("7 (a) b) {state} 1 7 7 0 -1 4 9 0 0 0 {user} {system} 0 0 20 0 1");
        Standing::parse(&text)
    }

    #[test]
    fn who_could_run_and_had_no_tick_stood_in_line() {
        let ran = Standing {
            runnable: true,
            ticks: 7,
        };
        assert_eq!(line('R', 3, 4), Some(ran));
        assert_eq!(Standing::parse("7 (a) R 1"), None);
        let second = Duration::from_secs(1);
        let counted = |before, after| Standing::counted(before, after, second);
        assert_eq!(counted(line('R', 3, 4), line('R', 3, 4)), Duration::ZERO);
        assert_eq!(counted(line('R', 3, 4), line('S', 3, 4)), Duration::ZERO);
        assert_eq!(counted(line('R', 3, 4), line('R', 5, 5)), TICK * 12);
        assert_eq!(counted(line('S', 3, 4), line('S', 3, 5)), TICK * 4);
        assert_eq!(counted(line('R', 3, 4), line('R', 300, 4)), second);
        assert_eq!(counted(line('S', 3, 4), line('S', 3, 4)), second);
        assert_eq!(counted(None, None), second);
    }

    #[test]
    fn who_sleeps_is_waited_for_and_who_stands_in_line_is_not() {
        let mut sleeper = Command::new("sleep").arg("60").spawn().unwrap();
        let mut watch = Watch::new(sleeper.id() as i32);
        let begin = Instant::now();
        while watch.waited() < Duration::from_millis(50) {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(begin.elapsed() >= Duration::from_millis(50));
        watch.reset();
        sleeper.kill().unwrap();
        sleeper.wait().unwrap();
    }

    #[test]
    fn what_children_do_counts_as_well() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "(while :; do :; done) & echo $!; wait"]);
        let mut shell = shell.stdout(Stdio::piped()).spawn().unwrap();
        let mut spins = String::new();
        let out = shell.stdout.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut spins).unwrap();
        let mut standing = Standing::of(shell.id() as i32);
        while standing.is_some_and(|standing| standing.ticks < 5) {
            std::thread::sleep(TICK);
            standing = Standing::of(shell.id() as i32);
        }
        assert!(
            standing.is_some_and(|standing| standing.runnable),
            "{standing:?}"
        );
        let killed = Command::new("kill").arg(spins.trim()).status().unwrap();
        assert!(killed.success() && shell.wait().is_ok());
    }
}
