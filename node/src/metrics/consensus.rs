//! Figures of agreeing with others.

use std::time::Duration;

use hanse_group::agreement::Step;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::family::{Buckets, GROUP, Labels};

/// Figures of all groups.
#[derive(Debug)]
pub(super) struct ConsensusMetrics {
    steps: Family<Labels<2>, Histogram, Buckets>,
    timeouts: Family<Labels<1>, Counter>,
    evidence: Family<Labels<2>, Counter>,
}

impl ConsensusMetrics {
    pub(super) fn register(registry: &mut Registry) -> ConsensusMetrics {
        let steps = Family::new_with_constructor(Buckets::Seconds);
        let metrics = ConsensusMetrics { steps, timeouts: Family::default(), evidence: Family::default() };
        let help = "Time that a step of a round took, until there were the votes for the next or it ran out";
        registry.register_with_unit("hanse_consensus_step_duration", help, Unit::Seconds, metrics.steps.clone());
        let help = "Rounds that ended without a decision";
        registry.register("hanse_consensus_timeouts", help, metrics.timeouts.clone());
        let help = "Proofs that a validator is faulty, by what it did";
        registry.register("hanse_evidence", help, metrics.evidence.clone());
        metrics
    }

    pub(super) fn of_group(&self, group: &str) -> GroupConsensus {
        let with = |name, value: &str| [(GROUP, group.to_owned()), (name, value.to_owned())];
        GroupConsensus {
            prevote: self.steps.get_or_create_owned(&with("step", "prevote")),
            precommit: self.steps.get_or_create_owned(&with("step", "precommit")),
            timeouts: self.timeouts.get_or_create_owned(&[(GROUP, group.to_owned())]),
            evidence: self.evidence.get_or_create_owned(&with("kind", "contradiction")),
        }
    }
}

/// Figures of one group.
#[derive(Debug)]
pub(super) struct GroupConsensus {
    prevote: Histogram,
    precommit: Histogram,
    timeouts: Counter,
    evidence: Counter,
}

impl GroupConsensus {
    pub(super) fn accused(&self) {
        self.evidence.inc();
    }

    pub(super) fn round_failed(&self) {
        self.timeouts.inc();
    }

    pub(super) fn voted(&self, step: Step, took: Duration) {
        let of_step = match step {
            // That includes waiting for transactions, and says nothing.
            Step::Propose => return,
            Step::Prevote => &self.prevote,
            Step::Precommit => &self.precommit,
        };
        of_step.observe(took.as_secs_f64());
    }
}
