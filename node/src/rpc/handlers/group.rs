//! The node's groups.

use std::sync::Arc;

use hanse_client::methods::{
    CreateGroupParams, FoundingDocument, GroupName, Groups as GroupsAnswer, LeaveGroupParams, NoParams, Removed,
};
use hanse_client::views::{GroupDetail, GroupView};
use hanse_client::{RpcError, codes};
use hanse_types::{Founding, Genesis, StateCommitment};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::super::registry::{Entry, reads, waits};
use super::super::{Server, errors};
use super::chain;
use crate::groups::{GroupStatus, Groups, GroupsError, Standing};

/// The methods of this namespace.
pub(super) const METHODS: &[Entry] = &[
    reads!(Server ListGroups, list),
    reads!(Server GetGroup, get),
    waits!(Server CreateGroup, create),
    reads!(Server ExportGroup, export),
    waits!(Server ImportGroup, import),
    waits!(Server AcceptGroup, accept),
    waits!(Server StartGroup, start),
    waits!(Server StopGroup, stop),
    waits!(Server LeaveGroup, leave),
    waits!(Server RemoveGroup, remove),
];

/// [`hanse_client::methods::ListGroups`].
fn list(server: &Server, NoParams {}: &NoParams) -> Result<GroupsAnswer, RpcError> {
    Ok(GroupsAnswer { groups: server.groups.list().iter().map(|status| view(server, status)).collect() })
}

/// [`hanse_client::methods::GetGroup`].
fn get(server: &Server, params: &GroupName) -> Result<GroupDetail, RpcError> {
    detail(server, server.groups.status(&params.name))
}

/// [`hanse_client::methods::CreateGroup`].
async fn create(server: &Server, params: CreateGroupParams) -> Result<GroupDetail, RpcError> {
    let genesis: Genesis = document("genesis", params.genesis)?;
    whole(server, |groups| async move { groups.create(genesis).await }).await
}

/// [`hanse_client::methods::ExportGroup`].
fn export(server: &Server, params: &GroupName) -> Result<FoundingDocument, RpcError> {
    let status = server.groups.status(&params.name).map_err(errors::groups)?;
    let Some(founding) = status.founding else {
        let text = format!("the group {:?} was not founded by invitation; its genesis is a file", params.name);
        return Err(RpcError::new(codes::GROUP_STATE, text));
    };
    let founding = serde_json::to_value(&founding).map_err(|error| errors::internal(&error))?;
    Ok(FoundingDocument { founding })
}

/// [`hanse_client::methods::ImportGroup`].
async fn import(server: &Server, params: FoundingDocument) -> Result<GroupDetail, RpcError> {
    let founding: Founding = document("founding", params.founding)?;
    whole(server, |groups| async move {
        let name = groups.invite(founding, None).await?;
        groups.status(&name)
    })
    .await
}

/// [`hanse_client::methods::AcceptGroup`].
async fn accept(server: &Server, params: GroupName) -> Result<GroupDetail, RpcError> {
    whole(server, |groups| async move { groups.accept(&params.name).await }).await
}

/// [`hanse_client::methods::StartGroup`].
async fn start(server: &Server, params: GroupName) -> Result<GroupDetail, RpcError> {
    whole(server, |groups| async move { groups.start(&params.name).await }).await
}

/// [`hanse_client::methods::StopGroup`].
async fn stop(server: &Server, params: GroupName) -> Result<GroupDetail, RpcError> {
    whole(server, |groups| async move { groups.stop(&params.name).await }).await
}

/// [`hanse_client::methods::LeaveGroup`].
async fn leave(server: &Server, params: LeaveGroupParams) -> Result<GroupDetail, RpcError> {
    whole(server, |groups| async move { groups.leave(&params.name, params.force).await }).await
}

/// [`hanse_client::methods::RemoveGroup`].
async fn remove(server: &Server, params: GroupName) -> Result<Removed, RpcError> {
    let (groups, name) = (server.groups.clone(), params.name.clone());
    let removed = tokio::spawn(async move { groups.remove(&name).await }).await;
    removed.map_err(|error| errors::internal(&error))?.map_err(errors::groups)?;
    Ok(Removed { name: params.name })
}

/// Changes a group, all the way: whoever asked may go away meanwhile, and that must not leave it half stopped.
async fn whole<F>(server: &Server, change: impl FnOnce(Arc<Groups>) -> F) -> Result<GroupDetail, RpcError>
where
    F: Future<Output = Result<GroupStatus, GroupsError>> + Send + 'static,
{
    let changed = tokio::spawn(change(server.groups.clone())).await;
    detail(server, changed.map_err(|error| errors::internal(&error))?)
}

/// A document that is given as it stands in its file.
fn document<T: DeserializeOwned>(what: &str, value: Value) -> Result<T, RpcError> {
    serde_path_to_error::deserialize(value)
        .map_err(|error| RpcError::new(codes::INVALID_PARAMS, format!("the {what}: {error}")))
}

fn view(server: &Server, status: &GroupStatus) -> GroupView {
    let (members, key) = (status.members(), server.groups.key());
    let state = match (status.standing, &status.running, &status.error) {
        (Standing::Active, Some(_), None) => "running",
        (Standing::Active, None, None) => "starting",
        (Standing::Active, _, Some(_)) => "failed",
        (standing, ..) => standing.name(),
    };
    GroupView {
        name: status.genesis.group_id.clone(),
        genesis_hash: status.hash,
        state: state.into(),
        is_home: status.is_home,
        role: members.iter().find(|member| member.key == key).map(|member| member.role),
        members: members.len(),
        consensus: chain::consensus_name(status.genesis.consensus).into(),
        height: status.running.as_ref().map(|running| running.height()),
        error: status.error.clone(),
    }
}

fn detail(server: &Server, status: Result<GroupStatus, GroupsError>) -> Result<GroupDetail, RpcError> {
    let status = status.map_err(errors::groups)?;
    let commitment = match status.genesis.state_commitment {
        StateCommitment::Flat => "flat",
        StateCommitment::Merkle => "merkle",
    };
    let unsigned = status.founding.iter().flat_map(|founding| founding.missing().map(chain::validator));
    Ok(GroupDetail {
        group: view(server, &status),
        chain_id: status.genesis.chain_id.clone(),
        crypto: status.genesis.crypto,
        state_commitment: commitment.into(),
        members_list: status.members().iter().map(chain::member).collect(),
        unsigned: unsigned.collect(),
    })
}
