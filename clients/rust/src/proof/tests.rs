#![allow(clippy::unwrap_used)]
use super::*;
use crate::Bytes;
use hanse_state::ChangeSet;
use hanse_state::commitment::{MemoryNodes, NodeView};
use hanse_types::crypto::{SecretKey, Signer};
use hanse_types::genesis::{ConsensusKind, CryptoSuite, Validator};
use hanse_types::{
    Epoch, Gas, Height, Params, Read, Round, StateCommitment, Status, Timestamp, TxIndex, Value, Version,
};

const CONTRACT: Address = Address([7; 20]);

fn validator() -> SecretKey {
    SecretKey::ed25519([9; 32])
}

fn genesis() -> Genesis {
    Genesis {
        chain_id: "chain".into(),
        group_id: "group".into(),
        timestamp: Timestamp(1),
        crypto: CryptoSuite::Standard,
        consensus: ConsensusKind::Solo,
        state_commitment: StateCommitment::Merkle,
        validators: vec![Validator { name: "one".into(), key: validator().public_key() }],
        administrators: Vec::new(),
        accounts: Vec::new(),
        params: Params::default(),
    }
}

fn rw_set(n: u8) -> RwSet {
    let read = Read { key: vec![n], version: Version::Parent, present: true };
    RwSet { reads: vec![read], ..RwSet::default() }
}

fn receipt(index: u32) -> Receipt {
    Receipt {
        tx_id: TxId(Hash([index as u8; 32])),
        height: Height(4),
        index: TxIndex(index),
        status: Status::Success,
        gas_used: Gas(10),
        output: Vec::new(),
        error_code: 0,
        message: String::new(),
        failed_in: Address::ZERO,
        events: Vec::new(),
        rw_set: rw_set(index as u8).digest(CryptoSuite::Standard),
    }
}

/// The pages and root of a state in which every tenth of the contract's keys has a value.
fn state() -> (MemoryNodes, Hash) {
    let entry = |n: u8| (full_key(&CONTRACT, &[n]).into(), Some(Value::new(&[n, n])));
    let changes = ChangeSet::from_unsorted((0..250).step_by(10).map(entry).collect());
    let mut nodes = MemoryNodes::new(CryptoSuite::Standard);
    let update = commitment::tree::update(&Hash::ZERO, &nodes, &changes).unwrap();
    nodes.apply(&update);
    (nodes, update.root)
}

/// A block that the validator decided, with three transactions.
struct World {
    anchor: Anchor,
    header: Header,
    block: CertifiedHeader,
    nodes: Box<dyn NodeView>,
    signed: Vec<SignedTransaction>,
}

impl World {
    fn new() -> World {
        let anchor = Anchor::new(&genesis()).unwrap();
        let (nodes, state_root) = state();
        let signed: Vec<_> = (1..4).map(crate::call::test_values::signed).collect();
        let leaf = |signed: &SignedTransaction| signed.leaf(signed.id(&anchor.chain.genesis));
        let roots = [
            signed.iter().map(leaf).collect::<Vec<_>>(),
            (0..3).map(|n| receipt(n).digest(CryptoSuite::Standard)).collect(),
            (0..3).map(|n| rw_set(n).digest(CryptoSuite::Standard)).collect(),
        ]
        .map(|leaves| merkle::root(CryptoSuite::Standard, &leaves));
        let validators = ValidatorSet::from_genesis(&genesis()).unwrap().hash(CryptoSuite::Standard);
        let header = Header {
            crypto: CryptoSuite::Standard,
            chain_id: "chain".into(),
            group_id: "group".into(),
            height: Height(4),
            parent: Hash::ZERO,
            timestamp: Timestamp(1),
            tx_root: roots[0],
            receipt_root: roots[1],
            rw_set_root: roots[2],
            dag_digest: Hash::ZERO,
            state_root,
            validators,
            next_validators: validators,
            epoch: Epoch(0),
            round: Round(0),
            proposer: 0,
            gas_used: Gas(30),
            tx_count: 3,
            extra: Vec::new(),
        };
        let block = certified(&header, &anchor);
        World { anchor, header, block, nodes: Box::new(nodes), signed }
    }

    fn proof(&self, leaves: &[Hash], index: usize, content: Vec<u8>) -> InclusionProof {
        InclusionProof {
            block: self.block.clone(),
            content: Bytes(content),
            index: TxIndex(index as u32),
            path: merkle::prove(CryptoSuite::Standard, leaves, index).unwrap().0,
        }
    }

    fn receipt(&self, index: u32) -> InclusionProof {
        let leaves: Vec<Hash> = (0..3).map(|n| receipt(n).digest(CryptoSuite::Standard)).collect();
        self.proof(&leaves, index as usize, receipt(index).encode())
    }

