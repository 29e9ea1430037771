//! `bowline-stress gc`: the heap holds for a minute, and faults that are planted in how the torture
//! deals with it are found, made short, and found again by the script that is left.

mod run;

use run::{Run, scratch};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

fn stress(arguments: &[&str]) -> Run {
    run::stress(&[&["gc"], arguments].concat())
}

impl Run {
    /// How many operations are left of a failure.
    fn left(&self) -> usize {
        let line = self
            .out
            .lines()
            .find(|line| line.contains(" operations; failed"));
        let number = line.and_then(|line| line.split_whitespace().next());
        number.and_then(|n| n.parse().ok()).expect(&self.out)
    }

    /// The replay file of a failure.
    fn replay(&self) -> PathBuf {
        let line = self
            .out
            .lines()
            .find_map(|line| line.split_once("--replay="));
        scratch().join(line.expect(&self.out).1)
    }
}

/// Tortures by one plan, or by all in turn, from a seed.
#[track_caller]
fn holds(seconds: u32, seed: u64, more: &[&str]) {
    let (seconds, seed) = (format!("--seconds={seconds}"), format!("--seed={seed}"));
    let mut arguments = vec![seconds.as_str(), &seed, "--patience=240"];
    arguments.extend(more);
    stress(&arguments).ended(0, &["ok        gc torture: "]);
}

#[test]
fn throughput_holds() {
    holds(10, 1, &["--plan=throughput"]);
}

#[test]
fn latency_holds() {
    holds(10, 2, &["--plan=latency"]);
}

#[test]
fn immix_holds() {
    holds(10, 3, &["--plan=immix"]);
}

#[test]
fn everything_moved_holds() {
    holds(10, 4, &["--plan=compact-test", "--verify"]);
}

#[test]
fn zeal_holds() {
    holds(5, 5, &["--zeal=alloc:40"]);
}

#[test]
fn a_fresh_seed_holds() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = now.as_micros() as u64 % 1_000_000_000;
    holds(15, seed, &[]);
}

/// A fault that is planted is found, and what is left of the script finds it again.
#[track_caller]
fn found(fault: &str, profile: &str, codes: &[i32]) {
    let options = [("plant", fault), ("profile", profile)].map(|(o, v)| format!("--{o}={v}"));
    let seed = fault
        .bytes()
        .fold(7, |seed: u64, b| (seed * 31 + u64::from(b)) % 1_000_000);
    let seed = format!("--seed={seed}");
    // To see a hang takes seconds each time.
    let (patience, shrink) = match fault {
        "hang" => ("--patience=5", "--shrink=20"),
        _ => ("--patience=240", "--shrink=300"),
    };
    let plan: &[&str] = match fault {
        // There alone the heap is marked beside the program.
        "weak-read" => &["--plan=latency"],
        // What these lose sight of must move, which elsewhere depends on how full its block is.
        "root" | "global" => &["--plan=throughput"],
        _ => &[],
    };
    // One collector thread, so that what went wrong goes wrong again.
    let usual = [
        "--threads=1",
        "--workers=1",
        "--steps=1500",
        "--zeal=off",
        // So large that none is filled, which takes long.
        "--heap=64m",
        "--seconds=600",
        shrink,
    ];
    let mut arguments = vec![options[0].as_str(), &options[1], &seed, patience];
    arguments.extend(usual);
    arguments.extend(plan);
    let run = stress(&arguments).ended_by(codes, &["again:    bowline-stress gc --replay="]);
    assert!(run.left() < 40, "{}", run.out);
    let replay = format!("--replay={}", run.replay().display());
    stress(&[&replay, patience]).ended_by(codes, &["replay: "]);
}

/// A wrong answer, or the end of the process.
const SEEN: &[i32] = &[1, 3];

#[test]
fn stores_without_barrier_are_found() {
    found("barrier", "graph", SEEN);
}

#[test]
fn a_forgotten_root_is_found() {
    found("root", "graph", SEEN);
}

#[test]
fn a_forgotten_global_is_found() {
    found("global", "graph", SEEN);
}

#[test]
fn what_a_call_does_not_pin_is_found() {
    found("call", "boundary", SEEN);
}

#[test]
fn a_pin_taken_back_too_early_is_found() {
    found("unpin", "boundary", SEEN);
}

