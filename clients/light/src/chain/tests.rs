#![allow(clippy::unwrap_used)]
use super::*;
use hanse_client::Bytes;
use hanse_client::views::ValidatorView;
use hanse_types::crypto::{SecretKey, Signer};
use hanse_types::genesis::{ConsensusKind, CryptoSuite, Validator};
use hanse_types::{Canonical, Certificate, Gas, Genesis, Params, Round, StateCommitment, Timestamp, ValidatorSet};

use crate::file::{FileError, StateFile};

fn key(n: u8) -> SecretKey {
    SecretKey::ed25519([n; 32])
}

fn set(n: u8) -> Vec<Validator> {
    vec![Validator { name: format!("v{n}"), key: key(n).public_key() }]
}

fn hash_of(n: u8) -> Hash {
    ValidatorSet::new(set(n)).unwrap().hash(CryptoSuite::Standard)
}

fn genesis() -> Genesis {
    Genesis {
        chain_id: "chain".into(),
        group_id: "group".into(),
        timestamp: Timestamp(1),
        crypto: CryptoSuite::Standard,
        consensus: ConsensusKind::Solo,
        state_commitment: StateCommitment::Flat,
        validators: set(1),
        administrators: Vec::new(),
        accounts: Vec::new(),
        params: Params::default(),
    }
}

fn chain() -> Chain {
    Chain::new(Anchor::new(&genesis()).unwrap())
}

/// A block of epoch 0 by its founder.
fn block(height: u64, parent: Hash) -> Header {
    Header {
        crypto: CryptoSuite::Standard,
        chain_id: "chain".into(),
        group_id: "group".into(),
        height: Height(height),
        parent,
        timestamp: Timestamp(height),
        tx_root: Hash::ZERO,
        receipt_root: Hash::ZERO,
        rw_set_root: Hash::ZERO,
        dag_digest: Hash::ZERO,
        state_root: Hash::ZERO,
        validators: hash_of(1),
        next_validators: hash_of(1),
        epoch: Epoch(0),
        round: Round(0),
        proposer: 0,
        gas_used: Gas(0),
        tx_count: 1,
        extra: Vec::new(),
    }
}

fn decided_by(n: u8, header: &Header) -> CertifiedHeader {
    let (height, epoch, block_hash) = (header.height, header.epoch, header.hash());
    let mut certificate = Certificate { height, epoch, block_hash, ..Certificate::default() };
    let bytes = certificate.sign_bytes(&genesis().identity());
    certificate.signatures.push((0, key(n).sign(&bytes).unwrap()));
    CertifiedHeader { header: Bytes(header.encode()), certificate: Bytes(certificate.encode()) }
}

/// So many blocks, each on the one before.
fn blocks(count: u64) -> Vec<Header> {
    let mut parent = Hash::ZERO;
    let next = |height| {
        let header = block(height, parent);
        parent = header.hash();
        header
    };
    (1..=count).map(next).collect()
}

#[test]
fn headers_are_followed_and_compared() {
    let (mut chain, blocks) = (chain(), blocks(4));
    for header in &blocks[..3] {
        assert_eq!(chain.accept(&decided_by(1, header)).as_ref(), Ok(header));
    }
    assert_eq!(chain.accept(&decided_by(1, &blocks[1])).as_ref(), Ok(&blocks[1]), "known");
    let stranger = chain.accept(&decided_by(9, &blocks[3]));
    assert!(matches!(stranger, Err(Refused::Proof(_))), "{stranger:?}");
    let later = block(6, Hash::ZERO);
    assert_eq!(chain.accept(&decided_by(1, &later)), Err(Refused::Gap { found: Height(6), tip: Height(3) }));
    assert_eq!(chain.tip(), Some(&blocks[2]));
}

#[test]
fn a_second_block_of_a_height_is_a_fork_and_so_is_one_with_another_parent() {
    let (mut chain, blocks) = (chain(), blocks(3));
    blocks.iter().for_each(|header| drop(chain.accept(&decided_by(1, header)).unwrap()));
    let other = decided_by(1, &Header { state_root: Hash([7; 32]), ..blocks[1].clone() });
    let Err(Refused::Fork(fork)) = chain.accept(&other) else { panic!("no fork") };
    assert_eq!((fork.height, fork.first_hash, &fork.second), (Height(2), blocks[1].hash(), &other));
    fork.check(chain.anchor()).unwrap();
    let orphan = decided_by(1, &block(4, Hash([7; 32])));
    let Err(Refused::Fork(fork)) = chain.accept(&orphan) else { panic!("no fork") };
    assert_eq!((fork.height, fork.first_hash), (Height(4), blocks[2].hash()));
    fork.check(chain.anchor()).unwrap();
    let same = Fork { second: fork.first.clone(), second_hash: fork.first_hash, ..*fork.clone() };
    assert_eq!(same.check(chain.anchor()), Err(ProofError::Other));
    let by_nobody = Fork { second: decided_by(9, &block(4, Hash([7; 32]))), ..*fork };
    assert!(matches!(by_nobody.check(chain.anchor()), Err(ProofError::Certificate(_))));
}