    fn state(&self, key: u8) -> StateProof {
        let path = commitment::prove(&*self.nodes, &full_key(&CONTRACT, &[key])).unwrap();
        StateProof { block: self.block.clone(), path: Bytes(path.encode()) }
    }
}

fn certified(header: &Header, anchor: &Anchor) -> CertifiedHeader {
    let (height, block_hash) = (header.height, header.hash());
    let mut certificate = Certificate { height, block_hash, ..Certificate::default() };
    let bytes = certificate.sign_bytes(&anchor.chain);
    certificate.signatures.push((0, validator().sign(&bytes).unwrap()));
    CertifiedHeader { header: Bytes(header.encode()), certificate: Bytes(certificate.encode()) }
}

#[test]
fn a_header_is_accepted_from_its_validators_alone() {
    let World { anchor, header, block, .. } = World::new();
    assert_eq!(anchor.header(&block), Ok(header.clone()));

    let mut changed = header.clone();
    changed.state_root = Hash::ZERO;
    let forged = CertifiedHeader { header: Bytes(changed.encode()), ..block.clone() };
    assert!(matches!(anchor.header(&forged), Err(ProofError::Certificate(CertificateError::WrongBlock { .. }))));
    let unsigned = Certificate { height: header.height, block_hash: header.hash(), ..Certificate::default() };
    let unsigned = CertifiedHeader { certificate: Bytes(unsigned.encode()), ..block.clone() };
    assert!(matches!(anchor.header(&unsigned), Err(ProofError::Certificate(CertificateError::NoQuorum { .. }))));
    let mut other = genesis();
    other.params.open_deployment ^= true;
    let other = Anchor::new(&other).unwrap();
    assert!(matches!(other.header(&block), Err(ProofError::Certificate(CertificateError::BadSignature { .. }))));
    let hashed = Header { crypto: CryptoSuite::Guomi, ..header.clone() };
    for elsewhere in [hashed, Header { group_id: "other".into(), ..header }] {
        let elsewhere = certified(&elsewhere, &anchor);
        assert!(matches!(anchor.header(&elsewhere), Err(ProofError::OtherChain { .. })));
    }
    let cut = CertifiedHeader { header: Bytes(vec![1, 2]), ..block };
    assert!(matches!(anchor.header(&cut), Err(ProofError::Decode(_))));
}

#[test]
fn a_receipt_is_proven_at_its_place_alone() {
    let world = World::new();
    let good = world.receipt(1);
    let id = receipt(1).tx_id;
    assert_eq!(check_receipt(&good, &world.header, &id), Ok(receipt(1)));
    assert_eq!(check_receipt(&good, &world.header, &receipt(2).tx_id), Err(ProofError::Other));
    let forged = Receipt { status: Status::Reverted, ..receipt(1) };
    let forged = InclusionProof { content: Bytes(forged.encode()), ..good.clone() };
    assert_eq!(check_receipt(&forged, &world.header, &id), Err(ProofError::Path));
    let moved = InclusionProof { index: TxIndex(2), ..good.clone() };
    assert_eq!(check_receipt(&moved, &world.header, &id), Err(ProofError::Other));
    let later = Header { height: Height(5), ..world.header.clone() };
    assert_eq!(check_receipt(&good, &later, &id), Err(ProofError::Other));
}

#[test]
fn a_transaction_is_proven_with_its_signature() {
    let world = World::new();
    let genesis = world.anchor.chain.genesis;
    let id = |at: usize| world.signed[at].id(&genesis);
    let leaves: Vec<Hash> = (0..3).map(|at| world.signed[at].leaf(id(at))).collect();
    let good = world.proof(&leaves, 2, world.signed[2].encode());
    assert_eq!(check_transaction(&good, &world.header, &genesis, &id(2)), Ok(world.signed[2].clone()));
    assert_eq!(check_transaction(&good, &world.header, &genesis, &id(1)), Err(ProofError::Other));
    let mut resigned = world.signed[2].clone();
    resigned.signature.0[0] ^= 1;
    let resigned = InclusionProof { content: Bytes(resigned.encode()), ..good };
    assert_eq!(check_transaction(&resigned, &world.header, &genesis, &id(2)), Err(ProofError::Path));
}

#[test]
fn an_access_set_is_proven_as_that_of_its_receipt() {
    let world = World::new();
    let leaves: Vec<Hash> = (0..3).map(|n| rw_set(n).digest(CryptoSuite::Standard)).collect();
    let good = world.proof(&leaves, 0, rw_set(0).encode());
    assert_eq!(check_rw_set(&good, &world.header, &receipt(0)), Ok(rw_set(0)));
    assert_eq!(check_rw_set(&good, &world.header, &receipt(1)), Err(ProofError::Other));
    let mut cut = good.clone();
    cut.path.pop();
    assert_eq!(check_rw_set(&cut, &world.header, &receipt(0)), Err(ProofError::Path));
}

