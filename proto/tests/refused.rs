//! What is refused, why, and before how much work.
#![allow(clippy::unwrap_used)]

#[path = "../../engine/types/tests/common/mod.rs"]
mod common;

use common::samples::{self, ed25519_key, signed};
use hanse_proto::{Batch, Wire, WireError, decode, encode};
use hanse_types::crypto::CryptoSuite;
use hanse_types::*;

fn refused<T: Wire + std::fmt::Debug>(bytes: &[u8]) -> WireError {
    decode::<T>(bytes).unwrap_err()
}

fn is_not_canonical<T: Wire + std::fmt::Debug>(bytes: &[u8]) -> bool {
    matches!(decode::<T>(bytes), Err(WireError::NotCanonical { .. }))
}

/// A field of bytes: its tag, its length, its content.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    let mut length = content.len();
    while length >= 0x80 {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend_from_slice(content);
    bytes
}

#[test]
fn unknown_fields_are_refused_at_every_depth() {
    let certificate = encode(&samples::certificate());
    assert!(is_not_canonical::<Certificate>(&[certificate, field(15, b"more")].concat()));
    let signed = signed(&ed25519_key(), samples::transaction());
    let inner = [encode(&signed.transaction), field(15, b"more")].concat();
    let after = encode(&signed).split_off(field(1, &encode(&signed.transaction)).len());
    assert!(is_not_canonical::<SignedTransaction>(&[field(1, &inner), after].concat()));
}

#[test]
fn a_message_that_could_be_written_otherwise_is_refused() {
    let dag = encode(&samples::dag());
    assert_eq!(dag, [&field(1, &[0, 1, 2])[..], &field(2, &[0, 0, 1])].concat());
    let reordered = [field(2, &[0, 0, 1]), field(1, &[0, 1, 2])].concat();
    assert_eq!(refused::<Dag>(&reordered), WireError::NotCanonical { what: "DAG", at: 0 });
    let split = [field(1, &[0, 1]), field(1, &[2]), field(2, &[0, 0, 1])].concat();
    assert!(is_not_canonical::<Dag>(&split));
    let unpacked = [&[8, 0, 8, 1, 8, 2][..], &field(2, &[0, 0, 1])].concat();
    assert!(is_not_canonical::<Dag>(&unpacked));
    let longer_number = [&field(1, &[0, 1, 0x82, 0])[..], &field(2, &[0, 0, 1])].concat();
    assert!(is_not_canonical::<Dag>(&longer_number));
    let empty_list = [field(1, &[0]), field(2, &[])].concat();
    assert!(is_not_canonical::<Dag>(&empty_list));

    let header = encode(&samples::header());
    let twice = [&header[..], &header[header.len() - 3..]].concat();
    assert!(decode::<Header>(&twice).is_err());
    // The version comes first; nothing written is 0.
    assert_eq!(header[..2], [8, 1]);
    for unknown in [&header[2..], &[&[8, 3], &header[2..]].concat()] {
        assert!(matches!(decode::<Header>(unknown), Err(WireError::OutOfRange { field: "Header.version", .. })));
    }
}

#[test]
fn missing_and_ill_sized_fields_are_named() {
    assert_eq!(refused::<SignedTransaction>(&[]), WireError::Missing { field: "SignedTransaction.transaction" });
    assert_eq!(refused::<Block>(&[]), WireError::Missing { field: "Block.header" });
    let size = |error| matches!(error, WireError::Size { field: "Header.parent", found: 0, .. });
    assert!(size(refused::<Header>(&[8, 1])));
    let error = refused::<Certificate>(&field(4, &[1; 31]));
    assert_eq!(error.to_string(), "the field Certificate.block_hash has 31 bytes, expected are 32");
    let reads = field(1, &[0x18, 1, 0x10, 1]);
    assert!(is_not_canonical::<RwSet>(&reads));
    let nameless = field(1, &[0x10, 1, 0x18, 1]);
    assert_eq!(refused::<RwSet>(&nameless), WireError::Missing { field: "ReadEntry.key" });
}

#[test]
fn numbers_out_of_their_range_are_refused() {
    let mut receipt = samples::receipt();
    receipt.status = Status::OutOfGas;
    let good = encode(&receipt);
    let at = good.windows(2).position(|pair| pair == [4 << 3, Status::OutOfGas.code()]).unwrap();
    let mut unknown = good.clone();
    unknown[at + 1] = 99;
    assert_eq!(refused::<Receipt>(&unknown), WireError::OutOfRange { field: "Receipt.status", found: 99 });
    let mut wide = encode(&samples::header());
    wide.splice(1..2, [0x80, 0x80, 0x04]);
    assert_eq!(refused::<Header>(&wide), WireError::OutOfRange { field: "Header.version", found: 65_536 });
}

