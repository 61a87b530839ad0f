//! What is not this chain's, or not whole, is refused with the reason.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod common;

use std::sync::Arc;

use common::{Chain, Made};
use hanse_ledger::store::{Batch, RangeQuery, Read, Store, Table};
use hanse_ledger::{Ledger, LedgerError, MemoryStore, StoreError};
use hanse_state::ChangeSet;
use hanse_types::crypto::CryptoSuite;
use hanse_types::{CertificateError, Hash, Header, Height, StateCommitment};

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
    assert!(matches!(chain.open(Arc::new(disk)), Err(LedgerError::OtherFormat { found: 2, known: 3 })));
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
    let written = chain.blocks[1].content.rw_sets().last().unwrap().writes[0].clone();
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

/// Makes another header of a good one.
type Change<'a> = &'a dyn Fn(&mut Header);

/// A block with another header than the good one's, decided by the validator all the same.
fn with_header(chain: &Chain, good: &Made, change: Change<'_>) -> Made {
    let mut block = good.clone();
    change(&mut block.header);
    block.certificate = chain.certify(&block.header);
    block
}

#[test]
fn blocks_that_do_not_fit_are_refused_by_name_and_leave_nothing() {
    let (mut chain, disk) = grown(StateCommitment::Merkle);
    let ledger = chain.open(disk.clone()).unwrap();
    let good = chain.make(&ledger, 10);
    let writes = disk.writes();
    let refused = |block: &Made| {
        let error = ledger.append(&block.new_block()).err().unwrap();
        chain.check(&ledger, 2);
        assert_eq!(disk.writes(), writes, "{error}");
        error
    };
    let header = |change: Change<'_>| refused(&with_header(&chain, &good, change));

    let not_next: [Change<'_>; 3] = [
        &|header| header.height = header.height.next(),
        &|header| header.parent = chain.blocks[0].header.hash(),
        &|header| header.timestamp = chain.blocks[1].header.timestamp,
    ];
    for change in not_next {
        let error = header(change);
        assert!(matches!(error, LedgerError::NotNext { .. }), "{error}");
    }

    let digests: [(&str, Change<'_>); 5] = [
        ("transaction root", &|header| header.tx_root = Hash::ZERO),
        ("receipt root", &|header| header.receipt_root = Hash::ZERO),
        ("access set root", &|header| header.rw_set_root = Hash::ZERO),
        ("DAG digest", &|header| header.dag_digest = Hash::ZERO),
        ("state root", &|header| header.state_root = Hash::ZERO),
    ];
    for (name, change) in digests {
        let error = header(change);
        assert!(matches!(&error, LedgerError::OtherDigest { other, .. } if other.what == name), "{error}");
    }

    let inconsistent: [Change<'_>; 9] = [
        &|header| header.tx_count = 9,
        &|header| header.gas_used.0 += 1,
        &|header| header.crypto = CryptoSuite::Guomi,
        &|header| header.chain_id.push('2'),
        &|header| header.group_id.push('2'),
        &|header| header.validators = Hash::ZERO,
        &|header| header.proposer = 1,
        &|header| header.extra = vec![0; 2_000],
        &|header| header.tx_count = u32::MAX,
    ];
    for change in inconsistent {
        let error = header(change);
        assert!(matches!(error, LedgerError::Inconsistent { .. }), "{error}");
    }

    let certificate = |change: &dyn Fn(&mut hanse_types::Certificate)| {
        let mut block = good.clone();
        change(&mut block.certificate);
        match refused(&block) {
            LedgerError::NotDecided { error, .. } => error,
            error => panic!("{error}"),
        }
    };
    let other = certificate(&|certificate| certificate.block_hash = Hash::ZERO);
    assert!(matches!(other, CertificateError::WrongBlock { .. }));
    let height = certificate(&|certificate| certificate.height = Height(9));
    assert!(matches!(height, CertificateError::WrongHeight { .. }));
    let nobody = certificate(&|certificate| certificate.signatures.clear());
    assert_eq!(nobody, CertificateError::NoQuorum { found: 0, quorum: 1 });
    let forged = certificate(&|certificate| certificate.signatures[0].1.0[7] ^= 1);
    assert_eq!(forged, CertificateError::BadSignature { index: 0 });
    let round = certificate(&|certificate| certificate.round.0 += 1);
    assert_eq!(round, CertificateError::BadSignature { index: 0 });

    ledger.append(&good.new_block()).unwrap();
    ledger.append(&good.new_block()).unwrap();
    chain.check(&ledger, 3);
}

/// Content is bound to where it was computed: neither another block's nor one of another past passes.
#[test]
fn content_of_elsewhere_is_refused() {
    let (mut chain, disk) = grown(StateCommitment::Merkle);
    let ledger = chain.open(disk).unwrap();
    let mut fork = Chain::new(StateCommitment::Merkle);
    let other = fork.in_memory();
    fork.grow(&other, &[31, 25]);
    let (good, stranger) = (chain.make(&ledger, 10), fork.make(&other, 10));
    let mixed = Made { content: stranger.content, ..good.clone() };
    let error = ledger.append(&mixed.new_block()).err().unwrap();
    assert!(matches!(&error, LedgerError::Inconsistent { reason, .. } if reason.contains("state root")), "{error}");
    let earlier = Made { content: chain.blocks[0].content.clone(), ..good.clone() };
    let error = ledger.append(&earlier.new_block()).err().unwrap();
    assert!(matches!(error, LedgerError::Inconsistent { .. }), "{error}");
    chain.check(&ledger, 2);
    ledger.append(&good.new_block()).unwrap();
}