#[test]
fn values_and_absences_are_proven_and_nothing_else_is() {
    let world = World::new();
    for key in 0..250u8 {
        let proof = world.state(key);
        let bytes = [key, key];
        let value = key.is_multiple_of(10).then_some(&bytes[..]);
        let check = |value: Option<&[u8]>| check_state(&proof, &world.header, &CONTRACT, &[key], value);
        assert_eq!(check(value), Ok(()));
        let wrong = if value.is_some() { None } else { Some(&bytes[..]) };
        assert!(matches!(check(wrong), Err(ProofError::State(_))), "{key}");
        assert!(matches!(check(Some(b"other")), Err(ProofError::State(_))), "{key}");
        let other = check_state(&proof, &world.header, &Address([8; 20]), &[key], value);
        assert!(value.is_none() || other.is_err(), "{key}");
        let earlier = Header { state_root: Hash::ZERO, ..world.header.clone() };
        assert!(check_state(&proof, &earlier, &CONTRACT, &[key], value).is_err(), "{key}");
    }
}

/// A set of these keys.
fn set(keys: &[u8]) -> Vec<Validator> {
    let key = |n: &u8| SecretKey::ed25519([*n; 32]).public_key();
    keys.iter().map(|n| Validator { name: format!("v{n}"), key: key(n) }).collect()
}

fn handover(epoch: u64, block: CertifiedHeader, validators: &[Validator]) -> HandoverView {
    let view = |of: &Validator| ValidatorView { name: of.name.clone(), key: of.key.to_string() };
    HandoverView { epoch, block, validators: validators.iter().map(view).collect() }
}

/// The block as the new set of one decides it.
fn decided_by(n: u8, header: &Header, anchor: &Anchor) -> CertifiedHeader {
    let (height, epoch, block_hash) = (header.height, header.epoch, header.hash());
    let mut certificate = Certificate { height, epoch, block_hash, ..Certificate::default() };
    let bytes = certificate.sign_bytes(&anchor.chain);
    certificate.signatures.push((0, SecretKey::ed25519([n; 32]).sign(&bytes).unwrap()));
    CertifiedHeader { header: Bytes(header.encode()), certificate: Bytes(certificate.encode()) }
}

#[test]
fn new_validators_are_believed_if_those_before_them_named_them() {
    let World { anchor, header, .. } = World::new();
    let (new, other) = (set(&[41]), set(&[42]));
    let new_hash = ValidatorSet::new(new.clone()).unwrap().hash(CryptoSuite::Standard);
    let last = Header { next_validators: new_hash, ..header.clone() };
    let next = Header { height: Height(5), epoch: Epoch(1), validators: new_hash, next_validators: new_hash, ..header };
    let next = decided_by(41, &next, &anchor);
    assert_eq!(anchor.header(&next), Err(ProofError::UnknownEpoch { epoch: 1, known: 0 }));

    let good = certified(&last, &anchor);
    assert_eq!(anchor.follow(&handover(1, good.clone(), &other)), Err(ProofError::Validators));
    let of_strangers = decided_by(42, &last, &anchor);
    let refused = anchor.follow(&handover(1, of_strangers, &new));
    assert!(matches!(refused, Err(ProofError::Certificate(_))), "{refused:?}");
    let unchanged = Header { next_validators: last.validators, ..last.clone() };
    let unchanged = handover(1, certified(&unchanged, &anchor), &new);
    assert_eq!(anchor.follow(&unchanged), Err(ProofError::Validators));
    assert_eq!(anchor.follow(&handover(2, good.clone(), &new)), Err(ProofError::NotNext { found: 2, expected: 1 }));
    assert_eq!(anchor.epoch(), Epoch(0));

    anchor.follow(&handover(1, good.clone(), &new)).unwrap();
    assert_eq!(anchor.header(&next).unwrap().height, Height(5));
    assert_eq!(anchor.header(&good).unwrap(), last, "what the founders decided stays decided");
    // The founders decide nothing any more.
    let late = Header { height: Height(6), epoch: Epoch(1), ..last };
    assert!(anchor.header(&certified(&late, &anchor)).is_err());
    // Not even in the name of their own time.
    let late = Header { epoch: Epoch(0), ..late };
    let refused = anchor.header(&certified(&late, &anchor));
    assert_eq!(refused, Err(ProofError::OtherEpoch { height: 6, epoch: 0, named: 0 }));
    let copy = Anchor::new(&genesis()).unwrap();
    anchor.handovers().iter().for_each(|handover| copy.follow(handover).unwrap());
    assert_eq!(copy.epoch(), Epoch(1));
}
