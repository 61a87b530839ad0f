//! One value, one encoding: what is encoded decodes to the same, and whatever decodes encodes to the same bytes, for
//! every type and for bytes that are almost right.
#![allow(clippy::unwrap_used)]

mod common;

use std::cell::Cell;
use std::fmt::Debug;

use common::generate::{self, runner};
use common::mutate::{neighbours, per_value};
use hanse_types::{Canonical, Dag};
use proptest::prelude::*;

/// Values of each type.
const VALUES: u32 = 300;
/// Changed encodings of each value; more by `HANSE_MUTATIONS`, which counts those of a type.
const MUTATIONS: usize = 200;

fn check<T: PartialEq + Debug, E: Debug>(
    values: impl Strategy<Value = T>,
    encode: impl Fn(&T) -> Vec<u8>,
    decode: impl Fn(&[u8]) -> Result<T, E>,
) {
    let (decoded, mutations) = (Cell::new(0), per_value(VALUES, MUTATIONS));
    let holds = |value: T| {
        let bytes = encode(&value);
        prop_assert_eq!(&decode(&bytes).unwrap(), &value);
        for bytes in neighbours(&bytes, mutations) {
            if let Ok(value) = decode(&bytes) {
                decoded.set(decoded.get() + 1);
                prop_assert_eq!(encode(&value), bytes, "{:?}", value);
            }
        }
        Ok(())
    };
    runner(VALUES).run(&values, holds).unwrap();
    assert!(decoded.get() > 100, "almost no changed bytes decoded, so nothing was tried: {}", decoded.get());
}

fn check_canonical<T: Canonical + PartialEq + Debug>(values: impl Strategy<Value = T>) {
    check(values, T::encode, T::decode);
}

#[test]
fn transactions() {
    check_canonical(generate::transaction());
}

#[test]
fn signed_transactions() {
    check_canonical(generate::signed());
}

#[test]
fn receipts() {
    check_canonical(generate::receipt());
}

#[test]
fn access_sets() {
    check_canonical(generate::rw_set());
}

#[test]
fn outcomes() {
    check_canonical(generate::outcomes());
}

#[test]
fn dags() {
    check(generate::dag(), Dag::encode, Dag::decode);
}

#[test]
fn headers() {
    check_canonical(generate::header());
}

#[test]
fn blocks() {
    check_canonical(generate::block());
}

#[test]
fn certificates() {
    check_canonical(generate::certificate());
}

#[test]
fn geneses() {
    check_canonical(generate::genesis());
}

#[test]
fn merkle_proofs() {
    use hanse_types::{Hash, merkle::Proof};
    let proof = proptest::collection::vec(any::<[u8; 32]>().prop_map(Hash), 0..6).prop_map(Proof);
    check_canonical(proof);
}
