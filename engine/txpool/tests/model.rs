//! Random histories of a pool against a plain model of lists.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use hanse_txpool::{Place, Pool, PoolLimits};
use hanse_types::{Params, Timestamp, TxId, Verified};
use proptest::prelude::*;
use support::{World, at, block, ids};

const TRANSACTIONS: usize = 64;
const LIMITS: PoolLimits = PoolLimits {
    count: 24,
    sender_count: 6,
    bytes: usize::MAX,
    sender_bytes: usize::MAX,
    wait_ms: u64::MAX,
    wait_count: 0,
    batch_gas: hanse_types::Gas(u64::MAX),
};
const BLOCK: usize = 5;
const INTERVAL_MS: u64 = 100;

static WORLD: LazyLock<World> = LazyLock::new(|| {
    World::new(Params { block_tx_count_max: BLOCK as u32, block_interval_ms: INTERVAL_MS, ..Params::default() })
});

/// Transactions of eight clients that expire at one time or another.
static TRANSACTION: LazyLock<Vec<Verified>> = LazyLock::new(|| {
    let call = |n: usize| WORLD.call(n % 8, n as u64, 200 + (n as u64 * 7919) % 4_000);
    (0..TRANSACTIONS).map(|n| WORLD.verified(call(n))).collect()
});

#[derive(Clone, Debug)]
enum Step {
    Submit(usize),
    Wait(u64),
    Seal,
    Commit,
    Return,
    /// Another node's block holds these.
    Claim(usize, usize),
    Expire,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..TRANSACTIONS).prop_map(Step::Submit),
        2 => (1..200u64).prop_map(Step::Wait),
        3 => Just(Step::Seal),
        2 => Just(Step::Commit),
        1 => Just(Step::Return),
        1 => (0..TRANSACTIONS, 1..BLOCK).prop_map(|(first, count)| Step::Claim(first, count)),
        1 => Just(Step::Expire),
    ]
}

/// Arrival, since when, which transaction.
type Held = (usize, u64, usize);

/// What a pool should be, in the plainest way.
#[derive(Default)]
struct Model {
    now: u64,
    tip_ms: u64,
    height: u64,
    arrivals: usize,
    waiting: Vec<Held>,
    /// Time and batch of each block under way.
    blocks: Vec<(u64, Vec<Held>)>,
    committed: BTreeSet<usize>,
}

impl Model {
    fn expires_ms(n: usize) -> u64 {
        TRANSACTION[n].transaction().expiration.since_ms(at(0))
    }

    fn held(&self) -> impl Iterator<Item = usize> {
        let sealed = self.blocks.iter().flat_map(|(_, batch)| batch);
        self.waiting.iter().chain(sealed).map(|(_, _, n)| *n)
    }

    /// Time of the next block to be made.
    fn next_ms(&self) -> u64 {
        self.now.max(self.blocks.last().map_or(self.tip_ms, |(ms, _)| *ms) + 1)
    }

    fn submit(&mut self, n: usize) -> Option<&'static str> {
        let refused = if Model::expires_ms(n) <= self.now.max(self.tip_ms + 1) {
            "expired"
        } else if self.held().any(|held| held == n) {
            "already_in_pool"
        } else if self.committed.contains(&n) {
            "already_committed"
        } else if self.held().filter(|held| held % 8 == n % 8).count() >= LIMITS.sender_count {
            "sender_limit"
        } else if self.held().count() >= LIMITS.count {
            "pool_full"
        } else {
            self.arrivals += 1;
            self.waiting.push((self.arrivals, self.now, n));
            return None;
        };
        Some(refused)
    }

    /// Takes out those that expire at a time or before.
    fn expire(&mut self, ms: u64) -> BTreeSet<usize> {
        let dropped = self.waiting.iter().map(|(_, _, n)| *n).filter(|n| Model::expires_ms(*n) <= ms).collect();
        self.waiting.retain(|(_, _, n)| Model::expires_ms(*n) > ms);
        dropped
    }

    fn deadline(&self) -> Option<Timestamp> {
        let (_, since, _) = *self.waiting.first()?;
        Some(at(if self.waiting.len() >= BLOCK { since } else { since + INTERVAL_MS }))
    }
}

