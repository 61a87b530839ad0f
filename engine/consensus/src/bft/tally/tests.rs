//! Counting, with validators who vote twice.
#![allow(clippy::unwrap_used)]

use super::*;

const SIGNATURE: Signature = Signature([0; 64]);

fn block(name: u8) -> Choice {
    Some(Hash([name; 32]))
}

fn tally() -> Tally {
    Tally::new(4, 3, Bugs::default())
}

#[test]
fn a_majority_is_a_quorum_of_validators_for_one_choice() {
    let mut tally = tally();
    for (validator, choice) in [(0, block(1)), (1, None), (2, block(1))] {
        assert_eq!(tally.add(validator, choice, SIGNATURE), Some(Added::New));
    }
    assert!(tally.is_full());
    assert_eq!(tally.majority(), None);
    assert_eq!(tally.add(0, block(1), SIGNATURE), None, "the same again counts once");
    assert_eq!(tally.majority(), None);
    tally.add(3, block(1), SIGNATURE).unwrap();
    assert_eq!(tally.majority(), Some(block(1)));
    let signers: Vec<u32> = tally.signatures(block(1)).iter().map(|(index, _)| *index).collect();
    assert_eq!(signers, [0, 2, 3]);
}

#[test]
fn whoever_votes_twice_counts_for_both_and_is_one_voter() {
    let mut tally = tally();
    tally.add(0, block(1), SIGNATURE).unwrap();
    assert_eq!(tally.add(0, block(2), SIGNATURE), Some(Added::Contradiction(block(1), SIGNATURE)));
    tally.add(1, block(2), SIGNATURE).unwrap();
    assert!(!tally.is_full());
    tally.add(2, block(2), SIGNATURE).unwrap();
    assert_eq!(tally.majority(), Some(block(2)));
}

#[test]
fn votes_one_by_one_are_bounded_but_a_quorum_is_always_completed() {
    let mut tally = tally();
    for name in 0..9 {
        if tally.wants(0, block(name)) {
            tally.add(0, block(name), SIGNATURE).unwrap();
        }
    }
    assert_eq!(tally.lacking(&Have::default()).count(), CHOICES);
    assert!(!tally.wants(0, block(9)) && !tally.wants(7, None));
    // As part of a quorum.
    for validator in 0..3 {
        tally.add(validator, block(9), SIGNATURE).unwrap();
    }
    assert_eq!(tally.majority(), Some(block(9)));
}

#[test]
fn what_somebody_lacks_is_all_of_validators_whose_bit_is_not_set() {
    let mut tally = Tally::new(20, 14, Bugs::default());
    for validator in [0, 7, 8, 19] {
        tally.add(validator, None, SIGNATURE).unwrap();
    }
    let mut have = Have::default();
    have.note(8);
    have.note(0);
    let lacking: Vec<u32> = tally.lacking(&have).map(|(validator, ..)| validator).collect();
    assert_eq!(lacking, [7, 19]);
    assert_eq!(tally.lacking(&tally.have()).count(), 0);
}
