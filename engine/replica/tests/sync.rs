//! Fetching blocks of peers that are slow, silent, short of history, or lie, over virtual time and a network that loses.
//!
//! The blocks, their certificates and what finds out about them are real; running them is left out. One seed gives one run.
#![allow(clippy::unwrap_used)]

#[path = "sim/random.rs"]
mod random;
#[path = "../../txpool/tests/support/mod.rs"]
mod support;
mod syncing;

use syncing::{Chain, Kind, Outcome, Scene};

/// Those who help.
const HONEST: [Kind; 4] =
    [Kind::Honest { in_ms: 5 }, Kind::Honest { in_ms: 40 }, Kind::Honest { in_ms: 300 }, Kind::Pruned { below: 90 }];

fn run(chain: &Chain, seed: u64, peers: &[Kind], loss: u64, crash: u64) -> Outcome {
    std::panic::catch_unwind(|| Scene::new(chain, seed, peers, loss, crash).run())
        .unwrap_or_else(|_| panic!("seed {seed} with {peers:?} failed, see above"))
}

#[test]
fn blocks_come_from_several_at_once_and_most_from_the_fastest() {
    let chain = Chain::new(300);
    let outcome = run(&chain, 1, &[Kind::Honest { in_ms: 20 }, Kind::Honest { in_ms: 200 }], 0, 0);
    assert!(outcome.took_ms < 300 * 20 / 2, "{outcome:?}");
    assert!(outcome.served[0] > 2 * outcome.served[1] && outcome.served[1] > 0, "{outcome:?}");
    assert!(outcome.lied.is_empty() && outcome.progress.blocks < 330, "{outcome:?}");
}

#[test]
fn all_is_fetched_from_whoever_has_it_whatever_gets_lost() {
    let chain = Chain::new(200);
    let (mut crashes, mut timeouts) = (0, 0);
    for seed in 0..30 {
        let peers = [&HONEST[..], &[Kind::Silent, Kind::Boaster, Kind::Leaver]].concat();
        let outcome = run(&chain, seed, &peers, 200, 20);
        assert!(outcome.lied.is_empty(), "seed {seed}: {outcome:?}");
        crashes += outcome.crashes;
        timeouts += outcome.progress.timeouts;
    }
    assert!(crashes > 5 && timeouts > 50, "{crashes} crashes, {timeouts} times without an answer");
}

#[test]
fn who_lies_is_found_out_and_costs_nothing_but_time() {
    let chain = Chain::new(150);
    for kind in Kind::LIARS {
        let mut found = 0;
        for seed in 0..6 {
            let outcome = run(&chain, seed, &[Kind::Honest { in_ms: 30 }, kind, Kind::Honest { in_ms: 30 }], 50, 0);
            assert!(outcome.lied.iter().all(|peer| *peer == 1), "{kind:?}, seed {seed}: {outcome:?}");
            found += outcome.lied.len();
        }
        assert!(found > 0, "{kind:?} was never found out");
    }
}

#[test]
fn among_liars_one_honest_peer_is_enough() {
    let chain = Chain::new(120);
    for seed in 0..10 {
        let mut peers = Kind::LIARS.to_vec();
        peers.push(Kind::Honest { in_ms: 60 });
        let honest = peers.len() - 1;
        let outcome = run(&chain, seed, &peers, 100, 10);
        assert!(!outcome.lied.contains(&honest), "seed {seed}: {outcome:?}");
    }
}

#[test]
fn one_seed_gives_one_run() {
    let chain = Chain::new(100);
    let peers = [&HONEST[..], &Kind::LIARS].concat();
    assert_eq!(run(&chain, 7, &peers, 150, 20), run(&chain, 7, &peers, 150, 20));
}

#[test]
fn blocks_with_their_outcomes_are_applied_but_the_newest_which_are_run() {
    let chain = Chain::new(300).by_outcomes();
    let outcome = run(&chain, 1, &[Kind::Honest { in_ms: 20 }, Kind::Honest { in_ms: 50 }], 0, 0);
    assert_eq!(outcome.applied, 290, "{outcome:?}");
    // Those of other validators than a range's first were fetched twice.
    let served: u64 = outcome.served_outcomes.iter().sum();
    assert!((290..290 + 16).contains(&served) && outcome.progress.applied == 290, "{outcome:?}");
    assert!(outcome.lied.is_empty(), "{outcome:?}");
    let full = run(&Chain::new(300), 1, &[Kind::Honest { in_ms: 20 }], 0, 0);
    assert_eq!((full.applied, full.served_outcomes), (0, vec![0]), "a node that runs every block asks for no outcomes");
}

#[test]
fn outcomes_come_of_whoever_still_has_them() {
    let chain = Chain::new(200).by_outcomes();
    for seed in 0..10 {
        let peers = [Kind::Forgetful { below: 150 }, Kind::Honest { in_ms: 40 }, Kind::Forgetful { below: 500 }];
        let outcome = run(&chain, seed, &peers, 50, 0);
        // Where the one who has them does not answer, no more is run than is needed meanwhile.
        assert!(outcome.applied > 90 && outcome.lied.is_empty(), "seed {seed}: {outcome:?}");
        assert!(outcome.served_outcomes[1] > outcome.served_outcomes[0], "seed {seed}: {outcome:?}");
        assert_eq!(outcome.served_outcomes[2], 0, "seed {seed}: {outcome:?}");
        let outcome = run(&chain, seed, &peers, 0, 0);
        assert!(outcome.applied == 190 && outcome.progress.timeouts == 0, "seed {seed}: {outcome:?}");
    }
}

#[test]
fn blocks_whose_outcomes_nobody_has_are_run() {
    let chain = Chain::new(200).by_outcomes();
    let outcome = run(&chain, 3, &[Kind::Forgetful { below: 500 }, Kind::Unhelpful], 0, 0);
    assert!(outcome.applied == 0 && outcome.lied.is_empty(), "{outcome:?}");
    for seed in 0..5 {
        let peers = [Kind::Forgetful { below: 120 }, Kind::Forgetful { below: 100 }];
        let outcome = run(&chain, seed, &peers, 50, 0);
        assert!((70..=91).contains(&outcome.applied) && outcome.lied.is_empty(), "seed {seed}: {outcome:?}");
    }
}

#[test]
fn who_lies_about_outcomes_is_found_out() {
    let chain = Chain::new(150).by_outcomes();
    for kind in Kind::LIARS_OF_OUTCOMES.into_iter().chain(Kind::LIARS) {
        let mut found = 0;
        for seed in 0..6 {
            let outcome = run(&chain, seed, &[Kind::Honest { in_ms: 30 }, kind, Kind::Honest { in_ms: 30 }], 50, 10);
            assert!(outcome.lied.iter().all(|peer| *peer == 1), "{kind:?}, seed {seed}: {outcome:?}");
            assert!(outcome.applied > 100, "{kind:?}, seed {seed}: {outcome:?}");
            found += outcome.lied.len();
        }
        assert!(found > 0, "{kind:?} was never found out");
    }
}

#[test]
fn outcomes_are_fetched_whatever_gets_lost() {
    let chain = Chain::new(200).by_outcomes();
    for seed in 0..20 {
        let others = [Kind::Forgetful { below: 130 }, Kind::Silent, Kind::Boaster, Kind::Leaver];
        let outcome = run(&chain, seed, &[&HONEST[..], &others].concat(), 200, 20);
        assert!(outcome.lied.is_empty() && outcome.applied > 50, "seed {seed}: {outcome:?}");
    }
}
