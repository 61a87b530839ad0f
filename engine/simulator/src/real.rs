//! Runs with the real parts: replica, pool, scheduler, native contracts and ledger, instead of stand-ins.
//!
//! A share of the seeds is run like this, a fifteenth of them by the crypto suite guomi. Everything is what a node has, put
//! together as its driver does, but for threads, time and disk: transactions are signed, relayed and admitted, blocks are
//! made by the scheduler on several threads and run along their DAGs by those who vote, each node has a ledger on a store
//! in memory whose writes fail now and then, and starts again from what that holds. What a block should have been is found
//! by a [`Reference`]: a ledger of nobody's, on which every decided block is run again, along its DAG on one thread, and in
//! a plain loop.
//!
//! Validators change by transactions in a share of them. Clients are promised that what a node has accepted outlives it:
//! at the end each such transaction is in the chain, or was recorded as dropped, or waits there still ([`Queue`]). Clocks
//! differ, also by hours, but go on: a node reads the system's once and measures time by one that does. Who is behind fetches
//! ranges of blocks of several others, some of which send what is not so.

mod clients;
mod node;
mod queue;
mod reference;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use hanse_consensus::{CompactBlock, Input as Said, Message};
use hanse_group::execution::Base;
use hanse_ledger::{Ledger, LedgerError, LedgerOptions};
use hanse_replica::Input;
use hanse_state::ChangeSet;
use hanse_types::crypto::verified::Verifier;
use hanse_types::genesis::{ConsensusKind, CryptoSuite, GenesisAccount, Validator};
use hanse_types::{
    Canonical, Certificate, Genesis, Hash, Height, Params, SignedTransaction, StateCommitment, Timestamp, ValidatorSet,
    Verified,
};
use hanse_vm::{Vm, VmConfig};
use rayon::{ThreadPool, ThreadPoolBuilder};

use self::clients::Clients;
pub(crate) use self::node::{Place, Whole, noted};
pub(crate) use self::queue::{Queue, Recorded, Write};
use self::reference::Reference;
use crate::keys::Keyring;
use crate::node::EPOCH_MS;
use crate::random::Random;
use crate::scenario::WHOLE_EVERY;

/// Pools of so many threads, one for every third node: blocks must not depend on how many there are.
static POOLS: LazyLock<[ThreadPool; 3]> = LazyLock::new(|| [1, 2, 3].map(pool));

fn pool(threads: usize) -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(threads).build().expect("a machine that simulates can start threads")
}

/// Does a node's work on its threads.
pub(crate) fn on_threads_of<T: Send>(node: usize, work: impl FnOnce() -> T + Send) -> T {
    POOLS[node % POOLS.len()].install(work)
}

/// What all nodes of a run share, and what the world knows of the chain.
pub(crate) struct Real {
    pub(crate) genesis: Arc<Genesis>,
    first_state: ChangeSet,
    vm: Vm,
    pub(crate) verifier: Verifier,
    clients: Clients,
    /// All transactions so far, by their leaves.
    transactions: BTreeMap<Hash, Verified>,
    reference: Reference,
}

impl Real {
    /// A chain whose validators have these keys: the first so many of these nodes.
    ///
    /// # Errors
    /// If it doesn't begin, which would be a mistake in it.
    pub(crate) fn new(seed: u64, (validators, nodes): (usize, usize), ring: &Keyring) -> Result<Real, String> {
        let crypto = suite(seed);
        let mut clients = Clients::new(crypto);
        clients.rotate((0..nodes).map(|node| ring.public(node as u8)).collect(), validators);
        let genesis = Arc::new(Genesis { crypto, ..genesis(seed, validators, ring, &clients) });
        let first_state = hanse_vm::system::genesis_state(&genesis);
        let vm = Vm::new(&VmConfig { threads: 1, artifacts: None }).map_err(|error| error.to_string())?;
        let ledger = Place::default().open(&genesis, &first_state)?;
        Ok(Real {
            verifier: Verifier::new(genesis.clone()),
            reference: Reference::new(ledger, vm.clone()),
            genesis,
            first_state,
            vm,
            clients,
            transactions: BTreeMap::new(),
        })
    }

    /// Block 0, to refer to.
    pub(crate) fn genesis_block(&self) -> (Height, Hash) {
        (Height(0), self.reference.genesis_block())
    }

    /// A client sends something that refers to this block.
    pub(crate) fn send(&mut self, dice: &mut Random, reference: (Height, Hash), now: Timestamp) -> Verified {
        let signed = self.clients.next(dice, &self.genesis, reference, now);
        let verified = self.verifier.verify(signed).expect("what clients here sign is good");
        self.transactions.insert(verified.leaf(), verified.clone());
        verified
    }

