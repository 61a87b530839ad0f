//! The figures of a load.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hanse_client::codes::ErrorCode;
use hanse_client::methods::WaitMany;
use serde::Serialize;

use super::beside::{Answers, Sample, asks_in};
use super::recorder::{Percentiles, Recorder, Slot};
use super::signing::cores;
use super::yardstick::Verified;
use crate::cli::output::{fields, grouped};

/// What is printed. Times are in milliseconds.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Second by second, before the figures of the whole.
    pub(super) timeline: Vec<Slot>,
    pub(super) samples: Vec<Sample>,
    /// When second 0 began, in milliseconds of Unix time: what ran at the same time is found by it.
    began_at: u64,
    workload: &'static str,
    /// `closed`: each connection sends its next batch when the one before is committed. `rate`: each batch has its time.
    loop_kind: &'static str,
    accounts: u32,
    skew: f64,
    batch: u32,
    connections: u32,
    /// What a submission is answered for: `pool`, once it is durable at the node; `none`, at once.
    wait: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    offered_per_second: Option<u32>,
    transactions: u64,
    failed: u64,
    blocks: u64,
    largest_block: u32,
    last_height: u64,
    elapsed_ms: f64,
    transactions_per_second: f64,
    cores: usize,
    transactions_per_second_per_core: f64,
    /// Validators of the group, each of which verifies and runs every transaction.
    validators: u32,
    /// What all of them do together, per core, if they all run on this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    executions_per_second_per_core: Option<f64>,
    gas_per_second: f64,
    latency_ms: Percentiles,
    /// Refusals by name; in a closed loop what was refused was sent again.
    refused: BTreeMap<String, u64>,
    /// Batches of a fixed rate that were not offered: nothing was left to send, or no connection free in time.
    skipped: u64,
    /// Signatures that the same cores verify per second when they do nothing else, in this run,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified_per_second: Option<Verified>,
    /// and what part of the library's is reached from end to end.
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio_to_verification: Option<f64>,
    cpu: Cpu,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<Memory>,
    #[serde(skip_serializing_if = "Option::is_none")]
    questions: Option<Answers>,
    /// Part of the throughput that is lost while questions are asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    loss_by_questions: Option<f64>,
    /// 1, 5 and 15 minutes, before the load.
    #[serde(skip_serializing_if = "Option::is_none")]
    load_average: Option<[f64; 3]>,
}

/// CPU time while the load was on.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Cpu {
    /// Of the node, in seconds, if it runs on this machine.
    pub(super) node_s: Option<f64>,
    /// Of this program.
    pub(super) load_s: Option<f64>,
    /// Transactions for each second of the node's CPU time: its throughput on one core, without the load's share.
    pub(super) transactions_per_node_second: Option<f64>,
}

impl Cpu {
    /// Adds what node and load used between two moments.
    pub(super) fn add(&mut self, before: [Option<Duration>; 2], after: [Option<Duration>; 2]) {
        for (sum, (before, after)) in
            [&mut self.node_s, &mut self.load_s].into_iter().zip(before.into_iter().zip(after))
        {
            let used = before.zip(after).map(|(before, after)| after.saturating_sub(before).as_secs_f64());
            *sum = used.map(|used| sum.unwrap_or_default() + used);
        }
    }
}

/// The node's memory, in bytes.
#[derive(Clone, Copy, Debug, Serialize)]
struct Memory {
    first: u64,
    most: u64,
    last: u64,
}

/// How a load was sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) workload: &'static str,
    pub(super) accounts: u32,
    pub(super) skew: f64,
    pub(super) batch: u32,
    pub(super) connections: u32,
    pub(super) wait: WaitMany,
    pub(super) rate: Option<u32>,
    /// Validators of the group.
    pub(super) validators: u32,
}

