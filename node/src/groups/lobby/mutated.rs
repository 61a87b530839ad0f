//! Words in the lobby as no node says them: good ones with a few bytes changed, heard by a node with a network.
//!
//! Each is taken in or refused, never by a panic; what decodes encodes to the same bytes, so that no two words say the same;
//! and no changed founding makes an invitation. `HANSE_MUTATIONS` says how many there are.
#![allow(clippy::unwrap_used)]

#[path = "../../../../engine/types/tests/common/mutate.rs"]
mod mutate;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use hanse_group::GroupConfig;
use hanse_types::crypto::{SecretKey, Signer};
use hanse_types::genesis::{ConsensusKind, Genesis, Validator};
use mutate::{neighbours, per_value};

use super::*;
use crate::dev::example_genesis;
use crate::groups::{Accept, ChainFolder, Housekeeping, Shared};
use crate::keys::dev;
use crate::metrics::Metrics;
use crate::p2p::Settings;
use crate::rpc::mutated::log;

/// Changed copies of each word; more by `HANSE_MUTATIONS`.
const MUTATIONS: usize = 2_000;
/// Validators of the groups that are founded.
const VALIDATORS: usize = 4;

/// A network with nobody else in it.
async fn network() -> Arc<Net> {
    let settings = Settings::alone(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    Net::start(settings, &dev::validator(0)).await.unwrap()
}

async fn node(folder: &Path, net: Arc<Net>) -> Arc<Groups> {
    let folder = ChainFolder(folder.to_owned());
    let config = GroupConfig { threads: 1, ..GroupConfig::new(example_genesis(), folder.group()) };
    let shared = Shared {
        signer: Arc::new(dev::validator(0)),
        net: Some(net),
        housekeeping: Housekeeping::default(),
        metrics: Metrics::new(),
        log: log(),
    };
    Groups::open(shared, config, None, folder, Accept::Ask).await.unwrap()
}

/// A founding that all but this node have signed, of so many.
fn founding(name: &str, consensus: ConsensusKind, signed: usize) -> Founding {
    let keys: Vec<SecretKey> = (0..VALIDATORS).map(dev::validator).collect();
    let validator =
        |(place, key): (usize, &SecretKey)| Validator { name: format!("node-{place}"), key: key.public_key() };
    let validators = keys.iter().enumerate().map(validator).collect();
    let genesis = Genesis { group_id: name.into(), consensus, validators, ..example_genesis() };
    let mut founding = Founding::new(genesis).unwrap();
    keys[1..=signed].iter().for_each(|key| founding.sign(key).unwrap());
    founding
}

/// What nodes say while groups are founded.
fn words() -> Vec<Word> {
    let foundings = [("loans", ConsensusKind::Bft, 3), ("letters", ConsensusKind::Raft, 1)];
    let foundings = foundings.map(|(name, consensus, signed)| founding(name, consensus, signed));
    let heard =
        |founding: &Founding| Word::Heard { genesis: founding.genesis().hash(), signed: founding.signed() as u32 };
    let heard: Vec<Word> = foundings.iter().map(heard).collect();
    foundings.into_iter().map(|founding| Word::Founding(Box::new(founding))).chain(heard).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutated_words_are_taken_in_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let net = network().await;
    let (groups, lobby, words) = (node(folder.path(), net.clone()).await, net.lobby(), words());
    let (from, mut said) = (dev::validator(1).public_key(), Said::default());
    for word in &words {
        if let Word::Heard { genesis, .. } = word {
            said.told.insert((from, *genesis), 0);
        }
    }
    let (count, names) = (per_value(words.len() as u32, MUTATIONS), || groups.list().len());
    let (mut decoded, mut foundings, mut refused) = (0u64, 0u64, 0u64);
    for word in words {
        let whole = word.encode();
        for bytes in neighbours(&whole, count).filter(|bytes| *bytes != whole) {
            match Word::decode(&bytes) {
                Ok(word) => {
                    assert_eq!(word.encode(), bytes, "{word:?}");
                    foundings += u64::from(matches!(word, Word::Founding(_)));
                    decoded += 1;
                }
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    refused += 1;
                }
            }
            hear(&groups, &lobby, &mut said, from, &bytes).await;
        }
        let known = names();
        hear(&groups, &lobby, &mut said, from, &whole).await;
        // The good one is taken in after all of these, and it alone.
        assert_eq!(names() - known, usize::from(matches!(word, Word::Founding(_))));
    }
    println!("words in the lobby: {decoded} decoded, {foundings} of them foundings, {refused} refused");
    assert!(foundings > 500 && decoded > 1_000 && refused > 1_000, "{decoded} ({foundings}) and {refused}");
    assert_eq!(names(), 3, "the home, and the two that it was invited to");
    groups.running(None).unwrap().group().stop().await;
    net.stop().await;
}