fn ids_of(batch: &[Held]) -> Vec<TxId> {
    batch.iter().map(|(_, _, n)| TRANSACTION[*n].id()).collect()
}

fn run(steps: Vec<Step>) {
    let mut pool = WORLD.pool(LIMITS);
    let mut model = Model::default();
    for step in steps {
        take(&mut pool, &mut model, step);
        assert_eq!(pool.deadline(), model.deadline());
        let status = pool.status();
        assert_eq!((status.waiting, status.sealed), (model.waiting.len(), model.held().count() - model.waiting.len()));
        assert_eq!(status.bytes, model.held().map(|n| TRANSACTION[n].byte_count()).sum::<usize>());
        assert!(status.remembered <= model.committed.len());
    }
    let mut left: Vec<_> = model.blocks.into_iter().flat_map(|(_, batch)| batch).chain(model.waiting).collect();
    left.sort_unstable();
    assert_eq!(ids(&pool.into_transactions().collect::<Vec<_>>()), ids_of(&left));
}

fn take(pool: &mut Pool, model: &mut Model, step: Step) {
    match step {
        Step::Submit(n) => {
            let answer =
                pool.submit(TRANSACTION[n].clone(), at(model.now), at(model.now)).err().map(|refusal| refusal.code());
            assert_eq!(answer, model.submit(n));
        }
        Step::Wait(ms) => model.now += ms,
        Step::Expire => {
            let ms = model.next_ms();
            let dropped: BTreeSet<_> = pool.expire(at(ms)).into_iter().map(|dropped| dropped.id()).collect();
            assert_eq!(dropped, model.expire(ms).into_iter().map(|n| TRANSACTION[n].id()).collect());
        }
        Step::Seal => seal(pool, model),
        Step::Commit if !model.blocks.is_empty() => {
            let (ms, batch) = model.blocks.remove(0);
            let transactions: Vec<_> = batch.iter().map(|(_, _, n)| TRANSACTION[*n].clone()).collect();
            (model.height, model.tip_ms) = (model.height + 1, ms);
            pool.committed(&block(model.height, at(ms), &transactions)).unwrap();
            model.committed.extend(batch.iter().map(|(_, _, n)| *n));
        }
        Step::Return => {
            let Some((_, batch)) = model.blocks.pop() else { return };
            pool.returned(ids_of(&batch));
            model.waiting.extend(batch);
            model.waiting.sort_unstable();
        }
        Step::Claim(first, count) => {
            let theirs = first..TRANSACTIONS.min(first + count);
            let (claimed, left): (Vec<Held>, _) = model.waiting.iter().partition(|(_, _, n)| theirs.contains(n));
            let theirs: Vec<TxId> = theirs.map(|n| TRANSACTION[n].id()).collect();
            let of_pool: BTreeSet<TxId> = pool.claim(&theirs).into_iter().collect();
            assert_eq!(of_pool, ids_of(&claimed).into_iter().collect());
            model.waiting = left;
            if !claimed.is_empty() {
                model.blocks.push((model.next_ms(), claimed));
            }
        }
        Step::Commit => {}
    }
}

fn seal(pool: &mut Pool, model: &mut Model) {
    let ms = model.next_ms();
    let height = hanse_types::Height(model.height + model.blocks.len() as u64 + 1);
    let sealed = pool.seal(Place { height, timestamp: at(ms) });
    let mut batch = Vec::new();
    let mut dropped = Vec::new();
    while let Some(oldest) = model.waiting.first().copied() {
        let expired = Model::expires_ms(oldest.2) <= ms;
        if batch.len() == BLOCK && !expired {
            break;
        }
        model.waiting.remove(0);
        if expired { dropped.push(oldest) } else { batch.push(oldest) }
    }
    assert_eq!(ids(&sealed.batch), ids_of(&batch));
    assert_eq!(sealed.dropped.iter().map(|dropped| dropped.id()).collect::<Vec<_>>(), ids_of(&dropped));
    if !batch.is_empty() {
        model.blocks.push((ms, batch));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_pool_behaves_as_its_model(steps in prop::collection::vec(step(), 1..200)) {
        run(steps);
    }
}
