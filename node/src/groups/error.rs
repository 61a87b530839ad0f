//! Why a group is not founded, opened, stopped or given up.

use hanse_types::{FoundingError, Hash};
use thiserror::Error;

use super::folder::FolderError;
use super::record::RecordError;

/// See the module.
#[derive(Debug, Error)]
pub(crate) enum GroupsError {
    /// There is none of this name.
    #[error("group {name:?} on this node, which has {known}")]
    Unknown {
        /// The name.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// There is none, and never will be.
    #[error("group on this node: it is a seed, which only tells nodes where others are")]
    NoGroups,
    /// There is one, and it does not run.
    #[error("the group {name:?} does not run on this node: {why}")]
    NotRunning {
        /// The name.
        name: String,
        /// What keeps it.
        why: String,
    },
    /// There is one of this name already.
    #[error("this node has a group {name:?} already, with the genesis {genesis}; choose another name")]
    Exists {
        /// The name.
        name: String,
        /// Hash of its genesis.
        genesis: Hash,
    },
    /// What was asked does not fit what the group is.
    #[error("the group {name:?} is {is}; {hint}")]
    State {
        /// The name.
        name: String,
        /// What it is.
        is: &'static str,
        /// What can be done.
        hint: &'static str,
    },
    /// The group that the configuration names stays with the node.
    #[error("{name:?} is the group of the node's configuration: it can be stopped and started, not left or removed")]
    Home {
        /// The name.
        name: String,
    },
    /// The group would miss this node.
    #[error(
        "this node makes blocks of {name:?}; have its membership changed first (`hanse member remove`), or leave it with force"
    )]
    Sealer {
        /// The name.
        name: String,
    },
    /// The genesis is of another chain.
    #[error("the genesis is of the chain {found:?}, this node is in {expected:?}")]
    OtherChain {
        /// As stated.
        found: String,
        /// This node's.
        expected: String,
    },
    /// This node has no part in it.
    #[error("this node's key {key} is none of the validators of the genesis; name the node among its members")]
    NotAMember {
        /// This node's key.
        key: hanse_types::crypto::PublicKey,
    },
    /// Others can't be reached.
    #[error("the group has several members, and this node is in no network; its configured group has one node only")]
    NoNetwork,
    /// Too many invitations wait.
    #[error("{0} invitations wait already; accept or decline some of them")]
    Full(usize),
    /// The founding is none.
    #[error(transparent)]
    Founding(#[from] FoundingError),
    /// Files of the group can't be used.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Its folder can't be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// It did not open.
    #[error("the group {name:?} does not open: {why}")]
    Open {
        /// The name.
        name: String,
        /// Why.
        why: String,
    },
    /// Somebody still uses it.
    #[error("the group {name:?} has stopped, and a question to it has not ended yet; try again in a moment")]
    InUse {
        /// The name.
        name: String,
    },
}
