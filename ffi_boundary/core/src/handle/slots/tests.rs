//! One thread's view of the table; what several threads may see is in `tests/loom.rs`.

use super::*;
use proptest::prelude::*;

fn table() -> Slots {
    Slots::new(7, 1 << 20)
}

fn global(table: &Slots, bits: u64) -> Handle {
    table
        .create(0, bits, HandleKind::Global)
        .expect("room enough")
}

#[test]
fn a_handle_gives_its_value_until_it_is_freed() {
    let table = table();
    let handle = global(&table, 42);
    assert_eq!(table.get(handle), Ok(42));
    assert_eq!(table.kind(handle), Ok(HandleKind::Global));
    assert_eq!(table.set(handle, 43), Ok(()));
    assert_eq!(table.get(handle), Ok(43));
    assert_eq!(table.free(0, handle), Ok(()));
    let freed = HandleError::Freed {
        index: 0,
        generation: 1,
    };
    assert_eq!(table.get(handle), Err(freed));
    assert_eq!(table.set(handle, 1), Err(freed));
    assert_eq!(table.kind(handle), Err(freed));
}

#[test]
fn freed_twice() {
    let table = table();
    let handle = global(&table, 42);
    assert_eq!(table.free(0, handle), Ok(()));
    let freed = HandleError::Freed {
        index: 0,
        generation: 1,
    };
    assert_eq!(table.free(0, handle), Err(freed));
    assert_eq!(table.check(), Ok(()));
}

#[test]
fn stale_after_the_slot_was_used_again() {
    let table = table();
    let old = global(&table, 42);
    assert_eq!(table.free(0, old), Ok(()));
    let new = global(&table, 43);
    assert_eq!((new.index(), new.generation()), (0, 2));
    let stale = HandleError::Stale {
        index: 0,
        generation: 1,
        current: 2,
    };
    assert_eq!(table.get(old), Err(stale));
    assert_eq!(table.free(0, old), Err(stale));
    assert_eq!(table.get(new), Ok(43));
}

#[test]
fn garbage() {
    let table = table();
    let real = global(&table, 42);
    let get = |bits| table.get(Handle::from_bits(bits).expect("not 0"));
    for bits in [1, 0xdead_beef, u64::MAX, real.bits() ^ 1 << 56] {
        assert_eq!(get(bits), Err(HandleError::Foreign { bits }));
    }
    // The tag is right, the rest is not: a slot beyond the last, one that was never used, a later
    // generation, generation 0.
    let tag = 7 << 56;
    let one = 1 << super::super::INDEX_BITS;
    for bits in [tag | one | 0xfff_fffe, tag | one | 1, tag | (2 * one), tag] {
        assert_eq!(get(bits), Err(HandleError::NeverIssued { bits }));
    }
}

#[test]
fn a_scope_that_ended_is_told_from_a_free() {
    let table = table();
    let handle = table.create(0, 42, HandleKind::Local).expect("room");
    assert_eq!(table.end_scope(0, handle), Ok(()));
    let ended = HandleError::ScopeEnded {
        index: 0,
        generation: 1,
    };
    assert_eq!(table.get(handle), Err(ended));
    assert_eq!(table.free(0, handle), Err(ended));
}

#[test]
fn the_limit_is_an_error_and_freeing_makes_room() {
    let table = Slots::new(7, 3);
    let handles: Vec<_> = (0..3).map(|i| global(&table, i)).collect();
    let full = Err(HandleError::Full { limit: 3 });
    assert_eq!(table.create(0, 9, HandleKind::Global), full);
    assert_eq!(table.free(5, handles[1]), Ok(()));
    let again = global(&table, 9);
    assert_eq!(again.index(), handles[1].index());
    assert_eq!(table.create(0, 9, HandleKind::Global), full);
}

#[test]
fn a_slot_out_of_generations_is_retired() {
    let table = table();
    let handle = global(&table, 42);
    let slot = table.slot(handle.index()).expect("used");
    let last = MAX_GENERATION - 1;
    slot.state
        .store(pack(7, last, HandleKind::Global as u8), Ordering::Relaxed);
    let handle = Handle::new(7, last, 0).expect("not 0");
    assert_eq!(table.get(handle), Ok(42));
    assert_eq!(table.free(0, handle), Ok(()));
    assert_eq!(table.check(), Ok(()));
    assert_eq!(global(&table, 1).index(), 1);
    assert!(matches!(table.get(handle), Err(HandleError::Freed { .. })));
}

