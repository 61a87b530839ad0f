//! Every past state is what it was, until it is pruned.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod common;

use std::sync::Arc;

use common::{Chain, key};
use hanse_ledger::store::Fault;
use hanse_ledger::{Ledger, LedgerError, MemoryStore, Tree};
use hanse_types::{Height, StateCommitment, TxIndex};
use proptest::prelude::*;

/// One past every key of the tests.
const END: [u8; 40] = [0xff; 40];

/// Compares everything that can be asked of the state at every height with what it was.
fn check_past(chain: &Chain, ledger: &Ledger, oldest: u64) {
    for (height, expected) in (0..).zip(&chain.states).skip(oldest as usize) {
        let state = ledger.state_at(Height(height)).unwrap();
        for n in 0..120 {
            assert_eq!(state.get(&key(n)).unwrap(), expected.get(&key(n)).cloned(), "key {n} at {height}");
        }
        for (start, end, limit, reverse) in [
            (Vec::new(), END.to_vec(), usize::MAX, false),
            (Vec::new(), END.to_vec(), 7, true),
            (key(30), key(77), 9, false),
            (key(30), key(77), usize::MAX, true),
            (key(9), key(9), 5, false),
        ] {
            let found = state.range(&start, &end, limit, reverse).unwrap();
            let all = expected.iter().filter(|(key, _)| (&start..&end).contains(key));
            let all = all.map(|(key, value)| (key.clone(), value.clone()));
            let wanted: Vec<_> = if reverse { all.rev().take(limit).collect() } else { all.take(limit).collect() };
            assert_eq!(found, wanted, "at {height}");
        }
    }
}

fn check_pruned(ledger: &Ledger, oldest: u64) {
    let pruned = LedgerError::Pruned { floor: Height(oldest) };
    for height in 0..oldest {
        assert_eq!(ledger.state_at(Height(height)).err(), Some(pruned.clone()));
        assert_eq!(ledger.rw_sets(Height(height)).err(), Some(pruned.clone()));
    }
    assert_eq!(ledger.statistics().unwrap().history_from, Height(oldest));
}

#[test]
fn pruning_takes_access_sets_and_states_and_says_so() {
    let mut chain = Chain::new(StateCommitment::Flat);
    let ledger = chain.in_memory();
    chain.grow(&ledger, &[20, 30, 10]);
    check_past(&chain, &ledger, 0);
    let no_block = LedgerError::NoBlock { height: Height(4), tip: Height(3) };
    assert_eq!(ledger.state_at(Height(4)).err(), Some(no_block));

    let held = ledger.state_at(Height(0)).unwrap();
    assert_eq!(ledger.prune_history(Height(2)).unwrap(), Height(2));
    check_pruned(&ledger, 2);
    check_past(&chain, &ledger, 2);
    assert_eq!(held.get(&key(3)).unwrap(), chain.states[0].get(&key(3)).cloned(), "what is held does not change");
    let pruned = Some(LedgerError::Pruned { floor: Height(2) });
    assert_eq!(ledger.rw_set(Height(1), TxIndex(0)).err(), pruned);
    let first = chain.blocks[0].content.transactions()[0].id();
    assert_eq!(ledger.prove_inclusion(&first, Tree::RwSets).err(), pruned);
    assert_eq!(ledger.rw_sets(Height(2)).unwrap().unwrap(), chain.blocks[1].content.rw_sets());
    assert_eq!(ledger.receipts(Height(1)).unwrap().unwrap(), chain.blocks[0].content.receipts());
    assert_eq!(ledger.prune_history(Height(1)).unwrap(), Height(2));
    assert_eq!(ledger.prune_history(Height(99)).unwrap(), Height(3));
    check_past(&chain, &ledger, 3);
}

