//! Sends batches: each connection the next when the one before is committed, or all at a fixed rate.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use hanse_client::codes::{ErrorCode, Retry};
use hanse_client::methods::{RefusedTx, WaitMany};
use hanse_client::{Client, ClientError, RpcError};
use hanse_types::{Hash, SignedTransaction};

use super::super::exit::{Exit, Failure};
use super::tracker::Tracker;

/// How to send.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// Transactions in one submission.
    pub(super) batch: usize,
    /// Submissions under way at the same time.
    pub(super) connections: usize,
    /// What a submission's answer waits for.
    pub(super) wait: WaitMany,
    /// Transactions per second; each connection's next batch when the one before is committed, if none.
    pub(super) rate: Option<u32>,
    /// How long to send, from the first offer on; until all is sent, if none.
    pub(super) time: Option<Duration>,
}

/// Transactions that are sent together, with their ids.
#[derive(Default)]
struct Batch {
    transactions: Vec<SignedTransaction>,
    ids: Vec<Hash>,
}

/// What is still to be sent.
struct Queue(Mutex<VecDeque<Batch>>);

impl Queue {
    fn new(transactions: Vec<SignedTransaction>, genesis: &Hash, size: usize) -> Queue {
        let mut batches: VecDeque<Batch> = VecDeque::with_capacity(transactions.len() / size + 1);
        for signed in transactions {
            if batches.back().is_none_or(|last| last.ids.len() == size) {
                batches.push_back(Batch::default());
            }
            if let Some(last) = batches.back_mut() {
                last.ids.push(signed.id(genesis).0);
                last.transactions.push(signed);
            }
        }
        Queue(Mutex::new(batches))
    }

    fn with<T>(&self, act: impl FnOnce(&mut VecDeque<Batch>) -> T) -> Result<T, Failure> {
        self.0.lock().map(|mut batches| act(&mut batches)).map_err(|_| Failure::error("another submission panicked"))
    }

    fn next(&self) -> Result<Option<Batch>, Failure> {
        self.with(VecDeque::pop_front)
    }

    fn again(&self, batch: Batch) -> Result<(), Failure> {
        self.with(|batches| batches.push_back(batch))
    }
}

/// Sends the transactions; those that are left when the time is over are dropped.
pub(super) async fn send(
    client: &Client,
    transactions: Vec<SignedTransaction>,
    genesis: &Hash,
    plan: &Plan,
    tracker: &Tracker,
) -> Result<(), Failure> {
    let count = transactions.len();
    let queue = Queue::new(transactions, genesis, plan.batch);
    let started = Instant::now();
    let until = plan.time.map(|time| started + time);
    match plan.rate {
        None => drop(try_join_all((0..plan.connections).map(|_| in_turn(client, &queue, plan, until, tracker))).await?),
        Some(rate) => {
            let schedule = Schedule::new(started, rate, plan, count);
            drop(try_join_all((0..plan.connections).map(|_| at_rate(client, &queue, &schedule, plan, tracker))).await?);
        }
    }
    tracker.sent_all();
    Ok(())
}

/// One connection of a closed loop.
async fn in_turn(
    client: &Client,
    queue: &Queue,
    plan: &Plan,
    until: Option<Instant>,
    tracker: &Tracker,
) -> Result<(), Failure> {
    while until.is_none_or(|until| Instant::now() < until)
        && let Some(batch) = queue.next()?
    {
        let done = tracker.submitting(&batch.ids, Instant::now());
        insist(client, batch.transactions, plan.wait, tracker).await?;
        // If nothing comes any more, the tracker says so.
        let _ = done.await;
    }
    Ok(())
}

/// Submits until all are accepted: what the node has no room for now is sent again after the next block, or soon. It may
/// take those of other connections for long; that it takes nothing of the whole load any more the tracker says.
async fn insist(
    client: &Client,
    transactions: Vec<SignedTransaction>,
    wait: WaitMany,
    tracker: &Tracker,
) -> Result<(), Failure> {
    let mut waiting = transactions;
    while !waiting.is_empty() {
        let height = tracker.height();
        let refused = submit(client, &waiting, wait).await?;
        for refused in &refused {
            tracker.deferred(check(&refused.error)?);
        }
        let mut places = refused.iter().map(|refused| refused.index).peekable();
        let mut at = 0;
        waiting.retain(|_| {
            let keep = places.next_if_eq(&at).is_some();
            at += 1;
            keep
        });
        if waiting.is_empty() {
            break;
        }
        tracker.block_after(height).await;
    }
    Ok(())
}

