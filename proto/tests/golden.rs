//! The wire messages of fixed values, pinned in `golden/v1.txt`: other programs read and write them.
#![allow(clippy::unwrap_used)]

#[path = "../../engine/types/tests/common/mod.rs"]
mod common;

use common::samples::*;
use hanse_proto::{Batch, Wire, decode, encode};

const PINNED: &str = include_str!("golden/v1.txt");

fn line<T: Wire + PartialEq + std::fmt::Debug>(name: &str, value: &T) -> String {
    let bytes = encode(value);
    assert_eq!(decode::<T>(&bytes).as_ref(), Ok(value));
    format!("{name} {}", const_hex::encode(bytes))
}

#[test]
fn no_message_changes_without_a_version() {
    let one = signed(&ed25519_key(), transaction());
    let two = signed(&secp256k1_key(), named_transaction());
    let found = [
        line("transaction", &one.transaction),
        line("transaction_by_name", &two.transaction),
        line("signed_ed25519", &one),
        line("signed_secp256k1", &two),
        line("batch", &Batch(vec![one, two])),
        line("access_set", &rw_set()),
        line("receipt", &receipt()),
        line("receipt_of_failure", &failed_receipt()),
        line("dag", &dag()),
        line("header", &header()),
        line("block", &block()),
        line("certificate", &certificate()),
        line("genesis", &genesis()),
    ];
    let pinned: Vec<_> = PINNED.lines().filter(|line| !line.starts_with('#')).collect();
    let changed: Vec<_> = found.iter().filter(|line| !pinned.contains(&line.as_str())).map(String::as_str).collect();
    assert!(
        changed.is_empty(),
        "these messages are not the pinned ones, so nodes and clients of other versions would refuse them. Undo the \
         change, or make it a new package version with golden vectors of its own. The messages are now:\n{}",
        changed.join("\n")
    );
    assert_eq!(pinned, found, "the file has messages that no test makes, or has them in another order");
}
