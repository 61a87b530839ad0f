//! Whose frames go where: a peer of every role, a group in every state, frames of every module, both ways. Each row is
//! written down here.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use hanse_group::network::{Incoming, Module, Recipient};
use hanse_types::crypto::{PublicKey, SecretKey, Signer};
use hanse_types::{Hash, Member, Members, Role};
use tokio::sync::watch;

use super::lobby::LOBBY;
use super::membership::{Membership, of_members};
use super::outbox::Outbox;
use super::switch::Switch;

/// What the other node is to the group.
const ROLES: [&str; 6] = ["sealer", "observer", "light", "removed", "elsewhere", "stranger"];

/// What becomes of frames between this node and one of each role, by what the group is here. `both`: what is sent goes out, and
/// what comes is taken; `none`: neither, and nobody is told why.
const EXPECTED: [(&str, [&str; 6]); 5] = [
    ("running", ["both", "both", "none", "none", "none", "none"]),
    ("stopped", ["none", "none", "none", "none", "none", "none"]),
    ("left", ["none", "none", "none", "none", "none", "none"]),
    ("unknown", ["none", "none", "none", "none", "none", "none"]),
    // Where foundings are told: whoever is let in at all.
    ("lobby", ["both", "both", "both", "both", "both", "both"]),
];

const GROUP: Hash = Hash([1; 32]);
const OTHER: Hash = Hash([2; 32]);

fn key(number: usize) -> PublicKey {
    SecretKey::ed25519([number as u8 + 1; 32]).public_key()
}

fn member(number: usize, role: Role) -> Member {
    Member { name: format!("node-{number}"), key: key(number), role }
}

fn members(list: Vec<Member>) -> super::membership::GroupMembers {
    of_members(&Members::from_list(list).unwrap())
}

/// The membership once the node of role `removed` is gone, as this node knows it while the group is in this state.
fn membership(state: &str) -> Membership {
    let me = member(ROLES.len(), Role::Sealer);
    let roles = [Role::Sealer, Role::Observer, Role::Light];
    let own: Vec<Member> =
        roles.into_iter().enumerate().map(|(at, role)| member(at, role)).chain([me.clone()]).collect();
    let mut groups = vec![(OTHER, members(vec![me, member(4, Role::Sealer)]))];
    if matches!(state, "running" | "stopped") {
        groups.push((GROUP, members(own)));
    }
    Membership { groups: groups.into_iter().collect() }
}

/// Whether a frame goes out, and whether one that comes is taken.
async fn passes(state: &str, role: usize, module: Module) -> (bool, bool) {
    // As it was while the removed one was a member: what was said since then counts.
    let mut before = membership(state);
    if let Some(group) = before.groups.get_mut(&GROUP) {
        group.insert(key(3), "node-3".into());
    }
    let (told, known) = watch::channel(before);
    let switch = Switch::new(key(ROLES.len()), known, Arc::default(), u64::MAX);
    let group = if state == "lobby" { LOBBY } else { GROUP };
    let mut network = switch.join(group);
    let outbox = Arc::new(Outbox::new(1_000));
    switch.connect(key(role), outbox.clone());
    told.send_replace(membership(state));
    if !matches!(state, "running" | "lobby") {
        drop(network);
        network = switch.join(OTHER);
    }
    network.transport.send(Recipient::All, module, Arc::from([1]));
    let sent = std::iter::from_fn(|| outbox.take()).any(|outgoing| outgoing.group == group);
    assert!(switch.deliver(&key(role), &group, Arc::from([2])), "nothing waits");
    drop(switch);
    drop(network.transport);
    let mut taken = false;
    while let Some(incoming) = network.incoming.recv().await {
        taken |= matches!(incoming, Incoming::Frame { .. });
    }
    (sent, taken)
}

#[tokio::test]
async fn frames_pass_as_it_is_written() {
    let mut cells = 0;
    for (state, row) in EXPECTED {
        for (role, expected) in row.into_iter().enumerate() {
            for module in Module::ALL {
                let found = match passes(state, role, module).await {
                    (true, true) => "both",
                    (false, false) => "none",
                    (true, false) => "sent only",
                    (false, true) => "taken only",
                };
                assert_eq!(found, expected, "{state}, {}, {}", ROLES[role], module.name());
                cells += 2;
            }
        }
    }
    println!("{cells} cells of states, roles, modules and directions");
    assert!(cells >= 150, "{cells}");
}
