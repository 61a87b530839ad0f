//! What the guard lets through, whatever the engine thinks.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::test_values::{Memory, block, polka, precommit, prevote, proposal};

fn guard() -> (Guard<Memory>, Memory) {
    let memory = Memory::default();
    (Guard::create(memory.clone(), Height(0)).unwrap(), memory)
}

fn reopened(memory: &Memory) -> Guard<Memory> {
    let bytes = memory.guard.borrow().clone().unwrap();
    Guard::open(memory.clone(), &bytes).unwrap()
}

#[test]
fn positions_only_grow_and_the_newest_may_be_repeated() {
    let (mut guard, memory) = guard();
    let block = block(5, 1);
    let steps =
        [proposal(5, 0, &block), prevote(5, 0, None), precommit(5, 0, None), prevote(5, 1, None), prevote(6, 0, None)];
    for (at, intent) in steps.iter().enumerate() {
        guard.admit(intent).unwrap();
        let writes = memory.writes.get();
        guard.admit(intent).unwrap();
        assert_eq!(memory.writes.get(), writes);
        for earlier in &steps[..at] {
            for guard in [&mut guard, &mut reopened(&memory)] {
                assert!(matches!(guard.admit(earlier), Err(GuardError::Contradiction { .. })), "{earlier:?}");
            }
        }
    }
    let other = prevote(6, 0, Some(block.hash()));
    assert!(matches!(guard.admit(&other), Err(GuardError::Contradiction { .. })));
}

#[test]
fn a_precommit_for_a_block_brings_the_block_and_its_polka_of_the_round() {
    let (guard, _) = guard();
    let (one, two) = (block(5, 1), block(5, 2));
    assert_eq!(guard.check(&precommit(5, 3, Some(&one))), Ok(()));
    let with = |basis| Intent { basis, ..precommit(5, 3, Some(&one)) };
    for basis in [
        Basis::Nothing,
        Basis::Block(one.clone()),
        Basis::Polka(polka(5, 3, one.hash())),
        Basis::Both(two.clone(), polka(5, 3, one.hash())),
        Basis::Both(one.clone(), polka(5, 3, two.hash())),
        Basis::Both(one.clone(), polka(5, 2, one.hash())),
        Basis::Both(one.clone(), polka(6, 3, one.hash())),
        Basis::Both(one.clone(), Quorum { kind: VoteKind::Precommit, ..polka(5, 3, one.hash()) }),
    ] {
        assert!(matches!(guard.check(&with(basis.clone())), Err(GuardError::NoPolka { .. })), "{basis:?}");
    }
}

#[test]
fn a_lock_holds_until_a_later_polka_or_the_next_height() {
    let (mut guard, memory) = guard();
    let (locked, other) = (block(5, 1), block(5, 2).hash());
    guard.admit(&precommit(5, 2, Some(&locked))).unwrap();
    guard.admit(&precommit(5, 3, None)).unwrap();
    let with = |polka| Intent { basis: Basis::Polka(polka), ..prevote(5, 6, Some(other)) };
    for guard in [guard, reopened(&memory)] {
        assert_eq!(guard.check(&prevote(5, 6, Some(locked.hash()))), Ok(()));
        assert_eq!(guard.check(&prevote(5, 6, None)), Ok(()));
        assert!(matches!(guard.check(&prevote(5, 6, Some(other))), Err(GuardError::Locked { .. })));
        for (round, frees) in [(0, false), (1, false), (2, true), (5, true), (6, false), (7, false)] {
            assert_eq!(guard.check(&with(polka(5, round, other))).is_ok(), frees, "polka of round {round}");
        }
        assert!(guard.check(&with(polka(5, 4, locked.hash()))).is_err());
        assert!(guard.check(&with(polka(4, 4, other))).is_err());
        assert_eq!(guard.check(&prevote(6, 0, Some(other))), Ok(()));
    }
}

#[test]
fn nothing_is_signed_below_its_first_height_or_after_a_failed_write() {
    let memory = Memory::default();
    let mut guard = Guard::create(memory.clone(), Height(7)).unwrap();
    for mut guard in [reopened(&memory), reopened(&memory)] {
        assert_eq!(guard.admit(&prevote(6, 9, None)), Err(GuardError::TooEarly { from: Height(7) }));
    }
    memory.fails_at.set(Some(1));
    assert!(matches!(guard.admit(&prevote(7, 0, None)), Err(GuardError::Disk(_))));
    assert_eq!(guard.admit(&prevote(7, 0, None)), Err(GuardError::Broken));
}

#[test]
fn a_damaged_record_does_not_read() {
    let (mut guard, memory) = guard();
    guard.admit(&precommit(5, 2, Some(&block(5, 1)))).unwrap();
    let bytes = memory.guard.borrow().clone().unwrap();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << bit;
            assert!(Guard::open(memory.clone(), &damaged).is_err(), "bit {bit} of byte {at}");
        }
        assert!(Guard::open(memory.clone(), &bytes[..at]).is_err(), "{at} bytes");
    }
}
