//! What is not this chain's, or not whole, is refused with the reason.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod common;

use std::sync::Arc;

use common::Chain;
use hanse_ledger::store::{Batch, RangeQuery, Read, Store, Table};
use hanse_ledger::{Ledger, LedgerError, MemoryStore, StoreError};
use hanse_state::ChangeSet;
use hanse_types::StateCommitment;

fn grown(commitment: StateCommitment) -> (Chain, Arc<MemoryStore>) {
    let mut chain = Chain::new(commitment);
    let disk = Arc::new(MemoryStore::default());
    let ledger = chain.open(disk.clone()).unwrap();
    chain.grow(&ledger, &[30, 25]);
    (chain, disk)
}

#[test]
fn another_chain_group_genesis_or_format_is_refused() {
    let (chain, disk) = grown(StateCommitment::Merkle);
    let open = |change: &dyn Fn(&mut hanse_types::Genesis), state: &ChangeSet| {
        let mut genesis = chain.genesis.clone();
        change(&mut genesis);
        match Ledger::open_store(Arc::new(disk.restarted()), &genesis, state, common::options()) {
            Err(LedgerError::OtherChain { what, .. }) => what,
            Err(error) => panic!("{error}"),
            Ok(_) => "nothing",
        }
    };
    let same = &chain.genesis_state;
    assert_eq!(open(&|_| {}, same), "nothing");
    assert_eq!(open(&|genesis| genesis.chain_id.push('2'), same), "chain");
    assert_eq!(open(&|genesis| genesis.group_id.push('2'), same), "group");
    assert_eq!(open(&|genesis| genesis.params.open_deployment = false, same), "genesis");
    assert_eq!(open(&|_| {}, &ChangeSet::default()), "genesis block");

    let disk = disk.restarted();
    let mut batch = Batch::default();
    batch.put(Table::Meta, b"format", &2u32.to_le_bytes());
    disk.write(&batch).unwrap();
    assert!(matches!(chain.open(Arc::new(disk)), Err(LedgerError::OtherFormat { found: 2, known: 1 })));
}

/// Flips a bit in the middle of, or removes, what the newest block put under a table's last key.
fn damage(disk: &MemoryStore, table: Table, remove: bool) -> MemoryStore {
    let disk = disk.restarted();
    let query =
        RangeQuery { start: &[0, 0, 0, 0, 0, 0, 0, 2], end: &[0, 0, 0, 0, 0, 0, 0, 3], limit: 1, reverse: true };
    let (key, mut value) = disk.range(table, query).unwrap().pop().unwrap();
    let middle = value.len() / 2;
    value[middle] ^= 1;
    let mut batch = Batch::default();
    if remove {
        batch.remove(table, &key);
    } else {
        batch.put(table, &key, &value);
    }
    disk.write(&batch).unwrap();
    disk
}

#[test]
fn damage_to_the_newest_block_is_refused() {
    for commitment in [StateCommitment::Flat, StateCommitment::Merkle] {
        let (chain, disk) = grown(commitment);
        for table in [Table::Header, Table::Dag, Table::Tx, Table::Receipt, Table::RwSet] {
            for remove in [false, true] {
                let error = chain.open(Arc::new(damage(&disk, table, remove))).err().unwrap();
                assert!(matches!(error, LedgerError::Damaged { .. }), "{table:?}: {error}");
            }
        }
    }
}

#[test]
fn damage_to_the_state_is_refused() {
    let (chain, disk) = grown(StateCommitment::Merkle);
    let written = chain.blocks[1].rw_sets.last().unwrap().writes[0].clone();
    for (table, key) in [(Table::State, written.key.clone()), (Table::StateNode, vec![0])] {
        let disk = disk.restarted();
        let mut batch = Batch::default();
        batch.put(table, &key, b"something else");
        disk.write(&batch).unwrap();
        assert!(chain.open(Arc::new(disk)).is_err(), "{table:?}");
    }
}

#[test]
fn a_directory_of_another_chain_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let chain = Chain::new(StateCommitment::Flat);
    drop(Ledger::open(root.path(), &chain.genesis, &chain.genesis_state, common::options()).unwrap());
    let mut other = chain.genesis.clone();
    other.chain_id = "another".into();
    let error = Ledger::open(root.path(), &other, &chain.genesis_state, common::options()).err().unwrap();
    assert!(matches!(error, LedgerError::Store(StoreError::OtherTables { .. })), "{error}");
    let open = Ledger::open(root.path(), &chain.genesis, &chain.genesis_state, common::options()).unwrap();
    let second = Ledger::open(root.path(), &chain.genesis, &chain.genesis_state, common::options());
    assert!(matches!(second.err(), Some(LedgerError::Store(StoreError::Failed { action: "open", .. }))));
    drop(open);
}

#[test]
fn blocks_that_do_not_fit_are_refused_and_leave_nothing() {
    let (mut chain, disk) = grown(StateCommitment::Merkle);
    let ledger = chain.open(disk).unwrap();
    let good = chain.make(&ledger, 10);
    let refused = |change: &dyn Fn(&mut common::Made)| {
        let mut block = good.clone();
        change(&mut block);
        let error = ledger.append(&block.new_block()).err();
        chain.check(&ledger, 2);
        error
    };
    let not_next = |change: &dyn Fn(&mut common::Made)| {
        let error = refused(change);
        assert!(matches!(error, Some(LedgerError::NotNext { .. })), "{error:?}");
    };
    not_next(&|block| block.header.height = block.header.height.next());
    not_next(&|block| block.header.parent = chain.blocks[0].header.hash());
    not_next(&|block| block.header.timestamp = chain.blocks[1].header.timestamp);
    let inconsistent = |change: &dyn Fn(&mut common::Made)| {
        let error = refused(change);
        assert!(matches!(error, Some(LedgerError::Inconsistent { .. })), "{error:?}");
    };
    inconsistent(&|block| block.header.tx_count = 9);
    inconsistent(&|block| drop(block.transactions.pop()));
    inconsistent(&|block| drop(block.receipts.pop()));
    inconsistent(&|block| drop(block.rw_sets.pop()));
    inconsistent(&|block| block.dag = hanse_types::Dag::empty());
    inconsistent(&|block| block.header.dag_digest = hanse_types::Hash::ZERO);
    inconsistent(&|block| block.update.root = hanse_types::Hash::ZERO);
    inconsistent(&|block| block.update.pages.clear());
    inconsistent(&|block| block.certificate.block_hash = hanse_types::Hash::ZERO);
    inconsistent(&|block| block.receipts.swap(0, 1));
    ledger.append(&good.new_block()).unwrap();
    ledger.append(&good.new_block()).unwrap();
    chain.check(&ledger, 3);
}
