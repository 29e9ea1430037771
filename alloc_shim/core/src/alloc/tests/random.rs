//! Random calls against a shadow: blocks do not overlap, keep their contents, and give all memory back.

use super::{allocator, check, free, interrupted, live, next_thread};
use crate::account::Class;
use crate::alloc::Allocator;
use crate::pal::Model;
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
enum Standing {
    Home,
    Busy,
    Locked,
}

#[derive(Clone, Debug)]
enum Step {
    Alloc(usize, u32, bool, Class, Standing),
    Free(usize, Standing),
    Realloc(usize, usize, Standing),
    NextThread,
    Fork,
    Purge,
}

fn sizes() -> impl Strategy<Value = usize> {
    prop_oneof![
        8 => 0..300_usize,
        4 => 0..5000_usize,
        2 => 0..140_000_usize,
        1 => 0..300_000_usize,
    ]
}

fn standings() -> impl Strategy<Value = Standing> {
    prop_oneof![
        6 => Just(Standing::Home),
        1 => Just(Standing::Busy),
        1 => Just(Standing::Locked),
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    let class = prop_oneof![3 => Just(Class::Client), 1 => Just(Class::Runtime)];
    let align = prop_oneof![6 => Just(4_u32), 2 => 4..13_u32, 1 => 13..18_u32];
    prop_oneof![
        40 => (sizes(), align, any::<bool>(), class, standings())
            .prop_map(|(n, a, z, c, s)| Step::Alloc(n, a, z, c, s)),
        35 => (any::<usize>(), standings()).prop_map(|(i, s)| Step::Free(i, s)),
        15 => (any::<usize>(), sizes(), standings()).prop_map(|(i, n, s)| Step::Realloc(i, n, s)),
        4 => Just(Step::NextThread),
        1 => Just(Step::Fork),
        1 => Just(Step::Purge),
    ]
}

struct Block {
    at: *mut u8,
    bytes: usize,
    seed: u8,
}

impl Block {
    fn byte(&self, at: usize) -> u8 {
        self.seed.wrapping_add((at * 31) as u8)
    }

    fn fill(&self) {
        for at in 0..self.bytes {
            let byte = self.at.wrapping_add(at);
            // SAFETY: inv:alloc.block: the block is live and has that many bytes.
            unsafe { byte.write(self.byte(at)) };
        }
    }

    fn verify(&self, bytes: usize) {
        for at in 0..bytes {
            let byte = self.at.wrapping_add(at);
            // SAFETY: inv:alloc.block: the block is live and was filled.
            assert_eq!(unsafe { byte.read() }, self.byte(at), "byte {at}");
        }
    }
}

fn within<T>(all: &Allocator<Model>, standing: Standing, act: impl FnOnce() -> T) -> T {
    match standing {
        Standing::Home => act(),
        Standing::Busy => interrupted(all, false, act),
        Standing::Locked => interrupted(all, true, act),
    }
}

fn alloc(
    all: &Allocator<Model>,
    (bytes, align): (usize, usize),
    zeroed: bool,
    class: Class,
    seed: u8,
) -> Option<Block> {
    let at = all.alloc_class(bytes, align, zeroed, class);
    if at.is_null() {
        return None;
    }
    assert!(at.addr().is_multiple_of(align));
    // SAFETY: inv:alloc.block: the block is live.
    assert!(unsafe { all.usable_size(at) } >= bytes);
    if zeroed {
        // SAFETY: inv:alloc.block: the block is live and has that many bytes.
        let contents = unsafe { std::slice::from_raw_parts(at, bytes) };
        assert!(contents.iter().all(|byte| *byte == 0));
    }
    let block = Block { at, bytes, seed };
    block.fill();
    Some(block)
}

fn realloc(all: &Allocator<Model>, block: &mut Block, bytes: usize) {
    // SAFETY: inv:alloc.block: the block is live.
    let at = unsafe { all.realloc(block.at, bytes) };
    if at.is_null() {
        block.verify(block.bytes);
        return;
    }
    block.at = at;
    block.verify(block.bytes.min(bytes));
    block.bytes = bytes;
    block.fill();
}

fn step(all: &Allocator<Model>, blocks: &mut Vec<Block>, step: Step, seed: u8) {
    match step {
        Step::Alloc(bytes, shift, zeroed, class, standing) => {
            let shape = (bytes, 1 << shift);
            blocks.extend(within(all, standing, || {
                alloc(all, shape, zeroed, class, seed)
            }));
        }
        Step::Free(which, standing) if !blocks.is_empty() => {
            let block = blocks.swap_remove(which % blocks.len());
            block.verify(block.bytes);
            within(all, standing, || free(all, block.at));
        }
        Step::Realloc(which, bytes, standing) if !blocks.is_empty() && bytes > 0 => {
            let which = which % blocks.len();
            within(all, standing, || realloc(all, &mut blocks[which], bytes));
        }
        Step::NextThread => next_thread(all),
        Step::Fork => {
            all.fork_prepare();
            all.fork_child();
        }
        Step::Purge => all.purge(),
        Step::Free(..) | Step::Realloc(..) => {}
    }
}

const CASES: u32 = if cfg!(debug_assertions) { 40 } else { 400 };

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn random_calls_keep_every_promise(plan in prop::collection::vec(steps(), 1..400)) {
        let all = allocator();
        let mut blocks = Vec::new();
        for (at, next) in plan.into_iter().enumerate() {
            step(&all, &mut blocks, next, at as u8);
        }
        check(&all);
        for block in blocks {
            block.verify(block.bytes);
            free(&all, block.at);
        }
        all.do_chores();
        next_thread(&all);
        all.purge();
        prop_assert_eq!(live(&all, Class::Client), 0);
        check(&all);
    }
}
