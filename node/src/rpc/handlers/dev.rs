//! What a chain in development does at its user's word.

use std::time::Duration;

use hanse_client::methods::{AdvanceTimeParams, ClockAdvanced, RevertParams, Reverting};
use hanse_client::{RpcError, codes};
use hanse_types::names::NameKind;

use super::super::registry::{Entry, waits};
use super::super::{Node, errors};
use crate::service::Development;

/// The methods of this namespace.
pub(super) const METHODS: &[Entry] = &[waits!(AdvanceTime, advance_time), waits!(RevertChain, revert)];

/// [`hanse_client::methods::AdvanceTime`].
async fn advance_time(node: &Node, params: AdvanceTimeParams) -> Result<ClockAdvanced, RpcError> {
    development(node)?;
    let clock_ahead_ms = node.group.advance_clock(Duration::from_millis(params.by_ms)).await;
    Ok(ClockAdvanced { clock_ahead_ms })
}

/// [`hanse_client::methods::RevertChain`].
async fn revert(node: &Node, params: RevertParams) -> Result<Reverting, RpcError> {
    let development = development(node)?;
    let name = &params.snapshot;
    let missing = || errors::not_found(format!("snapshot {name:?}; `ledger_info` lists those there are"));
    // A name, never a path: whoever asks has no say in where the node reads.
    NameKind::Id.check(name).map_err(|_| missing())?;
    let snapshot = node.snapshots.join(name);
    if !snapshot.is_dir() {
        return Err(missing());
    }
    let _permit = node.snapshot_writer.try_acquire().map_err(|_| errors::busy())?;
    let expected = node.group.genesis_hash();
    let prepared = tokio::task::block_in_place(|| development.prepare(&snapshot, &expected));
    let manifest = prepared.map_err(|error| errors::internal(&error))?;
    development.revert();
    Ok(Reverting { height: manifest.height, block_hash: manifest.block_hash })
}

fn development(node: &Node) -> Result<&Development, RpcError> {
    let refusal = || RpcError::new(codes::NOT_DEVELOPMENT, "this chain is not for development; `hanse dev` starts one");
    node.development.as_deref().ok_or_else(refusal)
}
