//! When this node's threads ran what: its own diary of the newest blocks.

use std::time::Duration;

use hanse_client::methods::{RecordTimelinesParams, Recording, TimelineParams};
use hanse_client::views::{PassCounts, RunView, TimelineView};
use hanse_client::{RpcError, codes};
use hanse_group::timeline::{self, BLOCKS_MAX, TimedRun};
use hanse_ledger::LedgerError;
use hanse_types::{Hash, Height, TxId};
use serde_json::json;

use super::super::{Node, errors, limits};
use super::block;

/// [`hanse_client::methods::GetTimeline`].
pub(super) fn get(node: &Node, params: &TimelineParams) -> Result<TimelineView, RpcError> {
    let height = block::header(node, params.at)?.height;
    let timeline = node.group.timelines().of(height).ok_or_else(|| not_recorded(node, height))?;
    let no_block = || LedgerError::NoBlock { height, tip: node.group.ledger().height() };
    let ids = node.group.ledger().tx_ids(height).and_then(|ids| ids.ok_or_else(no_block)).map_err(errors::ledger)?;
    let passes = passes(&timeline.runs, ids.len());
    let limit = params.runs.unwrap_or(limits::TIMELINE_RUNS).min(limits::TIMELINE_RUNS);
    let runs = timeline.runs.iter().zip(&passes).take(limit);
    let runs: Vec<RunView> = runs.map(|(run, pass)| view(run, *pass, &ids)).collect();
    Ok(TimelineView {
        height,
        took_us: micros(timeline.took),
        workers: node.group.settings().threads,
        busy_us: timeline.runs.iter().map(|run| micros(run.end.saturating_sub(run.start))).sum(),
        passes: counts(&passes),
        left_off: timeline.runs.len() - runs.len(),
        runs,
    })
}

/// [`hanse_client::methods::RecordTimelines`].
pub(super) fn record(node: &Node, params: &RecordTimelinesParams) -> Result<Recording, RpcError> {
    let timelines = node.group.timelines();
    if let Some(on) = params.on {
        timelines.switch(on);
        tracing::info!(on, "recording of timelines");
    }
    let (from_height, to_height) = timelines.heights().unzip();
    Ok(Recording { on: timelines.is_on(), from_height, to_height, blocks: BLOCKS_MAX })
}

fn not_recorded(node: &Node, height: Height) -> RpcError {
    let timelines = node.group.timelines();
    let kept = match timelines.heights() {
        Some((first, last)) => format!("there are timelines from block {first} to {last}"),
        None if timelines.is_on() => "they are recorded from the next block on".to_owned(),
        None => "they are not recorded; dag_recordTimelines with on = true changes that".to_owned(),
    };
    RpcError::new(codes::NOT_FOUND, format!("block {height} has no timeline on this node: {kept}"))
        .detail(json!({ "on": timelines.is_on() }))
}

/// On what occasion a transaction was run, as clients are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pass {
    Kept,
    Wasted,
    Ordered,
    Strayed,
    Alone,
}

/// The occasion of each run. A speculation is kept if its transaction was not run again.
fn passes(runs: &[TimedRun], transactions: usize) -> Vec<Pass> {
    let mut counts = vec![0u8; transactions];
    for run in runs {
        if let Some(count) = counts.get_mut(run.index.as_usize()) {
            *count = count.saturating_add(1);
        }
    }
    let is_only = |run: &TimedRun| counts.get(run.index.as_usize()) == Some(&1);
    let pass = |run: &TimedRun| match run.pass {
        timeline::Pass::Speculation if is_only(run) => Pass::Kept,
        timeline::Pass::Speculation => Pass::Wasted,
        timeline::Pass::Ordered => Pass::Ordered,
        timeline::Pass::Strayed => Pass::Strayed,
        timeline::Pass::Alone => Pass::Alone,
    };
    runs.iter().map(pass).collect()
}

fn counts(passes: &[Pass]) -> PassCounts {
    let count = |wanted: Pass| passes.iter().filter(|pass| **pass == wanted).count();
    PassCounts {
        kept: count(Pass::Kept),
        wasted: count(Pass::Wasted),
        ordered: count(Pass::Ordered),
        strayed: count(Pass::Strayed),
        alone: count(Pass::Alone),
    }
}

fn view(run: &TimedRun, pass: Pass, ids: &[TxId]) -> RunView {
    let pass = match pass {
        Pass::Kept => "kept",
        Pass::Wasted => "wasted",
        Pass::Ordered => "ordered",
        Pass::Strayed => "strayed",
        Pass::Alone => "alone",
    };
    RunView {
        index: run.index,
        tx_id: ids.get(run.index.as_usize()).map_or(Hash::ZERO, |id| id.0),
        worker: run.worker,
        start_us: micros(run.start),
        end_us: micros(run.end),
        pass: pass.into(),
    }
}

/// To the tenth.
fn micros(time: Duration) -> f64 {
    (time.as_nanos() / 100) as f64 / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use hanse_group::timeline::Pass as Ran;
    use hanse_types::TxIndex;

    #[test]
    fn a_speculation_is_kept_if_nothing_came_after_it() {
        let end = Duration::from_nanos(1_250);
        let run = |index, pass| TimedRun { index: TxIndex(index), worker: 0, pass, start: Duration::ZERO, end };
        let runs = [
            run(0, Ran::Speculation),
            run(1, Ran::Speculation),
            run(1, Ran::Ordered),
            run(2, Ran::Strayed),
            run(2, Ran::Alone),
        ];
        let found = passes(&runs, 3);
        assert_eq!(found, [Pass::Kept, Pass::Wasted, Pass::Ordered, Pass::Strayed, Pass::Alone]);
        assert_eq!(counts(&found), PassCounts { kept: 1, wasted: 1, ordered: 1, strayed: 1, alone: 1 });
        assert!((micros(end) - 1.2).abs() < 1e-9);
    }
}