/// What was measured beside the load.
pub(super) struct Beside {
    /// Before and after the load, unless it is to be left out.
    pub(super) verified_per_second: Option<Verified>,
    pub(super) cpu: Cpu,
    pub(super) samples: Vec<Sample>,
    pub(super) questions: Option<Answers>,
    pub(super) load_average: Option<[f64; 3]>,
}

impl Report {
    /// The figures of a run.
    pub(super) fn new(shape: Shape, run: &Recorder, beside: Beside) -> Report {
        let seconds = run.active().as_secs_f64().max(f64::MIN_POSITIVE);
        let (rate, timeline) = (run.committed() as f64 / seconds, run.timeline());
        let per_second = |node_s: f64| run.committed() as f64 / node_s.max(f64::MIN_POSITIVE);
        let transactions_per_node_second = beside.cpu.node_s.map(per_second);
        Report {
            began_at: began_at(run.since_start()),
            workload: shape.workload,
            loop_kind: if shape.rate.is_some() { "rate" } else { "closed" },
            accounts: shape.accounts,
            skew: shape.skew,
            batch: shape.batch,
            connections: shape.connections,
            wait: shape.wait.name(),
            offered_per_second: shape.rate,
            transactions: run.committed(),
            failed: run.failed,
            blocks: run.blocks,
            largest_block: run.largest_block,
            last_height: run.last_height.0,
            elapsed_ms: milliseconds(run.active()),
            transactions_per_second: rate,
            cores: cores(),
            transactions_per_second_per_core: rate / cores() as f64,
            validators: shape.validators,
            executions_per_second_per_core: (shape.validators > 1)
                .then(|| rate * f64::from(shape.validators) / cores() as f64),
            gas_per_second: run.gas.0 as f64 / seconds,
            latency_ms: run.latencies(),
            refused: run.refusals().iter().map(|(code, count)| (name(*code), *count)).collect(),
            skipped: run.skipped,
            verified_per_second: beside.verified_per_second,
            ratio_to_verification: beside.verified_per_second.map(|verified| rate / verified.by_library),
            cpu: Cpu { transactions_per_node_second, ..beside.cpu },
            memory: memory(&beside.samples),
            loss_by_questions: beside.questions.and_then(|_| loss(&timeline)),
            questions: beside.questions,
            load_average: beside.load_average,
            timeline,
            samples: beside.samples,
        }
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut lines = vec![
            ("workload", format!("{}, {} accounts, skew {}", self.workload, grouped(self.accounts.into()), self.skew)),
            ("load", self.load_text()),
            ("transactions", format!("{}, {} failed", grouped(self.transactions), grouped(self.failed))),
            ("blocks", format!("{}, the fullest with {}", grouped(self.blocks), grouped(self.largest_block.into()))),
            ("time", format!("{:.2} s with something under way", self.elapsed_ms / 1_000.0)),
            ("throughput", format!("{} transactions/s", grouped(self.transactions_per_second as u64))),
            ("per core", self.core_text()),
            ("latency", self.latency_text()),
        ];
        if let (Some(verified), Some(ratio)) = (&self.verified_per_second, self.ratio_to_verification) {
            lines.push(("yardstick", yardstick_text(verified, ratio)));
        }
        if let Some(executions) = self.executions_per_second_per_core {
            let (all, done) = (self.validators, grouped(executions as u64));
            let text = format!(
                "{all}, each of which runs every transaction: {done}/s on each core, if all run on this machine"
            );
            lines.push(("validators", text));
        }
        lines.extend(self.refused.iter().map(|(name, count)| ("refused", format!("{name} {}", grouped(*count)))));
        if self.skipped > 0 {
            lines.push((
                "skipped",
                format!("{} batches: nothing left to send, or no connection free in time", grouped(self.skipped)),
            ));
        }
        if let Some(memory) = &self.memory {
            let [first, most, last] = [memory.first, memory.most, memory.last].map(|bytes| bytes >> 20);
            lines.push(("memory", format!("{first} MiB first, {last} MiB last, {most} MiB at most, of the node")));
        }
        if let (Some(answers), Some(loss)) = (&self.questions, self.loss_by_questions) {
            lines.push(("questions", questions_text(answers, loss)));
        }
        if let Some([one, five, fifteen]) = self.load_average {
            lines.push(("machine", format!("load average {one} {five} {fifteen} before the run")));
        }
        fields(lines)
    }

