//! Foundings between nodes: each node tells those whom a group concerns what it knows of its founding, as often as it
//! learns more, and takes in what others tell.
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
}

impl Canonical for Word {
    const NAME: &'static str = "word in the lobby";
    const MAX_BYTES: usize = limits::FOUNDING_BYTES + 16;
}

/// Whom was told what: of which group, how many signatures.
type Told = BTreeMap<(PublicKey, Hash), usize>;

/// Tells and hears until the network ends.
pub(crate) async fn run(groups: Arc<Groups>, net: Arc<Net>) {
    let (mut lobby, mut changes) = (net.lobby(), groups.follow());
    let (mut up, mut told) = (BTreeSet::new(), Told::new());
    let mut again = tokio::time::interval(AGAIN);
    loop {
        tokio::select! {
            heard = lobby.hear() => match heard {
                Some(Heard::Up(key)) => {
                    told.retain(|(known, _), _| *known != key);
                    up.insert(key);
                }
                Some(Heard::Down(key)) => drop(up.remove(&key)),
                Some(Heard::Word(from, bytes)) => hear(&groups, from, &bytes).await,
                None => return,
            },
            changed = changes.changed() => if changed.is_err() {
                return;
            },
            // Members come and go by transactions, and what was said while too much waited is lost.
            _ = again.tick() => told.retain(|(_, group), _| !is_incomplete(&groups, group)),
        }
        tell(&groups, &lobby, &up, &mut told);
    }
}

async fn hear(groups: &Groups, from: PublicKey, bytes: &[u8]) {
    let Word::Founding(founding) = match Word::decode(bytes) {
        Ok(word) => word,
        Err(error) => return tracing::warn!(%from, %error, "a node said what nobody says"),
    };
    if let Err(error) = groups.invite(*founding, Some(from)).await {
        tracing::warn!(%from, %error, "a founding was not taken in");
    }
}

/// Tells everybody who is connected what they have not been told.
fn tell(groups: &Groups, lobby: &Lobby, up: &BTreeSet<PublicKey>, told: &mut Told) {
    for status in groups.list() {
        let Some(founding) = status.founding.as_ref().filter(|_| is_told_on(&status)) else { continue };
        let concerned = concerned(&status, founding);
        let mut bytes: Option<Arc<[u8]>> = None;
        for key in up.iter().filter(|key| concerned.contains(key)) {
            let known = told.insert((*key, status.hash), founding.signed());
            if known != Some(founding.signed()) {
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

fn is_incomplete(groups: &Groups, group: &Hash) -> bool {
    let complete = |status: &GroupStatus| status.founding.as_ref().is_none_or(Founding::is_complete);
    groups.list().iter().any(|status| status.hash == *group && !complete(status))
}
