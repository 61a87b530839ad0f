//! Is it parallel, and why not? `hanse block dag`, `hanse stats`, and what `hanse tx show` and simulations say of it.

use clap::Subcommand;
use hanse_client::methods::{DagStats, DagStatsParams, GetDagStats, GetHotKeys, HotKeys, HotKeysParams};
use hanse_client::views::{BlockerView, DagView, HotKeyView, KeyView, SimulationView};
use serde::Serialize;

use super::Common;
use super::exit::Failure;
use super::output::{fields, grouped, table};
use super::session::Session;

/// Hot keys that people are shown; programs get all that the node gives.
const SHOWN_KEYS: usize = 5;
/// Steps of the critical path that people are shown.
const SHOWN_STEPS: usize = 10;

#[derive(Debug, Subcommand)]
pub(crate) enum StatsCommand {
    /// Show how parallel the last blocks were, and which keys held them up
    Parallel {
        /// How many of the newest blocks
        #[arg(long, default_value_t = 20, value_name = "BLOCKS")]
        last: u64,
    },
}

/// How parallel the last blocks were, and why not more.
#[derive(Serialize)]
struct Parallel {
    #[serde(flatten)]
    stats: DagStats,
    hot_keys: HotKeys,
}

/// `hanse stats`.
pub(crate) async fn stats(command: StatsCommand, common: &Common) -> Result<(), Failure> {
    let StatsCommand::Parallel { last } = command;
    let session = Session::open(common).await?;
    let stats = session.client.call::<GetDagStats>(DagStatsParams { last: Some(last) }).await?;
    let window = HotKeysParams { blocks: Some(last), ..HotKeysParams::default() };
    let hot_keys = session.client.call::<GetHotKeys>(window).await?;
    session.output.result(&Parallel { stats, hot_keys }, Parallel::text)
}

impl Parallel {
    fn text(&self) -> String {
        let totals = &self.stats.totals;
        let per = |number: Option<f64>| number.map_or("not known".to_owned(), |number| format!("{number:.2}"));
        let head = fields([
            ("blocks", grouped(self.stats.blocks.len() as u64)),
            ("transactions", grouped(totals.transactions)),
            ("work", format!("{} gas", grouped(totals.work.0))),
            ("span", format!("{} gas", grouped(totals.span.0))),
            ("parallelism", format!("{:.1} cores could be busy", totals.parallelism)),
            ("executions", format!("{} per transaction", per(totals.executions_per_transaction))),
            ("strays", format!("{} per transaction", per(totals.strays_per_transaction))),
        ]);
        let local = |number: Option<u64>| number.map_or("-".to_owned(), grouped);
        let rows = self.stats.blocks.iter().map(|block| {
            [
                block.height.to_string(),
                grouped(block.transactions),
                format!("{:.1}", block.parallelism),
                grouped(block.edges),
                local(block.executions),
                local(block.strays),
                local(block.execution_us),
            ]
        });
        let heading = ["block", "transactions", "parallelism", "edges", "executions", "strays", "µs"];
        format!("{head}\n{}{}", table(heading, rows), hot_keys_text(&self.hot_keys.keys))
    }
}

/// A block's DAG for people.
pub(crate) fn dag_text(dag: &DagView) -> String {
    let figures = fields([
        ("block", grouped(dag.height.0)),
        (
            "transactions",
            format!("{}, {} wait for nobody", grouped(dag.transactions.into()), grouped(dag.roots.into())),
        ),
        ("edges", format!("{} in {} bytes", grouped(dag.edges), grouped(dag.encoded_bytes))),
        ("work", format!("{} gas", grouped(dag.work.0))),
        ("span", format!("{} gas, {} transactions one after another", grouped(dag.span.0), grouped(dag.depth.into()))),
        ("parallelism", format!("{:.1} cores could be busy", dag.parallelism)),
    ]);
    figures + &path_text(dag) + &hot_keys_text(&dag.hot_keys) + &vertices_text(dag)
}