#[test]
fn rows_that_are_no_dag_are_refused() {
    let dag = |counts: &[u8], predecessors: &[u8]| refused::<Dag>(&[field(1, counts), field(2, predecessors)].concat());
    assert!(matches!(dag(&[0, 1], &[1]), WireError::Dag(DagError::Row { vertex: 1, predecessor: 1 })));
    assert!(matches!(dag(&[0, 0, 2], &[1, 0]), WireError::Dag(DagError::Row { vertex: 2, .. })));
    assert!(matches!(dag(&[0, 1], &[0, 0]), WireError::OutOfRange { found: 1, .. }));
    assert!(matches!(dag(&[0, 2], &[0]), WireError::OutOfRange { found: 2, .. }));
    assert!(matches!(dag(&[0xff, 0xff, 0xff, 0xff, 0x0f, 1], &[0]), WireError::OutOfRange { .. }));
    let many = refused::<Dag>(&field(1, &vec![0; limits::BLOCK_TRANSACTIONS + 1]));
    assert!(matches!(many, WireError::Dag(DagError::TooMany { .. })));
}

#[test]
fn what_would_take_more_memory_than_bytes_is_refused_before_it_is_decoded() {
    let transactions = field(3, &[]).repeat(1 << 20);
    let error = refused::<Block>(&transactions);
    assert!(matches!(error, WireError::Size { field: "Block.transactions", found: 0, .. }), "{error}");
    let error = refused::<Batch>(&field(1, &[0; 90]).repeat(1 << 10));
    assert!(matches!(error, WireError::Size { field: "SubmitBatch.transactions", found: 90, .. }), "{error}");
    let error = refused::<RwSet>(&field(3, &[]).repeat(1 << 20));
    assert!(matches!(error, WireError::Size { field: "RwSet.writes", .. }), "{error}");
    assert!(matches!(refused::<Batch>(&vec![0; limits::BATCH_BYTES + 1]), WireError::TooLarge { .. }));
    // A group could hide elements from the walk.
    assert!(matches!(refused::<Block>(&[0x7b, 0x7c]), WireError::Malformed { .. }));
    assert!(matches!(refused::<Block>(&[0x1a, 0xff, 0xff, 0xff, 0xff, 0x0f]), WireError::Malformed { .. }));
}

#[test]
fn limits_hold_for_the_value_too() {
    let mut transaction = samples::transaction();
    transaction.args = vec![7; limits::TRANSACTION_BYTES];
    assert!(matches!(refused::<Transaction>(&encode(&transaction)), WireError::TooLarge { .. }));
    transaction.args.truncate(limits::ARGS_BYTES);
    assert_eq!(decode(&encode(&transaction)), Ok(transaction));
    let small = signed(&ed25519_key(), samples::transaction());
    let batch = Batch(vec![small; limits::BATCH_TRANSACTIONS + 1]);
    assert!(matches!(refused::<Batch>(&encode(&batch)), WireError::TooMany { .. }));
}

/// A block at all limits at once, in the numbers that take the most bytes.
#[test]
fn the_largest_block_crosses_the_wire() {
    let count = limits::BLOCK_TRANSACTIONS;
    let mut transaction = samples::transaction();
    transaction.version = u16::MAX;
    transaction.ref_height = Height(u64::MAX);
    transaction.timestamp = Timestamp(u64::MAX);
    transaction.expiration = Timestamp(u64::MAX);
    transaction.gas_limit = Gas(u64::MAX);
    let mut signed = signed(&ed25519_key(), transaction);
    let bytes = limits::BLOCK_BODY_BYTES / count - signed.encoded_len() + signed.transaction.args.len();
    signed.transaction.args = vec![7; bytes];
    let degree = (limits::DAG_EDGES / count) as u32;
    let rows: Vec<Vec<u32>> =
        (0..count as u32).map(|vertex| (vertex.saturating_sub(degree)..vertex).collect()).collect();
    let dag = Dag::from_rows(&rows).unwrap();
    let header = Header { tx_count: count as u32, dag_digest: dag.digest(CryptoSuite::Standard), ..samples::header() };
    let block = Block { header, dag, transactions: vec![signed; count] };
    assert_eq!(block.check_shape(), Ok(()));
    let bytes = encode(&block);
    assert!(bytes.len() < limits::MESSAGE_FRAME_BYTES);
    assert!(decode::<Block>(&bytes) == Ok(block));
}
