//! What waits.

use hanse_client::RpcError;
use hanse_client::methods::NoParams;
use hanse_client::views::PoolView;

use super::super::Node;
use super::super::registry::{Entry, reads};

/// The methods of this namespace.
pub(super) const METHODS: &[Entry] = &[reads!(GetPool, status)];

/// [`hanse_client::methods::GetPool`].
fn status(node: &Node, NoParams {}: &NoParams) -> Result<PoolView, RpcError> {
    let status = node.group.pool_status();
    Ok(PoolView { waiting: status.waiting, sealed: status.sealed, bytes: status.bytes, remembered: status.remembered })
}
