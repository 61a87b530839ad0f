//! The node as its operators see it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{NoParams, methods};
use crate::views::{LogLevels, NodeInfo, NodePeers};

methods! { NODE:
    /// The node: version, build, machine, limits, settings. Secrets are not among them.
    GetNodeInfo = "node_info", NoParams => NodeInfo, fails [];
    /// The network as the node sees it: its own name in it, and of each node that is admitted how far the connection is.
    GetPeers = "node_peers", NoParams => NodePeers, fails [];
    /// Tells what the node logs, after changing it if a level is given. A change holds until the node is started again.
    LogLevel = "node_logLevel", LogLevelParams => LogLevels, only Admin, fails [];
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