    fn load_text(&self) -> String {
        let how = format!("{} connections, batches of {}, wait {}", self.connections, self.batch, self.wait);
        match self.offered_per_second {
            None => format!("closed loop, {how}"),
            Some(rate) => format!("{} offered per second, {how}", grouped(rate.into())),
        }
    }

    fn core_text(&self) -> String {
        let shared = grouped(self.transactions_per_second_per_core as u64);
        let shared = format!("{shared} transactions/s on each of {} cores, which node and load share", self.cores);
        match (self.cpu.transactions_per_node_second, self.cpu.node_s, self.cpu.load_s) {
            (Some(per_second), Some(node), Some(load)) => format!(
                "{shared}; {} for each second of the node's CPU time (node {node:.1} s, load {load:.1} s)",
                grouped(per_second as u64)
            ),
            _ => shared,
        }
    }

    fn latency_text(&self) -> String {
        let Percentiles { p50, p90, p99, p99_9, max } = self.latency_ms;
        let from = if self.offered_per_second.is_some() { "from when each was due" } else { "from submission" };
        format!(
            "{p50:.0} ms median, {p90:.0} ms 90 %, {p99:.0} ms 99 %, {p99_9:.0} ms 99.9 %, {max:.0} ms longest, {from}"
        )
    }
}

fn yardstick_text(verified: &Verified, ratio: f64) -> String {
    format!(
        "{ratio:.2} of {} signatures/s, which the same cores verify and do nothing else ({} by a node's verifier)",
        grouped(verified.by_library as u64),
        grouped(verified.by_node as u64)
    )
}

fn questions_text(answers: &Answers, loss: f64) -> String {
    format!(
        "{} clients had {} answers/s ({:.1} ms median, {:.1} ms 99 %, {} refused) and cost {:.1} % of the throughput",
        answers.clients,
        grouped(answers.answers_per_second as u64),
        answers.p50,
        answers.p99,
        grouped(answers.refused),
        loss * 100.0
    )
}

/// A moment that is so long ago.
fn began_at(ago: Duration) -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH + ago).map_or(0, |time| time.as_millis() as u64)
}

fn name(code: i32) -> String {
    ErrorCode::of(code).map_or_else(|| code.to_string(), |code| code.name.to_owned())
}

fn memory(samples: &[Sample]) -> Option<Memory> {
    let most = samples.iter().map(|sample| sample.memory).max()?;
    Some(Memory { first: samples.first()?.memory, most, last: samples.last()?.memory })
}

/// Part of the throughput that is lost in seconds with questions, by the seconds in which the load was on throughout.
fn loss(timeline: &[Slot]) -> Option<f64> {
    let mean = |asking: bool| {
        let chosen = timeline.iter().filter(|slot| slot.full && asks_in(slot.at) == asking);
        let counts: Vec<u64> = chosen.map(|slot| slot.committed).collect();
        (!counts.is_empty()).then(|| counts.iter().sum::<u64>() as f64 / counts.len() as f64)
    };
    let (without, with) = (mean(false)?, mean(true)?);
    (without > 0.0).then(|| 1.0 - with / without)
}

/// For JSON.
pub(super) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loss_is_that_of_whole_seconds() {
        let slot = |at, committed| Slot { at, committed, p50: 0.0, p99: 0.0, full: at != 9 };
        let timeline: Vec<Slot> = (0..10).map(|at| slot(at, if asks_in(at) { 80 } else { 100 })).collect();
        let found = loss(&timeline).unwrap_or_default();
        assert!((found - 0.2).abs() < 1e-9, "{found}");
        assert_eq!(loss(&timeline[..5]), None);
    }
}