#[test]
fn growing_loses_nothing() {
    let table = table();
    let handles: Vec<_> = (0..100_000).map(|i| global(&table, i)).collect();
    for (i, handle) in handles.iter().enumerate() {
        assert_eq!(table.get(*handle), Ok(i as u64));
    }
    assert_eq!(table.count(), handles.len());
    assert_eq!(table.check(), Ok(()));
}

#[test]
fn visiting_sees_live_slots_only_and_can_change_them() {
    let table = table();
    let keep = global(&table, 2);
    let gone = global(&table, 4);
    let weak = table.create(0, 6, HandleKind::Weak).expect("room");
    assert_eq!(table.free(0, gone), Ok(()));
    let mut seen = Vec::new();
    table.visit(&mut |kind, cell| {
        seen.push((kind, cell.fetch_add(100, Ordering::Relaxed)));
    });
    assert_eq!(seen, [(HandleKind::Global, 2), (HandleKind::Weak, 6)]);
    assert_eq!((table.get(keep), table.get(weak)), (Ok(102), Ok(106)));
    assert_eq!(table.check(), Ok(()));
}

#[test]
fn a_table_for_which_there_are_no_addresses_says_so() {
    let mut table = table();
    table.slots = Room::reserve(0);
    let created = table.create(0, 1, HandleKind::Global);
    assert_eq!(created, Err(HandleError::OutOfMemory));
    assert_eq!((table.count(), table.check()), (0, Ok(())));
}

#[test]
fn the_longest_table_has_a_slot_for_each_index() {
    let table = Slots::new(7, u32::MAX);
    assert!(table.slot(MAX_INDEX - 1).is_some());
    let never = Handle::new(7, FIRST_GENERATION, MAX_INDEX - 1).expect("not 0");
    let bits = never.bits();
    assert_eq!(table.get(never), Err(HandleError::NeverIssued { bits }));
    assert_eq!(table.free(0, never), Err(HandleError::NeverIssued { bits }));
}

#[test]
fn kept_slots_are_used_again_and_given_back() {
    let (table, kept) = (table(), Kept::new());
    assert_eq!(table.create_kept(&kept, 1, HandleKind::Global), None);
    let handles: Vec<_> = (0..40).map(|i| global(&table, i)).collect();
    for handle in &handles {
        assert_eq!(table.free_kept(&kept, 0, *handle, false), Ok(()));
        assert!(table.free_kept(&kept, 0, *handle, false).is_err());
    }
    let again = table.create_kept(&kept, 9, HandleKind::Weak);
    let again = again.expect("slots were kept");
    assert_eq!((again.index(), again.generation()), (31, 2));
    assert_eq!(table.get(again), Ok(9));
    table.give_back_kept(&kept, 3);
    assert_eq!(table.check(), Ok(()));
    assert_eq!(table.count(), 1);
}

/// A table with owners, where every thread is this one: nothing need be fenced.
fn owned_table() -> Slots {
    table().fencing(Some(|| ()))
}

fn member(table: &Slots) -> Kept {
    let kept = Kept::new();
    table.join(&kept);
    kept
}

#[test]
fn an_owner_has_its_local_handles_and_no_others() {
    let table = owned_table();
    let (mine, yours) = (member(&table), member(&table));
    let create = |kept, kind| table.create_own(kept, 0, 1, kind).expect("room");
    let local = create(&mine, HandleKind::Local);
    let others = [
        create(&mine, HandleKind::Global),
        create(&mine, HandleKind::Weak),
        create(&yours, HandleKind::Local),
        table.create(0, 1, HandleKind::Local).expect("room"),
    ];
    let owned = table.owned(&mine).expect("nobody revokes");
    assert!(owned.has(local) && owned.set(local, 2));
    for other in others {
        assert!(!owned.has(other) && !owned.set(other, 2));
    }
    drop(owned);
    assert_eq!(table.get(local), Ok(2));
    for handle in [[local].as_slice(), &others].concat() {
        assert_eq!(table.set_kept(&mine, handle, 3), Ok(()));
        assert_eq!(table.get(handle), Ok(3));
        assert_eq!(table.free_kept(&mine, 0, handle, false), Ok(()));
        assert!(table.set_kept(&mine, handle, 4).is_err());
        assert!(table.free_kept(&mine, 0, handle, false).is_err());
    }
    table.give_back_kept(&mine, 0);
    assert_eq!((table.count(), table.check()), (0, Ok(())));
}

