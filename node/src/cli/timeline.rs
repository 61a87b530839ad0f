//! `hanse block timeline`: which of the node's threads ran what, when.

use clap::{Args, ValueEnum};
use hanse_client::methods::{BlockAt, GetTimeline, RecordTimelines, RecordTimelinesParams, Recording, TimelineParams};
use hanse_client::views::{RunView, TimelineView};

use super::admin::AdminArgs;
use super::exit::Failure;
use super::output::{fields, grouped};
use super::session::Session;

/// Widest that a picture may be, in characters.
const WIDTH_MAX: usize = 1_000;

#[derive(Debug, Args)]
pub(crate) struct TimelineArgs {
    /// latest, a height, or the hash of its header
    #[arg(default_value = "latest")]
    at: BlockAt,
    /// How many characters wide the picture is
    #[arg(long, default_value_t = 100, value_name = "CHARACTERS")]
    width: usize,
    /// Only switch recording on or off, on the node, until it stops
    #[arg(long, value_name = "STATE", conflicts_with = "at")]
    record: Option<Switch>,
    #[command(flatten)]
    admin: AdminArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

/// `hanse block timeline`.
pub(crate) async fn run(session: &Session, args: TimelineArgs) -> Result<(), Failure> {
    if let Some(switch) = args.record {
        let on = Some(switch == Switch::On);
        let recording =
            session.operator(&args.admin).await?.call::<RecordTimelines>(RecordTimelinesParams { on }).await?;
        return session.output.result(&recording, recording_text);
    }
    let params = TimelineParams { at: args.at, runs: None };
    let timeline = session.client.call::<GetTimeline>(params).await.map_err(|error| {
        let failure = Failure::from(error);
        match failure.message().contains("dag_recordTimelines") {
            true => failure.hint("`hanse block timeline --record on` records the blocks that come"),
            false => failure,
        }
    })?;
    session.output.result(&timeline, |timeline| text(timeline, args.width.clamp(1, WIDTH_MAX)))
}

fn recording_text(recording: &Recording) -> String {
    let kept = match recording.from_height.zip(recording.to_height) {
        Some((first, last)) => format!("blocks {first} to {last}"),
        None => "no block".to_owned(),
    };
    let state = if recording.on { "on" } else { "off" };
    fields([("recording", state.to_owned()), ("kept", format!("{kept}; at most {} blocks", recording.blocks))])
}

fn text(timeline: &TimelineView, width: usize) -> String {
    let passes = &timeline.passes;
    let busy = 100.0 * timeline.busy_us / (timeline.took_us * timeline.workers.max(1) as f64).max(f64::MIN_POSITIVE);
    let count = |count: usize| grouped(count as u64);
    let runs = format!(
        "{} speculations kept (k), {} for nothing (x), {} along the DAG (o), {} strayed (!), {} alone (a)",
        count(passes.kept),
        count(passes.wasted),
        count(passes.ordered),
        count(passes.strayed),
        count(passes.alone),
    );
    let head = fields([
        ("block", timeline.height.to_string()),
        ("took", format!("{:.1} µs on this node; no part of the chain", timeline.took_us)),
        ("busy", format!("{busy:.0} % of {} threads", timeline.workers)),
        ("runs", runs),
    ]);
    let left_off = match timeline.left_off {
        0 => String::new(),
        more => format!("{} later runs are not shown\n", count(more)),
    };
    format!("{head}\n{}{left_off}", lanes(timeline, width))
}

/// A row for each thread. A character stands for a stretch of time, and shows what the thread did most in it.
fn lanes(timeline: &TimelineView, width: usize) -> String {
    let workers = timeline.runs.iter().map(|run| run.worker as usize + 1).max().unwrap_or(0).max(timeline.workers);
    let cell_us = (timeline.took_us / width as f64).max(f64::MIN_POSITIVE);
    let mut lanes = vec![vec![Cell::default(); width]; workers];
    for run in &timeline.runs {
        paint(&mut lanes[run.worker as usize], run, cell_us);
    }
    let row = |(worker, cells): (usize, &Vec<Cell>)| {
        let marks: String = cells.iter().map(|cell| cell.mark(cell_us)).collect();
        format!("{worker:>3} {}\n", marks.trim_end())
    };
    lanes.iter().enumerate().map(row).collect()
}

/// Time by occasion, in microseconds.
#[derive(Clone, Copy, Default)]
struct Cell([f64; MARKS.len()]);

/// Occasions and what stands for them.
const MARKS: [(&str, char); 5] = [("kept", 'k'), ("wasted", 'x'), ("ordered", 'o'), ("strayed", '!'), ("alone", 'a')];

impl Cell {
    fn mark(&self, cell_us: f64) -> char {
        let busy: f64 = self.0.iter().sum();
        let most = (0..MARKS.len()).max_by(|one, other| self.0[*one].total_cmp(&self.0[*other]));
        match most {
            Some(most) if busy * 2.0 >= cell_us => MARKS[most].1,
            _ if busy > 0.0 => '·',
            _ => ' ',
        }
    }
}

fn paint(lane: &mut [Cell], run: &RunView, cell_us: f64) {
    let Some(pass) = MARKS.iter().position(|(name, _)| *name == run.pass) else { return };
    let last = lane.len() - 1;
    let at = |time: f64| ((time / cell_us) as usize).min(last);
    for (place, cell) in lane.iter_mut().enumerate().take(at(run.end_us) + 1).skip(at(run.start_us)) {
        let from = run.start_us.max(place as f64 * cell_us);
        let to = run.end_us.min((place + 1) as f64 * cell_us);
        cell.0[pass] += (to - from).max(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hanse_client::views::PassCounts;
    use hanse_types::{Hash, Height, TxIndex};

    #[test]
    fn lanes_show_what_was_done_most() {
        let run = |worker, start_us, end_us, pass: &str| RunView {
            index: TxIndex(0),
            tx_id: Hash::ZERO,
            worker,
            start_us,
            end_us,
            pass: pass.into(),
        };
        let timeline = TimelineView {
            height: Height(1),
            took_us: 100.0,
            workers: 2,
            busy_us: 70.0,
            passes: PassCounts::default(),
            runs: vec![
                run(0, 0.0, 20.0, "wasted"),
                run(0, 40.0, 58.0, "ordered"),
                run(1, 5.0, 35.0, "kept"),
                run(1, 95.0, 99.0, "alone"),
            ],
            left_off: 0,
        };
        assert_eq!(lanes(&timeline, 10), "  0 xx  oo\n  1 kkkk     ·\n");
        assert!(text(&timeline, 10).contains("35 % of 2 threads"));
    }
}
