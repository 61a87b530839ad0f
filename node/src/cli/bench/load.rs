//! Sends transactions in batches: at a rate, or as fast as they are taken.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use hanse_client::Client;
use hanse_client::codes::{ErrorCode, Retry};
use hanse_types::SignedTransaction;

use super::super::exit::{Exit, Failure};
use super::follow::Follower;

/// How to send.
pub(super) struct Plan {
    /// Transactions in one submission.
    pub(super) batch: usize,
    /// Submissions under way at the same time.
    pub(super) connections: usize,
    /// Transactions per second.
    pub(super) rate: Option<u32>,
    /// How long nothing may be taken.
    pub(super) patience: Duration,
}

/// A batch with the place of its first transaction.
type Batch = (usize, Vec<SignedTransaction>);

/// Sends all of them. What the node has no room for now is sent again after the next block.
pub(super) async fn send(
    client: &Client,
    transactions: Vec<SignedTransaction>,
    plan: &Plan,
    follower: &Follower,
) -> Result<(), Failure> {
    let mut batches: Vec<Batch> = Vec::new();
    let mut rest = transactions;
    let mut first = 0;
    while !rest.is_empty() {
        let tail = rest.split_off(plan.batch.min(rest.len()));
        let batch = std::mem::replace(&mut rest, tail);
        let length = batch.len();
        batches.push((first, batch));
        first += length;
    }
    batches.reverse();
    let queue = Mutex::new(batches);
    let started = Instant::now();
    follower.start(started);
    try_join_all((0..plan.connections).map(|_| worker(client, &queue, plan, follower, started))).await?;
    Ok(())
}

async fn worker(
    client: &Client,
    queue: &Mutex<Vec<Batch>>,
    plan: &Plan,
    follower: &Follower,
    started: Instant,
) -> Result<(), Failure> {
    loop {
        let next = queue.lock().map_err(|_| Failure::error("another submission panicked"))?.pop();
        let Some((first, batch)) = next else { return Ok(()) };
        if let Some(rate) = plan.rate {
            let due = started + Duration::from_secs_f64(first as f64 / f64::from(rate));
            tokio::time::sleep_until(due.into()).await;
        }
        submit(client, first, batch, plan, follower).await?;
    }
}

async fn submit(
    client: &Client,
    first: usize,
    batch: Vec<SignedTransaction>,
    plan: &Plan,
    follower: &Follower,
) -> Result<(), Failure> {
    follower.submitted(first, batch.len(), Instant::now());
    let mut waiting = batch;
    let mut progress = Instant::now();
    while !waiting.is_empty() {
        let height = follower.height();
        let answer = client.submit_bulk(&waiting).await?;
        if answer.accepted > 0 {
            progress = Instant::now();
        }
        for refused in &answer.refused {
            if ErrorCode::of(refused.error.code).is_none_or(|code| code.retry != Retry::Later) {
                let message = format!("the node refused a transfer: {}", refused.error);
                return Err(Failure::new(Exit::Refused, message));
            }
        }
        let mut places = answer.refused.iter().map(|refused| refused.index).peekable();
        let mut at = 0;
        waiting.retain(|_| {
            let keep = places.next_if_eq(&at).is_some();
            at += 1;
            keep
        });
        if !waiting.is_empty()
            && !follower.block_after(height, plan.patience).await
            && progress.elapsed() > plan.patience
        {
            let seconds = plan.patience.as_secs();
            return Err(Failure::new(Exit::Unknown, format!("the node took no transaction for {seconds} s")));
        }
    }
    Ok(())
}
