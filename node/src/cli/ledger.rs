//! `hanse ledger`: what an operator does with a ledger. On a running node by RPC; on the files of one that does not run.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Subcommand;
use hanse_client::methods::{GetLedger, NoParams, PruneHistory, PruneParams, SnapshotParams, TakeSnapshot};
use hanse_client::views::{LedgerView, SnapshotView};
use hanse_group::LEDGER_FOLDER;
use hanse_ledger::snapshot::{check_vacant, restore};
use hanse_ledger::{Ledger, LedgerError, LedgerOptions, RocksStore, SnapshotError};
use hanse_types::{Genesis, Hash, Height};
use serde::Serialize;

use super::Common;
use super::admin::AdminArgs;
use super::exit::{Exit, Failure};
use super::output::{Output, fields, grouped, table};
use super::session::Session;
use crate::groups::{ChainFolder, write_genesis};

/// How long a node may take to write and check a snapshot.
const SNAPSHOT_PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug, Subcommand)]
pub(crate) enum LedgerCommand {
    /// Show what the node's ledger holds, and its snapshots
    Info,
    /// Write a snapshot of the running node's ledger into the node's folder, and check it
    Snapshot {
        /// Its name; the newest block's height if not given
        name: Option<String>,
        #[command(flatten)]
        admin: AdminArgs,
    },
    /// Make a chain's folder of a snapshot: the data folder of a node, or one for `hanse dev --dir`
    Restore {
        /// The snapshot's folder
        snapshot: PathBuf,
        /// The chain's folder, absent or empty
        folder: PathBuf,
        /// Hash of the genesis that it must be of
        #[arg(long, value_name = "HASH")]
        genesis_hash: Option<Hash>,
    },
    /// Read a chain's folder, whose node is not running, and check every block and the state
    Check {
        /// The chain's folder
        folder: PathBuf,
    },
    /// Give up access sets and past states of the running node's old blocks, for the space that they take; transactions and
    /// receipts stay
    Prune {
        /// The oldest height that keeps its history
        #[arg(long, value_name = "HEIGHT")]
        below: u64,
        #[command(flatten)]
        admin: AdminArgs,
    },
}

/// A ledger that was restored or checked.
#[derive(Serialize)]
struct Seen {
    folder: String,
    chain_id: String,
    group_id: String,
    genesis_hash: Hash,
    height: Height,
    block_hash: Hash,
    state_root: Hash,
}

/// `hanse ledger`.
pub(crate) async fn run(command: LedgerCommand, common: &Common, output: Output) -> Result<(), Failure> {
    match command {
        LedgerCommand::Info => {
            let session = Session::open(common).await?;
            output.result(&session.client.call::<GetLedger>(NoParams {}).await?, info_text)
        }
        LedgerCommand::Snapshot { name, admin } => {
            let params = SnapshotParams { name };
            let taken = admin.connect(common).await?.call_within::<TakeSnapshot>(params, SNAPSHOT_PATIENCE).await?;
            output.result(&taken, snapshot_text)
        }
        LedgerCommand::Prune { below, admin } => {
            let pruned =
                admin.connect(common).await?.call::<PruneHistory>(PruneParams { below: Height(below) }).await?;
            output.result(&pruned, |pruned| fields([("oldest height", grouped(pruned.oldest_height.0))]))
        }
        LedgerCommand::Restore { snapshot, folder, genesis_hash } => {
            output.result(&restore_chain(&snapshot, &folder, genesis_hash.as_ref())?, seen_text)
        }
        LedgerCommand::Check { folder } => output.result(&check_chain(&folder)?, seen_text),
    }
}

fn info_text(ledger: &LedgerView) -> String {
    let mut text = fields([
        ("blocks", grouped(ledger.blocks)),
        ("transactions", grouped(ledger.transactions)),
        ("oldest height", format!("{}, for access sets and past states", grouped(ledger.oldest_height.0))),
        ("on disk", format!("{} bytes", grouped(ledger.disk_bytes))),
    ]);
    if !ledger.snapshots.is_empty() {
        let row = |snapshot: &SnapshotView| {
            [snapshot.name.clone(), snapshot.height.to_string(), grouped(snapshot.bytes), snapshot.path.clone()]
        };
        text += "\n";
        text += &table(["snapshot", "height", "bytes", "folder"], ledger.snapshots.iter().map(row));
    }
    text
}

