//! Who is in which group, as this node knows it: what frames are checked against, each one, by whoever sends it and by
//! whoever takes it.

use std::collections::BTreeMap;

use hanse_types::crypto::PublicKey;
use hanse_types::{Hash, Members, Role};

use super::lobby::LOBBY;

/// The members of one group that take part in what is sent there: each one's key and name.
pub(crate) type GroupMembers = BTreeMap<PublicKey, String>;

/// The members of the groups that run here. It changes while the node runs; whoever needs the newest asks the channel that
/// it comes through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Membership {
    /// By the hash of the group's genesis.
    pub(super) groups: BTreeMap<Hash, GroupMembers>,
}

impl Membership {
    /// Whether this is a member's key. In the lobby is everybody who is let in at all.
    pub(super) fn has(&self, group: &Hash, key: &PublicKey) -> bool {
        *group == LOBBY || self.groups.get(group).is_some_and(|members| members.contains_key(key))
    }

    /// All members of all groups, with the name that the first group has for each.
    pub(super) fn all(&self) -> BTreeMap<PublicKey, &str> {
        let each = self.groups.values().rev().flatten();
        each.map(|(key, name)| (*key, name.as_str())).collect()
    }
}

/// Those who are sent a group's words: whoever makes its blocks, and whoever follows them.
pub(crate) fn of_members(members: &Members) -> GroupMembers {
    let takes_part = members.as_slice().iter().filter(|member| matches!(member.role, Role::Sealer | Role::Observer));
    takes_part.map(|member| (member.key, member.name.clone())).collect()
}