#[test]
fn a_weak_pair_broken_early_is_found() {
    found("weak-early", "weak", SEEN);
}

#[test]
fn a_weak_pair_that_keeps_its_object_is_found() {
    found("weak-late", "weak", SEEN);
}

#[test]
fn what_is_read_from_a_weak_word_untold_is_found() {
    found("weak-read", "weak", SEEN);
}

#[test]
fn a_doubled_guardian_is_found() {
    found("guard-twice", "weak", SEEN);
}

#[test]
fn a_lost_guardian_is_found() {
    found("guard-lost", "weak", SEEN);
}

#[test]
fn a_doubled_finalizer_is_found() {
    found("finalize-twice", "memory", SEEN);
}

#[test]
fn a_lost_finalizer_is_found() {
    found("finalize-lost", "memory", SEEN);
}

#[test]
fn what_the_thread_for_finalizers_loses_is_found() {
    found("finalizer-thread", "memory", SEEN);
}

#[test]
fn another_order_of_finalizers_is_found() {
    found("order", "memory", SEEN);
}

#[test]
fn a_promotion_that_is_not_told_is_found() {
    found("promote", "boundary", SEEN);
}

#[test]
fn a_collection_in_a_leaf_call_is_found() {
    found("leaf", "boundary", SEEN);
}

#[test]
fn what_a_freeze_was_not_told_of_is_found() {
    found("freeze", "graph", SEEN);
}

#[test]
fn a_changed_byte_is_found() {
    found("byte", "graph", SEEN);
}

#[test]
fn a_handle_that_was_not_freed_is_found() {
    found("handle", "boundary", SEEN);
}

#[test]
fn a_reference_to_nowhere_is_found() {
    found("wild", "graph", SEEN);
}

#[test]
fn a_thread_that_stays_away_is_found() {
    found("hang", "boundary", &[4]);
}

#[test]
fn what_makes_no_sense_is_told() {
    let told = |arguments: &[&str], text: &str| {
        stress(arguments).ended(2, &[text]);
    };
    told(&["--plan=slow"], "there is no plan \"slow\"");
    told(&["--zeal=much"], "zeal is \"off\"");
    told(&["--profile=x"], "no profile is called `x`: mixed");
    told(&["--heap=1m"], "below the least");
    told(&["--plant=x"], "no fault is called `x`: barrier");
    told(&["--out=/no/such"], "/no/such is no folder");
    told(&["--against=/no/such.so"], "/no/such.so: No such file");
    told(&["--replay=/no/such"], "/no/such: No such file");
    let file = scratch().join("other.json");
    let replay = format!("--replay={}", file.display());
    let cases = [
        ("{}", "no replay file: missing field"),
        (
            "{\"suite\":\"malloc\"}",
            "a replay for `malloc`, not for `gc`",
        ),
    ];
    for (text, said) in cases {
        std::fs::write(&file, text).unwrap();
        told(&[&replay], said);
    }
}

/// A dead owner may be named by a guardian that only a finalizer of a living object knows: it is no owner any more.
#[test]
fn an_owner_that_a_guardian_names_is_dead() {
    let script = [
        "0: r15 = vector 8412 r3, large",
        "0: r4 = weak pair r23 r10",
        "0: r16 = owner of 13",
        "0: r0 = owner of 225",
        "0: guard r0 by r4 for r15",
        "0: pin r16",
        "0: r11 = pair r0 r16",
        "0: r11 = r11.7",
        "0: finalize r11 by r4, 2 bytes",
    ];
    let replay = format!(
        "{{\"version\": 1, \"suite\": \"gc\", \"verdict\": \"broken\", \"seen\": \"\", \"reproduced\": \"\", \"program\": {{\
         \"setup\": {{\"plan\": \"compact-test\", \"heap\": 25165824, \"nursery\": 4194304, \"workers\": 2, \"zeal\": \"off\", \
         \"verify\": false, \"profile\": \"mixed\"}}, \
         \"threads\": 1, \"source\": {{\"script\": {script:?}}}, \"limit_ms\": 20000}}}}"
    );
    let file = scratch().join("guardian.json");
    std::fs::write(&file, replay).unwrap();
    stress(&[&format!("--replay={}", file.display())]).ended(0, &["ok        replay"]);
}
