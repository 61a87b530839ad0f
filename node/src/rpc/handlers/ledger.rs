//! The ledger as an operator sees it: figures, snapshots, pruning.

use std::path::Path;

use hanse_client::methods::{NoParams, PruneParams, Pruned, SnapshotParams};
use hanse_client::views::{LedgerView, SnapshotView};
use hanse_client::{RpcError, codes};
use hanse_ledger::{Manifest, SnapshotError};
use hanse_types::names::NameKind;

use super::super::registry::{Entry, reads};
use super::super::{Node, errors};

/// The methods of this namespace.
pub(super) const METHODS: &[Entry] =
    &[reads!(GetLedger, info), reads!(TakeSnapshot, snapshot), reads!(PruneHistory, prune)];

/// [`hanse_client::methods::GetLedger`].
fn info(node: &Node, NoParams {}: &NoParams) -> Result<LedgerView, RpcError> {
    let figures = node.group.ledger().statistics().map_err(errors::ledger)?;
    Ok(LedgerView {
        blocks: figures.blocks,
        transactions: figures.transactions,
        oldest_height: figures.history_from,
        disk_bytes: figures.disk_bytes,
        snapshots: snapshots(node)?,
    })
}

/// All whole snapshots, by height and name.
fn snapshots(node: &Node) -> Result<Vec<SnapshotView>, RpcError> {
    let entries = match std::fs::read_dir(&node.snapshots) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|error| file(node, &error))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| file(node, &error))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // What is being written, or was when the node ended, has no name of a snapshot.
        if NameKind::Id.check(&name).is_ok()
            && let Ok(manifest) = Manifest::read(&entry.path())
        {
            found.push(view(name, &entry.path(), &manifest));
        }
    }
    found.sort_by(|left, right| (left.height, &left.name).cmp(&(right.height, &right.name)));
    Ok(found)
}

fn file(node: &Node, error: &std::io::Error) -> RpcError {
    RpcError::new(codes::INTERNAL, format!("{}: {error}", node.snapshots.display()))
}

fn view(name: String, path: &Path, manifest: &Manifest) -> SnapshotView {
    SnapshotView {
        name,
        path: path.display().to_string(),
        height: manifest.height,
        block_hash: manifest.block_hash,
        state_root: manifest.state_root,
        bytes: manifest.bytes(),
    }
}

/// [`hanse_client::methods::TakeSnapshot`].
fn snapshot(node: &Node, params: &SnapshotParams) -> Result<SnapshotView, RpcError> {
    let ledger = node.group.ledger();
    let name = params.name.clone().unwrap_or_else(|| format!("block-{}", ledger.height()));
    // A name, never a path: whoever asks has no say in where the node writes.
    let checked = NameKind::Id.check(&name);
    checked.map_err(|error| RpcError::new(codes::INVALID_PARAMS, format!("the snapshot's name {error}")))?;
    let _permit = node.snapshot_writer.try_acquire().map_err(|_| errors::busy())?;
    let path = std::path::absolute(node.snapshots.join(&name)).map_err(|error| file(node, &error))?;
    let manifest = ledger.snapshot(&path).map_err(|error| match error {
        SnapshotError::Exists { .. } => RpcError::new(codes::EXISTS, error.to_string()),
        SnapshotError::Ledger(error) => errors::ledger(error),
        error => errors::internal(&error),
    })?;
    Ok(view(name, &path, &manifest))
}

/// [`hanse_client::methods::PruneHistory`].
fn prune(node: &Node, params: &PruneParams) -> Result<Pruned, RpcError> {
    let oldest_height = node.group.ledger().prune_history(params.below).map_err(errors::ledger)?;
    Ok(Pruned { oldest_height })
}