#[test]
fn past_values_and_absences_are_proven_against_their_own_header() {
    let mut chain = Chain::new(StateCommitment::Merkle);
    let ledger = chain.in_memory();
    chain.grow(&ledger, &[40, 0, 35, 60]);
    ledger.prune_history(Height(1)).unwrap();
    assert_eq!(ledger.prove_state_at(&key(1), Height(0)).err(), Some(LedgerError::Pruned { floor: Height(1) }));
    let (mut present, mut absent) = (0, 0);
    for height in 1..=4 {
        for n in 0..120 {
            let proof = ledger.prove_state_at(&key(n), Height(height)).unwrap();
            assert_eq!(proof.header, chain.blocks[height as usize - 1].header);
            assert_eq!(proof.value, chain.states[height as usize].get(&key(n)).cloned());
            assert_eq!(proof.verify(&key(n)), Ok(()));
            *(if proof.value.is_some() { &mut present } else { &mut absent }) += 1;
        }
    }
    assert!(present > 100 && absent > 30, "both are proven: {present}, {absent}");
    let flat = Chain::new(StateCommitment::Flat).in_memory();
    assert_eq!(flat.prove_state_at(&key(1), Height(0)).err(), Some(LedgerError::NoStateProofs));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Values are those of their height: in a growing chain, wherever it was pruned, and after opening it anew.
    #[test]
    fn any_past_is_what_it_was(
        counts in prop::collection::vec(0..150u32, 1..7),
        merkle in any::<bool>(),
        cut in 0..7u64,
    ) {
        let commitment = if merkle { StateCommitment::Merkle } else { StateCommitment::Flat };
        let mut chain = Chain::new(commitment);
        let disk = Arc::new(MemoryStore::default());
        let ledger = chain.open(disk.clone()).unwrap();
        chain.grow(&ledger, &counts);
        check_past(&chain, &ledger, 0);
        let oldest = ledger.prune_history(Height(cut)).unwrap();
        prop_assert_eq!(oldest, Height(cut.min(counts.len() as u64)));
        check_past(&chain, &ledger, oldest.0);
        check_pruned(&ledger, oldest.0);
        let reopened = chain.open(Arc::new(disk.restarted())).unwrap();
        check_past(&chain, &reopened, oldest.0);
        check_pruned(&reopened, oldest.0);
        chain.grow(&reopened, &[25]);
        check_past(&chain, &reopened, oldest.0);
    }
}

/// Pruning is one write: whatever happens to it, all of it was done or nothing.
#[test]
fn a_failed_pruning_leaves_all_history_or_what_was_to_be_left() {
    for (fault, oldest) in [(Fault::BeforeWrite, 0), (Fault::DiskFull, 0), (Fault::AfterWrite, 2)] {
        let mut chain = Chain::new(StateCommitment::Merkle);
        let disk = Arc::new(MemoryStore::default().failing(4, fault));
        let ledger = chain.open(disk.clone()).unwrap();
        chain.grow(&ledger, &[20, 30, 10]);
        assert!(matches!(ledger.prune_history(Height(2)), Err(LedgerError::Store(_))));
        check_past(&chain, &ledger, 0);
        let reopened = chain.open(Arc::new(disk.restarted())).unwrap();
        check_pruned(&reopened, oldest);
        check_past(&chain, &reopened, oldest);
    }
}

/// As above where it matters most: in real tables, with entries that were flushed and ranges that were deleted.
#[test]
fn past_states_come_from_a_real_disk_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut chain = Chain::new(StateCommitment::Merkle);
    let open =
        |chain: &Chain| Ledger::open(folder.path(), &chain.genesis, &chain.genesis_state, common::options()).unwrap();
    let ledger = open(&chain);
    chain.grow(&ledger, &[90, 200, 3]);
    check_past(&chain, &ledger, 0);
    drop(ledger);
    let ledger = open(&chain);
    chain.grow(&ledger, &[150]);
    ledger.prune_history(Height(2)).unwrap();
    check_past(&chain, &ledger, 2);
    drop(ledger);
    let ledger = open(&chain);
    check_past(&chain, &ledger, 2);
    check_pruned(&ledger, 2);
}
