//! What may happen: calls, and what is around them.

use crate::account::Class::{self, Client, Runtime};
use proptest::prelude::*;

/// How many threads are played.
pub(super) const THREADS: usize = 3;

/// A call of the family, or of what a handler and a hook may call beside it.
#[derive(Clone, Debug)]
pub(super) enum Call {
    Malloc(usize),
    Calloc(usize, usize),
    /// So many bytes, at a multiple of a power of two, cleared or not.
    Aligned(usize, u32, bool, Class),
    Free(usize),
    Realloc(usize, usize),
    /// Beside what and how many bytes: the alignment that the block shall have, or the one that it was asked with, and the account.
    ReallocClass(usize, usize, Option<u32>, Class),
    UsableSize(usize),
    Purge,
    Fork(bool),
}

/// What becomes of a thread.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// It ends, and goes on.
    GoesOn,
    /// It ends, and another one begins in its place.
    Next,
    /// The same, and nobody was told that it has ended.
    Untold,
}

/// What the system refuses.
#[derive(Clone, Copy, Debug)]
pub(super) enum Refusal {
    Memory(usize),
    Purges(usize),
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    Call(Call),
    /// A call that is interrupted where it might have been so often before, by a handler with calls of its own.
    Interrupted(Call, usize, Vec<Call>),
    /// The same by another thread.
    Overtaken(Call, usize, usize, Vec<Call>),
    /// A call in which the client is asked before it gets memory: what it does then, and whether it refuses.
    Asked(Call, Vec<Call>, bool),
    Play(usize),
    End(End),
    Pass(u64),
    Refuse(Refusal),
    Heal,
    /// The client may have so much more than it has, or as much as it wants.
    Limit(Option<usize>),
    Perturb(Option<u8>),
    /// The limit on address space falls to this.
    Narrow(usize),
}

/// How an allocator is set up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    /// There have been many threads.
    pub(super) crowd: bool,
    /// There is a limit on memory that is near.
    pub(super) scarce: bool,
    pub(super) hardened: bool,
    /// Bytes between the samples of a profile.
    pub(super) profile: Option<usize>,
}

pub(super) fn settings() -> impl Strategy<Value = Setting> {
    let seldom = |weight| prop_oneof![weight => Just(false), 1 => Just(true)];
    let profile = prop_oneof![9 => Just(None), 1 => (1..2000_usize).prop_map(Some)];
    (any::<bool>(), seldom(4), seldom(4), profile).prop_map(|(crowd, scarce, hardened, profile)| {
        Setting {
            crowd,
            scarce,
            hardened,
            profile,
        }
    })
}

fn sizes() -> impl Strategy<Value = usize> {
    prop_oneof![
        16 => 0..300_usize,
        8 => 0..5000_usize,
        4 => 0..70_000_usize,
        2 => 0..200_000_usize,
        1 => 0..700_000_usize,
    ]
}

/// Of those that are to be zero a few are so large that they get new memory.
fn zeroed_sizes() -> impl Strategy<Value = (usize, usize)> {
    prop_oneof![
        4 => (0..5_usize, sizes()),
        2 => (1..2_usize, 60_000..300_000_usize),
        1 => (1..2_usize, 0..5_000_000_usize),
    ]
}

fn classes() -> impl Strategy<Value = Class> {
    prop_oneof![2 => Just(Client), 1 => Just(Runtime)]
}

fn aligns() -> impl Strategy<Value = u32> {
    prop_oneof![12 => 3..13_u32, 3 => 13..17_u32, 1 => 17..20_u32]
}

fn calls() -> impl Strategy<Value = Call> {
    let align = prop_oneof![4 => Just(None), 1 => aligns().prop_map(Some)];
    prop_oneof![
        16 => sizes().prop_map(Call::Malloc),
        5 => zeroed_sizes().prop_map(|(n, bytes)| Call::Calloc(n, bytes)),
        10 => (sizes(), aligns(), any::<bool>(), classes())
            .prop_map(|(n, a, z, c)| Call::Aligned(n, a, z, c)),
        24 => any::<usize>().prop_map(Call::Free),
        7 => (any::<usize>(), sizes()).prop_map(|(i, n)| Call::Realloc(i, n)),
        4 => (any::<usize>(), sizes(), align, classes())
            .prop_map(|(i, n, a, c)| Call::ReallocClass(i, n, a, c)),
        3 => any::<usize>().prop_map(Call::UsableSize),
        2 => Just(Call::Purge),
    ]
}

fn calls_and_forks() -> impl Strategy<Value = Call> {
    prop_oneof![40 => calls(), 1 => any::<bool>().prop_map(Call::Fork)]
}

pub(super) fn steps() -> impl Strategy<Value = Step> {
    let some = || prop::collection::vec(calls(), 1..8);
    let forks = || prop::collection::vec(calls_and_forks(), 1..8);
    let after = || prop_oneof![0..12_usize, 0..90_usize];
    let end = prop_oneof![Just(End::GoesOn), Just(End::Next), Just(End::Untold)];
    let refusal = prop_oneof![
        (0..3_usize).prop_map(Refusal::Memory),
        (0..3_usize).prop_map(Refusal::Purges)
    ];
    let limit = prop_oneof![
        2 => Just(None),
        3 => (0..100_000_usize).prop_map(Some),
        1 => (0..2_000_000_usize).prop_map(Some)
    ];
    prop_oneof![
        40 => calls_and_forks().prop_map(Step::Call),
        20 => (calls(), after(), forks()).prop_map(|(c, n, h)| Step::Interrupted(c, n, h)),
        16 => (calls(), after(), 1..THREADS, some()).prop_map(|(c, n, t, o)| Step::Overtaken(c, n, t, o)),
        4 => (calls(), forks(), any::<bool>()).prop_map(|(c, h, r)| Step::Asked(c, h, r)),
        16 => (0..THREADS).prop_map(Step::Play),
        4 => end.prop_map(Step::End),
        4 => (0..1500_u64).prop_map(Step::Pass),
        3 => refusal.prop_map(Step::Refuse),
        4 => Just(Step::Heal),
        5 => limit.prop_map(Step::Limit),
        1 => prop::option::of(any::<u8>()).prop_map(Step::Perturb),
        1 => (4 << 20..80_usize << 20).prop_map(Step::Narrow),
    ]
}