/// When each batch of a fixed rate is due.
struct Schedule {
    started: Instant,
    interval: Duration,
    offers: u64,
    /// After which none is made any more, though it was due.
    until: Option<Instant>,
    next: AtomicU64,
}

impl Schedule {
    fn new(started: Instant, rate: u32, plan: &Plan, count: usize) -> Schedule {
        let interval = Duration::from_secs_f64(plan.batch as f64 / f64::from(rate));
        // Not by the interval, which is rounded.
        let by_time = |time: Duration| (time.as_secs_f64() * f64::from(rate) / plan.batch as f64).ceil() as u64;
        let offers = plan.time.map_or(count.div_ceil(plan.batch) as u64, by_time);
        Schedule { started, interval, offers, until: plan.time.map(|time| started + time), next: AtomicU64::new(0) }
    }

    /// The next batch's time.
    fn next(&self) -> Option<Instant> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (number < self.offers).then(|| self.started + self.interval.mul_f64(number as f64))
    }
}

/// One connection of a fixed rate. What is refused is offered again later, as what a client would send then.
async fn at_rate(
    client: &Client,
    queue: &Queue,
    schedule: &Schedule,
    plan: &Plan,
    tracker: &Tracker,
) -> Result<(), Failure> {
    while let Some(due) = schedule.next() {
        tokio::time::sleep_until(due.into()).await;
        if schedule.until.is_some_and(|until| Instant::now() > until) {
            tracker.not_offered();
            continue;
        }
        let Some(batch) = queue.next()? else {
            tracker.not_offered();
            continue;
        };
        drop(tracker.submitting(&batch.ids, due));
        let refused = submit(client, &batch.transactions, plan.wait).await?;
        let mut again = Batch::default();
        for refused in refused {
            let code = check(&refused.error)?;
            tracker.refused(&batch.ids[refused.index], code);
            again.ids.push(batch.ids[refused.index]);
            again.transactions.push(batch.transactions[refused.index].clone());
        }
        if !again.ids.is_empty() {
            queue.again(again)?;
        }
    }
    Ok(())
}

/// Submits once; those that were refused.
async fn submit(
    client: &Client,
    transactions: &[SignedTransaction],
    wait: WaitMany,
) -> Result<Vec<RefusedTx>, Failure> {
    match client.submit_bulk(transactions, wait).await {
        Ok(answer) => Ok(answer.refused),
        // The node takes nothing at all now.
        Err(ClientError::Refused(error)) if passes(error.code) => {
            let refused = |index| RefusedTx { index, error: error.clone() };
            Ok((0..transactions.len()).map(refused).collect())
        }
        Err(error) => Err(error.into()),
    }
}

/// The code of a refusal that passes; one that does not ends the load.
fn check(error: &RpcError) -> Result<i32, Failure> {
    if passes(error.code) {
        return Ok(error.code);
    }
    Err(Failure::new(Exit::Refused, format!("the node refused a transaction of the load: {error}")))
}

/// Whether the same may be accepted later.
fn passes(code: i32) -> bool {
    ErrorCode::of(code).is_some_and(|code| code.retry == Retry::Later)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_makes_as_many_offers_as_its_time_has_room_for() {
        let offers = |rate, batch, seconds, count| {
            let time = Some(Duration::from_secs(seconds)).filter(|time| !time.is_zero());
            let plan = Plan { batch, connections: 1, wait: WaitMany::None, rate: Some(rate), time };
            let schedule = Schedule::new(Instant::now(), rate, &plan, count);
            let due = std::iter::from_fn(|| schedule.next()).collect::<Vec<_>>();
            assert!(due.iter().all(|due| schedule.until.is_none_or(|until| *due < until)), "{rate} {batch}");
            due.len()
        };
        assert_eq!([offers(500, 50, 7, 0), offers(6_000, 500, 10, 0), offers(3_000, 100, 10, 0)], [70, 120, 300]);
        assert_eq!([offers(600, 500, 10, 0), offers(7, 5, 3, 0), offers(7, 5, 0, 12)], [12, 5, 3]);
    }
}
