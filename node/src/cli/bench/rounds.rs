//! A load in rounds: transactions are signed before they are sent, and a signature holds for some blocks only.
//!
//! Each round is signed while nothing is sent, then sent; the pauses between are not counted. A short load is one round.

use std::time::Duration;

/// Transactions of one round: less than a hundred megabytes.
const ROUND: usize = 200_000;
/// And of one that offers at a fixed rate, if the node is not expected to take more: more than a pool holds and a node takes
/// in a short round, so that it can be overloaded.
const OFFERED: usize = 600_000;
/// How much more than expected is signed for a given time, lest it run out early.
const RESERVE: f64 = 1.5;
/// Least of a round.
const LEAST: usize = 2_000;

/// How much there is to do.
#[derive(Clone, Copy, Debug)]
pub(super) enum Amount {
    /// So many transactions.
    Transactions(usize),
    /// As many as go in so long.
    Time(Duration),
}

/// What is left of a load.
pub(super) struct Rounds {
    left: Amount,
    rate: Option<u32>,
    /// How long one may last.
    longest: Duration,
}

/// The next round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Round {
    /// Transactions to sign.
    pub(super) transactions: usize,
    /// How long to send, if that ends it.
    pub(super) time: Option<Duration>,
}

impl Rounds {
    /// All of it, in rounds of `longest` at most.
    pub(super) fn new(amount: Amount, rate: Option<u32>, longest: Duration) -> Rounds {
        Rounds { left: amount, rate, longest }
    }

    /// The next round, given what the node takes per second as far as that is known; none if all is done.
    pub(super) fn next(&self, per_second: f64) -> Option<Round> {
        match self.left {
            Amount::Transactions(0) => None,
            Amount::Transactions(left) => {
                let by_rate = self.rate.map_or(ROUND, |rate| (f64::from(rate) * self.longest.as_secs_f64()) as usize);
                Some(Round { transactions: left.min(ROUND).min(by_rate.max(1)), time: None })
            }
            Amount::Time(left) if left < Duration::from_millis(100) => None,
            Amount::Time(left) => {
                let time = left.min(self.longest);
                let taken = (per_second * RESERVE * time.as_secs_f64()).ceil() as usize;
                let transactions = match self.rate {
                    None => taken.min(ROUND),
                    // What is refused is offered again: no more than the node takes is needed.
                    Some(rate) => ((f64::from(rate) * time.as_secs_f64()).ceil() as usize).min(taken.max(OFFERED)),
                };
                let transactions = transactions.max(LEAST);
                Some(Round { transactions, time: Some(time) })
            }
        }
    }

    /// A round was done, which took so long. At a rate it counts with the time in which it made offers: what came before and after
    /// them took none away.
    pub(super) fn done(&mut self, round: Round, took: Duration) {
        match &mut self.left {
            Amount::Transactions(left) => *left = left.saturating_sub(round.transactions),
            Amount::Time(left) => {
                let took = round.time.filter(|_| self.rate.is_some()).unwrap_or(took);
                *left = left.saturating_sub(took.max(Duration::from_millis(100)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const LONGEST: Duration = Duration::from_secs(10);

    fn in_rounds(amount: Amount, rate: Option<u32>) -> Rounds {
        Rounds::new(amount, rate, LONGEST)
    }

    #[test]
    fn a_count_is_done_in_rounds() {
        let mut rounds = in_rounds(Amount::Transactions(450_000), None);
        let mut counts = Vec::new();
        while let Some(round) = rounds.next(0.0) {
            counts.push(round.transactions);
            rounds.done(round, Duration::from_secs(1));
        }
        assert_eq!(counts, [200_000, 200_000, 50_000]);
        let slow = in_rounds(Amount::Transactions(450_000), Some(1_000)).next(0.0).unwrap();
        assert_eq!(slow.transactions, 10_000);
    }

    #[test]
    fn a_time_is_done_in_rounds() {
        let mut rounds = in_rounds(Amount::Time(Duration::from_secs(25)), None);
        let mut times = Vec::new();
        while let Some(round) = rounds.next(1_000.0) {
            assert_eq!(round.transactions, (1_500 * round.time.unwrap().as_secs()) as usize);
            times.push(round.time.unwrap().as_secs());
            rounds.done(round, round.time.unwrap());
        }
        assert_eq!(times, [10, 10, 5]);
        let mut at_rate = in_rounds(Amount::Time(Duration::from_secs(25)), Some(500));
        at_rate.done(at_rate.next(0.0).unwrap(), Duration::from_secs(14));
        assert_eq!(at_rate.next(0.0).unwrap().time, Some(LONGEST), "it makes offers for 15 s more");
        let overload = in_rounds(Amount::Time(Duration::from_secs(60)), Some(400_000)).next(0.0).unwrap();
        assert_eq!(overload, Round { transactions: OFFERED, time: Some(LONGEST) });
    }

    #[test]
    fn a_long_round_has_what_the_node_takes_meanwhile() {
        let long = |rate| Rounds::new(Amount::Time(Duration::from_secs(100)), Some(rate), Duration::from_secs(100));
        assert_eq!(long(400_000).next(20_000.0).unwrap().transactions, 3_000_000);
        assert_eq!(long(100).next(20_000.0).unwrap().transactions, 10_000);
    }
}