    /// Those of these canonical bytes that are transactions.
    pub(crate) fn verify(&self, bytes: &[Vec<u8>]) -> Vec<Verified> {
        let signed = bytes.iter().filter_map(|bytes| SignedTransaction::decode(bytes).ok());
        signed.filter_map(|signed| self.verifier.verify(signed).ok()).collect()
    }

    /// A block is decided for the first time.
    ///
    /// # Errors
    /// If it is not what running it gives.
    pub(crate) fn decided(&mut self, block: &CompactBlock, certificate: &Certificate) -> Result<(), String> {
        self.reference.follow(block, certificate, &self.transactions)
    }

    /// Whether a ledger is that of the chain as far as it goes, and its state what its headers say.
    ///
    /// # Errors
    /// How it is not.
    pub(crate) fn compare(&self, ledger: &Ledger) -> Result<(), String> {
        self.reference.compare(ledger)
    }

    /// The ledger of no node.
    pub(crate) fn ledger(&self) -> &Ledger {
        self.reference.ledger()
    }
}

/// What the chain of a seed is hashed by. Few are guomi: checking their signatures takes most of a run. Not
/// by the seed itself: those of whole nodes are all the same, divided by three.
fn suite(seed: u64) -> CryptoSuite {
    match (seed / WHOLE_EVERY).is_multiple_of(15) {
        true => CryptoSuite::Guomi,
        false => CryptoSuite::Standard,
    }
}

fn genesis(seed: u64, validators: usize, ring: &Keyring, clients: &Clients) -> Genesis {
    let validator = |node| Validator { name: format!("node-{node}"), key: ring.public(node as u8) };
    let account = |address| GenesisAccount { address, balance: 1_000 };
    Genesis {
        chain_id: "simulated".into(),
        group_id: "group".into(),
        timestamp: Timestamp(EPOCH_MS - 10_000),
        crypto: CryptoSuite::Standard,
        consensus: ConsensusKind::Bft,
        state_commitment: if seed.is_multiple_of(2) { StateCommitment::Merkle } else { StateCommitment::Flat },
        validators: (0..validators).map(validator).collect(),
        administrators: vec![clients.administrator()],
        accounts: clients.addresses().map(account).collect(),
        params: Params { block_tx_count_max: 16, block_interval_ms: 20, ..Params::default() },
    }
}

/// The validators of a genesis.
pub(crate) fn validators(genesis: &Genesis) -> ValidatorSet {
    ValidatorSet::from_genesis(genesis).expect("different keys make a set")
}

/// Small caches: there are many ledgers, and little is in them.
fn options() -> LedgerOptions {
    LedgerOptions { value_cache_bytes: 1 << 16, page_cache_bytes: 1 << 16, ..LedgerOptions::default() }
}

/// The durable end of a chain.
pub(crate) fn base(ledger: &Ledger) -> Base {
    let (tip, state, nodes) = ledger.frozen();
    Base { height: tip.header.height, root: tip.header.state_root, state, nodes }
}

/// Hashes of the newest blocks, the newest first.
fn recent(ledger: &Ledger) -> Vec<Hash> {
    ledger.recent_hashes().into_iter().rev().map(|(_, hash)| hash).collect()
}

/// The blocks of a ledger above the first, with their certificates.
pub(crate) fn blocks(ledger: &Ledger) -> Result<Vec<(CompactBlock, Certificate)>, LedgerError> {
    let heights = 1..=ledger.height().0;
    let decided = heights.map(|height| hanse_group::decided(ledger, Height(height)));
    let block = |message| match message {
        Message::Decided { block, certificate } => Some((block, certificate)),
        _ => None,
    };
    decided.filter_map(|message| message.map(|message| message.and_then(block)).transpose()).collect()
}

/// What consensus alone would be told, as a replica is told it; nothing, if a replica tells that itself.
pub(crate) fn for_replica(said: Said) -> Option<Input> {
    Some(match said {
        Said::Start => Input::Start,
        Said::BatchReady => Input::Tick,
        Said::Message { from, message } => Input::Message { from, message: Box::new(message) },
        Said::PeerUp(peer) => Input::PeerUp(peer),
        Said::PeerDown(peer) => Input::PeerDown(peer),
        Said::Signed(signed) => Input::Signed(signed),
        Said::Persisted { height } => Input::Persisted { height },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::WHOLE;

    #[test]
    fn whole_nodes_have_both_suites_with_both_commitments() {
        let whole = |seed: &u64| seed % WHOLE_EVERY == WHOLE;
        let mut seen: Vec<_> = (0..2_000).filter(whole).map(|seed| (suite(seed), seed % 2)).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 4, "{seen:?}");
    }
}
