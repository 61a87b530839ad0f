//! `commitment`: what the state root of a block costs, beside running the block.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;
use hanse_scheduler::{Hints, propose};
use hanse_state::commitment::{self, MemoryNodes, Update};
use hanse_state::{ChangeSet, StateError};
use hanse_types::crypto::CryptoSuite;
use hanse_types::{Hash, StateCommitment, Value};
use serde::Serialize;

use crate::measure::{Taken, pool, timed};
use crate::output::{self, Sink};
use crate::random::{Random, Zipf};
use crate::statistics::median;
use crate::workload::{Prepared, Workload};

/// What to measure. Lists are separated by commas, and every combination is measured.
#[derive(Args, Debug)]
pub struct CommitmentArgs {
    /// Kinds of transactions.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "token-wasm,token-native")]
    workload: Vec<Workload>,
    /// Accounts (or keys) that the transactions choose from.
    #[arg(long, value_delimiter = ',', default_value = "100000")]
    accounts: Vec<usize>,
    /// Transactions of a block.
    #[arg(long, default_value_t = 10_000)]
    block: usize,
    /// Threads of the pools.
    #[arg(long, value_delimiter = ',', default_value = "1,2")]
    threads: Vec<usize>,
    /// Blocks that are measured.
    #[arg(long, default_value_t = 9)]
    blocks: usize,
    /// From which the transactions follow.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// File for a line of JSON per figure.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// Medians over the blocks.
#[derive(Clone, Debug, Serialize)]
struct RootCost {
    workload: Workload,
    accounts: usize,
    block: usize,
    threads: usize,
    commitment: StateCommitment,
    /// Keys that a block changes.
    changed_keys: f64,
    /// Time of the root on this pool.
    root_ms: f64,
    /// Time of the proposer on the same pool.
    propose_ms: f64,
    /// Their quotient, block by block.
    share_of_block: f64,
    /// The same of CPU times, which others on the machine disturb less.
    cpu_share_of_block: f64,
    /// CPU time of the root for each changed key.
    ns_per_key: f64,
    /// Bytes of pages to store for each changed key.
    page_bytes_per_key: f64,
}

/// Measures every combination and shows it.
///
/// # Errors
/// If a block can't be run, or the two pools give different roots.
pub fn run(args: &CommitmentArgs) -> Result<()> {
    ensure!(args.accounts.iter().all(|count| *count > 0), "--accounts must be at least 1");
    let most_threads = args.threads.iter().copied().max().unwrap_or(1);
    let mut sink = Sink::open(args.json.as_deref())?;
    let mut rows = Vec::new();
    for workload in &args.workload {
        for accounts in &args.accounts {
            let prepared = Prepared::new(*workload, *accounts, most_threads)?;
            for cost in measure(args, &prepared)? {
                sink.write(&cost)?;
                rows.push(row(&cost));
            }
        }
    }
    let columns = [
        "workload",
        "accounts",
        "block",
        "threads",
        "commitment",
        "keys",
        "root ms",
        "propose ms",
        "root / propose",
        "by CPU",
        "ns/key",
        "page bytes/key",
    ];
    println!("{}", output::table(&columns, rows));
    Ok(())
}

fn row(cost: &RootCost) -> Vec<String> {
    vec![
        cost.workload.to_string(),
        cost.accounts.to_string(),
        cost.block.to_string(),
        cost.threads.to_string(),
        format!("{:?}", cost.commitment).to_lowercase(),
        format!("{:.0}", cost.changed_keys),
        format!("{:.2}", cost.root_ms),
        format!("{:.2}", cost.propose_ms),
        format!("{:.1} %", 100.0 * cost.share_of_block),
        format!("{:.1} %", 100.0 * cost.cpu_share_of_block),
        format!("{:.0}", cost.ns_per_key),
        format!("{:.0}", cost.page_bytes_per_key),
    ]
}

const KINDS: [StateCommitment; 2] = [StateCommitment::Flat, StateCommitment::Merkle];

/// What was seen of one block.
struct Sample {
    keys: f64,
    page_bytes: f64,
    root: Taken,
    propose: Taken,
}

fn measure(args: &CommitmentArgs, prepared: &Prepared) -> Result<Vec<RootCost>> {
    let bases = KINDS.map(|kind| Base::of(kind, prepared));
    let [flat, merkle] = bases;
    let bases = [flat?, merkle?];
    let pools = args.threads.iter().map(|threads| pool(*threads)).collect::<Result<Vec<_>>>()?;
    let mut hints: Vec<Hints> = pools.iter().map(|_| Hints::default()).collect();
    let mut samples: Vec<[Vec<Sample>; 2]> = pools.iter().map(|_| Default::default()).collect();
    let zipf = Zipf::new(prepared.world.accounts.len(), 0.0);
    let mut random = Random::new(args.seed);
    for number in 0..args.blocks + 1 {
        let batch = prepared.block(args.block, &zipf, &mut random);
        let mut roots = [None; 2];
        for (at, pool) in pools.iter().enumerate() {
            let world = &prepared.world;
            let hints = &mut hints[at];
            let (propose, run) = pool.install(|| timed(|| propose(&world.executor, &batch, world.parent(), hints)));
            let changes = pool.install(|| run.map(|run| run.changes()))?;
            for (kind, base) in bases.iter().enumerate() {
                let (root, update) = pool.install(|| timed(|| base.update(&changes)));
                let update = update?;
                let found = update.root;
                let expected = *roots[kind].get_or_insert(found);
                ensure!(found == expected, "the {:?} root depends on the number of threads", base.kind);
                if number > 0 {
                    samples[at][kind].push(Sample {
                        keys: changes.len() as f64,
                        page_bytes: page_bytes(&update),
                        root,
                        propose,
                    });
                }
            }
        }
    }
    let mut costs = Vec::new();
    for (pool, samples) in pools.iter().zip(&samples) {
        for (base, samples) in bases.iter().zip(samples) {
            costs.push(summary(args, prepared, pool.current_num_threads(), base.kind, samples));
        }
    }
    Ok(costs)
}

fn summary(
    args: &CommitmentArgs,
    prepared: &Prepared,
    threads: usize,
    commitment: StateCommitment,
    samples: &[Sample],
) -> RootCost {
    let of = |figure: &dyn Fn(&Sample) -> f64| median(samples.iter().map(figure).collect());
    RootCost {
        workload: prepared.workload,
        accounts: prepared.world.accounts.len(),
        block: args.block,
        threads,
        commitment,
        changed_keys: of(&|sample| sample.keys),
        root_ms: of(&|sample| sample.root.wall * 1e3),
        propose_ms: of(&|sample| sample.propose.wall * 1e3),
        share_of_block: of(&|sample| sample.root.wall / sample.propose.wall),
        cpu_share_of_block: of(&|sample| sample.root.cpu / sample.propose.cpu),
        ns_per_key: of(&|sample| sample.root.cpu * 1e9 / sample.keys),
        page_bytes_per_key: of(&|sample| sample.page_bytes / sample.keys),
    }
}

/// Bytes of the pages that a store would write.
fn page_bytes(update: &Update) -> f64 {
    update.pages.iter().flat_map(|(_, page)| page).map(|page| page.to_bytes().len()).sum::<usize>() as f64
}

/// A commitment to the state on which the blocks run.
struct Base {
    kind: StateCommitment,
    root: Hash,
    nodes: MemoryNodes,
}

impl Base {
    fn of(kind: StateCommitment, prepared: &Prepared) -> Result<Base> {
        let entries = prepared.world.state.iter().map(|(key, value)| (key.into(), Some(Value::clone(value)))).collect();
        let mut nodes = MemoryNodes::new(CryptoSuite::Standard);
        let update = commitment::update(kind, &Hash::ZERO, &nodes, &ChangeSet::from_unsorted(entries))?;
        nodes.apply(&update);
        Ok(Base { kind, root: update.root, nodes })
    }

    fn update(&self, changes: &ChangeSet) -> Result<Update, StateError> {
        commitment::update(self.kind, &self.root, &self.nodes, changes)
    }
}