fn snapshot_text(snapshot: &SnapshotView) -> String {
    fields([
        ("snapshot", snapshot.name.clone()),
        ("folder", snapshot.path.clone()),
        ("height", grouped(snapshot.height.0)),
        ("block hash", snapshot.block_hash.to_string()),
        ("state root", snapshot.state_root.to_string()),
        ("bytes", grouped(snapshot.bytes)),
    ])
}

fn seen_text(seen: &Seen) -> String {
    fields([
        ("folder", seen.folder.clone()),
        ("chain", format!("{} / {}", seen.chain_id, seen.group_id)),
        ("genesis", seen.genesis_hash.to_string()),
        ("height", grouped(seen.height.0)),
        ("block hash", seen.block_hash.to_string()),
        ("state root", seen.state_root.to_string()),
    ])
}

/// Made beside the folder and moved there as a whole: what a crash or a refusal leaves is no chain.
fn restore_chain(snapshot: &Path, folder: &Path, genesis_hash: Option<&Hash>) -> Result<Seen, Failure> {
    check_vacant(folder)?;
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(".restoring");
    let draft = folder.with_file_name(name);
    let draft = ChainFolder(draft);
    let group = draft.group();
    std::fs::create_dir_all(&group)?;
    let database = group.join(LEDGER_FOLDER);
    // Of an attempt that a crash ended.
    let _ = std::fs::remove_dir_all(&database);
    let restored = restore(snapshot, &database, hanse_vm::system::genesis_state, genesis_hash);
    let restored = match restored {
        Ok(restored) => restored,
        Err(error) => {
            std::fs::remove_dir_all(&draft.0)?;
            return Err(error.into());
        }
    };
    let genesis = serde_json::to_vec_pretty(&restored.genesis).map_err(|error| Failure::error(error.to_string()))?;
    write_genesis(&draft.genesis_path(), &genesis)?;
    std::fs::rename(&draft.0, folder)?;
    Ok(Seen {
        folder: folder.display().to_string(),
        chain_id: restored.genesis.chain_id.clone(),
        group_id: restored.genesis.group_id.clone(),
        genesis_hash: restored.genesis.hash(),
        height: restored.height,
        block_hash: restored.block_hash,
        state_root: restored.state_root,
    })
}

fn check_chain(folder: &Path) -> Result<Seen, Failure> {
    let chain = ChainFolder(folder.to_owned());
    let path = chain.genesis_path();
    let no_chain = |reason: String| Failure::new(Exit::NotFound, format!("{}: {reason}", path.display()));
    let bytes = std::fs::read(&path).map_err(|error| no_chain(error.to_string()))?;
    let genesis: Genesis = serde_json::from_slice(&bytes).map_err(|error| no_chain(error.to_string()))?;
    let (options, database) = (LedgerOptions::default(), chain.group().join(LEDGER_FOLDER));
    let store = RocksStore::open_read_only(&database, &genesis.chain_id, &options)
        .map_err(LedgerError::from)
        .map_err(SnapshotError::from)?;
    let first_state = hanse_vm::system::genesis_state(&genesis);
    let ledger = Ledger::open_store(std::sync::Arc::new(store), &genesis, &first_state, options);
    let ledger = ledger.map_err(SnapshotError::from)?;
    ledger.verify_blocks().and_then(|()| ledger.verify_state()).map_err(SnapshotError::from)?;
    let tip = ledger.tip();
    Ok(Seen {
        folder: folder.display().to_string(),
        chain_id: genesis.chain_id.clone(),
        group_id: genesis.group_id.clone(),
        genesis_hash: genesis.hash(),
        height: tip.header.height,
        block_hash: tip.hash,
        state_root: tip.header.state_root,
    })
}
