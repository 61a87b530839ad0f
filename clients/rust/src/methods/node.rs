//! The node as its operators see it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{NoParams, methods};
use crate::views::{LogLevels, NodeAdmission, NodeInfo, NodePeers};

methods! { NODE:
    /// The node: version, build, machine, limits, settings. Secrets are not among them.
    GetNodeInfo = "node_info", NoParams => NodeInfo, fails [];
    /// The network as the node sees it: its own name in it, and of each node that is admitted how far the connection is.
    GetPeers = "node_peers", NoParams => NodePeers, fails [];
    /// Tells what the node logs, after changing it if a level is given. A change holds until the node is started again.
    LogLevel = "node_logLevel", LogLevelParams => LogLevels, only Admin, fails [];
    /// Who is let into the network by this node: by which authorities' certificates, by which keys, and who is denied.
    GetAdmission = "node_admission", NoParams => NodeAdmission, fails [];
    /// Lets in a node without a certificate, or the nodes of one more authority, from now on and after a restart; it is denied
    /// by the operator no more.
    AllowNode = "node_allow", AllowParams => NodeAdmission, only Admin, fails [];
    /// Denies a node, or all nodes of an authority: connections are cut at once, and none is taken, also after a restart,
    /// until that is forgotten or allowed. It beats all that lets a node in.
    DenyNode = "node_deny", KeyParams => NodeAdmission, only Admin, fails [];
    /// Forgets what the operator allowed or denied of a key.
    ForgetNode = "node_forget", KeyParams => NodeAdmission, only Admin, fails [];
}

/// Of [`LogLevel`].
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogLevelParams {
    /// Whose level: a module's path such as `hanse_group`, or `hanse::brief`, `hanse::event`, `hanse::exception`. All that
    /// have no level of their own if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// `off`, `error`, `warn`, `info`, `debug` or `trace`; nothing is changed if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
}

/// Of [`AllowNode`]: one of both.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AllowParams {
    /// A node, by its id in the network or its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// An authority's certificate, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
}

/// Of [`DenyNode`] and [`ForgetNode`].
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyParams {
    /// A node, by its id in the network or its key, or an authority, by its key.
    pub key: String,
}
