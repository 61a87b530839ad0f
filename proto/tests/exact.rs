//! One value, one message: what is encoded decodes to the same, and whatever decodes encodes to the same bytes, for
//! every type and for bytes that are almost right. The values are those of the tests of `hanse-types`.
#![allow(clippy::unwrap_used)]

#[path = "../../engine/types/tests/common/mod.rs"]
mod common;

use std::cell::Cell;
use std::fmt::Debug;

use common::generate::{self, runner};
use common::mutate::{neighbours, per_value};
use hanse_proto::{Batch, Wire, decode, encode};
use proptest::prelude::*;

/// Values of each type.
const VALUES: u32 = 300;
/// Changed messages of each value; more by `HANSE_MUTATIONS`, which counts those of a type.
const MUTATIONS: usize = 100;

fn check<T: Wire + PartialEq + Debug>(values: impl Strategy<Value = T>) {
    let (decoded, mutations) = (Cell::new(0), per_value(VALUES, MUTATIONS));
    let holds = |value: T| {
        let bytes = encode(&value);
        prop_assert_eq!(&decode::<T>(&bytes).unwrap(), &value);
        for bytes in neighbours(&bytes, mutations) {
            if let Ok(value) = decode::<T>(&bytes) {
                decoded.set(decoded.get() + 1);
                prop_assert_eq!(encode(&value), bytes, "{:?}", value);
            }
        }
        Ok(())
    };
    runner(VALUES).run(&values, holds).unwrap();
    assert!(decoded.get() > 100, "almost no changed message decoded, so nothing was tried: {}", decoded.get());
}

#[test]
fn transactions() {
    check(generate::transaction());
}

#[test]
fn signed_transactions() {
    check(generate::signed());
}

#[test]
fn batches() {
    check(proptest::collection::vec(generate::signed(), 0..4).prop_map(Batch));
}

#[test]
fn receipts() {
    check(generate::receipt());
}

#[test]
fn access_sets() {
    check(generate::rw_set());
}

#[test]
fn dags() {
    check(generate::dag());
}

#[test]
fn headers() {
    check(generate::header());
}

#[test]
fn blocks() {
    check(generate::block());
}

#[test]
fn certificates() {
    check(generate::certificate());
}

#[test]
fn geneses() {
    check(generate::genesis());
}
