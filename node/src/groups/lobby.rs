//! Foundings between nodes: each node tells those whom a group concerns what it knows of its founding, as often as it
//! learns more and until they have heard it, and takes in what others tell.
//!
//! A founding is told to nobody but those who are named in it, and to members of the group it became: nobody else learns
//! that there is such a group. It is told by nodes that agreed to it, so an invitation that is not accepted goes nowhere.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use borsh::{BorshDeserialize, BorshSerialize};
use hanse_types::crypto::PublicKey;
use hanse_types::{Canonical, Founding, Hash, limits};

use super::{GroupStatus, Groups, Standing};
use crate::p2p::{Heard, Lobby, Net};

/// Between two attempts to tell what may have been lost.
const AGAIN: Duration = Duration::from_secs(5);

/// What nodes say in the lobby.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
enum Word {
    /// What the sender knows of a founding.
    Founding(Box<Founding>),
    /// The sender was told of the founding with this genesis, with so many signatures: it need not be told that again.
    Heard { genesis: Hash, signed: u32 },
}

impl Canonical for Word {
    const NAME: &'static str = "word in the lobby";
    const MAX_BYTES: usize = limits::FOUNDING_BYTES + 16;
}

/// How many signatures, by node and by group.
type Signed = BTreeMap<(PublicKey, Hash), u32>;

/// What was said to others since they are connected.
#[derive(Debug, Default)]
struct Said {
    /// Who is connected.
    up: BTreeSet<PublicKey>,
    /// What they were told.
    told: Signed,
    /// What they have heard, by their own word.
    heard: Signed,
}

/// Tells and hears until the network ends.
pub(crate) async fn run(groups: Arc<Groups>, net: Arc<Net>) {
    let (mut lobby, mut changes) = (net.lobby(), groups.follow());
    let mut said = Said::default();
    let mut again = tokio::time::interval(AGAIN);
    loop {
        tokio::select! {
            heard = lobby.hear() => match heard {
                Some(Heard::Up(key)) => said.begin(key),
                Some(Heard::Down(key)) => drop(said.up.remove(&key)),
                Some(Heard::Word(from, bytes)) => hear(&groups, &lobby, &mut said, from, &bytes).await,
                None => return,
            },
            changed = changes.changed() => if changed.is_err() {
                return;
            },
            // Members come and go by transactions, and a word may be lost: to too much that waits, or to a node that has only
            // begun to listen.
            _ = again.tick() => said.forget_unheard(),
        }
        tell(&groups, &lobby, &mut said);
    }
}

impl Said {
    fn begin(&mut self, key: PublicKey) {
        self.told.retain(|(known, _), _| *known != key);
        self.heard.retain(|(known, _), _| *known != key);
        self.up.insert(key);
    }

    /// What was told and not heard is told again.
    fn forget_unheard(&mut self) {
        let heard = &self.heard;
        self.told.retain(|about, told| heard.get(about).is_some_and(|heard| heard >= told));
    }
}

async fn hear(groups: &Groups, lobby: &Lobby, said: &mut Said, from: PublicKey, bytes: &[u8]) {
    let founding = match Word::decode(bytes) {
        Ok(Word::Founding(founding)) => founding,
        Ok(Word::Heard { genesis, signed }) => {
            // Of what was never told, nothing is kept.
            if said.told.contains_key(&(from, genesis)) {
                said.heard.insert((from, genesis), signed);
            }
            return;
        }
        Err(error) => return tracing::warn!(%from, %error, "a node said what nobody says"),
    };
    let (genesis, signed) = (founding.genesis().hash(), founding.signed() as u32);
    if let Err(error) = groups.invite(*founding, Some(from)).await {
        tracing::warn!(%from, %error, "a founding was not taken in");
    }
    lobby.say(&from, Word::Heard { genesis, signed }.encode().into());
}

/// Tells everybody who is connected what they have not been told.
fn tell(groups: &Groups, lobby: &Lobby, said: &mut Said) {
    for status in groups.list() {
        let Some(founding) = status.founding.as_ref().filter(|_| is_told_on(&status)) else { continue };
        let (concerned, signed) = (concerned(&status, founding), founding.signed() as u32);
        let mut bytes: Option<Arc<[u8]>> = None;
        for key in said.up.iter().filter(|key| concerned.contains(key)) {
            if said.told.insert((*key, status.hash), signed) != Some(signed) {
                let word = || Word::Founding(Box::new(founding.clone())).encode().into();
                lobby.say(key, bytes.get_or_insert_with(word).clone());
            }
        }
    }
}

/// Whether this node speaks of the group at all.
fn is_told_on(status: &GroupStatus) -> bool {
    matches!(status.standing, Standing::Agreed | Standing::Active | Standing::Stopped)
}

/// Whom the group concerns.
fn concerned(status: &GroupStatus, founding: &Founding) -> BTreeSet<PublicKey> {
    match founding.is_complete() {
        true => status.members().into_iter().map(|member| member.key).collect(),
        false => founding.genesis().validators.iter().map(|validator| validator.key).collect(),
    }
}

#[cfg(test)]
mod mutated;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_heard_is_told_again_and_what_was_is_not() {
        let (node, [one, two]) = (PublicKey::Ed25519([1; 32]), [Hash([1; 32]), Hash([2; 32])]);
        let mut said = Said::default();
        said.begin(node);
        said.told.extend([((node, one), 3), ((node, two), 3)]);
        said.heard.extend([((node, one), 3), ((node, two), 2)]);
        said.forget_unheard();
        assert_eq!(said.told, [((node, one), 3)].into());
        said.begin(node);
        assert!(said.told.is_empty() && said.heard.is_empty(), "a new connection may be to one that has forgotten");
    }
}