/// Blocks 1 and 2 by the founder, who names validator 2 from block 3 on.
fn handed_over() -> (Vec<Header>, HandoverView) {
    let first = block(1, Hash::ZERO);
    let last = Header { next_validators: hash_of(2), ..block(2, first.hash()) };
    let (validators, next_validators) = (hash_of(2), hash_of(2));
    let next = Header { validators, next_validators, epoch: Epoch(1), ..block(3, last.hash()) };
    let view = |of: &Validator| ValidatorView { name: of.name.clone(), key: of.key.to_string() };
    let validators = set(2).iter().map(view).collect();
    let handover = HandoverView { epoch: 1, block: decided_by(1, &last), validators };
    (vec![first, last, next], handover)
}

#[test]
fn those_who_were_relieved_decide_nothing_any_more() {
    let (mut chain, (blocks, handover)) = (chain(), handed_over());
    chain.accept(&decided_by(1, &blocks[0])).unwrap();
    chain.accept(&decided_by(1, &blocks[1])).unwrap();
    // Before the handover is known, and after.
    let late = decided_by(1, &block(3, blocks[1].hash()));
    assert_eq!(chain.accept(&late), Err(Refused::Epoch { height: Height(3) }));
    let good = decided_by(2, &blocks[2]);
    let unknown = ProofError::UnknownEpoch { epoch: 1, known: 0 };
    assert_eq!(chain.accept(&good), Err(Refused::Proof(unknown)));
    chain.follow(&handover).unwrap();
    let refused = chain.accept(&late);
    assert!(matches!(refused, Err(Refused::Proof(ProofError::OtherEpoch { .. }))), "{refused:?}");
    assert_eq!(chain.accept(&good).as_ref(), Ok(&blocks[2]));
    // What they decided in their time stays decided.
    assert_eq!(chain.accept(&decided_by(1, &blocks[1])).as_ref(), Ok(&blocks[1]));
}

#[test]
fn what_was_kept_is_checked_again_and_a_fork_stays() {
    let folder = std::env::temp_dir().join(format!("hanse-light-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("light.json");
    let file = StateFile::new(&path);
    let (mut chain, (blocks, handover)) = (chain(), handed_over());
    chain.follow(&handover).unwrap();
    for (by, header) in [1, 1, 2].into_iter().zip(&blocks) {
        chain.accept(&decided_by(by, header)).unwrap();
    }
    let other = Header { state_root: Hash([7; 32]), ..blocks[2].clone() };
    let Err(Refused::Fork(fork)) = chain.accept(&decided_by(2, &other)) else { panic!("no fork") };
    file.write(&chain, Some(&fork)).unwrap();
    let anchor = || Anchor::new(&genesis()).unwrap();
    let (again, kept) = file.read(anchor()).unwrap();
    assert_eq!((again.tip(), again.anchor().epoch(), kept), (Some(&blocks[2]), Epoch(1), Some(*fork)));

    let other = Anchor::new(&Genesis { timestamp: Timestamp(2), ..genesis() }).unwrap();
    assert!(matches!(file.read(other), Err(FileError::OtherChain { .. })));
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, &text[..text.len() / 2]).unwrap();
    assert!(matches!(file.read(anchor()), Err(FileError::Damaged { .. })));
    // A signature by somebody else.
    let mut chain = self::chain();
    chain.accept(&decided_by(1, &blocks[0])).unwrap();
    file.write(&chain, None).unwrap();
    let good = decided_by(1, &blocks[0]).certificate.to_string();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(&good));
    std::fs::write(&path, text.replace(&good, &decided_by(9, &blocks[0]).certificate.to_string())).unwrap();
    assert!(matches!(file.read(anchor()), Err(FileError::Damaged { .. })));
    std::fs::remove_dir_all(&folder).unwrap();
}
