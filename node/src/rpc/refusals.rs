//! Transactions that are refused before they enter the pool, in the exception log.
//!
//! Anybody can have transactions refused, as many as they like, so of each reason a few are told one by one in a span of
//! time, and the rest in one line with their number: nothing is left out of the log, and nobody can fill the disk with it.
//! What the node knows already (it waits, or is in a block) is refused too and is no exception: it is where it should be.
//!
//! Start reading at [`Refusals::tell`].

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hanse_client::codes::{self, ErrorCode};
use hanse_client::jsonrpc::RpcError;
use hanse_types::{Hash, SignedTransaction};

/// Lines about single transactions for each reason in [`SPAN`]; the others are told by their number.
const LINES: u32 = 10;
/// See [`LINES`].
pub(super) const SPAN: Duration = Duration::from_secs(60);
/// Refusals that are no exceptions.
const KNOWN: [ErrorCode; 2] = [codes::ALREADY_IN_POOL, codes::ALREADY_COMMITTED];

/// See the module.
pub(super) struct Refusals {
    genesis: Hash,
    spans: Mutex<BTreeMap<&'static str, Span>>,
}

/// The refusals for one reason.
struct Span {
    started: Instant,
    told: u32,
    left_out: u64,
}

impl Refusals {
    /// Of transactions for the chain with this genesis.
    pub(super) fn new(genesis: Hash) -> Refusals {
        Refusals { genesis, spans: Mutex::default() }
    }

    /// A transaction was refused. `transaction` gives it where its bytes are one; it is asked for only if it is told of.
    pub(super) fn tell(&self, error: &RpcError, transaction: impl FnOnce() -> Option<SignedTransaction>) {
        let Some(kind) = ErrorCode::of(error.code).filter(|kind| !KNOWN.contains(kind)) else { return };
        if !self.is_told(kind.name, 1, Instant::now()) {
            return;
        }
        let (reason, detail) = (kind.name, &error.message);
        match transaction() {
            Some(signed) => {
                let (tx, sender) = (signed.id(&self.genesis), signed.transaction.sender);
                tracing::warn!(target: "hanse::exception", %tx, reason, %sender, %detail, "transaction refused");
            }
            None => tracing::warn!(target: "hanse::exception", reason, %detail, "transaction refused"),
        }
    }

    /// So many transactions were refused together, before anybody looked at them.
    pub(super) fn tell_unread(&self, error: &RpcError, count: u64) {
        let Some(kind) = ErrorCode::of(error.code) else { return };
        if self.is_told(kind.name, count, Instant::now()) {
            let (reason, detail) = (kind.name, &error.message);
            tracing::warn!(target: "hanse::exception", reason, count, %detail, "transactions refused unread");
        }
    }

    /// Tells how many were left out in spans that are over, or in all of them.
    pub(super) fn tell_left_out(&self, all: bool) {
        let now = Instant::now();
        for (reason, span) in self.lock().iter_mut() {
            if all || span.is_over(now) {
                span.end(reason);
            }
        }
    }

    /// Whether one more refusal for this reason, of so many transactions, gets a line of its own.
    fn is_told(&self, reason: &'static str, count: u64, now: Instant) -> bool {
        let mut spans = self.lock();
        let span = spans.entry(reason).or_insert(Span { started: now, told: 0, left_out: 0 });
        if span.is_over(now) {
            span.end(reason);
            *span = Span { started: now, told: 0, left_out: 0 };
        }
        if span.told < LINES {
            span.told += 1;
            return true;
        }
        span.left_out += count;
        false
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Span>> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Span {
    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.started) >= SPAN
    }

    fn end(&mut self, reason: &str) {
        let count = std::mem::take(&mut self.left_out);
        if count > 0 {
            tracing::warn!(target: "hanse::exception", reason, count, "more transactions were refused");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusals() -> Refusals {
        Refusals::new(Hash::ZERO)
    }

    fn left_out(refusals: &Refusals, reason: &str) -> u64 {
        refusals.lock()[reason].left_out
    }

    #[test]
    fn a_few_of_each_reason_are_told_and_the_rest_is_counted() {
        let (refusals, now) = (refusals(), Instant::now());
        let told = (0..1_000).filter(|_| refusals.is_told("expired", 1, now)).count();
        assert_eq!((told as u32, left_out(&refusals, "expired")), (LINES, 990));
        assert!(refusals.is_told("pool_full", 1, now), "another reason has lines of its own");
        assert!(refusals.is_told("expired", 1, now + SPAN), "and so has another span");
        assert_eq!(left_out(&refusals, "expired"), 0, "what was left out was told");
    }

    #[test]
    fn what_was_left_out_is_told_once() {
        let (refusals, now) = (refusals(), Instant::now());
        assert_eq!((0..=LINES).filter(|_| refusals.is_told("expired", 1, now)).count() as u32, LINES);
        refusals.tell_left_out(false);
        assert_eq!(left_out(&refusals, "expired"), 1, "the span is not over");
        refusals.tell_left_out(true);
        assert_eq!(left_out(&refusals, "expired"), 0);
        assert!(!refusals.is_told("expired", 1, now), "the span goes on");
    }

    #[test]
    fn what_the_node_knows_already_is_no_exception() {
        let refusals = refusals();
        refusals.tell(&RpcError::new(codes::ALREADY_COMMITTED, "x"), || None);
        assert!(refusals.lock().is_empty());
        refusals.tell(&RpcError::new(codes::POOL_FULL, "x"), || None);
        assert_eq!(refusals.lock().len(), 1);
    }
}
