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
