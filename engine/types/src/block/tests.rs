//! Blocks whose parts fit, and blocks whose parts don't.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::crypto::SecretKey;
use crate::limits::BLOCK_TRANSACTIONS;
use crate::test_values::{header, signed};

fn block() -> Block {
    let key = SecretKey::ed25519([1; 32]);
    let transactions: Vec<_> = (0..3).map(|nonce| signed(&key, nonce)).collect();
    let dag = Dag::from_rows(&[&[][..], &[0], &[0, 1]]).unwrap();
    let header = Header { tx_count: 3, dag_digest: dag.digest(CryptoSuite::Standard), ..header() };
    Block { header, dag, transactions }
}

fn refused(change: impl FnOnce(&mut Block)) -> ShapeError {
    let mut block = block();
    change(&mut block);
    block.check_shape().unwrap_err()
}

#[test]
fn bytes_and_back() {
    let block = block();
    assert_eq!(Block::decode(&block.encode()), Ok(block.clone()));
    assert_eq!(block.encoded_len(), block.encode().len());
    let mut longer = block.encode();
    longer.push(0);
    assert!(Block::decode(&longer).is_err());
}

#[test]
fn a_dag_that_is_none_does_not_decode() {
    let block = block();
    let mut bytes = block.header.encode();
    vec![2u8, 0, 1, 2].serialize(&mut bytes).unwrap();
    Vec::<SignedTransaction>::new().serialize(&mut bytes).unwrap();
    let error = Block::decode(&bytes).unwrap_err();
    assert!(error.to_string().contains("vertex 1"), "{error}");
}

#[test]
fn a_header_of_an_unknown_version_does_not_decode() {
    for (version, is_known) in [(0, false), (1, true), (2, true), (3, false), (256, false)] {
        let mut bytes = header().encode();
        bytes[..2].copy_from_slice(&u16::to_le_bytes(version));
        assert_eq!(Header::decode(&bytes).is_ok(), is_known, "{version}");
    }
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    assert_eq!(block().check_shape(), Ok(()));
    // Hashed by another suite, the same DAG has another digest.
    let error = refused(|block| block.header.crypto = CryptoSuite::Guomi);
    assert!(matches!(error, ShapeError::DagDigest { .. }));
    assert!(matches!(refused(|block| block.header.group_id.clear()), ShapeError::Id { field: "group id", .. }));
    let error = refused(|block| block.header.extra = vec![0; limits::HEADER_EXTRA_BYTES + 1]);
    assert!(matches!(error, ShapeError::TooMany { what: "bytes of extra data", .. }));
    let error = refused(|block| block.header.tx_count = BLOCK_TRANSACTIONS as u32 + 1);
    assert!(matches!(error, ShapeError::TooMany { what: "transactions", .. }));
    let error = refused(|block| drop(block.transactions.pop()));
    assert_eq!(error, ShapeError::Count { what: "transactions", found: 2, stated: 3 });
    let error = refused(|block| block.dag = Dag::from_rows(&[[0u32; 0]; 4]).unwrap());
    assert_eq!(error, ShapeError::Count { what: "vertices in its DAG", found: 4, stated: 3 });
    let error = refused(|block| block.dag = Dag::from_rows(&[[0u32; 0]; 3]).unwrap());
    assert!(matches!(error, ShapeError::DagDigest { .. }));
    let large = limits::BLOCK_BODY_BYTES / 3;
    let error =
        refused(|block| block.transactions.iter_mut().for_each(|signed| signed.transaction.args = vec![0; large]));
    assert!(matches!(error, ShapeError::TooMany { what: "bytes of transactions", .. }));
}

#[test]
fn a_full_block_keeps_within_the_limits_of_its_encoding() {
    let small = block().transactions.remove(0);
    let count = BLOCK_TRANSACTIONS;
    // Half as many bytes as allowed, in as many transactions as allowed, with 16 edges at each.
    let bytes = limits::BLOCK_BODY_BYTES / 2 / count - small.encoded_len();
    let mut filled = small;
    filled.transaction.args.resize(bytes, 7);
    let rows: Vec<Vec<u32>> = (0..count as u32).map(|vertex| (vertex.saturating_sub(16)..vertex).collect()).collect();
    let dag = Dag::from_rows(&rows).unwrap();
    let header = Header { tx_count: count as u32, dag_digest: dag.digest(CryptoSuite::Standard), ..header() };
    let block = Block { header, dag, transactions: vec![filled; count] };
    assert_eq!(block.check_shape(), Ok(()));
    assert!(Block::decode(&block.encode()) == Ok(block));
}