fn path_text(dag: &DagView) -> String {
    if dag.critical_path.len() < 2 {
        return String::new();
    }
    let rows = dag.critical_path.iter().take(SHOWN_STEPS).map(|step| {
        let key = step.key.as_ref().map_or("-".to_owned(), key_text);
        let how = step.how.clone().unwrap_or_else(|| "-".into());
        [step.index.to_string(), step.call.clone(), grouped(step.gas_used.0), how, key]
    });
    let more = match dag.critical_path.len().saturating_sub(SHOWN_STEPS) {
        0 => String::new(),
        more => format!("and {} more\n", grouped(more as u64)),
    };
    format!("\nthe critical path\n{}{more}", table(["place", "call", "gas", "waits: how", "for which key"], rows))
}

fn hot_keys_text(keys: &[HotKeyView]) -> String {
    if keys.is_empty() {
        return String::new();
    }
    let rows = keys.iter().take(SHOWN_KEYS).map(|hot| {
        [
            key_text(&hot.key),
            hot.readers.to_string(),
            hot.writers.to_string(),
            hot.adders.to_string(),
            format!("{:.0} %", 100.0 * hot.span_share),
            hot.methods.first().cloned().unwrap_or_default(),
        ]
    });
    let heading = ["key", "readers", "writers", "adders", "of the span", "method"];
    let advice = keys.iter().take(SHOWN_KEYS).filter_map(|hot| {
        let advice = hot.advice.as_ref()?;
        Some(format!("{}: {}\n", key_text(&hot.key), advice.text))
    });
    format!("\nkeys that made transactions wait\n{}{}", table(heading, rows), advice.collect::<String>())
}

fn vertices_text(dag: &DagView) -> String {
    if dag.vertices.is_empty() {
        return String::new();
    }
    let rows = dag.vertices.iter().map(|vertex| {
        let waits: Vec<String> = vertex.predecessors.iter().map(ToString::to_string).collect();
        let waits = if waits.is_empty() { "nobody".to_owned() } else { waits.join(" ") };
        let longest = vertex.blocked_by.as_ref().map_or("-".to_owned(), because);
        [
            vertex.index.to_string(),
            vertex.call.clone(),
            grouped(vertex.gas_used.0),
            vertex.depth.to_string(),
            waits,
            longest,
        ]
    });
    format!("\n{}", table(["place", "call", "gas", "depth", "waits for", "longest"], rows))
}

/// What a transaction waited for longest, and why.
pub(crate) fn because(blocker: &BlockerView) -> String {
    let before = format!("{} at place {}", blocker.call, blocker.index);
    match (&blocker.key, &blocker.how) {
        (Some(key), Some(how)) => format!("{before}, {how}, {}", key_text(key)),
        _ => before,
    }
}

/// Which waiting transactions a simulated one would run before or after.
pub(crate) fn conflicts_text(simulation: &SimulationView) -> String {
    let look = &simulation.pool;
    let more = if look.more { ", and more wait" } else { "" };
    let seen = format!(
        "conflicts  {} of {} waiting transactions ({} not known beforehand{more})\n",
        grouped(simulation.conflicts.len() as u64),
        grouped(look.looked_at as u64),
        grouped(look.unknown as u64),
    );
    if simulation.conflicts.is_empty() {
        return seen;
    }
    let rows = simulation.conflicts.iter().map(|conflict| {
        let call = format!("{}.{}", conflict.contract, conflict.method);
        [conflict.tx_id.to_string(), call, conflict.theirs.clone(), conflict.ours.clone(), key_text(&conflict.key)]
    });
    seen + &table(["transaction", "call", "will", "this one would", "key"], rows)
}

/// A key for people.
pub(crate) fn key_text(key: &KeyView) -> String {
    match &key.field {
        Some(field) => format!("{} {field}", key.contract),
        None => format!("{} {}", key.contract, key.key),
    }
}
