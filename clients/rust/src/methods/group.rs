//! The groups that a node has something to do with.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{NoParams, methods};
use crate::codes;
use crate::views::{GroupDetail, GroupView};

/// How what changes a group may fail.
const CHANGE: &[codes::ErrorCode] = &[codes::GROUP_STATE, codes::GROUP_NOT_OPENED];
/// How a founding may fail.
const FOUND: &[codes::ErrorCode] = &[codes::BAD_FOUNDING, codes::EXISTS, codes::GROUP_NOT_OPENED];

methods! { GROUP_TABLE:
    /// The node's groups: those that run, those that do not, and what it is invited to.
    ListGroups = "group_list", NoParams => Groups, fails [];
    /// One of the node's groups: its members, and who signed its founding.
    GetGroup = "group_get", GroupName => GroupDetail, fails [];
    /// Founds a group: the node signs the genesis and invites its other validators. The group runs once all have signed.
    CreateGroup = "group_create", CreateGroupParams => GroupDetail, only Admin, fails [FOUND];
    /// The founding of a group, its genesis and the signatures so far: for a node that can't be told over the network.
    ExportGroup = "group_export", GroupName => FoundingDocument, only Admin, fails [&[codes::GROUP_STATE]];
    /// Takes in a founding that came in a file: as an invitation if it is new, else what is new of it.
    ImportGroup = "group_import", FoundingDocument => GroupDetail, only Admin, fails [FOUND];
    /// Agrees to a group that the node is invited to.
    AcceptGroup = "group_accept", GroupName => GroupDetail, only Admin, fails [CHANGE];
    /// Starts a group that was stopped or left, or did not open.
    StartGroup = "group_start", GroupName => GroupDetail, only Admin, fails [CHANGE];
    /// Stops a group until it is started again; the configured one, until the node is.
    StopGroup = "group_stop", GroupName => GroupDetail, only Admin, fails [CHANGE];
    /// Takes part in a group no more. What the node has of it stays.
    LeaveGroup = "group_leave", LeaveGroupParams => GroupDetail, only Admin, fails [CHANGE];
    /// Deletes what the node has of a group in which it takes no part; declines an invitation.
    RemoveGroup = "group_remove", GroupName => Removed, only Admin, fails [CHANGE];
}

/// Of methods about one group.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupName {
    /// Its id.
    pub name: String,
}

/// Of [`LeaveGroup`].
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeaveGroupParams {
    /// Its id.
    pub name: String,
    /// Whether to leave even though the node makes the group's blocks, and the others will miss it.
    #[serde(default)]
    pub force: bool,
}

/// Of [`CreateGroup`].
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateGroupParams {
    /// The genesis, as it stands in a genesis file. Its chain is the node's.
    pub genesis: Value,
}

/// Of [`ImportGroup`], and what [`ExportGroup`] answers.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FoundingDocument {
    /// Genesis and signatures.
    pub founding: Value,
}

/// What [`ListGroups`] answers.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Groups {
    /// By name.
    pub groups: Vec<GroupView>,
}

/// What [`RemoveGroup`] answers.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Removed {
    /// Its id.
    pub name: String,
}
