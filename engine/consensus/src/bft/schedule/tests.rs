//! Turns: everyone's, the demoted's, and that they follow from headers alone.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use hanse_types::Hash;

use super::*;
use crate::test_values::{header, set};

/// Commits a block that was first proposed in a round of the height.
fn commit(schedule: &mut Schedule, height: u64, round: u32) -> Header {
    let proposer = schedule.proposer(Height(height), Round(round));
    let header = Header { round: Round(round), proposer, ..header(Height(height), Hash::ZERO, &set(4)) };
    schedule.committed(&header);
    header
}

#[test]
fn everyone_has_a_turn_at_every_height_also_the_demoted() {
    for validators in [1, 4, 7, 10] {
        let mut schedule = Schedule::new(&set(validators));
        for height in 1..600 {
            let order: BTreeSet<u32> =
                (0..validators as u32).map(|round| schedule.proposer(Height(height), Round(round))).collect();
            assert_eq!(order.len(), validators, "height {height}");
            commit(&mut schedule, height, (height % 3) as u32);
        }
    }
}

#[test]
fn a_silent_validator_costs_one_round_per_window() {
    let mut schedule = Schedule::new(&set(4));
    let mut wasted = 0;
    for height in 1..2 * Schedule::WINDOW {
        let round = u32::from(schedule.proposer(Height(height), Round(0)) == 2);
        wasted += round;
        commit(&mut schedule, height, round);
    }
    assert_eq!(wasted, 2);
}

#[test]
fn at_most_a_third_is_demoted_and_the_latest_stay() {
    let mut schedule = Schedule::new(&set(4));
    let first = schedule.proposer(Height(1), Round(0));
    let second = schedule.proposer(Height(1), Round(1));
    commit(&mut schedule, 1, 2);
    assert_eq!(schedule.demoted, [second]);
    assert_ne!(first, second);
}

#[test]
fn who_proposes_a_block_that_is_committed_is_demoted_no_more() {
    let mut schedule = Schedule::new(&set(4));
    commit(&mut schedule, 1, 1);
    let demoted = *schedule.demoted.front().unwrap();
    assert_eq!(schedule.proposer(Height(2), Round(3)), demoted);
    commit(&mut schedule, 2, 3);
    assert!(!schedule.demoted.contains(&demoted));
}

#[test]
fn headers_alone_say_whose_turn_it_is() {
    let mut schedule = Schedule::new(&set(7));
    let headers: Vec<Header> = (1..700).map(|height| commit(&mut schedule, height, (height % 5 == 0).into())).collect();
    assert_eq!(Schedule::at(Height(700), Epoch(0), &set(7), &headers), schedule);
    let window = (700 / Schedule::WINDOW * Schedule::WINDOW) as usize;
    assert_eq!(Schedule::at(Height(700), Epoch(0), &set(7), &headers[window - 1..]), schedule);
    assert_eq!(Schedule::at(Height(700), Epoch(1), &set(7), &headers), Schedule::new(&set(7)));
}