#[test]
fn strong_handles_are_told_from_weak_ones() {
    let (table, kept) = (table(), Kept::new());
    for (kind, strong) in [
        (HandleKind::Local, Some(5)),
        (HandleKind::Global, Some(5)),
        (HandleKind::Weak, None),
    ] {
        let handle = table.create_own(&kept, 0, 5, kind).expect("room");
        assert_eq!(table.get_strong(handle), strong);
        table.free(0, handle).expect("live");
        assert_eq!(table.get_strong(handle), None);
    }
}

#[test]
fn there_are_so_many_numbers_and_they_are_used_again() {
    let table = owned_table();
    let all: Vec<Kept> = (0..crate::sync::OWNERS).map(|_| member(&table)).collect();
    let late = member(&table);
    assert!(table.owned(&all[0]).is_some() && table.owned(&late).is_none());
    let handle = table.create_own(&late, 0, 1, HandleKind::Local);
    let handle = handle.expect("room");
    assert_eq!(table.set_kept(&late, handle, 2), Ok(()));
    assert_eq!(table.free_kept(&late, 0, handle, false), Ok(()));
    table.give_back_kept(&all[7], 0);
    assert!(table.owned(&all[7]).is_none());
    table.join(&late);
    assert!(table.owned(&late).is_some());
}

#[test]
fn without_a_fence_for_all_nobody_owns() {
    let table = table();
    assert!(table.owned(&member(&table)).is_none());
}

#[test]
fn a_forked_child_waits_for_no_section() {
    let table = owned_table();
    let (mine, gone) = (member(&table), member(&table));
    let handle = table.create_own(&gone, 0, 1, HandleKind::Local);
    let handle = handle.expect("room");
    let section = table.owned(&gone);
    table.forked();
    assert_eq!(table.free_kept(&mine, 0, handle, false), Ok(()));
    drop(section);
}

#[derive(Clone, Debug)]
enum Op {
    Create(usize),
    Free(usize, usize),
    Get(usize),
    Set(usize, u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (0..16usize).prop_map(Op::Create),
        2 => (0..16usize, any::<usize>()).prop_map(|(s, i)| Op::Free(s, i)),
        2 => any::<usize>().prop_map(Op::Get),
        1 => (any::<usize>(), any::<u64>()).prop_map(|(i, v)| Op::Set(i, v)),
    ]
}

proptest! {
    /// Any order of operations does what a map would do.
    #[test]
    fn the_table_is_a_map(ops in proptest::collection::vec(op(), 1..400)) {
        let table = table();
        let mut model: Vec<(Handle, Option<u64>)> = Vec::new();
        for (n, op) in ops.into_iter().enumerate() {
            match op {
                Op::Create(shard) => {
                    let handle = table.create(shard, n as u64, HandleKind::Global).expect("room");
                    prop_assert!(model.iter().all(|(h, _)| *h != handle));
                    model.push((handle, Some(n as u64)));
                }
                _ if model.is_empty() => {}
                Op::Free(shard, i) => {
                    let i = i % model.len();
                    prop_assert_eq!(table.free(shard, model[i].0).is_ok(), model[i].1.is_some());
                    model[i].1 = None;
                }
                Op::Get(i) => {
                    let (handle, value) = model[i % model.len()];
                    prop_assert_eq!(table.get(handle).ok(), value);
                }
                Op::Set(i, v) => {
                    let i = i % model.len();
                    prop_assert_eq!(table.set(model[i].0, v).is_ok(), model[i].1.is_some());
                    model[i].1 = model[i].1.map(|_| v);
                }
            }
            prop_assert_eq!(table.check(), Ok(()));
        }
    }
}
