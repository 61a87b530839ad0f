//! Every encoding, digest and signature of fixed values, pinned in `golden/v1.txt`, and of the suite guomi in `golden/guomi.txt`.
//!
//! Whoever stored, signed or hashed such bytes relies on them for good. If this test fails, either the change is a
//! mistake, or it needs a new format version and a new file of golden vectors beside the old one.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;

use common::samples::*;
use hanse_types::crypto::{CryptoSuite, Signer};
use hanse_types::*;

const STANDARD: CryptoSuite = CryptoSuite::Standard;
const GUOMI: CryptoSuite = CryptoSuite::Guomi;

fn hex(bytes: &[u8]) -> String {
    const_hex::encode(bytes)
}

/// What is pinned of a type that has canonical bytes: these, and that they decode.
fn bytes_of<T: Canonical + PartialEq + std::fmt::Debug>(value: &T) -> String {
    let bytes = value.encode();
    assert_eq!(T::decode(&bytes).as_ref(), Ok(value));
    hex(&bytes)
}

fn digest(hash: Hash) -> String {
    hex(hash.as_bytes())
}

fn vectors() -> Vec<(&'static str, String)> {
    let genesis = genesis();
    let genesis_hash = genesis.hash();
    let (one, two) = (signed(&ed25519_key(), transaction()), signed(&secp256k1_key(), named_transaction()));
    let (id_one, id_two) = (one.id(&genesis_hash), two.id(&genesis_hash));
    let leaves = [one.leaf(id_one), two.leaf(id_two), receipt().digest(STANDARD)];
    let certificate = certificate();
    let (identity, set) = (genesis.identity(), ValidatorSet::from_genesis(&genesis).unwrap());
    assert_eq!(certificate.verify(&identity, &set, &header()), Ok(()));
    assert_eq!(genesis.check(), Ok(()));
    assert_eq!(block().check_shape(), Ok(()));
    vec![
        ("address.ed25519", hex(&one.transaction.sender.0)),
        ("address.secp256k1", hex(&two.transaction.sender.0)),
        ("genesis.bytes", bytes_of(&genesis)),
        ("genesis.hash", digest(genesis_hash)),
        ("validator_set.hash", digest(set.hash(STANDARD))),
        ("transaction.bytes", bytes_of(&one.transaction)),
        ("transaction.sign_bytes", hex(&one.transaction.sign_bytes(&genesis_hash))),
        ("transaction.id", digest(id_one.0)),
        ("transaction_by_name.bytes", bytes_of(&two.transaction)),
        ("transaction_by_name.id", digest(id_two.0)),
        ("signed_ed25519.bytes", bytes_of(&one)),
        ("signed_ed25519.signature", hex(&one.signature.0)),
        ("signed_ed25519.leaf", digest(leaves[0])),
        ("signed_secp256k1.bytes", bytes_of(&two)),
        ("signed_secp256k1.signature", hex(&two.signature.0)),
        ("signed_secp256k1.leaf", digest(leaves[1])),
        ("access_set.bytes", bytes_of(&rw_set())),
        ("access_set.digest", digest(rw_set().digest(STANDARD))),
        ("receipt.bytes", bytes_of(&receipt())),
        ("receipt.digest", digest(receipt().digest(STANDARD))),
        ("receipt_of_failure.bytes", bytes_of(&failed_receipt())),
        ("receipt_of_failure.digest", digest(failed_receipt().digest(STANDARD))),
        ("dag.bytes", hex(&dag().encode())),
        ("dag.digest", digest(dag().digest(STANDARD))),
        ("header.bytes", bytes_of(&header())),
        ("header.hash", digest(header().hash())),
        ("block.bytes", bytes_of(&block())),
        ("certificate.bytes", bytes_of(&certificate)),
        ("certificate.sign_bytes", hex(&certificate.sign_bytes(&identity))),
        ("merkle.root_of_3", digest(merkle::root(STANDARD, &leaves))),
        ("merkle.proof_of_0_of_3", bytes_of(&merkle::prove(STANDARD, &leaves, 0).unwrap())),
        ("root.receipts", digest(block::receipt_root(STANDARD, &[receipt(), failed_receipt()]))),
        ("root.access_sets", digest(block::rw_set_root(STANDARD, &[receipt(), failed_receipt()]))),
    ]
}

/// What another suite makes of the same values.
fn guomi() -> Vec<(&'static str, String)> {
    let genesis = Genesis { crypto: GUOMI, ..genesis() };
    let genesis_hash = genesis.hash();
    let transaction = Transaction { sender: sm2_key().public_key().address(), ..transaction() };
    let signature = sm2_key().sign(&transaction.sign_bytes(&genesis_hash)).unwrap();
    let signed = SignedTransaction { transaction, public_key: sm2_key().public_key(), signature };
    let id = signed.id(&genesis_hash);
    let leaves = [signed.leaf(id), rw_set().digest(GUOMI), receipt().digest(GUOMI)];
    let set = ValidatorSet::from_genesis(&genesis).unwrap();
    let header = Header { crypto: GUOMI, ..header() };
    assert_eq!(genesis.check(), Ok(()));
    vec![
        ("address.sm2", hex(&signed.transaction.sender.0)),
        ("genesis.bytes", bytes_of(&genesis)),
        ("genesis.hash", digest(genesis_hash)),
        ("validator_set.hash", digest(set.hash(GUOMI))),
        ("transaction.id", digest(id.0)),
        ("signed_sm2.bytes", bytes_of(&signed)),
        ("signed_sm2.signature", hex(&signed.signature.0)),
        ("signed_sm2.leaf", digest(leaves[0])),
        ("access_set.digest", digest(leaves[1])),
        ("receipt.digest", digest(leaves[2])),
        ("dag.digest", digest(dag().digest(GUOMI))),
        ("header.bytes", bytes_of(&header)),
        ("header.hash", digest(header.hash())),
        ("merkle.root_of_3", digest(merkle::root(GUOMI, &leaves))),
    ]
}

#[test]
fn no_byte_changes_without_a_version() {
    compare(include_str!("golden/v1.txt"), &vectors());
    compare(include_str!("golden/guomi.txt"), &guomi());
}

fn compare(pinned: &str, vectors: &[(&str, String)]) {
    let names: BTreeSet<_> = vectors.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), vectors.len(), "each vector has its own name");
    let pinned: Vec<_> = pinned.lines().filter(|line| !line.starts_with('#')).collect();
    let found: Vec<_> = vectors.iter().map(|(name, value)| format!("{name} {value}")).collect();
    let changed: Vec<_> = found.iter().filter(|line| !pinned.contains(&line.as_str())).map(String::as_str).collect();
    assert!(
        changed.is_empty(),
        "these bytes are not the pinned ones, so what was hashed, signed or stored before would no longer hold. Undo the \
         change, or make it a new format version with golden vectors of its own. The bytes are now:\n{}",
        changed.join("\n")
    );
    assert_eq!(pinned, found, "the file has vectors that no test makes, or has them in another order");
}
