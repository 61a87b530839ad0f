//! Names of contracts.

use hanse_client::RpcError;
use hanse_client::methods::{ListNamesParams, NameList, NameParams};
use hanse_client::views::{NameView, VersionView};
use hanse_vm::system::names::{self, Name};

use super::super::registry::{Entry, reads};
use super::super::{Node, errors, limits};

/// The methods of this namespace.
pub(super) const METHODS: &[Entry] = &[reads!(GetName, get), reads!(ListNames, list)];

/// [`hanse_client::methods::GetName`].
fn get(node: &Node, params: &NameParams) -> Result<NameView, RpcError> {
    let state = node.group.ledger().state();
    let failed = |error: hanse_state::StateError| errors::query(error.into());
    let found = names::describe(&*state, &params.name).map_err(failed)?;
    let name = found.ok_or_else(|| errors::not_found(format!("name {:?}", params.name)))?;
    // One more than shown tells whether there are more.
    let mut versions = names::versions(&*state, &params.name, limits::NAME_VERSIONS + 1).map_err(failed)?;
    let more = versions.len() > limits::NAME_VERSIONS;
    versions.truncate(limits::NAME_VERSIONS);
    let versions = versions.into_iter().map(|(version, address)| VersionView { version, address }).collect();
    Ok(NameView { versions, more, ..view(name) })
}

/// [`hanse_client::methods::ListNames`].
fn list(node: &Node, params: &ListNamesParams) -> Result<NameList, RpcError> {
    let limit = node.server.capacity.page(params.limit);
    let after = params.after.as_deref().unwrap_or_default();
    let state = node.group.ledger().state();
    let mut found = names::list(&*state, after, limit + 1).map_err(|error| errors::query(error.into()))?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|name| name.name.clone());
    Ok(NameList { names: found.into_iter().map(view).collect(), next })
}

fn view(name: Name) -> NameView {
    let newest = VersionView { version: name.version, address: name.address };
    NameView { name: name.name, owner: name.owner, versions: vec![newest], more: name.version > 1 }
}
